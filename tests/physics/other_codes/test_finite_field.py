"""LC and IC of Cr2O3's script without Wannier functions, on models whose states are all known, against the calculators."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from toys import random_model

import ome_wannier as ome

SCRIPT = Path(__file__).parents[3] / "materials" / "cr2o3" / "dft" / "finite_field.py"
STEPS = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])


@pytest.fixture(scope="module")
def finite_field() -> ModuleType:
    spec = importlib.util.spec_from_file_location("finite_field", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calculation(finite_field: ModuleType, model: ome.TightBinding, mesh: int) -> Any:
    """What pw2wannier90 would write of a model: its orbitals are the plane waves."""
    numbers = np.array(list(itertools.product(range(mesh), repeat=3)))
    assert model.centres is not None
    places = model.centres @ np.linalg.inv(model.lattice)
    between = model.R[:, None, None] + places - places[:, None]
    H = np.einsum("kRij,Rij->kij", np.exp(2j * np.pi * np.einsum("Rijx,kx->kRij", between, numbers / mesh)), model.hamiltonian)
    energies, u = np.linalg.eigh(H)
    b = STEPS @ (2 * np.pi * np.linalg.inv(model.lattice).T) / mesh
    w = 1 / (2 * (b**2).sum(axis=1))
    there = numbers[:, None] + STEPS
    to = np.ravel_multi_index(tuple(np.moveaxis(there % mesh, 2, 0)), (mesh,) * 3)
    moved = np.exp(-2j * np.pi * (there // mesh) @ places.T)[..., None] * u[to]
    return finite_field.Calculation(
        M=np.einsum("kim,kbin->kbmn", u.conj(), moved),
        H=np.einsum("kaim,kij,kbjn->kabmn", moved.conj(), H, moved, optimize=True),
        I=np.einsum("kaim,kbin->kabmn", moved.conj(), moved, optimize=True),
        energies=energies,
        to=to,
        b=np.broadcast_to(b, (len(u), *b.shape)),
        w=np.broadcast_to(w, (len(u), len(w))),
        volume=abs(np.linalg.det(model.lattice)),
    )


@pytest.mark.parametrize("seed", [3, 5])
def test_lc_and_ic_of_a_random_insulator(finite_field: ModuleType, seed: int) -> None:
    """All elements of both, from two meshes without the error that falls as the square of the step."""
    places = np.random.default_rng(seed).uniform(-0.2, 0.2, (4, 3))
    model = random_model(
        seed, 3, n=4, energies=[-3, -2.5, 2, 2.5], hopping=0.15, lattice=np.diag([3.0, 3.5, 4.0]), symmetric_centres=places
    )
    coarse, fine = (finite_field.response(calculation(finite_field, model, mesh), 2, 4) for mesh in (8, 16))
    names = ["local_crossgap", "itinerant_crossgap"]
    found = ome.compute(model, (12, 12, 12), names, filling=2, temperature=0, symmetry="off")
    wanted = np.array([ome.units.convert_alpha(found[name].values[0], "ps/m", 3) for name in names])
    errors = [abs(x - wanted).max() / abs(wanted).max() for x in (coarse, fine, (4 * fine - coarse) / 3)]
    assert errors[1] < errors[0] / 3
    assert errors[2] < 0.02
