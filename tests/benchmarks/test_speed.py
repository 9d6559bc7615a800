"""Time of compute() in units of the diagonalisation that it cannot do without; `make bench` runs it, nothing is asserted."""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
import time
from statistics import median

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import ome_wannier as ome

pytestmark = pytest.mark.benchmark

MESH = {"te": (12, 12, 12), "vse2": (48, 48, 1), "cumnas": (6, 6, 12), "cr2o3": (4, 4, 12)}
#: Fermi levels over all bands; of 1 eV; in a gap
WINDOWS = {
    "te": {"all bands": (-8.0, 12.0), "1 eV": (5.6, 6.6)},
    "vse2": {"all bands": (-8.0, 6.0), "1 eV": (-0.8, 0.2), "gap": (-0.42, -0.14)},
    "cumnas": {"all bands": (-12.0, 20.0), "1 eV": (8.2, 9.2)},
    "cr2o3": {"all bands": (-20.0, 20.0), "1 eV": (7.7, 8.7), "gap": (8.0, 8.4)},
}
SETS = {
    "total+extrinsic": ["total", "extrinsic"],
    "default": ome.calculators.defaults(has_spin=False),
    "all": [n for n in ome.calculators.names() if n != "chern_simons" and not ome.calculators.needs_spin(n)],
}
ROUNDS = 5
#: functions of the package by what they are for, to say where the time goes
PARTS = {
    "Fourier sums": ("fourier.py",),
    "covariant derivatives": ("model.py",),
    "bands (rotations, products)": ("bands.py",),
    "calculators": ("calculators",),
    "compiled loops": ("kernels.py", "crossgap.py"),
    "histogram": ("occupation.py",),
}


def seconds(work) -> float:
    """Processor time."""
    start = time.process_time()
    with threadpool_limits(limits=1, user_api="blas"):
        work()
    return time.process_time() - start


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize(("name", "window"), [(n, w) for n in MESH for w in WINDOWS[n]])
@pytest.mark.parametrize("which", SETS)
def test_compute(capfd, name: str, window: str, which: str) -> None:
    """compute() at T = 0 on all points of a mesh, in turn with numpy's batched eigh of the same matrices: the median ratio.

    What does not grow with the number of points (symmetries, the histograms) is taken out with a smaller mesh.
    """
    model, mesh = ome.load(name), ome.KMesh(MESH[name])
    small = ome.KMesh(tuple(max(n // 2, 1) for n in MESH[name]))
    fermi = np.linspace(*WINDOWS[name][window], 201)
    H = model.matrices(mesh.points()[:500], 0).H
    settings = {"temperature": 0.0, "symmetry": "off"}

    def run(points: ome.KMesh) -> float:
        return seconds(lambda: ome.compute(model, points, SETS[which], fermi, **settings))

    run(small)  # compiles, and fills the model's caches
    ratios, times = [], []
    for _ in range(ROUNDS):
        unit = seconds(lambda: np.linalg.eigh(H)) / len(H)
        times.append((run(mesh) - run(small)) / (len(mesh) - len(small)))
        ratios.append(times[-1] / ((unit + seconds(lambda: np.linalg.eigh(H)) / len(H)) / 2))
    with capfd.disabled():
        print(f"\n{name:7s} {window:9s} {which:16s} {median(times) * 1e6:7.0f} us per k, {median(ratios):5.2f} times eigh")
    assert median(ratios) > 1


def test_two_bands(capfd) -> None:
    """Points per second of `total` for two bands."""
    model, fermi = ome.load("haldane"), np.linspace(-1.0, 1.0, 201)
    ome.compute(model, (64, 64, 1), ["total"], fermi, symmetry="off")
    size = (1024, 1024, 1)
    rates = [1024**2 / seconds(lambda: ome.compute(model, size, ["total"], fermi, symmetry="off")) for _ in range(ROUNDS)]
    with capfd.disabled():
        print(f"\nhaldane total: {median(rates):.0f} points per second of processor time")
    assert min(rates) > 0


@pytest.mark.parametrize("n", [24, 48])
def test_many_levels(capfd, n: int) -> None:
    """1000 Fermi levels and five temperatures against one of each; a fixed part of it does not grow with the mesh."""
    model = ome.load("te")
    fermi, temperature = np.linspace(5.6, 6.6, 1000), [50.0, 100.0, 200.0, 300.0, 400.0]

    def many() -> None:
        ome.compute(model, (n, n, n), ["total", "extrinsic"], fermi, temperature=temperature, symmetry="off")

    def one() -> None:
        ome.compute(model, (n, n, n), ["total", "extrinsic"], 6.1, temperature=400.0, symmetry="off")

    one()
    ratios = [seconds(many) / seconds(one) for _ in range(3)]
    with capfd.disabled():
        print(f"\nte {n}^3, 1000 levels x 5 temperatures: {median(ratios):.2f} times one level and temperature")
    assert min(ratios) > 0


MANY_POINTS = """
import resource, sys, time
import numpy as np
import ome_wannier as ome
model, n = ome.load("haldane"), int(sys.argv[1])
ome.compute(model, (16, 16, 1), ["total"], [0.0, 0.1], symmetry="off")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = time.process_time()
ome.compute(model, (n, n, 1), ["total"], np.linspace(-1, 1, 201), memory=2**28, symmetry="off")
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""


def test_ten_million_points(capfd) -> None:
    """Memory beyond that of the imports stays in the budget, and time grows with the number of points."""
    rows = {}
    for n in (1000, 3162):
        command = [sys.executable, "-W", "ignore", "-c", MANY_POINTS, str(n)]
        rows[n] = [float(x) for x in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]
        with capfd.disabled():
            print(f"\nhaldane {n}^2: {rows[n][0]:.1f} s, {rows[n][1] / 2**20:.0f} MiB of a budget of 256 MiB")
    assert rows[3162][1] < 2**28


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
def test_where_the_time_goes() -> None:
    model, fermi = ome.load("te"), np.linspace(4.0, 8.0, 201)
    ome.compute(model, (2, 2, 2), SETS["all"], fermi)
    profile = cProfile.Profile()
    profile.runcall(ome.compute, model, (12, 12, 12), SETS["all"], fermi, symmetry="off")
    rows = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(row[2] for row in rows.values())
    shares = {part: 0.0 for part in PARTS} | {"eigh": 0.0}
    for (file, _, function), row in rows.items():
        for part, names in PARTS.items():
            if "ome_wannier" in file and any(name in file for name in names):
                shares[part] += row[2]
        if function == "eigh":
            shares["eigh"] += row[2]
    print("\nTe, all calculators, share of the time (own code; the rest is numpy called from it):")
    for part, seconds in shares.items():
        print(f"  {part:28s} {100 * seconds / total:5.1f}%")
    assert 0 < sum(shares.values()) <= total * 1.001
