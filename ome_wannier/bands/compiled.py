"""Compiled loops over k points and bands: what numpy can only do in several passes over memory.

Matrix products go to BLAS one k point at a time, so that the matrices of a point stay in the cache. Sums over pairs of bands
are scalar products of rows, Re sum_q X_pq conj(Y_pq), of complex rows taken as twice as many real numbers.

k points are independent of each other: nothing here depends on which of them are computed together.
"""

from __future__ import annotations

import numpy as np

from ..common.compiled import as_real, product, row_product
from ..common.kernels import inner, kernel


@kernel("z4 f2 -> f3", lambda v, steps: ((v.shape[0], v.shape[2], steps.shape[1]),))
def moves(v, steps, out):  # type: ignore[no-untyped-def]
    """Re v_a,nn of a stack v (nk, d, n, n) times steps (d, directions), summed over a: (nk, n, directions)."""
    K, D, N, _ = v.shape
    for k in range(K):
        for n in range(N):
            for i in range(steps.shape[1]):
                total = 0.0
                for a in range(D):
                    total += v[k, a, n, n].real * steps[a, i]
                out[k, n, i] = total


@kernel("f2 f3 i2 i2 f0 f0 -> i1 i1", lambda energies, *_: (energies.shape[:1], energies.shape[:1]))
def passed(energies, moves, first, end, lowest, highest, below, above):  # type: ignore[no-untyped-def]
    """First band that a Fermi level between two energies may pass, and the end of those, levels moving (nk, n, directions) by
    so much at the most: bounds of groups (nk,)."""
    K, N = energies.shape
    for k in range(K):
        low, high = N, 0
        for n in range(N):
            reach = 0.0
            for i in range(moves.shape[2]):
                reach += abs(moves[k, n, i])
            if low == N and energies[k, n] + reach > lowest:
                low = n
            if energies[k, n] - reach <= highest:
                high = n + 1
        below[k] = first[k, low] if low < N else N
        above[k] = end[k, high - 1] if high > 0 else 0


@kernel("f2 f0 -> i2 i2", lambda energies, _: (energies.shape, energies.shape))
def groups(energies, tol, first, end):  # type: ignore[no-untyped-def]
    """First band and end (one beyond the last) of the degenerate group of every band: two arrays (nk, n)."""
    K, N = energies.shape
    for k in range(K):
        start = 0
        for n in range(N):
            if n + 1 == N or energies[k, n + 1] - energies[k, n] > tol:
                for m in range(start, n + 1):
                    first[k, m], end[k, m] = start, n + 1
                start = n + 1


@kernel("f2 i2 i2 -> f1", lambda *_: ((1,),))
def widest(energies, first, end, out):  # type: ignore[no-untyped-def]
    """The largest difference of energies (nk, n) inside a group."""
    K, N = energies.shape
    out[0] = 0.0
    for k in range(K):
        for n in range(N):
            out[0] = max(out[0], energies[k, end[k, n] - 1] - energies[k, first[k, n]])


@kernel("f3 i2 i2 -> f3", lambda a, *_: (a.shape,))
def group_mean(a, first, end, out):  # type: ignore[no-untyped-def]
    """Means of a (nk, n, c) over the group of every band."""
    K, N, C = a.shape
    for k in range(K):
        for n in range(N):
            start, stop = first[k, n], end[k, n]
            for c in range(C):
                total = 0.0
                for p in range(start, stop):
                    total += a[k, p, c]
                out[k, n, c] = total / (stop - start)


@kernel("f3 f2 i2 i2 f0 -> f3", lambda a, *_: (a.shape,))
def group_lines(a, energies, first, end, least, out):  # type: ignore[no-untyped-def]
    """The straight line in the energies (nk, n) of a group that is nearest to a (nk, n, c): it has the sums of a and of a times
    the energies. The mean where these differ by `least` or less."""
    K, N, C = a.shape
    for k in range(K):
        for n in range(N):
            start, stop = first[k, n], end[k, n]
            centre = 0.0
            for p in range(start, stop):
                centre += (energies[k, p] - energies[k, start]) / (stop - start)
            centre += energies[k, start]
            square = 0.0
            for p in range(start, stop):
                square += (energies[k, p] - centre) ** 2
            slope = (energies[k, n] - centre) / square if energies[k, stop - 1] - energies[k, start] > least else 0.0
            for c in range(C):
                total = lever = 0.0
                for p in range(start, stop):
                    total += a[k, p, c]
                    lever += (energies[k, p] - centre) * a[k, p, c]
                out[k, n, c] = total / (stop - start) + slope * lever


@kernel("z4 i0 z4 i0 -> z3", lambda X, *_: ((len(X), *X.shape[2:]),))
def multiply(X, a, Y, b, out):  # type: ignore[no-untyped-def]
    """X_a @ Y_b of two stacks (nk, d, n, n): (nk, n, n)."""
    for k in range(len(X)):
        product(X[k, a], Y[k, b], out[k])


@kernel("z4 i0 z3 f0 i2 i2 -> z3", lambda v, b, X, *_: (X.shape,))
def with_group_velocity(v, b, X, sign, first, end, out):  # type: ignore[no-untyped-def]
    """vbar_b X + sign X vbar_b (nk, n, n), vbar_b the part of v_b (of a stack) inside degenerate groups."""
    K, N, _ = X.shape
    for k in range(K):
        for m in range(N):
            for n in range(N):
                left = right = 0j
                for p in range(first[k, m], end[k, m]):
                    left += v[k, b, m, p] * X[k, p, n]
                for p in range(first[k, n], end[k, n]):
                    right += X[k, m, p] * v[k, b, p, n]
                out[k, m, n] = left + sign * right


@kernel("z4 z4 i2 i2 i2 -> z4", lambda v, R, first, end, pairs: ((len(v), len(pairs), *v.shape[2:]),))
def velocity_weighted_dipoles(v, R, first, end, pairs, out):  # type: ignore[no-untyped-def]
    """1/2 ({vbar_m, R_n} - {vbar_n, R_m}) for pairs (m, n): (nk, pairs, n, n), Hermitian."""
    K, _, N, _ = v.shape
    for k in range(K):
        for i in range(len(pairs)):
            m, n = pairs[i, 0], pairs[i, 1]
            for p in range(N):
                for q in range(p, N):
                    total = 0j
                    for s in range(first[k, p], end[k, p]):
                        total += v[k, m, p, s] * R[k, n, s, q] - v[k, n, p, s] * R[k, m, s, q]
                    for s in range(first[k, q], end[k, q]):
                        total += R[k, n, p, s] * v[k, m, s, q] - R[k, m, p, s] * v[k, n, s, q]
                    out[k, i, p, q], out[k, i, q, p] = total / 2, np.conj(total) / 2


@kernel("f2 z4 z4 i2 -> z4 + z2 z2", lambda e, R, C, pairs: (C.shape, R.shape[2:], R.shape[2:]))
def anticommutators(e, R, C, pairs, out, X, P):  # type: ignore[no-untyped-def]
    """1/2 ({v_m, R_n} - {v_n, R_m}) of v = i [e, R], for pairs (m, n): (nk, pairs, n, n), Hermitian.

    With C = i [R_m, R_n] it is (e_p + e_q)/2 C - i (R_m e R_n - R_n e R_m), whatever the zero of energy.
    """
    K, _, N, _ = R.shape
    for k in range(K):
        middle = 0.0
        for p in range(N):
            middle += e[k, p] / N
        for i in range(len(pairs)):
            m, n = pairs[i, 0], pairs[i, 1]
            for p in range(N):
                for q in range(N):
                    X[p, q] = R[k, m, p, q] * (e[k, q] - middle)
            product(X, R[k, n], P)
            for p in range(N):
                for q in range(p, N):
                    x = ((e[k, p] + e[k, q]) / 2 - middle) * C[k, i, p, q] - 1j * (P[p, q] - np.conj(P[q, p]))
                    out[k, i, p, q], out[k, i, q, p] = x, np.conj(x)


@kernel("z4 i2 -> z4 + z2", lambda R, pairs: ((len(R), len(pairs), *R.shape[2:]), R.shape[2:]))
def commutators(R, pairs, out, P):  # type: ignore[no-untyped-def]
    """i [R_m, R_n] for pairs (m, n): (nk, pairs, n, n), Hermitian."""
    K, _, N, _ = R.shape
    for k in range(K):
        for i in range(len(pairs)):
            m, n = pairs[i, 0], pairs[i, 1]
            product(R[k, m], R[k, n], P)
            for p in range(N):
                for q in range(p, N):
                    x = 1j * (P[p, q] - np.conj(P[q, p]))
                    out[k, i, p, q], out[k, i, q, p] = x, np.conj(x)


@kernel("z4 z4 i2 i2 -> F4", lambda v, O, *_: ((len(v), v.shape[2], O.shape[1], v.shape[1]),))
def within_groups(v, O, first, end, out):  # type: ignore[no-untyped-def]
    """Re [vbar_b O_i]_nn (nk, n, i, b) of stacks v (nk, b, n, n) and O (nk, i, n, n), vbar_b the part inside groups."""
    K, D, N, _ = v.shape
    for k in range(K):
        for n in range(N):
            for i in range(O.shape[1]):
                for b in range(D):
                    for p in range(first[k, n], end[k, n]):
                        out[k, n, i, b] += (v[k, b, n, p] * O[k, i, p, n]).real


@kernel("f2 i2 i2 z4 -> Z4", lambda energies, first, end, v: (v.shape,))
def connections(energies, first, end, v, R):  # type: ignore[no-untyped-def]
    """R_a = -i v_a / (e_m - e_n) (physics.md eq. 11) of a stack of Hermitian v_a, zero inside groups: (nk, d, n, n)."""
    K, D, N, _ = v.shape
    for k in range(K):
        for m in range(N):
            for n in range(end[k, m], N):
                inverse = 1.0 / (energies[k, m] - energies[k, n])
                for d in range(D):
                    x = inverse * v[k, d, m, n]
                    r = complex(x.imag, -x.real)
                    R[k, d, m, n], R[k, d, n, m] = r, complex(r.real, -r.imag)


@kernel("f2 i2 i2 z4 -> z4", lambda energies, first, end, R: (R.shape,))
def responses(energies, first, end, R, B):  # type: ignore[no-untyped-def]
    """B_a = R_a / (e_m - e_n) (physics.md eq. 15) of a stack of R_a, zero inside groups: (nk, d, n, n)."""
    for k in range(len(R)):
        response(R[k], energies[k], first[k], end[k], B[k])


@inner("z3 f1 i1 i1 z3")
def response(R, e, first, end, B):  # type: ignore[no-untyped-def]
    """The same at one k, into B (d, n, n)."""
    D, N, _ = R.shape
    for m in range(N):
        for n in range(N):
            inverse = 0.0 if first[m] <= n < end[m] else 1.0 / (e[m] - e[n])
            for d in range(D):
                B[d, m, n] = inverse * R[d, m, n]


@kernel("z4 z4 -> f4", lambda X, Y: ((len(X), X.shape[2], Y.shape[1], X.shape[1]),))
def row_traces(X, Y, out):  # type: ignore[no-untyped-def]
    """Re sum_q X_i,nq conj(Y_j,nq) for stacks (nk, d, n, n): (nk, n, j, i)."""
    K, I, N, _ = X.shape
    for k in range(K):
        a, b = as_real(X[k]), as_real(Y[k])
        for n in range(N):
            for j in range(Y.shape[1]):
                for i in range(I):
                    out[k, n, j, i] = row_product(a, i, n, b, j, n, 0, N)


@kernel("z4 z4 i1 i1 -> F4", lambda X, Y, *_: ((len(X), X.shape[2], Y.shape[1], X.shape[1]),))
def level_weights(X, Y, below, above, out):  # type: ignore[no-untyped-def]
    """sum_{q>n} w[n, q] - sum_{o<n} w[o, n] with w = Re X_i conj(Y_j) above the diagonal, for stacks: (nk, n, j, i).

    Half of physics.md eq. 17. Pairs with both bands among the lowest below[k], or both above the lowest above[k], are left out.
    """
    K, I, N, _ = X.shape
    J = Y.shape[1]
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


@kernel("z4 z4 z4 i2 i2 i1 i1 -> F5", lambda v, X, Y, *_: ((len(v), v.shape[2], v.shape[1], X.shape[1], Y.shape[1]),))
def velocity_weighted_traces(v, X, Y, first, end, below, above, out):  # type: ignore[no-untyped-def]
    """Re [vbar_c O_ij]_nn of the bands from below[k] to above[k], the others zero: (nk, n, c, i, j).

    O_ij is the Hermitian part of X_i Y_j, for stacks (nk, d, n, n) of Hermitian Y; vbar is v inside degenerate groups.
    """
    K, D, N, _ = v.shape
    I, J = X.shape[1], Y.shape[1]
    for k in range(K):
        x, y = as_real(X[k]), as_real(Y[k])
        for n in range(below[k], above[k]):
            for p in range(first[k, n], end[k, n]):
                for i in range(I):
                    for j in range(J):
                        if p == n:
                            O = complex(row_product(x, i, n, y, j, n, 0, N), 0.0)
                        else:  # (X Y + Y X^+)/2 between n and p
                            O = 0j
                            for q in range(N):
                                O += X[k, i, n, q] * np.conj(Y[k, j, p, q]) + Y[k, j, n, q] * np.conj(X[k, i, p, q])
                            O = O / 2
                        for c in range(D):
                            out[k, n, c, i, j] += (O * v[k, c, p, n]).real
