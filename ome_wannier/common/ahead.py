"""Kernels that another process compiles while this one compiles those that it needs first: a fresh install is ready sooner."""

from __future__ import annotations

import atexit
import functools
import subprocess
import sys
from pathlib import Path

from . import helpers

#: run by the other process, which finds modules where this one does, and ends when its input does, whatever ended this one
PROGRAM = """
import os, pathlib, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
sys.path[:] = {}
from ome_wannier.common.machine_code import make
make(pathlib.Path({!r}))
os._exit(0)
"""


@functools.cache
def begin(folder: Path) -> subprocess.Popen[bytes] | None:
    """Have all kernels compiled into a folder, once, where this process may use more than one core; it ends with this one."""
    # a program that Python is built into would be started again
    if helpers.cores() < 2 or not Path(sys.executable or "").name.lower().startswith(("python", "pypy")):
        return None
    command = [sys.executable, "-P", "-c", PROGRAM.format(sys.path, str(folder))]
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
    except OSError:  # it only takes longer
        return None
    atexit.register(end, process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End the other process, whatever it is at."""
    process.kill()
    process.communicate()
