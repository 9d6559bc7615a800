"""Results that are damaged, or written by somebody else, end in one line and take little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import ome_wannier as ome
from ome_wannier.errors import FileFormatError


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return ome.compute(ome.load("haldane"), (4, 4, 1), ["total", "berry_curvature"], fermi=[-3.0], symmetry="off")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.assign_coords(moment=list("xyq")), "axes that are not x, y and z"),
        (lambda d: d.assign_coords(moment=[1, 2, 3]), "axes that are not x, y and z"),
        (lambda d: d.drop_vars("field"), "axes that are not x, y and z"),
        (lambda d: d.rename(moment="zz"), "total of dimensions fermi, zz, field"),
        (lambda d: d.transpose("field", ...), "total of dimensions field"),
        (lambda d: d.assign(total_error=d.total_error.isel(field=0)), "total of dimensions"),
        (lambda d: d.assign(total=d.total.astype(str)), "total of dimensions"),
        (lambda d: d.assign(total=d.total.assign_attrs(units=3)), "total without a unit"),
        (lambda d: d.rename(fermi="level"), "without Fermi levels"),
        (lambda d: d.assign(total_per_angstrom=("x", ["text"])), "total_per_angstrom that does not go with total"),
        (lambda d: d.assign(total_raw=(d.total.dims, d.total.values.astype(str))), "total_raw that does not go with total"),
        (lambda d: d.assign(local_raw=(d.total.dims, d.total.values)), "local_raw that does not go with local"),
        (lambda d: d.assign(total_raw=(d.total.dims, np.full(d.total.shape, 1e200))), "total_raw beyond"),
    ],
)
@pytest.mark.filterwarnings("ignore:kmesh .* does not resolve")
def test_other_content(result: xr.Dataset, tmp_path: Path, change: Callable[[xr.Dataset], xr.Dataset], said: str) -> None:
    change(result).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match=said):
        ome.load_result(tmp_path / "r.nc")


def test_bomb(result: xr.Dataset, tmp_path: Path) -> None:
    """An array that was never written takes no room in the file, and 8 GB in memory."""
    path = tmp_path / "r.nc"
    ome.save(result, path)
    xr.testing.assert_equal(ome.load_result(path), result)
    with h5py.File(path, "a") as file:
        file.create_dataset("bomb", shape=(10**9,), dtype="f8", chunks=True, compression="gzip")
    with pytest.raises(FileFormatError, match="arrays of at most 16 MiB"):
        ome.load_result(path)


def test_data_elsewhere(result: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "r.nc"
    ome.save(result, path)
    np.zeros(8).tofile(tmp_path / "secret")
    with h5py.File(path, "a") as file:
        file.create_dataset("x", shape=(8,), dtype="f8", external=[(str(tmp_path / "secret"), 0, 64)])
    with pytest.raises(FileFormatError, match="x in another one"):
        ome.load_result(path)
