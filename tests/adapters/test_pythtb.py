"""PythTB models of either generation: their own bands, open directions, orbitals outside the cell, spin, parameters."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.errors import ModelError

pythtb = pytest.importorskip("pythtb")
NEW = int(metadata.version("pythtb").split(".")[0]) >= 2


def build(lattice, orbitals, n_spin=1, periodic=None):
    """An empty model of the installed version."""
    d = len(lattice)
    periodic = list(range(d)) if periodic is None else periodic
    if NEW:
        return pythtb.TBModel(pythtb.Lattice(lattice, orbitals, periodic_dirs=periodic), spinful=n_spin == 2)
    return pythtb.tb_model(len(periodic), d, lattice, orbitals, per=periodic, nspin=n_spin)


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
    np.testing.assert_allclose(change, 0.3 * models[0].matrices(k, 1).S[:, 2], atol=1e-14)
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
