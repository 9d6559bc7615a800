"""PythTB models of either generation: their own bands, open directions, orbitals outside the cell, spin, parameters."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
from toys import TOYS, rebuilt

import ome_wannier as ome
from ome_wannier.adapters import pythtb as adapter
from ome_wannier.errors import AccuracyWarning, ModelError, SettingsError
from ome_wannier.models.real_space_checks import local_spin

pythtb = pytest.importorskip("pythtb")
NEW = int(metadata.version("pythtb").split(".")[0]) >= 2


def build(lattice, orbitals, n_spin=1, periodic=None):
    """An empty model of the installed version."""
    d = len(lattice)
    periodic = list(range(d)) if periodic is None else periodic
    if NEW:
        return pythtb.TBModel(pythtb.Lattice(lattice, orbitals, periodic_dirs=periodic), spinful=n_spin == 2)
    return pythtb.tb_model(len(periodic), d, lattice, orbitals, per=periodic, nspin=n_spin)


def test_electrons_per_band():
    """One unless said otherwise, and never two in a spinful model."""
    plain, spinful = (build([[1.0]], [[0.0]], n_spin=n) for n in (1, 2))
    assert ome.load(plain).spin_degeneracy == ome.load(spinful, spin_degeneracy=1).spin_degeneracy == 1
    assert ome.load(plain, spin_degeneracy=2).spin_degeneracy == 2
    with pytest.raises(ModelError, match="this PythTB model has spin, so each band holds one electron"):
        ome.load(spinful, spin_degeneracy=2)
    with pytest.raises(ModelError, match="must be 1 or 2"):
        ome.load(plain, spin_degeneracy=3)


def bands(model, k):
    """Energies by PythTB itself (nk, n)."""
    if NEW:
        return np.linalg.eigvalsh(model.hamiltonian(np.asarray(k), flatten_spin_axis=True))
    return np.array([np.linalg.eigvalsh(np.reshape(model._gen_ham(q), (model._nsta, model._nsta))) for q in k])


@pytest.mark.parametrize("n_spin", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_bands_are_those_of_pythtb(rng, n_spin, d):
    """Random hoppings in one to three dimensions; an orbital outside the home cell."""
    lattice = 2.5 * np.eye(d) + 0.4 * rng.normal(size=(d, d))
    model = build(lattice.tolist(), [[0.1] * d, [1.3] + [0.4] * (d - 1)], n_spin)

    def amplitude():
        return (rng.normal() + 1j * rng.normal()) if n_spin == 1 else rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))

    spin_onsite = [rng.normal(size=4) for _ in range(2)]  # 1, s_x, s_y, s_z
    model.set_onsite([0.3, -0.7] if n_spin == 1 else [x.tolist() for x in spin_onsite])
    for axis in range(d):
        for i, j in ((0, 0), (0, 1), (1, 1)):
            model.set_hop(amplitude(), i, j, np.eye(d, dtype=int)[axis].tolist())
    model.set_hop(amplitude(), 0, 1, [0] * d)
    mine = ome.load(model)
    k = rng.uniform(-0.5, 0.5, (5, d))
    here = np.linalg.eigvalsh(mine.matrices(np.concatenate([k, np.zeros((5, 3 - d))], axis=1), 0).H)
    np.testing.assert_allclose(here, bands(model, k), atol=1e-12)
    assert mine.periodic == tuple(j < d for j in range(3))
    np.testing.assert_allclose(mine.wannier_centres[-1, :d], np.array([1.3] + [0.4] * (d - 1)) @ lattice)
    assert mine.has_spin == (n_spin == 2)


def test_spin_operator(rng):
    """A Zeeman term splits each level by the spin operator that the model carries: H changes by h sigma_z."""
    models = []
    for h in (0.0, 0.3):
        model = build([[2.0, 0.0], [0.0, 3.0]], [[0.0, 0.0]], 2)
        model.set_onsite([[0.5, 0.0, 0.0, h]])
        model.set_hop(1.0, 0, 0, [1, 0])
        models.append(ome.load(model))
    k = rng.uniform(size=(3, 3)) * [1, 1, 0]
    change = models[1].matrices(k, 0).H - models[0].matrices(k, 0).H
    np.testing.assert_allclose(change, 0.3 * models[0].operator("spin", k)[:, 2], atol=1e-14)
    result = ome.compute(models[1], (4, 4, 1), ["spin"], 0.4, temperature=300.0)
    assert result.spin.dims == ("fermi", "spin_moment", "field")


def test_open_direction():
    """A direction that is not periodic stays so: the ribbon is one-dimensional, its orbitals keep their positions."""
    model = build([[1.0, 0.0], [0.0, 1.5]], [[0.0, 0.0], [0.0, 2.0]], periodic=[0])
    model.set_onsite([0.1, -0.1])
    model.set_hop(1.0, 0, 1, [0, 0])
    model.set_hop(0.4j, 0, 1, [1, 0])
    mine = ome.load(model)
    assert mine.periodic == (True, False, False)
    np.testing.assert_allclose(mine.wannier_centres[1], [0.0, 3.0, 0.0])


@pytest.mark.skipif(not NEW, reason="PythTB 1.8 has no parametric models")
def test_parameters_without_a_value():
    """hoppings leaves them out silently: the model is refused, and the parameter named."""
    model = build([[1.0]], [[0.0]])
    model.set_onsite([0.0])
    model.set_hop("t", 0, 0, [1])
    with pytest.raises(ModelError, match=r"have no value: t;"):
        ome.load(model)


@pytest.mark.parametrize("d", [1, 2])
def test_chain_in_more_dimensions(d):
    """A chain along the last vector of a plane or of space; a molecule."""
    lattice = np.diag([3.0, 2.0, 5.0][: d + 1])
    chain = build(lattice.tolist(), [[0.0] * (d + 1), [0.4] * (d + 1)], periodic=[d])
    chain.set_onsite([0.2, -0.2])
    chain.set_hop(0.7, 0, 1, [0] * (d + 1))
    chain.set_hop(0.4j, 0, 1, [0] * d + [1])
    mine = ome.load(chain)
    assert mine.periodic == tuple(a == d for a in range(3))
    result = ome.compute(mine, calculators=["quantum_metric", "dipole_polarizability"], fermi=0.0)
    assert result.dipole_polarizability.item() < 0
    assert np.abs(ome.compute(mine, calculators=["total"], fermi=0.0).total).max() < 1e-32  # its orbitals lie on a line
    with pytest.raises(SettingsError, match="two periodic directions"):
        ome.compute(mine, calculators=["local"], fermi=0.0)


def test_molecule():
    if NEW:
        model = pythtb.TBModel(pythtb.Lattice(np.eye(3).tolist(), [[0, 0, 0], [0.5, 0, 0]], periodic_dirs=[]))
        model.set_hop(1.0, 0, 1)
    else:
        model = pythtb.tb_model(0, 3, np.eye(3).tolist(), [[0, 0, 0], [0.5, 0, 0]])
        model.set_hop(1.0, 0, 1)
    mine = ome.load(model)
    np.testing.assert_allclose(np.linalg.eigvalsh(mine.matrices(np.zeros((1, 3)), 0).H[0]), [-1, 1])
    for calculators in (["quantum_metric"], ["total"], None):
        with pytest.raises(SettingsError, match="no periodic direction"):
            ome.compute(mine, calculators=calculators, fermi=0.0)
    assert adapter.load(adapter.export(mine)).periodic == (False, False, False)


@pytest.mark.parametrize("name", ["metal_3d", "kramers_2d", "slab", "haldane", "pt_3d", "plane_yz"])
def test_export(name, rng):
    """PythTB's bands of the exported model are ours, and so are orbitals, spin and periodic directions after a way back."""
    model = rebuilt(TOYS[name].model, spin_degeneracy=1)
    theirs = adapter.export(model)
    k = rng.uniform(size=(4, 3)) * model.periodic
    ours = np.linalg.eigvalsh(model.matrices(k, 0).H)
    np.testing.assert_allclose(bands(theirs, k[:, list(model.periodic)]), ours, atol=1e-12)
    back = adapter.load(theirs)
    assert (back.periodic, back.has_spin) == (model.periodic, model.has_spin)
    np.testing.assert_allclose(back.wannier_centres, model.wannier_centres, atol=1e-12)


def test_export_sorts_blocks_of_spin(rng):
    """All up, then all down: spinful in PythTB, the spin operator comes back in the other order."""
    H = np.diag([1.0, 2.0, 3.0, 4.0]).astype(complex)  # up 1, 2; down 3, 4
    centres = np.tile(rng.normal(size=(2, 3)), (2, 1))
    X = np.eye(4) * 0.1
    R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0)]
    model = ome.TightBinding(np.eye(3), R, np.array([H, X, X]), centres=centres, spin=local_spin(4, "block"))
    back = adapter.load(adapter.export(model))
    np.testing.assert_allclose(np.diag(back.hamiltonian[~back.R.any(axis=1)][0]), [1, 3, 2, 4], atol=1e-14)
    np.testing.assert_allclose(back.wannier_centres, centres[[0, 2, 1, 3]], atol=1e-14)


def test_what_pythtb_cannot_hold():
    with pytest.warns(AccuracyWarning, match="position matrix elements between orbitals: left out"):
        adapter.export(TOYS["matrix_metal_3d"].model)
    with pytest.warns(AccuracyWarning, match="the spin operator: left out"):
        adapter.export(TOYS["insulator_3d"].model)  # a spin whose two functions stand at different places
    left = rebuilt(TOYS["haldane"].model, lattice=TOYS["haldane"].model.lattice * [[1], [1], [-1]])
    with pytest.raises(ModelError, match="right-handed"):
        adapter.export(left)
