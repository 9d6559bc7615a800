"""How pairs of full bands scatter the sum over a mesh, in quantities to which they contribute.

In most quantities what two full bands give by each other cancels. In the parts of the split it does not: near crossings they
have steps, or peaks of both signs which are higher the nearer a point is. A mesh meets these at random, and a few large
sub-meshes may agree by chance. The sums over planes (rows) of points, one after the other along each direction of the mesh and
along its diagonals, scatter likewise, even where crossings lie in them: two standard deviations are an error (tolerance.md
eq. 12). What changes slowly from plane to plane is no scatter: differences of fourth order leave it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import comb

from ..avoided_crossings import alias
from ..kpoints.mesh import KMesh
from ..occupation.histogram import Occupation
from .constants import MESH
from .crossings import Pairs
from .unseen import Unseen, between, some

Array = NDArray[np.float64]


class Planes(NamedTuple):
    """Planes of points, those of each of `directions` one after the other: what all full bands give in each (planes, levels,
    temperatures, columns), the largest share of a peak that a point leaves unknown, and how many points there are (planes,)."""

    sums: Array
    share: Array
    number: Array

    @classmethod
    def none(cls, occupation: Occupation, columns: int, size: Sequence[int]) -> Planes:
        """Of no points of a mesh of this size; none at all for no columns."""
        planes = int(directions(size)[1].sum()) if columns else 0
        shape = (planes, len(few(occupation)), len(occupation.temperature), columns)
        return cls(np.zeros(shape), np.zeros(planes), np.zeros(planes))

    def plus(self, other: Planes) -> Planes:
        """Of the points of both."""
        return Planes(self.sums + other.sums, np.maximum(self.share, other.share), self.number + other.number)

    def scatter(self, size: Sequence[int]) -> Array:
        """(2, levels, temperatures, columns) the sum of the scatter and of its square, along the direction with the largest."""
        ends = np.cumsum(directions(size)[1])[:-1].tolist()
        found = [np.zeros((2, *self.sums.shape[1:]))]
        for planes in zip(*(np.split(x, ends) for x in self), strict=True):
            found.append(_of_one_direction(*planes))
        return np.asarray(np.max(found, axis=0))


def directions(size: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of a mesh of this size: steps (d, 3) and numbers (d,), so that a point is in the planes (steps @ index) % numbers.

    Along each axis, and along diagonals of two axes of which one has as many points as the other or a multiple: elsewhere the
    planes normal to them are so close that they resolve what lies in them. Of square meshes in two dimensions 1 : 2 count as
    diagonals, which are the second kind of mirror lines of hexagonal lattices.
    """
    axes = [i for i, n in enumerate(size) if n > 1]
    steps, numbers = [np.eye(3, dtype=np.int64)[i] for i in axes], [size[i] for i in axes]
    slopes = [(1, 1), (1, -1)]
    if len(axes) == 2 and numbers[0] == numbers[1]:
        slopes += [(1, 2), (2, 1), (1, -2), (2, -1)]
    for i, j in combinations(axes, 2):
        most = max(size[i], size[j])
        if most % min(size[i], size[j]) == 0:
            for slope in slopes:
                step = np.zeros(3, dtype=np.int64)
                step[[i, j]] = slope[0] * most // size[i], slope[1] * most // size[j]
                steps.append(step)
                numbers.append(most)
    return np.array(steps, dtype=np.int64).reshape(-1, 3), np.array(numbers, dtype=np.int64)


def few(occupation: Occupation) -> NDArray[np.int64]:
    """Numbers of the Fermi levels at which the scatter is taken."""
    return some(len(occupation.fermi), MESH.scatter_levels)


def with_rows(
    found: Planes,
    occupation: Occupation,
    near: Pairs,
    states: tuple[Array, Array],
    rows: tuple[Array, NDArray[np.bool_]],
    mesh: KMesh,
) -> Planes:
    """With more rows of points of a mesh.

    near : pairs of the points, full ones too. states : energies (nk, n), and weights (nk, n, columns) of the columns that
    count, times how many points each stands for. rows : k (rows, length, 3), and which of them are points.
    """
    (energies, weights), (k, there), (sums, share, number) = states, rows, found
    lost, levels = np.zeros(len(energies)), replace(occupation, fermi=occupation.fermi[few(occupation)])
    np.maximum.at(lost, near.point, alias(near.least, near.speeds))
    index, ends = mesh.index(k[there]), np.cumsum(there.sum(axis=1))[:-1]
    steps, numbers = directions(mesh.size)
    first = np.cumsum(numbers) - numbers
    for i, e, w, m in zip(*(np.split(x, ends) for x in (index, energies, weights, lost)), strict=True):
        if not len(m):
            continue
        planes = first + i @ steps.T % numbers  # (points, directions)
        ends_of = len(first) * np.arange(len(m) + 1)
        of = csr_matrix((np.ones(planes.size), planes.ravel(), ends_of), (len(m), len(sums)))
        sums += (of.T @ levels.filled(e, w).reshape(len(m), -1)).reshape(sums.shape)
        np.maximum.at(share, planes, m[:, None])
        number += np.bincount(planes.ravel(), minlength=len(number))
    return found


def with_scatter(
    found: Unseen, occupation: Occupation, planes: Planes, size: Sequence[int], columns: NDArray[np.bool_]
) -> Unseen:
    """What points miss, with the scatter of these columns; levels between have the larger of the two next to them."""
    summed, size_and_variance = some(len(occupation.fermi), MESH.summed_levels), (found.size.copy(), found.variance.copy())
    for total, more in zip(size_and_variance, planes.scatter(size), strict=True):
        total[..., columns] += between(more, few(occupation), summed)
    return Unseen(*size_and_variance, found.coarsest)


def _of_one_direction(sums: Array, share: Array, number: Array) -> Array:
    """The same of the planes along one direction, the last of which is beside the first."""
    order = MESH.scatter_order
    if len(sums) <= order:
        return np.zeros((2, *sums.shape[1:]))
    signs = comb(order, np.arange(order + 1)) * (-1.0) ** np.arange(order + 1) / np.sqrt(comb(2 * order, order))
    difference = sum((c * np.roll(sums, -i, axis=0) for i, c in enumerate(signs)), np.zeros_like(sums))
    known = np.min([np.roll(number, -i) for i in range(order + 1)], axis=0) > 0
    lost = known * np.max([np.roll(share, -i) for i in range(order + 1)], axis=0)
    each = np.abs(difference) * lost[:, None, None, None]
    times = float(np.count_nonzero(number)) / max(int(np.count_nonzero(known)), 1)  # symmetry leaves planes without neighbours
    return np.asarray(times * np.stack([each.sum(axis=0), np.sum(each**2, axis=0)]))
