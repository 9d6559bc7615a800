"""Compiled loops over k that take matrices from the Wannier gauge to the eigenbasis."""

from __future__ import annotations

import numpy as np

from ..common.compiled import product
from ..common.kernels import inner, kernel


@inner("z2 z2")
def _adjoint(X, out):  # type: ignore[no-untyped-def]
    """out = X^+."""
    for i in range(len(X)):
        for j in range(len(X)):
            out[j, i] = np.conj(X[i, j])


@kernel("z3 z4 -> z4 + z2 z2", lambda U, X: (X.shape, X.shape[2:], X.shape[2:]))
def rotate(U, X, out, adjoint, half):  # type: ignore[no-untyped-def]
    """U^+ X U for a stack X (nk, d, n, n) and U (nk, n, n) (physics.md eq. 8)."""
    K, D, _, _ = X.shape
    for k in range(K):
        _adjoint(U[k], adjoint)
        for d in range(D):
            product(X[k, d], U[k], half)
            product(adjoint, half, out[k, d])


@kernel("z3 z4 -> z4 + z2 z2 z2", lambda U, X: (X.shape, *[X.shape[2:]] * 3))
def rotate_pairs(U, X, out, adjoint, two, half):  # type: ignore[no-untyped-def]
    """U^+ X U for a stack X (nk, d, n, n) of Hermitian matrices: two at once, as the Hermitian and the anti-Hermitian part."""
    K, D, N, _ = X.shape
    for k in range(K):
        _adjoint(U[k], adjoint)
        for d in range(0, D, 2):
            last = d + 1 == D
            for i in range(N):
                for j in range(N):
                    two[i, j] = X[k, d, i, j] if last else X[k, d, i, j] + 1j * X[k, d + 1, i, j]
            product(two, U[k], half)
            product(adjoint, half, two)
            for i in range(N):
                for j in range(N):
                    x, y = two[i, j], np.conj(two[j, i])
                    out[k, d, i, j] = (x + y) / 2
                    if not last:
                        out[k, d + 1, i, j] = -0.5j * (x - y)


@kernel(
    "z3 f2 z4 z4 -> z4 f3 + z2 z2 z2 z3",
    lambda U, e, dH, A: (
        A.shape,
        (len(A), A.shape[1] * (A.shape[1] - 1) // 2, A.shape[2]),
        *[A.shape[2:]] * 3,
        A.shape[1:],
    ),
)
def rotate_covariant(U, e, dH, A, out, commuted, adjoint, X, Z, iA):  # type: ignore[no-untyped-def]
    """U^+ (dH_a - i [A_a, H]) U for stacks dH, A (nk, d, n, n) of Hermitian matrices, U (nk, n, n) and e (nk, n) those of H.

    physics.md eqs. 4 and 8. Both are rotated at once, as the Hermitian and the anti-Hermitian part of Z = U^+ (dH + i A) U. The
    second answer is what the rotated A give besides: the diagonals (nk, pairs, n) of -i [A_a, A_b] = 2 Im sum_q A_a,nq
    conj(A_b,nq), a < b.
    """
    K, D, N, _ = dH.shape
    for k in range(K):
        _adjoint(U[k], adjoint)
        for d in range(D):
            for i in range(N):
                for j in range(N):
                    X[i, j] = dH[k, d, i, j] + 1j * A[k, d, i, j]
            product(X, U[k], Z)
            product(adjoint, Z, X)
            for i in range(N):
                for j in range(N):
                    x, y = X[i, j], np.conj(X[j, i])
                    iA[d, i, j] = (x - y) / 2
                    out[k, d, i, j] = (x + y) / 2 - (e[k, j] - e[k, i]) * iA[d, i, j]
        pair = 0
        for a in range(D):
            for b in range(a + 1, D):
                for n in range(N):
                    total = 0.0
                    for q in range(N):
                        x, y = iA[a, n, q], iA[b, n, q]
                        total += x.imag * y.real - x.real * y.imag
                    commuted[k, pair, n] = 2 * total
                pair += 1


@kernel("z3 z4 -> F3 + z2 z2", lambda U, X: (X.shape[:3], X.shape[2:], X.shape[2:]))
def diagonals(U, X, out, two, half):  # type: ignore[no-untyped-def]
    """Diagonals (nk, d, n) of U^+ X U for a stack X (nk, d, n, n) of Hermitian matrices and U (nk, n, n).

    They are real, so that two at once are those of U^+ (X_d + i X_d+1) U.
    """
    K, D, N, _ = X.shape
    for k in range(K):
        for d in range(0, D, 2):
            for i in range(N):
                for j in range(N):
                    two[i, j] = X[k, d, i, j] + 1j * X[k, d + 1, i, j] if d + 1 < D else X[k, d, i, j]
            product(two, U[k], half)
            for i in range(N):
                for n in range(N):
                    found = np.conj(U[k, i, n]) * half[i, n]
                    out[k, d, n] += found.real
                    if d + 1 < D:
                        out[k, d + 1, n] += found.imag
