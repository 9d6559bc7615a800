"""What a result says that states outside the basis change: against calculations with them and without."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from test_external import LEVEL, large_model

import ome_wannier as ome
from ome_wannier.calculators import get

NAMES = ["total", "extrinsic", "interband", "metric_curl", "quantum_metric", "orbital_moment", "dipole", "berry_curvature"]


def both(dimension: int, fields: tuple[str, ...], **settings: object) -> tuple[object, object]:
    """Results with states outside and without, of the same functions."""
    model = large_model(dimension, False).small(True, fields)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(ome.compute(m, calculators=NAMES, **settings) for m in (model, replace(model, external=None)))


def changed(with_them, without, name):  # type: ignore[no-untyped-def]
    """Of a layer the block of moments along its normal and fields along it, which has no missing elements; nan where the
    largest element is below its error."""
    x, y = (of_layer(r, name) for r in (with_them, without))
    largest, difference = np.abs(x).argmax(), np.abs(x - y).max()
    if difference > 1e-12 * np.abs(x).max() and np.abs(x).flat[largest] <= of_layer(with_them, f"{name}_error").flat[largest]:
        return np.nan
    return difference / np.abs(x).max()


def of_layer(result, name):  # type: ignore[no-untyped-def]
    found = result[name]
    if result.attrs["periodic"] == "TTF":
        inside = {"moment": ["z"], "axis": ["z"], "field": ["x", "y"], "position": ["x", "y"]}
        found = found.sel({d: inside[d] for d in found.dims if d in inside})
    assert np.isfinite(found.values).all()
    return found.values


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("fields", [("BB", "CC", "FF"), ("BB", "CC"), ("FF",)])
@pytest.mark.parametrize("where", [{"fermi": LEVEL}, {"fermi": [LEVEL, 1.2, 1.5]}, {"filling": 2.4}], ids=str)
def test_change_is_the_difference(dimension: int, fields: tuple[str, ...], where: dict[str, object]) -> None:
    mesh = (6, 6, 6 if dimension == 3 else 1)
    x, y = both(dimension, fields, kmesh=mesh, temperature=2000.0, symmetry="off", **where)
    for name in NAMES:
        share = x[name].attrs.get("external_terms_change", 0.0)
        assert share == pytest.approx(changed(x, y, name), rel=1e-9, abs=1e-12, nan_ok=True), name
        assert ("external_terms_change" in x[name].attrs) == (share != 0), name
        assert "external_terms_change" not in y[name].attrs
    said = x.attrs["external_terms_change"]
    assert all((f"{name} " in said) == ("external_terms_change" in x[name].attrs) for name in NAMES)
    assert "external_terms_change" not in y.attrs


def test_of_cells_and_workers() -> None:
    """With rtol nothing waits for the change, and it is the same by any way."""
    x, y = both(2, ("BB", "CC", "FF"), fermi=1.2, temperature=6000.0, rtol=1e-3)
    assert x.attrs["converged"]
    for name in ("total", "extrinsic", "orbital_moment"):
        assert x[name].attrs["external_terms_change"] == pytest.approx(changed(x, y, name), rel=0.02), name
    one, two = (both(2, ("BB", "CC"), fermi=1.2, kmesh=(8, 8, 1), executor=e)[0] for e in (None, ome.executors.processes(2)))
    assert one.attrs["external_terms_change"] == two.attrs["external_terms_change"]


def test_of_times_that_depend_on_the_state() -> None:
    x, y = both(2, ("BB", "CC"), fermi=1.2, kmesh=(8, 8, 1), temperature=3000.0, tau=lambda e: 10 + e**2)
    assert x["extrinsic"].attrs["external_terms_change"] == pytest.approx(changed(x, y, "extrinsic"), rel=1e-9)


def test_of_levels_where_a_part_is_not_defined() -> None:
    """The Chern-Simons part, and total with it, has no value at a level in bands: the change is that of the others."""
    found = []
    for levels in ([LEVEL], [LEVEL, 1.2]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = large_model(3, False).small()
            found.append(ome.compute(model, (4, 4, 4), ["total"], fermi=levels, temperature=0, include_chern_simons=True))
    assert not np.isfinite(found[1]["total"].values[1]).any()
    shares = [r["total"].attrs["external_terms_change"] for r in found]
    assert shares[1] == pytest.approx(shares[0], rel=1e-9)


def test_it_is_said(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """On the first screen and in a file; of quantities inside the basis nothing is."""
    x, _ = both(2, ("BB", "CC", "FF"), fermi=1.2, kmesh=(8, 8, 1), temperature=3000.0)
    assert "states outside the Wannier functions change total by" in " ".join(str(ome.summary(x)).split())
    ome.save(x, tmp_path / "x.nc")
    again = ome.load_result(tmp_path / "x.nc")
    assert again.attrs["external_terms_change"] == x.attrs["external_terms_change"]
    assert again["total"].attrs["external_terms_change"] == x["total"].attrs["external_terms_change"]
    assert "external_terms_change" not in x["dipole"].attrs


def test_values_do_not_depend_on_what_is_said() -> None:
    """The weights of a basis that nothing is outside of are those of the model without."""
    model = large_model(3, False).small()
    bands = ome.bands.bands.Bands(model, np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3)), window=(LEVEL, LEVEL))
    alone = ome.bands.bands.Bands(replace(model, external=None), bands.k, window=(LEVEL, LEVEL))
    for name in ("extrinsic", "interband", "local_crossgap", "itinerant_crossgap", "metric_curl", "quantum_metric"):
        before = get(name)(bands)
        np.testing.assert_array_equal(get(name)(bands.inside()), get(name)(alone), err_msg=name)
        np.testing.assert_array_equal(get(name)(bands), before, err_msg=name)
