"""Compiled loops over k points for the matrices of models."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.compiled import product
from ..common.kernels import inner, kernel


def _bands(upper: Any) -> int:
    """n of n (n + 1) / 2 elements."""
    return int(np.sqrt(2 * upper.shape[1]))


@kernel("z2 -> z3", lambda upper: ((len(upper), _bands(upper), _bands(upper)),))
def hermitian(upper, out):  # type: ignore[no-untyped-def]
    """Hermitian matrices (m, n, n) of their upper triangles (m, n (n + 1) / 2), row after row."""
    M, N, _ = out.shape
    for m in range(M):
        at = 0
        for i in range(N):
            out[m, i, i] = upper[m, at].real
            at += 1
            for j in range(i + 1, N):
                x = upper[m, at]
                out[m, i, j], out[m, j, i] = x, np.conj(x)
                at += 1


@kernel(
    "z2 z3 f2 -> z3 z4",
    lambda upper, dupper, centres: (
        (len(upper), len(centres), len(centres)),
        (*dupper.shape[:2], len(centres), len(centres)),
    ),
)
def at_centres(upper, dupper, centres, X, DX):  # type: ignore[no-untyped-def]
    """Hermitian matrices X (m, n, n) and d_a X - i [t_a, X] (m, d, n, n), t the diagonal matrix of the centres (n, d).

    Of the upper triangles (m, n (n + 1) / 2) of X and (m, d, n (n + 1) / 2) of d_a X, row after row. physics.md eq. 7.
    """
    M, D, N, _ = DX.shape
    for m in range(M):
        at = 0
        for i in range(N):
            X[m, i, i] = upper[m, at].real
            for a in range(D):
                DX[m, a, i, i] = dupper[m, a, at].real
            at += 1
            for j in range(i + 1, N):
                x = upper[m, at]
                X[m, i, j], X[m, j, i] = x, np.conj(x)
                for a in range(D):
                    t = centres[i, a] - centres[j, a]
                    y = dupper[m, a, at]
                    z = complex(y.real + t * x.imag, y.imag - t * x.real)
                    DX[m, a, i, j], DX[m, a, j, i] = z, np.conj(z)
                at += 1


@kernel("z4 z4 z3 -> z4 + z2", lambda dX, A, X: (A.shape, A.shape[2:]))
def covariant(dX, A, X, out, P):  # type: ignore[no-untyped-def]
    """dX_a - i [A_a, X] (physics.md eq. 4): (nk, d, n, n) for Hermitian A_a (of a stack) and X (nk, n, n)."""
    K, D, _, _ = A.shape
    for k in range(K):
        for a in range(D):
            product(A[k, a], X[k], P)
            _minus_commutator(dX[k, a], P, out[k, a])


@kernel("z4 z4 -> Z5 + z2", lambda curl, A: ((*A.shape[:2], *A.shape[1:]), A.shape[2:]))
def basis_curvatures(curl, A, out, P):  # type: ignore[no-untyped-def]
    """F_ab = curl_ab - i [A_a, A_b]: (nk, d, d, n, n) of the Hermitian curls (nk, pairs, n, n) of all a < b.

    physics.md eq. 6.
    """
    K, D, N, _ = A.shape
    for k in range(K):
        pair = 0
        for a in range(D):
            for b in range(a + 1, D):
                product(A[k, a], A[k, b], P)
                _minus_commutator(curl[k, pair], P, out[k, a, b])
                for m in range(N):
                    for n in range(N):
                        out[k, b, a, m, n] = -out[k, a, b, m, n]
                pair += 1


@kernel("z5 z5 z4 z3 z4 z4 -> z5 + z3", lambda ddX, dA, A, *_: (dA.shape, (3, *A.shape[2:])))
def covariant_second(ddX, dA, A, X, dX, DX, out, P):  # type: ignore[no-untyped-def]
    """D_b D_a X = d_b d_a X - i [d_b A_a, X] - i [A_a, d_b X] - i [A_b, D_a X] (physics.md eq. 5): (nk, b, a, n, n)."""
    K, D, N, _ = A.shape
    for k in range(K):
        for b in range(D):
            for a in range(D):
                product(dA[k, b, a], X[k], P[0])
                product(A[k, a], dX[k, b], P[1])
                product(A[k, b], DX[k, a], P[2])
                for m in range(N):
                    for n in range(N):
                        P[0, m, n] += P[1, m, n] + P[2, m, n]
                _minus_commutator(ddX[k, b, a], P[0], out[k, b, a])


@inner("z2 z2 z2")
def _minus_commutator(dX, P, out):  # type: ignore[no-untyped-def]
    """dX - i (P - P^+), where P - P^+ is the commutator of the Hermitian factors of P."""
    for m in range(len(dX)):
        for n in range(len(dX)):
            out[m, n] = dX[m, n] - 1j * (P[m, n] - np.conj(P[n, m]))
