"""Averages of the matrices of a model over a group of operations that act on its functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .representation import Quantity, Vectors, at_images, conjugated
from .space_group import Motion, Places

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]


def undone(quantity: Quantity, vectors: Vectors, places: Places, m: Motion, D: ComplexArray) -> ComplexArray:
    """g^-1 O g on the vectors, which is O where the operation holds: F^-1 of D^+ O(M R + L_j - L_i) D, its complex conjugate
    where time is reversed. D : (n, n), see `representation.action`."""
    X = at_images(quantity.matrices, vectors, places, m)
    full = X.any(axis=(1, 2, 3))
    turned = np.conj(D.T) @ np.moveaxis(X[full], 3, 1) @ D
    F = quantity.turned(m.rotation, m.operation.time_reversal)
    out = np.zeros_like(X)
    out[full] = np.moveaxis(conjugated(turned, m), 1, 3) @ np.linalg.inv(F).T
    return out


def averaged(
    quantity: Quantity, vectors: Vectors, places: Places, motions: Sequence[Motion], D: ComplexArray
) -> tuple[ComplexArray, Array]:
    """The mean of g^-1 O g over a group, and the largest change (operations,) of an element by each of them."""
    total, changes = np.zeros_like(quantity.matrices), []
    for m, d in zip(motions, D, strict=True):
        found = undone(quantity, vectors, places, m, d)
        changes.append(float(np.abs(found - quantity.matrices).max()))
        total += found
    return total / len(motions), np.array(changes)


def shifted(R: Ints, matrices: Sequence[ComplexArray], cells: Ints) -> tuple[Ints, list[ComplexArray]]:
    """R vectors and matrices (nR, n, n, c) of functions that are counted from cells (n, 3) farther back.

    <0i|O|Rj> is found at R + cells_j - cells_i.
    """
    if not cells.any():
        return R, list(matrices)
    by = cells[None, :] - cells[:, None]
    new = np.unique((R[:, None, None] + by).reshape(-1, 3), axis=0)
    new = np.unique(np.concatenate([new, -new]), axis=0)
    at = Vectors(new).numbers(R[:, None, None] + by)
    i, j = np.indices(by.shape[:2])
    out = []
    for X in matrices:
        Y = np.zeros((len(new), *X.shape[1:]), dtype=complex)
        Y[at, i, j] = X
        out.append(Y)
    return new, out


def needed(R: Ints, matrices: Sequence[ComplexArray]) -> tuple[Ints, list[ComplexArray]]:
    """Without the R, and their opposites, at which all matrices vanish but for rounding; R = 0 stays."""
    full: NDArray[np.bool_] = np.asarray(~R.any(axis=1))
    for X in matrices:
        size = np.abs(X).reshape(len(R), -1).max(axis=1)
        full |= size > 1e-15 * max(float(size.max()), np.finfo(float).tiny)
    opposite = Vectors(R).numbers(-R)
    full |= full[opposite]
    return R[full], [X[full] for X in matrices]
