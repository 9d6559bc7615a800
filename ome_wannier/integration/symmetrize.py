"""Models made exactly symmetric: Hamiltonian, positions and operators averaged over the magnetic group of the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError, warn
from ..models.base import Structure
from ..models.tight_binding import TightBinding, is_tight_binding
from ..symmetry.at_home import at_home, filled, model_of, on
from ..symmetry.averaging import averaged
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

#: share of the Hamiltonian beyond which an operation is refused; change of the spin (hbar/2) beyond which its order is wrong;
#: share of another operator beyond which it is left as it is
BROKEN, SPIN, OTHER = 0.2, 0.5, 0.5
#: how many times worse than the best an operation with another translation may be that holds as well
ALIKE = 10.0
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

    physics.md eq. SYM: O(R) <- mean over g of F^-1 D^+ O(M R + L_j - L_i) D, complex conjugate where g reverses time. D, what
    g does to the functions of an atom, is found from the Hamiltonian (and the spin) itself, see `symmetry.representation`:
    no projections are needed. Lattice and atoms are made symmetric to rounding too.

    Parameters
    ----------
    moments : (atoms, 3) magnetic moments in the axes of the user, which say what the magnetic group is (zeros: that of a
        crystal without magnetism); by default the operations of the structure that the Hamiltonian obeys but for noise, as
        `compute` finds them.

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
    R, quantities = at_home(model, places)
    vectors = Vectors(closed(R, filled(R, quantities, places), motions))
    quantities = [q._replace(matrices=on(vectors, R, q.matrices)) for q in quantities]
    motions, D = _acting(quantities, vectors, places, motions)
    table = product_table([m.operation for m in motions])
    D = representation(D, motions, table)
    found = {q.name: averaged(q, vectors, places, motions, D) for q in quantities}
    kept = tuple(o.name for o in model.operators if found[o.name][1].max() > OTHER * np.abs(o.matrices).max())
    if "spin" in found and found["spin"][1].max() > SPIN:
        raise ModelError(
            "the spin operator does not have the symmetry of the Hamiltonian: is the order of the spins (spin_order) the "
            "right one?"
        )
    if kept:
        warn(f"{', '.join(kept)}: left as it is, for the symmetry does not take it to itself by its parities")
    averages = {q.name: q.matrices if q.name in kept else found[q.name][0] for q in quantities}
    new = places._replace(positions=fitted_positions(places, motions, table))
    changes = {name: x for name, (_, x) in found.items() if name not in kept}
    operations = [
        Restored(Operation(m.rotation, m.operation.time_reversal), {name: float(x[i]) for name, x in changes.items()})
        for i, m in enumerate(motions)
    ]
    return Symmetrized(model_of(model, lattice, new, vectors.R, averages), model, operations, kept)


def _group(model: TightBinding, structure: Structure, moments: ArrayLike | None) -> list[SpaceOperation]:
    """The operations asked for, identity first; of layers and chains those that keep the periodic directions."""
    if moments is None:
        obeyed = {_point(g, model.lattice) for g in group_of(model).operations}
        return [g for g in crystal_operations(model.lattice, structure) if g.point in obeyed]
    Q = np.eye(3) if model.frame is None else model.frame
    m = np.asarray(moments, dtype=float)
    found = crystal_operations(model.lattice, structure, m @ Q.T if m.ndim == 2 and m.shape[1] == 3 else m)
    plane = np.array(model.periodic)
    return [g for g in found if not g.rotation[np.ix_(~plane, plane)].any()]


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
        first = np.sum([of_levels, *(form(q, vectors, places, m) for q in spins)], axis=0)
        D = action(first, form(quantities[1], vectors, places, m), places, m)
        elements = D[pairs_of(places, m)]
        square = float((np.conj(elements) @ of_levels @ elements).real) / len(D) / 2
        found.setdefault(m.operation.point, []).append((float(np.sqrt(max(square, 0.0))), m, D))
    chosen: list[tuple[Motion, ComplexArray]] = []
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


def _without_mean(q: Quantity, vectors: Vectors) -> Quantity:
    """The Hamiltonian from the mean of its levels, which says nothing of symmetry."""
    X, home = q.matrices.copy(), int(np.flatnonzero(~vectors.R.any(axis=1))[0])
    n = X.shape[1]
    X[home, :, :, 0] -= np.eye(n) * np.trace(X[home, :, :, 0]) / n
    return q._replace(matrices=X)
