"""Home cells of orbitals: whether R along a direction is real coupling between cells, or only a choice of cells.

The element <0i|X|Rj> is <0i|X|(R + h_i - h_j)j> for orbitals i that are each moved by h_i cells. A layer whose orbitals lie at
both ends of its cell has R of -1, 0 and 1 across the layer; where R of every element is a difference h_j - h_i of integers of
its two orbitals, moving the orbitals by h removes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def connected(matrices: Sequence[ComplexArray | None]) -> Booleans:
    """(nR, n, n): which elements any of the matrices (nR, n, n, ...) has; it may be of R or of its partner."""
    given = [X for X in matrices if X is not None]
    found = np.zeros(given[0].shape[:3], dtype=bool)
    for X in given:
        found |= X.any(axis=tuple(range(3, X.ndim))) if X.ndim > 3 else X != 0
    return found


def homes(R: Ints, elements: Booleans, reduced: Array, direction: int) -> Ints | None:
    """Cells (n,) along one direction by which to move the orbitals so that no element has R along it; None if there are none.

    Parameters
    ----------
    R : (nR, 3). elements : (nR, n, n), see `connected`. reduced : (n, 3) centres in units of the lattice vectors; orbitals that
        nothing joins are put where their centres lie together.
    """
    values, index = np.unique(R[:, direction], return_inverse=True)
    present = np.stack([elements[index.reshape(-1) == v].any(axis=0) for v in range(len(values))])
    if (present.sum(axis=0) > 1).any():
        return None
    v, i, j = np.nonzero(present)
    return homes_of_pairs(np.stack([i, j], axis=1), values[v], reduced[:, direction])


def homes_of_pairs(pairs: Ints, steps: Ints, along: Array) -> Ints | None:
    """Integers h (n,) with h_j - h_i equal to the step of every pair i, j; None if there are none.

    Parameters
    ----------
    pairs : (m, 2) orbitals i, j. steps : (m,) integers. along : (n,) centres, in cells, before they are moved.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(along)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, block = connected_components(graph, directed=False)
    i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
    step = np.concatenate([steps, -steps])
    found, known = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    known[np.unique(block, return_index=True)[1]] = True  # one orbital of each block stays, the others follow from it
    while (new := known[i] & ~known[j]).any():
        found[j[new]] = found[i[new]] + step[new]
        known[j[new]] = True
    if (found[j] - found[i] != step).any():
        return None
    return _together(found, block, along)


def strongest_homes(R: Ints, hamiltonian: ComplexArray, reduced: Array, direction: int) -> Ints:
    """Cells (n,) along one direction by which to move the orbitals so that the strongest couplings have no R along it.

    Those of a spanning tree: of the couplings that close a loop around the cell, the weakest keep theirs. Where `homes` finds
    cells, these are among them.

    Parameters
    ----------
    R : (nR, 3). hamiltonian : (nR, n, n). reduced : (n, 3), as for `homes`.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree

    values = np.array(sorted(set(R[:, direction].tolist()), key=abs))
    size = np.stack([(np.abs(hamiltonian[R[:, direction] == v]) ** 2).sum(axis=0) for v in values])
    best, strength = values[size.argmax(axis=0)], size.max(axis=0)
    i, j = np.nonzero(np.triu(strength, 1))
    n = len(reduced)
    costs = coo_matrix((strength.max() / strength[i, j], (i, j)), shape=(n, n))
    pairs = np.sort(np.stack(minimum_spanning_tree(costs).nonzero(), axis=1), axis=1)
    found = homes_of_pairs(pairs, best[pairs[:, 0], pairs[:, 1]], reduced[:, direction])
    assert found is not None  # a tree has no loops
    return found


def relabelled(
    R: Ints, matrices: Sequence[ComplexArray | None], moved: Ints, away: Booleans
) -> tuple[Ints, list[ComplexArray | None]]:
    """R vectors and matrices (nR, n, n, ...) of orbitals moved by `moved` (n, 3) cells; positions are still the old ones.

    Along the directions `away` (3,) every R becomes 0: elements that still have one are added there, which is exact where k is
    zero along them.
    """
    kept = np.where(away, 0, 1)
    difference = (moved[:, None] - moved[None, :]).reshape(-1, 3)
    steps, of = np.unique(difference, axis=0, return_inverse=True)
    elements = connected(matrices).reshape(len(R), -1)
    of = of.reshape(-1)
    used = [(s, np.flatnonzero(elements[:, of == s].any(axis=1))) for s in range(len(steps))]
    targets = np.concatenate([(R[rows] + steps[s]) * kept for s, rows in used] + [np.zeros((1, 3), dtype=np.int64)])
    new = np.unique(np.concatenate([targets, -targets]), axis=0)
    place = {tuple(r): t for t, r in enumerate(new.tolist())}
    n = len(moved)
    out: list[ComplexArray | None] = [
        None if X is None else np.zeros((len(new), *X.shape[1:]), dtype=complex) for X in matrices
    ]
    for s, rows in used:
        to = [place[tuple(r)] for r in ((R[rows] + steps[s]) * kept).tolist()]
        i, j = np.divmod(np.flatnonzero(of == s), n)
        for X, Y in zip(matrices, out, strict=True):
            if X is not None and Y is not None:
                np.add.at(Y, (np.array(to, dtype=np.int64)[:, None], i, j), X[rows[:, None], i, j])
    return new, out


def _together(cells: Ints, block: Ints, along: Array) -> Ints:
    """The cells with one integer added to each block: most orbitals of the largest stay, the others come next to it."""
    out = cells.copy()
    centre, weight = 0.0, 0
    for b in np.argsort(-np.bincount(block), kind="stable"):
        mine = block == b
        if weight == 0:
            out[mine] -= _most_common(out[mine])
        else:
            out[mine] += int(np.round(centre - (along + out)[mine].mean()))
        size = int(mine.sum())
        centre = (centre * weight + float((along + out)[mine].sum())) / (weight + size)
        weight += size
    return out


def _most_common(cells: Ints) -> int:
    values, counts = np.unique(cells, return_counts=True)
    return int(values[np.argmax(counts)])
