"""The answer: an xarray.Dataset that says what it holds, in which units, how it was made and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import units
from .calculators import Calculator, Combination, Observable, Term, get
from .calculators.base import component_axes
from .errors import FileFormatError
from .files import whole

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]

AXES = np.array(["x", "y", "z"])
INDEX_ORDER = "M_i = alpha_ij E_j: moment axis i first, field axis j second"


def unit_of(observable: Term, dimension: int, tau: float) -> tuple[float, str]:
    """Factor from internal units (eV, Angstrom, hbar = e = 1) to the reported unit of an observable, and its name."""
    if isinstance(observable, Observable) and observable.kind == "own":
        return observable.factor, observable.unit
    per = {3: "/Angstrom", 2: "", 1: " Angstrom", 0: " Angstrom^2"}[dimension]
    return {
        "alpha": (units.alpha_to_si(dimension), units.ALPHA_UNIT[dimension]),
        "extrinsic": (units.extrinsic_to_si(dimension, tau), units.ALPHA_UNIT[dimension]),
        "polarizability": (1.0, f"e{per}/V" if per else "e/V"),
        "curvature": (1.0, per.replace("/Angstrom", "1/Angstrom").strip() or "1"),
        "moment": (
            units.E2_OVER_HBAR * units.ANGSTROM ** (2 - dimension),
            {3: "A/m", 2: "A", 1: "A m", 0: "A m^2"}[dimension],
        ),
    }[observable.kind]


def combine(calculator: Calculator, values: Mapping[str, Array]) -> Array:
    """The value of a calculator from those of the observables."""
    if not isinstance(calculator, Combination):
        return values[calculator.name]
    return sum((c * values[name] for name, c in calculator.terms), np.zeros(()))


def first_observable(calculator: Calculator) -> Term:
    """The calculator itself, or the first term of a combination (all are of one kind)."""
    found = get(calculator.terms[0][0]) if isinstance(calculator, Combination) else calculator
    assert not isinstance(found, Combination)
    return found


class Outcome(NamedTuple):
    """What integrals over the zone give by quantity, (nf, nT, *components) in internal units, and what to record of them.

    values, errors : with all symmetries. raw : values without those that hold but for noise, where there are such.
    """

    values: dict[str, Array]
    errors: dict[str, Array]
    raw: dict[str, Array]
    attrs: dict[str, Any]


def imposed(found: Outcome, symmetric: dict[str, Array]) -> Outcome:
    """The same with values that have been symmetrised: all that this changes is an error."""
    errors = {name: error + abs(found.values[name] - symmetric[name]) for name, error in found.errors.items()}
    return found._replace(values=symmetric, errors=errors, raw=found.values)


def build(
    calculators: Sequence[Calculator],
    found: Outcome,
    *,
    fermi: Array,
    temperature: Array | float,
    axes: Sequence[int],
    moments: Sequence[int],
    tau: float,
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Assemble the dataset; `attrs` are recorded along with those of the outcome."""
    import xarray as xr

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
