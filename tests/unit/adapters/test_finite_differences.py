"""External terms from files do not depend on where energies are counted from, nor do eigenstates have any by way of H."""

from __future__ import annotations

import shutil
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz_containers import records

import ome_wannier as ome
from ome_wannier.adapters.wannierberri.external import with_external_terms

#: eV
STEP = 7.0


def loaded(folder: Path, step: float = 0.0) -> ome.TightBinding:
    """The model of a folder, its energies larger by a step, with the external terms there."""
    model = ome.load(folder / "model", external="off")
    assert isinstance(model, ome.TightBinding)
    home = ~model.R.any(axis=1)
    H = model.hamiltonian + step * home[:, None, None] * np.eye(model.n_orbitals)
    return with_external_terms(replace(model, hamiltonian=H), folder / "model")


def at(model: ome.TightBinding, k: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The sum over R at k."""
    return np.tensordot(np.exp(2j * np.pi * k @ model.R.T), X, 1)


def test_an_invariant_subspace_has_no_elements_with_what_is_outside(calculation_copy: Path) -> None:
    """As many functions as bands: H u is in the subspace, so that <u|H|i d_b u> = H A_b where the calculation has points."""
    model = loaded(calculation_copy)
    assert model.external is not None
    assert model.external.BB is not None
    assert model.position is not None
    k = np.stack(np.meshgrid(*[(0.0, 0.5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    H, A, BB = (at(model, k, X) for X in (model.hamiltonian, model.position, model.external.BB))
    want = np.einsum("kij,kjla->kila", H, A)
    assert pytest.approx(want, abs=1e-10 * np.abs(want).max()) == BB


def test_the_zero_of_energy_does_not_matter(calculation_copy: Path) -> None:
    """With `.uIu`, energies that are all larger by a step give the same responses at levels that are."""
    file = calculation_copy / "model.uHu"
    shutil.copy(file, calculation_copy / "model.uIu")  # any numbers that are as Hermitian will do
    shifted = calculation_copy.parent / "shifted"
    shutil.copytree(calculation_copy, shifted)
    head, sizes, *matrices = records(file.read_bytes())
    larger = [((1 + STEP) * np.frombuffer(x, "<c16")).tobytes() for x in matrices]
    parts = [head, sizes, *larger]
    (shifted / "model.uHu").write_bytes(b"".join(struct.pack("<i", len(p)) + p + struct.pack("<i", len(p)) for p in parts))
    energies = np.loadtxt(calculation_copy / "model.eig") + np.array([0, 0, STEP])
    np.savetxt(shifted / "model.eig", energies, fmt="%5d%5d%25.16f")
    names = ["extrinsic", "interband", "total", "orbital_moment"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here, there = (
            ome.compute(model, (3, 3, 3), names, fermi=[0.1 + step], temperature=3000.0, symmetry="off")
            for model, step in ((loaded(calculation_copy), 0.0), (loaded(shifted, STEP), STEP))
        )
    for name in names:
        want = here[name].values
        assert np.abs(want).max() > 0
        assert there[name].values == pytest.approx(want, abs=1e-9 * np.abs(want).max())
