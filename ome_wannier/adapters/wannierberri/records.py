"""Records of a Fortran file without format: judged as a whole before WannierBerri reads them.

A record is its length (4 bytes), its content, and its length again. gfortran divides one of more than 2 GiB into several, all
but the last of which have a negative length in front.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...common.checked_input import LARGEST, regular
from ...common.errors import FileFormatError

#: bytes of a real number of the lengths here, and how it is called
_SIZES = {"i4": "integers", "f8": "reals", "c16": "complex numbers", "S1": "characters"}


class Records:
    """The records of a file, taken from the first to the last.

    Raises
    ------
    FileFormatError : a file that does not consist of records.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._next = path, 0
        try:
            with regular(path).open("rb") as file:
                self._raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise FileFormatError(path, None, "Fortran records", getattr(error, "strerror", None) or "nothing") from error
        spans = self._spans("<")
        self._order: Literal["<", ">"]
        self._order, self._parts = ("<", spans) if spans is not None else (">", self._spans(">") or [])
        if not self._parts:
            raise FileFormatError(path, None, "Fortran records (a length before and after each)", "other bytes")

    def _spans(self, order: str) -> list[list[slice]] | None:
        """Where the parts of every record are, or None where lengths before and after do not agree."""
        found: list[list[slice]] = [[]]
        place, end, length = 0, len(self._raw), struct.Struct(f"{order}i")
        while place < end:
            if end - place < 8:
                return None
            (size,) = length.unpack_from(self._raw, place)
            stop = place + 4 + abs(size)
            if stop + 4 > end or abs(length.unpack_from(self._raw, stop)[0]) != abs(size):
                return None
            found[-1].append(slice(place + 4, stop))
            if size >= 0:
                found.append([])
            place = stop + 4
        return None if found.pop() else found

    def text(self) -> None:
        """Pass over a record of text."""
        if self._next == len(self._parts):
            self._fail("a record of text", "the end")
        self._next += 1

    def take(self, kind: str, number: int, what: str) -> NDArray[Any]:
        """The content of the next record: finite numbers of one kind ("i4", "f8", "c16").

        Raises
        ------
        FileFormatError : another length; numbers that are not finite, or of no physical size.
        """
        dtype = np.dtype(kind).newbyteorder(self._order)
        expected = f"{what}: {number} {_SIZES[kind]}, {number * dtype.itemsize} bytes"
        if self._next == len(self._parts):
            self._fail(expected, "the end")
        size = sum(part.stop - part.start for part in self._parts[self._next])
        if size != number * dtype.itemsize:
            self._fail(expected, f"{size} bytes")
        values = np.frombuffer(b"".join(self._raw[part] for part in self._parts[self._next]), dtype)
        if kind != "i4" and not (np.isfinite(values).all() and np.abs(values).max(initial=0.0) <= LARGEST):
            self._fail(f"{what}, finite and none beyond {LARGEST:g}", "others")
        self._next += 1
        return values

    def count(self, what: str, least: int = 1, most: int = 10**6) -> int:
        """A whole number in a record of its own."""
        found = int(self.take("i4", 1, what)[0])
        if not least <= found <= most:
            self._next -= 1
            self._fail(f"{what} from {least} to {most}", str(found))
        return found

    def end(self) -> None:
        """Refuse records that follow."""
        if self._next < len(self._parts):
            self._fail("the end", "another record")

    def _fail(self, expected: str, found: str) -> NoReturn:
        raise FileFormatError(self.path, None, f"in record {self._next + 1} {expected}", found)
