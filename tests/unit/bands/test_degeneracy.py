"""Which levels count as one: pairs that inversion times time reversal makes, tolerances, and the charge for levels in doubt."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from toys import SWAP, pauli, random_arrays, random_model, rebuilt, spinful, split

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy, default_tol, splitting_of_pairs
from ome_wannier.calculators import Observable, get, names
from ome_wannier.calculators.weights import evaluate
from ome_wannier.errors import AccuracyWarning, ConvergenceWarning
from ome_wannier.response.tabulate import integrand

KB = 8.617333262e-5


@cache
def antiferromagnet(noise, seed=3):
    """Two sites with a spin each, (P T)^2 = -1, a metal of two double bands; noise (rms, eV) in every hopping."""
    at = np.array([[0.2, 0.15, 0.0], [-0.2, -0.15, 0.0]])
    model = random_model(
        seed, 2, 4, hopping=0.8, position="matrix", time_reversal_inversion=spinful(SWAP), spin=pauli(2),
        symmetric_centres=np.repeat(at, 2, axis=0),
    )  # fmt: skip
    random = random_arrays(np.random.default_rng(seed + 100), model.R, 4, noise, 0.5)
    return rebuilt(model, hamiltonian=model.hamiltonian + random)


def splitting(model, points=400):
    """The largest splitting of pairs in eV, at points of our own."""
    k = np.random.default_rng(0).uniform(size=(points, 3)) * model.periodic
    e = np.linalg.eigvalsh(model.matrices(k, 0).H)
    return float((e[:, 1::2] - e[:, ::2]).max())


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_noise_inside_pairs_changes_a_response_by_its_own_size(seed):
    """In a metal 1 meV of noise changes an intrinsic response by its share of k_B T at most; without pairs by much more."""
    clean, noisy = antiferromagnet(0.0, seed), antiferromagnet(3e-4, seed)
    assert splitting(clean) < 1e-12
    assert 5e-4 < splitting(noisy) < 3e-3
    settings = {"kmesh": (24, 24, 1), "calculators": "interband", "fermi": [-1.0, 0.0, 1.0], "temperature": 300.0}
    expected, found, raw = (
        ome.compute(m, **settings, **more).interband.values
        for m, more in ((clean, {}), (noisy, {}), (noisy, {"degeneracy_tol": 1e-5}))
    )
    size = splitting(noisy) / (300 * KB)
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < size * scale
    assert np.abs(raw - expected).max() > 10 * size * scale


def test_nothing_depends_on_the_choice_of_states_in_a_pair():
    """All weights of all observables stay when the states of every pair are rotated among themselves."""
    model = antiferromagnet(3e-4)
    rng = np.random.default_rng(1)
    k = rng.uniform(size=(7, 3)) * model.periodic
    turned = Bands(model, k, order=2, curvature=True, degeneracy=Degeneracy(1e-5, paired=True))
    plain = Bands(model, k, order=2, curvature=True, degeneracy=Degeneracy(1e-5, paired=True))
    e, U = turned._eigh
    W, _ = np.linalg.qr(rng.normal(size=(7, 2, 2, 2)) + 1j * rng.normal(size=(7, 2, 2, 2)))
    turned.__dict__["_eigh"] = e, np.einsum("kipa,kpab->kipb", U.reshape(7, 4, 2, 2), W).reshape(7, 4, 4)
    for name in names():
        observable = get(name)
        if isinstance(observable, Observable):
            a, b = evaluate(observable, plain), evaluate(observable, turned)
            assert np.abs(a - b).max() <= 1e-10 * np.abs(a).max() + 1e-13, name


def test_pairs_are_found_where_symmetry_makes_them():
    """Of Wannier functions with inversion times time reversal, with noise or not; nowhere else."""
    assert 0 <= splitting_of_pairs(antiferromagnet(0.0)) < 1e-12
    noisy = antiferromagnet(3e-4)
    assert 0.5 * splitting(noisy) < splitting_of_pairs(noisy) <= 1.2 * splitting(noisy)
    assert 0 < splitting_of_pairs(ome.load("cr2o3")) < 1e-5
    exact = rebuilt(antiferromagnet(0.0), position=None, centres=np.zeros((4, 3)))  # written down, not found
    others = [antiferromagnet(0.05), exact, random_model(1, 2, 5, position="matrix")]  # 50 meV is no noise
    others += [ome.load(name) for name in ("te", "mos2", "vse2", "hbn")]
    assert [splitting_of_pairs(m) for m in others] == [None] * len(others)


@cache
def weak_spin_orbit(coupling):
    """A crystal without inversion, each band for both spins, which `coupling` (eV) splits; with time reversal."""
    one = random_model(8, 2, 2, energies=[-1.5, 1.5], position="matrix", time_reversal=np.eye(2))
    H, r = np.einsum("rij,st->risjt", one.hamiltonian, np.eye(2)), np.einsum("rija,st->risjta", one.position, np.eye(2))
    n = len(H)
    both = ome.TightBinding(
        one.lattice, one.R, H.reshape(n, 4, 4), position=r.reshape(n, 4, 4, 3), periodic=one.periodic, spin=pauli(2)
    )
    Theta = spinful(np.eye(2))
    random = random_arrays(np.random.default_rng(5), both.R, 4, coupling, 0.5)
    odd = np.einsum("ij,rjk,lk->ril", Theta, random.conj(), Theta.conj())
    return rebuilt(both, hamiltonian=both.hamiltonian + (random + odd) / 2)


@pytest.mark.filterwarnings("ignore:levels 0.1 to 1 meV apart", "ignore:not converged .* not changed by more points")
def test_weak_spin_orbit_coupling_is_no_noise():
    """Bands that are nearly double without inversion are not paired: the spin of a current, which lives on their splitting,
    is what it is with all levels apart, but for the points where they meet. As one level each pair would give another."""
    model = weak_spin_orbit(1.2e-3)
    assert splitting(model) < 5e-3
    settings = {"kmesh": (24, 24, 1), "calculators": "spin_extrinsic", "fermi": [1.5], "temperature": 1000.0}
    found, apart, pairs = (ome.compute(model, **settings, degeneracy_tol=tol).spin_extrinsic for tol in (None, 1e-9, 5e-3))
    largest = np.abs(apart).max()
    assert np.abs(found - apart).max() < 0.1 * largest
    assert np.abs(pairs - apart).max() > 0.5 * largest


def test_default_tolerances():
    """Of Wannier functions 0.05 k_B T of the lowest temperature within bounds; fixed for others. A number replaces all."""
    wannier, exact = random_model(1, 2, 4, position="matrix"), random_model(1, 2, 4)
    for temperature, expected in ((300.0, 1e-4), ([300.0, 5.0], 0.05 * KB * 5), (0.1, 1e-6), ([0.0, 300.0], 1e-5)):
        assert default_tol(wannier, temperature) == pytest.approx(expected)
        assert default_tol(exact, temperature) == 1e-5
    exact_pairs = antiferromagnet(0.0)
    assert Degeneracy.of(exact_pairs, 300.0) == Degeneracy(1e-4, True, 1e-3, splitting_of_pairs(exact_pairs))
    assert Degeneracy.of(exact_pairs, 0.0) == Degeneracy(1e-5, True, 1e-4, splitting_of_pairs(exact_pairs))
    noisy = antiferromagnet(3e-4)
    noise = splitting_of_pairs(noisy)  # which splits other levels that symmetry makes equal, too
    assert Degeneracy.of(noisy, 300.0) == Degeneracy(noise, True, 2 * noise, noise, 1e-5)
    less = antiferromagnet(1e-5)  # felt at 1 K, not at 1000 K
    noise = splitting_of_pairs(less)
    assert Degeneracy.of(less, [2.0, 300.0]).apart == pytest.approx(0.1 * noise)
    assert Degeneracy.of(less, 1e3).apart == 0
    assert Degeneracy.of(noisy, 300.0, 2e-3) == Degeneracy(2e-3)


@pytest.mark.parametrize("settings", [{"kmesh": (24, 24, 1)}, {"rtol": 0.03, "symmetry": "off"}])
@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.filterwarnings("ignore:all levels come in pairs", "ignore:symmetry changes", "ignore:not converged")
def test_errors_hold_what_real_splitting_of_pairs_makes(settings, seed):
    """A field that splits all pairs by less than an meV looks like noise: values leave it out, errors do not.

    What it makes is known as well as the cells or points resolve it that were chosen for the value: to a factor of two.
    """
    model = antiferromagnet(1e-4, seed)
    asked = settings | {"calculators": ["total", "spin_extrinsic", "extrinsic"], "fermi": [0.3, 1.0], "temperature": 100.0}
    found, real = (split(model, ome.compute(model, **asked, degeneracy_tol=tol)) for tol in (None, 1e-7))
    assert (found.attrs["paired_levels"], found.attrs.get("converged", 0)) == (1, 0)
    for name in asked["calculators"]:
        wrong = np.abs(found[name].values - real[name].values)
        assert (wrong <= 2 * found[f"{name}_error"].values + real[f"{name}_error"].values).all()
    assert np.abs(found.extrinsic - real.extrinsic).max() > 0.5 * np.abs(real.extrinsic).max()


def test_pairs_that_are_split_are_named():
    """What splits them is taken for noise: a weak field would look the same."""
    settings = {"kmesh": (6, 6, 1), "calculators": "total", "fermi": 0.0}
    with pytest.warns(AccuracyWarning, match=r"all levels come in pairs, up to \d\.\d+ meV apart, which is taken for noise"):
        ome.compute(antiferromagnet(3e-4), **settings)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        ome.compute(antiferromagnet(0.0), **settings)
    assert not [w for w in record if "come in pairs" in str(w.message)]


@cache
def gapped(gap, positions=True):
    """The tilted Dirac lattice with a gap (eV), as Wannier functions are given or as a model is written down."""
    model = ome.load("tilted-dirac-lattice", mass=gap / 2)
    position = np.zeros((*model.hamiltonian.shape, 3), dtype=complex)
    home = int(np.flatnonzero(~model.R.any(axis=1))[0])
    position[home] = np.einsum("ij,ia->ija", np.eye(2), model.centres)
    return rebuilt(model, centres=None, position=position) if positions else model


@pytest.mark.parametrize("gap", [0.8e-3, 0.4e-3])
@pytest.mark.filterwarnings("ignore:levels 0.1 to 1 meV apart", "ignore:not converged .* not changed by more points")
def test_gaps_below_an_meV_stay(gap):
    """As in the model that is written down, whose tolerance is finer; the old 1 meV lost up to a fifth at 300 K."""
    settings = {"calculators": ["interband", "extrinsic"], "fermi": [0.0], "temperature": 300.0, "rtol": 0.003}
    model = gapped(gap)
    found, merged = (split(model, ome.compute(model, **settings, degeneracy_tol=tol)) for tol in (None, 1e-3))
    expected = split(model, ome.compute(gapped(gap, False), **settings))
    for name in ("interband", "extrinsic"):
        largest = np.abs(expected[name]).max()
        assert np.abs(found[name] - expected[name]).max() < 0.006 * largest
        assert np.abs(merged[name] - expected[name]).max() > 0.03 * largest


@pytest.mark.parametrize("temperature", [300.0, 30.0])
def test_what_the_tolerance_hides_is_in_the_error(temperature):
    """A gap of 0.05 meV, half the tolerance: the value is wrong by less than its error, which is not convergence, and a warning
    names it. A tolerance that is given has no such error."""
    settings = {"calculators": ["interband", "extrinsic"], "fermi": [0.0], "temperature": temperature, "rtol": 0.01}
    with (
        pytest.warns(AccuracyWarning, match=r"levels 0.1 to 1 meV apart may be one: .* change interband by .*, extrinsic by"),
        pytest.warns(ConvergenceWarning, match="not converged to rtol = 0.01: interband .* not changed by more points"),
    ):
        found = split(gapped(5e-5), ome.compute(gapped(5e-5), **settings))
    truth = split(gapped(5e-5), ome.compute(gapped(5e-5), **settings, degeneracy_tol=1e-7))  # warnings are errors
    assert (found.attrs["converged"], truth.attrs["converged"]) == (0, 1)
    assert "interband" in found.attrs["not_converged"]
    for name in ("interband", "extrinsic"):
        largest = np.abs(truth[name].values).max()
        wrong = np.abs(found[name].values - truth[name].values)
        assert wrong.max() > 0.05 * largest
        assert (wrong <= found[f"{name}_error"].values + truth[f"{name}_error"].values).all()


def test_charge_on_a_mesh():
    """The error of a mesh holds the difference of the sums with ten times the tolerance and with the tolerance, whatever the
    batches and symmetries, besides that of a tolerance that is given."""
    model = gapped(3e-4)
    names_ = ["interband", "total", "extrinsic"]
    settings = {"calculators": names_, "fermi": [-0.02, 0.01], "temperature": [300.0, 500.0]}
    for mesh, more in (((12, 12, 1), {}), ((12, 12, 1), {"symmetry": "off"}), ((12, 12, 1), {"memory": 2**23})):
        found, fine, wide = (
            split(model, ome.compute(model, mesh, **settings, **more, degeneracy_tol=tol)) for tol in (None, 1e-4, 1e-3)
        )
        for name in names_:
            scale = np.abs(fine[name].values).max()
            expected = fine[f"{name}_error"].values + np.abs(wide[name].values - fine[name].values)
            assert np.abs(wide[name].values - fine[name].values).max() > 0.01 * scale
            np.testing.assert_array_equal(found[name].values, fine[name].values)
            np.testing.assert_allclose(found[f"{name}_error"].values, expected, atol=1e-10 * scale)


def test_no_doubt_where_levels_are_apart():
    """Where no levels come close nothing is charged: the errors are those of a given tolerance."""
    model = random_model(7, 2, 4, energies=[-4.0, -1.0, 1.5, 4.0], hopping=0.2, position="matrix")
    for settings in ({"kmesh": (8, 8, 1)}, {"rtol": 1e-2}):
        settings |= {"calculators": "interband", "fermi": [0.0]}
        found, given = (ome.compute(model, **settings, degeneracy_tol=tol) for tol in (None, 1e-4))
        assert found.attrs["levels_in_doubt"] == ""
        for name in found.data_vars:
            np.testing.assert_array_equal(found[name].values, given[name].values)


def crossing_along_a_line():
    """Two layers of MnBi2Te4, one tilted: all bands touch in pairs along k_x = 0, and part linearly."""
    return ome.load("mnbi2te4-slab", layers=2, tilt_top=0.0, tilt_bottom=0.33)


@pytest.mark.parametrize("mu", [0.0, 0.07])
def test_levels_of_a_group_that_cross_count_as_they_are_occupied(mu):
    """1e-7 to 1e-5 eV from a line of crossings at 300 K: the response is that of the levels apart, not 20 % less and more.

    With the levels apart rounding leaves eps/apart^2 of the weights.
    """
    model, y = crossing_along_a_line(), np.random.default_rng(1).uniform(0.002, 0.05, 6)
    k = np.stack([np.full(6, 1.2e-5), y, np.zeros(6)], axis=1)
    for name in ("total", "magnetization", "extrinsic"):
        calculator = get(name)
        found, apart, one = (integrand(model, calculator, k, mu, 300 * KB, tol)[1] for tol in (None, 1e-9, 1e-5))
        size = np.nanmax(np.abs(apart))  # of extrinsic the column of a field across is nan
        assert np.nanmax(np.abs(found - apart)) < (1e-3 if name == "extrinsic" else 1e-5) * size
        if name == "total":
            assert np.nanmax(np.abs(one - apart)) > 0.2 * size


def test_lines_of_crossings_do_not_bias_what_converges():
    """rtol = 1e-5 refines cells onto the line: 6e-4 were lost there, and called converged. Expected: a mesh off the line, whose
    sum converges exponentially."""
    model, settings = crossing_along_a_line(), {"calculators": ["total"], "fermi": 0.0, "temperature": 300.0, "symmetry": "off"}
    expected = ome.compute(model, ome.KMesh((400, 400, 1), (0.31, 0.41, 0.0)), **settings).total.values
    found = ome.compute(model, rtol=1e-5, **settings)
    assert found.attrs["converged"]
    assert np.abs(found.total.values - expected).max() < 1e-5 * np.abs(expected).max()
    assert (np.abs(found.total.values - expected) <= found.total_error.values + 1e-9 * np.abs(expected).max()).all()
