"""Numbers as JSON holds them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

#: significant digits of the numbers in the page
DIGITS = 5


def numbers(values: ArrayLike, digits: int = DIGITS) -> list[float | None]:
    """Rounded to significant digits; None for what is no number."""
    return [float(f"{x:.{digits}g}") if math.isfinite(x) else None for x in np.asarray(values, dtype=float).tolist()]
