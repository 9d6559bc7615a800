"""theta along the adiabatic cycle of the Fu-Kane-Mele model against PythTB 2's axion_angle.

PythTB integrates the second Chern form over the cycle, d theta/d beta = 1/(16 pi) int d^3k eps Tr[F F], with velocities in k
and finite differences in beta: no gauge, no trial orbitals. Ours is the Chern-Simons form at one beta.
Sign and factor: theta_ours(beta) - theta_ours(0) = +[theta_PythTB(beta) - theta_PythTB(0)] modulo 2 pi.

The cycle of Essin, Moore, Vanderbilt, PRL 102, 146805 (2009), and of PythTB's tutorial: the (111) bond 3 t + m cos(beta), a
staggered Zeeman field m sin(beta) along (111). beta = 0 is trivial, beta = pi a strong topological insulator, the second Chern
number is one.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.integration.chern_simons import axion_angle
from ome_wannier.integration.kpoints.mesh import KMesh

pythtb = pytest.importorskip("pythtb")
if int(version("pythtb").split(".")[0]) < 2:
    pytest.skip(f"PythTB {version('pythtb')} has no axion_angle: 2.0 or later is needed", allow_module_level=True)

from pythtb.models import fu_kane_mele as their_fu_kane_mele  # noqa: E402

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: hopping, spin-orbit coupling, radius of the cycle in eV
T, SOC, M = 1.0, 0.25, 1.0
LATTICE = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
PERIOD = 2 * np.pi
SIGN = +1
#: points of the cycle where ours is evaluated
STOPS = 16


def field(beta):
    return M * np.sin(beta) / np.sqrt(3) * np.ones(3)


def theirs():
    """PythTB's own Fu-Kane-Mele model, with beta as its parameter."""
    model = their_fu_kane_mele(T, SOC)
    model.set_hop(lambda beta: 3 * T + M * np.cos(beta), 0, 1, [0, 0, 0])
    model.set_onsite(lambda beta: [0.0, *field(beta)], ind_i=0)
    model.set_onsite(lambda beta: [0.0, *(-field(beta))], ind_i=1)
    return model


def ours(beta):
    """The same Hamiltonian by hand, orbitals A up, A down, B up, B down."""
    terms = {}

    def add(R, i, j, block):
        for r, a, b, X in ((R, i, j, block), (tuple(-x for x in R), j, i, np.conj(block).T)):
            terms.setdefault(r, np.zeros((4, 4), dtype=complex))[2 * a : 2 * a + 2, 2 * b : 2 * b + 2] += X

    for R in ((0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1)):
        add(R, 0, 1, (3 * T + M * np.cos(beta) if not any(R) else T) * np.eye(2, dtype=complex))
    neighbours = {
        (1, 0, 0): (0, 1, -1),
        (0, 1, 0): (-1, 0, 1),
        (0, 0, 1): (1, -1, 0),
        (-1, 1, 0): (1, 1, 0),
        (0, -1, 1): (0, 1, 1),
        (1, 0, -1): (1, 0, 1),
    }
    for R, axis in neighbours.items():
        add(R, 0, 0, 1j * SOC * np.tensordot(axis, SIGMA, axes=1))
        add(R, 1, 1, -1j * SOC * np.tensordot(axis, SIGMA, axes=1))
    zeeman = np.tensordot(field(beta), SIGMA, axes=1) / 2  # add() puts it in together with its conjugate
    add((0, 0, 0), 0, 0, zeeman)
    add((0, 0, 0), 1, 1, -zeeman)
    centres = np.array([[0] * 3, [0] * 3, [0.25] * 3, [0.25] * 3]) @ LATTICE
    return ome.TightBinding(LATTICE, np.array(list(terms)), np.array(list(terms.values())), centres=centres)


@cache
def our_cycle():
    """theta at 16 points of the cycle and the bound of its error, from two meshes (the sums converge exponentially)."""
    fine, coarse = (
        np.array([axion_angle(ours(beta), KMesh((n, n, n)), 2).theta for beta in PERIOD / STOPS * np.arange(STOPS)])
        for n in (24, 16)
    )
    return fine, float(np.abs(wrapped(fine - coarse)).max())


def wrapped(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def test_same_hamiltonian():
    """Energies at random k and four beta, to rounding; the gap stays open all the way."""
    k = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    model = theirs()
    for beta in (0.0, 0.7, 2.0, 4.0):
        energies = np.linalg.eigvalsh(ours(beta).matrices(k, 0).H)
        np.testing.assert_allclose(np.reshape(model.solve_ham(k, beta=beta), energies.shape), energies, rtol=0, atol=1e-13)
        assert (energies[:, 2] - energies[:, 1]).min() > 1


def check(n, steps):
    """Their errors: the mesh in k, and the trapezoidal rule along the cycle.

    Over the whole cycle the second cancels and theta must change by 2 pi: |C2 - 1| 2 pi is the first. The density has one
    sign nearly everywhere, so no part of the cycle has more of it. The second is h^2/12 [theta'(beta) - theta'(0)], leading
    order of Euler and Maclaurin, with theta' from ours. Differences in beta are of eighth order: negligible.
    """
    beta = np.linspace(0, PERIOD, steps + 1)
    _, theta, c2 = theirs().axion_angle(
        nks=(n, n, n),
        occ_idxs=[0, 1],
        return_second_chern=True,
        param_periods={"beta": PERIOD},
        diff_order=8,
        beta=beta,
    )
    fine, error = our_cycle()
    assert error < 0.01
    turned = np.unwrap(fine)
    slope = np.diff(np.append(turned, turned[0] + SIGN * PERIOD)) / (PERIOD / STOPS)
    tolerance = abs(c2 - 1) * PERIOD + (PERIOD / steps) ** 2 / 12 * np.ptp(slope) + error
    assert tolerance < 0.05
    got = wrapped(fine - fine[0])
    expected = SIGN * (theta[:-1] - theta[0])[:: steps // STOPS]
    np.testing.assert_allclose(wrapped(got - expected), 0, atol=tolerance)
    # the two signs are told apart, and the whole cycle is one turn
    assert np.abs(wrapped(got + expected)).max() > 10 * tolerance
    assert turned[-1] - turned[0] == pytest.approx(SIGN * PERIOD * (1 - 1 / STOPS), abs=0.5)
    return tolerance, np.abs(wrapped(got - expected)).max()


def test_axion_angle_along_the_cycle():
    """16^3 points, 32 steps: 0.036 by the rule above, 0.022 in fact, of angles up to pi."""
    check(16, 32)


@pytest.mark.long
def test_axion_angle_along_the_cycle_on_a_finer_mesh():
    """20^3 points, 64 steps: 0.0076 by the rule, 0.0035 in fact."""
    check(20, 64)


def test_quantised_ends():
    """theta(0) = 0, trivial, and theta(pi) = pi, strong; theta(-beta) = -theta(beta): time reversal turns the field round."""
    fine, error = our_cycle()
    assert abs(wrapped(fine[0])) < error + 1e-9
    assert abs(wrapped(fine[STOPS // 2] - np.pi)) < error
    np.testing.assert_allclose(wrapped(fine[1:] + fine[:0:-1]), 0, atol=2 * error)
