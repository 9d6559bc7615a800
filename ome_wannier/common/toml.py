"""TOML files of anybody: whatever is wrong with one is said in one line, with its place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from .checked_input import regular
from .errors import FileFormatError

#: tables and lists in each other, at most: nothing that is read has more than four
DEEPEST = 20


def read_toml(path: str | Path) -> dict[str, Any]:
    """The contents of a TOML file.

    Raises
    ------
    FileFormatError : not TOML, with the line where it is known; nested without end, or with numbers of thousands of digits.
    OSError : a file that cannot be read.
    """
    try:
        found = tomllib.loads(regular(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise FileFormatError(path, None, "TOML", "brackets in brackets, hundreds deep") from error
    except ValueError as error:  # also of what is not UTF-8, and of an integer that Python does not convert
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        message = str(error).replace(line[0], "") if line else str(error)
        raise FileFormatError(path, int(line[1]) if line else None, "TOML", message) from error
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        level = [x for node in level for x in (node.values() if isinstance(node, dict) else node) if isinstance(x, dict | list)]
    if level:
        raise FileFormatError(path, None, f"tables and lists at most {DEEPEST} deep", "deeper ones")
    return found
