"""Bands that nearly cross between the points of cells: the model is evaluated there, as on given meshes.

Occupations may be smooth on the scale of the points while the weights of a pair of bands are peaks as narrow as its gap. Rules
of both degrees step over these. Their height times their width is charged as what the points have not seen, so cells are halved
until their points are as close as the peak is wide, or its share does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..avoided_crossings import TINY, Crossings, alias, heights, most, share, told_apart
from ..occupation.fermi import REACH
from .constants import ADAPTIVE
from .states import CellJob, States, states_at

Array = NDArray[np.float64]


def crossed(job: CellJob, states: States, k: Array, half: Array) -> tuple[Array, Array]:
    """What lies in peaks between the points of cells, where bands nearly cross (tolerance.md eqs. 8 and 10).

    Returns it for a volume of 1 (cells, levels, asked columns), and how far the gaps of these bands move along each direction
    (cells, d). k : (nk, 3) of the states. half : half widths (cells, d).
    """
    m, (nc, d) = len(job.rule.nodes), half.shape
    spacing = np.repeat(2 * job.rule.reach * half, m, axis=0)
    rows, gap = states.rows * spacing[:, None, None, :], np.diff(states.energies)
    occupation, reach = job.integrand.occupation, np.sum(np.abs(states.slope) * spacing[:, None, :], axis=2)
    wide = REACH * occupation.widths.max()
    apart = told_apart(occupation.fermi, states.energies, reach, wide)
    kinds = [(apart, ADAPTIVE.narrow)]
    if job.integrand.of_full_bands.any():
        full = states.energies[:, :-1] - reach[:, :-1] - wide < occupation.fermi[-1]
        kinds.append((~apart & full, ADAPTIVE.narrow_of_full))
    missed, moves = np.zeros((nc, job.integrand.levels, job.mix.shape[1])), np.zeros((nc, d))
    for asked, resolved in kinds:
        node, band = np.nonzero((most(rows) > gap) & asked)
        found = Crossings.of(gap[node, band], rows[node, band])
        q, there, close = found.within(ADAPTIVE.margin / 2)
        q, there = found.told(q, there, job.integrand.degeneracy.tol)
        narrow = close & (alias(there, found.speeds) > resolved)
        content = np.where(narrow, share(there, found.speeds) / np.maximum(there, TINY) ** 2, 0.0)
        c = _first(node // m, content, m // ADAPTIVE.points_per_place)
        node, band, speeds = node[c], band[c], found.speeds[c]
        if len(c):
            places = k[node]
            places[:, job.directions] += q[c] * spacing[node]
            at = states_at(job, places)
            least, height = _differs(job, at, states, node, band)
            held = share(least, speeds) * alias(least, speeds) * np.abs(job.rule.high)[node % m]
            np.add.at(missed, node // m, held[:, None, None] * height)
            np.maximum.at(moves, node // m, np.sqrt(np.sum(rows[node, band] ** 2, axis=1)))
    return missed, moves


def _first(cell: NDArray[np.int64], content: Array, number: int) -> NDArray[np.int64]:
    """So many places of each cell, ascending, those with the largest content (p,) that is not zero."""
    order = np.lexsort((-content, cell))
    first = np.searchsorted(cell[order], cell[order])
    return order[(np.arange(len(order)) - first < number) & (content[order] > 0)]


def _differs(job: CellJob, at: States, states: States, node: NDArray[np.int64], band: NDArray[np.int64]) -> tuple[Array, Array]:
    """The gaps of pairs of bands at places, one for each pair (p,), and what these have there (p, levels, asked columns).

    Of a surface term, which may have a dip there, it is the difference from what the nodes have; so it is of all that bands
    give, in columns in which pairs of full ones count.
    """
    occupation, kinds = job.integrand.occupation, job.integrand.kinds
    pair = band[:, None] + np.arange(2)
    there, here = (np.take_along_axis(e, pair, axis=1) for e in (at.energies, states.energies[node]))
    known = heights(states.weights[node], band, occupation.factors_of_pairs(here), kinds)
    height = heights(at.weights, band, occupation.factors_of_pairs(there), kinds) - np.where(job.integrand.surface, known, 0.0)
    missed, full = np.abs(height @ job.mix), job.integrand.of_full_bands
    if full.any():
        all_bands = occupation.filled(at.energies, at.weights[..., full])
        all_bands -= occupation.filled(states.energies[node], states.weights[node][..., full])
        missed = np.maximum(missed, np.abs(all_bands @ job.mix[full]))
    return there[:, 1] - there[:, 0], missed
