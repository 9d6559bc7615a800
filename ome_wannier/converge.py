"""Integrals over the Brillouin zone that converge by themselves to a relative tolerance (see `tolerance`), over cells.

One strategy serves all temperatures, levels and quantities. Others are faster where they fit, such as uniform meshes whose
sums converge exponentially; but what a few nested meshes say about their own error was wrong wherever all of them missed the
same narrow Fermi surface.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import adaptive, cells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .cubature import rule
from .degeneracy import Degeneracy, decided
from .kmesh import KMesh
from .occupation import Occupation
from .pointgroup import Operation
from .result import Outcome, first_observable, imposed
from .sums import Lattice
from .symmetry import Group
from .tensors import projector, symmetrised
from .tolerance import Columns, Errors, Goal, Limit, about

Array = NDArray[np.float64]

#: points of the default mesh along an edge of the cells to begin with
POINTS_PER_CELL = 4
#: how often the edges of the first cells may be doubled where they do not fit the bounds
COARSER = 4
#: share of the time that the first cells may take: their pace is that of one cell
FIRST = 0.7


class Task(NamedTuple):
    """What to integrate over the Brillouin zone; `memory` is the budget in bytes."""

    model: Lattice
    wanted: Sequence[Calculator]
    observables: Sequence[Observable]
    occupation: Occupation
    group: Group
    degeneracy: Degeneracy
    goal: Goal
    memory: int

    @property
    def inverts(self) -> bool:
        """Whether half the zone does: whether an operation that holds to rounding, or was given, maps k to -k."""
        axes = np.ix_(self.model.axes, self.model.axes)
        return any(
            np.allclose(g.time_reversal * g.rotation[axes], -np.eye(len(self.model.axes)), atol=1e-6) for g in self.group.exact
        )

    def symmetric(self, values: dict[str, Array], operations: Sequence[Operation]) -> dict[str, Array]:
        """Means of the quantities over operations."""
        along = component_axes(self.model.axes, self.model.moments)
        return {c.name: symmetrised(values[c.name], first_observable(c), operations, along) for c in self.wanted}

    def allowed(self, operations: Sequence[Operation]) -> NDArray[np.bool_]:
        """(columns,) which elements of all quantities operations leave."""
        along = component_axes(self.model.axes, self.model.moments)
        return np.concatenate([projector(first_observable(c), operations, along).any(axis=1) for c in self.wanted])


def over_zone(task: Task, mesh: KMesh, executor: Executor | None, progress: bool) -> Outcome:
    """Integrals over the zone, cut into cells some points of the default `mesh` wide to begin with."""
    began = time.monotonic()
    deadline = None if task.goal.max_time is None else began + task.goal.max_time
    columns = Columns.of(task.model, task.wanted, task.observables)
    job = cells.Job(
        task.model,
        tuple(task.observables),
        task.occupation,
        task.degeneracy,
        columns.mix,
        columns.surface,
        rule(sum(task.model.periodic)),
        task.memory,
    )
    job.check_memory()
    free, left = task.allowed(task.group.exact), task.allowed(task.group.operations)
    removed = free & ~np.isin(columns.owner, columns.owner[left])
    limit = Limit(columns.owner, free, removed, len(task.occupation.temperature), task.goal.rtol)
    points = task.goal.max_points
    if deadline is not None:
        pace = cells.pace(job)
        points = min(points, int(FIRST * (deadline - time.monotonic()) / pace))
    size = [-(-n // POINTS_PER_CELL) for n, p in zip(mesh.size, task.model.periodic, strict=True) if p]
    starts = [cells.base_cells([-(-n // 2**power) for n in size], task.inverts) for power in range(COARSER + 1)]
    fitting = [start for start in starts if len(start.half) * len(job.rule.nodes) <= points]
    start = fitting[0] if fitting else starts[-1]
    outcome = adaptive.refine(job, start, limit, adaptive.Budget(task.goal.max_points, deadline), executor, progress)
    return _report(task, columns, limit, outcome)


def _report(task: Task, columns: Columns, limit: Limit, outcome: adaptive.Outcome) -> Outcome:
    """The result of sums over the zone (of volume 1), or half of it, before symmetrisation."""
    norm = task.model.spin_degeneracy / task.model.cell * (2 if task.inverts else 1)
    part = outcome.part
    raw, errors, limits, converged, doubt = (
        columns.unpack(x * norm, task.occupation)
        for x in (part.value, np.where(limit.free, outcome.error, 0.0), limit(part), limit.converged(part), part.doubt)
    )
    raw, stay = task.symmetric(raw, task.group.exact), task.symmetric(doubt, task.group.operations)
    stay = {name: np.abs(x) for name, x in stay.items()}
    zone = "half of the zone" if task.inverts else "the zone"
    estimate = "differences of cubature rules, Fermi surfaces that may pass between the points, and levels in doubt"
    attrs = {
        "kmesh": f"adaptive: {outcome.cells} cells in {zone}, down to 1/{round(0.5 / outcome.finest)} of a reciprocal vector",
        "error_estimate": estimate + (", plus what symmetrisation changes" if task.group.noisy else ""),
        "widest_degenerate_group_eV": outcome.widest_group,
        "levels_in_doubt": decided(raw, errors, stay, task.goal.rtol),
        **task.occupation.about(),
    }
    found = Outcome(raw, {name: x + stay[name] for name, x in errors.items()}, {}, attrs)
    removed = frozenset(task.wanted[i].name for i in np.unique(columns.owner[limit.removed]))
    if task.group.noisy:
        found = imposed(found, task.symmetric(raw, task.group.operations))
        # what cubature leaves of it is no sign of noise
        stay = {n: x + np.maximum(abs(raw[n] - found.values[n]) - errors[n], 0.0) for n, x in stay.items()}
    return found._replace(attrs=attrs | about(Errors(errors, stay, limits, converged, removed), task, outcome.points))
