"""Bands that nearly cross between the points of cells: the model is evaluated there, as on given meshes.

Occupations may be smooth on the scale of the points while the weights of a pair of bands are peaks as narrow as its gap. Rules
of both degrees step over these. Their height times their width is charged as what the points have not seen, so cells are halved
until their points are as close as the peak is wide, or its share does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...calculators.quantity import SURFACE
from ..avoided_crossings import TINY, Crossings, most
from ..occupation.histogram import Occupation
from .constants import ADAPTIVE
from .states import CellJob, States, states_at

Array = NDArray[np.float64]

#: widths of the occupation beyond which states are full or empty
FAR = 40.0


def crossed(job: CellJob, states: States, k: Array, half: Array) -> tuple[Array, Array]:
    """What lies in peaks between the points of cells, where bands nearly cross (tolerance.md eqs. 8 and 10).

    Returns it for a volume of 1 (cells, levels, asked columns), and how far the gaps of these bands move along each direction
    (cells, d). k : (nk, 3) of the states. half : half widths (cells, d).
    """
    m, (nc, d) = len(job.rule.nodes), half.shape
    spacing = np.repeat(2 * job.rule.reach * half, m, axis=0)
    rows, gap = states.rows * spacing[:, None, None, :], np.diff(states.energies)
    node, band = np.nonzero((most(rows) > gap) & _told_apart(job.integrand.occupation, states, spacing))
    found = Crossings.of(gap[node, band], rows[node, band])
    q, there, close = found.within(ADAPTIVE.margin / 2)
    content = np.where(close & (found.alias(there) > ADAPTIVE.narrow), found.share(there) / np.maximum(there, TINY) ** 2, 0.0)
    order = np.lexsort((-content, node // m))
    first = np.searchsorted(node[order] // m, np.arange(nc))
    rank = np.arange(len(order)) - first[node[order] // m]
    c = order[(rank < m // ADAPTIVE.points_per_place) & (content[order] > 0)]
    node, band, found = node[c], band[c], Crossings(*(x[c] for x in found))
    missed, moves = np.zeros((nc, job.integrand.levels, job.mix.shape[1])), np.zeros((nc, d))
    if len(c):
        places = k[node]
        places[:, job.directions] += q[c] * spacing[node]
        heights, gaps = _heights(job, places, band)
        held = found.share(gaps) * found.alias(gaps) * np.abs(job.rule.high)[node % m]
        np.add.at(missed, node // m, held[:, None, None] * heights)
        np.maximum.at(moves, node // m, np.sqrt(np.sum(rows[node, band] ** 2, axis=1)))
    return missed, moves


def _told_apart(occupation: Occupation, states: States, spacing: Array) -> NDArray[np.bool_]:
    """(nk, n - 1) whether a Fermi level may be so near to two bands, within a step, that they are filled differently."""
    reach = np.sum(np.abs(states.slope) * spacing[:, None, :], axis=2) + FAR * occupation.widths.max()
    fermi, low, high = occupation.fermi, states.energies - reach, states.energies + reach
    return np.asarray(np.searchsorted(fermi, low[:, :-1]) < np.searchsorted(fermi, high[:, 1:], "right"))


def _heights(job: CellJob, k: Array, band: NDArray[np.int64]) -> tuple[Array, Array]:
    """Sizes of what pairs of bands, the lower ones given (p,), give to the asked columns at k (p, 3): (p, levels, columns), and
    their gaps (p,)."""
    at, p = states_at(job, k), np.arange(len(k))
    factors = job.integrand.occupation.factors(at.energies)
    below = np.cumsum(at.weights, axis=1)[p, band]
    given = np.zeros((len(k), job.integrand.levels, at.weights.shape[2]))
    for kind, x in enumerate(factors):
        use = job.integrand.kinds == kind
        low, high = x[p, band][:, :, None], x[p, band + 1][:, :, None]
        if kind == SURFACE:  # what both have, such as the moments of a pair, does not cancel
            given[..., use] = low * at.weights[p, band][:, None, use] + high * at.weights[p, band + 1][:, None, use]
        else:
            given[..., use] = below[:, None, use] * (low - high)
    return np.abs(given @ job.mix), at.energies[p, band + 1] - at.energies[p, band]
