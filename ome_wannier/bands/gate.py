"""The moment along the normal of a layer that a field along the normal makes, compiled (layers.md eqs. 6 to 8).

With M = sum_n f_n m_n + g_n Omega_n, and Z the derivative of the Hamiltonian by the field, the weights of a band p are

    f : Re [D_x R_y - R_x D_y]_pp - Im [R_x Zbar R_y]_pp + 3 Im [Zbar R_x R_y]_pp - Re [Zbar F]_pp
    g : -2 Im [R_x;z R_y + R_x R_y;z]_pp + 2 Re [B_z F]_pp

    D_a = [B_z, v_a] + D_a Z,    R_a;z = (-i D_a - [Zbar, R_a]) / (e_p - e_q)

The sums of both over the lowest o bands are those of pairs across the level alone (`_partition`), which bands below the window
of Fermi levels are summed by: there is no denominator between two of them.
"""

from __future__ import annotations

import numpy as np

from ..common.compiled import jit, product


@jit
def anticommutators(Z, v):  # type: ignore[no-untyped-def]
    """1/2 {Z, v_a} (nk, d, n, n) of Hermitian Z (nk, n, n) and v (nk, d, n, n)."""
    K, D, N, _ = v.shape
    out, P = np.empty((K, D, N, N), dtype=np.complex128), np.empty((N, N), dtype=np.complex128)
    for k in range(K):
        for a in range(D):
            product(Z[k], v[k, a], P)
            for p in range(N):
                for q in range(p, N):
                    x = (P[p, q] + np.conj(P[q, p])) / 2
                    out[k, a, p, q], out[k, a, q, p] = x, np.conj(x)
    return out


@jit
def moment(state, more, groups, passed):  # type: ignore[no-untyped-def]
    """Weights (nk, n, 2) with f and with g. state : v, R (nk, 2, n, n) along x and y, Z, B_z (nk, n, n), energies (nk, n).

    more : D_a Z (nk, 2, n, n) and F (nk, n, n), or None. groups, passed : as of `Bands`; what lies below is of band 0.
    """
    v, R, Z, B, e = state
    (first, end), (below, above) = groups, passed
    K, _, N, _ = v.shape
    out = np.zeros((K, N, 2))
    space = np.empty((4, N * N), dtype=np.complex128)
    DZ, F = np.zeros((2, N, N), dtype=np.complex128), np.zeros((N, N), dtype=np.complex128)
    for k in range(K):
        if more is not None:
            DZ, F = more[0][k], more[1][k]
        start, stop = below[k], above[k]
        if start > 0 and (start < N or more is not None):  # all bands together have the trace of Z and F
            _partition((v[k], Z[k], e[k]), (DZ, F), start, out[k, 0])
        if start < stop:
            _passed((v[k], R[k], Z[k], B[k], e[k]), (DZ, F), (first[k], end[k]), (start, stop), space, out[k])
    return out


@jit
def _passed(state, more, group, panel, space, out):  # type: ignore[no-untyped-def]
    """The weights of the bands p of a panel, added to out (n, 2)."""
    (v, R, Z, B, e), (DZ, F), (first, end), (start, stop) = state, more, group, panel
    N, w = len(Z), stop - start
    D = np.empty((2, w, N), dtype=np.complex128)
    for a in range(2):
        Bv, vB = space[0, : w * N].reshape(w, N), space[1, : w * N].reshape(w, N)
        product(B[start:stop], v[a], Bv)
        product(v[a, start:stop], B, vB)
        for p in range(w):
            for q in range(N):
                D[a, p, q] = Bv[p, q] - vB[p, q] + DZ[a, start + p, q]
    for p in range(start, stop):
        f = g = 0.0
        for q in range(N):
            x, y = R[0, p, q], R[1, p, q]
            dx, dy = D[0, p - start, q], D[1, p - start, q]
            Zx = Zy = xZ = yZ = 0j  # [Zbar, R_a] = Za - aZ
            for s in range(first[p], end[p]):
                Zx += Z[p, s] * R[0, s, q]
                Zy += Z[p, s] * R[1, s, q]
            for s in range(first[q], end[q]):
                xZ += R[0, p, s] * Z[s, q]
                yZ += R[1, p, s] * Z[s, q]
            f += (dx * np.conj(y) - x * np.conj(dy)).real - (xZ * np.conj(y)).imag + 3 * (Zx * np.conj(y)).imag
            if q < first[p] or q >= end[p]:
                inverse = 1.0 / (e[p] - e[q])
                xz, yz = inverse * (-1j * dx - Zx + xZ), inverse * (-1j * dy - Zy + yZ)
                g += -2 * (xz * np.conj(y) + x * np.conj(yz)).imag + 2 * (B[p, q] * F[q, p]).real
            else:
                f -= (Z[p, q] * F[q, p]).real
        out[p, 0] += f
        out[p, 1] += g


@jit
def _partition(state, more, o, out):  # type: ignore[no-untyped-def]
    """The weights of the lowest o bands together, added to out (2,), as those of one at the energy e[0]."""
    (v, Z, e), (DZ, F) = state, more
    N = len(e)
    Z_oo, Z_uu = Z[:o, :o].copy(), Z[o:, o:].copy()
    v_oo, v_uu = v[:, :o, :o].copy(), v[:, o:, o:].copy()
    X = np.empty((3, 2, o, N - o), dtype=np.complex128)  # v_ou / h, with the weights a / h of the formula, K
    T = np.empty((4, o, N - o), dtype=np.complex128)
    for part in range(2):  # the value at mu = e[0], and its derivative by mu
        a, c = (2 * (e - e[0]), 0.5) if part == 0 else (np.full(N, -2.0), 0.0)
        total = 0.0
        for p in range(o):
            for q in range(N - o):
                h = e[o + q] - e[p]
                for d in range(2):
                    x = v[d, p, o + q] / h
                    X[0, d, p, q], X[2, d, p, q] = x, x * (a[p] + a[o + q]) / (2 * h)
        for side in range(2):
            for p in range(o):
                for q in range(N - o):
                    h = e[o + q] - e[p]
                    weight = a[o + q] / h - c if side == 0 else a[p] / h + c
                    for d in range(2):
                        X[1, d, p, q] = X[0, d, p, q] * weight
            if side == 0:
                product(Z_oo, X[1, 0], T[0])
                product(Z_oo, X[0, 0], T[1])
                total += _imaginary(T[0], X[0, 1]) + _imaginary(T[1], X[1, 1])
            else:
                product(X[0, 1], Z_uu, T[0])
                product(X[1, 1], Z_uu, T[1])
                total += _imaginary(T[0], X[1, 0]) + _imaginary(T[1], X[0, 0])
        product(v_oo[1], X[2, 0], T[0])
        product(v_oo[0], X[2, 1], T[1])
        product(X[2, 1], v_uu[0], T[2])
        product(X[2, 0], v_uu[1], T[3])
        for p in range(o):
            for q in range(N - o):
                z = np.conj(Z[p, o + q]) / (e[o + q] - e[p])
                total += (z * (T[0, p, q] - T[1, p, q] + T[2, p, q] - T[3, p, q])).imag
                total += (DZ[0, p, o + q] * np.conj(X[2, 1, p, q]) + X[2, 0, p, q] * np.conj(DZ[1, p, o + q])).imag
                total += a[p] * (z * F[p, o + q]).real
        for p in range(o):
            for q in range(o):
                total -= 2 * c * (Z[p, q] * F[q, p]).real
        out[part] += total


@jit
def _imaginary(X, Y):  # type: ignore[no-untyped-def]
    """Im sum_pq X_pq conj(Y_pq)."""
    total = 0.0
    for p in range(len(X)):
        for q in range(X.shape[1]):
            total += (X[p, q] * np.conj(Y[p, q])).imag
    return total
