"""Adaptive integration over the Brillouin zone: cells with the largest errors are halved until the sum of all suffices.

All cells of a generation are evaluated together, in blocks that do not depend on who computes them, and summed in order, so
the result has the same bits for any number of workers. Cells are kept in classes by the size of their error, with one set of
sums for each class: the memory does not grow with the number of cells times that of Fermi levels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.executors import ordered
from ...common.progress import track
from ..integral import Resources
from .cells import Cells, Part, added, halved, integrate
from .constants import ADAPTIVE
from .states import CellJob

Array = NDArray[np.float64]


class Budget(NamedTuple):
    """Bounds on the work: evaluated k points, the time (of `time.monotonic`) at which to stop, or None, and the points that
    have to be left for something else to take the place of cells."""

    points: int
    deadline: float | None
    otherwise: int


class Refined(NamedTuple):
    """The sums, their error (levels, columns), the numbers of cells and of evaluated points, the least half width, the widest
    degenerate group in eV; and how many points are left where cells would need more than these, else 0."""

    part: Part
    error: Array
    cells: int
    points: int
    finest: float
    widest_group: float
    left: int


class _Class(NamedTuple):
    """Cells with errors of one size, their variation along each direction, how many they have to become, and their sums."""

    cells: Cells
    variation: Array
    becomes: Array
    part: Part


def refine(
    job: CellJob,
    start: Cells,
    tolerance: Callable[[Part], Array],
    budget: Budget,
    resources: Resources,
) -> Refined:
    """Halve cells until errors are below the tolerance (levels, columns), a function of the sums, or the budget is spent.

    The cells to start with are evaluated whatever the budget is.
    """
    per_cell = len(job.rule.nodes)
    shape = (job.integrand.levels, job.mix.shape[1])
    kept: dict[int, _Class] = {}
    cells, limit, points, widest, began = start, np.ones(shape), 0, 0.0, time.monotonic()
    said, spare = "k points", 0
    while True:
        seen = partial(track, description=said, enabled=resources.progress, began=began)
        generation = _generation(job, cells, limit, resources, budget.deadline if points else None, seen)
        if generation is None:
            break  # out of time: as it was before these cells were halved
        found, widest = generation[0], max(widest, generation[1])
        points += len(cells.half) * per_cell
        classes = _merged(kept, found)
        limit = tolerance(total(classes.values()))
        error = error_of(total(classes.values()))
        if (error <= limit).all():
            break
        said = f"k points beyond {points}, errors up to {float((error / limit).max()):.2g} x rtol"
        left = budget.points - points
        if budget.deadline is not None:
            rate = points / max(time.monotonic() - began, 1e-9)
            left = min(left, int(rate * (budget.deadline - time.monotonic())))
        if budget.otherwise <= left < per_cell * _to_come(classes, limit):
            spare = left
            break
        chosen = _worst(classes, limit, left // per_cell)
        if not chosen:
            break
        kept = {c: x for c, x in classes.items() if c not in chosen}
        cells = _joined([chosen[c] for c in sorted(chosen)])
    part = total(classes.values())
    everything = _joined([x.cells for x in classes.values()])
    return Refined(part, error_of(part), len(everything.half), points, float(everything.half.min()), widest, spare)


def error_of(part: Part) -> Array:
    """The error of a sum over cells (tolerance.md eq. 3): of the rule, partly independent by cell, and of what was not seen."""
    return np.maximum(ADAPTIVE.coherent * part.added, ADAPTIVE.deviations * np.sqrt(part.square)) + part.unseen


def total(classes: Iterable[_Class]) -> Part:
    """The sums over all classes."""
    return added([c.part for c in classes])


def _generation(
    job: CellJob, cells: Cells, limit: Array, resources: Resources, deadline: float | None, seen: Callable[..., Any]
) -> tuple[dict[int, _Class], float] | None:
    """Evaluate cells, by class, with the widest degenerate group in eV; None when time is out. seen : `track` of this work."""
    step = max(1, min(ADAPTIVE.block, ADAPTIVE.block_bytes // job.bytes_per_point) // len(job.rule.nodes))
    items = [(Cells(*(x[s : s + step] for x in cells)), limit) for s in range(0, len(cells.half), step)]
    places: dict[int, list[tuple[Cells, Array, Array]]] = {}
    parts: dict[int, Part] = {}
    widest = 0.0
    waiting = job.waiting(job.bytes_of_classes // (3 * job.octaves))  # a block has cells of a third of them
    most = resources.memory // (job.bytes_of_classes + step * len(job.rule.nodes) * job.bytes_per_point)
    with closing(ordered(resources.executor, integrate, job, items, waiting, most)) as results:
        for block, _ in seen(items):
            if deadline is not None and time.monotonic() > deadline:
                return None
            found = next(results)
            widest = max(widest, found.widest_group)
            for c, part in found.parts.items():
                here = found.classes == c
                places.setdefault(c, []).append((Cells(*(x[here] for x in block)), found.variation[here], found.becomes[here]))
                # added at once: a part for each block would take more memory than the cells
                parts[c] = added([parts[c], part]) if c in parts else part
    return {c: _class(x, parts[c]) for c, x in places.items()}, widest


def _class(places: Sequence[tuple[Cells, Array, Array]], part: Part) -> _Class:
    """Cells, their variations and how many they have to become, of which these are the sums."""
    cells, variations, becomes = zip(*places, strict=True)
    return _Class(_joined(cells), np.concatenate(variations), np.concatenate(becomes), part)


def _joined(cells: Sequence[Cells]) -> Cells:
    return Cells(*(np.concatenate(x) for x in zip(*cells, strict=True)))


def _merged(kept: dict[int, _Class], found: dict[int, _Class]) -> dict[int, _Class]:
    keys = sorted(kept.keys() | found.keys())
    both = {c: [x[c] for x in (kept, found) if c in x] for c in keys}
    return {c: _class([x[:3] for x in some], total(some)) for c, some in both.items()}


def _ordered(classes: dict[int, _Class], limit: Array) -> tuple[list[int], int, dict[int, float]]:
    """The classes by their mean errors over the tolerance, largest first, how many have to be halved, and these errors."""

    def mean(c: int) -> float:
        part, n = classes[c].part, len(classes[c].variation)
        return float(((part.added + part.unseen) / (n * limit)).max())

    size = {c: mean(c) for c in classes}
    order = sorted(classes, key=lambda c: (size[c], c), reverse=True)
    stays = next((i for i in range(len(order)) if _suffices(classes, order[i:], limit)), len(order))
    return order, stays, size


def _to_come(classes: dict[int, _Class], limit: Array) -> float:
    """How many cells there have to be at least until the points see Fermi surfaces that may pass through most of the zone.

    0 where surfaces are not what is missing, or where they are in few cells: there cells are what is best.
    """
    if (total(classes.values()).unseen <= ADAPTIVE.far * limit).all():
        return 0.0
    order, stays, _ = _ordered(classes, limit)
    halved = [classes[c] for c in order[:stays]]
    crossed = sum(float(_volume(c.cells)[c.becomes > 1].sum()) for c in halved)
    if crossed <= ADAPTIVE.most_of_zone * sum(float(_volume(c.cells).sum()) for c in classes.values()):
        return 0.0
    return ADAPTIVE.more * sum(float(c.becomes.sum()) for c in halved)


def _volume(cells: Cells) -> Array:
    return np.asarray(np.prod(2 * cells.half, axis=1))


def _worst(classes: dict[int, _Class], limit: Array, cells: int) -> dict[int, Cells]:
    """Halves of the worst cells, by class: until those that stay have no more than their share, and as many as allowed."""
    order, stays, size = _ordered(classes, limit)
    chosen: dict[int, Cells] = {}
    for c in order[:stays]:
        # far from what suffices halving along one direction is not the end: take the others at once
        far = stays == len(order) or size[c] > ADAPTIVE.far * size[order[stays]]
        halves = halved(classes[c].cells, classes[c].variation, ADAPTIVE.along if far else 1 - 1e-9)
        cells -= len(halves.half)
        if cells < 0:
            break
        chosen[c] = halves
    return chosen


def _suffices(classes: dict[int, _Class], those: Sequence[int], limit: Array) -> bool:
    return bool((error_of(total(classes[c] for c in those)) <= ADAPTIVE.kept * limit).all())
