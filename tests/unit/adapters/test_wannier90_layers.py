"""Layers, chains and molecules whose `_wsvec.dat` reaches into the next cell, although there is one k point across.

The same random layer is written as Wannier90 does it, with the nearest images among all vectors of the supercell, and built
without files. Both have the same matrices at every k, element by element: to the 12 digits of the files.
"""

from __future__ import annotations

import warnings
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from ome_wannier import TightBinding, load
from ome_wannier.common.errors import AccuracyWarning, ModelError

N, MESH, HEIGHT = 5, 5, 20.0


def layer(seed: int, across: tuple[int, ...], thickness: float, tilt: float = 0.0, tie: bool = False) -> TightBinding:
    """Orbitals spread over a share of the cell along the directions `across`; couplings fall off with their distance."""
    rng = np.random.default_rng(seed)
    lattice = np.diag([3.0, 3.3, 3.6])
    for d in across:
        lattice[d, d] = HEIGHT
        lattice[d, [e for e in range(3) if e not in across]] = 3.0 * tilt
    centres = rng.uniform(-0.1, 0.1, (N, 3)) @ np.diag([3.0, 3.3, 3.6])
    for d in across:
        centres += np.outer(thickness * np.linspace(0, 1, N), lattice[d])
        if tie:
            centres[1] = centres[0] + lattice[d] / 2
    along = [d for d in range(3) if d not in across]
    R = np.zeros(((2 * (MESH // 2) + 1) ** len(along), 3), dtype=int)
    R[:, along] = list(product(range(-(MESH // 2), MESH // 2 + 1), repeat=len(along)))
    H = rng.normal(size=(len(R), N, N)) + 1j * rng.normal(size=(len(R), N, N))
    H *= np.exp(-np.abs(np.subtract.outer(range(N), range(N))) - np.abs(R).sum(axis=1)[:, None, None])
    H = (H + H[::-1].conj().swapaxes(1, 2)) / 2  # -R stands at the mirrored place
    periodic = tuple(d in along for d in range(3))
    return TightBinding(lattice, R, H, centres=centres, periodic=periodic)


def nearest(model: TightBinding, mesh: np.ndarray, i: int, j: int, r: np.ndarray, centres: np.ndarray) -> list[np.ndarray]:
    """Vectors T of the supercell with which orbital j at R + T is nearest to i at 0, within ws_distance_tol."""
    T = np.array(list(product((-1, 0, 1), repeat=3))) * mesh
    apart = np.linalg.norm((r + T) @ model.lattice + centres[j] - centres[i], axis=1)
    return list(T[apart < apart.min() + 1e-5])


def row(values, form: str = "d") -> str:
    return " ".join(f"{x:{form}}" for x in values)


def written(folder: Path, model: TightBinding, mesh: np.ndarray, centres: np.ndarray, win: bool = True) -> Path:
    """`_tb.dat`, `_wsvec.dat` and `.win` of a model, with orbitals at `centres`, other images of those of the model."""
    numbers, pairs = range(N), [(i, j) for j in range(N) for i in range(N)]
    tb = [" h", *(row(a, ".12f") for a in model.lattice), str(N), str(len(model.R)), " 1" * len(model.R)]
    ws = ["## use_ws_distance=.true."]
    for r, X in zip(model.R, model.hamiltonian, strict=True):
        tb += ["", row(r), *(f"{i + 1} {j + 1} {X[i, j].real:.14e} {X[i, j].imag:.14e}" for i, j in pairs)]
        for i, j in product(numbers, numbers):
            shifts = nearest(model, mesh, i, j, r, centres)
            ws += [f"{row(r)} {i + 1} {j + 1}", str(len(shifts)), *(row(t) for t in shifts)]
    for r in model.R:
        at = centres if not r.any() else np.zeros((N, 3))
        tb += ["", row(r)]
        tb += [f"{i + 1} {j + 1}" + "".join(f" {x if i == j else 0.0:.14e} 0.0" for x in at[i]) for i, j in pairs]
    (folder / "x_tb.dat").write_text("\n".join(tb) + "\n")
    (folder / "x_wsvec.dat").write_text("\n".join(ws) + "\n")
    (folder / "x_centres.xyz").write_text(f"{N}\n\n" + "".join(f"X {row(t, '.12f')}\n" for t in centres))
    if win:
        cell = "".join(row(a, ".12f") + "\n" for a in model.lattice)
        text = f"spinors = T\nmp_grid = {mesh[0]} {mesh[1]} {mesh[2]}\nbegin unit_cell_cart\n{cell}end unit_cell_cart\n"
        (folder / "x.win").write_text(text)
    return folder / "x"


def mesh_of(model: TightBinding) -> np.ndarray:
    return np.where(model.periodic, MESH, 1)


def quietly(path: Path, **options) -> TightBinding:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        return load(path, **options)


def assert_same(found: TightBinding, model: TightBinding) -> None:
    """Elements have 14 digits in the files, and R up to 2 multiplies them in velocities: 1e-11 is far above their rounding."""
    assert found.periodic == model.periodic
    k = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 3))
    assert np.abs(found.matrices(k, 0).H - model.matrices(k, 0).H).max() < 1e-11
    if model.dimension:
        assert np.abs(found.matrices(k, 1).velocities() - model.matrices(k, 1).velocities()).max() < 1e-11
    apart = found.wannier_centres - model.wannier_centres
    assert np.abs(apart - apart[0]).max() < 1e-10


@pytest.mark.parametrize("across", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("thickness", [0.3, 0.62, 0.9])
def test_thickness(tmp_path, across, thickness):
    """Of 0.3 cells nothing reaches across; of 0.62 and 0.9 many pairs are nearer to each other's images."""
    model = layer(1, across, thickness)
    path = written(tmp_path, model, mesh_of(model), np.array(model.centres))
    if thickness < 0.5:
        assert_same(load(path), model)
        return
    with pytest.warns(AccuracyWarning, match=f"direction {', '.join(str(d + 1) for d in across)} has one k point"):
        assert_same(load(path), model)
    assert quietly(path, periodic=(True, True, True)).dimension == 3
    assert_same(quietly(path, periodic=model.periodic), model)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("thickness", [0.45, 0.8])
@pytest.mark.parametrize("tilt", [0.0, 0.05])
@pytest.mark.parametrize("win", [True, False])
def test_scattered_centres(tmp_path, seed, thickness, tilt, win):
    """Centres folded into a cell whose end lies anywhere in the layer, as translate_home_cell and branches leave them."""
    model = layer(seed, (2,), thickness, tilt)
    reduced = np.array(model.centres) @ np.linalg.inv(model.lattice)
    homes = np.zeros((N, 3))
    homes[:, 2] = np.floor(reduced[:, 2] + np.random.default_rng(seed).uniform(0, 1))
    path = written(tmp_path, model, mesh_of(model), model.centres - homes @ model.lattice, win)
    assert_same(quietly(path), model)


@pytest.mark.parametrize("across", [(2,), (0,), (0, 1)])
def test_ties(tmp_path, across):
    """Two orbitals half a cell apart: half of each element above, half below."""
    model = layer(4, across, 0.7, tie=True)
    path = written(tmp_path, model, mesh_of(model), np.array(model.centres))
    assert "\n2\n" in (tmp_path / "x_wsvec.dat").read_text()
    assert_same(quietly(path), model)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_handedness(tmp_path, order):
    """The layer with its lattice vectors in another order, three times left-handed."""
    flat = layer(5, (2,), 0.8)
    swap = list(order)
    model = TightBinding(
        flat.lattice[swap],
        flat.R[:, swap],
        flat.hamiltonian,
        centres=flat.centres,
        periodic=tuple(np.array(flat.periodic)[swap]),
    )
    assert_same(quietly(written(tmp_path, model, mesh_of(model), np.array(model.centres))), model)


def test_what_has_more_k_points_stays_periodic(tmp_path):
    """The same files with R across of their own: a crystal, and as a layer refused."""
    flat = layer(6, (2,), 0.8)
    R = np.concatenate([flat.R, [[0, 0, 1], [0, 0, -1]]])
    H = np.concatenate([flat.hamiltonian, 0.01 * np.ones((2, N, N))])
    model = TightBinding(flat.lattice, R, H, centres=flat.centres)
    path = written(tmp_path, model, np.array([MESH, MESH, 3]), np.array(model.centres), win=False)
    assert quietly(path).dimension == 3
    with pytest.raises(ModelError, match="direction 3 is declared not periodic"):
        quietly(path, periodic=(True, True, False))
