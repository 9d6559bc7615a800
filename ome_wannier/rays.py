"""Rays of k.p models that become denser until the integrals have converged, each Fermi level and temperature for itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import radial
from .calculators import Calculator, Observable
from .degeneracy import Degeneracy
from .kdotp import KDotP
from .kmesh import PolarMesh
from .occupation import Occupation
from .progress import track
from .result import Outcome, combine
from .tolerance import CANCELLED, Errors, Goal, about
from .units import KB

Array = NDArray[np.float64]

#: the mesh to begin with
START = PolarMesh(16, 8)


class Task(NamedTuple):
    """What to integrate over the plane or space of a k.p model."""

    model: KDotP
    wanted: Sequence[Calculator]
    observables: Sequence[Observable]
    occupation: Occupation
    degeneracy: Degeneracy
    goal: Goal


class _Level(NamedTuple):
    """By quantity: values, their differences to half the angles and to fewer radial nodes, and sizes of the integrands."""

    values: dict[str, Array]
    angles: dict[str, Array]
    nodes: dict[str, Array]
    sizes: dict[str, Array]
    mesh: PolarMesh
    points: int

    def error(self, name: str) -> Array:
        return np.asarray(self.angles[name] + self.nodes[name])


def over_rays(task: Task, progress: bool) -> Outcome:
    """Double the angles or add radial nodes, whichever the error is due to, until it is below the tolerance everywhere."""
    deadline = None if task.goal.max_time is None else time.monotonic() + task.goal.max_time
    pockets = radial.extrema(task.model)
    places = [(float(mu), float(T)) for mu in task.occupation.fermi for T in task.occupation.temperature]
    origins = [radial.ray_origin(task.model, pockets, mu) for mu, _ in places]
    for (mu, T), origin in zip(places, origins, strict=True):
        radial.warn_of_touching(task.model, origin, mu, T * KB, task.degeneracy.tol)
    found = [
        _level(task, START, place, origin)
        for place, origin in track(list(zip(places, origins, strict=True)), "Fermi levels", progress)
    ]
    points = sum(level.points for level in found)
    while True:
        limits = _limits(task, found, CANCELLED)
        open_levels = [i for i, x in enumerate(found) if any((x.error(n) > limits[n][i]).any() for n in limits)]
        finer = {i: _finer(found[i], {n: x[i] for n, x in limits.items()}) for i in open_levels}
        # a finer mesh takes as many more points as it has more rays and nodes
        cost = sum(found[i].points * _size(task, m) // _size(task, found[i].mesh) for i, m in finer.items())
        if not finer or points + cost > task.goal.max_points or (deadline is not None and time.monotonic() > deadline):
            break
        for i, mesh in track(list(finer.items()), "Fermi levels", progress):
            found[i] = _level(task, mesh, places[i], origins[i])
            points += found[i].points
    values, errors, allowed, converged = (
        {n: np.stack(list(x)).reshape(len(task.occupation.fermi), -1, *np.shape(x[0])) for n, x in per_level.items()}
        for per_level in (
            {c.name: [x.values[c.name] for x in found] for c in task.wanted},
            {c.name: [x.error(c.name) for x in found] for c in task.wanted},
            {n: list(x) for n, x in limits.items()},
            {n: list(x) for n, x in _limits(task, found, 0.0).items()},
        )
    )
    attrs = about(Errors(errors, {}, allowed, converged), task, points)
    finest = max((x.mesh for x in found), key=lambda m: _size(task, m))
    attrs |= {"kmesh": f"up to {finest!r}", "widest_degenerate_group_eV": 0.0, "levels_in_doubt": ""}
    attrs["error_estimate"] = "differences to half the angles and to three quarters of the radial nodes"
    return Outcome(values, errors, {}, attrs)


def _level(task: Task, mesh: PolarMesh, place: tuple[float, float], origin: Array) -> _Level:
    mu, T = place
    sums = radial.integrate(task.model, task.observables, mesh, mu, T * KB, task.degeneracy, origin)
    fine, half, coarse, size = (
        {o.name: task.model.spin_degeneracy * x for o, x in zip(task.observables, version, strict=True)} for version in sums[:4]
    )
    values, others, fewer, sizes = (
        {c.name: combine(c, version) for c in task.wanted} for version in (fine, half, coarse, size)
    )
    angles = {n: np.abs(v - others[n]) for n, v in values.items()}
    nodes = {n: np.abs(v - fewer[n]) for n, v in values.items()}
    return _Level(values, angles, nodes, {n: np.abs(s) for n, s in sizes.items()}, mesh, sums.points)


def _limits(task: Task, found: Sequence[_Level], cancelled: float) -> dict[str, Array]:
    """Allowed errors by quantity, one for each Fermi level and temperature: of the value, or this share of what cancels."""
    n_temperatures = len(task.occupation.temperature)
    out = {}
    for c in task.wanted:
        reference = [max(np.abs(x.values[c.name]).max(), cancelled * x.sizes[c.name].max()) for x in found]
        largest = np.reshape(reference, (-1, n_temperatures)).max(axis=0)
        limit = task.goal.rtol * np.tile(largest, len(found) // n_temperatures) + np.finfo(float).tiny
        out[c.name] = limit.reshape(-1, *[1] * found[0].values[c.name].ndim)
    return out


def _finer(level: _Level, limits: dict[str, Array]) -> PolarMesh:
    """More angles or more radial nodes, whichever the larger part of the error is due to."""
    angles, nodes = (max(float((x[n] / limits[n]).max()) for n in limits) for x in (level.angles, level.nodes))
    mesh = level.mesh
    return replace(mesh, n_angle=2 * mesh.n_angle) if angles >= nodes else replace(mesh, n_radial=3 * mesh.n_radial // 2)


def _size(task: Task, mesh: PolarMesh) -> int:
    return int(mesh.n_radial * mesh.n_angle ** (task.model.dimension - 1))
