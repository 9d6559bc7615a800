"""LC and IC of a magnetization by Cr2O3's script, from functions and what is outside, against sums over all states."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_external import LEVEL, OCCUPIED, large_model, pairs_of, setup

import ome_wannier as ome

FOLDER = Path(__file__).parents[3] / "materials" / "cr2o3" / "dft"
SIZE = 6


@pytest.fixture(scope="module")
def scripts() -> Iterator[Callable[[str], ModuleType]]:
    """By name; they import one another."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    sys.path.insert(0, str(FOLDER))
    yield load
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def script(scripts: Callable[[str], ModuleType]) -> ModuleType:
    return scripts("self_consistent")


@pytest.mark.parametrize("invariant", [True, False], ids=["invariant", "frozen"])
def test_lc_and_ic_of_a_magnetization(script: ModuleType, invariant: bool) -> None:
    """LC = eps_cab Im sum_o sum_x R_a,ox e_x R_b,xo over all empty x of the large model, IC with e_o."""
    large, k, states = setup(3, invariant)
    o, x = slice(None, OCCUPIED), slice(OCCUPIED, None)
    R = [r[:, x, o] for r in states.R]
    wanted = np.zeros((2, 3))
    for c, (a, b) in enumerate(pairs_of(3)):
        products = 2 * (R[a].conj() * R[b]).imag
        wanted[:, c] = np.sum(products * states.e[:, x, None]), np.sum(products * states.e[:, None, o])
    volume = abs(np.linalg.det(large.lattice))
    found = script.moments(large.small(), k, OCCUPIED)
    np.testing.assert_allclose(found, wanted / len(k) / volume, atol=1e-10 * np.abs(wanted).max())


def test_the_sum_is_the_magnetization(script: ModuleType) -> None:
    """Of a whole mesh, where the Chern numbers vanish."""
    model, k = large_model(3, False).small(), np.array(script.points(6))
    found = script.moments(model, k, OCCUPIED).sum(axis=0) / 2
    wanted = ome.compute(model, (6, 6, 6), "magnetization", LEVEL, temperature=0, symmetry="off")["magnetization"].values[0]
    np.testing.assert_allclose(found * ome.units.E2_OVER_HBAR / 1e-10, wanted, rtol=1e-6)


def grid_of(rho: np.ndarray) -> np.ndarray:
    return np.fft.ifftn(rho.reshape(4, SIZE, SIZE, SIZE), axes=(1, 2, 3))


def waves_of(values: np.ndarray) -> np.ndarray:
    return np.fft.fftn(values, axes=(1, 2, 3)).reshape(4, -1)


def test_what_a_field_changes_in_a_density(scripts: Callable[[str], ModuleType]) -> None:
    """Odd under inversion times time reversal, n(r) - n(-r) and m(r) + m(-r), on a grid in real space."""
    field = np.random.default_rng(2).normal(size=(4, SIZE, SIZE, SIZE))
    back = np.roll(field[:, ::-1, ::-1, ::-1], 1, axis=(1, 2, 3))
    wanted = (field - np.array([1, -1, -1, -1])[:, None, None, None] * back) / 2
    found = grid_of(scripts("density").odd(waves_of(field)))
    np.testing.assert_allclose(found, wanted, atol=1e-14)


def test_rotations_of_a_density(scripts: Callable[[str], ModuleType]) -> None:
    """Against the same in real space: where a point of the grid goes, and how a moment turns."""
    script = scripts("density")
    numbers = np.array(list(itertools.product(range(SIZE), repeat=3)))
    G = (numbers + SIZE // 2) % SIZE - SIZE // 2
    inside = (np.abs(G) < SIZE // 2).all(axis=1)
    field = np.random.default_rng(3).normal(size=(4, SIZE, SIZE, SIZE))
    waves = waves_of(field) * inside
    field = grid_of(waves).real
    lattice = np.array([[np.sqrt(3) / 2, 0.5, 1.6], [-np.sqrt(3) / 2, 0.5, 1.6], [0, -1, 1.6]])
    for name, turn, move in (
        ("turned", Rotation.from_euler("z", 120, degrees=True).as_matrix(), 0),
        ("flipped", np.diag([1.0, -1.0, -1.0]), SIZE // 2),
    ):
        of_cell = np.round(np.linalg.inv(lattice.T) @ turn @ lattice.T).astype(int)
        target = tuple(((numbers @ of_cell.T + move) % SIZE).T)
        wanted = np.empty_like(field)
        wanted[(slice(None), *target)] = np.concatenate([field[:1], np.tensordot(turn, field[1:], 1)]).reshape(4, -1)
        found = np.zeros_like(waves)
        found[:, inside] = getattr(script, name)(G[inside], waves[:, inside])
        np.testing.assert_allclose(grid_of(found), wanted, atol=1e-13)


def test_parts_of_fields_across_and_along(scripts: Callable[[str], ModuleType]) -> None:
    """They are parts of their own: each is kept by its projection, and none is in the other."""
    script = scripts("density")
    G = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    rng = np.random.default_rng(4)
    rho = script.odd(rng.normal(size=(4, len(G))) + 1j * rng.normal(size=(4, len(G))))
    across, along = script.across(G, rho), script.along(G, rho)
    for kept, other, part in ((script.across, script.along, across), (script.along, script.across, along)):
        assert np.abs(part).max() > 0.1
        np.testing.assert_allclose(kept(G, part), part, atol=1e-13)
        np.testing.assert_allclose(other(G, part), 0, atol=1e-13)


OCCUPIED_WAVES = 3


def plane_waves(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Reciprocal vectors (n, 3), and a Hamiltonian (2 n, 2 n) whose lowest states are apart."""
    box = np.array(list(itertools.product(range(-1, 2), repeat=3)))
    H = rng.normal(size=(2 * count, 2 * count)) + 1j * rng.normal(size=(2 * count, 2 * count))
    low = np.diag(np.where(np.arange(2 * count) < OCCUPIED_WAVES, -40.0, 0.0))
    return box[rng.permutation(len(box))[:count]], H + H.conj().T + low


def matrix(W: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """<G|W|G'> (2, n, 2, n') by the sum over the points of the grid, one plane wave at a time."""
    size = W.shape[1]
    points = np.array(list(itertools.product(range(size), repeat=3))) / size
    V, x, y, z = W.reshape(4, -1)
    pauli = np.array([[V + z, x - 1j * y], [x + 1j * y, V - z]])
    bra, ket = (np.exp(2j * np.pi * G @ points.T) for G in (left, right))
    return np.einsum("gr,abr,hr->agbh", bra.conj(), pauli, ket) / len(points)


def test_pairs_of_neighbours_with_a_potential(scripts: Callable[[str], ModuleType]) -> None:
    """<u_k+b1|W|u_k+b2>, the reciprocal vectors of both steps among the plane waves."""
    script, rng = scripts("moved"), np.random.default_rng(6)
    W = rng.normal(size=(4, 9, 9, 9))
    waves = [
        (plane_waves(rng, 8 + k)[0], rng.normal(size=(5, 2, 8 + k)) + 1j * rng.normal(size=(5, 2, 8 + k))) for k in range(2)
    ]
    steps = np.array([[(1, 2, 0, 0, 0), (1, 2, -1, 0, 1)], [(2, 1, 1, 0, 0), (2, 2, 0, -1, 0)]])
    found = script.pairs(waves, [script.pushed(W, *x) for x in waves], steps)
    for (k, p, q), X in ((i, found[i]) for i in itertools.product(range(2), repeat=3)):
        (_, first, *G), (_, second, *H) = steps[k, p], steps[k, q]
        (g, u), (h, v) = waves[first - 1], waves[second - 1]
        wanted = np.einsum("mag,agbh,nbh->mn", u.conj(), matrix(W, g - G, h - H), v)
        np.testing.assert_allclose(X, wanted, atol=1e-5 * np.abs(wanted).max())


def test_response_of_a_density(scripts: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """Against what the density of the lowest states of H + W and H - W differs by, all four components."""
    charge, potential, script = (scripts(name) for name in ("density", "potential", "tilt"))
    monkeypatch.setattr(script, "ELECTRONS", OCCUPIED_WAVES)
    rng, size, s = np.random.default_rng(7), 7, 1e-3
    W = rng.normal(size=(4, size, size, size))
    G = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    base = potential.Ground(charge.Density(G, np.eye(3), G, G), size, G, G)
    bands = script.Bands.__new__(script.Bands)
    bands.base, bands.waves, energies, wanted = base, [], [], np.zeros((4, size, size, size))
    for count in (9, 11):
        g, H = plane_waves(rng, count)
        added = matrix(W, g, g).reshape(2 * count, 2 * count)
        e, u = np.linalg.eigh(H)
        energies.append(e)
        bands.waves.append((g, u.T.reshape(-1, 2, count)))
        place = (slice(None), slice(None), *(g % size).T)
        for sign in (1, -1):
            u = np.linalg.eigh(H + sign * s * added)[1][:, :OCCUPIED_WAVES].T.reshape(-1, 2, count)
            up, down = np.moveaxis(grid_of_states(u, place, size), 1, 0)
            cross = (up.conj() * down).sum(axis=0)
            n, m = (np.abs(up) ** 2).sum(axis=0), (np.abs(down) ** 2).sum(axis=0)
            wanted += sign * np.array([n + m, 2 * cross.real, 2 * cross.imag, n - m]) / (2 * s)
    bands.energies = np.array(energies, dtype=object)
    wanted = base.recip(wanted / 2 / base.of.volume)
    np.testing.assert_allclose(bands.response(W), wanted, atol=1e-4 * np.abs(wanted).max())


def grid_of_states(u: np.ndarray, place: tuple[object, ...], size: int) -> np.ndarray:
    waves = np.zeros((*u.shape[:2], size, size, size), dtype=complex)
    waves[place] = u
    return np.fft.ifftn(waves, axes=(2, 3, 4)) * size**3
