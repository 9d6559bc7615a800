"""Where compiled code is kept for other processes: in the user's cache, or in a temporary folder where that cannot be written.

A file is a hash of the code and the code; what is damaged is made again.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from .errors import warn

SAID = (
    "compiled code cannot be kept ({}): it is compiled {}, which takes some seconds each time; "
    "set NUMBA_CACHE_DIR to a folder that you can write to"
)
LENGTH = hashlib.sha256().digest_size


def read(path: Path) -> bytes | None:
    """The code in a file; None if there is none, or it is damaged."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    code = found[LENGTH:]
    return code if found[:LENGTH] == hashlib.sha256(code).digest() else None


def write(path: Path, code: bytes) -> None:
    """Keep code in a file that is whole or not there; what stands in the way is said once."""
    try:
        part, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(part, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
    except OSError as error:
        _say_unsaved(f"{error.strerror or error}")


@functools.cache
def folder(name: str) -> Path | None:
    """A folder of this name where code is kept, made if there is none; None if nothing can be written anywhere."""
    return _made(_root() / "ome_wannier" / name) or _temporary(name)


def _root() -> Path:
    """Where numba was told to keep code, or where programs keep what they can make again."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser())
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def _made(place: Path) -> Path | None:
    """The folder, if it can be written to."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return place if os.access(place, os.W_OK | os.X_OK) else None


def _temporary(name: str) -> Path | None:
    """A folder of this process, which its workers find and which ends with it; said once."""
    try:
        root = tempfile.mkdtemp(prefix="ome_wannier-compiled-")
    except OSError:
        warn(SAID.format("no folder is writable", "for this process alone"), RuntimeWarning)
        return None
    atexit.register(_remove, root, os.getpid())
    os.environ["NUMBA_CACHE_DIR"] = root
    warn(SAID.format("no folder is writable", "into a temporary folder"), RuntimeWarning)
    return _made(Path(root) / "ome_wannier" / name)


def _remove(folder: str, owner: int) -> None:
    """Remove the folder, unless this is a fork of the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _say_unsaved(reason: str) -> None:
    warn(SAID.format(reason, "for this process alone"), RuntimeWarning)
