"""The plug-in's tensors under the operations of point groups, unitary and not: irreducible points give the whole zone.

A random Hamiltonian on an orbit of s orbitals with spin about the origin is averaged over the group, together with its
position and spin matrices. How an operation acts on them is written here, independently of the package and of WannierBerri.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn
from toys import SIGMA, fermi, minus_derivative, pauli, r_vectors, random_arrays

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.adapters.wannierberri import export
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import combine, first_observable, get, resolve
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.calculators.weights import component_axes, evaluate
from ome_wannier.plugins.wannierberri import OME

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
        known = np.isfinite(whole[key].data)  # a field across a layer drives no current
        np.testing.assert_array_equal(np.isfinite(reduced[key].data), known)
        ours, expected = reduced[key].data[known], whole[key].data[known]
        one = unit_of(first_observable(get(key)), dimension, 10.0)[0]  # hbar = e = 1, eV, Angstrom
        if key in forbidden:
            assert max(np.abs(ours).max(), np.abs(expected).max()) < 1e-10 * one
        else:
            assert np.abs(expected).max() > 1e-4 * one
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=key)


def shares(model, mesh, key, level, kT):
    """What each k point of a mesh adds to a quantity that is summed over occupied states, on three axes: (nk, 3, ...)."""
    bands = Bands(model, ome.KMesh(mesh).points(), order=2, curvature=True)
    along, dims = component_axes(model.axes, model.moments), first_observable(get(key)).dims
    weights = {}
    for o in resolve([key])[1]:
        f = (fermi if o.occupation == "sea" else minus_derivative)(bands.energies, level, kT)
        weights[o.name] = np.einsum("kn,kn...->k...", f, evaluate(o, bands))
    full = np.zeros((len(bands.energies), *[3] * len(dims)))
    full[(slice(None), *np.ix_(*(along[d] for d in dims)))] = combine(get(key), weights)
    return full * unit_of(first_observable(get(key)), model.dimension, 10.0)[0] / model.cell


def partners(model, mesh, O, antiunitary):
    """Index of the point that an operation takes each k point of the mesh to."""
    k = ome.KMesh(mesh).points()
    B = np.linalg.inv(model.lattice).T
    turned = (k @ B @ O.T @ np.linalg.inv(B)) * (-1 if antiunitary else 1)
    index = {tuple(x): i for i, x in enumerate(np.rint(k * mesh).astype(int).tolist())}
    return [index[tuple(x)] for x in (np.rint(turned * mesh).astype(int) % mesh).tolist()]


def turned(W, observable, O, antiunitary):
    """Tensors (nk, 3, ...) in the turned crystal."""
    for i, dim in enumerate(observable.dims):
        axial = np.linalg.det(O) if dim in ("moment", "axis") else 1.0
        W = np.moveaxis(np.tensordot(W, axial * O, (1 + i, 1)), -1, 1 + i)
    return W * (observable.time_reversal if antiunitary else 1)


def test_vse2_with_its_mirrors():
    """Wannier functions obey the symmetry of their crystal approximately: a point that is left out gives at most its own error.

    With W(k) the share of a point, and g an operation of the group, irreducible and whole symmetrised sums differ by at most
    the mean of max_g |W(gk) - g W(k)|. The energies violate the symmetry by 14 micro-eV, the metric of a point by a percent.
    """
    model, mesh, level, T = ome.load("vse2"), (6, 6, 1), -0.25, 300.0
    asked = ("semiclassical", "quantum_metric", "berry_curvature", "dipole_polarizability")
    system = export(model)
    system.set_pointgroup(["Mx*TimeReversal", "Mz"])
    grid = wannierberri.Grid(system, NKdiv=list(mesh), NKFFT=1)
    calculator = {"ome": OME([level], asked, T, save_mode="bin")}
    reduced, whole = (run(system, grid, calculator, symmetry)["ome"] for symmetry in (True, False))
    projected = system.pointgroup.symmetrize(whole)
    assert len(grid.get_K_list(use_symmetry=True)) == 21
    for key in asked:
        W = shares(model, mesh, key, level, units.KB * T)
        reduced_sum, whole_sum, mean = (
            np.nan_to_num(x[key].data[0]) for x in (reduced, whole, projected)
        )  # nan: no such element
        np.testing.assert_allclose(whole_sum, W.mean(axis=0), rtol=0, atol=1e-6 * np.abs(W).max())
        violation = np.zeros(len(W))
        for g in system.pointgroup.symmetries:
            O = g.R * g.iInv
            gap = W[partners(model, mesh, O, g.TR)] - turned(W, first_observable(get(key)), O, g.TR)
            violation = np.maximum(violation, np.abs(gap).reshape(len(W), -1).max(axis=1))
        assert np.abs(reduced_sum - mean).max() <= violation.mean()
        assert violation.mean() < 0.1 * np.abs(W).reshape(len(W), -1).max(axis=1).mean()
