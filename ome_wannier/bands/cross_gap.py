"""The cross-gap form of the interband response, compiled: what changes when the Fermi level passes a band
(physics.md eqs. 34 to 37).

With the bands partitioned at the Fermi level (o occupied, u empty), B_b = R_b / (e_m - e_n), and m, n the axes with
epsilon_imn = +1 (eq. 34),

    Q_ib = Re sum_ou B_b,ou { sum_u' [v_m,uu' R_n,u'o - v_n,uu' R_m,u'o]  +  sum_o' [R_n,uo' v_m,o'o - R_m,uo' v_n,o'o] }

where the first sum is the local circulation and the second the itinerant one. When band p goes from empty to occupied, Q
changes by (eqs. 35 and 36)

    a_p = Re sum_q { B_b,pq E_qp  +  v_m,pq F_n,qp - v_n,pq F_m,qp }

    E_qp   = sum_s^same [v_m,qs R_n,sp - v_n,qs R_m,sp]  +  sum_s^other [R_n,qs v_m,sp - R_m,qs v_n,sp]
    F_n,qp = sum_s^other B_b,qs R_n,sp

with s on the same side of p as q, or on the other side (p itself, and bands degenerate with it, count as the other side). The
first term is the pairs of p, the second those pairs (o, u) whose sum over intermediate bands gains or loses p. So the bands
inside the window of Fermi levels cost products of as many rows, and all that lie below are one partition.

The two circulations together are simpler (eq. 37). Outside groups v = i [e, R]; with it all that depends on the side of s
becomes

    a_ib,p = Re [B_b (v_m R_n + R_n vbar_m - v_n R_m - R_m vbar_n)]_pp
             + delta_ib Re i sum_abc epsilon_abc sum_{q > p > s} R_a,pq R_b,qs R_c,sp

the per-band form of eq. 33 (vbar is v inside groups), and an isotropic rest, for the triple products of R are antisymmetric
in all three axes. In two dimensions nothing is left of it.

The products are taken row by row, as (E^+)_pq, since rows are contiguous: Re [B_pq E_qp] = Re [B_pq conj((E^+)_pq)]. Those that
depend on a side of p are cut into panels of bands p, because a sum over s on one side of p is nothing on the other.
"""

from __future__ import annotations

import numpy as np

from ..common.compiled import SMALL, jit, product
from .compiled import response, row_product

#: bands in a panel and in a block: products of fewer rows are slower than what they leave out
PANEL = 24


@jit
def interband(v, R, e, groups, passed, pairs):  # type: ignore[no-untyped-def]
    """Weights whose sum over the bands below a Fermi level is Q, both circulations (physics.md eq. 37): (nk, n, pairs, axes).

    v, R : (nk, axes, n, n), R = -i v / (e_m - e_n). e : (nk, n) energies. pairs : (pairs, 2) axes m, n.
    groups : first, end (nk, n) of the group of each band.
    passed : below, above (nk,), bands from below[k] to above[k] may be passed by the Fermi level; both are bounds of groups.
        What lies below is the weight of band 0.
    """
    K, D, N, _ = v.shape
    (first, end), (below, above) = groups, passed
    out = np.zeros((K, N, len(pairs), D))
    both = np.zeros((2, len(pairs), D))
    space = np.empty((2, N * N), dtype=np.complex128)
    for k in range(K):
        start, stop = below[k], above[k]
        if 0 < start < N:
            both[:] = 0.0
            _partition(v[k], R[k], e[k], start, pairs, both)
            out[k, 0] += both[0] + both[1]
        if start < stop:
            _pairs_of_passed((v[k], R[k], e[k]), (first[k], end[k]), (start, stop), pairs, space, out[k])
            if D == 3 and N > 2:
                panels = _cuts(start, stop)
                for i in range(len(panels) - 1):
                    _triples_around(R[k], panels[i], panels[i + 1], space, out[k])
    return out


@jit
def _pairs_of_passed(state, group, panel, pairs, space, out):  # type: ignore[no-untyped-def]
    """Re [B_b (v_m R_n + R_n vbar_m - v_n R_m - R_m vbar_n)]_pp, p from start to stop, added to out (n, pairs, axes).

    The first term of physics.md eq. 37. state : v, R, e. group : first and end of each band's. panel : start and stop.
    """
    (v, R, e), (first, end), (start, stop) = state, group, panel
    D, N, _ = v.shape
    w = stop - start
    one, two = space[0, : w * N].reshape(w, N), space[1, : w * N].reshape(w, N)
    found, left = space[0, : w * N].view(np.float64).reshape(1, w, 2 * N), R.view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        product(R[n, start:stop], v[m], one)
        product(R[m, start:stop], v[n], two)
        for p in range(start, stop):
            for q in range(N):
                one[p - start, q] -= two[p - start, q]
            for g in range(first[p], end[p]):
                x, y = v[m, p, g], v[n, p, g]
                for q in range(N):
                    one[p - start, q] += x * R[n, g, q] - y * R[m, g, q]
            for q in range(N):  # R is zero in the group
                one[p - start, q] *= 0.0 if first[p] <= q < end[p] else 1.0 / (e[p] - e[q])
            for b in range(D):
                out[p, i, b] += row_product(left, b, p, found, 0, p - start, (0, N))


@jit
def _triples_around(R, start, stop, space, out):  # type: ignore[no-untyped-def]
    """Re i sum_abc epsilon_abc sum_{q > p > s} R_a,pq R_b,qs R_c,sp of a panel of bands p, added to out[p, i, i].

    The second term of physics.md eq. 37. Of q and s, the sum over the one with fewer bands is the product.
    """
    N = R.shape[1]
    w = stop - start
    lower = stop <= N - start
    low, high = (0, stop) if lower else (start, N)
    rows = np.zeros((2, w, high - low), dtype=np.complex128)
    one, two = space[0, : w * N].reshape(w, N), space[1, : w * N].reshape(w, N)
    for c in range(3):
        a, b = (c + 1) % 3, (c + 2) % 3
        for p in range(start, stop):
            for s in range(low, high):
                inside = s < p if lower else s > p
                rows[0, p - start, s - low] = R[a, p, s] if inside else 0.0
                rows[1, p - start, s - low] = R[b, p, s] if inside else 0.0
        product(rows[0], R[b, low:high], one)
        product(rows[1], R[a, low:high], two)
        for p in range(start, stop):
            total = 0.0
            for q in range(p + 1, N) if lower else range(p):
                z, r = one[p - start, q] - two[p - start, q], R[c, p, q]
                total += z.real * r.imag - z.imag * r.real
            for i in range(3):
                out[p, i, i] += total


@jit
def local(v, R, e, groups, passed, pairs):  # type: ignore[no-untyped-def]
    """The same for the local circulation alone; v may be any Hermitian matrices: (nk, n, pairs, axes)."""
    K, D, N, _ = v.shape
    (first, end), (below, above) = groups, passed
    out = np.zeros((K, N, len(pairs), D))
    both = np.zeros((2, len(pairs), D))
    blocks = _cuts(0, N)
    B = np.empty((D, N, N), dtype=np.complex128)
    space = np.empty((3, D, N * N), dtype=np.complex128)
    rows = np.empty((3, D, N * 2 * PANEL), dtype=np.complex128)
    products = np.empty((2, D * D, 4 * PANEL * PANEL), dtype=np.complex128)
    for k in range(K):
        if 0 < below[k] < N:
            both[:] = 0.0
            _partition(v[k], R[k], e[k], below[k], pairs, both)
            out[k, 0] += both[0]
        if below[k] < above[k]:
            response(R[k], e[k], first[k], end[k], B)
        if N <= SMALL:
            _one_by_one((v[k], R[k], B), (first[k], end[k]), (below[k], above[k]), pairs, out[k])
        elif below[k] < above[k]:
            columns = (
                _columns(v[k], blocks, space[0]),
                _columns(R[k], blocks, space[1]),
                _columns(B, blocks, space[2]),
            )
            panels = _cuts(below[k], above[k])
            for i in range(len(panels) - 1):
                ends = panels[i], panels[i + 1], first[k, panels[i]]
                _rows(v[k], R[k], first[k], ends, rows)
                for j in range(len(blocks) - 1):
                    block = blocks[j], blocks[j + 1]
                    if block[1] > ends[0]:
                        _passed_from_above(v[k], B, (rows, columns), (ends, block, end[k]), pairs, products, out[k])
                    if block[0] < ends[1]:
                        _passed_from_below(B, (rows, columns), (ends, block, first[k]), pairs, products, out[k])
    return out


def itinerant(v, R, e, groups, passed, pairs):  # type: ignore[no-untyped-def]
    """The same for the itinerant circulation alone: minus the local one with occupied and empty bands exchanged."""
    N, (first, end), (below, above) = v.shape[-1], groups, passed
    v, R = (np.ascontiguousarray(x[..., ::-1, ::-1]) for x in (v, R))
    e, first, end = (np.ascontiguousarray(x[:, ::-1]) for x in (e, N - end, N - first))
    found = local(v, R, e, (first, end), (N - above, N - below), pairs)[:, ::-1]
    band = np.arange(N)
    out = np.where(((band >= below[:, None]) & (band < above[:, None]))[:, :, None, None], found, 0.0)
    out[:, 0] -= found.sum(axis=1)  # the exchanged Q of all bands that are empty when the Fermi level is below the window
    return out


@jit
def _one_by_one(state, group, panel, pairs, out):  # type: ignore[no-untyped-def]
    """Local part of a_p of the bands of a panel, term by term, added to out (n, pairs, axes): for few bands.

    physics.md eqs. 35 and 36. state : v, R, B.
    """
    (v, R, B), (first, end), (below, above) = state, group, panel
    D, N, _ = v.shape
    for p in range(below, above):
        for i in range(len(pairs)):
            m, n = pairs[i]
            for q in range(first[p]):
                E = 0j
                for s in range(first[p], N):
                    E += R[n, q, s] * v[m, s, p] - R[m, q, s] * v[n, s, p]
                for b in range(D):
                    out[p, i, b] += (B[b, p, q] * E).real
            for q in range(end[p], N):
                E = 0j
                for s in range(end[p], N):
                    E += v[m, q, s] * R[n, s, p] - v[n, q, s] * R[m, s, p]
                for b in range(D):
                    F_n = F_m = 0j
                    for s in range(first[p]):
                        F_n += B[b, q, s] * R[n, s, p]
                        F_m += B[b, q, s] * R[m, s, p]
                    out[p, i, b] += (B[b, p, q] * E + v[m, p, q] * F_n - v[n, p, q] * F_m).real


@jit
def _cuts(start, stop):  # type: ignore[no-untyped-def]
    """Bounds of equal parts of the bands from start to stop, of PANEL to 2 PANEL bands (fewer if there are no more)."""
    parts = max(1, (stop - start) // PANEL)
    return np.array([start + (stop - start) * i // parts for i in range(parts + 1)])


@jit
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


@jit
def _partition(v, R, e, o, pairs, out):  # type: ignore[no-untyped-def]
    """Q (physics.md eq. 34) of the lowest o bands occupied, local and itinerant, added to out (2, pairs, axes)."""
    D, N, _ = v.shape
    u = N - o
    # blocks in one piece each, for BLAS
    R_ou = np.empty((D, o, u), dtype=np.complex128)
    v_oo, v_uu = np.empty((D, o, o), dtype=np.complex128), np.empty((D, u, u), dtype=np.complex128)
    for a in range(D):
        R_ou[a], v_oo[a], v_uu[a] = R[a, :o, o:], v[a, :o, :o], v[a, o:, o:]
    found = np.empty((4, o, u), dtype=np.complex128)
    left, right = R_ou.view(np.float64), found.view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        product(R_ou[n], v_uu[m], found[0])
        product(R_ou[m], v_uu[n], found[1])
        product(v_oo[m], R_ou[n], found[2])
        product(v_oo[n], R_ou[m], found[3])
        for p in range(o):
            for q in range(u):
                inverse = 1.0 / (e[p] - e[o + q])
                found[0, p, q] = inverse * (found[0, p, q] - found[1, p, q])
                found[2, p, q] = inverse * (found[2, p, q] - found[3, p, q])
            for b in range(D):
                for part in range(2):
                    out[part, i, b] += row_product(left, b, p, right, 2 * part, p, (0, u))


@jit
def _rows(v, R, first, ends, out):  # type: ignore[no-untyped-def]
    """Rows p of a panel, each (w, as many s as the sum runs over) in one piece.

    0: R_ps above p. 1: R_ps below p. 2: v_ps but for the bands below p's group.
    """
    D, N, _ = v.shape
    start, stop, low = ends
    w = stop - start
    for a in range(D):
        above, below = out[0, a, : w * (N - start)].reshape(w, N - start), out[1, a, : w * stop].reshape(w, stop)
        since = out[2, a, : w * (N - low)].reshape(w, N - low)
        for p in range(start, stop):
            for s in range(start, N):
                above[p - start, s - start] = R[a, p, s] if s > p else 0.0
            for s in range(stop):
                below[p - start, s] = R[a, p, s] if s < p else 0.0
            for s in range(low, N):
                since[p - start, s - low] = v[a, p, s] if s >= first[p] else 0.0


@jit
def _products(rows, columns, ends, block, same, shape, out):  # type: ignore[no-untyped-def]
    """rows[a] @ columns[b] summed over s from ends[0] to ends[1], for axes a == b or not: out[a * D + b] as (w, block).

    shape : rows in the panel, and bands.
    """
    D, (w, N) = len(rows), shape
    start, stop = ends
    t = block[1] - block[0]
    for a in range(D):
        left = rows[a, : w * (stop - start)].reshape(w, stop - start)
        for b in range(D):
            if same or a != b:
                right = columns[b, N * block[0] : N * block[1]].reshape(N, t)[start:stop]
                product(left, right, out[a * D + b, : w * t].reshape(w, t))


@jit
def _passed_from_above(v, B, sides, place, pairs, products, out):  # type: ignore[no-untyped-def]
    """The local terms of a_p with q in a block, above the end of p's group.

    place : ends of the panel, block, edges of groups.
    """
    (rows, columns), (ends, block, edge) = sides, place
    D, N, _ = v.shape
    start, stop, _ = ends
    w, t = stop - start, block[1] - block[0]
    _products(rows[0], columns[0], (start, N), block, False, (w, N), products[0])
    _products(rows[1], columns[2], (0, stop), block, True, (w, N), products[1])
    V, C, offset = v.view(np.float64), B.view(np.float64), 2 * block[0]
    Rv, RB = products[0].view(np.float64), products[1].view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        one, two = n * D + m, m * D + n
        for j in range(2 * w * t):  # E^+ takes the place of one of the products that it is made of
            Rv[one, j] -= Rv[two, j]
        for p in range(start, stop):
            row = 2 * t * (p - start) - offset
            for b in range(D):
                total = 0.0
                f, g = n * D + b, m * D + b
                for q in range(2 * max(edge[p], block[0]), 2 * block[1]):
                    # F enters with a minus, for B is anti-Hermitian
                    total += C[b, p, q] * Rv[one, row + q] - V[m, p, q] * RB[f, row + q] + V[n, p, q] * RB[g, row + q]
                out[p, i, b] += total


@jit
def _passed_from_below(B, sides, place, pairs, products, out):  # type: ignore[no-untyped-def]
    """The local terms of a_p with q in a block, below the first band of p's group; place as above."""
    (rows, columns), (ends, block, edge) = sides, place
    D, N, _ = B.shape
    start, stop, low = ends
    w, t = stop - start, block[1] - block[0]
    _products(rows[2], columns[1], (low, N), block, False, (w, N), products[0])
    C, offset = B.view(np.float64), 2 * block[0]
    vR = products[0].view(np.float64)
    for i in range(len(pairs)):
        m, n = pairs[i]
        one, two = n * D + m, m * D + n
        for j in range(2 * w * t):
            vR[two, j] -= vR[one, j]
        for p in range(start, stop):
            row = 2 * t * (p - start) - offset
            for b in range(D):
                total = 0.0
                for q in range(2 * block[0], 2 * min(edge[p], block[1])):
                    total += C[b, p, q] * vR[two, row + q]
                out[p, i, b] += total
