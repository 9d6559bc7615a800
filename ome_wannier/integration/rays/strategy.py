"""Integrals of k.p models along rays: on a given mesh, or on denser ones until they have converged, each Fermi level and
temperature for itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...calculators.registry import combine
from ...common.progress import track
from ...common.units import KB
from ...models.kdotp import KDotP
from ..integral import Goal, Integral, Request
from ..kpoints.polar import PolarMesh
from ..tolerance import CANCELLED, Errors, about
from . import quadrature as radial

Array = NDArray[np.float64]

#: the mesh to begin with
START = PolarMesh(16, 8)


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


def over_rays(request: Request, mesh: PolarMesh) -> Integral:
    """Integrals on a mesh of rays."""
    jobs = track(_places(request), "Fermi levels", request.resources.progress)
    found = [_level(request, mesh, place) for place in jobs]
    values = {c.name: [x.values[c.name] for x in found] for c in request.calculators}
    errors = {c.name: [np.sqrt((x.angles[c.name] ** 2 + x.nodes[c.name] ** 2) / 2) for x in found] for c in request.calculators}
    estimate = "difference to half the angles and to three quarters of the radial nodes (root mean square)"
    attrs = {"kmesh": repr(mesh), "error_estimate": estimate, "widest_degenerate_group_eV": 0.0, "levels_in_doubt": ""}
    return Integral(_by_level(values, request), _by_level(errors, request), {}, attrs)


def to_tolerance(request: Request, goal: Goal) -> Integral:
    """Double the angles or add radial nodes, whichever the error is due to, until it is below the tolerance everywhere."""
    deadline = None if goal.max_time is None else time.monotonic() + goal.max_time
    progress, places = request.resources.progress, _places(request)
    found = [_level(request, START, place) for place in track(places, "Fermi levels", progress)]
    points = sum(level.points for level in found)
    while True:
        limits = _limits(request, goal, found, CANCELLED)
        open_levels = [i for i, x in enumerate(found) if any((x.error(n) > limits[n][i]).any() for n in limits)]
        finer = {i: _finer(found[i], {n: x[i] for n, x in limits.items()}) for i in open_levels}
        # a finer mesh takes as many more points as it has more rays and nodes
        cost = sum(found[i].points * _size(request, m) // _size(request, found[i].mesh) for i, m in finer.items())
        if not finer or points + cost > goal.max_points or (deadline is not None and time.monotonic() > deadline):
            break
        for i, mesh in track(list(finer.items()), "Fermi levels", progress):
            found[i] = _level(request, mesh, places[i])
            points += found[i].points
    values, errors, allowed, converged = (
        _by_level(per_level, request)
        for per_level in (
            {c.name: [x.values[c.name] for x in found] for c in request.calculators},
            {c.name: [x.error(c.name) for x in found] for c in request.calculators},
            {n: list(x) for n, x in limits.items()},
            {n: list(x) for n, x in _limits(request, goal, found, 0.0).items()},
        )
    )
    attrs = about(Errors(errors, {}, allowed, converged), request, goal, points)
    finest = max((x.mesh for x in found), key=lambda m: _size(request, m))
    attrs |= {"kmesh": f"up to {finest!r}", "widest_degenerate_group_eV": 0.0, "levels_in_doubt": ""}
    attrs["error_estimate"] = "differences to half the angles and to three quarters of the radial nodes"
    return Integral(values, errors, {}, attrs)


def _places(request: Request) -> list[radial.Place]:
    """All Fermi levels and temperatures, and where their rays start; warns of bands that touch there."""
    model, occupation = cast(KDotP, request.integrand.model), request.integrand.occupation
    pockets = radial.extrema(model)
    levels = [(float(mu), float(T) * KB) for mu in occupation.fermi for T in occupation.temperature]
    places = [radial.Place(mu, kT, radial.ray_origin(model, pockets, mu)) for mu, kT in levels]
    for place in places:
        radial.warn_of_touching(model, place, request.integrand.degeneracy.tol)
    return places


def _by_level(found: dict[str, list[Array]], request: Request) -> dict[str, Array]:
    """Arrays (nf, nT, *components) of those of all places."""
    n = len(request.integrand.occupation.fermi)
    return {name: np.stack(x).reshape(n, -1, *np.shape(x[0])) for name, x in found.items()}


def _level(request: Request, mesh: PolarMesh, place: radial.Place) -> _Level:
    integrand = request.integrand
    sums = radial.integrate(integrand, mesh, place)
    values, others, fewer, sizes = (
        {c.name: combine(c, version) for c in request.calculators}
        for version in (integrand.named(integrand.model.spin_degeneracy * x) for x in sums[:4])
    )
    angles = {n: np.abs(v - others[n]) for n, v in values.items()}
    nodes = {n: np.abs(v - fewer[n]) for n, v in values.items()}
    return _Level(values, angles, nodes, {n: np.abs(s) for n, s in sizes.items()}, mesh, sums.points)


def _limits(request: Request, goal: Goal, found: Sequence[_Level], cancelled: float) -> dict[str, Array]:
    """Allowed errors by quantity, one for each Fermi level and temperature: of the value, or this share of what cancels."""
    n_temperatures = len(request.integrand.occupation.temperature)
    out = {}
    for c in request.calculators:
        reference = [max(np.abs(x.values[c.name]).max(), cancelled * x.sizes[c.name].max()) for x in found]
        largest = np.reshape(reference, (-1, n_temperatures)).max(axis=0)
        limit = goal.rtol * np.tile(largest, len(found) // n_temperatures) + np.finfo(float).tiny
        out[c.name] = limit.reshape(-1, *[1] * found[0].values[c.name].ndim)
    return out


def _finer(level: _Level, limits: dict[str, Array]) -> PolarMesh:
    """More angles or more radial nodes, whichever the larger part of the error is due to."""
    angles, nodes = (max(float((x[n] / limits[n]).max()) for n in limits) for x in (level.angles, level.nodes))
    mesh = level.mesh
    return replace(mesh, n_angle=2 * mesh.n_angle) if angles >= nodes else replace(mesh, n_radial=3 * mesh.n_radial // 2)


def _size(request: Request, mesh: PolarMesh) -> int:
    return int(mesh.n_radial * mesh.n_angle ** (request.integrand.model.dimension - 1))
