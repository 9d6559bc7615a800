"""The tables that the command line prints: tensors with their errors, bands, symmetries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..calculators.reported_units import negligible
from ..integration.band_ranges import groups
from ..presentation import elements
from ..presentation.content import reference
from ..presentation.numbers import rounded
from ..presentation.units import scale
from ..response.result_files import quantities
from ..symmetry.operations import names_in

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.table import Table

    from ..integration.hamiltonian_symmetry import Group
    from ..integration.symmetrize import Restored
    from ..symmetry.operations import Operation

Array = NDArray[np.float64]

#: Fermi levels, and temperatures, up to which all are printed; of more levels one, and of more temperatures three
SHOWN = 3
#: how a zero is printed that only symmetries which hold but for noise demand
NOISY = "-*"
#: how the variable is called that says what the origin changes
PER_ANGSTROM = "_per_angstrom"


def shown(result: xr.Dataset) -> list[xr.Dataset]:
    """The result at each level and temperature to print."""
    levels = range(result.sizes["fermi"]) if result.sizes["fermi"] <= SHOWN else [reference(result)]
    at = [result.isel(fermi=i) for i in levels]
    if "temperature" not in result.dims:
        return at
    last = result.sizes["temperature"] - 1
    warm = range(last + 1) if last < SHOWN else (0, (last + 1) // 2, last)
    return [one.isel(temperature=j) for one in at for j in warm]


def tensor_tables(result: xr.Dataset, plus_minus: str = "±", units: str | None = None) -> list[Table]:
    """One table per kind of tensor, its elements with their errors, for a result at one Fermi level and temperature.

    Rows and columns that a quantity has nothing in, such as a field across a layer, are left out.
    """
    kinds: dict[tuple[tuple[str, tuple[str, ...]], ...], list[str]] = {}
    for name in quantities(result):
        kinds.setdefault(tuple(elements.defined(result[name]).items()), []).append(name)
    return [_tensor_table(result.sel({d: list(a) for d, a in axes}), names, plus_minus, units) for axes, names in kinds.items()]


def _tensor_table(result: xr.Dataset, names: Sequence[str], plus_minus: str, units: str | None) -> Table:
    """Rows for all but the last dimension, columns for that; a single number has one column."""
    dims = tuple(str(d) for d in result[names[0]].dims)
    lead, last = dims[:-1], dims[-1:]
    rows = list(product(*(result[d].values.tolist() for d in lead)))
    table = _table("quantity", *lead)
    for axis in result[last[0]].values.tolist() if last else [""]:
        table.add_column(f"{last[0]} {axis}" if last else "value", justify="right")
    table.add_column("unit")
    for name in names:
        values = np.stack([result[name].values, result[f"{name}_error"].values])
        factor, unit = scale(values, str(result[name].attrs["units"]), units, result)
        cells = [_element(result, name, element, factor, plus_minus) for element in elements.names(result[name])]
        width = len(cells) // len(rows)
        for i, row in enumerate(rows):
            here = cells[i * width : (i + 1) * width]
            table.add_row(name if i == 0 else "", *row, *here, unit if i == 0 else "", end_section=i == len(rows) - 1 > 0)
    return table


def origin_tables(result: xr.Dataset, units: str | None = None) -> list[Table]:
    """What each element of a layer or chain changes by when the origin moves by one angstrom across, for a result at one Fermi
    level and temperature: a table for each quantity that has such; of chains a column for each direction."""
    found = []
    for name in quantities(result):
        if f"{name}{PER_ANGSTROM}" not in result:
            continue
        moved = result[f"{name}{PER_ANGSTROM}"]
        factor, unit = scale(moved.values, str(result[name].attrs["units"]), units, result)
        least = negligible(name, str(result[name].attrs["units"]))
        *lead, last = elements.along(moved).items()
        columns = [*(d for d, _ in lead[1:]), *(f"{last[0]} {axis}" for axis in last[1]), "unit"]
        table = _table(f"{name}, per Å of origin", *columns)
        texts = [_change(float(x), factor, least) for x in moved.values.ravel()]
        for i, row in enumerate(product(*(axes for _, axes in lead))):
            here = texts[i * len(last[1]) : (i + 1) * len(last[1])]
            table.add_row(f"{lead[0][0]} {row[0]}", *row[1:], *here, f"{unit} / Å" if i == 0 else "")
        found.append(table)
    return found


def _change(value: float, factor: float, least: float) -> str:
    """A number without an error; a dash for what does not exist."""
    if not math.isfinite(value):
        return elements.DASH
    return "0" if abs(value) < least else f"{value * factor:.4g}"


def _element(result: xr.Dataset, name: str, element: str, factor: float, plus_minus: str) -> str:
    """An element with its error; of one that symmetry forbids a dash, and what it was before symmetry was imposed."""
    value, error = (float(elements.element(result[n], element)) * factor for n in (name, f"{name}_error"))
    if element not in elements.reasons(result[name]):
        least = negligible(name, str(result[name].attrs["units"])) * abs(factor)
        return rounded(value, abs(error), plus_minus, least)
    if f"{name}_raw" not in result or not math.isfinite(value):
        return elements.DASH
    raw = float(elements.element(result[f"{name}_raw"], element)) * factor
    return f"{elements.DASH} (raw {raw:.2g})"


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


def symmetry_table(operations: Sequence[Operation], group: Group, names: Sequence[str]) -> Table:
    """Candidate operations by their names, how far the Hamiltonian violates each, and whether it is one of a group."""
    table = _table("operation", "violation (meV)", "curvature mismatch", "response mismatch", "holds")
    for operation, name in zip(operations, names, strict=True):
        numbers = (operation.violation * 1e3, operation.curvature_mismatch, operation.response_mismatch)
        how = "to rounding" if operation in group.exact else "but for noise" if operation in group.operations else "no"
        table.add_row(name, *(f"{x:.2g}" for x in numbers), how)
    return table


def restored_table(operations: Sequence[Restored], frame: Array | None) -> Table:
    """Operations, and what was given violated each by: the largest change of a matrix element. frame : axes, or None."""
    names = list(operations[0].changes)
    units = {"hamiltonian": " (meV)", "position": " (angstrom)", "spin": " (hbar/2)"}
    table = _table("what was off by", *(f"{name}{units.get(name, '')}" for name in names))
    for called, restored in zip(names_in([r.operation for r in operations], frame), operations, strict=True):
        numbers = ((1e3 if name == "hamiltonian" else 1.0) * x for name, x in restored.changes.items())
        table.add_row(called, *(f"{x:.2g}" for x in numbers))
    return table


def allowed_table(
    label: str,
    dims: Sequence[str],
    along: Mapping[str, tuple[int, ...]],
    found: Array,
    exact: NDArray[np.bool_],
    called: Sequence[str],
) -> Table:
    """The elements of a tensor: a dash, or what they are of the independent ones, with `found` as of `tensors.relations`;
    dashes of elements that the symmetries which hold to rounding allow, `exact`, are marked. `called`: the three axes."""
    names = ["".join(called[i] for i in element) for element in product(*(along[d] for d in dims))]
    width = len(along[dims[-1]])
    table = _table(label, *(f"{dims[-1]} {called[i]}" for i in along[dims[-1]]))
    zeros = np.where(exact, NOISY, elements.DASH)
    rows = zip(found, zeros, strict=True)
    cells = [" + ".join(_multiple(c, n) for c, n in zip(row, names, strict=True) if c) or str(zero) for row, zero in rows]
    for start, i in zip(range(0, len(cells), width), along[dims[0]], strict=True):
        table.add_row(f"{dims[0]} {called[i]}", *(c.replace("+ -", "- ") for c in cells[start : start + width]))
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
