"""How pairs of full bands scatter the sum over a mesh, in quantities to which they contribute.

In most quantities what two full bands give by each other cancels. In the parts of the split it does not: near crossings they
have steps, or peaks of both signs which are higher the nearer a point is. A mesh meets these at random, and a few large
sub-meshes may agree by chance: of what points near crossings scatter, two standard deviations are an error (tolerance.md
eq. 12). What changes slowly along a row of points is no scatter; differences of fourth order leave it out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from ..avoided_crossings import alias
from ..occupation.histogram import Occupation
from .compiled import scatter
from .constants import MESH
from .crossings import Pairs
from .unseen import Unseen, levels_of

Array = NDArray[np.float64]


def with_scatter(
    found: Unseen,
    occupation: Occupation,
    near: Pairs,
    states: tuple[Array, Array],
    star: NDArray[np.uint8],
    full: NDArray[np.bool_],
) -> Unseen:
    """With the scatter of these columns (`Integrand.of_full_bands`).

    near : pairs of the points, full ones too. states : energies (nk, n) of the points, and weights (nk, n, columns), times how
    many points each stands for. star : (rows, length) these numbers, of rows of the mesh; 0 for what is no point.
    """
    if not (full.any() and len(near.point)):
        return found
    lost = np.zeros(len(states[0]))
    np.maximum.at(lost, near.point, alias(near.least, near.speeds))
    order = min(MESH.scatter_order, star.shape[1] - 1)
    differences = comb(order, np.arange(order + 1)) * (-1.0) ** np.arange(order + 1) / np.sqrt(comb(2 * order, order))
    scatter(*states, lost, star, np.flatnonzero(full), differences, levels_of(occupation), (found.size, found.variance))
    return found
