"""WannierBerri's systems: the same matrices there and back, and the curvature that WannierBerri itself has of them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from toys import TOYS, pauli, random_model

import ome_wannier as ome
from ome_wannier.adapters.wannier90.files import read_tb
from ome_wannier.adapters.wannierberri import export, load, recognises
from ome_wannier.adapters.wannierberri.nearest_images import shared_unevenly
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError

wannierberri = pytest.importorskip("wannierberri")

from wannierberri.system.system_R import System_R  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

MATERIALS = Path(__file__).parents[3] / "materials"
MODELS = {
    "te": lambda: ome.load("te"),
    "vse2": lambda: ome.load("vse2"),
    "spinful_2d": lambda: random_model(1, 2, 4, spin=pauli(2)),
    "matrix_3d": lambda: random_model(3, 3, 3, position="matrix", spin="matrix"),
}
K = np.random.default_rng(5).uniform(-1, 1, (6, 3))


def same(a, b, tolerance=1e-12):
    for x, y in zip(a.matrices(K, 2, True), b.matrices(K, 2, True), strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * max(1.0, np.abs(y).max()))


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name, tmp_path):
    model = MODELS[name]()
    system = export(model)
    assert recognises(system)
    assert not recognises(model)
    back = load(system, spin_degeneracy=model.spin_degeneracy)
    same(back, model)
    assert (back.periodic, back.structure, back.spin_degeneracy) == (model.periodic, model.structure, model.spin_degeneracy)
    if not model.exact_position:  # a folder does not say whether AA is to be used
        system.to_npz(str(tmp_path / "s"))
        same(load(tmp_path / "s", 1), model)


@pytest.mark.parametrize("name", MODELS)
def test_curvature_is_wannierberris(name):
    """Its Berry curvature of every band at k points off the mesh, with the centres in its phases: factor +1."""
    system = export(MODELS[name]())
    ours = get("berry_curvature")(Bands(load(system), K[:2]))
    for i in range(2):
        theirs = wannierberri.evaluate_k(system, k=K[i] % 1, quantities=["berry_curvature"])
        moments = list(load(system).moments)
        np.testing.assert_allclose(ours[i], theirs[:, moments], rtol=0, atol=1e-8 * np.abs(theirs).max())


def test_file_of_wannier90(tmp_path):
    """Through _tb.dat, with AA and without: convention II there, I in the system."""
    model = MODELS["matrix_3d"]()
    export(model).to_tb_file(str(tmp_path / "x_tb.dat"))
    read = System_R.from_tb_dat(tb_file=str(tmp_path / "x_tb.dat"), berry=True)
    np.testing.assert_allclose(load(read, 1).matrices(K).velocities(), model.matrices(K).velocities(), atol=1e-6)
    bare = System_R.from_tb_dat(tb_file=str(tmp_path / "x_tb.dat"))
    with pytest.warns(AccuracyWarning, match="no AA"):
        centres = load(bare, 1)
    assert centres.exact_position
    np.testing.assert_allclose(centres.wannier_centres, model.wannier_centres, atol=1e-6)
    twice = System_R.from_tb_dat(tb_file=str(tmp_path / "x_tb.dat"), berry=True, convention_II_to_I=False)
    with pytest.raises(ModelError, match="counts twice"):
        load(twice, 1)


def test_random_system_keeps_its_hermitian_part():
    """Neither Hermitian nor with every -R: WannierBerri's own energies."""
    system = System_R.from_random(num_wann=4, nRvec=8, berry=True, spin=True)
    with pytest.warns(AccuracyWarning, match="Hermitian"):
        model = load(system, 1)
    for k in K[:3] % 1:
        energies = wannierberri.evaluate_k(system, k=k, quantities=["energy"])
        np.testing.assert_allclose(Bands(model, k[None]).energies[0], energies, atol=1e-10)


def test_systems_that_are_no_models(tmp_path):
    kp = wannierberri.SystemKP(Ham=lambda k: np.diag([k[0], -k[0]]).astype(complex), kmax=1.0)
    assert recognises(kp)
    with pytest.raises(ModelError, match=r"SystemKP has no Hamiltonian on R vectors"):
        load(kp)
    system = export(MODELS["spinful_2d"]())
    system.is_phonon = True
    with pytest.raises(ModelError, match="phonons"):
        load(system)
    system = export(MODELS["spinful_2d"]())
    system.wannier_centers_cart = system.wannier_centers_cart + 1.0
    with pytest.raises(ModelError, match="phases"):
        load(system)
    with pytest.raises(FileFormatError, match="no such folder"):
        load(tmp_path / "nothing")
    (tmp_path / "real_lattice.npz").write_bytes(b"damaged")
    with pytest.raises(FileFormatError, match="to_npz"):
        load(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_electrons_per_band(name):
    """Said by `export`, by a spin operator or by spinor=True; else one, with a warning that says how to change it."""
    model = MODELS[name]()
    system = export(model)
    assert load(system).spin_degeneracy == model.spin_degeneracy
    assert load(system, 1).spin_degeneracy == 1
    del system.ome_electrons_per_band
    system.spinor = True
    assert load(system).spin_degeneracy == 1
    if model.has_spin:
        system.spinor = None
        assert load(system).spin_degeneracy == 1
        return
    for spinor, said in ((None, "does not say"), (False, "functions without spin")):
        system.spinor = spinor
        with pytest.warns(AccuracyWarning, match=f"{said}.*spin_degeneracy=2"):
            assert load(system).spin_degeneracy == 1
        assert load(system, 2).spin_degeneracy == 2


@pytest.mark.parametrize(
    ("folder", "seed"),
    [("te", "Te"), ("vse2", "VSe2"), ("mos2", "MoS2_soc_strain"), ("hbn", "hBN"), ("cumnas", "CuMnAs"), ("cr2o3", "Cr2O3")],
)
def test_files_without_nearest_images_are_seen(folder, seed):
    """Every `_tb.dat` of the library holds equal shares at unequal distances; with `_wsvec.dat` none does."""
    data = read_tb(MATERIALS / folder / f"{seed}_tb.dat.gz")
    home = np.flatnonzero(~data.R.any(axis=1))[0]
    centres = np.einsum("iia->ia", data.position[home].real)
    H = data.H / data.ndegen[:, None, None]
    far = shared_unevenly(data.R, H, centres, data.lattice)
    assert 1e-3 < far < np.abs(H).max()
    model = ome.load(folder)
    assert shared_unevenly(model.R, model.hamiltonian, model.wannier_centres, model.lattice) == 0.0


@pytest.mark.parametrize("name", [*TOYS, "haldane", "graphene", "kane-mele", "tmd-three-band", "cumnas-minimal"])
def test_models_that_are_written_down_have_no_shares(name):
    """Also those whose R are all of a mesh, and whose hoppings are equal by symmetry: they stand at equal distances."""
    model = TOYS[name].model if name in TOYS else ome.load(name)
    assert shared_unevenly(model.R, model.hamiltonian, model.wannier_centres, model.lattice) == 0.0


def test_system_from_a_file_of_wannier90(tmp_path):
    """hBN through `from_tb_dat`: said, with the remedies, of which one is tried."""
    (tmp_path / "hBN_tb.dat").write_bytes(gzip.decompress((MATERIALS / "hbn" / "hBN_tb.dat.gz").read_bytes()))
    system = System_R.from_tb_dat(tb_file=str(tmp_path / "hBN_tb.dat"), berry=True)
    with pytest.warns(AccuracyWarning) as said:  # besides, that its AA is not Hermitian
        load(system, 2)
    assert any(re.search(r"hoppings of up to 0\.0068 eV .*_wsvec\.dat.*do_ws_dist", str(w.message)) for w in said)
    system.do_ws_dist(mp_grid=(6, 6, 1))
    with pytest.warns(AccuracyWarning, match="AA of this System is not Hermitian") as said:
        load(system, 2)
    assert len(said) == 1
