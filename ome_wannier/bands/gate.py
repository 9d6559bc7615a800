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

    more : D_a Z (nk, 2, n, n) and F (nk, n, n), of no points where both are zero: with None it would be compiled twice. groups,
    passed : as of `Bands`; what lies below is of band 0.
    """
    v, R, Z, B, e = state
    (first, end), (below, above) = groups, passed
    K, _, N, _ = v.shape
    out = np.zeros((K, N, 2))
    space = np.empty((4, N * N), dtype=np.complex128)
    DZ, F = np.zeros((2, N, N), dtype=np.complex128), np.zeros((N, N), dtype=np.complex128)
    for k in range(K):
        if len(more[1]) > 0:
            DZ, F = more[0][k], more[1][k]
        start, stop = below[k], above[k]
        if start > 0:  # of all bands too, where the basis' own curvature is left
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
    """The weights of the lowest o bands together, added to out (2,), as those of one at the energy e[0].

    All products are of matrices without the Fermi level, which stands in weights of their elements alone: with x = v_ou / h,
    z = Z_ou / h, A_a = Z_oo x_a, B_a = x_a Z_uu and P_a = v_a,oo z - z v_a,uu the four lines of layers.md eq. 8 are

        Im sum_ou (a_u / h - c) [x_x A_y^* + A_x x_y^*] + (a_o / h + c) [B_y x_x^* + x_y B_x^*]
                  + (a_o + a_u) / 2h [x_x P_y^* - x_y P_x^*] ,      a = 2 (e - mu),  c = 1/2 .
    """
    (v, Z, e), (DZ, F) = state, more
    N = len(e)
    shape = (2, o, N - o)
    x, A = np.empty(shape, dtype=np.complex128), np.empty(shape, dtype=np.complex128)
    B, P = np.empty(shape, dtype=np.complex128), np.empty(shape, dtype=np.complex128)
    z, other = np.empty((o, N - o), dtype=np.complex128), np.empty((o, N - o), dtype=np.complex128)
    Z_oo, Z_uu = Z[:o, :o].copy(), Z[o:, o:].copy()
    for p in range(o):
        for q in range(N - o):
            inverse = 1.0 / (e[o + q] - e[p])
            z[p, q], x[0, p, q], x[1, p, q] = Z[p, o + q] * inverse, v[0, p, o + q] * inverse, v[1, p, o + q] * inverse
    for d in range(2):
        product(Z_oo, x[d], A[d])
        product(x[d], Z_uu, B[d])
        product(v[d, :o, :o].copy(), z, P[d])
        product(z, v[d, o:, o:].copy(), other)
        for p in range(o):
            for q in range(N - o):
                P[d, p, q] -= other[p, q]
    value = slope = 0.0  # at mu = e[0], and the derivative by mu
    for p in range(o):
        for q in range(N - o):
            inverse = 1.0 / (e[o + q] - e[p])
            x0, x1 = x[0, p, q], x[1, p, q]
            upper = (x0 * np.conj(A[1, p, q]) + A[0, p, q] * np.conj(x1)).imag
            lower = (B[1, p, q] * np.conj(x0) + x1 * np.conj(B[0, p, q])).imag
            mixed = (x0 * np.conj(P[1, p, q]) - x1 * np.conj(P[0, p, q])).imag
            mixed += (DZ[0, p, o + q] * np.conj(x1) + x0 * np.conj(DZ[1, p, o + q])).imag
            basis = (np.conj(z[p, q]) * F[p, o + q]).real
            a_o, a_u = 2 * (e[p] - e[0]), 2 * (e[o + q] - e[0])
            value += (
                (a_u * inverse - 0.5) * upper + (a_o * inverse + 0.5) * lower + (a_o + a_u) / 2 * inverse * mixed + a_o * basis
            )
            slope -= 2 * (inverse * (upper + lower + mixed) + basis)
    for p in range(o):
        for q in range(o):
            value -= (Z[p, q] * F[q, p]).real
    out[0] += value
    out[1] += slope
