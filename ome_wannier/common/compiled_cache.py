"""Where compiled code is kept: where numba keeps it, or in a temporary folder where nothing else can be written."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from typing import Any

import numba

from .errors import warn

SAID = (
    "nothing can be kept where numba keeps compiled code ({}): it is compiled {}, which takes a minute each time; "
    "set NUMBA_CACHE_DIR to a folder that you can write to"
)


def cached(compiled: Any) -> Any:
    """Let a function that numba compiles be kept for other processes; without a place for it in this one alone."""
    if not _kept(compiled) and _temporary_folder():
        _kept(compiled)
    return compiled


def _kept(compiled: Any) -> bool:
    """Whether numba finds a place that can be written to."""
    try:
        compiled.enable_caching()
    except (RuntimeError, OSError):
        return False
    compiled._cache = Lenient(compiled._cache)
    return True


@functools.cache
def _temporary_folder() -> bool:
    """Have numba keep code in a folder of this process, which its workers find and which ends with it; said once.

    Returns
    -------
    whether there is a place for one.
    """
    settings: Any = numba.config
    try:
        folder = tempfile.mkdtemp(prefix="ome_wannier-numba-")
    except OSError:
        warn(SAID.format("no folder is writable", "for this process alone"), RuntimeWarning)
        return False
    atexit.register(_remove, folder, os.getpid())
    os.environ["NUMBA_CACHE_DIR"] = settings.CACHE_DIR = folder
    warn(SAID.format("no folder is writable", "into a temporary folder"), RuntimeWarning)
    return True


def _remove(folder: str, owner: int) -> None:
    """Remove the folder, unless this is a fork of the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class Lenient:
    """A cache of numba whose losses (a full disk, a damaged file) cost time alone."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def load_overload(self, *arguments: Any) -> Any:
        """The compiled code for a signature, or None."""
        try:
            return self._cache.load_overload(*arguments)
        except Exception:  # whatever unpickling a damaged file raises
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep compiled code if that is possible."""
        try:
            self._cache.save_overload(*arguments)
        except OSError as error:
            _say_unsaved(f"{error.strerror or error}")
        except Exception as error:  # of a damaged index, which is read before it is written
            _say_unsaved(f"{type(error).__name__}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


@functools.cache
def _say_unsaved(reason: str) -> None:
    warn(SAID.format(reason, "for this process alone"), RuntimeWarning)
