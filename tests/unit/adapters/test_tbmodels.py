"""TBmodels: its own files (dense, sparse, old) and energies, live models, files written here, and what has no answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from toys import TOYS, rebuilt

from ome_wannier.adapters import tbmodels
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError

DATA = Path(__file__).parent / "data"
K = np.array([[0.0, 0.0, 0.0], [0.13, 0.41, 0.0], [-0.37, 0.22, 0.0]])
#: of TBmodels 1.4.3, printed with eight decimals
ENERGIES = [
    [-8.93449752, 0.09529831, 1.20319921],
    [-10.56646208, -3.5411902, -0.9476185],
    [-9.78029779, 4.00568262, 7.37429198],
]


class Live:
    """The attributes of a tbmodels.Model."""

    def __init__(self, hop, uc, pos):
        self.hop, self.uc, self.pos = hop, uc, pos


Live.__module__ = "tbmodels._tb_model"


@pytest.mark.parametrize("kind", ["dense", "sparse", "old"])
def test_its_own_files(kind):
    model = tbmodels.load(DATA / f"tbmodels_{kind}.hdf5")
    np.testing.assert_allclose(np.linalg.eigvalsh(model.matrices(K, 0).H), ENERGIES, atol=1e-8)
    np.testing.assert_allclose(model.wannier_centres[2, :2], np.array([0.3, 0.6]) @ [[2.5, 0.0], [0.6, 3.1]])
    assert model.periodic == (True, True, False)


@pytest.mark.parametrize("name", ["insulator_3d", "haldane", "two_band"])
def test_written_and_read(name, tmp_path, rng):
    model = TOYS[name].model
    tbmodels.write(model, tmp_path / "x.hdf5")
    with h5py.File(tmp_path / "x.hdf5") as file:
        assert file["type_tag"][()] == b"tbmodels.model"
    back = tbmodels.load(tmp_path / "x.hdf5", spin_degeneracy=2)
    k = rng.uniform(size=(4, 3)) * model.periodic
    np.testing.assert_allclose(back.matrices(k, 0).H, model.matrices(k, 0).H, atol=1e-13)
    np.testing.assert_allclose(back.wannier_centres, model.wannier_centres, atol=1e-13)
    assert back.spin_degeneracy == 2


def test_what_tbmodels_reads(tmp_path, rng):
    """The package itself, where it is installed, finds the same bands in a file written here."""
    package = pytest.importorskip("tbmodels", reason="tbmodels is not installed")
    model = TOYS["insulator_3d"].model
    tbmodels.write(model, tmp_path / "x.hdf5")
    theirs = package.Model.from_hdf5_file(str(tmp_path / "x.hdf5"))
    k = rng.uniform(size=(4, 3))
    for there in (theirs, tbmodels.export(model)):
        np.testing.assert_allclose(there.eigenval(k), np.linalg.eigvalsh(model.matrices(k, 0).H), atol=1e-12)
        assert tbmodels.recognises(there)


def test_orbitals_at_the_origin_are_doubtful():
    hop = {(0,): np.diag([0.5, -0.5]), (1,): np.ones((2, 2))}
    live = Live(hop, [[2.0]], np.zeros((2, 1)))
    assert tbmodels.recognises(live)
    with pytest.warns(AccuracyWarning, match="all orbitals are at the origin"):
        tbmodels.load(live)
    model = tbmodels.load(live, centres=[[0, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(model.hamiltonian[~model.R.any(axis=1)][0], np.diag([1.0, -1.0]))  # hop holds half


def test_clear_lines(tmp_path):
    live = Live({(0,): np.eye(2)}, None, np.ones((2, 1)))
    with pytest.raises(ModelError, match="no lattice vectors"):
        tbmodels.load(live)
    with pytest.raises(ModelError, match="no file"):
        tbmodels.load(tmp_path / "nothing.hdf5")
    (tmp_path / "text.hdf5").write_text("no")
    with pytest.raises(FileFormatError, match="an HDF5 file of TBmodels"):
        tbmodels.load(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["a"] = 1
    with pytest.raises(FileFormatError, match="a group hop"):
        tbmodels.load(tmp_path / "other.hdf5")
    (tmp_path / "x.hdf5").write_bytes((DATA / "tbmodels_dense.hdf5").read_bytes())
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        del file["pos"]
    with pytest.raises(ModelError, match="give centres="):
        tbmodels.load(tmp_path / "x.hdf5")
    assert tbmodels.load(tmp_path / "x.hdf5", centres=np.eye(3)).n_orbitals == 3


def test_what_cannot_be_held(tmp_path):
    with pytest.warns(AccuracyWarning, match="no position matrix elements"):
        tbmodels.write(TOYS["matrix_metal_3d"].model, tmp_path / "x.hdf5")
    below = rebuilt(TOYS["haldane"].model, centres=np.array([[0, 0, -1.0], [1, 0, 0]]))
    with pytest.raises(ModelError, match="open direction 3"):
        tbmodels.write(below, tmp_path / "x.hdf5")


@pytest.mark.parametrize("R", [[1], [1, 0, 0], [0.5, 0.0], [[1, 0]], [np.nan, 0.0], 1, "ab"])
def test_r_that_is_no_lattice_vector(R, tmp_path):
    """Of a model with two lattice vectors: refused, where it was cut or rounded."""
    shutil.copy(DATA / "tbmodels_dense.hdf5", tmp_path / "x.hdf5")
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        group = next(iter(file["hop"].values()))
        del group["R"]
        group["R"] = R
    with pytest.raises(FileFormatError, match=r"R of /hop/.* to be 2 integers") as caught:
        tbmodels.load(tmp_path / "x.hdf5")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("R", [(1,), (1, 0, 0, 0), (0.5, 0, 0)])
def test_live_r_that_is_no_lattice_vector(R):
    with pytest.raises(ModelError, match="3 integers are needed"):
        tbmodels.load(Live({R: np.eye(1)}, np.eye(3), np.zeros((1, 3))))


@pytest.mark.parametrize(("key", "value"), [("size", 7), ("size", 1), ("dim", 2)])
def test_numbers_that_are_not_those_of_the_hoppings(key, value, tmp_path):
    """A file that was cut or put together says another number of orbitals or directions than it holds."""
    path = tmp_path / "x.hdf5"
    tbmodels.write(TOYS["insulator_3d"].model, path)
    with h5py.File(path, "r+") as file:
        right = int(file[key][()])
        del file[key]
        file[key] = value
    with pytest.raises(FileFormatError, match=rf"{key} to be {right}, as the hoppings have it.*{value}"):
        tbmodels.load(path)
