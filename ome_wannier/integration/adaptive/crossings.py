"""Bands that nearly cross between the points of cells: the model is evaluated there, as on given meshes.

Occupations may be smooth on the scale of the points while the weights of a pair of bands are peaks as narrow as its gap. Rules
of both degrees step over these. Their height times their width is charged as what the points have not seen, so cells are halved
until their points are as close as the peak is wide, or its share does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..avoided_crossings import TINY, Crossings, alias, heights, most, share, told_apart
from ..occupation.fermi import REACH
from .constants import ADAPTIVE
from .states import CellJob, States, states_at

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class Places(NamedTuple):
    """Where two bands nearly cross between the points of cells, all of length p.

    The point that each is near, the lower band, the speeds of the gap along its principal directions (p, directions) in eV per
    step, by how much the gap changes in a step along each direction (p, d), the energies (p, n), and weights (p, n, columns).
    """

    point: Ints
    band: Ints
    speeds: Array
    change: Array
    energies: Array
    weights: Array

    def of(self, first: int, end: int) -> Places:
        """Those near the points from the first on, up to the end, counted from the first."""
        c, fields = (self.point >= first) & (self.point < end), cast(Iterable[NDArray[Any]], self)
        some = Places(*(x[c] for x in fields))
        return some._replace(point=some.point - first)


def places_of(job: CellJob, states: States, k: Array, half: Array) -> Places:
    """The places between the points of cells whose peaks these do not resolve (tolerance.md eq. 8), those of a cell together.

    k : (nk, 3) of the states. half : half widths (cells, d).
    """
    m, occupation = len(job.rule.nodes), job.integrand.occupation
    spacing = np.repeat(2 * job.rule.reach * half, m, axis=0)
    rows, gap = states.rows * spacing[:, None, None, :], np.diff(states.energies)
    reach = np.sum(np.abs(states.slope) * spacing[:, None, :], axis=2)
    wide = REACH * occupation.widths.max()
    apart = told_apart(occupation.fermi, states.energies, reach, wide)
    kinds = [(apart, ADAPTIVE.narrow)]
    if job.integrand.of_full_bands.any():
        full = states.energies[:, :-1] - reach[:, :-1] - wide < occupation.fermi[-1]
        kinds.append((~apart & full, ADAPTIVE.narrow_of_full))
    chosen = []
    for asked, resolved in kinds:
        point, band = np.nonzero((most(rows) > gap) & asked)
        crossing = Crossings.of(gap[point, band], rows[point, band])
        q, there, close = crossing.within(ADAPTIVE.margin / 2)
        q, there = crossing.told(q, there, job.integrand.degeneracy.finest)
        narrow = close & (alias(there, crossing.speeds) > resolved)
        content = np.where(narrow, share(there, crossing.speeds) / np.maximum(there, TINY) ** 2, 0.0)
        c = _first(point // m, content, m // ADAPTIVE.points_per_place)
        chosen.append((point[c], band[c], crossing.speeds[c], q[c]))
    point, band, speeds, q = (np.concatenate(x) for x in zip(*chosen, strict=True))
    at = k[point]
    at[:, job.directions] += q * spacing[point]
    found = states_at(job, at) if len(at) else states.of(0, 0)
    change = np.sqrt(np.sum(rows[point, band] ** 2, axis=1))
    return Places(point, band, speeds, change, found.energies, found.weights)


def peaks(job: CellJob, places: Places, states: States, cells: int) -> tuple[Array, Array]:
    """What lies in the peaks at places between the points of so many cells (tolerance.md eq. 10).

    Returns it for a volume of 1 (cells, levels, asked columns), and how far the gaps of these bands move along each direction
    (cells, d).
    """
    m, point = len(job.rule.nodes), places.point
    missed, moves = np.zeros((cells, job.integrand.levels, job.mix.shape[1])), np.zeros((cells, len(job.directions)))
    if len(point):
        least, height = _differs(job, places, states)
        held = share(least, places.speeds) * alias(least, places.speeds) * np.abs(job.rule.high)[point % m]
        np.add.at(missed, point // m, held[:, None, None] * height)
        np.maximum.at(moves, point // m, places.change)
    return missed, moves


def _first(cell: Ints, content: Array, number: int) -> Ints:
    """So many places of each cell, ascending, those with the largest content (p,) that is not zero."""
    order = np.lexsort((-content, cell))
    first = np.searchsorted(cell[order], cell[order])
    return order[(np.arange(len(order)) - first < number) & (content[order] > 0)]


def _differs(job: CellJob, places: Places, states: States) -> tuple[Array, Array]:
    """The gaps of pairs of bands at places, one for each pair (p,), and what these have there (p, levels, asked columns).

    Of a surface term, which may have a dip there, it is the difference from what the points have; so it is of all that bands
    give, in columns in which pairs of full ones count.
    """
    occupation, kinds, point, band = job.integrand.occupation, job.integrand.kinds, places.point, places.band
    pair = band[:, None] + np.arange(2)
    there, here = (np.take_along_axis(e, pair, axis=1) for e in (places.energies, states.energies[point]))
    known = heights(states.weights[point], band, occupation.factors_of_pairs(here), kinds)
    height = heights(places.weights, band, occupation.factors_of_pairs(there), kinds)
    height -= np.where(job.integrand.surface, known, 0.0)
    missed, full = np.abs(height @ job.mix), job.integrand.of_full_bands
    if full.any():
        all_bands = occupation.filled(places.energies, places.weights[..., full])
        all_bands -= occupation.filled(states.energies[point], states.weights[point][..., full])
        missed = np.maximum(missed, np.abs(all_bands @ job.mix[full]))
    return there[:, 1] - there[:, 0], missed
