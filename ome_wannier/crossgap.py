"""The cross-gap form of the interband response, compiled: what changes when the Fermi level passes a band.

With the bands partitioned at the Fermi level (o occupied, u empty), B_b = R_b / (e_m - e_n), and m, n the axes with
epsilon_imn = +1,

    Q_ib = Re sum_ou B_b,ou { sum_u' [v_m,uu' R_n,u'o - v_n,uu' R_m,u'o]  +  sum_o' [R_n,uo' v_m,o'o - R_m,uo' v_n,o'o] }

where the first sum is the local circulation and the second the itinerant one. When band p goes from empty to occupied, Q
changes by

    a_p = Re sum_q { B_b,pq E_qp  +  v_m,pq F_n,qp - v_n,pq F_m,qp }

    E_qp   = sum_s^same [v_m,qs R_n,sp - v_n,qs R_m,sp]  +  sum_s^other [R_n,qs v_m,sp - R_m,qs v_n,sp]
    F_n,qp = sum_s^other B_b,qs R_n,sp

with s on the same side of p as q, or on the other side (p itself, and bands degenerate with it, count as the other side). The
first term is the pairs of p, the second those pairs (o, u) whose sum over intermediate bands gains or loses p. So the bands
inside the window of Fermi levels cost products of as many rows, and all that lie below are one partition.

The products are taken row by row, as (E^+)_pq, since rows are contiguous: Re [B_pq E_qp] = Re [B_pq conj((E^+)_pq)]. They are
cut into panels of bands p and blocks of bands q, because a sum over s on one side of p is nothing on the other.
"""

from __future__ import annotations

import numpy as np

from .kernels import SMALL, _compiled, product, row_product

#: bands in a panel and in a block: products of fewer rows are slower than what they leave out
PANEL = 24


@_compiled
def crossgap(v, R, B, first, end, below, above, pairs):  # type: ignore[no-untyped-def]
    """Weights whose sum over the bands below a Fermi level is Q, local and itinerant: (2, nk, n, pairs, axes).

    v, R, B : (nk, axes, n, n). first, end : (nk, n) group of each band. pairs : (pairs, 2) axes m, n.
    below, above : (nk,) bands from below[k] to above[k] may be passed by the Fermi level; both are bounds of groups. What lies
        below is the weight of band 0.
    """
    K, D, N, _ = v.shape
    out = np.zeros((2, K, N, len(pairs), D))
    blocks = _cuts(0, N)
    space = np.empty((3, D, N * N), dtype=np.complex128)
    rows = np.empty((4, D, N * 2 * PANEL), dtype=np.complex128)
    products = np.empty((3, D * D, 4 * PANEL * PANEL), dtype=np.complex128)
    for k in range(K):
        if 0 < below[k] < N:
            _partition(v[k], R[k], B[k], below[k], pairs, out[:, k, 0])
        if N <= SMALL:
            _one_by_one(v[k], R[k], B[k], first[k], end[k], below[k], above[k], pairs, out[:, k])
        elif below[k] < above[k]:
            columns = (
                _columns(v[k], blocks, space[0]),
                _columns(R[k], blocks, space[1]),
                _columns(B[k], blocks, space[2]),
            )
            panels = _cuts(below[k], above[k])
            for i in range(len(panels) - 1):
                ends = panels[i], panels[i + 1], first[k, panels[i]], end[k, panels[i + 1] - 1]
                _rows(v[k], R[k], first[k], end[k], ends, rows)
                for j in range(len(blocks) - 1):
                    block = blocks[j], blocks[j + 1]
                    if block[1] > ends[0]:
                        _passed(v[k], B[k], columns, rows, True, ends, block, end[k], pairs, products, out[:, k])
                    if block[0] < ends[1]:
                        _passed(v[k], B[k], columns, rows, False, ends, block, first[k], pairs, products, out[:, k])
    return out


@_compiled
def _one_by_one(v, R, B, first, end, below, above, pairs, out):  # type: ignore[no-untyped-def]
    """a_p of the bands from `below` to `above`, term by term, added to out (2, n, pairs, axes): for few bands."""
    D, N, _ = v.shape
    for p in range(below, above):
        for i in range(len(pairs)):
            m, n = pairs[i]
            for q in range(N):
                if first[p] <= q < end[p]:
                    continue
                same, other = (0, 1) if q > p else (1, 0)
                E_same = E_other = 0j
                for s in range(N):
                    if (s >= end[p]) if q > p else (s < first[p]):
                        E_same += v[m, q, s] * R[n, s, p] - v[n, q, s] * R[m, s, p]
                    else:
                        E_other += R[n, q, s] * v[m, s, p] - R[m, q, s] * v[n, s, p]
                for b in range(D):
                    F_n = F_m = 0j
                    for s in range(N):
                        if (s < first[p]) if q > p else (s >= end[p]):
                            F_n += B[b, q, s] * R[n, s, p]
                            F_m += B[b, q, s] * R[m, s, p]
                    out[same, p, i, b] += (B[b, p, q] * E_same + v[m, p, q] * F_n - v[n, p, q] * F_m).real
                    out[other, p, i, b] += (B[b, p, q] * E_other).real


@_compiled
def _cuts(start, stop):  # type: ignore[no-untyped-def]
    """Bounds of equal parts of the bands from start to stop, of PANEL to 2 PANEL bands (fewer if there are no more)."""
    parts = max(1, (stop - start) // PANEL)
    return np.array([start + (stop - start) * i // parts for i in range(parts + 1)])


@_compiled
def _columns(X, blocks, out):  # type: ignore[no-untyped-def]
    """The blocks of columns of X (axes, n, n), each in one piece for BLAS: in `out`, or X itself if it is one block."""
    D, N, _ = X.shape
    if len(blocks) == 2:
        return X.reshape(D, N * N)
    for a in range(D):
        for j in range(len(blocks) - 1):
            start, stop = blocks[j], blocks[j + 1]
            out[a, N * start : N * stop].reshape(N, stop - start)[:] = X[a, :, start:stop]
    return out


@_compiled
def _partition(v, R, B, o, pairs, out):  # type: ignore[no-untyped-def]
    """Q of the lowest o bands occupied, added to out (2, pairs, axes)."""
    D, N, _ = v.shape
    u = N - o
    # blocks in one piece each, for BLAS
    R_ou, B_ou = np.empty((D, o, u), dtype=np.complex128), np.empty((D, o, u), dtype=np.complex128)
    v_oo, v_uu = np.empty((D, o, o), dtype=np.complex128), np.empty((D, u, u), dtype=np.complex128)
    for a in range(D):
        R_ou[a], B_ou[a] = R[a, :o, o:], B[a, :o, o:]
        v_oo[a], v_uu[a] = v[a, :o, :o], v[a, o:, o:]
    found = np.empty((4, o, u), dtype=np.complex128)
    left, right = B_ou.view(np.float64), found.view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        product(R_ou[n], v_uu[m], found[0])
        product(R_ou[m], v_uu[n], found[1])
        product(v_oo[m], R_ou[n], found[2])
        product(v_oo[n], R_ou[m], found[3])
        for b in range(D):
            for p in range(o):
                for part in range(2):
                    out[part, i, b] += row_product(left, b, p, right, 2 * part, p, 0, u)
                    out[part, i, b] -= row_product(left, b, p, right, 2 * part + 1, p, 0, u)


@_compiled
def _rows(v, R, first, end, ends, out):  # type: ignore[no-untyped-def]
    """Rows p of a panel, each (w, as many s as the sum runs over) in one piece.

    0: R_ps above p. 1: R_ps below p. 2: v_ps but for the bands above p's group. 3: v_ps but for those below.
    """
    D, N, _ = v.shape
    start, stop, low, high = ends
    w = stop - start
    for a in range(D):
        above, below = out[0, a, : w * (N - start)].reshape(w, N - start), out[1, a, : w * stop].reshape(w, stop)
        upto, since = out[2, a, : w * high].reshape(w, high), out[3, a, : w * (N - low)].reshape(w, N - low)
        for p in range(start, stop):
            for s in range(start, N):
                above[p - start, s - start] = R[a, p, s] if s > p else 0.0
            for s in range(stop):
                below[p - start, s] = R[a, p, s] if s < p else 0.0
            for s in range(high):
                upto[p - start, s] = v[a, p, s] if s < end[p] else 0.0
            for s in range(low, N):
                since[p - start, s - low] = v[a, p, s] if s >= first[p] else 0.0


@_compiled
def _products(rows, w, columns, ends, block, same, N, out):  # type: ignore[no-untyped-def]
    """rows[a] @ columns[b] summed over s from ends[0] to ends[1], for axes a == b or not: out[a * D + b] as (w, block)."""
    D = len(rows)
    start, stop = ends
    t = block[1] - block[0]
    for a in range(D):
        left = rows[a, : w * (stop - start)].reshape(w, stop - start)
        for b in range(D):
            if same or a != b:
                right = columns[b, N * block[0] : N * block[1]].reshape(N, t)[start:stop]
                product(left, right, out[a * D + b, : w * t].reshape(w, t))


@_compiled
def _passed(v, B, columns, rows, upper, ends, block, edge, pairs, products, out):  # type: ignore[no-untyped-def]
    """The terms of a_p with q in a block above p's group (upper), or below it; `edge` is the group's end, or its first band.

    Above, terms with s on the same side are local, and those with B as a factor of F; below, itinerant.
    """
    D, N, _ = v.shape
    start, stop, low, high = ends
    w, t = stop - start, block[1] - block[0]
    Rv, vR, RB = products[0], products[1], products[2]
    if upper:
        _products(rows[0], w, columns[0], (start, N), block, False, N, Rv)
        _products(rows[2], w, columns[1], (0, high), block, False, N, vR)
        _products(rows[1], w, columns[2], (0, stop), block, True, N, RB)
    else:
        _products(rows[1], w, columns[0], (0, stop), block, False, N, Rv)
        _products(rows[3], w, columns[1], (low, N), block, False, N, vR)
        _products(rows[0], w, columns[2], (start, N), block, True, N, RB)
    same, other = (0, 1) if upper else (1, 0)
    V, C, offset = v.view(np.float64), B.view(np.float64), 2 * block[0]
    x, y, z = Rv.view(np.float64), vR.view(np.float64), RB.view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        # the two parts of E^+ take the places of the products that they are made of
        one, two = n * D + m, m * D + n
        for j in range(2 * w * t):
            x[one, j] -= x[two, j]
            y[two, j] -= y[one, j]
        for p in range(start, stop):
            row = 2 * t * (p - start) - offset
            a = 2 * (max(edge[p], block[0]) if upper else block[0])
            e = 2 * (block[1] if upper else min(edge[p], block[1]))
            for b in range(D):
                in_same = in_other = 0.0
                f, g = n * D + b, m * D + b
                for q in range(a, e):
                    # F enters with a minus, for B is anti-Hermitian
                    in_same += C[b, p, q] * x[one, row + q] - V[m, p, q] * z[f, row + q] + V[n, p, q] * z[g, row + q]
                    in_other += C[b, p, q] * y[two, row + q]
                out[same, p, i, b] += in_same
                out[other, p, i, b] += in_other
