"""Kernels that another process compiles while this one compiles those that it needs first: a fresh install is ready sooner."""

from __future__ import annotations

import atexit
import functools
import subprocess
import sys
from pathlib import Path

from . import helpers

#: run by the other process, which finds modules where this one does
PROGRAM = (
    "import sys; sys.path[:] = {}; import pathlib; from ome_wannier.common.machine_code import make; make(pathlib.Path({!r}))"
)


@functools.cache
def begin(folder: Path) -> subprocess.Popen[bytes] | None:
    """Have all kernels compiled into a folder, once, where this process may use more than one core; it ends with this one."""
    if helpers.cores() < 2 or not sys.executable:
        return None
    command = [sys.executable, "-P", "-c", PROGRAM.format(sys.path, str(folder))]
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    except OSError:  # it only takes longer
        return None
    atexit.register(end, process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End the other process, whatever it is at."""
    process.kill()
    process.wait()
