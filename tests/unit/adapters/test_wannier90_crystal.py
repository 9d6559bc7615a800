"""The cell of a bare `_hr.dat`: from a structure beside it or named, as vectors, or from a .win of another name."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from ome_wannier import load
from ome_wannier.common.limits import limited
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError

CELL = np.array([[3.0, 0.1, 0], [-1, 2.5, 0], [0.3, 0.2, 4]])
pytestmark = pytest.mark.filterwarnings("ignore:no toy.win")


@pytest.fixture
def seed(tmp_path):
    rows = "".join(f" 0 0 0 {i} {j} {float(i == j)} 0.0\n" for j in range(1, 5) for i in range(1, 5))
    (tmp_path / "toy_hr.dat").write_text(f" h\n 4\n 1\n 1\n{rows}")
    return tmp_path / "toy"


def atoms(symbols, *positions):
    return Atoms(symbols, scaled_positions=positions, cell=CELL, pbc=True)


@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR", "toy.vasp"])
def test_one_atom(seed, name):
    write(seed.with_name(name), atoms("Te", (0.1, 0.2, 0.3)), format="vasp", direct=True)
    with pytest.warns(AccuracyWarning, match="sit on the atoms"):
        model = load(seed, spin_degeneracy=2)
    assert model.lattice == pytest.approx(CELL)
    assert model.structure.numbers == (52,)
    assert model.centres == pytest.approx(np.tile([0.1, 0.2, 0.3] @ CELL, (4, 1)))


@pytest.mark.parametrize(
    ("options", "order"), [({"spin_degeneracy": 2}, [0, 0, 1, 1]), ({"spin_order": "block"}, [0, 1, 0, 1]),
                           ({"spin_order": "interlaced"}, [0, 0, 1, 1])],
)  # fmt: skip
def test_atoms_of_one_element(seed, options, order):
    places = np.array([(0, 0, 0), (0.1, 0.2, 0.3)])
    write(seed.with_name("POSCAR"), atoms("Te2", *places), format="vasp", direct=True)
    with pytest.warns(AccuracyWarning, match="sit on the atoms"):
        model = load(seed, **options)
    assert model.centres == pytest.approx(places[order] @ CELL)


@pytest.mark.parametrize(
    ("symbols", "options"), [("Te2", {}), ("GaAs", {"spin_degeneracy": 2}), ("Te3", {"spin_degeneracy": 2})]
)
def test_several_ways_are_refused(seed, symbols, options):
    found = atoms(symbols, *np.random.default_rng(0).random((len(Atoms(symbols)), 3)))
    write(seed.with_name("POSCAR"), found, format="vasp")
    with pytest.raises(ModelError, match="on which of its"):
        load(seed, **options)
    assert load(seed, **options, centres=np.zeros((4, 3))).lattice == pytest.approx(CELL)


def test_cif(seed):
    """The same lengths and angles, in the directions that a CIF implies."""
    write(seed.with_name("Te.cif"), atoms("Te", (0, 0, 0)))
    with pytest.warns(AccuracyWarning) as said:
        found = load(seed, spin_degeneracy=2).lattice
    assert any("a CIF has no directions" in str(w.message) for w in said)
    assert found @ found.T == pytest.approx(CELL @ CELL.T, rel=1e-4)


def test_which_structure(seed):
    for name in ("POSCAR", "other.vasp"):
        write(seed.with_name(name), atoms("Te", (0, 0, 0)), format="vasp")
    with pytest.raises(ModelError, match=r"which of POSCAR, other\.vasp"):
        load(seed, centres=np.zeros((4, 3)))
    for given in (seed.with_name("POSCAR"), CELL):
        assert load(seed, lattice=given, centres=np.zeros((4, 3))).lattice == pytest.approx(CELL)


@pytest.mark.parametrize("text", ["", "x\n1\n1 0 0\n", "x\n1.0\n0 0 0\n0 0 0\n0 0 0\nTe\n1\nDirect\n0 0 0\n", "\0" * 40])
def test_damaged_structure(seed, text):
    seed.with_name("POSCAR").write_text(text)
    with pytest.raises(FileFormatError, match="POSCAR"):
        load(seed, centres=np.zeros((4, 3)))


def test_win_of_another_name(seed):
    rows = "\n".join(" ".join(map(str, row)) for row in CELL)
    other = seed.with_name("input.win")
    other.write_text(f"spinors = T\nbegin unit_cell_cart\n{rows}\nend unit_cell_cart\n")
    with pytest.raises(FileFormatError, match="win or lattice"):
        load(seed, centres=np.zeros((4, 3)))
    model = load(seed, win=other, centres=np.zeros((4, 3)))
    assert model.lattice == pytest.approx(CELL)
    assert model.spin_degeneracy == 1
    with pytest.raises(ModelError, match="already"):
        load(seed, win=other, lattice=CELL, centres=np.zeros((4, 3)))


def zipped(seed, **members):
    with zipfile.ZipFile(seed.with_name("JVASP-1.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return seed.with_name("JVASP-1.zip")


def test_archive(seed, tmp_path):
    """As JARVIS packs it, with members that are not read, one of which would be written elsewhere."""
    write(seed.with_name("POSCAR"), atoms("Te", (0.1, 0.2, 0.3)), format="vasp", direct=True)
    hr, poscar = seed.with_name("toy_hr.dat").read_text(), seed.with_name("POSCAR").read_text()
    path = zipped(seed, **{"a/wannier90_hr__dat": hr, "a/POSCAR": poscar, "JVASP-1__json": "{}", "../../evil__py": "1"})
    with pytest.warns(AccuracyWarning, match="sit on the atoms of POSCAR"):
        model = load(path, spin_degeneracy=2)
    assert model.lattice == pytest.approx(CELL)
    assert model.centres == pytest.approx(np.tile([0.1, 0.2, 0.3] @ CELL, (4, 1)))
    assert not list(tmp_path.parent.rglob("evil.py"))


@pytest.mark.parametrize("folder", ["../..", "/etc", r"JVASP-1\\a", r"C:\\x"])
def test_members_of_archives_lie_in_any_folder(seed, folder):
    """Of a member the last part of its name counts, whatever separates the others."""
    write(seed.with_name("POSCAR"), atoms("Te", (0.1, 0.2, 0.3)), format="vasp", direct=True)
    apart = "\\" if "\\" in folder else "/"
    texts = {"wannier90_hr__dat": seed.with_name("toy_hr.dat"), "POSCAR": seed.with_name("POSCAR")}
    path = zipped(seed, **{f"{folder}{apart}{name}": text.read_text() for name, text in texts.items()})
    assert load(path, centres=np.zeros((4, 3)), spin_degeneracy=2).lattice == pytest.approx(CELL)
    with pytest.raises(ModelError, match=r"unpack .*JVASP-1\.zip"):
        load(path, spn=True)


def test_archives_that_are_refused(seed):
    hr = seed.with_name("toy_hr.dat").read_text()
    with pytest.raises(FileFormatError, match=r"JVASP-1\.zip.*_hr\.dat of one seedname"):
        load(zipped(seed, x="1"))
    with pytest.raises(FileFormatError, match=r"JVASP-1\.zip/x_hr\.dat, line \d+"):
        load(zipped(seed, x_hr__dat=hr[:-60]))
    with pytest.raises(FileFormatError, match=r"x_hr\.dat twice"):
        load(zipped(seed, **{"a/x_hr__dat": hr, "b/x_hr__dat": hr}))
    path = zipped(seed, x_hr__dat=hr)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileFormatError, match=r"undamaged \.zip"):
        load(path)
    with limited(unpacked=10), pytest.raises(FileFormatError, match="unpack_size"):
        load(zipped(seed, x_hr__dat=hr))
