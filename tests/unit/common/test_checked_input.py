"""What NumPy would take without a word is refused in one line: masks, numbers of no physical size; pipes are not waited for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.common.toml import read_toml

MODEL = ome.load("haldane")


@pytest.mark.parametrize("name", ["lattice", "R", "hamiltonian", "centres"])
def test_masked_fields_of_a_model(name: str) -> None:
    masked = np.ma.array(getattr(MODEL, name), mask=False)
    assert replace(MODEL, **{name: masked}).sha256 == MODEL.sha256  # nothing is hidden
    masked[(0,) * masked.ndim] = np.ma.masked
    with pytest.raises(ome.errors.ModelError, match=f"{name} has masked elements"):
        replace(MODEL, **{name: masked})


@pytest.mark.parametrize("name", ["fermi", "temperature"])
def test_masked_settings(name: str) -> None:
    values = {"fermi": 0.0, "temperature": 300.0, name: np.ma.array([1.0, 2.0], mask=[True, False])}
    with pytest.raises(ome.errors.SettingsError, match=f"{name} has masked elements"):
        ome.compute(MODEL, (4, 4, 1), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1e10, 1e160, 1e300])
@pytest.mark.parametrize("name", ["lattice", "hamiltonian", "centres"])
def test_fields_beyond_all_units(name: str, size: float) -> None:
    with pytest.raises(ome.errors.ModelError, match=rf"^{name} reaches .* is the unit right"):
        replace(MODEL, **{name: getattr(MODEL, name) * size})


@pytest.mark.parametrize("levels", [1e300, [-1e300, 1e300], [-1.7e308, 0.0, 1.7e308]])
def test_levels_beyond_all_energies(levels: object) -> None:
    with pytest.raises(ome.errors.SettingsError, match=r"^fermi reaches"):
        ome.compute(MODEL, (4, 4, 1), fermi=levels)  # type: ignore[arg-type]


def test_a_lattice_in_another_unit() -> None:
    with pytest.raises(ome.errors.ModelError, match="lengths are in Angstrom"):
        replace(MODEL, lattice=np.diag([1e-3, 1e-3, 20.0]))


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for reader in (read_toml, ome.load_result):
        with pytest.raises(OSError, match="pipe or a device"):
            reader(tmp_path / "pipe")
