"""How much states outside the basis, and the upper bands inside it, change of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..calculators.quantity import ABOVE, OUTSIDE, Combination
from ..calculators.registry import Calculator
from ..integration.integral import Integral

if TYPE_CHECKING:
    import xarray as xr

#: the attribute of each
ATTRIBUTES = {OUTSIDE: "external_terms_change", ABOVE: "basis_change"}


def with_changes(result: xr.Dataset, wanted: Sequence[Calculator], found: Integral) -> xr.Dataset:
    """The result, whose quantities that these states take part in have the attributes `external_terms_change` and
    `basis_change`: the largest change of an element, as a share of the largest one (of a layer, of moments along its normal in
    fields along it: the others are inside the basis); and the same of all in words."""
    for way, attribute in ATTRIBUTES.items():
        said = []
        for calculator in wanted:
            share = _share(calculator, found, way)
            if share is not None:
                result[calculator.name].attrs[attribute] = share
                said.append(f"{calculator.name} {percent(share)}")
        if said:
            result = result.assign_attrs({attribute: ", ".join(said)})
    return result


def _share(calculator: Calculator, found: Integral, way: str) -> float | None:
    """The largest change of an element over the largest one; None where these states take no part, or all is zero."""
    terms = calculator.terms if isinstance(calculator, Combination) else ((calculator.name, 1.0),)
    changes = [c * found.values[f"{name}{way}"] for name, c in terms if f"{name}{way}" in found.values]
    if not changes:
        return None
    whole = np.abs(found.values[calculator.name])
    known = np.isfinite(whole)  # not what only a gap has, at a level in bands
    size = whole[known].max(initial=0.0)
    return float(np.abs(sum(changes, np.zeros(())))[known].max() / size) if size else None


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * float(f'{share:.2g}'):g} %" if share < 10 else f"{share:.1g} times its size"
