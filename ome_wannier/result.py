"""The answer: an xarray.Dataset that says what it holds, in which units, how it was made and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .calculators import Calculator, Combination, first_observable
from .calculators.base import component_axes
from .calculators.reported_units import AXES, INDEX_ORDER, unit_of
from .errors import FileFormatError
from .files import whole
from .integral import Integral
from .model import Model

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]


def build(
    model: Model,
    calculators: Sequence[Calculator],
    found: Integral,
    coordinates: tuple[Array, Array | float],
    tau: float,
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Assemble the dataset: at Fermi levels in eV and temperatures in K; `attrs` are recorded along with those of `found`."""
    import xarray as xr

    (fermi, temperature), axes, moments = coordinates, model.axes, model.moments
    dimension = len(axes)
    scalar = np.ndim(temperature) == 0
    along = component_axes(axes, moments)
    coords: dict[str, Any] = {
        "fermi": ("fermi", fermi, {"units": "eV", "long_name": "Fermi level"}),
        "temperature": (
            () if scalar else "temperature",
            np.asarray(temperature, dtype=float),
            {"units": "K", "long_name": "temperature"},
        ),
    }
    data: dict[str, Any] = {}
    for calculator in calculators:
        observable = first_observable(calculator)
        factor, unit = unit_of(observable, dimension, tau)
        dims = ("fermi",) + (() if scalar else ("temperature",)) + observable.dims
        for dim in observable.dims:
            coords[dim] = (dim, AXES[list(along[dim])], {"long_name": f"Cartesian {dim} axis"})
        at = (slice(None), 0) if scalar else ()
        value, error = found.values[calculator.name][at] * factor, found.errors[calculator.name][at] * abs(factor)
        about: dict[str, Any] = {
            "units": unit,
            "long_name": calculator.long_name,
            "equation": calculator.equation,
            "reference": calculator.reference,
        }
        if observable.dims == ("moment", "field"):
            about["index_order"] = INDEX_ORDER
        if observable.kind == "extrinsic":
            about["tau_fs"] = tau
        if isinstance(calculator, Combination) and calculator.note and dimension == 3:
            about["left_out"] = calculator.note
        data[calculator.name] = (dims, value, about)
        data[f"{calculator.name}_error"] = (
            dims,
            error,
            {"units": unit, "long_name": f"estimated error of {calculator.name}"},
        )
        if calculator.name in found.raw:
            text = f"{calculator.name} without the operations that hold but for noise"
            data[f"{calculator.name}_raw"] = (dims, found.raw[calculator.name][at] * factor, {"units": unit, "long_name": text})
    return xr.Dataset(data, coords, found.attrs | dict(attrs))


def save(result: xr.Dataset, path: str | Path) -> None:
    """Write netCDF (any xarray can open it); the file appears whole or not at all."""
    whole(path, lambda temporary: result.to_netcdf(temporary, engine="h5netcdf"))


def load_result(path: str | Path) -> xr.Dataset:
    """Read a result that was written by `save`; FileFormatError if it is none."""
    import xarray as xr

    try:
        result = xr.load_dataset(path, engine="h5netcdf")
    except FileNotFoundError:
        raise
    except Exception as error:
        raise FileFormatError(path, None, "a netCDF result", f"{type(error).__name__}: {error}") from error
    if "fermi" not in result.coords:
        raise FileFormatError(path, None, "a result of ome_wannier", "a netCDF file without Fermi levels")
    return result


def table(result: xr.Dataset) -> pd.DataFrame:
    """All quantities as a long table: quantity, fermi, temperature, component (such as "zy"), value, error, units."""
    import pandas as pd

    frames = []
    for name in quantities(result):
        variable = result[name]
        frame = variable.to_dataframe(name="value").reset_index()
        frame["error"] = result[f"{name}_error"].to_dataframe(name="error").reset_index()["error"]
        components = [d for d in variable.dims if d not in ("fermi", "temperature")]
        frame["component"] = frame[components].agg("".join, axis=1)
        frame["quantity"], frame["units"] = name, variable.attrs["units"]
        frames.append(frame[["quantity", "fermi", "temperature", "component", "value", "error", "units"]])
    return pd.concat(frames, ignore_index=True)


def quantities(result: xr.Dataset) -> list[str]:
    """Names of the computed quantities, without their errors."""
    return [str(v) for v in result.data_vars if f"{v}_error" in result.data_vars]
