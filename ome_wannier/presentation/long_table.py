"""A result as a long table: a row for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.safe_write import whole
from ..response.result_files import part_of, quantities
from . import elements
from .units import in_unit, parsable

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr


#: columns of the table
COLUMNS = ("quantity", "fermi", "temperature", "component", "value", "error", "units", "note")


def table(result: xr.Dataset, units: str | None = None) -> pd.DataFrame:
    """All quantities as a long table: quantity, fermi, temperature, component (such as "zy"), value, error, units, note.

    Elements that symmetry forbids, and those that are not defined, have nan as value and error, and the reason as note; what
    the calculation gave for them is in the result.

    Parameters
    ----------
    result : from `compute`. units : of the responses, as for `summary`; by default SI. The column has them as pint parses them.

    Raises
    ------
    SettingsError : a unit that does not exist.
    """
    import pandas as pd

    frames = []
    for name in quantities(result):
        variable = result[name]
        own = str(variable.attrs["units"])
        factor = in_unit(own, units, result)[0]
        frame = variable.to_dataframe(name="value").reset_index()
        frame["error"] = result[f"{name}_error"].to_dataframe(name="error").reset_index()["error"]
        components = list(elements.along(variable))
        frame["component"] = frame[components].agg("".join, axis=1) if components else ""
        gone = elements.reasons(variable)
        frame["note"] = [gone.get(component, "") for component in frame["component"]]
        frame[["value", "error"]] = (frame[["value", "error"]] * factor).mask(frame["note"] != "")
        frame["quantity"], frame["units"] = name, parsable(own, units)
        frames.append(frame[list(COLUMNS)])
    by = part_of(result)
    shares = (
        [] if by is None else [_shares(result, name, by, units) for name in quantities(result) if f"{name}_by_{by}" in result]
    )
    return pd.concat([*frames, *shares], ignore_index=True)


def _shares(result: xr.Dataset, name: str, by: str, units: str | None) -> pd.DataFrame:
    """The same rows of the parts of the material, with one more column for these; without elements that are not defined."""
    variable, own = result[f"{name}_by_{by}"], str(result[name].attrs["units"])
    frame = variable.to_dataframe(name="value").reset_index()
    frame["error"] = result[f"{name}_by_{by}_error"].to_dataframe(name="error").reset_index()["error"]
    components = list(elements.along(result[name]))
    frame["component"] = frame[components].agg("".join, axis=1) if components else ""
    frame[["value", "error"]] *= in_unit(own, units, result)[0]
    frame["quantity"], frame["units"], frame["note"] = f"{name}_by_{by}", parsable(own, units), ""
    return frame[[*COLUMNS, by]].dropna(subset=["value"])


def origin_table(result: xr.Dataset, units: str | None = None) -> pd.DataFrame:
    """The same of what an origin that moves by one angstrom across changes: rows `<name>_per_angstrom`, without errors; none of
    crystals. Of chains the last letter of a component is the direction in which the origin moves."""
    import pandas as pd

    frames = [pd.DataFrame(columns=list(COLUMNS))]
    for name in (n for n in quantities(result) if f"{n}_per_angstrom" in result):
        moved, own = result[f"{name}_per_angstrom"], str(result[name].attrs["units"])
        frame = moved.to_dataframe(name="value").reset_index()
        frame["component"] = frame[list(elements.along(moved))].agg("".join, axis=1)
        gone = {e: why for e, why in elements.reasons(result[name]).items() if why.startswith(elements.UNDEFINED)}
        frame["note"] = [gone.get(component[:2], "no error is estimated") for component in frame["component"]]
        frame["value"] *= in_unit(own, units, result)[0]
        frame = frame.assign(quantity=str(moved.name), error=float("nan"), units=f"{parsable(own, units)} / angstrom")
        frames.append(frame[list(COLUMNS)])
    return pd.concat(frames[1:] or frames, ignore_index=True)


def write_csv(path: str | Path, *tables: pd.DataFrame) -> None:
    """Write tables of one kind below each other as text, whole or not at all; a dash stands for numbers that are not there."""
    import pandas as pd

    found = pd.concat([part for part in tables if len(part)], ignore_index=True)
    whole(path, lambda file: found.to_csv(file, index=False, na_rep=elements.DASH))
