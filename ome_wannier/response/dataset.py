"""The answer as an xarray.Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..calculators.operators import size_of
from ..calculators.parts import operator_of
from ..calculators.quantity import OF_OPERATORS, WITH_TAU, Combination, Observable
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import AXES, ROUNDING, index_order, unit_of
from ..integration.integral import Integral
from ..models.base import Model
from . import layer

if TYPE_CHECKING:
    import xarray as xr
Array = NDArray[np.float64]
Axes = Sequence[tuple[int, ...]]


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
    whole, at = layer.whole(model, calculators), (slice(None), 0) if scalar else ()
    for calculator in calculators:
        name, observable = calculator.name, first_observable(calculator)
        factor, unit = unit_of(observable, dimension, tau)
        dims = ("fermi",) + (() if scalar else ("temperature",)) + observable.dims
        axes = layer.result_axes(model, observable.dims, whole)
        for dim, named in layer.letters(model, calculator, axes).items():
            coords[dim] = (dim, np.array(named), {"long_name": f"Cartesian {dim} axis"})
        value = layer.reported(model, calculator, axes, found.values) * factor
        error = layer.reported(model, calculator, axes, found.errors, error=True) * abs(factor)
        data[name] = (dims, value[at], _about(model, calculator, unit, tau, axes))
        data[f"{name}_error"] = (dims, error[at], {"units": unit, "long_name": f"estimated error of {name}"})
        if name in found.raw:
            text = f"{name} without the operations that hold but for noise"
            raw = layer.reported(model, calculator, axes, found.raw) * factor
            data[f"{name}_raw"] = (dims, raw[at], {"units": unit, "long_name": text})
        if moving := layer.drifts(model, calculator, found.values):
            drift = [layer.reported(model, calculator, axes, x)[at] * factor for x in moving]
            data[f"{name}_per_angstrom"] = _per_angstrom(model, dims, drift, f"{unit} / angstrom")
    if any("origin" in of[0] for of in data.values()):
        coords["origin"] = ("origin", AXES, {"long_name": "Cartesian axis along which the origin moves"})
    return xr.Dataset(data, coords, found.attrs | dict(attrs))


def _per_angstrom(model: Model, dims: tuple[str, ...], drift: Sequence[Array], unit: str) -> tuple[Any, ...]:
    """A variable of what a quantity changes by with the origin along each bounded direction: of chains with that dimension."""
    about = {"units": unit, "long_name": "change when the origin moves by one Angstrom across"}
    if len(drift) == 1:
        return dims, drift[0], about
    across = (np.eye(3) if model.frame is None else np.asarray(model.frame))[list(model.bounded)]
    return (*dims, "origin"), np.stack(drift, axis=-1) @ across, about


def _about(model: Model, calculator: Calculator, unit: str, tau: float, axes: Axes) -> dict[str, Any]:
    """What a quantity is."""
    observable = first_observable(calculator)
    about: dict[str, Any] = {
        "units": unit,
        "long_name": calculator.long_name,
        "equation": calculator.equation,
        "reference": calculator.reference,
    }
    if observable.dims == ("moment", "field"):
        about["index_order"] = index_order(observable)
    if observable.kind in WITH_TAU:
        about["tau_fs"] = tau
    if isinstance(calculator, Combination) and calculator.note and len(model.axes) == 3:
        about["left_out"] = calculator.note
    if isinstance(observable, Observable) and observable.kind in OF_OPERATORS:
        size = size_of(model, operator_of(observable))
        about["rounding"] = ROUNDING * abs(unit_of(observable, len(model.axes), tau)[0]) * size
    if reason := layer.missing(model, calculator, axes):
        about["missing"] = reason
    return about
