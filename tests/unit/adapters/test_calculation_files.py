"""`.chk`, `.eig`, `.spn`, `.mmn`, `.uHu` of anybody: what is wrong is said in one line, with the record or the line."""

from __future__ import annotations

import re
import shutil
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fuzz_containers import records
from toys import random_model

import ome_wannier as ome
from ome_wannier.adapters.wannierberri.external import with_external_terms
from ome_wannier.adapters.wannierberri.records import Records
from ome_wannier.errors import FileFormatError, ModelError, OMEError
from ome_wannier.models.real_space import RealSpace, moved_by, turned


@pytest.fixture
def folder(calculation_copy: Path) -> Path:
    return calculation_copy


def written(parts: list[bytes], order: str = "<") -> bytes:
    """Fortran records."""
    return b"".join(struct.pack(f"{order}i", len(p)) + p + struct.pack(f"{order}i", len(p)) for p in parts)


def load(folder: Path) -> None:
    """Everything that these files are read for."""
    model = ome.load(folder / "model", spn=True, external="off")
    with_external_terms(model, folder / "model")  # type: ignore[arg-type]


def other(number: int, content: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """A record with another content, counted from 1."""
    return lambda parts: [*parts[: number - 1], content, *parts[number:]]


INTS = struct.Struct("<i").pack
NAN = np.full(2 * 8 * 2 * 2, np.nan).tobytes()


@pytest.mark.parametrize(
    ("ending", "change", "said"),
    [
        (".chk", other(2, INTS(10**9)), "record 2 the number of bands from 1 to 1000000, found 1000000000"),
        (".chk", other(3, INTS(5)), "record 4 excluded bands: 5 integers, 20 bytes, found 0 bytes"),
        (".chk", other(11, INTS(3)), "record 11 the number of Wannier functions from 1 to 2, found 3"),
        (".chk", other(8, struct.pack("<3i", 8, 1, 2)), "every point of the mesh 8 x 1 x 2 once"),
        (".chk", other(9, np.zeros(24).tobytes()), "every point of the mesh 2 x 2 x 2 once"),
        (".chk", other(5, np.zeros(9).tobytes()), "three lattice vectors, found vectors in a plane"),
        (".chk", other(14, NAN), "record 14 u_matrix, finite and none beyond 1e.09, found others"),
        (".chk", lambda parts: parts[:-1], "record 17 spreads: 2 reals, 16 bytes, found the end"),
        (".chk", lambda parts: [*parts, b""], "record 18 the end, found another record"),
        (".spn", other(2, struct.pack("<2i", 2, 10**6)), "bands and k points, 2 x 8 as in the .chk, found 2 x 1000000"),
        (".spn", lambda parts: parts[:-1], "record 10 spin at k point 8: 9 complex numbers, 144 bytes, found the end"),
        (".uHu", other(2, struct.pack("<3i", 2, 8, -1)), "bands, k points and b vectors, .* found 2 x 8 x -1"),
    ],
)
def test_records(folder: Path, ending: str, change: Callable[[list[bytes]], list[bytes]], said: str) -> None:
    file = folder / f"model{ending}"
    file.write_bytes(written(change(records(file.read_bytes()))))
    with pytest.raises(FileFormatError, match=f"model{ending}: expected .*{said}"):
        load(folder)


@pytest.mark.parametrize(
    ("ending", "old", "new", "said"),
    [
        (".eig", "2 3 ", "2 4 ", r"model\.eig, line 6: expected band 2 of k point 3, found 2 of 4"),
        (".eig", "1 1 ", "1 1 nan ", r"model\.eig, line 1: expected a band, a k point and an energy \(3 finite numbers\)"),
        (
            ".mmn",
            "\n2 8 ",
            "\n2 80000 ",
            r"model\.mmn: expected bands, k points and b vectors, .* found 2 x 80000",
        ),
        (".mmn", "e-01\n", "e-01 7\n", r"model\.mmn, line \d+: expected Re and Im of an overlap \(2 finite numbers\)"),
        (".mmn", "e-01\n", "e-01\n1 1\n", r"model\.mmn: expected \d+ lines, for \d+ matrices of 2 x 2, found \d+"),
        (".mmn", "\n1 ", "\n1 9 ", r"model\.mmn, line 3: expected two k points and a reciprocal lattice vector"),
    ],
)
def test_texts(folder: Path, ending: str, old: str, new: str, said: str) -> None:
    file = folder / f"model{ending}"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(FileFormatError, match=said):
        load(folder)


def as_text(file: Path, sizes: int) -> None:
    """The same numbers in lines, as `spn_formatted` and `uHu_formatted` ask of programs."""
    _, numbers, *data = records(file.read_bytes())
    values = np.concatenate([np.frombuffer(x, dtype="<c16") for x in data])
    lines = ["written as text", " ".join(map(str, struct.unpack(f"<{sizes}i", numbers)))]
    file.write_text("\n".join([*lines, *(f"{x.real:.17e} {x.imag:.17e}" for x in values)]) + "\n")


def test_formatted_files(folder: Path) -> None:
    """Numbers in lines are those of records: spin and external terms."""
    made = [with_external_terms(ome.load(folder / "model", spn=True, external="off"), folder / "model")]  # type: ignore[arg-type]
    as_text(folder / "model.spn", 2)
    as_text(folder / "model.uHu", 3)
    made.append(with_external_terms(ome.load(folder / "model", spn=True, external="off"), folder / "model"))  # type: ignore[arg-type]
    first, second = made
    assert first.spin is not None
    assert first.external is not None
    assert second.spin == pytest.approx(first.spin, abs=0)
    for one, other in zip(vars(first.external).values(), vars(second.external).values(), strict=True):
        assert (one is None and other is None) or other == pytest.approx(one, abs=0)


def test_formatted_files_as_fortran_may_write_them(folder: Path) -> None:
    """A header of any encoding, exponents by D or with three digits: the numbers are those of records."""
    want = ome.load(folder / "model", spn=True)
    for ending, sizes in ((".spn", 2), (".uHu", 3)):
        as_text(folder / f"model{ending}", sizes)
        _, numbers, *lines = (folder / f"model{ending}").read_bytes().splitlines()
        tiny = [re.sub(rb"^0\.0+e\+00", b"1.0000000000-100", line).replace(b"e", b"D") for line in lines]
        (folder / f"model{ending}").write_bytes(b"\n".join([b"am 30. M\xe4rz", numbers, *tiny, b""]))
    found = ome.load(folder / "model", spn=True)
    assert isinstance(want, ome.TightBinding)
    assert isinstance(found, ome.TightBinding)
    assert want.external is not None
    assert found.external is not None
    assert found.spin == pytest.approx(want.spin, abs=1e-90)
    for one, other in zip(vars(want.external).values(), vars(found.external).values(), strict=True):
        assert (one is None and other is None) or other == pytest.approx(one, abs=1e-90)


@pytest.mark.parametrize("ending", [".eig", ".mmn", ".spn", ".uHu"])
def test_texts_cut_in_their_last_number(folder: Path, ending: str) -> None:
    """What is left of it is a number as well, of another size where the exponent is gone."""
    if ending in (".spn", ".uHu"):
        as_text(folder / f"model{ending}", {".spn": 2, ".uHu": 3}[ending])
    file = folder / f"model{ending}"
    file.write_bytes(file.read_bytes().rstrip()[:-5])
    with pytest.raises(
        FileFormatError, match=rf"model\{ending}, line \d+: expected a last line as long as .* \(the file is cut here\)"
    ):
        load(folder)


def test_a_number_that_only_python_reads(folder: Path) -> None:
    """The line that is named is the one at fault."""
    lines = (folder / "model.mmn").read_text().splitlines()
    lines[4] = "1_0.0 0.0"
    (folder / "model.mmn").write_text("\n".join([*lines, ""]))
    with pytest.raises(FileFormatError, match=r"model\.mmn, line 5: expected Re and Im of an overlap"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("\n2 8 12\n", "\n2.5 8 12\n"),
            r"model\.uHu, line 2: expected bands, k points and b vectors \(3 integers\), with an integer .* in column 1",
        ),
        (
            ("\n2 8 12\n", "\n2 8 5\n"),
            r"model\.uHu: expected bands, k points and b vectors, 2 x 8 x 12 as in the \.chk, found 2 x 8 x 5",
        ),
        (("e-01\n", "e-01 7\n"), r"model\.uHu, line \d+: expected Re and Im of an element \(2 finite numbers\)"),
        (("e-01\n", "e-01\n1 1\n"), r"model\.uHu: expected 4610 lines, found 4611"),
    ],
)
def test_formatted_files_that_are_damaged(folder: Path, change: tuple[str, str], said: str) -> None:
    as_text(folder / "model.uHu", 3)
    text = (folder / "model.uHu").read_text()
    assert change[0] in text
    (folder / "model.uHu").write_text(text.replace(*change, 1))
    with pytest.raises(FileFormatError, match=said):
        load(folder)


@pytest.mark.parametrize("ending", [".spn", ".uHu", ".mmn"])
def test_a_file_with_nothing_in_it(folder: Path, ending: str) -> None:
    (folder / f"model{ending}").write_bytes(b"")
    with pytest.raises(FileFormatError, match=rf"model\{ending}: expected .* found"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"x" * 50, struct.pack("<i", 2**31 - 1) * 3, struct.pack("<i", -8) * 4])
def test_no_records_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.spn").write_bytes(content)
    with pytest.raises(FileFormatError, match="expected Fortran records"):
        Records(tmp_path / "x.spn")


def test_records_of_the_other_byte_order_and_in_parts(tmp_path: Path) -> None:
    """gfortran divides long records: a negative length says that the record goes on."""
    (tmp_path / "x").write_bytes(written([struct.pack(">d", 2.5)], ">"))
    assert Records(tmp_path / "x").take("f8", 1, "x") == [2.5]
    part = np.array([1.5, 2.5])
    divided = INTS(-8) + part[:1].tobytes() + INTS(8) + INTS(8) + part[1:].tobytes() + INTS(-8)
    (tmp_path / "x").write_bytes(divided)
    assert Records(tmp_path / "x").take("f8", 2, "x").tolist() == [1.5, 2.5]


def test_files_of_another_calculation(folder: Path, tmp_path: Path) -> None:
    """Another lattice, another number of functions: said before anything is computed."""
    ome.convert(random_model(3, dimension=3, n=3), tmp_path / "other_tb.dat")
    for ending in ("chk", "eig", "spn"):
        shutil.copy(folder / f"model.{ending}", tmp_path / f"other.{ending}")
    with pytest.raises(ModelError, match=r"other\.chk has 2 Wannier functions, the model 3"):
        ome.load(tmp_path / "other", spn=True)
    ome.convert(random_model(3, dimension=3, n=2, lattice=np.diag([3.0, 4.0, 5.0])), tmp_path / "other_tb.dat", overwrite=True)
    with pytest.raises(OMEError, match=r"other\.chk has other lattice vectors than the model"):
        ome.load(tmp_path / "other", spn=True)


def reported(model: ome.TightBinding) -> xr.Dataset:
    """What external terms change, in the axes of the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = ["extrinsic", "interband", "total"]
        return ome.compute(model, (3, 3, 3), names, fermi=[0.1], temperature=3000.0, symmetry="off")


@pytest.mark.parametrize(
    "axes", [np.eye(3), np.array([[0.0, 0.6, 0.8], [0.0, -0.8, 0.6], [1.0, 0.0, 0.0]])], ids=["", "turned"]
)
def test_external_terms_of_orbitals_that_were_moved(folder: Path, axes: np.ndarray) -> None:
    """Other home cells and other axes of the same functions: the answers in the axes of the source are the same."""
    base = ome.load(folder / "model")
    assert isinstance(base, ome.TightBinding)
    given = RealSpace(base.lattice, base.R, base.hamiltonian, base.position, None, None, None, base.periodic)
    moved = turned(moved_by(given, np.array([[0, 0, 1], [1, -1, 0]]), np.zeros(3, dtype=bool)), axes)
    model = ome.TightBinding(**moved._replace(frame=axes)._asdict())
    want, found, without = (
        reported(m) for m in (with_external_terms(base, folder / "model"), with_external_terms(model, folder / "model"), model)
    )
    for name in ("extrinsic", "interband", "total"):
        scale = np.abs(want[name].values).max()
        assert found[name].values == pytest.approx(want[name].values, abs=1e-9 * scale)
        assert np.abs(without[name].values - want[name].values).max() > 1e-3 * scale
