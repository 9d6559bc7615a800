"""The columns of what is no magnetization, in units of their own: of operators, of the conductivity, of the carriers.

Operators have names that users give, so that their columns are known by how they end: `L_extrinsic_max` is the largest element
of `L_extrinsic`, in the unit that the column `L_extrinsic_unit` of its row says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..calculators.operators import ENDINGS
from ..calculators.quantity import OF_OPERATORS
from ..calculators.registry import Calculator, first_observable, is_of_operator
from ..presentation.carriers import above_neutrality
from ..presentation.ratios import CONDUCTIVITY
from .descriptor import Descriptor

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: what the unit of a column is called that has one in each row
OWN = "that of {}_unit"
#: ends of the columns of such a quantity, and what they are
MEANINGS = {
    "max": "modulus of the element of {} that exceeds its error most, over all Fermi levels",
    "max_error": "estimated error of {}_max",
    "element": "axes of that element of {}; none (forbidden) if all vanish by symmetry",
    "fermi": "Fermi level at which {} is so large",
    "at_end": "1 if {} still grows towards that level, the first or last of all",
    "gap": "largest element of {} at the level in question if there is a gap, with its sign",
    "gap_error": "estimated error of {}_gap",
    "gap_element": "axes of that element of {}",
    "unit": "unit of {}",
}
_UNITS = {"element": "", "fermi": "eV", "at_end": "", "gap_element": "", "unit": ""}
_COLUMN = re.compile(rf"(\w+_(?:{'|'.join(ENDINGS)})|{CONDUCTIVITY})_({'|'.join(MEANINGS)})")
#: at the Fermi level in question
SCALARS = (
    Descriptor("dos", OWN.format("dos"), "density of states at the Fermi level in question"),
    Descriptor("dos_error", OWN.format("dos"), "estimated error of dos"),
    Descriptor("dos_unit", "", "unit of dos"),
    Descriptor("carriers", OWN.format("carriers"), "electrons above neutrality at that level; holes are negative"),
    Descriptor("carriers_error", OWN.format("carriers"), "estimated error of carriers"),
    Descriptor("carriers_unit", "", "unit of carriers"),
)


def has_own_unit(name: str) -> bool:
    """Whether a quantity of this name is an operator's, or the conductivity."""
    return name == CONDUCTIVITY or is_of_operator(name)


def asked_for(wanted: Iterable[Calculator]) -> bool:
    """Whether there is something beside the responses of a magnetization that somebody asked for by its name."""
    return any(first_observable(c).kind in (*OF_OPERATORS, "thermal_current") for c in wanted)


def names_of(calculators: Iterable[object]) -> list[str]:
    """All columns that calculators of these names may have."""
    return [f"{c}_{end}" for c in calculators if isinstance(c, str) and has_own_unit(c) for end in MEANINGS]


def columns(names: Iterable[str]) -> list[Descriptor]:
    """Of these names of columns those of such quantities."""
    found = []
    for name in names:
        match = _COLUMN.fullmatch(name)
        if match and has_own_unit(match[1]):
            unit = _UNITS.get(match[2], OWN.format(match[1]))
            found.append(Descriptor(name, unit, MEANINGS[match[2]].format(match[1])))
    return found


def calculator_of(column: str) -> str | None:
    """The calculator that gives a column, of those that nobody has unless told; None of other columns."""
    match = _COLUMN.fullmatch(column)
    if match and has_own_unit(match[1]):
        return match[1]
    return {"dos": "dos", "carriers": "electrons"}.get(column.partition("_")[0])


def of_level(level: xr.Dataset) -> dict[str, Any]:
    """The density of states and the carriers of a result at one level and temperature."""
    pairs: dict[str, Any] = {}
    if "dos" in level:
        pairs |= {"dos": float(level["dos"]), "dos_error": float(level["dos_error"]), "dos_unit": level["dos"].attrs["units"]}
    if (found := above_neutrality(level)) is not None:
        pairs |= {"carriers": float(found.value), "carriers_error": float(found.error), "carriers_unit": found.unit}
    return pairs


def unit_column(column: str) -> str:
    """The column that would say the unit of a column of numbers."""
    return f"{re.sub('_(max|gap)(_error)?$', '', column)}_unit"


def unit_of(table: pd.DataFrame, column: str) -> str | None:
    """The unit of a column whose rows have one each; "" where they have several, None of a column that has no such."""
    own = unit_column(column)
    if own not in table:
        return None
    kinds = table[own].dropna().unique().tolist()
    return str(kinds[0]) if len(kinds) == 1 else ""
