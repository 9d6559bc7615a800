"""Points per second by number of bands, and time in units of numpy's eigh of the same matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from measure import Mesh, half, in_turn, per_point, seconds, table

import ome_wannier as ome

#: mesh, and a range of Fermi levels of 1 eV (two bands: of the whole)
RATES: dict[str, tuple[Mesh, tuple[float, float]]] = {
    "haldane": ((700, 700, 1), (-1.0, 1.0)),
    "stacked-honeycomb": ((80, 80, 80), (-1.0, 1.0)),
    "kane-mele": ((300, 300, 1), (-1.0, 1.0)),
    "te": ((24, 24, 24), (5.6, 6.6)),
    "vse2": ((80, 80, 1), (-0.8, 0.2)),
    "cumnas": ((10, 10, 8), (8.2, 9.2)),
    "cr2o3": ((8, 8, 6), (7.7, 8.7)),
}
SETS = {"total": ["total"], "total + extrinsic": ["total", "extrinsic"], "default": ome.calculators.defaults(has_spin=False)}
#: bands from which on the diagonalisation is what counts
MANY = 18


def clocks(name: str, mesh: Mesh, window: tuple[float, float]) -> list[Callable[[], float]]:
    """Seconds per point of eigh, and of each set of calculators; of few bands of `total` alone."""
    model, levels = ome.load(name), np.linspace(*window, 201)
    H = model.matrices(ome.KMesh(mesh).points()[:500], 0).H
    settings = {"temperature": 0.0, "symmetry": "off", "executor": ome.executors.Alone()}

    def eigh() -> float:
        return seconds(lambda: np.linalg.eigh(H)) / len(H)

    def ours(names: list[str]) -> float:
        return per_point(lambda size: ome.compute(model, size, names, levels, **settings), mesh)

    sets = SETS.values() if model.n_orbitals >= MANY else [SETS["total"]]
    return [eigh, *(partial(ours, names) for names in sets)]


def section(small: bool) -> str:
    """A line for each model."""
    rows = []
    for name, (mesh, window) in RATES.items():
        works = clocks(name, half(mesh) if small else mesh, window)
        in_turn(works, 1, clock=lambda work: work())  # compiles
        times = in_turn(works, 1 if small else 3, clock=lambda work: work())
        ratios = np.median(times / times[:, :1], axis=0)[1:]
        units = [f"{x:.1f}" for x in ratios] if len(works) > 2 else [""] * len(SETS)
        rate = float(f"{1 / np.median(times[:, 1]):.3g}")
        rows.append([name, ome.load(name).n_orbitals, f"{rate:,.0f}", *units])
    return table(["model", "bands", "points per second, `total`", *(f"{s}, in eigh" for s in SETS)], rows)
