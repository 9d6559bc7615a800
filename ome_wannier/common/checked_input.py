"""What is refused before it is read: pipes, that would be waited for; masks, that NumPy drops; numbers of no physical size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: no energy in eV, length in Angstrom or temperature in K is larger; squares and cubes stay finite
LARGEST = 1e9


def regular(path: str | Path) -> Path:
    """The path, unless a pipe or a device is there (OSError); what is not there is found out by who opens it."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return Path(path)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        said = "this is a pipe or a device, which may never end and cannot be read twice: write it into a file first"
        raise OSError(errno.EINVAL, said, str(path))
    return Path(path)


def fault(value: object, limit: float = LARGEST) -> str:
    """What is wrong with numbers that NumPy would take: "" or the end of a sentence that begins with their name."""
    if np.ma.is_masked(value):  # what lies under a mask is a number as any other
        return "has masked elements: fill them, or leave them out"
    array = np.asarray(value)
    if array.dtype.kind not in "iufc" or not array.size:
        return ""
    finite = array[np.isfinite(array)]
    size = float(np.max(np.abs(finite), initial=0.0))
    return f"reaches {size:.3g}, beyond {limit:g}: is the unit right?" if size > limit else ""


def places(given: object, n: int) -> NDArray[np.int64] | None:
    """Different whole numbers from 0 to n - 1, sorted; None for anything else, such as a mask."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):  # rows of different lengths
        return None
    if array.ndim > 1 or array.dtype.kind not in "iu" or not array.size:
        return None
    found = np.unique(array.astype(np.int64))
    return found if len(found) == array.size and found[0] >= 0 and found[-1] < n else None
