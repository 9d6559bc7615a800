"""Energies and states of 2 x 2 Hamiltonians in closed form, against exact arithmetic and the definition."""

from fractions import Fraction

import numpy as np
import pytest

from ome_wannier.bands.eigensolver import eigen_of_two

EPS = np.finfo(float).eps


def hermitian(a, b, c):
    """(1, 2, 2)"""
    return np.array([[[a, np.conj(c)], [c, b]]], dtype=complex)


def random(number):
    """Matrices (number, 2, 2): diagonals, their differences and couplings each of any size beside the others."""
    rng = np.random.default_rng(5)
    m, d, x, y = (rng.choice([-1, 1], number) * 10.0 ** rng.uniform(-20, 3, number) for _ in range(4))
    H = np.empty((number, 2, 2), dtype=complex)
    H[:, 0, 0], H[:, 1, 1], H[:, 1, 0] = m + d, m - d, x + 1j * y
    H[:, 0, 1] = np.conj(H[:, 1, 0])
    return H


def test_states_are_orthonormal_and_solve_the_equation():
    """U^+ U = 1 and H U = U e, to rounding of the norm of H."""
    H = random(20000)
    e, U = eigen_of_two(H)
    norm = np.abs(H).max(axis=(1, 2))
    assert np.abs(np.conj(U.swapaxes(1, 2)) @ U - np.eye(2)).max() < 4 * EPS
    assert (np.abs(H @ U - U * e[:, None]).max(axis=(1, 2)) / norm).max() < 8 * EPS
    assert (e[:, 0] <= e[:, 1]).all()
    assert (np.abs(e - np.linalg.eigvalsh(H)).max(axis=1) / norm).max() < 8 * EPS


def test_gap_against_exact_arithmetic():
    """(e_1 - e_0)^2 = (a - b)^2 + 4 |c|^2, exact in fractions, also where it is 1e-9 of the diagonal."""
    for a, b, c in [
        (1.0, 1.0 + 2.0**-30, 0.0),
        (3.0, 3.0, 2.0**-28),
        (0.5, -0.25, 0.125 - 1j),
        (-7.0, -7.0 + 2.0**-40, 2.0**-41 * 1j),
    ]:
        ((low, high),), _ = eigen_of_two(hermitian(a, b, c))
        square = (Fraction(a) - Fraction(b)) ** 2 + 4 * (Fraction(complex(c).real) ** 2 + Fraction(complex(c).imag) ** 2)
        exact = float(square) ** 0.5
        assert abs((high - low) - exact) < 4 * EPS * max(abs(a), abs(b))


@pytest.mark.parametrize("a", [0.0, 1.5, -2e-300])
def test_equal_levels(a):
    """A multiple of the unit matrix: both levels are the number, and the states those of the basis."""
    e, U = eigen_of_two(hermitian(a, a, 0.0))
    assert np.array_equal(e, [[a, a]])
    assert np.array_equal(U[0], np.eye(2))


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-20, 1.0, 1e100])
def test_squares_out_of_range(size):
    """Pauli matrices times numbers whose squares no float holds: levels -+ size, states of the Pauli matrix."""
    for c, a in [(1, 0), (1j, 0), (0, 1), (0, -1)]:
        H = hermitian(a, -a, c) * size
        e, U = eigen_of_two(H)
        assert np.allclose(e / size, [[-1, 1]], rtol=1e-12, atol=0)
        assert np.abs(hermitian(a, -a, c)[0] @ U[0] - U[0] * [-1, 1]).max() < 1e-12


def test_lower_triangle_counts():
    """As of LAPACK by default: what stands above the diagonal, and imaginary parts on it, take no part."""
    H = random(50)
    other = H.copy()
    other[:, 0, 1] = 7.0
    other[:, 0, 0] += 3j
    for x, y in zip(eigen_of_two(H), eigen_of_two(other), strict=True):
        assert np.array_equal(x, y)


def test_any_points_together():
    """The same bits for a point by itself."""
    H = random(64)
    e, U = eigen_of_two(H)
    for k in range(64):
        one, states = eigen_of_two(H[k : k + 1])
        assert np.array_equal(one[0], e[k])
        assert np.array_equal(states[0], U[k])
