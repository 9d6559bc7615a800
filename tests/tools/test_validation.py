"""The page VALIDATION.md was written by the present script, and says what the script finds now."""

from __future__ import annotations

from decimal import Decimal

import generate
import pytest

PAGE = generate.PAGE.read_text(encoding="utf-8") if generate.PAGE.exists() else ""
LINES = [line[2:-2].split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
TABLE = {tuple(cells[:2]): cells for cells in LINES if cells != generate.HEADER}


def last_digit(printed: str) -> float:
    """One unit of the last digit of a printed number."""
    return 10.0 ** Decimal(printed).as_tuple().exponent


def assert_printed(row: generate.Row) -> None:
    """The row is on the page, with these digits."""
    assert row.holds, row
    expected = row.cells()
    found = TABLE[expected[0], expected[1]]
    assert [found[i] for i in (0, 1, 4)] == [expected[i] for i in (0, 1, 4)]
    for printed, number in ((found[2], row.value), (found[3], row.reference)):
        if printed != "none at hand":
            assert float(printed) == pytest.approx(number, rel=0, abs=max(last_digit(printed), row.tolerance))


def test_page_is_of_this_script() -> None:
    assert f"script {generate.fingerprint()}" in PAGE, "the script has changed: `make validation` writes the page again"
    assert [line[3:] for line in PAGE.splitlines() if line.startswith("## ")] == list(generate.SECTIONS)


def test_no_line_twice() -> None:
    assert len(TABLE) == len(LINES) - len(generate.SECTIONS)
    assert len(TABLE) > 80


def test_printed_differences_are_within_the_printed_tolerances() -> None:
    for check, _, ours, independent, source, difference, tolerance, why in TABLE.values():
        assert source, check
        assert why, check
        if independent == "none at hand":
            assert difference == tolerance == "-"
            continue
        assert float(difference) <= float(tolerance), check
        # one significant digit of the difference, and the last digits of both numbers
        rounding = 0.5 * float(difference) + last_digit(ours) + last_digit(independent)
        assert abs(float(ours) - float(independent)) <= float(difference) + rounding, check


@pytest.mark.parametrize("check", generate.QUICK, ids=lambda c: c.__name__)
def test_quick_checks_again(check: generate.Check) -> None:
    rows = generate.run(check)
    assert rows
    for row in rows:
        assert_printed(row)


@pytest.mark.long
def test_whole_page_again() -> None:
    """Every check again; no line of the page is left over."""
    rows = [row for checks in generate.SECTIONS.values() for check in checks for row in generate.run(check)]
    for row in rows:
        assert_printed(row)
    assert {(row.check, row.model) for row in rows} == set(TABLE)
