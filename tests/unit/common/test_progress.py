"""What is seen of work that takes long where standard error is no terminal."""

from __future__ import annotations

import re

import pytest

import ome_wannier as ome
from ome_wannier.common import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass where a test says so."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def steps(clock: list[float], n: int, each: float, began: float | None = None) -> None:
    for _ in progress.track(range(n), "k points", True, began):
        clock[0] += each


def test_a_line_every_half_minute_says_how_far_and_how_long(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Ten steps of 8 s: after 32 s four of ten are done, and six are left."""
    steps(clock, 10, 8.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["k points: 40 %, about 48 s left", "k points: 80 %, about 16 s left"]


def test_short_work_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    steps(clock, 10, 2.9)
    assert list(progress.track([1, 2], "k points", False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_half_minutes_count_from_the_start_of_all_work(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Rounds of 12 s each: one line in the third, none in the others."""
    for _ in range(4):
        steps(clock, 3, 4.0, began=100.0)
    assert capsys.readouterr().err == "k points: 67 %, about 4 s left\n"


def test_a_tolerance_says_how_far_its_errors_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every round but the first, smaller from round to round."""
    monkeypatch.setattr(progress, "BETWEEN", 1e-9)
    ome.compute(ome.load("haldane"), calculators=["total"], fermi=[0.4], rtol=0.01, temperature=300.0, progress=True)
    said = re.findall(r"k points beyond (\d+), errors up to (\S+) x rtol: ", capsys.readouterr().err)
    points, errors = ([float(x[i]) for x in said] for i in (0, 1))
    assert len(set(points)) > 1
    assert points == sorted(points)
    assert errors[0] > errors[-1] > 1
