"""Which atoms, layers or orbitals make a response: bars of the shares of parts at one level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import reference
from ..presentation.largest import largest
from ..presentation.numbers import rounded
from ..presentation.units import scale
from ..response.result_files import part_of, quantities
from . import figures
from .scan import at_temperature, component_title, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: parts that are drawn of each quantity, the largest, and quantities
PARTS, QUANTITIES = 24, 4


def parts(
    result: xr.Dataset,
    path: str | Path | None = None,
    components: Sequence[str] | None = None,
    *,
    fermi: float | None = None,
    temperature: float | None = None,
    units: str | None = None,
) -> Figure:
    """Bars with error bars of the shares of each part at one Fermi level, a panel for each quantity.

    Parameters
    ----------
    result : from `compute` with `by`. path : where to save it. components : the first is drawn of each quantity that has it;
        by default its largest element. fermi : eV, the nearest level; by default as for `mechanisms`.
    temperature : K, the nearest one; by default the first. units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : a result without shares, or of which symmetry allows none.
    """
    by = part_of(result)
    if by is None:
        raise SettingsError("the result has no shares of parts: run with --by site, layer or orbital")
    at = at_temperature(result, temperature)
    at = at.isel(fermi=[reference(at)]) if fermi is None else at.sel(fermi=[fermi], method="nearest")
    names = [n for n in quantities(at) if f"{n}_by_{by}" in at and elements.allowed(at[n])][:QUANTITIES]
    if not names:
        raise SettingsError(f"nothing to draw: {'; '.join(elements.legend(at, quantities(at)))}")
    number = min(at.sizes[by], PARTS)
    figure = figures.new(max(1.5 + 0.32 * number, 4.5), 0.8 + 2.3 * len(names))
    for ax, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        _draw(ax, at, name, by, components, units)
    left = at.sizes[by] - number
    more = [f"the {number} largest of {at.sizes[by]} parts"] if left else []
    titled(figure, at, [f"Fermi level {float(at['fermi'][0]):.4g} eV", *more])
    figures.save(figure, path)
    return figure


def _draw(ax: Axes, at: xr.Dataset, name: str, by: str, components: Sequence[str] | None, units: str | None) -> None:
    """One quantity."""
    asked = [c for c in components or () if c in elements.allowed(at[name])]
    element = asked[0] if asked else largest(at, name)[0]
    place = dict(zip(elements.along(at[name]), element, strict=True))
    values, errors = (at[f"{name}_by_{by}{end}"].sel(place).values.reshape(-1) for end in ("", "_error"))
    factor, unit = scale(values, str(at[name].attrs["units"]), units, at)
    shown = np.sort(np.argsort(-np.abs(values), kind="stable")[:PARTS])
    x = np.arange(len(shown))
    ax.bar(x, values[shown] * factor, yerr=errors[shown] * abs(factor), capsize=2, color=figures.BLUE, ecolor="0.4")
    whole, unsure = (float(at[n].sel(place).values.reshape(-1)[0]) for n in (name, f"{name}_error"))
    ax.axhline(0, color="0.3", linewidth=0.6)
    labels = [str(at[by].values[i]) for i in shown]
    ax.set_xticks(x, labels, rotation=90 if len(shown) > 8 else 0, fontsize="small")
    ax.set_ylabel(f"{elements.said(name)} ({unit})", fontsize="small")
    said = f"by {by}; in all {rounded(whole * factor, unsure * abs(factor))} {unit}"
    ax.set_title(f"{component_title(place)}, {said}" if place else said, fontsize="medium")
