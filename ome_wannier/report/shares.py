"""The shares of parts of the material that a report draws as bars: of every element that has any, at one Fermi level."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..calculators.reported_units import ROUNDING
from ..presentation import elements
from ..presentation.numbers import least, rounded
from ..response.result_files import part_of, quantities
from .plain import numbers

if TYPE_CHECKING:
    import xarray as xr

Scaled = Callable[[ArrayLike, str], tuple[float, str]]


def shares(result: xr.Dataset, level: int, scaled: Scaled) -> list[dict[str, Any]]:
    """At each temperature what the shares are `by`, labels of the `parts`, and the `bars` of each element that has any.

    Bars have a `name`, the quantity and its element, a `unit`, the shares `y` with `error`, and the `whole` as text. Those that
    one part alone has, such as the electrons of a layer, come last.

    Parameters
    ----------
    result : from `compute`. level : index of the Fermi level. scaled : factor and unit that values in a unit are shown in.
    """
    by = part_of(result)
    names = [n for n in quantities(result) if f"{n}_by_{by}" in result]
    found = []
    for j in range(result["temperature"].size if names else 0):
        at = result.isel(fermi=level)
        at = at.isel(temperature=j) if "temperature" in at.dims else at
        bars = [bar for name in names for bar in _bars(at, name, str(by), scaled)]
        bars.sort(key=lambda bar: np.count_nonzero(np.nan_to_num(np.array(bar["y"], dtype=float))) < 2)  # stable
        found.append({"by": by, "parts": at[by].values.tolist(), "bars": bars})
    return found


def _bars(at: xr.Dataset, name: str, by: str, scaled: Scaled) -> list[dict[str, Any]]:
    """The bars of the elements of a quantity that are more than rounding, first that whose shares exceed errors most."""
    whole = at[name]
    values, errors, unsure = (at[key] for key in (f"{name}_by_{by}", f"{name}_by_{by}_error", f"{name}_error"))
    every = elements.independent(whole)
    sizes = {e: _most(elements.at(abs(values), whole, e)) for e in every}
    beyond = {e: _most(elements.at(abs(values) - errors, whole, e)) for e in every}
    rounding = max(least(name, whole.attrs), ROUNDING * max(sizes.values(), default=0.0))
    found = []
    for e in sorted((e for e in every if sizes[e] > rounding), key=lambda e: -beyond[e]):
        value, error = (float(elements.at(x, whole, e)) for x in (whole, unsure))
        factor, unit = scaled([sizes[e]], str(whole.attrs["units"]))
        found.append(
            {
                "name": f"{elements.said(name)} {elements.with_equals(whole, e)}".rstrip(),
                "unit": unit,
                "whole": rounded(value * factor, error * abs(factor), least=max(rounding, ROUNDING * sizes[e]) * abs(factor)),
                "y": numbers(elements.at(values, whole, e).values * factor),
                "error": numbers(elements.at(errors, whole, e).values * abs(factor)),
            }
        )
    return found


def _most(of_parts: xr.DataArray) -> float:
    """The largest; minus infinity where none is known."""
    return float(of_parts.fillna(-np.inf).max())
