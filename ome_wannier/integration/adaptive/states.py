"""The states at the points of cells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...calculators.weights import evaluate_at, side_by_side
from ...common.errors import SettingsError
from ...models.base import has_zone
from ..avoided_crossings import all_rows
from ..integral import Integrand
from ..memory import WORKING_SET, bytes_per_point, keep_freed
from .constants import ADAPTIVE
from .cubature import Rule

Array = NDArray[np.float64]

#: fields of the sums over some cells (`cells.Part`)
FIELDS = 7


class CellJob(NamedTuple):
    """What a worker needs to know.

    mix : (columns of all observables, columns of all asked quantities), what the asked ones are made of.
    memory : budget in bytes, of each worker and of the process that adds up what they find.
    """

    integrand: Integrand
    mix: Array
    rule: Rule
    memory: int

    @property
    def directions(self) -> NDArray[np.int64]:
        """Those along which the model is periodic."""
        return np.flatnonzero(self.integrand.model.periodic)

    @property
    def bytes_of_matrices(self) -> int:
        """Memory of the matrices of a point, of both groups of levels where all may be others."""
        model, times = self.integrand.model, 1 + self.integrand.degeneracy.splits_pairs
        return times * bytes_per_point(model.n_orbitals, self.integrand.order, model.external is not None)

    @property
    def bytes_at_levels(self) -> int:
        """Memory of what a point has at all levels, and of how its gaps change."""
        n, directions = self.integrand.model.n_orbitals, len(self.directions)
        return 8 * (self.integrand.levels * (8 * n + 3 * len(self.integrand.kinds)) + 9 * n * directions)

    @property
    def bytes_of_states(self) -> int:
        """Memory of the weights of a point, and of the places beside it."""
        return 2 * 8 * self.integrand.model.n_orbitals * len(self.integrand.kinds)

    @property
    def bytes_per_point(self) -> int:
        """Memory that a point takes while it is evaluated."""
        return self.bytes_of_matrices + self.bytes_at_levels

    @property
    def bytes_per_part(self) -> int:
        """Memory of the sums over some cells."""
        columns: int = self.mix.shape[1]
        return 8 * FIELDS * self.integrand.levels * columns

    @property
    def bytes_of_classes(self) -> int:
        """Memory of the sums by class, where all classes have cells."""
        return (ADAPTIVE.classes[1] - ADAPTIVE.classes[0]) * self.bytes_per_part

    @property
    def working_set(self) -> int:
        """Memory for points that are evaluated together."""
        return min(WORKING_SET, self.memory // 4)

    @property
    def octaves(self) -> int:
        """The errors of the cells of a class lie within this power of two. It does not depend on the memory: results do not."""
        return -(-self.bytes_of_classes // ADAPTIVE.class_bytes)

    def waiting(self, each: int) -> int:
        """How many blocks may be computed or wait to be added, whose results take so many bytes."""
        return min(ADAPTIVE.waiting, max(2, self.memory // (4 * each)))

    def check_memory(self) -> None:
        """Refuse a budget that holds neither a cell nor its sums.

        Raises
        ------
        SettingsError : how much it has to be.
        """
        cell = 4 * max(self.bytes_of_matrices, len(self.rule.nodes) * self.bytes_at_levels)
        sums = 2 * self.bytes_of_classes // self.octaves  # a third of them may be needed thrice at a time
        if self.memory < max(cell, sums):
            raise SettingsError(
                f"memory {self.memory / 2**20:.3g} MiB: with rtol this model, {self.integrand.levels} Fermi levels times "
                f"temperatures and these calculators need {max(cell, sums) / 2**20:.3g} MiB; raise memory, or give fewer"
            )


class States(NamedTuple):
    """Energies (nk, n), weights (nk, n, columns), de/dk in units of the reciprocal vectors (nk, n, d), how the gaps between
    neighbours change along these (`all_rows`: nk, n - 1, 9, d), which points have levels in doubt (nk,), their energies (nd, n)
    and weights (nd, n, columns) with other groups, and the widest group."""

    energies: Array
    weights: Array
    slope: Array
    rows: Array
    doubtful: NDArray[np.bool_]
    other_energies: Array
    other_weights: Array
    widest_group: float

    def of(self, first: int, end: int) -> States:
        """Those of the points from the first on, up to the end."""
        others = slice(int(self.doubtful[:first].sum()), int(self.doubtful[:end].sum()))
        fields: tuple[Any, ...] = self
        some = [*(x[first:end] for x in fields[:5]), *(x[others] for x in fields[5:7]), self.widest_group]
        return States(*some)


def states_at(job: CellJob, k: Array) -> States:
    """The states at points (nk, 3)."""
    step = max(1, job.working_set // job.bytes_of_matrices)  # the points of one cell may be too many for large models
    found = [_states(job, k[s : s + step]) for s in range(0, max(len(k), 1), step)]
    energies, weights, slope, rows, doubtful, others, changed = (
        np.concatenate(x) for x in zip(*(f[:-1] for f in found), strict=True)
    )
    return States(energies, weights, slope, rows, doubtful, others, changed, max(f.widest_group for f in found))


def _states(job: CellJob, k: Array) -> States:
    keep_freed()
    model, observables, degeneracy = job.integrand.model, job.integrand.observables, job.integrand.degeneracy
    assert has_zone(model)
    # of all bands: those that are far from the levels here may be at them between the points
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice)[list(model.axes)][:, np.flatnonzero(model.periodic)]
    bands, weights = evaluate_at(model, observables, k, degeneracy, spacing=np.asarray(reciprocal, dtype=float))
    doubtful = degeneracy.doubtful(bands.energies, job.integrand.occupation.window[1])
    energies, changed = bands.energies[:0], weights[:0]
    if degeneracy.other is not None and doubtful.all():
        other = bands.regrouped(degeneracy.other)
        energies, changed = other.energies, side_by_side(observables, other)
    elif degeneracy.other is not None and doubtful.any():
        other, changed = evaluate_at(model, observables, k[doubtful], degeneracy.other)
        energies = other.energies
    rows = all_rows(bands)
    return States(bands.energies, weights, bands.moves, rows, doubtful, energies, changed, bands.widest_group)
