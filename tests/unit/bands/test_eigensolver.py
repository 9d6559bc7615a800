"""Energies and states of small Hermitian matrices, against the definition, LAPACK and known spectra."""

import numpy as np
import pytest

from ome_wannier.bands.eigensolver import SMALL, eigen_of_small, eigh

EPS = np.finfo(float).eps
SIZES = [3, 4, 5, 8, 13, 18, 24, SMALL]


def random(number, n, seed=0):
    """Hermitian matrices (number, n, n) of elements of size one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(number, n, n)) + 1j * rng.normal(size=(number, n, n))
    return X + np.conj(X.swapaxes(1, 2))


def unitary(number, n, seed=1):
    return np.linalg.qr(random(number, n, seed))[0]


def with_levels(levels, seed=1):
    """Matrices (nk, n, n) of given levels (nk, n) and random states."""
    U = unitary(*levels.shape, seed)
    H = (U * levels[:, None]) @ np.conj(U.swapaxes(1, 2))
    return (H + np.conj(H.swapaxes(1, 2))) / 2


def check(H, times=1.0):
    """H U = U e and U^+ U = 1 to rounding of the norm of each matrix, levels ascending and those of LAPACK."""
    n = H.shape[1]
    e, U = eigh(H)
    norm = np.linalg.norm(H, axis=(1, 2)) + np.finfo(float).tiny
    bound = 4 * EPS * n * times  # the backward error of Householder's and Givens' transformations: a multiple of n eps
    assert np.abs(np.conj(U.swapaxes(1, 2)) @ U - np.eye(n)).max() < bound
    assert (np.abs(H @ U - U * e[:, None]).max(axis=(1, 2)) / norm).max() < bound
    assert (np.diff(e, axis=1) >= 0).all()
    assert (np.abs(e - np.linalg.eigvalsh(H)).max(axis=1) / norm).max() < bound
    return e, U


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("number", [1, 15, 16, 17, 64, 131])
def test_random(n, number):
    check(random(number, n, seed=number))


@pytest.mark.parametrize("n", SIZES)
def test_degenerate_levels(n):
    """Pairs, triples, all levels equal, and levels that differ by less than rounding."""
    rng = np.random.default_rng(n)
    for levels in (
        np.repeat(rng.normal(size=(40, n)), 2, axis=1)[:, :n],
        np.repeat(rng.normal(size=(40, n)), 3, axis=1)[:, :n],
        np.ones((40, n)),
        1 + 1e-15 * rng.normal(size=(40, n)),
        np.round(2 * rng.normal(size=(40, n))),
        10.0 ** rng.uniform(-18, 2, size=(40, n)),
    ):
        e, _ = check(with_levels(levels))
        size = np.abs(levels).max(axis=1)[:, None]
        assert (np.abs(e - np.sort(levels, axis=1)) / size).max() < 8 * EPS * n


@pytest.mark.parametrize("n", SIZES)
def test_matrices_that_fall_apart(n):
    """Diagonal, block diagonal, bipartite and sparse matrices, a chain, one that is zero but for a corner, none at all."""
    rng = np.random.default_rng(n)
    H = random(60, n)
    H[:10] *= np.eye(n)
    half = np.arange(n) < n // 2
    H[10:20] *= half[:, None] == half
    H[20:30] *= half[:, None] != half
    H[30:40] *= np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1
    H[40:50] = 0.0
    H[41:45, 0, -1] = H[41:45, -1, 0] = 1.0
    H[45:50, 0, 0] = 3.0
    sparse = rng.random((10, n, n)) < 1 / n
    H[50:] *= sparse | sparse.swapaxes(1, 2)
    e, U = check(H)
    assert np.array_equal(e[40], np.zeros(n))
    assert np.array_equal(U[40], np.eye(n))


def test_spectrum_of_a_ring():
    """Hopping -1 along a ring of n sites, with a flux: levels -2 cos((2 pi j + phi)/n), in closed form."""
    for n in range(3, SMALL + 1):
        phases = np.linspace(0, 2 * np.pi, 37)
        H = np.zeros((37, n, n), dtype=complex)
        for i in range(n):
            H[:, i, (i + 1) % n] -= np.exp(1j * phases / n)
            H[:, (i + 1) % n, i] -= np.exp(-1j * phases / n)
        levels = np.sort(-2 * np.cos((2 * np.pi * np.arange(n) + phases[:, None]) / n), axis=1)
        assert np.abs(eigh(H)[0] - levels).max() < 8 * EPS * n


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-110, 1e-52, 1e-48, 1e-20, 1e20, 1e48, 1e52, 1e110, 1e200])
@pytest.mark.parametrize("n", [3, 18])
def test_any_unit(n, size):
    """Numbers whose squares no float holds: the same levels in another unit, to rounding."""
    H = random(20, n)
    e, U = eigh(H * size)
    rounding = np.finfo(float).smallest_subnormal / size + EPS
    assert (np.abs(e / size - np.linalg.eigvalsh(H))).max() < 64 * n * rounding
    assert np.abs(np.conj(U.swapaxes(1, 2)) @ U - np.eye(n)).max() < 64 * EPS * n


def test_small_beside_large():
    """Rows and columns of sizes 1e-300 to 1e3, graded up or down: errors are of the largest element, LAPACK's bound too."""
    for n in (3, 9, 18):
        for exponents in (np.linspace(-150, 1, n), np.linspace(1, -150, n), np.linspace(-8, 1, n), np.linspace(1, -8, n)):
            scale = 10.0**exponents
            check(random(40, n) * scale[:, None] * scale)


def test_one_point_out_of_range_beside_others():
    """It is left to LAPACK, and the others are not touched: the same bits as without it."""
    H = random(50, 6)
    e, U = eigh(H)
    odd = H.copy()
    odd[7] *= 1e200
    other, states = eigh(odd)
    rest = np.arange(50) != 7
    assert np.array_equal(other[rest], e[rest])
    assert np.array_equal(states[rest], U[rest])
    assert np.abs(other[7] / 1e200 - e[7]).max() < 1e-13


@pytest.mark.parametrize("n", SIZES)
def test_any_points_together(n):
    """The same bits for a point by itself, in any order, and for any number of lanes."""
    H = random(70, n)
    H[::5] = with_levels(np.repeat(H[::5, :, 0].real, 2, axis=1)[:, :n])
    e, U = eigh(H)
    order = np.random.default_rng(3).permutation(70)
    for i, j in [(0, 70), (0, 1), (3, 19), (20, 53), (33, 70)]:
        energies, states = eigh(H[order[i:j]])
        assert np.array_equal(energies, e[order[i:j]])
        assert np.array_equal(states, U[order[i:j]])
    for lanes in (1, 3, 16, 32, 64, 100):
        energies, states, failed = eigen_of_small(H, np.empty(lanes))
        assert not failed.any()
        assert np.array_equal(energies, e), lanes
        assert np.array_equal(states, U), lanes


@pytest.mark.parametrize("n", [1, 2, *SIZES])
def test_states_of_real_matrices_are_real(n):
    H = random(50, n)
    H = np.asarray(H.real + H.real.swapaxes(1, 2), dtype=complex)
    e, U = eigh(H)
    assert not U.imag.any()
    assert np.abs(H.real @ U.real - U.real * e[:, None]).max() < 64 * EPS * n


def test_nothing():
    """No points, or no bands."""
    for shape in ((0, 5, 5), (4, 0, 0), (0, 0, 0), (0, 2, 2)):
        e, U = eigh(np.zeros(shape, dtype=complex))
        assert (e.shape, U.shape) == (shape[:2], shape)


def test_lower_triangle_counts():
    """As of LAPACK by default: what stands above the diagonal, and imaginary parts on it, take no part."""
    H = random(50, 7)
    other = H + np.triu(random(50, 7, seed=9), 1) + 3j * np.eye(7)
    for x, y in zip(eigh(H), eigh(other), strict=True):
        assert np.array_equal(x, y)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("tiny", [1e-75, 1e-120, 1e-155, 1e-160, 1e-162, 1e-200, 1e-310])
def test_elements_whose_squares_lose_digits(n, tiny):
    """Beside levels of size one, as hoppings that decay with the distance have them: states have the norm one all the same."""
    H = random(40, n)
    check(np.eye(n) * H + tiny * H)
    below = np.arange(n) > n // 2
    check(np.where(below[:, None] ^ below, tiny, 1.0) * H)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (1, 1), (-1, -1), (1, 0), (-1, 0), (-1, 1)])
def test_no_numbers(n, value, at):
    """What is none at one point is that point's alone, and is seen there: of diagonal matrices too."""
    H = random(30, n)
    H[20] *= np.eye(n)
    odd = [4, 20]
    H[odd, at[0], at[1]] = value
    e, _, failed = eigen_of_small(H, np.empty(16))
    rest = ~np.isin(np.arange(30), odd)
    assert np.array_equal(e[rest], eigh(H[rest])[0])
    assert np.array_equal(failed, ~rest)
