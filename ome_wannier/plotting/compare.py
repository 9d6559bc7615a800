"""Results side by side: the responses of several materials, temperatures or levels as lines in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError
from ..presentation import elements
from ..presentation.content import LEADING, reference, sampling, title_of
from ..presentation.largest import largest
from ..presentation.rows import EXTRINSIC
from ..presentation.units import common_scale
from . import figures
from .carriers import axis_label
from .scan import AT_MOST, TICKS, component_title, is_rounding, label_below, legend_below

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: levels that are drawn against temperature, at most
LEVELS = 4
#: what runs along the axis
ALIGNED_AXIS = "Fermi level above the lower edge of the gap (eV)"
#: colours of results, styles of their temperatures
COLOURS = (figures.BLUE, figures.VERMILION, figures.GREEN, figures.ORANGE, figures.PURPLE, figures.SKY)
STYLES = ("-", "--", ":", "-.")


class Curve(NamedTuple):
    """A line: x in eV or K, the result it is from (one level or temperature), what it is called, its colour and style."""

    x: Array
    result: xr.Dataset
    label: str
    colour: str
    style: str


def compare(
    results: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset],
    path: str | Path | None = None,
    components: Sequence[str | tuple[str, ...]] | None = None,
    *,
    temperature: float | None = None,
    fermi: float | None = None,
    against: Literal["fermi", "temperature"] = "fermi",
    units: str | None = None,
) -> Figure:
    """The responses of several results, or of one at several temperatures or levels, as lines with the bands of their errors.

    Parameters
    ----------
    results : from `compute`: one, several, or several by name. All are of one dimension.
    path : where to save it.
    components : such as ["zx", "zy"], moment first; by default the largest that symmetry allows, three at most.
    temperature : K, the nearest one of each result; by default all. fermi : eV, likewise, with `against="temperature"`.
    against : what runs along the axis. Fermi levels of different models have no common zero: where all know their gaps, as
        results of `run` do, they count from its lower edge, and the axis says so.
    units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : nothing to draw, one level or temperature where several are needed, results of different dimensions.
    """
    shown = named(results)
    curves = _against_fermi(shown, temperature) if against == "fermi" else _against_temperature(shown, fermi)
    if all(len(c.x) < 2 for c in curves):
        what = "Fermi levels" if against == "fermi" else "temperatures"
        raise SettingsError(f"the figure needs at least two {what}: mechanisms() draws one level")
    rows = rows_of(shown, components)
    columns = max(map(len, rows.values()))
    figure = figures.new(max(1.2 + 3.6 * columns, 6.0), 1.3 + 2.5 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True)
    for axes, (name, which) in zip(grid, rows.items(), strict=True):
        _draw_row(axes, curves, name, which, units)
    level = ALIGNED_AXIS if _zeros(shown) is not None else axis_label(next(iter(shown.values())))
    label_below(grid, level if against == "fermi" else "temperature (K)")
    legend_below(figure, grid.ravel())
    if len(shown) == 1:
        figure.suptitle(next(iter(shown)), fontsize="medium")
    else:
        tell(figure, shown, rows)
    figures.save(figure, path)
    return figure


def tell(figure: Figure, shown: Mapping[str, xr.Dataset], drawn: Mapping[str, Sequence[str]]) -> None:
    """Above a figure of several results a line for each: how it was computed, and what of the elements that are drawn of some
    quantities it does not have, and why; and whether no two of them have one together."""
    from textwrap import wrap

    lines = []
    for label, result in shown.items():
        about = result.attrs
        tau = [f"tau = {about['tau_fs']:g} fs"] if "tau_fs" in about else []
        gate = [f"gate: {str(about['gate']).partition(':')[0]}"] if about.get("gate") else []
        there = [n for n in drawn if n in result]
        without = [elements.said(n) for n in drawn if n not in result]
        gone = elements.legend(result, there, among=drawn) + ([f"not computed: {', '.join(without)}"] if without else [])
        lines.append(f"{label}: {'; '.join([sampling(result), *tau, *gate, *gone])}")
    if len(shown) > 1 and all(len(_having(shown, n, e)) < 2 for n, which in drawn.items() for e in which):
        lines.append("no element is of two of these: there is nothing to compare")
    width = int(13 * figure.get_figwidth())
    figure.suptitle("\n".join(part for line in lines for part in wrap(line, width)), fontsize="small")


def _having(shown: Mapping[str, xr.Dataset], name: str, element: str) -> list[str]:
    """Which results have an element of a quantity."""
    return [label for label, r in shown.items() if name in r and element in elements.allowed(r[name])]


def rows_of(shown: Mapping[str, xr.Dataset], components: Sequence[str | tuple[str, ...]] | None) -> dict[str, list[str]]:
    """The responses of some results with the elements of each that are drawn. SettingsError where there is none."""
    rows = {name: which for name in _names(shown) if (which := _elements(shown, name, components))}
    if not rows:
        gone = [line for r in shown.values() for line in elements.legend(r, [n for n in _names(shown) if n in r])]
        raise SettingsError(f"nothing to draw: {'; '.join(dict.fromkeys(gone)) or 'no response among the quantities'}")
    return rows


def named(results: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Results by name: those of their models, told apart by numbers."""
    if isinstance(results, Mapping) and not hasattr(results, "data_vars"):
        found = {str(k): v for k, v in results.items()}
    else:
        every = [results] if hasattr(results, "data_vars") else list(results)
        titles = [(title_of if len(every) == 1 else _short)(str(r.attrs.get("model", ""))) for r in every]  # type: ignore[union-attr]
        found = {f"{t} ({i + 1})" if titles.count(t) > 1 else t: r for i, (t, r) in enumerate(zip(titles, every, strict=True))}  # type: ignore[misc]
    if not found:
        raise SettingsError("no results to draw")
    units = {str(r[n].attrs["units"]) for r in found.values() for n in _names({"": r})}
    if len(units) > 1:
        raise SettingsError(
            f"results of different dimensions ({', '.join(sorted(units))}) have no common axis: draw them apart"
        )
    return found


def _short(model: str) -> str:
    """A name for a legend."""
    return title_of(model).partition(":")[0]


def _names(named: Mapping[str, xr.Dataset]) -> list[str]:
    """The intrinsic response, and the extrinsic ones, of those that are there."""
    leading = next((n for n in LEADING if any(n in r for r in named.values())), None)
    return [*([leading] if leading else []), *(n for n in EXTRINSIC if any(n in r for r in named.values()))]


def _elements(named: Mapping[str, xr.Dataset], name: str, asked: Sequence[str | tuple[str, ...]] | None) -> list[str]:
    """Elements of a row: those asked for that some result allows, or the largest."""
    there = [r for r in named.values() if name in r]
    every = list(dict.fromkeys(e for r in there for e in elements.independent(r[name]) if not is_rounding(r[name], e)))
    every = every or list(dict.fromkeys(e for r in there for e in elements.independent(r[name])))
    if asked is not None:
        known = {e for r in there for e in elements.names(r[name])}
        wanted = ["".join(e) for e in asked]
        for e in wanted:
            if e not in known:
                raise SettingsError(f"no component {e!r} of {name}: one of {', '.join(sorted(known))}")
        return [e for e in wanted if any(e in elements.allowed(r[name]) for r in there)]
    if len(every) <= AT_MOST:
        return every
    first = list(dict.fromkeys(largest(r, name)[0] for r in there if elements.allowed(r[name])))
    size = {
        e: max(float(abs(elements.element(r[name], e)).max()) for r in there if e in elements.names(r[name])) for e in every
    }
    rest = sorted((e for e in every if e not in first), key=lambda e: -size[e])
    return sorted([*first, *rest][:AT_MOST], key=every.index)


def _against_fermi(named: Mapping[str, xr.Dataset], temperature: float | None) -> list[Curve]:
    found, zeros = [], _zeros(named) or [0.0] * len(named)
    for i, (label, result) in enumerate(named.items()):
        warm = np.atleast_1d(result["temperature"].values)
        chosen = range(len(warm)) if temperature is None else [int(np.argmin(abs(warm - temperature)))]
        for n, j in enumerate(chosen):
            at = result.isel(temperature=j) if "temperature" in result.dims else result
            colour = COLOURS[i % len(COLOURS)] if len(named) > 1 else _shade(n, len(chosen))
            style = STYLES[n % len(STYLES)] if len(named) > 1 else "-"
            said = [label] * (len(named) > 1) + [f"{warm[j]:g} K"]
            found.append(Curve(result["fermi"].values - zeros[i], at, ", ".join(said), colour, style))
    return found


def _zeros(named: Mapping[str, xr.Dataset]) -> list[float] | None:
    """The lower edge of the gap of each result (eV), where these are of different models and all know it."""
    models = {str(r.attrs.get("model_sha256", "")) for r in named.values()}
    gaps = [np.atleast_1d(r.attrs.get("gap_eV", [])) for r in named.values()]
    return [float(gap[0]) for gap in gaps] if len(models) > 1 and all(len(gap) == 2 for gap in gaps) else None


def _against_temperature(named: Mapping[str, xr.Dataset], fermi: float | None) -> list[Curve]:
    found = []
    for i, (label, result) in enumerate(named.items()):
        if "temperature" not in result.dims:
            raise SettingsError(f"{label}: one temperature, of which there is no line: compute it at several")
        levels = result["fermi"].values
        chosen = list(range(len(levels))) if len(levels) <= LEVELS else [reference(result)]
        chosen = chosen if fermi is None else [int(np.argmin(abs(levels - fermi)))]
        for n, j in enumerate(chosen):
            colour = COLOURS[i % len(COLOURS)] if len(named) > 1 else _shade(n, len(chosen))
            style = STYLES[n % len(STYLES)] if len(named) > 1 else "-"
            said = [label] * (len(named) > 1) + [f"{levels[j]:.4g} eV"]
            found.append(Curve(result["temperature"].values, result.isel(fermi=j), ", ".join(said), colour, style))
    return found


def _shade(n: int, of: int) -> str:
    """Colours from dark to light for the temperatures, or levels, of one result."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return str(to_hex(colormaps["viridis"](0.05 + 0.8 * n / max(of - 1, 1))))


def _draw_row(axes: Sequence[Axes], curves: Sequence[Curve], name: str, which: Sequence[str], units: str | None) -> None:
    """One quantity: a panel for each element, a line for each curve whose result has it."""
    own = next(str(c.result[name].attrs["units"]) for c in curves if name in c.result)
    drawn = [c for c in curves if name in c.result]
    values = [
        abs(elements.element(c.result[name], e)).max() for c in drawn for e in which if e in elements.allowed(c.result[name])
    ]
    factors, unit = common_scale([float(v) for v in values], own, units, [c.result for c in drawn])
    for ax, e in zip(axes, which, strict=False):
        for curve, factor in zip(drawn, factors, strict=True):
            if e not in elements.allowed(curve.result[name]):
                continue
            value, error = (elements.element(curve.result[n], e).values * factor for n in (name, f"{name}_error"))
            ax.fill_between(curve.x, value - error, value + error, color=curve.colour, alpha=0.15, linewidth=0)
            ax.plot(curve.x, value, curve.style, color=curve.colour, linewidth=1.5, label=curve.label)
        ax.axhline(0, color="0.3", linewidth=0.6)
        ax.margins(x=0)
        ax.locator_params(axis="x", nbins=TICKS)
        ax.set_title(component_title(dict(zip(elements.along(drawn[0].result[name]), e, strict=True))))
    axes[0].set_ylabel(f"{elements.said(name)} ({unit})")
    for ax in axes[len(which) :]:
        ax.set_axis_off()
