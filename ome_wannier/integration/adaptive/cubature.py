"""Cubature rules on a cell: points, weights of two degrees, and along which direction values vary most.

Two and three dimensions: Genz and Malik, J. Comput. Appl. Math. 6, 295 (1980), degrees 7 and 5 with 17 and 33 points, and their
fourth differences along each direction. One dimension: Gauss-Kronrod, 15 and 7 points. Beside the difference of both rules,
which is even, stand the odd null rules of the same nodes: degree 4, one along each direction, and degree 12 on a line (see
Berntsen and Espelid, ACM Trans. Math. Softw. 17, 233 (1991), for error estimates of several null rules).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .constants import ADAPTIVE

Array = NDArray[np.float64]


class Rule(NamedTuple):
    """A rule on the cube [-1, 1]^d.

    nodes : (m, d). high : (m,) weights, summing to 1.
    null : (rules, m) weights, zero on polynomials of lower degrees: `high` minus a rule of one, which is even, and odd ones.
    variation : (d, m), applied to values at the nodes: how strongly they vary along each direction.
    reach : no point of the cube is farther from the nearest node than this along every direction (maximum norm).
    """

    nodes: Array
    high: Array
    null: Array
    variation: Array
    reach: float


@lru_cache
def rule(dimension: int) -> Rule:
    """The rule of this number of dimensions, 1 to 3."""
    return _gauss_kronrod() if dimension == 1 else _genz_malik(dimension)


def _genz_malik(d: int) -> Rule:
    l2, l3, l5 = np.sqrt(9 / 70), np.sqrt(9 / 10), np.sqrt(9 / 19)
    unit = np.eye(d)
    inner = [s * l2 * unit[i] for i in range(d) for s in (1, -1)]
    outer = [s * l3 * unit[i] for i in range(d) for s in (1, -1)]
    pairs = [l3 * (s * unit[i] + t * unit[j]) for i, j in combinations(range(d), 2) for s in (1, -1) for t in (1, -1)]
    corners = [l5 * np.array(s) for s in product((1.0, -1.0), repeat=d)]
    nodes = np.array([np.zeros(d), *inner, *outer, *pairs, *corners])
    numbers = (1, len(inner), len(outer), len(pairs), len(corners))
    high = ((12824 - 9120 * d + 400 * d**2) / 19683, 980 / 6561, (1820 - 400 * d) / 19683, 200 / 19683, 6859 / 19683 / 2**d)
    low = ((729 - 950 * d + 50 * d**2) / 729, 245 / 486, (265 - 100 * d) / 1458, 25 / 729, 0.0)
    variation = np.zeros((d, len(nodes)))
    variation[:, 0] = -2 * (1 - 1 / 7)
    for i in range(d):
        variation[i, 1 + 2 * i : 3 + 2 * i] = 1.0
        variation[i, 1 + 2 * d + 2 * i : 3 + 2 * d + 2 * i] = -1 / 7
    a, b = (np.repeat(w, numbers) for w in (high, low))
    powers = [p for p in product(range(5), repeat=d) if sum(p) <= 4]
    null = _null_rules(a - b, np.array([np.prod(nodes ** np.array(p), axis=1) for p in powers]), ADAPTIVE.odd)
    return Rule(nodes, a, null, variation, {2: 0.35, 3: 0.48}[d])


def _gauss_kronrod() -> Rule:
    # nodes of the 15-point rule; the Kronrod weights follow from exactness on the first 15 Legendre polynomials
    gauss, weights = np.polynomial.legendre.leggauss(7)
    added = np.array([0.207784955007898467600689403773245, 0.586087235467691130294144691693640])
    added = np.append(added, [0.864864423359769072789712788640926, 0.991455371120812639206854697526329])
    x = np.sort(np.concatenate([gauss, added, -added]))
    legendre = np.polynomial.legendre.legvander(x, 14).T
    high = np.linalg.solve(legendre, np.eye(15)[0])
    low = np.zeros(15)
    low[1::2] = weights / 2
    even = high - low
    return Rule(x[:, None], high, _null_rules(even, legendre[:13], 1.0), even[None], 0.11)


def _null_rules(even: Array, polynomials: Array, share: float) -> Array:
    """A null rule (m,), and all that vanish on it and on polynomials (p, m) at the nodes, with this share of its norm."""
    norm = np.linalg.norm(even)
    _, size, basis = np.linalg.svd(np.concatenate([polynomials, even[None] / norm]))
    odd = basis[np.count_nonzero(size > 1e-10 * size[0]) :]
    return np.concatenate([even[None], share * norm * odd])
