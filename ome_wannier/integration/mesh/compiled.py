"""The compiled loops behind `unseen` and `crossings`."""

from __future__ import annotations

import numpy as np

from ...calculators.quantity import GRAND, SURFACE
from ...common.compiled import jit
from ..occupation.fermi import REACH


@jit
def unseen(energies, moves, weights, kinds, levels, resolved, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` (levels, temperatures, columns) what points may miss, one point after the other.

    energies : (nk, n). moves : (nk, n, directions). weights : (nk, n, columns). kinds : (columns,), as in `OCCUPATIONS`.
    levels : Fermi levels, and widths of the temperatures. found : size and variance. Returns the largest step in units of the
    width.
    """
    coarsest = 0.0
    here, farthest = np.zeros_like(found[0]), np.zeros(found[0].shape[:2])
    for k in range(len(energies)):
        step = _surfaces(energies[k], moves[k], weights[k], kinds, levels, resolved, found, (here, farthest))
        coarsest = max(coarsest, step)
    return coarsest


@jit
def _surfaces(energies, moves, weights, kinds, levels, resolved, found, space):  # type: ignore[no-untyped-def]
    """The same of one point (tolerance.md eq. 7). space : zeros, and zeros again in the end."""
    (fermi, widths), (size, variance), (here, farthest) = levels, found, space
    (N, C), low, high, coarsest = weights.shape, len(fermi), 0, 0.0
    for n in range(N):
        e, d, s = energies[n], 0.0, 0.0
        for x in moves[n]:
            d, s = d + abs(x), max(s, abs(x))
        first, end = np.searchsorted(fermi, e - d), np.searchsorted(fermi, e + d)
        for t in range(len(widths)):
            if first >= end or s <= resolved * widths[t]:
                continue
            low, high = min(low, first), max(high, end)
            coarsest = max(coarsest, s / widths[t])
            x = 2 * np.pi**2 * widths[t] / s
            alias = min(2 * x / np.sinh(x), 1.0)
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
                    here[i, t, c] += alias * weights[n, c] * factor
        if n + 1 < N and energies[n + 1] - e < d / 10:  # nearly touching: what they add up to counts
            continue
        for i in range(low, high):
            for t in range(len(widths)):
                for c in range(C):
                    x = here[i, t, c]
                    size[i, t, c] += abs(x)
                    # the integral of (df/de)^2 over the energy is 1 / (6 k_B T)
                    variance[i, t, c] += x * x * (farthest[i, t] / (3 * widths[t]) if kinds[c] == SURFACE else 1.0)
                    here[i, t, c] = 0.0
                farthest[i, t] = 0.0
        low, high = len(fermi), 0
    return coarsest


@jit
def at_points(energies, weights, near, kinds, levels, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` what pairs of bands give at points near crossings (tolerance.md eq. 9), one by one.

    weights : (nk, n, columns). near : the point and the lower band, ascending, the share of the sum that is lost, and of it
    what is lost in a dip as wide as the gap.
    kinds : (columns,), as in `OCCUPATIONS`. found : size and variance (levels, temperatures, columns).
    """
    (point, band, share, dip), (fermi, widths), (size, variance) = near, levels, found
    C = weights.shape[2]
    below, last, done = np.zeros(C), -1, 0
    for p in range(len(point)):
        k, n = point[p], band[p]
        if k != last:
            below[:] = 0.0
            last, done = k, 0
        for m in range(done, n + 1):
            below += weights[k, m]
        done = n + 1
        low, high = energies[k, n], energies[k, n + 1]
        for t in range(len(widths)):
            w = widths[t]
            for i in range(np.searchsorted(fermi, low - REACH * w), np.searchsorted(fermi, high + REACH * w)):
                x, y = (low - fermi[i]) / w, (high - fermi[i]) / w
                f, g = _filled(x), _filled(y)
                p_low, p_high = f * (1 - f) / w, g * (1 - g) / w
                sea, surface, grand = f - g, abs(p_low - p_high), w * abs(_entropy(x) - _entropy(y))
                for c in range(C):
                    change = surface if kinds[c] == SURFACE else grand if kinds[c] == GRAND else sea
                    lost = share[p] * abs(below[c]) * change
                    if kinds[c] == SURFACE:  # what both have, such as the squares of opposite velocities, may vanish there
                        lost = max(lost, dip[p] * abs(weights[k, n, c] * p_low + weights[k, n + 1, c] * p_high))
                    size[i, t, c] += lost
                    variance[i, t, c] += lost * lost


@jit
def _filled(x):  # type: ignore[no-untyped-def]
    """The Fermi function."""
    return 1.0 / (1.0 + np.exp(min(max(x, -REACH), REACH)))


@jit
def _entropy(x):  # type: ignore[no-untyped-def]
    """Of a state, in units of k_B: the integral of the Fermi function from x on, without its area -x f(x)."""
    return np.log1p(np.exp(-abs(x))) + abs(x) * _filled(abs(x))
