"""Which element of a quantity is shown, and where in a scan: the one that exceeds its error most."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import elements
from .numbers import least

if TYPE_CHECKING:
    import xarray as xr

Numbers = NDArray[np.float64]


class Point(NamedTuple):
    """Indices of a Fermi level and a temperature, or None and None for where a response is largest."""

    level: int | None
    temperature: int | None


class Spot(NamedTuple):
    """One element at one level and temperature."""

    element: str
    level: int
    temperature: int
    largest: bool


def in_reach(result: xr.Dataset, name: str) -> bool:
    """Whether any element of a quantity has a value."""
    return bool(elements.allowed(result[name]))


def spots_of(result: xr.Dataset, name: str, points: Sequence[Point], among: Collection[str] | None = None) -> list[Spot]:
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
        found = [Spot(best, int(p.level or 0), int(p.temperature or 0), False) for p in shown]
    if len(shown) < len(points):
        spot = Spot(*largest(result, name, candidates), True)
        again = spot[:3] in [known[:3] for known in found]
        if not again and not (found and _is_rounding(result, name, spot)):
            found.append(spot)
    return found


def _is_rounding(result: xr.Dataset, name: str, spot: Spot) -> bool:
    """Whether a number is, with its error, less than rounding."""
    number = number_at(result, name, spot)
    return not isinstance(number, str) and max(map(abs, number)) < least(name, result[name].attrs)


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
    every = {e: beyond_error(result, name, e)[at] for e in among}
    if max(float(beyond.max()) for beyond in every.values()) > 0:
        return every
    sizes = {e: np.nan_to_num(np.abs(elements.element(result[name], e).values)) for e in among}
    return {e: size.reshape(len(size), -1)[at] for e, size in sizes.items()}


def beyond_error(result: xr.Dataset, name: str, element: str) -> Numbers:
    """(levels, temperatures): by how much an element exceeds its error; an error that is not known counts as the value, and
    rounding as zero."""
    value, error = (elements.element(result[n], element).values for n in (name, f"{name}_error"))
    size = np.nan_to_num(np.abs(value), nan=-1.0)
    size = np.where((size > 0) & (size < least(name, result[name].attrs)), 0.0, size)
    beyond = np.asarray(size - np.where(np.isfinite(error), error, size))
    return beyond.reshape(len(beyond), -1)


def number_at(result: xr.Dataset, name: str, spot: Spot) -> tuple[float, float] | str:
    """Value and error, or why there is none."""
    gone = elements.reasons(result[name])
    if spot.element in gone or spot.element not in elements.names(result[name]):
        return elements.DASH
    found = []
    for which in (name, f"{name}_error"):
        values = elements.element(result[which], spot.element).values
        found.append(float(values.reshape(len(values), -1)[spot.level, spot.temperature]))
    return (found[0], found[1]) if np.isfinite(found[0]) else elements.DASH
