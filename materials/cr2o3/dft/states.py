"""GPAW: the density of Cr2O3 from 3 x 3 x 3 points, then the lowest states of a whole mesh, by one full diagonalisation each.

R-3c, experimental structure; PBE without U, collinear moments + - + - along [111].
"""

from pathlib import Path

import numpy as np
from ase.spacegroup import crystal
from gpaw import GPAW, PW, FermiDirac

#: eV
CUTOFF = 400


def atoms():
    cell = [4.959, 4.959, 13.594, 90, 90, 120]
    found = crystal(["Cr", "O"], [(0, 0, 0.3475), (0.3058, 0, 0.25)], spacegroup=167, cellpar=cell, primitive_cell=True)
    height, moments = (found.positions[:, 2] / cell[2]) % 1, np.zeros(len(found))
    chromium = [i for i, symbol in enumerate(found.symbols) if symbol == "Cr"]
    for place, i in enumerate(sorted(chromium, key=lambda i: height[i])):
        moments[i] = 3.0 * (-1) ** place
    found.set_initial_magnetic_moments(moments)
    return found


def density(chromium: str) -> Path:
    """chromium : GPAW's setup, "paw" (3d, 4s) or "14" (3s and 3p too)."""
    target = Path(f"density_{chromium}.gpw")
    if not target.exists():
        found = atoms()
        found.calc = GPAW(
            mode=PW(CUTOFF),
            xc="PBE",
            setups={"Cr": chromium},
            kpts={"size": (3, 3, 3), "gamma": True},
            occupations=FermiDirac(0.02),
            convergence={"density": 1e-5},
            txt=f"density_{chromium}.txt",
        )
        found.get_potential_energy()
        found.calc.write(target)
    return target


def states(start: Path, mesh: int, bands: int, target: Path) -> None:
    """All states of the lowest `bands` per spin on mesh^3 points."""
    calculation = GPAW(start, txt=None).fixed_density(
        kpts={"size": (mesh,) * 3, "gamma": True},
        symmetry="off",
        nbands=-4,
        convergence={"eigenstates": 1e3, "bands": "occupied"},
        txt=target.with_suffix(".txt"),
    )
    calculation.diagonalize_full_hamiltonian(nbands=bands)
    calculation.write(target, mode="all")
