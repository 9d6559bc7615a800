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
        frames.append(frame[["quantity", "fermi", "temperature", "component", "value", "error", "units", "note"]])
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
    kept = ["quantity", "fermi", "temperature", "component", "value", "error", "units", "note", by]
    return frame[kept].dropna(subset=["value"])


def write_csv(result: xr.Dataset, path: str | Path, units: str | None = None) -> None:
    """Write the long table as text, whole or not at all; a dash stands for numbers that are not there."""
    found = table(result, units)
    whole(path, lambda file: found.to_csv(file, index=False, na_rep=elements.DASH))
