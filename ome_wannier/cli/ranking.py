"""The printed ranking of a screening: numbers with errors and units, layers and crystals apart, what is forbidden a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..common.units import ALPHA_UNIT
from ..presentation.numbers import prefixed, pretty, rounded

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

#: what layers and the like are called
KINDS = {3: "crystals", 2: "layers", 1: "chains", 0: "molecules"}
#: marks a number that its error exceeds, and a Fermi level that is the first or last of those computed
OPEN, END = "(open)", "(end)"
#: ends of columns whose units are those of a layer or a crystal
BY_DIMENSION = ("_max", "_gap", "dos", "carriers")
#: failures that are shown with their reasons, at most
SHOWN = 20
#: characters of a line that is no terminal's, at the most
WIDEST = 100_000


def parts(found: pd.DataFrame, column: str, number: int, responses: bool) -> list[tuple[str, pd.DataFrame]]:
    """The rows to print, at most `number` of each kind: responses of layers and crystals have different units, and titles."""
    mixed = "dimension" in found and found["dimension"].nunique() > 1
    if not (responses and mixed and column.endswith(BY_DIMENSION)):
        return [("", found.head(number))]
    every = [(f"{kind}:", found[found["dimension"] == d]) for d, kind in KINDS.items()]
    every.append(("of no known dimension:", found[~found["dimension"].isin(list(KINDS))]))  # rows that others wrote
    return [(title, rows.head(number)) for title, rows in every if len(rows)]


def printed(found: pd.DataFrame, shown: Sequence[str], by: str, units: str | None) -> Any:
    """A table for the console: what it is ranked by with errors, the unit in its heading; other numbers with four digits.

    Raises
    ------
    SettingsError : a unit that the rows do not have.
    """
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    uncertain = f"{by}_error" in found
    columns = [name for name in shown if not (uncertain and name == f"{by}_error")]
    factors, unit = _scaled(found, by, units) if uncertain else ([1.0] * len(found), "")
    for name in columns:
        left = found[name].dtype == object or name == "name"
        out.add_column(f"{name} ({unit})" if name == by and unit else name, justify="left" if left else "right")
    for row, factor in zip(found.to_dict("records"), factors, strict=True):
        out.add_row(*(_ranked(row, by, factor) if uncertain and name == by else _cell(row, name) for name in columns))
    return out


def width_of(console: Console, table: Any) -> int:
    """How many characters wide a table is that nothing is cut off from."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum


def explained(found: pd.DataFrame, every: pd.DataFrame, by: str, where: str | None, shown: Sequence[str]) -> list[str]:
    """Lines below the table: units of its other columns, what its words mean, which rows are not in it."""
    from ..screening import table

    lines = []
    told = table.meanings([name for name in table.units(shown) if name != f"{by}_error"])
    lines += [f"{name}: {meaning}" for name, meaning in told.items()]
    if f"{by}_error" in found and any(is_open(row, by) for row in found.to_dict("records")):
        lines.append(f"{OPEN}: the error exceeds the value, or is not known (?)")
    if any(table.still_grows(row, name) for row in found.to_dict("records") for name in shown):
        lines.append(f"{END}: first or last level, towards which it still grows: widen screen --around START:STOP:N")
    without = every if where is None else every[table.select(every, where)]
    if missing := int(without[by].isna().sum()):
        lines.append(f"{missing} rows have no {by}: they failed, it is forbidden, or it was not computed")
    return lines + failures(every)


def failures(every: pd.DataFrame) -> list[str]:
    """Lines for the materials that could not be computed, each with the reason."""
    if "status" not in every or "reason" not in every:
        return []
    rows = every[every["status"] == "failed"]
    lines = [plain(f"failed: {name}: {reason}") for name, reason in zip(rows["name"], rows["reason"], strict=True)]
    more = [f"... and {len(lines) - SHOWN} more: ome-wannier export shows all, with status failed"]
    return lines[:SHOWN] + (more if len(lines) > SHOWN else [])


def _scaled(found: pd.DataFrame, by: str, units: str | None) -> tuple[list[float], str]:
    """A factor for each row of a column with errors, and the unit: of responses the one asked for, or with a prefix by the
    median of the rows."""
    from ..screening import table
    from ..screening.operator_columns import unit_of
    from ..screening.table_units import factors

    if (own := unit_of(found, by)) is not None:
        sizes = sorted(abs(v) for v in found[by] if v and math.isfinite(v))
        factor, unit = prefixed(sizes[len(sizes) // 2 :][:1], own) if own else (1.0, own)
        return [factor] * len(found), unit
    dimensions = found["dimension"].dropna().unique().tolist() if "dimension" in found else []
    response = by.endswith(("_max", "_gap"))
    if not response or len(dimensions) != 1 or dimensions[0] not in ALPHA_UNIT:
        return [1.0] * len(found), "" if response else pretty(table.units([by]).get(by, ""))
    if units is None:
        floor = max((_least(row, by) for row in found.to_dict("records")), default=0.0)
        sizes = [abs(v) for v in found[by] if v and math.isfinite(v)] or [e for e in found[f"{by}_error"] if e > floor]
        factor, unit = prefixed(sorted(sizes)[len(sizes) // 2 :][:1], ALPHA_UNIT[int(dimensions[0])])
        return [factor] * len(found), unit
    each = factors(found, units)
    return [factor for factor, _ in each], next((unit for _, unit in each if unit), "")


def element_of(by: str) -> str:
    """The column that names the element of a response; "none" of what symmetry forbids."""
    return f"{by.removesuffix('_max').removesuffix('_gap')}_element"


def _ranked(row: dict[Any, Any], by: str, factor: float) -> str:
    """A number with its error; "forbidden" where symmetry leaves nothing, and marked where it is within its error."""
    value, error = float(row[by]), float(row.get(f"{by}_error", math.nan))
    if row.get(element_of(by)) == "none":
        return "forbidden"
    said = rounded(value * factor, abs(error) * factor, least=_least(row, by) * factor)
    return f"{said} {OPEN}" if is_open(row, by) else said


def is_open(row: dict[Any, Any], by: str) -> bool:
    """Whether the error of a number exceeds it, or is not known; not of what is forbidden, or rounding, error and all."""
    if row.get(element_of(by)) == "none":
        return False
    value, error = abs(float(row[by])), float(row.get(f"{by}_error", math.nan))
    return not (error <= value or max(value, error) < _least(row, by))


def _least(row: dict[Any, Any], by: str) -> float:
    """What the response of a row has to exceed to be more than rounding."""
    from ..screening.table import least

    return least(row, by)


def _cell(row: dict[Any, Any], name: str) -> str:
    from ..screening.table import still_grows

    value = row[name]
    if name.endswith("_fermi") and row.get(f"{name.removesuffix('_fermi')}_element") == "none":
        return "-"
    if name.endswith("_element") and value == "none":
        return "-"
    if name == "converged" and value in (0, 1):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g} {END}" if still_grows(row, name) else f"{value:.4g}"
    return plain(str(value))


def plain(text: str) -> str:
    """Text without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
