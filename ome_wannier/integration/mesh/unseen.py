"""What the points of a mesh may miss: Fermi surfaces that pass between them.

Extrapolated linearly to the neighbouring points, the level of a state moves by up to d, the sum over the directions of the
mesh of |slope| times the spacing. If it could reach the Fermi level on the way, a Fermi surface may pass nearby; a band that is
convex (or concave) from a point to an extremum of its own cannot get farther. Such a state counts as if it were spread evenly
over 2d: with weight / (2 d) for -df/de, for f with the share of 2d below the level in place of 0 or 1, and for the integral
g of f with the mean depth below the level. Bands closer than
d / 10 count as what they add up to: large terms of pairs of bands cancel there. This is charged times the relative error of a
sum of -df/de over a row of points, between which the level moves by s, the largest of the summands of d: 2 x / sinh x,
x = 2 pi^2 k_B T / s, from the first term of Poisson's summation formula, or 1 if that is less (tolerance.md eq. 7).

All of that may be missing, as a pocket that no point sees is. Where many points are near the level, they sample the Fermi
surface at random, and what is uncertain is the scatter of the sum. The error is the smaller of the two.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kpoints.mesh import KMesh
from ..occupation.histogram import Occupation
from .compiled import unseen
from .constants import MESH

Array = NDArray[np.float64]


class Unseen(NamedTuple):
    """Sums over k points, and the largest s in units of the width.

    size, variance : (levels, nT, columns), of what may be missing at each, and of the squares of its scatter.
    coarsest : s / width.
    """

    size: Array
    variance: Array
    coarsest: float

    @classmethod
    def none(cls, occupation: Occupation, columns: int) -> Unseen:
        """Of no points."""
        shape = (len(levels_of(occupation)[0]), len(occupation.temperature), columns)
        return cls(np.zeros(shape), np.zeros(shape), 0.0)

    def plus(self, other: Unseen) -> Unseen:
        """Of the points of both."""
        return Unseen(self.size + other.size, self.variance + other.variance, max(self.coarsest, other.coarsest))

    def error(self, occupation: Occupation) -> Array:
        """(nf, nT, columns) of the sums over the points."""
        error = np.minimum(self.size, MESH.deviations * np.sqrt(self.variance))
        return between(error, some(len(occupation.fermi), MESH.summed_levels), np.arange(len(occupation.fermi)))


@functools.cache
def some(number: int, most: int) -> NDArray[np.int64]:
    """So many of these numbers at the most, ascending, the first and the last among them."""
    found = np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(np.int64))
    found.flags.writeable = False
    return found


def between(values: Array, known: NDArray[np.int64], wanted: NDArray[np.int64]) -> Array:
    """Of levels `wanted` the larger of the values (known, ...) at the two of `known` next to each."""
    below, above = np.searchsorted(known, wanted, "right") - 1, np.searchsorted(known, wanted)
    return np.asarray(np.maximum(values[below], values[above]))


def spacing(mesh: KMesh, lattice: Array, axes: Sequence[int]) -> Array:
    """(axes, directions) in 1/Angstrom: vectors to the next points of the mesh."""
    vectors = 2 * np.pi * np.linalg.inv(lattice)[list(axes)] / mesh.size
    return np.asarray(vectors[:, [n > 1 for n in mesh.size]])


def with_surfaces(
    found: Unseen, occupation: Occupation, energies: Array, moves: Array, weights: Array, kinds: NDArray[np.int64]
) -> Unseen:
    """With more points, one after the other: energies (nk, n), how much they move along each direction (nk, n, directions), and
    weights (nk, n, columns), occupied as `kinds` say (`OCCUPATIONS`)."""
    levels = levels_of(occupation)
    coarsest, _, _ = unseen(energies, moves, weights, kinds, levels, MESH.resolved, (found.size, found.variance))
    return found._replace(coarsest=max(found.coarsest, float(coarsest[0])))


def levels_of(occupation: Occupation) -> tuple[Array, Array]:
    """Fermi levels at which sums are made, and the width of the occupation at each temperature, in eV."""
    widths = np.maximum(occupation.widths.reshape(len(occupation.fermi), -1).min(axis=0), MESH.step)
    return occupation.fermi[some(len(occupation.fermi), MESH.summed_levels)], widths
