"""WannierTools' sparse `_hr.dat`: the number of elements first, then one line for each element that is not zero."""

from __future__ import annotations

import numpy as np

from ...common.fortran_text import ComplexArray, IntArray, Row, Table
from ...common.limits import TRUST, current
from .irregular import degeneracies

N_WANN, N_R = "the number of Wannier functions", "the number of R vectors"
HR_ROW = Row(5, 2, "R1 R2 R3 m n Re H Im H")


def is_sparse(table: Table) -> bool:
    """WannierTools' sparse file has two or three counts, perhaps degeneracies, and then as many lines as the first.

    A dense file begins like it if it has a single R: its number of lines is the square of the first count.
    """
    if table.width[:2].tolist() != [1, 1] or len(table) < 3:
        return False
    elements = _count(table, 0)
    if _is_row(table, 2):
        return elements == len(table) - 2
    if table.width[2] != 1 or len(table) < 4:
        return False
    if _is_row(table, 3):
        return _count(table, 1) != 1 or elements == len(table) - 3
    begin = len(table) - elements
    return begin > 3 and elements > 0 and _is_row(table, begin) and not _is_row(table, begin - 1)


def sparse_elements(table: Table) -> tuple[IntArray, IntArray, ComplexArray, IntArray]:
    """R (nR, 3), degeneracies (nR,), H (nR, n, n) in eV, and the line of the first element of each R, of a sparse file.

    Raises
    ------
    FileFormatError : with the line; an element that stands twice, another number of R, degeneracies that differ.
    """
    elements, n = table.integer("the number of elements"), table.integer(N_WANN)
    n_R = None if _is_row(table, 2) else table.integer(N_R)
    shared = 1 if n_R is None or _is_row(table, 3) else _same_degeneracy(table, n_R, elements)
    begin = table.cursor
    values = table.take(elements, [(HR_ROW, 1)]).reshape(elements, 7)
    table.end()
    mn = values[:, 3:5].astype(np.int64) - 1
    wrong = np.flatnonzero(((mn < 0) | (mn >= n)).any(axis=1))
    if len(wrong):
        table.fail(begin + int(wrong[0]), f"m and n from 1 to {n}")
    R, first, index = np.unique(values[:, :3].astype(np.int64), axis=0, return_index=True, return_inverse=True)
    if n_R not in (None, len(R)):
        table.fail(2, f"{N_R}, {len(R)} by the elements that follow")
    most = current().of(len(table.raw)) // np.dtype(complex).itemsize
    if n * n * len(R) > most:
        table.fail(1, f"a Hamiltonian of at most {most} elements, zeros included, in a file of {len(table.raw)} bytes {TRUST}")
    element = (index.reshape(-1) * n + mn[:, 0]) * n + mn[:, 1]
    _, earlier, inverse = np.unique(element, return_index=True, return_inverse=True)
    again = np.flatnonzero(earlier[inverse] != np.arange(elements))
    if len(again):
        table.fail(begin + int(again[0]), "an element (R, m, n) that has not stood before")
    H = np.zeros(len(R) * n * n, dtype=complex)
    H[element] = values[:, 5] + 1j * values[:, 6]
    return R, np.full(len(R), shared, dtype=np.int64), H.reshape(len(R), n, n), table.line[begin + first]


def _same_degeneracy(table: Table, n_R: int, elements: int) -> int:
    """The degeneracy that all R vectors of a sparse file have: which ones they are is told by its elements alone."""
    given = degeneracies(table, n_R, elements)
    if len(given) != n_R or (given != given[0]).any():
        table.fail(3, f"one degeneracy for all {n_R} R vectors, {n_R} times (a sparse file does not tell their order)")
    return int(given[0])


def _count(table: Table, index: int) -> int:
    """The integer that stands on a line, 0 if there is none."""
    text = table.text(index).strip()
    return int(text) if text.isdigit() and len(text) < 10 else 0


def _is_row(table: Table, index: int) -> bool:
    """Whether a line has R, m, n and two reals, whose integers may have run together."""
    width = int(table.width[index])
    return width == 7 or (3 <= width < 7 and b"." in table.text(index))
