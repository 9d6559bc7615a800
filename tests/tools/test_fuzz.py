"""Damaged files of every format end in one line and exit code 2, or in the right answer; see `fuzz`.

The runs are made in a process of its own, from which each is forked: a process of pytest has threads and other things in it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")


def fuzzed(runs: int, first: int, seconds: float) -> str:
    """What the tool prints for so many runs; fails with what ended wrongly."""
    given = ["--runs", str(runs), "--seed", str(first)]
    found = subprocess.run([sys.executable, FUZZ, *given], capture_output=True, text=True, timeout=seconds, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_a_hundred_damaged_files() -> None:
    """Every format three or four times; damage that shows in no way at all would be none."""
    said = fuzzed(100, 0, 300)
    formats, refused, passed = (int(re.search(p, said)[1]) for p in (r"(\d+) formats", r"exit 2': (\d+)", r"exit 0': (\d+)"))  # type: ignore[index]
    assert formats > 25
    assert refused > 40
    assert passed > 10


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("first", range(1000, 7000, 1000))
def test_thousands_of_damaged_files(first: int) -> None:
    fuzzed(1000, first, 1800)
