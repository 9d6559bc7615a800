"""What the step to the next point of a mesh changes, compiled, against the same in numpy."""

import numpy as np
import pytest

from ome_wannier.bands import compiled
from ome_wannier.integration import avoided_crossings
from ome_wannier.integration.mesh.compiled import most, near, rows


def some(n, directions, seed=0):
    """Energies (nk, n), some of them close, velocities (nk, axes, n, n) and steps (axes, directions)."""
    rng = np.random.default_rng(seed)
    energies = np.sort(rng.normal(size=(40, n)), axis=1)
    energies[::3] = np.sort(np.round(energies[::3], 1), axis=1)
    v = rng.normal(size=(40, 3, n, n)) + 1j * rng.normal(size=(40, 3, n, n))
    return energies, v + np.conj(v.swapaxes(2, 3)), rng.normal(size=(3, directions))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("directions", [0, 1, 3])
def test_moves_and_couplings(n, directions):
    """Sums over the axes of velocities times steps, of the levels and of the four pairs around each gap."""
    _, v, steps = some(n, directions)
    wanted = np.einsum("kamn,ai->kmni", v, steps)
    moves, couplings = compiled.moves(v, steps), compiled.couplings(v, steps)
    assert np.allclose(moves, np.einsum("knni->kni", wanted).real, rtol=1e-12, atol=1e-12)
    assert couplings.shape == (40, n - 1, 4, directions)
    for i in range(n - 1):
        pairs = [(i, i + 1), (i - 1, i + 1), (i, i + 2), (i - 1, i + 2)]
        for j, (low, high) in enumerate(pairs):
            assert np.allclose(couplings[:, i, j], wanted[:, max(low, 0), min(high, n - 1)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_most(n):
    """The bound of `avoided_crossings`, levels that count as double among them."""
    energies, v, steps = some(n, 2)
    moves, couplings = compiled.moves(v, steps), compiled.couplings(v, steps)
    wanted = avoided_crossings.most(avoided_crossings.rows_of(energies, moves, couplings))
    assert np.allclose(most(energies, moves, v, steps, avoided_crossings.DOUBLE), wanted, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
@pytest.mark.parametrize("directions", [0, 1, 3])
def test_rows_of_single_pairs(n, directions):
    """Those of `avoided_crossings.rows_of`, in any order and more than once."""
    energies, v, steps = some(n, directions)
    moves, couplings = compiled.moves(v, steps), compiled.couplings(v, steps)
    wanted = avoided_crossings.rows_of(energies, moves, couplings)
    rng = np.random.default_rng(1)
    point, band = rng.integers(0, 40, 300), rng.integers(0, n - 1, 300)
    found = rows(energies, moves, v, steps, point, band, avoided_crossings.DOUBLE)
    assert np.allclose(found, wanted[point, band], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("fermi", [[0.0], [-0.5, 0.1, 0.6], [5.0], [-30.0, -20.0]])
def test_near(n, fermi, full):
    """Gaps that may close in a step near a level, and pairs that may be filled differently: told in numpy."""
    energies, v, steps = some(n, 2)
    moves, fermi = 0.1 * compiled.moves(v, steps), np.array(fermi)
    change = 0.2 * most(energies, moves, v, steps, avoided_crossings.DOUBLE)
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
