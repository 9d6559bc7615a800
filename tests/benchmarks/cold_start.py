"""The first run after installing, and the second one: from a wheel, and where kernels are compiled on the spot."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from measure import table

ROOT = Path(__file__).resolve().parents[2]
RUN = ["-m", "ome_wannier", "run", "vse2", "--kmesh", "24", "24", "1", "--workers", "1"]
CALCULATORS = {
    "default": [],
    "total,extrinsic": ["--calculators", "total,extrinsic"],
    "extrinsic": ["--calculators", "extrinsic"],
}


def wheel(folder: Path) -> Path:
    """The package as a wheel installs it."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (made,) = folder.glob("ome_wannier-*.whl")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def seconds(package: Path, cache: Path, calculators: list[str]) -> tuple[float, float]:
    """Processor and wall time of a run in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(package), "NUMBA_CACHE_DIR": str(cache)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-W", "ignore", *RUN, *calculators]
    subprocess.run(command, env=env, cwd=cache.parent, check=True, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def section(small: bool) -> str:
    """Times of both runs."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = (
            {"sources, compiled on the spot": ROOT}
            if small
            else {"wheel": wheel(folder), "sources, compiled on the spot": ROOT}
        )
        for how, package in packages.items():
            for i, (which, calculators) in enumerate(CALCULATORS.items()):
                if small and which != "extrinsic":
                    continue
                cache = folder / f"{package.name}-{i}"
                first, second = (seconds(package, cache, calculators) for _ in range(2))
                rows.append([how, which, *(f"{x:.1f}" for pair in (first, second) for x in pair)])
    return table(
        [
            "installed from",
            "calculators",
            "first run, s of processor",
            "s on the clock",
            "second, s of processor",
            "s on the clock",
        ],
        rows,
    )
