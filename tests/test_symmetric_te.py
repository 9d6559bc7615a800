"""Real Wannier functions made exactly symmetric: irreducible points then give what all points give, to rounding."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np

import ome_wannier as ome
from ome_wannier.symmetry import operations

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: x axes of the p functions on the three atoms, and their order, of materials/te/Te.win: pz, px, py, each with two spins
LOCAL_X = np.array([[0.5, np.sqrt(0.75), 0], [-1, 0, 0], [0.5, -np.sqrt(0.75), 0]])
ORDER = [2, 0, 1]


def spin_rotation(P):
    """exp(-i angle/2 n.sigma) of a proper rotation."""
    angle = np.arccos(np.clip((np.trace(P) - 1) / 2, -1, 1))
    values, vectors = np.linalg.eig(P)
    n = np.real(vectors[:, np.argmin(abs(values - 1))])
    turn = np.array([P[2, 1] - P[1, 2], P[0, 2] - P[2, 0], P[1, 0] - P[0, 1]])
    n = -n if turn @ n < 0 else n
    return np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * np.einsum("a,aij->ij", n, SIGMA)


def on_functions(W, t, P, atoms):
    """The matrix (18, 18) of an operation, the cells (3, 3) into which it takes the atoms, and the atoms that they become."""
    moved = atoms @ W.T + t
    to = [int(np.argmin([abs(x - y - np.rint(x - y)).max() for y in atoms])) for x in moved]
    frames = [np.array([x, np.cross([0, 0, 1], x), [0, 0, 1]]) for x in LOCAL_X]
    D = np.zeros((18, 18), dtype=complex)
    for a, b in enumerate(to):
        p = frames[b] @ P @ frames[a].T
        D[6 * b : 6 * b + 6, 6 * a : 6 * a + 6] = np.kron(p[np.ix_(ORDER, ORDER)], spin_rotation(P))
    return D, np.rint(moved - atoms[to]).astype(int), to


def averaged(te):
    """The Hamiltonian and position of Te, averaged over the operations of its crystal and time reversal."""
    import spglib

    a, c = te.lattice[0, 0], te.lattice[2, 2]
    lattice = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(0.75), 0], [0, 0, c]])  # to rounding; the file has seven digits
    atoms = np.array(te.structure.positions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry((lattice.tolist(), atoms.tolist(), list(te.structure.numbers)), symprec=1e-3)
    home = int(np.flatnonzero(~te.R.any(axis=1))[0])
    shifted = te.position.copy()  # relative to the atoms, so that it turns as a vector
    shifted[home, range(18), range(18)] -= np.repeat(atoms @ lattice, 6, axis=0)
    H, r = {}, {}
    for (W, t), reverse in itertools.product(zip(found["rotations"], found["translations"], strict=True), (False, True)):
        P = lattice.T @ W @ np.linalg.inv(lattice.T)
        D, cell, to = on_functions(W, t, P, atoms)
        D = D @ np.kron(np.eye(9), 1j * SIGMA[1]) if reverse else D
        h, x = (np.conj(m) if reverse else m for m in (te.hamiltonian, shifted))
        h = D @ h @ D.conj().T
        x = np.einsum("ij,rjkc,lk->rilc", D, x, D.conj(), optimize=True) @ P.T
        for i, (m, n) in itertools.product(range(len(te.R)), itertools.product(range(3), repeat=2)):
            R = tuple((W @ te.R[i] + cell[n] - cell[m]).tolist())
            block = np.s_[6 * to[m] : 6 * to[m] + 6, 6 * to[n] : 6 * to[n] + 6]
            H.setdefault(R, np.zeros((18, 18), dtype=complex))[block] += h[i][block] / 12
            r.setdefault(R, np.zeros((18, 18, 3), dtype=complex))[block] += x[i][block] / 12
    r[0, 0, 0][range(18), range(18)] += np.repeat(atoms @ lattice, 6, axis=0)
    R = sorted(H)
    arrays = {"hamiltonian": np.array([H[q] for q in R]), "position": np.array([r[q] for q in R])}
    return replace(te, lattice=lattice, R=np.array(R), spin=None, **arrays)


def test_symmetric_te_from_a_tenth_of_the_points():
    """321' to rounding: a ninth of 1728 points gives the same to 1e-10 of each quantity, and exactly what is allowed."""
    te = ome.load("te")
    model = averaged(te)
    k = np.random.default_rng(0).uniform(size=(5, 3))
    levels = [np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (te, model)]
    assert abs(levels[0] - levels[1]).max() < 5e-4  # eV: it is still Te, which violates its symmetry by 0.3 meV
    assert max(g.violation for g in operations(model)) < 1e-12
    names = ["extrinsic", "interband", "metric_curl", "quantum_metric", "dipole_polarizability", "orbital_moment"]
    full, few = (
        ome.compute(model, (12, 12, 12), names, [5.4, 6.4], temperature=300.0, symmetry=s) for s in ("off", "auto")
    )
    assert few.attrs["symmetry_group"] == "321'"
    assert few.attrs["irreducible_points"] == 193
    for name in ("extrinsic", "quantum_metric", "dipole_polarizability"):
        size = abs(full[name].values).max()
        np.testing.assert_allclose(few[name], full[name], rtol=0, atol=1e-10 * size, err_msg=name)
        assert not few[name].values[:, ~np.eye(3, dtype=bool)].any()
    for name in ("interband", "metric_curl", "orbital_moment"):  # odd under time reversal
        assert not few[name].values.any()
        assert not few[f"{name}_error"].values.any()
    assert abs(full.interband.values).max() < 1e-9 * abs(full.extrinsic.values).max()
