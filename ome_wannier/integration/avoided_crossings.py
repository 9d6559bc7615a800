"""Where two neighbouring bands nearly cross beside a k point, from what is known at the point (tolerance.md eq. 8).

To first order the gap at q steps from the point is |(gap, 0, 0) + M q|. The rows of M are the difference of the velocities and
twice the real and imaginary parts of the velocity between the bands; M^T M has the principal directions of the gap. At the
place of the least gap the weights of the pair are peaks as wide as this gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.eigensolver import eigh
from ..calculators.quantity import AT_SURFACE, SEA
from . import compiled

Array = NDArray[np.float64]

#: two levels are double if they differ by this share of the gap to the next; along a direction in which the gap changes by less
#: than this share of it in a step, it does not change
DOUBLE, SLOW = 0.25, 1e-6
#: gap at which two levels are told apart, in units of the tolerance below which they count as one
TOLD = 1.5
#: what keeps divisions finite; of steps
TINY, ROUNDING = 1e-150, 1e-9


class Crossings(NamedTuple):
    """Pairs of bands: their gap (p,), the speeds of the gap along its principal directions (p, directions) in eV per step,
    ascending, these directions as columns (p, directions, directions), and by how much half of the square of the gap grows
    along them at the point (p, directions)."""

    gap: Array
    speeds: Array
    principal: Array
    slope: Array

    @classmethod
    def of(cls, gap: Array, rows: Array) -> Crossings:
        """From the gap and the rows of M (p, rows, directions), the first of them the difference of the velocities."""
        squares, states = eigh(np.asarray(rows.transpose(0, 2, 1) @ rows, dtype=complex))
        V = states.real  # of real matrices they are real
        return cls(gap, np.sqrt(np.maximum(squares, TINY)), V, gap[:, None] * np.einsum("pd,pdi->pi", rows[:, 0], V))

    def within(self, reach: float) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Steps to the place of the least gap (p, directions), the gap there (p,), and whether it is within so many steps.

        Along slow directions a place may be anywhere: where the gap hardly changes, none is the least.
        """
        squares = self.speeds**2
        s = np.where(self.speeds > SLOW * self.gap[:, None], -self.slope / squares, 0.0)
        s[:, :-1] = s[:, :-1].clip(-reach, reach)
        there = np.sqrt(np.maximum(self.gap**2 + np.sum((2 * self.slope + squares * s) * s, axis=1), 0.0))
        q = np.einsum("pi,pdi->pd", s, self.principal)
        return q, there, np.abs(q).max(axis=1, initial=0.0) <= reach + ROUNDING

    def told(self, q: Array, there: Array, tol: float) -> tuple[Array, Array]:
        """These places and their gaps, or places beside them along the fastest direction with a gap of `TOLD` tolerances.

        Pairs of levels have no weights where they count as one.
        """
        least = TOLD * tol
        if not self.speeds.shape[1]:  # a single point
            return q, there
        beside = np.sqrt(np.maximum(least**2 - there**2, 0.0)) / self.speeds[:, -1]
        return q + beside[:, None] * self.principal[:, :, -1], np.maximum(there, least)


def share(gap: Array, speeds: Array) -> Array:
    """(p,) of the volume of a step that a peak takes which is as wide as the gap (p,) (tolerance.md eq. 10)."""
    return np.asarray(np.prod(np.minimum(1.0, np.pi * gap[:, None] / speeds), axis=1))


def alias(gap: Array, speeds: Array) -> Array:
    """(p,) relative error of a sum over points one step apart of such a peak (tolerance.md eq. 9)."""
    return np.asarray(np.minimum(1.0, 2 * np.exp(-2 * np.pi * gap / speeds.max(axis=1, initial=TINY))))


def heights(weights: Array, band: NDArray[np.int64], occupied: Mapping[int, Array], kinds: NDArray[np.int64]) -> Array:
    """What pairs of bands give, the lower ones given (p,): (p, levels, columns), of weights (p, n, columns).

    occupied : the two levels of each (p, 2, levels), by kind, numbers in `OCCUPATIONS`.
    """
    p = np.arange(len(band))
    lower, upper, below = weights[p, band], weights[p, band + 1], np.cumsum(weights, axis=1)[p, band]
    out = np.zeros((len(band), occupied[SEA].shape[2], weights.shape[2]))
    for kind, x in occupied.items():
        use, low, high = kinds == kind, x[:, 0, :, None], x[:, 1, :, None]
        if kind in AT_SURFACE:  # what both have, such as the moments of a pair, does not cancel
            out[..., use] = low * lower[:, None, use] + high * upper[:, None, use]
        else:
            out[..., use] = (low - high) * below[:, None, use]
    return out


def told_apart(fermi: Array, energies: Array, reach: Array, wide: Array | float) -> NDArray[np.bool_]:
    """(nk, n - 1) whether a level of `fermi` may lie so near to two neighbouring bands that they are filled differently.

    energies, reach : (nk, n) in eV, and how far each may move. wide : beyond that, of all pairs or of each.
    """
    low, high = energies[:, :-1] - reach[:, :-1] - wide, energies[:, 1:] + reach[:, 1:] + wide
    return np.asarray(np.searchsorted(fermi, low) < np.searchsorted(fermi, high, "right"))


def rows_of(bands: Bands, point: NDArray[np.int64], band: NDArray[np.int64]) -> Array:
    """Rows of M (p, 9, directions) of pairs of neighbours, the lower band of each (p,) at the point (p,).

    The difference of the velocities; real parts, then imaginary parts, of the elements between the levels n and n + 1, n - 1
    and n + 1, n and n + 2, n - 1 and n + 2, as far as these count: levels that are much closer to each other than to the other
    side of the gap are double. If both sides are, half of the sum of squares is the mean repulsion of a level (all of them are
    equal where time reversal and inversion make both double).
    """
    found: Array = compiled.rows(bands.energies, bands.moves, bands.velocities, bands.spacing, point, band, DOUBLE)
    return found


def all_rows(bands: Bands) -> Array:
    """The same of all pairs at all points: (nk, n - 1, 9, directions)."""
    (K, n), pairs = bands.energies.shape, bands.energies.shape[1] - 1
    found = rows_of(bands, np.repeat(np.arange(K), pairs), np.tile(np.arange(pairs), K))
    return found.reshape(K, n - 1, *found.shape[1:])


def most(rows: Array) -> Array:
    """(nk, n - 1): a bound of what the gap changes by in a step along every direction."""
    return np.asarray(np.sqrt(np.sum(rows**2, axis=2)).sum(axis=2))


def most_of(bands: Bands) -> Array:
    """The same of all pairs, without their rows."""
    found: Array = compiled.most(bands.energies, bands.moves, bands.velocities, bands.spacing, DOUBLE)
    return found
