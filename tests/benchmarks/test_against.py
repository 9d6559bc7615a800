"""Processor time against WannierBerri and postw90: the same model, mesh, Fermi levels and core; `make bench` prints the table.

WannierBerri's kinetic response needs files that a model does not come with, so the models are taken with diagonal positions,
where its internal terms are the whole. Numbers are compared before times are: its moment refers to the Fermi level instead of
the level of the band, which adds the curvature times their distance inside a box (see test_wannierberri). postw90 reads the
files that test_postw90 makes from a model; its time is that of a mesh less that of a small one, without its start-up.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.traces import velocity_weighted_product
from ome_wannier.calculators import Observable
from ome_wannier.calculators.weights import stack_tensor

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]

TAU, ROUNDS = 10.0, 5
#: eV, levels closer than this are one in both codes: our default for models with diagonal positions
DEGENERATE = 1e-5
#: mesh, and ranges of Fermi levels: over all bands, and 1 eV
CASES = {
    "te": ((10, 10, 10), (-8.0, 12.0), (5.6, 6.6)),
    "vse2": ((40, 40, 1), (-8.0, 6.0), (-0.8, 0.2)),
    "cumnas": ((6, 6, 4), (-12.0, 20.0), (8.2, 9.2)),
    "cr2o3": ((4, 4, 4), (-20.0, 20.0), (7.7, 8.7)),
}


def tight_binding(name):
    """The library's Hamiltonian with its Wannier centres for positions."""
    model = ome.load(name)
    return ome.TightBinding(
        model.lattice, model.R, model.hamiltonian, centres=model.wannier_centres, periodic=model.periodic, name=name
    )


def seconds(work, rounds=ROUNDS):
    """Median processor time."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def moving_curvature(bands):
    R = bands.connection
    return stack_tensor(bands, lambda m, n, b: velocity_weighted_product(bands, b, 2j * R(m), R(n)))


def energy_times_moving_curvature(bands):
    return bands.energies[:, :, None, None] * moving_curvature(bands)


ADDED = [
    Observable(f.__name__, "", "extrinsic", "surface", 1, -1, "", "", f)
    for f in (moving_curvature, energy_times_moving_curvature)
]


def clear(model, mesh, levels):
    """Levels in whose boxes no two bands are just farther apart than DEGENERATE, where rounding grows as its inverse powers.

    Of Cr2O3, whose pairs are split by some ten micro-eV, a tenth of the levels: 1e-7 there, 4e-11 on all others.
    """
    e = np.linalg.eigvalsh(model.matrices(ome.KMesh(mesh).points(), 0).H)
    spacing = np.diff(e, axis=1)
    at = ((e[:, 1:] + e[:, :-1]) / 2)[(spacing > DEGENERATE) & (spacing < 5 * DEGENERATE)]
    return np.array([(np.abs(at - level) > (levels[1] - levels[0]) / 2 + DEGENERATE * 5).all() for level in levels])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("window", ["all bands", "1 eV"])
def test_wannierberri(name, window, tmp_path, monkeypatch, capfd):
    wannierberri = pytest.importorskip("wannierberri")
    from wannierberri.calculators import static

    monkeypatch.chdir(tmp_path)
    model = tight_binding(name)
    mesh, wide, narrow = CASES[name]
    levels = np.linspace(*(wide if window == "all bands" else narrow), 201)
    system = ome.to_wannierberri(model)

    def theirs(kind, size):
        calculator = kind(Efermi=levels, degen_thresh=DEGENERATE, kwargs_formula={"external_terms": False})
        calculator.save_mode = "bin"
        grid = wannierberri.Grid(system, NKdiv=1, NKFFT=list(size), use_symmetry=False)
        return (
            wannierberri.run(system, grid, {"it": calculator}, use_irred_kpt=False, symmetrize=False, parallel=False)
            .results["it"]
            .data
        )

    def ours(size):
        return ome.compute(model, size, ["total", "extrinsic"], levels, temperature=0.0, tau=TAU, symmetry="off")

    def per_point(work):
        """Milliseconds, less what does not grow with the mesh."""
        small = tuple(max(n // 2, 1) for n in mesh)
        difference = seconds(lambda: work(mesh), 1) - seconds(lambda: work(small), 1)
        return 1e3 * difference / (np.prod(mesh) - np.prod(small))

    # every second level, whose box is theirs
    mine = ome.compute(model, mesh, ["extrinsic", *ADDED], levels[::2], temperature=0.0, tau=TAU, symmetry="off")
    added = mine.energy_times_moving_curvature.values - levels[::2, None, None] * mine.moving_curvature.values
    height = abs(np.linalg.det(model.lattice)) / model.cell * units.ANGSTROM if model.dimension == 2 else 1.0
    K = np.swapaxes(theirs(static.GME_orb_FermiSurf, mesh), 1, 2)[::2][:, list(model.moments)][:, :, list(model.axes)]
    expected = -K * TAU / units.HBAR_EV_FS * height
    use = clear(model, mesh, levels[::2])
    close = np.abs(mine.extrinsic.values + added - expected)[use]
    assert close.max() <= 1e-9 * np.abs(expected).max()

    works = [ours, *(lambda size, kind=kind: theirs(kind, size) for kind in (static.GME_orb_FermiSurf, static.AHC))]
    ours(mesh)  # compiles
    times = np.array([[per_point(work) for work in works] for _ in range(ROUNDS)])  # in turn, for the machine's pace changes
    (we, surface, hall), ratio = np.median(times, axis=0), np.median(times / times[:, :1], axis=0)
    sea = per_point(lambda size: theirs(static.GME_orb_FermiSea, size))
    with capfd.disabled():
        print(
            f"\n{name:7s} {window:9s} total + extrinsic {we:8.3f} ms per k; WannierBerri GME_orb_FermiSurf {surface:8.3f} "
            f"({ratio[1]:5.1f} x), GME_orb_FermiSea {sea:8.3f} ({sea / we:5.1f} x), AHC {hall:8.3f} ({ratio[2]:5.1f} x); "
            f"numbers equal at {use.sum()} of {len(use)} levels, the others not compared"
        )


@pytest.mark.skipif(
    not (shutil.which("postw90.x") and shutil.which("wannier90.x")), reason="postw90.x is not installed (Debian: wannier90)"
)
def test_postw90(tmp_path, capfd):
    sys.path.insert(0, str(Path(__file__).parents[1] / "physics" / "other_codes"))
    import test_postw90 as files

    model, levels = ome.load("te"), np.linspace(5.6, 6.6, 201)
    size = (4, 4, 4)
    files.gyrotropic(tmp_path, model, size, levels)  # makes the files
    text = (tmp_path / "model.win").read_text()

    def postw90(n):
        (tmp_path / "model.win").write_text(text.replace("gyrotropic_kmesh = 4 4 4", f"gyrotropic_kmesh = {n} {n} {n}"))
        command = ["/usr/bin/env", "bash", "-c", "time -p postw90.x model"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        return float(done.stderr.split("user")[1].split()[0])

    theirs = (statistics.median(postw90(14) for _ in range(ROUNDS)) - postw90(4)) / (14**3 - 4**3) * 1e3
    we = seconds(lambda: ome.compute(model, (14, 14, 14), ["extrinsic"], levels, symmetry="off")) / 14**3 * 1e3
    both = seconds(lambda: ome.compute(model, (14, 14, 14), ["total", "extrinsic"], levels, symmetry="off")) / 14**3 * 1e3
    with capfd.disabled():
        print(
            f"\nte      1 eV      extrinsic {we:8.3f} ms per k, total + extrinsic {both:8.3f}; postw90 K {theirs:8.3f} "
            f"({theirs / we:5.1f} x, {theirs / both:5.1f} x)"
        )
