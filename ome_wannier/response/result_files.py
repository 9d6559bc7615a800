"""The answer: an xarray.Dataset that says what it holds, in which units, how it was made and how sure it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..calculators.weights import component_axes
from ..common.checked_input import regular
from ..common.errors import FileFormatError, SettingsError
from ..common.hdf5 import stored_bytes
from ..common.limits import current
from ..common.safe_write import whole

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: no quantity in SI units is larger; plots stay finite
LARGEST = 1e100
#: how the names of variables end that a quantity may have besides its error
BESIDE = ("_raw", "_per_angstrom")
#: dimensions of parts of the material
PARTS = ("site", "layer", "orbital", "part")
#: attributes that are lists: netCDF makes one of a single element a text or a number, and others arrays
LISTS = (
    "warnings", "level_place", "symmetry_operations", "forbidden", "forbidden_by", "undefined", "undefined_by", "equal",
    "orbitals", "chern_simons_occupied", "chern_simons_theta", "chern_simons_smallest_singular_value",
)  # fmt: skip


def save(result: xr.Dataset, path: str | Path) -> None:
    """Write netCDF (any xarray can open it), whole or not at all. SettingsError for several spin directions."""
    _refuse_directions(result)
    whole(path, lambda file: file.write(_netcdf(result)))


def _netcdf(result: xr.Dataset) -> memoryview:
    """The content of a netCDF file. It is made in memory: on a disk that is full the HDF5 library ends the process."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    memory = io.BytesIO()
    with h5netcdf.File(memory, "w") as file:
        result.dump_to_store(H5NetCDFStore(file))
    return memory.getbuffer()


def load_result(path: str | Path) -> xr.Dataset:
    """Read a result that was written by `save`; FileFormatError if it is none."""
    import h5py
    import xarray as xr

    path = regular(path)
    try:
        with h5py.File(path, "r") as file:
            current().check(path, sum(stored_bytes(path, file).values()), "arrays")
        result = xr.load_dataset(path, engine="h5netcdf")
    except (FileNotFoundError, FileFormatError):
        raise
    except Exception as error:
        raise FileFormatError(path, None, "a netCDF result", f"{type(error).__name__}: {str(error)[:300]}") from error
    if wrong := _fault(result):
        raise FileFormatError(path, None, "a result of ome_wannier", wrong)
    for attrs in (result.attrs, *(v.attrs for v in result.data_vars.values())):
        attrs |= {name: np.atleast_1d(attrs[name]).tolist() for name in LISTS if name in attrs}
    return result


def _fault(result: xr.Dataset) -> str:
    """Why this is no single result, or nothing: levels, axes called x, y, z, and quantities with errors of the same shape."""
    if "direction" in result.dims:
        return "several spin directions"
    for name, where in (("fermi", [("fermi",)]), ("temperature", [(), ("temperature",)])):
        if name not in result.coords or result[name].dims not in where or result[name].dtype.kind != "f":
            what = "Fermi levels" if name == "fermi" else "temperatures"
            return f"a netCDF file without {what}"
    for name in map(str, result.data_vars):
        if name.endswith("_error") and name.removesuffix("_error") not in result.data_vars:
            return f"{name[:60]} without the quantity"
        if "equation" in result[name].attrs and f"{name}_error" not in result.data_vars:
            return f"{name[:60]} without its error"
    for name in quantities(result):
        variable, error = result[name], result[f"{name}_error"]
        axes = [str(d) for d in variable.dims if d not in ("fermi", "temperature")]
        known = variable.dims[:1] == ("fermi",) and variable.dims == error.dims and set(axes) <= set(component_axes((), ()))
        if not known or any(x.dtype.kind != "f" for x in (variable, error)):
            return f"{name[:60]} of dimensions {', '.join(map(str, variable.dims))[:200]}"
        if any(d not in result.coords or not set(result[d].values.tolist()) <= set("xyz") for d in axes):
            return f"{name[:60]} along axes that are not x, y and z"
        # in double precision, which holds LARGEST: others may have stored less
        if any((np.abs(x.values[np.isfinite(x.values)].astype(float)) > LARGEST).any() for x in (variable, error)):
            return f"{name[:60]} beyond {LARGEST:g}"
        if not isinstance(variable.attrs.get("units"), str):
            return f"{name[:60]} without a unit"
    return _fault_in_shares(result) or _fault_beside(result)


def _fault_in_shares(result: xr.Dataset) -> str:
    """Why the shares of parts are none, or nothing: reals of a quantity's dimensions and that of the parts, with errors."""
    by = part_of(result)
    for name in (str(v) for v in result.data_vars if by is not None and by in result[v].dims):
        whole = name.removesuffix("_error").removesuffix(f"_by_{by}")
        known = whole in result.data_vars and by in result.coords and f"{whole}_by_{by}_error" in result.data_vars
        if not known or set(result[name].dims) != {*result[whole].dims, by} or result[name].dtype.kind != "f":
            return f"{name[:60]} that is no share of {whole[:60]}"
        if (np.abs(result[name].values[np.isfinite(result[name].values)].astype(float)) > LARGEST).any():
            return f"{name[:60]} beyond {LARGEST:g}"
    return ""


def _fault_beside(result: xr.Dataset) -> str:
    """Why what stands beside quantities does not go with them, or nothing: reals of the same dimensions."""
    for name in map(str, result.data_vars):
        of = next((name.removesuffix(end) for end in BESIDE if name.endswith(end)), None)
        if of is None:
            continue
        dims = result[of].dims if of in result.data_vars else ()
        variable = result[name]
        if not dims or variable.dims not in (dims, (*dims, "origin")) or variable.dtype.kind != "f":
            return f"{name[:60]} that does not go with {of[:60]}"
        if (np.abs(variable.values[np.isfinite(variable.values)].astype(float)) > LARGEST).any():
            return f"{name[:60]} beyond {LARGEST:g}"
    return ""


def quantities(result: xr.Dataset) -> list[str]:
    """Names of the computed quantities, without their errors and the shares of parts in them.

    Raises
    ------
    SettingsError : several spin directions, each of which is a result.
    """
    _refuse_directions(result)
    there = [str(v) for v in result.data_vars if f"{v}_error" in result.data_vars]
    return [name for name in there if not set(PARTS) & set(map(str, result[name].dims))]


def _refuse_directions(result: xr.Dataset) -> None:
    if "direction" in result.dims:
        n = result.sizes["direction"]
        raise SettingsError(f"{n} spin directions: take one at a time, such as result.isel(direction=0)")


def part_of(result: xr.Dataset) -> str | None:
    """The dimension of the parts of the material that a result has shares of, or None."""
    return next((name for name in PARTS if name in result.dims), None)
