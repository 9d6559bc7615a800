"""ASE: atoms there and back, its Wannier functions, the calculator, and rows of a database."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import get_calculator_class
from ase.db import connect
from ase.dft.wannier import Wannier
from toys import TOYS, two_band

import ome_wannier as ome
from ome_wannier.adapters import ase as adapter
from ome_wannier.errors import AccuracyWarning, ModelError, SettingsError
from ome_wannier.plugins.ase import OMECalculator, row

#: ASE 3.29 with NumPy 2.5
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")


def test_atoms_there_and_back():
    lattice = TOYS["metal_3d"].model.lattice
    there = Atoms("BN", scaled_positions=[[0, 0, 0], [1.25, 0.5, -0.1]], cell=lattice, pbc=True)
    model = replace(TOYS["metal_3d"].model, structure=adapter.structure(there))
    back = adapter.atoms(model)
    np.testing.assert_allclose(back.positions, there.positions, atol=1e-12)
    assert back.get_chemical_symbols() == ["B", "N"]
    assert tuple(back.pbc) == model.periodic
    with pytest.raises(ModelError, match="does not know its atoms"):
        adapter.atoms(TOYS["metal_3d"].model)


class FreeElectrons:
    """What ASE's Wannier asks of a calculator: a chain of two orbitals, at 0.2 and 0.7 of the cell."""

    places = np.array([0.2, 0.7])

    def __init__(self, n):
        self.k = (np.arange(n) - (n - 1) // 2) / n
        self.n, self.atoms = n, Atoms("H2", cell=[3.0, 8.0, 8.0], positions=[[0.6, 0, 0], [2.1, 0, 0]], pbc=True)
        self.solved = [np.linalg.eigh(self.hamiltonian(k)) for k in self.k]

    @staticmethod
    def hamiltonian(k):
        """H(k), R without positions in the phase."""
        z = np.exp(2j * np.pi * k)
        off = 0.8 + (0.3 + 0.2j) * z.conj()
        return np.array([[0.5 + 0.4 * np.cos(2 * np.pi * k), off], [np.conj(off), -0.5]])

    def get_bz_k_points(self):
        return np.stack([self.k, 0 * self.k, 0 * self.k], axis=1)

    get_ibz_k_points = get_bz_k_points

    def get_number_of_spins(self):
        return 1

    def get_number_of_bands(self):
        return 2

    def get_eigenvalues(self, kpt=0, spin=0):
        return self.solved[kpt][0]

    def get_fermi_level(self):
        return 0.0

    def get_homo_lumo(self):
        return -0.1, 0.1

    def get_atoms(self):
        return self.atoms

    def get_wannier_localization_matrix(self, nbands, dirG, kpoint, nextkpoint, G_I, spin):
        """<psi_k| exp(2 pi i x / n) |psi_k'> of point-like orbitals at x, psi_k = sum_R exp(i k R) |R>, as from GPAW."""
        shift = np.exp(2j * np.pi * dirG[0] * self.places / self.n)
        return self.solved[kpoint][1].conj().T @ np.diag(shift) @ self.solved[nextkpoint][1]

    def initial(self):
        """Rotation of the Bloch states to the orbitals."""
        return np.array([U.conj().T for _, U in self.solved])


class WannierLike:
    """ASE's interface with a Hamiltonian that is known: hoppings folded to the grid, centres anywhere in the supercell."""

    def __init__(self, model, grid, n_spins=1):
        self.model, self.kptgrid, self.unitcell_cc = model, np.array(grid), model.lattice
        self.atoms = Atoms("H", cell=model.lattice, pbc=True)
        self.calc = type("Calc", (), {"get_number_of_spins": lambda _: n_spins})()

    def get_hopping(self, R):
        same = ((self.model.R + np.array(R)) % self.kptgrid == 0).all(axis=1)  # -R: see the adapter
        return self.model.hamiltonian[same].sum(axis=0)

    def get_centers(self):
        return (self.model.wannier_centres @ np.linalg.inv(self.model.lattice) % self.kptgrid) @ self.model.lattice


WannierLike.__module__ = "ase.dft.wannier"


@pytest.mark.parametrize("grid", [(7, 8, 1), (3, 4, 1)])
def test_wannier_bands_at_the_grid(grid):
    """The bands at the grid's k points are exact for any grid, the Hamiltonian elsewhere for one that holds all hoppings."""
    model = TOYS["metal_2d"].model
    with pytest.warns(AccuracyWarning, match="no position matrix elements"):
        mine = adapter.load(WannierLike(model, grid))
    k = np.stack(np.meshgrid(*(np.arange(n) / n for n in grid), indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(mine.matrices(k, 0).H), np.linalg.eigvalsh(model.matrices(k, 0).H), atol=1e-12
    )
    assert mine.periodic == (True, True, False)
    assert mine.spin_degeneracy == 2
    if grid[0] > 4:
        k = k + np.array([0.03, 0.05, 0])
        np.testing.assert_allclose(
            np.linalg.eigvalsh(mine.matrices(k, 0).H), np.linalg.eigvalsh(model.matrices(k, 0).H), atol=1e-12
        )


def test_ase_wannier_itself():
    """ASE's class on a chain of two orbitals: bands between the k points, sign of k included, and centres."""
    calc = FreeElectrons(8)
    wannier = Wannier(nwannier=2, calc=calc, fixedstates=2, initialwannier="bloch")
    wannier.wannier_state.U_kww[:] = calc.initial()
    wannier.update()
    with pytest.warns(AccuracyWarning):
        model = adapter.load(wannier)
    assert adapter.recognises(wannier)
    k = np.array([0.07, 0.31, -0.18])
    ours = np.linalg.eigvalsh(model.matrices(np.stack([k, 0 * k, 0 * k], axis=1), 0).H)
    np.testing.assert_allclose(ours, [np.linalg.eigvalsh(calc.hamiltonian(x)) for x in k], atol=1e-10)
    before = wannier.get_centers()[1, 0], wannier.get_hopping([-2, 0, 0]), wannier.get_hopping([0, 0, 0])
    wannier.translate(1, (2, 0, 0))
    assert (wannier.get_centers()[1, 0] - before[0]) % 24.0 == pytest.approx(6.0)  # in ASE itself: moved by +2 cells,
    assert wannier.get_hopping([2, 0, 0])[0, 1] == pytest.approx(before[2][0, 1])  # <0|H|R> should be at R = -2 then
    apart = (model.wannier_centres[:, 0] - 3.0 * calc.places) / 3.0
    np.testing.assert_allclose(apart, np.round(apart), atol=1e-8)
    assert model.periodic == (True, False, False)
    assert model.spin_degeneracy == 2


def tilted(atoms):
    """A model whose tilt depends on where the second atom is."""
    return two_band(0.1 * atoms.positions[1, 0])


@pytest.fixture
def atoms():
    return Atoms("BN", positions=[[0.1, 0.2, 0.0], [1.1, 0.9, 0.0]], cell=two_band().lattice, pbc=(True, True, False))


def test_calculator_follows_the_atoms(atoms):
    atoms.calc = OMECalculator(tilted, kmesh=(6, 6, 1), fermi=-1.4)
    found = []
    for _ in range(2):
        want = ome.compute(tilted(atoms), (6, 6, 1), ["total"], fermi=-1.4)
        got = atoms.calc.get_property("ome_total", atoms)
        found.append(got)
        assert got.shape == (3, 3)
        np.testing.assert_allclose(got, want["total"].values[0], rtol=1e-12, atol=1e-30)
        atoms.positions[1, 0] += 0.1
    assert not np.array_equal(found[0][2, :2], found[1][2, :2])
    assert atoms.calc.units["ome_total"] == "A m/V"
    assert get_calculator_class("ome") is OMECalculator
    with pytest.raises(NotImplementedError):
        atoms.get_potential_energy()


def test_one_model_is_for_one_structure(atoms):
    model = replace(two_band(), structure=adapter.structure(atoms))
    for fixed in (model, two_band()):
        atoms.calc = OMECalculator(fixed, kmesh=(4, 4, 1), fermi=-1.4, calculators=["total"])
        atoms.calc.get_property("ome_total", atoms)
        moved = atoms.copy()
        moved.positions[0] += atoms.cell[0]  # the same crystal
        atoms.calc.get_property("ome_total", moved)
        moved.positions[1, 0] += 0.01
        with pytest.raises(ModelError, match="position of atom 1 is not the model's"):
            atoms.calc.get_property("ome_total", moved)
        with pytest.raises(ModelError, match="the cell is not"):
            atoms.calc.get_property("ome_total", Atoms("BN", positions=atoms.positions, cell=1.1 * atoms.cell, pbc=atoms.pbc))
    with pytest.raises(SettingsError, match="one fermi level"):
        OMECalculator(model, fermi=[-1.4, 0.1])


def test_database(atoms, tmp_path):
    """Scalars to select by, tensors in data, calculator attached: through SQLite and back."""
    atoms.calc = OMECalculator(tilted, kmesh=(4, 4, 1), fermi=-1.4, temperature=200.0)
    total = atoms.calc.get_property("ome_total", atoms)
    pairs, data = row(atoms.calc.dataset)
    scan = ome.compute(tilted(atoms), (4, 4, 1), ["total", "berry_curvature"], fermi=[-1.4, 0.1], temperature=[100.0, 300.0])
    more, tensors = row(scan)
    assert set(more) == {"ome_total_max", "ome_berry_curvature_max"}
    assert tensors["ome_total"].shape == (2, 2, 3, 3)
    with connect(tmp_path / "screen.db") as db:
        db.write(atoms, key_value_pairs=pairs, data=data)
        db.write(atoms, key_value_pairs=more, data=tensors)
    with connect(tmp_path / "screen.db") as db:
        assert db.count(f"ome_total_zx>{total[2, 0] - abs(total[2, 0]) * 1e-6}") == 1
        assert db.count("ome_total_max>0") == 2
        back = db.get(id=1)
        np.testing.assert_array_equal(back.data["ome_total"], total)
        assert back.data["ome_units"]["ome_total"] == "A m/V"
        assert back.calculator == "ome"
        np.testing.assert_array_equal(db.get(id=2).data["ome_berry_curvature"][..., 2], scan.berry_curvature.values[..., 0])


def test_settings_are_refused_at_construction(atoms):
    with pytest.raises(SettingsError, match="no setting 'temperatur': kmesh, fermi, calculators, filling, temperature"):
        OMECalculator(tilted, fermi=0.0, temperatur=300.0)
    with pytest.raises(SettingsError, match="calculators is None: give names"):
        OMECalculator(tilted, fermi=0.0, calculators=None)
    with pytest.raises(SettingsError, match="no calculator 'totl'"):
        OMECalculator(tilted, fermi=0.0, calculators="totl")


@pytest.mark.parametrize(("text", "names"), [("total", ["total"]), ("total,dipole", ["total", "dipole"])])
def test_calculators_as_a_text(atoms, text, names):
    atoms.calc = OMECalculator(tilted, kmesh=(4, 4, 1), fermi=-1.4, calculators=text)
    assert atoms.calc.implemented_properties == [f"ome_{name}{end}" for name in names for end in ("", "_error")]
    assert np.isfinite(atoms.calc.get_property("ome_total", atoms)[2, :2]).all()


@pytest.mark.parametrize("what", [None, np.zeros((3, 3)), {"total": 1.0}])
def test_row_of_what_is_no_result(what):
    with pytest.raises(SettingsError, match=f"row.. takes a result of compute.*: not {type(what).__name__}$"):
        row(what)


def test_a_row_has_no_size_of_what_symmetry_forbids():
    """All elements of `total` under time reversal: no number; of `extrinsic` the largest that is left."""
    result = ome.compute(ome.load("graphene"), (6, 6, 1), ["total", "extrinsic"], fermi=-0.2, temperature=900.0)
    pairs, data = row(result)
    assert "ome_total_max" not in pairs
    assert pairs["ome_extrinsic_max"] == pytest.approx(abs(result["extrinsic"].sel(moment="z", field="x").item()))
    assert data["ome_forbidden"]["ome_total"]["zx"] == "forbidden by time reversal"
