"""The tensors at one Fermi level as coloured tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SettingsError
from ..response.result_files import quantities
from . import figures
from .scan import at_temperature, axes_of, heading, panels, said

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
) -> Figure:
    """The tensors at one Fermi level as coloured tables, value and error written in each cell.

    Parameters
    ----------
    result : from `compute`.
    fermi : eV, the nearest level of the result; by default the middle one.
    path : where to save it.
    names : quantities to show; by default the intrinsic parts, their total and the extrinsic part, or whatever there is.
    temperature : K, the nearest one of the result; by default its first.

    Raises
    ------
    SettingsError : a quantity that the result does not have.
    """
    at = at_temperature(result, temperature)
    at = at.isel(fermi=at.sizes["fermi"] // 2) if fermi is None else at.sel(fermi=fermi, method="nearest")
    there = quantities(result)
    names = list(names) if names is not None else [n for row in panels(result) for n in row]
    for name in names:
        if name not in there:
            raise SettingsError(f"the result has no {name!r}: one of {', '.join(there)}")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    height, width = _table_size(at[names[0]])
    figure = figures.new(columns * (0.9 + 1.15 * width), rows * (0.9 + 0.75 * height) + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(grid, names, strict=False):
        _draw_table(ax, at[name], at[f"{name}_error"])
    for ax in grid[len(names) :]:
        ax.set_axis_off()
    figure.suptitle(f"{heading(at)} · Fermi level {float(at['fermi']):.4g} eV".lstrip(" ·"), fontsize="medium")
    figures.save(figure, path)
    return figure


def _table_size(variable: xr.DataArray) -> tuple[int, int]:
    shape = variable.shape
    return (shape[0], shape[1]) if len(shape) == 2 else (1, int(variable.size))


def _draw_table(ax: Axes, variable: xr.DataArray, error: xr.DataArray) -> None:
    """One tensor (or vector, as a row) as a heat map with its numbers."""
    size = _table_size(variable)
    factor, unit = figures.prefixed(variable.values, variable.attrs["units"])
    values, errors = variable.values.reshape(size) * factor, error.values.reshape(size) * factor
    limit = float(np.nan_to_num(np.abs(values)).max()) or 1.0
    ax.imshow(values, cmap=figures.DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        dark = abs(value) > 0.6 * limit
        ax.text(
            j, i, _with_error(float(value), float(errors[i, j])), ha="center", va="center", color="white" if dark else "black"
        )
    along = list(axes_of(variable).items())
    vertical, horizontal = along if len(along) == 2 else (None, along[0])
    ax.set_xticks(range(size[1]), horizontal[1])
    ax.set_xlabel(horizontal[0])
    ax.set_yticks(range(size[0]) if vertical else [], vertical[1] if vertical else [])
    ax.set_ylabel(vertical[0] if vertical else "")
    ax.set_title(f"{said(str(variable.name))} ({unit})", fontsize="medium")


def _with_error(value: float, error: float) -> str:
    """Value and error on two lines, with the digits that the error leaves; three where it is unknown; a dash for none."""
    if not np.isfinite(value):
        return "\N{EN DASH}"
    if not np.isfinite(error):
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    small = min(abs(error), abs(value)) if error and value else max(abs(error), abs(value))
    decimals = 0 if small >= 100 else int(np.clip(1 - np.floor(np.log10(small)), 0, 3)) if small else 0
    digits = f".{decimals}f" if abs(error) < 1e4 else ".2g"
    return f"{value:{digits}}\n± {error:{digits}}".replace("-", "\N{MINUS SIGN}")
