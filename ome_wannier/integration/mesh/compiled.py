"""The compiled loops behind `unseen`."""

from __future__ import annotations

import numpy as np

from ...calculators.quantity import GRAND, SURFACE
from ...common.compiled import jit

#: widths of the occupation beyond which states are full or empty
FAR = 40.0


@jit
def unseen(energies, slopes, weights, kinds, levels, resolved, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` (levels, temperatures, columns) what points may miss, one point after the other.

    energies : (nk, n). slopes : moves (nk, n, directions), and couplings (nk, n - 1, directions) of bands n and n + 1.
    weights : (nk, n, columns). kinds : (columns,), as in `OCCUPATIONS`. levels : Fermi levels, and widths of the temperatures.
    found : size and variance. Returns the largest step in units of the width.
    """
    moves, couplings = slopes
    coarsest = 0.0
    here, farthest = np.zeros_like(found[0]), np.zeros(found[0].shape[:2])
    for k in range(len(energies)):
        step = _surfaces(energies[k], moves[k], weights[k], kinds, levels, resolved, found, (here, farthest))
        coarsest = max(coarsest, step)
        _crossings(energies[k], (moves[k], couplings[k]), weights[k], kinds, levels, found)
    return coarsest


@jit
def _surfaces(energies, moves, weights, kinds, levels, resolved, found, space):  # type: ignore[no-untyped-def]
    """The same of Fermi surfaces near one point (tolerance.md eq. 7). space : zeros, and zeros again in the end."""
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
def _crossings(energies, slopes, weights, kinds, levels, found):  # type: ignore[no-untyped-def]
    """The same of pairs of bands that may nearly cross near one point (tolerance.md eq. 9)."""
    (fermi, widths), (size, variance), (moves, couplings) = levels, found, slopes
    (N, C), D, far = weights.shape, moves.shape[1], FAR * widths.max()
    below, M, q = np.zeros(C), np.zeros((3, D)), np.zeros(D)
    for n in range(N - 1):
        below += weights[n]
        low, high = energies[n], energies[n + 1]
        first, end = np.searchsorted(fermi, low - far), np.searchsorted(fermi, high + far)
        if first >= end:
            continue
        fastest = 0.0
        for d in range(D):
            M[0, d] = moves[n + 1, d] - moves[n, d]
            M[1, d], M[2, d] = 2 * couplings[n, d].real, 2 * couplings[n, d].imag
            fastest = max(fastest, M[0, d] ** 2 + M[1, d] ** 2 + M[2, d] ** 2)
        fastest = np.sqrt(fastest)
        least = _least_gap(M, high - low, q)
        if fastest == 0.0 or np.abs(q).max() > 1.0:
            continue
        alias = min(1.0, 2 * np.exp(-2 * np.pi * least / fastest))
        for t in range(len(widths)):
            w = widths[t]
            for i in range(first, end):
                x, y = (low - fermi[i]) / w, (high - fermi[i]) / w
                f, g = _filled(x), _filled(y)
                for c in range(C):
                    change = f - g
                    if kinds[c] == SURFACE:
                        change = abs(f * (1 - f) - g * (1 - g)) / w
                    elif kinds[c] == GRAND:
                        change = w * (_depth(x) - _depth(y))
                    lost = alias * abs(below[c]) * change
                    size[i, t, c] += lost
                    variance[i, t, c] += lost * lost


@jit
def _filled(x):  # type: ignore[no-untyped-def]
    """The Fermi function."""
    return 1.0 / (1.0 + np.exp(min(max(x, -FAR), FAR)))


@jit
def _depth(x):  # type: ignore[no-untyped-def]
    """The integral of the Fermi function from x on."""
    return max(-x, 0.0) + np.log1p(np.exp(-abs(x)))


@jit
def _least_gap(M, gap, q):  # type: ignore[no-untyped-def]
    """The least |(gap, 0, 0) + M q|, and where (q is filled): Gram-Schmidt, directions that add nothing have q = 0."""
    D = len(q)
    basis, R = np.zeros((3, D)), np.zeros((D, D))
    target = np.zeros(3)
    target[0] = -gap
    parts = np.zeros(D)
    for d in range(D):
        v = M[:, d].copy()
        length = np.sqrt((v * v).sum())
        for p in range(d):
            R[p, d] = (basis[:, p] * v).sum()
            v -= R[p, d] * basis[:, p]
        norm = np.sqrt((v * v).sum())
        if norm > 1e-6 * length:
            R[d, d] = norm
            basis[:, d] = v / norm
            parts[d] = (basis[:, d] * target).sum()
            target -= parts[d] * basis[:, d]
    for d in range(D - 1, -1, -1):
        q[d] = 0.0
        if R[d, d] > 0.0:
            q[d] = parts[d]
            for p in range(d + 1, D):
                q[d] -= R[d, p] * q[p]
            q[d] /= R[d, d]
    return np.sqrt((target * target).sum())
