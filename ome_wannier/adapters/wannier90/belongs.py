"""Whether a `.win` file, or a lattice from elsewhere, is of the calculation that wrote a Hamiltonian: by its R vectors.

Wannier90 writes the R vectors of the Wigner-Seitz cell of its mesh of k points, with degeneracies whose inverses add up to the
number of these points. Another mesh, or a lattice of another shape, has others.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from ...common.errors import FileFormatError, warn
from ...common.fortran_text import Array, IntArray
from .files import RealSpaceMatrices
from .win import Win

#: share of its length by which an R vector may be longer than another image of it: lattices are written with some digits
SHORTER = 1e-3
_STEPS = np.array([t for t in product((-1, 0, 1), repeat=3) if any(t)])


def warn_of_another_calculation(
    main: Path, data: RealSpaceMatrices, win: Win | None, lattice: Array, structure: Path | None
) -> None:
    """Say that the mesh, or the shape of the lattice (3, 3), is not that of a Hamiltonian.

    Only R vectors and degeneracies as Wannier90 has them tell: other files may have any.

    structure : the file that the lattice comes from, if it is not `.win`.

    Warns
    -----
    AccuracyWarning : the mesh of `.win` is another one, or there is no mesh for which R vectors of this lattice are as short as
        they can be.
    """
    own = meshes_of(data)
    if not own:
        return
    points = int(np.prod(own[0]))
    if win and win.mesh and win.mesh not in own:
        said = " x ".join(map(str, win.mesh))
        warn(
            f"{win.path.name} has a mesh of {said} k points, and {main.name} R vectors of {points} others: is it of another "
            "calculation?"
        )
    elif data.lattice is None and not any(_shortest(data.R, lattice, m) for m in own):
        source = win.path.name if win and win.lattice is not None else "lattice="
        warn(
            f"the R vectors of {main.name} are not those of the lattice in {structure.name if structure else source}: others, "
            f"equivalent on its mesh of {points} k points, are shorter there; is it of another material?"
        )


def refuse_degeneracies_of_others(main: Path, data: RealSpaceMatrices, win: Win | None) -> None:
    """Refuse degeneracies that are those of the R vectors on the mesh of `.win`, in another order: R vectors that somebody
    sorted alone. The sum of their inverses is right, and bands are off by electronvolts.

    Raises
    ------
    FileFormatError : such a file.
    """
    if win is None or win.mesh is None:
        return
    count = _equivalent(data.R, win.mesh)
    whole = round(float((1 / count).sum())) == np.prod(win.mesh)
    if whole and not np.array_equal(count, data.ndegen) and np.array_equal(np.sort(count), np.sort(data.ndegen)):
        first = int(np.argmax(count != data.ndegen))
        R, n = data.R[first].tolist(), int(data.ndegen[first])
        expected = f"degeneracies in the order of the R vectors, {count[first]} for R = {R} on the mesh of {win.path.name}"
        raise FileFormatError(main, None, expected, f"{n}, and all of them in another order (were R vectors sorted alone?)")


def meshes_of(data: RealSpaceMatrices) -> list[tuple[int, int, int]]:
    """The meshes of k points whose R vectors and degeneracies a file has, if these are as Wannier90 writes them."""
    points = round(float((1 / data.ndegen).sum()))
    if (data.ndegen == 1).all() or abs(points - (1 / data.ndegen).sum()) > 1e-6:
        return []
    return [m for m in _meshes(points) if are_of(data, m)]


def are_of(data: RealSpaceMatrices, mesh: tuple[int, int, int]) -> bool:
    """Whether every R vector has as many equivalent ones on a mesh as its degeneracy says, and none is lacking."""
    count = _equivalent(data.R, mesh)
    return round(float((1 / count).sum())) == np.prod(mesh) and np.array_equal(count, data.ndegen)


def _equivalent(R: IntArray, mesh: tuple[int, int, int]) -> IntArray:
    """Of each R vector (nR, 3) how many there are, itself included, that are equivalent on a mesh. Their inverses add up to the
    number of classes."""
    cell = np.mod(R, mesh) @ np.array([mesh[1] * mesh[2], mesh[2], 1])
    _, which, count = np.unique(cell, return_inverse=True, return_counts=True)
    return np.asarray(count[which.reshape(-1)])


def _shortest(R: IntArray, lattice: Array, mesh: tuple[int, ...]) -> bool:
    """Whether no R vector (nR, 3) is longer than one that is equivalent on a mesh."""
    length = np.linalg.norm(R @ lattice, axis=1)
    slack = SHORTER * length.max(initial=1.0)
    return all((length <= np.linalg.norm((R + t * np.array(mesh)) @ lattice, axis=1) + slack).all() for t in _STEPS)


def _meshes(points: int) -> Iterator[tuple[int, int, int]]:
    """All meshes of so many points."""
    for first in range(1, points + 1):
        if points % first == 0:
            rest = points // first
            yield from ((first, second, rest // second) for second in range(1, rest + 1) if rest % second == 0)
