"""One model through every way in: the same responses and the same Berry curvature at random k.

Two random models, one spinless in two dimensions and one spinful in three, complex hoppings in every direction, one orbital
outside the home cell. Each host gets the numbers through its own interface (PythTB's set_hop, sisl's assignment, kwant's
Builder ...), not through what this package exports, wherever it is installed.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from toys import LATTICE_2D, LATTICE_3D, pauli, r_vectors, random_arrays, weights_of

import ome_wannier as ome
from ome_wannier.adapters import ase as ase_adapter
from ome_wannier.adapters import kwant as kwant_adapter
from ome_wannier.adapters import sisl as sisl_adapter
from ome_wannier.adapters import tbmodels as tbmodels_adapter
from ome_wannier.adapters.wannier90.write import write
from ome_wannier.adapters.wannierberri import system as wannierberri_adapter
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import resolve
from ome_wannier.errors import AccuracyWarning, ModelError

#: ASE 3.29 with NumPy 2.5
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")


def original(spinful: bool) -> ome.TightBinding:
    """Two orbitals, or two orbitals of two spins in pairs; one orbital outside the home cell."""
    rng = np.random.default_rng(77)
    periodic = (True, True, spinful)
    lattice = LATTICE_3D if spinful else LATTICE_2D
    R = r_vectors(periodic)
    n_spin = 1 + spinful
    H = random_arrays(rng, R, 2 * n_spin)
    fractions = np.array([[0.15, 0.3, 0.2], [1.35, -0.45, 0.4]])
    return ome.TightBinding(
        lattice,
        R,
        H,
        centres=np.repeat(fractions @ lattice, n_spin, axis=0),
        periodic=periodic,
        spin=pauli(2) if spinful else None,
    )


MODELS = {"spinless 2D": original(False), "spinful 3D": original(True)}


def half(model):
    """(R, matrix) of one of each pair of R vectors, R = 0 left out."""
    return [(R, X) for R, X in zip(model.R.tolist(), model.hamiltonian, strict=True) if R > [0, 0, 0]]


def home(model):
    """The matrix at R = 0."""
    return model.hamiltonian[~model.R.any(axis=1)][0]


def through_pythtb(model, _):
    pythtb = pytest.importorskip("pythtb")
    n_spin = 1 + model.has_spin
    orbitals = (model.centres @ np.linalg.inv(model.lattice))[::n_spin].tolist()
    periodic = [a for a in range(3) if model.periodic[a]]
    if hasattr(pythtb, "TBModel"):
        there = pythtb.TBModel(pythtb.Lattice(model.lattice.tolist(), orbitals, periodic_dirs=periodic), spinful=n_spin == 2)
    else:
        there = pythtb.tb_model(len(periodic), 3, model.lattice.tolist(), orbitals, per=periodic, nspin=n_spin)

    def block(X, i, j):
        return X[i, j] if n_spin == 1 else X[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]

    there.set_onsite([block(home(model), i, i).real if n_spin == 1 else block(home(model), i, i) for i in range(2)])
    there.set_hop(block(home(model), 0, 1), 0, 1, [0, 0, 0])
    for R, X in half(model):
        for i, j in np.ndindex(2, 2):
            there.set_hop(block(X, i, j), i, j, R)
    return ome.load(there)


class LiveTBmodels:
    """The attributes of a tbmodels.Model: half of the Hamiltonian, reduced positions."""

    def __init__(self, model):
        self.uc = model.lattice
        self.pos = model.centres @ np.linalg.inv(model.lattice)
        self.hop = {(0, 0, 0): home(model) / 2} | {tuple(R): X for R, X in half(model)}


LiveTBmodels.__module__ = "tbmodels._tb_model"


def through_tbmodels_live(model, _):
    live = LiveTBmodels(model)
    assert tbmodels_adapter.recognises(live)
    return tbmodels_adapter.load(live)


def through_tbmodels_file(model, folder):
    tbmodels_adapter.write(model, folder / "model.hdf5")
    return ome.load(folder / "model.hdf5")


def through_tbmodels(model, folder):
    tbmodels = pytest.importorskip("tbmodels", reason="tbmodels is not installed")
    live = LiveTBmodels(model)
    there = tbmodels.Model(uc=live.uc, pos=live.pos, hop=live.hop, contains_cc=False)
    return tbmodels_adapter.load(there)


def through_wannierberri(model, _):
    pytest.importorskip("wannierberri")
    return wannierberri_adapter.load(wannierberri_adapter.export(model))


def through_tb_dat(model, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # the file does not hold the spin
        write(model, folder / "model_tb.dat")
    return ome.load(folder / "model", spin_degeneracy=1)


class WannierLike:
    """ASE's interface: hoppings folded to the grid, centres anywhere in its supercell; R with ASE 3.29's sign."""

    def __init__(self, model):
        from ase import Atoms

        self.model, self.unitcell_cc = model, model.lattice
        self.kptgrid = np.where(model.periodic, 9, 1)
        self.atoms = Atoms("H", cell=model.lattice, pbc=True)

    def get_hopping(self, R):
        same = ((self.model.R + np.array(R)) % self.kptgrid == 0).all(axis=1)
        return self.model.hamiltonian[same].sum(axis=0)

    def get_centers(self):
        return (self.model.centres @ np.linalg.inv(self.model.lattice) % self.kptgrid) @ self.model.lattice


WannierLike.__module__ = "ase.dft.wannier"


def through_ase(model, _):
    assert ase_adapter.recognises(WannierLike(model))
    with pytest.warns(AccuracyWarning, match="no position matrix elements"):
        return ase_adapter.load(WannierLike(model), spin_degeneracy=1)


def through_sisl(model, _):
    sisl = pytest.importorskip("sisl", reason="sisl is not installed")
    n_spin = 1 + model.has_spin
    lattice = sisl.Lattice(model.lattice, nsc=[3 if p else 1 for p in model.periodic])
    geometry = sisl.Geometry(model.centres[::n_spin], sisl.Atom(1, R=9.0), lattice)
    H = sisl.Hamiltonian(geometry, spin=sisl.Spin("spin-orbit" if n_spin == 2 else "unpolarized"), dtype=np.complex128)
    for R, X in zip(map(tuple, model.R.tolist()), model.hamiltonian, strict=True):
        for i, j in np.ndindex(2, 2):
            if n_spin == 1:
                H[i, j, R] = X[i, j]
            else:
                x = X[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                H[i, j, R] = [x[0, 0], x[1, 1], x[0, 1], x[1, 0]]
    assert sisl_adapter.recognises(H)
    there = sisl_adapter.load(H)
    return there if n_spin == 2 else ome.TightBinding(there.lattice, there.R, there.hamiltonian, centres=there.centres)


def shifted(matrix):
    """A value that is a function with a parameter, as kwant has them."""
    return lambda site, shift: matrix + shift * np.eye(len(matrix))


def through_kwant(model, _):
    kwant = pytest.importorskip("kwant", reason="kwant is not installed")
    n_spin = 1 + model.has_spin
    periodic = list(model.periodic)
    basis = (model.centres[::n_spin]).tolist()
    lattice = kwant.lattice.Polyatomic(model.lattice, basis, norbs=n_spin)
    symmetry = kwant.TranslationalSymmetry(*model.lattice[periodic])
    there = kwant.Builder(symmetry)
    sites = [sub(0, 0, 0) for sub in lattice.sublattices]

    def block(X, i, j):
        return X[n_spin * i : n_spin * (i + 1), n_spin * j : n_spin * (j + 1)]

    for i, s in enumerate(sites):
        there[s] = shifted(block(home(model), i, i))
    there[sites[0], sites[1]] = block(home(model), 0, 1)
    for R, X in half(model):
        for i, j in np.ndindex(2, 2):
            there[sites[i], lattice.sublattices[j](*R)] = block(X, i, j)
    assert kwant_adapter.recognises(there)
    with pytest.raises(ModelError, match="no value: shift"):
        kwant_adapter.load(there)
    return kwant_adapter.load(there, params={"shift": 0.0})


WAYS = {name.removeprefix("through_"): function for name, function in list(globals().items()) if name.startswith("through_")}


def plane_curvature(model, k):
    """Berry curvature by band (nk, n, components)."""
    (observable,) = resolve(["berry_curvature"])[1]
    return weights_of(observable, Bands(model, k))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_same_responses(way: str, name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Numbers pass through every interface in double precision (17 digits in files): 1e-10 of the largest component."""
    model = MODELS[name]
    there = WAYS[way](model, tmp_path)
    k = rng.uniform(-0.5, 0.5, (6, 3)) * model.periodic
    here, back = (plane_curvature(m, k) for m in (model, there))
    np.testing.assert_allclose(back, here, atol=1e-10 * np.abs(here).max(), rtol=0)
    mesh = tuple(4 if p else 1 for p in model.periodic)
    one, two = (ome.compute(m, mesh, ["total", "extrinsic"], fermi=0.2) for m in (model, there))
    for quantity in ("total", "extrinsic"):
        scale = np.nanmax(np.abs(one[quantity].values))
        assert scale > 0
        np.testing.assert_allclose(two[quantity].values, one[quantity].values, atol=1e-10 * scale, rtol=0)


def test_sisl_polarized_and_what_it_refuses() -> None:
    sisl = pytest.importorskip("sisl", reason="sisl is not installed")
    geometry = sisl.Geometry([[0, 0, 0]], sisl.Atom(1, R=2.1), sisl.Lattice([2, 9, 9], nsc=[3, 1, 1]))
    H = sisl.Hamiltonian(geometry, spin=sisl.Spin("polarized"))
    H[0, 0] = [0.3, -0.3]
    H[0, 0, (1, 0, 0)] = H[0, 0, (-1, 0, 0)] = [0.1, 0.2]
    model = sisl_adapter.load(H)
    np.testing.assert_allclose(model.matrices(np.zeros((1, 3)), 0).H[0], np.diag([0.5, 0.1]), atol=1e-14)
    assert (model.has_spin, model.spin_degeneracy, model.periodic) == (True, 1, (True, False, False))
    with pytest.raises(ModelError, match="overlap matrix"):
        sisl_adapter.load(sisl.Hamiltonian(geometry, orthogonal=False))
