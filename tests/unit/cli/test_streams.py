"""What a command does when standard output is closed, full or no longer read, the disk is full, or nothing can be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ome_wannier as ome

RUN = "run haldane --kmesh 4 4 1 --fermi 0 --calculators total"
LOST = "error: standard output: No space left on device; what was to be printed is lost"
LONG = [pytest.param(c, marks=pytest.mark.long) for c in ("info haldane", "--help", "--version", "reproduce", "materials te")]


@pytest.fixture(autouse=True)
def importable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started here find the package under test, installed or not."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p))


def shell(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which `ome` is the command line."""
    line = f"ome() {{ '{sys.executable}' -m ome_wannier \"$@\"; }}; set -o pipefail; {text}"
    given = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", line], cwd=folder, env=given, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("end", [">&- 2>&- <&-", "| true", "2>/dev/full"])
def test_lost_streams_do_not_stop_a_run(tmp_path: Path, end: str) -> None:
    found = shell(f"ome {RUN} -o x.nc {end}", tmp_path)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    assert "total" in ome.load_result(tmp_path / "x.nc")


@pytest.mark.parametrize("command", [RUN, "materials", *LONG])
@pytest.mark.parametrize(("end", "code"), [("| head -1", 0), (">&-", 0), (">/dev/full", 2)])
def test_every_output_may_be_lost(tmp_path: Path, command: str, end: str, code: int) -> None:
    found = shell(f"ome {command} {end}", tmp_path)
    errors = [line for line in found.stderr.splitlines() if not line.startswith("warning: ")]
    assert found.returncode == code, found.stderr
    assert errors == ([LOST] if code else [])


#: every other command, with the files that it needs
OTHERS = (
    "screen haldane --db s.db --fermi 0 --kmesh 4 4 1 --calculators total", "rank s.db", "export s.db --csv x.csv",
    "report r.nc", "report s.db", "map haldane --calculator local --shape 4 4", "convert te x_tb.dat --overwrite",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("end", "code"), [("| head -1", 0), (">&-", 0), (">/dev/full", 2)])
def test_every_other_output_may_be_lost(tmp_path: Path, end: str, code: int) -> None:
    """One shell for all: each ends in the same way, and what it writes is there."""
    assert shell(f"ome {RUN} -o r.nc; ome {OTHERS[0]}", tmp_path).returncode == 0
    for command in OTHERS:
        found = shell(f"ome {command} {end}", tmp_path)
        errors = [line for line in found.stderr.splitlines() if not line.startswith(("warning: ", "no --fermi"))]
        assert found.returncode == code, (command, found.stderr)
        assert errors == ([LOST] if code else []), command
    assert {"x.csv", "report.html", "map.png", "x_tb.dat"} <= {p.name for p in tmp_path.iterdir()}


def test_a_run_whose_output_is_full_keeps_its_file(tmp_path: Path) -> None:
    assert shell(f"ome {RUN} -o x.nc >/dev/full", tmp_path).returncode == 2
    assert "total" in ome.load_result(tmp_path / "x.nc")


@pytest.mark.parametrize(
    ("command", "name"),
    [(f"{RUN} -o", "x.nc"), (f"{RUN} --plot", "x.png"), ("convert te", "x.hdf5"),
     ("convert te", "x_tb.dat"), ("convert te", "x/")],
)  # fmt: skip
def test_a_file_that_cannot_grow_is_not_there(tmp_path: Path, command: str, name: str) -> None:
    """A limit of one block: the same error of the system, another number than that of a full disk."""
    found = shell(f"ulimit -f 1; ome {command} {name}", tmp_path, PYTHONDONTWRITEBYTECODE="1")
    errors = [line for line in found.stderr.splitlines() if line.startswith(("error: ", "Traceback"))]
    assert found.returncode == 2, found.stderr
    assert len(errors) == 1
    assert "x" in errors[0]
    assert "File too large" in errors[0]
    assert not list(tmp_path.iterdir())


def test_a_picture_under_a_notebooks_backend(tmp_path: Path) -> None:
    found = shell(f"ome {RUN} --plot x.png", tmp_path, MPLBACKEND="module://not_installed")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_place_for_compiled_code(tmp_path: Path) -> None:
    """No variable names a place, and a file is where the user's cache should be; one line says what to set."""
    (tmp_path / "file").write_text("")
    (tmp_path / "temporary").mkdir()
    line = "import ome_wannier.bands.compiled as c; c.group_mean([[[1.0]]], *c.groups([[0.0]], 0.1))"
    nowhere = {
        "XDG_CACHE_HOME": str(tmp_path / "file"),
        "HOME": str(tmp_path / "file"),
        "NUMBA_CACHE_DIR": "",
        "TMPDIR": str(tmp_path / "temporary"),
    }
    found = subprocess.run(
        [sys.executable, "-c", line], env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("NUMBA_CACHE_DIR") == 1
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("end", "printed", "noted"),
    [
        ("", 1, 1),
        ("> x.txt; cat x.txt", 1, 1),
        ("| cat", 1, 1),
        ("2>&1", 1, 0),
        ("2>&1 | cat", 1, 0),
        ("> x.txt 2>&1; cat x.txt", 1, 0),
        ("2>/dev/null", 1, 0),
    ],
)
def test_a_warning_is_said_once_in_each_place(tmp_path: Path, end: str, printed: int, noted: int) -> None:
    """In the file or pipe that the answer goes to, and on standard error, which may be the same."""
    found = shell(f"ome run haldane --kmesh 4 4 1 --fermi=-1 --calculators total {end}", tmp_path)
    said = "does not resolve"
    assert " ".join(found.stdout.split()).count(said) == printed
    assert found.stderr.count(said) == noted
