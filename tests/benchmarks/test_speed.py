"""Time of compute() in units of the diagonalisation that it cannot do without; `make bench` runs it, nothing is asserted."""

from __future__ import annotations

import cProfile
import pstats
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import ome_wannier as ome

pytestmark = pytest.mark.benchmark

MESH = {"te": (24, 24, 24), "vse2": (96, 96, 1), "cr2o3": (6, 6, 6)}
LEVELS = {"te": (4.0, 8.0), "vse2": (-0.8, 0.3), "cr2o3": (7.0, 9.0)}
SETS = {
    "all": [n for n in ome.calculators.names() if n != "chern_simons" and not ome.calculators.needs_spin(n)],
    "default": ome.calculators.defaults(has_spin=False),
    "total+extrinsic": ["total", "extrinsic"],
    "interband": ["interband"],
}
#: functions of the package by what they are for, to say where the time goes
PARTS = {
    "Fourier sums": ("fourier.py",),
    "covariant derivatives": ("model.py",),
    "bands (rotations, products)": ("bands.py",),
    "calculators": ("calculators",),
    "histogram": ("occupation.py", "kernels.py"),
}


def eigh_time(model: ome.TightBinding, mesh: ome.KMesh) -> float:
    """Seconds per point of numpy's batched eigh of the same matrices, best of five."""
    H = model.matrices(mesh.points()[:2000], 0).H
    times = []
    with threadpool_limits(limits=1, user_api="blas"):
        for _ in range(5):
            start = time.perf_counter()
            np.linalg.eigh(H)
            times.append((time.perf_counter() - start) / len(H))
    return min(times)


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("name", MESH)
@pytest.mark.parametrize("which", SETS)
def test_compute(benchmark, name: str, which: str) -> None:
    model, mesh = ome.load(name), ome.KMesh(MESH[name])
    fermi = np.linspace(*LEVELS[name], 201)
    ome.compute(model, (2, 2, 1), SETS[which], fermi)  # compiles, and fills the model's caches
    result = benchmark.pedantic(ome.compute, (model, mesh, SETS[which], fermi), rounds=3)
    per_point, unit = benchmark.stats.stats.median / len(mesh), eigh_time(model, mesh)
    benchmark.extra_info |= {"us_per_k": per_point * 1e6, "eigh_us": unit * 1e6, "ratio_to_eigh": per_point / unit}
    ratio = f"{per_point / unit:.1f} times eigh ({unit * 1e6:.0f} us)"
    print(f"\n{name} {mesh.size} {which}: {per_point * 1e6:.0f} us per k, {ratio}")
    assert np.isfinite(result[next(iter(result.data_vars))]).all()


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
def test_where_the_time_goes() -> None:
    model, fermi = ome.load("te"), np.linspace(4.0, 8.0, 201)
    ome.compute(model, (2, 2, 2), SETS["all"], fermi)
    profile = cProfile.Profile()
    profile.runcall(ome.compute, model, (12, 12, 12), SETS["all"], fermi)
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
