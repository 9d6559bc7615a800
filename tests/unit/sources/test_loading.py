"""load(): what is found, in which order, and what is said where nothing is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, ModelError
from ome_wannier.sources import load as loading

HERE = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def hbn_files(root: Path, tmp_path: Path) -> Path:
    """A folder with Wannier90 files of h-BN that are called "te", like a library entry."""
    folder = tmp_path / "calculation"
    folder.mkdir()
    for ending in ("_tb.dat.gz", "_wsvec.dat.gz", "_centres.xyz", ".win"):
        shutil.copy(root / "materials" / "hbn" / f"hBN{ending}", folder / f"te{ending}")
    return folder


@pytest.mark.parametrize(
    "source", ["hbn", "materials/hbn", "materials/hbn/material.toml", "materials/hbn/hBN", "materials/hbn/hBN_tb.dat.gz"]
)
def test_every_way_to_the_same_model(source: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert ome.load(source).sha256 == ome.load(root / "materials" / "hbn" / "hBN").sha256


def test_files_come_before_the_library(hbn_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ome.load("te").n_orbitals == 18
    monkeypatch.chdir(hbn_files)
    assert ome.load("te").n_orbitals == 5


def test_folder_without_a_model_does_not_hide_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hbn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert ome.load("hbn").n_orbitals == 5


def test_folder_with_one_seedname(hbn_files: Path) -> None:
    assert ome.load(hbn_files).n_orbitals == 5
    assert loading.locate(hbn_files).entry is None


def test_options_reach_the_files(hbn_files: Path) -> None:
    assert ome.load(hbn_files, spin_degeneracy=1).spin_degeneracy == 1
    assert ome.load("hbn", centres=np.zeros((5, 3))).exact_position
    with pytest.raises(ModelError, match=r"no option centers for .*hBN: one of centres, periodic"):
        ome.load("hbn", centers=np.zeros((5, 3)))


def test_models_pass_through() -> None:
    model = ome.KDotP(lambda k: np.zeros((len(k), 1, 1)))
    assert ome.load(model) is model
    with pytest.raises(ModelError, match="periodic apply to files"):
        ome.load(model, periodic=(True, True, False))


@pytest.mark.parametrize("name", loading.ADAPTERS)
def test_adapters_of_objects(name: str) -> None:
    """Every one tells its objects without importing the package, and has a loader."""
    asked = f"adapter({name!r}).recognises(7), {name!r} in sys.modules"
    code = f"import sys; from ome_wannier.sources.load import adapter; print({asked})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **HERE})
    assert done.stdout.split() == ["False", "False"]
    assert callable(loading.adapter(name).load)


def test_live_objects_and_their_options() -> None:
    model = ome.load("vse2")
    system = ome.to_wannierberri(model)
    assert ome.load(system, spin_degeneracy=2).spin_degeneracy == 2
    with pytest.raises(ModelError, match="no option centres for a WannierBerri System_R: one of spin_degeneracy"):
        ome.load(system, centres=model.wannier_centres)
    with pytest.warns(AccuracyWarning, match="atoms|PythTB cannot hold"):
        there = ome.to_pythtb(replace(model, structure=None))
    assert np.array_equal(ome.load(there).R[np.lexsort(ome.load(there).R.T)], model.R[np.lexsort(model.R.T)])


def test_spin_of_the_calculation(hbn_files: Path, tmp_path: Path) -> None:
    """`spn` is for Wannier90's files alone, and needs those of the calculation; with them: tests/physics/other_codes."""
    with pytest.raises(ModelError, match=r"no file .*te\.chk: the spin operator needs"):
        ome.load(hbn_files, spn=True)
    with pytest.raises(ModelError, match="spin_order gives one too"):
        ome.load(hbn_files, spn=True, spin_order="block")
    with pytest.warns(AccuracyWarning, match="centres|atoms|electrons"):
        ome.convert(replace(ome.load("hbn"), spin_degeneracy=1, structure=None), tmp_path / "x.hdf5")
    with pytest.raises(ModelError, match=r"takes the spin operator from a calculation of Wannier90: .*x\.hdf5 is none"):
        ome.load(tmp_path / "x.hdf5", spn=True)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", r"no file nothing, nothing_tb\.dat or nothing_hr\.dat .* in .*cr2o3, .*hbn, .*te, .*vse2"),
        ("far/away", "there is no folder far"),
        (".", "holds neither material.toml nor"),
        ("", "give a library name"),
        ("x" * 5000, "cannot load 'x{60}...': File name too long"),
        (7, r"builtins\.int"),
        (ome, r"builtins\.module"),
    ],
)
def test_nothing_found_says_in_one_line_what_was_tried(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=said) as caught:
        ome.load(source)
    assert "\n" not in str(caught.value)
