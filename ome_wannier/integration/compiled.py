"""The compiled loops behind `avoided_crossings`: what changes the gap between two neighbouring bands beside a k point.

energies : (nk, n). moves : (nk, n, directions), `Bands.moves`. v : (nk, d, n, n), velocities. steps : (d, directions),
`Bands.spacing`. double : levels that differ by this share of the gap count as one.
"""

from __future__ import annotations

import numpy as np

from ..common.kernels import inner, kernel


@inner("z4 f2 i0 i0 i0 i0")
def _coupling(v, steps, k, m, n, i):  # type: ignore[no-untyped-def]
    """How far the matrix element between levels m and n moves along a direction."""
    total = 0j
    for a in range(len(steps)):
        total += v[k, a, m, n] * steps[a, i]
    return total


@inner("f2 i0 i0 f0")
def _doubles(energies, k, n, double):  # type: ignore[no-untyped-def]
    """Whether the levels below and above the gap over band n are double: 0 none, 1 the lower, 2 the upper, 3 both."""
    gap, found = energies[k, n + 1] - energies[k, n], 0
    if n > 0 and energies[k, n] - energies[k, n - 1] < double * gap:
        found += 1
    if n + 2 < energies.shape[1] and energies[k, n + 2] - energies[k, n + 1] < double * gap:
        found += 2
    return found


@kernel("f2 f3 z4 f2 f0 -> f2", lambda energies, *_: ((len(energies), energies.shape[1] - 1),))
def most(energies, moves, v, steps, double, out):  # type: ignore[no-untyped-def]
    """`avoided_crossings.most` of the rows of all pairs of neighbours, which are many: (nk, n - 1)."""
    K, N = energies.shape
    for k in range(K):
        for n in range(N - 1):
            which = _doubles(energies, k, n, double)
            times, total = 2.0 if which == 3 else 4.0, 0.0
            for i in range(steps.shape[1]):
                x = moves[k, n + 1, i] - moves[k, n, i]
                square = x * x
                for j in range(4):
                    if j & which == j:
                        c = _coupling(v, steps, k, n - j % 2, n + 1 + j // 2, i)
                        square += times * (c.real * c.real + c.imag * c.imag)
                total += np.sqrt(square)
            out[k, n] = total


@kernel("f2 f3 z4 f2 i1 i1 f0 -> F3", lambda e, m, v, steps, point, *_: ((len(point), 9, steps.shape[1]),))
def rows(energies, moves, v, steps, point, band, double, out):  # type: ignore[no-untyped-def]
    """`avoided_crossings.rows_of` of pairs of bands (p,), the lower ones given, at the points (p,): (p, 9, directions)."""
    for p in range(len(point)):
        k, n = point[p], band[p]
        which = _doubles(energies, k, n, double)
        times = np.sqrt(2.0) if which == 3 else 2.0
        for i in range(steps.shape[1]):
            out[p, 0, i] = moves[k, n + 1, i] - moves[k, n, i]
            for j in range(4):
                if j & which == j:
                    c = _coupling(v, steps, k, n - j % 2, n + 1 + j // 2, i)
                    out[p, 1 + j, i], out[p, 5 + j, i] = times * c.real, times * c.imag
