"""In ASE's idiom: a calculator whose model follows the atoms, and a database to select from.

Here the hoppings of a honeycomb lattice depend on the bond lengths; `model_from` can as well read Wannier90 files of
each structure.
"""

import warnings

import numpy as np
from ase import Atoms
from ase.db import connect

import ome_wannier as ome
from ome_wannier.plugins.ase import OMECalculator, row


def bonds(atoms: Atoms) -> ome.TightBinding:
    """Harrison's rule, -1 eV (1.45 Angstrom / d)^2 per bond, and a complex hopping around the hexagons."""
    around = 0.15 * np.diag(np.exp([0.25j * np.pi, -0.25j * np.pi]))
    R, H = [(0, 0, 0)], [np.diag([1.0, -1.0]).astype(complex)]
    apart = atoms.positions[1] - atoms.positions[0]
    for vector in [(0, 0, 0), (-1, 0, 0), (0, -1, 0)]:
        d = np.linalg.norm(apart + vector @ atoms.cell[:])
        bond = np.array([[0, -((1.45 / d) ** 2)], [0, 0]])
        if not any(vector):
            H[0] += bond + bond.T
            continue
        X = bond + (around.conj() if vector[0] else around)
        R += [vector, tuple(-x for x in vector)]
        H += [X, X.conj().T]
    R += [(-1, 1, 0), (1, -1, 0)]
    H += [around, around.conj()]
    return ome.TightBinding(atoms.cell[:], R, np.array(H), centres=atoms.positions, name="honeycomb")


warnings.filterwarnings("ignore", "Setting the shape", DeprecationWarning)  # ASE 3.29 with NumPy 2.5 copies atoms so
database = connect("strained.db", append=False)
for strain in (0.0, 0.02, 0.04):
    atoms = Atoms("BN", cell=[[2.5, 0, 0], [1.25, 2.165, 0], [0, 0, 10.0]], pbc=(True, True, False))
    atoms.set_scaled_positions([[1 / 3, 1 / 3, 0.5], [2 / 3, 2 / 3, 0.5]])
    atoms.set_cell(atoms.cell[:] * [1 + strain, 1, 1], scale_atoms=True)
    atoms.calc = OMECalculator(bonds, kmesh=(48, 48, 1), fermi=-0.3, calculators=["total"])
    alpha = atoms.calc.get_property("ome_total", atoms)  # (3, 3), [moment, field]; nan where there is no component
    print(f"strain {strain:4.0%}: alpha_zx = {alpha[2, 0]:9.2e}, alpha_zy = {alpha[2, 1]:9.2e} {atoms.calc.units['ome_total']}")
    pairs, data = row(atoms.calc.dataset)
    with database:
        database.write(atoms, key_value_pairs={"strain": strain, **pairs}, data=data)

with database:
    chosen = list(database.select("ome_total_max>1e-18", sort="-ome_total_max"))
for found in chosen:
    print(f"in the database: strain {found.strain:.0%}, largest component {found.ome_total_max:.2e}")
