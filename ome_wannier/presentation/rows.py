"""The tables of the first screen: a response, the mechanisms that make it, and their shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calculators.registry import is_of_operator
from . import elements, ratios
from .largest import Point, Spot, beyond_error, in_reach, number_at, spots_of
from .numbers import least, rounded
from .ratios import CONDUCTIVITY
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
#: the extrinsic response
EXTRINSIC = ("extrinsic", "spin_extrinsic", "extrinsic_with_spin")
#: what stands beside an orbital response
SPIN = {"spin": ("spin", 1.0), "total_with_spin": ("orbital and spin", 1.0)}
#: share of a total beyond which the error of a part leaves its share open
VAGUE = 0.5
#: what is said of a response whose error exceeds so much of it
UNSURE = ": error above half of it; finer mesh, smaller rtol, higher T"
#: share that is zero as it is written, in whole percent
NEGLIGIBLE = 0.005
#: marks the largest of a scan that is at its first or last level
END = "end"
#: letters that a share takes
WIDE = 5
#: a share that is left open
OPEN = "?"


@dataclass(frozen=True)
class Table:
    """Numbers with a heading: unit of all, names of the columns, (label, cells), and what they leave open."""

    title: str
    unit: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    notes: list[str] = field(default_factory=list)


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
    spots = spots_of(result, leading, points)
    parts = [name for name in MECHANISMS if name in result] if leading == "total" else []
    split = {e for name in parts for e in elements.allowed(result[name])}
    if not split or split.issuperset(spot.element for spot in spots):
        return [_explained(result, leading, spots, units, "intrinsic")]
    first = _first_row(result, leading, spots, units)
    notes = _unsure(result, leading, first.numbers)
    alone = Table(_title("intrinsic", result, leading, spots), first.unit, columns(result, leading, spots), first.lines, notes)
    spots = spots_of(result, leading, points, split)
    return [alone, _explained(result, leading, spots, units, "largest that splits into mechanisms")] if spots else [alone]


def _explained(result: xr.Dataset, leading: str, spots: Sequence[Spot], units: str | None, kind: str) -> Table:
    """A response at some spots with what makes it."""
    numbers, factor, unit, lines = _first_row(result, leading, spots, units)
    notes = _unsure(result, leading, numbers)
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
                notes.append("cross-gap parts: without pairs of occupied bands, which cancel in the others")
            mechanisms += _shares(result, exact, spots, numbers, factor)
        if any(cell.endswith(OPEN) for _, cells in mechanisms for cell in cells):
            notes.append(f"{OPEN}: an error exceeds half of the total, or the part itself")
        lines += mechanisms
    for name, (label, times) in SPIN.items():
        if name in result and name != leading:
            lines.append((label, [_cell(result, name, number_at(result, name, spot), factor * times) for spot in spots]))
    return Table(_title(kind, result, leading, spots), unit, columns(result, leading, spots), lines, notes)


def _nothing(kind: str, result: xr.Dataset, name: str) -> Table:
    """A heading for a response of which no element is left, with the reason."""
    return Table(f"{kind}: {_why(result, name)}", "", [], [])


def _why(result: xr.Dataset, name: str) -> str:
    """Why no element of a quantity is left."""
    why = dict.fromkeys(elements.reasons(result[name]).values())
    forbidden = ", ".join(reason for reason in why if not reason.startswith(elements.UNDEFINED))
    undefined = [reason for reason in why if reason.startswith(elements.UNDEFINED)]
    first, *more = [forbidden] * bool(forbidden) + undefined
    return ". ".join([first, *(reason[0].upper() + reason[1:] for reason in more)])


def extrinsic(result: xr.Dataset, names: Sequence[str], points: Sequence[Point], units: str | None) -> list[Table]:
    """Extrinsic responses: a table for those that have the same largest element, a heading for those that are gone together."""
    there = {name: spots_of(result, name, points) for name in names if in_reach(result, name)}
    together: dict[str, list[str]] = {}
    for name, spots in there.items():
        together.setdefault(spots[0].element, []).append(name)
    gone: dict[tuple[str, ...], list[str]] = {}
    for name in (name for name in names if name not in there):
        gone.setdefault(tuple(elements.reasons(result[name]).values()), []).append(name)
    return [
        *(_beside_each_other(result, same, there[same[0]], units) for same in together.values()),
        *(_nothing(", ".join(map(elements.said, same)), result, same[0]) for same in gone.values()),
    ]


def _beside_each_other(result: xr.Dataset, names: Sequence[str], spots: Sequence[Spot], units: str | None) -> Table:
    """Extrinsic responses at the spots of the first."""
    first, *more = names
    numbers, factor, unit, lines = _first_row(result, first, spots, units)
    for name in more:
        lines.append((elements.said(name), [_cell(result, name, number_at(result, name, spot), factor) for spot in spots]))
    about = result[first].attrs
    how = f"extrinsic, proportional to tau = {about['tau_fs']:.4g} fs" if "tau_fs" in about else "extrinsic"
    notes = _unsure(result, first, numbers)
    return Table(_title(how, result, first, spots), unit, columns(result, first, spots), lines, notes)


def _unsure(result: xr.Dataset, name: str, numbers: Sequence[tuple[float, float] | str]) -> list[str]:
    """What to do where the error of a number leaves its size open."""
    rounding = least(name, result[name].attrs)
    known = [n for n in numbers if not isinstance(n, str) and not max(abs(n[0]), n[1]) < rounding]
    return [elements.said(name) + UNSURE] if any(error > VAGUE * abs(value) for value, error in known) else []


def _first_row(result: xr.Dataset, name: str, spots: Sequence[Spot], units: str | None) -> _Row:
    """The response itself, whose size decides the unit of its table."""
    numbers = [number_at(result, name, spot) for spot in spots]
    factor, unit = _unit(result, name, numbers, units)
    return _Row(numbers, factor, unit, [(elements.said(name), [_cell(result, name, n, factor) for n in numbers])])


def others(result: xr.Dataset, names: Sequence[str], points: Sequence[Point], units: str | None, title: str) -> list[Table]:
    """The largest element of each of some quantities, with its unit: at all points or, of a scan, the first and the largest."""
    scanned = points[-1].level is None
    points = [points[0], points[-1]] if scanned else points
    lines, notes, shown = [], [], []
    gone: dict[str, list[str]] = {}
    for name in names:
        spots = spots_of(result, name, points)
        if not spots:
            gone.setdefault(_why(result, name), []).append(elements.said(name))
            continue
        numbers, factor, unit, _ = _first_row(result, name, spots, units)
        cells = [_cell(result, name, n, factor) for n in numbers]
        if spots[-1].largest:
            which = "" if spots[-1].element == spots[0].element else f"{spots[-1].element} "
            end = f", {END}" * (END in _doubts(result, name, spots[-1]))
            cells[-1] = f"{which}{cells[-1]} {place(result, spots[-1]).replace(' eV', '')}{end}"
        label = elements.labelled(result, name, spots[0].element)
        lines.append((label, [*cells, *[""] * (len(points) - len(cells)), unit]))
        notes += _unsure(result, name, numbers)
        shown.append((name, spots[0].element))
    if CONDUCTIVITY in names:
        found = ratios.lines(result, int(points[0].level or 0), int(points[0].temperature or 0))
        lines += [(label, [number, *[""] * (len(points) - 1), unit]) for label, number, unit in found]
    notes += [f"{', '.join(of)}: {why}" for why, of in gone.items()] + _letters(result, shown)
    heads = [place(result, Spot("", int(p.level or 0), int(p.temperature or 0), False)) for p in points if p.level is not None]
    return [Table(title, "", [*heads, *["largest, eV"] * scanned, "unit"], lines, notes)] if lines or notes else []


def _letters(result: xr.Dataset, shown: Sequence[tuple[str, str]]) -> list[str]:
    """What the letters of elements of operators stand for, by an element of each kind that is shown."""
    found: dict[str, str] = {}
    for name, element in shown:
        dims = list(elements.along(result[name]))
        if is_of_operator(name) and len(dims) > 1:
            said = ", ".join(f"{d.removeprefix('operator_')} {x}" for d, x in zip(dims, element, strict=True))
            found.setdefault(",".join(dims), f"{element}: {said}")
    return [f"of operators {'; '.join(found.values())}"] if found else []


def _cell(result: xr.Dataset, name: str, number: tuple[float, float] | str, factor: float) -> str:
    if isinstance(number, str):
        return number
    return rounded(number[0] * factor, number[1] * abs(factor), least=least(name, result[name].attrs) * abs(factor))


def _shares(
    result: xr.Dataset,
    parts: Mapping[str, tuple[str, float]],
    spots: Sequence[Spot],
    totals: Sequence[tuple[float, float] | str],
    factor: float,
) -> list[tuple[str, list[str]]]:
    """A row for each part: value, error and share of the total; "?" where errors leave the share open."""
    table: dict[str, list[tuple[str, str]]] = {}
    for name, (label, times) in parts.items():
        cells = []
        for spot, total in zip(spots, totals, strict=True):
            number = number_at(result, name, spot)
            known = not isinstance(number, str) and not isinstance(total, str)
            share = _share(number[0] * times, number[1] * times, *total) if known else ""  # type: ignore[operator]
            cells.append((_cell(result, name, number, factor * times), share))
        if {cell for cell, _ in cells} != {elements.DASH}:  # of an element that is not split
            table[f"  {label}"] = cells
    # all shares of a screen in one column, narrow where all are open
    widest = [1 if {cells[i][1] for cells in table.values()} <= {OPEN, ""} else WIDE for i in range(len(spots))]
    return [
        (label, [f"{cell}  {share:>{w}}" if share else cell for (cell, share), w in zip(cells, widest, strict=True)])
        for label, cells in table.items()
    ]


def _share(value: float, error: float, total: float, of_total: float) -> str:
    """A share in percent; of a part that its error exceeds there is none, unless it is 0% anyhow."""
    sure = error < max(abs(value), NEGLIGIBLE * abs(total))
    if not (sure and error < VAGUE * abs(total) and of_total < VAGUE * abs(total)):
        return OPEN
    return f"{round(100 * value / total) + 0}%"


def _vague(result: xr.Dataset, spots: Sequence[Spot], totals: Sequence[tuple[float, float] | str]) -> bool:
    """Whether the errors of the mechanisms are too large for shares of the total, those of the cross-gap parts much smaller."""
    for spot, total in zip(spots, totals, strict=True):
        split, exact = (_largest_error(result, parts, spot) for parts in (MECHANISMS, EXACT_PARTS))
        if not isinstance(total, str) and split >= VAGUE * abs(total[0]) and exact < VAGUE * split:
            return True
    return False


def _largest_error(result: xr.Dataset, parts: Mapping[str, tuple[str, float]], spot: Spot) -> float:
    """Of the parts that there are."""
    numbers = [(number_at(result, name, spot), times) for name, (_, times) in parts.items() if name in result]
    return max((n[1] * times for n, times in numbers if not isinstance(n, str)), default=0.0)


def _unit(result: xr.Dataset, name: str, numbers: Sequence[tuple[float, float] | str], units: str | None) -> tuple[float, str]:
    """The unit of a table, by the values of what it explains; by their errors where these are zero."""
    known = [n for n in numbers if not isinstance(n, str) and not max(abs(n[0]), n[1]) < least(name, result[name].attrs)]
    values = [v for v, _ in known if v] or [e for _, e in known]
    return scale(values, str(result[name].attrs["units"]), units, result)


def columns(result: xr.Dataset, name: str, spots: Sequence[Spot]) -> list[str]:
    """Heading of each column: the element and where it is; of the largest of a scan whether it is open, or at the end."""
    texts, titled = [], len(spots) > 2 and " = alpha_" in _title("", result, name, spots)
    for spot in spots:
        which = "" if titled else f"{elements.with_equals(result[name], spot.element)} "
        at = f"{which}{place(result, spot)}".lstrip()
        texts.append(at + (f" ({', '.join(['largest', *_doubts(result, name, spot)])})" if spot.largest else ""))
    return texts


def place(result: xr.Dataset, spot: Spot) -> str:
    """The level of a spot, and its temperature where there are several."""
    temperatures = np.atleast_1d(result["temperature"].values)
    level = f"{result['fermi'].values[spot.level]:.4f}".rstrip("0").rstrip(".")
    return f"at {level} eV" + (f", {temperatures[spot.temperature]:g} K" if len(temperatures) > 1 else "")


def _doubts(result: xr.Dataset, name: str, spot: Spot) -> list[str]:
    """Of the largest of a scan whether its error exceeds it, and whether it is at the first or last level."""
    beyond = beyond_error(result, name, spot.element)[spot.level, spot.temperature] > 0
    return ["open"] * (not beyond) + [END] * (spot.level in (0, result.sizes["fermi"] - 1))


def _title(kind: str, result: xr.Dataset, name: str, spots: Sequence[Spot]) -> str:
    """What a table is of: the kind, and what its element means."""
    dims = elements.along(result[name])
    seen = list(dict.fromkeys(spot.element for spot in spots))
    if len(dims) != 2 or len(seen) != 1:
        return kind
    return f"{kind}: M_{seen[0][0]} = alpha_{seen[0]} E_{seen[0][1]}"
