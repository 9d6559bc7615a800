"""The tables of the first screen: a response, the mechanisms that make it, and their shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import elements, per_current
from .numbers import rounded
from .per_current import CONDUCTIVITY
from .units import scale

if TYPE_CHECKING:
    import xarray as xr

Numbers = NDArray[np.float64]

#: mechanisms of `total`: what is printed, the quantity, and how many times it enters: the intraband half of the local
#: circulation equals the dipole part
MECHANISMS = {"dipole": ("dipole, 2 x", 2.0), "itinerant": ("itinerant", 1.0), "local": ("local", 1.0)}
#: the same without pairs of occupied bands, which the split has
EXACT_PARTS = {
    "itinerant_crossgap": ("itinerant, cross-gap", 1.0),
    "local_crossgap": ("local, cross-gap", 1.0),
    "metric_curl": ("half the metric curl", 0.5),
}
PARTS = (*MECHANISMS, "local_intraband")
#: what stands beside an orbital response
SPIN = {"spin": ("spin", 1.0), "total_with_spin": ("orbital and spin", 1.0)}
#: share of a total beyond which the error of a part leaves its share open
VAGUE = 0.5
#: what is said of a response whose error exceeds so much of it
UNSURE = ": error above half of it; finer mesh, smaller rtol, higher T"
#: letters that a share takes
WIDE = 5
#: a share that is left open
OPEN = "?"


class Point(NamedTuple):
    """Indices of a Fermi level and a temperature, or None and None for where a response is largest."""

    level: int | None
    temperature: int | None


@dataclass(frozen=True)
class Table:
    """Numbers with a heading: unit of all, names of the columns, (label, cells), and what they leave open."""

    title: str
    unit: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    notes: list[str] = field(default_factory=list)


class _Spot(NamedTuple):
    """One element at one level and temperature."""

    element: str
    level: int
    temperature: int
    largest: bool


class _Row(NamedTuple):
    """Numbers at the spots, or why there are none; factor and unit that they are printed in; the row."""

    numbers: list[tuple[float, float] | str]
    factor: float
    unit: str
    lines: list[tuple[str, list[str]]]


def intrinsic(result: xr.Dataset, leading: str, points: Sequence[Point], units: str | None) -> list[Table]:
    """The intrinsic response and, of the orbital total, the mechanisms with their shares.

    The largest element of a layer may be one that is not split, such as a moment in the plane or the response to a gate: it has
    a table of its own then, before that of the largest element that is split.
    """
    if not in_reach(result, leading):
        return [_nothing("intrinsic", result, leading)]
    spots = _spots(result, leading, points)
    parts = [name for name in MECHANISMS if name in result] if leading == "total" else []
    split = {e for name in parts for e in elements.allowed(result[name])}
    if not split or split.issuperset(spot.element for spot in spots):
        return [_explained(result, leading, spots, units, "intrinsic")]
    first = _first_row(result, leading, spots, units)
    notes = _unsure(leading, first.numbers)
    alone = Table(_title("intrinsic", result, leading, spots), first.unit, _columns(result, leading, spots), first.lines, notes)
    spots = _spots(result, leading, points, split)
    return [alone, _explained(result, leading, spots, units, "largest that splits into mechanisms")] if spots else [alone]


def _explained(result: xr.Dataset, leading: str, spots: Sequence[_Spot], units: str | None, kind: str) -> Table:
    """A response at some spots with what makes it."""
    numbers, factor, unit, lines = _first_row(result, leading, spots, units)
    notes = _unsure(leading, numbers)
    if leading == "total":
        parts = {name: about for name, about in MECHANISMS.items() if name in result}
        mechanisms = _shares(result, parts, spots, numbers, factor)
        exact = {name: about for name, about in EXACT_PARTS.items() if name in result}
        if exact and _vague(result, spots, numbers):
            if all(cell.endswith(OPEN) for _, cells in mechanisms for cell in cells):
                mechanisms = []
                notes.append("dipole, itinerant, local: open, as pairs of full bands cancel in them: --all")
            else:
                mechanisms.append(("or, cross-gap parts:", ["" for _ in spots]))
                notes.append(f"{OPEN}: pairs of occupied bands cancel in this part, its error exceeds half the total")
            mechanisms += _shares(result, exact, spots, numbers, factor)
        lines += mechanisms
    for name, (label, times) in SPIN.items():
        if name in result and name != leading:
            lines.append((label, [_cell(_number(result, name, spot), factor * times) for spot in spots]))
    return Table(_title(kind, result, leading, spots), unit, _columns(result, leading, spots), lines, notes)


def _nothing(kind: str, result: xr.Dataset, name: str) -> Table:
    """A heading for a response of which no element is left, with the reason."""
    why = dict.fromkeys(elements.reasons(result[name]).values())
    return Table(f"{kind}: {', '.join(why)}", "", [], [])


def extrinsic(result: xr.Dataset, name: str, points: Sequence[Point], units: str | None) -> Table:
    """An extrinsic response."""
    if not in_reach(result, name):
        return _nothing(elements.said(name), result, name)
    spots = _spots(result, name, points)
    numbers, _, unit, lines = _first_row(result, name, spots, units)
    about = result[name].attrs
    how = f"extrinsic, proportional to tau = {about['tau_fs']:g} fs" if "tau_fs" in about else "extrinsic"
    return Table(_title(how, result, name, spots), unit, _columns(result, name, spots), lines, _unsure(name, numbers))


def _unsure(name: str, numbers: Sequence[tuple[float, float] | str]) -> list[str]:
    """What to do where the error of the largest number leaves its size open."""
    value, error = max((n for n in numbers if not isinstance(n, str)), key=lambda n: abs(n[0]), default=(0.0, 0.0))
    if error <= VAGUE * abs(value):
        return []
    return [elements.said(name) + UNSURE]


def _first_row(result: xr.Dataset, name: str, spots: Sequence[_Spot], units: str | None) -> _Row:
    """The response itself, whose size decides the unit of its table."""
    numbers = [_number(result, name, spot) for spot in spots]
    factor, unit = _unit(result, name, numbers, units)
    return _Row(numbers, factor, unit, [(elements.said(name), [_cell(n, factor) for n in numbers])])


def others(result: xr.Dataset, names: Sequence[str], point: Point, units: str | None) -> list[Table]:
    """The largest element of each of some quantities, with its unit."""
    lines, notes = [], []
    for name in names:
        spots = _spots(result, name, [point])
        if spots:
            number = _number(result, name, spots[0])
            factor, unit = _unit(result, name, [number], units)
            which = elements.with_equals(result[name], spots[0].element)
            lines.append((elements.said(name), [which, _cell(number, factor), unit]))
        else:
            notes += elements.legend(result, [name])
    if CONDUCTIVITY in names:
        lines += per_current.lines(result, int(point.level or 0), int(point.temperature or 0))
    return [Table("others, the largest element", "", ["element", "value", "unit"], lines, notes)] if lines or notes else []


def in_reach(result: xr.Dataset, name: str) -> bool:
    """Whether any element of a quantity has a value."""
    return bool(elements.allowed(result[name]))


def _spots(result: xr.Dataset, name: str, points: Sequence[Point], among: Collection[str] | None = None) -> list[_Spot]:
    """The element that is shown at each point: where levels are given one for all, as `largest` has it.

    among : the elements that may be shown; all by default.
    """
    candidates = [e for e in elements.independent(result[name]) if among is None or e in among]
    if not candidates:
        return []
    shown = [p for p in points if p.level is not None]
    found = []
    if shown:
        every = _compared(result, name, candidates, tuple(np.transpose([(p.level, p.temperature) for p in shown])))
        best = max(every, key=lambda e: float(every[e].max()))
        found = [_Spot(best, int(p.level or 0), int(p.temperature or 0), False) for p in shown]
    if len(shown) < len(points):
        spot = _Spot(*largest(result, name, candidates), True)
        if spot[:3] not in [known[:3] for known in found]:
            found.append(spot)
    return found


def largest(result: xr.Dataset, name: str, among: Collection[str] | None = None) -> tuple[str, int, int]:
    """The element that exceeds its error most, and the indices of its level and temperature; where none does, the largest.

    Elements that symmetry forbids, or that are not defined, take no part. among : some elements; by default all others.
    """
    every = _compared(result, name, elements.independent(result[name]) if among is None else among, ...)
    best = max(every, key=lambda e: float(every[e].max()))
    level, temperature = np.unravel_index(int(np.argmax(every[best])), every[best].shape)
    return best, int(level), int(temperature)


def _compared(result: xr.Dataset, name: str, among: Collection[str], at: Any) -> dict[str, Numbers]:
    """By how much elements exceed their errors at some (levels, temperatures); where none does, as zeros that are exact, their
    sizes."""
    every = {e: _sure(result, name, e)[at] for e in among}
    if max(float(beyond.max()) for beyond in every.values()) > 0:
        return every
    sizes = {e: np.nan_to_num(np.abs(elements.element(result[name], e).values)) for e in among}
    return {e: size.reshape(len(size), -1)[at] for e, size in sizes.items()}


def _sure(result: xr.Dataset, name: str, element: str) -> Numbers:
    """(levels, temperatures): by how much an element exceeds its error; an error that is not known counts as the value."""
    value, error = (elements.element(result[n], element).values for n in (name, f"{name}_error"))
    size = np.nan_to_num(np.abs(value), nan=-1.0)
    beyond = np.asarray(size - np.where(np.isfinite(error), error, size))
    return beyond.reshape(len(beyond), -1)


def _number(result: xr.Dataset, name: str, spot: _Spot) -> tuple[float, float] | str:
    """Value and error, or why there is none."""
    gone = elements.reasons(result[name])
    if spot.element in gone or spot.element not in elements.names(result[name]):
        return elements.DASH
    found = []
    for which in (name, f"{name}_error"):
        values = elements.element(result[which], spot.element).values
        found.append(float(values.reshape(len(values), -1)[spot.level, spot.temperature]))
    return (found[0], found[1]) if np.isfinite(found[0]) else elements.DASH


def _cell(number: tuple[float, float] | str, factor: float) -> str:
    return number if isinstance(number, str) else rounded(number[0] * factor, number[1] * abs(factor))


def _shares(
    result: xr.Dataset,
    parts: Mapping[str, tuple[str, float]],
    spots: Sequence[_Spot],
    totals: Sequence[tuple[float, float] | str],
    factor: float,
) -> list[tuple[str, list[str]]]:
    """A row for each part: value, error and share of the total; "?" where the error of the part leaves the share open."""
    table: dict[str, list[tuple[str, str]]] = {}
    for name, (label, times) in parts.items():
        cells = []
        for spot, total in zip(spots, totals, strict=True):
            number = _number(result, name, spot)
            known = not isinstance(number, str) and not isinstance(total, str)
            share = _share(number[0] * times, number[1] * times, *total) if known else ""  # type: ignore[operator]
            cells.append((_cell(number, factor * times), share))
        if {cell for cell, _ in cells} != {elements.DASH}:  # of an element that is not split
            table[f"  {label}"] = cells
    # all shares of a screen in one column, narrow where all are open
    widest = [1 if {cells[i][1] for cells in table.values()} <= {OPEN, ""} else WIDE for i in range(len(spots))]
    return [
        (label, [f"{cell}  {share:>{w}}" if share else cell for (cell, share), w in zip(cells, widest, strict=True)])
        for label, cells in table.items()
    ]


def _share(value: float, error: float, total: float, of_total: float) -> str:
    """A share in percent."""
    if not (np.isfinite(error) and error < VAGUE * abs(total) and of_total < VAGUE * abs(total)):
        return OPEN
    return f"{round(100 * value / total) + 0}%"


def _vague(result: xr.Dataset, spots: Sequence[_Spot], totals: Sequence[tuple[float, float] | str]) -> bool:
    """Whether the errors of the mechanisms are too large for shares of the total, those of the cross-gap parts much smaller."""
    for spot, total in zip(spots, totals, strict=True):
        split, exact = (_largest_error(result, parts, spot) for parts in (MECHANISMS, EXACT_PARTS))
        if not isinstance(total, str) and split >= VAGUE * abs(total[0]) and exact < VAGUE * split:
            return True
    return False


def _largest_error(result: xr.Dataset, parts: Mapping[str, tuple[str, float]], spot: _Spot) -> float:
    """Of the parts that there are."""
    numbers = [(_number(result, name, spot), times) for name, (_, times) in parts.items() if name in result]
    return max((n[1] * times for n, times in numbers if not isinstance(n, str)), default=0.0)


def _unit(result: xr.Dataset, name: str, numbers: Sequence[tuple[float, float] | str], units: str | None) -> tuple[float, str]:
    """The unit of a table, by the values of what it explains; by their errors where these are zero."""
    known = [n for n in numbers if not isinstance(n, str)]
    values = [v for v, _ in known if v] or [e for _, e in known]
    return scale(values, str(result[name].attrs["units"]), units, result)


def _columns(result: xr.Dataset, name: str, spots: Sequence[_Spot]) -> list[str]:
    """Heading of each column: the element, where it is, and whether it is the largest of a scan."""
    temperatures = np.atleast_1d(result["temperature"].values)
    texts, titled = [], len(spots) > 2 and " = alpha_" in _title("", result, name, spots)
    for spot in spots:
        level = f"{result['fermi'].values[spot.level]:.4f}".rstrip("0").rstrip(".")
        which = "" if titled else f"{elements.with_equals(result[name], spot.element)} "
        at = f"{which}at {level} eV".lstrip()
        warm = f", {temperatures[spot.temperature]:g} K" if len(temperatures) > 1 else ""
        beyond = _sure(result, name, spot.element)[spot.level, spot.temperature] > 0
        which = f" ({'largest' if beyond else 'largest, within its error'})" if spot.largest else ""
        texts.append(at + warm + which)
    return texts


def _title(kind: str, result: xr.Dataset, name: str, spots: Sequence[_Spot]) -> str:
    """What a table is of: the kind, and what its element means."""
    dims = elements.along(result[name])
    seen = list(dict.fromkeys(spot.element for spot in spots))
    if len(dims) != 2 or len(seen) != 1:
        return kind
    return f"{kind}: M_{seen[0][0]} = alpha_{seen[0]} E_{seen[0][1]}"
