"""Calculators that an installed package offers, or that a module has: found by name, refused in files, errors in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import screening
from ome_wannier.calculators import get
from ome_wannier.errors import SettingsError
from ome_wannier.runs.reading import resolve

MODULE = """
from dataclasses import replace
from pathlib import Path

from ome_wannier.calculators import get

Path(__file__).with_name("imported").touch()
mine = replace(get("quantum_metric"), name="mine", long_name="a metric of one's own")
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A package, installed as pip would: a module of a name that no other test has, and its metadata with entry points."""
    module = f"others_{abs(hash(request.node.name)):x}"
    (tmp_path / f"{module}.py").write_text(MODULE)
    about = tmp_path / "offered-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    offers = f"offered = {module}:mine\nthree = {module}:number\nlost = {module}_lost:mine\n"
    (about / "entry_points.txt").write_text(f"[ome_wannier.calculators]\n{offers}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path, module


def test_both_are_computed(folder) -> None:
    """By the name of the entry point, and as module:name: the same numbers as the calculator that they were made of."""
    model = ome.load("haldane")
    want = ome.compute(model, (4, 4, 1), ["total", "quantum_metric"], 0.1)["quantum_metric"]
    for asked in ("offered", f"{folder[1]}:mine"):
        found = ome.compute(model, (4, 4, 1), ["total", asked], 0.1)
        np.testing.assert_array_equal(found["mine"], want)
        assert "mine" in str(ome.summary(found))
    assert get("total").name == "total"


def test_nothing_is_imported_before_it_is_asked_for(folder) -> None:
    settings = resolve({"material": "haldane", "calculators": "total,offered"})
    assert settings.calculators == ("total", "offered")
    with pytest.raises(SettingsError, match=r"no calculator 'nothing': one of total, .*offered"):
        resolve({"material": "haldane", "calculators": "nothing"})
    assert not (folder[0] / "imported").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("three", "calculator 'three' is a int: expected an Observable"),
        ("lost", "calculator 'lost' of offered: ModuleNotFoundError: No module named"),
        ("{}:mime", r"has no 'mime': did you mean \w+:mine\?"),
        ("nowhere_at_all:x", "calculator 'nowhere_at_all:x': ModuleNotFoundError"),
        ("../x:y", "expected module:name"),
        ("a:b:c", "expected module:name"),
        (":", "expected module:name"),
    ],
)
def test_mistakes_are_one_line(folder, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        ome.compute(ome.load("haldane"), (2, 2, 1), [name.format(folder[1])], 0.1)
    assert "\n" not in str(caught.value)


def test_files_run_no_code(folder) -> None:
    """Neither a file of settings nor a list for screening, at its top or in a table; an installed name is no code of theirs."""
    path, module = folder[0] / "job.toml", folder[1]
    for text in (f'calculators = ["total", "{module}:mine"]', f'calculators = "{module}:mine"'):
        path.write_text(f'material = "haldane"\n{text}\n')
        with pytest.raises(SettingsError, match=rf"job\.toml, line 2: calculators: '{module}:mine' is code: give it as --calc"):
            resolve({}, path)
        path.write_text(f'{text}\n[[model]]\nmaterial = "haldane"\n')
        with pytest.raises(SettingsError, match=r"job\.toml, line 1: calculators: .* is code"):
            screening.items([str(path)], {})
        path.write_text(f'[[model]]\nmaterial = "haldane"\n{text}\n')
        with pytest.raises(SettingsError, match=r"job\.toml, line 3: calculators: .* is code"):
            screening.items([str(path)], {})
    path.write_text('material = "haldane"\ncalculators = ["offered"]\n')
    assert resolve({}, path).calculators == ("offered",)
    assert not (folder[0] / "imported").exists()


@pytest.mark.usefixtures("compiled")
def test_command_line_takes_a_module_of_the_current_folder(folder) -> None:
    """As a user types it, without the folder on Python's path."""
    command = [sys.executable, "-c", "import sys; sys.path.pop(0); from ome_wannier.cli import main; main()"]
    options = [
        "run",
        "haldane",
        "--kmesh",
        "4",
        "4",
        "1",
        "--fermi",
        "0.1",
        "--calculators",
        f"total,{folder[1]}:mine",
        "--all",
    ]
    done = subprocess.run([*command, *options], cwd=folder[0], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert " mine " in done.stdout
