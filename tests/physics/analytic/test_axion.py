"""The axion angle: printed values, quantised values, independence of the gauge, finite samples, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import TOYS, malashevich, rebuilt, rotated

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, ModelError, SettingsError
from ome_wannier.integration.chern_simons import axion_angle, best_trial
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.units import E2_OVER_H, E2_OVER_HBAR

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def fu_kane_mele(bond: float, mass: float = 0.0) -> ome.TightBinding:
    """Diamond lattice with spin-orbit coupling lambda_so = 0.125 t, one bond along (111) changed by `bond`.

    H = t sum c_i^+ c_j + i (8 lambda_so / a^2) sum c_i^+ s.(d1 x d2) c_j, Fu, Kane, Mele, PRL 98, 106803 (2007); positive
    `bond` strengthens the (111) bond (strong topological insulator), negative weakens it (trivial for bond < -2 t). `mass`
    adds a staggered Zeeman field, which breaks time reversal and inversion.
    """
    a, t, lam = 1.0, 1.0, 0.125
    lattice = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=float)
    bonds = a / 4 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
    centres = np.repeat([[0.0, 0, 0], bonds[0].tolist()], 2, axis=0)
    terms: dict[tuple[int, ...], np.ndarray] = {}

    def add(R, block_i, block_j, matrix):
        for r, i, j, m in ((R, block_i, block_j, matrix), (-np.array(R), block_j, block_i, np.conj(matrix).T)):
            X = terms.setdefault(tuple(int(x) for x in np.round(r)), np.zeros((4, 4), dtype=complex))
            X[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] += m

    inverse = np.linalg.inv(lattice)
    for n, d in enumerate(bonds):
        add((d - bonds[0]) @ inverse, 0, 1, (t + (bond if n == 0 else 0.0)) * np.eye(2))
    for m in range(4):
        for n in range(m):
            R = (bonds[m] - bonds[n]) @ inverse
            cross = np.cross(bonds[m], -bonds[n])
            so = 8j * lam / a**2 * np.tensordot(cross, SIGMA, axes=1)
            add(R, 0, 0, so)  # A to A over a B site: d1 = d_m, d2 = -d_n
            add(R, 1, 1, -so)
    zeeman = mass * np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    for site, sign in ((0, 1), (1, -1)):
        terms.setdefault((0, 0, 0), np.zeros((4, 4), dtype=complex))[2 * site : 2 * site + 2, 2 * site : 2 * site + 2] += (
            sign * np.tensordot(zeeman, SIGMA, axes=1)
        )
    R = np.array(list(terms))
    return ome.TightBinding(lattice, R, np.array(list(terms.values())), centres=centres, name="Fu-Kane-Mele")


def distance(angle: float, other: float) -> float:
    """Distance of two angles modulo 2 pi."""
    return abs((angle - other + np.pi) % (2 * np.pi) - np.pi)


def test_malashevich():
    """theta = -3.04468e-4 at phi = pi (New J. Phys. 12, 053032, as in materials.md), to the printed digits."""
    found = axion_angle(malashevich(), KMesh((18, 18, 18)), 2)
    assert found.theta == pytest.approx(-3.04468e-4, abs=0.5e-9)
    assert abs(found.theta - found.theta_submesh) < 1e-8


def test_malashevich_total():
    """alpha_zz: LC -8.30338, IC 3.28291, CS -0.77123, total -5.79169, in 1e-5 e^2/hbar, through compute()."""
    names = ["local_crossgap", "itinerant_crossgap", "chern_simons", "total"]
    result = ome.compute(malashevich(), (18, 18, 18), names, filling=2, temperature=1.0, include_chern_simons=True)
    got = [1e5 * result[n].sel(moment="z", field="z").item() / E2_OVER_HBAR for n in names]
    # the model is in units of its lattice constant: alpha is dimensionless in units of e^2/hbar in any case
    np.testing.assert_allclose(got, [-8.30338, 3.28291, -0.77123, -5.79169], atol=0.51e-5)
    assert result.attrs["chern_simons_theta"][0] == pytest.approx(-3.04468e-4, abs=0.5e-9)
    assert "modulo" in result.attrs["chern_simons"]
    assert "left_out" not in result.total.attrs


def test_gauge_does_not_matter(rng):
    """Other trial orbitals, the same theta: the sum converges exponentially, and theta modulo 2 pi is gauge invariant."""
    model, mesh = malashevich(), KMesh((18, 18, 18))
    g = best_trial(model, 2)
    for _ in range(3):
        other, _ = np.linalg.qr(g + 0.15 * (rng.normal(size=g.shape) + 1j * rng.normal(size=g.shape)))
        assert axion_angle(model, mesh, 2, other).theta == pytest.approx(-3.0446798e-4, abs=1e-11)


@pytest.mark.parametrize("bond", [1.0, -1.0, -5.0])
def test_rounding_does_not_choose_the_trial_orbitals(bond):
    """Natural orbitals come in pairs here: elements that change by 1e-14 leave those that are found in place."""
    model, rng = fu_kane_mele(bond), np.random.default_rng(3)
    sign = np.where(rng.random(model.hamiltonian.shape) < 0.5, 1.0, -1.0)
    place = {tuple(R): i for i, R in enumerate(model.R.tolist())}
    change = model.hamiltonian * 1e-14 * sign
    opposite = [place[tuple((-R).tolist())] for R in model.R]
    other = replace(model, hamiltonian=model.hamiltonian + (change + np.conj(change[opposite].swapaxes(1, 2))) / 2)
    assert not np.array_equal(other.hamiltonian, model.hamiltonian)
    # 1e-14 over what settles the choice, 1e-6
    assert np.abs(best_trial(model, 2) - best_trial(other, 2)).max() < 1e-7


@pytest.mark.parametrize(("bond", "expected"), [(1.0, np.pi), (-1.0, 0.0), (-5.0, 0.0)])
def test_fu_kane_mele_is_quantised(bond, expected):
    """theta = pi in the strong topological phase, 0 in the weak and the trivial one: time reversal allows no other.

    The sum converges exponentially: halving the spacing squares the error.
    """
    model = fu_kane_mele(bond)
    bands = np.linalg.eigvalsh(model.matrices(KMesh((8, 8, 8)).points(), 0).H)
    assert bands[:, 2].min() - bands[:, 1].max() > 0.2
    coarse, fine = (axion_angle(model, KMesh((n, n, n)), 2) for n in (16, 32))
    assert distance(coarse.theta, expected) < 1e-4
    assert distance(fine.theta, expected) < 1e-8


def test_reversed_magnet_has_the_opposite_angle():
    """A staggered field moves theta off pi, and the opposite field the other way: theta(-h) = -theta(h) modulo 2 pi."""
    up, down = (axion_angle(fu_kane_mele(1.0, h), KMesh((24, 24, 24)), 2).theta for h in (0.4, -0.4))
    assert distance(up, np.pi) > 0.1
    assert distance(up, -down) < 1e-3


def test_random_insulator_with_a_position_matrix():
    """A basis whose positions do not commute has a curvature of its own, which enters theta; the gauge still does not."""
    toy = TOYS["matrix_insulator_3d"] if "matrix_insulator_3d" in TOYS else TOYS["insulator_3d"]
    mesh = KMesh((16, 16, 16))
    first = axion_angle(toy.model, mesh, toy.occupied)
    g = np.linalg.qr(best_trial(toy.model, toy.occupied, seed=5))[0]
    second = axion_angle(toy.model, mesh, toy.occupied, g)
    assert distance(first.theta, second.theta) < 1e-8


def test_refused():
    """A projection that is singular somewhere, wrong shapes, two dimensions, metals."""
    model = fu_kane_mele(1.0)
    singular = np.eye(4, dtype=complex)[:, :2]  # both spins of one site: time reversal obstructs the strong phase
    for n in (8, 16, 24):  # its zeros are lines, which meshes may miss
        with pytest.raises(ModelError, match="singular"):
            axion_angle(model, KMesh((n, n, n)), 2, singular)
    with pytest.raises(ModelError, match=r"expected \(4, 2\)"):
        axion_angle(model, KMesh((4, 4, 4)), 2, np.eye(4)[:, :3])
    flat = TOYS["insulator_2d"].model
    with pytest.raises(ModelError, match="three-dimensional"):
        axion_angle(flat, KMesh((4, 4, 1)), 2)
    with pytest.raises(SettingsError, match="three-dimensional"):
        ome.compute(flat, (4, 4, 1), ["chern_simons"], 0.0)
    with pytest.raises(SettingsError, match="property of a gap"):
        ome.tabulate(malashevich(), np.zeros(3), ["chern_simons"])
    with pytest.warns(AccuracyWarning, match="1 of 2 Fermi levels lie in no gap"):
        result = ome.compute(malashevich(), (6, 6, 6), ["chern_simons"], [-6.0, -3.66])
    assert np.isnan(result.chern_simons.values[0]).all()
    assert np.isfinite(result.chern_simons.values[1]).all()
    theta = result.attrs["chern_simons_theta"][0]
    np.testing.assert_allclose(result.chern_simons.values[1], theta / (2 * np.pi) * E2_OVER_H * np.eye(3), rtol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_rotated_axes(rng, sign):
    """theta is a pseudoscalar: the same in rotated axes, reversed by an improper rotation."""
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    Q *= sign * np.sign(np.linalg.det(Q))
    model, mesh = malashevich(), KMesh((12, 12, 12))
    g = best_trial(model, 2)
    turned = axion_angle(rotated(model, Q), mesh, 2, g).theta
    assert turned == pytest.approx(sign * axion_angle(model, mesh, 2, g).theta, abs=1e-13)


def test_origin_and_time(rng):
    """A shift of the origin changes nothing; complex conjugation of H (time reversal) reverses theta."""
    model, mesh = malashevich(), KMesh((12, 12, 12))
    g = best_trial(model, 2)
    theta = axion_angle(model, mesh, 2, g).theta
    shifted = rebuilt(model, centres=model.centres + rng.normal(size=3))
    # the shift adds a total derivative, which the mesh sums to zero as exponentially as the rest: 12^3 and 18^3 differ by 8e-12
    assert axion_angle(shifted, mesh, 2, g).theta == pytest.approx(theta, abs=1e-10)
    reversed_ = rebuilt(model, hamiltonian=model.hamiltonian.conj())
    assert axion_angle(reversed_, mesh, 2, g.conj()).theta == pytest.approx(-theta, abs=1e-13)


def test_doubled_cell():
    """Twice the cell with half the mesh along it is the same crystal: the same theta, to what the mesh leaves (1e-11)."""
    model = malashevich()
    n = model.n_orbitals
    R = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    terms: dict[tuple[int, ...], np.ndarray] = {}
    for r, i in R.items():
        for a in range(2):  # from the cell a of the pair to cell b of the pair r2
            r2, b = divmod(r[0] + a, 2)
            X = terms.setdefault((r2, r[1], r[2]), np.zeros((2 * n, 2 * n), dtype=complex))
            X[a * n : (a + 1) * n, b * n : (b + 1) * n] += model.hamiltonian[i]
    lattice = model.lattice * np.array([[2.0], [1.0], [1.0]])
    centres = np.concatenate([model.centres, model.centres + model.lattice[0]])
    double = ome.TightBinding(lattice, np.array(list(terms)), np.array(list(terms.values())), centres=centres)
    g = best_trial(model, 2)
    theta = axion_angle(model, KMesh((12, 12, 12)), 2, g).theta
    assert axion_angle(double, KMesh((6, 12, 12)), 4, np.kron(np.eye(2), g)).theta == pytest.approx(theta, abs=1e-10)
