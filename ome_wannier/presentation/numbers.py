"""How numbers are written, everywhere: rounded by their errors, with SI prefixes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..calculators.reported_units import negligible

#: digits after the point, at most, and digits before it that rounding may make zeros, at most
AFTER, BEFORE = 6, 4
#: how an error that is not known is written, and a number without one
UNKNOWN, EXACT = "?", "(exact)"
#: how a number is written that is less than rounding, its error too
NEGLIGIBLE = "0 (negligible)"

_PREFIXES = {e: p for e, p in zip(range(-18, 19, 3), [*"afpnµm", "", *"kMGTPE"], strict=True)}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def rounded(value: float, error: float, plus_minus: str = "±", least: float = 0.0) -> str:
    """A value and its error, both rounded to two digits of the error: "-13.60 ± 0.48"; "1 (exact)" where the error is zero.

    Of a value of which no more digits are written the error is not less than what they leave out. An error that is not finite
    is not known, and two digits of the value are written: "1.2 ± ?". Numbers below `least`, with errors below it, are
    `NEGLIGIBLE`; zeros that are exact stay exact.
    """
    if not math.isfinite(error):
        return f"{value:.2g} {plus_minus} {UNKNOWN}"
    if 0 < max(abs(value), error) < least:
        return NEGLIGIBLE
    if error == 0:
        return f"{value + 0.0:.4g} {EXACT}"
    digits = 1 - math.floor(math.log10(error))
    if -BEFORE <= digits <= AFTER:
        texts = [f"{round(x, digits) + 0.0:.{max(digits, 0)}f}" for x in (value, error)]
    elif digits > AFTER and abs(value) >= 10.0 ** (1 - AFTER // 2):
        texts = [f"{value:.{AFTER}f}", f"{max(error, 0.5 * 10.0**-AFTER):.1g}"]  # of what is written
    else:
        place = math.floor(math.log10(abs(value))) if value else 0
        known = max(place + digits + 1, 1)
        left_out = 0.5 * 10.0 ** (place - AFTER) if value and known > AFTER + 1 else 0.0
        texts = [f"{round(value, digits) + 0.0:.{min(known, AFTER + 1)}g}", f"{max(error, left_out):.2g}"]
    return f" {plus_minus} ".join(texts)


def least(name: str, about: Mapping[str, Any]) -> float:
    """What numbers of a quantity with these attributes, in its SI unit, have to exceed to be more than rounding."""
    known = about.get("rounding")
    return float(known) if isinstance(known, float | np.floating) else negligible(name, str(about["units"]))


def pretty(unit: str) -> str:
    """A unit as it is printed: angstrom^2 becomes Å², angstrom Å."""
    for written, printed in (("Angstrom", "Å"), ("angstrom", "Å"), ("mu_B", "μ_B"), ("uV", "µV"), ("^2", "²"), ("^3", "³")):
        unit = unit.replace(written, printed)
    return unit


def prefixed(values: ArrayLike, unit: str) -> tuple[float, str]:
    """Factor and unit that bring the largest of the values between 1 and 1000, such as (1e15, "fA m/V").

    Units that begin with the ampere take an SI prefix, others a power of ten where the numbers are very large or small.
    """
    finite = np.abs(np.asarray(values, dtype=float))
    finite = finite[np.isfinite(finite)]
    largest = float(finite.max(initial=0.0))
    exponent = 3 * math.floor(math.log10(largest) / 3 + 1e-9) if largest > 0 else 0
    takes_prefix = unit == "A" or unit.startswith(("A ", "A/"))
    if exponent == 0 or (not takes_prefix and 1e-2 <= largest < 1e4):
        return 1.0, pretty(unit)
    if takes_prefix and exponent in _PREFIXES:
        return 10.0**-exponent, _PREFIXES[exponent] + pretty(unit)
    power = "10" + str(exponent).translate(_SUPERSCRIPT)
    return 10.0**-exponent, power if unit == "1" else f"{power} {pretty(unit)}"
