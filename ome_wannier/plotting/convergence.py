"""Convergence: a response with its error at one level, against the number of k points of several results of one model."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import reference, title_of
from ..presentation.units import scale
from . import figures
from .compare import rows_of
from .scan import component_title, label_below, legend_below

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: eV by which levels, and K by which temperatures, count as the same
SAME_LEVEL, SAME_TEMPERATURE = 1e-6, 1e-6
#: attributes that have to agree, and what they are called
ALIKE = {"model_sha256": "models", "tau_fs": "relaxation times", "origin": "origins", "gate": "gates"}


def convergence(
    results: Sequence[xr.Dataset],
    path: str | Path | None = None,
    components: Sequence[str | tuple[str, ...]] | None = None,
    *,
    fermi: float | None = None,
    temperature: float | None = None,
    units: str | None = None,
) -> Figure:
    """Responses with their error bars against the number of k points; the band is that of the finest calculation.

    Points of a mesh are circles, those that `rtol` chose squares. An error bar that does not reach the band is one that was
    too small; those of coarse calculations may be longer than the panel is high.

    Parameters
    ----------
    results : from `compute`, two at least, of one model at one level and temperature that all have.
    path : where to save it. components : such as ["zx", "zy"]; by default the largest that symmetry allows, three at most.
    fermi : eV, the nearest level of the finest result; by default that of the material, or the middle of its gap or scan.
    temperature : K, likewise; by default the first. units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : one result, results of different models or settings, or without that level, nothing to draw.
    """
    if len(results) < 2:
        raise SettingsError("a convergence picture needs at least two results of one model, with different meshes or rtol")
    _check_alike(results)
    ordered = sorted(results, key=points)
    at = _at(ordered, fermi, temperature)
    every = rows_of({str(i): one.expand_dims("fermi") for i, one in enumerate(at)}, components)
    rows = {name: which for name, which in every.items() if sum(name in one for one in at) > 1}
    if not rows:
        names = " or ".join(map(elements.said, every))
        raise SettingsError(f"no two of these results have {names} together: nothing converges")
    columns = max(map(len, rows.values()))
    figure = figures.new(max(1.2 + 3.6 * columns, 6.0), 1.3 + 2.5 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True)
    for axes, (name, which) in zip(grid, rows.items(), strict=True):
        _draw_row(axes, at, name, which, units)
    label_below(grid, "k points")
    legend_below(figure, grid.ravel())
    finest = at[-1]
    level = f"Fermi level {float(finest['fermi']):.4g} eV, {float(finest['temperature']):g} K"
    figure.suptitle(f"{title_of(str(finest.attrs.get('model', '')))} · {level}", fontsize="medium")
    figures.save(figure, path)
    return figure


def points(result: xr.Dataset) -> int:
    """Number of k points of a result. SettingsError where it is not recorded."""
    about = result.attrs
    if "k_points" in about:
        return int(about["k_points"])
    size = re.search(r"size=\((\d+), (\d+), (\d+)\)", str(about.get("kmesh", "")))
    size = size or re.search(r"n_angle=(\d+), n_radial=(\d+)", str(about.get("kmesh", "")))
    if size is None:
        raise SettingsError(f"{about.get('model') or 'a result'} does not say how many k points it has")
    return math.prod(int(n) for n in size.groups())


def _check_alike(results: Sequence[xr.Dataset]) -> None:
    """Refuse results that differ in more than their k points."""
    for key, said in ALIKE.items():
        found = list(dict.fromkeys(str(r.attrs.get(key, "")) for r in results))
        if len(found) > 1:
            what = "" if key == "model_sha256" else f" ({', '.join(found)})"
            raise SettingsError(f"results of different {said}{what} do not converge to one number: plot them without --against")


def _at(ordered: Sequence[xr.Dataset], fermi: float | None, temperature: float | None) -> list[xr.Dataset]:
    """Every result at the level and temperature of the finest one. SettingsError for one that does not have them."""
    finest = ordered[-1]
    level = float(finest["fermi"][reference(finest)] if fermi is None else finest["fermi"].sel(fermi=fermi, method="nearest"))
    warm = np.atleast_1d(finest["temperature"].values)
    kelvin = float(warm[0] if temperature is None else warm[int(np.argmin(abs(warm - temperature)))])
    found = []
    for result in ordered:
        one = result.sel(fermi=level, method="nearest")
        one = one.sel(temperature=kelvin, method="nearest") if "temperature" in one.dims else one
        if abs(float(one["fermi"]) - level) > SAME_LEVEL:
            raise SettingsError(
                f"the result of {points(result)} k points has no level {level:g} eV: give --fermi, or compute it"
            )
        if abs(float(one["temperature"]) - kelvin) > SAME_TEMPERATURE:
            raise SettingsError(
                f"the result of {points(result)} k points is at {float(one['temperature']):g} K, not {kelvin:g} K"
            )
        found.append(one)
    return found


def _without_outliers(ax: Axes, value: Array, error: Array) -> None:
    """Error bars of the coarsest calculations may leave the panel: the others set its scale."""
    half = 1.3 * max(float(np.abs(value - value[-1]).max()), float(np.nanmedian(error)))
    if half > 0 and np.nanmax(error, initial=0.0) > half:
        ax.set_ylim(value[-1] - half, value[-1] + half)


def _draw_row(axes: Sequence[Axes], at: Sequence[xr.Dataset], name: str, which: Sequence[str], units: str | None) -> None:
    """One quantity: a panel for each element, a point with its error for each result."""
    drawn = [one for one in at if name in one]
    finest = drawn[-1]
    sizes = [abs(float(elements.element(finest[name], e))) for e in which]
    factor, unit = scale(sizes, str(finest[name].attrs["units"]), units, finest)
    for ax, e in zip(axes, which, strict=False):
        value, error = (
            np.array([float(elements.element(one[n], e)) * factor for one in drawn]) for n in (name, f"{name}_error")
        )
        x = np.array([points(one) for one in drawn])
        ax.axhspan(value[-1] - error[-1], value[-1] + error[-1], color="0.85", label="error of the finest")
        asked = np.array(["rtol" in one.attrs for one in drawn])
        for chosen, marker, label in ((~asked, "o", "mesh"), (asked, "s", "rtol")):
            if chosen.any():
                colour = figures.BLUE if marker == "o" else figures.VERMILION
                bar = np.nan_to_num(error[chosen])
                ax.errorbar(x[chosen], value[chosen], bar, fmt=marker, label=label, color=colour, capsize=3, linewidth=1)
        _without_outliers(ax, value, error)
        ax.set_xscale("log")
        ax.set_title(component_title(dict(zip(elements.along(finest[name]), e, strict=True))))
    axes[0].set_ylabel(f"{elements.said(name)} ({unit})")
    for ax in axes[len(which) :]:
        ax.set_axis_off()
