"""Massive Dirac cones in two dimensions, tilted: in the continuum, and on a square lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..common.units import HBAR_EV_FS
from ..models.kdotp import KDotP
from ..models.tight_binding import TightBinding
from .hopping import from_hoppings

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_ONE = np.eye(2, dtype=complex)
_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
_Z = np.array([[1, 0], [0, -1]], dtype=complex)
PAULI = np.stack([_X, _Y, _Z])
#: hbar times 1e6 m/s in eV Angstrom
HBAR_1E6 = 10 * HBAR_EV_FS


def tilted_dirac(*, alpha: float = 4.0, mass: float = 0.01, tilt: float = 0.8, spin_degeneracy: int = 1) -> KDotP:
    """H = tilt k_x + mass sigma_z + alpha (k_y sigma_x - k_x sigma_y): the surface of a magnetic topological insulator.

    Parameters
    ----------
    alpha : velocity times hbar in eV Angstrom.
    mass : half of the gap in eV.
    tilt : hbar v_t in eV Angstrom, along x; below alpha, or Fermi surfaces reach to infinity (type II).
    spin_degeneracy : number of identical cones.

    Source: Cullen, Arovas, Raimondi, Culcer (2025), model of their figures (physics.md eq. 54).

    Raises
    ------
    ModelError : an alpha that is not positive, a tilt that is not below it.
    """
    if not alpha > 0:
        raise ModelError(f"alpha is {alpha}: give a positive velocity, times hbar, in eV Angstrom")
    _type_one("tilt", tilt, "alpha", alpha)
    gradient = np.stack([tilt * _ONE - alpha * _Y, alpha * _X])

    def hamiltonian(k: Array) -> ComplexArray:
        return np.asarray(mass * _Z + np.tensordot(k, gradient, axes=1), dtype=complex)

    return KDotP(
        hamiltonian,
        lambda k: np.broadcast_to(gradient, (len(k), 2, 2, 2)),
        lambda k: np.zeros((len(k), 2, 2, 2, 2)),
        scale=abs(mass) / alpha if mass else 0.01,
        spin_degeneracy=spin_degeneracy,
        spin=np.moveaxis(PAULI, 0, 2),
        name=f"tilted Dirac cone (alpha={alpha:g} eV A, mass={mass:g} eV, tilt={tilt:g} eV A)",
    )


def lattice_dirac(
    *,
    alpha: float = 4.0,
    mass: float = 0.1,
    tilt: float = 0.8,
    wilson: float | None = None,
    spacing: float = 2.0,
) -> TightBinding:
    """The cone of `tilted_dirac` on a square lattice, with a Wilson mass at the other corners of the zone.

    H = (tilt / a) sin(k_x a) + [mass + wilson (2 - cos k_x a - cos k_y a)] sigma_z + (alpha / a) (sin(k_y a) sigma_x -
    sin(k_x a) sigma_y), a = spacing. The Chern number is 0 for mass / wilson > 0 and +-1 for -2 < mass / wilson < 0.

    Parameters
    ----------
    alpha : eV Angstrom. mass : eV, half of the gap at Gamma. tilt : eV Angstrom, along x.
    wilson : eV; by default alpha / spacing. spacing : Angstrom.

    Source: Qi, Wu, Zhang, Phys. Rev. B 74, 085308 (2006), doi:10.1103/PhysRevB.74.085308; the tilt is of this project, the
    numbers are of no material. Responses tend to those of the continuum with an error of first order in mass spacing / alpha.

    Raises
    ------
    ModelError : a spacing that is not positive.
    """
    if not spacing > 0:
        raise ModelError(f"spacing is {spacing}: give a positive length in Angstrom")
    a = spacing
    r = alpha / a if wilson is None else wilson
    # sin k = (e^ik - e^-ik) / 2i
    along_x = -r / 2 * _Z + (tilt * _ONE - alpha * _Y) / (2j * a)
    along_y = -r / 2 * _Z + alpha * _X / (2j * a)
    return from_hoppings(
        np.diag([a, a, 10.0]),
        np.zeros((1, 3)),
        (mass + 2 * r) * _Z,
        [((1, 0, 0), along_x), ((0, 1, 0), along_y)],
        spinful=True,
        name=f"tilted Dirac cone on a lattice (alpha={alpha:g} eV A, mass={mass:g} eV, tilt={tilt:g} eV A, spacing={a:g} A)",
    )


def anisotropic_dirac(
    *,
    gap: float = 0.02,
    v_x: float = 0.9,
    v_y: float = 0.7,
    v_t: float = 0.3,
    valley: int = 1,
    spin_degeneracy: int = 2,
) -> KDotP:
    """One valley of a tilted cone whose velocities differ, such as those of 8-Pmmn borophene.

    H = valley hbar v_x k_x sigma_x + hbar v_y k_y sigma_y + valley hbar v_t k_y + (gap / 2) sigma_z, sigma not the spin.

    Parameters
    ----------
    gap : eV, between the levels at k = 0, alike in both valleys. The tilt makes the gap between the bands smaller by
        sqrt(1 - v_t^2 / v_y^2).
    v_x, v_y, v_t : 1e6 m/s; the cone is tilted along y; |v_t| below v_y, or Fermi surfaces reach to infinity.
    valley : +1 or -1, the time-reversed cone: extrinsic responses are equal, intrinsic ones opposite, and cancel where both
        valleys are filled alike.
    spin_degeneracy : spins (and identical cones).

    Source: the form, without the gap, of Zabolotskiy, Lozovik, Phys. Rev. B 94, 165403 (2016), doi:10.1103/PhysRevB.94.165403,
    for borophene; all numbers are of this project, as theirs were not at hand. No published response was compared with.

    Raises
    ------
    ModelError : another valley, a v_x or v_y that is not positive, a v_t that is not below v_y.
    """
    if valley not in (1, -1):
        raise ModelError(f"valley is {valley}: +1 or -1")
    if not (v_x > 0 and v_y > 0):
        raise ModelError(f"v_x = {v_x}, v_y = {v_y}: give positive velocities in 1e6 m/s")
    _type_one("v_t", v_t, "v_y", v_y)
    x, y, t = (HBAR_1E6 * v for v in (v_x, v_y, v_t))
    gradient = np.stack([valley * x * _X, y * _Y + valley * t * _ONE])

    def hamiltonian(k: Array) -> ComplexArray:
        return np.asarray(gap / 2 * _Z + np.tensordot(k, gradient, axes=1), dtype=complex)

    return KDotP(
        hamiltonian,
        lambda k: np.broadcast_to(gradient, (len(k), 2, 2, 2)),
        lambda k: np.zeros((len(k), 2, 2, 2, 2)),
        scale=abs(gap) / 2 / y if gap else 0.01,
        spin_degeneracy=spin_degeneracy,
        name=f"anisotropic Dirac cone (gap={gap:g} eV, v={v_x:g}, {v_y:g}, tilt {v_t:g} x 1e6 m/s, valley {valley:+d})",
    )


def _type_one(name: str, tilt: float, limit_name: str, limit: float) -> None:
    """Refuse an overtilted cone: its pockets are bounded by a lattice only."""
    if not abs(tilt) < limit:
        raise ModelError(
            f"{name} is {tilt}: give a tilt between -{limit:g} and {limit:g} ({limit_name}); the pockets of a steeper cone "
            "(type II) have no end without a lattice"
        )
