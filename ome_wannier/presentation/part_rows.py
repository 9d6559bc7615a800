"""The table of the first screen that says which atoms, layers or orbitals make a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..calculators.registry import is_of_operator
from ..calculators.reported_units import ROUNDING
from ..response.result_files import part_of
from . import elements
from .largest import Point, Spot, in_reach, number_at, spots_of
from .numbers import least, rounded
from .rows import EXTRINSIC, MECHANISMS, Table, columns, place
from .units import scale

if TYPE_CHECKING:
    import xarray as xr

Numbers = NDArray[np.float64]
#: parts, and columns, that fit a screen
PARTS, COLUMNS = 6, 3
#: the row of the quantity itself
WHOLE = "all"


def by_part(result: xr.Dataset, points: Sequence[Point], units: str | None) -> tuple[list[Table], set[str]]:
    """One table of the shares of the largest parts, and the quantities of which it has all that is shown of the whole.

    Of one quantity at all points that are shown; of several a column each, where its shares tell most.
    """
    by = part_of(result)
    if by is None:
        return [], set()
    names = [n for n in _in_order(result) if f"{n}_by_{by}" in result and in_reach(result, n)]
    found = {name: spots_of(result, name, points, _shared(result, f"{name}_by_{by}", name)) for name in names}
    there = {name: spots for name, spots in found.items() if spots}
    if not there:
        return [], set()
    told = {name: _telling(result, name, by, spots) for name, spots in there.items()}
    several = sorted(told, key=lambda name: not _is_divided(result, name, by, told[name]))[:COLUMNS]  # stable
    if len(there) == 1:
        tables = [_of_one(result, several[0], by, there[several[0]], units)]
    else:
        tables = [_of_several(result, by, {name: told[name] for name in several}, len(there) - len(several), units)]
    return tables, {n for n in several if len(points) == 1 and there[n] == spots_of(result, n, points)}


def _in_order(result: xr.Dataset) -> list[str]:
    """The quantities, what was asked for by the name of an operator first, then responses, then others."""
    names = elements.distinct(result)
    first = [n for n in names if is_of_operator(n)]
    then = [n for n in (*EXTRINSIC, *MECHANISMS) if n in names]
    return list(dict.fromkeys([*first, *then, *names]))


def _shared(result: xr.Dataset, shares: str, name: str) -> list[str]:
    """The elements of a quantity that have shares: those of a layer that need positions across it have none."""
    return [e for e in elements.names(result[name]) if elements.at(result[shares], result[name], e).notnull().any()]


def _of_one(result: xr.Dataset, name: str, by: str, spots: Sequence[Spot], units: str | None) -> Table:
    unit, cells = _column(result, name, by, spots, units)
    heads, seen = columns(result, name, spots), {spot.element for spot in spots}
    which = f": {', '.join(seen)}" if heads[0].startswith("at ") and seen != {""} else ""
    sizes = _at(result, f"{name}_by_{by}", name, spots)[:, :1]
    return _table(result, by, f"{elements.said(name)} by {by}{which}", unit, heads, cells, sizes, [])


def _of_several(result: xr.Dataset, by: str, there: dict[str, Spot], left: int, units: str | None) -> Table:
    """A column for each quantity; what all have in common is in the heading."""
    found = {name: _column(result, name, by, [spot], units) for name, spot in there.items()}
    places, kinds = [place(result, spot) for spot in there.values()], [unit for unit, _ in found.values()]
    heads = [elements.labelled(result, name, spot.element) for name, spot in there.items()]
    if at_several := len(set(places)) > 1:
        heads = [f"{head}\n{at}" for head, at in zip(heads, places, strict=True)]
    if in_several := len(set(kinds)) > 1:
        heads = [f"{head}\n({unit})" for head, unit in zip(heads, kinds, strict=True)]
    title = f"shares by {by}" + ("" if at_several else f" {places[0]}")
    columns_of = [[cell for (cell,) in cells] for _, cells in found.values()]
    cells = [list(row) for row in zip(*columns_of, strict=True)]
    sizes = [np.abs(_at(result, f"{name}_by_{by}", name, [spot])) for name, spot in there.items()]
    largest = np.max([size / (np.nanmax(size, initial=0.0) or 1.0) for size in sizes], axis=0)
    notes = [f"{left} more have shares by {by}: ome.table(result)"] if left > 0 else []
    return _table(result, by, title, "" if in_several else kinds[0], heads, cells, largest, notes)


def _is_divided(result: xr.Dataset, name: str, by: str, spot: Spot) -> bool:
    """Whether two parts or more have something: of the electrons of a layer other layers have nothing."""
    values, errors = (_at(result, f"{name}_by_{by}{end}", name, [spot]) for end in ("", "_error"))
    sizes = np.nan_to_num(np.maximum(np.abs(values), errors))
    return int((sizes > max(least(name, result[name].attrs), ROUNDING * float(sizes.max(initial=0.0)))).sum()) > 1


def _telling(result: xr.Dataset, name: str, by: str, spots: Sequence[Spot]) -> Spot:
    """The first place at which a share exceeds its error; where there is none, the first at which one is more than rounding."""
    values, errors = (_at(result, f"{name}_by_{by}{end}", name, spots) for end in ("", "_error"))
    rounding, known = least(name, result[name].attrs), np.nan_to_num(errors, nan=np.inf)
    sure = (np.abs(values) > np.maximum(known, rounding)).any(axis=0)
    there = (np.maximum(np.abs(values), known) > rounding).any(axis=0)
    return spots[int(np.argmax(sure if sure.any() else there))]


def _column(result: xr.Dataset, name: str, by: str, spots: Sequence[Spot], units: str | None) -> tuple[str, list[list[str]]]:
    """The unit, and for the whole and each part (in their order) its cells at the spots."""
    values, errors = (_at(result, f"{name}_by_{by}{end}", name, spots) for end in ("", "_error"))
    factor, unit = scale(values, str(result[name].attrs["units"]), units, result)
    smallest = least(name, result[name].attrs)
    zero = max(smallest, ROUNDING * float(np.nanmax(np.abs(values), initial=0.0)))
    whole = [number_at(result, name, spot) for spot in spots]
    first = [n if isinstance(n, str) else _cell(*n, factor, smallest) for n in whole]
    parts = [[_cell(v, e, factor, zero) for v, e in zip(*of_it, strict=True)] for of_it in zip(values, errors, strict=True)]
    return unit, [first, *parts]


def _cell(value: float, error: float, factor: float, zero: float) -> str:
    return rounded(value * factor, error * abs(factor), least=zero * abs(factor))


def _table(
    result: xr.Dataset,
    by: str,
    title: str,
    unit: str,
    heads: list[str],
    cells: Sequence[list[str]],
    sizes: Numbers,
    notes: list[str],
) -> Table:
    """The whole, and in the order of the material the parts that are largest by `sizes` (parts, 1)."""
    labels = result[by].values
    shown = np.sort(np.argsort(-np.abs(sizes[:, 0]), kind="stable")[:PARTS])
    left = len(labels) - len(shown)
    more = [f"{left} smaller parts: ome.table(result)"] if left > 0 else []
    rows = [(WHOLE, cells[0]), *((f"  {labels[i]}", cells[1 + i]) for i in shown)]
    return Table(title, unit, heads, rows, [*notes, *more])


def _at(result: xr.Dataset, shares: str, name: str, spots: Sequence[Spot]) -> Numbers:
    """(parts, spots) of the elements that are shown."""
    found = []
    for spot in spots:
        at = elements.at(result[shares], result[name], spot.element).isel(fermi=spot.level)
        found.append((at.isel(temperature=spot.temperature) if "temperature" in at.dims else at).values)
    return np.stack(found, axis=1)
