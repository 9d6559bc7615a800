"""How much a file may unpack to. A small file must not fill the memory, whatever it says of itself.

Compressed text, HDF5, netCDF and npz announce sizes, or have none. What they hold is compared with the size of the file
before it is read: more than `ratio` times as much, or than `unpacked` in all, is refused. The settings `unpack_ratio` and
`unpack_size` (options of the commands, keys of a TOML file, keywords of `ome_wannier.load`) are these; around anything else,
such as `load_result`, `limited` is a context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from .errors import FileFormatError

#: bytes that any file may unpack to: reading text takes up to forty times as much memory, in blank lines
SMALL = 2**24
#: what to do about a file that is refused
TRUST = "(if you trust it, raise unpack_size or unpack_ratio)"


@dataclass(frozen=True)
class Limits:
    """Bytes that a file may unpack to, and the largest multiple of its own size that it may.

    Hamiltonians as text compress by factors of 3 to 20, those of mostly zeros by some 50.
    """

    unpacked: int = 2**32
    ratio: float = 100.0

    def of(self, size: int) -> int:
        """Bytes that a file of `size` bytes may unpack to."""
        return min(self.unpacked, max(SMALL, int(self.ratio * size)))

    def check(self, path: Path, wanted: int, what: str = "data") -> None:
        """FileFormatError if `what` of a file takes more than `wanted` bytes unpacked than it may."""
        size = path.stat().st_size
        if wanted > self.of(size):
            expected = f"{what} of at most {self.of(size) / 2**20:.3g} MiB in a file of {size} bytes"
            raise FileFormatError(path, None, expected, f"{wanted / 2**20:.3g} MiB {TRUST}")


_current: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039  # frozen


def current() -> Limits:
    """The limits that hold here."""
    return _current.get()


@contextmanager
def limited(unpacked: int | None = None, ratio: float | None = None) -> Iterator[Limits]:
    """Limits for what is read inside; None leaves one as it is."""
    old = _current.get()
    new = Limits(old.unpacked if unpacked is None else unpacked, old.ratio if ratio is None else ratio)
    token = _current.set(new)
    try:
        yield new
    finally:
        _current.reset(token)
