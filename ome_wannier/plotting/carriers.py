"""Results against the density of carriers instead of the Fermi level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.errors import SettingsError
from ..presentation.carriers import above_neutrality
from ..presentation.units import dimension_of

if TYPE_CHECKING:
    import xarray as xr

#: powers of ten of carriers per cm^d, by the number of periodic directions
POWERS = {1: 6, 2: 12, 3: 20}
#: attribute of a result whose "fermi" is something else
LABEL = "axis_label"


def against_carriers(result: xr.Dataset) -> xr.Dataset:
    """The result with electrons per cm^d above neutrality, in a power of ten, in place of Fermi levels; holes are negative.

    Raises
    ------
    SettingsError : a result without `electrons`, or whose neutrality is not known; several temperatures.
    """
    if "electrons" not in result:
        raise SettingsError("against carriers: the result has no electrons: run with --calculators that include electrons")
    if result.sizes.get("temperature", 1) > 1:
        raise SettingsError("against carriers: each temperature has its own: give --temperature")
    found = above_neutrality(result)
    if found is None:
        raise SettingsError("against carriers: neutrality is not known: no gap among the levels, no filling of the material")
    d = dimension_of(result)
    power = POWERS[d]
    density = found.value.reshape(-1) / 10.0**power
    shown = result.assign_coords(fermi=("fermi", density, {"units": f"10^{power}/cm^{d}"}))
    label = f"carriers ($10^{{{power}}}$ cm$^{{-{d}}}$)"
    return shown.assign_attrs({LABEL: label, "gap_eV": []})


def axis_label(result: xr.Dataset) -> str:
    """What runs along the axis of a scan."""
    return str(result.attrs.get(LABEL, "Fermi level (eV)"))
