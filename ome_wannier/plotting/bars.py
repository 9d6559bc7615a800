"""The response at one level as bars: the total, the mechanisms that make it, and the extrinsic part, with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import LEADING, reference
from ..presentation.largest import largest
from ..presentation.rows import EXTRINSIC, MECHANISMS
from ..presentation.units import common_scale
from ..response.result_files import quantities
from . import figures
from .compare import COLOURS, named, tell
from .scan import component_title, legend_below, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def mechanisms(
    results: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset],
    path: str | Path | None = None,
    component: str | None = None,
    *,
    fermi: float | None = None,
    temperature: float | None = None,
    units: str | None = None,
) -> Figure:
    """Bars with error bars at one Fermi level: the intrinsic response and its mechanisms, and the extrinsic response.

    Parameters
    ----------
    results : from `compute`: one, several, or several by name. path : where to save it.
    component : such as "zy"; by default the largest element that symmetry allows, of each response.
    fermi : eV, the nearest level; by default the middle of the gap, or of the scan. temperature : K, the nearest one; by
        default all, as bars side by side. units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : nothing to draw: no response, or none that symmetry allows.
    """
    shown = named(results)
    bars = {label: at for name, r in shown.items() for label, at in _at(name, r, fermi, temperature).items()}
    leading = LEADING[:1] if any("total" in r for r in bars.values()) else LEADING
    groups = [names for names in (_quantities(bars, leading), _quantities(bars, EXTRINSIC)) if names]
    if not groups:
        rest = dict.fromkeys(n for r in bars.values() for n in elements.distinct(r) if elements.allowed(r[n]))
        groups = [[n] for n in list(rest)[:4]]
    if not groups:
        raise SettingsError("nothing to draw: symmetry forbids every element")
    if component is not None:  # not of a response of which nothing has it, unless that is all there is
        groups = [names for names in groups if _with(bars, names[0], component)] or groups
    widths = [1.2 + 0.5 * len(names) * max(len(bars), 2) for names in groups]
    figure = figures.new(1.5 + sum(widths), 4.2)
    grid = figure.subplots(1, len(groups), squeeze=False, width_ratios=widths)[0]
    drawn = {names[0]: [_draw(ax, bars, names, component, units)] for ax, names in zip(grid, groups, strict=True)}
    if len(bars) > 1:
        legend_below(figure, grid)
    if len(shown) == 1:
        first = next(iter(bars.values()))
        notes = [line for names in groups for line in elements.legend(first, names[:1])]
        titled(figure, first, [f"Fermi level {float(first['fermi']):.4g} eV", *notes])
    else:
        tell(figure, shown, drawn)
    figures.save(figure, path)
    return figure


def _at(name: str, result: xr.Dataset, fermi: float | None, temperature: float | None) -> dict[str, xr.Dataset]:
    """The result at one level and each temperature that is shown, by what it is called."""
    at = result.isel(fermi=reference(result)) if fermi is None else result.sel(fermi=fermi, method="nearest")
    if "temperature" not in at.dims:
        return {f"{name}, {float(at['temperature']):g} K": at}
    warm = at if temperature is None else at.sel(temperature=[temperature], method="nearest")
    return {f"{name}, {float(t):g} K": warm.sel(temperature=t) for t in warm["temperature"].values}


def _quantities(bars: Mapping[str, xr.Dataset], leading: Sequence[str]) -> list[str]:
    """What stands beside each other in a panel: a response, and of the total its mechanisms; empty where none is allowed."""
    there = [n for n in leading if any(n in quantities(r) and elements.allowed(r[n]) for r in bars.values())]
    if "total" in there:
        return ["total", *(n for n in MECHANISMS if any(n in r for r in bars.values()))]
    return there


def _with(bars: Mapping[str, xr.Dataset], name: str, component: str | None) -> list[xr.Dataset]:
    """The results in which symmetry allows a component of a quantity."""
    return [r for r in bars.values() if name in r and component in elements.allowed(r[name])]


def _draw(ax: Axes, bars: Mapping[str, xr.Dataset], names: Sequence[str], component: str | None, units: str | None) -> str:
    """Groups of bars, one for each quantity, a bar for each result that has it; the element."""
    there = [r for r in bars.values() if names[0] in r and elements.allowed(r[names[0]])]
    first = next(iter(_with(bars, names[0], component)), there[0])
    one = first.expand_dims("fermi")
    element = component or largest(one, names[0])[0]
    if element not in elements.allowed(first[names[0]]):
        known = ", ".join(elements.allowed(first[names[0]]))
        raise SettingsError(f"no component {element!r} of {names[0]} to draw: one of {known}")
    names = [n for n in names if any(np.isfinite(_number(r, n, element)[0]) for r in bars.values())]
    found = {label: [_number(r, n, element) for n in names] for label, r in bars.items()}
    leading = [v[0][0] for v in found.values()]
    sizes, own = [x for x in leading if np.isfinite(x)], str(first[names[0]].attrs["units"])
    factors, unit = common_scale(sizes, own, units, list(bars.values()))
    width = 0.8 / len(found)
    for i, ((label, numbers), factor) in enumerate(zip(found.items(), factors, strict=True)):
        x = np.arange(len(names)) + (i - (len(found) - 1) / 2) * width
        value, error = (np.array([n[j] for n in numbers]) * factor for j in (0, 1))
        pale = [0.35 if not abs(v) > e else 1.0 for v, e in zip(value, error, strict=True)]
        colours = [figures.faded(COLOURS[i % len(COLOURS)], a) for a in pale]
        ax.bar(x, value, width, color=colours, label=label)  # nothing where there is none
        ax.errorbar(x, value, error, fmt="none", ecolor="0.2", capsize=3, linewidth=1)
    said = [MECHANISMS[n][0] if n in MECHANISMS else elements.said(n) for n in names]
    ax.set_xticks(range(len(names)), said, rotation=20 if len(names) > 2 else 0)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.axhline(0, color="0.3", linewidth=0.6)
    ax.set_ylabel(unit)
    ax.set_title(component_title(dict(zip(elements.along(first[names[0]]), element, strict=True))))
    return element


def _number(result: xr.Dataset, name: str, element: str) -> tuple[float, float]:
    """Value and error, nan where there is none."""
    if name not in result or element not in elements.allowed(result[name]):
        return np.nan, np.nan
    times = MECHANISMS[name][1] if name in MECHANISMS else 1.0
    value, error = (float(elements.element(result[n], element)) * times for n in (name, f"{name}_error"))
    return value, error
