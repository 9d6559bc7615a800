"""A result as a long table: a row for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.safe_write import whole
from ..response.result_files import quantities
from . import elements
from .units import in_unit, parsable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    import xarray as xr


#: columns of the table
COLUMNS = ("quantity", "fermi", "temperature", "component", "value", "error", "units", "note")


def table(result: xr.Dataset, units: str | None = None) -> pd.DataFrame:
    """All quantities as a long table: quantity, fermi, temperature, component (such as "zy"), value, error, units, note.

    Elements that symmetry forbids, and those that are not defined, have nan as value and error, and the reason as note; what
    the calculation gave for them is in the result. Rows `<name>_per_angstrom` of layers and chains say what the origin changes.

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
        if f"{name}_per_angstrom" in result:
            frames.append(_change(result[f"{name}_per_angstrom"], gone, factor, parsable(own, units)))
    return pd.concat(frames, ignore_index=True)


def _change(moved: xr.DataArray, gone: Mapping[str, str], factor: float, units: str) -> pd.DataFrame:
    """Rows of what an origin that moves by one angstrom across changes; of chains the last letter is the direction."""
    frame = moved.to_dataframe(name="value").reset_index()
    frame["component"] = frame[list(elements.along(moved))].agg("".join, axis=1)
    undefined = {e: why for e, why in gone.items() if why.startswith(elements.UNDEFINED)}
    frame["note"] = [undefined.get(c[:2], "no error is estimated") for c in frame["component"]]
    frame["value"] = frame["value"] * factor
    return frame.assign(quantity=str(moved.name), error=float("nan"), units=f"{units} / angstrom")[list(COLUMNS)]


def write_csv(result: xr.Dataset, path: str | Path, units: str | None = None) -> None:
    """Write the long table as text, whole or not at all; a dash stands for numbers that are not there."""
    found = table(result, units)
    whole(path, lambda file: found.to_csv(file, index=False, na_rep=elements.DASH))
