"""The bytes of a file, which may be compressed: unpacked piece by piece, up to a limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .checked_input import regular
from .errors import FileFormatError
from .limits import current

#: bytes that are unpacked at a time
CHUNK = 2**20


def read_bytes(path: Path) -> bytes:
    """Content of a file, decompressed if it starts like a gzip, bzip2 or xz file.

    Raises
    ------
    FileFormatError : no such file, a directory, an empty file, a damaged compressed one, or one that unpacks to more than
        `limits` allow.
    """
    try:
        raw = regular(path).read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = _unpacked(path, gzip.open)
        elif raw.startswith(b"BZh") and raw[4:10] == b"1AY&SY":
            raw = _unpacked(path, bz2.open)
        elif raw.startswith(b"\xfd7zXZ\0"):
            raw = _unpacked(path, lzma.open)
    except FileFormatError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, ValueError) as error:
        raise FileFormatError(path, None, "an undamaged compressed file", str(error)) from error
    except OSError as error:
        raise FileFormatError(path, None, "a readable file", error.strerror or str(error)) from error
    if not raw.strip():
        raise FileFormatError(path, None, "text", "an empty file")
    return raw


def _unpacked(path: Path, opened: Callable[..., Any]) -> bytes:
    """What a compressed file holds, read piece by piece until it is more than it may be."""
    pieces, total = [], 0
    with opened(path) as file:
        while piece := file.read(CHUNK):
            total += len(piece)
            current().check(path, total, "text, packed (unpack it yourself if you trust it)")
            pieces.append(piece)
    return b"".join(pieces)
