"""Clocks, and what the machine is."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

Work = Callable[[], object]
Mesh = tuple[int, int, int]


def seconds(work: Work) -> float:
    """Processor time of this process, BLAS on one thread."""
    with threadpool_limits(limits=1, user_api="blas"):
        start = time.process_time()
        work()
        return time.process_time() - start


def in_turn(works: Sequence[Work], rounds: int, clock: Callable[[Work], float] = seconds) -> np.ndarray:
    """Times (rounds, works): each round does all of them, as the pace of a machine changes."""
    return np.array([[clock(work) for work in works] for _ in range(rounds)])


def median_ratio(times: np.ndarray, of: int, to: int) -> float:
    """Median over the rounds of the ratio of two columns of `in_turn`."""
    return float(np.median(times[:, of] / times[:, to]))


def per_point(run: Callable[[Mesh], object], mesh: Mesh) -> float:
    """Seconds per k point of run(mesh), less what does not grow with the mesh: that of one of half the points each way."""
    small = half(mesh)
    more = int(np.prod(mesh) - np.prod(small))
    return (seconds(lambda: run(mesh)) - seconds(lambda: run(small))) / more


def half(mesh: Mesh) -> Mesh:
    """The mesh of half as many points each way."""
    return tuple(max(n // 2, 1) for n in mesh)  # type: ignore[return-value]


def difference(ours: np.ndarray, theirs: np.ndarray, where: np.ndarray | slice = slice(None)) -> float:
    """Largest difference of some rows relative to the largest number of theirs, which is not zero."""
    size = np.abs(theirs).max()
    assert size > 0
    return float(np.abs(ours - theirs)[where].max() / size)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(x) for x in line) + " |" for line in lines)


def machine() -> str:
    """Processor, cores that this process may use, memory, system, versions; and how busy it is with other things."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    codes = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "wannierberri", "pythtb"))
    busy = os.getloadavg()[0]
    return (
        f"{names[0] if names else platform.processor()}, {cores} cores, {memory:.0f} GiB; {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {codes}. One thread of BLAS. When the run began {busy:.1f} "
        "processes were running besides."
    )
