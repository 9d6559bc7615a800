"""Wannier90 files: every trap of the formats on small files written here, and real calculations."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ome_wannier import units
from ome_wannier.adapters.wannier90 import loader as wannier90
from ome_wannier.adapters.wannier90 import seed as wannier90_seed
from ome_wannier.adapters.wannier90.branch import finite_differences
from ome_wannier.adapters.wannier90.files import read_centres, read_tb
from ome_wannier.adapters.wannier90.win import read_win
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError

MATERIALS = Path(__file__).parents[3] / "materials"
LATTICE = np.array([[3.0, 0.0, 0.0], [-1.0, 2.5, 0.0], [0.3, 0.2, 4.0]])


def toy(n: int = 2, seed: int = 0) -> SimpleNamespace:
    """A random Hermitian Hamiltonian and position operator on five R vectors, rounded as files round it."""
    rng = np.random.default_rng(seed)
    R = np.array([[-1, 0, 0], [0, -1, 1], [0, 0, 0], [0, 1, -1], [1, 0, 0]])
    ndegen = np.array([2, 1, 1, 1, 2])

    def hermitian(*shape: int) -> np.ndarray:
        X = rng.normal(size=(5, n, n, *shape)) + 1j * rng.normal(size=(5, n, n, *shape))
        return np.round((X + X[::-1].conj().swapaxes(1, 2)) / 20, 6)

    return SimpleNamespace(n=n, R=R, ndegen=ndegen, H=hermitian(), r=hermitian(3), centres=rng.normal(size=(n, 3)))


def ndegen_lines(ndegen: np.ndarray) -> str:
    return "".join("".join(f"{d:5d}" for d in ndegen[i : i + 15]) + "\n" for i in range(0, len(ndegen), 15))


def tb_text(t: SimpleNamespace) -> str:
    lines = [" written on 1Jan2026 at 00:00:00 \n"]
    lines += ["".join(f"{x:25.16f}" for x in row) + "\n" for row in LATTICE]
    lines += [f"{t.n:12d}\n{len(t.R):12d}\n", ndegen_lines(t.ndegen)]
    for X in (t.H[..., None], t.r):
        for R, block in zip(t.R, X, strict=True):
            lines.append("\n" + "".join(f"{x:5d}" for x in R) + "\n")
            for j in range(t.n):
                for i in range(t.n):
                    numbers = " ".join(f"{x.real:15.8E} {x.imag:15.8E}" for x in block[i, j])
                    lines.append(f"{i + 1:5d}{j + 1:5d}   {numbers}\n")
    return "".join(lines)


def columns_text(t: SimpleNamespace, X: np.ndarray, head: str) -> str:
    lines = [head]
    for R, block in zip(t.R, X.reshape(len(X), t.n, t.n, -1), strict=True):
        for j in range(t.n):
            for i in range(t.n):
                labels = "".join(f"{x:5d}" for x in (*R, i + 1, j + 1))
                lines.append(labels + "".join(f"{x.real:12.6f}{x.imag:12.6f}" for x in block[i, j]) + "\n")
    return "".join(lines)


def hr_text(t: SimpleNamespace) -> str:
    return columns_text(t, t.H, f" header\n{t.n:12d}\n{len(t.R):12d}\n" + ndegen_lines(t.ndegen))


def r_text(t: SimpleNamespace, with_count: bool = True) -> str:
    return columns_text(t, t.r, f" header\n{t.n:12d}\n" + (f"{len(t.R):12d}\n" if with_count else ""))


def shifts(t: SimpleNamespace) -> dict[tuple[int, ...], list[tuple[int, int, int]]]:
    """Shifts in mirrored pairs: elements (m, n) of R = (1, 0, 0) also belong to R - (2, 0, 0)."""
    table = {}
    for R in t.R.tolist():
        for m in range(t.n):
            for n in range(t.n):
                two = abs(R[0]) == 1 and (m != n)
                table[*R, m, n] = [(0, 0, 0), (-2 * R[0], 0, 0)] if two else [(0, 0, 0)]
    return table


def wsvec_text(t: SimpleNamespace, used: str = ".true.") -> str:
    lines = [f"## written on 1Jan2026  with use_ws_distance={used}\n"]
    for (*R, m, n), T in shifts(t).items():
        lines.append("".join(f"{x:5d}" for x in (*R, m + 1, n + 1)) + f"\n{len(T):5d}\n")
        lines += ["".join(f"{x:5d}" for x in s) + "\n" for s in T]
    return "".join(lines)


def xyz_text(centres: np.ndarray) -> str:
    rows = [f"X  {x:18.8f}{y:17.8f}{z:17.8f}\n" for x, y, z in centres] + ["Te   0.0 0.0 0.0\n"]
    return f"{len(rows):6d}\n Wannier centres\n" + "".join(rows)


def win_text(extra: str = "") -> str:
    cell = "\n".join(" ".join(f"{x:.10f}" for x in row) for row in LATTICE)
    return (
        f"num_wann = 2\n{extra}\nbegin unit_cell_cart\n{cell}\nend unit_cell_cart\n"
        "begin atoms_frac\nTe 0.1 0.2 0.3\nend atoms_frac\n"
    )


def write(folder: Path, **files: str) -> Path:
    """Write files of the seed "toy" by their kind; the seedname."""
    for kind, text in files.items():
        (folder / f"toy{wannier90_seed.ENDINGS[kind]}").write_text(text)
    return folder / "toy"


def energies(model, k: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(model.matrices(np.asarray(k, dtype=float), 0).H)


def direct(t: SimpleNamespace, X: np.ndarray, k: np.ndarray, table=None) -> np.ndarray:
    """Sum over R, m, n and T as Wannier90 defines it, loop by loop."""
    out = np.zeros((len(k), *X.shape[1:]), dtype=complex)
    table = table or {(*R, m, n): [(0, 0, 0)] for R in t.R.tolist() for m in range(t.n) for n in range(t.n)}
    for r, R in enumerate(t.R):
        for m in range(t.n):
            for n in range(t.n):
                T = np.array(table[*R.tolist(), m, n])
                phase = np.exp(2j * np.pi * (k @ (R + T).T)).sum(axis=1) / (len(T) * t.ndegen[r])
                out[:, m, n] += np.multiply.outer(phase, X[r, m, n])
    return out


def fourier(model, X: np.ndarray, k: np.ndarray) -> np.ndarray:
    return np.tensordot(np.exp(2j * np.pi * k @ model.R.T), X, axes=1)


@pytest.fixture
def k():
    return np.random.default_rng(3).random((7, 3))


# --- the toy in every form -------------------------------------------------------------------------------------------


def test_tb_with_wsvec_is_the_double_sum(tmp_path, k):
    t = toy()
    model = wannier90.load(write(tmp_path, tb=tb_text(t), wsvec=wsvec_text(t), win=win_text("spinors = true")))
    assert np.allclose(fourier(model, model.hamiltonian, k), direct(t, t.H, k, shifts(t)), atol=1e-12)
    assert np.allclose(fourier(model, model.position, k), direct(t, t.r, k, shifts(t)), atol=1e-12)
    assert np.allclose(model.lattice, LATTICE, atol=1e-15)
    assert (model.name, model.spin_degeneracy, model.structure.numbers) == ("toy", 1, (52,))
    assert model.structure.positions == ((0.1, 0.2, 0.3),)


@pytest.mark.parametrize("header", [".true.", ".false."])
def test_header_of_wsvec_decides(tmp_path, k, header):
    t = toy()
    seed = write(tmp_path, tb=tb_text(t), wsvec=wsvec_text(t, header), win=win_text())
    table = shifts(t) if header == ".true." else None
    model = wannier90.load(seed)
    assert np.allclose(fourier(model, model.hamiltonian, k), direct(t, t.H, k, table), atol=1e-12)
    without = wannier90.load(seed, use_wsvec=False)
    assert np.allclose(fourier(without, without.hamiltonian, k), direct(t, t.H, k), atol=1e-12)
    forced = wannier90.load(seed, use_wsvec=True)
    assert np.allclose(fourier(forced, forced.hamiltonian, k), direct(t, t.H, k, shifts(t)), atol=1e-12)


def test_wsvec_in_any_order(tmp_path):
    t = toy()
    header, *lines = wsvec_text(t).splitlines()
    blocks = re.split(r"\n(?=(?: +-?\d+){5}\n)", "\n".join(lines))
    seed = write(tmp_path, tb=tb_text(t), wsvec=wsvec_text(t), win=win_text())
    expected = wannier90.load(seed).sha256
    write(tmp_path, wsvec="\n".join([header, *reversed(blocks)]) + "\n")
    assert wannier90.load(seed).sha256 == expected


@pytest.mark.parametrize("with_count", [True, False])
def test_hr_with_r(tmp_path, k, with_count):
    t = toy()
    model = wannier90.load(write(tmp_path, hr=hr_text(t), r=r_text(t, with_count), win=win_text()))
    assert np.allclose(fourier(model, model.position, k), direct(t, t.r, k), atol=1e-12)
    assert np.allclose(fourier(model, model.hamiltonian, k), direct(t, t.H, k), atol=1e-12)
    assert model.spin_degeneracy == 2


def test_hr_with_centres(tmp_path):
    t = toy()
    seed = write(tmp_path, hr=hr_text(t), centres=xyz_text(t.centres), win=win_text())
    model = wannier90.load(seed)
    assert model.position is None
    assert np.allclose(model.centres, t.centres, atol=1e-8)
    assert np.allclose(wannier90.load(seed, centres=np.ones((2, 3))).centres, 1)


def test_the_file_that_is_named_is_read(tmp_path):
    t = toy()
    seed = write(tmp_path, tb=tb_text(t), hr=hr_text(t), centres=xyz_text(t.r[2].diagonal().T.real), win=win_text())
    assert wannier90.load(seed).position is not None
    assert wannier90.load(tmp_path / "toy_hr.dat").position is None
    assert wannier90.load(tmp_path).position is not None
    found = wannier90_seed.inspect(seed)
    assert (found.tb, found.hr, found.r) == (tmp_path / "toy_tb.dat", tmp_path / "toy_hr.dat", None)
    assert (found.n_wann, found.spinors, found.fermi_energy) == (2, None, None)


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_equals_plain(tmp_path, ending, pack):
    t = toy()
    texts = {"tb": tb_text(t), "wsvec": wsvec_text(t), "win": win_text()}
    expected = wannier90.load(write(tmp_path, **texts)).sha256
    packed = tmp_path / "packed"
    packed.mkdir()
    for kind, text in texts.items():
        (packed / f"toy{wannier90_seed.ENDINGS[kind]}{ending}").write_bytes(pack(text.encode()))
    assert wannier90.load(packed).sha256 == expected
    assert wannier90.load(packed / f"toy_tb.dat{ending}").sha256 == expected
    (packed / "toy_tb.dat").write_text("the plain one is preferred")
    with pytest.raises(FileFormatError, match=r"toy_tb.dat, line 1: .*end of the file"):
        wannier90.load(packed / "toy")


def test_without_win(tmp_path):
    seed = write(tmp_path, tb=tb_text(toy()))
    with pytest.warns(AccuracyWarning, match="pass spin_degeneracy=2"):
        assert wannier90.load(seed).spin_degeneracy == 1
    assert wannier90.load(seed, spin_degeneracy=2).spin_degeneracy == 2
    assert wannier90_seed.inspect(seed).n_wann == 2


def test_sparse_hr_of_wanniertools(tmp_path, k):
    t = toy()
    rows = hr_text(t).splitlines()[4:]
    keep = [row for row in rows if not row.startswith("    0    0    0    1    2")]
    keep = [row for row in keep if not row.startswith("    0    0    0    2    1")]
    t.H[2, 0, 1] = t.H[2, 1, 0] = 0
    t.ndegen[:] = 1
    text = "\n".join([" header", str(len(keep)), "2", "5", *reversed(keep), ""])
    model = wannier90.load(write(tmp_path, hr=text, win=win_text()), centres=t.centres)
    assert np.allclose(fourier(model, model.hamiltonian, k), direct(t, t.H, k), atol=1e-12)
    for wrong, line in ((text.replace("\n5\n", "\n4\n", 1), 4), (text.replace("\n2\n", "\n1\n", 1), None)):
        with pytest.raises(FileFormatError) as error:
            wannier90.load(write(tmp_path, hr=wrong), centres=t.centres)
        assert line is None or error.value.line == line


def test_single_R_is_not_mistaken_for_sparse(tmp_path):
    t = toy()
    t.R, t.H, t.ndegen = t.R[2:3], t.H[2:3], t.ndegen[2:3]
    model = wannier90.load(write(tmp_path, hr=hr_text(t), win=win_text()), centres=t.centres)
    assert np.allclose(model.hamiltonian, t.H)
    assert model.periodic == (False, False, False)


# --- what Fortran and other writers do to numbers and lines ----------------------------------------------------------


def test_exponents_without_letter_and_with_d(tmp_path):
    t = toy()
    t.H[:, 0, 0] = t.H[:, 0, 0].real
    seed = write(tmp_path, tb=tb_text(t), win=win_text())
    expected = wannier90.load(seed).hamiltonian
    text = tb_text(t).replace("0.00000000E+00", "0.12345678-100").replace("E+00", "D+00").replace("E-01", "d-01")
    write(tmp_path, tb=text)
    assert "0.12345678-100" in text
    assert np.allclose(wannier90.load(seed).hamiltonian, expected, rtol=0, atol=1e-99)


def test_merged_integer_columns(tmp_path):
    t = toy()
    for R in t.R, shift_free(t):
        R[...] = R * 10
    merged = hr_text(t).replace("    0  -10   10    ", "    0-10 10    ").replace("  -10    0", "-10 0")
    seed = write(tmp_path, hr=merged, win=win_text())
    model = wannier90.load(seed, centres=t.centres)
    assert {tuple(R) for R in model.R.tolist()} == {tuple(R) for R in t.R.tolist()}
    wsvec = re.sub(r" +-", "-", wsvec_text(t).replace(".true.", ".TRUE."))
    assert "0-10" in wsvec
    expected = wannier90.load(write(tmp_path, wsvec=wsvec_text(t)), centres=t.centres).sha256
    assert wannier90.load(write(tmp_path, wsvec=wsvec), centres=t.centres).sha256 == expected


def shift_free(t: SimpleNamespace) -> np.ndarray:
    return np.zeros((0, 3), dtype=int)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.replace("\n\n", "\n"),
        lambda s: s.replace("\n", "\n\n"),
        lambda s: s.replace("\n", "\r\n"),
        lambda s: s.replace("\n", "   \n"),
        lambda s: s.replace("     ", "\t"),
        lambda s: s.rstrip(),
        lambda s: s + "\n\n  \n",
        lambda s: "\n" + s.partition("\n")[2],
    ],
    ids=["no blanks", "more blanks", "CRLF", "trailing", "tabs", "no end of line", "blank end", "empty header"],
)
def test_layout_does_not_matter(tmp_path, change):
    t = toy()
    seed = write(tmp_path, tb=tb_text(t), wsvec=wsvec_text(t), win=win_text())
    expected = wannier90.load(seed).sha256
    header, newline, body = wsvec_text(t).partition("\n")
    write(tmp_path, tb=change(tb_text(t)), wsvec=header + newline + change("x" + newline + body)[1:].lstrip("\n"))
    assert wannier90.load(seed).sha256 == expected


def test_header_in_any_encoding(tmp_path):
    t = toy()
    seed = write(tmp_path, win=win_text())
    (tmp_path / "toy_tb.dat").write_bytes(b"\xc4\xe9\xff\x00 " + tb_text(t).encode())
    assert np.allclose(wannier90.load(seed).R, t.R)


# --- every damage is found, with its line ----------------------------------------------------------------------------

TB = tb_text(toy()).splitlines(keepends=True)
HR = hr_text(toy()).splitlines(keepends=True)
WSVEC = wsvec_text(toy()).splitlines(keepends=True)
XYZ = xyz_text(toy().centres).splitlines(keepends=True)


def replaced(lines: list[str], number: int, old: str, new: str) -> str:
    assert old in lines[number - 1], lines[number - 1]
    return "".join([*lines[: number - 1], lines[number - 1].replace(old, new, 1), *lines[number:]])


@pytest.mark.parametrize(
    ("kind", "text", "line", "message"),
    [
        ("tb", replaced(TB, 10, "E", "*"), 10, "a finite real below 1000000 in column 3"),
        ("tb", replaced(TB, 10, TB[9][13:28], "*" * 15), 10, "finite real"),
        ("tb", replaced(TB, 10, TB[9][13:28], "            NaN"), 10, "finite real"),
        ("tb", replaced(TB, 10, TB[9][13:28], "       Infinity"), 10, "finite real"),
        ("tb", replaced(TB, 10, TB[9][13:28], "  0.1000000E+99"), 10, "finite real"),
        ("tb", replaced(TB, 10, TB[9][13:28], ""), 10, "m n Re H Im H"),
        ("tb", replaced(TB, 10, "    1    1", "    1    2"), 10, "m = 1, n = 1"),
        ("tb", replaced(TB, 10, "    1    1", "  1.5    1"), 10, "an integer up to 99999 in column 1"),
        ("tb", replaced(TB, 9, "-1    0", "-1.5  0"), 9, "an integer up to 99999 in column 1"),
        ("tb", "".join(TB[:9] + TB[10:]), 10, "m = 1, n = 1"),
        ("tb", "".join(TB[:14] + TB[15:]), 15, "R vector"),
        ("tb", "".join(TB[:10] + TB[9:]), 11, "m = 2, n = 1"),
        ("tb", "".join(TB[:-1]), len(TB) - 1, "the end of the file"),
        ("tb", "".join(TB)[:-2], len(TB), "cut"),
        ("tb", "".join(TB)[:-20], len(TB), "m n and Re, Im"),
        ("tb", "".join(TB) + "1 2 3\n", len(TB) + 1, "expected the end of the file"),
        ("tb", replaced(TB, 5, "2", "3"), 12, "m = 3, n = 1"),
        ("tb", replaced(TB, 5, "2", "77777"), 5, "at most"),
        ("tb", replaced(TB, 5, "2", "-2"), 5, "positive integer"),
        ("tb", replaced(TB, 6, "5", "6"), 9, "degeneracies"),
        ("tb", replaced(TB, 6, "5", "4"), 7, "4 in all"),
        ("tb", replaced(TB, 7, "2", "0"), 7, "positive degeneracies"),
        ("tb", replaced(TB, 7, "2", "1"), 9, "equal degeneracies of R = \\(-1, 0, 0\\)"),
        ("tb", replaced(TB, 9, "-1    0    0", "-1    0    2"), 39, r"R = \(-1, 0, 2\) as in the Hamiltonian"),
        ("tb", "".join(TB).replace("   -1    0    0\n", "   -1    0    2\n"), 9, r"partner -R = \(1, 0, -2\)"),
        ("tb", "".join(TB).replace("   -1    0    0\n", "    1    0    0\n"), 33, r"R = \(1, 0, 0\) again"),
        ("tb", replaced(TB, 10, TB[9][13:28], " 0.30000000E+01"), 9, r"difference of .* at R = \(-1, 0, 0\)"),
        ("tb", "".join(HR), 2, "lattice vector"),
        ("tb", "", None, "an empty file"),
        ("tb", "one line", 1, "lattice vector"),
        ("hr", "".join(TB), 2, "number of Wannier functions"),
        ("hr", replaced(HR, 6, "    1", "    2"), 6, "m = 2, n = 1|R = "),
        ("hr", replaced(HR, 7, "   -1", "    1"), 7, r"R = \(-1, 0, 0\) for all m and n"),
        ("hr", "".join(HR[:8] + HR[9:]), 9, "with m = 1, n = 1"),
        ("hr", replaced(HR, 6, ".", ""), None, "."),
        ("hr", "".join(HR[:3] + HR[4:]), 4, "degeneracies"),
        ("hr", "".join(HR)[:-3], len(HR), "cut"),
        ("wsvec", replaced(WSVEC, 1, "true", "maybe"), 1, "use_ws_distance"),
        ("wsvec", replaced(WSVEC, 3, "1", "2"), 5, "shift T"),
        ("wsvec", replaced(WSVEC, 3, "1", "0"), 3, "positive integer"),
        ("wsvec", "".join(WSVEC[:2] + WSVEC[3:]), 3, "number of shifts"),
        ("wsvec", "".join(WSVEC[:4] + WSVEC[1:]), 5, "not stood before"),
        ("wsvec", "".join([WSVEC[0], *WSVEC[4:]]), None, "20 elements .*found 19"),
        ("wsvec", replaced(WSVEC, 2, "-1", "-7"), 2, "an R of the Hamiltonian"),
        ("wsvec", replaced(WSVEC, 2, "1    1\n", "1    3\n"), 2, "m and n from 1 to 2"),
        ("wsvec", replaced(WSVEC, 8, "2    0    0", "4    0    0"), None, "mirrored at -R"),
        ("wsvec", replaced(WSVEC, 8, "2    0    0", "1    0    0"), None, "mirrored at -R"),
        ("wsvec", replaced(WSVEC, 8, "2    0    0", "2.5  0    0"), 8, "an integer up to 99999 in column 1"),
        ("wsvec", replaced(WSVEC, 8, "2    0    0", "0    0    0"), None, "not once"),
        ("wsvec", "".join(WSVEC[:-1]), len(WSVEC) - 1, "shift T"),
        ("centres", replaced(XYZ, 3, "X", "Y"), None, "2 centres labelled X, found 1"),
        ("centres", replaced(XYZ, 3, ".", ","), 3, "a label and 3 reals"),
        ("centres", "".join(XYZ[:-1]), 4, "3 lines"),
        ("centres", replaced(XYZ, 1, "3", "x"), 1, "number of lines"),
    ],
)
def test_damage_is_named(tmp_path, kind, text, line, message):
    t = toy()
    files = {"win": win_text(), "tb": tb_text(t)}
    if kind == "wsvec":
        files |= {"wsvec": text}
    elif kind == "tb":
        files |= {"tb": text}
    else:
        files |= {"hr": hr_text(t), "centres": xyz_text(t.centres), kind: text}
        del files["tb"]
    with pytest.raises(FileFormatError, match=message) as error:
        wannier90.load(write(tmp_path, **files))
    assert error.value.line == line or (line is None and message == ".")
    assert error.value.path == tmp_path / f"toy{wannier90_seed.ENDINGS[kind]}"


def test_r_must_go_with_hr(tmp_path):
    t = toy()
    seed = write(tmp_path, hr=hr_text(t), r=r_text(t).replace("   -1    0    0", "   -1    0    3"), win=win_text())
    with pytest.raises(FileFormatError, match=r"line 4: expected R = \(-1, 0, 0\) as in _hr.dat"):
        wannier90.load(seed)
    write(tmp_path, r=r_text(toy(3)))
    with pytest.raises(FileFormatError, match="line 2: expected the number of Wannier functions, 2"):
        wannier90.load(seed)


def test_files_that_are_none(tmp_path):
    t = toy()
    with pytest.raises(FileFormatError, match=r"expected nothing_tb.dat or nothing_hr.dat, found no such file"):
        wannier90.load(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="found none"):
        wannier90.load(tmp_path)
    seed = write(tmp_path, tb=tb_text(t), win=win_text())
    (tmp_path / "other_hr.dat.xz").touch()
    with pytest.raises(FileFormatError, match="found other, toy"):
        wannier90.load(tmp_path)
    (tmp_path / "toy.txt").touch()
    with pytest.raises(FileFormatError, match=r"a name that ends with _tb\.dat"):
        wannier90.load(tmp_path / "toy.txt")
    (tmp_path / "toy_tb.dat").unlink()
    (tmp_path / "toy_tb.dat").mkdir()
    with pytest.raises(FileFormatError, match=r"toy_tb\.dat or toy_hr\.dat, found toy\.win"):
        wannier90.load(seed)
    with pytest.raises(FileFormatError):
        wannier90.load(tmp_path / "toy_tb.dat")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_truncated_and_damaged_compression(tmp_path, pack):
    packed = pack(tb_text(toy()).encode())
    seed = write(tmp_path, win=win_text())
    for damaged in (packed[:-5], packed[: len(packed) // 2], packed[:200] + b"?" + packed[201:]):
        (tmp_path / "toy_tb.dat.gz").write_bytes(damaged)
        with pytest.raises(FileFormatError):
            wannier90.load(seed)


def test_binary_file(tmp_path):
    seed = write(tmp_path, win=win_text())
    (tmp_path / "toy_tb.dat").write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(FileFormatError, match="lattice vector"):
        wannier90.load(seed)


# --- .win -------------------------------------------------------------------------------------------------------------


def test_win_as_people_write_it(tmp_path):
    t = toy()
    bohr = "\n".join(" ".join(f"{x:.12f}" for x in row) for row in LATTICE / units.BOHR)
    cartesian = " ".join(f"{x:.10f}" for x in np.array([0.1, 0.2, 0.3]) @ LATTICE)
    text = (
        f"! a comment\r\nNUM_WANN : 2 # another\n Spinors   .TRUE.\nFermi_Energy=6.5 ! eV\nlength_unit = bohr\n"
        f"Begin Unit_Cell_Cart\nBohr\n{bohr}\nEND unit_cell_cart\nbegin atoms_cart\nang\nfe1 {cartesian}\nend atoms_cart\n"
    )
    seed = write(tmp_path, hr=hr_text(t), win=text)
    model = wannier90.load(seed, centres=t.centres)
    assert np.allclose(model.lattice, LATTICE, atol=1e-10)
    assert model.structure.numbers == (26,)
    assert np.allclose(model.structure.positions, [[0.1, 0.2, 0.3]], atol=1e-9)
    found = wannier90_seed.inspect(seed)
    assert (found.fermi_energy, found.spinors, found.n_wann) == (6.5, True, 2)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("dis_froz_max = 2.5", (-np.inf, 2.5)),
        ("dis_froz_min : -1.0d0\nDIS_FROZ_MAX = 2.5 ! eV", (-1.0, 2.5)),
        ("dis_froz_min = -1", None),
        ("dis_win_max = 9", None),
    ],
)
def test_frozen_window(tmp_path, text, window):
    (tmp_path / "x.win").write_text(f"num_wann = 1\n{text}\n")
    assert read_win(tmp_path / "x.win").frozen == window


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_wann = 2", "num_wann = 3", "num_wann = 2 as in toy_tb.dat"),
        ("num_wann = 2", "num_wann = two", "line 1: expected 1 reals"),
        ("num_wann = 2", "num_wann = 2\nnum_wann = 2", "line 2: expected num_wann once"),
        ("num_wann = 2", "spinors = maybe", "line 1: expected .true. or .false."),
        ("num_wann = 2", "mp_grid = 2 2", "line 1: expected 3 reals"),
        ("3.0000000000", "3.1000000000", "the lattice vectors of toy_tb.dat"),
        ("3.0000000000", "x", "line 4: expected 3 reals"),
        ("end unit_cell_cart", "", "line 8: expected end unit_cell_cart"),
        ("begin unit_cell_cart", "", "line 7: expected begin before end"),
        ("end atoms_frac", "", "line 'end atoms_frac' further on"),
        ("Te 0.1", "0.1", "line 9: expected 3 reals"),
        ("begin atoms_frac", "begin atoms_cart\nend atoms_cart\nbegin atoms_frac", "one of atoms_frac and atoms_cart"),
        ("0.2000000000", "\n0.2000000000", "line 3: expected 3 lattice vectors, found 4 lines"),
    ],
)
def test_damaged_win(tmp_path, old, new, message):
    assert old in win_text()
    seed = write(tmp_path, tb=tb_text(toy()), win=win_text().replace(old, new, 1))
    with pytest.raises(FileFormatError, match=message):
        wannier90.load(seed)


def test_hr_needs_a_cell_and_positions(tmp_path):
    t = toy()
    seed = write(tmp_path, hr=hr_text(t))
    with pytest.raises(FileFormatError, match="unit_cell_cart"):
        wannier90.load(seed, centres=t.centres, spin_degeneracy=1)
    write(tmp_path, win=win_text())
    with pytest.raises(ModelError, match="where the orbitals are"):
        wannier90.load(seed)
    write(tmp_path, centres=xyz_text(t.centres), win=win_text("translate_home_cell = true"))
    with pytest.raises(FileFormatError, match="translate_home_cell = false"):
        wannier90.load(seed)


@pytest.mark.parametrize(
    ("projections", "expected"),
    [
        ("f=0.5,0.5,0.0:s\nf=0,0,0.5 : l=0", [[0.5, 0.5, 0], [0, 0, 0.5]]),
        ("f=0.5,0.5,0.0:px,py", [[0.5, 0.5, 0], [0.5, 0.5, 0]]),
        ("te:s;pz:z=0,0,1", [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]),
        ("Te:l=2,mr=1,4", [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]),
    ],
)
def test_centres_from_projections(tmp_path, projections, expected):
    extra = f"begin projections\n{projections}\nend projections"
    seed = write(tmp_path, hr=hr_text(toy()), win=win_text(extra))
    with pytest.warns(AccuracyWarning, match="projections of toy.win"):
        model = wannier90.load(seed)
    assert np.allclose(model.centres, expected @ LATTICE)


@pytest.mark.parametrize("unit", ["ang", "bohr"])
def test_cartesian_projections_and_spinors_on_one_site(tmp_path, unit):
    extra = f"spinors = true\nbegin projections\n{unit}\nc=1.0,2.0,3.0:s\nend projections"
    seed = write(tmp_path, hr=hr_text(toy()), win=win_text(extra))
    with pytest.warns(AccuracyWarning):
        model = wannier90.load(seed)
    assert np.allclose(model.centres, np.array([[1.0, 2.0, 3.0]] * 2) * (units.BOHR if unit == "bohr" else 1.0))


@pytest.mark.parametrize(
    ("projections", "n", "message"),
    [
        ("random", 2, "random projections sit anywhere"),
        ("Qq:s", 2, "label of an atom"),
        ("Te:s", 2, "projections for 2 Wannier functions, found 1"),
        ("Te:sz", 2, "known states"),
        ("f=0,0:s", 2, "3 reals"),
        ("spinors\nf=0,0,0:s\nf=0,0,0.5:s", 4, "order of the spins"),
    ],
)
def test_projections_that_do_not_tell(tmp_path, projections, n, message):
    spin = "spinors = true\n" if projections.startswith("spinors") else ""
    extra = f"{spin}begin projections\n{projections.removeprefix('spinors')}\nend projections"
    win = win_text(extra).replace("num_wann = 2", f"num_wann = {n}")
    with pytest.raises(FileFormatError, match=message):
        wannier90.load(write(tmp_path, hr=hr_text(toy(n)), win=win))


def test_missing_wsvec_is_said(tmp_path):
    seed = write(tmp_path, tb=tb_text(toy()), win=win_text("use_ws_distance = true"))
    with pytest.warns(AccuracyWarning, match="no toy_wsvec.dat"):
        wannier90.load(seed)
    assert wannier90.load(seed, use_wsvec=False).n_orbitals == 2
    with pytest.raises(FileFormatError, match="use_wsvec=True"):
        wannier90.load(seed, use_wsvec=True)


# --- real calculations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "seed"), [("hbn", "hBN"), ("te", "Te")])
def test_hr_and_tb_have_the_same_bands(name, seed):
    k = np.random.default_rng(0).random((20, 3))
    tb, hr = wannier90.load(MATERIALS / name), wannier90.load(MATERIALS / name / f"{seed}_hr.dat.gz")
    assert np.abs(energies(tb, k) - energies(hr, k)).max() < 2e-5  # six decimals in each of up to 65 R
    assert np.abs(tb.wannier_centres - hr.centres).max() < 1e-7


def test_hbn_bands_are_the_ab_initio_ones():
    """On the mesh of the calculation, in the frozen window: to the six decimals of the .eig file."""
    folder = MATERIALS / "hbn"
    block = (folder / "hBN.win").read_text().split("begin kpoints")[1].split("end kpoints")[0]
    k = np.array(block.split(), dtype=float).reshape(-1, 3)
    reference = np.loadtxt(folder / "hBN.eig.gz")[:, 2].reshape(len(k), -1)[:, :5]
    frozen = reference < -2.745
    assert frozen.sum() == 4 * 36
    for use_wsvec in (True, False):  # equal on the mesh
        found = energies(wannier90.load(folder, use_wsvec=use_wsvec), k)
        assert np.abs(found - reference)[frozen].max() < 1e-6


def test_wsvec_changes_bands_between_the_k_points():
    k = np.random.default_rng(0).random((20, 3))
    with_it, without = (energies(wannier90.load(MATERIALS / "te", use_wsvec=u), k) for u in (None, False))
    assert np.abs(with_it - without).max() > 0.05


def test_te_has_time_reversal_symmetry():
    model = wannier90.load(MATERIALS / "te")
    k = np.random.default_rng(0).random((20, 3))
    assert np.abs(energies(model, k) - energies(model, -k)).max() < 3e-6
    assert model.periodic == (True, True, True)
    assert model.structure.numbers == (52, 52, 52)


@pytest.mark.parametrize("name", ["hbn", "te", "vse2", "cr2o3"])
def test_positions_are_on_the_branch_of_the_centres(name):
    """Wannier90 writes the principal value: 6 Angstrom off for 66 of the 76 Wannier functions of Cr2O3."""
    model = wannier90.load(MATERIALS / name)
    found = wannier90_seed.inspect(MATERIALS / name)
    centres = read_centres(found.centres, model.n_orbitals)
    assert np.abs(model.wannier_centres - centres).max() < 1e-7
    home = ~model.R.any(axis=1)
    away = np.einsum("rnna->rna", model.position[~home])
    assert np.abs(away).max() < 0.1
    written = read_tb(found.tb)
    wrong = np.abs(written.position[~written.R.any(axis=1)][0].diagonal().T.real - centres).max() > 1
    assert wrong == (name != "te")


def test_positions_that_cannot_be_corrected_are_warned_about(tmp_path):
    for ending in ("_tb.dat.gz", "_wsvec.dat.gz", ".win"):
        (tmp_path / f"VSe2{ending}").write_bytes((MATERIALS / "vse2" / f"VSe2{ending}").read_bytes())
    with pytest.warns(AccuracyWarning, match="principal value"):
        wannier90.load(tmp_path)
    xyz = (MATERIALS / "vse2" / "VSe2_centres.xyz").read_text()
    (tmp_path / "VSe2_centres.xyz").write_text(xyz.replace("2.00629774", "0.00629774"))
    with pytest.raises(FileFormatError, match=r"some branch of Wannier90.* Wannier function 1 at .*; 1 such"):
        wannier90.load(tmp_path)


@pytest.mark.parametrize("mesh", [(1, 1, 1), (2, 2, 2), (3, 3, 4), (5, 5, 1)])
@pytest.mark.parametrize("angle", [60, 77, 90, 120])
def test_finite_differences_are_exact_for_linear_functions(mesh, angle):
    a = np.deg2rad(angle)
    lattice = np.array([[3.0, 0.0, 0.0], [3 * np.cos(a), 3 * np.sin(a), 0.0], [0.0, 0.0, 5.0]])
    b, w = finite_differences(lattice, mesh)
    assert np.allclose(np.einsum("b,bi,bj->ij", w, b, b), np.eye(3), atol=1e-6)


def test_large_files_load_fast():
    """17 MB of text; the bound is generous for a busy machine (measured: 0.9 s)."""
    model = wannier90.load(MATERIALS / "cr2o3")
    assert model.hamiltonian.shape == (59, 76, 76)
    assert len(model.structure.numbers) == 10
