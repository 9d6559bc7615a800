"""Models made exactly symmetric: against models of atomic orbitals that are symmetric by construction, and projections."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
import spglib
from scipy.spatial.transform import Rotation

import ome_wannier as ome
from ome_wannier.adapters.wannier90.projections import possible_projections
from ome_wannier.adapters.wannier90.win import read_win
from ome_wannier.calculators import first_observable, get
from ome_wannier.calculators.blocks import element_axes
from ome_wannier.calculators.operators import calculators_of
from ome_wannier.errors import AccuracyWarning, ModelError
from ome_wannier.integration.hamiltonian_symmetry import group_of
from ome_wannier.models.atomic_orbitals import _expansion, _points, _values
from ome_wannier.models.base import Structure
from ome_wannier.models.outside_states import External
from ome_wannier.sources.library import entry
from ome_wannier.symmetry.operations import symbol
from ome_wannier.symmetry.tensors import projector

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
EPS = np.zeros((3, 3, 3))
for _i, _j, _k in itertools.permutations(range(3)):
    EPS[_i, _j, _k] = np.linalg.det(np.eye(3)[[_i, _j, _k]])
HEX = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, 1]])
U = 0.3
#: atomic number of those without functions, in the field of which the others are
BARE = 9

#: lattice, fractional positions, atomic numbers, moments, periodic directions
CRYSTALS = {
    "chiral": (
        HEX * [[4.4], [4.4], [5.9]],
        [(U - 0.03, U - 0.03, 0), (-U + 0.03, 0, 1 / 3), (0, -U + 0.03, 2 / 3)],
        [52] * 3,
        np.zeros((3, 3)),
        (True,) * 3,
    ),
    "altermagnet": (
        np.diag([4.6, 4.6, 3.1]),
        [(0, 0, 0), (0.5, 0.5, 0.5), (U, U, 0), (-U, -U, 0), (0.5 + U, 0.5 - U, 0.5), (0.5 - U, 0.5 + U, 0.5)],
        [25, 25, 9, 9, 9, 9],
        np.array([[0, 0, 1.0], [0, 0, -1.0]] + 4 * [[0, 0, 0]]),
        (True,) * 3,
    ),
    "doubled": (
        np.diag([3.0, 3.0, 7.0]),
        [(0, 0, 0), (0, 0, 0.5)],
        [24, 24],
        np.array([[1.0, 0, 0], [-1.0, 0, 0]]),
        (True,) * 3,
    ),
    "layer": (
        HEX * [[3.2], [3.2], [14.0]] @ np.diag([1.05, 0.98, 1.0]),
        [(1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0.11), (2 / 3, 1 / 3, -0.11)],
        [23, 34, 34],
        np.array([[0, 0, 1.0], [0, 0, 0], [0, 0, 0]]),
        (True, True, False),
    ),
}


def blocks(d, za, zb):
    """Hoppings (4, 4) and positions (4, 4, 3) between s and p functions of two atoms that are d apart."""
    r = np.linalg.norm(d)
    H, x = np.zeros((4, 4)), np.zeros((4, 4, 3))
    strength = np.exp(-r / 2.0) * (1 + 0.01 * (za + zb))
    n = d / r if r else d
    if r:
        H[0, 0] = -1.3 * strength
        H[0, 1:], H[1:, 0] = 0.9 * strength * n, -0.9 * strength * n
        H[1:, 1:] = strength * (1.7 * np.outer(n, n) - 0.4 * np.eye(3))
        x += 0.02 * strength * (za - zb) * np.eye(4)[..., None] * n
    else:
        H[0, 0], H[1:, 1:] = -0.05 * za, 0.03 * za * np.eye(3)
    dipole = strength * (0.2 * np.eye(3) + 0.1 * np.outer(n, n))
    x[0, 1:], x[1:, 0] = dipole, dipole
    return H, x


def neighbours(place, others, lattice):
    """Directions from a place to atoms that have no functions, up to 2.3 Angstrom."""
    around = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    d = ((others[:, None] + around[None] - place) @ lattice).reshape(-1, 3)
    r = np.linalg.norm(d, axis=1, keepdims=True)
    return (d / r)[r[:, 0] < 2.3]


def crystal(name, seed=0, spin_orbit=0.3, exchange=0.5):
    """s and p functions with spin on the atoms, turned at random among those of each atom, sorted at random; symmetric by
    construction: hoppings and positions of Slater and Koster, L S, and the field of the moments."""
    lattice, atoms, numbers, moments, periodic = CRYSTALS[name]
    atoms, rng = np.array(atoms, dtype=float), np.random.default_rng(seed)
    bare = [i for i, z in enumerate(numbers) if z == BARE]
    at = np.delete(atoms, bare, axis=0)
    R = np.array([r for r in itertools.product(*[(-1, 0, 1) if p else (0,) for p in periodic])])
    n = 8 * len(at)
    H, x = np.zeros((len(R), n, n), dtype=complex), np.zeros((len(R), n, n, 3), dtype=complex)
    for i, r in enumerate(R):
        for a, b in np.ndindex(len(at), len(at)):
            d = (at[b] + r - at[a]) @ lattice
            if np.linalg.norm(d) > 3.9:
                continue
            h, y = blocks(d, numbers[a], numbers[b])
            cut = np.s_[8 * a : 8 * a + 8, 8 * b : 8 * b + 8]
            H[(i, *cut)] = np.kron(h, np.eye(2))
            x[(i, *cut)] = np.stack([np.kron(y[..., c], np.eye(2)) for c in range(3)], axis=-1)
    home = int(np.flatnonzero(~R.any(axis=1))[0])
    L = np.zeros((3, 4, 4), dtype=complex)
    L[:, 1:, 1:] = -1j * EPS
    for a, m in enumerate(np.delete(moments, bare, axis=0)):
        cut = np.s_[home, 8 * a : 8 * a + 8, 8 * a : 8 * a + 8]
        H[cut] += spin_orbit * sum(np.kron(L[c], SIGMA[c]) for c in range(3)) / 2
        for n_ in neighbours(at[a], atoms[bare], lattice):
            H[cut] += np.kron(np.pad(0.4 * np.outer(n_, n_), ((1, 0), (1, 0))), np.eye(2))
        H[cut] -= exchange * np.kron(np.eye(4), np.einsum("c,cij->ij", m, SIGMA))
    W = np.zeros((n, n), dtype=complex)
    for a in range(len(at)):
        z = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
        W[8 * a : 8 * a + 8, 8 * a : 8 * a + 8] = np.linalg.qr(z)[0]
    W = W[:, rng.permutation(n)]
    x[home] += np.einsum("ij,ia->ija", np.eye(n), np.repeat(at @ lattice, 8, axis=0))
    every = np.eye(len(at))
    spin = np.stack([np.kron(every, np.kron(np.eye(4), s)) for s in SIGMA])
    moment = np.stack([np.kron(every, np.kron(l, np.eye(2))) for l in L])
    turn = lambda X: np.conj(W.T) @ X @ W  # noqa: E731
    model = ome.TightBinding(
        lattice=lattice,
        R=R,
        hamiltonian=turn(H),
        position=np.moveaxis(turn(np.moveaxis(x, 3, 1)), 1, 3),
        spin=np.moveaxis(turn(spin), 0, 2),
        periodic=periodic,
        structure=Structure(tuple(numbers), tuple(map(tuple, atoms.tolist()))),
    )
    return model.with_operator("L", np.moveaxis(turn(moment), 0, 2), unit="hbar", time_reversal=-1)


def disturbed(model, energy=5e-5, length=0.01, seed=3):
    """The model with noise at all R."""
    rng = np.random.default_rng(seed)
    minus = np.array([np.flatnonzero((-r == model.R).all(axis=1))[0] for r in model.R])

    def noise(*shape):
        z = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        return (z + np.conj(np.swapaxes(z[minus], 1, 2))) / 2

    size = model.hamiltonian.shape
    few = np.exp(-np.linalg.norm(model.R @ model.lattice, axis=1) / 3)[:, None, None]
    return replace(
        model,
        hamiltonian=model.hamiltonian + energy * few * noise(*size),
        position=model.position + length * (few * noise(*size))[..., None] * rng.normal(size=3),
    )


def expected(name):
    """How many operations of the magnetic point group spglib finds in the crystal with its moments."""
    lattice, at, numbers, moments, _ = CRYSTALS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_magnetic_symmetry((lattice.tolist(), list(at), numbers, moments.tolist()), symprec=1e-3)
    return len({(r.tobytes(), bool(t)) for r, t in zip(found["rotations"], found["time_reversals"], strict=True)})


def on_all(model, other, name):
    """A matrix of two models on the R of both."""
    R = sorted({tuple(r) for m in (model, other) for r in m.R.tolist()})
    out = []
    for m in (model, other):
        X = getattr(m, name)
        found = np.zeros((len(R), *X.shape[1:]), dtype=complex)
        found[[R.index(tuple(r)) for r in m.R.tolist()]] = X
        out.append(found)
    return out


def distance(model, other, name):
    a, b = on_all(model, other, name)
    return float(np.abs(a - b).max())


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_symmetric_model_is_left_as_it_is(name):
    """Whatever its functions are turned by; and every operation of the crystal is one of it."""
    model = crystal(name)
    found = ome.symmetrize(model)
    assert len({r.operation.name for r in found.operations}) == expected(name)
    assert max(x for r in found.operations for x in r.changes.values()) < 1e-9
    for what in ("hamiltonian", "position"):
        assert distance(found.model, model, what) < 1e-10
    home = [m.operators[0].on(m.R)[~m.R.any(axis=1)] for m in (found.model, model)]
    np.testing.assert_allclose(*home, rtol=0, atol=1e-10)
    assert found.band_changes()[1] < 1e-12
    assert found.kept == ()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", CRYSTALS)
def test_noise_is_taken_out(name, given):
    """To rounding, once and for all; and what is left of it is less than there was."""
    clean = crystal(name)
    model = disturbed(clean)
    found = ome.symmetrize(model, moments=CRYSTALS[name][3] if given else None)
    group = group_of(found.model)
    assert len(group.exact) == expected(name) > len(group_of(model).exact)
    assert max(g.violation for g in group.exact) < 1e-12
    for what in ("hamiltonian", "position"):
        before, after = (np.linalg.norm(np.subtract(*on_all(m, clean, what))) for m in (model, found.model))
        assert after < 0.75 * before
    again = ome.symmetrize(found.model)
    assert max(x for r in again.operations for x in r.changes.values()) < 1e-11
    assert all(distance(again.model, found.model, what) < 1e-12 for what in ("hamiltonian", "position"))
    mean, largest = found.band_changes()
    assert 0 < mean < largest < 5e-4


def test_responses_of_all_points_are_those_of_the_irreducible_ones():
    """And what is forbidden vanishes to rounding, spin and operators too; before, it did not."""
    model = disturbed(crystal("layer"))
    found = ome.symmetrize(model).model
    of_L = calculators_of(found.operators[0])
    names = ["total", "extrinsic", "spin_extrinsic", "quantum_metric"]
    # a level at which no two bands nearly touch, where rounding grows
    settings = {"kmesh": (8, 8, 1), "fermi": -0.4, "temperature": 2000.0, "calculators": [*names, *of_L]}
    whole, few = (ome.compute(found, symmetry=s, **settings) for s in ("off", "auto"))
    rough = ome.compute(model, symmetry="off", **settings)
    assert few.attrs["irreducible_points"] < whole.attrs["irreducible_points"]
    group = group_of(found).operations
    for name in [*names, *(c.name for c in of_L)]:
        size = float(abs(whole[name]).max())
        np.testing.assert_allclose(few[name], whole[name], rtol=0, atol=1e-10 * size, err_msg=name)
    for name in names:
        along, observable = element_axes(found, name), first_observable(get(name))
        forbidden = ~projector(observable, group, along).any(axis=1)
        there = {d: ["xyz"[i] for i in along[d]] for d in observable.dims}
        before, after = (float(np.abs(r[name].sel(there).values.reshape(-1)[forbidden]).max()) for r in (rough, whole))
        assert after < 1e-10 * float(abs(whole[name]).max()) < before


def test_functions_in_other_cells():
    """Which cell a function is counted from changes nothing."""
    model = disturbed(crystal("chiral"))
    rng = np.random.default_rng(1)
    moved = rng.integers(-1, 2, (model.n_orbitals, 3))
    other = in_cells(model, moved)
    one, two = ome.symmetrize(model), ome.symmetrize(other)
    assert distance(in_cells(one.model, moved), two.model, "hamiltonian") < 1e-11
    assert distance(in_cells(one.model, moved), two.model, "position") < 1e-11


def in_cells(model, moved):
    """Functions that are counted from cells (n, 3) farther on."""
    n = model.n_orbitals
    by = moved[None, :] - moved[:, None]
    R = np.unique(np.concatenate([(model.R[:, None, None] + s * by).reshape(-1, 3) for s in (1, -1)]), axis=0)
    index = {tuple(r): i for i, r in enumerate(R.tolist())}
    out = {k: np.zeros((len(R), *v.shape[1:]), dtype=complex) for k, v in matrices(model).items()}
    for i, j in np.ndindex(n, n):
        to = [index[tuple(r)] for r in (model.R + by[i, j] * -1).tolist()]
        for k, v in matrices(model).items():
            out[k][to, i, j] = v[:, i, j]
    home = index[0, 0, 0]
    out["position"][home, range(n), range(n)] += moved @ model.lattice
    return replace(model, R=R, operators=(), **out)


def matrices(model):
    spin = model.spin if len(model.spin) == len(model.R) else None
    return {"hamiltonian": model.hamiltonian, "position": model.position, "spin": spin}


@pytest.mark.parametrize("given", [False, True])
def test_a_layer_in_any_plane(given):
    """It is rotated into one; moments are given in the axes of the user."""
    model = replace(disturbed(crystal("layer")), operators=())
    Q = Rotation.from_euler("xyz", [0.3, 0.7, -0.4]).as_matrix()
    tilted = replace(model, lattice=model.lattice @ Q.T, position=model.position @ Q.T, spin=model.spin @ Q.T)
    assert tilted.frame is not None
    found = ome.symmetrize(tilted, moments=CRYSTALS["layer"][3] @ Q.T if given else None)
    np.testing.assert_array_equal(found.model.frame, tilted.frame)
    assert distance(found.model, ome.symmetrize(model).model, "hamiltonian") < 1e-12
    assert len(group_of(found.model).exact) == expected("layer")


def test_states_outside_the_basis():
    """Matrix elements with them become symmetric too, wherever the origin is."""
    model = disturbed(crystal("chiral"))
    rng = np.random.default_rng(5)
    shape = model.position.shape
    BB, CC, FF = (0.01 * (rng.normal(size=s) + 1j * rng.normal(size=s)) for s in (shape, shape, (*shape, 3)))
    minus = [int(np.flatnonzero((-r == model.R).all(axis=1))[0]) for r in model.R]
    CC = CC + np.conj(np.swapaxes(CC[minus], 1, 2))
    FF = FF + np.conj(np.swapaxes(np.swapaxes(FF[minus], 1, 2), 3, 4))
    centres = np.einsum("ia,ib,ij->ijab", model.wannier_centres, model.wannier_centres, np.eye(model.n_orbitals))
    FF[~model.R.any(axis=1)] += centres + 3 * np.multiply.outer(np.eye(model.n_orbitals), np.eye(3))  # a spread, Angstrom^2
    once = ome.symmetrize(replace(model, operators=(), external=External(BB, CC, FF)))
    twice = ome.symmetrize(once.model)
    assert max(x for r in twice.operations for x in r.changes.values()) < 1e-10
    settings = {"kmesh": (4, 4, 3), "fermi": 0.3, "temperature": 2000.0, "calculators": ["extrinsic", "quantum_metric"]}
    whole, few = (ome.compute(once.model, symmetry=s, **settings) for s in ("off", "auto"))
    for name in ("extrinsic", "quantum_metric"):
        np.testing.assert_allclose(few[name], whole[name], rtol=0, atol=1e-10 * float(abs(whole[name]).max()))


def test_diagonal_positions():
    """Functions on their atoms stay there; such as are not, and whose symmetry mixes them, need a matrix."""
    model = disturbed(crystal("chiral"))
    atoms = np.array(model.structure.positions) @ model.lattice
    nearest = np.linalg.norm(model.wannier_centres[:, None] - atoms, axis=2).argmin(axis=1)
    on_atoms = replace(model, operators=(), position=None, centres=atoms[nearest])
    found = ome.symmetrize(on_atoms)
    assert found.model.exact_position
    np.testing.assert_allclose(found.model.wannier_centres, on_atoms.centres, rtol=0, atol=1e-6)
    assert len(group_of(found.model).exact) == expected("chiral")
    apart = np.random.default_rng(0).uniform(-0.1, 0.1, (model.n_orbitals, 3))
    with pytest.raises(ModelError, match="their position has to be a matrix"):
        ome.symmetrize(replace(on_atoms, centres=on_atoms.centres + apart))


def rotation_of_functions(P, orbitals):
    """(n, n) of atomic orbitals in one centre, by values at points: f(P^-1 r) = sum_j f_j(r) D_j."""
    C = np.stack([_expansion(o) for o in orbitals])
    values, turned = (_values(r).real for r in (_points(), _points() @ P))
    return C @ np.linalg.lstsq(values, turned, rcond=None)[0] @ C.T


def su2(P):
    """(2, 2) of a rotation, for spins."""
    proper = P * np.linalg.det(P)
    w, v = np.linalg.eig(proper)
    axis = np.real(v[:, np.argmin(np.abs(w - 1))])
    axis /= np.linalg.norm(axis)
    turn = np.array([proper[2, 1] - proper[1, 2], proper[0, 2] - proper[2, 0], proper[1, 0] - proper[0, 1]])
    angle = np.arctan2(turn @ axis / 2, (np.trace(proper) - 1) / 2)
    return np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * np.einsum("c,cij->ij", axis, SIGMA)


def test_what_projections_say():
    """MoS2, whose Wannier functions are atomic orbitals: the mean over its group with the matrices of d, p and spin."""
    model = ome.load("mos2", spin_order="interlaced")
    found = ome.symmetrize(model)
    order = possible_projections(read_win(entry("mos2").folder / "MoS2_soc_strain.win"), model.lattice, 22)[0]
    assert [p.orbital.spin for p in order[:4]] == ["u", "d", "u", "d"]
    atoms = np.array(model.structure.positions)
    of = np.repeat([0, 1, 2], [10, 6, 6])
    total = np.zeros_like(model.hamiltonian)
    index = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    for r in found.operations:
        P = r.operation.rotation
        M = np.rint(np.linalg.inv(model.lattice.T) @ P @ model.lattice.T).astype(int)
        image = atoms @ M.T  # the translations of this group are 0
        to = [int(np.argmin([np.linalg.norm((x - y) - np.round(x - y)) for y in atoms])) for x in image]
        cells = np.rint(image - atoms[to]).astype(int)
        D = np.zeros((22, 22), dtype=complex)
        for a in range(3):
            own, there = np.flatnonzero(of == a), np.flatnonzero(of == to[a])
            orbital = rotation_of_functions(P, [order[i].orbital for i in own[::2]])
            spin = su2(P) @ (1j * SIGMA[1] if r.operation.time_reversal < 0 else np.eye(2))
            D[np.ix_(there, own)] = np.kron(orbital, spin)
        for i, R in enumerate(model.R):
            X = np.zeros((22, 22), dtype=complex)
            for a, b in np.ndindex(3, 3):
                at = index.get(tuple((M @ R + cells[b] - cells[a]).tolist()))
                if at is not None:
                    cut = np.ix_(of == to[a], of == to[b])
                    X[cut] = model.hamiltonian[at][cut]
            back = np.conj(D.T) @ X @ D
            total[i] += np.conj(back) if r.operation.time_reversal < 0 else back
    mean = replace(model, hamiltonian=total / len(found.operations))
    k = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3)) * [1, 1, 0]
    given, ours, theirs = (np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (model, found.model, mean))
    assert np.abs(theirs - given).max() > 1e-6
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-9)


@pytest.mark.parametrize(("name", "number", "largest"), [("te", 12, 2e-4), ("mos2", 8, 1e-6), ("vse2", 4, 2e-5)])
def test_real_materials(name, number, largest):
    """Their group to rounding, levels of the frozen window as they were but for their noise."""
    model = ome.load(name)
    found = ome.symmetrize(model)
    group = group_of(found.model)
    assert len(group.exact) == len(group.operations) == len(found.operations) == number
    folder = entry(name)
    window = read_win(folder.folder / f"{folder.seed}.win").frozen
    assert 0 < found.band_changes(window)[1] < largest
    mesh = (3, 3, 4) if model.dimension == 3 else (6, 6, 1)
    settings = {"kmesh": mesh, "fermi": folder.fermi - 0.3, "temperature": 1000.0, "calculators": ["extrinsic", "interband"]}
    whole, few = (ome.compute(found.model, symmetry=s, **settings) for s in ("off", "auto"))
    size = max(float(abs(whole[n]).max()) for n in ("extrinsic", "interband"))
    for n in ("extrinsic", "interband"):
        np.testing.assert_allclose(few[n], whole[n], rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize(
    ("name", "axis", "left"), [("te", 2, "32(3)"), ("te", 0, "2"), ("mos2", 2, "mm2(m)")], ids=["te z", "te x", "mos2 z"]
)
def test_half_a_mev_of_exchange_is_no_noise(name, axis, left):
    """A field that magnetises Te and MoS2 stays: the group is what it leaves, noise of 0.1 meV or not."""
    model = ome.load(name, spin_order="interlaced")
    magnet = replace(model, hamiltonian=model.hamiltonian + 5e-4 * model.spin[..., axis])
    found = ome.symmetrize(magnet)
    assert {r.operation.name[:6] for r in found.left_out} == ({"3-fold", "2-fold"} if left == "2" else set())
    assert all(4e-4 < r.changes["hamiltonian"] < 6e-4 for r in found.left_out)
    assert symbol([r.operation for r in found.operations], model.lattice) == left
    splitting = [np.ptp(np.linalg.eigvalsh(m.matrices(np.zeros((1, 3)), 0).H)[0, :2]) for m in (found.given, found.model)]
    assert abs(splitting[1] / splitting[0] - 1) < 0.05


def test_what_is_refused():
    model = crystal("chiral")
    with pytest.raises(ModelError, match="atoms of this model are not known"):
        ome.symmetrize(replace(model, structure=None))
    with pytest.raises(ModelError, match=r"moments have shape \(2, 3\): expected \(3, 3\)"):
        ome.symmetrize(model, moments=np.zeros((2, 3)))
    atoms = np.array(model.structure.positions)
    at = np.argmin(np.linalg.norm(model.wannier_centres - atoms[0] @ model.lattice, axis=1))
    keep = np.arange(model.n_orbitals) != at
    cut = np.ix_(np.ones(len(model.R), bool), keep, keep)
    fewer = replace(
        model,
        operators=(),
        hamiltonian=model.hamiltonian[cut],
        position=model.position[cut],
        spin=model.spin[:, keep][:, :, keep],
    )
    with pytest.raises(ModelError, match="functions of the model are next to them: these functions do not map"):
        ome.symmetrize(fewer, moments=np.zeros((3, 3)))
    with pytest.raises(ModelError, match="only models of Wannier functions"):
        ome.symmetrize(ome.load("tbg"))


def test_another_crystal_is_refused():
    """Functions that no operation of the atoms maps onto each other."""
    model = crystal("chiral")
    rng = np.random.default_rng(2)
    other = disturbed(model, energy=3.0, seed=int(rng.integers(100)))
    with pytest.raises(ModelError, match="is not nearly symmetric under"):
        ome.symmetrize(other, moments=np.zeros((3, 3)))


def test_a_wrong_order_of_the_spins_is_refused():
    with pytest.raises(ModelError, match="spin_order"):
        ome.symmetrize(ome.load("mos2", spin_order="block"), moments=np.zeros((3, 3)))


def test_parts_that_nothing_joins():
    """Two spins without an operator or a coupling that tells one from the other."""
    model = crystal("layer", spin_orbit=0.0, exchange=0.0)
    with pytest.raises(ModelError, match="parts that no matrix element joins"):
        ome.symmetrize(replace(model, spin=None, operators=()))


def test_more_than_noise_is_said():
    """A ferromagnet made a crystal without magnetism."""
    model = crystal("layer", exchange=0.05)
    with pytest.warns(AccuracyWarning, match=r"the Hamiltonian violated .* by up to 0\.0\d+ eV: more than noise"):
        found = ome.symmetrize(model, moments=np.zeros((3, 3)))
    assert len(group_of(found.model).exact) == 2 * expected("layer")


def test_much_noise_needs_the_moments():
    """What breaks time reversal by more than noise of good functions does may be a field."""
    model = disturbed(crystal("chiral"), energy=2e-3)
    found = ome.symmetrize(model)
    assert len(found.operations) == 1
    assert len(found.left_out) == expected("chiral") // 2 - 1
    assert len(ome.symmetrize(model, moments=np.zeros((3, 3))).operations) == expected("chiral")


def test_operators_without_the_symmetry_stay():
    """The occupation of one of two layers, which a mirror of the plane swaps."""
    model = disturbed(crystal("layer"))
    below = np.diag((model.wannier_centres[:, 2] < -0.5).astype(float))
    with pytest.warns(AccuracyWarning, match="below: left as it is"):
        found = ome.symmetrize(model.with_operator("below", below))
    assert found.kept == ("below",)
    home = ~found.model.R.any(axis=1)
    np.testing.assert_array_equal(found.model.operators[1].on(found.model.R)[home][0, ..., 0], below)
