"""External terms of some functions of a larger model, from the files of a mesh, against derivatives of these functions.

Of a layer of seven orbitals three functions are kept: smooth combinations of its states, or its three lowest bands. All is
known: with u(k) the functions in the basis of the orbitals (at tau, phases exp(ikR)), |i d_b u> = tau_b u + i d_b u.
"""

from __future__ import annotations

import contextlib
import io
from itertools import product

import numpy as np
import pytest
from scipy.io import FortranFile

import ome_wannier as ome
from ome_wannier.adapters.wannierberri.external import with_external_terms

pytest.importorskip("wannierberri")

from wannierberri.system.system_R import System_R
from wannierberri.w90files.bkvectors import BKVectors
from wannierberri.w90files.wandata import WannierData

LATTICE = np.array([[3.1, 0.2, 0.0], [0.3, 2.9, 0.0], [0.0, 0.0, 3.3]])
RECIPROCAL = 2 * np.pi * np.linalg.inv(LATTICE).T
R = np.array(list(product((-1, 0, 1), (-1, 0, 1), (0,))))
N, KEPT, BANDS = 7, 3, 6


class Larger:
    """The larger model and the functions: of its lowest bands, or of states weighted by a smooth function of the energy."""

    def __init__(self, bands_alone: bool, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        H = (
            (rng.normal(size=(9, N, N)) + 1j * rng.normal(size=(9, N, N)))
            * 0.25
            * np.exp(-0.9 * np.abs(R).sum(axis=1))[:, None, None]
        )
        self.H = (H + np.conj(H[::-1].swapaxes(1, 2))) / 2
        self.H[4] += np.diag([-3.0, -2.4, -2.0, 0.0, 1.0, 2.0, 6.0] if bands_alone else [-3.0, -2.4, -1.0, -0.3, 0.6, 1.2, 6.0])
        self.tau = rng.uniform(-0.8, 0.8, size=(N, 3)) * np.array([1, 1, 0])
        self.trial = np.eye(N)[:, :KEPT] + 0.15 * (rng.normal(size=(N, KEPT)) + 1j * rng.normal(size=(N, KEPT)))
        self.bands_alone = bands_alone

    def hamiltonian(self, k):
        return np.tensordot(np.exp(2j * np.pi * k @ R.T), self.H, 1)

    def functions(self, k):
        """Energies and states of the larger model, and the functions (nk, N, KEPT)."""
        e, U = np.linalg.eigh(self.hamiltonian(k))
        f = (np.arange(N) < KEPT) + 0 * e if self.bands_alone else 1 / (1 + np.exp(e / 0.6)) * (np.arange(N) < BANDS)
        left, _, right = np.linalg.svd((U * f[:, None]) @ (np.conj(U.swapaxes(1, 2)) @ self.trial), full_matrices=False)
        return e, U, left @ right

    def exact(self, k, step=2e-3):
        """A, BB (nk, n, n, 2), CC (nk, n, n) of the normal, FF (nk, n, n, 2, 2): derivatives of fourth order."""
        u, H, found = self.functions(k)[2], self.hamiltonian(k), []
        for a in range(2):
            q = step * np.linalg.inv(RECIPROCAL)[a]
            one, two = (self.functions(k + i * q)[2] - self.functions(k - i * q)[2] for i in (1, 2))
            found.append(self.tau[:, a, None] * u + 1j * (8 * one - two) / (12 * step))
        bra, (x, y) = np.conj(u.swapaxes(1, 2)), found
        A, BB = (np.stack([bra @ O @ z for z in found], axis=-1) for O in (np.eye(N), H))
        C = np.conj(x.swapaxes(1, 2)) @ H @ y
        FF = np.stack([np.stack([np.conj(z.swapaxes(1, 2)) @ w for w in found], axis=-1) for z in found], axis=-2)
        return A, BB, 1j * (C - np.conj(C.swapaxes(1, 2))), FF

    def write(self, folder, size):
        """Files of BANDS bands on size x size points; `.uHu` has all that is beyond them."""
        q = ome.KMesh((size, size, 1)).points()
        found = BKVectors.from_kpoints(recip_lattice=RECIPROCAL, mp_grid=np.array((size, size, 1)), kpoints_red=q)
        near = np.array([found.neighbours[k] for k in range(len(q))])
        G = np.array([found.G[k] for k in range(len(q))])
        b = (q[near] + G - q[:, None]) @ RECIPROCAL
        e, U, u = self.functions(q)
        U = U[:, :, :BANDS]
        bra, there = np.conj(U.swapaxes(1, 2)), np.exp(-1j * b @ self.tau.T)[..., None] * U[near]
        overlaps = bra[:, None] @ there
        with (folder / "model.eig").open("w") as f:
            f.writelines(f"{i + 1} {k + 1} {e[k, i]:.16e}\n" for k in range(len(q)) for i in range(BANDS))
        with (folder / "model.mmn").open("w") as f:
            f.write(f"seven orbitals\n{BANDS} {len(q)} {b.shape[1]}\n")
            for k, j in product(range(len(q)), range(b.shape[1])):
                f.write(f"{k + 1} {near[k, j] + 1} {' '.join(map(str, G[k, j]))}\n")
                f.writelines(f"{x.real:.16e} {x.imag:.16e}\n" for x in overlaps[k, j].T.ravel())
        for ending, O in (("uHu", self.hamiltonian(q)), ("uIu", np.broadcast_to(np.eye(N), (len(q), N, N)))):
            with FortranFile(folder / f"model.{ending}", "w") as f:
                f.write_record(np.frombuffer(b"seven orbitals".ljust(60), dtype=np.uint8))
                f.write_record(np.array([BANDS, len(q), b.shape[1]], dtype=np.int32))
                for k, second, first in product(range(len(q)), range(b.shape[1]), range(b.shape[1])):
                    f.write_record((np.conj(there[k, first].T) @ O[k] @ there[k, second]).ravel())
        self._write_checkpoint(folder / "model.chk", q, size, b.shape[1], bra @ u)
        return q

    def _write_checkpoint(self, path, q, size, neighbours, to_functions):
        """With windows of other numbers of bands at each point where the bands alone are kept."""
        inside = np.ones((len(q), BANDS), dtype=np.int32)
        if self.bands_alone:
            inside[:] = np.arange(BANDS) < KEPT + np.arange(len(q))[:, None] % 3
        with FortranFile(path, "w") as f:
            f.write_record(np.frombuffer(b"seven orbitals".ljust(33), dtype=np.uint8))
            for x in ([BANDS], [0], []):
                f.write_record(np.array(x, dtype=np.int32))
            for x in (LATTICE.T.ravel(), RECIPROCAL.T.ravel()):
                f.write_record(x)
            for x in ([len(q)], [size, size, 1]):
                f.write_record(np.array(x, dtype=np.int32))
            f.write_record(q.ravel())
            for x in ([neighbours], [KEPT]):
                f.write_record(np.array(x, dtype=np.int32))
            f.write_record(np.frombuffer(b"postwann".ljust(20), dtype=np.uint8))
            f.write_record(np.array([1], dtype=np.int32))
            f.write_record(np.array([1.0]))
            f.write_record(inside.ravel())
            f.write_record(inside.sum(axis=1).astype(np.int32))
            f.write_record(to_functions.swapaxes(1, 2).ravel())
            f.write_record(np.broadcast_to(np.eye(KEPT, dtype=complex), (len(q), KEPT, KEPT)).ravel())
            f.write_record(np.zeros(len(q) * neighbours * KEPT**2, dtype=complex))
            f.write_record(self.tau[:KEPT].ravel())
            f.write_record(np.ones(KEPT))


def loaded(folder):
    """The functions with external terms, the Hamiltonian and positions as WannierBerri makes them."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = WannierData.from_w90_files(str(folder / "model"), files=["chk", "eig", "mmn"], readnnkp=False)
        system = System_R.from_wannierdata(data, symmetrize=False, silent=True, berry=True)
    return with_external_terms(ome.load(system), folder / "model")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bands_alone", [False, True])
def test_matrices_converge_with_the_square_of_the_distance(bands_alone, tmp_path):
    """Positions, external terms, and N_b = BB_b - H A_b of what is outside, which is zero if whole bands are kept."""
    larger, k, errors = Larger(bands_alone), np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3)) * np.array([1, 1, 0]), []
    A, BB, CC, FF = larger.exact(k)
    for size in (6, 12):
        folder = tmp_path / str(size)
        folder.mkdir()
        q = larger.write(folder, size)
        model = loaded(folder)
        on_mesh, elsewhere = (np.exp(2j * np.pi * x @ model.R.T) for x in (q, k))
        external = model.external
        near = [np.tensordot(elsewhere, X, 1) for X in (model.position[..., :2], external.BB[..., :2], external.CC[..., 2])]
        near.append(np.tensordot(elsewhere, external.FF[..., :2, :2], 1))
        errors.append([np.abs(x - y).max() / np.abs(y).max() for x, y in zip(near, (A, BB, CC, FF), strict=True)])
        H, P, B = (np.tensordot(on_mesh, X, 1) for X in (model.hamiltonian, model.position, external.BB))
        outside = B - np.einsum("kij,kjla->kila", H, P)
        if bands_alone:
            assert np.abs(outside).max() < 1e-11 * np.abs(B).max()
        else:
            assert np.abs(outside).max() > 1e-2 * np.abs(B).max()
    coarse, fine = errors
    assert max(fine) < 0.07
    assert max(y / x for x, y in zip(coarse, fine, strict=True)) < 0.4  # a quarter, and terms of fourth order
