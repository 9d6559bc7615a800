"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, and give it that name only when it is complete.

    A file that was there before stays as it was until then, and if `write` fails or is interrupted.

    Raises
    ------
    OSError : the file cannot be written; it carries the name of the file, not that of the temporary one.
    """
    target = Path(path)
    try:
        target.is_dir()  # a name that is too long is so before it is shortened
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise
