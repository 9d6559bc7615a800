"""Antiferromagnets that are symmetric under inversion and time reversal together, not under either."""

from __future__ import annotations

import numpy as np

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding
from .dirac import PAULI
from .hopping import IDENTITY, Hopping, from_hoppings


def cumnas_minimal(
    *,
    t: float = 1.0,
    t_same: float = 0.08,
    spin_orbit: float = 0.8,
    exchange: float = 0.6,
    neel: tuple[float, float, float] = (1.0, 0.0, 0.0),
    lattice_constant: float = 3.82,
    buckling: float = 0.0,
) -> TightBinding:
    """Minimal model of tetragonal CuMnAs, a square lattice with two magnetic sites.

    H = -2 t tau_x cos(k_x/2) cos(k_y/2) - t_same (cos k_x + cos k_y) + spin_orbit tau_z (sigma_y sin k_x - sigma_x sin k_y)
    + exchange tau_z n.sigma, k in units of 1 / lattice_constant, tau for the sites A at (0, 0) and B at (1/2, 1/2).

    Parameters
    ----------
    t, t_same, spin_orbit, exchange : eV.
    neel : direction n of the Neel vector, of any length. Along z the twofold axis forbids M_z from a field in the plane;
        along x the mirror x -> -x leaves a field along x, along y one along y.
    lattice_constant, buckling : Angstrom; `buckling` is the height of B above A, which M_z does not depend on.

    Source: Smejkal, Zelezny, Sinova, Jungwirth, Phys. Rev. Lett. 118, 106402 (2017), in units of t.

    Raises
    ------
    ModelError : a Neel vector without direction, a lattice constant that is not positive.
    """
    if not lattice_constant > 0:
        raise ModelError(f"lattice_constant is {lattice_constant}: give a positive length in Angstrom")
    n = np.asarray(neel, dtype=float)
    length = float(np.linalg.norm(n))
    if n.shape != (3,) or not 0 < length < np.inf:
        raise ModelError(f"neel {neel!r}: give the three components of a direction")
    moment = np.tensordot(exchange * n / length, PAULI, axes=1)
    a_to_b = np.kron([[0, 1], [0, 0]], -t / 2 * IDENTITY)
    same = -t_same / 2 * np.eye(4)
    hoppings: list[Hopping] = [(R, a_to_b) for R in ((-1, 0, 0), (0, -1, 0), (-1, -1, 0))]
    # sin k = (e^ik - e^-ik) / 2i
    hoppings += [
        ((1, 0, 0), same + np.kron(PAULI[2], spin_orbit / 2j * PAULI[1])),
        ((0, 1, 0), same - np.kron(PAULI[2], spin_orbit / 2j * PAULI[0])),
    ]
    return from_hoppings(
        np.diag([lattice_constant, lattice_constant, 10.0]),
        ((0.0, 0.0, 0.0), (0.5, 0.5, buckling / 10.0)),
        np.kron(PAULI[2], moment) + a_to_b + a_to_b.conj().T,
        hoppings,
        spinful=True,
        name=f"CuMnAs minimal (t={t:g}, t'={t_same:g}, spin-orbit={spin_orbit:g}, exchange={exchange:g} eV, n={tuple(neel)})",
    )
