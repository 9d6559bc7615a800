"""Moments with states outside the Wannier subspace: WannierBerri on the same matrices, from the files of a real calculation.

Te's `.uHu` (21 MB) is not in the repository: one is made of the 24 bands of `.mmn` and `.eig`, six of which are outside the 18
functions. OME_WANNIER_DATA may name a folder that has te/Te.uHu.gz, the calculation's own.

WannierBerri subtracts from <d_m u|H|d_n u> what goes by way of the state itself, A_m,nn e_n A_n,nn, as if that state were an
eigenstate of H outside the subspace too. N_nn = <u_n|H Q|d u_n> is then zero; where it is not, its moment of a state holds

    -1/2 i [A_m,nn N_n,nn + N_m,nn^* A_n,nn - (m <-> n)]

beside ours, A counted from the centres of the functions. This depends on their choice: ours does not hold it.
"""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import FortranFile
from toys import negative, random_arrays, random_model

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy
from ome_wannier.bands.outside_basis import outside_moments, wannier_position
from ome_wannier.errors import ModelError
from ome_wannier.models.outside_states import External

wannierberri = pytest.importorskip("wannierberri")

from wannierberri import calculators as wb  # noqa: E402
from wannierberri.fourier.rvectors import Rvectors  # noqa: E402
from wannierberri.system.system_R import System_R  # noqa: E402

from ome_wannier.adapters.wannierberri import system as wannierberri_adapter  # noqa: E402
from ome_wannier.adapters.wannierberri.external import external_of, with_external_terms  # noqa: E402

DATA = Path(__file__).parents[2] / "data" / "te"
UHU = Path(os.environ.get("OME_WANNIER_DATA", "no folder given")) / "te" / "Te.uHu.gz"
TO_BOHR_MAGNETON = units.E2_OVER_HBAR * units.ANGSTROM**2 / units.MU_B
CYCLIC = ((1, 2), (2, 0), (0, 1))
MESH = (4, 4, 4)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """WannierBerri writes its results into the current folder."""
    monkeypatch.chdir(tmp_path)


def random_external(seed=9):
    """A model with random Hermitian CC, FF and any BB: no large model behind it."""
    model = random_model(8, 3, 4, hopping=1.0, position="matrix")
    rng = np.random.default_rng(seed)
    B = random_arrays(rng, model.R, 4, 0.5, 0.5, (3,)) + 1j * random_arrays(rng, model.R, 4, 0.5, 0.5, (3,))
    G, O = random_arrays(rng, model.R, 4, 0.5, 0.5, (3, 3)), random_arrays(rng, model.R, 4, 0.5, 0.5, (3,))
    F = (G + np.swapaxes(G, 3, 4)) / 2
    for c, (a, b) in enumerate(CYCLIC):
        F[..., a, b] -= 0.5j * O[..., c]
        F[..., b, a] += 0.5j * O[..., c]
    return replace(model, external=External(B, random_arrays(rng, model.R, 4, 0.5, 0.5, (3,)), F))


def from_centres(model):
    """AA, BB, CC, FF with positions counted from the centres, as WannierBerri holds them, element by element."""
    t, H = model.wannier_centres, model.hamiltonian
    A, (B, C, F) = np.array(model.position), model.external.arrays
    home, n = np.flatnonzero(~model.R.any(axis=1))[0], model.n_orbitals
    Bd = np.conj(np.swapaxes(B[negative(model.R)], 1, 2))
    new_B, new_C, new_F = np.array(B), np.array(C), np.array(F)
    for i in range(n):
        for j in range(n):
            one = (np.arange(len(model.R)) == home) * float(i == j)
            new_B[:, i, j] -= H[:, i, j, None] * t[j]
            # <(r - t_i)_a H (r - R - t_j)_b>
            for a in range(3):
                for b in range(3):
                    new_F[:, i, j, a, b] -= t[i, a] * A[:, i, j, b] + A[:, i, j, a] * t[j, b] - one * t[i, a] * t[j, b]
            for c, (a, b) in enumerate(CYCLIC):
                for s, x, y in ((1, a, b), (-1, b, a)):
                    moved = t[i, x] * B[:, i, j, y] + Bd[:, i, j, x] * t[j, y] - t[i, x] * t[j, y] * H[:, i, j]
                    new_C[:, i, j, c] -= 1j * s * moved
    A[home, range(n), range(n)] = 0
    return A, new_B, new_C, new_F


def system_of(model, names=("AA", "BB", "CC", "FF")):
    system = System_R(periodic=model.periodic, silent=True)
    system.set_real_lattice(np.array(model.lattice))
    system.num_wann = model.n_orbitals
    system.set_wannier_centers(wannier_centers_cart=np.array(model.wannier_centres))
    system.rvec = Rvectors(lattice=system.real_lattice, iRvec=model.R, shifts_left_red=system.wannier_centers_red)
    system.set_R_mat("Ham", np.array(model.hamiltonian))
    A, B, C, F = from_centres(model) if model.external.FF is not None else (*from_centres_of_moments(model), None)
    for name, X in zip(("AA", "BB", "CC", "FF"), (A, B, C, F), strict=True):
        if name in names and X is not None:
            system.set_R_mat(name, X)
    system.do_at_end_of_init()
    return system


def from_centres_of_moments(model):
    B, C, _ = model.external.arrays
    zero = np.zeros((*B.shape, 3), dtype=complex)
    return from_centres(replace(model, external=External(B, C, zero)))[:3]


def run(system, calculator):
    for part in (calculator, *getattr(calculator, "terms", ())):
        part.save_mode = "bin"  # text files would be left open
    grid = wannierberri.Grid(system, NKdiv=1, NKFFT=list(MESH), use_symmetry=False)
    options = {"use_irred_kpt": False, "symmetrize": False, "parallel": False}
    return wannierberri.run(system, grid, {"it": calculator}, **options).results["it"]


def by_way_of_itself(model, bands):
    """What WannierBerri's moment holds beside ours, see the module's text: (nk, n, moment)."""
    A = [bands.rotate(wannier_position(bands, a) - np.diag(model.wannier_centres[:, a])) for a in range(3)]
    A = [np.einsum("knn->kn", X).real for X in A]
    N = [np.einsum("knn->kn", outside_moments(bands).N[a]) for a in range(3)]
    half = {(m, n): A[m] * N[n] + np.conj(N[m]) * A[n] for m in range(3) for n in range(3)}
    return np.stack([(-0.5j * (half[m, n] - half[n, m])).real for m, n in CYCLIC], axis=-1)


def unpack(source, target):
    with gzip.open(source) as packed, open(target, "wb") as plain:
        shutil.copyfileobj(packed, plain)


def unpacked(folder, endings):
    """Files of Te's calculation, in `folder`."""
    for ending in endings:
        unpack(DATA / f"Te.{ending}.gz", folder / f"Te.{ending}")


def make_uhu(folder):
    """Te.uHu of the bands of .mmn and .eig: <u_k+b1|H_k|u_k+b2> = M(b1)^+ e_k M(b2) with the overlaps M(b) = <u_k|u_k+b>."""
    _, sizes, rows = (folder / "Te.mmn").read_text().split("\n", 2)
    n, nk, nb = map(int, sizes.split())
    numbers = np.array(rows.split(), dtype=float).reshape(nk, nb, 5 + 2 * n * n)[:, :, 5:]
    M = np.swapaxes(numbers.copy().view(complex).reshape(nk, nb, n, n), 2, 3)
    e = np.loadtxt(folder / "Te.eig")[:, 2].reshape(nk, n)
    with FortranFile(folder / "Te.uHu", "w") as f:
        f.write_record(np.frombuffer(b"made of .mmn and .eig".ljust(60), dtype=np.uint8))
        f.write_record(np.array([n, nk, nb], dtype=np.int32))
        for k in range(nk):
            for second in range(nb):
                for first in range(nb):
                    f.write_record((np.conj(M[k, first].T) @ (e[k][:, None] * M[k, second])).ravel())


def te(folder):
    unpacked(folder, ("chk", "eig", "mmn"))
    if UHU.is_file():
        unpack(UHU, folder / "Te.uHu")
    else:
        make_uhu(folder)
    return with_external_terms(ome.load("te"), folder / "Te")


BUILD = {"random": lambda folder: random_external(), "te": te}


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # files it leaves open
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("name", BUILD)
def test_orbital_moment(name, tmp_path):
    """The moment in mu_B: factor +1. Without FF, so that the curvature of A stands for its antisymmetric part in both codes."""
    model = BUILD[name](tmp_path)
    model = replace(model, external=replace(model.external, FF=None))
    table = run(system_of(model), wb.TabulatorAll({"m": wb.tabulate.OrbitalMoment()}, mode="grid"))
    bands = Bands(model, table.kpoints, degeneracy=Degeneracy(1e-5))
    ours = ome.calculators.get("orbital_moment")(bands) + by_way_of_itself(model, bands)
    theirs = table.results["m"].data / TO_BOHR_MAGNETON
    scale = np.abs(theirs).max()
    single = np.ones(bands.energies.shape, dtype=bool)
    single[bands.degenerate_points] = False
    np.testing.assert_allclose(ours[single], theirs[single], rtol=0, atol=1e-9 * scale)
    without = ome.calculators.get("orbital_moment")(Bands(replace(model, external=None), table.kpoints))
    assert np.abs(without - ours).max() > 1e-2 * scale
    assert single.mean() > 0.8


def test_system_holds_what_the_model_gave():
    """external_of undoes the shift to the centres."""
    model = random_external()
    for names, empty in ((("AA", "BB", "CC", "FF"), ()), (("AA", "BB", "CC"), ("FF",)), (("AA", "FF"), ("BB", "CC"))):
        found = external_of(system_of(model, names), model.R)
        for name in ("BB", "CC", "FF"):
            if name in empty:
                assert getattr(found, name) is None
            else:
                np.testing.assert_allclose(getattr(found, name), getattr(model.external, name), rtol=0, atol=1e-12)


def test_load_with_external_terms():
    """load(system, external_terms=True) gives back the model, and the completed moments of the system are its own."""
    model = random_external()
    found = wannierberri_adapter.load(system_of(model), 1, external_terms=True)
    assert wannierberri_adapter.load(system_of(model), 1).external is None
    k = np.random.default_rng(2).uniform(-0.5, 0.5, (5, 3))
    here, there = Bands(model, k), Bands(found, k)
    for name in ("extrinsic", "local_crossgap", "quantum_metric"):
        a, b = (ome.calculators.get(name)(bands) for bands in (here, there))
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-10 * np.abs(a).max())


def test_refusals(tmp_path):
    with pytest.raises(ModelError, match=r"no file .*none\.chk: external terms need .chk, .eig, .mmn, .uHu"):
        with_external_terms(random_external(), tmp_path / "none")
    with pytest.raises(ModelError, match="this system has none of these pairs"):
        external_of(system_of(random_external(), ("AA", "BB")), random_external().R)
