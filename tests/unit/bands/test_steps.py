"""What the step to the next point of a mesh changes, compiled, against the same in numpy."""

from types import SimpleNamespace

import numpy as np
import pytest

from ome_wannier.bands import compiled
from ome_wannier.integration import avoided_crossings
from ome_wannier.integration.mesh.compiled import near


def some(n, directions, seed=0):
    """Energies (nk, n), some of them close, velocities (nk, axes, n, n) and steps (axes, directions)."""
    rng = np.random.default_rng(seed)
    energies = np.sort(rng.normal(size=(40, n)), axis=1)
    energies[::3] = np.sort(np.round(energies[::3], 1), axis=1)
    v = rng.normal(size=(40, 3, n, n)) + 1j * rng.normal(size=(40, 3, n, n))
    return energies, v + np.conj(v.swapaxes(2, 3)), rng.normal(size=(3, directions))


def rows_in_numpy(energies, v, steps):
    """The rows of all pairs (nk, n - 1, 9, directions), of sums over the axes of velocities times steps."""
    moved, n = np.einsum("kamn,ai->kmni", v, steps), energies.shape[1]
    out = np.zeros((len(energies), n - 1, 9, steps.shape[1]))
    for k, m in np.ndindex(len(energies), n - 1):
        gap = energies[k, m + 1] - energies[k, m]
        lower = m > 0 and energies[k, m] - energies[k, m - 1] < avoided_crossings.DOUBLE * gap
        upper = m + 2 < n and energies[k, m + 2] - energies[k, m + 1] < avoided_crossings.DOUBLE * gap
        times = np.sqrt(2) if lower and upper else 2
        out[k, m, 0] = (moved[k, m + 1, m + 1] - moved[k, m, m]).real
        counted = {0: (m, m + 1)} | ({1: (m - 1, m + 1)} if lower else {}) | ({2: (m, m + 2)} if upper else {})
        for j, pair in (counted | ({3: (m - 1, m + 2)} if lower and upper else {})).items():
            c = times * moved[(k, *pair)]
            out[k, m, 1 + j], out[k, m, 5 + j] = c.real, c.imag
    return out


def as_bands(energies, v, steps):
    return SimpleNamespace(energies=energies, moves=compiled.moves(v, steps), velocities=v, spacing=steps)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("directions", [0, 1, 3])
def test_moves(n, directions):
    """Sums over the axes of velocities times steps, of the levels."""
    _, v, steps = some(n, directions)
    wanted = np.einsum("kann,ai->kni", v, steps).real
    assert np.allclose(compiled.moves(v, steps), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("directions", [0, 1, 3])
def test_rows(n, directions):
    """Of all pairs, of single ones in any order and more than once, and the bound that they give."""
    energies, v, steps = some(n, directions)
    bands, wanted = as_bands(energies, v, steps), rows_in_numpy(energies, v, steps)
    assert np.allclose(avoided_crossings.all_rows(bands), wanted, rtol=1e-12, atol=1e-12)
    assert np.allclose(avoided_crossings.most_of(bands), avoided_crossings.most(wanted), rtol=1e-12)
    if n > 1:
        rng = np.random.default_rng(1)
        point, band = rng.integers(0, 40, 300), rng.integers(0, n - 1, 300)
        found = avoided_crossings.rows_of(bands, point, band)
        assert np.allclose(found, wanted[point, band], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("fermi", [[0.0], [-0.5, 0.1, 0.6], [5.0], [-30.0, -20.0]])
def test_near(n, fermi, full):
    """Gaps that may close in a step near a level, and pairs that may be filled differently: told in numpy."""
    energies, v, steps = some(n, 2)
    moves, fermi = 0.1 * compiled.moves(v, steps), np.array(fermi)
    change = 0.2 * avoided_crossings.most(rows_in_numpy(energies, v, steps))
    found, apart = near(energies, moves, change, fermi, 0.05, int(full))
    reach = np.abs(moves).sum(axis=2)
    between = avoided_crossings.told_apart(fermi, energies, reach, 0.05 + change / 4)
    asked = energies[:, :-1] - reach[:, :-1] - 0.05 - change / 4 < fermi[-1] if full else between
    assert np.array_equal(apart > 0, between)
    assert np.array_equal(found > 0, (change > np.diff(energies)) & asked)


@pytest.mark.parametrize("window", [(-np.inf, np.inf), (-0.4, 0.3), (2.0, 9.0), (-9.0, -2.0), (0.0, 0.0)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_passed(window, n):
    """Bands between the first that reaches up to the window or has one below it that does, and the last that reaches down to it
    or has one above that does, whole groups of them: told point by point."""
    energies, v, steps = some(n, 2, 3)
    moves = 0.2 * compiled.moves(v, steps)
    first, end = compiled.groups(energies, 0.05)
    reach = np.abs(moves).sum(axis=2)
    below, above = compiled.passed(energies, moves, first, end, *window)
    for k in range(len(energies)):
        up = [i for i in range(n) if max(energies[k, : i + 1] + reach[k, : i + 1]) > window[0]]
        down = [i for i in range(n) if min(energies[k, i:] - reach[k, i:]) <= window[1]]
        assert below[k] == (first[k, up[0]] if up else n)
        assert above[k] == (end[k, down[-1]] if down else 0)
