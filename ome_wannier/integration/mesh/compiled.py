"""The compiled loops behind `unseen` and `crossings`."""

from __future__ import annotations

import numpy as np

from ...calculators.quantity import GRAND, SURFACE, THERMAL
from ...common.kernels import inner, kernel
from ..occupation.fermi import REACH, THERMAL_AREA

#: the integral of (x / (4 cosh(x / 2)^2))^2 over x, in units of THERMAL_AREA^2
THERMAL_SQUARE = (np.pi**2 - 6) / 18 / THERMAL_AREA**2


@kernel(
    "f2 f3 f3 i1 f1 f1 f0 F3 F3 -> F1 F3 F2",
    lambda energies, moves, weights, kinds, fermi, widths, resolved, size, variance: ((1,), size.shape, size.shape[:2]),
)
def unseen(energies, moves, weights, kinds, fermi, widths, resolved, size, variance, coarsest, here, farthest):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` (levels, temperatures, columns) what points may miss, one point after the other.

    energies : (nk, n). moves : (nk, n, directions). weights : (nk, n, columns). kinds : (columns,), as in `OCCUPATIONS`.
    fermi : levels. widths : of the temperatures. coarsest : the largest step in units of the width. here, farthest : zeros, and
    zeros again after each point (tolerance.md eq. 7).
    """
    (K, N, C), L, T = weights.shape, len(fermi), len(widths)
    for k in range(K):
        low, high = L, 0
        for n in range(N):
            e, d, s = energies[k, n], 0.0, 0.0
            for a in range(moves.shape[2]):
                x = moves[k, n, a]
                d, s = d + abs(x), max(s, abs(x))
            first, end = _place(fermi, e - d), _place(fermi, e + d)
            for t in range(T):
                if first >= end or s <= resolved * widths[t]:
                    continue
                low, high = min(low, first), max(high, end)
                coarsest[0] = max(coarsest[0], s / widths[t])
                x = 2 * np.pi**2 * widths[t] / s
                alias = min(2 * x / np.sinh(x), 1.0)
                alias_thermal = min(2 * np.pi * x / np.sinh(x) / THERMAL_AREA, 1.0)
                for i in range(first, end):
                    farthest[i, t] = max(farthest[i, t], d)
                    share, depth = (fermi[i] - e + d) / (2 * d), max(fermi[i] - e, 0.0)
                    below = share - (1.0 if e <= fermi[i] else 0.0)
                    for c in range(C):
                        factor = below
                        if kinds[c] == SURFACE:
                            factor = 0.5 / d
                        elif kinds[c] == GRAND:
                            factor = share * share * d - depth
                        if kinds[c] == THERMAL:
                            here[i, t, c] += alias_thermal * THERMAL_AREA * weights[k, n, c] * 0.5 / d
                        else:
                            here[i, t, c] += alias * weights[k, n, c] * factor
            if n + 1 < N and energies[k, n + 1] - e < d / 10:  # nearly touching: what they add up to counts
                continue
            for i in range(low, high):
                for t in range(T):
                    for c in range(C):
                        x = here[i, t, c]
                        size[i, t, c] += abs(x)
                        # the integral of (df/de)^2 over the energy is 1 / (6 k_B T)
                        times = 1.0
                        if kinds[c] == SURFACE:
                            times = farthest[i, t] / (3 * widths[t])
                        elif kinds[c] == THERMAL:
                            times = 2 * THERMAL_SQUARE * farthest[i, t] / widths[t]
                        variance[i, t, c] += x * x * times
                        here[i, t, c] = 0.0
                    farthest[i, t] = 0.0
            low, high = L, 0


@kernel("f2 f3 i1 i1 f1 f1 i1 f1 f1 F3 F3 -> + f1", lambda energies, weights, *_: (weights.shape[2:],))
def at_points(energies, weights, point, band, share, dip, kinds, fermi, widths, size, variance, below):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` what pairs of bands give at points near crossings (tolerance.md eq. 9), one by one.

    weights : (nk, n, columns). point, band : of pairs, the lower band, ascending. share : of the sum that is lost. dip : of it
    what is lost in a dip as wide as the gap.
    kinds : (columns,), as in `OCCUPATIONS`. size, variance : (levels, temperatures, columns).
    """
    C, last, done = weights.shape[2], -1, 0
    for p in range(len(point)):
        k, n = point[p], band[p]
        if k != last:
            for c in range(C):
                below[c] = 0.0
            last, done = k, 0
        for m in range(done, n + 1):
            for c in range(C):
                below[c] += weights[k, m, c]
        done = n + 1
        low, high = energies[k, n], energies[k, n + 1]
        for t in range(len(widths)):
            w = widths[t]
            for i in range(_place(fermi, low - REACH * w), _place(fermi, high + REACH * w)):
                x, y = (low - fermi[i]) / w, (high - fermi[i]) / w
                f, g = _filled(x), _filled(y)
                p_low, p_high = f * (1 - f) / w, g * (1 - g) / w
                sea, surface, grand = f - g, abs(p_low - p_high), w * abs(_entropy(x) - _entropy(y))
                thermal = abs(x * p_low - y * p_high)
                for c in range(C):
                    change, of_low, of_high = sea, 0.0, 0.0
                    if kinds[c] == SURFACE:
                        change, of_low, of_high = surface, p_low, p_high
                    elif kinds[c] == THERMAL:
                        change, of_low, of_high = thermal, x * p_low, y * p_high
                    elif kinds[c] == GRAND:
                        change = grand
                    lost = share[p] * abs(below[c]) * change
                    # what both have at a surface, such as the squares of opposite velocities, may vanish there
                    lost = max(lost, dip[p] * abs(weights[k, n, c] * of_low + weights[k, n + 1, c] * of_high))
                    size[i, t, c] += lost
                    variance[i, t, c] += lost * lost


@kernel("f2 f3 f2 f1 f0 i0 -> i2 i2", lambda energies, moves, change, *_: (change.shape, change.shape))
def near(energies, moves, change, fermi, wide, full, found, apart):  # type: ignore[no-untyped-def]
    """Of neighbouring bands (nk, n - 1): whether the gap may close within a step near some level of `fermi`, and whether one
    may lie so near that the two are filled differently (`avoided_crossings.told_apart`).

    change : (nk, n - 1) of the gap in a step, at most. wide : eV beyond the levels. full : whether bands below all count.
    """
    K, N = energies.shape
    for k in range(K):
        for n in range(N - 1):
            low, high, beyond = energies[k, n], energies[k, n + 1], wide + change[k, n] / 4
            gap = high - low
            for i in range(moves.shape[2]):
                low, high = low - abs(moves[k, n, i]), high + abs(moves[k, n + 1, i])
            low, high = low - beyond, high + beyond
            place = _place(fermi, low)
            between = place < len(fermi) and fermi[place] <= high
            asked = low < fermi[len(fermi) - 1] if full != 0 else between
            apart[k, n] = 1 if between else 0
            found[k, n] = 1 if asked and change[k, n] > gap else 0


@inner("f1 f0")
def _place(levels, x):  # type: ignore[no-untyped-def]
    """How many of the ascending levels are below x."""
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if levels[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@inner("f0")
def _filled(x):  # type: ignore[no-untyped-def]
    """The Fermi function."""
    return 1.0 / (1.0 + np.exp(min(max(x, -REACH), REACH)))


@inner("f0")
def _entropy(x):  # type: ignore[no-untyped-def]
    """Of a state, in units of k_B: the integral of the Fermi function from x on, without its area -x f(x)."""
    return np.log1p(np.exp(-abs(x))) + abs(x) * _filled(abs(x))
