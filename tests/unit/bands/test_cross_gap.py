"""The compiled weights of the cross-gap form against its definition, for random matrices: windows, degenerate groups."""

from __future__ import annotations

import numpy as np
import pytest

from ome_wannier.bands import compiled as kernels
from ome_wannier.bands import cross_gap as crossgap

PAIRS = {2: [(0, 1)], 3: [(1, 2), (2, 0), (0, 1)]}


def matrices(n, axes, multiplets):
    """v, R, energies and groups of levels of random Hermitian velocities, three points."""
    rng = np.random.default_rng(n)
    energies = np.sort(rng.uniform(-3.0, 3.0, (3, n)), axis=1)
    if multiplets:  # pairs and threes
        energies = np.sort(energies[:, (np.arange(n) * 3 // 7) * 7 // 3])
    first, end = kernels.groups(energies, 1e-5)
    v = rng.normal(size=(2, 3, axes, n, n))
    v = v[0] + 1j * v[1]
    v = np.ascontiguousarray(v + np.conj(np.swapaxes(v, -1, -2)))
    return v, kernels.connections(energies, first, end, v), energies, first, end


def definition(v, R, B, o, pairs):
    """Q of the lowest o bands occupied, local and itinerant, (2, pairs, axes): the double sums as they are written."""
    vuu, voo, Ruo, Bou = v[:, o:, o:], v[:, :o, :o], R[:, o:, :o], B[:, :o, o:]
    local = np.einsum("bxy,myz,nzx->mnb", Bou, vuu, Ruo).real
    itinerant = np.einsum("bxy,nyz,mzx->mnb", Bou, Ruo, voo).real
    return np.array([[x[m, n] - x[n, m] for m, n in pairs] for x in (local, itinerant)])


@pytest.mark.parametrize("multiplets", [False, True])
@pytest.mark.parametrize(("n", "window"), [(2, (0, 2)), (5, (1, 4)), (9, (0, 9)), (30, (3, 6)), (60, (0, 60)), (60, (40, 59))])
@pytest.mark.parametrize("axes", [2, 3])
def test_sums_of_the_weights_are_the_definition_at_every_partition_in_the_window(axes, n, window, multiplets):
    v, R, e, first, end = matrices(n, axes, multiplets)
    B = kernels.responses(e, first, end, R)
    pairs = np.array(PAIRS[axes])
    below, above = first[:, window[0]].copy(), end[:, window[1] - 1].copy()
    arguments = v, R, e, (first, end), (below, above), pairs
    found = [getattr(crossgap, name)(*arguments) for name in ("local", "itinerant", "interband")]
    for k in range(len(v)):
        for o in {below[k], *end[k, below[k] : above[k]]} - {0}:
            local, itinerant = definition(v[k], R[k], B[k], o, pairs)
            # what was added up: rounding is relative to the largest product of a band, times bands and intermediate bands
            size = n**2 * np.abs(B[k]).max() * np.abs(v[k]).max() * np.abs(R[k]).max()
            for weights, expected in zip(found, (local, itinerant, local + itinerant), strict=True):
                total = weights[k, :o].sum(axis=0)  # what lies below the window is the weight of band 0
                np.testing.assert_allclose(total, expected, rtol=0, atol=1e-15 * size)


def test_without_the_triples_the_isotropic_part_is_missing():
    """The per-band form of physics.md section 4 is the cross-gap form but for a multiple of the unit matrix."""
    n, pairs = 7, np.array(PAIRS[3])
    v, R, e, first, end = matrices(n, 3, False)
    B = kernels.responses(e, first, end, R)
    weights = crossgap.interband(v, R, e, (first, end), (first[:, 0], end[:, -1]), pairs)
    slope = np.einsum("kann->kan", v)
    for i, (m, q) in enumerate(PAIRS[3]):
        X = v[:, m] @ R[:, q] + R[:, q] * slope[:, m, None, :] - v[:, q] @ R[:, m] - R[:, m] * slope[:, q, None, :]
        rest = weights[:, :, i] - np.einsum("kbnp,kpn->knb", B, X).real
        assert np.abs(np.delete(rest, i, axis=2)).max() < 1e-12 * np.abs(weights).max()
        assert np.abs(rest[:, :, i]).max() > 1e-3 * np.abs(weights).max()
