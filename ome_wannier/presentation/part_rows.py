"""The table of the first screen that says which atoms, layers or orbitals make a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..calculators.reported_units import ROUNDING
from ..response.result_files import part_of, quantities
from . import elements
from .largest import Point, Spot, in_reach, spots_of
from .numbers import least, rounded
from .rows import Table, columns
from .units import scale

if TYPE_CHECKING:
    import xarray as xr

#: parts, and quantities, that are shown without being asked for
PARTS, QUANTITIES = 6, 2


def by_part(result: xr.Dataset, points: Sequence[Point], units: str | None) -> list[Table]:
    """The shares of the largest parts in the largest element that has shares, of the first quantities that have any."""
    by = part_of(result)
    if by is None:
        return []
    names = [n for n in quantities(result) if f"{n}_by_{by}" in result and in_reach(result, n)]
    found = {name: spots_of(result, name, points, _shared(result, f"{name}_by_{by}", name)) for name in names}
    return [_table(result, name, by, spots, units) for name, spots in found.items() if spots][:QUANTITIES]


def _shared(result: xr.Dataset, shares: str, name: str) -> list[str]:
    """The elements of a quantity that have shares: those of a layer that need positions across it have none."""
    return [e for e in elements.names(result[name]) if _element(result[shares], result[name], e).notnull().any()]


def _element(variable: xr.DataArray, whole: xr.DataArray, element: str) -> xr.DataArray:
    return variable.sel(dict(zip(elements.along(whole), element, strict=True)))


def _table(result: xr.Dataset, name: str, by: str, spots: Sequence[Spot], units: str | None) -> Table:
    values, errors = (_at(result[f"{name}_by_{by}{end}"], spots, name, result) for end in ("", "_error"))
    factor, unit = scale(values, str(result[name].attrs["units"]), units, result)
    zero = max(least(name, result[name].attrs), ROUNDING * float(np.nanmax(np.abs(values), initial=0.0))) * abs(factor)
    order = np.argsort(-np.abs(values[:, 0]), kind="stable")[:PARTS]
    labels = result[by].values
    pairs = [zip(values[i], errors[i], strict=True) for i in order]
    numbers = [[rounded(v * factor, e * abs(factor), least=zero) for v, e in of_it] for of_it in pairs]
    lines = [(f"  {labels[i]}", row) for i, row in zip(order, numbers, strict=True)]
    left = len(values) - len(order)
    notes = [f"{left} more parts: ome.table(result)"] if left > 0 else []
    heads, seen = columns(result, name, spots), {spot.element for spot in spots}
    which = f": {', '.join(seen)}" if heads[0].startswith("at ") and seen != {""} else ""
    return Table(f"{elements.said(name)} by {by}{which}", unit, heads, lines, notes)


def _at(variable: xr.DataArray, spots: Sequence[Spot], name: str, result: xr.Dataset) -> np.ndarray:
    """(parts, spots) of the elements that are shown."""
    found = []
    for spot in spots:
        at = _element(variable, result[name], spot.element).isel(fermi=spot.level)
        found.append((at.isel(temperature=spot.temperature) if "temperature" in at.dims else at).values)
    return np.stack(found, axis=1)
