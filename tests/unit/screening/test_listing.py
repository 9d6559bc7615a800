"""What a list, folders and names expand to, and how a list that makes no sense is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from screens import write_list

from ome_wannier import screening
from ome_wannier.errors import FileFormatError, OMEError, SettingsError


def named(path: Path) -> list[str]:
    return [item.name for item in screening.items(path)]


def test_a_grid_is_every_combination_and_a_sweep_one_by_one(tmp_path: Path) -> None:
    ranges = 'parameters = {strain = {start = 0.0, stop = 0.03, number = 4}, material = ["MoS2", "WS2"], exchange = 0.05}'
    grid = screening.items(write_list(tmp_path, f'material = "tmd-three-band"\n{ranges}'))
    assert len(grid) == 8
    assert [i.settings.parameters["strain"] for i in grid] == [0.0, 0.0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03]
    assert grid[3].name == "tmd-three-band (strain=0.01, material=WS2, exchange=0.05)"
    assert grid[0].settings.kmesh == (6, 6, 1)
    assert grid[0].around.levels().tolist() == [-0.5, 0.0, 0.5]
    sweep = 'combine = "sweep"\nparameters = {theta = [1.0, 1.1], strain = {start = 0.0, stop = 0.01, number = 2}, w = 0.1}'
    pairs = [i.settings.parameters for i in screening.items(write_list(tmp_path, f'material = "tbg"\n{sweep}'))]
    assert pairs == [{"theta": 1.0, "strain": 0.0, "w": 0.1}, {"theta": 1.1, "strain": 0.01, "w": 0.1}]


def test_rows_of_numbers_are_values_when_there_is_a_list_of_them(tmp_path: Path) -> None:
    path = write_list(tmp_path, 'material = "tmd-three-band"\nparameters = {exchange = [[0, 0, 0.1], [0.1, 0, 0]]}')
    assert [i.settings.parameters["exchange"] for i in screening.items(path)] == [(0, 0, 0.1), (0.1, 0, 0)]


def test_a_table_outweighs_what_holds_for_all_and_the_caller_both(tmp_path: Path) -> None:
    path = write_list(tmp_path, 'material = "te"\nfilling = 4\nkmesh = [2, 2, 2]')
    (item,) = screening.items(path)
    assert (item.settings.filling, item.settings.fermi, item.settings.kmesh) == (4, None, (2, 2, 2))
    (item,) = screening.items(path, {"kmesh": (4, 4, 4), "around": "-1:1:5"})
    assert item.settings.kmesh == (4, 4, 4)
    assert item.around.number == 5


def test_without_a_mesh_materials_converge_by_themselves(tmp_path: Path) -> None:
    (item,) = screening.items("te")
    assert (item.settings.rtol, item.settings.max_time, item.settings.kmesh) == (0.01, 300.0, None)
    (item,) = screening.items("te", {"kmesh": (2, 2, 2)})
    assert (item.settings.rtol, item.settings.max_time) == (None, None)
    path = write_list(tmp_path, 'material = "te"\nkmesh = [2, 2, 2]', 'material = "te"', head="rtol = 0.1\nmax_points = 50\n")
    first, second = screening.items(path)
    assert (first.settings.kmesh, first.settings.rtol, first.settings.max_points) == ((2, 2, 2), None, None)
    assert (second.settings.rtol, second.settings.max_points) == (0.1, 50)
    assert [i.settings.rtol for i in screening.items(path, {"rtol": 0.2})] == [0.2, 0.2]
    with pytest.raises(SettingsError, match="give either kmesh or rtol"):
        screening.items(write_list(tmp_path, 'material = "te"\nrtol = 0.1\nkmesh = [2, 2, 2]'))


def test_folders_are_searched_and_paths_belong_to_the_folder_of_the_list(tmp_path: Path) -> None:
    many = tmp_path / "many"
    for name in (
        "b/Te_hr.dat",
        "b/Te_tb.dat.gz",
        "a/x_tb.dat",
        "a/y.hdf5",
        "a/notes.txt",
        "c/material.toml",
        "c/z_tb.dat",
        "d/JVASP-1.zip",
    ):
        (many / name).parent.mkdir(parents=True, exist_ok=True)
        (many / name).touch()
    (many / "loop").symlink_to(tmp_path)
    wanted = [str(many / n) for n in ("a/x", "a/y.hdf5", "b/Te", "c", "d/JVASP-1.zip")]
    assert named(many) == wanted
    path = write_list(tmp_path, 'folder = "many"')
    assert named(path) == wanted
    (item,) = screening.items(write_list(tmp_path, 'seed = "many/b/Te"'))
    assert (item.name, item.settings.seed) == ("many/b/Te", str(many / "b" / "Te"))


def test_a_win_without_a_hamiltonian_is_one_failure(tmp_path: Path) -> None:
    """It is not passed over without a word; where there is nothing else, there is nothing to screen."""
    (tmp_path / "a.win").touch()
    with pytest.raises(SettingsError, match=r"no models in this folder: no material.toml, _tb.dat, _hr.dat, .hdf5 or .zip"):
        screening.items(tmp_path)
    (tmp_path / "b.win").touch()
    (tmp_path / "b_hr.dat").touch()
    assert [(i.name, i.fault) for i in screening.items(tmp_path)] == [
        (str(tmp_path / "b"), ""),
        (
            str(tmp_path / "a"),
            "there is a .win, but no _tb.dat or _hr.dat of that name: restart = plot and write_tb = true make one",
        ),
    ]


def test_names_and_seeds_and_models_can_be_mixed(tmp_path: Path) -> None:
    from ome_wannier import load

    found = screening.items(["te", str(tmp_path / "seed"), load("haldane")])
    assert [i.settings.material for i in found] == ["te", None, None]
    assert found[1].settings.seed == str(tmp_path / "seed")
    assert found[2].model is not None


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes on POSIX systems alone")
def test_a_file_whose_name_is_no_text_is_one_failure(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9_tb.dat"
    with open(path, "w"):
        pass
    (item,) = screening.items(tmp_path)
    assert "no Unicode" in item.fault


WRONG = {
    '[[model]]\nmaterial = "te"\nkmseh = [2, 2, 2]': ("line 3: unknown key 'kmseh': did you mean kmesh?", SettingsError),
    '[[model]]\nmaterial = "te"\nseed = "x"': ("number 1: give one of material, seed", SettingsError),
    '[[model]]\nfilling = 3': ("number 1: give one of material, seed", SettingsError),
    '[[model]]\nmaterial = "te"\n[[model]]\nmaterial = "te"\nkmesh = 3': ("number 2: kmesh: expected three", SettingsError),
    'kmesh = "a"\n[[model]]\nmaterial = "te"': ("list.toml: kmesh: expected three", SettingsError),
    'outptu = "a"\n[[model]]\nmaterial = "te"': ("unknown key 'outptu'", SettingsError),
    'output = "a.nc"\n[[model]]\nmaterial = "te"': ("output belongs to a run", SettingsError),
    'material = "te"\n[[model]]\nmaterial = "te"': ("line 1: material belongs into a table", SettingsError),
    'kmesh = [2, 2, 2]': ("has tables [[model]]", SettingsError),
    'model = 3': ("has tables [[model]]", SettingsError),
    '[[model]]\nmaterial = "te"\nparameters = {"a b" = 1}': ("'a b' is no name of a parameter", SettingsError),
    '[[model]]\nmaterial = "te"\nparameters = {a = []}': ("parameters.a: an empty list", SettingsError),
    '[[model]]\nmaterial = "te"\nparameters = {a = {start = 1}}': ("parameters.a: stop is missing", SettingsError),
    '[[model]]\nmaterial = "te"\ncombine = "swep"': ("combine: expected grid", SettingsError),
    '[[model]]\nmaterial = "te"\ncombine = "sweep"\nparameters = {a = [1, 2], b = [1, 2, 3]}': ("as many", SettingsError),
    '[[model]]\nmaterial = "te"\nparameters = {a = {start = 0, stop = 1, number = 9e5}, b = [1, 2]}': ("number", SettingsError),
    '[[model]]\nmaterial = "te"\n[model.parameters]\n'
    "a = {start = 0, stop = 1, number = 2000}\nb = {start = 0, stop = 1, number = 2000}": ("too fine", SettingsError),
    '[[model]]\nfolder = "none"': ("line 2: folder: there is no folder", SettingsError),
    '[[model]]\nfolder = "."': ("no models in this folder", SettingsError),
    '[[model]]\nmaterial = "te"\naround = 3': ("around: expected start, stop and number", SettingsError),
    '[[model]]\nmaterial = "te"\nkmap = -3': ("kmap: expected a number of points", SettingsError),
    '[[model]]\nmaterial = "te"\nname = 3': ("name: expected a text", SettingsError),
    '[[model]\n': ("expected TOML", FileFormatError),
}  # fmt: skip


@pytest.mark.parametrize("content", WRONG)
def test_a_list_that_makes_no_sense_is_one_line_with_its_place(tmp_path: Path, content: str) -> None:
    said, kind = WRONG[content]
    path = tmp_path / "list.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(kind) as caught:
        screening.items(path)
    assert isinstance(caught.value, OMEError)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or str(tmp_path) in str(caught.value)


def test_nothing_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing to screen"):
        screening.items([])
    with pytest.raises(SettingsError, match="no models"):
        screening.items(tmp_path)


def test_the_library_is_a_folder_of_models(root: Path, tmp_path: Path) -> None:
    from ome_wannier.sources import library as materials

    assert len(named(root / "materials")) == len(materials.names())
    shutil.copytree(root / "materials" / "haldane", tmp_path / "my")
    assert named(tmp_path / "my") == [str(tmp_path / "my")]
