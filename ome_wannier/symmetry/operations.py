"""Magnetic point-group operations: rotations, perhaps with time reversal; names, products, and action on k."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: largest mismatch of a rotation with the lattice, and of two rotations that count as one
ROTATION_TOL = 1e-2
#: operations of the largest magnetic point group, m-3m1'
LARGEST_GROUP = 96
#: what rounding may do: to energies in eV, to the mismatches of tensors, and to that of the curvature of single bands, of which
#: a narrow one tells what a sum over all does not
EXACT_TOL, EXACT_MISMATCH, EXACT_BAND = 1e-7, 1e-5, 1e-6


@dataclass(frozen=True, eq=False)
class Operation:
    """A point operation, perhaps with time reversal, and how well a Hamiltonian obeys it.

    rotation : (3, 3) Cartesian, determinant +1 or -1.
    time_reversal : -1 if combined with time reversal, else +1; SettingsError for anything else, such as True.
    violation : root mean square change of the band energies in eV.
    curvature_mismatch : root mean square change of the Berry curvature over the trace of the quantum metric.
    response_mismatch : relative change of the intrinsic (orbital, or spin where known) response of single k points.
    band_mismatch : largest change of the Berry curvature of a band at a k point over the trace of its quantum metric.
    Of layers and chains also of where a band is across, over their extent, and of its moment, over extent and speed.
    """

    rotation: Array
    time_reversal: int = 1
    violation: float = 0.0
    curvature_mismatch: float = 0.0
    response_mismatch: float = 0.0
    band_mismatch: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.time_reversal, bool | np.bool_) or self.time_reversal not in (1, -1):
            raise SettingsError(f"time_reversal is {self.time_reversal!r}: give -1 with time reversal, else 1")

    @property
    def exact(self) -> bool:
        """Whether the Hamiltonian obeys it to rounding."""
        tensors = max(self.curvature_mismatch, self.response_mismatch)
        return self.violation <= EXACT_TOL and tensors <= EXACT_MISMATCH and self.band_mismatch <= EXACT_BAND

    @property
    def mismatch(self) -> tuple[float, float]:
        """By which operations are ranked."""
        return self.curvature_mismatch + self.response_mismatch, self.violation

    @property
    def name(self) -> str:
        """Name such as "inversion" or "3-fold rotation about (0, 0, -1) x time reversal": right-handed, about the axis."""
        P, det = self.rotation, round(float(np.linalg.det(self.rotation)))
        proper = P * det
        angle = np.degrees(np.arccos(np.clip((np.trace(proper) - 1) / 2, -1, 1)))
        order = 1 if angle < 1 else round(360 / angle)
        w, v = np.linalg.eig(proper)
        axis = np.real(v[:, np.argmin(np.abs(w - 1))])
        axis = axis / axis[np.argmax(np.abs(axis))]
        if order > 2:  # the axis has a sense: the rotation is right-handed about it
            turn = np.array([proper[2, 1] - proper[1, 2], proper[0, 2] - proper[2, 0], proper[1, 0] - proper[0, 1]])
            axis = axis * np.sign(turn @ axis)
        along = "(" + ", ".join(f"{x:.3g}" for x in np.round(axis, 3) + 0.0) + ")"
        if order == 1:
            text = "identity" if det > 0 else "inversion"
        elif det > 0:
            text = f"{order}-fold rotation about {along}"
        else:
            text = f"mirror normal to {along}" if order == 2 else f"{order}-fold rotation about {along} x inversion"
        if self.time_reversal > 0:
            return text
        return "time reversal" if text == "identity" else f"{text} x time reversal"


def names_in(operations: Sequence[Operation], Q: Array | None) -> list[str]:
    """The names of operations in the user's axes; the rows of Q are those of the model in them (None: they are the same)."""
    if Q is None:
        return [g.name for g in operations]
    return [Operation(Q.T @ g.rotation @ Q, g.time_reversal).name for g in operations]


def listed(operations: Sequence[Operation], Q: Array | None) -> str:
    """Their names, of many the three shortest; Q as for `names_in`."""
    found = sorted(names_in(operations, Q), key=len)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def on_reciprocal(rotation: Array, lattice: Array) -> Ints:
    """(3, 3) integers M: the rotation takes k with components kappa along the reciprocal vectors to M kappa.

    Raises
    ------
    SettingsError : a rotation that does not map the lattice onto itself.
    """
    exact = lattice @ rotation @ np.linalg.inv(lattice)
    M = np.rint(exact)
    if not np.abs(exact - M).max() < ROTATION_TOL * max(1.0, float(np.abs(M).max())):
        raise SettingsError(
            f"symmetry: {np.array2string(rotation, precision=4).replace(chr(10), '')} does not map the lattice onto itself: "
            "rotations are Cartesian, (3, 3), in the axes of the model"
        )
    return M.astype(np.int64)


def fitted(rotations: Sequence[Array], lattice: Array) -> list[Array]:
    """The Cartesian rotations of a group, (3, 3) each, made orthogonal to rounding.

    They map a lattice onto itself that has the metric of this one averaged over the group, and its orientation.
    """
    R = [np.linalg.inv(on_reciprocal(P, lattice)).T for P in rotations]  # columns: images of the lattice vectors
    metric = np.mean([r.T @ (lattice @ lattice.T) @ r for r in R], axis=0)
    column = lattice.T
    w, v = np.linalg.eigh(column @ np.linalg.inv(metric) @ lattice)
    column = (v / np.sqrt(w)) @ v.T @ column
    return [column @ r @ np.linalg.inv(column) for r in R]


def key(operation: Operation, lattice: Array) -> tuple[int, ...]:
    """What tells an operation from others of the same lattice."""
    return (operation.time_reversal, *on_reciprocal(operation.rotation, lattice).ravel().tolist())


def generated(operations: Iterable[Operation], lattice: Array) -> list[Operation]:
    """The group that operations generate, identity first.

    Raises
    ------
    SettingsError : more operations than any point group has, or one that is none of the lattice.
    """
    identity = Operation(np.eye(3))
    given = {key(g, lattice): g for g in operations}
    found = {key(identity, lattice): identity} | given
    fresh = list(found.values())
    while fresh:
        pairs = itertools.product(fresh, given.values())
        products = [Operation(g.rotation @ h.rotation, g.time_reversal * h.time_reversal) for g, h in pairs]
        new = {where: p for where, p in ((key(p, lattice), p) for p in products) if where not in found}
        found |= new
        fresh = list(new.values())
        if len(found) > LARGEST_GROUP:
            raise SettingsError(f"symmetry: these operations generate more than {LARGEST_GROUP}: they are of no point group")
    return list(found.values())


def largest_group(operations: Sequence[Operation], lattice: Array) -> list[Operation]:
    """A group among operations of which some may lack products: those that are obeyed best are taken in first."""
    known = {key(g, lattice): g for g in operations}
    group: dict[tuple[int, ...], Operation] = {}
    for where, g in sorted(known.items(), key=lambda item: item[1].mismatch):
        if where not in group:
            larger = {key(p, lattice) for p in generated([*group.values(), g], lattice)}
            if larger <= known.keys():
                group = {there: known[there] for there in larger}
    return [g for where, g in known.items() if where in group]


def symbol(group: Sequence[Operation], lattice: Array) -> str:
    """Name of a magnetic point group: "32" without time reversal, "321'" with it, else G(H), H the share without it."""
    import spglib

    def name(operations: Iterable[Operation]) -> str:
        """Hermann-Mauguin symbol of the point group of the rotations."""
        rotations = {key(g, lattice)[1:]: np.linalg.inv(on_reciprocal(g.rotation, lattice)).T for g in operations}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # see symmetry.point_rotations
            found = spglib.get_pointgroup(np.rint(list(rotations.values())).astype("intc"))
        return "unknown" if found is None else found[0].strip()

    unitary = [g for g in group if g.time_reversal > 0]
    if len(unitary) == len(group):
        return name(group)
    if any(g.name == "time reversal" for g in group):
        return name(unitary) + "1'"
    return f"{name(group)}({name(unitary)})"


def from_fractional(rotations: Iterable[Ints], time_reversals: Iterable[bool], lattice: Array) -> list[Operation]:
    """Operations from rotations in units of the lattice vectors, as spglib gives them, and whether time is reversed."""
    column = np.asarray(lattice).T
    pairs = itertools.zip_longest(rotations, time_reversals, fillvalue=False)
    return [Operation(column @ np.asarray(r) @ np.linalg.inv(column), -1 if t else 1) for r, t in pairs]
