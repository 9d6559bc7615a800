"""Integrals over cells of the Brillouin zone, with what the points of a cell say about their error.

The error of a cell has two parts. One is the difference of two rules of different degree. The other is what no point of the
cell has seen: from the band velocities follows how far a level may move between the points, and a Fermi surface that may
pass there unseen counts as if it did. A pocket between the points thus keeps its cell open until the points are so close
that it can no longer be there, or is too small to matter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...calculators.quantity import GRAND, SEA, SURFACE, THERMAL
from ..occupation.fermi import THERMAL_AREA, THERMAL_PEAK
from ..occupation.histogram import Occupation
from .constants import ADAPTIVE
from .crossings import Places, peaks, places_of
from .states import CellJob, States, states_at

Array = NDArray[np.float64]


class Cells(NamedTuple):
    """Boxes in units of the reciprocal vectors of the periodic directions: centres and half widths (cells, d)."""

    centre: Array
    half: Array


class Part(NamedTuple):
    """Sums over cells, each (levels, columns of the asked quantities), levels being Fermi levels times temperatures.

    value : the integral. size : integral of its absolute value. added, square : sum of the errors of the rule, and of their
    squares. unseen : what the points may have missed. scale : the integral were all states at the Fermi level. doubt : what the
    integral would be more with the other groups of levels that there may be (`Degeneracy.other`).
    """

    value: Array
    size: Array
    added: Array
    square: Array
    unseen: Array
    scale: Array
    doubt: Array


class Found(NamedTuple):
    """What a block of cells gave: sums by class, the class of every cell (cells,), how strongly it varies (cells, d), how many
    cells it would become (cells,; `_becomes`), and the widest degenerate group in eV."""

    parts: dict[int, Part]
    classes: NDArray[np.int64]
    variation: Array
    becomes: Array
    widest_group: float


def integrate(job: CellJob, item: tuple[Cells, Array]) -> Found:
    """Integrate a block of cells; `item` holds tolerances (levels, columns) too, by which errors are measured."""
    cells, tolerance = item
    m, parts = len(job.rule.nodes), dict[int, Part]()
    every, variations, numbers, widest = [], [], [], 0.0
    # weights of many points are made together, for small matrices are slow one by one; what they give at all levels takes more
    for seen in (_seen(job, some) for some in _pieces(cells, job.working_set // (m * job.bytes_of_states))):
        widest = max(widest, seen.states.widest_group)
        for some in seen.pieces(job.working_set // (m * job.bytes_at_levels), m):
            fields, classes, variation, becomes = _together(job, some, tolerance)
            for c in np.unique(classes).tolist():
                before = [np.stack(parts[c])[:, None]] if c in parts else []
                # one cell after the other, so that the bits are the same for any number of cells at once
                parts[c] = Part(*np.concatenate([*before, fields[:, classes == c]], axis=1).sum(axis=1))
            every.append(classes)
            variations.append(variation)
            numbers.append(becomes)
    return Found(parts, np.concatenate(every), np.concatenate(variations), np.concatenate(numbers), widest)


class _Seen(NamedTuple):
    """Cells, the states at their points, and the places between these where bands nearly cross."""

    cells: Cells
    states: States
    places: Places

    def pieces(self, number: int, m: int) -> Iterator[_Seen]:
        """So many cells, of m points, at a time."""
        start = 0
        for some in _pieces(self.cells, number):
            end = start + m * len(some.half)
            yield _Seen(some, self.states.of(start, end), self.places.of(start, end))
            start = end


def _seen(job: CellJob, cells: Cells) -> _Seen:
    points = np.zeros((len(cells.half), len(job.rule.nodes), 3))
    points[:, :, job.directions] = cells.centre[:, None] + cells.half[:, None] * job.rule.nodes
    k = points.reshape(-1, 3)
    states = states_at(job, k)
    return _Seen(cells, states, places_of(job, states, k, cells.half))


def _pieces(cells: Cells, number: int) -> Iterator[Cells]:
    """So many cells at a time, one at least."""
    step = max(1, number)
    for s in range(0, len(cells.half), step):
        yield Cells(*(x[s : s + step] for x in cells))


def pace(job: CellJob) -> float:
    """Seconds per point of cells: those of one."""
    one = base_cells([1] * sum(job.integrand.model.periodic))
    limit = np.ones((job.integrand.levels, job.mix.shape[1]))
    states_at(job, np.zeros((1, 3)))  # what is compiled on the way is not meant
    began = time.monotonic()
    integrate(job, (one, limit))
    return (time.monotonic() - began) / len(job.rule.nodes)


def added(parts: Sequence[Part]) -> Part:
    """The sums over the cells of all of them."""
    return Part(*(sum(fields[1:], fields[0]) for fields in zip(*parts, strict=True)))


def _together(job: CellJob, seen: _Seen, tolerance: Array) -> tuple[Array, NDArray[np.int64], Array, Array]:
    """The fields of `Part` of every cell (7, cells, levels, columns), classes, variations, cells that it would become."""
    (cells, states, places), rule, occupation = seen, job.rule, job.integrand.occupation
    nc, m = len(cells.half), len(rule.nodes)
    volume = np.prod(2 * cells.half, axis=1)[:, None, None]

    def split(x: Array) -> Array:
        return x.reshape(nc, m, *x.shape[1:])

    # tolerance.md eq. 4, how far levels move to the next point: (cells, 1, bands) at most, by direction
    move = np.abs(split(states.slope)).max(axis=1) * cells.half[:, None, :] * rule.reach * ADAPTIVE.margin
    total = np.repeat(move.sum(axis=2)[:, None], m, axis=1).reshape(nc * m, -1)
    factors = occupation.factors(states.energies)
    g = split(_occupied(job, states.weights, factors))
    hidden = _hidden(occupation, split(states.energies), split(total))

    def sums(weights: Array, x: Array) -> Array:
        """(rules, cells, levels, columns) of weights (rules, m)."""
        found = weights @ x.reshape(nc, m, -1)
        return np.asarray(np.moveaxis(found, 1, 0).reshape(len(weights), nc, *x.shape[2:]) * volume)

    rules = np.concatenate([rule.high[None], rule.null, rule.variation])
    value, *others = sums(rules, g)
    null, variation = others[: len(rule.null)], others[len(rule.null) :]
    difference = np.abs(np.hypot.reduce(null))  # tolerance.md eq. 2
    positive = np.abs(rule.high)
    absolute = split(np.abs(states.weights)) * positive[:, None, None]
    of_peaks, steps = peaks(job, places, states, nc)
    missed = (_unseen(job, absolute, hidden) + of_peaks) * volume
    scale = _everywhere(job, absolute) * volume
    fields = [value, sums(positive[None], np.abs(g))[0], difference, difference**2, missed, scale]
    fields.append(_doubt(job, states, factors, nc) * volume)
    error = (difference + missed) / tolerance
    measure = error.max(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.clip(
            np.nan_to_num(np.floor(np.log2(measure)), nan=ADAPTIVE.classes[0], neginf=ADAPTIVE.classes[0]), *ADAPTIVE.classes
        )
    classes = power.astype(np.int64) // job.octaves
    # cells are halved along the strongest variation or, for what was not seen, along which levels move most
    vary = np.stack([(np.abs(v) / tolerance).max(axis=(1, 2)) for v in variation], axis=1)
    blind = (missed / tolerance).max(axis=(1, 2)) > (difference / tolerance).max(axis=(1, 2))
    may_pass = np.any(hidden[SEA] + hidden[SURFACE] > 0, axis=1)
    moves = np.maximum((move * may_pass.any(axis=2)[:, :, None]).max(axis=1), steps)
    becomes = _becomes(occupation, split(states.energies), move.sum(axis=2), may_pass, cells.half.shape[1])
    return np.stack(fields), classes, np.where(blind[:, None], moves, vary), becomes


def _becomes(occupation: Occupation, energies: Array, move: Array, may_pass: NDArray[np.bool_], dimension: int) -> Array:
    """(cells,) how many cells each has to become until its points see every Fermi surface (tolerance.md eq. 13).

    energies : (cells, m, n). move : (cells, n), how far levels move. may_pass : (cells, n, levels), where a surface may pass.
    """
    mu = np.repeat(occupation.fermi, len(occupation.temperature))
    near = np.abs(energies[..., None] - mu).min(axis=1)
    far = np.maximum(np.maximum(near, ADAPTIVE.seen * occupation.widths), move[:, :, None] / ADAPTIVE.deepest)
    times = np.where(may_pass, move[:, :, None] / np.maximum(far, np.finfo(float).tiny), 1.0).max(axis=(1, 2))
    return np.asarray(np.maximum(times, 1.0) ** (dimension - 1))


def _everywhere(job: CellJob, absolute: Array) -> Array:
    """(cells, levels, asked columns): the integrand at the most, were all states at the Fermi level, of absolute weights
    (cells, m, n, columns)."""
    widths = job.integrand.occupation.widths
    narrow = 1 / np.maximum(4 * widths, np.finfo(float).tiny)
    peak = np.stack([np.ones_like(widths), narrow, np.log(2) * widths, 4 * THERMAL_PEAK * narrow], axis=1)
    return np.asarray(absolute.sum(axis=(1, 2))[:, None, :] * peak[:, job.integrand.kinds] @ np.abs(job.mix))


def _doubt(job: CellJob, states: States, factors: Mapping[int, Array], cells: int) -> Array:
    """What levels in doubt change in cells (cells, levels, columns) of volume 1, of the occupations (nk, n, levels)."""
    out = np.zeros((cells, job.integrand.levels, job.mix.shape[1]))
    if states.doubtful.any():
        of_doubtful = {kind: x[states.doubtful] for kind, x in factors.items()}
        before = _occupied(job, states.weights[states.doubtful], of_doubtful)
        after = _occupied(job, states.other_weights, job.integrand.occupation.factors(states.other_energies))
        cell, node = np.divmod(np.flatnonzero(states.doubtful), len(job.rule.nodes))
        np.add.at(out, cell, job.rule.high[node, None, None] * (after - before))
    return out


def _occupied(job: CellJob, weights: Array, factors: Mapping[int, Array]) -> Array:
    """(nk, levels, asked columns) of weights (nk, n, columns) and occupations (nk, n, levels) by their numbers."""
    return _mixed(job, weights, factors, job.mix)


def _unseen(job: CellJob, absolute: Array, hidden: Mapping[int, Array]) -> Array:
    """(cells, levels, asked columns): the same, summed over points, of absolute weights (cells, m, n, columns) and what the
    points may have missed."""
    cells, m, n, columns = absolute.shape
    states = {kind: x.reshape(cells, m * n, -1) for kind, x in hidden.items()}
    return _mixed(job, absolute.reshape(cells, m * n, columns), states, np.abs(job.mix))


def _mixed(job: CellJob, weights: Array, factors: Mapping[int, Array], mix: Array) -> Array:
    """The sum over states of occupations (x, states, levels) times weights (x, states, columns) times `mix`, in the order that
    takes fewer operations."""
    (x, states), levels, asked = weights.shape[:2], factors[SEA].shape[2], mix.shape[1]
    out = np.zeros((x, levels, asked))
    for kind, factor in factors.items():
        use = np.flatnonzero(job.integrand.kinds == kind)
        to = np.flatnonzero(mix[use].any(axis=0))
        if not len(to):
            continue
        left, middle, right = np.swapaxes(factor, 1, 2), weights[:, :, use], mix[np.ix_(use, to)]
        first = levels * len(use) * (states + len(to)) < states * len(to) * (len(use) + levels)
        out[:, :, to] += (left @ middle) @ right if first else left @ (middle @ right)
    return out


def _hidden(occupation: Occupation, energies: Array, move: Array) -> dict[int, Array]:
    """Occupations that the points may have missed, as in `Occupation.factors` (cells, m, n, levels).

    energies, move : (cells, m, n).
    """
    n = len(occupation.temperature)
    mu, cold = np.repeat(occupation.fermi, n), np.tile(occupation.cold, len(occupation.fermi))
    width = occupation.widths
    e, d = energies[..., None], move[..., None]

    def passes(edge: Array) -> NDArray[np.bool_]:
        one_side = (e > edge).all(axis=1, keepdims=True) | (e <= edge).all(axis=1, keepdims=True)
        return np.asarray(one_side & (np.abs(e - edge) < d))

    # tolerance.md eq. 5: a Fermi surface narrower than the steps between the points
    surface = np.where((np.abs(e - mu) < d) & (d > ADAPTIVE.seen * width), 1 / np.maximum(2 * d, 1e-300), 0.0)
    if occupation.surface and cold.any():  # a box has sharp edges, which may pass between points however close they are
        low, high = (np.repeat(x, n) for x in occupation.boxes)
        box = cold & (passes(low) | passes(high))
        surface = np.where(box, np.maximum(surface, 1 / np.maximum(2 * d, high - low)), surface)
    # a pocket: all points on one side
    sea = np.where(passes(mu) & (d > ADAPTIVE.seen * np.where(cold, 0.0, width)), 1.0, 0.0)
    # two bands that cross the level between the same points: what lies between their crossings no point sees, and what pairs of
    # bands contribute cancels at all of them, which are on both sides of both
    filled: NDArray[np.bool_] = np.asarray(e <= mu)
    crosses = np.asarray(filled.any(axis=1, keepdims=True) & ~filled.all(axis=1, keepdims=True))
    seen = np.asarray((filled[:, :, :-1] & ~filled[:, :, 1:]).any(axis=1, keepdims=True))
    lower, reach = e[:, :, :-1], d[:, :, :-1]
    blind = crosses[:, :, :-1] & crosses[:, :, 1:] & ~seen & (np.abs(lower - mu) < reach) & (reach > ADAPTIVE.seen * width)
    share = np.minimum((e[:, :, 1:] - lower) / np.maximum(2 * reach, 1e-300), 1.0)
    sea[:, :, :-1] = np.maximum(sea[:, :, :-1], np.where(blind, share, 0.0))
    found = {SEA: sea, SURFACE: surface}
    if occupation.grand:  # of the integral of f: how deep below the level it may be
        found[GRAND] = sea * np.maximum(d - np.abs(e - mu), 0.0)
    if occupation.thermal:  # of either sign
        found[THERMAL] = THERMAL_AREA * surface
    return found


def halved(cells: Cells, variation: Array, share: float) -> Cells:
    """Every cell halved along the directions whose variation (cells, d) exceeds this share (below 1) of its largest."""
    for direction in range(cells.half.shape[1]):
        strongest = variation.max(axis=1)
        use = (variation[:, direction] > share * strongest) | ((strongest <= 0) & (direction == 0))
        times = 1 + use
        row = np.repeat(np.arange(len(use)), times)
        second = np.concatenate([[False], row[1:] == row[:-1]])
        centre, half, variation = cells.centre[row], cells.half[row], variation[row]
        half[use[row], direction] /= 2
        centre[:, direction] += np.where(use[row], np.where(second, 1, -1) * half[:, direction], 0.0)
        cells = Cells(centre, half)
    return cells


def base_cells(numbers: Sequence[int], half: bool = False) -> Cells:
    """The zone cut into boxes, about this many along each direction; or its half, up to 1/2 along the first."""
    counts = [2 * -(-numbers[0] // 2), *numbers[1:]] if half else list(numbers)
    ranges = [np.arange(n // 2 if half and i == 0 else n) for i, n in enumerate(counts)]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(counts))
    size = np.array(counts, dtype=float)
    return Cells((grid + 0.5) / size, np.broadcast_to(0.5 / size, grid.shape).copy())
