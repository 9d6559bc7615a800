"""The compiled loops behind `crossings`."""

from __future__ import annotations

import numpy as np

from ...calculators.quantity import GRAND, SURFACE
from ...common.compiled import jit

#: widths of the occupation beyond which states are full or empty
FAR = 40.0


@jit
def at_points(energies, weights, near, kinds, levels, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` what such pairs give at their points (tolerance.md eq. 9), one after the other.

    weights : (nk, n, columns). near : the point and the lower band, ascending, the largest speed and the least gap. kinds :
    (columns,), as in `OCCUPATIONS`. found : size and variance (levels, temperatures, columns).
    """
    (point, band, fastest, least), (fermi, widths), (size, variance) = near, levels, found
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
        low, high, lost_share = energies[k, n], energies[k, n + 1], _alias(least[p], fastest[p])
        for t in range(len(widths)):
            w = widths[t]
            for i in range(np.searchsorted(fermi, low - FAR * w), np.searchsorted(fermi, high + FAR * w)):
                x, y = (low - fermi[i]) / w, (high - fermi[i]) / w
                f, g = _filled(x), _filled(y)
                sea, surface, grand = f - g, abs(f * (1 - f) - g * (1 - g)) / w, w * (_depth(x) - _depth(y))
                for c in range(C):
                    change = surface if kinds[c] == SURFACE else grand if kinds[c] == GRAND else sea
                    lost = lost_share * abs(below[c]) * change
                    size[i, t, c] += lost
                    variance[i, t, c] += lost * lost


@jit
def peaks(energies, weights, places, kinds, levels, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` what is in the peaks at places of least gaps (tolerance.md eq. 10), one after the other.

    energies : (p, n). weights : (p, n, columns). places : lower band (p,), speeds (p, directions), number of points (p,).
    """
    (band, speeds, star), (fermi, widths), (size, variance) = places, levels, found
    C = weights.shape[2]
    for p in range(len(energies)):
        n = band[p]
        low, high, fastest = energies[p, n], energies[p, n + 1], speeds[p].max()
        share = _share(high - low, speeds[p])
        if share <= 0.0:
            continue
        held = share * _alias(high - low, fastest) * star[p]
        for t in range(len(widths)):
            w = widths[t]
            wide = FAR * w + fastest / 4
            for i in range(np.searchsorted(fermi, low - wide), np.searchsorted(fermi, high + wide)):
                x, y = (low - fermi[i]) / w, (high - fermi[i]) / w
                f, g = _filled(x), _filled(y)
                sea = max(f - g, _beyond(low - fermi[i], high - fermi[i], fastest))
                grand = w * (_depth(x) - _depth(y))
                for c in range(C):
                    if kinds[c] == SURFACE:  # what both have, such as the moments of a pair, does not cancel
                        height = (weights[p, n, c] * f * (1 - f) + weights[p, n + 1, c] * g * (1 - g)) / w
                    else:
                        height = weights[p, : n + 1, c].sum() * (grand if kinds[c] == GRAND else sea)
                    lost = held * abs(height)
                    size[i, t, c] += lost
                    variance[i, t, c] += lost * lost / share


@jit
def _alias(gap, speed):  # type: ignore[no-untyped-def]
    """The relative error of a sum over a row of points of what is as wide as the gap (tolerance.md eq. 9)."""
    return min(1.0, 2 * np.exp(-2 * np.pi * gap / speed))


@jit
def _share(gap, speeds):  # type: ignore[no-untyped-def]
    """The share of a cell of the mesh that a peak takes: as wide as the gap (tolerance.md eq. 10)."""
    share = 1.0
    for speed in speeds:
        share *= min(1.0, np.pi * gap / max(speed, 1e-300))
    return share


@jit
def _beyond(low, high, speed):  # type: ignore[no-untyped-def]
    """What part of a peak lies where the levels of the pair, low and high above a Fermi level, are on both sides of it.

    They are within half a step, where the gap has grown G times: 1 / G (tolerance.md eq. 11); 0 if that is farther.
    """
    gap, there = high - low, abs(low + high)
    return gap / there if gap < there < np.hypot(gap, speed / 2) else 0.0


@jit
def _filled(x):  # type: ignore[no-untyped-def]
    """The Fermi function."""
    return 1.0 / (1.0 + np.exp(min(max(x, -FAR), FAR)))


@jit
def _depth(x):  # type: ignore[no-untyped-def]
    """The integral of the Fermi function from x on."""
    return max(-x, 0.0) + np.log1p(np.exp(-abs(x)))
