"""What other programs read from the files that are written here: the same energies, and the same Berry curvature.

PythTB reads `_hr.dat`, `_centres.xyz` and `.win`; WannierBerri `_tb.dat` or `_hr.dat`.
"""

from __future__ import annotations

import numpy as np
import pytest
from toys import random_model

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get

pythtb = pytest.importorskip("pythtb")
wannierberri = pytest.importorskip("wannierberri")

from wannierberri.system.system_R import System_R  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

CENTRES = random_model(7, 3, 3, hopping=1.0)
MATRIX = random_model(8, 3, 3, hopping=1.0, position="matrix")
K = np.random.default_rng(11).uniform(-0.5, 0.5, (4, 3))


def pythtb_hamiltonian(model, k):
    """H(k) with PythTB's phases, which hold the positions of the orbitals; (nk, n, n)."""
    return np.array([model._gen_ham(q) for q in k]) if hasattr(model, "_gen_ham") else model.hamiltonian(k)


def curvature(hamiltonian, lattice, k):
    """Omega_c = i eps_cab sum_m V_a,nm V_b,mn / (e_n - e_m)^2 of every band (nk, n, 3), V by differences of fourth order."""
    steps = 1e-3 * np.eye(3)
    odd = [[hamiltonian(k + i * s) - hamiltonian(k - i * s) for s in steps] for i in (1, 2)]
    dH = (8 * np.array(odd[0]) - np.array(odd[1])) / 12e-3
    energies, states = np.linalg.eigh(hamiltonian(k))
    V = np.einsum("ca,ckij,kim,kjn->akmn", lattice / (2 * np.pi), dH, states.conj(), states)
    W = V / (energies[:, :, None] - energies[:, None, :] + np.diag([np.inf] * energies.shape[1]))
    return np.stack([2 * np.einsum("knm,kmn->kn", W[(c + 1) % 3], W[(c + 2) % 3]).imag for c in range(3)], axis=2)


@pytest.mark.parametrize("kind", ["tb", "hr"])
def test_pythtb(kind, tmp_path):
    """The companions of `_tb.dat` are those that PythTB wants beside `_hr.dat`."""
    ome.convert(CENTRES, tmp_path / "x_hr.dat")
    if kind == "tb":
        ome.convert(CENTRES, tmp_path / "x_tb.dat")
    reader = pythtb.W90 if hasattr(pythtb, "W90") else pythtb.w90
    theirs = reader(str(tmp_path), "x").model()
    ours = Bands(CENTRES, K)
    H = pythtb_hamiltonian(theirs, K)
    np.testing.assert_allclose(np.linalg.eigvalsh(H), ours.energies, rtol=0, atol=1e-12)
    # steps h = 1e-3: (2 pi |R| h)^4 / 30 of a derivative, 1e-9 at |R| = 2, and rounding of 1e-15 / h; both over small gaps
    found, expected = curvature(lambda k: pythtb_hamiltonian(theirs, k), CENTRES.lattice, K), get("berry_curvature")(ours)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("model", [CENTRES, MATRIX], ids=["centres", "matrix"])
def test_wannierberri_tb(model, tmp_path):
    ome.convert(model, tmp_path / "x_tb.dat")
    same_in_wannierberri(System_R.from_tb_file(tb_file=str(tmp_path / "x_tb.dat"), berry=True), model)


def test_wannierberri_hr(tmp_path):
    """It is told the cell, which it looks for in `.win` only where that has k points."""
    ome.convert(CENTRES, tmp_path / "x_hr.dat")
    theirs = System_R.from_hr_file(
        str(tmp_path / "x"),
        wannier_centers_cart=CENTRES.wannier_centres,
        real_lattice=CENTRES.lattice,
        force_internal_terms_only=True,
    )
    same_in_wannierberri(theirs, CENTRES)


@pytest.mark.parametrize("model", [CENTRES, MATRIX], ids=["centres", "matrix"])
def test_wannierberri_folder(model, tmp_path):
    (folder,) = ome.convert(model, tmp_path / "x", "wannierberri")
    same_in_wannierberri(System_R.from_npz(str(folder)), model)


def same_in_wannierberri(system, model):
    bands = Bands(model, K)
    expected = get("berry_curvature")(bands)
    for i, k in enumerate(K):
        found = wannierberri.evaluate_k(system, k=k % 1, quantities=["energy", "berry_curvature"])
        np.testing.assert_allclose(found["energy"], bands.energies[i], rtol=0, atol=1e-12)
        np.testing.assert_allclose(found["berry_curvature"], expected[i], rtol=0, atol=1e-8 * np.abs(expected).max())
