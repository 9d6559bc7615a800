"""`_hr.dat` and `_tb.dat` as other programs write them: text behind numbers, rows in any order, other degeneracies.

These files are tried only where a reading by Wannier90's own layout fails. Rows are placed by the m and n that they carry:
every element has to stand there exactly once, so that a file that lost a line is refused here as well.
"""

from __future__ import annotations

import re
from itertools import product

import numpy as np

from ...common.fortran_text import Array, ComplexArray, IntArray, Row, Table

#: text that follows the numbers of a line, but for the exponent of a number that was cut in two
_TEXT = re.compile(rb"(?<=[0-9.])[ \t]+(?![eEdD][-+]?\d)([!#A-Za-z(\[{<%/\"'&=;:|>~@]|--?[ \t>])[^\n]*")
_DEGENERACIES = "positive degeneracies of the R vectors"
#: meshes of k points that are tried, at most, to tell whether degeneracies could be other than 1
_MOST_MESHES = 20_000


def without_text(raw: bytes) -> bytes:
    """The content of a file, its first line aside, without the text behind numbers, which Fortran does not read."""
    header, newline, body = raw.partition(b"\n")
    return header + newline + _TEXT.sub(b"", body)


def degeneracies(table: Table, n_R: int, rows: int) -> IntArray:
    """All integers of the lines before the last `rows` of a file, (any number,), which are degeneracies.

    Raises
    ------
    FileFormatError : none, or others than positive integers.
    """
    end = len(table) - rows
    found: list[float] = []
    for index in range(table.cursor, end):
        found += table.parse(index, Row(int(table.width[index]), 0, _DEGENERACIES))
    if not found or min(found) < 1:
        table.fail(table.cursor, f"{_DEGENERACIES}, {n_R} in all")
    table.cursor = end
    return np.array(found, dtype=np.int64)


def completed(table: Table, given: IntArray, R: IntArray) -> IntArray:
    """(nR,) degeneracies of R from more or fewer numbers, where it cannot matter which of them belong to which R.

    More: all are equal. Fewer: all are 1, and no mesh of k points makes so many of these R vectors stand alone while others
    are shared.

    Raises
    ------
    FileFormatError : where it can matter.
    """
    n_R = len(R)
    if len(given) == n_R:
        return given
    if len(given) > n_R and (given == given[0]).all():
        return given[:n_R]
    if len(given) < n_R and (given == 1).all() and not _shared(R, len(given)):
        return np.ones(n_R, dtype=np.int64)
    table.fail(2, f"{_DEGENERACIES}, {n_R} in all")


def by_label(table: Table, mn: IntArray, values: Array, n: int, first: int) -> ComplexArray:
    """(groups, n, n, components) from the rows of each R, placed by m and n.

    mn : (groups, n^2, 2) from 1. values : (groups, n^2, 2 components). first : line of the table where the rows begin.

    Raises
    ------
    FileFormatError : m or n out of range, an element twice.
    """
    element = (mn[..., 0] - 1) * n + mn[..., 1] - 1
    good = ((mn >= 1) & (mn <= n)).all() and (np.sort(element, axis=1) == np.arange(n * n)).all()
    if not good:
        table.fail(first, f"every pair m, n from 1 to {n} once for each R")
    out = np.empty((len(mn), n * n, values.shape[2] // 2), dtype=complex)
    out[np.arange(len(mn))[:, None], element] = values[..., 0::2] + 1j * values[..., 1::2]
    return out.reshape(len(mn), n, n, -1)


def sorted_rows(table: Table, n: int, n_R: int, row: Row) -> tuple[IntArray, ComplexArray, IntArray]:
    """R (nR, 3) in order of appearance, matrices and first lines of a file whose rows all carry R, m, n, in any order.

    Raises
    ------
    FileFormatError : another number of R, an element that stands twice or not at all.
    """
    start = table.cursor
    values = table.take(n_R * n * n, [(row, 1)]).reshape(n_R * n * n, -1)
    table.end()
    R, first, group = np.unique(values[:, :3].astype(np.int64), axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    if len(R) != n_R or (np.bincount(group) != n * n).any():
        table.fail(start, f"{n_R} R vectors with {n * n} elements each")
    rank = np.argsort(np.argsort(first))
    order = np.argsort(rank[group], kind="stable")
    rows = values[order].reshape(n_R, n * n, -1)
    matrices = by_label(table, rows[..., 3:5].astype(np.int64), rows[..., 5:], n, start)
    appearance = np.sort(first)
    return rows[:, 0, :3].astype(np.int64), matrices, table.line[start + appearance]


def _shared(R: IntArray, alone: int) -> bool:
    """Whether some mesh of k points has these R vectors, `alone` or more with degeneracy 1, and others with a larger one."""
    reach = 2 * np.abs(R).max(axis=0) + 1
    if reach.prod() > _MOST_MESHES:
        return True  # not to be told
    for mesh in product(*(range(1, int(n) + 1) for n in reach)):
        size = int(np.prod(mesh))
        if size >= len(R):
            continue
        cell = np.mod(R, mesh) @ np.array([mesh[1] * mesh[2], mesh[2], 1])
        count = np.bincount(cell, minlength=size)
        if (count > 0).all() and (count == 1).sum() >= alone:
            return True
    return False
