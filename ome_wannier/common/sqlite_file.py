"""Whether a SQLite file is as long as it says: SQLite reads what is left of a cut one, and other rows in a longer one."""

from __future__ import annotations

import struct
from pathlib import Path

from .errors import StoreError

_MAGIC = b"SQLite format 3\0"


def check_length(path: str | Path) -> None:
    """Refuse a file that is empty, no SQLite file, or of another length than its header says.

    Raises
    ------
    StoreError : such a file. OSError : one that cannot be read.
    """
    with Path(path).open("rb") as file:
        head = file.read(100)
    size = Path(path).stat().st_size
    if len(head) < 100 or not head.startswith(_MAGIC):
        raise StoreError(f"{path}: {'an empty file' if not size else 'this file'} is no database of a screening")
    (page,), (change, pages), (valid,) = (struct.unpack_from(f, head, at) for f, at in ((">H", 16), (">2I", 24), (">I", 92)))
    page = 65536 if page == 1 else page
    # versions before 3.7 do not keep the number of pages: then it is not valid for the last change
    if page < 512 or size % page or (change == valid and size < pages * page):
        raise StoreError(
            f"{path}: the database is damaged: {size} bytes are not what its header says; use a copy that is whole"
        )
