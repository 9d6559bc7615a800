"""load(): what is found, in which order, and what is said where nothing is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import loading
from ome_wannier.errors import ModelError


@pytest.fixture
def hbn_files(root: Path, tmp_path: Path) -> Path:
    """A folder with Wannier90 files of h-BN that are called "te", like a library entry."""
    folder = tmp_path / "calculation"
    folder.mkdir()
    for ending in ("_tb.dat.gz", "_wsvec.dat.gz", ".win"):
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


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", r"no file nothing, nothing_tb\.dat or nothing_hr\.dat .* in .*cr2o3, .*hbn, .*te, .*vse2"),
        ("far/away", "there is no folder far"),
        (".", "holds neither material.toml nor"),
        ("", "give a library name"),
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
