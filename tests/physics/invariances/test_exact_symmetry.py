"""Real Wannier functions made exactly symmetric: irreducible points then give what all points give, to rounding."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np

import ome_wannier as ome
from ome_wannier.integration.symmetry_violations import operations

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: x axes of the p functions on the three atoms of materials/te/Te.win, which are pz, px, py, each with two spins
LOCAL_X = np.array([[0.5, np.sqrt(0.75), 0], [-1, 0, 0], [0.5, -np.sqrt(0.75), 0]])
TE = [np.array([[0, 0, 1], x, np.cross([0, 0, 1], x)]) for x in LOCAL_X]
#: GPAW's p and d functions: y, z, x and xy, yz, 3z^2 - r^2, xz, x^2 - y^2, as vectors and as traceless matrices
P = np.eye(3)[[1, 2, 0]]
D = np.zeros((5, 3, 3))
for i, (a, b) in {0: (0, 1), 1: (1, 2), 3: (0, 2)}.items():
    D[i, a, b] = D[i, b, a] = np.sqrt(0.5)
D[2], D[4] = np.diag([-1, -1, 2]) / np.sqrt(6), np.diag([1, -1, 0]) / np.sqrt(2)
CR2O3 = [P] * 4 + [D] * 4 + [P] * 2
#: what operations of the group may change in matrix elements (eV): 0.07 in Cr2O3, whose others turn moments around, which is 3
OBEYS = 0.1


def spin_rotation(rotation):
    """exp(-i angle/2 n.sigma) of a proper rotation."""
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    angle = np.arctan2(np.linalg.norm(axis), np.trace(rotation) - 1)
    values, vectors = np.linalg.eig(rotation)
    n = np.real(vectors[:, np.argmin(abs(values - 1))])
    n = -n if axis @ n < 0 else n
    return np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * np.einsum("a,aij->ij", n, SIGMA)


def turned(shapes, matrix):
    """Vectors (n, 3) or quadratic forms (n, 3, 3), rotated."""
    return shapes @ matrix.T if shapes.ndim == 2 else matrix @ shapes @ matrix.T


def blocks_of(model, lattice, shapes):
    """Hamiltonian and position relative to the atoms (n, n, 4) by (R, atom, atom), R counted from the cells of the atoms."""
    atoms, home = np.array(model.structure.positions), int(np.flatnonzero(~model.R.any(axis=1))[0])
    ends = np.concatenate([[0], np.cumsum([2 * len(s) for s in shapes])])
    own = [slice(*x) for x in itertools.pairwise(ends)]
    centres = np.real(model.position[home].diagonal().T) @ np.linalg.inv(lattice)
    away = [np.rint(centres[s].mean(axis=0) - x).astype(int) for s, x in zip(own, atoms, strict=True)]
    all_four = np.concatenate([model.hamiltonian[..., None], model.position], axis=3)
    for s, x, cell in zip(own, atoms, away, strict=True):
        for i in range(s.start, s.stop):
            all_four[home, i, i, 1:] -= (x + cell) @ lattice
    pairs = list(itertools.product(range(len(atoms)), repeat=2))
    return {
        (tuple((R + away[b] - away[a]).tolist()), a, b): x[own[a], own[b]]
        for R, x in zip(model.R, all_four, strict=True)
        for a, b in pairs
    }


def image(blocks, atoms, shapes, W, t, matrix, reverse):
    """The blocks of the turned crystal; with `reverse`, in reversed time too."""
    moved = atoms @ W.T + t
    to = [int(np.argmin([abs(x - y - np.rint(x - y)).max() for y in atoms])) for x in moved]
    cell = np.rint(moved - atoms[to]).astype(int)
    spin = spin_rotation(matrix * np.sign(np.linalg.det(matrix))) @ (1j * SIGMA[1] if reverse else np.eye(2))
    overlaps = [np.tensordot(shapes[b], turned(s, matrix), (range(1, s.ndim),) * 2) for s, b in zip(shapes, to, strict=True)]
    on = [np.kron(overlap, spin) for overlap in overlaps]
    vector = np.eye(4)
    vector[1:, 1:] = matrix
    out = {}
    for (R, a, b), x in blocks.items():
        y = np.einsum("ij,jkc,lk->ilc", on[a], np.conj(x) if reverse else x, on[b].conj(), optimize=True)
        out[tuple((W @ R + cell[b] - cell[a]).tolist()), to[a], to[b]] = y @ vector.T
    return out


def averaged(model, lattice, shapes):
    """The model, averaged over the operations of the crystal, alone or in reversed time, that leave the magnetic order;
    and their number.

    shapes : those of the functions of every atom. lattice : that of the file, to rounding.
    """
    import spglib

    atoms = np.array(model.structure.positions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry((lattice.tolist(), atoms.tolist(), list(model.structure.numbers)), symprec=1e-3)
    blocks = blocks_of(model, lattice, shapes)
    images = []
    for (W, t), reverse in itertools.product(zip(found["rotations"], found["translations"], strict=True), (False, True)):
        new = image(blocks, atoms, shapes, W, t, lattice.T @ W @ np.linalg.inv(lattice.T), reverse)
        if max(abs(x - blocks.get(key, 0 * x))[..., 0].max() for key, x in new.items()) < OBEYS:
            images.append(new)
    ends = np.concatenate([[0], np.cumsum([2 * len(s) for s in shapes])])
    R = sorted({key[0] for new in images for key in new})
    sums = np.zeros((len(R), ends[-1], ends[-1], 4), dtype=complex)
    for new in images:
        for (r, a, b), x in new.items():
            sums[R.index(r), ends[a] : ends[a + 1], ends[b] : ends[b + 1]] += x / len(images)
    position = sums[..., 1:].copy()
    each = range(ends[-1])
    position[R.index((0, 0, 0)), each, each] += np.repeat(atoms @ lattice, np.diff(ends), axis=0)
    return replace(model, lattice=lattice, R=np.array(R), spin=None, hamiltonian=sums[..., 0], position=position), len(images)


def te():
    """Tellurium as it is, and with 321' to rounding."""
    model = ome.load("te")
    a, c = model.lattice[0, 0], model.lattice[2, 2]
    lattice = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(0.75), 0], [0, 0, c]])
    return model, *averaged(model, lattice, TE)


def cr2o3():
    """Cr2O3 as it is, and with -3'm' to rounding."""
    model = ome.load("cr2o3")
    x, z = model.lattice[0, 0], model.lattice[0, 2]
    y = x / np.sqrt(3)
    return model, *averaged(model, np.array([[x, y, z], [-x, y, z], [0, -2 * y, z]]), CR2O3)


def compared(model, mesh, names, levels, each=True, **settings):
    """Results of all points and of irreducible ones; they have to agree to 1e-10 of the largest element, of each level or of
    all."""
    full, few = (ome.compute(model, mesh, names, levels, temperature=300.0, symmetry=s, **settings) for s in ("off", "auto"))
    for name in names:
        change, size = (abs(x.values).max(axis=(-2, -1)) for x in (few[name] - full[name], full[name]))
        assert (change <= 1e-10 * (size if each else size.max())).all(), (name, change, size)
    return full, few


def test_symmetric_te_from_a_tenth_of_the_points():
    """A ninth of 1728 points gives the same to 1e-10 of each quantity, and exactly what is allowed."""
    model, symmetric, order = te()
    assert order == 12
    k = np.random.default_rng(0).uniform(size=(5, 3))
    levels = [np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (model, symmetric)]
    assert abs(levels[0] - levels[1]).max() < 5e-4  # eV: it is still Te, which violates its symmetry by 0.3 meV
    assert max(g.violation for g in operations(symmetric)) < 1e-12
    allowed = ["extrinsic", "quantum_metric", "dipole_polarizability"]
    full, few = compared(symmetric, (12, 12, 12), allowed, [5.4, 6.4])
    assert few.attrs["symmetry_group"] == "321'"
    assert few.attrs["irreducible_points"] == 193
    assert not any(few[name].values[:, ~np.eye(3, dtype=bool)].any() for name in allowed)
    odd = ["interband", "metric_curl", "orbital_moment"]  # under time reversal
    off, auto = (ome.compute(symmetric, (6, 6, 6), odd, [5.4, 6.4], temperature=300.0, symmetry=s) for s in ("off", "auto"))
    assert not any(auto[name].values.any() or auto[f"{name}_error"].values.any() for name in odd)
    assert abs(off.interband.values).max() < 1e-9 * abs(full.extrinsic.values).max()


def test_symmetric_cr2o3_from_a_fifth_of_the_points():
    """Inversion times time reversal leaves every k where it is: the twelve operations save six times, less on the planes."""
    model, symmetric, order = cr2o3()
    assert order == 12
    k = np.random.default_rng(0).uniform(size=(5, 3))
    levels = [np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (model, symmetric)]
    assert abs(levels[0] - levels[1]).max() < 0.05  # eV: it is still Cr2O3
    # bands some meV apart make rounding grow to 1e-8 of what is left in the gap, where they are all below the level, and to
    # 1e-10 of what `total` cancels to at 7.0 eV; 7.2 eV sets the size. With degeneracy_tol of 10 meV rounding is 2e-11 of each,
    # with the default, which is 0.1 meV, 3e-9 of the largest
    names, levels = ["total", "interband", "quantum_metric"], [7.0, 7.2, 8.2379]
    few = compared(symmetric, (12, 12, 12), names, levels, each=False, degeneracy_tol=1e-3)[1]
    compared(symmetric, (12, 12, 12), names, levels, degeneracy_tol=0.01)
    assert few.attrs["symmetry_group"] == "-3m(32)"  # of which 32 does not reverse time: -3'm'
    assert few.attrs["irreducible_points"] < 12**3 / 5
    assert not few.total.values[:, ~np.eye(3, dtype=bool)].any()
