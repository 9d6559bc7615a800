"""Settings: the options and the TOML file say the same, and a mistake is named with its place."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ome_wannier.adapters.wannier90 import loader as wannier90
from ome_wannier.errors import FileFormatError, OMEError, SettingsError
from ome_wannier.response.compute import compute
from ome_wannier.runs.plan import arguments, loader_options
from ome_wannier.runs.reading import resolve
from ome_wannier.runs.settings import BOUNDS, EXCLUSIVE, TABLE, Settings, named
from ome_wannier.sources.library_entry import Scan
from ome_wannier.sources.load import Source

#: keywords of `compute` that are no settings: what a caller has in hand, and what the command line decides
NOT_SET = {"model", "trial", "progress", "executor"}
KEYWORDS = {name: p for name, p in signature(compute).parameters.items() if name not in NOT_SET}


def test_the_table_has_the_keywords_of_compute() -> None:
    assert set(named("computation")) | {"checkpoint", "resume"} == set(KEYWORDS)


@pytest.mark.parametrize("name", KEYWORDS)
def test_default_and_unit_are_those_of_compute(name: str) -> None:
    """None leaves the default to `compute`; the unit is in its docstring, where it says what this keyword is."""
    assert TABLE[name].default in (KEYWORDS[name].default, None)
    assert getattr(Settings(), name) == TABLE[name].default
    (said,) = re.findall(rf"^    {name} : (.*?)^    (?:\w+ : |$)", compute.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert re.search(rf"\b{re.escape(TABLE[name].unit)}\b", " ".join(said.split()))


def test_settings_with_a_unit_are_those_of_physical_quantities() -> None:
    units = {name: TABLE[name].unit for name in KEYWORDS if TABLE[name].unit}
    assert units == {
        "fermi": "eV", "filling": "electrons per cell", "temperature": "K", "tau": "fs", "memory": "bytes",
        "degeneracy_tol": "eV", "max_points": "k points", "max_time": "seconds", "origin": "Angstrom",
        "carriers": "1/cm^d", "tau_level": "eV",
    }  # fmt: skip


def test_what_is_set_reaches_compute_and_what_is_not_keeps_its_default() -> None:
    given = {"kmesh": (4, 4, 1), "fermi": (0.0, 1.0), "tau": 5.0, "checkpoint": "a.npz", "workers": 2, "output": "a.nc"}
    found = arguments(Settings(seed="a", **given))
    assert set(found) <= set(KEYWORDS)
    assert (found["kmesh"], found["tau"], found["checkpoint"], list(found["fermi"])) == ((4, 4, 1), 5.0, "a.npz", [0.0, 1.0])
    assert not {"rtol", "max_points", "max_time", "degeneracy_tol", "filling", "calculators"} & set(found)


def test_settings_of_the_loader_are_its_keywords() -> None:
    known = set(signature(wannier90.load).parameters) | set(signature(Source.load).parameters)
    assert set(named("loader")) - {"parameters"} <= known
    assert loader_options(Settings(seed="a")) == {}
    given = Settings(seed="a", use_wsvec=False, spn=True, parameters={"theta": 1.0}, tau=3.0)
    assert loader_options(given) == {"use_wsvec": False, "spn": True, "theta": 1.0}


def test_every_setting_is_in_one_group_and_says_what_it_is() -> None:
    groups = ("source", "loader", "computation", "files", "workers")
    assert sorted(named(*groups)) == sorted(TABLE)
    assert all(setting.help.endswith((".", "...", "1.05")) for setting in TABLE.values())
    assert {*BOUNDS, *BOUNDS.values(), *(name for group in EXCLUSIVE for name in group)} <= set(TABLE)


def test_a_mesh_on_the_command_line_replaces_rtol_and_its_bounds(job: Path) -> None:
    job.write_text('material = "hbn"\nrtol = 0.1\nmax_time = 5')
    assert resolve({"kmesh": (4, 4, 1)}, job) == Settings(material="hbn", kmesh=(4, 4, 1))
    assert resolve({"rtol": 0.2}, job) == Settings(material="hbn", rtol=0.2, max_time=5.0)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return tmp_path / "job.toml"


@pytest.mark.parametrize(
    ("toml", "options"),
    [
        ("kmesh = [48, 48, 1]", {"kmesh": (48, 48, 1)}),
        ('win = "/a/in.win"\nlattice = "/a/POSCAR"', {"win": "/a/in.win", "lattice": "/a/POSCAR"}),
        ("lattice = [[3, 0, 0], [0, 3, 0], [0, 0, 9.5]]", {"lattice": [[3, 0, 0], [0, 3, 0], [0, 0, 9.5]]}),
        ("fermi = {start = -0.5, stop = 0.5, number = 201}", {"fermi": "-0.5:0.5:201"}),
        ("fermi = -0.25", {"fermi": "-0.25"}),
        ("fermi = [-0.25, 1]", {"fermi": "-0.25,1"}),
        ("filling = 13", {"filling": "13"}),
        ("temperature = [0, 300]", {"temperature": "0, 300"}),
        ("temperature = 4", {"temperature": "4"}),
        ("tau = 2.5", {"tau": "2.5"}),
        ('calculators = ["total", "local"]', {"calculators": ["total,local", "total"]}),
        ('memory = "2 GiB"', {"memory": "2147483648"}),
        ("memory = 500000000", {"memory": "500MB"}),
        (
            'parameters = {theta = 1.05, neel = [1.0, 0, 0], material = "MoS2"}',
            {"parameters": ["theta=1.05", "neel = [1.0, 0, 0]", "material=MoS2"]},
        ),
        ("parameters = {neel = [0.0, 0.0, 1.0]}", {"parameters": ["neel=0,0,1"]}),
        ("parameters = {neel = [0.0, 0.0, 1.0]}", {"parameters": ["neel=(0, 0, 1)"]}),
        ("parameters = {material = 'a,b'}", {"parameters": ["material=a,b"]}),
        ('units = "e2/h"\nall = true', {"units": "e^2/h", "all": True}),
        ('unpack_size = "20GiB"\nunpack_ratio = 1000', {"unpack_size": "20GiB", "unpack_ratio": "1e3"}),
        ("degeneracy_tol = 1e-4\ntau = 20.0", {"degeneracy_tol": 1e-4, "tau": 20.0}),
        ('gate = "level"\norigin = 2.5', {"gate": "level", "origin": "2.5"}),
        ("origin = [0.0, 1.0, 2.5]", {"origin": "0,1,2.5"}),
    ],
)
def test_option_and_file_say_the_same(toml: str, options: dict[str, object], job: Path) -> None:
    job.write_text('material = "hbn"\n' + toml)
    assert resolve({}, job) == resolve({"material": "hbn", **options})


def test_nothing_given_means_defaults() -> None:
    settings = resolve({"seed": "a", "kmesh": None, "fermi": None})
    assert settings == Settings(seed="a", temperature=300.0, tau=10.0, memory=2**30)


def test_options_override_the_file(job: Path) -> None:
    job.write_text('material = "hbn"\nfermi = 1\ntau = 5\nkmesh = [4, 4, 1]')
    settings = resolve({"seed": "Te", "filling": 12, "kmesh": (6, 6, 6)}, job)
    assert settings == Settings(seed="Te", filling=12, kmesh=(6, 6, 6), tau=5)
    assert settings.material is None
    assert settings.fermi is None


def test_paths_are_relative_to_the_file(job: Path) -> None:
    job.write_text('seed = "data/Te"\noutput = "/abs/te.nc"\nplot = "te.png"')
    settings = resolve({"csv": "te.csv"}, job)
    assert settings.seed == str(job.parent / "data" / "Te")
    assert settings.plot == str(job.parent / "te.png")
    assert (settings.output, settings.csv) == ("/abs/te.nc", "te.csv")


def test_levels() -> None:
    np.testing.assert_array_equal(resolve({"seed": "a", "fermi": "0:1:3"}).levels(), [0, 0.5, 1])
    np.testing.assert_array_equal(resolve({"seed": "a", "fermi": "0,2"}).levels(), [0, 2])
    assert resolve({"seed": "a", "fermi": "0.5"}).levels() == 0.5
    assert resolve({"seed": "a"}).levels() is None


def test_json_gives_the_same_settings_again() -> None:
    settings = resolve({"seed": "a", "fermi": "-1:1:5", "temperature": "0,300", "kmesh": "4x4x1", "calculators": ["total"]})
    assert resolve(json.loads(settings.to_json())) == settings


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("\nkmsh = [4, 4, 1]", r"job\.toml, line 3: unknown key 'kmsh': did you mean kmesh\?"),
        ("colour = 1", r"line 2: unknown key 'colour': one of seed, material"),
        ("kmesh = [4, 4]", r"line 2: kmesh: expected three positive integers such as 48 48 1, found \[4, 4\]"),
        ("kmesh = [4, 4, 0]", "line 2: kmesh"),
        ("kmesh = [4, 4, 1.5]", "line 2: kmesh"),
        ("kmesh = 4", "line 2: kmesh"),
        ("fermi = nan", "fermi: expected a finite number, found nan"),
        ("fermi = []", "fermi: expected one or more numbers"),
        ('fermi = "0:1"', "expected start:stop:number"),
        ("fermi = {start = 0, stop = 1}", "line 2: fermi: number is missing"),
        ("fermi = {start = 0, stop = 1, numbr = 3}", "unknown key 'numbr': did you mean number"),
        ("[fermi]\nstart = 2\nstop = 1\nnumber = 4", "line 2: fermi: a scan goes up"),
        ("fermi = {start = 0, stop = inf, number = 3}", "finite"),
        ("fermi = 1\nfilling = 2", r"job\.toml: give either fermi"),
        ('seed = "a"', "give either seed or material"),
        ("tau = true", "tau: expected a finite number, found True"),
        ("origin = [1, 2]", r"origin: expected one number or three \(Angstrom\), found 2"),
        ('gate = "open"', "gate: "),
        ("tau = -1", "tau: expected a number that is not negative"),
        ('calculators = ["totl"]', "no calculator 'totl': one of total,"),
        ("calculators = [1]", "expected names of calculators"),
        ('calculators = ""', "expected one or more names"),
        ('memory = "lots"', "expected a size such as 1GiB"),
        ("memory = 0", "positive size"),
        ("memory = true", "expected a size"),
        ("output = 3", "expected a path"),
    ],
)
def test_mistake_names_file_line_and_key(toml: str, said: str, job: Path) -> None:
    job.write_text('material = "hbn"\n' + toml)
    with pytest.raises(SettingsError, match=said) as caught:
        resolve({}, job)
    assert "\n" not in str(caught.value)


def test_mistake_in_an_option_does_not_blame_the_file(job: Path) -> None:
    job.write_text('material = "hbn"')
    with pytest.raises(SettingsError, match=r"^tau: expected"):
        resolve({"tau": "fast"}, job)


def test_nothing_to_run(job: Path) -> None:
    job.write_text("tau = 1")
    with pytest.raises(SettingsError, match=r"job\.toml: give seed"):
        resolve({}, job)
    with pytest.raises(SettingsError, match="nothing to run"):
        resolve({})


@pytest.mark.parametrize(("content", "line"), [(b'seed = "a"\ntau 3\n', 2), (b"seed = '\xff'", None)])
def test_file_that_is_not_toml(content: bytes, line: int | None, job: Path) -> None:
    job.write_bytes(content)
    with pytest.raises(FileFormatError, match="expected TOML") as caught:
        resolve({}, job)
    assert caught.value.line == line


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        resolve({}, tmp_path / "none.toml")


@given(st.text(max_size=12))
def test_any_text_is_a_setting_or_a_clean_error(text: str) -> None:
    for key in ("fermi", "temperature", "memory", "kmesh", "calculators", "filling", "tau"):
        with suppress(OMEError):
            assert isinstance(resolve({"seed": "a", key: text}), Settings)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 50))
def test_scan_has_both_ends(start: float, width: float, number: int) -> None:
    levels = Scan(start, start + width, number).levels()
    assert (levels[0], levels[-1], len(levels)) == (start, start + width, number)
    assert (np.diff(levels) > 0).all()


def test_too_many_levels_are_refused() -> None:
    """A scan that would not fit in memory is one line, not a traceback."""
    with pytest.raises(SettingsError, match="fermi: 100000000000 energies are too many"):
        resolve({"seed": "x", "fermi": "0:1:100000000000"})


@pytest.mark.parametrize("value", ["1 1 0", "1,1,0", "110", "TTF", ["1", "1", "0"], [True, True, False], (1, 1, 0)])
def test_periodic(value: object) -> None:
    assert resolve({"seed": "x", "periodic": value}).periodic == (True, True, False)


@pytest.mark.parametrize("value", ["xy", "1 1", [1, 1, 2], 1, "1 1 0 0"])
def test_periodic_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"periodic: expected three truth values, one for each lattice vector"):
        resolve({"seed": "x", "periodic": value})


def test_centres(tmp_path: Path) -> None:
    """Rows, or a file with one in each line, relative to the file of settings."""
    rows = ((0.0, 0.5, 1.0), (1.5, -2.0, 0.25))
    (tmp_path / "where.txt").write_text("# Angstrom\n0 0.5 1\n\n1.5 -2 2.5e-1\n")
    text = 'seed = "x"\ncentres = "where.txt"\nuse_wsvec = false\nspn = true\nperiodic = [true, true, false]'
    (tmp_path / "job.toml").write_text(text)
    found = resolve({}, tmp_path / "job.toml")
    assert (found.centres, found.use_wsvec, found.spn, found.periodic) == (rows, False, True, (True, True, False))
    assert resolve({"seed": "x", "centres": rows}).centres == rows
    assert not resolve({"spin_order": "block"}, tmp_path / "job.toml").spn


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0 0\n0 0\n", r"where\.txt, line 2: expected three numbers"),
        ("0 0 x\n", r"where\.txt, line 1: expected a finite number, found 'x'"),
        ("# nothing\n", "found none in"),
    ],
)
def test_centres_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "where.txt").write_text(text)
    with pytest.raises(SettingsError, match=said):
        resolve({"seed": "x", "centres": str(tmp_path / "where.txt")})


def test_two_spin_operators() -> None:
    with pytest.raises(SettingsError, match="either spn or spin_order"):
        resolve({"seed": "x", "spn": True, "spin_order": "block"})
