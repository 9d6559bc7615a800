"""Wannier90's `_wsvec.dat`: to which equivalent cells R + T every matrix element X(R)_mn belongs.

With use_ws_distance each element goes to the images of its R for which the two Wannier functions are nearest
to each other. Bands between the k points of the calculation depend on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from ...common.errors import FileFormatError
from ...common.fortran_text import LARGEST_INTEGER, Array, ComplexArray, IntArray, Row, Table, snippet
from ...common.packed import read_bytes

_ROWS = (
    Row(5, 0, "R1 R2 R3 m n"),
    Row(1, 0, "the number of shifts"),
    Row(3, 0, "a shift T (3 integers)"),
)


class Shifts(NamedTuple):
    """Content of `_wsvec.dat`: H(R)_mn belongs to each R + T with equal shares.

    cell : (entries,) index of R. m, n : (entries,) from 0. T : (entries, 3). share : (entries,) 1 / N_T.
    """

    cell: IntArray
    m: IntArray
    n: IntArray
    T: IntArray
    share: Array


def read_wsvec(path: Path) -> tuple[bool, Table]:
    """Open `_wsvec.dat`: whether its header says use_ws_distance=.true., and its lines for `parse_wsvec`.

    Raises
    ------
    FileFormatError : the header says neither true nor false.
    """
    raw = read_bytes(path)
    header = raw.partition(b"\n")[0]
    words = header.lower().replace(b" ", b"")
    used, unused = (b"use_ws_distance=" + value in words for value in (b".true.", b".false."))
    if used == unused:
        raise FileFormatError(path, 1, "a header with use_ws_distance=.true. or .false.", snippet(header))
    return used, Table(path, raw, integers_only=True)


def parse_wsvec(table: Table, R: IntArray, n_wann: int) -> Shifts:
    """The shifts T of every (R, m, n), which may stand in any order.

    Raises
    ------
    FileFormatError : with the line; for an R that is not in `R`, an element that is missing or stands twice.
    """
    head, count, keys, T = _blocks(table)
    index = _places(R, keys[:, :3])
    mn = keys[:, 3:] - 1
    wrong = np.flatnonzero((index < 0) | ((mn < 0) | (mn >= n_wann)).any(axis=1))
    if len(wrong):
        table.fail(int(head[wrong[0]]), f"an R of the Hamiltonian, and m and n from 1 to {n_wann}")
    element = (index * n_wann + mn[:, 0]) * n_wann + mn[:, 1]
    if (np.bincount(element) > 1).any():
        _, first, inverse = np.unique(element, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[inverse] != np.arange(len(element)))
        table.fail(int(head[again[0]]), "an element (R, m, n) that has not stood before")
    if len(element) != len(R) * n_wann**2:
        raise FileFormatError(table.path, None, f"{len(R) * n_wann**2} elements (R, m, n)", f"{len(element)}")
    i, m, n = (np.repeat(x, count) for x in (index, mn[:, 0], mn[:, 1]))
    return Shifts(i, m, n, T, np.repeat(1.0 / count, count))


def shifted(file: Path, R: IntArray, X: ComplexArray, partner: IntArray, shifts: Shifts) -> tuple[IntArray, ComplexArray]:
    """Move every element from R to all its R + T, in equal shares.

    Parameters
    ----------
    file : for messages. R : (nR, 3). X : (nR, n, n, components). partner : (nR,) index of -R.

    Returns
    -------
    R vectors (new, 3) and matrices (new, n, n, components).

    Raises
    ------
    FileFormatError : shifts that would not leave X Hermitian, or one that stands twice.
    """
    n = X.shape[1]
    moved = R[shifts.cell] + shifts.T
    size = 2 * np.abs(moved).max() + 1
    codes, first, target = np.unique(moved @ np.array([size**2, size, 1]), return_index=True, return_inverse=True)
    # codes are odd in R: -codes[i] is the partner of codes[i]. X stays Hermitian if shifts come in pairs
    opposite = np.minimum(np.searchsorted(codes, -codes), len(codes) - 1)
    key = ((shifts.cell * n + shifts.m) * n + shifts.n) * len(codes) + target
    mirror = ((partner[shifts.cell] * n + shifts.n) * n + shifts.m) * len(codes) + opposite[target]
    paired = (codes[opposite] == -codes)[target]
    ascending = np.sort(key)
    if not paired.all() or (ascending[1:] == ascending[:-1]).any() or not np.array_equal(np.sort(mirror), ascending):
        _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
        good = paired & np.isin(mirror, key) & (count[inverse] == 1)
        i = int(np.argmin(good))
        where = f"R = {tuple(R[shifts.cell[i]].tolist())}, m = {shifts.m[i] + 1}, n = {shifts.n[i] + 1}"
        found = f"T = {tuple(shifts.T[i].tolist())}, which is not or not once"
        raise FileFormatError(file, None, f"shifts at {where} that stand mirrored at -R, n, m", found)
    out = np.zeros((len(codes), n, n, X.shape[3]), dtype=complex)
    np.add.at(out, (target, shifts.m, shifts.n), X[shifts.cell, shifts.m, shifts.n] * shifts.share[:, None])
    return moved[first], out


def _places(R: IntArray, wanted: IntArray) -> IntArray:
    """(entries,) which of R (nR, 3), each there once, is wanted (entries, 3); -1 for none."""
    weights = np.array([(2 * LARGEST_INTEGER + 1) ** 2, 2 * LARGEST_INTEGER + 1, 1])
    codes, asked = R @ weights, wanted @ weights
    order = np.argsort(codes)
    at = order[np.minimum(np.searchsorted(codes, asked, sorter=order), len(R) - 1)]
    return np.where(codes[at] == asked, at, -1)


def _blocks(table: Table) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """First line of every block, its number of shifts, its (R, m, n), and all shifts, told by line widths."""
    head = np.flatnonzero(table.width == 5)
    if not len(head) or head[0] != 0:
        _walk(table)
    inside = np.diff(np.append(head, len(table))) - 2
    kind = np.full(len(table), 2)
    kind[head], kind[head[inside >= 0] + 1] = 0, 1
    if (inside < 1).any() or not np.array_equal(np.array([5, 1, 3])[kind], table.width):
        _walk(table)
    values = table.rest(list(_ROWS), kind).astype(np.int64)
    table.end()
    offset = np.cumsum(table.width) - table.width
    if not np.array_equal(values[offset[head + 1]], inside):
        _walk(table)
    keys, T = (values[offset[kind == k, None] + np.arange(w)] for k, w in ((0, 5), (2, 3)))
    return head, inside, keys, T


def _walk(table: Table) -> NoReturn:
    """Read a wrong file line by line, to end at the line that is wrong."""
    head, count, shift = _ROWS
    index = 0
    while index < len(table):
        table.parse(index, head)
        n_shifts = int(table.parse(index + 1, count)[0])
        if n_shifts < 1:
            table.fail(index + 1, f"{count.what}, a positive integer")
        for i in range(index + 2, index + 2 + n_shifts):
            table.parse(i, shift)
        index += 2 + n_shifts
    table.fail(index, head.what)
