"""The plug-in's tensors under the operations of point groups, unitary and not: irreducible points give the whole zone.

A random Hamiltonian on an orbit of s orbitals with spin about the origin is averaged over the group, together with its
position and spin matrices. How an operation acts on them is written here, independently of the package and of WannierBerri.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn
from toys import SIGMA, pauli, r_vectors, random_arrays

import ome_wannier as ome
from ome_wannier.adapters.wannierberri import export
from ome_wannier.calculators import get
from ome_wannier.plugins.wannierberri import OME
from ome_wannier.result import first_observable, unit_of

wannierberri = pytest.importorskip("wannierberri")

from wannierberri.symmetry.point_symmetry import PointGroup  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

OBLIQUE = np.array([[2.6, 0.0, 0.0], [0.8, 2.9, 0.0], [0.0, 0.0, 3.1]])
RECTANGULAR = np.diag([2.6, 3.1, 6.0])
TETRAGONAL = np.diag([2.8, 2.8, 3.2])
HEXAGONAL = np.array([[2.9, 0.0, 0.0], [-1.45, 1.45 * np.sqrt(3), 0.0], [0.0, 0.0, 3.3]])
AXIAL = ("berry_curvature", "orbital_moment")
#: name: lattice, generators, dimension, quantities that the group forbids altogether
GROUPS = {
    "m": (OBLIQUE, ["Mz"], 3, ()),
    "m_2d": (RECTANGULAR, ["Mx"], 2, AXIAL),
    "2": (OBLIQUE, ["C2z"], 3, ()),
    "3": (HEXAGONAL, ["C3z"], 3, ()),
    "-4": (TETRAGONAL, ["Inversion*C4z"], 3, ()),
    "m'": (OBLIQUE, ["Mz*TimeReversal"], 3, ()),
    "m'_2d": (RECTANGULAR, ["Mx*TimeReversal"], 2, ()),
    "2'": (OBLIQUE, ["C2z*TimeReversal"], 3, ()),
    "31'": (HEXAGONAL, ["C3z", "TimeReversal"], 3, (*AXIAL, "total", "spin")),
    "-4'": (TETRAGONAL, ["Inversion*C4z*TimeReversal"], 3, AXIAL),
    "-3'": (HEXAGONAL, ["C3z", "Inversion*TimeReversal"], 3, (*AXIAL, "extrinsic", "spin_extrinsic")),
    "m'm2'": (RECTANGULAR, ["Mx*TimeReversal", "My"], 3, ()),
}
#: moment x field, axial vector, position x field, spin moment x field; even and odd under time reversal
ASKED = ("total", "extrinsic", *AXIAL, "quantum_metric", "dipole_polarizability", "spin", "spin_extrinsic")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """WannierBerri writes its results into the current folder."""
    monkeypatch.chdir(tmp_path)


def spin_half(O):
    """The rotation of a spin 1/2; inversion leaves spins alone, and the sign of the double group drops out of averages."""
    angle = Turn.from_matrix(O * np.linalg.det(O)).as_rotvec()
    size = np.linalg.norm(angle)
    axis = np.einsum("a,aij->ij", angle / max(size, 1e-12), SIGMA)
    return np.cos(size / 2) * np.eye(2) - 1j * np.sin(size / 2) * axis


def averaged(X, R, lattice, sites, operations, turn=None):
    """{R: mean of what the operations make of X_R}; `turn` gives the matrix that acts on the components of X, if any."""
    out: dict = {}
    for O, antiunitary in operations:
        to = np.abs((sites @ O.T)[:, None] - sites).sum(axis=2).argmin(axis=1)
        P = np.zeros((len(sites), len(sites)))
        P[to, np.arange(len(sites))] = 1
        D = np.kron(P, spin_half(O) @ (1j * SIGMA[1] if antiunitary else np.eye(2)))
        Y = np.einsum("ij,rjk...,lk->ril...", D, np.conj(X) if antiunitary else X, np.conj(D), optimize=True)
        if turn is not None:
            Y = Y @ turn(O, antiunitary).T
        moved = np.rint(R @ lattice @ O.T @ np.linalg.inv(lattice)).astype(int)
        for r, y in zip(map(tuple, moved.tolist()), Y, strict=True):
            out[r] = out.get(r, 0) + y / len(operations)
    return out


def polar(O, antiunitary):
    return O


def axial_odd(O, antiunitary):
    return O * np.linalg.det(O) * (-1 if antiunitary else 1)


def symmetric_model(lattice, operations, dimension):
    """Random up to the operations, with position and spin matrices."""
    rng = np.random.default_rng(4)
    R = r_vectors((True, True, dimension == 3), 1)
    orbit = np.array([O @ np.array([0.31, 0.52, 0.44]) for O, _ in operations])
    sites = np.unique(orbit.round(9), axis=0)
    n, home = 2 * len(sites), ~R.any(axis=1)
    H = random_arrays(rng, R, n, 0.7, 0.4)
    A = random_arrays(rng, R, n, 0.2, 0.4, (3,))
    S = random_arrays(rng, R, n, 0.2, 0.4, (3,))
    A[home] += np.einsum("ij,ia->ija", np.eye(n), np.repeat(sites, 2, axis=0))
    S[home] += pauli(len(sites))
    turns = {"hamiltonian": None, "position": polar, "spin": axial_odd}
    parts = {k: averaged(X, R, lattice, sites, operations, turns[k]) for k, X in zip(turns, (H, A, S), strict=True)}
    R = np.array(list(parts["hamiltonian"]))
    return ome.TightBinding(
        lattice, R, periodic=(True, True, dimension == 3), **{k: np.array(list(X.values())) for k, X in parts.items()}
    )


def run(system, grid, calculators, symmetry):
    options = {"use_irred_kpt": symmetry, "symmetrize": symmetry, "parallel": False}
    return wannierberri.run(system, grid, calculators, **options).results


@pytest.mark.parametrize("name", GROUPS)
def test_irreducible_points_give_the_whole_zone(name):
    lattice, generators, dimension, forbidden = GROUPS[name]
    operations = [(g.R * g.iInv, g.TR) for g in PointGroup(generators, real_lattice=lattice).symmetries]
    system = export(symmetric_model(lattice, operations, dimension))
    system.set_pointgroup(generators)
    flat = dimension == 2
    grid = wannierberri.Grid(system, NKdiv=[3, 3, 1] if flat else 3, NKFFT=[2, 2, 1] if flat else 2)
    assert len(grid.get_K_list(use_symmetry=True)) < len(grid.get_K_list(use_symmetry=False))
    calculator = {"ome": OME([-0.5, 0.3], ASKED, 1000.0, degeneracy_tol=1e-4, save_mode="bin")}
    reduced, whole = (run(system, grid, calculator, symmetry)["ome"] for symmetry in (True, False))
    for key in ASKED:
        ours, expected = reduced[key].data, whole[key].data
        one = unit_of(first_observable(get(key)), dimension, 10.0)[0]  # hbar = e = 1, eV, Angstrom
        if key in forbidden:
            assert max(np.abs(ours).max(), np.abs(expected).max()) < 1e-10 * one
        else:
            assert np.abs(expected).max() > 1e-4 * one
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=key)
