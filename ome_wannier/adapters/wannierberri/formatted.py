"""Formatted `.spn`, `.uHu` and `.uIu` (`spn_formatted` and the like of pw2wannier90), made into the Fortran records of others.

Both hold the same numbers in the same order, a complex one in each line of the text.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

from ...common.checked_input import regular
from ...common.errors import FileFormatError
from ...common.fortran_text import Row, Table
from .sizes import Sizes, check_sizes

#: of files that may be one or the other
ENDINGS = (".spn", ".uHu", ".uIu")


class _Layout(NamedTuple):
    """The sizes in a header, what they are, how many records follow, and how many complex numbers each has."""

    what: str
    sizes: tuple[int, ...]
    records: int
    each: int


def _layout(ending: str, sizes: Sizes) -> _Layout:
    n, points, near = sizes.bands, sizes.points, sizes.neighbours
    if ending == ".spn":  # three components of the lower half of a Hermitian matrix
        return _Layout("bands and k points", (n, points), points, 3 * n * (n + 1) // 2)
    return _Layout("bands, k points and b vectors", (n, points, near), points * near**2, n**2)


def formatted(seed: Path, ending: str) -> bool:
    """Whether a file is a text where others are records, which begin with a length, whose upper bytes are zero."""
    if ending not in ENDINGS:
        return False
    path = Path(f"{seed}{ending}")
    try:
        with regular(path).open("rb") as file:
            return b"\0" not in file.read(64)
    except OSError as error:
        raise FileFormatError(path, None, "a readable file", error.strerror or str(error)) from error


@contextmanager
def in_records(seed: Path, endings: Sequence[str], sizes: Sizes) -> Iterator[Path]:
    """The seed, or one in a temporary folder beside which what is formatted stands in records.

    Raises
    ------
    FileFormatError : formatted files that are damaged, or of other sizes.
    """
    texts = [ending for ending in endings if formatted(seed, ending)]
    if not texts:
        yield seed
        return
    with TemporaryDirectory(prefix="ome_wannier_") as folder:
        inside = Path(folder) / seed.name
        for ending in endings:
            file, target = Path(f"{seed}{ending}"), Path(f"{inside}{ending}")
            if ending in texts:
                _rewrite(file, target, _layout(ending, sizes))
            else:
                target.symlink_to(file.absolute())
        yield inside


def _rewrite(path: Path, target: Path, of: _Layout) -> None:
    """The numbers of a text as records."""
    table = Table(path, path.read_bytes())
    if not len(table):
        raise FileFormatError(path, None, f"a line of text, and one of {of.what}", "no second line")
    found = table.take(1, [(Row(len(of.sizes), 0, f"{of.what} ({len(of.sizes)} integers)"), 1)])
    check_sizes(path, of.what, tuple(int(x) for x in found), of.sizes)
    if (lines := len(table) + 1) != (expected := 2 + of.records * of.each):
        raise FileFormatError(path, None, f"{expected} lines", f"{lines}")
    row = Row(0, 2, "Re and Im of an element (2 finite numbers)")
    with target.open("wb") as file:
        _write(file, b"formatted")
        _write(file, struct.pack(f"<{len(of.sizes)}i", *of.sizes))
        for _ in range(of.records):
            _write(file, table.take(of.each, [(row, 1)]).astype("<f8").tobytes())
    table.end()


def _write(file: BinaryIO, content: bytes) -> None:
    """A record: its length, its content, and its length again."""
    length = struct.pack("<i", len(content))
    file.write(length + content + length)
