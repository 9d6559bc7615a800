"""The machine code of all kernels: that a wheel brings when it is made, and what a first run has made beside it (`ahead`)."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from . import compiled_cache
from .kernels import KERNELS
from .object_code import FOLDER, MODULES, Level, level_folder, levels


def make_all(root: Path) -> None:
    """For every kind of processor, into folders in `root`: processes of their own, for numba is told of one when it starts."""
    for level in levels():
        place = root / level_folder(level).relative_to(FOLDER)
        command = [sys.executable, "-m", "ome_wannier.common.machine_code", str(place)]
        subprocess.run(command, check=True, env=told(level))


def told(level: Level) -> Mapping[str, str]:
    """The environment of a process in which numba compiles for a kind of processor."""
    return {**os.environ, "NUMBA_CPU_NAME": level.name, "NUMBA_CPU_FEATURES": ""}


def make(place: Path) -> None:
    """All that is not in a folder, module by module, for the processor that numba was told of."""
    from . import jit

    place.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        importlib.import_module(f"ome_wannier.{module}")
    for module, (name, kernel) in itertools.product(MODULES, reversed(KERNELS.items())):
        if name.startswith(module.replace(".", "_")) and not (place / name).exists():
            compiled_cache.write(place / name, jit.object_code(kernel))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
