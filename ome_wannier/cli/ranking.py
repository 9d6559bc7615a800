"""The printed ranking of a screening: numbers with errors and units, layers and crystals apart, what is forbidden a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..common.errors import SettingsError
from ..common.units import ALPHA_UNIT, convert_alpha
from ..presentation.numbers import prefixed, pretty, rounded

if TYPE_CHECKING:
    import pandas as pd

#: what layers and the like are called
KINDS = {3: "crystals", 2: "layers", 1: "chains", 0: "molecules"}


def parts(found: pd.DataFrame, column: str, number: int, responses: bool) -> list[tuple[str, pd.DataFrame]]:
    """The rows to print, at most `number` of each kind: responses of layers and crystals have different units, and titles."""
    if not responses or not column.endswith(("_max", "_gap")) or "dimension" not in found or found["dimension"].nunique() < 2:
        return [("", found.head(number))]
    every = [(f"{kind}:", found[found["dimension"] == d]) for d, kind in KINDS.items()]
    every.append(("of no known dimension:", found[~found["dimension"].isin(list(KINDS))]))  # rows that others wrote
    return [(title, rows.head(number)) for title, rows in every if len(rows)]


def printed(found: pd.DataFrame, shown: Sequence[str], by: str, units: str | None) -> Any:
    """A table for the console: the response that it is ranked by with its error and unit, other numbers with four digits."""
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    response = by.endswith(("_max", "_gap")) and "dimension" in found
    columns = [name for name in shown if not (response and name == f"{by}_error")]
    for name in columns:
        left = found[name].dtype == object or name == "name"
        out.add_column(name, justify="left" if left else "right")
    for row in found.to_dict("records"):
        out.add_row(*(_response(row, by, units) if response and name == by else _cell(row[name], name) for name in columns))
    return out


def _response(row: dict[Any, Any], by: str, units: str | None) -> str:
    """A response with its error and unit; "forbidden" where symmetry leaves nothing."""
    value, error, dimension = float(row[by]), float(row.get(f"{by}_error", math.nan)), row["dimension"]
    if row.get(f"{by.removesuffix('_max').removesuffix('_gap')}_element") == "none":
        return "forbidden"
    if dimension not in ALPHA_UNIT:
        return _cell(value, by)
    if units is None:
        factor, unit = prefixed([value or error], ALPHA_UNIT[dimension])
    else:
        if "/cell" in units:
            raise SettingsError(f"units: {units} needs the cells, which the table does not have: e2/h, ps/m ...")
        try:
            factor, unit = convert_alpha(1.0, units, int(dimension)), pretty(ALPHA_UNIT[dimension] if units == "SI" else units)
        except ValueError as wrong:
            raise SettingsError(f'units: {wrong}: add --where "dimension==3", or ==2') from wrong
        unit += " Å" if dimension == 2 and units.startswith("e2/") else ""
    return f"{rounded(value * factor, abs(error) * factor)} {unit}"


def _cell(value: Any, name: str) -> str:
    if name == "converged" and value in (0, 1):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return plain(str(value))


def plain(text: str) -> str:
    """Text without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
