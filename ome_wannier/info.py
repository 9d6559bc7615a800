"""What a model is like before anything is computed with it: the ranges of its bands and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .kdotp import KDotP
from .kmesh import KMesh
from .materials import Entry
from .sums import WORKING_SET, Lattice, band_energies, bytes_per_point, filled_level

Array = NDArray[np.float64]

#: gaps narrower than this, in eV, are not told from a band crossing on a coarse mesh
SMALLEST_GAP = 5e-3


@dataclass(frozen=True)
class Group:
    """Bands `first` to `last` (from 1) whose ranges overlap, between `bottom` and `top` in eV."""

    first: int
    last: int
    bottom: float
    top: float


@dataclass(frozen=True)
class Gap:
    """The gap above the `bands` lowest bands, from `bottom` to `top` in eV."""

    bands: int
    bottom: float
    top: float

    def holds(self, level: float) -> bool:
        """Whether an energy lies inside."""
        return self.bottom < level < self.top


def coarse_mesh(model: Lattice) -> KMesh:
    """About half the default mesh along each direction, for band ranges.

    The sizes are multiples of 6, so that corners of hexagonal zones, where gaps like to close, are among the points.
    """
    a, b, c = (6 * max(round(n / 12), 1) if n > 1 else 1 for n in KMesh.default(model.lattice, model.periodic).size)
    return KMesh((a, b, c))


def band_ranges(model: Lattice, mesh: KMesh) -> Array:
    """(n, 2) lowest and highest energy of every band on a mesh, in eV."""
    length = mesh.size[mesh.row_axis]
    rows = len(mesh) // length
    step = max(1, WORKING_SET // (length * bytes_per_point(model.n_orbitals, 1)))
    low, high = np.full(model.n_orbitals, np.inf), np.full(model.n_orbitals, -np.inf)
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, rows, step):
            energies = band_energies(model, mesh.rows(start, min(start + step, rows), length)[0])
            low, high = np.minimum(low, energies.min(axis=0)), np.maximum(high, energies.max(axis=0))
    return np.stack([low, high], axis=1)


def groups(ranges: Array) -> list[Group]:
    """Bands (n, 2) collected into groups with gaps between them."""
    tops = np.maximum.accumulate(ranges[:, 1])
    starts = [0, *(np.flatnonzero(ranges[1:, 0] - tops[:-1] > SMALLEST_GAP) + 1).tolist(), len(ranges)]
    return [Group(a + 1, b, float(ranges[a:b, 0].min()), float(ranges[a:b, 1].max())) for a, b in pairwise(starts)]


def gap(ranges: Array, occupied: int) -> tuple[float, float]:
    """Top of the `occupied` lowest bands and bottom of the others, in eV; in a metal the first is the higher."""
    return float(ranges[:occupied, 1].max()), float(ranges[occupied:, 0].min())


def gap_among(ranges: Array, levels: Array) -> Gap | None:
    """The widest gap that holds one of the levels (nf,) in eV, or None."""
    gaps = [Gap(below.last, below.top, above.bottom) for below, above in pairwise(groups(ranges))]
    inside = [g for g in gaps if any(g.holds(level) for level in levels.tolist())]
    return max(inside, key=lambda g: g.top - g.bottom, default=None)


def shift(entry: Entry, model: Lattice | KDotP) -> float:
    """How far, in eV, the levels that an entry recommends have to move for a model of it with other parameters.

    They move along with the level of its filling (0 for k.p models, which have none, and for files).
    """
    if isinstance(model, KDotP) or not entry.builder:
        return 0.0
    own = entry.load()
    assert not isinstance(own, KDotP)
    if own.sha256 == model.sha256:
        return 0.0
    levels = []
    for each in (model, own):
        electrons = entry.electrons(each)
        if electrons is None:
            return 0.0
        levels.append(filled_level(each, coarse_mesh(each), electrons, 0.0))
    return round(levels[0] - levels[1], 5)
