"""Files that would run code or fill the memory: one line, nothing run, little read."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.common.limits import SMALL, Limits, limited
from ome_wannier.common.packed import read_bytes
from ome_wannier.errors import FileFormatError
from ome_wannier.runs.plan import loader_options, source_of
from ome_wannier.runs.reading import resolve


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("npz") / "x"
    ome.convert("haldane", f"{path}/")
    return path


@pytest.mark.parametrize(
    "name", ["periodic", "pointgroup", "magnetic_moments", "_XX_R_Ham", "silent", "iRvec", "__class__", "cell"]
)
def test_no_file_of_a_folder_is_unpickled(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "x")
    np.savez(tmp_path / "x" / f"{name}.npz", np.array([Evil(tmp_path / "mark")], dtype=object))
    with contextlib.suppress(FileFormatError):
        ome.load(tmp_path / "x")
    assert not (tmp_path / "mark").exists()


def test_unknown_names_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "x")
    np.savez(tmp_path / "x" / "get_R_mat.npz", np.zeros(3))
    with pytest.raises(FileFormatError, match="unknown name 'get_R_mat'"):
        ome.load(tmp_path / "x")


@pytest.mark.parametrize("compressed", [gzip.compress, bz2.compress, lzma.compress])
def test_bombs_are_stopped_while_they_unpack(tmp_path: Path, compressed: Any) -> None:
    """128 MiB of blanks: not more than the limit and some pieces are ever held."""
    file = tmp_path / "x_tb.dat.z"
    file.write_bytes(compressed(b" " * 2**27))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="raise unpack_size or unpack_ratio"):
        read_bytes(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * SMALL + 2**23


def test_limits_can_be_raised(tmp_path: Path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(b"1" * (SMALL + 1)))
    with pytest.raises(FileFormatError, match="raise unpack_size or unpack_ratio"):
        read_bytes(file)
    with limited(ratio=1e4):
        assert len(read_bytes(file)) == SMALL + 1
    with limited(unpacked=10, ratio=1e4), pytest.raises(FileFormatError, match="raise unpack_size or unpack_ratio"):
        read_bytes(file)


def test_limits_are_settings(tmp_path: Path) -> None:
    """The same file is refused and read by keyword, by option and by a key of a TOML file."""
    ome.convert("haldane", tmp_path / "x_tb.dat")
    plain = (tmp_path / "x_tb.dat").read_bytes() + b" \n" * SMALL
    (tmp_path / "x_tb.dat").unlink()
    (tmp_path / "x_tb.dat.gz").write_bytes(gzip.compress(plain, 1))
    (tmp_path / "run.toml").write_text('seed = "x"\nunpack_ratio = 1e4\n')
    with pytest.raises(FileFormatError, match="raise unpack_size or unpack_ratio"):
        ome.load(tmp_path / "x")
    with pytest.raises(FileFormatError, match=r"at most 0\.00095"):
        ome.load(tmp_path / "x", unpack_size=1000)
    for settings in (resolve({}, tmp_path / "run.toml"), resolve({"seed": str(tmp_path / "x"), "unpack_ratio": "1e4"})):
        model = source_of(settings).load(**loader_options(settings))
        assert model.matrices(np.zeros((1, 3)), 0).H.shape == (1, 2, 2)
    with limited(ratio=1e4), pytest.raises(FileFormatError, match="raise unpack_size or unpack_ratio"):
        source_of(resolve({"seed": str(tmp_path / "x"), "unpack_size": "20MiB"})).load(unpack_size=20 * 2**20)


def test_limits_of_small_and_large_files() -> None:
    assert Limits().of(10) == SMALL
    assert Limits().of(10**6) == 10**8
    assert Limits().of(10**9) == 2**32


@pytest.mark.parametrize("how", ["fill", "sparse", "npz"])
def test_shapes_are_checked_before_reading(folder: Path, tmp_path: Path, how: str) -> None:
    """Arrays of 8 GB and more that files of some kB announce."""
    if how == "npz":
        shutil.copytree(folder, tmp_path / "x")
        np.savez_compressed(tmp_path / "x" / "_XX_R_Ham.npz", np.zeros((2**15, 2**10)))
        source = tmp_path / "x"
    else:
        source = tmp_path / "x.hdf5"
        ome.convert("haldane", source)
        with h5py.File(source, "a") as file:
            if how == "fill":
                del file["pos"]
                file.create_dataset("pos", shape=(10**9, 3), dtype="f8", chunks=True, compression="gzip")
            else:
                group = file["hop/0"]
                del group["mat"]
                group["data"], group["indices"], group["indptr"] = [1.0], [0], [0, 1]
                group["shape"] = [10**5, 10**5]
    with pytest.raises(FileFormatError, match="of at most"):
        ome.load(source)


@pytest.mark.parametrize("where", ["uc", "hop/0/mat", "tb_model"])
def test_links_to_other_files_are_not_followed(tmp_path: Path, where: str) -> None:
    """Neither to one that would do, nor to one that is not there."""
    source = tmp_path / "x.hdf5"
    ome.convert("haldane", source)
    shutil.copy(source, tmp_path / "other.hdf5")
    for target in ("other.hdf5", "none.hdf5"):
        with h5py.File(source, "a") as file:
            if where in file or where.startswith("hop"):
                del file[where]
            file[where] = h5py.ExternalLink(target, "/" if where == "tb_model" else where)
        with pytest.raises(FileFormatError, match=f"expected data in this file, found {where} in another one"):
            ome.load(source)


def test_links_of_a_result_are_not_followed(tmp_path: Path) -> None:
    result = ome.compute(ome.load("haldane"), (2, 2, 1), ["total"], [-1.0])
    ome.save(result, tmp_path / "r.nc")
    shutil.copy(tmp_path / "r.nc", tmp_path / "other.nc")
    with h5py.File(tmp_path / "r.nc", "a") as file:
        del file["total"]
        file["total"] = h5py.ExternalLink("other.nc", "total")
    with pytest.raises(FileFormatError, match="found total in another one"):
        ome.load_result(tmp_path / "r.nc")
