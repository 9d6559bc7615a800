"""Models made exactly symmetric: Hamiltonian, positions and operators averaged over the magnetic group of the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError, warn
from ..models.base import Structure
from ..models.tight_binding import TightBinding, is_tight_binding
from ..symmetry.at_home import at_home, filled, model_of, on
from ..symmetry.averaging import averaged, undone
from ..symmetry.operations import Operation, key, largest_group, names_in
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
from .hamiltonian_symmetry import NOISE

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: share of the Hamiltonian beyond which an operation that is asked for is refused, and beyond which one that is not is left
#: out (Wannier functions of good crystals: up to 0.002)
BROKEN, NOISY = 0.2, 0.02
#: eV, Angstrom or units of an operator that rounding may change
ROUNDING = 1e-12
#: share of an operator beyond which it is left as it is
OTHER = 0.5
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
    several translations stands once for each). left_out : those of the atoms that the Hamiltonian breaks with and without time
    reversal, as magnetism does. kept : operators that have not this symmetry, and are as they were.
    """

    model: TightBinding
    given: TightBinding
    operations: list[Restored]
    left_out: list[Restored]
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

    O(R) <- mean over g of F^-1 D^+ O(M R + L_j - L_i) D, complex conjugate where g reverses time (the handbook's page
    symmetrize.md). D, what g does to the functions of an atom, is found from the Hamiltonian (and the spin) itself, see
    `symmetry.representation`: no projections are needed. Lattice and atoms are made symmetric to rounding too.

    Parameters
    ----------
    moments : (atoms, 3) magnetic moments in the axes of the user, which say what the magnetic group is (zeros: that of a
        crystal without magnetism); by default the operations of the structure that only noise of the Hamiltonian is in the
        way of.

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
    candidates = _acting(quantities, vectors, places, motions)
    acting = _held(candidates, lattice) if moments is None else _asked(candidates)
    if not all(x.known for x in acting):
        raise ModelError(
            "this model falls into parts that no matrix element joins, so that what its symmetry does to the functions is not "
            "known (of functions with spin spin_order gives an operator that joins both spins)"
        )
    motions, D = [x.motion for x in acting], np.stack([x.D for x in acting])
    table = product_table([m.operation for m in motions])
    D = representation(D, motions, table)
    found = {q.name: averaged(q, vectors, places, motions, D) for q in quantities}
    changes = {name: x for name, (_, x) in found.items()}
    kept = tuple(o.name for o in model.operators if changes[o.name].max() > OTHER * np.abs(o.matrices).max())
    operations = []
    for i, m in enumerate(motions):
        own = {name: float(x[i]) for name, x in changes.items() if name not in kept}
        operations.append(Restored(Operation(m.rotation, m.operation.time_reversal), own))
    _say(operations, kept, model.frame)
    # what is symmetric already stays as it is to the last bit, so that the order of spins is known again
    alike = [name for name, x in changes.items() if x.max() < ROUNDING]
    averages = {q.name: q.matrices if q.name in (*kept, *alike) else found[q.name][0] for q in quantities}
    new = places._replace(positions=fitted_positions(places, motions, table))
    return Symmetrized(
        model_of(model, lattice, new, vectors.R, averages), model, operations, _left_out(candidates, acting), kept
    )


def _say(operations: Sequence[Restored], kept: Sequence[str], frame: Array | None) -> None:
    """Warn of what is more than noise, and of what is left alone."""
    worst = max(operations, key=lambda r: r.changes["hamiltonian"])
    if worst.changes["hamiltonian"] > NOISE.broken:
        size = f"{worst.changes['hamiltonian']:.2g} eV"
        warn(f"the Hamiltonian violated {names_in([worst.operation], frame)[0]} by up to {size}: more than noise does")
    if kept:
        warn(f"{', '.join(kept)}: left as it is, for the symmetry does not take it to itself by its parities")


def _left_out(candidates: Sequence[_Acting], held: Sequence[_Acting]) -> list[Restored]:
    """Operations of the atoms that are held neither with nor without time reversal, as the better of both."""
    there = {x.point_key[1:] for x in held}
    lost: dict[tuple[int, ...], _Acting] = {}
    for x in candidates:
        where = x.point_key[1:]
        if where not in there and (where not in lost or x.share < lost[where].share):
            lost[where] = x
    return [
        Restored(Operation(x.motion.rotation, x.motion.operation.time_reversal), {"hamiltonian": x.change})
        for x in lost.values()
    ]


def _group(model: TightBinding, structure: Structure, moments: ArrayLike | None) -> list[SpaceOperation]:
    """Those to be looked at, identity first; of layers and chains those that keep the periodic directions."""
    m = None if moments is None else np.asarray(moments, dtype=float)
    if m is not None and model.frame is not None and m.ndim == 2 and m.shape[1] == 3:
        m = m @ model.frame.T
    plane = np.array(model.periodic)
    found = crystal_operations(model.lattice, structure, m)
    return [g for g in found if not g.rotation[np.ix_(~plane, plane)].any()]


class _Acting(NamedTuple):
    """An operation, and D (n, n), the only one that it may be if it is `known`.

    share : of the Hamiltonian that is in its way. change : the largest change of a matrix element, in eV.
    """

    motion: Motion
    D: ComplexArray
    known: bool
    share: float
    change: float

    @property
    def point_key(self) -> tuple[int, ...]:
        """What tells it without its translation from others, time reversal first."""
        return self.motion.operation.point

    @property
    def point(self) -> Operation:
        """Without its translation, ranked by its share."""
        return Operation(self.motion.rotation, self.motion.operation.time_reversal, violation=self.share)


def _acting(quantities: Sequence[Quantity], vectors: Vectors, places: Places, motions: Sequence[Motion]) -> list[_Acting]:
    """What operations do to the functions; of those that differ by a translation the ones that hold.

    Raises
    ------
    ModelError : a spin that is in the way of operations that the Hamiltonian has.
    """
    levels, position = _without_mean(quantities[0], vectors), quantities[1]
    spin = next((q for q in quantities if q.name == "spin"), None)
    found: dict[tuple[int, ...], list[_Acting]] = {}
    for m in motions:
        of_levels = form(levels, vectors, places, m)
        of_spin = None if spin is None else form(spin, vectors, places, m)
        of_position = partial(form, position, vectors, places, m)
        D, known = action(of_levels, of_spin, of_position, places, m)
        share = _share(of_levels, D, places, m)
        if spin is not None and share > NOISY:
            _check_spin(_share(of_levels, action(of_levels, None, of_position, places, m)[0], places, m))
        change = np.abs(undone(levels, vectors, places, m, D) - levels.matrices).max()
        found.setdefault(m.operation.point, []).append(_Acting(m, D, known, share, float(change)))
    best = {point: min(x.share for x in same) for point, same in found.items()}
    return [x for point, same in found.items() for x in same if x.share <= ALIKE * best[point] + 1e-6]


def _share(of_levels: ComplexArray, D: ComplexArray, places: Places, m: Motion) -> float:
    """Root of the share of the squares of the Hamiltonian that is in the way of D."""
    elements = D[pairs_of(places, m)]
    return float(np.sqrt(max(float((np.conj(elements) @ of_levels @ elements).real) / len(D) / 2, 0.0)))


def _check_spin(without: float) -> None:
    """Refuse a spin that does not obey an operation of which only the share `without` of the Hamiltonian is in the way."""
    if without <= NOISY:
        raise ModelError(
            "the spin operator does not have the symmetry of the Hamiltonian: is the order of the spins (spin_order) the "
            "right one?"
        )


def _asked(found: Sequence[_Acting]) -> list[_Acting]:
    """All of them; ModelError for one that the Hamiltonian does not nearly have."""
    worst = max(found, key=lambda x: x.share)
    if worst.share > BROKEN:
        raise ModelError(
            f"the Hamiltonian is not nearly symmetric under {worst.point.name}: {100 * worst.share:.0f}% of it are in the way; "
            "are the moments those of this crystal?"
        )
    return list(found)


def _held(found: Sequence[_Acting], lattice: Array) -> list[_Acting]:
    """The largest group of those that only noise is in the way of.

    Where time reversal is broken, by however little, an operation has to hold clearly better than its partner, the one
    combined with time reversal, as for `group_of`; but matrix elements tell what energies do not.
    """
    of = {x.point_key: x for x in found}
    reversal = next(x for x in found if x.point.name == "time reversal")
    unbroken = reversal.change <= NOISE.reversal_tol

    def holds(x: _Acting) -> bool:
        partner = of[(-x.point_key[0], *x.point_key[1:])]
        return x.share <= NOISY and (unbroken or NOISE.clearly * x.share <= partner.share)

    group = largest_group([x.point for x in of.values() if holds(x)], lattice)
    kept = {key(g, lattice) for g in group}
    return [x for x in found if key(x.point, lattice) in kept]


def _without_mean(q: Quantity, vectors: Vectors) -> Quantity:
    """The Hamiltonian from the mean of its levels, which says nothing of symmetry."""
    X, home = q.matrices.copy(), int(np.flatnonzero(~vectors.R.any(axis=1))[0])
    n = X.shape[1]
    X[home, :, :, 0] -= np.eye(n) * np.trace(X[home, :, :, 0]) / n
    return q._replace(matrices=X)
