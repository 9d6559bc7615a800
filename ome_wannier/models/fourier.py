"""Fourier sums X(k) = sum_R exp(i k.R) X_R and their k derivatives.

On the rows of a mesh the sum is contracted one direction after the other, so that a point costs
the number of R vectors along one direction only; scattered points take one dense product. So do R vectors of which a few
lie far from the others: the box around them would be almost empty, and may not fit in memory.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


#: cells of the box around all R vectors for each R, and numbers in it, beyond which sums go over R vectors instead
SPARSE, LARGE = 64, 2**20


class SeriesSums(NamedTuple):
    """Values and Cartesian derivatives at nk points: (nk, *x), (nk, axes, *x) and (nk, axes, axes, *x), x the shape of X_R."""

    value: ComplexArray
    first: ComplexArray = None  # type: ignore[assignment]
    second: ComplexArray = None  # type: ignore[assignment]


class FourierSeries:
    """The function X(k) of real-space matrices.

    Parameters
    ----------
    lattice : (3, 3) rows in Angstrom.
    R : (nR, 3) integers.
    X : (nR, ...) matrices.
    """

    def __init__(self, lattice: Array, R: NDArray[np.int64], X: ComplexArray) -> None:
        self._lattice, self._R = lattice, R
        self._shape = X.shape[1:]
        self._flat = np.ascontiguousarray(X.reshape(len(R), -1))
        self._lowest = R.min(axis=0)
        self._boxes: dict[tuple[int, ...], ComplexArray] = {}
        self._plane: tuple[object, ComplexArray] = (None, self._flat)

    def __call__(self, k: Array, order: int, axes: tuple[int, ...]) -> SeriesSums:
        """SeriesSums at fractional `k` (..., 3), with derivatives along the Cartesian `axes` up to `order` (0 to 2).

        Rows along the second-last dimension of `k` in which one coordinate alone varies are summed direction by
        direction. Every row is then computed for itself, so the result does not depend on which rows are asked together.
        """
        k = np.asarray(k, dtype=float)
        if k.ndim > 2:
            rows = k.reshape(-1, *k.shape[-2:])
            if self._scattered:  # every row by itself, so that its bits do not depend on its company
                return SeriesSums(
                    *(np.concatenate(x) for x in zip(*(self._found(row, order, axes) for row in rows), strict=True))
                )
            moving = [d for d in range(3) if self._extent(d) > 1 and (rows[:, :, d] != rows[:, :1, d]).any()]
            if len(moving) < 2:
                return self._on_rows(rows, moving[0] if moving else 2, order, axes)
        return self._on_points(k.reshape(-1, 3), order, axes)

    @property
    def _scattered(self) -> bool:
        """Whether the box around all R vectors is large, and almost empty: a few of them lie far away."""
        cells = math.prod(self._extent(d) for d in range(3))
        return cells > SPARSE * len(self._R) and cells * self._flat.shape[1] > LARGE

    def _found(self, k: Array, order: int, axes: tuple[int, ...]) -> list[ComplexArray]:
        """Values and derivatives that were asked for, at points (nk, 3)."""
        return list(self._on_points(k, order, axes)[: order + 1])

    def _extent(self, d: int) -> int:
        return int(np.ptp(self._R[:, d])) + 1

    def _box(self, directions: tuple[int, ...]) -> ComplexArray:
        """X on the full box of R vectors, dimensions in the order given, zero where there is no R."""
        if directions not in self._boxes:
            box = np.zeros([self._extent(d) for d in directions] + [self._flat.shape[1]], dtype=complex)
            box[tuple((self._R - self._lowest)[:, d] for d in directions)] = self._flat
            self._boxes = {directions: box}
        return self._boxes[directions]

    def _summed_over_first(self, directions: tuple[int, int, int], k: float, phases: ComplexArray) -> ComplexArray:
        """The sum over the first direction at its coordinate k, (derivatives, nb, nc * size): neighbouring rows share it."""
        key = (directions, k, len(phases))
        if self._plane[0] != key:
            box = self._box(directions)
            self._plane = key, (phases @ box.reshape(len(box), -1)).reshape(len(phases), box.shape[1], -1)
        return self._plane[1]

    def _phases(self, k: Array, d: int, order: int) -> ComplexArray:
        """(iR)^q exp(2 pi i k R) along direction d: shape (*k.shape, order + 1, extent); no derivative where R = 0 only."""
        R = self._lowest[d] + np.arange(self._extent(d))
        wave = np.exp(2j * np.pi * k[..., None] * R)
        return np.stack([wave * (1j * R) ** q for q in range(order + 1 if len(R) > 1 else 1)], axis=-2)

    def _on_rows(self, rows: Array, c: int, order: int, axes: tuple[int, ...]) -> SeriesSums:
        """On rows (T, L, 3) along direction c: the other two are summed once a row, in Cartesian derivatives, then this one."""
        a, b = (d for d in range(3) if d != c)
        nc, size = self._extent(c), self._flat.shape[1]
        T, L, _ = rows.shape
        ka, where = np.unique(rows[:, 0, a], return_inverse=True)
        pa, pb = self._phases(ka, a, order), self._phases(rows[:, 0, b], b, order)
        lines: dict[tuple[int, int], ComplexArray] = {}
        for u in range(len(ka)):
            t = np.flatnonzero(where == u)
            planes = self._summed_over_first((a, b, c), float(ka[u]), pa[u])
            for qa in range(len(planes)):
                # every row by itself, so that its bits do not depend on its company
                line = (pb[t, : order + 1 - qa] @ planes[qa]).reshape(len(t), -1, nc, size)
                for qb in range(line.shape[1]):
                    if (qa, qb) not in lines:
                        lines[qa, qb] = np.empty((T, nc, size), dtype=complex)
                    lines[qa, qb][t] = line[:, qb]
        x = self._cartesian(lines, (a, b, c), axes, order)
        along = rows[:, :, c]
        wave = self._phases(along[:1] if (along == along[:1]).all() else along, c, 0)[:, :, 0]
        shape = self._shape
        found = [(wave @ q.reshape(T, nc, -1)).reshape(T * L, *q.shape[2:-1], *shape) for q in x]
        return SeriesSums(*found)

    def _cartesian(
        self, lines: dict[tuple[int, int], ComplexArray], directions: tuple[int, int, int], axes: tuple[int, ...], order: int
    ) -> list[ComplexArray]:
        """Value, first and second Cartesian derivatives, (T, nc, *derivatives, size), before the sum over R along direction c.

        lines[q, r] is the sum over the other two directions a, b with factors (iR_a)^q (iR_b)^r.
        """
        a, b, c = directions
        L = self._lattice[:, list(axes)]
        value = lines[0, 0]
        iR = 1j * (self._lowest[c] + np.arange(value.shape[1]))[:, None]
        by_number = {
            (q, r, s): line * iR**s
            for (q, r), line in lines.items()
            for s in range(order + 1 - q - r if value.shape[1] > 1 else 1)
        }

        def derivative(*along: int) -> ComplexArray | None:
            """d/d kappa of the reduced coordinates `along`; None where nothing depends on one of them."""
            return by_number.get((along.count(a), along.count(b), along.count(c)))

        out = [value]
        if order > 0:
            first = np.zeros((*value.shape[:2], len(axes), value.shape[2]), dtype=complex)
            for x in range(len(axes)):
                for i in range(3):
                    part = derivative(i)
                    if L[i, x] and part is not None:
                        first[:, :, x] += L[i, x] * part
            out.append(first)
        if order > 1:
            second = np.zeros((*value.shape[:2], len(axes), len(axes), value.shape[2]), dtype=complex)
            for x in range(len(axes)):
                for y in range(x, len(axes)):
                    for i in range(3):
                        for j in range(3):
                            part = derivative(i, j)
                            if L[i, x] * L[j, y] and part is not None:
                                second[:, :, x, y] += L[i, x] * L[j, y] * part
                    second[:, :, y, x] = second[:, :, x, y]
            out.append(second)
        return out

    def _on_points(self, k: Array, order: int, axes: tuple[int, ...]) -> SeriesSums:
        wave = np.exp(2j * np.pi * (k @ self._R.T))
        iR = 1j * (self._R @ self._lattice)[:, list(axes)].T
        shape = (len(k), *self._shape)
        value = (wave @ self._flat).reshape(shape)
        if order == 0:
            return SeriesSums(value)
        first = np.stack([((wave * r) @ self._flat).reshape(shape) for r in iR], axis=1)
        if order == 1:
            return SeriesSums(value, first)
        second = np.stack([np.stack([((wave * (r * s)) @ self._flat).reshape(shape) for s in iR], axis=1) for r in iR], axis=1)
        return SeriesSums(value, first, second)
