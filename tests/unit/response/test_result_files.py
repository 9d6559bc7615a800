"""Results as files and tables."""

from __future__ import annotations

import numpy as np
import pytest
from toys import (
    METAL,
    run,
)

import ome_wannier as ome
from ome_wannier.errors import FileFormatError


@pytest.mark.parametrize("temperature", [300.0, [0.0, 77.0]])
def test_file_round_trip(tmp_path, temperature):
    """A saved result comes back bit by bit, with coordinates and attributes, and no temporary file is left."""
    result = ome.compute(METAL, (6, 6, 1), None, [-0.1, 0.3], temperature=temperature)
    path = tmp_path / "out.nc"
    ome.save(result, path)
    ome.save(result, path)  # overwrites
    assert [p.name for p in tmp_path.iterdir()] == ["out.nc"]
    again = ome.load_result(path)
    assert set(again.data_vars) == set(result.data_vars)
    for name in [*result.data_vars, *result.coords]:
        assert again[name].dims == result[name].dims
        assert again[name].dtype == result[name].dtype or again[name].dtype.kind in "OU"
        assert np.array_equal(again[name].values, result[name].values, equal_nan=again[name].dtype.kind == "f")
        assert dict(again[name].attrs) == dict(result[name].attrs)
    assert set(again.attrs) == set(result.attrs)
    for key, value in result.attrs.items():
        # lists of one element come back as that element
        assert np.array_equal(np.ravel(again.attrs[key]), np.ravel(value)), key


def test_single_precision_is_read_without_a_word(tmp_path):
    """Warnings are errors here: the bound on numbers does not fit into single precision."""
    result = run(symmetry="off")
    result.assign(total=result.total.astype(np.float32)).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    assert ome.load_result(tmp_path / "r.nc").total.dtype == np.float32


def test_attributes_that_are_lists_stay_lists(tmp_path):
    """Also of one element, of which netCDF makes a text or a number."""
    result = run(symmetry="off")
    result.attrs["symmetry_operations"] = ["identity"]
    result.attrs |= {"chern_simons_theta": [0.25], "chern_simons_occupied": [2, 4]}
    ome.save(result, tmp_path / "r.nc")
    again = ome.load_result(tmp_path / "r.nc").attrs
    assert again["symmetry_operations"] == ["identity"]
    assert again["chern_simons_theta"] == [0.25]
    assert again["chern_simons_occupied"] == [2, 4]
    assert isinstance(again["symmetry"], str)


def test_files_that_are_no_results(tmp_path):
    """A missing file is just missing; anything else is named with what was found."""
    with pytest.raises(FileNotFoundError):
        ome.load_result(tmp_path / "missing.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(FileFormatError, match="expected a netCDF result"):
        ome.load_result(tmp_path / "text.nc")
    run()[["total"]].drop_vars("fermi").to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match="without Fermi levels"):
        ome.load_result(tmp_path / "other.nc")


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    """A save that breaks half way leaves what was there and nothing else."""
    result = run()
    path = tmp_path / "out.nc"
    ome.save(result, path)
    before = path.read_bytes()

    def broken(handle):
        raise OSError(28, "disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        ome.save(result, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("temperature", [300.0, [50.0, 77.0]])
def test_table(temperature):
    """The long table holds every number once, with its error, component and unit."""
    result = ome.compute(METAL, (6, 6, 1), ["total", "berry_curvature"], [-0.1, 0.3], temperature=temperature)
    frame = ome.table(result)
    assert len(frame) == result.total.size + result.berry_curvature.size
    for _, row in frame.iterrows():
        at = {"fermi": row.fermi}
        if np.ndim(temperature):
            at["temperature"] = row.temperature
        else:
            assert row.temperature == 300.0
        if row.quantity == "total":
            at |= {"moment": row.component[0], "field": row.component[1]}
        else:
            at |= {"axis": row.component}
        assert result[row.quantity].sel(at).item() == row.value
        assert result[f"{row.quantity}_error"].sel(at).item() == row.error
        assert row.units == result[row.quantity].attrs["units"]
