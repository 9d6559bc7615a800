"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

#: writes the content of a file
Fill = Callable[[IO[bytes]], object]


def place(path: str | Path) -> Path:
    """Where a file of this name is: behind symbolic links, also those that point to nothing yet.

    Raises
    ------
    OSError : no such folder, or one that is not writable; something there that is no regular file (a folder, a pipe, a
        device: to give its name to a file would destroy it), or a file that is not writable. It carries the name as given.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent if os.path.islink(path) else Path(path).parent
    with _named(path):
        try:
            mode = os.lstat(target).st_mode
        except FileNotFoundError:
            mode = 0
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, "this is a folder")
        if mode and not stat.S_ISREG(mode):
            raise OSError(errno.EEXIST, "this is a pipe or a device, no file: give another name")
        if not target.parent.is_dir():
            raise OSError(errno.ENOENT, f"there is no folder {folder}")
        if not os.access(target.parent, os.W_OK):
            raise OSError(errno.EACCES, f"the folder {folder} is not writable")
        if mode and not os.access(target, os.W_OK):
            raise OSError(errno.EACCES, "the file that is there is not writable")
    return target


def whole(path: str | Path, fill: Fill) -> None:
    """Let `fill` write a temporary file beside `path`, and give it that name only when it is complete and on the disk.

    A file that was there before stays as it was until then, and if `fill` fails or is interrupted.

    Raises
    ------
    OSError : the file cannot be written; it carries the name of the file, not that of the temporary one.
    """
    together({Path(path): fill})


def together(files: Mapping[Path, Fill]) -> None:
    """The same for several files: none of them gets its name before all are complete.

    Raises
    ------
    OSError : a file that cannot be written; it carries its name.
    """
    with ExitStack() as stack:
        ready = []
        for path, fill in files.items():
            target = place(path)
            with _named(path):
                temporary = stack.enter_context(_temporary(target))
                _filled(temporary, target, fill)
            ready.append((path, temporary, target))
        for path, temporary, target in ready:
            with _named(path):
                os.replace(temporary, target)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Let errors carry the name that the user gave."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # of the program that writes, which says the rest
            raise OSError(error.errno or errno.EIO, str(error), str(path)) from error
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """An empty file in the folder of the target, which is gone at the end if it has no other name by then."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _filled(temporary: Path, target: Path, fill: Fill) -> None:
    """Write the file, with the permissions of the one that it replaces, as far as to the disk."""
    umask = os.umask(0)
    os.umask(umask)
    with temporary.open("wb") as stream:
        fill(stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~umask)
