"""The density of carriers of a result: electrons above neutrality, in 1/cm^d."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.units import ANGSTROM
from .units import dimension_of

if TYPE_CHECKING:
    import xarray as xr


class Carriers(NamedTuple):
    """value, error : of each level, in `unit`."""

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    unit: str


def above_neutrality(result: xr.Dataset) -> Carriers | None:
    """Electrons above neutrality; None where the result has no `electrons`, or does not know what neutrality is.

    Neutrality is the filling of the material where the result knows it (`neutral_electrons`, per cell), else the bands below
    the gap in the range of the levels.
    """
    about, d = result.attrs, dimension_of(result)
    neutral = about.get("neutral_electrons")
    if neutral is None and "gap_above_band" in about:
        neutral = int(about["gap_above_band"]) * int(about["spin_degeneracy"])
    if "electrons" not in result or neutral is None or "cell" not in about:
        return None
    there = float(neutral) / (float(about["cell"]) * ANGSTROM**d)
    values, errors = (result[name].values * 0.01**d for name in ("electrons", "electrons_error"))
    unit = {3: "1/cm^3", 2: "1/cm^2", 1: "1/cm"}[d]
    return Carriers(np.asarray(values - there * 0.01**d), np.asarray(errors), unit)
