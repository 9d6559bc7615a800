"""The answer as an xarray.Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..calculators.quantity import WITH_TAU, Combination
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import AXES, INDEX_ORDER, unit_of
from ..calculators.weights import as_reported, reported_axes
from ..integration.integral import Integral
from ..models.base import Model

if TYPE_CHECKING:
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

    fermi, temperature = coordinates
    dimension = len(model.axes)
    scalar = np.ndim(temperature) == 0
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
        reported = reported_axes(model, observable.dims)
        for dim, axes_of in zip(observable.dims, reported, strict=True):
            coords[dim] = (dim, AXES[list(axes_of)], {"long_name": f"Cartesian {dim} axis"})
        at = (slice(None), 0) if scalar else ()
        value = as_reported(model, observable.dims, found.values[calculator.name][at] * factor)
        error = as_reported(model, observable.dims, found.errors[calculator.name][at] * abs(factor), error=True)
        data[calculator.name] = (dims, value, _about(calculator, unit, dimension, tau))
        text = f"estimated error of {calculator.name}"
        data[f"{calculator.name}_error"] = (dims, error, {"units": unit, "long_name": text})
        if calculator.name in found.raw:
            text = f"{calculator.name} without the operations that hold but for noise"
            raw = as_reported(model, observable.dims, found.raw[calculator.name][at] * factor)
            data[f"{calculator.name}_raw"] = (dims, raw, {"units": unit, "long_name": text})
    return xr.Dataset(data, coords, found.attrs | dict(attrs))


def _about(calculator: Calculator, unit: str, dimension: int, tau: float) -> dict[str, Any]:
    """What a quantity is."""
    observable = first_observable(calculator)
    about: dict[str, Any] = {
        "units": unit,
        "long_name": calculator.long_name,
        "equation": calculator.equation,
        "reference": calculator.reference,
    }
    if observable.dims == ("moment", "field"):
        about["index_order"] = INDEX_ORDER
    if observable.kind in WITH_TAU:
        about["tau_fs"] = tau
    if isinstance(calculator, Combination) and calculator.note and dimension == 3:
        about["left_out"] = calculator.note
    return about
