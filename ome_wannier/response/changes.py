"""How much states outside the basis, and the upper bands inside it, change of a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..calculators.quantity import ABOVE, OUTSIDE, Combination
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import ROUNDING
from ..integration.integral import Integral

if TYPE_CHECKING:
    import xarray as xr

#: the attribute of each
ATTRIBUTES = {OUTSIDE: "external_terms_change", ABOVE: "basis_change"}
#: what is said where the bands left out take part in no quantity
NONE = "nothing, of what they take part in"
#: what a layer or chain has besides, of which nothing is known
UNCOUNTED = "moments in the plane and fields across not counted"
#: changes that are so many times the largest element are of what all but cancels, and no shares of it
MOST = 10.0
#: why no share is said
OPEN = "zero beside its error or the change"


def with_changes(result: xr.Dataset, wanted: Sequence[Calculator], found: Integral, basis: int | None) -> xr.Dataset:
    """The result, whose quantities that these states take part in have the attributes `external_terms_change` and
    `basis_change`: the largest change of an element, as a share of the largest one (of a layer, of moments along its normal in
    fields along it: the others are inside the basis), nan where that is below its error, or a tenth of the change; and the same
    of all in words, which say as well where `basis` was asked for and tells of nothing."""
    for way, attribute in ATTRIBUTES.items():
        said, across = [], False
        for calculator in wanted:
            share = _share(calculator, found, way)
            across |= found.values[calculator.name].size < result[calculator.name].size
            if share is not None:
                result[calculator.name].attrs[attribute] = share
                said.append(f"{calculator.name} {percent(share)}")
        if said or (way == ABOVE and basis is not None):
            more = f"; {UNCOUNTED}" if across else ""
            result = result.assign_attrs({attribute: f"{', '.join(said) or NONE}{more}"})
    return result


def _share(calculator: Calculator, found: Integral, way: str) -> float | None:
    """The largest change of an element over the largest one; nan where that is below its error, a tenth of the change, or
    rounding, None where these states take no part, or all is zero."""
    terms = calculator.terms if isinstance(calculator, Combination) else ((calculator.name, 1.0),)
    changes = [c * found.values[f"{name}{way}"] for name, c in terms if f"{name}{way}" in found.values]
    if not changes:
        return None
    whole = np.abs(found.values[calculator.name])
    known = np.isfinite(whole)  # not what only a gap has, at a level in bands
    size, change = whole[known], np.abs(sum(changes, np.zeros(())))[known].max(initial=0.0)
    if not size.any() and not change:
        return None
    largest = size.argmax()
    rounding = 0.0 if first_observable(calculator).kind == "own" else ROUNDING
    error = found.errors[calculator.name][known][largest]
    if size[largest] <= max(rounding, change / MOST, error if np.isfinite(error) else 0.0):
        return math.nan
    return float(change / size[largest])


def percent(share: float) -> str:
    """A share in words."""
    return f"open ({OPEN})" if math.isnan(share) else f"{100 * float(f'{share:.2g}'):g} %"
