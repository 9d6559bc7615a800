"""Meshes of which symmetry leaves out the points that follow from others.

An operation of the magnetic point group acts on the points n of a mesh as n -> A n + t modulo N, with integer A and t, if it
maps the mesh onto itself. Of every star of points that operations join one is kept, with the size of the star. Since
symmetrisation is linear, a sum over the mesh is the sum over the kept points, times the sizes of their stars, symmetrised
once at the end.

Operations also permute the sub-meshes that the error is estimated from. Those that they join have the same symmetrised sum and
share one histogram.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...symmetry.operations import Operation, on_reciprocal
from .mesh import KMesh

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: how far from integers t and A may be, in steps of the mesh
ON_MESH = 1e-6


class Map(NamedTuple):
    """n -> A n + t modulo the size of the mesh."""

    A: Ints
    t: Ints


@dataclass(frozen=True, eq=False)
class IrreducibleMesh:
    """The points of a mesh that are left, on as few rows as come out of keeping the first of every star.

    Parameters
    ----------
    mesh : the whole mesh.
    operations : those that were used: a group.
    row : (rows,) numbers of the rows of the mesh that hold points which are kept.
    star : (rows, points of a row), number of points of the mesh that each stands for; 0 for those that are left out.
    orbit : (sub-meshes,) which histogram each sub-mesh belongs to.
    """

    mesh: KMesh
    operations: tuple[Operation, ...]
    row: Ints
    star: NDArray[np.uint8]
    orbit: Ints

    @classmethod
    def of(cls, mesh: KMesh, group: Iterable[Operation], lattice: Array, periodic: Sequence[bool]) -> IrreducibleMesh:
        """The mesh as reduced by those operations of a group that map it and its first sub-mesh onto themselves."""
        found = [(g, _on_mesh(g, mesh, lattice, periodic)) for g in group]
        used = [(g, m) for g, m in found if m is not None and _on_sub_meshes(m, mesh)[0] == 0]
        maps = list({(m.A.tobytes(), m.t.tobytes()): m for _, m in used}.values())
        star = _stars(mesh, maps)
        row = np.flatnonzero(star.any(axis=1))
        joined = np.min([_on_sub_meshes(m, mesh) for m in maps], axis=0)
        _, orbit = np.unique(joined, return_inverse=True)
        return cls(mesh, tuple(g for g, _ in used), row, star[row], orbit.astype(np.int64))

    def __len__(self) -> int:
        return int(np.count_nonzero(self.star))

    @property
    def shares(self) -> tuple[int, ...]:
        """Number of sub-meshes in each histogram."""
        return tuple(np.bincount(self.orbit).tolist())

    def row_length(self, limit: int) -> int:
        """Points per row, see `KMesh.row_length`."""
        return self.mesh.row_length(limit)

    def n_rows(self, length: int) -> int:
        """Rows of `length` points in which any is kept."""
        return len(self._pieces(length)[0])

    def batch(self, start: int, stop: int, length: int) -> tuple[Array, Ints, NDArray[np.uint8]]:
        """Rows start to stop of `length` points: k (rows, length, 3), and (rows, length) histogram and size of the star."""
        number, star = self._pieces(length)
        k, sub_mesh = self.mesh.at(number[start:stop], length)
        return k, self.orbit[sub_mesh], star[start:stop]

    def _pieces(self, length: int) -> tuple[Ints, NDArray[np.uint8]]:
        """Numbers of the rows of `length` points in which any is kept, and their stars."""
        pieces = self.star.shape[1] // length
        number = (self.row[:, None] * pieces + np.arange(pieces)).ravel()
        star = self.star.reshape(-1, length)
        some = star.any(axis=1)
        return number[some], star[some]


def _on_mesh(operation: Operation, mesh: KMesh, lattice: Array, periodic: Sequence[bool]) -> Map | None:
    """What an operation does to the points of a mesh; None if it does not map the mesh onto itself."""
    inside = np.asarray(periodic)
    M = operation.time_reversal * on_reciprocal(operation.rotation, lattice)
    M = np.where(np.outer(inside, inside), M, np.diag(~inside))
    size, shift = np.array(mesh.size), np.where(inside, mesh.shift, 0.0)
    A = size[:, None] * M / size
    t = A @ shift - shift
    if max(np.abs(A - np.rint(A)).max(), np.abs(t - np.rint(t)).max()) > ON_MESH:
        return None
    found = Map(np.rint(A).astype(np.int64), np.rint(t).astype(np.int64))
    strides = np.array(mesh.strides)  # points of one sub-mesh must stay together
    return None if (found.A * strides % strides[:, None]).any() else found


def _on_sub_meshes(found: Map, mesh: KMesh) -> Ints:
    """(sub-meshes,) where each sub-mesh goes."""
    strides = np.array(mesh.strides)
    corner = np.stack(np.unravel_index(np.arange(mesh.n_sub_meshes), mesh.strides), axis=1)
    return np.asarray(np.ravel_multi_index(tuple(((corner @ found.A.T + found.t) % strides).T), mesh.strides))


def _stars(mesh: KMesh, maps: Sequence[Map]) -> NDArray[np.uint8]:
    """(rows, points of a row): the number of points of the star at its first point, 0 elsewhere."""
    c = mesh.row_axis
    a, b = (d for d in range(3) if d != c)
    N = mesh.size
    star = np.zeros(len(mesh), dtype=np.uint8)
    nb, nc = np.arange(N[b])[:, None], np.arange(N[c])
    for na in range(N[a]):  # one plane of rows after the other keeps the memory small
        first = ((na * N[b] + nb) * N[c] + nc).ravel()
        for A, t in maps:
            i, j, k = ((A[d, a] * na + A[d, b] * nb + A[d, c] * nc + t[d]) % N[d] for d in (a, b, c))
            np.minimum(first, ((i * N[b] + j) * N[c] + k).ravel(), out=first)
        np.add.at(star, first, np.uint8(1))
    return star.reshape(-1, N[c])
