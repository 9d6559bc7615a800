"""What a mesh may miss where two neighbouring bands nearly cross between its points: the model is evaluated there.

From the velocities at a point the 2 x 2 Hamiltonian of the two bands is known to first order, and with it the place of their
least gap (tolerance.md eq. 8). Within a step of the mesh, all that the pair gives at this point counts: the sum of the weights
up to the lower band times the difference of the occupations, and the relative error of a sum over what is as wide as the gap
(eq. 9). At the place the weights may be far larger, in a peak as wide as the gap: height times width is charged too (eqs. 10,
11). A mesh meets peaks at random: the error is the smaller of the sum and of two standard deviations of its scatter, as for
Fermi surfaces (see `unseen`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bands.bands import Bands
from ...calculators.quantity import SEA
from ..avoided_crossings import ROUNDING, TINY, Crossings, alias, heights, most_of, rows_of, share
from ..memory import WORKING_SET
from ..occupation.fermi import REACH
from ..occupation.histogram import Occupation
from . import compiled
from .compiled import at_points
from .unseen import Unseen, levels_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Evaluate = Callable[[Array, float], tuple[Array, Array]]

#: steps of the mesh within which a least gap counts, and within which it belongs to its nearest point
STEP, HALF = 1.0, 0.5
#: a share of a sum that is not looked for
NOTHING = 0.01


class Pairs(NamedTuple):
    """Neighbouring bands that may nearly cross within a step of a point, all of length p.

    Numbers of the point and of the lower band, how fast the gap grows along its principal directions (p, directions) in eV per
    step, ascending, the least gap within a step in eV; within half a step, steps to the place (p, directions) and the gap
    there; and whether a Fermi level may lie so near that the two are filled differently.
    """

    point: Ints
    band: Ints
    speeds: Array
    least: Array
    steps: Array
    there: Array
    apart: Flags

    def chosen(self, c: Flags) -> Pairs:
        """Some of them."""
        fields: Sequence[Any] = self
        return Pairs(*(x[c] for x in fields))


class Places(NamedTuple):
    """Where bands nearly cross: k (p, 3) fractional, the lower band (p,), the speeds of the gap (p, directions), how many
    points of the mesh each stands for, roughly what is in its peak, in any unit (p,); and whether it counts where a Fermi level
    tells the two apart, and where both are full."""

    k: Array
    band: Ints
    speeds: Array
    star: Array
    content: Array
    apart: Flags
    full: Flags

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """All of them, in their order."""
        return cls(*(np.concatenate(x) for x in zip(*parts, strict=True)))

    def largest(self, number: int) -> Places:
        """So many of either kind, those with the largest peaks, in their order."""
        order = np.argsort(-self.content * self.star, kind="stable")
        apart, full = (order[kind[order]][:number] for kind in (self.apart, self.full))
        c = np.union1d(apart, full)
        return self.chosen(c)._replace(apart=np.isin(c, apart), full=np.isin(c, full))

    def chosen(self, c: Flags | Ints) -> Places:
        """Some of them."""
        fields: Sequence[Any] = self
        return Places(*(x[c] for x in fields))


def pairs_near(bands: Bands, occupation: Occupation, tol: float, full: bool = False) -> Pairs:
    """The pairs whose gap is least within a step of the points (tolerance.md eq. 8), near some Fermi level.

    tol : levels closer than this count as one. full : those far below the levels too.
    """
    energies, moves, (fermi, widths) = bands.energies, bands.moves, levels_of(occupation)
    change = most_of(bands)
    near, apart = compiled.near(energies, moves, change, fermi, REACH * widths.max(), int(full))
    point, band = np.nonzero(near)
    found = Crossings.of(energies[point, band + 1] - energies[point, band], rows_of(bands, point, band))
    _, least, c = found.within(STEP)
    steps, there = found.told(*found.within(HALF)[:2], tol)
    return Pairs(point[c], band[c], found.speeds[c], least[c], steps[c], there[c], apart[point[c], band[c]] > 0)


def with_pairs(
    found: Unseen, occupation: Occupation, near: Pairs, energies: Array, weights: Array, kinds: NDArray[np.int64]
) -> Unseen:
    """With what the pairs give at their points (tolerance.md eq. 9), one after the other: energies (nk, n) and weights
    (nk, n, columns), occupied as `kinds` say."""
    lost = alias(near.least, near.speeds)
    known = near.point, near.band, lost, lost * share(near.least, near.speeds)
    at_points(energies, weights, known, kinds, levels_of(occupation), (found.size, found.variance))
    return found


def places_of(
    near: Pairs,
    bands: Bands,
    k: Array,
    occupation: Occupation,
    size: Sequence[int],
    star: NDArray[np.uint8],
    full: bool = False,
) -> Places:
    """The places that are nearest to the points k (nk, 3) of a mesh of this size, whose peaks it does not resolve.

    full : whether those count that no Fermi level tells apart.
    """
    (point, band, speeds, _, q, least, apart), (fermi, widths) = near, levels_of(occupation)
    both = point[:, None], band[:, None] + np.arange(2)
    middle = np.mean(bands.energies[both] + np.sum(q[:, None] * bands.moves[both], axis=2), axis=1)
    wide = least / 2 + REACH * widths.max() + speeds.max(axis=1, initial=0.0) / 4
    apart = apart & (np.searchsorted(fermi, middle - wide) < np.searchsorted(fermi, middle + wide))
    nearest = np.abs(q).max(axis=1, initial=0.0) <= HALF + ROUNDING
    k = k[point]
    directions = [i for i, n in enumerate(size) if n > 1]
    k[:, directions] += q / np.array(size)[directions]
    content = share(least, speeds) / np.maximum(least, TINY) ** 2
    every = Places(k, band, speeds, star[point].astype(float), content, apart, np.full(len(k), full))
    return every.chosen(nearest & (alias(least, speeds) >= NOTHING) & (apart | full))


def with_peaks(
    found: Unseen, occupation: Occupation, places: Places, evaluate: Evaluate, together: int, columns: tuple[Ints, Flags]
) -> Unseen:
    """With the peaks at all places (tolerance.md eqs. 10, 11), one after the other.

    evaluate : gives energies and weights at so many k points together, of all bands within so many eV of the levels' window.
    columns : how they are occupied, and in which of them all bands count at places of full ones.
    """
    (kinds, peaks), every = columns, np.ones(len(columns[0]), dtype=bool)
    wide, summed = places.speeds.max(initial=0.0) / 4, replace(occupation, fermi=levels_of(occupation)[0])
    together = max(1, min(together, WORKING_SET // (32 * found.size.size)))
    for start in range(0, len(places.k), together):
        here = places.chosen(np.arange(start, min(start + together, len(places.k))))
        energies, weights = evaluate(here.k, wide)
        both = np.take_along_axis(energies, here.band[:, None] + np.arange(2), axis=1)
        occupied = summed.factors_of_pairs(both)
        # one level is full and the other empty where these differ by what they should
        occupied[SEA][:, 0] = np.maximum(occupied[SEA][:, 0], occupied[SEA][:, 1] + _beyond(both, here.speeds, summed))
        _charge(found, here, both, here.apart[:, None, None] * heights(weights, here.band, occupied, kinds), every)
        if here.full.any():
            _charge(found, here, both, here.full[:, None, None] * summed.filled(energies, weights[..., peaks]), peaks)
    return found


def _charge(found: Unseen, here: Places, both: Array, height: Array, columns: Flags) -> None:
    """Add peaks of these heights (p, levels, columns), as wide as the gaps of both levels (p, 2)."""
    least = both[:, 1] - both[:, 0]
    held, rare = here.star * alias(least, here.speeds), share(least, here.speeds)[:, None, None, None]
    lost = np.abs(held[:, None, None] * height).reshape(len(height), *found.size.shape[:2], -1)
    found.size[..., columns] += np.sum(lost * rare, axis=0)
    found.variance[..., columns] += np.sum(lost**2 * rare, axis=0)


def _beyond(both: Array, speeds: Array, occupation: Occupation) -> Array:
    """(p, levels) what part of peaks lies where the two levels (p, 2) are on both sides of a Fermi level (tolerance.md eq. 11).

    They are within half a step, where the gap has grown G times: 1 / G; 0 if that is farther.
    """
    gap, mu = np.diff(both), np.repeat(occupation.fermi, len(occupation.temperature))
    there, farthest = np.abs(both.sum(axis=1, keepdims=True) - 2 * mu), np.hypot(gap, speeds.max(axis=1, keepdims=True) / 2)
    return np.where((gap < there) & (there < farthest), gap / np.maximum(there, TINY), 0.0)
