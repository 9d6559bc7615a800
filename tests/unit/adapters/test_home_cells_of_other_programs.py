"""A layer whose orbitals lie at both ends of the cell, as each package writes it, against the same layer in one cell.

Elements are copied or summed once: matrices agree to the rounding of a sum.
"""

from __future__ import annotations

import numpy as np
import pytest
from test_wannier90_layers import assert_same, layer

import ome_wannier as ome
from ome_wannier.common.errors import AccuracyWarning, ModelError
from ome_wannier.models.real_space import RealSpace, moved_by

#: what WannierBerri leaves open when it is imported
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
#: <0i|H|Rj> with R across the layer; the second orbital is written one cell too high
HOPPINGS = [(0.3, 0, 1, (0, 0, -1)), (0.2j, 0, 1, (1, 0, -1)), (0.15, 0, 0, (1, 0, 0)), (0.25, 0, 1, (0, 1, -1))]
LATTICE = np.diag([3.0, 3.2, 20.0])
CENTRES = np.array([[0, 0, 0.1], [1, 1, 19.5]])


def as_pythtb():
    pythtb = pytest.importorskip("pythtb")
    places = (CENTRES @ np.linalg.inv(LATTICE)).tolist()
    if hasattr(pythtb, "TBModel"):
        model = pythtb.TBModel(pythtb.Lattice(LATTICE.tolist(), places, periodic_dirs=[0, 1, 2]))
    else:
        model = pythtb.tb_model(3, 3, LATTICE.tolist(), places)
    model.set_onsite([0.0, 1.0])
    for x, i, j, R in HOPPINGS:
        model.set_hop(x, i, j, list(R))
    return model


def as_sisl():
    sisl = pytest.importorskip("sisl")
    geometry = sisl.Geometry(CENTRES, sisl.Atom(1, R=50), lattice=sisl.Lattice(LATTICE, nsc=[3, 3, 3]))
    H = sisl.Hamiltonian(geometry, dtype=complex)
    H[1, 1] = 1.0
    for x, i, j, R in HOPPINGS:
        H[i, j, R] = x
        H[j, i, tuple(-c for c in R)] = np.conj(x)
    return H


def as_tbmodels():
    class Model:
        uc, pos, hop = LATTICE, CENTRES @ np.linalg.inv(LATTICE), {(0, 0, 0): np.diag([0, 0.5]).astype(complex)}

    Model.__module__ = "tbmodels.model"
    for x, i, j, R in HOPPINGS:
        Model.hop.setdefault(R, np.zeros((2, 2), dtype=complex))[i, j] += x
    return Model()


def in_one_cell():
    R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
    H = np.zeros((5, 2, 2), dtype=complex)
    H[0] = [[0, 0.3], [0.3, 1]]
    H[1], H[3] = [[0.15, 0.2j], [0, 0]], [[0, 0.25], [0, 0]]
    H[2], H[4] = H[1].conj().T, H[3].conj().T
    return ome.TightBinding(LATTICE, R, H, centres=CENTRES - [[0, 0, 0], [0, 0, 20]], periodic=(True, True, False))


@pytest.mark.parametrize("written", [as_pythtb, as_sisl, as_tbmodels])
def test_layers_of_packages(written):
    found = ome.load(written(), periodic=(True, True, False), spin_degeneracy=1)
    assert_same(found, in_one_cell())
    assert ome.load(written(), periodic=(True, True, True)).dimension == 3


@pytest.mark.parametrize("written", [as_sisl, as_tbmodels])
def test_packages_that_do_not_say_what_is_periodic(written):
    assert ome.load(written()).periodic == (True, True, False)


def systems(model):
    pytest.importorskip("wannierberri")
    from ome_wannier.adapters.wannierberri import export

    return export(model)


def test_folder_of_wannierberri(tmp_path):
    """The layer in scattered cells, written by `to_npz`; that system says that it is a crystal."""
    model = layer(3, (2,), 0.4)
    homes = np.zeros((5, 3), dtype=int)
    homes[:, 2] = 0, 1, 0, -1, 0
    terms = moved_by(
        RealSpace(model.lattice, model.R, model.hamiltonian, None, model.centres, None, None), homes, np.zeros(3, dtype=bool)
    )
    periodic = (True, True, True)
    system = systems(ome.TightBinding(terms.lattice, terms.R, terms.hamiltonian, centres=terms.centres, periodic=periodic))
    system.force_internal_terms_only = True
    system.to_npz(str(tmp_path / "s"))
    with pytest.warns(AccuracyWarning, match="no AA"):
        assert ome.load(tmp_path / "s", spin_degeneracy=1).dimension == 3
    with pytest.warns(AccuracyWarning, match="no AA"):
        assert_same(ome.load(tmp_path / "s", spin_degeneracy=1, periodic=(True, True, False)), model)


def test_thick_layer_of_wannierberri():
    """Its own nearest images of a 5 x 5 x 1 mesh: R across, and nothing known of a dispersion."""
    model = layer(5, (2,), 0.8)
    system = systems(model)
    system.do_ws_dist(mp_grid=(5, 5, 1))
    assert system.rvec.iRvec[:, 2].any()
    with pytest.warns(AccuracyWarning, match="direction 3 has one k point"):
        assert_same(ome.load(system), model)
    assert ome.load(system, periodic=(True, True, True)).dimension == 3
    system.do_ws_dist(mp_grid=(5, 5, 2))
    with pytest.raises(ModelError, match="direction 3 is declared not periodic"):
        ome.load(system)
