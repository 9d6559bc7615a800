"""The compiled loop behind `unseen`."""

from __future__ import annotations

import numpy as np

from ...calculators.quantity import GRAND, SURFACE
from ...common.compiled import jit


@jit
def unseen(energies, moves, weights, kinds, levels, resolved, found):  # type: ignore[no-untyped-def]
    """Add to `size` and `variance` (levels, temperatures, columns) what points may miss (tolerance.md eq. 7).

    energies : (nk, n). moves : step and reach (nk, n). weights : (nk, n, columns). kinds : (columns,), as in `OCCUPATIONS`.
    levels : Fermi levels, and widths of the temperatures. found : size and variance. Returns the largest step in units of the
    width.
    """
    (step, reach), (fermi, widths), (size, variance) = moves, levels, found
    K, N, C = weights.shape
    here, farthest, coarsest = np.zeros_like(size), np.zeros(size.shape[:2]), 0.0
    for k in range(K):
        low, high = len(fermi), 0
        for n in range(N):
            e, d, s = energies[k, n], reach[k, n], step[k, n]
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
                        here[i, t, c] += alias * weights[k, n, c] * factor
            if n + 1 < N and energies[k, n + 1] - e < d / 10:  # nearly touching: what they add up to counts
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
