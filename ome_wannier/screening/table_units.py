"""The responses of a table of materials in another unit: a factor for each row, by its periodic directions and its cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..common.errors import SettingsError
from ..common.units import ALPHA_UNIT
from ..presentation.units import of_cell, parsable
from .descriptors import PER_ANGSTROM, RESPONSE_UNIT, describe

if TYPE_CHECKING:
    import pandas as pd


def in_unit(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """A table with its responses in another unit, which a column `response_units` names as pint parses it.

    Raises
    ------
    SettingsError : a unit that a row's dimension does not have, or one per cell, where a row does not know its cell.
    """
    found = table.copy()
    columns = [d.name for d in describe() if d.unit in (RESPONSE_UNIT, PER_ANGSTROM) and d.name in table]
    found[columns] = table[columns].mul([factor for factor, _ in factors(table, unit)], axis=0)
    dimensions = table.get("dimension", [math.nan] * len(table))
    return found.assign(response_units=[parsable(ALPHA_UNIT[int(d)], unit) if d in ALPHA_UNIT else "" for d in dimensions])


def factors(table: pd.DataFrame, unit: str) -> list[tuple[float, str]]:
    """Of each row what its responses in SI are multiplied by, and the unit as it is printed, nothing of rows of no known
    dimension. SettingsError as for `in_unit`."""
    unknown, stays = [math.nan] * len(table), (1.0 if unit == "SI" else math.nan, "")
    rows = zip(table.get("dimension", unknown), table.get("cell_size", unknown), strict=True)
    try:
        return [of_cell(int(d), unit, cell if cell > 0 else None) if d in ALPHA_UNIT else stays for d, cell in rows]
    except SettingsError as wrong:
        raise SettingsError(f'{wrong}; rows are chosen by --where "dimension==3"') from wrong
