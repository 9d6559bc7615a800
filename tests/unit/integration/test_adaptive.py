"""compute(rtol=...): what it converges to, against integrals that are known; what it must not miss; where it must stop."""

from __future__ import annotations

import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from toys import SIGMA, from_terms, haldane, random_model, tilted_dirac, two_band

import ome_wannier as ome
from ome_wannier import executors
from ome_wannier.calculators import Combination
from ome_wannier.cli import main
from ome_wannier.errors import ConvergenceWarning, SettingsError
from ome_wannier.integration.adaptive.cells import base_cells, halved
from ome_wannier.integration.adaptive.cubature import rule
from ome_wannier.integration.occupation.fermi import fermi_function, minus_fermi_derivative, thermal_weight
from ome_wannier.integration.occupation.histogram import Occupation
from ome_wannier.units import KB


@pytest.mark.parametrize(("dimension", "degrees"), [(1, (22, 13)), (2, (7, 5)), (3, (7, 5))])
def test_rules_are_exact_to_their_degree(dimension, degrees):
    found = rule(dimension)
    for weights, degree in zip((found.high, found.high - found.null[0]), degrees, strict=True):
        for powers in product(range(degree + 1), repeat=dimension):
            if sum(powers) <= degree:
                exact = np.prod([1 / (p + 1) if p % 2 == 0 else 0.0 for p in powers])
                assert weights @ np.prod(found.nodes ** np.array(powers), axis=1) == pytest.approx(exact, abs=1e-13)


def test_odd_rule_of_a_line_is_blind_to_what_its_lower_rule_integrates():
    """It sees what is odd about the middle of a cell, which the difference of the rules does not."""
    found = rule(1)
    x, (even, odd) = found.nodes[:, 0], found.null
    assert all(abs(odd @ x**p) < 1e-15 for p in range(13))
    assert abs(odd @ x**13) > 1e-5 > 1e-15 > abs(odd @ even)
    assert np.linalg.norm(odd) == pytest.approx(np.linalg.norm(even))


@pytest.mark.parametrize("dimension", [2, 3])
def test_odd_rules_of_cells_are_blind_to_what_the_difference_sees(dimension):
    """One along each direction, zero to degree 4: a surface through a corner of a cell may escape the even difference."""
    found = rule(dimension)
    even, *odd = found.null
    assert len(odd) == dimension
    for powers in product(range(5), repeat=dimension):
        if sum(powers) <= 4:
            assert abs(np.array(odd) @ np.prod(found.nodes ** np.array(powers), axis=1)).max() < 1e-13
    assert np.linalg.matrix_rank([[x @ found.nodes[:, i] ** 5 for i in range(dimension)] for x in odd]) == dimension
    assert abs(np.array(odd) @ even).max() < 1e-13


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_reach_of_rules(dimension):
    found = rule(dimension)
    points = np.random.default_rng(1).uniform(-1, 1, (20000, dimension))
    nearest = np.abs(points[:, None] - found.nodes).max(axis=2).min(axis=1)
    assert found.reach - 0.02 < nearest.max() <= found.reach


def test_halves_fill_the_cells():
    cells = base_cells((3, 2), half=True)
    assert np.prod(2 * cells.half, axis=1).sum() == pytest.approx(0.5)
    parts = halved(cells, np.array([[1.0, 0.5], [0.0, 0.0], [0.1, 1.0], [1.0, 1.0]]), 0.25)
    assert len(parts.half) == 4 + 2 + 2 + 4
    assert np.prod(2 * parts.half, axis=1).sum() == pytest.approx(0.5)
    assert len(np.unique(np.round(parts.centre, 12), axis=0)) == len(parts.centre)


def test_occupations():
    energies = np.linspace(-0.3, 0.3, 41)
    occupation = Occupation(np.array([-0.1, 0.0, 0.15]), np.array([0.0, 300.0]))
    f, df = (x.reshape(41, 3, 2) for x in occupation.factors(energies).values())
    for i, mu in enumerate(occupation.fermi):
        assert np.array_equal(f[:, i, 0], fermi_function(energies, mu, 0.0))
        np.testing.assert_allclose(f[:, i, 1], fermi_function(energies, mu, 300 * KB), atol=1e-15)
        np.testing.assert_allclose(df[:, i, 1], minus_fermi_derivative(energies, mu, 300 * KB), rtol=1e-13)
    # at T = 0 the boxes of the histogram, here for states of weight one
    histogram = np.zeros((occupation.n_rows, 1))
    occupation.add(histogram, energies, np.ones((41, 1)))
    box = occupation.evaluate(histogram, np.array([True]))[:, 0, 0]
    np.testing.assert_allclose(df[:, :, 0].sum(axis=0), box, rtol=1e-12)


def pocket(mass, at=(0.3712, 0.2187)):
    """A Dirac cone of unit velocity and this mass (eV, lattice constant 1) at an odd place, alone in its zone."""
    phase = np.exp(-2j * np.pi * np.array(at))
    terms = {(0, 0): (mass + 2) * SIGMA[2]}
    for R, p, s in (((1, 0), phase[0], SIGMA[0]), ((0, 1), phase[1], SIGMA[1])):
        X = p * (s / 2j - SIGMA[2] / 2)
        terms[R] = X
        terms[tuple(-x for x in R)] = np.conj(X).T
    return from_terms(np.diag([1.0, 1.0, 10.0]), terms, np.zeros((2, 3)))


def upper_band(kind):
    """The number of electrons (sea), the density of states (surface) or what a gradient of the temperature makes of it, of the
    second band."""

    def weights(bands):
        return np.broadcast_to([0.0, 1.0], bands.energies.shape)[..., None].repeat(1, axis=2)

    return ome.calculators.Observable(
        f"upper_{kind}", "states of the second band", "own", kind, 1, 1, "-", "-", weights, dims=("moment",)
    )


@pytest.mark.parametrize("kind", ["sea", "surface", "thermal"])
def test_a_needle_is_found(kind):
    # 2e-6 of the zone: no uniform mesh that one would take has a point in it
    mass, mu, T, rtol = 1e-3, 5e-3, 5.0, 1e-3
    model = pocket(mass)
    for n in (48, 96):
        missed = ome.compute(model, (n, n, 1), [upper_band(kind)], mu, temperature=T)
        assert abs(missed[f"upper_{kind}"].values).max() < 1e-12
    result = ome.compute(model, calculators=[upper_band(kind)], fermi=mu, temperature=T, rtol=rtol)
    occupation = {"sea": fermi_function, "surface": minus_fermi_derivative, "thermal": thermal_weight}[kind]
    # e^2 = m^2 + (1 + m) k^2 up to e^4, as (k/2 pi) dk = (e/2 pi) de / (1 + m); relative corrections are e^2, 1e-4
    states = lambda e: e / (2 * np.pi) * occupation(np.array(e), mu, T * KB)  # noqa: E731
    exact = quad(states, mass, mu + 40 * T * KB, limit=500, epsabs=0)[0]
    exact /= 1 + mass
    value = result[f"upper_{kind}"].values.item()
    assert result.attrs["converged"] == 1
    assert abs(value - exact) < (rtol + 1e-4) * exact
    assert result[f"upper_{kind}_error"].values.item() <= rtol * value
    assert result.attrs["k_points"] < 70_000  # 25,000 of them the default mesh


def test_narrow_gap_has_its_chern_number():
    # 8 meV between the masses of the two phases; the curvature sits in 1e-5 of the zone
    model = haldane(delta=3 * np.sqrt(3) * 0.15 - 0.004)
    result = ome.compute(model, calculators=["berry_curvature"], fermi=0.0, temperature=0.0, rtol=1e-4)
    chern = result.berry_curvature.values.item() * 2 * np.pi
    assert abs(abs(chern) - 1) < 1e-4
    assert result.attrs["converged"] == 1
    assert result.attrs["k_points"] < 30_000


def test_insulators():
    names = ["total", "dipole", "quantum_metric"]
    result = ome.compute(two_band(), calculators=names, fermi=0.0, temperature=50.0, rtol=1e-6)
    assert result.attrs["converged"] == 1
    exact = ome.compute(two_band(), (240, 240, 1), names, 0.0, temperature=50.0)
    for name in names:
        assert abs(result[name] - exact[name]).max() <= 1e-6 * abs(exact[name]).max()


@pytest.mark.parametrize("symmetry", ["auto", pytest.param("off", marks=pytest.mark.long)])
def test_levels_and_temperatures_together(symmetry):
    # every element at every level within rtol of the largest one of the same temperature, against a dense mesh
    levels, temperatures, names, rtol = [0.7, 1.0], [200.0, 400.0], ["total", "extrinsic", "dipole"], 1e-3
    settings = {"calculators": names, "fermi": levels, "temperature": temperatures, "symmetry": symmetry}
    result = ome.compute(two_band(), rtol=rtol, **settings)
    exact = ome.compute(two_band(), (400, 400, 1), **settings)
    assert result.attrs["converged"] == 1
    assert result.attrs["kmesh"].startswith("adaptive")
    for name in names:
        scale = abs(exact[name]).max(["fermi", "moment", "field"])
        assert not (abs(result[name] - exact[name]) > rtol * scale).any()  # nan: elements that a layer does not have
        assert not (abs(result[name] - exact[name]) > result[f"{name}_error"] + exact[f"{name}_error"]).any()
        assert not (result[f"{name}_error"] > rtol * abs(result[name]).max(["fermi", "moment", "field"]) * (1 + 1e-12)).any()


def test_what_vanishes_does_not_run_for_ever():
    # inversion forbids all of it: known, the first cells do; unknown, work ends at the size of what cancels, and says so
    model = haldane(delta=0.0)
    settings = {"calculators": ["total", "extrinsic"], "fermi": -1.0, "temperature": 300.0, "rtol": 1e-2}
    known = ome.compute(model, **settings)
    assert known.attrs["converged"] == 1
    with pytest.warns(ConvergenceWarning, match=r"counted as zero, not converged to rtol = 0.01 of the value: total z"):
        unknown = ome.compute(model, symmetry="off", **settings)
    assert (unknown.attrs["converged"], unknown.attrs["not_converged"]) == (0, "")
    assert "total z" in unknown.attrs["counted_as_zero"]
    for result in (known, unknown):
        assert result.attrs["k_points"] < 200_000
    # an insulator has no Fermi surface: 1 eV is 387 k_B T at 30 K
    result = ome.compute(haldane(delta=1.5), calculators=["total", "extrinsic"], fermi=0.0, temperature=30.0, rtol=1e-3)
    assert result.attrs["converged"] == 1
    assert abs(result.extrinsic).max() == 0


def test_local_circulation_of_two_bands_is_nothing_to_wait_for():
    """It takes three bands: exactly zero for two, not a rounding error of equal terms that a tolerance would run after."""
    result = ome.compute(random_model(2, 2, 2), fermi=[0.0, 0.5], rtol=1e-2, calculators=["local", "dipole"])
    assert not result["local"].values.any()
    assert result["dipole"].values.any()
    assert result.attrs["converged"]


@pytest.mark.long
def test_results_of_two_tolerances_agree_where_bands_touch():
    """rtol = 1e-2 against 1e-3, within 1e-2. Nested meshes converge by leaps here; one leap looked like convergence, 5% off."""
    rng = np.random.default_rng(13)
    lattice = np.diag([2.5, 3.1, 2.8]) + 0.3 * rng.normal(size=(3, 3))
    R = np.array([r for r in product((-1, 0, 1), repeat=3) if np.abs(r).sum() <= 2])
    H = (rng.normal(size=(len(R), 3, 3)) + 1j * rng.normal(size=(len(R), 3, 3))) * np.exp(-np.abs(R).sum(axis=1))[:, None, None]
    H = (H + np.conj(np.swapaxes(H[::-1], 1, 2))) / 2  # R[::-1] is -R
    H[len(R) // 2] += np.diag([-2.0, 0.0, 2.0])
    model = ome.TightBinding(lattice, R, H, centres=rng.normal(size=(3, 3)))
    found = [
        ome.compute(model, calculators=["local_crossgap"], fermi=[2.5], temperature=1500.0, rtol=rtol)["local_crossgap"].values
        for rtol in (1e-2, 1e-3)
    ]
    assert np.abs(found[0] - found[1]).max() < 1e-2 * np.abs(found[1]).max()


def test_what_does_not_converge_is_named():
    with pytest.warns(ConvergenceWarning, match=r"extrinsic z[xy] at 0\.9 eV, 50 K .*raise max_points"):
        result = ome.compute(two_band(), calculators=["extrinsic"], fermi=0.9, temperature=50.0, rtol=1e-4, max_points=6000)
    assert result.attrs["converged"] == 0
    assert result.attrs["not_converged"].startswith("extrinsic z")
    assert result.attrs["k_points"] <= 6000
    exact = ome.compute(two_band(), (500, 500, 1), ["extrinsic"], 0.9, temperature=50.0)
    assert not (abs(result.extrinsic - exact.extrinsic) > result.extrinsic_error).any()


def test_time_is_kept():
    with pytest.warns(ConvergenceWarning, match="max_time"):
        result = ome.compute(two_band(), calculators=["extrinsic"], fermi=0.9, temperature=1.0, rtol=1e-6, max_time=0.3)
    assert result.attrs["converged"] == 0
    assert result.attrs["wall_time_s"] < 10


def test_bounds_that_leave_no_room_begin_with_coarser_cells():
    """Neither bound is waited for where the first cells would take more; the error is still one."""
    model = random_model(3)
    settings = {"calculators": ["extrinsic", "quantum_metric"], "fermi": 0.1, "temperature": 300.0, "rtol": 1e-6}
    least = 4 * 17  # of the smallest zone, some cells
    with pytest.warns(ConvergenceWarning, match="raise max_points"):
        few = ome.compute(model, max_points=500, **settings)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        short = ome.compute(model, max_time=1e-3, **settings)
    assert few.attrs["k_points"] <= 500
    assert short.attrs["k_points"] <= least
    exact = ome.compute(model, (240, 240, 1), settings["calculators"], 0.1, temperature=300.0)
    for result in (few, short):
        assert result.attrs["converged"] == 0
        for name in settings["calculators"]:
            assert not (abs(result[name] - exact[name]) > result[f"{name}_error"] + 1e-9 * abs(exact[name]).max()).any()


def test_crossings_that_noise_opens_are_not_waited_for():
    """The mirror of VSe2 lets bands 11 and 12 cross along a line; noise keeps them apart. The remedy is named, and is one:
    symmetrised, the same tolerance is reached with fewer points than were not enough."""
    model, settings = ome.load("vse2"), {"calculators": "total", "fermi": -0.7, "temperature": 300.0, "rtol": 0.05}
    with pytest.warns(ConvergenceWarning) as said:
        ome.compute(model, max_points=30_000, **settings)
    assert any("or make the model symmetric (ome_wannier.symmetrize)" in str(w.message) for w in said)
    found = ome.compute(ome.symmetrize(model).model, max_points=30_000, **settings)
    assert found.attrs["converged"]
    with pytest.warns(ConvergenceWarning) as said:  # no symmetry of this model is noise
        ome.compute(random_model(3), max_points=100, **settings | {"fermi": 0.1, "rtol": 1e-6})
    assert not any("symmetrize" in str(w.message) for w in said)


@pytest.mark.parametrize("max_points", [100, 1500, 3000])
def test_bounds_do_not_make_a_pocket_nothing(max_points):
    """A pocket that no point of the first cells sees: the error exceeds the value, which is near zero, at every bound."""
    model = ome.load("bernal-graphene", displacement=0.004, strain=0.01, strain_angle=0.0)
    with pytest.warns(ConvergenceWarning, match="raise max_points"):
        result = ome.compute(
            model, calculators=["extrinsic"], fermi=1.7405e-3, temperature=1.74, rtol=2e-3, max_points=max_points
        )
    assert result.attrs["converged"] == 0
    assert result.extrinsic_error.max() > abs(result.extrinsic).max()


def same(a, b):
    return all(np.array_equal(a[name].values, b[name].values, equal_nan=True) for name in a.data_vars)


def test_workers_do_not_change_a_bit():
    settings = {"calculators": ["total", "extrinsic"], "fermi": [0.8, 0.9], "temperature": 150.0, "rtol": 1e-2}
    alone = ome.compute(two_band(), **settings)
    with ThreadPoolExecutor(3) as threads:
        assert same(alone, ome.compute(two_band(), executor=threads, **settings))
    assert same(alone, ome.compute(two_band(), memory=2**28, **settings))


@pytest.mark.parametrize(("T", "max_points"), [([0.0, 100.0], 10000), ([100.0, 150.0], 10000)])
def test_memory_is_kept(T, max_points):
    """Many levels: sums by class of cells are what takes the memory."""
    names = ["interband", "metric_curl", "orbital_moment"]
    settings = {"calculators": names, "temperature": T, "rtol": 1e-2, "max_points": max_points}
    memory = 16 * 2**20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ome.compute(two_band(), fermi=[0.8, 0.81], **settings)  # what is imported on the way is not meant
        tracemalloc.start()
        result = ome.compute(two_band(), fermi=np.linspace(0.8, 0.81, 151), memory=memory, **settings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.attrs["k_points"] > 1000
    assert peak < memory
    with pytest.raises(SettingsError, match=r"memory 1 MiB: with rtol .* 302 Fermi levels times temp.* raise"):
        ome.compute(two_band(), fermi=np.linspace(0.8, 0.81, 151), memory=2**20, **settings)


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.ConvergenceWarning")
def test_matrices_of_one_point_are_enough_memory():
    """The 33 points of a cell need not fit at once: of tellurium, a quarter of 4 MiB holds the matrices of three."""
    settings = {"calculators": ["extrinsic"], "fermi": 6.05, "temperature": 100.0, "rtol": 1e-2, "max_points": 2000}
    few, many = (ome.compute(ome.load("te"), memory=m, **settings) for m in (4 * 2**20, 2**30))
    assert "cells" in few.attrs["kmesh"]
    assert few.attrs["k_points"] == many.attrs["k_points"]
    # the same points, three or more at a time: products of matrices of other shapes differ by rounding
    np.testing.assert_allclose(few.extrinsic, many.extrinsic, rtol=0, atol=1e-12 * float(abs(many.extrinsic).max()))


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.ConvergenceWarning")
@pytest.mark.parametrize("T", [0.0, 20.0])
def test_the_division_of_the_zone_does_not_depend_on_memory(T):
    """Many levels and quantities: with classes as wide as the memory was small, `total` moved by 10%."""
    levels, rtol = np.linspace(-0.5, 0.5, 60), 1e-2
    results = [
        ome.compute(ome.load("haldane"), fermi=levels, temperature=T, rtol=rtol, max_points=20_000, memory=m)
        for m in (32 * 2**20, 2**30)
    ]
    assert same(*results)
    assert results[0].attrs["kmesh"] == results[1].attrs["kmesh"]


@pytest.mark.long
def test_processes_do_not_change_a_bit():
    settings = {"calculators": ["total", "extrinsic"], "fermi": [0.8, 0.9], "temperature": 50.0, "rtol": 1e-3}
    with executors.processes(2) as workers:
        assert same(ome.compute(two_band(), **settings), ome.compute(two_band(), executor=workers, **settings))


@pytest.mark.parametrize("T", [0.0, pytest.param(100.0, marks=pytest.mark.long)])
def test_rays(T):
    # physics.md section 7 for T = 0; a dense mesh at 100 K
    names, rtol = ["dipole", "total", "extrinsic"][: 2 if T == 0 else 3], 1e-5
    levels = [0.0, 0.015]
    result = ome.compute(tilted_dirac(), calculators=names, fermi=levels, temperature=T, rtol=rtol)
    assert result.attrs["converged"] == 1
    exact = ome.compute(tilted_dirac(), ome.PolarMesh(96, 20), names, levels, temperature=T)
    for name in names:
        assert abs(result[name] - exact[name]).max() <= rtol * abs(exact[name]).max()
    if T == 0:
        angstrom = 1e-10 * 2.434134807e-4  # e^2/hbar Angstrom
        known = np.array([-2.1220659078919, -1.20481506]) / 2
        np.testing.assert_allclose(result.dipole.sel(moment="z", field="y") / angstrom, known, atol=1e-5 * 1.1)
    with pytest.warns(ConvergenceWarning, match="total zy"):
        ome.compute(tilted_dirac(), calculators=["total"], fermi=0.0100001, temperature=T, rtol=1e-14, max_points=3000)


def test_filling():
    # half filling of a particle-hole symmetric metal
    terms = {(0, 0): np.zeros((1, 1))}
    for R in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        terms[R] = np.full((1, 1), 0.5)
    model = from_terms(np.diag([3.0, 3.0, 9.0]), terms, np.zeros((1, 3)))
    settings = {"filling": 0.5, "temperature": 100.0, "rtol": 1e-3}
    result = ome.compute(model, calculators=["quantum_metric"], **settings)
    assert abs(result.fermi.item()) < 1e-3 * 100 * KB


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rtol": 0.0}, "rtol is 0.0"),
        ({"rtol": "tight"}, "rtol is 'tight'"),
        ({"rtol": 1e-3, "kmesh": (8, 8, 1)}, "either kmesh or rtol"),
        ({"rtol": 1e-3, "checkpoint": "x.npz"}, "checkpoint: with rtol"),
        ({"rtol": 1e-3, "max_points": 0}, "max_points is 0"),
        ({"rtol": 1e-3, "max_time": -1}, "max_time is -1"),
        ({"kmesh": (8, 8, 1), "max_time": 5.0}, "max_points and max_time bound the work that rtol asks for"),
        ({"kmesh": (8, 8, 1), "max_points": 500}, "max_points and max_time bound the work that rtol asks for"),
    ],
)
def test_settings_that_make_no_sense(settings, said):
    with pytest.raises(SettingsError, match=said):
        ome.compute(two_band(), calculators=["total"], fermi=0.0, **settings)


def test_result_can_be_written(tmp_path):
    result = ome.compute(two_band(), calculators=["total"], fermi=0.0, rtol=1e-3)
    ome.save(result, tmp_path / "x.nc")
    assert ome.load_result(tmp_path / "x.nc").attrs["converged"] == 1


@pytest.mark.long
def test_three_dimensions():
    model = random_model(3, dimension=3, n=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # 3.4 million points, more than without being asked
        result = ome.compute(
            model, calculators=["total", "extrinsic"], fermi=0.2, temperature=600.0, rtol=1e-3, max_points=4_000_000
        )
    # uniform meshes scatter: 96^3 points are 2e-3 from the result, 192^3 1.4e-3, 256^3 4e-4
    exact = ome.compute(model, (256, 256, 256), ["total", "extrinsic"], 0.2, temperature=600.0)
    for name in ("total", "extrinsic"):
        assert abs(result[name] - exact[name]).max() <= 1e-3 * abs(exact[name]).max()


def test_command_line(tmp_path, capsys):
    file = tmp_path / "run.toml"

    def called(text, *options):
        file.write_text(f'material = "haldane"\nfermi = 0.0\ncalculators = ["total"]\n{text}\n')
        with pytest.raises(SystemExit) as caught:
            main(["run", str(file), *options])
        return caught.value.code, " ".join(" ".join(capsys.readouterr()).split())

    code, said = called("kmesh = [8, 8, 1]", "--rtol", "1e-3")
    assert code == 0
    assert "rtol = 0.001 reached" in said
    assert called("rtol = 1e-3")[0] == 0
    code, said = called("rtol = 1e-3\nkmesh = [8, 8, 1]")
    assert code == 2
    assert "either kmesh or rtol" in said
    code, said = called("max_points = 1000")
    assert code == 2
    assert "give rtol" in said


def rashba(zeeman=4.1e-3, so=0.02, mass=0.38):
    """Two spin-split bands on a square lattice of 2.5 Angstrom, whose Fermi lines are thin rings apart."""
    t = so * np.array([[0, 1], [-1, 0]]) / 2, so * np.array([[0, -1j], [-1j, 0]]) / 2
    R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
    hops = [-mass * np.eye(2) + t[0], -mass * np.eye(2) + t[1]]
    H = np.array([4 * mass * np.eye(2) + zeeman * np.diag([1, -1]), hops[0], hops[0].conj().T, hops[1], hops[1].conj().T])
    return ome.TightBinding(np.diag([2.5, 2.5, 10.0]), R, H, centres=np.zeros((2, 3)))


def test_a_ring_between_two_fermi_lines_is_seen():
    """Metric of the states between the lines, which cells that see both lines but nothing between them take for zero.

    Against a sum over a uniform mesh near the pocket, by closed formulas for two bands: |d_a d x d|^2 / 4 of the unit vector d.
    """
    level, T, so, zeeman, mass, a = 0.2, 2.0, 0.02, 4.1e-3, 0.38, 2.5
    result = ome.compute(rashba(zeeman, so, mass), calculators="quantum_metric", fermi=level, temperature=T, rtol=1e-2)
    n, reach = 4000, 0.45  # up to where the bands are far above the level
    x = (np.arange(n) + 0.5) / n * 2 * reach - reach
    kx, ky = np.meshgrid(x * 2 * np.pi / a, x * 2 * np.pi / a, indexing="ij")
    e0 = 4 * mass - 2 * mass * (np.cos(kx * a) + np.cos(ky * a))
    d = np.stack([so * np.sin(ky * a), -so * np.sin(kx * a), zeeman + 0 * kx])
    size = np.sqrt((d**2).sum(axis=0))
    dx = np.stack([0 * kx, -so * a * np.cos(kx * a), 0 * kx])
    metric = ((dx**2).sum(axis=0) - ((d * dx).sum(axis=0) / size) ** 2) / (4 * size**2)
    f = [1 / (1 + np.exp(np.clip((e0 + s * size - level) / (T * KB), -700, 700))) for s in (-1, 1)]
    expected = ((f[0] - f[1]) * metric).mean() * (2 * reach) ** 2 / a**2
    assert result.attrs["converged"] == 1
    assert abs(result.quantum_metric.values[0, 0, 0] - expected) < 1e-2 * expected


def test_errors_of_sums_do_not_depend_on_their_signs():
    """What the points may miss adds up; a pocket that 4000 points do not resolve was claimed with an error below zero."""
    sums = [Combination(name, name, (("extrinsic", c),), "", "") for name, c in (("plus", 1.0), ("minus", -1.0))]
    model, settings = ome.load("haldane"), {"rtol": 0.05, "fermi": [0.26], "temperature": 20.0, "max_points": 4000}
    with pytest.warns(ConvergenceWarning, match="minus zx"):
        found = ome.compute(model, calculators=[*sums, "commutator_residual"], **settings)
    np.testing.assert_array_equal(found.minus, -found.plus)
    np.testing.assert_array_equal(found.minus_error, found.plus_error)
    assert found.plus_error.max() > 0
    assert "minus zx" in found.attrs["not_converged"]
    assert np.all(np.nan_to_num(found.commutator_residual_error.values) >= 0)


def chain_of_weakly_coupled_orbitals(seed):
    """Random hoppings along the chain of each orbital, and far weaker ones between orbitals; with them four levels or fifty."""
    rng = np.random.default_rng(seed + 77)
    n, a, weak, far = int(rng.integers(2, 7)), 10 ** rng.uniform(0, 2), 10 ** rng.uniform(-4.5, -1), int(rng.integers(1, 5))
    levels = np.sort(rng.normal(size=[1, 4, 50][seed % 3]) * 0.4)
    rng = np.random.default_rng(seed)
    H = np.zeros((2 * far + 1, n, n), dtype=complex)  # R = -far ... far; with the conjugates in the end
    for i in range(n):
        for R in range(1, far + 1):
            H[far + R, i, i] += 0.4 * rng.normal() * np.exp(1j * rng.uniform(0, 2)) / R
        for j in range(i + 1, n):
            for R in (-1, 0, 1):
                H[far + R, i, j] += weak * (rng.normal() + 1j * rng.normal())
    centres = rng.uniform(size=(n, 3)) * [a, 3, 3]
    H[far] += np.diag(rng.normal(size=n) * 0.15)
    R = np.arange(-far, far + 1)[:, None] * [1, 0, 0]
    lattice, H = np.diag([a, 20.0, 20.0]), H + H[::-1].conj().transpose(0, 2, 1)
    return ome.TightBinding(lattice, R, H, centres=centres, periodic=(True, False, False)), levels


@pytest.mark.parametrize("seed", [55, 56])
def test_rules_of_a_chain_do_not_agree_by_chance(seed):
    """Where the even parts of both did, a peak or a pocket in one cell was three errors off."""
    model, levels = chain_of_weakly_coupled_orbitals(seed)
    names = ["quantum_metric", "dipole_polarizability", "drude_weight"]
    settings = {"calculators": names, "fermi": levels, "temperature": [5.0, 30.0, 100.0, 300.0][seed % 4], "symmetry": "off"}
    found = ome.compute(model, rtol=1e-2, **settings)
    fine, half = (ome.compute(model, (n, 1, 1), **settings) for n in (60_000, 30_000))
    assert found.attrs["converged"]
    for name in names:
        off, sure = (np.nan_to_num(abs(fine[name] - x[name]).values) for x in (found, half))
        assert sure.max() < 1e-3 * np.nanmax(abs(fine[name]))
        assert np.all(off < 2 * np.nan_to_num(found[f"{name}_error"].values) + 2 * sure)


class Ring:
    """A massive tilted Dirac cone at the corner of the zone of a sheared lattice, in closed form."""

    lattice = np.array([[2.614478251545219, 0.0844710848326793], [0.27183564879566874, 2.5208879154004338]])
    centres = np.array([[1.2361151575918348, 0.8042657697318469], [0.4205865794312183, -0.55250509813952]])
    mass, B, v, tilt = 0.1715326685902624, 1.7944305009155554, (1.1964468311683185, 0.4848999379995166), 0.14237709036999037
    level, T = 0.17980458436523442, 1.0

    def terms(self):
        """Hoppings from the cell to others, besides those back."""
        (sx, sy, sz), one = SIGMA[:3], np.eye(2)
        along = self.B / 2 * sz + 1j * self.v[0] * sx - 1j * self.tilt * one
        return {(0, 0): (self.mass + 2 * self.B) * sz, (1, 0): along, (0, 1): self.B / 2 * sz + 1j * self.v[1] * sy}

    def model(self):
        terms = self.terms()
        R = [(*R, 0) for R in terms] + [(-a, -b, 0) for a, b in terms if a or b]
        H = [*terms.values(), *(h.conj().T for R, h in terms.items() if any(R))]
        lattice, centres = np.diag([0.0, 0.0, 15.0]), np.zeros((2, 3))
        lattice[:2, :2], centres[:, :2] = self.lattice, self.centres
        return ome.TightBinding(lattice=lattice, R=R, hamiltonian=np.array(H), centres=centres, periodic=(True, True, False))

    def upper(self, k):
        """Energy (n,), velocities (n, 2) and moment (n,) of the upper band at reduced k (n, 2)."""
        H, V = np.zeros((len(k), 2, 2), complex), np.zeros((2, len(k), 2, 2), complex)
        for R, h in self.terms().items():
            for r, x in [(R, h), ((-R[0], -R[1]), h.conj().T)] if any(R) else [(R, h)]:
                d = np.array(r) @ self.lattice + self.centres[None] - self.centres[:, None]
                phase = np.exp(1j * np.einsum("ka,ija->kij", k @ (2 * np.pi * np.linalg.inv(self.lattice).T), d)) * x
                H += phase
                V += 1j * np.moveaxis(d, 2, 0)[:, None] * phase
        e, U = np.linalg.eigh(H)
        vx, vy = (U.conj().swapaxes(1, 2) @ v @ U for v in V)
        moment = np.imag(vx[:, 0, 1] * vy[:, 1, 0]) / (e[:, 1] - e[:, 0])
        return e[:, 1], np.stack([vx[:, 1, 1].real, vy[:, 1, 1].real], axis=1), moment

    def extrinsic(self, angles, steps):
        """alpha_zx, alpha_zy in A m/V at 10 fs: over directions from the corner, and steps of the energy through -df/de."""
        x = np.linspace(-32, 32, steps)
        phi = 2 * np.pi * np.arange(angles) / angles
        direction = np.stack([np.cos(phi), np.sin(phi)], axis=1)
        wanted = self.level + x * KB * self.T
        low, high = np.zeros((angles, steps)), np.full((angles, steps), 0.05)
        for _ in range(45):
            r = (low + high) / 2
            e = self.upper((0.5 + r[..., None] * direction[:, None]).reshape(-1, 2))[0].reshape(r.shape)
            low, high = np.where(e < wanted, r, low), np.where(e < wanted, high, r)
        e, v, moment = self.upper((0.5 + r[..., None] * direction[:, None]).reshape(-1, 2))
        slope = (v @ (2 * np.pi * np.linalg.inv(self.lattice))).reshape(angles, steps, 2)
        radial = np.einsum("asb,ab->as", slope, direction)
        weight = r / radial / (4 * np.cosh(x / 2) ** 2) * (x[1] - x[0]) * 2 * np.pi / angles
        sums = -np.einsum("as,as,asb->b", weight, moment.reshape(r.shape), v.reshape(angles, steps, 2))
        e2_hbar, tau_hbar = 2.4341348e-4, 10.0 / 0.6582119569  # S, 1/eV
        return sums * e2_hbar * 1e-10 * tau_hbar / abs(np.linalg.det(self.lattice))


@pytest.mark.parametrize("rtol", [3e-2, 1e-2])
def test_ring_through_corners_of_cells(rtol):
    """A thin ring whose parts cancel to a 28th: both rules agreed by chance in one cell and its image, 2 % of the whole."""
    ring = Ring()
    true, coarse = ring.extrinsic(96, 161), ring.extrinsic(64, 121)
    assert abs(true - coarse).max() < 1e-4 * abs(true).max()
    settings = {"fermi": ring.level, "temperature": ring.T, "rtol": rtol}
    result = ome.compute(ring.model(), calculators="extrinsic", **settings)
    value, error = (result[q].sel(moment="z", field=["x", "y"]).values.ravel() for q in ("extrinsic", "extrinsic_error"))
    assert result.attrs["converged"] == 1
    assert (abs(value - true) <= error).all()
    assert abs(value - true).max() <= rtol * abs(true).max()
