"""Magnetic point-group operations that a Hamiltonian obeys.

Candidates are the point operations of the structure (spglib), or of the bare lattice where no atoms are known, each with
and without time reversal. What the Hamiltonian violates them by is measured at random k points, by band energies, Berry
curvatures and the responses of single points. Three kinds are told apart:

- operations that hold to rounding, or that were given: points that they join are summed once, tensors obey them (where plane
  waves are cut off, on the border of the zone, they hold to what moves with the cutoff: 1e-6 of a metric that moves by 3%);
- where the atoms are known, operations that hold but for the noise of Wannier functions (`_held`): tensors are made to obey
  them, and what that changes is an error. Without atoms there are none: the symmetry of a lattice need not be that of the
  Hamiltonian, and a small field in a Hamiltonian that is written down is no noise;
- operations of the atoms that the Hamiltonian breaks, as magnetism does, or bad Wannier functions.

The size of a violation alone does not tell noise from a weak field: Wannier functions of good crystals change energies by up
to 2 meV, as an exchange field of 2 meV does. But without a field they obey time reversal to 0.04 meV, and where magnetism
breaks it, what noise violates an operation by is at most a third of what its partner, the one combined with time reversal,
is violated by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError, warn
from ..models.base import Lattice, Model, has_zone
from ..symmetry.operations import Operation, fitted, from_fractional, generated, largest_group, names_in, symbol
from ..symmetry.operations import listed as in_words
from .symmetry_violations import measured, operations

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseConstants:
    """What tells noise from breaking: limits lie between what crystals that obey and such that do not were measured to have."""

    #: what noise may do to time reversal: eV, and the curvature's mismatch
    reversal_tol: float = 3e-4
    reversal_curvature: float = 3e-4
    #: and to the other operations: eV; the curvature's mismatch (good crystals give 0.01 to 0.03, operations that fail 0.1 to
    #: 0.3); that of responses, which alone tell inversion x time reversal from either (up to 0.1, operations that fail 1 to 2)
    noise: float = 3e-3
    curvature_tol: float = 0.05
    response_tol: float = 0.5
    #: how many times less than its partner an operation has to be violated where time reversal is broken
    clearly: float = 2.0
    #: eV: operations of the atoms that are violated by more are recorded as broken, and those that were given are dropped
    broken: float = 0.03


NOISE = NoiseConstants()

#: what the argument `symmetry` of compute may be
REMEDY = 'give "auto", "off", a list of symmetry.Operation, or the dataset of spglib.get_magnetic_symmetry_dataset'


class Group(NamedTuple):
    """Operations that results are made to obey.

    operations : all of them, identity first. exact : those of them that hold to rounding, or that were given.
    broken : operations of the atoms that the Hamiltonian breaks by more than `broken`, or that tensors deny (where time
        reversal holds, energies say nothing of inversion), alone and with time reversal.
    asked : "auto", "off", or "given".
    """

    operations: list[Operation]
    exact: list[Operation]
    broken: list[Operation]
    asked: str

    @property
    def noisy(self) -> bool:
        """Whether some hold but for noise."""
        return len(self.operations) > len(self.exact)

    def about(self, model: Lattice) -> dict[str, Any]:
        """What to record, operations by their names in the user's axes."""
        lattice = model.lattice
        return {
            "symmetry": self.asked,
            "symmetry_group": symbol(self.operations, lattice),
            "symmetry_exact_group": symbol(self.exact, lattice),
            "symmetry_operations": names_in(self.operations, model.frame),
            "symmetry_violation_eV": max(g.violation for g in self.operations),
        }


def group_of(model: Model, asked: Any = "auto") -> Group:
    """The operations that results of a model are made to obey.

    asked : "auto", for those of the atoms or the lattice that the Hamiltonian obeys, with and without time reversal; "off"
        for none but the identity, as of k.p models; or operations that generate the group: a sequence of `Operation`, or an
        object (or dict) with `rotations`, in units of the lattice vectors, and `time_reversals`, such as spglib's magnetic
        datasets.

    Raises
    ------
    SettingsError : what is no symmetry of the lattice or cannot be understood.

    Warns
    -----
    AccuracyWarning : an operation that was given and that the Hamiltonian breaks is dropped, or relied on all the same.
    """
    if not has_zone(model):
        if not (isinstance(asked, str) and asked in ("auto", "off")):
            raise SettingsError("symmetry: k.p models are integrated over all directions: leave it out")
        asked = "off"
    if isinstance(asked, str) and asked == "off":
        identity = [Operation(np.eye(3))]
        return Group(identity, identity, [], asked)
    assert has_zone(model)
    if not (isinstance(asked, str) and asked == "auto"):
        found = measured(model, _given(model, asked))
        group = largest_group([g for g in found if _near(g, NOISE.broken)], model.lattice)
        _warn_of("dropped", [g for g in found if g not in group], model.frame)
        _warn_of("relied on", [g for g in group if not _near(g, NOISE.noise)], model.frame)
        return Group(group, group, [], "given")
    return among(model, operations(model))


def among(model: Lattice, found: Sequence[Operation]) -> Group:
    """The group of those candidates, as `operations` has them, that the Hamiltonian obeys."""
    exact = largest_group([g for g in found if g.exact], model.lattice)
    if model.structure is None:
        return Group(exact, exact, [], "auto")
    group = largest_group(_held(found, model.axes), model.lattice)
    pairs = zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True)
    lost = [min(pair, key=lambda g: g.violation) for pair in pairs if not any(g in group for g in pair)]
    return Group(group, exact, [g for g in lost if not _near(g, NOISE.broken)], "auto")


def _held(found: Sequence[Operation], axes: Sequence[int]) -> list[Operation]:
    """Of all candidates, as `operations` has them, those that hold to rounding or but for noise.

    With time reversal broken, an operation has to be violated clearly less than its partner. Where energies do not tell, or the
    partner leaves every k where it is, as inversion x time reversal does, so that they cannot, tensors decide.
    """
    half = len(found) // 2
    reversal = found[half]
    unbroken = reversal.violation <= NOISE.reversal_tol and reversal.curvature_mismatch <= NOISE.reversal_curvature

    def clear(g: Operation, partner: Operation) -> bool:
        """Whether an operation holds clearly better than its time-reversed partner."""
        still = np.allclose(partner.time_reversal * partner.rotation[np.ix_(axes, axes)], np.eye(len(axes)))
        if not still and max(g.violation, partner.violation) > NOISE.reversal_tol:
            return NOISE.clearly * g.violation <= partner.violation
        size, other = (x.curvature_mismatch + x.response_mismatch for x in (g, partner))
        return NOISE.clearly * size <= other

    pairs = zip(found, [*found[half:], *found[:half]], strict=True)
    return [g for g, partner in pairs if g.exact or (_near(g, NOISE.noise) and (unbroken or clear(g, partner)))]


def _near(g: Operation, limit: float) -> bool:
    """Whether a Hamiltonian violates an operation by no more than `limit` (eV), and tensors do not deny it."""
    return g.violation <= limit and g.curvature_mismatch <= NOISE.curvature_tol and g.response_mismatch <= NOISE.response_tol


def _warn_of(done: str, given: Sequence[Operation], Q: Array | None) -> None:
    """Warn of operations that were given though the Hamiltonian breaks them, and of what was done with them."""
    if given:
        text = f"symmetry: {done} {in_words(given, Q)}: the Hamiltonian violates them by up to {size(given)}"
        warn(text)


def size(operations: Sequence[Operation]) -> str:
    """By how much a Hamiltonian violates operations, at most."""
    measures = (max(getattr(g, name) for g in operations) for name in ("violation", "curvature_mismatch", "response_mismatch"))
    return "{:.2g} eV (root mean square; Berry curvatures {:.1g}, responses {:.1g})".format(*measures)


def _in_frame(asked: Any, Q: Array) -> Any:
    """Operations in the user's axes, in those of a model that was rotated by Q; what is none stays, to be refused."""
    if not isinstance(asked, Sequence) or not all(isinstance(g, Operation) for g in asked):
        return asked
    return [Operation(Q @ g.rotation @ Q.T, g.time_reversal) for g in asked]


def _given(model: Lattice, asked: Any) -> list[Operation]:
    """The group that the operations asked for generate, rotations fitted to the lattice."""
    if isinstance(asked, str):
        raise SettingsError(f"symmetry is {asked!r}: {REMEDY}")
    if hasattr(asked, "rotations") and hasattr(asked, "time_reversals"):
        asked = from_fractional(asked.rotations, asked.time_reversals, model.lattice)
    elif isinstance(asked, Mapping) and {"rotations", "time_reversals"} <= asked.keys():
        asked = from_fractional(asked["rotations"], asked["time_reversals"], model.lattice)
    elif model.frame is not None:
        asked = _in_frame(asked, model.frame)
    if not isinstance(asked, Sequence) or not asked or not all(isinstance(g, Operation) for g in asked):
        raise SettingsError(f"symmetry is {str(asked)[:60]!r}: {REMEDY}")
    group = generated(asked, model.lattice)
    rotations = fitted([g.rotation for g in group], model.lattice)
    plane = np.zeros(3, dtype=bool)
    plane[list(model.axes)] = True
    if any(np.abs(P[np.ix_(plane, ~plane)]).max(initial=0) > 1e-6 for P in rotations):
        raise SettingsError("symmetry: these operations turn the periodic directions out of their plane or line")
    return [Operation(P, g.time_reversal) for P, g in zip(rotations, group, strict=True)]
