"""The scan over Fermi levels: the intrinsic parts stacked under their total, and the extrinsic part."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..calculators.reported_units import negligible
from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import title_of
from ..presentation.largest import largest
from ..presentation.units import scale as unit_of
from ..response.result_files import quantities
from . import figures
from .carriers import axis_label
from .parts import COLOURS, PARTS, SAID, has_open_parts, split

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: inches that a legend's entry takes, and each letter of it
ENTRY, LETTER = 0.65, 0.085
#: opacity of what is less than its error
PALE, PALE_NOTE = 0.25, "pale: parts less than their errors"
#: numbers along an axis of a panel, at most
TICKS = 6
#: components drawn when none are asked for
AT_MOST = 3


def fermi_scan(
    result: xr.Dataset,
    path: str | Path | None = None,
    components: Sequence[str | tuple[str, ...]] | None = None,
    *,
    gap: tuple[float, float] | None = None,
    temperature: float | None = None,
    scale: Literal["linear", "symlog"] | None = None,
    units: str | None = None,
) -> Figure:
    """Responses against the Fermi level: the intrinsic parts stacked under the total, then the extrinsic part.

    Positive parts are stacked upwards from zero and negative ones downwards; the total is their sum. They are pale where they
    are less than their errors; where that is nearly everywhere, because full bands nearly cross, cross-gap parts are drawn.
    Where the response ranges over orders of magnitude, as from a gap to a band, the scale is logarithmic away from zero and
    the parts are lines. The grey band is the estimated error. A result with neither part shows what else it holds, a row per
    quantity.
    What symmetry forbids is not drawn, elements that it makes equal are drawn once. Several temperatures are lines of the
    response alone, see `compare`.

    Parameters
    ----------
    result : from `compute`, with at least two Fermi levels.
    path : where to save it (png, pdf, svg ...).
    components : such as ["zx", "zy"], moment first; by default all, or the three largest.
    gap : (bottom, top) in eV to be shaded; by default the one that `run` found.
    temperature : K, the nearest one of the result; by default all.
    scale : "linear" or "symlog"; by default what suits the range.
    units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : fewer than two Fermi levels, or components that the result does not have.
    """
    if result.sizes["fermi"] < 2:
        raise SettingsError("a scan needs at least two Fermi levels: use tensor() for one")
    if "temperature" in result.dims and temperature is None and result.sizes["temperature"] > 1:
        from .compare import compare

        return compare(result, path, components, units=units)
    at = at_temperature(result, temperature)
    known = np.atleast_1d(result.attrs.get("gap_eV", []))
    gap = (float(known[0]), float(known[1])) if gap is None and len(known) == 2 else gap
    rows = [names for names in panels(at) if elements.allowed(at[names[-1]])]
    if not rows:
        raise SettingsError(f"nothing to draw: {'; '.join(elements.legend(at, [n for row in panels(at) for n in row]))}")
    chosen = [_components(at, names, components) for names in rows]
    columns = max(len(c) for c, _ in chosen)
    figure = figures.new(max(1.2 + 3.6 * columns, 6.0), 1.3 + 2.5 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True)
    for axes, names, (wanted, _) in zip(grid, rows, chosen, strict=True):
        _draw_row(axes, at, names, wanted, gap, scale, units)
    label_below(grid, axis_label(at))
    legend_below(figure, grid.ravel())
    notes = {note for _, note in chosen if note}
    notes |= {PALE_NOTE} if has_open_parts(at, rows) else set()
    notes |= set(elements.legend(at, [names[-1] for names in panels(at)]))
    titled(figure, at, sorted(notes))
    figures.save(figure, path)
    return figure


def titled(figure: Figure, result: xr.Dataset, notes: Sequence[str]) -> None:
    """The heading of a result above a figure, with notes below it in small letters."""
    from textwrap import wrap

    width = int(11 * figure.get_figwidth())
    lines = [*wrap(heading(result), width), *(line for note in notes for line in wrap(note, int(1.2 * width)))]
    figure.suptitle("\n".join(lines), fontsize="medium" if len(lines) < 3 else "small")


def at_temperature(result: xr.Dataset, temperature: float | None) -> xr.Dataset:
    """The result at the temperature (K) nearest to this one; None: its first."""
    if "temperature" not in result.dims:
        return result
    if temperature is None:
        return result.isel(temperature=0)
    return result.sel(temperature=temperature, method="nearest")


def panels(result: xr.Dataset) -> list[list[str]]:
    """Quantities of each row of panels."""
    there = quantities(result)
    intrinsic = [name for name in (*split(result), "total") if name in there]
    rows = [names for names in (intrinsic, ["extrinsic"] if "extrinsic" in there else []) if names]
    return rows or [[name] for name in there]


def axes_of(variable: xr.DataArray) -> dict[str, tuple[str, ...]]:
    """The Cartesian dimensions of a variable and their coordinates."""
    dims = [str(d) for d in variable.dims if d not in ("fermi", "temperature")]
    return {d: tuple(str(x) for x in variable[d].values) for d in dims}


def _components(
    result: xr.Dataset, names: Sequence[str], asked: Sequence[str | tuple[str, ...]] | None
) -> tuple[list[dict[str, str]], str]:
    """Components to draw in a row, and what to say about the choice."""
    leading = "total" if "total" in names else names[0]
    along = axes_of(result[leading])
    if asked is not None:
        found = [figures.component(c, along) for c in asked]
        gone = elements.reasons(result[leading])
        return [c for c in found if "".join(c.values()) not in gone], ""
    there = elements.independent(result[leading])
    free = [e for e in there if not is_rounding(result[leading], e)] or there
    every = [dict(zip(along, name, strict=True)) for name in free]
    if len(every) <= AT_MOST:
        return every, ""
    # of a layer, those first that are split into parts; then the one that the summary shows
    split = [any(_known(result[name].sel(c)) for name in names if name in COLOURS) for c in every]
    size = [float(abs(result[leading].sel(c)).max()) for c in every]
    first = split if sum(split) <= AT_MOST else [False] * len(every)
    shown = [e == largest(result, leading)[0] for e in free]
    drawn = sorted(np.lexsort((size, shown, first))[::-1][:AT_MOST].tolist())
    which = "those of the split, and the largest" if any(first) else f"the {AT_MOST} largest"
    return [every[i] for i in drawn], f"{which} of {len(every)} components"


def is_rounding(variable: xr.DataArray, element: str) -> bool:
    """Whether an element is rounding everywhere, as it may be of k.p models, of which no symmetry is known."""
    least = negligible(str(variable.name), str(variable.attrs["units"]))
    return 0 < float(np.nan_to_num(abs(elements.element(variable, element))).max()) < least


def _known(values: xr.DataArray) -> bool:
    """Whether a quantity has an element: those that it does not have are nan."""
    return bool(np.isfinite(values.values).any())


def _draw_row(
    axes: Sequence[Axes],
    result: xr.Dataset,
    names: Sequence[str],
    wanted: Sequence[dict[str, str]],
    gap: tuple[float, float] | None,
    scale: str | None,
    units: str | None,
) -> None:
    """One row of panels: all components of some quantities in one unit."""
    drawn = [np.nan_to_num(abs(result[name].sel(c)).max().item()) for name in names for c in wanted]
    factor, unit = unit_of(drawn, str(result[names[0]].attrs["units"]), units, result)
    for ax, c in zip(axes, wanted, strict=False):
        here = result.sel(c)
        ax.set_title(component_title(c))
        there = [name for name in names if _known(here[name])]
        parts = [name for name in there if name in COLOURS and len(there) > 1]
        kind = scale or _scale(here["total" if "total" in there else there[0]].values)
        reach = 0.0
        if kind == "linear":
            reach = _stack(ax, here, parts, factor)
        else:
            _lines(ax, here, parts, factor)
        for name in there:
            if name not in parts:
                _line(ax, here, name, factor, reach)
        if kind == "symlog":
            _logarithmic(ax, here[there[-1]].values * factor)
        if gap is not None:
            low, high = np.clip(gap, *result["fermi"].values[[0, -1]])
            ax.axvspan(low, high, color="0.92", zorder=0, label="gap")
        ax.axhline(0, color="0.3", linewidth=0.6)
        ax.margins(x=0)
        ax.locator_params(axis="x", nbins=TICKS)
    what = "intrinsic" if {"total", *PARTS} & set(names) else said(names[0])
    axes[0].set_ylabel(f"{what} ({unit})")
    for ax in axes[len(wanted) :]:
        ax.set_axis_off()


def _scale(values: Array) -> str:
    """Logarithmic where most of the scan would look like zero on a linear scale."""
    typical, largest = figures.sizes(values)
    return "symlog" if largest > 10 * figures.WIDE_RANGE * typical else "linear"


def _logarithmic(ax: Axes, values: Array) -> None:
    """A scale that is linear below the size that nine tenths of the values exceed, three decades at least."""
    from matplotlib.ticker import SymmetricalLogLocator

    size = np.abs(values[values != 0])
    largest = float(size.max(initial=0.0)) or 1.0
    threshold = float(np.quantile(size, 0.1)) if size.size else largest
    threshold = 10.0 ** np.floor(np.log10(max(threshold, 1e-6 * largest)))
    ax.set_yscale("symlog", linthresh=threshold, linscale=0.7)
    ax.set_ylim(-3 * largest, 3 * largest)
    ticks = SymmetricalLogLocator(base=10, linthresh=threshold)
    ticks.set_params(numticks=TICKS)
    ax.yaxis.set_major_locator(ticks)


def _lines(ax: Axes, result: xr.Dataset, parts: Sequence[str], factor: float) -> None:
    """Parts as lines: areas do not add up on a logarithmic scale."""
    for name in parts:
        label, times = SAID[name]
        value = result[name].values
        sure = np.where(np.abs(value) > result[f"{name}_error"].values, value, np.nan)
        ax.plot(result["fermi"].values, value * factor * times, color=COLOURS[name], linewidth=1.2, alpha=PALE)
        ax.plot(result["fermi"].values, sure * factor * times, color=COLOURS[name], linewidth=1.2, label=label)


def _stack(ax: Axes, result: xr.Dataset, parts: Sequence[str], factor: float) -> float:
    """Parts on top of each other, positive ones up and negative ones down; how far they reach."""
    x = result["fermi"].values
    up, down = np.zeros(len(x)), np.zeros(len(x))
    for name in parts:
        said_part, times = SAID[name]
        sure = np.abs(result[name].values) > result[f"{name}_error"].values
        value = result[name].values * factor * times
        for base, part in ((up, value.clip(min=0)), (down, value.clip(max=0))):
            label = said_part if base is up else None
            ax.fill_between(x, base, base + part, color=COLOURS[name], linewidth=0, alpha=PALE)
            ax.fill_between(x, base, base + part, sure, color=COLOURS[name], linewidth=0, alpha=0.85, label=label)
            base += part
    return float(max(up.max(), -down.min()))


def _line(ax: Axes, result: xr.Dataset, name: str, factor: float, reach: float) -> None:
    """A quantity with the band of its error; a band much wider than all values does not set the scale."""
    x, y, error = result["fermi"].values, result[name].values * factor, result[f"{name}_error"].values * factor
    colour = "black" if name == "total" else figures.VERMILION
    ax.fill_between(x, y - error, y + error, color="0.5", alpha=0.35, linewidth=0, label="estimated error")
    ax.plot(x, y, color=colour, linewidth=1.8, label=said(name))
    reach = max(reach, float(np.abs(y).max()))
    low, high = float(np.nanmin([0.0, *(y - error)])), float(np.nanmax([0.0, *(y + error)]))
    if reach > 0 and max(high, -low) > 2 * reach:
        ax.set_ylim(-1.5 * reach, 1.5 * reach)


def said(name: str) -> str:
    return name.replace("_", " ")


def component_title(component: dict[str, str]) -> str:
    """An element as the title of a panel, such as "alpha_zx: M_z from E_x" in mathematical type."""
    match component:
        case {"moment": moment, "field": field}:
            return rf"$\alpha_{{{moment}{field}}}$: $M_{moment}$ from $E_{field}$"
        case _:
            return "".join(component.values())


def heading(result: xr.Dataset) -> str:
    """Material, mesh and temperature, as far as they are known."""
    model = str(result.attrs.get("model") or "")
    said = [title_of(model) if model else ""]
    size = re.search(r"size=\((\d+), (\d+), (\d+)\)", str(result.attrs.get("kmesh", "")))
    if size:
        said.append("k mesh " + " × ".join(size.groups()))  # noqa: RUF001
    if "temperature" in result.coords and result["temperature"].ndim == 0:
        said.append(f"{float(result['temperature']):g} K")
    if "extrinsic" in result and "tau_fs" in result["extrinsic"].attrs:
        said.append(f"τ = {result['extrinsic'].attrs['tau_fs']:g} fs")
    return " · ".join(s for s in said if s)


def label_below(grid: NDArray[np.object_], text: str) -> None:
    """The horizontal axis named below the lowest panel of each column that is drawn, where rows share it."""
    for column in grid.T:
        drawn = [ax for ax in column if ax.axison]
        if drawn:
            drawn[-1].set_xlabel(text)
            drawn[-1].tick_params(labelbottom=True)


def legend_below(figure: Figure, axes: Iterable[Axes]) -> None:
    """One legend below all panels."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if not entries:
        return
    widest = ENTRY + LETTER * max(map(len, entries))
    rows = math.ceil(len(entries) / max(1, int(figure.get_figwidth() / widest)))
    columns = math.ceil(len(entries) / rows)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns, frameon=False)
