"""The parts of the total that are drawn: the mechanisms or, where pairs of full bands leave these open, cross-gap parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..presentation import elements
from ..presentation.rows import EXACT_PARTS, MECHANISMS, VAGUE
from . import figures

if TYPE_CHECKING:
    import xarray as xr

#: the parts whose sum is the total, with their colours
PARTS = {"dipole": figures.BLUE, "itinerant": figures.ORANGE, "local": figures.GREEN}
#: the same without pairs of full bands
CROSS_GAP = {"itinerant_crossgap": figures.ORANGE, "local_crossgap": figures.GREEN, "metric_curl": figures.BLUE}
COLOURS, SAID = {**PARTS, **CROSS_GAP}, {**MECHANISMS, **EXACT_PARTS}


def surest(size: float, errors: Mapping[str, float]) -> dict[str, str]:
    """Those to be drawn, from the size of the total and the errors of the parts in it, as far as they are known."""
    if not errors.keys() >= COLOURS.keys():
        return PARTS
    mechanisms, cross_gap = (max(errors[name] for name in names) for names in (PARTS, CROSS_GAP))
    return CROSS_GAP if cross_gap < size < mechanisms / VAGUE else PARTS


def split(result: xr.Dataset) -> dict[str, str]:
    """The same of a result: of its allowed elements, the largest total, and the errors of the typical Fermi level."""
    there = [name for name in COLOURS if name in result and f"{name}_error" in result]
    size = float(np.nan_to_num(np.abs(result["total"].values)).max()) if "total" in result else 0.0
    return surest(size, {name: SAID[name][1] * _typical_error(result, name) for name in there})


def has_open_parts(result: xr.Dataset, rows: Iterable[Sequence[str]]) -> bool:
    """Whether some part in these rows, of an allowed element, is somewhere less than its error."""
    parts = [(n, e) for names in rows for n in names if n in COLOURS for e in elements.allowed(result[n])]
    sizes = ((abs(elements.element(result[n], e)), elements.element(result[f"{n}_error"], e)) for n, e in parts)
    return any(bool((size <= error).any()) for size, error in sizes)


def _typical_error(result: xr.Dataset, name: str) -> float:
    found = [float(np.median(elements.element(result[f"{name}_error"], e))) for e in elements.allowed(result[name])]
    return max(found, default=0.0)
