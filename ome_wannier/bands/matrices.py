"""Small operations on stacks of matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import compiled

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]


def adjoint(X: ComplexArray) -> ComplexArray:
    """Conjugate transpose of every matrix of a stack."""
    return np.conj(np.swapaxes(X, -1, -2))


def diagonal(X: ComplexArray) -> Array:
    """Real part of the diagonal (nk, n) of every matrix of a stack."""
    return np.ascontiguousarray(np.einsum("knn->kn", X).real)


def row_trace(X: ComplexArray, Y: ComplexArray) -> Array:
    """Re [X Y]_nn (nk, n) for Hermitian Y: the sum over q of Re X_nq conj(Y_nq)."""
    out: Array = row_traces(X[:, None], Y[:, None])[:, :, 0, 0]
    return out


def row_traces(X: ComplexArray, Y: ComplexArray) -> Array:
    """The same for every X_i of a stack (nk, i, n, n) with every Y_j of a stack (nk, j, n, n): (nk, n, j, i)."""
    out: Array = compiled.row_traces(_whole(X), _whole(Y))
    return out


def _whole(X: ComplexArray) -> ComplexArray:
    """The array in one piece and writable, as compiled code wants it; a copy only if it is not."""
    return np.require(X, np.complex128, ["C", "W"])
