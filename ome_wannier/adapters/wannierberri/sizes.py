"""How large the matrices of a calculation are, which each of its files says again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ...common.errors import FileFormatError


class Sizes(NamedTuple):
    """Of a calculation: functions, bands, k points, and neighbours of each (b vectors)."""

    functions: int
    bands: int
    points: int
    neighbours: int


def check_sizes(path: Path, what: str, found: tuple[float, ...], expected: tuple[int, ...]) -> None:
    """Refuse sizes that are not those of the `.chk`."""
    if found != expected:
        numbers, others = (" x ".join(map(str, x)) for x in (expected, found))
        raise FileFormatError(path, None, f"{what}, {numbers} as in the .chk", others)
