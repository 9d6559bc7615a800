"""What magnetic point groups do to response tensors (physics.md eq. 57)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .operations import Operation

Array = NDArray[np.float64]
Axes = Mapping[str, tuple[int, ...]]

#: component dimensions that turn like a magnetic moment
AXIAL = ("moment", "spin_moment", "operator_component", "axis", "lateral")
#: entries of a projector below this are zero: lattice vectors are known to some seven digits
SMALL = 1e-6


class Tensor(Protocol):
    """What has to be known of a quantity: its component dimensions, and its parities."""

    @property
    def dims(self) -> tuple[str, ...]: ...
    @property
    def time_reversal(self) -> int: ...
    @property
    def inversion(self) -> int: ...


def component_matrix(observable: Tensor, operation: Operation, axes: Axes) -> Array:
    """(c, c): what an operation of the crystal does to the components of a tensor, in the order of its flattened dimensions.

    Axial indices (`AXIAL`) and polar ones ("field", "position", "gate") turn with the rotation part; each
    axial one brings its determinant, and time reversal the parity of the observable. A declared parity under inversion that
    is not that of the indices makes a pseudotensor.
    """
    P, det = operation.rotation, round(float(np.linalg.det(operation.rotation)))
    sign: int = observable.time_reversal if operation.time_reversal < 0 else 1
    polar = sum(dim not in AXIAL for dim in observable.dims)
    if (-1) ** polar != observable.inversion:
        sign *= det
    matrix = np.full((1, 1), float(sign))
    for dim in observable.dims:
        use = axes[dim]
        matrix = np.kron(matrix, P[np.ix_(use, use)] * (det if dim in AXIAL else 1))
    return matrix


def transform(tensor: Array, observable: Tensor, operation: Operation, axes: Axes) -> Array:
    """A response tensor (..., *components) after an operation of the crystal."""
    return applied(component_matrix(observable, operation, axes), tensor, len(observable.dims))


def projector(observable: Tensor, group: Sequence[Operation], axes: Axes) -> Array:
    """(c, c): the mean over a group of operations, which leaves what they allow; exactly zero where they forbid."""
    mean = sum((component_matrix(observable, g, axes) for g in group), np.zeros(())) / len(group)
    return np.asarray(np.round(np.where(np.abs(mean) < SMALL, 0.0, mean), 15))


def symmetrised(tensor: Array, observable: Tensor, group: Sequence[Operation], axes: Axes) -> Array:
    """Mean of a response tensor (..., *components) over a group of operations."""
    return applied(projector(observable, group, axes), tensor, len(observable.dims))


def applied(matrix: Array, tensor: Array, rank: int) -> Array:
    """A matrix of `component_matrix` or `projector` times a tensor whose last `rank` dimensions are the components."""
    lead = tensor.shape[: tensor.ndim - rank]
    # elementwise: BLAS may add in another order for other numbers of Fermi levels
    flat = (tensor.reshape(*lead, 1, -1) * matrix).sum(axis=-1)
    return np.asarray(flat.reshape(tensor.shape) + 0.0)


def relations(observable: Tensor, group: Sequence[Operation], axes: Axes) -> Array:
    """(c, c): element i of a tensor is the sum over j of relations[i, j] times element j, over the independent elements j.

    Columns of elements that are not independent are zero; of equal ones the first in the flattened order is independent.
    """
    rows = projector(observable, group, axes).copy()
    c = len(rows)
    out = np.zeros((c, c))
    at = 0
    for j in range(c):  # reduced row echelon form of the space that the projector leaves
        i = at + int(np.argmax(np.abs(rows[at:, j]))) if at < c else at
        if at == c or abs(rows[i, j]) < 100 * SMALL:
            continue
        rows[[at, i]] = rows[[i, at]]
        rows[at] /= rows[at, j]
        others = np.arange(c) != at
        rows[others] -= np.outer(rows[others, j], rows[at])
        at += 1
    for row in rows[:at]:
        out[:, int(np.flatnonzero(np.abs(row) > 100 * SMALL)[0])] = np.where(np.abs(row) < 100 * SMALL, 0.0, row)
    return out
