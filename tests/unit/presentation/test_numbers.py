"""Numbers as they are written: by their errors, everywhere the same."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ome_wannier.presentation.numbers import rounded


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-13.598, 0.4812, "-13.60 ± 0.48"),
        (46.2, 269.1, "50 ± 270"),
        (1.0, 0.0, "1 (exact)"),
        (0.0, 0.0, "0 (exact)"),
        (-0.0, 0.0, "0 (exact)"),
        (1.23456, math.nan, "1.2 ± ?"),
        (-0.001, 1.0, "0.0 ± 1.0"),
        (1.0, 1e-12, "1.000000 ± 5e-07"),
        (113.8027, 7e-6, "113.802700 ± 7e-06"),
        (123456.0, 2.0, "123456.0 ± 2.0"),
        (3.0, 2.5e7, "0 ± 2.5e+07"),
        (4e-9, 9e-8, "4e-09 ± 9e-08"),
    ],
)
def test_value_is_rounded_with_its_error(value: float, error: float, text: str) -> None:
    assert rounded(value, error) == text


@given(st.floats(-1e9, 1e9), st.floats(1e-30, 1e9))
@example(0.0078125, 1e-30)
def test_nothing_is_lost_that_the_error_knows(value: float, error: float) -> None:
    """The text names the value to 6% of its error (half of the second digit of 10, and the carry to 100), or to half of
    its sixth digit after the point, or seventh in all; and an error of the same size: never zero, never less than this."""
    shown, plus_minus, uncertain = rounded(value, error, "+-").split(" ")
    assert plus_minus == "+-"
    assert re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", shown)
    place = math.floor(math.log10(abs(value))) if value else -99
    cut = 0.5 * 10.0 ** (-6 if abs(value) >= 1e-2 else place - 6)  # half of the last digit that is written, at most
    assert float(uncertain) == pytest.approx(max(error, cut), rel=0.5)
    assert abs(float(shown) - value) <= max(0.06 * error, 1.001 * cut) + math.ulp(value)
