"""Wannier90's output files: `_tb.dat`, `_hr.dat`, `_r.dat` and `_centres.xyz`, each as arrays.

Every function either returns what the file says or raises a `FileFormatError` with the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.errors import FileFormatError
from ...common.fortran_text import Array, ComplexArray, IntArray, Row, Table, number, snippet
from ...common.packed import read_bytes
from .irregular import by_label, completed, degeneracies, sorted_rows, without_text
from .sparse import HR_ROW, N_R, N_WANN, is_sparse, sparse_elements

_R_ROW = Row(3, 0, "an R vector (3 integers)")
_LATTICE_ROW = Row(0, 3, "a lattice vector (3 reals, Angstrom)")
_TB_ROWS = (Row(2, 2, "m n Re H Im H"), Row(2, 6, "m n and Re, Im of x, y, z"))


class RealSpaceMatrices(NamedTuple):
    """Matrices as they stand in a file, degeneracies not yet divided out.

    R : (nR, 3) integers. ndegen : (nR,) degeneracy of each R.
    H : (nR, n, n) in eV, [r, m, n] = <0m|H|Rn>. position : (nR, n, n, 3) in Angstrom, or None.
    lattice : (3, 3) rows in Angstrom, or None. line : (nR,) where each R begins in the file.
    """

    R: IntArray
    ndegen: IntArray
    H: ComplexArray
    position: ComplexArray | None
    lattice: Array | None
    line: IntArray


Reader = Callable[[Table], RealSpaceMatrices]


def read_tb(path: Path) -> RealSpaceMatrices:
    """Read `_tb.dat`: lattice, Hamiltonian and position matrix elements.

    Raises
    ------
    FileFormatError : with the line where the file is not what it should be.
    """
    return _read(path, _regular_tb, _irregular_tb)


def read_hr(path: Path) -> RealSpaceMatrices:
    """Read `_hr.dat`, or the sparse variant of WannierTools (number of elements first).

    Raises
    ------
    FileFormatError : with the line where the file is not what it should be.
    """
    return _read(path, _regular_hr, _irregular_hr)


def _read(path: Path, regular: Reader, irregular: Reader) -> RealSpaceMatrices:
    """By the layout of Wannier90, and where that fails, as other programs write it.

    The first error says more, unless it is only about text that the second reading does not see.
    """
    raw = read_bytes(path)
    try:
        return regular(Table(path, raw))
    except FileFormatError as error:
        plain = without_text(raw)
        try:
            return irregular(Table(path, plain))
        except FileFormatError as another:
            raise (another if plain != raw and (another.line or 0) > (error.line or 0) else error) from None


def _sparse_hr(table: Table) -> RealSpaceMatrices:
    """`_hr.dat` with the elements that are not zero."""
    R, ndegen, H, line = sparse_elements(table)
    _check_R(table.path, R, ndegen, line)
    return RealSpaceMatrices(R, ndegen, H, None, None, line)


def _regular_tb(table: Table) -> RealSpaceMatrices:
    """`_tb.dat` as Wannier90 writes it."""
    lattice = table.take(3, [(_LATTICE_ROW, 1)]).reshape(3, 3)
    n, n_R = table.integer(N_WANN), table.integer(N_R)
    _check_size(table, n, table.cursor - 2)
    ndegen = _degeneracies(table, n_R)
    labels = np.vstack([np.zeros((1, 2), dtype=np.int64), _labels(n)])
    found = []
    for row in _TB_ROWS:
        first = table.cursor
        values = table.take(n_R, [(_R_ROW, 1), (row, n * n)], labels).reshape(n_R, -1)
        line = table.line[first :: n * n + 1][:n_R]
        found.append((values[:, :3].astype(np.int64), _matrices(values[:, 3:], n, row), line))
    table.end()
    (R, H, line), (R_again, position, line_again) = found
    wrong = np.flatnonzero((R_again != R).any(axis=1))
    if len(wrong):
        i = int(wrong[0])
        raise FileFormatError(table.path, int(line_again[i]), f"R = {_name(R[i])} as in the Hamiltonian", _name(R_again[i]))
    _check_R(table.path, R, ndegen, line)
    return RealSpaceMatrices(R, ndegen, H[..., 0], position, lattice, line)


def _irregular_tb(table: Table) -> RealSpaceMatrices:
    """`_tb.dat` with m and n, and the R vectors of the positions, in another order, or other degeneracies."""
    lattice = table.take(3, [(_LATTICE_ROW, 1)]).reshape(3, 3)
    n, n_R = table.integer(N_WANN), table.integer(N_R)
    _check_size(table, n, table.cursor - 2)
    given = degeneracies(table, n_R, 2 * n_R * (n * n + 1))
    found = []
    for row in _TB_ROWS:
        first = table.cursor
        values = table.take(n_R, [(_R_ROW, 1), (row, n * n)]).reshape(n_R, -1)
        rows = values[:, 3:].reshape(n_R, n * n, -1)
        matrices = by_label(table, rows[..., :2].astype(np.int64), rows[..., 2:], n, first)
        found.append((values[:, :3].astype(np.int64), matrices, table.line[first :: n * n + 1][:n_R]))
    table.end()
    (R, H, line), (R_again, position, _) = found
    ndegen = completed(table, given, R)
    _check_R(table.path, R, ndegen, line)
    place = {tuple(r): i for i, r in enumerate(R_again.tolist())}
    if set(place) != set(map(tuple, R.tolist())):
        table.fail(0, "the same R vectors in the Hamiltonian and the positions")
    return RealSpaceMatrices(R, ndegen, H[..., 0], position[[place[tuple(r)] for r in R.tolist()]], lattice, line)


def _regular_hr(table: Table) -> RealSpaceMatrices:
    """`_hr.dat` as Wannier90 writes it, or as WannierTools does where it is sparse."""
    if is_sparse(table):
        return _sparse_hr(table)
    n, n_R = table.integer(N_WANN), table.integer(N_R)
    _check_size(table, n, table.cursor - 2)
    ndegen = _degeneracies(table, n_R)
    R, H, line = _labelled(table, n, n_R, HR_ROW)
    _check_R(table.path, R, ndegen, line)
    return RealSpaceMatrices(R, ndegen, H[..., 0], None, None, line)


def _irregular_hr(table: Table) -> RealSpaceMatrices:
    """`_hr.dat` with its rows in any order, or other degeneracies."""
    if is_sparse(table):
        return _sparse_hr(table)
    n, n_R = table.integer(N_WANN), table.integer(N_R)
    _check_size(table, n, table.cursor - 2)
    given = degeneracies(table, n_R, n_R * n * n)
    R, H, line = sorted_rows(table, n, n_R, HR_ROW)
    ndegen = completed(table, given, R)
    _check_R(table.path, R, ndegen, line)
    return RealSpaceMatrices(R, ndegen, H[..., 0], None, None, line)


def read_r(path: Path, hr: RealSpaceMatrices) -> ComplexArray:
    """Read `_r.dat`, the position matrix elements that go with `_hr.dat`; (nR, n, n, 3) in Angstrom.

    Its line with the number of R vectors is missing when written by Wannier90 2.1.

    Raises
    ------
    FileFormatError : with the line; also where the numbers or the R vectors are not those of `hr`.
    """
    table = Table(path, read_bytes(path))
    row = Row(5, 6, "R1 R2 R3 m n and Re, Im of x, y, z")
    n_R, n = len(hr.R), hr.H.shape[1]
    expected = [(N_WANN, n), (N_R, n_R)]
    if len(table) > 1 and table.width[1] != 1:
        del expected[1]
    for what, size in expected:
        if table.integer(what) != size:
            table.fail(table.cursor - 1, f"{what}, {size} as in _hr.dat")
    R, position, line = _labelled(table, n, n_R, row)
    wrong = np.flatnonzero((R != hr.R).any(axis=1))
    if len(wrong):
        i = int(wrong[0])
        raise FileFormatError(path, int(line[i]), f"R = {_name(hr.R[i])} as in _hr.dat", _name(R[i]))
    return position


def read_centres(path: Path, n_wann: int, ghosts: int = 0) -> Array:
    """Read `_centres.xyz`: the (n, 3) Cartesian centres in Angstrom, which come first and are labelled X.

    ghosts : how many atoms of the calculation are labelled X too; they follow.

    Raises
    ------
    FileFormatError : with the line; also for another number of centres than `n_wann`.
    """
    lines = read_bytes(path).splitlines()
    count = number(lines[0].strip())
    if count is None or count != int(count):
        raise FileFormatError(path, 1, "the number of lines that follow the second", snippet(lines[0]))
    body = [(i, line) for i, line in enumerate(lines[2:], 3) if line.strip()]
    if len(body) != count and not (count == n_wann < len(body)):  # Wannier90 2.0 did not count the atoms
        raise FileFormatError(path, len(lines), f"{int(count)} lines with a label and 3 reals", f"{len(body)}")
    centres, labels = [], []
    for i, line in body:
        label, *numbers = line.split()
        xyz = [number(token) for token in numbers]
        if len(xyz) != 3 or None in xyz:
            raise FileFormatError(path, i, "a label and 3 reals", snippet(line))
        labels.append(label)
        if label == b"X":
            centres.append(xyz)
    if ghosts and len(centres) == n_wann + ghosts and set(labels[:n_wann]) == {b"X"}:
        del centres[n_wann:]
    if len(centres) != n_wann:
        raise FileFormatError(path, None, f"{n_wann} centres labelled X", f"{len(centres)}")
    return np.array(centres, dtype=float)


def count_wann(path: Path, tb: bool) -> int:
    """Number of Wannier functions that `_tb.dat` or `_hr.dat` announces."""
    table = Table(path, without_text(read_bytes(path)))
    if tb:
        table.take(3, [(_LATTICE_ROW, 1)])
    elif is_sparse(table):
        table.integer("the number of elements")
    return table.integer(N_WANN)


def _check_size(table: Table, n: int, index: int) -> None:
    """Refuse a number of Wannier functions that the rest of the file cannot hold."""
    if n * n > len(table):
        table.fail(index, f"{N_WANN}, at most {int(len(table) ** 0.5)} in a file of this length")


def _degeneracies(table: Table, n_R: int) -> IntArray:
    first = table.cursor
    ndegen = table.integers(n_R, "positive degeneracies of the R vectors")
    if (ndegen < 1).any():
        lines = np.cumsum(table.width[first : table.cursor])
        bad = int(np.searchsorted(lines, np.flatnonzero(ndegen < 1)[0], side="right"))
        table.fail(first + bad, "positive degeneracies of the R vectors")
    return ndegen


def _labels(n: int) -> IntArray:
    """(n^2, 2) the pairs m, n in the order of the files, m fastest, from 1."""
    one = np.arange(1, n + 1)
    return np.stack([np.tile(one, n), np.repeat(one, n)], axis=1)


def _matrices(values: Array, n: int, row: Row) -> ComplexArray:
    """(nR, n^2 rows) -> (nR, m, n, components) from lines of two labels and real and imaginary parts."""
    parts = values.reshape(len(values), n, n, -1)[..., row.ints :]
    return (parts[..., 0::2] + 1j * parts[..., 1::2]).swapaxes(1, 2)


def _labelled(table: Table, n: int, n_R: int, row: Row) -> tuple[IntArray, ComplexArray, IntArray]:
    """R, matrices and first lines of a file whose lines all carry R, m and n."""
    first = table.cursor
    values = table.take(n_R, [(row, n * n)], _labels(n)).reshape(n_R, n * n, -1)
    table.end()
    R = values[:, :, :3].astype(np.int64)
    wrong = np.flatnonzero((R[:, :1] != R).any(axis=2))
    if len(wrong):
        table.fail(first + int(wrong[0]), f"R = {_name(R[wrong[0] // (n * n), 0])} for all m and n")
    return R[:, 0], _matrices(values.reshape(n_R, -1), n, row), table.line[first :: n * n][:n_R]


def _check_R(path: Path, R: IntArray, ndegen: IntArray, line: IntArray) -> None:
    """Every R once, with its -R, both of the same degeneracy."""
    seen: dict[tuple[int, ...], int] = {}
    for i, r in enumerate(map(tuple, R.tolist())):
        if r in seen:
            raise FileFormatError(path, int(line[i]), "every R once", f"R = {_name(R[i])} again")
        seen[r] = i
    for i, r in enumerate(R.tolist()):
        partner = seen.get(tuple(-x for x in r))
        if partner is None:
            expected = f"a partner -R = {_name(-R[i])} of R = {_name(R[i])}"
            raise FileFormatError(path, int(line[i]), expected, "none in the file")
        if ndegen[i] != ndegen[partner]:
            expected = f"equal degeneracies of R = {_name(R[i])} and -R"
            raise FileFormatError(path, int(line[i]), expected, f"{ndegen[i]} and {ndegen[partner]}")


def _name(R: IntArray) -> str:
    return "(" + ", ".join(str(x) for x in R.tolist()) + ")"
