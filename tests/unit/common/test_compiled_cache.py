"""Compiled code that cannot be kept or read back costs time and one line, nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ome_wannier.common import ahead, compiled_cache, helpers, object_code
from ome_wannier.common.kernels import KERNELS

#: a kernel that is compiled into the folder that is named, and what it gives
LINE = "import ome_wannier.bands.compiled as c, numpy as n\nprint(c.groups(n.zeros((1, 3)), 1.0)[1][0, 0])"


@pytest.fixture(autouse=True)
def unsaid() -> Iterator[None]:
    """What was said in this process does not count."""
    compiled_cache._say_unsaved.cache_clear()
    yield
    compiled_cache._say_unsaved.cache_clear()


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    compiled_cache.write(tmp_path / "code", b"\x01\x02")
    assert compiled_cache.read(tmp_path / "code") == b"\x01\x02"
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


@pytest.mark.parametrize("content", [None, b"", b"too short", bytes(40)])
def test_what_cannot_be_read_is_compiled_again(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "code").write_bytes(content)
    assert compiled_cache.read(tmp_path / "code") is None
    assert compiled_cache.read(tmp_path) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_cannot_be_kept_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", full)
    said = rf"\({os.strerror(number)}\).*set NUMBA_CACHE_DIR to a folder that you can write to"
    with pytest.warns(RuntimeWarning, match=said):
        compiled_cache.write(tmp_path / "code", b"code")
    compiled_cache.write(tmp_path / "other", b"code")  # a second warning would be an error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [2, 1])
def test_a_damaged_cache_is_no_loss(tmp_path: Path, root: Path, cut: int) -> None:
    """Kept code that is cut in the middle, or has nothing in it: the same number, and it is kept again."""
    file = tmp_path / "f.py"
    file.write_text(LINE)
    given = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def printed() -> tuple[list[str], str]:
        done = subprocess.run([sys.executable, file], env=given, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(), done.stderr

    assert printed()[0] == ["3"]
    (kept,) = (tmp_path / "cache").rglob("*groups")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // cut] if cut > 1 else b"")
    found, said = printed()
    assert found == ["3"]
    assert "Traceback" not in said
    assert said.count("NUMBA_CACHE_DIR") <= 1
    assert kept.read_bytes() == whole


def test_another_process_compiles_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of kernels comes, file by file, from one other process; from none where there is one core."""
    monkeypatch.setattr(helpers, "cores", lambda: 1)
    assert ahead.begin.__wrapped__(tmp_path) is None
    monkeypatch.setattr(helpers, "cores", lambda: 2)
    process = ahead.begin.__wrapped__(tmp_path)
    assert process is not None
    try:
        deadline = time.monotonic() + 120
        while len(found := [p.name for p in tmp_path.iterdir() if compiled_cache.read(p)]) < 4:  # of two modules
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        ahead.end(process)
    assert set(found) <= set(KERNELS)
    assert {"bands_gate_moment", "bands_cross_gap_local"} <= set(found)
    assert process.returncode != 0


def test_the_other_process_ends_with_this_one_however_that_ends(tmp_path: Path) -> None:
    """A killed process has no last words."""
    begin = f"helpers.cores = lambda: 2; print(ahead.begin(Path({str(tmp_path)!r})).pid, flush=True)"
    program = f"import time; from pathlib import Path; from ome_wannier.common import ahead, helpers; {begin}; time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = psutil.Process(int(process.stdout.readline()))
        process.kill()
    gone, alive = psutil.wait_procs([other], timeout=20)
    assert (len(gone), alive) == (1, [])


def test_no_other_process_of_a_program_that_python_is_built_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started again would be that program."""
    monkeypatch.setattr(helpers, "cores", lambda: 2)
    for executable in ("/opt/viewer/viewer", "", None):
        monkeypatch.setattr(sys, "executable", executable)
        assert ahead.begin.__wrapped__(tmp_path) is None


def test_sources_in_an_archive(tmp_path: Path) -> None:
    """Code made from a package in a zip is that of the same package in a folder."""
    package = object_code.PACKAGE
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, path.relative_to(package.parent))
    program = (
        "import ome_wannier; from ome_wannier.common.object_code import digest; print(ome_wannier.__file__); print(digest())"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "it.zip")}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    where, digest = said.split()
    assert Path(where).is_relative_to(tmp_path / "it.zip")
    assert int(digest) == object_code.digest()
