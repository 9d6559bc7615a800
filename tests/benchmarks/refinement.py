"""`rtol` beside WannierBerri's refinement: what each takes to come as near to the anomalous Hall conductivity.

True errors are differences from a fine mesh. Theirs starts from several meshes and takes several numbers of steps; what counts
is the least time in which it is as near as ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import wannierberri
from measure import Mesh, difference, seconds, table
from wannierberri.calculators import static as theirs
from wannierberri.smoother import FermiDiracSmoother
from wannierberri_models import in_ours, in_plane, static, tight_binding

import ome_wannier as ome
from ome_wannier import units

#: material: Fermi levels, temperature, the mesh of the true values, points each way that their refinement starts from
CASES = {
    "haldane": (np.linspace(0.2, 1.5, 27), 0.0, 3000, (24, 48, 96, 192)),
    "vse2": (np.linspace(-0.3, 0.1, 17), 300.0, 240, (24, 48)),
}
STEPS = (0, 4, 16, 64)
#: theirs at a temperature is a convolution over levels so far apart, in eV, out to so many k_B T
STEP, OUT = 0.0005, 8


def ours(model: ome.TightBinding, at: tuple[np.ndarray, float], mesh: Mesh | None, **settings: Any) -> np.ndarray:
    """On a mesh, or to a tolerance, at Fermi levels and a temperature."""
    levels, temperature = at
    settings |= {"temperature": temperature, "executor": ome.executors.Alone()}
    return in_plane(model, ome.compute(model, mesh, ["berry_curvature"], levels, **settings).berry_curvature)


def refined(model: ome.TightBinding, system: Any, at: tuple[np.ndarray, float], mesh: Mesh, steps: int) -> np.ndarray:
    """Theirs, in our unit."""
    levels, temperature = at
    grid = wannierberri.Grid(system, NK=list(mesh), use_symmetry=False)
    settings = {"use_irred_kpt": False, "symmetrize": False, "parallel": False, "adpt_num_iter": steps}
    every, smoother, inside = levels, None, slice(None)
    if temperature:
        beyond = round(OUT * units.KB * temperature / STEP)
        each = round((levels[1] - levels[0]) / STEP)
        n = each * (len(levels) - 1) + 2 * beyond + 1
        every = levels[0] + STEP * (np.arange(n) - beyond)
        smoother = FermiDiracSmoother(every, temperature, maxdE=OUT)
        inside = slice(beyond, n - beyond, each)
    result = wannierberri.run(system, grid, {"it": static(theirs.AHC, every, smoother=smoother)}, **settings).results["it"]
    per_length = -units.E2_OVER_HBAR * units.ANGSTROM ** (2 - model.dimension)
    return in_ours(model, result.dataSmooth[inside], "moment") / per_length


def tried(
    model: ome.TightBinding, at: tuple[np.ndarray, float], truth: np.ndarray, starts: tuple[int, ...]
) -> Iterator[tuple[float, float, str]]:
    """Seconds, true error, and what their refinement did."""
    system = ome.to_wannierberri(model)
    for n in starts:
        for steps in STEPS:
            taken, values = timed(partial(refined, model, system, at, (n, n, 1), steps))
            yield taken, difference(values, truth), f"{n} x {n}, {steps} steps"


def timed(work: Any) -> tuple[float, np.ndarray]:
    """Seconds, and what came out."""
    found = []
    taken = seconds(lambda: found.append(work()))
    return taken, found[0]


def section(small: bool) -> str:
    """Times at equal true error."""
    rows = []
    for name, (levels, temperature, fine, starts) in list(CASES.items())[: 1 if small else None]:
        model, at = ome.load(name) if name == "haldane" else tight_binding(name), (levels, temperature)
        same = ours(model, at, (24, 24, 1)), refined(model, ome.to_wannierberri(model), at, (24, 24, 1), 0)
        assert difference(*same) <= (2e-3 if temperature else 1e-9)  # a convolution over levels
        truth = ours(model, at, (fine, fine, 1))
        theirs = list(tried(model, at, truth, starts[: 1 if small else None]))
        for rtol in (3e-2, 1e-2, 3e-3):
            taken, values = min((timed(partial(ours, model, at, None, rtol=rtol)) for _ in range(3)), key=lambda x: x[0])
            error = difference(values, truth)
            assert error <= rtol
            longest, least, _ = max(theirs)
            enough = [(t, how) for t, e, how in theirs if e <= error]
            their, how = min(enough, default=(longest, f"as near as {least:.1e} only"))
            more = "" if enough else "> "
            times = [f"{taken:.2f}", f"{more}{their:.2f}", f"{more}{their / taken:.1f}"]
            rows.append([name, f"{rtol:g}", f"{error:.1e}", *times, how])
    return table(["material", "rtol", "true error", "s, ours", "theirs", "theirs / ours", "theirs from"], rows)
