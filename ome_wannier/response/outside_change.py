"""How much states outside the basis change of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..calculators.quantity import OUTSIDE, Combination
from ..calculators.registry import Calculator
from ..integration.integral import Integral

if TYPE_CHECKING:
    import xarray as xr


def with_outside(result: xr.Dataset, wanted: Sequence[Calculator], found: Integral) -> xr.Dataset:
    """The result, whose quantities that states outside the basis take part in have the attribute `external_terms_change`:
    the largest change of an element, as a share of the largest one (of a layer, of moments along its normal in fields along
    it: the others are inside the basis); and the same of all in words."""
    said = []
    for calculator in wanted:
        share = _share(calculator, found)
        if share is not None:
            result[calculator.name].attrs["external_terms_change"] = share
            said.append(f"{calculator.name} {percent(share)}")
    return result.assign_attrs(external_terms_change=", ".join(said)) if said else result


def _share(calculator: Calculator, found: Integral) -> float | None:
    """The largest change of an element over the largest one; None where states outside take no part, or all is zero."""
    terms = calculator.terms if isinstance(calculator, Combination) else ((calculator.name, 1.0),)
    changes = [c * found.values[f"{name}{OUTSIDE}"] for name, c in terms if f"{name}{OUTSIDE}" in found.values]
    if not changes:
        return None
    whole = np.abs(found.values[calculator.name])
    known = np.isfinite(whole)  # not what only a gap has, at a level in bands
    size = whole[known].max(initial=0.0)
    return float(np.abs(sum(changes, np.zeros(())))[known].max() / size) if size else None


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * float(f'{share:.2g}'):g} %" if share < 10 else f"{share:.1g} times its size"
