"""Arrays from an .npz file of anybody: headers are judged before data are read, and nothing is ever unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .checked_input import regular
from .errors import FileFormatError
from .limits import current

#: kinds of dtype that are numbers, truth values or text
PLAIN = "biufcSU"
#: what damaged zip archives and npy headers raise
_DAMAGE = (ValueError, KeyError, EOFError, TypeError, OSError, NotImplementedError, RuntimeError, SyntaxError, OverflowError)


def read_npz(path: Path, what: str = "an undamaged .npz file") -> dict[str, NDArray[Any]]:
    """All arrays of a file, by name; `what` it should be, in words.

    Raises
    ------
    FileFormatError : no npz file, one that is damaged, arrays of Python objects (which would run code), or more data than
        `limits` allow a file of this size.
    """
    try:
        size = regular(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            _check(path, archive, size)
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except FileFormatError:
        raise
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise FileFormatError(path, None, what, f"{type(error).__name__}: {str(error)[:200]}") from error


def _check(path: Path, archive: zipfile.ZipFile, size: int) -> None:
    """Refuse what the headers of all members say that may not be read."""
    total = 0
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            raise FileFormatError(path, None, "an archive of .npy arrays", repr(member.filename[:60]))
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileFormatError(path, None, "arrays as NumPy compresses them", f"method {member.compress_type}")
        with archive.open(member) as opened:
            version = npy.read_magic(opened)
            if version not in ((1, 0), (2, 0)):
                raise FileFormatError(path, None, "npy arrays of version 1 or 2", f"version {version}")
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = header(opened)
        if dtype.kind not in PLAIN:
            expected = "numbers, truth values or text (arrays of Python objects would run code)"
            raise FileFormatError(path, None, expected, f"{member.filename[:60]} of dtype {str(dtype)[:60]}")
        total += max(math.prod(shape) * dtype.itemsize, member.file_size)
    current().check(path, total, "arrays")
