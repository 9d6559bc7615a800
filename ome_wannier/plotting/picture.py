"""The picture that suits some results, as `run --plot` and the command `plot` draw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .bars import mechanisms
from .carriers import against_carriers
from .compare import compare
from .convergence import convergence
from .part_bars import parts
from .scan import at_temperature, fermi_scan

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def picture(
    results: Sequence[xr.Dataset],
    path: str | Path | None,
    components: Sequence[str] | None = None,
    *,
    temperature: float | None = None,
    fermi: float | None = None,
    units: str | None = None,
    against: Literal["fermi", "carriers", "temperature", "mesh", "parts"] | None = None,
) -> Figure:
    """A scan with its parts, lines that compare, or bars of the mechanisms where there is one level, or `fermi` names one.

    Parameters
    ----------
    results : from `compute`. path : where to save it. components, temperature, units : as for `fermi_scan`.
    fermi : eV, the nearest level, of bars, of lines against the temperature, or of convergence.
    against : what runs along the axis; by default the Fermi level where there are several, or else bars. "mesh": the number of
        k points of several results of one model, see `convergence`. "carriers": see `against_carriers`. "parts": of the
        material, of the first result, see `parts`.

    Raises
    ------
    SettingsError : nothing to draw, or nothing that runs along the axis.
    """
    if against == "carriers":
        results, against = [against_carriers(at_temperature(r, temperature)) for r in results], "fermi"
    if against == "parts":
        return parts(results[0], path, components, fermi=fermi, temperature=temperature, units=units)
    if against == "mesh":
        return convergence(results, path, components, fermi=fermi, temperature=temperature, units=units)
    scans = any(r.sizes["fermi"] > 1 for r in results)
    if against is None and (fermi is not None or not scans):
        component = components[0] if components else None
        return mechanisms(results, path, component, fermi=fermi, temperature=temperature, units=units)
    (first, *more) = results
    warm = first.sizes.get("temperature", 1)
    if more or against == "temperature" or (warm > 1 and temperature is None):
        return compare(results, path, components, temperature=temperature, fermi=fermi, against=against or "fermi", units=units)
    return fermi_scan(first, path, components, temperature=temperature, units=units)
