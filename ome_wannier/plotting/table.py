"""The tensors at one Fermi level as coloured tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..calculators.reported_units import negligible
from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import reference
from ..presentation.numbers import rounded
from ..presentation.rows import MECHANISMS
from ..presentation.units import scale
from ..response.result_files import quantities
from . import figures
from .scan import at_temperature, panels, said, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tensor(
    result: xr.Dataset,
    fermi: float | None = None,
    path: str | Path | None = None,
    *,
    names: Sequence[str] | None = None,
    temperature: float | None = None,
    units: str | None = None,
) -> Figure:
    """The tensors at one Fermi level as coloured tables, value and error written in each cell.

    Quantities of one unit have one colour scale, with its bar; a value that does not exceed its error is pale, and what
    symmetry forbids, or is not defined, is a dash without colour.

    Parameters
    ----------
    result : from `compute`.
    fermi : eV, the nearest level of the result; by default the middle of its gap, or of the scan.
    path : where to save it.
    names : quantities to show; by default the total, its parts and the extrinsic part, or whatever there is; of these, those
        of which symmetry leaves something.
    temperature : K, the nearest one of the result; a result with several needs it.
    units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : a quantity that the result does not have, no temperature of several.
    """
    if temperature is None and result.sizes.get("temperature", 1) > 1:
        there_are = ", ".join(f"{t:g}" for t in result["temperature"].values)
        raise SettingsError(f"the result has several temperatures: give one of {there_are} K")
    at = at_temperature(result, temperature)
    at = at.isel(fermi=reference(result)) if fermi is None else at.sel(fermi=fermi, method="nearest")
    there = quantities(result)
    for name in names or ():
        if name not in there:
            raise SettingsError(f"the result has no {name!r}: one of {', '.join(there)}")
    every = list(names) if names is not None else [n for row in panels(result) for n in row]
    names = [n for n in every if elements.allowed(at[n])] or every
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    height, width = np.max([_table_size(elements.trimmed(at, name)[name]) for name in names], axis=0)
    figure = figures.new(columns * (0.9 + 1.3 * width) + 1.2, rows * (0.9 + 0.75 * height) + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    kinds: dict[str, list[tuple[Axes, str]]] = {}
    for ax, name in zip(grid, names, strict=False):
        kinds.setdefault(str(at[name].attrs["units"]), []).append((ax, name))
    for own, members in kinds.items():
        _draw_kind(figure, at, own, members, units)
    for ax in grid[len(names) :]:
        ax.set_axis_off()
    titled(figure, at, [f"Fermi level {float(at['fermi']):.4g} eV", *elements.legend(at, list(names))])
    figures.save(figure, path)
    return figure


def _table_size(variable: xr.DataArray) -> tuple[int, int]:
    shape = variable.shape
    return (shape[0], shape[1]) if len(shape) == 2 else (1, int(variable.size))


def _draw_kind(figure: Figure, at: xr.Dataset, own: str, members: Sequence[tuple[Axes, str]], units: str | None) -> None:
    """Quantities of one unit, with one colour scale."""
    values = np.concatenate([at[name].values.ravel() for _, name in members])
    factor, unit = scale(values, own, units, at)
    limit = float(np.nanmax(np.abs(values), initial=0.0)) * factor or 1.0
    for ax, name in members:
        _draw_table(ax, at, name, factor, limit, unit)
    drawn = members[0][0].images[0]
    figure.colorbar(drawn, ax=[ax for ax, _ in members], label=unit, shrink=0.8)


def _draw_table(ax: Axes, at: xr.Dataset, name: str, factor: float, limit: float, unit: str) -> None:
    """One tensor (or vector, as a row) as a heat map with its numbers."""
    at = elements.trimmed(at, name)
    variable, size = at[name], _table_size(at[name])
    least = negligible(name, str(variable.attrs["units"])) * abs(factor)
    gone = np.array([e in elements.reasons(variable) for e in elements.names(variable)]).reshape(size)
    values = np.where(gone, np.nan, variable.values.reshape(size) * factor)
    errors = np.abs(at[f"{name}_error"].values.reshape(size) * factor)
    weak = ~(np.abs(values) > errors)
    ax.imshow(values, cmap=figures.DIVERGING, vmin=-limit, vmax=limit, aspect="auto", alpha=np.where(weak, 0.3, 1.0))
    for (i, j), value in np.ndenumerate(values):
        text = elements.DASH if gone[i, j] else _cell(float(value), float(errors[i, j]), least)
        dark = abs(value) > 0.6 * limit and not weak[i, j]
        ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    along = list(elements.along(variable).items())
    vertical, horizontal = along if len(along) == 2 else (None, along[0] if along else ("", ("",)))
    ax.set_xticks(range(size[1]), horizontal[1])
    ax.set_xlabel(horizontal[0])
    ax.set_yticks(range(size[0]) if vertical else [], vertical[1] if vertical else [])
    ax.set_ylabel(vertical[0] if vertical else "")
    label, times = MECHANISMS.get(name, (said(name), 1.0))
    ax.set_title(f"{said(name) if times != 1.0 else label} ({unit})", fontsize="medium")


def _cell(value: float, error: float, least: float) -> str:
    """Value and error on two lines; a dash for none."""
    if not np.isfinite(value):
        return "\N{EN DASH}"
    return rounded(value, error, least=least).replace(" ", "\n", 1).replace("-", "\N{MINUS SIGN}")
