"""Written Wannier90 files: a model comes back to the bit, spins are sorted, and no file of anyone is lost."""

from __future__ import annotations

import numpy as np
import pytest
from toys import TOYS, rebuilt

import ome_wannier as ome
from ome_wannier.adapters.wannier90.write import reordered, write
from ome_wannier.errors import AccuracyWarning, ModelError
from ome_wannier.models.real_space_checks import local_spin

pytestmark = pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
NAMES = {"tb": "x_tb.dat", "hr": "x_hr.dat", "sparse": "x_hr.dat"}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", ["slab", "insulator_3d", "matrix_metal_2d", "kramers_matrix_3d", "plane_yz", "two_band"])
def test_comes_back_to_the_bit(name, kind, tmp_path):
    model = TOYS[name].model
    write(model, tmp_path / NAMES[kind], kind)
    found = ome.load(tmp_path / "x")
    order = np.lexsort(model.R.T[::-1])
    assert np.array_equal(found.R, model.R[order])
    assert np.array_equal(found.hamiltonian, model.hamiltonian[order])
    assert np.array_equal(found.lattice, model.lattice)
    assert (found.periodic, found.spin_degeneracy) == (model.periodic, model.spin_degeneracy)
    if kind == "tb" and model.position is not None:
        assert np.array_equal(found.position, model.position[order])
    else:
        assert np.array_equal(found.centres, model.wannier_centres)


@pytest.mark.parametrize("kind", NAMES)
def test_periodic_direction_without_hopping(kind, tmp_path):
    model = ome.TightBinding(np.eye(3), [(0, 0, 0)], np.eye(1)[None], centres=[(0, 0, 0)], periodic=(True, False, True))
    write(model, tmp_path / NAMES[kind], kind)
    assert ome.load(tmp_path / "x").periodic == (True, False, True)


def test_order_of_spins(tmp_path):
    model = TOYS["insulator_2d"].model  # up and down of two orbitals in turn
    write(model, tmp_path / "x_tb.dat", spin_order="block")
    found = ome.load(tmp_path / "x", spin_order="block")
    assert np.array_equal(found.hamiltonian[:, 0, 3], model.hamiltonian[np.lexsort(model.R.T[::-1])][:, 0, 3])
    assert np.array_equal(found.hamiltonian[:, 0, 1], model.hamiltonian[np.lexsort(model.R.T[::-1])][:, 0, 2])
    assert np.array_equal(reordered(found, "interlaced").hamiltonian, model.hamiltonian[np.lexsort(model.R.T[::-1])])
    with pytest.raises(ModelError, match="order of the spins is not known"):
        write(TOYS["two_band"].model, tmp_path / "y_tb.dat", spin_order="block")


def test_losses_are_said(tmp_path):
    model = rebuilt(TOYS["matrix_insulator_2d"].model, spin=local_spin(4, "block"))
    with pytest.warns(AccuracyWarning) as said:
        write(model, tmp_path / "x_hr.dat")
    spin, position = (str(w.message) for w in said)
    assert "no place for the spin operator; load(..., spin_order='block')" in spin
    assert "position between different functions" in position


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("x_tb.dat", "exists already; pass overwrite=True"),
        ("x_centres.xyz", "x_centres.xyz exists already"),
        ("x.win", "input of a calculation"),
        ("x_wsvec.dat", "x_wsvec.dat beside it is not of this model"),
        ("x_wsvec.dat.gz", "x_wsvec.dat.gz beside it"),
        ("x_hr.dat", "x_hr.dat beside it"),
        ("x_tb.dat.bz2", "x_tb.dat.bz2 beside it"),
    ],
)
def test_files_in_the_way(there, said, tmp_path):
    model = TOYS["two_band"].model
    (tmp_path / there).write_text("precious")
    with pytest.raises(ModelError, match=said):
        write(model, tmp_path / "x_tb.dat")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(there, "precious")]
    if "overwrite" in said or there == "x_centres.xyz":
        write(model, tmp_path / "x_tb.dat", overwrite=True)
        assert ome.load(tmp_path / "x").n_orbitals == 2
    else:
        with pytest.raises(ModelError, match=said):
            write(model, tmp_path / "x_tb.dat", overwrite=True)


def test_both_files_of_one_model_side_by_side(tmp_path):
    write(TOYS["two_band"].model, tmp_path / "x_tb.dat")
    write(TOYS["two_band"].model, tmp_path / "x_hr.dat")
    with pytest.raises(ModelError, match=r"x_hr\.dat beside it"):
        write(TOYS["haldane"].model, tmp_path / "x_tb.dat", overwrite=True)
