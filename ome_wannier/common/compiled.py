"""Products of small matrices, for kernels."""

from __future__ import annotations

from typing import Any

from .kernels import inner

#: matrices up to this size are multiplied in loops, below what a call of BLAS costs
SMALL = 6


@inner("z2 z2 z2")
def product(X, Y, out):  # type: ignore[no-untyped-def]
    """out = X @ Y."""
    N, M = out.shape
    S = len(Y)
    if M > SMALL:
        zgemm(X, Y, out)
        return
    for i in range(N):
        for j in range(M):
            total = 0j
            for s in range(S):
                total += X[i, s] * Y[s, j]
            out[i, j] = total


@inner("i0 i0 i0 z2 i0 i0 z2 i0 i0 z2 i0")
def block_product(n, s, m, X, i, p, Y, q, j, out, to):  # type: ignore[no-untyped-def]
    """out[:n, to : to + m] = X[i : i + n, p : p + s] @ Y[q : q + s, j : j + m]."""
    left, right, found = block(X, i, p, n, s), block(Y, q, j, s, m), block(out, 0, to, n, m)
    if m > SMALL:
        zgemm(left, right, found)
        return
    for a in range(n):
        for b in range(m):
            total = 0j
            for c in range(s):
                total += left[a, c] * right[c, b]
            found[a, b] = total


def zgemm(X: Any, Y: Any, out: Any) -> None:
    """out = X @ Y of matrices with rows in one piece: of BLAS, see `jit`."""
    raise NotImplementedError


def block(X: Any, i: int, j: int, n: int, m: int) -> Any:
    """X[i : i + n, j : j + m] without what Python does to numbers below zero or beyond the end: see `jit`."""
    raise NotImplementedError


def as_real(X: Any) -> Any:
    """A complex array seen as twice as many real numbers: see `jit`."""
    raise NotImplementedError


@inner("f3 i0 i0 f3 i0 i0 i0 i0")
def row_product(a, i, p, b, j, r, start, stop):  # type: ignore[no-untyped-def]
    """Re sum_q x[q] conj(y[q]), q from start to stop, of the rows x = a[i, p], y = b[j, r] of complex numbers seen as real."""
    total = 0.0
    for q in range(2 * start, 2 * stop):
        total += a[i, p, q] * b[j, r, q]
    return total
