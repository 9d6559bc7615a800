"""Integrals that converge by themselves to a relative tolerance: uniform meshes where they are enough, cells where not.

What the tolerance means: the error of every element, at every Fermi level and temperature, is at most `rtol` times the largest
absolute value that the elements of the same quantity have at that temperature, over all Fermi levels. A quantity much smaller
than what its integrand cancels counts as zero: the reference is at least `CANCELLED` times the integral of the absolute
value of the integrand, and `EMPTY` times what there would be were all states at the Fermi level. Elements that the symmetries
of the Hamiltonian forbid are not waited for.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from . import adaptive, cells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .cubature import rule
from .errors import ConvergenceWarning, SettingsError
from .kdotp import KDotP
from .kmesh import KMesh
from .occupation import Occupation
from .result import AXES, combine, first_observable
from .sums import Lattice, component_shapes

Array = NDArray[np.float64]

#: quantities below these shares of what they could be count as zero, see the module's text
CANCELLED, EMPTY = 1e-3, 1e-9
#: k points that may be evaluated unless told: some minutes for twenty bands
MAX_POINTS = 2_000_000
#: points of the default mesh along an edge of the cells to begin with
POINTS_PER_CELL = 4
#: how often the default mesh may be doubled, and by which factor deviations have to fall, before cells are taken instead
DOUBLINGS, FAST = 2, 0.3
#: how often the edges of the first cells may be doubled where they do not fit the bounds
COARSER = 4


class Goal(NamedTuple):
    """What to reach, and what it may cost: relative error, k points, seconds (or None)."""

    rtol: float
    max_points: int
    max_time: float | None


class Converged(NamedTuple):
    """Values and errors (nf, nT, *components) by quantity, and what to record."""

    values: dict[str, Array]
    errors: dict[str, Array]
    attrs: dict[str, Any]


def checked(rtol: object, max_points: object, max_time: object) -> Goal:
    """The goal.

    Raises
    ------
    SettingsError : what is no number, or out of range.
    """

    def number(value: object) -> bool:
        return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(np.isfinite(value))

    if not number(rtol) or not 0 < float(rtol) < 1:  # type: ignore[arg-type]
        raise SettingsError(f"rtol is {rtol!r}: give a relative error between 0 and 1, such as 1e-3")
    if not number(max_points) or not float(max_points) >= 1:  # type: ignore[arg-type]
        raise SettingsError(f"max_points is {max_points!r}: give a number of k points")
    if max_time is not None and (not number(max_time) or not float(max_time) > 0):  # type: ignore[arg-type]
        raise SettingsError(f"max_time is {max_time!r}: give a number of seconds")
    seconds = None if max_time is None else float(max_time)  # type: ignore[arg-type]
    return Goal(float(rtol), int(max_points), seconds)  # type: ignore[arg-type, call-overload]


class Task(NamedTuple):
    """What to integrate over the Brillouin zone; `symmetrise` gives a tensor of a quantity the symmetries of the Hamiltonian,
    and `inverts` says whether they map k to -k."""

    model: Lattice
    wanted: Sequence[Calculator]
    observables: Sequence[Observable]
    occupation: Occupation
    symmetrise: Callable[[Array, Calculator], Array]
    degeneracy_tol: float
    goal: Goal
    inverts: bool


class Asked(Protocol):
    """What `about` needs to know of a task."""

    @property
    def model(self) -> Lattice | KDotP: ...
    @property
    def wanted(self) -> Sequence[Calculator]: ...
    @property
    def occupation(self) -> Occupation: ...
    @property
    def goal(self) -> Goal: ...


class _Left(NamedTuple):
    """What may still be spent: k points, the time (of `time.monotonic`) at which to stop, or None, and seconds per point."""

    points: int
    deadline: float | None
    pace: float

    def allows(self, points: int) -> bool:
        """Whether so many more fit."""
        return points <= self.points and (self.deadline is None or time.monotonic() + self.pace * points <= self.deadline)

    def after(self, mesh: _Judged) -> _Left:
        """What is left when a mesh has been evaluated; its time passes by itself."""
        return self._replace(points=self.points - int(mesh.found.attrs["irreducible_points"]))


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
        task.degeneracy_tol,
        columns.mix,
        columns.surface,
        rule(sum(task.model.periodic)),
    )
    free = _allowed(task)
    flat = np.concatenate([free[c.name].ravel() for c in task.wanted])
    limit = _Limit(columns.owner, flat, len(task.occupation.temperature), task.goal.rtol)
    sample = _times(mesh, 0.5)
    seen = cells.survey(job, sample)
    # how many processes an executor has is not known: with one, a step is begun whatever it takes
    pace = 0.0 if executor is not None else (time.monotonic() - began) / len(sample)
    left = _Left(task.goal.max_points - len(sample), deadline, pace)

    def judged(mesh: KMesh) -> _Judged:
        found = on_mesh(mesh)
        value = columns.pack(found.values) * task.model.cell / task.model.spin_degeneracy
        limits = limit(seen.part._replace(value=value)) / task.model.cell * task.model.spin_degeneracy
        return _Judged(found, found.deviations, columns.unpack(limits, task.occupation))

    uniform, left = _uniform(judged, seen.refine / 2, free, mesh, left)
    numbers = [-(-n // POINTS_PER_CELL) for n, p in zip(mesh.size, task.model.periodic, strict=True) if p]
    starts = [cells.base_cells([-(-n // 2**power) for n in numbers], task.inverts) for power in range(COARSER + 1)]
    fitting = [start for start in starts if left.allows(len(start.half) * len(job.rule.nodes))]
    if uniform is not None and (uniform.enough or len(fitting) < len(starts)):
        return _of_mesh(uniform, task, task.goal.max_points - left.points)
    start = fitting[0] if fitting else starts[-1]
    outcome = adaptive.refine(job, start, limit, adaptive.Budget(left.points, deadline), executor, progress)
    points = task.goal.max_points - left.points + outcome.points
    norm = task.model.spin_degeneracy / task.model.cell * (2 if task.inverts else 1)
    values, errors, limits = (
        columns.unpack(x * norm, task.occupation) for x in (outcome.part.value, outcome.error, limit(outcome.part))
    )
    raw, values = values, {c.name: task.symmetrise(values[c.name], c) for c in task.wanted}
    # what symmetry forbids is zero; on the whole zone its size tells how well the Hamiltonian obeys
    rest = {n: np.zeros_like(x) if task.inverts else np.abs(raw[n] - x) for n, x in values.items()}
    zone = "half of the zone" if task.inverts else "the zone"
    attrs = about(errors, limits, task, points) | {
        "kmesh": f"adaptive: {outcome.cells} cells in {zone}, down to 1/{round(0.5 / outcome.finest)} of a reciprocal vector",
        "error_estimate": "differences of cubature rules, and Fermi surfaces that may pass between the points",
        "widest_degenerate_group_eV": outcome.widest_group,
    }
    return Converged(values, {n: np.where(free[n], x, rest[n]) for n, x in errors.items()}, attrs)


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
    judged: Callable[[KMesh], _Judged], finer: float, free: dict[str, NDArray[np.bool_]], mesh: KMesh, left: _Left
) -> tuple[_Judged | None, _Left]:
    """The last of nested uniform meshes, `finer` times finer than `mesh` to begin with, and what is left to spend.

    The error of a mesh is the deviation of its sub-meshes, which have half its points along each direction. Where the integrand
    is smooth they converge exponentially, and every doubling makes the deviation fall as much or more: after two falls the
    error is the deviation times the weaker one. A single fall may be luck, as where bands touch below the level.
    """
    last: _Judged | None = None
    if not finer <= 2**DOUBLINGS:
        return last, left
    doublings = max(0, int(np.ceil(np.log2(finer)))) if finer > 0 else 0
    previous: dict[str, float] = {}
    before: dict[str, float] = {}
    for power in range(doublings, DOUBLINGS + 1):
        now = _times(mesh, 2**power)
        if not left.allows(len(now)):
            break
        last = judged(now)
        found, limits = last.found, last.limits
        left = left.after(last)
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


class Columns(NamedTuple):
    """How the columns of all observables make up those of the asked quantities.

    mix : (columns of the observables, columns of the quantities). surface : which of the former are weighted with -df/de.
    owner : number of the quantity of each column. shapes : components by quantity.
    """

    mix: Array
    surface: NDArray[np.bool_]
    owner: NDArray[np.int64]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, model: Lattice, wanted: Sequence[Calculator], observables: Sequence[Observable]) -> Columns:
        """Of what was asked for."""
        shapes = component_shapes(observables, model)
        numbers = [int(np.prod(s)) for s in shapes.values()]
        ends = np.cumsum(numbers)
        unit = np.split(np.eye(sum(numbers)), ends[:-1].tolist(), axis=1)
        basis = {name: u.reshape(-1, *shapes[name]) for name, u in zip(shapes, unit, strict=True)}
        found = {c.name: combine(c, basis) for c in wanted}
        owner = np.repeat(np.arange(len(wanted)), [int(np.prod(x.shape[1:])) for x in found.values()])
        mix = np.concatenate([x.reshape(len(x), -1) for x in found.values()], axis=1)
        surface = np.repeat([o.occupation == "surface" for o in observables], numbers)
        return cls(mix, surface, owner, {name: x.shape[1:] for name, x in found.items()})

    def unpack(self, x: Array, occupation: Occupation) -> dict[str, Array]:
        """Split (levels, columns) into one array (nf, nT, *components) for each quantity."""
        levels = (len(occupation.fermi), len(occupation.temperature))
        return {name: x[:, self.owner == i].reshape(*levels, *s) for i, (name, s) in enumerate(self.shapes.items())}

    def pack(self, values: dict[str, Array]) -> Array:
        """The inverse of `unpack`."""
        return np.concatenate([values[n].reshape(-1, int(np.prod(s))) for n, s in self.shapes.items()], axis=1)


@dataclass(frozen=True)
class _Limit:
    """The allowed error (levels, columns), a function of the sums."""

    owner: NDArray[np.int64]
    free: NDArray[np.bool_]
    n_temperatures: int
    rtol: float

    def __call__(self, part: cells.Part) -> Array:
        shape = (-1, self.n_temperatures, len(self.owner))
        value, size, scale = (x.reshape(shape) for x in (np.abs(part.value), part.size, part.scale))
        reference = np.maximum(value, np.maximum(CANCELLED * size, EMPTY * scale)).max(axis=0)
        out = np.full(value.shape, np.inf)
        for quantity in np.unique(self.owner):
            own = self.owner == quantity
            largest = reference[:, own & self.free].max(axis=1, initial=0.0)
            out[:, :, own & self.free] = self.rtol * largest[:, None] + np.finfo(float).tiny
        return out.reshape(part.value.shape)


def _allowed(task: Task) -> dict[str, NDArray[np.bool_]]:
    """Which elements of every quantity the symmetries leave: those that a tensor of random elements keeps."""
    along = component_axes(task.model.axes, task.model.moments)
    rng = np.random.default_rng(5)
    found = {}
    for c in task.wanted:
        tensor = rng.uniform(1.0, 2.0, [len(along[dim]) for dim in first_observable(c).dims])
        found[c.name] = np.abs(task.symmetrise(tensor, c)) > 1e-9
    return found


def about(errors: dict[str, Array], limits: dict[str, Array], task: Asked, points: int) -> dict[str, Any]:
    """What to record of the convergence; warns of the worst element of every quantity that has not converged."""
    failed = []
    along = component_axes(task.model.axes, task.model.moments)
    for c in task.wanted:
        ratio = errors[c.name] / limits[c.name]
        if not (ratio <= 1).all():
            worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
            element = "".join(AXES[along[dim][i]] for dim, i in zip(first_observable(c).dims, worst[2:], strict=True))
            level, T = task.occupation.fermi[worst[0]], task.occupation.temperature[worst[1]]
            reached = task.goal.rtol * float(ratio[worst])
            failed.append(f"{c.name} {element} at {level:.6g} eV, {T:g} K (relative error {reached:.1g})")
    if failed:
        warnings.warn(
            f"not converged to rtol = {task.goal.rtol:g} with {points} k points: {'; '.join(failed)}: "
            "raise max_points (or max_time), or rtol",
            ConvergenceWarning,
            stacklevel=5,
        )
    return {"rtol": task.goal.rtol, "converged": int(not failed), "not_converged": "; ".join(failed), "k_points": points}
