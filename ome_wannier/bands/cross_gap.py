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

from typing import Any

import numpy as np

from ..common.compiled import SMALL, as_real, block_product, row_product
from ..common.kernels import Shape, inner, kernel
from .compiled import response

#: bands in a panel and in a block: products of fewer rows are slower than what they leave out
PANEL = 24


@kernel(
    "z4 z4 f2 i2 i2 i1 i1 i2 -> F4 + f3 z3",
    lambda v, R, e, first, end, below, above, pairs: (
        (*e.shape, len(pairs), v.shape[1]),
        (2, len(pairs), v.shape[1]),
        (4, *v.shape[2:]),
    ),
)
def interband(v, R, e, first, end, below, above, pairs, out, both, space):  # type: ignore[no-untyped-def]
    """Weights whose sum over the bands below a Fermi level is Q, both circulations (physics.md eq. 37): (nk, n, pairs, axes).

    v, R : (nk, axes, n, n), R = -i v / (e_m - e_n). e : (nk, n) energies. pairs : (pairs, 2) axes m, n.
    first, end : (nk, n) of the group of each band.
    below, above : (nk,), bands from below[k] to above[k] may be passed by the Fermi level; both are bounds of groups.
        What lies below is the weight of band 0.
    """
    K, D, N, _ = v.shape
    for k in range(K):
        start, stop = below[k], above[k]
        if 0 < start < N:
            _partition(v[k], R[k], e[k], start, pairs, both, space)
            for i in range(len(pairs)):
                for b in range(D):
                    out[k, 0, i, b] += both[0, i, b] + both[1, i, b]
        if start < stop:
            if N <= SMALL:
                _few_pairs_of_passed(k, v, R, e, first, end, start, stop, pairs, out)
            else:
                _pairs_of_passed(v[k], R[k], e[k], first[k], end[k], start, stop, pairs, space, out[k])
            if D == 3 and N > 2:
                parts = _parts(start, stop)
                for i in range(parts):
                    _triples_around(R[k], _cut(start, stop, parts, i), _cut(start, stop, parts, i + 1), space, out[k])


@inner("z3 z3 f1 i1 i1 i0 i0 i2 z3 f3")
def _pairs_of_passed(v, R, e, first, end, start, stop, pairs, space, out):  # type: ignore[no-untyped-def]
    """Re [B_b (v_m R_n + R_n vbar_m - v_n R_m - R_m vbar_n)]_pp, p from start to stop, added to out (n, pairs, axes).

    The first term of physics.md eq. 37. first, end : of the group of each band.
    """
    D, N, _ = v.shape
    w = stop - start
    one, two = space[0], space[1]
    found, left = as_real(space), as_real(R)
    for i in range(len(pairs)):
        m, n = pairs[i, 0], pairs[i, 1]
        block_product(w, N, N, R[n], start, 0, v[m], 0, 0, one, 0)
        block_product(w, N, N, R[m], start, 0, v[n], 0, 0, two, 0)
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
                out[p, i, b] += row_product(left, b, p, found, 0, p - start, 0, N)


@inner("i0 z4 z4 f2 i2 i2 i0 i0 i2 f4")
def _few_pairs_of_passed(k, v, R, e, first, end, start, stop, pairs, out):  # type: ignore[no-untyped-def]
    """The same at one k, term by term: for few bands."""
    D, N = v.shape[1], v.shape[2]
    for i in range(len(pairs)):
        m, n = pairs[i, 0], pairs[i, 1]
        for p in range(start, stop):
            for q in range(N):
                if first[k, p] <= q < end[k, p]:
                    continue
                x = 0j
                for s in range(N):
                    x += R[k, n, p, s] * v[k, m, s, q] - R[k, m, p, s] * v[k, n, s, q]
                for g in range(first[k, p], end[k, p]):
                    x += v[k, m, p, g] * R[k, n, g, q] - v[k, n, p, g] * R[k, m, g, q]
                inverse = 1.0 / (e[k, p] - e[k, q])
                for b in range(D):
                    y = R[k, b, p, q]
                    out[k, p, i, b] += inverse * (y.real * x.real + y.imag * x.imag)


@inner("z3 i0 i0 z3 f3")
def _triples_around(R, start, stop, space, out):  # type: ignore[no-untyped-def]
    """Re i sum_abc epsilon_abc sum_{q > p > s} R_a,pq R_b,qs R_c,sp of a panel of bands p, added to out[p, i, i].

    The second term of physics.md eq. 37. Of q and s, the sum over the one with fewer bands is the product.
    """
    N = R.shape[1]
    w = stop - start
    lower = stop <= N - start
    low, high = (0, stop) if lower else (start, N)
    one, two = space[0], space[1]
    for c in range(3):
        a, b = (c + 1) % 3, (c + 2) % 3
        for p in range(start, stop):
            for s in range(low, high):
                inside = s < p if lower else s > p
                space[2, p - start, s] = R[a, p, s] if inside else 0.0
                space[3, p - start, s] = R[b, p, s] if inside else 0.0
        block_product(w, high - low, N, space[2], 0, low, R[b], low, 0, one, 0)
        block_product(w, high - low, N, space[3], 0, low, R[a], low, 0, two, 0)
        for p in range(start, stop):
            total = 0.0
            for q in range(p + 1 if lower else 0, N if lower else p):
                z, r = one[p - start, q] - two[p - start, q], R[c, p, q]
                total += z.real * r.imag - z.imag * r.real
            for i in range(3):
                out[p, i, i] += total


def _local_shapes(v: Any, R: Any, e: Any, first: Any, end: Any, below: Any, above: Any, pairs: Any) -> tuple[Shape, ...]:
    """Of `local`: rows and columns of a panel are fewer than 2 PANEL."""
    D, N = v.shape[1:3]
    W = min(N, 2 * PANEL)
    return (*e.shape, len(pairs), D), (2, len(pairs), D), (D, N, N), (4, N, N), (3, D, W, N), (2, D * D, W, W)


@kernel("z4 z4 f2 i2 i2 i1 i1 i2 -> F4 + f3 z3 z3 z4 z4", _local_shapes)
def local(v, R, e, first, end, below, above, pairs, out, both, B, space, rows, products):  # type: ignore[no-untyped-def]
    """The same for the local circulation alone; v may be any Hermitian matrices: (nk, n, pairs, axes)."""
    K, D, N, _ = v.shape
    blocks = _parts(0, N)
    for k in range(K):
        low, high = below[k], above[k]
        if 0 < low < N:
            _partition(v[k], R[k], e[k], low, pairs, both, space)
            for i in range(len(pairs)):
                for b in range(D):
                    out[k, 0, i, b] += both[0, i, b]
        if low >= high:
            continue
        response(R[k], e[k], first[k], end[k], B)
        if N <= SMALL:
            _one_by_one(k, v, R, B, first, end, low, high, pairs, out)
            continue
        panels = _parts(low, high)
        for i in range(panels):
            start, stop = _cut(low, high, panels, i), _cut(low, high, panels, i + 1)
            since = first[k, start]
            _rows(v[k], R[k], first[k], start, stop, since, rows)
            for j in range(blocks):
                left, right = _cut(0, N, blocks, j), _cut(0, N, blocks, j + 1)
                if right > start:
                    _products(rows[0], v[k], start, N, stop - start, left, right, 0, products[0])
                    _products(rows[1], B, 0, stop, stop - start, left, right, 1, products[1])
                    _passed_from_above(v[k], B, start, stop, left, right, end[k], pairs, products, out[k])
                if left < stop:
                    _products(rows[2], R[k], since, N, stop - start, left, right, 0, products[0])
                    _passed_from_below(B, start, stop, left, right, first[k], pairs, products, out[k])


def itinerant(v, R, e, groups, passed, pairs):  # type: ignore[no-untyped-def]
    """The same for the itinerant circulation alone: minus the local one with occupied and empty bands exchanged."""
    N, (first, end), (below, above) = v.shape[-1], groups, passed
    v, R = (np.ascontiguousarray(x[..., ::-1, ::-1]) for x in (v, R))
    e, first, end = (np.ascontiguousarray(x[:, ::-1]) for x in (e, N - end, N - first))
    found = local(v, R, e, first, end, N - above, N - below, pairs)[:, ::-1]
    band = np.arange(N)
    out = np.where(((band >= below[:, None]) & (band < above[:, None]))[:, :, None, None], found, 0.0)
    out[:, 0] -= found.sum(axis=1)  # the exchanged Q of all bands that are empty when the Fermi level is below the window
    return out


@inner("i0 z4 z4 z3 i2 i2 i0 i0 i2 f4")
def _one_by_one(k, v, R, B, first, end, start, stop, pairs, out):  # type: ignore[no-untyped-def]
    """Local part of a_p of the bands of a panel, term by term, added to out (nk, n, pairs, axes): for few bands.

    physics.md eqs. 35 and 36.
    """
    D, N, _ = B.shape
    for p in range(start, stop):
        for i in range(len(pairs)):
            m, n = pairs[i, 0], pairs[i, 1]
            for q in range(first[k, p]):
                E = 0j
                for s in range(first[k, p], N):
                    E += R[k, n, q, s] * v[k, m, s, p] - R[k, m, q, s] * v[k, n, s, p]
                for b in range(D):
                    out[k, p, i, b] += (B[b, p, q] * E).real
            for q in range(end[k, p], N):
                E = 0j
                for s in range(end[k, p], N):
                    E += v[k, m, q, s] * R[k, n, s, p] - v[k, n, q, s] * R[k, m, s, p]
                for b in range(D):
                    F_n = F_m = 0j
                    for s in range(first[k, p]):
                        F_n += B[b, q, s] * R[k, n, s, p]
                        F_m += B[b, q, s] * R[k, m, s, p]
                    out[k, p, i, b] += (B[b, p, q] * E + v[k, m, p, q] * F_n - v[k, n, p, q] * F_m).real


@inner("i0 i0")
def _parts(start, stop):  # type: ignore[no-untyped-def]
    """How many parts of PANEL to 2 PANEL bands (one of fewer if there are no more) there are from start to stop."""
    return max(1, (stop - start) // PANEL)


@inner("i0 i0 i0 i0")
def _cut(start, stop, parts, i):  # type: ignore[no-untyped-def]
    """The first band of the i-th of equal parts."""
    return start + (stop - start) * i // parts


@inner("z3 z3 f1 i0 i2 f3 z3")
def _partition(v, R, e, o, pairs, out, found):  # type: ignore[no-untyped-def]
    """Q (physics.md eq. 34) of the lowest o bands occupied, local and itinerant: out (2, pairs, axes). found : space."""
    D, N, _ = v.shape
    u = N - o
    left, right = as_real(R), as_real(found)
    for i in range(len(pairs)):
        m, n = pairs[i, 0], pairs[i, 1]
        block_product(o, u, u, R[n], 0, o, v[m], o, o, found[0], o)
        block_product(o, u, u, R[m], 0, o, v[n], o, o, found[1], o)
        block_product(o, o, u, v[m], 0, 0, R[n], 0, o, found[2], o)
        block_product(o, o, u, v[n], 0, 0, R[m], 0, o, found[3], o)
        for part in range(2):
            for b in range(D):
                out[part, i, b] = 0.0
        for p in range(o):
            for q in range(o, N):
                inverse = 1.0 / (e[p] - e[q])
                found[0, p, q] = inverse * (found[0, p, q] - found[1, p, q])
                found[2, p, q] = inverse * (found[2, p, q] - found[3, p, q])
            for b in range(D):
                for part in range(2):
                    out[part, i, b] += row_product(left, b, p, right, 2 * part, p, o, N)


@inner("z3 z3 i1 i0 i0 i0 z4")
def _rows(v, R, first, start, stop, low, out):  # type: ignore[no-untyped-def]
    """Rows p of a panel, as far as sums over s run.

    0: R_ps above p. 1: R_ps below p. 2: v_ps but for the bands below p's group.
    """
    D, N, _ = v.shape
    for a in range(D):
        for p in range(start, stop):
            for s in range(start, N):
                out[0, a, p - start, s] = R[a, p, s] if s > p else 0.0
            for s in range(stop):
                out[1, a, p - start, s] = R[a, p, s] if s < p else 0.0
            for s in range(low, N):
                out[2, a, p - start, s] = v[a, p, s] if s >= first[p] else 0.0


@inner("z3 z3 i0 i0 i0 i0 i0 i0 z3")
def _products(rows, X, start, stop, w, left, right, same, out):  # type: ignore[no-untyped-def]
    """out[a * D + b] = rows[a] @ X[b] summed over s from start to stop, columns left to right; a == b too if same is 1."""
    D = len(X)
    for a in range(D):
        for b in range(D):
            if same == 1 or a != b:
                block_product(w, stop - start, right - left, rows[a], 0, start, X[b], start, left, out[a * D + b], 0)


@inner("z3 z3 i0 i0 i0 i0 i1 i2 z4 f3")
def _passed_from_above(v, B, start, stop, left, right, edge, pairs, products, out):  # type: ignore[no-untyped-def]
    """The local terms of a_p with q from left to right, above the end (edge) of p's group."""
    D, w, t = len(v), stop - start, right - left
    V, C = as_real(v), as_real(B)
    Rv, RB = as_real(products[0]), as_real(products[1])
    for i in range(len(pairs)):
        m, n = pairs[i, 0], pairs[i, 1]
        one, two = n * D + m, m * D + n
        for p in range(w):
            for q in range(2 * t):  # E^+ takes the place of one of the products that it is made of
                Rv[one, p, q] -= Rv[two, p, q]
        for p in range(start, stop):
            for b in range(D):
                total = 0.0
                f, g = n * D + b, m * D + b
                for q in range(2 * max(edge[p], left), 2 * right):
                    # F enters with a minus, for B is anti-Hermitian
                    x, y = RB[f, p - start, q - 2 * left], RB[g, p - start, q - 2 * left]
                    total += C[b, p, q] * Rv[one, p - start, q - 2 * left] - V[m, p, q] * x + V[n, p, q] * y
                out[p, i, b] += total


@inner("z3 i0 i0 i0 i0 i1 i2 z4 f3")
def _passed_from_below(B, start, stop, left, right, edge, pairs, products, out):  # type: ignore[no-untyped-def]
    """The local terms of a_p with q from left to right, below the first band (edge) of p's group."""
    D, w, t = len(B), stop - start, right - left
    C, vR = as_real(B), as_real(products[0])
    for i in range(len(pairs)):
        m, n = pairs[i, 0], pairs[i, 1]
        one, two = n * D + m, m * D + n
        for p in range(w):
            for q in range(2 * t):
                vR[two, p, q] -= vR[one, p, q]
        for p in range(start, stop):
            for b in range(D):
                total = 0.0
                for q in range(2 * left, 2 * min(edge[p], right)):
                    total += C[b, p, q] * vR[two, p - start, q - 2 * left]
                out[p, i, b] += total
