"""Rays to infinity for k.p models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.errors import SettingsError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PolarMesh:
    """Rays from k = 0 to infinity (or `cutoff`) for a k.p model, broken where they cross the Fermi level.

    Parameters
    ----------
    n_angle : directions around a circle, and half as many polar angles of a sphere; even, at least 4.
    n_radial : Gauss-Legendre nodes between two breaks of a ray.
    cutoff : 1/Angstrom; infinite by default, which needs integrands that fall off.
    """

    n_angle: int = 64
    n_radial: int = 16
    cutoff: float = float("inf")

    def __post_init__(self) -> None:
        if self.n_angle < 4 or self.n_angle % 2 or self.n_radial < 4 or not self.cutoff > 0:
            raise SettingsError(
                "PolarMesh: n_angle must be even and at least 4, n_radial at least 4, cutoff positive (1/Angstrom)"
            )

    def directions(self, dimension: int) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Unit vectors (n, d), their weights (summing to 2 pi or 4 pi), and those of the coarser set of half the angles."""
        angle = 2 * np.pi * np.arange(self.n_angle) / self.n_angle
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        half = np.arange(self.n_angle) % 2 == 0
        if dimension == 2:
            return circle, np.full(self.n_angle, 2 * np.pi / self.n_angle), half
        z, w = np.polynomial.legendre.leggauss(self.n_angle // 2)
        xy = np.sqrt(1 - z**2)[:, None, None] * circle
        vectors = np.concatenate([xy, np.broadcast_to(z[:, None, None], (*xy.shape[:2], 1))], axis=2)
        weights = np.broadcast_to(w[:, None] * 2 * np.pi / self.n_angle, xy.shape[:2])
        return vectors.reshape(-1, 3), weights.ravel(), np.tile(half, len(z))
