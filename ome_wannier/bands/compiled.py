"""Compiled loops over k points and bands: what numpy can only do in several passes over memory.

Matrix products go to BLAS one k point at a time, so that the matrices of a point stay in the cache. Sums over pairs of bands
are scalar products of rows, Re sum_q X_pq conj(Y_pq), of complex rows taken as twice as many real numbers.

k points are independent of each other: nothing here depends on which of them are computed together.
"""

from __future__ import annotations

import numpy as np

from ..common.compiled import jit, product


@jit
def groups(energies, tol):  # type: ignore[no-untyped-def]
    """First band and end (one beyond the last) of the degenerate group of every band: two arrays (nk, n)."""
    K, N = energies.shape
    first, end = np.empty((K, N), dtype=np.int64), np.empty((K, N), dtype=np.int64)
    for k in range(K):
        start = 0
        for n in range(N):
            if n + 1 == N or energies[k, n + 1] - energies[k, n] > tol:
                first[k, start : n + 1] = start
                end[k, start : n + 1] = n + 1
                start = n + 1
    return first, end


@jit
def group_mean(a, first, end):  # type: ignore[no-untyped-def]
    """Means of a (nk, n, c) over the group of every band."""
    K, N, C = a.shape
    out = np.empty((K, N, C))
    for k in range(K):
        for n in range(N):
            for c in range(C):
                if n > first[k, n]:
                    out[k, n, c] = out[k, n - 1, c]
                else:
                    total = 0.0
                    for p in range(n, end[k, n]):
                        total += a[k, p, c]
                    out[k, n, c] = total / (end[k, n] - n)
    return out


@jit
def multiply(X, a, Y, b):  # type: ignore[no-untyped-def]
    """X_a @ Y_b of two stacks (nk, d, n, n): (nk, n, n)."""
    K, _, N, _ = X.shape
    out = np.empty((K, N, N), dtype=np.complex128)
    for k in range(K):
        product(X[k, a], Y[k, b], out[k])
    return out


@jit
def with_group_velocity(v, b, X, sign, first, end):  # type: ignore[no-untyped-def]
    """vbar_b X + sign X vbar_b (nk, n, n), vbar_b the part of v_b (of a stack) inside degenerate groups."""
    K, N, _ = X.shape
    out = np.empty((K, N, N), dtype=np.complex128)
    for k in range(K):
        for m in range(N):
            for n in range(N):
                left = right = 0j
                for p in range(first[k, m], end[k, m]):
                    left += v[k, b, m, p] * X[k, p, n]
                for p in range(first[k, n], end[k, n]):
                    right += X[k, m, p] * v[k, b, p, n]
                out[k, m, n] = left + sign * right
    return out


@jit
def velocity_weighted_dipoles(v, R, first, end, pairs):  # type: ignore[no-untyped-def]
    """1/2 ({vbar_m, R_n} - {vbar_n, R_m}) for pairs (m, n): (nk, pairs, n, n), Hermitian."""
    K, _, N, _ = v.shape
    out = np.empty((K, len(pairs), N, N), dtype=np.complex128)
    for k in range(K):
        for i in range(len(pairs)):
            m, n = pairs[i]
            for p in range(N):
                for q in range(p, N):
                    total = 0j
                    for s in range(first[k, p], end[k, p]):
                        total += v[k, m, p, s] * R[k, n, s, q] - v[k, n, p, s] * R[k, m, s, q]
                    for s in range(first[k, q], end[k, q]):
                        total += R[k, n, p, s] * v[k, m, s, q] - R[k, m, p, s] * v[k, n, s, q]
                    out[k, i, p, q], out[k, i, q, p] = total / 2, np.conj(total) / 2
    return out


@jit
def anticommutators(e, R, C, pairs):  # type: ignore[no-untyped-def]
    """1/2 ({v_m, R_n} - {v_n, R_m}) of v = i [e, R], for pairs (m, n): (nk, pairs, n, n), Hermitian.

    With C = i [R_m, R_n] it is (e_p + e_q)/2 C - i (R_m e R_n - R_n e R_m), whatever the zero of energy.
    """
    K, _, N, _ = R.shape
    out = np.empty((K, len(pairs), N, N), dtype=np.complex128)
    X, P = np.empty((N, N), dtype=np.complex128), np.empty((N, N), dtype=np.complex128)
    for k in range(K):
        level = e[k] - e[k].mean()
        for i in range(len(pairs)):
            m, n = pairs[i]
            for p in range(N):
                for q in range(N):
                    X[p, q] = R[k, m, p, q] * level[q]
            product(X, R[k, n], P)
            for p in range(N):
                for q in range(p, N):
                    x = (level[p] + level[q]) / 2 * C[k, i, p, q] - 1j * (P[p, q] - np.conj(P[q, p]))
                    out[k, i, p, q], out[k, i, q, p] = x, np.conj(x)
    return out


@jit
def commutators(R, pairs):  # type: ignore[no-untyped-def]
    """i [R_m, R_n] for pairs (m, n): (nk, pairs, n, n), Hermitian."""
    K, _, N, _ = R.shape
    out, P = np.empty((K, len(pairs), N, N), dtype=np.complex128), np.empty((N, N), dtype=np.complex128)
    for k in range(K):
        for i in range(len(pairs)):
            m, n = pairs[i]
            product(R[k, m], R[k, n], P)
            for p in range(N):
                for q in range(p, N):
                    x = 1j * (P[p, q] - np.conj(P[q, p]))
                    out[k, i, p, q], out[k, i, q, p] = x, np.conj(x)
    return out


@jit
def within_groups(v, O, first, end):  # type: ignore[no-untyped-def]
    """Re [vbar_b O_i]_nn (nk, n, i, b) of stacks v (nk, b, n, n) and O (nk, i, n, n), vbar_b the part inside groups."""
    K, D, N, _ = v.shape
    out = np.zeros((K, N, O.shape[1], D))
    for k in range(K):
        for n in range(N):
            for i in range(O.shape[1]):
                for b in range(D):
                    for p in range(first[k, n], end[k, n]):
                        out[k, n, i, b] += (v[k, b, n, p] * O[k, i, p, n]).real
    return out


@jit
def connections(energies, first, end, v):  # type: ignore[no-untyped-def]
    """R_a = -i v_a / (e_m - e_n) (physics.md eq. 11) of a stack of Hermitian v_a, zero inside groups: (nk, d, n, n)."""
    K, D, N, _ = v.shape
    R = np.zeros((K, D, N, N), dtype=np.complex128)
    for k in range(K):
        for m in range(N):
            for n in range(end[k, m], N):
                inverse = 1.0 / (energies[k, m] - energies[k, n])
                for d in range(D):
                    x = inverse * v[k, d, m, n]
                    r = complex(x.imag, -x.real)
                    R[k, d, m, n], R[k, d, n, m] = r, complex(r.real, -r.imag)
    return R


@jit
def responses(energies, first, end, R):  # type: ignore[no-untyped-def]
    """B_a = R_a / (e_m - e_n) (physics.md eq. 15) of a stack of R_a, zero inside groups: (nk, d, n, n)."""
    B = np.empty_like(R)
    for k in range(len(R)):
        response(R[k], energies[k], first[k], end[k], B[k])
    return B


@jit
def response(R, e, first, end, B):  # type: ignore[no-untyped-def]
    """The same at one k, into B (d, n, n)."""
    D, N, _ = R.shape
    for m in range(N):
        for n in range(N):
            inverse = 0.0 if first[m] <= n < end[m] else 1.0 / (e[m] - e[n])
            for d in range(D):
                B[d, m, n] = inverse * R[d, m, n]


@jit
def row_traces(X, Y):  # type: ignore[no-untyped-def]
    """Re sum_q X_i,nq conj(Y_j,nq) for stacks (nk, d, n, n): (nk, n, j, i)."""
    K, I, N, _ = X.shape
    J = Y.shape[1]
    out = np.empty((K, N, J, I))
    for k in range(K):
        a, b = X[k].view(np.float64), Y[k].view(np.float64)
        for n in range(N):
            for j in range(J):
                for i in range(I):
                    out[k, n, j, i] = row_product(a, i, n, b, j, n, (0, N))
    return out


@jit
def row_product(a, i, p, b, j, r, span):  # type: ignore[no-untyped-def]
    """Re sum_q x[q] conj(y[q]), q in a span, of the rows x = a[i, p], y = b[j, r] of complex numbers seen as real."""
    total = 0.0
    for q in range(2 * span[0], 2 * span[1]):
        total += a[i, p, q] * b[j, r, q]
    return total


@jit
def level_weights(X, Y, below, above):  # type: ignore[no-untyped-def]
    """sum_{q>n} w[n, q] - sum_{o<n} w[o, n] with w = Re X_i conj(Y_j) above the diagonal, for stacks: (nk, n, j, i).

    Half of physics.md eq. 17. Pairs with both bands among the lowest below[k], or both above the lowest above[k], are left out.
    """
    K, I, N, _ = X.shape
    J = Y.shape[1]
    out = np.zeros((K, N, J, I))
    for k in range(K):
        for j in range(J):
            for i in range(I):
                for o in range(above[k]):
                    total = 0.0
                    for q in range(max(o + 1, below[k]), N):
                        x, y = X[k, i, o, q], Y[k, j, o, q]
                        w = x.real * y.real + x.imag * y.imag
                        total += w
                        out[k, q, j, i] -= w
                    out[k, o, j, i] += total
    return out


@jit
def velocity_weighted_traces(v, X, Y, first, end, below, above):  # type: ignore[no-untyped-def]
    """Re [vbar_c O_ij]_nn of the bands from below[k] to above[k], the others zero: (nk, n, c, i, j).

    O_ij is the Hermitian part of X_i Y_j, for stacks (nk, d, n, n) of Hermitian Y; vbar is v inside degenerate groups.
    """
    K, D, N, _ = v.shape
    I, J = X.shape[1], Y.shape[1]
    out = np.zeros((K, N, D, I, J))
    for k in range(K):
        x, y = X[k].view(np.float64), Y[k].view(np.float64)
        for n in range(below[k], above[k]):
            for p in range(first[k, n], end[k, n]):
                for i in range(I):
                    for j in range(J):
                        if p == n:
                            O = complex(row_product(x, i, n, y, j, n, (0, N)), 0.0)
                        else:  # (X Y + Y X^+)/2 between n and p
                            O = 0j
                            for q in range(N):
                                O += X[k, i, n, q] * np.conj(Y[k, j, p, q]) + Y[k, j, n, q] * np.conj(X[k, i, p, q])
                            O = O / 2
                        for c in range(D):
                            out[k, n, c, i, j] += (O * v[k, c, p, n]).real
    return out
