"""Geometry of two twisted and strained layers: their moire lattice, valleys and plane waves.

Layer l is the crystal deformed by F_l = R(+-theta/2) (1 +- strain/2), plus for layer 1. Its reciprocal vectors are
F_l^-T b, those of the moire lattice g = (F_1^-T - F_2^-T) b, and a Bloch state at K + p of the crystal has wave vector
F_l^-T (K + p) after it. Layers are joined where wave vectors differ by F_l^-T G for the three G with |K + G| = |K|.
Source: Bi, Yuan, Fu, Phys. Rev. B 100, 035448 (2019); Bistritzer, MacDonald, PNAS 108, 12233 (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError, warn
from .hopping import checked_poisson

Array = NDArray[np.float64]

#: the G with |K + G| = |K| in units of the reciprocal vectors, K = (2 b_1 + b_2) / 3; the order is clockwise about K
STAR = ((0, 0), (-1, 0), (-1, -1))
#: degrees: beyond it a moire cell is of a few lattice constants, and a valley no longer stands for itself
LARGEST_ANGLE = 15.0
#: energy of a layer's waves at the cutoff in units of what couples them, below which levels move with the cutoff by more than
#: some 0.05 meV (measured for both models: 2 meV at 0.3 degrees, 0.01 meV and less where it is 2)
ENOUGH = 2.0


@dataclass(frozen=True)
class Bilayer:
    """Two layers of one triangular Bravais lattice a_1 = (a, 0), seen from one valley.

    Parameters
    ----------
    lattice_constant : Angstrom.
    theta : twist in degrees. strain : uniaxial strain between the layers, a fraction. strain_angle : degrees from x.
    poisson : Poisson ratio.
    valley : +1 for K = (4 pi / 3a, 0), -1 for -K.
    cutoff : plane waves lie within this many |g| of K of their layer, measured without strain.

    Raises
    ------
    ModelError : layers that make no moire lattice, or none of small angles; another valley, a cutoff below 1.
    """

    lattice_constant: float
    theta: float
    strain: float
    strain_angle: float
    poisson: float
    valley: int
    cutoff: float

    def __post_init__(self) -> None:
        if self.valley not in (1, -1):
            raise ModelError(f"valley is {self.valley}: +1 or -1")
        if not 1 <= self.cutoff < 100:
            raise ModelError(f"cutoff is {self.cutoff}: give the radius of the plane waves in units of |g|, at least 1")
        numbers = (self.lattice_constant, self.theta, self.strain, self.strain_angle, self.poisson)
        if not (np.isfinite(numbers).all() and self.lattice_constant > 0 and abs(self.strain) < 0.5):
            raise ModelError(f"theta {self.theta}, strain {self.strain}, strain_angle {self.strain_angle}: give finite numbers")
        checked_poisson(self.poisson)
        if abs(self.theta) > LARGEST_ANGLE:
            raise ModelError(
                f"theta is {self.theta:g} degrees: give -{LARGEST_ANGLE:g} to {LARGEST_ANGLE:g}, continuum models hold "
                "for small angles"
            )
        if not abs(np.linalg.det(self.moire)) * self.lattice_constant**2 > 1e-6:
            raise ModelError(f"theta {self.theta:g} degrees and strain {self.strain:g} make no moire lattice: too small")

    @cached_property
    def strains(self) -> Array:
        """(2, 2, 2) symmetric strain tensor of each layer."""
        c, s = np.cos(np.radians(self.strain_angle)), np.sin(np.radians(self.strain_angle))
        nu = self.poisson
        uniaxial = np.array([[c * c - nu * s * s, (1 + nu) * c * s], [(1 + nu) * c * s, s * s - nu * c * c]])
        return np.stack([self.strain / 2 * uniaxial, -self.strain / 2 * uniaxial])

    @cached_property
    def deformations(self) -> Array:
        """(2, 2, 2) F_l, acting on column vectors."""
        half = np.radians(self.theta) / 2
        turns = [np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in (half, -half)]
        return np.stack([R @ (np.eye(2) + e) for R, e in zip(turns, self.strains, strict=True)])

    @cached_property
    def moire(self) -> Array:
        """(2, 2), rows are the reciprocal vectors g of the moire lattice in 1/Angstrom."""
        b = 4 * np.pi / (np.sqrt(3) * self.lattice_constant) * np.array([[np.sqrt(3) / 2, -0.5], [0.0, 1.0]])
        first, second = (np.linalg.inv(F) for F in self.deformations)  # b F^-1 is (F^-T b^T)^T
        return np.asarray(b @ first - b @ second)

    @property
    def lattice(self) -> Array:
        """(3, 3), rows in Angstrom; the third is arbitrary."""
        cell = np.eye(3)
        cell[:2, :2] = 2 * np.pi * np.linalg.inv(self.moire).T
        cell[2, 2] = np.linalg.norm(cell[0])
        return cell

    @property
    def corners(self) -> Array:
        """(2, 2) where K of each layer lies, relative to Gamma of the moire zone, in units of g: its corners."""
        return np.asarray(self.valley / 3 * np.array([[1, -1], [-1, -2]]))

    @cached_property
    def waves(self) -> NDArray[np.int64]:
        """(2, N, 2) plane waves of each layer in units of g, around its K, or they would break threefold rotations."""
        r = np.arange(-int(2 * self.cutoff) - 2, int(2 * self.cutoff) + 3)
        G = np.stack(np.meshgrid(r, r, indexing="ij"), axis=-1).reshape(-1, 2)
        x, y = np.moveaxis(G - self.corners[:, None], 2, 0)
        inside = x**2 + y**2 - x * y <= self.cutoff**2 + 1e-9
        return np.stack([G[here] for here in inside])

    @property
    def reach(self) -> float:
        """Momentum in 1/Angstrom up to which plane waves are kept."""
        return float(self.cutoff * np.linalg.norm(self.moire, axis=1).min())

    def check_reach(self, energy: float, coupling: float) -> None:
        """Warn where the waves at the cutoff, at this energy, are not far above what couples them (eV)."""
        if energy < ENOUGH * coupling:
            warn(
                f"plane waves reach {energy:.2g} eV at cutoff {self.cutoff:g}, what couples them is {coupling:.2g} eV: "
                "levels may be off by meV, raise cutoff"
            )

    def momenta(self) -> tuple[Array, Array]:
        """Momenta p of the crystal from K, at k = 0: (2, N, 2) by layer and wave; and d p_c / d k_a as (2, 2, 2) [l, a, c]."""
        q = (self.waves - self.corners[:, None]) @ self.moire
        return np.einsum("lac,lna->lnc", self.deformations, q), self.deformations

    def shift(self, step: tuple[int, int], left: int, right: int) -> Array:
        """(N, N) with 1 at [i, j] where wave i of layer `left` is wave j of layer `right` plus `step`.

        The step is in units of g, of the valley's sign.
        """
        difference = self.waves[left][:, None] - self.waves[right][None]
        return np.asarray((difference == self.valley * np.array(step)).all(axis=2), dtype=float)
