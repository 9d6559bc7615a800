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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bands.bands import Bands
from ..avoided_crossings import ROUNDING, TINY, Crossings, most, rows_of
from ..occupation.histogram import Occupation
from .least_gaps import FAR, at_points, peaks
from .unseen import Unseen, levels_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: steps of the mesh within which a least gap counts, and within which it belongs to its nearest point
STEP, HALF = 1.0, 0.5
#: a share of a sum that is not looked for
NOTHING = 0.01


class Pairs(NamedTuple):
    """Neighbouring bands that may nearly cross within a step of a point, all of length p.

    Numbers of the point and of the lower band, how fast the gap grows along its principal directions (p, directions) in eV per
    step, ascending, the least gap within a step in eV; and within half a step, steps to the place (p, directions) and the gap
    there.
    """

    point: Ints
    band: Ints
    speeds: Array
    least: Array
    steps: Array
    there: Array


class Places(NamedTuple):
    """Where bands nearly cross: k (p, 3) fractional, the lower band (p,), the speeds of the gap (p, directions), how many
    points of the mesh each stands for, and roughly what is in its peak, in any unit (p,)."""

    k: Array
    band: Ints
    speeds: Array
    star: Array
    content: Array

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """All of them, in their order."""
        return cls(*(np.concatenate(x) for x in zip(*parts, strict=True)))

    def largest(self, number: int) -> Places:
        """Those with the largest peaks, in their order."""
        return self.chosen(np.sort(np.argsort(-self.content * self.star, kind="stable")[:number]))

    def chosen(self, c: NDArray[np.bool_] | Ints) -> Places:
        """Some of them."""
        return Places(self.k[c], self.band[c], self.speeds[c], self.star[c], self.content[c])


def pairs_near(bands: Bands, occupation: Occupation) -> Pairs:
    """The pairs whose gap is least within a step of the points (tolerance.md eq. 8), near some Fermi level."""
    energies, gap, rows = bands.energies, np.diff(bands.energies), rows_of(bands.energies, bands.moves, bands.couplings)
    (fermi, widths), reach, change = levels_of(occupation), np.abs(bands.moves).sum(axis=2), most(rows)
    wide = FAR * widths.max() + change / 4
    first = np.searchsorted(fermi, energies[:, :-1] - reach[:, :-1] - wide)
    near = (change > gap) & (first < np.searchsorted(fermi, energies[:, 1:] + reach[:, 1:] + wide))
    point, band = np.nonzero(near)
    found = Crossings.of(gap[near], rows[near])
    (_, least, c), (near_by, there, _) = found.within(STEP), found.within(HALF)
    return Pairs(point[c], band[c], found.speeds[c], least[c], near_by[c], there[c])


def with_pairs(
    found: Unseen, occupation: Occupation, near: Pairs, energies: Array, weights: Array, kinds: NDArray[np.int64]
) -> Unseen:
    """With what the pairs give at their points (tolerance.md eq. 9), one after the other: energies (nk, n) and weights
    (nk, n, columns), occupied as `kinds` say."""
    known = near.point, near.band, near.speeds.max(axis=1, initial=0.0), near.least
    at_points(energies, weights, known, kinds, levels_of(occupation), (found.size, found.variance))
    return found


def places_of(
    near: Pairs, bands: Bands, k: Array, occupation: Occupation, size: Sequence[int], star: NDArray[np.uint8]
) -> Places:
    """The places that are nearest to the points k (nk, 3) of a mesh of this size, whose peaks it does not resolve, and where
    Fermi levels tell the two bands apart."""
    (point, band, speeds, _, q, least), (fermi, widths) = near, levels_of(occupation)
    fastest = speeds.max(axis=1, initial=0.0)
    rise = np.sum(q * (bands.moves[point, band] + bands.moves[point, band + 1]), axis=1)
    middle = (bands.energies[point, band] + bands.energies[point, band + 1] + rise) / 2
    wide = least / 2 + FAR * widths.max() + fastest / 4
    reached = np.searchsorted(fermi, middle - wide) < np.searchsorted(fermi, middle + wide)
    unresolved = 2 * np.exp(-2 * np.pi * least / fastest) >= NOTHING
    k = k[point]
    directions = [i for i, n in enumerate(size) if n > 1]
    k[:, directions] += q / np.array(size)[directions]
    share = np.prod(np.minimum(1.0, np.pi * least[:, None] / np.maximum(speeds, TINY)), axis=1)
    every = Places(k, band, speeds, star[point].astype(float), share / np.maximum(least, TINY) ** 2)
    return every.chosen((np.abs(q).max(axis=1, initial=0.0) <= HALF + ROUNDING) & unresolved & reached)


def with_peaks(
    found: Unseen,
    occupation: Occupation,
    places: Places,
    evaluate: Callable[[Array, float], tuple[Array, Array]],
    together: int,
    kinds: NDArray[np.int64],
) -> Unseen:
    """With the peaks at all places (tolerance.md eqs. 10, 11), one after the other; `evaluate` gives energies and weights at so
    many k points together, of all bands within so many eV of the window of the levels."""
    wide = places.speeds.max(initial=0.0) / 4
    for start in range(0, len(places.k), together):
        some = slice(start, start + together)
        energies, weights = evaluate(places.k[some], wide)
        at = places.band[some], places.speeds[some], places.star[some]
        peaks(energies, weights, at, kinds, levels_of(occupation), (found.size, found.variance))
    return found
