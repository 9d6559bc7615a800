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
