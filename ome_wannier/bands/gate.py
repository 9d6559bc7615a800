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

from ..common.compiled import SMALL, block_product, product
from ..common.kernels import inner, kernel


@kernel("z3 z4 -> z4 + z2", lambda Z, v: (v.shape, v.shape[2:]))
def anticommutators(Z, v, out, P):  # type: ignore[no-untyped-def]
    """1/2 {Z, v_a} (nk, d, n, n) of Hermitian Z (nk, n, n) and v (nk, d, n, n)."""
    K, D, N, _ = v.shape
    for k in range(K):
        for a in range(D):
            product(Z[k], v[k, a], P)
            for p in range(N):
                for q in range(p, N):
                    x = (P[p, q] + np.conj(P[q, p])) / 2
                    out[k, a, p, q], out[k, a, q, p] = x, np.conj(x)


@kernel(
    "z4 z4 z3 z3 f2 z4 z3 i2 i2 i1 i1 -> F3 + z3 z3 z3 z3 z3 z2 z2",
    lambda v, R, Z, *_: ((*Z.shape[:2], 2), *[v.shape[1:]] * 5, Z.shape[1:], Z.shape[1:]),
)
def moment(v, R, Z, B, e, DZ, F, first, end, below, above, out, D, x, A, C, P, z, other):  # type: ignore[no-untyped-def]
    """Weights (nk, n, 2) with f and with g. v, R (nk, 2, n, n) along x and y, Z, B_z (nk, n, n), energies (nk, n).

    D_a Z (nk, 2, n, n) and F (nk, n, n) are of no points where both are zero. first, end; below, above : groups and passed, as
    of `Bands`; what lies below is of band 0. The others are space.
    """
    for k in range(len(v)):
        start, stop = below[k], above[k]
        if start > 0:  # of all bands too, where the basis' own curvature is left
            _partition(k, v, Z, e, DZ, F, start, out, x, A, C, P, z, other)
        if start < stop:
            _passed(k, v, R, Z, B, e, DZ, F, first, end, start, stop, D, z, other, out)


@inner("i0 z4 z4 z3 z3 f2 z4 z3 i2 i2 i0 i0 z3 z2 z2 f3")
def _passed(k, v, R, Z, B, e, DZ, F, first, end, start, stop, D, Bv, vB, out):  # type: ignore[no-untyped-def]
    """The weights of the bands p of a panel, added to out (nk, n, 2)."""
    N, w, more = Z.shape[1], stop - start, len(F) > 0
    for a in range(2):
        if N > SMALL:
            block_product(w, N, N, B[k], start, 0, v[k, a], 0, 0, Bv, 0)
            block_product(w, N, N, v[k, a], start, 0, B[k], 0, 0, vB, 0)
        for p in range(w):
            for q in range(N):
                if N > SMALL:
                    D[a, p, q] = Bv[p, q] - vB[p, q]
                else:
                    total = 0j
                    for s in range(N):
                        total += B[k, start + p, s] * v[k, a, s, q] - v[k, a, start + p, s] * B[k, s, q]
                    D[a, p, q] = total
                if more:
                    D[a, p, q] += DZ[k, a, start + p, q]
    for p in range(start, stop):
        f = g = 0.0
        for q in range(N):
            x, y = R[k, 0, p, q], R[k, 1, p, q]
            dx, dy = D[0, p - start, q], D[1, p - start, q]
            Zx = Zy = xZ = yZ = 0j  # [Zbar, R_a] = Za - aZ
            for s in range(first[k, p], end[k, p]):
                Zx += Z[k, p, s] * R[k, 0, s, q]
                Zy += Z[k, p, s] * R[k, 1, s, q]
            for s in range(first[k, q], end[k, q]):
                xZ += R[k, 0, p, s] * Z[k, s, q]
                yZ += R[k, 1, p, s] * Z[k, s, q]
            f += (dx * np.conj(y) - x * np.conj(dy)).real - (xZ * np.conj(y)).imag + 3 * (Zx * np.conj(y)).imag
            if q < first[k, p] or q >= end[k, p]:
                inverse = 1.0 / (e[k, p] - e[k, q])
                xz, yz = inverse * (-1j * dx - Zx + xZ), inverse * (-1j * dy - Zy + yZ)
                g -= 2 * (xz * np.conj(y) + x * np.conj(yz)).imag
                if more:
                    g += 2 * (B[k, p, q] * F[k, q, p]).real
            elif more:
                f -= (Z[k, p, q] * F[k, q, p]).real
        out[k, p, 0] += f
        out[k, p, 1] += g


@inner("i0 z4 z3 f2 z4 z3 i0 f3 z3 z3 z3 z3 z2 z2")
def _partition(k, v, Z, e, DZ, F, o, out, x, A, B, P, z, other):  # type: ignore[no-untyped-def]
    """The weights of the lowest o bands together, added to out (nk, n, 2), as those of one at the energy e[0].

    All products are of matrices without the Fermi level, which stands in weights of their elements alone: with x = v_ou / h,
    z = Z_ou / h, A_a = Z_oo x_a, B_a = x_a Z_uu and P_a = v_a,oo z - z v_a,uu the four lines of layers.md eq. 8 are

        Im sum_ou (a_u / h - c) [x_x A_y^* + A_x x_y^*] + (a_o / h + c) [B_y x_x^* + x_y B_x^*]
                  + (a_o + a_u) / 2h [x_x P_y^* - x_y P_x^*] ,      a = 2 (e - mu),  c = 1/2 .
    """
    N, more = Z.shape[1], len(F) > 0
    u = N - o
    for p in range(o):
        for q in range(u):
            inverse = 1.0 / (e[k, o + q] - e[k, p])
            z[p, q] = Z[k, p, o + q] * inverse
            x[0, p, q], x[1, p, q] = v[k, 0, p, o + q] * inverse, v[k, 1, p, o + q] * inverse
    for d in range(2):
        block_product(o, o, u, Z[k], 0, 0, x[d], 0, 0, A[d], 0)
        block_product(o, u, u, x[d], 0, 0, Z[k], o, o, B[d], 0)
        block_product(o, o, u, v[k, d], 0, 0, z, 0, 0, P[d], 0)
        block_product(o, u, u, z, 0, 0, v[k, d], o, o, other, 0)
        for p in range(o):
            for q in range(u):
                P[d, p, q] -= other[p, q]
    value = slope = 0.0  # at mu = e[0], and the derivative by mu
    for p in range(o):
        for q in range(u):
            inverse = 1.0 / (e[k, o + q] - e[k, p])
            x0, x1 = x[0, p, q], x[1, p, q]
            upper = (x0 * np.conj(A[1, p, q]) + A[0, p, q] * np.conj(x1)).imag
            lower = (B[1, p, q] * np.conj(x0) + x1 * np.conj(B[0, p, q])).imag
            mixed = (x0 * np.conj(P[1, p, q]) - x1 * np.conj(P[0, p, q])).imag
            basis = 0.0
            if more:
                mixed += (DZ[k, 0, p, o + q] * np.conj(x1) + x0 * np.conj(DZ[k, 1, p, o + q])).imag
                basis = (np.conj(z[p, q]) * F[k, p, o + q]).real
            a_o, a_u = 2 * (e[k, p] - e[k, 0]), 2 * (e[k, o + q] - e[k, 0])
            value += (
                (a_u * inverse - 0.5) * upper + (a_o * inverse + 0.5) * lower + (a_o + a_u) / 2 * inverse * mixed + a_o * basis
            )
            slope -= 2 * (inverse * (upper + lower + mixed) + basis)
    if more:
        for p in range(o):
            for q in range(o):
                value -= (Z[k, p, q] * F[k, q, p]).real
    out[k, 0, 0] += value
    out[k, 0, 1] += slope
