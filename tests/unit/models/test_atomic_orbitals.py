"""Angular momentum of atomic orbitals against the ladder operators of textbooks, in any axes, and of projections."""

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.models.atomic_orbitals import Orbital, angular_momentum, count

#: real harmonics of Wannier90's order as sums of complex ones with the phase of Condon and Shortley: columns m = -l .. l
C = np.sqrt(0.5)
REAL = {
    1: np.array([[0, 1, 0], [C, 0, -C], [1j * C, 0, 1j * C]]),
    2: np.array(
        [
            [0, 0, 1, 0, 0],
            [0, C, 0, -C, 0],
            [0, 1j * C, 0, 1j * C, 0],
            [C, 0, 0, 0, C],
            [1j * C, 0, 0, 0, -1j * C],
        ]
    ),
    3: np.array(
        [
            [0, 0, 0, 1, 0, 0, 0],
            [0, 0, C, 0, -C, 0, 0],
            [0, 0, 1j * C, 0, 1j * C, 0, 0],
            [0, C, 0, 0, 0, C, 0],
            [0, 1j * C, 0, 0, 0, -1j * C, 0],
            [C, 0, 0, 0, 0, 0, -C],
            [1j * C, 0, 0, 0, 0, 0, 1j * C],
        ]
    ),
}


def shell(l, axes=((1, 0, 0), (0, 1, 0), (0, 0, 1)), spin=""):
    """All orbitals of l on one atom."""
    return [Orbital(l, m, (0,), tuple(map(tuple, axes)), spin) for m in range(count(l))]


def textbook(l):
    """L_x, L_y, L_z (n, n, 3) in the real harmonics, of L_+ |m> = sqrt((l - m)(l + m + 1)) |m + 1>."""
    m = np.arange(-l, l + 1)
    plus = np.diag(np.sqrt((l - m[:-1]) * (l + m[:-1] + 1)), -1).astype(complex)
    L = [(plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)]
    # real functions r_i = sum_m c_im Y_m: <r_i|L|r_j> = conj(c_im) L_mm' c_jm'
    return np.stack([np.conj(REAL[l]) @ x @ REAL[l].T for x in L], axis=-1)


@pytest.mark.parametrize("l", [1, 2, 3])
def test_shells_have_the_matrices_of_textbooks(l):
    """p, d and f, element by element."""
    np.testing.assert_allclose(angular_momentum(shell(l)), textbook(l), atol=1e-13)


def rotation(seed):
    """A random proper rotation."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return Q * np.sign(np.linalg.det(Q))


@pytest.mark.parametrize("l", [0, 1, 2, 3, -1, -2, -3, -4, -5])
def test_local_axes_turn_the_vector(l):
    """Orbitals in axes that are the rows of A: L along them is what it was along x, y, z."""
    A = rotation(3)
    np.testing.assert_allclose(angular_momentum(shell(l, A)) @ A.T, angular_momentum(shell(l)), atol=1e-12)


def test_hybrids_are_sums_of_harmonics():
    """sp3 beside s and p of one shell, by the matrix that mixes them."""
    mix = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2  # s, px, py, pz
    whole = np.zeros((4, 4, 3), dtype=complex)
    order = [1, 2, 0]  # px, py, pz of pz, px, py
    whole[1:, 1:] = textbook(1)[np.ix_(order, order)]
    expected = np.einsum("im,mna,jn->ija", mix, whole, mix)
    np.testing.assert_allclose(angular_momentum(shell(-3)), expected, atol=1e-13)


def test_shells_and_spins_do_not_mix():
    """Two atoms, or up and down: blocks."""
    both = angular_momentum([*shell(1), *(o._replace(shell=(1,)) for o in shell(1))])
    np.testing.assert_allclose(both[:3, :3], textbook(1), atol=1e-13)
    assert not both[:3, 3:].any()
    spins = angular_momentum([*shell(2, spin="u"), *shell(2, spin="d")])
    np.testing.assert_allclose(spins[5:, 5:], textbook(2), atol=1e-13)
    assert not spins[:5, 5:].any()


@pytest.mark.parametrize(
    ("orbitals", "said"),
    [
        ([Orbital(0, 0, (0,)), Orbital(0, 0, (0,))], "not orthonormal"),
        ([Orbital(-3, 0, (0,)), Orbital(0, 0, (0,))], "not orthonormal"),
        ([Orbital(4, 0, (0,))], "no orbital l = 4"),
        ([Orbital(1, 3, (0,))], "no orbital l = 1, mr = 4"),
        ([Orbital(1, 0, (0,), ((1.0, 0, 0), (1.0, 1.0, 0), (0, 0, 1.0)))], "not perpendicular"),
        ([Orbital(1, 0, (0,), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, -1.0)))], "right-handed"),
        ([(1, 0, (0,))], r"give an Orbital"),
        (["pz"], "orbital 1 is pz: give an Orbital"),
        ([Orbital(1, 0.5, (0,))], "give an Orbital"),
        ([Orbital(1, 0, [0])], "give an Orbital"),
        ([Orbital(1, 0, (0,), "xyz")], "give an Orbital"),
        ([Orbital(1, 0, (0,), ((0.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))], "not perpendicular"),
    ],
)
def test_orbitals_that_say_nothing(orbitals, said):
    """One line each."""
    with pytest.raises(ome.errors.ModelError, match=said):
        angular_momentum(orbitals)
