"""The picture that suits some results, as `run --plot` and the command `plot` draw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .bars import mechanisms
from .compare import compare
from .scan import fermi_scan

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def picture(
    results: Sequence[xr.Dataset],
    path: str | Path | None,
    components: Sequence[str] | None = None,
    *,
    temperature: float | None = None,
    units: str | None = None,
    against: Literal["fermi", "temperature"] | None = None,
) -> Figure:
    """A scan with its parts, lines that compare, or bars of the mechanisms where there is one level.

    Parameters
    ----------
    results : from `compute`. path : where to save it. components, temperature, units : as for `fermi_scan`.
    against : what runs along the axis; by default the Fermi level where there are several, or else bars.

    Raises
    ------
    SettingsError : nothing to draw, or nothing that runs along the axis.
    """
    scans = any(r.sizes["fermi"] > 1 for r in results)
    if against is None and not scans:
        return mechanisms(results, path, components[0] if components else None, temperature=temperature, units=units)
    (first, *more) = results
    warm = first.sizes.get("temperature", 1)
    if more or against == "temperature" or (warm > 1 and temperature is None):
        return compare(results, path, components, temperature=temperature, against=against or "fermi", units=units)
    return fermi_scan(first, path, components, temperature=temperature, units=units)
