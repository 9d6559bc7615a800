"""Compiled loops over bands: small contractions that numpy can only do in several passes over memory."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def scatter(histogram, rows, coefficients, weights):  # type: ignore[no-untyped-def]
    """Add coefficients[s, p] * weights[s, :] to histogram[rows[s, p], :] for every state s, one after the other."""
    for s in range(weights.shape[0]):
        for p in range(rows.shape[1]):
            c = coefficients[s, p]
            if c != 0.0:
                for q in range(weights.shape[1]):
                    histogram[rows[s, p], q] += c * weights[s, q]


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def row_trace(X, Y):  # type: ignore[no-untyped-def]
    """Re sum_q X[k, n, q] conj(Y[k, n, q]): (nk, n)."""
    K, N, Q = X.shape
    out = np.empty((K, N))
    for k in range(K):
        for n in range(N):
            total = 0.0
            for q in range(Q):
                total += X[k, n, q].real * Y[k, n, q].real + X[k, n, q].imag * Y[k, n, q].imag
            out[k, n] = total
    return out


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def level_weights(X, Y, below, above):  # type: ignore[no-untyped-def]
    """sum_{q>n} w[n, q] - sum_{o<n} w[o, n] with w = Re X conj(Y) above the diagonal: (nk, n).

    Pairs with both bands among the lowest below[k], or both above the lowest above[k], are left out.
    """
    K, N, _ = X.shape
    out = np.zeros((K, N))
    for k in range(K):
        for o in range(above[k]):
            total = 0.0
            for q in range(max(o + 1, below[k]), N):
                w = X[k, o, q].real * Y[k, o, q].real + X[k, o, q].imag * Y[k, o, q].imag
                total += w
                out[k, q] -= w
            out[k, o] += total
    return out
