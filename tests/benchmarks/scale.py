"""Many orbitals and many points: time per point at two sizes, and by how much memory grows, beside the budget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from measure import Mesh, table

import ome_wannier as ome

#: prints the processor seconds of two meshes, and the MiB by which the memory of the process is larger at its peak
PROCESS = """
import sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import ome_wannier as ome
from measure import half
from scale import CASES

def mebibytes(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

build, names, levels, temperature, budget, *meshes = CASES[int(sys.argv[1])]
model = build()
settings = {"temperature": temperature, "memory": budget * 2**20, "symmetry": "off", "executor": ome.executors.Alone()}
run = lambda mesh, shift: ome.compute(model, ome.KMesh(mesh, (shift, 0.0, 0.0)), names, levels, **settings)
run(half(meshes[0]), 0.0)  # compiles
Path("/proc/self/clear_refs").write_text("5")  # forget the peak
before = mebibytes("VmRSS")
for mesh, shift in zip(meshes, (0.1, 0.3)):  # points that it has not met
    start = time.process_time()
    run(mesh, shift)
    print(time.process_time() - start)
print(mebibytes("VmHWM") - before)
"""


def dense(n: int = 600) -> ome.TightBinding:
    """Random hoppings to the 26 cells around."""
    rng = np.random.default_rng(0)
    half = [R for R in np.ndindex(3, 3, 3) if R > (1, 1, 1)]
    R = np.concatenate([[[0, 0, 0]], np.array(half) - 1, 1 - np.array(half)])

    def some() -> np.ndarray:
        return (rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))) / np.sqrt(n)

    home, hoppings = some(), np.array([0.3 * some() for _ in half])
    H = np.concatenate([[home + home.conj().T], hoppings, np.conj(np.swapaxes(hoppings, 1, 2))])
    return ome.TightBinding(np.diag([10.0, 11.0, 12.0]), R, H, centres=rng.uniform(0, 10, (n, 3)))


#: model, calculators (None: the default ones), Fermi levels, temperature, MiB, and two meshes
Case = tuple[object, list[str] | None, np.ndarray, float, int, Mesh, Mesh]
CASES: list[Case] = [
    (lambda: ome.load("haldane"), ["total"], np.linspace(-1, 1, 201), 0.0, 256, (1000, 1000, 1), (3162, 3162, 1)),
    (dense, None, np.linspace(-0.5, 0.5, 201), 300.0, 1024, (2, 1, 1), (2, 2, 2)),
    (lambda: ome.load("tbg-atomistic", m=16), None, np.linspace(0.3, 0.9, 201), 300.0, 1024, (2, 2, 1), (3, 3, 1)),
]
WHAT = ["`haldane`, 2 orbitals, `total`", "600 orbitals, dense", "`tbg-atomistic -p m=16`, 3,268 orbitals, sparse"]


def section(small: bool) -> str:
    """A line for each case."""
    if not Path("/proc/self/clear_refs").exists():
        return table(["not measured", "needs Linux"], [])
    rows = []
    for i, (what, (*_, budget, less, more)) in enumerate(zip(WHAT, CASES, strict=True)):
        if small and i:
            continue
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{PROCESS}"
        done = subprocess.run([sys.executable, "-c", code, str(i)], check=True, stdout=subprocess.PIPE, text=True)
        first, second, grown = map(float, done.stdout.split())
        points = [int(np.prod(mesh)) for mesh in (less, more)]
        each = [f"{float(f'{1e3 * t / n:.3g}'):,g}" for t, n in zip((first, second), points, strict=True)]
        assert grown < budget
        rows.append([what, *(f"{n:,}" for n in points), *each, f"{grown:.0f}", budget])
    return table(["", "points", "and", "ms per point", "and", "MiB more", "of a budget of"], rows)
