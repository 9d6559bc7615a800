"""Layers and chains in Cartesian axes: rounding of the lattice vectors is taken out, an honest tilt is rotated away.

Fields and moments of a layer are counted along the two Cartesian axes of its plane. A layer in any other plane is rotated
into the nearest of these planes by the smallest rotation; the rotation is kept, and results are turned back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.errors import warn

Array = NDArray[np.float64]

#: a component across the plane, as a share of the length of its vector, that is no tilt at all: noise of the arithmetic
EXACT = 1e-8
#: the same for rounding, as in files: 1e-4 Angstrom in a vector of 1 Angstrom and somewhat more. A rotation by as much
#: changes no element of a tensor by more than this share of the largest
ROUNDING = 2e-4


def snapped(lattice: Array, periodic: tuple[bool, ...]) -> Array:
    """The lattice vectors (3, 3) with the periodic ones exactly in the Cartesian plane or line that they miss by rounding.

    Warns
    -----
    AccuracyWarning : by how much they were moved.
    """
    vectors = lattice[list(periodic)]
    if len(vectors) not in (1, 2):
        return lattice
    across = _across(vectors)
    off = np.abs(vectors[:, across]) / np.linalg.norm(vectors, axis=1, keepdims=True)
    if not EXACT < off.max() <= ROUNDING:
        return lattice
    out = lattice.copy()
    out[np.ix_(np.flatnonzero(periodic), np.flatnonzero(across))] = 0.0
    what = f"the {'xyz'[int(np.flatnonzero(across)[0])]} components" if across.sum() == 1 else "the components across the chain"
    warn(
        f"{what} of the periodic lattice vectors, up to {np.abs(vectors[:, across]).max():.2g} Angstrom, "
        "are taken for rounding and set to zero"
    )
    return out


def rotation(lattice: Array, periodic: tuple[bool, ...]) -> Array | None:
    """The smallest rotation Q (3, 3) that brings the periodic vectors v into a Cartesian plane or line, as Q v.

    None where nothing has to be rotated.
    """
    vectors = lattice[list(periodic)]
    if len(vectors) not in (1, 2):
        return None
    across = _across(vectors)
    off = np.abs(vectors[:, across]) / np.linalg.norm(vectors, axis=1, keepdims=True)
    if off.max() <= EXACT:
        return None
    line = _line(vectors)
    axis = int(np.argmax(np.abs(line)))
    target = np.eye(3)[axis] * np.sign(line[axis])
    v = np.cross(line, target)
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.asarray(np.eye(3) + K + K @ K / (1 + line @ target))


def rotated(X: NDArray[np.complex128], Q: Array) -> NDArray[np.complex128]:
    """Components (..., 3) in the axes that are the rows of Q."""
    return np.asarray(X @ Q.T)


def in_users_axes(value: Array, along: list[tuple[int, ...]], Q: Array, error: bool = False) -> Array:
    """Components on all three axes of the user, of a tensor whose last dimensions run over the model's axes `along`.

    Parameters
    ----------
    value : (..., len(along[0]), len(along[1]), ...). Q : (3, 3), rows are the model's axes in those of the user.
    error : the components are bounds of errors: they add up by size.
    """
    first = value.ndim - len(along)
    for d, axes in enumerate(along):
        turn = np.abs(Q[list(axes)]) if error else Q[list(axes)]
        value = np.moveaxis(np.tensordot(value, turn, axes=(first + d, 0)), -1, first + d)
    return value


def axis_names(Q: Array | None) -> tuple[str, str, str]:
    """What the axes of a model are called: the rows of Q (3, 3) in those of the user, or the same (None)."""
    return ("x", "y", "z") if Q is None else ("x'", "y'", "z'")


def axes_line(Q: Array | None) -> str:
    """What the axes of a model that was rotated are; empty for one that was not."""
    if Q is None:
        return ""
    rows = zip(axis_names(Q), np.round(Q, 4) + 0.0, strict=True)
    return ", ".join(f"{name} = ({', '.join(f'{x:.4g}' for x in row)})" for name, row in rows)


def _line(vectors: Array) -> Array:
    """Unit vector of a chain, or perpendicular to a layer."""
    line = vectors[0] if len(vectors) == 1 else np.cross(*vectors)
    return np.asarray(line / np.linalg.norm(line))


def _across(vectors: Array) -> NDArray[np.bool_]:
    """(3,) which Cartesian axes are across the nearest Cartesian plane or line."""
    nearest = np.arange(3) == np.argmax(np.abs(_line(vectors)))
    return np.asarray(~nearest if len(vectors) == 1 else nearest)
