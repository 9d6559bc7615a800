"""The matrices of a model with the atoms of all functions in their own cells, and positions from them; and the model again.

That way operations move functions as they move atoms: by the cells of the atoms alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.base import Structure
from ..models.outside_states import External
from ..models.tight_binding import TightBinding
from .averaging import needed, shifted
from .representation import Quantity, Vectors
from .space_group import Places

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: Angstrom; centres that are no farther apart are one
SAME_CENTRE = 1e-9


def at_home(model: TightBinding, places: Places) -> tuple[Ints, list[Quantity]]:
    """R vectors and matrices of a model: "hamiltonian", "position", "spin", operators, and "external BB" and so on."""
    n, home = model.n_orbitals, np.flatnonzero(~model.R.any(axis=1))[0]
    sites = places.cartesian(model.lattice)
    diagonal = np.arange(n)
    if model.position is not None:
        x = model.position.copy()
    else:
        assert model.centres is not None
        x = np.zeros((len(model.R), n, n, 3), dtype=complex)
        x[home, diagonal, diagonal] = model.centres
    x[home, diagonal, diagonal] -= sites
    found = [Quantity("hamiltonian", model.hamiltonian[..., None]), Quantity("position", x, 1, -1)]
    if model.spin is not None:
        found.append(Quantity("spin", model.spin, -1, 1))
    found += [Quantity(o.name, o.on(model.R), o.time_reversal, o.inversion) for o in model.operators]
    if model.external is not None:
        assert model.position is not None
        outside = model.external.displaced(model.R, model.hamiltonian, model.position, -sites)
        for name, X, time_reversal in zip(("BB", "CC", "FF"), outside.arrays, (1, -1, 1), strict=True):
            if X is not None:
                inversion = 1 if name != "BB" else -1
                found.append(Quantity(f"external {name}", X.reshape(*X.shape[:3], -1), time_reversal, inversion))
    R, matrices = shifted(model.R, [q.matrices for q in found], places.cells)
    return R, [q._replace(matrices=X) for q, X in zip(found, matrices, strict=True)]


def filled(R: Ints, quantities: Sequence[Quantity], places: Places) -> NDArray[np.bool_]:
    """(atoms, atoms, nR), where a matrix element is not 0."""
    full = np.zeros((len(R), *2 * [len(places.of)]), dtype=bool)
    for q in quantities:
        full |= q.matrices.any(axis=3)
    r, i, j = np.nonzero(full)
    out = np.zeros((len(places.positions), len(places.positions), len(R)), dtype=bool)
    out[places.of[i], places.of[j], r] = True
    return out


def on(vectors: Vectors, R: Ints, X: ComplexArray) -> ComplexArray:
    """X (nR, ...) on more R vectors; what is on none of them is 0."""
    at = vectors.numbers(R)
    out = np.zeros((len(vectors.R) + 1, *X.shape[1:]), dtype=complex)
    out[at] = X
    return out[:-1]


def model_of(
    model: TightBinding, lattice: Array, places: Places, R: Ints, averages: Mapping[str, ComplexArray]
) -> TightBinding:
    """The model with these matrices, of functions at home with positions from their atoms."""
    assert model.structure is not None
    names = list(averages)
    R, matrices = shifted(R, [averages[name] for name in names], -places.cells)
    R, matrices = needed(R, matrices)
    found = dict(zip(names, matrices, strict=True))
    n, home, sites = model.n_orbitals, np.flatnonzero(~R.any(axis=1))[0], places.cartesian(lattice)
    x, centres = found["position"], None
    external = _outside(model, R, found, sites)
    x[home, np.arange(n), np.arange(n)] += sites
    if model.position is None:
        centres = np.einsum("iia->ia", x[home]).real.copy()
        x[home, np.arange(n), np.arange(n)] = 0.0
        if np.abs(x).max() > SAME_CENTRE:
            raise ModelError(
                "functions of one atom sit at different centres that its symmetry mixes: their position has to be a matrix"
            )
    structure = Structure(model.structure.numbers, tuple((float(a), float(b), float(c)) for a, b, c in places.positions))
    return replace(
        model,
        lattice=lattice,
        R=R,
        hamiltonian=found["hamiltonian"][..., 0],
        position=x if centres is None else None,
        centres=centres,
        spin=found.get("spin"),
        operators=tuple(o.with_matrices(found[o.name]) for o in model.operators),
        external=external,
        structure=structure,
    )


def _outside(model: TightBinding, R: Ints, found: Mapping[str, ComplexArray], sites: Array) -> External | None:
    """Matrix elements with states outside, of positions from the origin."""
    if model.external is None:
        return None
    BB, CC, FF = (found.get(f"external {name}") for name in ("BB", "CC", "FF"))
    FF = None if FF is None else FF.reshape(*FF.shape[:3], 3, 3)
    return External(BB, CC, FF).displaced(R, found["hamiltonian"][..., 0], found["position"], sites)
