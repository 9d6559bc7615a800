"""Energies and eigenvectors of batches of small Hermitian matrices.

LAPACK takes one matrix at a time, and of a small one its calls and its scalar arithmetic take longer than the products do. Here
one instruction works on several matrices: they stand side by side in the last dimension, the lanes. The algorithm is LAPACK's
and EISPACK's: Householder reflections make a matrix tridiagonal, rotations of the implicit QL algorithm diagonalise that (Golub
and Van Loan, Matrix Computations, sections 5.1 and 8.3).

What is done to a matrix does not depend on those beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.kernels import inner, kernel

#: beyond this size LAPACK, which divides and conquers, is as fast where vectors are short
SMALL = 32
#: relative rounding error
EPS = 2.0**-53
#: sizes of matrices: fourth powers, and what they are divided by, are floats
RANGE = 1e-50, 1e50
#: elements, or columns, whose squares add up to less than this are zero
LEAST = 1e-150
#: sweeps for one eigenvalue; two are usual
SWEEPS = 60


def eigh(H: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Energies (nk, n), ascending, and eigenvectors, columns, of Hermitian H (nk, n, n), whose lower triangle counts."""
    n = H.shape[1]
    if n == 2:
        return eigen_of_two(H)  # type: ignore[no-any-return]
    if n > SMALL or n == 0:
        return np.linalg.eigh(H)
    lanes = 16 if len(H) <= 16 else 64 if n <= 12 else 32
    e, U, failed = eigen_of_small(H, np.empty(lanes))
    if failed.any():
        e[failed > 0], U[failed > 0] = np.linalg.eigh(H[failed > 0])
    return e, U


def eigvalsh(H: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The energies alone (nk, n); up to `SMALL` the eigenvectors beside them take less time than LAPACK without."""
    return eigh(H)[0] if H.shape[1] <= SMALL else np.asarray(np.linalg.eigvalsh(H), dtype=float)


@kernel("z3 -> f2 z3", lambda H: (H.shape[:2], H.shape))
def eigen_of_two(H, e, U):  # type: ignore[no-untyped-def]
    """Energies (nk, 2), ascending, and eigenvectors, columns, of Hermitian H (nk, 2, 2), whose lower triangle counts.

    e = m -+ r, r^2 = d^2 + |c|^2, with m the mean of the diagonal, d half of its difference and c = H_10. Of r + |d|, c and its
    conjugate the eigenvectors are made: no two numbers cancel, whatever c and d are. Divided by the larger of them no square is
    out of range.
    """
    for k in range(len(H)):
        a, b, c = H[k, 0, 0].real, H[k, 1, 1].real, H[k, 1, 0]
        m, d = (a + b) / 2, (a - b) / 2
        scale = max(abs(d), max(abs(c.real), abs(c.imag)))
        if scale == 0.0:
            e[k, 0], e[k, 1] = m, m
            U[k, 0, 0], U[k, 0, 1], U[k, 1, 0], U[k, 1, 1] = 1.0, 0.0, 0.0, 1.0
            continue
        x, y = d / scale, complex(c.real / scale, c.imag / scale)
        square = y.real * y.real + y.imag * y.imag
        r = np.sqrt(x * x + square)
        e[k, 0], e[k, 1] = m - scale * r, m + scale * r
        large = r + abs(x)
        norm = 1.0 / np.sqrt(large * large + square)
        large, small = large * norm, complex(y.real * norm, y.imag * norm)
        if x >= 0.0:  # the upper state is mostly the first orbital
            U[k, 0, 0], U[k, 0, 1], U[k, 1, 0], U[k, 1, 1] = -np.conj(small), large, large, small
        else:
            U[k, 0, 0], U[k, 0, 1], U[k, 1, 0], U[k, 1, 1] = large, np.conj(small), -small, large


@inner("i0 f3 f3 f2 f2 f2 f2 f1")
def _reflection(c, A, B, o, x, y, beta, s):  # type: ignore[no-untyped-def]
    """Put v_c into the column c below the diagonal, where it leaves o and the phase of the next row; s : space."""
    N, _, L = A.shape
    m = c + 1
    for t in range(L):
        s[t] = 0.0
    for i in range(m + 1, N):
        for t in range(L):
            s[t] += A[i, c, t] * A[i, c, t] + B[i, c, t] * B[i, c, t]
    for t in range(L):
        a, b = A[m, c, t], B[m, c, t]
        first = np.sqrt(a * a + b * b)
        length = np.sqrt(a * a + b * b + s[t])
        # nor has one a phase whose square has lost digits
        known = first * first > LEAST
        a, b = (a / first if known else 1.0), (b / first if known else 0.0)
        # a column that has one element already needs no reflection
        reflects = s[t] > LEAST
        sign = -1.0 if reflects else 1.0
        o[c, t] = length
        x[m, t], y[m, t] = sign * (x[c, t] * a - y[c, t] * b), sign * (x[c, t] * b + y[c, t] * a)
        size = first + length if reflects else 0.0
        A[m, c, t], B[m, c, t] = a * size, b * size
        beta[c, t] = 1.0 / (length * size) if reflects else 0.0


@inner("i0 f3 f3 f2 f2 f2 f1")
def _reflect(c, A, B, beta, p, q, s):  # type: ignore[no-untyped-def]
    """Reflect the rows and columns beyond c: less v w^+ + w v^+, w = p + i q = beta X v - beta^2 v (v^+ X v)/2, X = A + i B."""
    N, _, L = A.shape
    m = c + 1
    for i in range(m, N):
        for t in range(L):
            p[i, t], q[i, t] = 0.0, 0.0
    for i in range(m, N):
        for j in range(m, i):
            for t in range(L):
                a, b = A[i, j, t], B[i, j, t]
                p[i, t] += a * A[j, c, t] - b * B[j, c, t]
                q[i, t] += a * B[j, c, t] + b * A[j, c, t]
                p[j, t] += a * A[i, c, t] + b * B[i, c, t]
                q[j, t] += a * B[i, c, t] - b * A[i, c, t]
        for t in range(L):
            p[i, t] += A[i, i, t] * A[i, c, t]
            q[i, t] += A[i, i, t] * B[i, c, t]
    for t in range(L):
        s[t] = 0.0
    for i in range(m, N):
        for t in range(L):
            s[t] += p[i, t] * A[i, c, t] + q[i, t] * B[i, c, t]
    for t in range(L):
        s[t] *= 0.5 * beta[c, t] * beta[c, t]
    for i in range(m, N):
        for t in range(L):
            p[i, t] = beta[c, t] * p[i, t] - s[t] * A[i, c, t]
            q[i, t] = beta[c, t] * q[i, t] - s[t] * B[i, c, t]
    for i in range(m, N):
        for j in range(m, i):
            for t in range(L):
                a, b, e, f = A[i, c, t], B[i, c, t], A[j, c, t], B[j, c, t]
                A[i, j, t] -= a * p[j, t] + b * q[j, t] + p[i, t] * e + q[i, t] * f
                B[i, j, t] -= b * p[j, t] - a * q[j, t] + q[i, t] * e - p[i, t] * f
        for t in range(L):
            A[i, i, t] -= 2.0 * (A[i, c, t] * p[i, t] + B[i, c, t] * q[i, t])


@inner("f3 f3 f2 f2 f2 f2 f2 f2 f2 f1")
def tridiagonalize(A, B, d, o, x, y, beta, p, q, s):  # type: ignore[no-untyped-def]
    """T = Q^+ (A + i B) Q, real and tridiagonal: its diagonal d and what is below it, o (n, lanes), not negative.

    A and B (n, n, lanes) are lower triangles. Q is a product of reflections 1 - beta_c v_c v_c^+ and of the phases x + i y: v_c
    stays in the column c below the diagonal. p, q, s : space.
    """
    N, _, L = A.shape
    for t in range(L):
        x[0, t], y[0, t] = 1.0, 0.0
    for c in range(N - 1):
        _reflection(c, A, B, o, x, y, beta, s)
        _reflect(c, A, B, beta, p, q, s)
    for i in range(N):
        for t in range(L):
            d[i, t] = A[i, i, t]


@inner("f2 f2 f3 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1 f1")
def diagonalize(d, o, Z, small, failed, shift, active, started, g, p, c, s, cosine, sine, upper, new, between, below):  # type: ignore[no-untyped-def]
    """The eigenvalues d (n, lanes) and eigenvectors, rows of Z (n, n, lanes), of tridiagonal matrices d, o.

    A lane whose o[l] is negligible waits for the others. Where another o is, the matrix falls apart, and the part above it
    starts anew. small : below it o is negligible. failed : lanes that need too many sweeps. The others are space.
    """
    N, L = d.shape
    for i in range(N):
        for j in range(N):
            for t in range(L):
                Z[i, j, t] = 1.0 if i == j else 0.0
    for l in range(N - 1):
        for sweep in range(SWEEPS):
            left = 0.0
            for t in range(L):
                active[t] = 1.0 if abs(o[l, t]) > EPS * (abs(d[l, t]) + abs(d[l + 1, t])) + small[t] else 0.0
                left += active[t]
            if left == 0.0:
                break
            if sweep + 1 == SWEEPS:
                for t in range(L):
                    failed[t] += active[t]
                break
            for t in range(L):
                b = o[l, t] if active[t] > 0.0 else 1.0
                x = (d[l + 1, t] - d[l, t]) / (2.0 * b)
                r = np.sqrt(x * x + 1.0)
                shift[t] = d[l, t] - b / (x + (r if x >= 0.0 else -r))
                upper[t], between[t] = d[N - 1, t], 0.0
                g[t], p[t], c[t], s[t], started[t] = upper[t] - shift[t], 0.0, 1.0, 1.0, 0.0
            for i in range(N - 2, l - 1, -1):
                for t in range(L):
                    low, e = d[i, t], o[i, t]
                    here, begun = active[t] > 0.0, started[t] > 0.0
                    apart = abs(e) <= EPS * (abs(low) + abs(upper[t])) + small[t]
                    turns = here and not apart
                    f, b = s[t] * e, c[t] * e
                    r = np.sqrt(f * f + g[t] * g[t])
                    inverse = 1.0 / (r if r > 0.0 else 1.0)
                    sn, cs = f * inverse, g[t] * inverse if r > 0.0 else 1.0
                    high = upper[t] - p[t]
                    x = (low - high) * sn + 2.0 * cs * b
                    new[t] = high + (sn * x if turns else 0.0)
                    below[t] = (r if turns else g[t]) if begun else between[t]
                    upper[t], between[t] = low, 0.0 if here and apart else e
                    g[t], p[t] = (cs * x - b if turns else low - shift[t]), (sn * x if turns else 0.0)
                    c[t], s[t] = (cs if turns else 1.0), (sn if turns else 1.0)
                    cosine[t], sine[t], started[t] = (cs if turns else 1.0), (sn if turns else 0.0), (1.0 if turns else 0.0)
                for t in range(L):
                    d[i + 1, t], o[i + 1, t] = new[t], below[t]
                for j in range(N):
                    for t in range(L):
                        a, b = Z[i, j, t], Z[i + 1, j, t]
                        Z[i, j, t], Z[i + 1, j, t] = cosine[t] * a - sine[t] * b, sine[t] * a + cosine[t] * b
            for t in range(L):
                d[l, t], o[l, t] = upper[t] - p[t], g[t] if started[t] > 0.0 else between[t]


@inner("f3 f3 f2 f2 f2 f3 f3 f3 f1 f1")
def transform_back(A, B, beta, x, y, Z, re, im, p, q):  # type: ignore[no-untyped-def]
    """Eigenvectors re + i im = Q Z, rows, of what `tridiagonalize` was given."""
    N, _, L = A.shape
    for n in range(N):
        for i in range(N):
            for t in range(L):
                re[n, i, t], im[n, i, t] = Z[n, i, t] * x[i, t], Z[n, i, t] * y[i, t]
        for c in range(N - 3, -1, -1):
            for t in range(L):
                p[t], q[t] = 0.0, 0.0
            for i in range(c + 1, N):
                for t in range(L):
                    p[t] += A[i, c, t] * re[n, i, t] + B[i, c, t] * im[n, i, t]
                    q[t] += A[i, c, t] * im[n, i, t] - B[i, c, t] * re[n, i, t]
            for t in range(L):
                p[t] *= beta[c, t]
                q[t] *= beta[c, t]
            for i in range(c + 1, N):
                for t in range(L):
                    re[n, i, t] -= A[i, c, t] * p[t] - B[i, c, t] * q[t]
                    im[n, i, t] -= A[i, c, t] * q[t] + B[i, c, t] * p[t]


def _shapes(H, lanes):  # type: ignore[no-untyped-def]
    K, N, _ = H.shape
    cube, square, line = (N, N, len(lanes)), (N, len(lanes)), (len(lanes),)
    return (K, N), H.shape, (K,), *[cube] * 5, *[square] * 7, (13, len(lanes)), line, line


@kernel("z3 f1 -> f2 z3 f1 + f3 f3 f3 f3 f3 f2 f2 f2 f2 f2 f2 f2 f2 f1 f1", _shapes)
def eigen_of_small(H, lanes, e, U, failed, A, B, Z, re, im, d, o, x, y, beta, p, q, w, small, lost):  # type: ignore[no-untyped-def]
    """Energies, eigenvectors, and whether there are none of these (nk,): where a matrix is out of `RANGE`, or not of numbers.

    As many are done together as `lanes` has elements; what these are is of no account.
    """
    K, N, _ = H.shape
    L = len(lanes)
    for start in range(0, K, L):
        for i in range(N):
            for j in range(i + 1):
                for t in range(L):
                    h = H[min(start + t, K - 1), i, j]
                    A[i, j, t], B[i, j, t] = h.real, h.imag
        tridiagonalize(A, B, d, o, x, y, beta, p, q, small)
        for t in range(L):
            size = abs(d[N - 1, t])  # a sum, which is no number if one of these is none
            for i in range(N - 1):
                size += abs(d[i, t]) + o[i, t]
            lost[t] = 0.0 if RANGE[0] < size < RANGE[1] or size == 0.0 else 1.0
            small[t] = 1e-3 * EPS * size
        diagonalize(d, o, Z, small, lost, w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12])
        transform_back(A, B, beta, x, y, Z, re, im, w[0], w[1])
        for t in range(min(L, K - start)):
            failed[start + t] = lost[t]
            for i in range(N):
                place = 0
                for j in range(N):
                    if d[j, t] < d[i, t] or (d[j, t] == d[i, t] and j < i):
                        place += 1
                e[start + t, place] = d[i, t]
                for j in range(N):
                    U[start + t, j, place] = complex(re[i, j, t], im[i, j, t])
