"""Band energies at k points and on meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..bands.eigensolver import eigvalsh
from ..models.base import Across, Lattice, Layered, Matrices, Model
from .kpoints.chosen import Points
from .kpoints.mesh import KMesh
from .memory import WORKING_SET, bytes_per_point

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class _Chosen:
    """A model at some of the points that it is asked for: sums over whole rows are fast, what follows is not.

    use : (rows, length), which points are wanted.
    """

    model: Lattice
    use: NDArray[np.bool_]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at the points that are wanted among `k` (rows, length, 3)."""
        found = self.model.matrices(k, order, curvature)
        return Matrices(*(None if X is None else X[self.use.ravel()] for X in found))  # type: ignore[arg-type]

    def operator(self, name: str, k: Array) -> ComplexArray:
        """An operator at the same points."""
        return self.model.operator(name, k)[self.use.ravel()]

    def across(self, k: Array) -> Across:
        """The position across a layer or chain at the same points."""
        found = cast(Layered, self.model).across(k)
        return Across(*(None if X is None else X[self.use.ravel()] for X in found))  # type: ignore[arg-type]


def _wanted(model: Lattice, k: Array, use: NDArray[np.bool_]) -> tuple[Model, Array, NDArray[np.bool_]]:
    """A model and points (rows, length, 3) or (nk, 3) to ask it for that give the wanted ones, and which they are."""
    if use.all():
        return model, k, use
    if not model.by_rows:
        return model, k[use], use
    if model.external is not None:  # its matrices are joined with those of whole rows; the weight of the others is zero
        return model, k, np.ones_like(use)
    return cast(Model, _Chosen(model, use)), k, use


def band_energies(model: Model, k: Array) -> Array:
    """Energies (nk, n) in eV at the points k (..., 3)."""
    return eigvalsh(model.matrices(k, 0).H)


def mesh_energies(model: Lattice, mesh: KMesh) -> Array:
    """Energies (N, n) in eV on the whole mesh, in the order of its rows."""
    return point_energies(model, mesh)[0]


def point_energies(model: Lattice, points: Points) -> tuple[Array, Array, NDArray[np.int64]]:
    """Energies (nk, n) in eV of a mesh, in the order of its rows, the share (nk,) of the zone of each point, and the number
    (nk,) of the histogram that it goes to."""
    row = points.row_length(2**62)
    step = max(1, WORKING_SET // (row * bytes_per_point(model.n_orbitals, 1)))
    energies, stars, histograms = [], [], []
    for start in range(0, n_rows := points.n_rows(row), step):
        k, histogram, star = points.batch(start, min(start + step, n_rows), row)
        at, k, use = _wanted(model, k, star > 0)
        energies.append(eigvalsh(at.matrices(k, 0).H))
        stars.append(star[use])
        histograms.append(histogram[use])
    weights = np.concatenate(stars).astype(float)
    return np.concatenate(energies), weights / weights.sum(), np.concatenate(histograms)
