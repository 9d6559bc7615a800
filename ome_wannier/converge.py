"""Integrals over the Brillouin zone that converge by themselves to a relative tolerance (see `tolerance`), over cells.

One strategy serves all temperatures, levels and quantities. Others are faster where they fit, such as uniform meshes whose
sums converge exponentially; but what a few nested meshes say about their own error was wrong wherever all of them missed the
same narrow Fermi surface.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import adaptive, cells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .cubature import rule
from .kmesh import KMesh
from .occupation import Occupation
from .result import first_observable
from .sums import Lattice
from .tolerance import Columns, Errors, Goal, Limit, about

Array = NDArray[np.float64]

#: points of the default mesh along an edge of the cells to begin with
POINTS_PER_CELL = 4
#: how often the edges of the first cells may be doubled where they do not fit the bounds
COARSER = 4
#: share of the time that the first cells may take: their pace is that of one cell
FIRST = 0.7


class Converged(NamedTuple):
    """Values and errors (nf, nT, *components) by quantity, and what to record."""

    values: dict[str, Array]
    errors: dict[str, Array]
    attrs: dict[str, Any]


class Task(NamedTuple):
    """What to integrate over the Brillouin zone; `symmetrise` gives a tensor of a quantity the symmetries of the Hamiltonian,
    `inverts` says whether they map k to -k, and `memory` is the budget in bytes."""

    model: Lattice
    wanted: Sequence[Calculator]
    observables: Sequence[Observable]
    occupation: Occupation
    symmetrise: Callable[[Array, Calculator], Array]
    degeneracy_tol: float
    goal: Goal
    inverts: bool
    memory: int


def over_zone(task: Task, mesh: KMesh, executor: Executor | None, progress: bool) -> Converged:
    """Integrals over the zone, cut into cells some points of the default `mesh` wide to begin with."""
    began = time.monotonic()
    deadline = None if task.goal.max_time is None else began + task.goal.max_time
    columns = Columns.of(task.model, task.wanted, task.observables)
    job = cells.Job(
        task.model,
        tuple(task.observables),
        task.occupation,
        task.degeneracy_tol,
        columns.mix,
        columns.surface,
        rule(sum(task.model.periodic)),
        task.memory,
    )
    job.check_memory()
    free = _allowed(task)
    flat = np.concatenate([free[c.name].ravel() for c in task.wanted])
    limit = Limit(columns.owner, flat, len(task.occupation.temperature), task.goal.rtol)
    points = task.goal.max_points
    if deadline is not None:
        pace = cells.pace(job)
        points = min(points, int(FIRST * (deadline - time.monotonic()) / pace))
    size = [-(-n // POINTS_PER_CELL) for n, p in zip(mesh.size, task.model.periodic, strict=True) if p]
    starts = [cells.base_cells([-(-n // 2**power) for n in size], task.inverts) for power in range(COARSER + 1)]
    fitting = [start for start in starts if len(start.half) * len(job.rule.nodes) <= points]
    start = fitting[0] if fitting else starts[-1]
    outcome = adaptive.refine(job, start, limit, adaptive.Budget(task.goal.max_points, deadline), executor, progress)
    return _report(task, columns, limit, free, outcome)


def _report(
    task: Task, columns: Columns, limit: Limit, free: dict[str, NDArray[np.bool_]], outcome: adaptive.Outcome
) -> Converged:
    """The result of sums over the zone (of volume 1), or half of it, before symmetrisation."""
    norm = task.model.spin_degeneracy / task.model.cell * (2 if task.inverts else 1)
    part = outcome.part
    raw, errors, limits, converged = (
        columns.unpack(x * norm, task.occupation) for x in (part.value, outcome.error, limit(part), limit.converged(part))
    )
    values = {c.name: task.symmetrise(raw[c.name], c) for c in task.wanted}
    # what symmetry forbids is zero; on the whole zone its size tells how well the Hamiltonian obeys
    rest = {n: np.zeros_like(x) if task.inverts else np.abs(raw[n] - x) for n, x in values.items()}
    zone = "half of the zone" if task.inverts else "the zone"
    finest = round(0.5 / outcome.finest)
    attrs = about(Errors(errors, limits, converged), task, outcome.points) | {
        "kmesh": f"adaptive: {outcome.cells} cells in {zone}, down to 1/{finest} of a reciprocal vector",
        "error_estimate": "differences of cubature rules, and Fermi surfaces that may pass between the points",
        "widest_degenerate_group_eV": outcome.widest_group,
    }
    return Converged(values, {n: np.where(free[n], x, rest[n]) for n, x in errors.items()}, attrs)


def _allowed(task: Task) -> dict[str, NDArray[np.bool_]]:
    """Which elements of every quantity the symmetries leave: those that a tensor of random elements keeps."""
    along = component_axes(task.model.axes, task.model.moments)
    rng = np.random.default_rng(5)
    found = {}
    for c in task.wanted:
        tensor = rng.uniform(1.0, 2.0, [len(along[dim]) for dim in first_observable(c).dims])
        found[c.name] = np.abs(task.symmetrise(tensor, c)) > 1e-9
    return found
