"""The tables that the command line prints: tensors with their errors, bands, symmetries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..integration.band_ranges import Gap, groups
from ..plotting.figures import prefixed
from ..response.result_files import quantities

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.table import Table

    from ..integration.hamiltonian_symmetry import Group
    from ..symmetry.operations import Operation

Array = NDArray[np.float64]

#: Fermi levels up to which all are printed; of more, one
SHOWN_LEVELS = 3
#: how a zero is printed that only symmetries which hold but for noise demand
NOISY = "0*"
#: digits after the point, at most
DIGITS = 6


def shown_levels(levels: Array, within: Gap | None) -> list[int]:
    """Indices of the Fermi levels to print: all of a few, else the one nearest the middle of the gap, or of the scan."""
    if len(levels) <= SHOWN_LEVELS:
        return list(range(len(levels)))
    middle = (within.bottom + within.top) / 2 if within else (levels[0] + levels[-1]) / 2
    return [int(np.argmin(abs(levels - middle)))]


def with_error(value: float, error: float, plus_minus: str = "±") -> str:
    """A value and its error, both rounded to two digits of the error; a dash where there is no element."""
    if math.isnan(value):
        return "-"
    if not math.isfinite(error):
        return f"{value:.4g} {plus_minus} ?"
    if error == 0:
        return f"{value:.4g} {plus_minus} 0"
    digits = min(1 - math.floor(math.log10(error)), DIGITS)
    return " ".join((_rounded(value, digits), plus_minus, _rounded(error, digits)))


def _rounded(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{max(digits, 0)}f}"


def tensor_tables(result: xr.Dataset, plus_minus: str = "±") -> list[Table]:
    """One table per kind of tensor, its elements with their errors, for a result at one Fermi level and temperature."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for name in quantities(result):
        kinds.setdefault(tuple(str(d) for d in result[name].dims), []).append(name)
    return [_tensor_table(result, names, dims, plus_minus) for dims, names in kinds.items()]


def _tensor_table(result: xr.Dataset, names: Sequence[str], dims: tuple[str, ...], plus_minus: str) -> Table:
    *lead, last = dims
    rows = list(product(*(result[d].values.tolist() for d in lead)))
    table = _table("quantity", *lead)
    for axis in result[last].values.tolist():
        table.add_column(f"{last} {axis}", justify="right")
    table.add_column("unit")
    for name in names:
        value, error = result[name], result[f"{name}_error"]
        factor, unit = _scale(value, error)
        for i, row in enumerate(rows):
            here = dict(zip(lead, row, strict=True))
            pairs = zip(value.sel(here).values * factor, error.sel(here).values * factor, strict=True)
            cells = [with_error(float(v), float(e), plus_minus) for v, e in pairs]
            table.add_row(name if i == 0 else "", *row, *cells, unit if i == 0 else "", end_section=i == len(rows) - 1 > 0)
    return table


def extremes_table(result: xr.Dataset, plus_minus: str = "±") -> Table:
    """The element of every response that exceeds its error most, over the Fermi levels (dims fermi, moment, field)."""
    table = _table("largest beyond its error", "element", "Fermi level (eV)", "value", "unit")
    for name in quantities(result):
        value, error = result[name], result[f"{name}_error"]
        if value.dims != ("fermi", "moment", "field"):
            continue
        beyond = abs(value.values) - np.nan_to_num(error.values)
        where = np.unravel_index(int(np.nanargmax(beyond)), value.shape)
        at, err = value[where], error[where]
        factor, unit = _scale(at, err)
        element = f"{at['moment'].item()}{at['field'].item()}"
        number = with_error(float(at) * factor, float(err) * factor, plus_minus)
        table.add_row(name, element, f"{float(at['fermi']):.4f}", number, unit)
    return table


def _scale(value: xr.DataArray, error: xr.DataArray) -> tuple[float, str]:
    return prefixed(np.stack([value.values, error.values]), value.attrs["units"])


def band_table(ranges: Array, filled: float | None) -> Table:
    """Groups of bands with their energies and the gap above each; `filled` bands are occupied, if known."""
    table = _table("bands", "from (eV)", "to (eV)", "gap above (eV)", "occupied")
    found = groups(ranges)
    for i, group in enumerate(found):
        above = f"{found[i + 1].bottom - group.top:.3f}" if i + 1 < len(found) else ""
        bands = f"{group.first}" if group.first == group.last else f"{group.first}-{group.last}"
        inside = "" if filled is None else f"{min(max(filled - group.first + 1, 0), group.last - group.first + 1):g}"
        table.add_row(bands, f"{group.bottom:.3f}", f"{group.top:.3f}", above, inside)
    return table


def symmetry_table(operations: Sequence[Operation], group: Group) -> Table:
    """Candidate operations, how far the Hamiltonian violates each, and whether it is one of a group."""
    table = _table("operation", "violation (meV)", "curvature mismatch", "response mismatch", "holds")
    for operation in operations:
        numbers = (operation.violation * 1e3, operation.curvature_mismatch, operation.response_mismatch)
        how = "to rounding" if operation in group.exact else "but for noise" if operation in group.operations else "no"
        table.add_row(operation.name, *(f"{x:.2g}" for x in numbers), how)
    return table


def allowed_table(
    label: str, dims: Sequence[str], along: Mapping[str, tuple[int, ...]], found: Array, exact: NDArray[np.bool_]
) -> Table:
    """The elements of a tensor: 0, or what they are of the independent ones, with `found` as of `tensors.relations`; zeros of
    elements that the symmetries which hold to rounding allow, `exact`, are marked."""
    names = ["".join("xyz"[i] for i in element) for element in product(*(along[d] for d in dims))]
    width = len(along[dims[-1]])
    table = _table(label, *(f"{dims[-1]} {'xyz'[i]}" for i in along[dims[-1]]))
    zeros = np.where(exact, NOISY, "0")
    rows = zip(found, zeros, strict=True)
    cells = [" + ".join(_multiple(c, n) for c, n in zip(row, names, strict=True) if c) or str(zero) for row, zero in rows]
    for start, i in zip(range(0, len(cells), width), along[dims[0]], strict=True):
        table.add_row(f"{dims[0]} {'xyz'[i]}", *(c.replace("+ -", "- ") for c in cells[start : start + width]))
    return table


def _multiple(coefficient: float, name: str) -> str:
    size = "" if abs(abs(coefficient) - 1) < 1e-4 else f"{abs(coefficient):.4g} "
    return f"{'-' if coefficient < 0 else ''}{size}{name}"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def frame(numbers: pd.DataFrame) -> Table:
    """A data frame as a printed table."""
    from rich.table import Table

    out = Table(*map(str, numbers.columns), box=None)
    for row in numbers.itertuples(index=False):
        out.add_row(*map(str, row))
    return out
