"""One layer or chain written in several ways: other home cells, another orientation, rounding in the lattice vectors."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.common.errors import AccuracyWarning, ModelError
from ome_wannier.models.outside_states import External
from ome_wannier.models.real_space import RealSpace, moved_by
from ome_wannier.models.sparse_tight_binding import SparseTightBinding

N = 4


def partnered(rng, R, shape, size, blocks=1):
    """Random matrices X(R) with X(-R) = X(R)^+, of blocks of orbitals that nothing joins."""
    X = {}
    mask = np.kron(np.eye(blocks), np.ones((N // blocks, N // blocks)))
    for r in map(tuple, R.tolist()):
        if r in X:
            continue
        x = size * (rng.normal(size=(N, N, *shape)) + 1j * rng.normal(size=(N, N, *shape)))
        x *= mask.reshape(N, N, *[1] * len(shape))
        minus = tuple(-c for c in r)
        X[r], X[minus] = ((x + x.conj().swapaxes(0, 1)) / 2,) * 2 if r == minus else (x, x.conj().swapaxes(0, 1))
    return np.array([X[tuple(r)] for r in R.tolist()])


def one_home(seed, across, kind="position", blocks=1):
    """A model without R along the directions `across`, in a lattice without right angles between its other vectors."""
    rng = np.random.default_rng(seed)
    along = [d for d in range(3) if d not in across]
    lattice = np.zeros((3, 3))
    lattice[np.ix_(along, along)] = np.diag(rng.uniform(2, 4, len(along))) + rng.uniform(-0.3, 0.3, (len(along),) * 2)
    for d in across:
        lattice[d] = rng.uniform(-1.0, 1.0, 3)
        lattice[d, d] = 15.0
    if len(along) == 1:
        lattice[along[0]] = 3.0 * np.eye(3)[along[0]]
    steps = np.array(list(product((-1, 0, 1), repeat=len(along))))
    R = np.zeros((len(steps), 3), dtype=int)
    R[:, along] = steps
    centres = rng.uniform(0, 2, (N, 3))
    more = {"spin": partnered(rng, R, (3,), 0.4, blocks)} if kind == "spin" else {}
    if kind in ("position", "spin"):
        position = partnered(rng, R, (3,), 0.1, blocks)
        position[~R.any(axis=1), range(N), range(N)] += centres
        more["position"] = position
    else:
        more["centres"] = centres
    return ome.TightBinding(lattice, R, partnered(rng, R, (), 0.5, blocks), **more)


def scattered(model, homes, external=None):
    """The same with every orbital i moved by `homes[i]` cells, as a program that folds centres into the cell may write it."""
    given = RealSpace(
        model.lattice, model.R, model.hamiltonian, model.position, model.centres, model.spin, external or model.external
    )
    moved = moved_by(given, np.asarray(homes), np.zeros(3, dtype=bool))
    return moved._asdict() | {"homes": None, "frame": None, "periodic": None}


def responses(model):
    names = ["total", "extrinsic", "berry_curvature"] if len(model.axes) > 1 else []
    names += ["dipole_polarizability", "quantum_metric"] + (["spin", "spin_extrinsic"] if model.has_spin else [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mesh = tuple(6 if p else 1 for p in model.periodic)
        return ome.compute(model, mesh, names, fermi=[0.1, 0.4], temperature=3000.0, symmetry="off")


def assert_same(a, b, tolerance=1e-9):
    """Sums of a few hundred terms with energy denominators above 1e-4 of the bandwidth: rounding stays below 1e-9."""
    assert a.attrs["periodic"] == b.attrs["periodic"]
    for name in a.data_vars:
        if not name.endswith("_error"):
            assert a[name].shape == b[name].shape
            assert np.abs(a[name] - b[name]).max() <= tolerance * np.abs(b[name]).max(), name


@pytest.mark.parametrize("kind", ["centres", "position", "spin"])
@pytest.mark.parametrize("across", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
@pytest.mark.parametrize("seed", range(2))
def test_home_cells_do_not_matter(seed, across, kind):
    """Random layers and chains along all lattice vectors, orbitals in random cells, against the same in one cell."""
    model = one_home(seed, across, kind)
    homes = np.zeros((N, 3), dtype=int)
    homes[:, list(across)] = np.random.default_rng(seed + 7).integers(-2, 3, (N, len(across)))
    homes[:2, across[0]] = 0, 1
    found = ome.TightBinding(**scattered(model, homes))
    assert found.periodic == model.periodic
    assert (found.homes + homes == (found.homes + homes)[0]).all()
    assert_same(responses(found), responses(model))


def test_blocks_come_together():
    """Two blocks that nothing joins are moved each as a whole, to where the centres lie together."""
    model = one_home(3, (2,), "centres", blocks=2)
    found = ome.TightBinding(**scattered(model, [[0, 0, 0], [0, 0, 1], [0, 0, -3], [0, 0, 2]]))
    assert found.periodic == (True, True, False)
    assert np.ptp(found.centres[:, 2]) < 15 / 2
    assert_same(responses(found), responses(model))


def test_external_terms_move_along():
    """BB, CC and FF are absolute: the moments that they complete are those of the layer in one cell."""
    rng = np.random.default_rng(11)
    model = one_home(11, (2,))
    B = 0.1 * (rng.normal(size=(len(model.R), N, N, 3)) + 1j * rng.normal(size=(len(model.R), N, N, 3)))
    F = partnered(rng, model.R, (3, 3), 0.05)
    F = F + np.swapaxes(partnered(rng, model.R, (3, 3), 0.0), 3, 4)
    index = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    minus = [index[tuple(-c for c in r)] for r in model.R.tolist()]
    F = (F + F[minus].conj().transpose(0, 2, 1, 4, 3)) / 2  # <d_a u|d_b u>, adjoint with a and b exchanged
    external = External(B, partnered(rng, model.R, (3,), 0.1), F)
    homes = np.array([[0, 0, 0], [0, 0, 1], [0, 0, -1], [0, 0, 1]])
    want = ome.TightBinding(
        model.lattice, model.R, model.hamiltonian, position=model.position, external=external, periodic=model.periodic
    )
    found = ome.TightBinding(**scattered(model, homes, want.external))
    assert_same(responses(found), responses(want))


def test_what_is_coupled_stays_periodic():
    """An element more makes it a crystal; asked for as a layer it is refused with the direction, and a crystal if asked for."""
    model = one_home(0, (2,), "centres")
    terms = scattered(model, [[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert ome.TightBinding(**terms | {"periodic": (True, True, True)}).dimension == 3
    R = terms["R"].tolist()
    terms["hamiltonian"][R.index([0, 0, 1]), 0, 0] += 0.01
    terms["hamiltonian"][R.index([0, 0, -1]), 0, 0] += 0.01
    assert ome.TightBinding(**terms).dimension == 3
    with pytest.raises(ModelError, match="direction 3 is declared not periodic"):
        ome.TightBinding(**terms | {"periodic": (True, True, False)})


def test_windows_of_bands():
    """A sparse model in scattered cells has the layer's bands, directions and velocities."""
    model = one_home(5, (2,), "centres")
    terms = scattered(model, [[0, 0, 0], [0, 0, 1], [0, 0, -1], [0, 0, 0]])
    r, i, j = np.nonzero(terms["hamiltonian"])
    pairs, hopping = np.stack([i, j], axis=1), terms["hamiltonian"][r, i, j]
    sparse = SparseTightBinding(model.lattice, pairs, terms["R"][r], hopping, terms["centres"], filled=2, window=4)
    assert sparse.periodic == (True, True, False)
    assert_same(*(x[["total", "extrinsic"]] for x in (responses_of(sparse), responses_of(model))))


def responses_of(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ome.compute(model, (6, 6, 1), ["total", "extrinsic"], fermi=[0.1], temperature=3000.0, symmetry="off")


def turn(axis, angle):
    v = np.array(axis) / np.linalg.norm(axis)
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


@pytest.mark.parametrize(("axis", "angle"), [((1, 0, 0), 0.3), ((1, 2, 3), 1.1), ((1, 1, 0), 2.5), ((0, 1, 0), 0.002)])
def test_tilted_planes(axis, angle):
    """Tensors of a rotated layer are the rotated tensors of the layer, on all three axes of the user."""
    flat, Q = one_home(2, (2,), "spin"), turn(axis, angle)
    tilted = ome.TightBinding(
        flat.lattice @ Q.T, flat.R, flat.hamiltonian, position=flat.position @ Q.T, spin=flat.spin @ Q.T, periodic=flat.periodic
    )
    found, known = responses(tilted), responses(flat)
    for name, dims in (("total", ("moment", "field")), ("spin", ("spin_moment", "field")), ("quantum_metric", None)):
        full = np.zeros((2, 3, 3))
        rows, columns = ((0, 1), (0, 1)) if dims is None else ((0, 1, 2), (0, 1, 2))
        full[np.ix_((0, 1), rows, columns)] = known[name].values[:, : len(rows), : len(columns)]
        want = np.einsum("ia,fab,jb->fij", Q, full, Q)
        assert found[name].shape == (2, 3, 3)
        assert np.abs(found[name].values - want).max() < 1e-9 * np.abs(want).max(), name


def test_rotation_is_done_once():
    """A rotated model that is copied is not rotated again."""
    from dataclasses import replace

    flat, Q = one_home(2, (2,), "centres"), turn((1, 2, 3), 0.4)
    tilted = ome.TightBinding(flat.lattice @ Q.T, flat.R, flat.hamiltonian, centres=flat.centres @ Q.T)
    again = replace(tilted, name="copy")
    assert np.array_equal(again.lattice, tilted.lattice)
    assert np.array_equal(again.frame, tilted.frame)
    assert np.allclose(tilted.lattice @ tilted.frame, flat.lattice @ Q.T, atol=1e-12)


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e-4])
def test_rounding_is_said_and_taken_out(size):
    """In-plane vectors with 1e-8 to 1e-4 Angstrom across the plane: the tensor of the flat layer, to that accuracy."""
    flat = one_home(4, (2,), "centres")
    lattice = flat.lattice.copy()
    lattice[:2, 2] = size, -size
    with pytest.warns(AccuracyWarning, match="taken for rounding") if size > 1e-7 else warnings.catch_warnings():
        found = ome.TightBinding(lattice, flat.R, flat.hamiltonian, centres=flat.centres)
    assert_same(responses(found), responses(flat), 10 * size)
