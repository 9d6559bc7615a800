"""The unit that responses are shown in: SI with a prefix, or the one asked for. Results themselves stay SI."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ..common.errors import SettingsError
from ..common.units import ALIASES, ALPHA_UNIT, alpha_units, convert_alpha
from .numbers import prefixed, pretty

if TYPE_CHECKING:
    import xarray as xr


def scale(values: ArrayLike, own: str, asked: str | None, result: xr.Dataset) -> tuple[float, str]:
    """Factor and unit to show values in: the unit asked for where it is one of a response, else their own with a prefix.

    values : of which the largest decides the prefix, in `own`, an SI unit. asked : see `checked`.

    Raises
    ------
    SettingsError : a unit that does not exist in this dimension, or one per cell where the cell is not known.
    """
    if asked is None or own not in ALPHA_UNIT.values():
        return prefixed(values, own)
    return in_unit(own, asked, result)


def common_scale(values: ArrayLike, own: str, asked: str | None, results: Sequence[xr.Dataset]) -> tuple[list[float], str]:
    """The same for several results: one unit, and a factor for each, since their cells differ. SettingsError as for `scale`."""
    factor, unit = scale(values, own, asked, results[0])
    if asked is None or own not in ALPHA_UNIT.values():
        return [factor] * len(results), unit
    return [in_unit(own, asked, result)[0] for result in results], unit


def in_unit(own: str, asked: str | None, result: xr.Dataset) -> tuple[float, str]:
    """Factor and unit of what is in `own`; SI without a prefix where no unit is asked for. SettingsError as for `scale`."""
    if asked is None or own not in ALPHA_UNIT.values():
        return 1.0, pretty(own)
    cell = result.attrs.get("cell")
    return of_cell(next(d for d, unit in ALPHA_UNIT.items() if unit == own), asked, None if cell is None else float(cell))


def of_cell(dimension: int, asked: str, cell: float | None) -> tuple[float, str]:
    """Factor and unit of responses in so many periodic directions, of cells of this size in angstrom^dimension, None where it
    is not known. SettingsError as for `scale`."""
    name = checked(asked, dimension)
    if name == "SI":
        return 1.0, pretty(ALPHA_UNIT[dimension])
    if "/cell" in name and cell is None:
        raise SettingsError(f"units: {name} needs the size of the cell, which is not known")
    bare = {3: "", 2: " angstrom", 1: " angstrom^2", 0: " angstrom^3"}[dimension]
    label = {"e2/h": f"e^2/h{bare}", "e2/hbar": f"e^2/ħ{bare}"}.get(name, name)
    return convert_alpha(1.0, name, dimension, 1.0 if cell is None else cell), pretty(label)


def parsable(own: str, asked: str | None) -> str:
    """The unit that `in_unit` gives, as pint parses it: for tables that programs read."""
    if asked is None or own not in ALPHA_UNIT.values():
        return own
    dimension = next(d for d, unit in ALPHA_UNIT.items() if unit == own)
    name = checked(asked, dimension)
    if name == "SI":
        return own
    bare = {3: "", 2: "*angstrom", 1: "*angstrom^2", 0: "*angstrom^3"}[dimension]
    for short, long in (("e2/hbar", "hbar"), ("e2/h", "planck_constant")):
        if name == short:
            return f"elementary_charge^2/{long}{bare}"
    moment, per, field = name.partition(" per ")
    if not per:
        return "" if name == "c mu_0 alpha" else name
    return f"{moment.replace('mu_B', 'bohr_magneton').replace('/cell', '')}/({field})"


def checked(asked: str, dimension: int) -> str:
    """The name of a unit of responses in so many periodic directions. SettingsError lists those there are."""
    known = alpha_units(dimension)
    name = ALIASES.get(asked.strip(), asked.strip())
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, 1)
    meant = f": did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"units: no unit {asked!r} with {dimension} periodic directions{meant}; one of {', '.join(known)}")


def dimension_of(result: xr.Dataset) -> int:
    """Number of periodic directions of a result."""
    return str(result.attrs.get("periodic", "")).count("T")
