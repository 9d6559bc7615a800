"""Operations of a space group, with their translations, and what they do to the places where the functions of a model sit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from ..models.base import Structure
from ..models.tight_binding import TightBinding

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Angstrom that atoms may be from their images, as for `point_rotations`
SYMPREC = 1e-3
#: units of the lattice vectors by which two translations differ that are one
SAME = 0.02


@dataclass(frozen=True, eq=False)
class SpaceOperation:
    """x -> M x + t in units of the lattice vectors, perhaps with time reversal.

    rotation : (3, 3) integers M, on columns. translation : (3,). time_reversal : -1 if combined with time reversal, else +1.
    """

    rotation: Ints
    translation: Array
    time_reversal: int = 1

    @property
    def point(self) -> tuple[int, ...]:
        """What tells its rotation and time reversal from others."""
        return (self.time_reversal, *self.rotation.ravel().tolist())

    def cartesian(self, lattice: Array) -> Array:
        """(3, 3) its rotation in Cartesian axes."""
        return np.asarray(lattice.T @ self.rotation @ np.linalg.inv(lattice.T))


class Places(NamedTuple):
    """Where the functions of a model sit.

    positions : (atoms, 3) in units of the lattice vectors. of : (n,) the atom of each function. cells : (n, 3) the cell in
    which its atom is, from that of `positions`.
    """

    positions: Array
    of: Ints
    cells: Ints

    @property
    def members(self) -> list[Ints]:
        """The functions of each atom."""
        return [np.flatnonzero(self.of == a) for a in range(len(self.positions))]

    def cartesian(self, lattice: Array) -> Array:
        """(n, 3) in Angstrom, the atom of each function, in its cell."""
        return np.asarray((self.positions[self.of] + self.cells) @ lattice)


class Motion(NamedTuple):
    """What an operation does to the atoms: a in cell R goes to `to[a]` in cell M R + `cells[a]`.

    rotation : (3, 3) of the operation, Cartesian, in a lattice that it maps onto itself to rounding.
    """

    operation: SpaceOperation
    rotation: Array
    to: Ints
    cells: Ints


def crystal_operations(lattice: Array, structure: Structure, moments: ArrayLike | None = None) -> list[SpaceOperation]:
    """All operations of the crystal modulo its lattice, identity first.

    moments : (atoms, 3) Cartesian magnetic moments, or None, which leaves open whether time is reversed: each operation comes
        without time reversal and with it.

    Raises
    ------
    ModelError : moments of another shape, atoms that coincide.
    """
    import spglib

    cell: Any = (lattice.tolist(), [list(x) for x in structure.positions], list(structure.numbers))
    call: Callable[[], Any]
    if moments is None:
        call = lambda: spglib.get_symmetry(cell, symprec=SYMPREC)  # noqa: E731
    else:
        m = np.asarray(moments, dtype=float)
        if m.shape != (len(structure.numbers), 3) or not np.isfinite(m).all():
            raise ModelError(f"moments have shape {m.shape}: expected ({len(structure.numbers)}, 3), Cartesian, one per atom")
        call = lambda: spglib.get_magnetic_symmetry((*cell, m.tolist()), symprec=SYMPREC)  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # see symmetry.point_rotations
        found = call()
    if found is None:
        raise ModelError("spglib finds no symmetry, not even the identity: do two atoms of the structure coincide?")
    pairs = list(zip(np.asarray(found["rotations"]).astype(np.int64), found["translations"], strict=True))
    if moments is None:
        return [SpaceOperation(M, np.asarray(t, dtype=float), s) for s in (1, -1) for M, t in pairs]
    reversed_ = np.asarray(found["time_reversals"], dtype=bool)
    return [SpaceOperation(M, np.asarray(t, dtype=float), -1 if r else 1) for (M, t), r in zip(pairs, reversed_, strict=True)]


def places_of(model: TightBinding) -> Places:
    """The atom that each function belongs to: the nearest one.

    Raises
    ------
    ModelError : a model whose atoms are not known.
    """
    if model.structure is None or not model.structure.numbers:
        where = "in a .win beside its files, or structure= in Python"
        raise ModelError(f"the atoms of this model are not known, whose symmetry it is to have: give them {where}")
    atoms = np.array(model.structure.positions, dtype=float)
    apart = (model.wannier_centres @ np.linalg.inv(model.lattice))[:, None] - atoms[None]
    around = np.stack(np.meshgrid(*3 * [[-1, 0, 1]], indexing="ij"), axis=-1).reshape(-1, 3)
    images = np.round(apart)[:, :, None] + around
    distance = np.linalg.norm((apart[:, :, None] - images) @ model.lattice, axis=-1)
    atom, image = np.divmod(distance.reshape(len(apart), -1).argmin(axis=1), len(around))
    return Places(atoms, atom.astype(np.int64), images[np.arange(len(apart)), atom, image].astype(np.int64))


def motion(operation: SpaceOperation, places: Places, lattice: Array) -> Motion:
    """What an operation does to the atoms, of a lattice as `fitted_lattice` gives it.

    Raises
    ------
    ModelError : atoms that do not map onto atoms, or hold other numbers of functions.
    """
    moved = places.positions @ operation.rotation.T + operation.translation
    apart = moved[:, None] - places.positions[None]
    cells = np.round(apart)
    distance = np.linalg.norm((apart - cells) @ lattice, axis=-1)
    to = distance.argmin(axis=1)
    if distance.min(axis=1).max() > 10 * SYMPREC or len(set(to.tolist())) < len(to):
        raise ModelError("an operation does not map the atoms of this model onto each other")
    number = np.bincount(places.of, minlength=len(to))
    if (number[to] != number).any():
        a = int(np.flatnonzero(number[to] != number)[0])
        raise ModelError(
            f"atoms {a + 1} and {to[a] + 1} are images of each other, but {number[a]} and {number[to[a]]} functions of the "
            "model are next to them: these functions do not map onto each other"
        )
    rotation = operation.cartesian(lattice)
    return Motion(operation, rotation, to.astype(np.int64), cells[np.arange(len(to)), to].astype(np.int64))


def product_table(group: Sequence[SpaceOperation]) -> Ints:
    """[g, h] the number of the product g h in the group, modulo translations of the lattice.

    Raises
    ------
    ModelError : a product that is not there.
    """
    table = np.empty((len(group), len(group)), dtype=np.int64)
    known: dict[tuple[int, ...], list[int]] = {}
    for i, g in enumerate(group):
        known.setdefault(g.point, []).append(i)
    for i, g in enumerate(group):
        for j, h in enumerate(group):
            t = g.rotation @ h.translation + g.translation
            product = SpaceOperation(g.rotation @ h.rotation, t, g.time_reversal * h.time_reversal)
            there = [k for k in known.get(product.point, []) if np.abs(_rest(t - group[k].translation)).max() < SAME]
            if not there:
                raise ModelError("these operations are no group: the product of two of them is none of them")
            table[i, j] = there[0]
    return table


def fitted_lattice(lattice: Array, group: Sequence[SpaceOperation]) -> Array:
    """The lattice that a group maps onto itself to rounding: of the metric averaged over the group, and turned least."""
    metric = np.mean([g.rotation.T @ (lattice @ lattice.T) @ g.rotation for g in group], axis=0)
    w, v = np.linalg.eigh(lattice.T @ np.linalg.inv(metric) @ lattice)
    return np.asarray(lattice @ (v / np.sqrt(w)) @ v.T)


def fitted_positions(places: Places, motions: Sequence[Motion], table: Ints) -> Array:
    """(atoms, 3) positions that a group maps onto each other to rounding.

    Its translations are made those of a group first: t_g = mean over h of t_gh - M_g t_h.
    """
    t = np.array([m.operation.translation for m in motions])
    found = np.zeros_like(places.positions)
    for i, m in enumerate(motions):
        M = m.operation.rotation
        exact = t[i] + _rest(t[table[i]] - t @ M.T - t[i]).mean(axis=0)
        found[m.to] += places.positions @ M.T + exact - m.cells
    return np.asarray(found / len(motions))


def _rest(x: Array) -> Array:
    return np.asarray(x - np.round(x))
