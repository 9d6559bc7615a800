"""The handbook's page of published numbers was written by the present script, and says what the script finds now."""

from __future__ import annotations

import warnings
from dataclasses import replace

import published
import pytest
from published import ROWS, SOURCES, Row

PAGE = published.PAGE.read_text(encoding="utf-8")
TABLE = published.read(PAGE)


def test_every_row_and_no_other() -> None:
    assert set(TABLE) == {row.key for row in ROWS}
    assert len({row.key for row in ROWS}) == len(ROWS) >= 12
    assert {row.source for row in ROWS} == set(SOURCES)
    assert len(SOURCES) >= 8


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.source}: {row.quantity}")
def test_what_is_said_of_a_row(row: Row) -> None:
    """The published numbers and the meaning are those of the script, and "agrees" is said of what differs little alone."""
    found = TABLE[row.key]
    assert (found[3], found[6]) == (", ".join(row.values), row.meaning)
    assert row.meaning.startswith(("agrees", "not met"))
    assert row.meaning.startswith("agrees") == (row.within[1] <= 3e-4)
    if "second hand" in SOURCES[row.source]:
        assert row.meaning.startswith("not met")


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=[pytest.mark.long] if row.slow else []) for row in ROWS],
    ids=lambda row: f"{row.source}: {row.quantity}",
)
def test_the_numbers_come_out_again(row: Row) -> None:
    if missing := row.missing():
        pytest.skip(missing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = row.ours()
    now = published.cells(row, ours)  # its meaning holds
    for printed, value in zip(TABLE[row.key][4].split(", "), ours, strict=True):
        assert float(printed) == pytest.approx(value, rel=1e-6 if row.slow else 1e-9, abs=last_digit(printed))
    assert now[:4] == TABLE[row.key][:4]


def last_digit(printed: str) -> float:
    """One unit of the last digit of a printed number."""
    number, _, power = printed.partition("e")
    return 10.0 ** (int(power or 0) - len(number.partition(".")[2]))


def test_a_meaning_that_is_not_true_is_not_written() -> None:
    row = ROWS[0]
    with pytest.raises(ValueError, match="is not true of"):
        published.cells(row, [float(v) for v in row.values])
    with pytest.raises(ValueError, match="is not true of"):
        published.cells(replace(row, within=(0.0, 1e-6)), [1.001 * float(v) for v in row.values])


def test_digits_are_those_of_the_published_number() -> None:
    assert published.printed(-1.4780824, "-1.39394") == "-1.478082"
    assert published.printed(3.795e-5, "1.3e-3") == "3.8e-05"
    assert published.relative(3e-16) == "below 1e-10"
