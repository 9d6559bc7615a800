"""Calculators of one's own beside the built-in ones: treated alike, refused where they do not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest
from toys import (
    METAL,
    SOLID,
    TOYS,
    run,
    tilted_dirac,
)

import ome_wannier as ome
from ome_wannier.calculators import Observable, get
from ome_wannier.errors import ModelError, SettingsError
from ome_wannier.response.result_files import quantities


def own(weights, **changes):
    settings = {
        "name": "mine",
        "long_name": "a user's own",
        "kind": "alpha",
        "occupation": "sea",
        "time_reversal": -1,
        "inversion": -1,
        "equation": "x",
        "reference": "y",
        "weights": weights,
    }
    return Observable(**settings | changes)


def test_own_observable_is_treated_like_the_built_in():
    """The same weights under another name give the same; over all three Cartesian axes as well, in a layer."""
    dipole = get("dipole").weights

    def over_all_axes(bands):
        a = dipole(bands)
        full = np.full((*a.shape[:2], 3, 3), 77.0)
        full[np.ix_(range(a.shape[0]), range(a.shape[1]), bands.moments, bands.axes)] = a
        return full

    for model, mesh in ((METAL, (6, 6, 1)), (SOLID, (4, 4, 4)), (TOYS["plane_yz"].model, (6, 6, 1))):
        for weights in (dipole, over_all_axes):
            result = run(model, mesh, ["dipole", own(weights, full_bands="alternate")])
            size = np.abs(result.dipole).max().item()
            np.testing.assert_allclose(result.mine, result.dipole, rtol=0, atol=1e-13 * size)
            np.testing.assert_allclose(result.mine_error, result.dipole_error, rtol=0, atol=1e-13 * size)
            assert result.mine.attrs["units"] == result.dipole.attrs["units"]


def test_own_observable_that_does_not_fit():
    """Weights of another shape are refused with the shape that was expected."""
    with pytest.raises(ModelError, match="dimension 'field' must have 2 or 3 entries"):
        run(calculators=[own(lambda b: np.zeros((*b.energies.shape, 1, 4)))])
    with pytest.raises(ModelError, match="dimension 'moment' must have 1 or 3 entries"):
        run(calculators=[own(lambda b: np.zeros((*b.energies.shape, 2, 2)))])


def test_own_observable_counts_electrons():
    """Weights of one count the electrons per area: an independent check of normalisation."""
    even = {"inversion": 1, "time_reversal": 1}  # by these declared parities it is symmetrised
    count = own(lambda b: np.ones((*b.energies.shape, 1)), kind="curvature", dims=("axis",), **even)
    result = run(TOYS["insulator_2d"].model, (6, 6, 1), [count], 0.0, temperature=0.0)
    cell = TOYS["insulator_2d"].model.cell
    assert result.mine.values.item() * cell == pytest.approx(2)
    result = run(METAL, (6, 6, 1), [count], 100.0)  # everything filled, two electrons per band
    assert result.mine.values.item() * METAL.cell == pytest.approx(6)


def test_a_scalar_needs_no_components():
    """Density of states, on a mesh, to a tolerance and along rays; of a cone without tilt it is e/(2 pi alpha^2)."""
    even = {"inversion": 1, "time_reversal": 1, "occupation": "surface", "dims": ()}
    states = own(lambda b: np.ones(b.energies.shape), kind="own", unit="1/(eV Angstrom^2)", **even)
    cone, level = tilted_dirac(0.0, 4.0, 0.01), 0.03
    found = ome.compute(cone, ome.PolarMesh(), [states], [level], temperature=0.0).mine
    assert found.dims == ("fermi",)
    assert found.item() == pytest.approx(level / (2 * np.pi * 4.0**2), rel=1e-9)
    on_mesh = run(METAL, (48, 48, 1), [states], 0.1, temperature=3000.0)
    to_tolerance = run(METAL, None, [states], 0.1, temperature=3000.0, rtol=1e-3)
    assert on_mesh.mine.item() == pytest.approx(to_tolerance.mine.item(), rel=2e-3)


def test_own_observable_does_not_replace_a_part_of_another():
    """An observable named like a term of `total` may not enter the total, nor be answered with the built-in one."""
    other = own(lambda b: np.full((*b.energies.shape, 1, 2), 5.0), name="metric_curl", occupation="surface")
    with pytest.raises(SettingsError, match="'metric_curl' is the name of a built-in calculator"):
        run(calculators=[other, "total"])


def test_a_bare_name_is_one_calculator():
    assert quantities(run(calculators="total")) == ["total"]


def test_own_units():
    """An observable of kind "own" is reported as its integral times its factor, in its unit; unknown kinds are refused."""
    settings = {"name": "filling", "kind": "own", "dims": ("axis",), "unit": "1/nm^2", "factor": 100.0, "inversion": 1}
    volume = own(lambda b: np.ones((*b.energies.shape, 1)), **settings)
    result = run(calculators=[volume], fermi=100.0)
    bands, cell = METAL.n_orbitals * METAL.spin_degeneracy, METAL.cell
    assert result["filling"].attrs["units"] == "1/nm^2"
    np.testing.assert_allclose(result["filling"].values.ravel(), 100.0 * bands / cell, rtol=1e-12)
    with pytest.raises(SettingsError, match="no kind 'dielectric'"):
        own(lambda b: b.energies, name="x", kind="dielectric")


@pytest.mark.parametrize("name", ["a/b", "", "1st", "two words", 3])
def test_name_of_own_observable_names_variables_and_files(name):
    with pytest.raises(SettingsError, match="cannot be named"):
        own(lambda b: b.energies, name=name)


@pytest.mark.parametrize("symmetry", ["time_reversal", "inversion"])
@pytest.mark.parametrize("parity", [0, 2, "odd", None])
def test_parities_are_signs(symmetry, parity):
    with pytest.raises(SettingsError, match=rf"calculator mine: {symmetry} is .*: \+1 \(even\) or -1 \(odd\)"):
        own(lambda b: b.energies, **{symmetry: parity})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "calculator mine returned complex weights: take .real or .imag"),
        (np.nan, "calculator mine returned weights that are nan or infinite"),
        (np.inf, "calculator mine returned weights that are nan or infinite"),
    ],
)
def test_weights_of_own_observable_are_finite_and_real(value, message):
    with pytest.raises(ModelError, match=re.escape(message)):
        run(calculators=[own(lambda b: np.full((*b.energies.shape, 1, 2), value))])


def test_names_with_commas_are_a_list():
    assert quantities(run(calculators="total, extrinsic")) == ["total", "extrinsic"]
    with pytest.raises(SettingsError, match="no calculators asked for"):
        run(calculators=" , ")
    with pytest.raises(SettingsError, match="calculators is 3: give a list"):
        run(calculators=3)
