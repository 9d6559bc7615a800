"""Integrals over cells of the Brillouin zone, with what the points of a cell say about their error.

The error of a cell has two parts. One is the difference of two rules of different degree. The other is what no point of the
cell has seen: from the band velocities follows how far a level may move between the points, and a Fermi surface that may
pass there unseen counts as if it did. A pocket between the points thus keeps its cell open until the points are so close
that it can no longer be there, or is too small to matter.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...calculators.quantity import GRAND, SEA, SURFACE, THERMAL
from ..occupation.fermi import THERMAL_AREA, THERMAL_PEAK
from ..occupation.histogram import Occupation
from .constants import ADAPTIVE
from .crossings import crossed
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
    together = max(1, job.working_set // (len(job.rule.nodes) * job.bytes_per_point))
    parts: dict[int, Part] = {}
    every, variations, numbers, widest = [], [], [], 0.0
    for s in range(0, len(cells.half), together):
        fields, classes, variation, becomes, group = _together(job, Cells(*(x[s : s + together] for x in cells)), tolerance)
        for c in np.unique(classes).tolist():
            before = [np.stack(parts[c])[:, None]] if c in parts else []
            # one cell after the other, so that the bits are the same for any number of cells at once
            parts[c] = Part(*np.concatenate([*before, fields[:, classes == c]], axis=1).sum(axis=1))
        every.append(classes)
        variations.append(variation)
        numbers.append(becomes)
        widest = max(widest, group)
    return Found(parts, np.concatenate(every), np.concatenate(variations), np.concatenate(numbers), widest)


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


def _together(job: CellJob, cells: Cells, tolerance: Array) -> tuple[Array, NDArray[np.int64], Array, Array, float]:
    """The fields of `Part` of every cell (7, cells, levels, columns), classes, variations, cells that it would become, widest
    group."""
    rule, occupation = job.rule, job.integrand.occupation
    nc, m = len(cells.half), len(rule.nodes)
    k = np.zeros((nc, m, 3))
    k[:, :, job.directions] = cells.centre[:, None] + cells.half[:, None] * rule.nodes
    states = states_at(job, k.reshape(-1, 3))
    volume = np.prod(2 * cells.half, axis=1)[:, None, None]

    def split(x: Array) -> Array:
        return x.reshape(nc, m, *x.shape[1:])

    # tolerance.md eq. 4, how far levels move to the next point: (cells, 1, bands) at most, by direction
    move = np.abs(split(states.slope)).max(axis=1) * cells.half[:, None, :] * rule.reach * ADAPTIVE.margin
    total = np.repeat(move.sum(axis=2)[:, None], m, axis=1).reshape(nc * m, -1)
    factors = occupation.factors(states.energies)
    g = split(_occupied(job, states.weights, factors) @ job.mix)
    hidden = _hidden(occupation, split(states.energies), split(total))
    absolute = np.abs(states.weights)
    hidden_states = {kind: x.reshape(factors[SEA].shape) for kind, x in hidden.items()}
    unseen = split(_occupied(job, absolute, hidden_states) @ np.abs(job.mix))
    top = split(_everywhere(job, states.weights))

    def sums(weights: Array, x: Array) -> Array:
        return np.asarray(np.tensordot(x, weights, axes=(1, 0)) * volume)

    value = sums(rule.high, g)
    difference = np.abs(np.hypot.reduce([sums(null, g) for null in rule.null]))  # tolerance.md eq. 2
    positive = np.abs(rule.high)
    peaks, steps = crossed(job, states, k.reshape(-1, 3), cells.half)
    missed = sums(positive, unseen) + peaks * volume
    fields = [value, sums(positive, np.abs(g)), difference, difference**2, missed, sums(positive, top)]
    fields.append(_doubt(job, states, factors, nc) * volume)
    error = (difference + missed) / tolerance
    measure = error.max(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.clip(
            np.nan_to_num(np.floor(np.log2(measure)), nan=ADAPTIVE.classes[0], neginf=ADAPTIVE.classes[0]), *ADAPTIVE.classes
        )
    classes = power.astype(np.int64) // job.octaves
    # cells are halved along the strongest variation or, for what was not seen, along which levels move most
    vary = np.stack([(np.abs(sums(v, g)) / tolerance).max(axis=(1, 2)) for v in rule.variation], axis=1)
    blind = (missed / tolerance).max(axis=(1, 2)) > (difference / tolerance).max(axis=(1, 2))
    may_pass = np.any(hidden[SEA] + hidden[SURFACE] > 0, axis=1)
    moves = np.maximum((move * may_pass.any(axis=2)[:, :, None]).max(axis=1), steps)
    becomes = _becomes(occupation, split(states.energies), move.sum(axis=2), may_pass, cells.half.shape[1])
    return np.stack(fields), classes, np.where(blind[:, None], moves, vary), becomes, states.widest_group


def _becomes(occupation: Occupation, energies: Array, move: Array, may_pass: NDArray[np.bool_], dimension: int) -> Array:
    """(cells,) how many cells each has to become until its points see every Fermi surface (tolerance.md eq. 13).

    energies : (cells, m, n). move : (cells, n), how far levels move. may_pass : (cells, n, levels), where a surface may pass.
    """
    mu = np.repeat(occupation.fermi, len(occupation.temperature))
    near = np.abs(energies[..., None] - mu).min(axis=1)
    far = np.maximum(np.maximum(near, ADAPTIVE.seen * occupation.widths), move[:, :, None] / ADAPTIVE.deepest)
    times = np.where(may_pass, move[:, :, None] / np.maximum(far, np.finfo(float).tiny), 1.0).max(axis=(1, 2))
    return np.asarray(np.maximum(times, 1.0) ** (dimension - 1))


def _everywhere(job: CellJob, weights: Array) -> Array:
    """(nk, levels, columns): the integrand at the most, were all states at the Fermi level."""
    widths = job.integrand.occupation.widths
    narrow = 1 / np.maximum(4 * widths, np.finfo(float).tiny)
    peak = np.stack([np.ones_like(widths), narrow, np.log(2) * widths, 4 * THERMAL_PEAK * narrow], axis=1)
    return np.asarray(np.abs(weights).sum(axis=1)[:, None, :] * peak[:, job.integrand.kinds] @ np.abs(job.mix))


def _doubt(job: CellJob, states: States, factors: Mapping[int, Array], cells: int) -> Array:
    """What levels in doubt change in cells (cells, levels, columns) of volume 1, of the occupations (nk, n, levels)."""
    out = np.zeros((cells, job.integrand.levels, job.mix.shape[1]))
    if states.doubtful.any():
        of_doubtful = {kind: x[states.doubtful] for kind, x in factors.items()}
        before = _occupied(job, states.weights[states.doubtful], of_doubtful)
        after = _occupied(job, states.other_weights, job.integrand.occupation.factors(states.other_energies))
        change = (after - before) @ job.mix
        cell, node = np.divmod(np.flatnonzero(states.doubtful), len(job.rule.nodes))
        np.add.at(out, cell, job.rule.high[node, None, None] * change)
    return out


def _occupied(job: CellJob, weights: Array, factors: Mapping[int, Array]) -> Array:
    """(nk, levels, columns) of the weights (nk, n, columns) and occupations (nk, n, levels) by their numbers."""
    out = np.zeros((len(weights), factors[SEA].shape[2], weights.shape[2]))
    for kind, factor in factors.items():
        use = job.integrand.kinds == kind
        if use.any():
            out[:, :, use] = np.swapaxes(factor, 1, 2) @ weights[:, :, use]
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
