"""compute(): what the result says about itself, whether its error estimate holds, and every setting that is refused."""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from toys import (
    METAL,
    SOLID,
    TOYS,
    natural_size,
    occupied_sum,
    possible,
    rebuilt,
    run,
    split,
    tilted_dirac,
)

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import CHECKS, ON_REQUEST, Combination, Observable, combine, get
from ome_wannier.errors import AccuracyWarning, ModelError, SettingsError
from ome_wannier.integration.kpoints.mesh import KMesh

# ---- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_values_are_the_sums_over_the_mesh(name):
    """Every calculator, converted to SI, against sums with the Fermi function of every state (tests/toys.py).

    The histogram's interpolation is good to 5e-8 of the absolute weights (2e-7 / kT for surfaces), see test_occupation.
    """
    toy = TOYS[name]
    T = 600.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        result = ome.compute(toy.model, toy.mesh, possible(toy.model), toy.fermi, temperature=T, tau=7.0)
    d = sum(toy.model.periodic)
    bands = Bands(toy.model, KMesh(toy.mesh).points(), order=2, curvature=True)
    sums = {
        n: occupied_sum(get(n), bands, toy.fermi, T * units.KB) for n in possible(toy.model) if isinstance(get(n), Observable)
    }
    factor = {
        "alpha": units.E2_OVER_HBAR * 1e-10 ** (3 - d),
        "extrinsic": units.E2_OVER_HBAR * 1e-10 ** (3 - d) * 7.0 / units.HBAR_EV_FS,
        "polarizability": 1.0,
        "curvature": 1.0,
        "moment": units.E2_OVER_HBAR * 1e-10 ** (2 - d),
        "moment_slope": units.E2_OVER_HBAR * 1e-10 ** (2 - d),
        "drude": units.E2_OVER_HBAR * 1e-10 ** (2 - d) / (units.HBAR_EV_FS * 1e-15),
        "ohmic": units.E2_OVER_HBAR * 1e-10 ** (2 - d) * 7.0 / units.HBAR_EV_FS,
        "thermal": units.KB * units.E2_OVER_HBAR * 1e-10 ** (3 - d) * 7.0 / units.HBAR_EV_FS,
        "thermal_current": units.KB * units.E2_OVER_HBAR * 1e-10 ** (2 - d) * 7.0 / units.HBAR_EV_FS,
        "current_response": units.E2_OVER_HBAR * 1e-10 ** (2 - d) / 2,  # the spin is half of sigma
        "density": 1e10**d,
        "density_response": 1e-20 * 1e10**d / (units.HBAR_EV_FS * 1e-15),  # of the metric velocity
    }
    for n in possible(toy.model):
        calculator = get(n)
        parts = [t for t, _ in calculator.terms] if isinstance(calculator, Combination) else [n]
        scale = factor[get(parts[0]).kind] * toy.model.spin_degeneracy / toy.model.cell
        expected = combine(calculator, {p: sums[p][0] for p in parts}) * scale
        # every state counts for the interpolation error, also one that is empty
        states = bands.energies.shape[1]
        per = {p: units.KB * T if get(p).occupation in ("surface", "thermal") else 1 for p in parts}
        size = sum(states * natural_size(get(p), bands).mean() / per[p] for p in parts)
        got = split(toy.model, result[n]).values[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * scale * size, err_msg=n)


def test_spin_degeneracy_and_tau_are_factors():
    """Two electrons per band double everything; tau multiplies the extrinsic part alone."""
    one, two = (run(rebuilt(METAL, spin_degeneracy=s), calculators=["total", "extrinsic"]) for s in (1, 2))
    assert np.array_equal(two.total, 2 * one.total)
    assert np.array_equal(two.extrinsic, 2 * one.extrinsic, equal_nan=True)
    long = run(rebuilt(METAL, spin_degeneracy=1), calculators=["total", "extrinsic"], tau=25.0)
    np.testing.assert_allclose(long.extrinsic, 2.5 * one.extrinsic, rtol=1e-13)
    assert np.array_equal(long.total, one.total)
    assert (run(calculators=["extrinsic"], tau=0.0).extrinsic.sel(field=["x", "y"]) == 0).all()


def test_fermi_levels_are_independent():
    """A level in a scan gives what it gives alone, at a finite temperature."""
    levels = np.array([-1.0, -0.2, 0.3, 2.0])
    scan = run(calculators=["total", "extrinsic"], fermi=levels, temperature=[200.0, 900.0])
    for i, mu in enumerate(levels):
        alone = run(calculators=["total", "extrinsic"], fermi=mu, temperature=[200.0, 900.0])
        for name in ("total", "extrinsic"):
            # the grids start elsewhere: interpolation errors below 1e-6 of the sum of absolute weights
            size = np.abs(scan[name]).max().item()
            np.testing.assert_allclose(scan[name][i], alone[name][0], rtol=0, atol=1e-5 * size)


# ---- what the result says -------------------------------------------------------------------------------------------


def test_dimensions_and_coordinates():
    """Scalar temperature: no dimension; array: one. Totals have three moments and fields; parts of a layer one and two."""
    layer = run(calculators=["total", "berry_curvature", "dipole_polarizability"], fermi=[0.0, 0.5])
    assert layer.total.dims == ("fermi", "moment", "field")
    assert layer.total.shape == (2, 3, 3)
    assert np.isfinite(layer.total).all()
    assert layer.berry_curvature.dims == ("fermi", "axis")
    assert layer.dipole_polarizability.shape == (2, 2, 3)
    assert np.isnan(layer.dipole_polarizability.sel(field="z")).all()
    parts = run(calculators=["interband"])
    assert parts.moment.values.tolist() == ["z"]
    assert parts.field.values.tolist() == ["x", "y"]
    assert layer.temperature.item() == 300.0
    solid = run(SOLID, (4, 4, 4), fermi=0.0, temperature=[100, 300])
    assert solid.total.dims == ("fermi", "temperature", "moment", "field")
    assert solid.total.shape == (1, 2, 3, 3)
    assert solid.temperature.values.tolist() == [100, 300]
    assert solid.total.sel(moment="z", field="y").shape == (1, 2)
    other = run(TOYS["plane_zx_matrix"].model, calculators=["interband"])
    assert other.moment.values.tolist() == ["y"]
    assert other.field.values.tolist() == ["x", "z"]


def test_components_are_named_in_every_plane():
    """The same layer in another plane: its components move with the labels x -> y -> z -> x."""
    toy = TOYS["plane_yz"]
    back = rebuilt(toy.model, lattice=np.roll(toy.model.lattice, -1, axis=1), centres=np.roll(toy.model.centres, -1, axis=1))
    here = run(toy.model, calculators=["total", "extrinsic"]).isel(fermi=0)
    there = run(back, calculators=["total", "extrinsic"]).isel(fermi=0)
    for name in ("total", "extrinsic"):
        for a, b in (("y", "x"), ("z", "y")):
            assert here[name].sel(moment="x", field=a).item() == pytest.approx(
                there[name].sel(moment="z", field=b).item(), rel=1e-9
            )


@pytest.mark.parametrize(
    ("model", "mesh", "alpha", "moment"), [(METAL, (4, 4, 1), "A m/V", "A"), (SOLID, (4, 4, 4), "A/V", "A/m")]
)
def test_units_and_attributes(model, mesh, alpha, moment):
    """Units, equation, reference, index order of every quantity; mesh, hash, charge sign and so on of the whole."""
    result = ome.compute(model, mesh, possible(model), 0.1, tau=3.0)
    for name in possible(model):
        about = result[name].attrs
        assert about["equation"]
        assert about["reference"]
        assert about["long_name"]
        assert result[f"{name}_error"].attrs["units"] == about["units"]
        assert result[f"{name}_error"].dims == result[name].dims
        if result[name].dims[1:] == ("moment", "field"):
            thermal = name.endswith("_thermal")
            assert about["index_order"].startswith("M_i = alpha_ij d_j T" if thermal else "M_i = alpha_ij E_j")
            assert about["units"] == (alpha.replace("/V", "/K") if thermal else alpha)
    assert result.orbital_moment.attrs["units"] == moment
    assert result.extrinsic.attrs["tau_fs"] == 3.0
    assert ("left_out" in result.total.attrs) == (len(model.axes) == 3)
    attrs = result.attrs
    assert attrs["model_sha256"] == model.sha256
    assert attrs["kmesh"] == repr(KMesh(mesh))
    assert attrs["spin_degeneracy"] == model.spin_degeneracy
    assert attrs["periodic"] == ("TTT" if len(model.axes) == 3 else "TTF")
    assert "-e" in attrs["charge"]
    assert attrs["wall_time_s"] > 0
    assert attrs["tau_fs"] == 3.0


def test_defaults_are_all_but_the_checks():
    """Without a list: everything that the model allows except the second forms."""
    for model in (METAL, TOYS["insulator_2d"].model):
        result = ome.compute(model, (4, 4, 1), None, 0.1)
        found = {v for v in result.data_vars if not v.endswith(("_error", "_per_angstrom"))}
        assert found == set(possible(model)) - {*CHECKS, *ON_REQUEST}


# ---- the error estimate ---------------------------------------------------------------------------------------------


def test_a_filling_has_one_temperature():
    """Each temperature has a Fermi level of its own, which the dimensions of a result do not hold."""
    for more in ({"kmesh": (6, 6, 1)}, {"kmesh": None, "rtol": 0.1}):
        with pytest.raises(SettingsError, match="2 temperatures have a Fermi level each: compute one by one, or give fermi"):
            run(fermi=None, filling=1.0, temperature=[0.0, 300.0], **more)


# ---- filling --------------------------------------------------------------------------------------------------------


def test_filling():
    """Electrons per cell instead of a Fermi level: the middle of the gap at T = 0, else the level that holds them."""
    toy = TOYS["insulator_2d"]
    dense = np.linalg.eigvalsh(toy.model.matrices(KMesh((240, 240, 1)).points(), 0).H)
    middle = (dense[:, 1].max() + dense[:, 2].min()) / 2  # edges to 1e-3: the toy's bands are some eV wide
    cold = run(toy.model, (8, 8, 1), ["total"], None, filling=2, temperature=0.0)
    assert cold.fermi.values == pytest.approx([middle], abs=2e-3)
    assert cold.attrs["filling_level"].startswith("middle of the gap from ")
    double = rebuilt(toy.model, spin_degeneracy=2)
    assert run(double, (8, 8, 1), ["total"], None, filling=4, temperature=0.0).fermi.values == cold.fermi.values
    energies = np.linalg.eigvalsh(toy.model.matrices(KMesh((8, 8, 1)).points(), 0).H)
    for filling in (1.3, 2.0):
        warm = run(toy.model, (8, 8, 1), ["total"], None, filling=filling, temperature=500.0)
        f = 1 / (1 + np.exp((energies - warm.fermi.values[0]) / (500 * units.KB)))
        assert f.sum() / 64 == pytest.approx(filling, abs=1e-12)
        assert warm.attrs["filling_level"].startswith(f"holds {filling:g} electrons per cell at 500 K, to ")


# ---- refusals -------------------------------------------------------------------------------------------------------

CHAIN = ome.TightBinding(
    np.diag([2.0, 5, 5]),
    [[0, 0, 0], [1, 0, 0], [-1, 0, 0]],
    np.array([np.diag([0.0, 1]), np.eye(2), np.eye(2)]),
    centres=np.zeros((2, 3)),
)

REFUSED = {
    "unknown calculator": ({"calculators": ["totl"]}, "no calculator 'totl': one of"),
    "no calculators": ({"calculators": []}, "no calculators asked for"),
    "two of one name": (
        {"calculators": ["total", replace(get("total"), note="x")]},
        "two different calculators are named 'total'",
    ),
    "mesh of two": ({"kmesh": (6, 6)}, "three positive integers"),
    "mesh of halves": ({"kmesh": (6.5, 6, 1)}, "three positive integers"),
    "mesh of zeros": ({"kmesh": (0, 6, 1)}, "three positive integers"),
    "negative mesh": ({"kmesh": (-6, 6, 1)}, "three positive integers"),
    "mesh along vacuum": ({"kmesh": (6, 6, 2)}, "direction 3 is not periodic"),
    "rays on a lattice": ({"kmesh": ome.PolarMesh()}, "PolarMesh is for k.p models"),
    "mesh for k.p": ({"model": tilted_dirac(), "kmesh": (6, 6, 1)}, "give kmesh=PolarMesh"),
    "filling of k.p": ({"model": tilted_dirac(), "kmesh": None, "fermi": None, "filling": 1}, "infinitely many electrons"),
    "no level": ({"fermi": None}, "either fermi (eV) or filling"),
    "both": ({"filling": 1}, "either fermi (eV) or filling"),
    "levels descend": ({"fermi": [1.0, 0.0]}, "must ascend"),
    "levels nan": ({"fermi": [np.nan]}, "finite energies"),
    "no levels": ({"fermi": []}, "fermi has shape"),
    "two-dimensional levels": ({"fermi": [[0.0, 1.0]]}, "fermi has shape"),
    "negative temperature": ({"temperature": -1.0}, "temperature must be"),
    "no temperature": ({"temperature": []}, "temperature has shape"),
    "surface at zero": ({"temperature": 0.0}, "two or more Fermi levels"),
    "tau": ({"tau": -1.0}, "tau is -1.0"),
    "tau nan": ({"tau": float("nan")}, "tau is nan"),
    "overfull": ({"fermi": None, "filling": 6.0}, "6 electrons per cell"),
    "empty": ({"fermi": None, "filling": 0.0}, "0 electrons per cell"),
    "memory": ({"memory": 1000}, "memory 0.000954 MiB"),
    "split of a chain": ({"model": CHAIN, "kmesh": (6, 1, 1), "calculators": ["dipole"]}, "two periodic directions"),
    "levels and T of k.p": ({"model": tilted_dirac(), "kmesh": None, "temperature": -3.0}, "temperature must be"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    """Every setting that cannot be used is a SettingsError that says what to change."""
    settings, message = REFUSED[case]
    with pytest.raises(SettingsError, match=re.escape(message)):
        run(**settings)


def test_chain_has_a_polarizability():
    """One periodic direction is enough for quantities without a moment."""
    result = run(CHAIN, (6, 1, 1), ["dipole_polarizability", "quantum_metric"])
    assert result.dipole_polarizability.shape == (1, 1, 1)
    assert result.dipole_polarizability.attrs["units"] == "e angstrom/V"


# ---- tabulate -------------------------------------------------------------------------------------------------------


def test_names_survive_imports():
    """`ome.compute` is the function, before and after modules of that name are imported."""
    importlib.import_module("ome_wannier.response.compute")
    importlib.import_module("ome_wannier.response.tabulate")
    assert callable(ome.compute)
    assert callable(ome.tabulate)
    assert "compute" in dir(ome)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ome.nothing


@pytest.mark.parametrize(
    "settings",
    [
        {"kmesh": 6},
        {"kmesh": "6x6x1"},
        {"kmesh": (float("nan"), 6, 1)},
        {"fermi": "zero"},
        {"fermi": None, "filling": 1.5, "temperature": []},
        {"temperature": [[100.0, 200.0]]},
        {"temperature": "hot"},
        {"degeneracy_tol": -1.0},
        {"degeneracy_tol": float("nan")},
    ],
    ids=str,
)
def test_nonsense_is_refused_as_a_setting(settings):
    """Values of the wrong kind are a user's mistake as well: SettingsError, not an error from inside."""
    with pytest.raises(SettingsError):
        run(**settings)


@pytest.mark.parametrize("what", ["vse2", None, object()])
def test_what_is_no_model_is_refused_with_the_remedy(what: object) -> None:
    for use in (lambda: ome.compute(what, fermi=0.0), lambda: ome.tabulate(what, [[0, 0, 0]])):
        with pytest.raises(ModelError, match=r"is no model: give it to ome_wannier\.load first"):
            use()
