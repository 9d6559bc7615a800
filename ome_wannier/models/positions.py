"""Covariant derivatives of the Hamiltonian from sums over R vectors and the position inside the basis (physics.md eqs. 4 to 7).

Sums are those of upper triangles (..., n (n + 1) / 2), row after row: all of them are Hermitian.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Matrices
from .compiled import at_centres, covariant, covariant_second, hermitian
from .fourier import SeriesSums

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def whole(upper: SeriesSums) -> SeriesSums:
    """Hermitian matrices (..., n, n) of their upper triangles."""
    return SeriesSums(*(_hermitian(x) for x in upper if x is not None))


def with_diagonal_position(upper: SeriesSums, centres: Array) -> Matrices:
    """D_a X = d_a X - i [t_a, X] with t the diagonal matrix of the centres (n, d): elementwise d_a - i (t_i - t_j)_a.

    upper : of the Hamiltonian, with its first derivatives at least. physics.md eq. 7.
    """
    H, dH = upper.value, upper.first
    X, V = at_centres(H.reshape(-1, H.shape[-1]), dH.reshape(-1, *dH.shape[-2:]), centres)
    A = np.broadcast_to(np.asarray(centres.T[:, :, None] * np.eye(len(centres)), dtype=complex), V.shape)
    if upper.second is None:
        return Matrices(X, V, A=A)
    i, j = np.triu_indices(len(centres))
    t = (centres[i] - centres[j]).T
    both = t[:, None] * dH[:, None] + t[None, :] * dH[:, :, None]
    W = upper.second - 1j * both - t[:, None] * t[None, :] * H[:, None, None]
    return Matrices(X, V, _hermitian(W), A=A)


def with_position(h: SeriesSums, A: ComplexArray, dA: ComplexArray | None, curl: ComplexArray | None) -> Matrices:
    """With the full position matrix A (physics.md eqs. 4 to 6); h : `whole` of the Hamiltonian. dA : [b, a] = d_b A_a."""
    W = None if h.second is None else covariant_second(h.second, dA, A, h.value, h.first, covariant(h.first, A, h.value))
    return Matrices(h.value, None, W, curl, A, slope=h.first)


def _hermitian(upper: ComplexArray) -> ComplexArray:
    found = hermitian(upper.reshape(-1, upper.shape[-1]))
    return np.asarray(found.reshape(*upper.shape[:-1], *found.shape[1:]))
