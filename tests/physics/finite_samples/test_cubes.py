"""The complete response of three-dimensional insulators, the Chern-Simons part included, against finite cubes.

In a cube with open boundaries everything is there: M = -(1/2) sum_occ <r x v> and its derivative by a field, from first-order
perturbation theory with all states. Nothing of the bulk formulas enters, neither a k point nor a gauge.

The response of a cube is a polynomial of its edge L, bulk L^3 + faces L^2 + edges L + corners, up to the interaction of
opposite faces, which decays exponentially with L in an insulator. The third difference of four cubes is six times the bulk's.

theta is a multiple of 2 pi, and the tensor one of e^2/h, off where the surface carries a quantised Hall current: the difference
is compared modulo that. Both models here have none.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy.sparse
from test_flakes import sample
from toys import SIGMA, malashevich

import ome_wannier as ome
from ome_wannier import units

IDENTITY = np.eye(2)


def response(H, x, filled):
    """dM_i/dE_b (3, 3) of a sample with Hamiltonian (N, N) and positions (N, 3), hbar = e = 1, and its gap.

    H_E = +E.r, M = -(1/2) sum_occ <r x v>, v = i [H, r]: the operators are sparse, the states are not.
    """
    e, U = np.linalg.eigh(H)
    o, u = U[:, :filled], U[:, filled:]
    bra = np.conj(o).T
    h = scipy.sparse.csr_matrix(H)
    r = [scipy.sparse.diags(x[:, a]).tocsr() for a in range(3)]
    v = [1j * (h @ r[a] - r[a] @ h) for a in range(3)]
    inverse = 1 / (e[:filled, None] - e[None, filled:])
    mix = [(bra @ (r[b] @ u)) * inverse for b in range(3)]
    tensor = np.zeros((3, 3))
    for i in range(3):
        m, n = (i + 1) % 3, (i + 2) % 3
        moment = bra @ ((-0.5 * (r[m] @ v[n] - r[n] @ v[m])) @ u)
        tensor[i] = [2 * np.vdot(mix[b], moment).real for b in range(3)]
    return tensor, float(e[filled] - e[filled - 1])


def third_difference(totals):
    """Coefficient of L^3 of a cubic through four successive L."""
    a, b, c, d = totals
    return (d - 3 * c + 3 * b - a) / 6


def bulk(model, mesh, filling):
    """`total` with its Chern-Simons part, all elements, in e^2/hbar; theta; and the parts of zz."""
    names = ["total", "local_crossgap", "itinerant_crossgap", "chern_simons"]
    result = ome.compute(model, mesh, names, filling=filling, temperature=1.0, include_chern_simons=True)
    value = {n: result[n].values[0] / units.alpha_to_si(3) for n in names}
    np.testing.assert_allclose(value["total"], value[names[1]] + value[names[2]] + value[names[3]], rtol=0, atol=1e-12)
    return value["total"], result.attrs["chern_simons_theta"][0]


def modulo_quantum(tensor):
    """A difference of responses without its multiple of e^2/h = 1/(2 pi) e^2/hbar on the diagonal."""
    return tensor - np.round(np.trace(tensor) / 3 * 2 * np.pi) / (2 * np.pi) * np.eye(3)


# ---- the 8-site model of the literature -------------------------------------------------------------------------------


@cache
def malashevich_cube(phi, L):
    """(tensor, gap) of 2L + 1 sites per edge, with two electrons for every low-energy site: (L + 1)^2 (2L + 1) are filled.

    The cube ends at a low-energy site on each face: L + 1 cells, cut at x = L.
    """
    H, x = sample(malashevich(phi), (L + 1,) * 3)
    x = x - x.min(axis=0)
    inside = (x <= L + 1e-9).all(axis=1)
    assert inside.sum() == (2 * L + 1) ** 3
    return response(H[np.ix_(inside, inside)], x[inside] - L / 2, (L + 1) ** 2 * (2 * L + 1))


def check_malashevich(phi, sizes, tolerance):
    total, _ = bulk(malashevich(phi), (18, 18, 18), 2)
    cubes = [malashevich_cube(phi, L) for L in sizes]
    assert min(gap for _, gap in cubes) > 1.5
    # here M_i by E_j, in the paper dM_j/dE_i; both sides of this comparison are M_i by E_j, and the tensor is not symmetric
    assert np.abs(total - total.T).max() > 1e-4
    np.testing.assert_allclose(third_difference([t for t, _ in cubes]), total, rtol=0, atol=tolerance)


def test_malashevich_in_small_cubes():
    """phi = pi, L = 1 to 4. What remains falls by a factor 4 with each cell (2.4e-6, 6.5e-7, 1.6e-7 up to L = 4, 5, 6).

    Two cells fewer than below allow 16 times the tolerance there.
    """
    check_malashevich(np.pi, (1, 2, 3, 4), 16 * 5e-7)


@pytest.mark.long
@pytest.mark.parametrize("phi", [0.0, 0.5, 1.0, 1.5])
def test_malashevich_in_cubes(phi):
    """L = 3 to 6 at phi in units of pi: all nine elements within 5e-7 e^2/hbar, of up to 1.3e-3 (measured: 1.6e-7 or less).

    At phi = pi, zz is -5.7912e-5 from the cubes and -5.7917e-5 from the bulk; their paper prints -5.791e-5 for both.
    """
    check_malashevich(phi * np.pi, (3, 4, 5, 6), 5e-7)


# ---- a strong Chern-Simons term ---------------------------------------------------------------------------------------


def dirac_lattice(mass=2.0, axion_mass=1.5, noise=0.1, seed=3):
    """Massive Dirac fermions on a cubic lattice, sum sin(k_i) G_i + (mass - sum cos(k_i)) G_0 + axion_mass G_5, of our own.

    For 1 < mass < 3 it is a strong topological insulator (theta = pi) at axion_mass = 0; G_5 breaks time reversal and
    inversion, takes theta away from pi, and opens the same gap on every face, with no hinge modes. Random couplings and
    orbital centres leave no symmetry.
    """
    rng = np.random.default_rng(seed)
    G = [np.kron(SIGMA[0], s) for s in SIGMA]
    G0, G5 = np.kron(SIGMA[2], IDENTITY), np.kron(SIGMA[1], IDENTITY)
    terms = {(0, 0, 0): mass * G0 + axion_mass * G5}
    for i in range(3):
        terms[tuple(int(i == j) for j in range(3))] = -0.5 * G0 - 0.5j * G[i]
    for R in list(terms):
        X = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        terms[R] = terms[R] + noise * (X + np.conj(X).T) / 2
        terms[tuple(-x for x in R)] = np.conj(terms[R]).T
    centres = rng.uniform(-0.3, 0.3, (4, 3))
    return ome.TightBinding(np.eye(3), np.array(list(terms)), np.array(list(terms.values())), centres=centres)


@cache
def dirac_cube(axion_mass, L):
    H, x = sample(dirac_lattice(axion_mass=axion_mass), (L,) * 3)
    return response(H, x, 2 * L**3)


def check_dirac(axion_mass, largest, theta, gap):
    """Against the difference of estimates one cell apart: the error falls by more than half with each cell, so it is below."""
    total, found = bulk(dirac_lattice(axion_mass=axion_mass), (20, 20, 20), 2)
    assert found == pytest.approx(theta, abs=2e-6)
    isotropic = found / (4 * np.pi**2)
    assert abs(isotropic) > 0.9 * abs(np.trace(total)) / 3  # nearly all of the diagonal
    cubes = {L: dirac_cube(axion_mass, L) for L in range(largest - 4, largest + 1)}
    assert min(g for _, g in cubes.values()) > gap
    before, last = (third_difference([cubes[L][0] for L in range(end - 3, end + 1)]) for end in (largest - 1, largest))
    change = np.abs(last - before).max()
    assert change < 5e-3 * np.abs(total).max()
    np.testing.assert_allclose(modulo_quantum(last - total), 0, atol=change)
    # the comparison sees the Chern-Simons term, its sign and its factor
    assert change < 0.02 * abs(isotropic)


def test_strong_chern_simons_term():
    """theta = -0.18184, cubes up to 6^3 cells: 2.1e-5 of 4.7e-3 by the rule above, 1.0e-5 in fact."""
    check_dirac(1.5, 6, -0.181840, 2.0)


@pytest.mark.long
@pytest.mark.parametrize(("axion_mass", "theta", "gap"), [(1.5, -0.181840, 2.0), (1.0, -0.449005, 1.2)])
def test_stronger_chern_simons_term(axion_mass, theta, gap):
    """Cubes up to 7^3 cells: 2e-6 of 4.7e-3 and, at theta = -0.449, 1.3e-5 of 1.2e-2."""
    check_dirac(axion_mass, 7, theta, gap)
