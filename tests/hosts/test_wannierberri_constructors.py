"""Systems of every constructor of WannierBerri that needs no files of other codes: its energies and its Berry curvature.

TBmodels and ASE are not needed: WannierBerri asks of their objects what the stand-ins here have.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from physics.other_codes.test_wannierberri_external import unpacked
from toys import random_model

from ome_wannier.adapters.wannierberri import export, load
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get

wannierberri = pytest.importorskip("wannierberri")

from wannierberri.models import Chiral_OSD  # noqa: E402
from wannierberri.system.system_hr import write_hr_file  # noqa: E402
from wannierberri.system.system_R import System_R  # noqa: E402
from wannierberri.w90files.wandata import WannierData  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

MODEL = random_model(3, 3, 3, hopping=1.0, position="matrix")
#: orbitals inside the cell: WannierBerri folds those of PythTB and TBmodels into it, whatever the hoppings say
CENTRES = np.array([[0.1, 0.2, 0.3], [0.5, 0.4, 0.7], [0.8, 0.9, 0.6]])
BARE = random_model(3, 3, 3, hopping=1.0, symmetric_centres=CENTRES)
K = np.random.default_rng(5).uniform(0, 1, (3, 3))


def from_tb_file(folder):
    export(MODEL).to_tb_file(str(folder / "x_tb.dat"))
    return System_R.from_tb_dat(tb_file=str(folder / "x_tb.dat"), berry=True)


def from_hr_file(folder):
    write_hr_file(export(BARE), str(folder / "x"))
    return System_R.from_hr_file(
        str(folder / "x"), wannier_centers_cart=BARE.wannier_centres, real_lattice=np.array(BARE.lattice),
        force_internal_terms_only=True,
    )  # fmt: skip


def from_sparse(folder):
    H = {
        tuple(r): {(i, j): X[i, j] for i in range(3) for j in range(3)}
        for r, X in zip(BARE.R.tolist(), BARE.hamiltonian, strict=True)
    }
    system = System_R.from_sparse(
        real_lattice=np.array(BARE.lattice), wannier_centers_red=CENTRES, matrices={"Ham": H}, num_wann=3
    )
    system.force_internal_terms_only = True  # the constructor drops its options
    return system


def from_pythtb(folder):
    pythtb = pytest.importorskip("pythtb")
    if not pythtb.__version__.startswith("1."):
        pytest.skip("this model is written for PythTB 1.8; the one with spin runs with 2.0 too")
    model = pythtb.tb_model(3, 3, BARE.lattice, CENTRES)
    for r, X in zip(BARE.R.tolist(), BARE.hamiltonian, strict=True):
        if r == [0, 0, 0]:
            model.set_onsite(X.diagonal().real)
        for i in range(3):
            for j in range(3):
                if r > [0, 0, 0] or (r == [0, 0, 0] and i < j):
                    model.set_hop(X[i, j], i, j, r)
    return System_R.from_pythtb(model)


def from_tbmodels(folder):
    """Half of the R vectors, and half of the matrix at R = 0, as TBmodels keeps them."""
    hop = {
        tuple(r): X * (1 if any(r) else 0.5) for r, X in zip(BARE.R.tolist(), BARE.hamiltonian, strict=True) if r >= [0, 0, 0]
    }
    return System_R.from_tbmodels(SimpleNamespace(uc=np.array(BARE.lattice), size=3, pos=CENTRES, hop=hop))


def from_ase(folder):
    n = 4
    index = {tuple(np.mod(r, n).tolist()): x for x, r in enumerate(BARE.R)}
    grid = np.array(np.meshgrid(*[np.arange(n) / n] * 3, indexing="ij")).reshape(3, -1).T
    wannier = SimpleNamespace(
        translate_all_to_cell=lambda: None,
        unitcell_cc=BARE.lattice,
        kptgrid=np.array([n] * 3),
        nwannier=3,
        Nk=n**3,
        kpt_kc=grid,
        get_centers=lambda: np.array(BARE.wannier_centres),
        get_hopping=lambda R: BARE.hamiltonian[index[tuple(R)]] if tuple(R) in index else np.zeros((3, 3)),
    )
    return System_R.from_ase(wannier)


def from_pythtb_with_spin(folder):
    pytest.importorskip("pythtb")
    return System_R.from_pythtb(Chiral_OSD(), spin=True)


def from_wannierdata(folder):
    """Te's .chk, .eig and .mmn with the distances of WannierBerri's choice."""
    unpacked(folder, ("chk", "eig", "mmn"))
    data = WannierData.from_w90_files(str(folder / "Te"), files=["chk", "eig", "mmn"], readnnkp=False)
    return System_R.from_wannierdata(data, berry=True, symmetrize=False, silent=True)


def supercell(folder):
    return export(MODEL).make_supercell([[2, 1, 0], [0, 1, 0], [0, 0, 1]])


BUILD = {
    f.__name__: f
    for f in (
        from_tb_file, from_hr_file, from_sparse, from_pythtb, from_pythtb_with_spin, from_tbmodels, from_ase,
        from_wannierdata, supercell,
    )
}  # fmt: skip
SOURCE = {"from_tb_file": MODEL} | dict.fromkeys(("from_hr_file", "from_sparse", "from_pythtb", "from_tbmodels"), BARE)


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", BUILD)
def test_energies_and_curvature_are_wannierberris(name, tmp_path):
    system = BUILD[name](tmp_path)
    model = load(system, 1)
    assert model.has_spin == (name == "from_pythtb_with_spin")
    bands = Bands(model, K)
    ours = get("berry_curvature")(bands)
    for i, k in enumerate(K):
        theirs = wannierberri.evaluate_k(system, k=k, quantities=["energy", "berry_curvature"])
        np.testing.assert_allclose(bands.energies[i], theirs["energy"], rtol=0, atol=1e-10)
        size = np.abs(theirs["berry_curvature"]).max()
        np.testing.assert_allclose(ours[i], theirs["berry_curvature"], rtol=0, atol=1e-8 * size)
    if name == "from_ase":  # it moves hoppings by multiples of the mesh to the shortest distance: the same on the mesh
        mesh = np.round(4 * K) / 4
        np.testing.assert_allclose(Bands(model, mesh).energies, Bands(BARE, mesh).energies, rtol=0, atol=1e-10)
    elif name in SOURCE:
        source = Bands(SOURCE[name], K)
        np.testing.assert_allclose(bands.energies, source.energies, rtol=0, atol=1e-6)  # digits of the files
        expected = get("berry_curvature")(source)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
