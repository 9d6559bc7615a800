"""Values of a `.win` file as Fortran's list-directed read takes them.

Blanks and commas separate, `2*0.0` repeats, a slash ends, and what stands behind the last value that is asked for is not
looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from ...common.errors import FileFormatError
from ...common.fortran_text import number, snippet

Line = tuple[int, str]  # 1-based number in the file, text without comment

#: more copies than this of one value stand in no line that is read here
_MOST_COPIES = 99


def reals(path: Path, line: Line, text: str, n: int) -> list[float]:
    """The first `n` reals of a text.

    Raises
    ------
    FileFormatError : fewer, or one that is no number.
    """
    found: list[float] = []
    text = re.sub(r"/(\s.*)?$", "", text.strip())  # a slash ends the record; that of a fraction does not stand at an end
    for token in re.split(r"\s*,\s*|\s+", text.strip()):
        copies, star, value = token.rpartition("*")
        read = number(value.encode())
        if read is None or (star and not (copies.isdecimal() and 1 <= int(copies[:9]) <= _MOST_COPIES)):
            break
        found += [read] * (int(copies) if star else 1)
        if len(found) >= n:
            return found[:n]
    fail(path, line, f"{n} reals")


def real(path: Path, line: Line | None) -> float | None:
    """The real that a keyword has; errors as in `reals`."""
    return None if line is None else reals(path, line, line[1], 1)[0]


def integers(path: Path, line: Line | None, n: int, most: int) -> list[int] | None:
    """The `n` integers from 1 to `most` that a keyword has.

    Raises
    ------
    FileFormatError : fewer, or other numbers.
    """
    if line is None:
        return None
    values = reals(path, line, line[1], n)
    if not all(value == int(value) and 1 <= value <= most for value in values):
        fail(path, line, f"a positive integer, {most} at most" if n == 1 else f"{n} positive integers, {most} at most")
    return [int(value) for value in values]


def ranges(path: Path, line: Line | None, most: int) -> list[int] | None:
    """The integers of a range vector such as `1, 3-5 8:9`, in its order, from 1 to `most`.

    Raises
    ------
    FileFormatError : another text, other numbers, or more of them than `most`.
    """
    if line is None:
        return None
    found: list[int] = []
    for token in re.split(r"[\s,;]+", re.sub(r"\s*([-:])\s*", r"\1", line[1]).strip(" \t,;")):
        match = re.fullmatch(r"(\d{1,7})(?:[-:](\d{1,7}))?", token)
        ends = sorted(int(x) for x in match.groups(match[1])) if match else [0, 0]
        if ends[0] < 1 or ends[1] > most or len(found) + ends[1] - ends[0] >= most:
            fail(path, line, "positive integers and ranges of them, as in 1, 3-5")
        found += range(ends[0], ends[1] + 1)
    return found


def logical(path: Path, line: Line | None) -> bool | None:
    """What a keyword says that is true or false.

    Wannier90 takes a value with a "t" anywhere in it for true, so that text behind `.false.` can turn it around.

    Raises
    ------
    FileFormatError : neither; or one of them to the eye, and the other to Wannier90.
    """
    if line is None:
        return None
    value = line[1].lower()
    first = re.match(r"\.?([tf])", value)
    if first is None:
        fail(path, line, ".true. or .false.")
    if (first[1] == "t") != ("t" in value):
        fail(path, line, ".false. without text behind it (Wannier90 reads this one as true, because of a 't')")
    return first[1] == "t"


def fail(path: Path, line: Line, expected: str) -> NoReturn:
    """Raise FileFormatError: this line is not what was expected."""
    raise FileFormatError(path, line[0], expected, snippet(line[1].encode()))
