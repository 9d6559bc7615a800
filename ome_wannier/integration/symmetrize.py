"""Models made exactly symmetric: Hamiltonian, positions and operators averaged over the magnetic group of the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from ..models.base import Structure
from ..models.operators import Operator
from ..models.outside_states import External
from ..models.tight_binding import TightBinding, is_tight_binding
from ..symmetry.averaging import averaged, needed, shifted
from ..symmetry.operations import Operation, on_reciprocal
from ..symmetry.representation import Quantity, Vectors, action, closed, form, pairs_of, representation
from ..symmetry.space_group import (
    Motion,
    Places,
    SpaceOperation,
    crystal_operations,
    fitted_lattice,
    fitted_positions,
    motion,
    places_of,
    product_table,
)
from .hamiltonian_symmetry import group_of

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: share of the Hamiltonian beyond which an operation is refused; of another operator, beyond which it is left as it is
BROKEN, OTHER = 0.2, 0.5
#: how many times worse than the best an operation with another translation may be that holds as well
ALIKE = 10.0
#: Angstrom; centres that are no farther apart are one
SAME_CENTRE = 1e-9
#: k points at which bands are compared, along each periodic direction
COMPARED = 6


@dataclass(frozen=True)
class Restored:
    """An operation, and by how much what was given violated it.

    operation : in the axes of the model. changes : the largest change of a matrix element, of the "hamiltonian" in eV, the
    "position" in Angstrom, "spin" and other operators in their units.
    """

    operation: Operation
    changes: dict[str, float]


@dataclass(frozen=True, eq=False)
class Symmetrized:
    """A model made symmetric, and what that changed.

    model : the symmetric one. given : the one that it was made of. operations : of the magnetic point group (an operation with
    several translations stands once for each). kept : operators that have not this symmetry, and are as they were.
    """

    model: TightBinding
    given: TightBinding
    operations: list[Restored]
    kept: tuple[str, ...] = ()

    def band_changes(self, window: tuple[float, float] = (-np.inf, np.inf)) -> tuple[float, float]:
        """Root mean square and largest change in eV of the bands that were in a window (eV), over a mesh of k points.

        nan where no band is in it.
        """
        size = [COMPARED if p else 1 for p in self.model.periodic]
        k = np.stack(np.meshgrid(*[(np.arange(n) + 0.25) / n for n in size], indexing="ij"), axis=-1).reshape(-1, 3)
        before, after = (np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (self.given, self.model))
        change = np.abs(after - before)[(before >= window[0]) & (before <= window[1])]
        return (float(np.sqrt((change**2).mean())), float(change.max())) if change.size else (np.nan, np.nan)


def symmetrize(model: TightBinding, moments: ArrayLike | None = None) -> Symmetrized:
    """Make a model of Wannier functions exactly symmetric under the magnetic group of its crystal.

    O(R) <- mean over g of F^-1 D^+ O(M R + L_j - L_i) D, complex conjugate where g reverses time. D, what g does to the functions
    of an atom, is found from the Hamiltonian (and the spin) itself, see `symmetry.representation`: no projections are needed.
    Lattice and atoms are made symmetric to rounding too.

    Parameters
    ----------
    moments : (atoms, 3) magnetic moments in the axes of the user, which say what the magnetic group is (zeros: that of a crystal
        without magnetism); by default the operations of the structure that the Hamiltonian obeys but for noise, as `compute`
        finds them.

    Raises
    ------
    ModelError : no atoms, functions that do not map onto each other, an operation that the Hamiltonian does not nearly have,
        parts that nothing joins.
    """
    if not is_tight_binding(model):
        raise ModelError("only models of Wannier functions or orbitals can be made symmetric")
    places = places_of(model)
    assert model.structure is not None
    group = _group(model, model.structure, moments)
    lattice = fitted_lattice(model.lattice, group)
    motions = [motion(g, places, lattice) for g in group]
    R, quantities = _at_home(model, places)
    vectors = Vectors(closed(R, _filled(R, quantities, places), motions))
    quantities = [q._replace(matrices=_on(vectors, R, q.matrices)) for q in quantities]
    motions, D = _acting(quantities, vectors, places, motions)
    table = product_table([m.operation for m in motions])
    D = representation(D, motions, table)
    averages, changes = {}, {}
    for q in quantities:
        averages[q.name], changes[q.name] = averaged(q, vectors, places, motions, D)
    own = {q.name: float(np.abs(q.matrices).max()) for q in quantities}
    kept = tuple(o.name for o in model.operators if changes[o.name].max() > OTHER * own[o.name])
    averages |= {q.name: q.matrices for q in quantities if q.name in kept}
    made = _model(model, lattice, places._replace(positions=fitted_positions(places, motions, table)), vectors.R, averages)
    operations = [
        Restored(
            Operation(m.rotation, m.operation.time_reversal), {name: float(x[i]) for name, x in changes.items() if name not in kept}
        )
        for i, m in enumerate(motions)
    ]
    return Symmetrized(made, model, operations, kept)


def _group(model: TightBinding, structure: Structure, moments: ArrayLike | None) -> list[SpaceOperation]:
    """The operations asked for, identity first."""
    if moments is not None:
        Q = np.eye(3) if model.frame is None else model.frame
        m = np.asarray(moments, dtype=float)
        return crystal_operations(model.lattice, structure, m @ Q.T if m.ndim == 2 and m.shape[1] == 3 else m)
    obeyed = {_point(g, model.lattice) for g in group_of(model).operations}
    return [g for g in crystal_operations(model.lattice, structure) if g.point in obeyed]


def _point(operation: Operation, lattice: Array) -> tuple[int, ...]:
    M = np.rint(np.linalg.inv(on_reciprocal(operation.rotation, lattice)).T).astype(np.int64)
    return SpaceOperation(M, np.zeros(3), operation.time_reversal).point


def _acting(
    quantities: Sequence[Quantity], vectors: Vectors, places: Places, motions: Sequence[Motion]
) -> tuple[list[Motion], ComplexArray]:
    """The operations that the Hamiltonian nearly has, of those that differ by a translation, and D (operations, n, n) of each.

    Raises
    ------
    ModelError : an operation that it does not have.
    """
    levels = _without_mean(quantities[0], vectors)
    spins = [q for q in quantities if q.name == "spin"]
    found: dict[tuple[int, ...], list[tuple[float, Motion, ComplexArray]]] = {}
    for m in motions:
        of_levels = form(levels, vectors, places, m)
        first = of_levels + sum(form(q, vectors, places, m) for q in spins)
        D = action(first, form(quantities[1], vectors, places, m), places, m)
        elements = D[pairs_of(places, m)]
        share = float(np.sqrt(max((np.conj(elements) @ of_levels @ elements).real / len(D) / 2, 0.0)))
        found.setdefault(m.operation.point, []).append((share, m, D))
    chosen = []
    for same in found.values():
        best = min(share for share, _, _ in same)
        if best > BROKEN:
            operation = Operation(same[0][1].rotation, same[0][1].operation.time_reversal)
            raise ModelError(
                f"the Hamiltonian is not nearly symmetric under {operation.name}: {100 * best:.0f}% of it are in the way; "
                "give moments= of the atoms, or leave them out"
            )
        chosen += [(m, D) for share, m, D in same if share <= ALIKE * best + 1e-6]
    return [m for m, _ in chosen], np.stack([D for _, D in chosen])


def _at_home(model: TightBinding, places: Places) -> tuple[Ints, list[Quantity]]:
    """All matrices of a model with functions counted from the cells of their atoms, positions from the atoms: Hamiltonian,
    position, spin, operators, and those with states outside."""
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


def _filled(R: Ints, quantities: Sequence[Quantity], places: Places) -> NDArray[np.bool_]:
    """(atoms, atoms, nR), where a matrix element is not 0."""
    full = np.zeros((len(R), *2 * [len(places.of)]), dtype=bool)
    for q in quantities:
        full |= q.matrices.any(axis=3)
    r, i, j = np.nonzero(full)
    out = np.zeros((len(places.positions), len(places.positions), len(R)), dtype=bool)
    out[places.of[i], places.of[j], r] = True
    return out


def _on(vectors: Vectors, R: Ints, X: ComplexArray) -> ComplexArray:
    """X (nR, ...) on more R vectors; what is on none of them is 0."""
    at = vectors.numbers(R)
    out = np.zeros((len(vectors.R) + 1, *X.shape[1:]), dtype=complex)
    out[at] = X
    return out[:-1]


def _without_mean(q: Quantity, vectors: Vectors) -> Quantity:
    """The Hamiltonian from the mean of its levels, which says nothing of symmetry."""
    X, home = q.matrices.copy(), np.flatnonzero(~vectors.R.any(axis=1))[0]
    n = X.shape[1]
    X[home, :, :, 0] -= np.eye(n) * np.trace(X[home, :, :, 0]) / n
    return q._replace(matrices=X)


def _model(model: TightBinding, lattice: Array, places: Places, R: Ints, averages: dict[str, ComplexArray]) -> TightBinding:
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


def _outside(model: TightBinding, R: Ints, found: dict[str, ComplexArray], sites: Array) -> External | None:
    """Matrix elements with states outside, of positions from the origin."""
    if model.external is None:
        return None
    BB, CC, FF = (found.get(f"external {name}") for name in ("BB", "CC", "FF"))
    FF = None if FF is None else FF.reshape(*FF.shape[:3], 3, 3)
    return External(BB, CC, FF).displaced(R, found["hamiltonian"][..., 0], found["position"], sites)
