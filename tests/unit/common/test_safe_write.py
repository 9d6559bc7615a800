"""Files appear whole, where their names point to, or not at all; what cannot be a file is left as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ome_wannier.common.safe_write import place, together, whole


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("there", [True, False], ids=["pointing to a file", "dangling"])
def test_through_a_symbolic_link(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "x.nc", tmp_path / "x.nc"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("far/x.nc")
    whole(link, lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert (names(tmp_path), names(tmp_path / "far")) == (["far", "x.nc"], ["x.nc"])


def test_pipes_devices_folders_and_circles_are_refused(tmp_path: Path) -> None:
    """At once: who opens a pipe for writing waits for a reader; and a rename would replace the device."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("pipe", "null", "folder", "circle", "missing/x"):
        with pytest.raises(OSError, match=name) as caught:
            whole(tmp_path / name, lambda file: file.write(b"new"))
        assert caught.value.filename == str(tmp_path / name)
    assert names(tmp_path) == ["circle", "folder", "null", "pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_none_of_several_appears_if_one_fails(tmp_path: Path) -> None:
    def full(file: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="No space") as caught:
        together({tmp_path / "a": lambda file: file.write(b"new"), tmp_path / "b": full})
    assert caught.value.filename == str(tmp_path / "b")
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"old")


def test_permissions_of_the_file_that_is_replaced_stay(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.write_bytes(b"old")
    path.chmod(0o600)
    whole(path, lambda file: file.write(b"new"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert place(path) == path
