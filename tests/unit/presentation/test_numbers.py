"""Numbers as they are written: by their errors, everywhere the same."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
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
def test_nothing_is_lost_that_the_error_knows(value: float, error: float) -> None:
    """The text names the value to 6% of its error (half of the second digit of 10, and the carry to 100), or to half of
    its sixth digit, and an error of the same size, or that of this digit: never zero, never less than the text leaves out."""
    shown, plus_minus, uncertain = rounded(value, error, "+-").split(" ")
    assert plus_minus == "+-"
    assert re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", shown)
    assert float(uncertain) >= 0.5 * error
    if float(uncertain) > 1.5 * error:  # what the text leaves out: half of the last of seven digits, or of six after the point
        assert (
            float(uncertain) <= max(5.1e-7, 5.1e-7 * abs(value))
            if abs(value) >= 1e-3
            else float(uncertain) <= 5.1e-7 * abs(value)
        )
    assert abs(float(shown) - value) <= max(0.06 * error, 1.001 * float(uncertain), 1e-6 * abs(value))
