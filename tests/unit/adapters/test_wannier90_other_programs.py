"""Files as people and other programs write them, against the same model written as Wannier90 writes it."""

from __future__ import annotations

import random
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ome_wannier import load
from ome_wannier.adapters.wannier90.win import read_win
from ome_wannier.errors import AccuracyWarning, FileFormatError

CELL = "begin unit_cell_cart\n 3 0 0\n 0 3 0\n 0 0 3\nend unit_cell_cart\n"
ATOMS = "begin atoms_cart\n Fe 0 0 0.5\nend atoms_cart\n"
R = [(-1, 0, 0), (0, -2, 0), (0, 0, 0), (0, 2, 0), (1, 0, 0)]


def element(r: tuple[int, ...], m: int, n: int) -> complex:
    """A Hamiltonian whose elements all differ; H(-R)_nm is the conjugate of H(R)_mn."""
    one, other = sum(x * y for x, y in zip(r, (3, 5, 7), strict=True)), m - n
    return complex(0.1 * (m + n) + 0.03 * abs(one + 0.1 * other), 0.01 * (one + 0.1 * other))


def rows(n: int = 2, ends: str = "") -> list[str]:
    pairs = [(i, j) for j in range(1, n + 1) for i in range(1, n + 1)]
    h = [(r, i, j, element(r, i, j)) for r in R for i, j in pairs]
    return [f"{r[0]:5d}{r[1]:5d}{r[2]:5d}{i:5d}{j:5d} {x.real:11.6f} {x.imag:11.6f}{ends}\n" for r, i, j, x in h]


def seed(folder: Path, hr: str, win: str = CELL, name: str = "toy") -> Path:
    (folder / f"{name}_hr.dat").write_text(hr)
    (folder / f"{name}.win").write_text(win)
    return folder / name


def hamiltonian(path: Path) -> np.ndarray:
    model = load(path, centres=[[0, 0, 0], [1, 0, 0]])
    index = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    return np.array([model.hamiltonian[index[r]] for r in R])


WANTED = np.array([[[element(r, m, n) for n in (1, 2)] for m in (1, 2)] for r in R])
TEXT = " header\n 2 {0}\n 5 {0}\n 1 1 1 1 1\n"
HEAD = TEXT.format("")


def shuffled(lines: list[str]) -> list[str]:
    return random.Random(1).sample(lines, len(lines))


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "".join(rows()),
        TEXT.format("! a count") + "".join(rows()),
        TEXT.format("orbitals") + "".join(rows(ends="   # t = 3")),
        TEXT.format("; a count") + "".join(rows()),
        TEXT.format("-- of them") + "".join(rows(ends=" | a row")),
        HEAD + "".join(shuffled(rows())),
        HEAD + "".join(sorted(rows(), key=lambda row: row.split()[:5])),
        HEAD.replace(" 1 1 1 1 1\n", " 1 1 1 1 1 1 1\n 1 1\n") + "".join(rows()),
        HEAD.replace(" 1 1 1 1 1\n", " 1 1 1 1\n") + "".join(rows()),
        f" header\n {len(rows())}\n 2\n" + "".join(rows()),
        f" header\n {len(rows())} rows\n 2 orbitals\n 5 R\n" + "".join(shuffled(rows())),
    ],
    ids=[
        "plain",
        "comments",
        "text",
        "semicolon",
        "dashes",
        "any order",
        "n fastest",
        "more",
        "fewer",
        "sparse without R",
        "sparse with text",
    ],
)
def test_the_same_hamiltonian(tmp_path, text):
    """Elements by their R, m, n, to the six digits of the files."""
    assert np.abs(hamiltonian(seed(tmp_path, text)) - WANTED).max() < 1e-6


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("1 1 1 1 1", "1 2 1 2 1 1") + "".join(rows()),
        HEAD.replace("1 1 1 1 1", "1 1") + "".join(rows()),
        HEAD.replace("1 1 1 1 1", "") + "".join(rows()),
        HEAD + "".join(shuffled([*rows()[1:], rows()[3]])),
        HEAD + "".join(shuffled(rows()[1:])),
        HEAD + "".join(rows()).replace("0.0", "0.0 e-05", 1),
        HEAD + "text\n" + "".join(rows()),
        HEAD + "".join(row.rstrip() + " 0.5\n" for row in rows()),
        HEAD.replace("2 \n", "2 5\n") + "".join(rows()),
    ],
    ids=["unequal", "too few", "none", "twice", "lost", "cut exponent", "line of text", "eighth number", "two counts"],
)
def test_what_may_be_damage_is_refused(tmp_path, text):
    with pytest.raises(FileFormatError):
        hamiltonian(seed(tmp_path, text))


def tb(order: list[int], again: list[int]) -> str:
    blocks = ""
    pairs = [(i, j) for j in (1, 2) for i in (1, 2)]
    for which, width in ((range(5), 1), (again, 3)):
        for k in which:
            blocks += "\n" + " ".join(map(str, R[k])) + "\n"
            for p in order:
                i, j = pairs[p]
                x = element(R[k], i, j)
                blocks += f"{i} {j} " + " ".join(f"{c * x.real:.6f} {c * x.imag:.6f}" for c in range(1, width + 1)) + "\n"
    return " h\n 3 0 0\n 0 3 0\n 0 0 3\n 2\n 5\n 1 1 1 1 1\n" + blocks


def test_blocks_and_rows_of_tb_in_any_order(tmp_path):
    (tmp_path / "toy_tb.dat").write_text(tb([3, 1, 0, 2], [4, 2, 0, 1, 3]))
    with pytest.warns(AccuracyWarning, match=r"no toy\.win"):
        model = load(tmp_path / "toy")
    index = [model.R.tolist().index(list(r)) for r in R]
    assert np.abs(model.hamiltonian[index] - WANTED).max() < 1e-6
    assert np.abs(model.position[index] - WANTED[..., None] * [1, 2, 3]).max() < 3e-6


@pytest.mark.parametrize(
    "text",
    [
        CELL.replace("end ", "END_"),
        CELL.replace("begin unit_cell_cart", "Begin: Unit_Cell_Cart of the crystal"),
        CELL.replace("cart\n 3", "cart\n in Angstroms\n 3"),
        CELL.replace(" 3 0 0\n", "3.0d0, 2*0. first\n"),
        CELL.replace("cart\n 3", "cart\n units of Bohr\n 3").replace(" 3", f" {3 / 0.529177210903:.12f}"),
    ],
)
def test_cells_as_wannier90_reads_them(tmp_path, text):
    (tmp_path / "a.win").write_text(text)
    assert read_win(tmp_path / "a.win").lattice == pytest.approx(3 * np.eye(3), rel=1e-6)


@pytest.mark.parametrize("label", ["1", "27", "A", "G", "Gh1", "J", "X", "x2"])
def test_labels_that_are_no_elements(tmp_path, label):
    text = CELL + ATOMS.replace("Fe", label) + f"begin projections\n{label}:s,pz\nend projections\n"
    with pytest.warns(AccuracyWarning, match="projections"):
        model = load(seed(tmp_path, HEAD + "".join(rows()), text))
    assert model.structure is None
    assert model.centres == pytest.approx(np.array([[0, 0, 0.5], [0, 0, 0.5]]))


@pytest.mark.parametrize("value", [".true.,", "T", "true (SOC)", ".TRUE. both"])
def test_logicals(tmp_path, value):
    (tmp_path / "a.win").write_text(f"spinors : {value}\n")
    assert read_win(tmp_path / "a.win").spinors is True


def test_false_that_wannier90_takes_for_true(tmp_path):
    (tmp_path / "a.win").write_text("spinors = .false. (not relativistic)\n")
    with pytest.raises(FileFormatError, match="reads this one as true"):
        read_win(tmp_path / "a.win")


@pytest.mark.parametrize(
    ("line", "electrons"),
    [
        ("num_elec_per_state = 1", 1),
        ("num_elec_per_state : 2", 2),
        ("spin = up", 1),
        ("SPIN : Down", 1),
        ("spinors = T", 1),
        ("", 2),
    ],
)
def test_electrons_per_band(tmp_path, line, electrons):
    assert load(seed(tmp_path, HEAD + "".join(rows()), CELL + line), centres=np.zeros((2, 3))).spin_degeneracy == electrons


@pytest.mark.parametrize("line", ["spinors = T\n", "spin = up\n"])
def test_contradictions_about_electrons(tmp_path, line):
    path = seed(tmp_path, HEAD + "".join(rows()), CELL + line + "num_elec_per_state = 2\n")
    with pytest.raises(FileFormatError, match="num_elec_per_state = 1"):
        load(path, centres=np.zeros((2, 3)))
    assert load(path, centres=np.zeros((2, 3)), spin_degeneracy=1).spin_degeneracy == 1


CHANNELS = [
    ("Fe_up", "Fe_dn"), ("Fe.DOWN", "Fe.up"), ("Feup", "Fedn"), ("Fe_UP", "Fe_DN"), ("Fe_up", "Fe_down"),
    ("Fe_spin1", "Fe_spin2"), ("Fe-spin-0", "Fe-spin-1"), ("Fe_spin_up", "Fe_spin_down"), ("FeSpinUp", "FeSpinDw"),
    ("Fe_u", "Fe_d"), ("Fe_alpha", "Fe_beta"), ("Fe_majority", "Fe_minority"), ("up_Fe", "dn_Fe"), ("spin1", "spin2"),
    ("wannier90.1", "wannier90.2"),
]  # fmt: skip
ONE = [
    "Fe-1", "Fe-2", "Si_1", "Si_2", "Bi2", "Bi", "C1", "Cu", "Pd",
    "Nd", "Group", "Cd", "wannier90", "Sup", "Fe_3", "spin", "1", "d",
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), CHANNELS)
def test_two_channels_together(tmp_path, one, other):
    for name in (one, other):
        seed(tmp_path, HEAD + "".join(rows()), name=name)
    for name in (one, other):
        with pytest.warns(AccuracyWarning, match="two spin channels"):
            assert load(tmp_path / name, centres=np.zeros((2, 3))).spin_degeneracy == 1
    assert load(tmp_path / one, centres=np.zeros((2, 3)), spin_degeneracy=2).spin_degeneracy == 2


@pytest.mark.parametrize("name", ONE)
def test_names_that_are_no_channels(tmp_path, name):
    """Elements and numbers that end alike, also where others of them lie beside."""
    for other in ONE:
        seed(tmp_path, HEAD + "".join(rows()), name=other)
    assert load(tmp_path / name, centres=np.zeros((2, 3))).spin_degeneracy == 2


@pytest.mark.parametrize("name", ["Fe_up", "Fe.DN", "Fe-spin-0", "Fe_spin2", "down_Fe"])
def test_one_channel_alone(tmp_path, name):
    """What is assumed is said; `.win` or an option ends it."""
    path = seed(tmp_path, HEAD + "".join(rows()), name=name)
    with pytest.warns(AccuracyWarning, match=r"one spin channel.*two electrons.*spin_degeneracy=1"):
        assert load(path, centres=np.zeros((2, 3))).spin_degeneracy == 2
    assert load(path, centres=np.zeros((2, 3)), spin_degeneracy=1).spin_degeneracy == 1
    path = seed(tmp_path, HEAD + "".join(rows()), CELL + "spin = up\n", name=name)
    assert load(path, centres=np.zeros((2, 3))).spin_degeneracy == 1


@pytest.mark.parametrize(
    ("one", "other", "electrons"),
    [
        ("UP", "DN", 1), ("spin_up", "spin_down", 1), ("spin1", "spin2", 1), ("Fe-up", "Fe-dn", 1),
        ("run.1", "run.2", 2), ("Bi1", "Bi2", 2), ("u", "d", 2),
    ],
)  # fmt: skip
def test_folders_of_two_channels(tmp_path, one, other, electrons):
    """Folders called as seeds are, in any letters; numbers alone mean nothing."""
    for name in (one, other):
        (tmp_path / name).mkdir()
        seed(tmp_path / name, HEAD + "".join(rows()), name="wannier90")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert load(tmp_path / one, centres=np.zeros((2, 3))).spin_degeneracy == electrons
    assert any(f"wannier90 and {other}/wannier90 lie together" in str(w.message) for w in said) == (electrons == 1)


def test_the_other_channel_is_named_as_it_is_spelled(tmp_path):
    for name in ("FE_UP", "FE_DN"):
        seed(tmp_path, HEAD + "".join(rows()), name=name)
    with pytest.warns(AccuracyWarning, match="FE_UP and FE_DN lie together"):
        load(tmp_path / "FE_UP", centres=np.zeros((2, 3)))


def test_channels_in_folders_of_their_own(tmp_path, monkeypatch):
    for name in ("up", "down"):
        (tmp_path / name).mkdir()
        seed(tmp_path / name, HEAD + "".join(rows()), name="wannier90")
    with pytest.warns(AccuracyWarning, match="wannier90 and down/wannier90 lie together"):
        assert load(tmp_path / "up", centres=np.zeros((2, 3))).spin_degeneracy == 1
    monkeypatch.chdir(tmp_path / "down")
    with pytest.warns(AccuracyWarning, match="wannier90 and up/wannier90 lie together"):
        assert load("wannier90", centres=np.zeros((2, 3))).spin_degeneracy == 1


def test_marked_spins_of_projections(tmp_path):
    """Up and down of each state in turn, as Wannier90 sorts them; one spin a line as the lines stand."""
    sites = "spinors = T\nbegin projections\nf=0,0,{}:s(u)\nf=0,0,{}:s(d)\nend projections\n"
    with pytest.warns(AccuracyWarning, match="projections"):
        model = load(seed(tmp_path, HEAD + "".join(rows()), CELL + sites.format(0, 0.5)))
    assert model.centres == pytest.approx(np.array([[0, 0, 0], [0, 0, 1.5]]))


@pytest.mark.parametrize("ghosts", [1, 2])
def test_ghosts_in_the_centres(tmp_path, ghosts):
    atoms = "".join(f" X{i} 0 0 {i}\n" for i in range(ghosts))
    path = seed(tmp_path, HEAD + "".join(rows()), CELL + ATOMS.replace(" Fe 0 0 0.5\n", " Fe 0 0 0\n" + atoms))
    lines = "X 0 0 1\nX 0 0 2\nFe 0 0 0\n" + "".join(f"X 0 0 {i}\n" for i in range(ghosts))
    (tmp_path / "toy_centres.xyz").write_text(f"{3 + ghosts}\n\n{lines}")
    assert load(path).centres == pytest.approx(np.array([[0, 0, 1], [0, 0, 2]]))
    (tmp_path / "toy_centres.xyz").write_text(f"{4 + ghosts}\n\n{lines}X 0 0 0\n")
    with pytest.raises(FileFormatError, match="2 centres labelled X"):
        load(path)


def sparse(counts: str, n_lines: list[str]) -> str:
    return f" h\n {len(n_lines)} ! lines\n{counts}" + "".join(n_lines)


@pytest.mark.parametrize(
    ("counts", "share"),
    [(" 2 ! orbitals\n", 1), (" 2\n 5\n", 1), (" 2 !\n 5 ! of R\n 1 1 1\n 1 1\n", 1), ("2\n5\n3 3 3 3 3\n", 3)],
)
def test_sparse_files_with_and_without_counts_and_degeneracies(tmp_path, counts, share):
    """Rows without the elements that are zero, in any order; degeneracies are those of no R in particular."""
    kept = [row for row in shuffled(rows()) if row.split()[:5] not in (["0", "-2", "0", "1", "2"], ["0", "2", "0", "2", "1"])]
    wanted = WANTED.copy()
    wanted[1, 0, 1] = wanted[3, 1, 0] = 0
    assert np.abs(share * hamiltonian(seed(tmp_path, sparse(counts, kept))) - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("counts", "said"),
    [(" 2\n 5\n 1 1 2 1 1\n", "one degeneracy"), (" 2\n 5\n 1 1 1 1\n", "5 times"), (" 2\n 4\n 1 1 1 1\n", "5 by")],
)
def test_sparse_files_with_counts_that_do_not_fit(tmp_path, counts, said):
    with pytest.raises(FileFormatError, match=said):
        hamiltonian(seed(tmp_path, sparse(counts, rows())))


def test_more_elements_than_columns_count(tmp_path):
    """The counts of a file stand alone in their lines: 99,999, the largest integer of five columns, does not bound them."""
    n, far = 230, [(0, 0, 0), (1, 0, 0), (-1, 0, 0)]
    lines = [f"{a} {b} {c} {i} {j} {0.5 * (i == j)} 0\n" for a, b, c in far for i in range(1, n + 1) for j in range(1, n + 1)]
    path = seed(tmp_path, sparse(f" {n}\n", lines))
    model = load(path, centres=np.zeros((n, 3)))
    assert len(lines) > 99_999
    assert model.hamiltonian == pytest.approx(np.tile(0.5 * np.eye(n), (3, 1, 1)))


def test_an_error_is_about_the_damage_and_not_about_the_text_beside_it(tmp_path):
    text = TEXT.format("! a count") + "".join(rows()).replace("    0    2    0    1    2 ", "    0    2    0    1    3 ")
    with pytest.raises(FileFormatError, match="every pair m, n"):
        hamiltonian(seed(tmp_path, text))


@pytest.mark.parametrize("chosen", ["4 1", "= 4,1", ": 4; 1", "1:1 4-4"])
def test_selected_projections(tmp_path, chosen):
    """As Wannier90's range vectors, in their order."""
    text = f"select_projections {chosen}\nbegin projections\nf=0,0,0:s\nf=0,0,0.1:px,py\nf=0,0,0.2:s\nend projections\n"
    with pytest.warns(AccuracyWarning, match="projections"):
        model = load(seed(tmp_path, HEAD + "".join(rows()), CELL + text))
    assert sorted(model.centres[:, 2]) == pytest.approx([0, 0.6])
    assert (model.centres[0, 2] > 0) == (chosen != "1:1 4-4")


@pytest.mark.parametrize("chosen", ["", "0-3", "1,x", "2-", "-3", "1 2 3", "5", "1-9999999999"])
def test_projections_that_cannot_be_selected(tmp_path, chosen):
    text = f"select_projections = {chosen}\nbegin projections\nf=0,0,0:s,px,py,pz\nend projections\n"
    with pytest.raises(FileFormatError, match=r"select|projections"):
        load(seed(tmp_path, HEAD + "".join(rows()), CELL + text))


def test_text_behind_the_name_of_a_block(tmp_path):
    text = "begin : kpoint_path G 0 0 0 X 0 0 .5\nX 0 0 .5 G 0 0 0\nend kpoint_path\n"
    (tmp_path / "a.win").write_text(text + CELL)
    assert read_win(tmp_path / "a.win").lattice == pytest.approx(3 * np.eye(3))


def test_centres_of_wannier90_2_0(tmp_path):
    """Its count is that of the Wannier functions, though atoms follow."""
    path = seed(tmp_path, HEAD + "".join(rows()), CELL + ATOMS)
    xyz = tmp_path / "toy_centres.xyz"
    xyz.write_text("2\n\nX 0 0 1\nX 0 0 2\nFe 0 0 0\n")
    assert load(path).centres == pytest.approx(np.array([[0, 0, 1], [0, 0, 2]]))
    xyz.write_text("2\n\nX 0 0 1\nFe 0 0 2\nFe 0 0 0\n")
    with pytest.raises(FileFormatError, match="2 centres labelled X"):
        load(path)


def test_resource_forks_of_macos(tmp_path):
    """tar and zip of macOS have a second, small file beside each."""
    path = seed(tmp_path, HEAD + "".join(rows()))
    (tmp_path / "._toy_hr.dat").write_bytes(b"\0\5\26\7")
    (tmp_path / "._toy.cif").write_bytes(b"\0\5\26\7")
    assert load(tmp_path, centres=np.zeros((2, 3))).name == "toy"
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("toy_hr.dat", "toy.win", "._toy_hr.dat"):
            archive.write(tmp_path / name, f"__MACOSX/{name}" if name[0] == "." else name)
    assert load(packed, centres=np.zeros((2, 3))).n_orbitals == load(path, centres=np.zeros((2, 3))).n_orbitals


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_ends_of_lines(tmp_path, end):
    """None hides the rest of a `.win` in its first line."""
    (tmp_path / "toy.win").write_bytes(("num_wann = 2\n" + CELL + "spinors = T\n").replace("\n", end).encode())
    found = read_win(tmp_path / "toy.win")
    assert found.spinors
    assert found.lattice == pytest.approx(3 * np.eye(3))


@pytest.mark.parametrize(
    ("row", "said"),
    [("0 0 3/", ""), ("0 0 3 / height", ""), ("2*0 3 /", ""), ("0 0/", "expected 3 reals"), ("0 0 1/3", "expected 3 reals")],
)
def test_a_slash_ends_a_row(tmp_path, row, said):
    """As for Fortran; the fraction, of which it would take the 1, is refused."""
    (tmp_path / "toy.win").write_text(CELL.replace("0 0 3\n", row + "\n"))
    if said:
        with pytest.raises(FileFormatError, match=said):
            read_win(tmp_path / "toy.win")
    else:
        assert read_win(tmp_path / "toy.win").lattice == pytest.approx(3 * np.eye(3))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("+hamdata", "FPLO"), ("siesta.HSX", "overlap"), ("x.scfout", "overlap"), ("x.HWR", "openmx2dcore"),
        ("x.chk.gz", "write_tb"), ("x.mmn", "write_tb"), ("x_hr.dat.zst", "unpack"), ("x.tar.gz", "unpack"),
        ("POSCAR", "structure"), ("r.nc", "plot and report"), ("x.txt", r"\.win, found"),
    ],
)  # fmt: skip
def test_files_of_others_are_answered_with_what_to_do(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(FileFormatError, match=rf"{re.escape(name)}: expected a name that ends with _tb\.dat.*{said}"):
        load(tmp_path / name)
