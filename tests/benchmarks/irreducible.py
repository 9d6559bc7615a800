"""One of each star of points in both codes: the same numbers as from all points, and what they save.

Tellurium, symmetrised, each Wannier function at its atom: 32 with time reversal, twelve operations.
"""

from __future__ import annotations

import numpy as np
import wannierberri
from measure import difference, in_turn, median_ratio, table
from wannierberri.calculators import static as theirs
from wannierberri.symmetry.point_symmetry import Rotation, TimeReversal
from wannierberri_models import ADDED, CASES, DEGENERATE, TAU, kinetic, static, with_added

import ome_wannier as ome


def tellurium() -> tuple[ome.TightBinding, list[object]]:
    """The model, and what generates its point group: the axis of each two-fold rotation passes through an atom."""
    model = ome.symmetrize(ome.load("te")).model
    atoms = np.array(model.structure.positions)
    away = (np.array(model.wannier_centres) @ np.linalg.inv(model.lattice))[:, None] - atoms
    atom = np.linalg.norm((away - np.rint(away)) @ model.lattice, axis=2).argmin(axis=1)
    which = np.arange(len(atom)), atom
    centres = (atoms[atom] + np.rint(away[which])) @ model.lattice
    axis = atoms[0] @ model.lattice
    generators = [Rotation(3, axis=[0, 0, 1]), Rotation(2, axis=axis), TimeReversal]
    at_atoms = ome.TightBinding(
        model.lattice, model.R, model.hamiltonian, centres=centres, structure=model.structure, name="te, atoms"
    )
    return at_atoms, generators


def section(small: bool) -> str:
    """Times with and without symmetry, in both codes."""
    model, generators = tellurium()
    mesh = (6, 6, 6) if small else (24, 24, 24)
    levels = np.linspace(*CASES["te"][1], 201)
    system = ome.to_wannierberri(model)
    system.set_pointgroup(symmetry_gen=generators)
    numbers, points = {}, {}

    def ours(symmetry: str) -> None:
        result = ome.compute(
            model, mesh, ["extrinsic", *ADDED], levels[::2], temperature=0.0, tau=TAU, symmetry=symmetry,
            degeneracy_tol=DEGENERATE, executor=ome.executors.Alone(),
        )  # fmt: skip
        who = f"ours, {symmetry}"
        numbers[who], points[who] = with_added(model, result, levels[::2]), result.attrs["irreducible_points"]

    def their(symmetry: bool) -> None:
        grid = wannierberri.Grid(system, NK=list(mesh), use_symmetry=symmetry)
        calculator = static(theirs.GME_orb_FermiSurf, levels, degen_thresh=DEGENERATE)
        settings = {"use_irred_kpt": symmetry, "symmetrize": symmetry, "parallel": False}
        data = wannierberri.run(system, grid, {"it": calculator}, **settings).results["it"].data
        who = f"WannierBerri, {'symmetry' if symmetry else 'off'}"
        numbers[who] = kinetic(model, data)[::2]
        points[who] = len(grid.get_K_list(use_symmetry=symmetry)) * int(np.prod(grid.FFT))

    ours("auto")  # compiles
    numbers.clear()
    works = [lambda: ours("off"), lambda: ours("auto"), lambda: their(False), lambda: their(True)]
    times = in_turn(works, 1 if small else 3)
    reference = numbers["WannierBerri, off"]
    rows = []
    for i, who in enumerate(numbers):
        off = difference(numbers[who], reference)
        assert off <= 1e-9, (who, off)
        saved = median_ratio(times, i // 2 * 2, i)
        rows.append([who, points[who], f"{np.median(times[:, i]):.2f}", f"{saved:.1f}", f"{off:.0e}"])
    return table(["symmetry", "points", "s", "times faster than all points", "numbers differ by"], rows)
