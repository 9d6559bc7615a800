"""Slabs of three-dimensional topological insulators with magnetic and tilted surfaces.

Four orbitals per layer, two parities (tau) times spin (sigma), on a square lattice of layers, periodic in the plane and open
along z. With k^2 -> 2 (1 - cos ka) / a^2 and k -> sin(ka) / a the bulk Hamiltonian near Gamma is

    H = C + D1 k_z^2 + D2 k^2 + (M - B1 k_z^2 - B2 k^2) tau_z + A1 k_z tau_y + A2 (k_y sigma_x - k_x sigma_y) tau_x.

Inversion is tau_z about the middle of the slab. The surfaces have the cones +-A2 (k_y sigma_x - k_x sigma_y), tau_x = +1 on one
surface and -1 on the other; an exchange field m along z opens a gap of twice its mean over the surface state, a tilt adds the
velocity tilt / hbar along x. On the scale of a the square lattice is a regularisation, not the crystal.

In the gap every surface adds alpha_zy = -tilt / (12 pi |m|) e^2/hbar, whatever the sign of m: surfaces of equal gap with equal
tilts add up, with opposite tilts they cancel exactly (inversion, or a twofold axis along y); then gaps must differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding
from .dirac import PAULI
from .hopping import IDENTITY, Hopping, from_hoppings

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: layers of a slab: 4 bands each, all of which are computed
MOST_LAYERS = 300
Vector = Sequence[float]


class Bulk(NamedTuple):
    """Parameters of the Hamiltonian above: C, M in eV, A1, A2 in eV Angstrom, the others in eV Angstrom^2.

    spacing, layer : distances in Angstrom in the plane and from layer to layer.
    """

    C: float
    M: float
    A1: float
    A2: float
    B1: float
    B2: float
    D1: float
    D2: float
    spacing: float
    layer: float


#: Zhang et al., Nat. Phys. 5, 438 (2009), table of fits, as read alike in several public programs; distances: the crystal's,
#: rounded (quintuple layer: a third of c)
BI2SE3 = Bulk(-0.0068, 0.28, 2.2, 4.1, 10.0, 56.6, 1.3, 19.6, 4.14, 9.55)
#: Zhang et al., Phys. Rev. Lett. 122, 206401 (2019), M_1, M_2 with the other sign; as read alike in public
#: programs, but for A_1: 4.0535 stands there too, from another table of the same supplement
MNBI2TE4 = Bulk(-0.0048, -0.1165, 2.7023, 3.1964, -11.9048, -9.4048, 2.7232, 0.0, 4.334, 13.64)


def bi2se3(
    *,
    layers: int = 6,
    top: Vector = (0.0, 0.0, 0.05),
    bottom: Vector = (0.0, 0.0, 0.05),
    tilt_top: float = 0.0,
    tilt_bottom: float = 0.0,
    depth: int = 1,
    bulk: Bulk = BI2SE3,
) -> TightBinding:
    """Slab of Bi2Se3 with magnetic, tilted surfaces. Half of the bands is full.

    Parameters
    ----------
    layers : quintuple layers.
    top, bottom : exchange fields in eV of the uppermost and lowest layers, three components each; it enters as field . sigma.
        Parallel along z: a Chern insulator; antiparallel: an axion insulator.
    tilt_top, tilt_bottom : hbar times the tilt velocity along x, eV Angstrom, of the same layers: tilt sin(k_x a) / a.
    depth : how many layers from each surface carry exchange and tilt.
    bulk : parameters of the bulk.

    Source: Zhang, Liu, Qi, Dai, Fang, Zhang, Nat. Phys. 5, 438 (2009), doi:10.1038/nphys1270, numbers
    as in public programs, in the basis
    of Liu et al., Phys. Rev. B 82, 045122 (2010), where sigma is the spin. Tilt and exchange are of this project, the tilted
    surfaces after Cullen, Arovas, Raimondi, Culcer (2025), without numbers of theirs. Nothing published was compared with.
    Without exchange the surfaces hybridise by 121, 42, 14, 5, 1.8, 0.6 meV for one to six layers in this model; photoemission
    from thin films finds more (quintuple layers are not points, and films are not free of their substrates).

    Raises
    ------
    ModelError : no layers, surfaces that overlap, exchange fields that are no vectors.
    """
    if not 2 <= layers <= MOST_LAYERS:
        raise ModelError(f"layers is {layers}: give 2 to {MOST_LAYERS}, two surfaces need a layer each")
    if not 1 <= depth <= layers / 2:
        raise ModelError(f"depth {depth} of {layers} layers: the two surfaces must not overlap")
    exchange, tilts = np.zeros((layers, 3)), np.zeros(layers)
    exchange[:depth], exchange[-depth:] = _vector("bottom", bottom), _vector("top", top)
    tilts[:depth], tilts[-depth:] = tilt_bottom, tilt_top
    name = f"Bi2Se3, {layers} layers (top={tuple(top)}, bottom={tuple(bottom)} eV, tilts={tilt_top:g}, {tilt_bottom:g} eV A)"
    return slab(bulk, exchange, tilts, name)


def mnbi2te4(
    *,
    layers: int = 6,
    exchange: float = 0.03,
    order: str = "afm",
    direction: Vector = (0.0, 0.0, 1.0),
    tilt_top: float = 0.0,
    tilt_bottom: float = 0.0,
    bulk: Bulk = MNBI2TE4,
) -> TightBinding:
    """Slab of MnBi2Te4: every layer is ferromagnetic, neighbours are antiparallel ("afm") or parallel ("fm").

    Parameters
    ----------
    layers : septuple layers; an even number of antiparallel ones is symmetric under inversion times time reversal.
    exchange : eV, in the same form as for `bi2se3`, alike for both parities. The number is customary, not the paper's.
    order : "afm" or "fm". direction : of the moments, of any length; the uppermost layer points along it.
    tilt_top, tilt_bottom : hbar times the tilt velocity along x of the outermost layers, eV Angstrom.
    bulk : parameters of the bulk.

    Source: Zhang, Shi, Zhu, Xing, Zhang, Wang, Phys. Rev. Lett. 122, 206401 (2019), doi:10.1103/PhysRevLett.122.206401,
    numbers as in public programs. Their triangular lattice is replaced by a square one. Nothing published was compared with
    but Chern numbers.

    Raises
    ------
    ModelError : no layers, another order, a direction that is none.
    """
    if order not in ("afm", "fm"):
        raise ModelError(f"order {order!r}: afm or fm")
    n = _vector("direction", direction)
    if not np.linalg.norm(n) > 0:
        raise ModelError(f"direction {tuple(direction)!r}: give the three components of a direction")
    if not 1 <= layers <= MOST_LAYERS:
        raise ModelError(f"layers is {layers}: give 1 to {MOST_LAYERS}")
    signs = (-1.0 if order == "afm" else 1.0) ** np.arange(layers - 1, -1, -1)
    tilts = np.zeros(layers)
    tilts[:1] += tilt_bottom
    tilts[-1:] += tilt_top
    name = f"MnBi2Te4, {layers} layers ({order}, {exchange:g} eV along {tuple(direction)}, tilts={tilt_top:g}, {tilt_bottom:g})"
    return slab(bulk, exchange * signs[:, None] * n / np.linalg.norm(n), tilts, name)


def slab(bulk: Bulk, exchange: ArrayLike, tilts: ArrayLike, name: str = "") -> TightBinding:
    """Slab of a topological insulator from what every layer is like, from the lowest upwards.

    Parameters
    ----------
    bulk : parameters.
    exchange : (layers, 3) in eV. tilts : (layers,) in eV Angstrom.

    Raises
    ------
    ModelError : no layers, arrays that do not fit together.
    """
    fields, slopes = np.asarray(exchange, dtype=float), np.asarray(tilts, dtype=float)
    n = len(slopes) if slopes.ndim == 1 else 0
    if n < 1 or fields.shape != (n, 3) or not (np.isfinite(fields).all() and np.isfinite(slopes).all()):
        raise ModelError(f"exchange of shape {fields.shape}, tilts of shape {slopes.shape}: give (layers, 3) and (layers,)")
    a, c = bulk.spacing, bulk.layer
    one = np.eye(4)
    plane = (bulk.D2 * one - bulk.B2 * _tau(2)) / a**2
    stack = (bulk.D1 * one - bulk.B1 * _tau(2)) / c**2
    up = -stack + bulk.A1 / (2j * c) * _tau(1)  # <z|H|z + 1>; sin k = (e^ik - e^-ik) / 2i
    home = bulk.C * one + bulk.M * _tau(2) + 4 * plane + 2 * stack
    onsite = np.kron(np.eye(n), home) + np.kron(np.eye(n, k=1), up) + np.kron(np.eye(n, k=-1), up.conj().T)
    onsite += np.einsum("li,lm,iab->lamb", fields, np.eye(n), _sigma()).reshape(4 * n, 4 * n)
    across = bulk.A2 / (2j * a)
    tilt = np.kron(np.diag(slopes), one / (2j * a))
    hoppings: list[Hopping] = [
        ((1, 0, 0), np.kron(np.eye(n), -plane - across * np.kron(PAULI[0], PAULI[1])) + tilt),
        ((0, 1, 0), np.kron(np.eye(n), -plane + across * np.kron(PAULI[0], PAULI[0]))),
    ]
    heights = (np.arange(n) - (n - 1) / 2) * c
    thickness = (n + 2) * c
    positions = np.zeros((2 * n, 3))  # of the two parities of each layer
    positions[:, 2] = np.repeat(heights, 2) / thickness
    return from_hoppings(np.diag([a, a, thickness]), positions, onsite, hoppings, spinful=True, name=name)


def _tau(i: int) -> ComplexArray:
    """tau_x, tau_y, tau_z (i = 0, 1, 2) of a layer."""
    return np.asarray(np.kron(PAULI[i], IDENTITY))


def _sigma() -> ComplexArray:
    """(3, 4, 4) sigma of a layer."""
    return np.stack([np.kron(IDENTITY, s) for s in PAULI])


def _vector(name: str, value: Vector) -> Array:
    """(3,) finite."""
    out = np.asarray(value, dtype=float)
    if out.shape != (3,) or not np.isfinite(out).all():
        raise ModelError(f"{name} {value!r}: give three components")
    return out
