"""Sets of k points with weights: meshes of the Brillouin zone, and rays to infinity for k.p models."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...common.errors import SettingsError, shortened

Array = NDArray[np.float64]

#: reciprocal spacing in 1/Angstrom of the default mesh, by the number of periodic directions
DEFAULT_SPACING = {0: 1.0, 1: 0.01, 2: 0.04, 3: 0.08}
#: points along a direction, and in all, beyond which no mesh is meant: it would take days, and more memory than there is
LARGEST_SIZE, MOST_POINTS = 10**7, 10**10
#: how far the cosine of an angle of 60 degrees may be from 1/2, as in strained crystals
HEXAGONAL = 0.05


@dataclass(frozen=True)
class KMesh:
    """Uniform mesh of the Brillouin zone, k = (n + shift) / N in units of the reciprocal vectors, Gamma-centred by default.

    Parameters
    ----------
    size : (N1, N2, N3).
    shift : in units of the mesh spacing.

    Raises
    ------
    SettingsError : sizes that are not three positive integers, or far too large.
    """

    size: tuple[int, int, int]
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        try:
            a, b, c = (operator.index(n) for n in self.size)
        except (TypeError, ValueError):
            a = b = c = 0
        if min(a, b, c) < 1 or np.ma.is_masked(self.size):
            given = shortened(" ".join(repr(self.size).split()), 100)
            raise SettingsError(f"kmesh {given}: give three positive integers, such as (48, 48, 1)")
        if max(a, b, c) > LARGEST_SIZE or a * b * c > MOST_POINTS:
            given = shortened(f"{a} x {b} x {c}", 100)
            raise SettingsError(
                f"kmesh {given}: at most {LARGEST_SIZE:.0e} points along a direction and {MOST_POINTS:.0e} in all are summed"
            )
        if np.shape(self.shift) != (3,) or not np.isfinite(self.shift).all():
            raise SettingsError(f"kmesh shift {self.shift!r}: give three numbers")
        object.__setattr__(self, "size", (a, b, c))

    @classmethod
    def default(cls, lattice: Array, periodic: tuple[bool, bool, bool], finer: float = 1.0) -> KMesh:
        """A mesh with about `DEFAULT_SPACING` / finer between points, and one point along directions that are not periodic.

        Even, so that the border of the zone is on it; of multiples of 6 along directions at 60 or 120 degrees, so that K and H
        are, where hexagonal crystals have their pockets.
        """
        spacing = DEFAULT_SPACING[sum(periodic)] / finer
        reciprocal = 2 * np.pi * np.linalg.inv(lattice).T
        lengths = np.linalg.norm(reciprocal, axis=1)
        cosine = np.abs(reciprocal @ reciprocal.T) / np.outer(lengths, lengths)
        hexagonal = np.outer(periodic, periodic) & (np.abs(cosine - 0.5) < HEXAGONAL) & ~np.eye(3, dtype=bool)
        multiple = np.where(hexagonal.any(axis=1), 6, 2)
        a, b, c = (
            int(m * np.ceil(length / spacing / m)) if p else 1 for length, m, p in zip(lengths, multiple, periodic, strict=True)
        )
        return cls((a, b, c))

    def __len__(self) -> int:
        return int(np.prod(self.size))

    @property
    def row_axis(self) -> int:
        """The direction along which rows run: the longest, the last of equals."""
        return max(range(3), key=lambda d: (self.size[d], d))

    def row_length(self, limit: int) -> int:
        """Points per row: the largest divisor of the row axis up to `limit`, so that rows are alike."""
        n = self.size[self.row_axis]
        return max(d for d in range(1, n + 1) if n % d == 0 and d <= max(limit, 1))

    def n_rows(self, length: int) -> int:
        """Rows of `length` points."""
        return len(self) // length

    def batch(self, start: int, stop: int, length: int) -> tuple[Array, NDArray[np.int64], NDArray[np.uint8]]:
        """Rows start to stop of `length` points, see `rows`, and (rows, length) how many points each stands for: one."""
        k, sub_mesh = self.rows(start, stop, length)
        return k, sub_mesh, np.ones(sub_mesh.shape, dtype=np.uint8)

    def rows(self, start: int, stop: int, length: int) -> tuple[Array, NDArray[np.int64]]:
        """Rows start to stop of the mesh cut into rows of `length` points, see `at`."""
        return self.at(np.arange(start, stop), length)

    def at(self, number: NDArray[np.int64], length: int) -> tuple[Array, NDArray[np.int64]]:
        """The rows of these numbers, of the mesh cut into rows of `length` points.

        Returns
        -------
        k : (rows, length, 3) fractional points.
        sub_mesh : (rows, length), number of the sub-mesh that each belongs to; they share the points among them.
        """
        c = self.row_axis
        others = [d for d in range(3) if d != c]
        pieces = self.size[c] // length
        index = np.empty((len(number), length, 3), dtype=np.int64)
        index[:, :, others[0]] = (number // pieces // self.size[others[1]])[:, None]
        index[:, :, others[1]] = (number // pieces % self.size[others[1]])[:, None]
        index[:, :, c] = (number % pieces)[:, None] * length + np.arange(length)
        _, second, third = self.strides
        sub_mesh = (index % np.array(self.strides)) @ np.array([second * third, third, 1])
        return (index + np.array(self.shift)) / np.array(self.size), sub_mesh

    def index(self, k: Array) -> NDArray[np.int64]:
        """(nk, 3) numbers of points of the mesh along its directions, of k (nk, 3)."""
        return np.rint(k * self.size - self.shift).astype(np.int64)

    @cached_property
    def strides(self) -> tuple[int, int, int]:
        """Steps of the sub-meshes: 2 along even directions, else 3, else 1 (for one point, or no small divisor)."""
        a, b, c = (2 if n % 2 == 0 else 3 if n % 3 == 0 else 1 for n in self.size)
        return (a, b, c)

    @property
    def n_sub_meshes(self) -> int:
        """Number of sub-meshes, each with an equal share of the points; 1 if the mesh cannot be divided."""
        return int(np.prod(self.strides))

    @property
    def shares(self) -> tuple[int, ...]:
        """Number of sub-meshes in each histogram: one."""
        return (1,) * self.n_sub_meshes

    @property
    def n_sub(self) -> int:
        """Points of a sub-mesh."""
        return len(self) // self.n_sub_meshes

    def points(self) -> Array:
        """All points (N, 3), fractional, in the order of the rows."""
        n = self.size[self.row_axis]
        return self.rows(0, len(self) // n, n)[0].reshape(-1, 3)
