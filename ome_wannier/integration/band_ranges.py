"""What a model is like before anything is computed with it: the ranges of its bands and the gaps between them.

Bands are seen on a coarse mesh. The edges of a gap seldom lie on one of its points: they are followed downhill from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..models.base import Lattice
from .band_energies import band_energies, mesh_energies
from .kpoints.mesh import KMesh

Array = NDArray[np.float64]

#: gaps narrower than this, in eV, are not told from a band crossing on a coarse mesh
SMALLEST_GAP = 5e-3
#: eV to which the edges of a gap are followed, and the narrowest gap between such edges
EDGE, NARROWEST = 1e-6, 1e-5
#: valleys on the coarse mesh that are looked into for an edge, at the most
VALLEYS = 8


@dataclass(frozen=True)
class BandGroup:
    """Bands `first` to `last` (from 1) whose ranges overlap, between `bottom` and `top` in eV."""

    first: int
    last: int
    bottom: float
    top: float


@dataclass(frozen=True)
class Gap:
    """The gap above the `bands` lowest bands, from `bottom` to `top` in eV; where bands overlap `top` is the lower one."""

    bands: int
    bottom: float
    top: float

    @property
    def middle(self) -> float:
        """eV."""
        return (self.bottom + self.top) / 2

    @property
    def width(self) -> float:
        """eV; negative where bands overlap."""
        return self.top - self.bottom

    @property
    def is_open(self) -> bool:
        """Whether the edges neither overlap nor touch."""
        return self.width > NARROWEST

    def holds(self, level: float) -> bool:
        """Whether an energy lies inside an open gap."""
        return self.is_open and self.bottom < level < self.top


@dataclass(frozen=True)
class Look:
    """The energies (N, n) in eV of the bands of a model on a coarse mesh, in the order of its points."""

    model: Lattice
    mesh: KMesh
    energies: Array

    @classmethod
    def at(cls, model: Lattice) -> Look:
        """A look at a model."""
        mesh = coarse_mesh(model)
        with threadpool_limits(limits=1, user_api="blas"):
            return cls(model, mesh, mesh_energies(model, mesh))

    @cached_property
    def ranges(self) -> Array:
        """(n, 2) lowest and highest energy of every band on the mesh, in eV."""
        return np.stack([self.energies.min(axis=0), self.energies.max(axis=0)], axis=1)

    def gap(self, occupied: int) -> Gap:
        """The gap above the `occupied` lowest bands, 0 < occupied < n, its edges to some `EDGE`."""
        with threadpool_limits(limits=1, user_api="blas"):
            return Gap(occupied, -self._lowest(occupied - 1, -1), self._lowest(occupied, 1))

    def gaps_among(self, levels: Array) -> list[Gap]:
        """The gaps that hold one of the levels (nf,) in eV, or more."""
        filled = [np.unique((self.energies <= level).sum(axis=1)) for level in levels.tolist()]
        occupied = {int(n[0]) for n in filled if len(n) == 1 and 0 < n[0] < self.energies.shape[1]}
        return [g for g in map(self.gap, sorted(occupied)) if any(map(g.holds, levels.tolist()))]

    def gap_among(self, levels: Array) -> Gap | None:
        """The widest of them, or None."""
        return max(self.gaps_among(levels), key=lambda g: g.width, default=None)

    def reaching(self, level: float) -> int:
        """How many bands reach down to a level in eV at any k: the first that the mesh sees above it is followed down."""
        count = int((self.ranges[:, 0] <= level + EDGE).sum())
        with threadpool_limits(limits=1, user_api="blas"):
            while count < self.energies.shape[1] and self._lowest(count, 1) <= level + EDGE:
                count += 1
        return count

    def _lowest(self, band: int, sign: int) -> float:
        """The lowest energy, times `sign`, of a band."""
        from scipy.ndimage import minimum_filter

        points = self.mesh.points()
        energy = np.empty(self.mesh.size)
        energy[tuple(np.rint(points * self.mesh.size).astype(int).T)] = sign * self.energies[:, band]
        valley = np.argwhere(energy == minimum_filter(energy, 3, mode="wrap"))
        depth = energy[tuple(valley.T)]
        _, one_of_equals = np.unique(np.round(depth, 4), return_index=True)
        starts = valley[one_of_equals[:VALLEYS]] / np.array(self.mesh.size)
        if self.model.is_costly:
            return float(depth.min())
        return _downhill(lambda k: sign * band_energies(self.model, k)[:, band], starts, self.mesh.size)


def _downhill(energy: Callable[[Array], Array], starts: Array, size: tuple[int, int, int]) -> float:
    """The lowest energy that is reached from points (starts, 3) by steps to the lowest neighbour on a grid, halved where there
    is none, until neighbours differ by `EDGE`; starts that cannot reach below the others are left."""
    steps = np.array([*product(*((0, -1, 1) if n > 1 else (0,) for n in size))]) / np.array(size)  # the first is none
    k, scale = starts, np.full(len(starts), 0.5)
    while True:
        around = k[:, None] + scale[:, None, None] * steps
        e = energy(around.reshape(-1, 3)).reshape(len(k), -1)
        lowest = e.argmin(axis=1)
        bottom, spread = e.min(axis=1), np.ptp(e, axis=1)
        if spread[bottom.argmin()] <= EDGE:
            return float(bottom.min())
        use = bottom - spread <= bottom.min()
        k = around[np.arange(len(k)), lowest][use]
        scale = np.where(e[:, 0] - bottom < EDGE, scale / 2, scale)[use]


def coarse_mesh(model: Lattice) -> KMesh:
    """About half the default mesh along each direction, for band ranges.

    The sizes are multiples of 6, so that corners of hexagonal zones, where gaps like to close, are among the points.
    """
    a, b, c = (6 * max(round(n / 12), 1) if n > 1 else 1 for n in KMesh.default(model.lattice, model.periodic).size)
    return KMesh((a, b, c))


def groups(ranges: Array) -> list[BandGroup]:
    """Bands (n, 2) collected into groups with gaps between them."""
    tops = np.maximum.accumulate(ranges[:, 1])
    starts = [0, *(np.flatnonzero(ranges[1:, 0] - tops[:-1] > SMALLEST_GAP) + 1).tolist(), len(ranges)]
    return [BandGroup(a + 1, b, float(ranges[a:b, 0].min()), float(ranges[a:b, 1].max())) for a, b in pairwise(starts)]
