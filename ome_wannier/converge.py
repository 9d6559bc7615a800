"""Integrals that converge by themselves to a relative tolerance (see `tolerance`).

Whole uniform meshes do where they resolve the occupation; at lower temperatures, meshes of which only the shells around the
Fermi levels are evaluated; and cells where neither converges fast, as at zero temperature and where bands touch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import adaptive, cells, shells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .cubature import rule
from .degeneracy import Degeneracy
from .kmesh import KMesh
from .occupation import Occupation
from .result import first_observable
from .sums import Lattice
from .tolerance import Columns, Goal, Left, Limit, about

Array = NDArray[np.float64]

#: points of the default mesh along an edge of the cells to begin with
POINTS_PER_CELL = 4
#: how often the default mesh may be doubled, and by which factor deviations have to fall, before cells are taken instead
DOUBLINGS, FAST = 2, 0.3
#: how often the edges of the first cells may be doubled where they do not fit the bounds
COARSER = 4


class Converged(NamedTuple):
    """Values and errors (nf, nT, *components) by quantity, and what to record."""

    values: dict[str, Array]
    errors: dict[str, Array]
    attrs: dict[str, Any]


class Task(NamedTuple):
    """What to integrate over the Brillouin zone; `symmetrise` gives a tensor of a quantity the symmetries of the Hamiltonian,
    of which there are `order`, `inverts` says whether they map k to -k, and `memory` is the budget in bytes."""

    model: Lattice
    wanted: Sequence[Calculator]
    observables: Sequence[Observable]
    occupation: Occupation
    symmetrise: Callable[[Array, Calculator], Array]
    degeneracy: Degeneracy
    goal: Goal
    order: int
    inverts: bool
    memory: int


class OnMesh(NamedTuple):
    """What a uniform mesh gives by quantity: values, root mean square deviations of its sub-meshes, what symmetry changes; and
    what to record of it."""

    values: dict[str, Array]
    deviations: dict[str, Array]
    changes: dict[str, Array]
    attrs: dict[str, Any]


def over_zone(
    task: Task, mesh: KMesh, on_mesh: Callable[[KMesh], OnMesh], executor: Executor | None, progress: bool
) -> Converged:
    """Integrals over the zone: on nested uniform meshes, beginning with `mesh`, where they resolve the occupation and
    converge fast, else over cells. `on_mesh` evaluates a uniform mesh."""
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
    free = _allowed(task)
    flat = np.concatenate([free[c.name].ravel() for c in task.wanted])
    limit = Limit(columns.owner, flat, len(task.occupation.temperature), task.goal.rtol)
    sample = _times(mesh, 0.5)
    seen = cells.survey(job, sample)
    # how many processes an executor has is not known: with one, a step is begun whatever it takes
    pace = 0.0 if executor is not None else (time.monotonic() - began) / len(sample)
    left = Left(task.goal.max_points - len(sample), deadline, pace)

    def judged(mesh: KMesh) -> _Judged:
        found = on_mesh(mesh)
        value = columns.pack(found.values) * task.model.cell / task.model.spin_degeneracy
        limits = limit(seen.part._replace(value=value)) / task.model.cell * task.model.spin_degeneracy
        return _Judged(found, found.deviations, columns.unpack(limits, task.occupation))

    uniform, left = _uniform(judged, seen.refine / 2, free, mesh, task.order, left)
    if uniform is not None and uniform.enough:
        return _of_mesh(uniform, task, task.goal.max_points - left.points)
    result = _Report(task, columns, limit, free)
    size = [n for n, p in zip(mesh.size, task.model.periodic, strict=True) if p]
    half = left.half()  # the rest is kept for cells, which take over where meshes do not converge fast
    warm = (task.occupation.temperature > 0).all()
    if warm and not any(n % 2 for n in size) and half.allows(len(mesh)) and shells.fit(job, seen):
        near = shells.integrate(job, size, task.inverts, seen, limit, half, executor, progress)
        left = left.after(near.points)
        if near.converged:
            about_mesh = f"adaptive: the points near the Fermi levels, of {' x '.join(map(str, near.size))}"
            estimate = "deviation of the sub-meshes (root mean square), times the square of what it falls by"
            points = task.goal.max_points - left.points
            return result(near.part, near.error, points, about_mesh, estimate, near.widest_group)
    numbers = [-(-n // POINTS_PER_CELL) for n in size]
    starts = [cells.base_cells([-(-n // 2**power) for n in numbers], task.inverts) for power in range(COARSER + 1)]
    if deadline is not None and executor is None:  # many levels make the points of cells cost more than those of a mesh
        left = left._replace(pace=max(pace, cells.pace(job)))
    fitting = [start for start in starts if left.allows(len(start.half) * len(job.rule.nodes))]
    if uniform is not None and len(fitting) < len(starts):
        return _of_mesh(uniform, task, task.goal.max_points - left.points)
    start = fitting[0] if fitting else starts[-1]
    outcome = adaptive.refine(job, start, limit, adaptive.Budget(left.points, deadline), executor, progress)
    share, zone = (2.0, "half of the zone") if task.inverts else (1.0, "the zone")
    about_mesh = f"adaptive: {outcome.cells} cells in {zone}, down to 1/{round(0.5 / outcome.finest)} of a reciprocal vector"
    estimate = "differences of cubature rules, and Fermi surfaces that may pass between the points"
    part, error = cells.Part(*(share * x for x in outcome.part)), share * outcome.error
    points = task.goal.max_points - left.points + outcome.points
    return result(part, error, points, about_mesh, estimate, outcome.widest_group)


class _Report(NamedTuple):
    """Makes results of sums over the zone (of volume 1), raw as they are before symmetrisation."""

    task: Task
    columns: Columns
    limit: Limit
    free: dict[str, NDArray[np.bool_]]

    def __call__(
        self, part: cells.Part, error: Array, points: int, kmesh: str, estimate: str, widest_group: float
    ) -> Converged:
        task, norm = self.task, self.task.model.spin_degeneracy / self.task.model.cell
        raw, errors, limits = (self.columns.unpack(x * norm, task.occupation) for x in (part.value, error, self.limit(part)))
        values = {c.name: task.symmetrise(raw[c.name], c) for c in task.wanted}
        # what symmetry forbids is zero; on the whole zone its size tells how well the Hamiltonian obeys
        rest = {n: np.zeros_like(x) if task.inverts else np.abs(raw[n] - x) for n, x in values.items()}
        attrs = about(errors, limits, task, points) | {
            "kmesh": kmesh,
            "error_estimate": estimate,
            "widest_degenerate_group_eV": widest_group,
        }
        return Converged(values, {n: np.where(self.free[n], x, rest[n]) for n, x in errors.items()}, attrs)


class _Judged(NamedTuple):
    """What a uniform mesh gives, with errors and allowed errors by quantity."""

    found: OnMesh
    errors: dict[str, Array]
    limits: dict[str, Array]

    @property
    def enough(self) -> bool:
        return all((self.errors[name] <= self.limits[name]).all() for name in self.errors)


def _of_mesh(mesh: _Judged, task: Task, points: int) -> Converged:
    """The result of a uniform mesh."""
    estimate = "deviation of the sub-meshes (root mean square), after two falls times the weaker one"
    attrs = mesh.found.attrs | about(mesh.errors, mesh.limits, task, points) | {"error_estimate": estimate}
    return Converged(mesh.found.values, {n: x + mesh.found.changes[n] for n, x in mesh.errors.items()}, attrs)


def _uniform(
    judged: Callable[[KMesh], _Judged],
    finer: float,
    free: dict[str, NDArray[np.bool_]],
    mesh: KMesh,
    order: int,
    left: Left,
) -> tuple[_Judged | None, Left]:
    """The last of nested uniform meshes, `finer` times finer than `mesh` to begin with, and what is left to spend.

    Where there are Fermi surfaces they end when the symmetries, of which there are `order`, leave more points than `mesh` has.

    The error of a mesh is the deviation of its sub-meshes, which have half its points along each direction. Where the integrand
    is smooth they converge exponentially, and every doubling makes the deviation fall as much or more: after two falls the
    error is the deviation times the weaker one. A single fall may be luck, as where bands touch below the level.
    """
    last: _Judged | None = None
    doublings = max(0, int(np.ceil(np.log2(finer)))) if 0 < finer < np.inf else 0
    if finer == np.inf:
        return last, left
    previous: dict[str, float] = {}
    before: dict[str, float] = {}
    for power in range(doublings, DOUBLINGS + 1):
        now = _times(mesh, 2**power)
        if not left.allows(len(now)) or (finer > 0 and len(now) > order * len(mesh)):
            break
        last = judged(now)
        found, limits = last.found, last.limits
        left = left.after(int(last.found.attrs["irreducible_points"]))
        size = {name: float((x * free[name]).max(initial=0.0)) for name, x in found.deviations.items()}
        falls = {name: min(1.0, x / previous[name]) if previous.get(name) else 1.0 for name, x in size.items()}
        errors = {name: x * max(falls[name], before.get(name, 1.0)) for name, x in found.deviations.items()}
        last = last._replace(errors=errors)
        if last.enough or (previous and any((errors[n] > limits[n]).any() and falls[n] > FAST for n in errors)):
            break
        previous, before = size, falls if previous else {}
    return last, left


def _times(mesh: KMesh, factor: float) -> KMesh:
    """A mesh with this many times the points along every direction that has more than one."""
    a, b, c = (max(1, round(n * factor)) if n > 1 else 1 for n in mesh.size)
    return KMesh((a, b, c))


def _allowed(task: Task) -> dict[str, NDArray[np.bool_]]:
    """Which elements of every quantity the symmetries leave: those that a tensor of random elements keeps."""
    along = component_axes(task.model.axes, task.model.moments)
    rng = np.random.default_rng(5)
    found = {}
    for c in task.wanted:
        tensor = rng.uniform(1.0, 2.0, [len(along[dim]) for dim in first_observable(c).dims])
        found[c.name] = np.abs(task.symmetrise(tensor, c)) > 1e-9
    return found
