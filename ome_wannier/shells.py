"""Integrals over nested uniform meshes, of which only the points near a Fermi level are evaluated.

A Fermi function is the sum of a step smeared by a Gaussian and of what makes it sharper:

    f = g_0 + (g_1 - g_0) + ... + (f - g_m)

with widths that fall by two from one g to the next. The first term is smooth: a coarse mesh will do. Each of the others takes a
finer mesh, but vanishes outside the shell of energies in which the broader one of its two functions changes; -df/de takes the
shell of k_B T alone. Every sum is one over a whole uniform mesh, of which points are left out where the integrand vanishes, and
converges exponentially, as sums of smooth periodic functions do.

A point of the next mesh is in the shell if a state at one of the points around it may come into the shell on the way there, by
its velocity, which may change by as much as is allowed for cells (`cells.MARGIN`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import closing
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cells
from .executors import ordered
from .occupation import Occupation
from .progress import track
from .smearing import TAIL, Steps
from .tolerance import Left, Limit

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: shares of the tolerance: of each smeared step, and of what is outside the shells
SHARE, OUTSIDE = 0.03, 0.02
#: from one mesh that resolves the occupation to the next deviations fall by this factor, or cells are better
FAST = 0.3
#: cells are better, too, where no step converges on a second whole mesh, or all deviate by this many tolerances on the first
ROUGH = 1e3
#: the error of a mesh may be so many times what exponential convergence promises
DOUBT = 2.0
#: points of a block, which one worker evaluates
BLOCK = 4096
#: so many times the sums are in memory at a time
COPIES = 8


class Outcome(NamedTuple):
    """The sums, their error (levels, asked columns), whether they converged, the evaluated points, the points of the mesh along
    each direction, and the widest degenerate group in eV."""

    part: cells.Part
    error: Array
    converged: bool
    points: int
    size: tuple[int, ...]
    widest_group: float


class Points(NamedTuple):
    """Indices of points of a mesh (points, d), and the number of points that each stands for."""

    at: Ints
    star: Array

    def some(self, use: slice) -> Points:
        """Some of them."""
        return Points(self.at[use], self.star[use])


class Near(NamedTuple):
    """States near a level: indices (states, d) of their points on a mesh, energies in eV, de/dk per reciprocal vector."""

    at: Ints
    energy: Array
    slope: Array

    def some(self, use: NDArray[np.bool_]) -> Near:
        """Some of them."""
        return Near(self.at[use], self.energy[use], self.slope[use])


class Block(NamedTuple):
    """What a worker evaluates: points of a mesh of this size, the steps from this one on, and which states are near: those that
    the way to the next point may bring within `reach` (eV) of a level."""

    points: Points
    size: Ints
    first: int
    reach: float


class Found(NamedTuple):
    """Sums (sub-meshes, steps, levels, columns), the states near a level, and the widest degenerate group in eV."""

    sums: Array
    near: Near
    widest_group: float


def fit(job: cells.Job, seen: cells.Survey) -> bool:
    """Whether the sums do not take more than the budget of memory."""
    return COPIES * _bytes_of(job, Steps.of(job.occupation, job.surface, seen.refine / 2)) <= job.memory


def _bytes_of(job: cells.Job, steps: Steps) -> int:
    """Memory of the sums over a block."""
    sub_meshes: int = 2 ** sum(job.model.periodic)
    return 8 * sub_meshes * len(steps.widths) * job.levels * len(job.surface)


def integrate(
    job: cells.Job,
    size: Sequence[int],
    inverts: bool,
    seen: cells.Survey,
    limit: Limit,
    budget: Left,
    executor: Executor | None = None,
    progress: bool = False,
) -> Outcome:
    """Integrals over the zone (of volume 1), from a mesh of an even `size` along each periodic direction that is doubled.

    Parameters
    ----------
    job : with temperatures above zero.
    inverts : whether k and -k have the same weights, but for what a symmetrisation removes.
    seen : a look at a mesh of half the size.
    limit : allowed errors.
    budget : what may be evaluated.
    """
    steps, part = Steps.of(job.occupation, job.surface, seen.refine / 2), seen.part
    last, summed, mesh = len(steps.widths) - 1, -1, np.array(size)
    tail, neglected = _tail(limit(part), part), 0.0
    points = _halved(_everything(mesh), mesh, inverts)
    near = _joined([], len(mesh))
    earlier, base, kept = np.zeros(1), np.zeros(1), np.zeros(1)
    trend: Trend | None = None
    before_resolved = False
    evaluated, widest = 0, 0.0
    while True:
        found = _evaluate((job, steps), points, mesh, max(summed, 0), steps.reach(summed, tail), executor, progress)
        evaluated, widest = evaluated + len(points.star), max(widest, found.widest_group)
        near = _joined([near, found.near], len(mesh))
        found.sums[0] += earlier  # the mesh before is the first sub-mesh of this one
        earlier = found.sums.sum(axis=0)
        left = [_left(x, summed) for x in (found.sums * len(found.sums) / mesh.prod(), earlier / mesh.prod())]
        value = (base + left[1][last]) @ job.mix
        part = part._replace(value=value, size=np.maximum(part.size, np.abs(value)))
        limits = limit(part)
        deviation = _deviation(left[0], left[1], job.mix)
        steepest = _steepest(steps, near, mesh, tail)
        resolved = steepest.between <= cells.SEEN * steps.kT
        trend = _trend(trend, deviation, limit, limits, steps.fall(steepest.along))
        errors = deviation * trend.factor[:, None, limit.owner]
        error = errors[last] + kept + neglected * part.size
        converged = resolved[last] and bool((error <= limits).all())
        for step in range(last - 1, summed, -1):  # the narrowest step that this mesh will do for
            if resolved[step] and (errors[step] <= SHARE * limits).all():
                base, kept, summed = base + left[1][step], kept + errors[step], step
                break
        tail = _tail(limits, part)
        half = steps.half(summed, tail)
        slow = before_resolved and bool((trend.fall[last] > FAST)[limit.worst(error / limits) > 1].any())
        if np.isinf(half):  # the next mesh would be a whole one
            least = (deviation / limits).max(axis=(1, 2))[resolved].min(initial=np.inf)
            slow = slow or mesh[0] > size[0] or bool(least > ROUGH)
        if not converged and not slow:
            near, points = _following(near, mesh, half, job.occupation, inverts)
        if converged or slow or not budget.after(evaluated).allows(len(points.star)):
            return Outcome(part, error, converged, evaluated, tuple(mesh.tolist()), widest)
        neglected = max(neglected, tail) if np.isfinite(half) else 0.0
        mesh, before_resolved = 2 * mesh, resolved[last]


def block_sums(work: tuple[cells.Job, Steps], block: Block) -> Found:
    """The sums over a block of points; -df/de is taken with the last of the steps."""
    (job, steps), size = work, block.size
    sums = np.zeros((2 ** len(size), len(steps.widths), job.levels, len(job.surface)))
    near, widest, each = [], 0.0, max(1, job.working_set // job.bytes_per_point)
    for s in range(0, len(block.points.star), each):
        at, star = block.points.some(slice(s, s + each))
        k = np.zeros((len(at), 3))
        k[:, np.flatnonzero(job.model.periodic)] = at / size
        states = cells.states_at(job, k)
        widest = max(widest, states.widest_group)
        weights = np.swapaxes(states.weights * star[:, None, None], 1, 2)
        sub_mesh = np.eye(len(sums))[at % 2 @ 2 ** np.arange(len(size))]
        functions, df = steps.functions(states.energies, block.first)
        for step, f in enumerate(functions, block.first):
            sums[:, step] += np.einsum("ks,kcl->slc", sub_mesh, (weights @ f) * ~job.surface[:, None], optimize=True)
        sums[:, -1] += np.einsum("ks,kcl->slc", sub_mesh, (weights @ df) * job.surface[:, None], optimize=True)
        move = cells.MARGIN * np.abs(states.slope) @ (0.5 / size)
        point, band = np.nonzero(_distance(job.occupation, states.energies) < block.reach + move)
        near.append(Near(at[point], states.energies[point, band], states.slope[point, band]))
    return Found(sums, _joined(near, len(size)), widest)


def _evaluate(
    work: tuple[cells.Job, Steps],
    points: Points,
    size: Ints,
    first: int,
    reach: float,
    executor: Executor | None,
    progress: bool,
) -> Found:
    """The sums over points, by blocks that do not depend on who computes them."""
    blocks = [Block(points.some(slice(s, s + BLOCK)), size, first, reach) for s in range(0, len(points.star), BLOCK)]
    total = block_sums(work, Block(points.some(slice(0)), size, first, reach))
    near = []
    with closing(ordered(executor, block_sums, work, blocks, work[0].waiting(_bytes_of(*work)))) as results:
        for _ in track(blocks, "k points", progress):
            found = next(results)
            total = Found(total.sums + found.sums, total.near, max(total.widest_group, found.widest_group))
            near.append(found.near)
    return total._replace(near=_joined(near, len(size)))


def _joined(near: Sequence[Near], dimension: int) -> Near:
    none = Near(np.empty((0, dimension), dtype=np.int64), np.empty(0), np.empty((0, dimension)))
    at, energy, slope = (np.concatenate(x) for x in zip(none, *near, strict=True))
    return Near(at, energy, slope)


class Steepest(NamedTuple):
    """Of every step, by how much states that pass a level move at most (eV): between the points, and along one direction from
    one point to the next."""

    between: Array
    along: Array


def _steepest(steps: Steps, near: Near, mesh: Ints, tail: float) -> Steepest:
    slope = np.abs(near.slope) / mesh
    between, along = cells.MARGIN * slope.sum(axis=1) / 2, slope.max(axis=1, initial=0.0)
    passes = _distance(steps.occupation, near.energy) < between - np.log(tail) * steps.kT[:, None]
    return Steepest((between * passes).max(axis=1, initial=0.0), (along * passes).max(axis=1, initial=0.0))


class Trend(NamedTuple):
    """How deviations fall (see `_trend`), each but the first one of every step and quantity.

    likely : deviations (steps, levels, columns) without luck. fall : to what they have fallen. expected : to what they will
    fall at least on the next mesh, and `bound`, at most, if convergence is exponential. factor : errors per deviation.
    """

    likely: Array
    fall: Array
    expected: Array
    bound: Array
    factor: Array


def _trend(before: Trend | None, deviation: Array, limit: Limit, limits: Array, slowest: Array) -> Trend:
    """The errors of a mesh, of which `deviation` is that of its sub-meshes, from what it was on the mesh before.

    Where convergence is exponential, deviations fall to the square of what they fell to before. What has fallen further did so
    by luck, as what a Fermi surface adds to the error of a mesh oscillates with the number of points. What has fallen less, and
    less than that of the steepest states (`slowest`), converges more slowly, and is expected to fall no further than it did; so
    is what has fallen only once, as it does where bands touch and a smooth part is larger at first. Of smeared steps, which
    stay as they are once they suffice, that is taken by its root: all sub-meshes may miss a narrow feature in the same way.
    """
    now = limit.worst(deviation / limits)
    one, slow = np.ones_like(now), np.broadcast_to(slowest[:, None], now.shape)
    if before is None:
        return Trend(deviation, one, slow, 0 * one, one)
    then = limit.worst(before.likely / limits)
    fall = np.divide(now, then, out=one.copy(), where=then > 0)
    likely = np.maximum(fall, before.expected)
    luck = np.divide(likely, fall, out=one.copy(), where=fall > 0)
    square = np.minimum(1.0, fall) ** 2
    smeared = np.arange(len(now))[:, None] < len(now) - 1
    ahead = np.select([(before.bound == 0) & smeared, fall <= before.bound], [np.sqrt(likely), likely**2], likely)
    factor = luck * np.minimum(1.0, DOUBT * np.maximum(ahead, slow))
    return Trend(deviation * luck[:, None, limit.owner], fall, square, np.maximum(square, slow), factor)


def _left(sums: Array, summed: int) -> Array:
    """Sums (..., steps, levels, columns) of steps beside the one that has been summed, if any has."""
    return sums - sums[..., summed : summed + 1, :, :] if summed >= 0 else sums


def _deviation(parts: Array, whole: Array, mix: Array) -> Array:
    """Root mean square deviation of the sub-meshes (steps, levels, asked columns)."""
    return np.asarray(np.sqrt((((parts - whole) @ mix) ** 2).mean(axis=0)))


def _tail(limits: Array, part: cells.Part) -> float:
    """What may be outside the shells, relative to the integral of the absolute value."""
    return float(np.clip(OUTSIDE * (limits / np.maximum(part.size, np.finfo(float).tiny)).min(), *TAIL))


def _distance(occupation: Occupation, energies: Array) -> Array:
    """From the nearest Fermi level."""
    fermi = occupation.fermi
    above = np.clip(np.searchsorted(fermi, energies), 1, max(len(fermi) - 1, 1))
    return np.asarray(
        np.minimum(np.abs(energies - fermi[above - 1]), np.abs(energies - fermi[np.minimum(above, len(fermi) - 1)]))
    )


def _following(near: Near, mesh: Ints, half: float, occupation: Occupation, inverts: bool) -> tuple[Near, Points]:
    """The points by which the next mesh adds to this one, of which those count to which a state may come within the shell; and
    the states from which they follow, on the next mesh."""
    offsets = np.array([o for o in product((-1, 0, 1), repeat=len(mesh)) if any(o)])
    if not np.isfinite(half):
        index = _everything(2 * mesh)
    else:
        found = []
        stays = np.zeros(len(near.energy), dtype=bool)
        for offset in offsets:
            way = offset * 0.5 / mesh
            doubt = (cells.MARGIN - 1) * np.abs(near.slope) @ np.abs(way)
            comes = _distance(occupation, near.energy + near.slope @ way) < half + doubt
            at = (2 * near.at[comes] + offset) % (2 * mesh)
            found.append(np.unique(np.ravel_multi_index(tuple(at.T), tuple(2 * mesh))))
            stays |= comes
        number = np.unique(np.concatenate(found))
        index = np.stack(np.unravel_index(number, tuple(2 * mesh)), axis=1)
        near = near.some(stays)
    index = index[(index % 2 == 1).any(axis=1)]
    return near._replace(at=2 * near.at), _halved(index, 2 * mesh, inverts)


def _everything(mesh: Ints) -> Ints:
    """All points of a mesh (points, d)."""
    return np.stack(np.unravel_index(np.arange(mesh.prod()), tuple(mesh)), axis=1)


def _halved(index: Ints, mesh: Ints, inverts: bool) -> Points:
    """These points (points, d) of a mesh, each once, or with `inverts` one of k and -k for both."""
    number = np.ravel_multi_index(tuple(index.T), tuple(mesh))
    opposite = np.ravel_multi_index(tuple((-index % mesh).T), tuple(mesh)) if inverts else number
    kept = np.unique(np.minimum(number, opposite))
    index = np.stack(np.unravel_index(kept, tuple(mesh)), axis=1)
    alone = (-index % mesh == index).all(axis=1) if inverts else np.ones(len(kept), dtype=bool)
    return Points(index, np.where(alone, 1.0, 2.0))
