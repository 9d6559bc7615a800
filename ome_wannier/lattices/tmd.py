"""Monolayers of transition metal dichalcogenides: three d orbitals of the metal, with spin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.atomic_orbitals import Orbital, angular_momentum
from ..models.tight_binding import TightBinding
from .dirac import PAULI
from .honeycomb import vectors
from .hopping import IDENTITY, deformed, elongation, from_hoppings, uniaxial_strain

Array = NDArray[np.float64]


class ThreeBand(NamedTuple):
    """Parameters of one material: lattice constant in Angstrom, the others in eV."""

    lattice_constant: float
    e1: float
    e2: float
    t0: float
    t1: float
    t2: float
    t11: float
    t12: float
    t22: float
    spin_orbit: float


#: nearest-neighbour fits to GGA bands. Read from several codes that quote the paper, spin-orbit energies included
MATERIALS = {
    "MoS2": ThreeBand(3.190, 1.046, 2.104, -0.184, 0.401, 0.507, 0.218, 0.338, 0.057, 0.073),
    "WS2": ThreeBand(3.191, 1.130, 2.275, -0.206, 0.567, 0.536, 0.286, 0.384, -0.061, 0.211),
    "MoSe2": ThreeBand(3.326, 0.919, 2.065, -0.188, 0.317, 0.456, 0.211, 0.290, 0.130, 0.091),
    "WSe2": ThreeBand(3.325, 0.943, 2.179, -0.207, 0.457, 0.486, 0.263, 0.329, 0.034, 0.228),
    "MoTe2": ThreeBand(3.557, 0.605, 1.972, -0.169, 0.228, 0.390, 0.207, 0.239, 0.252, 0.107),
    "WTe2": ThreeBand(3.560, 0.606, 2.102, -0.175, 0.342, 0.410, 0.233, 0.270, 0.190, 0.237),
}
#: hbar^-1 L_z of the orbitals z^2, xy, x^2 - y^2
_LZ = np.array([[0, 0, 0], [0, 0, 2j], [0, -2j, 0]])


def tmd(
    *,
    material: str = "MoS2",
    spin_orbit: float | None = None,
    exchange: float | Sequence[float] = 0.0,
    strain: float = 0.0,
    strain_angle: float = 0.0,
    poisson: float = 0.25,
    beta: float = 5.0,
) -> TightBinding:
    """Three-band model of a 1H monolayer with spin-orbit coupling, an exchange field and strain.

    H = sum over nearest neighbours of the metal of d_z2, d_xy, d_x2-y2 hoppings + (spin_orbit / 2) L_z s_z + exchange . s.
    The zigzag direction is x. Bands 1 and 2 of six are full. It knows the operator "L" of its orbitals.

    Parameters
    ----------
    material : one of `MATERIALS`.
    spin_orbit : lambda in eV, by default the material's; valence bands split by 2 lambda at K, conduction bands do not.
    exchange : eV, the field along z or its three components; it splits spins by twice its length. Without it time reversal
        holds, and there is no intrinsic response; for a field along z there is none in the gap, in the plane none at all.
    strain : uniaxial, a fraction. strain_angle : degrees from x. Without strain the threefold axis forbids M_z.
    poisson : Poisson ratio.
    beta : hoppings become t exp(-beta (d'/d - 1)), d the distance of the metals; angles between bonds and orbitals are kept.

    Source: Liu, Shan, Yao, Yao, Xiao, Phys. Rev. B 88, 085433 (2013), doi:10.1103/PhysRevB.88.085433, GGA, nearest neighbours.
    Strain is not theirs: beta = 5 is Harrison's d^-5 of d-d hoppings, a plausible size fitted to nothing, the Poisson ratio a
    typical one. No published response was compared with.

    Raises
    ------
    ModelError : another material, an exchange field that is neither a number nor three.
    """
    if material not in MATERIALS:
        raise ModelError(f"material {material!r}: one of {', '.join(MATERIALS)}")
    p = MATERIALS[material]
    tensor = uniaxial_strain(strain, strain_angle, poisson)
    lattice = vectors(p.lattice_constant)
    coupling = p.spin_orbit if spin_orbit is None else spin_orbit
    field = _field(exchange)
    cells, matrices = _hoppings(p)
    factors = np.exp(-beta * elongation(np.array(cells) @ lattice, tensor))
    onsite = np.kron(np.diag([p.e1, p.e2, p.e2]), IDENTITY) + np.kron(_LZ, coupling / 2 * PAULI[2])
    model = from_hoppings(
        deformed(lattice, tensor),
        np.zeros((3, 3)),
        onsite + np.kron(np.eye(3), np.tensordot(field, PAULI, axes=1)),
        [(R, np.kron(f * t, IDENTITY)) for R, f, t in zip(cells, factors, matrices, strict=True)],
        spinful=True,
        name=f"{material} three bands (spin-orbit={coupling:g} eV, exchange={tuple(field.tolist())} eV, "
        f"strain={strain:g} at {strain_angle:g} deg)",
    )
    orbitals = [Orbital(2, m, (0,), spin=s) for m in (0, 4, 3) for s in "ud"]
    return model.with_operator("L", angular_momentum(orbitals), unit="hbar", time_reversal=-1)


def _hoppings(p: ThreeBand) -> tuple[list[tuple[int, int, int]], list[Array]]:
    """Cells at 0, 120 and 240 degrees and <0i|H|Rj> there, each the one before turned by a third of a circle."""
    first = np.array([[p.t0, p.t1, p.t2], [-p.t1, p.t11, p.t12], [p.t2, -p.t12, p.t22]])
    c, s = np.cos(4 * np.pi / 3), np.sin(4 * np.pi / 3)
    turn = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    second = turn @ first @ turn.T
    return [(1, 0, 0), (-1, 1, 0), (0, -1, 0)], [first, second, turn @ second @ turn.T]


def _field(exchange: float | Sequence[float]) -> Array:
    """(3,) from a number, which is along z, or three components."""
    field = np.array([0.0, 0.0, exchange]) if np.ndim(exchange) == 0 else np.asarray(exchange, dtype=float)
    if field.shape != (3,) or not np.isfinite(field).all():
        raise ModelError(f"exchange {exchange!r}: give a number (along z) or three components, in eV")
    return field
