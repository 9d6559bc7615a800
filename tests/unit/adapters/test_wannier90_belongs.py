"""A `.win`, a lattice or a structure of another calculation beside a Hamiltonian: by its R vectors, those of hBN."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from ome_wannier import load
from ome_wannier.adapters.wannier90.files import read_tb
from ome_wannier.common.errors import AccuracyWarning, FileFormatError

HBN = Path(__file__).parents[3] / "materials" / "hbn"
CELL = read_tb(HBN / "hBN_tb.dat.gz").lattice
SQUARE = np.diag([2.5, 2.5, 15.0])
TURNED = CELL @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


@pytest.fixture
def seed(tmp_path):
    (tmp_path / "x_hr.dat").write_bytes(gzip.decompress((HBN / "hBN_hr.dat.gz").read_bytes()))
    return tmp_path / "x"


def win(seed, cell, mesh="6 6 1", more=""):
    rows = "".join(" ".join(f"{x:.6f}" for x in a) + "\n" for a in cell)
    text = f"mp_grid = {mesh}\nnum_elec_per_state = 2\n{more}begin unit_cell_cart\n{rows}end unit_cell_cart\n"
    seed.with_name(seed.name + ".win").write_text(text if mesh else text.split("\n", 1)[1])


def centres(seed):
    return np.zeros((load_n(seed), 3))


def load_n(seed):
    return int(seed.with_name("x_hr.dat").read_text().splitlines()[1])


@pytest.mark.parametrize("cell", [CELL, 1.03 * CELL, CELL @ np.diag([1, 1, -1.0])])
@pytest.mark.parametrize("mesh", ["6 6 1", ""])
def test_its_own_lattice(seed, cell, mesh):
    """Also of another size, or seen in a mirror: then R vectors are as short as they can be, too."""
    win(seed, cell, mesh)
    load(seed, centres=centres(seed))


@pytest.mark.parametrize("cell", [SQUARE, CELL[[0, 2, 1]], CELL @ np.diag([1, 1.3, 1.0])])
@pytest.mark.parametrize("mesh", ["6 6 1", ""])
def test_another_lattice(seed, cell, mesh):
    win(seed, cell, mesh)
    with pytest.warns(AccuracyWarning, match=r"R vectors of x_hr\.dat are not those of the lattice in x\.win.*36 k points"):
        load(seed, centres=centres(seed))


@pytest.mark.parametrize("mesh", ["5 5 1", "4 9 1", "6 1 6"])
def test_another_mesh(seed, mesh):
    win(seed, CELL, mesh)
    said = mesh.replace(" ", " x ")
    with pytest.warns(AccuracyWarning, match=rf"x\.win has a mesh of {said} k points, and x_hr\.dat R vectors of 36 others"):
        load(seed, centres=centres(seed))


@pytest.mark.parametrize("how", ["vectors", "POSCAR"])
def test_given_lattices(seed, how):
    for cell, good in ((TURNED, True), (SQUARE, False)):
        if how == "POSCAR":
            write(seed.with_name("POSCAR"), Atoms("BN", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0]], cell=cell), format="vasp")
        options = {"lattice": cell if how == "vectors" else None, "centres": centres(seed), "spin_degeneracy": 2}
        if good:
            load(seed, **options)
        else:
            source = "lattice=" if how == "vectors" else "POSCAR"
            with pytest.warns(AccuracyWarning, match=f"not those of the lattice in {source}:"):
                load(seed, **options)


def test_files_whose_degeneracies_say_nothing(seed):
    """All 1, as scripts write them: any R vectors may be right, also beside a mesh."""
    lines = seed.with_name("x_hr.dat").read_text().splitlines(keepends=True)
    n = -(-int(lines[2]) // 15)
    ones = [" ".join("1" * len(line.split())) + "\n" for line in lines[3 : 3 + n]]
    seed.with_name("x_hr.dat").write_text("".join(lines[:3] + ones + lines[3 + n :]))
    win(seed, SQUARE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(seed, centres=centres(seed))


@pytest.mark.parametrize("together", [True, False])
def test_degeneracies_of_r_vectors_that_were_sorted(seed, together):
    """Blocks of R in another order: right with their degeneracies, refused with those of others, whose sum is right too."""
    lines = seed.with_name("x_hr.dat").read_text().splitlines(keepends=True)
    n, number = int(lines[1]), int(lines[2])
    first = 3 - (-number // 15)
    degeneracies, blocks = " ".join(lines[3:first]).split(), np.array(lines[first:], dtype=object).reshape(number, n * n)
    win(seed, CELL)
    plain = load(seed, centres=centres(seed))
    half = np.random.default_rng(3).permutation(number // 2)
    order = np.array(
        [*half, number // 2, *(number - 1 - half[::-1])]
    )  # R and -R stay opposite, whose degeneracies are compared
    kept = [degeneracies[i] for i in order] if together else degeneracies
    listed = [" ".join(kept[i : i + 15]) + "\n" for i in range(0, number, 15)]
    seed.with_name("x_hr.dat").write_text("".join([*lines[:3], *listed, *blocks[order].ravel()]))
    if together:
        moved = load(seed, centres=centres(seed))
        where = {tuple(R): H for R, H in zip(moved.R.tolist(), moved.hamiltonian, strict=True)}
        for R, H in zip(plain.R.tolist(), plain.hamiltonian, strict=True):
            np.testing.assert_allclose(where[tuple(R)], H, atol=1e-12)
    else:
        with pytest.raises(
            FileFormatError, match=r"x_hr\.dat: expected degeneracies in the order of the R vectors, \d for R = .* x\.win"
        ):
            load(seed, centres=centres(seed))
