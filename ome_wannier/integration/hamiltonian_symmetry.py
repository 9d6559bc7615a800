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
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bands.across import positions
from ..bands.degeneracy import Degeneracy, default_tol
from ..calculators.blocks import HEIGHT, LATERAL, LATERAL_MOMENT, knows_across
from ..calculators.layer import height
from ..calculators.quantity import Observable
from ..calculators.registry import get
from ..calculators.weights import component_axes, component_shapes, evaluate_at, unpacked
from ..common.errors import SettingsError, warn
from ..models.base import Lattice, Model, has_zone
from ..symmetry.candidates import point_rotations
from ..symmetry.operations import Operation, fitted, from_fractional, generated, largest_group, on_reciprocal, symbol
from ..symmetry.tensors import transform
from .occupation.fermi import fermi_function

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MeasuredConstants:
    """What tells noise from breaking: limits lie between what crystals that obey and such that do not were measured to have."""

    #: responses below this, in units of the metric to the power 3/2, are zero and decide nothing
    response_floor: float = 1e-6
    #: random k points that operations are measured at: in general, and of Wannier functions of known atoms; there are no more
    #: than so many of these (models that are built atom by atom hold their symmetries to rounding, or not at all)
    n_points: int = 4
    n_points_noisy: int = 16
    wannier: int = 300
    #: what noise may do to time reversal: eV, and the curvature's mismatch
    reversal_tol: float = 3e-4
    reversal_curvature: float = 3e-4
    #: and to the other operations: eV; the curvature's mismatch (good crystals give 0.01 to 0.03, operations that fail 0.1 to
    #: 0.3); that of responses, which alone tell inversion x time reversal from either (up to 0.1, operations that fail 1 to 2)
    noise: float = 3e-3
    curvature_tol: float = 0.05
    response_tol: float = 0.5
    #: Angstrom; orbitals that are not farther from the middle of a layer are in its plane but for noise
    least_extent: float = 0.01
    #: eV; levels of Wannier functions that are no farther apart count as one
    same: float = 1e-3
    #: splitting of pairs of levels in units of the distance between pairs
    pairs: float = 0.2
    #: how many times less than its partner an operation has to be violated where time reversal is broken
    clearly: float = 2.0
    #: eV: operations of the atoms that are violated by more are recorded as broken, and those that were given are dropped
    broken: float = 0.03


MEASURED = MeasuredConstants()

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

    def about(self, lattice: Array) -> dict[str, Any]:
        """What to record."""
        return {
            "symmetry": self.asked,
            "symmetry_group": symbol(self.operations, lattice),
            "symmetry_exact_group": symbol(self.exact, lattice),
            "symmetry_operations": [g.name for g in self.operations],
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
        group = largest_group([g for g in found if _near(g, MEASURED.broken)], model.lattice)
        _warn_of("dropped", [g for g in found if g not in group])
        _warn_of("relied on", [g for g in group if not _near(g, MEASURED.noise)])
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
    return Group(group, exact, [g for g in lost if not _near(g, MEASURED.broken)], "auto")


def _held(found: Sequence[Operation], axes: Sequence[int]) -> list[Operation]:
    """Of all candidates, as `operations` has them, those that hold to rounding or but for noise.

    With time reversal broken, an operation has to be violated clearly less than its partner. Where energies do not tell, or the
    partner leaves every k where it is, as inversion x time reversal does, so that they cannot, tensors decide.
    """
    half = len(found) // 2
    reversal = found[half]
    unbroken = reversal.violation <= MEASURED.reversal_tol and reversal.curvature_mismatch <= MEASURED.reversal_curvature

    def clear(g: Operation, partner: Operation) -> bool:
        """Whether an operation holds clearly better than its time-reversed partner."""
        still = np.allclose(partner.time_reversal * partner.rotation[np.ix_(axes, axes)], np.eye(len(axes)))
        if not still and max(g.violation, partner.violation) > MEASURED.reversal_tol:
            return MEASURED.clearly * g.violation <= partner.violation
        size, other = (x.curvature_mismatch + x.response_mismatch for x in (g, partner))
        return MEASURED.clearly * size <= other

    pairs = zip(found, [*found[half:], *found[:half]], strict=True)
    return [g for g, partner in pairs if g.exact or (_near(g, MEASURED.noise) and (unbroken or clear(g, partner)))]


def _near(g: Operation, limit: float) -> bool:
    """Whether a Hamiltonian violates an operation by no more than `limit` (eV), and tensors do not deny it."""
    return (
        g.violation <= limit and g.curvature_mismatch <= MEASURED.curvature_tol and g.response_mismatch <= MEASURED.response_tol
    )


def _warn_of(done: str, given: Sequence[Operation]) -> None:
    """Warn of operations that were given though the Hamiltonian breaks them, and of what was done with them."""
    if given:
        text = f"symmetry: {done} {listed(given)}: the Hamiltonian violates them by up to {size(given)}"
        warn(text)


def size(operations: Sequence[Operation]) -> str:
    """By how much a Hamiltonian violates operations, at most."""
    measures = (max(getattr(g, name) for g in operations) for name in ("violation", "curvature_mismatch", "response_mismatch"))
    return "{:.2g} eV (root mean square; Berry curvatures {:.1g}, responses {:.1g})".format(*measures)


def listed(operations: Sequence[Operation]) -> str:
    """The names of operations, of many the three shortest."""
    names = sorted((g.name for g in operations), key=len)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def operations(model: Lattice, seed: int = 7) -> list[Operation]:
    """All candidate operations with the measured violation: without time reversal, identity first, then the same with it."""
    rotations = sorted(point_rotations(model), key=lambda P: (-round(np.linalg.det(P)), -np.trace(P)))
    return measured(model, [Operation(P, s) for s in (1, -1) for P in rotations], seed)


def measured(model: Lattice, candidates: Sequence[Operation], seed: int = 7) -> list[Operation]:
    """The operations with what the Hamiltonian violates them by, at random k points."""
    noisy = model.is_fitted and model.structure is not None and model.n_orbitals <= MEASURED.wannier
    n_points = MEASURED.n_points_noisy if noisy else MEASURED.n_points
    # of few digits, so that images are found again
    k = np.round(np.random.default_rng(seed).uniform(-0.5, 0.5, (n_points, 3)), 6) * np.array(model.periodic)
    images = [g.time_reversal * k @ on_reciprocal(g.rotation, model.lattice).T for g in candidates]
    points = np.stack([k, *images]) * np.array(model.periodic)
    # operations that differ by inversion x time reversal meet at the same points
    distinct, where = np.unique(np.round(points.reshape(-1, 3), 9) + 0.0, axis=0, return_inverse=True)
    # filled up to the middle of the bands, over a tenth of their width
    e = np.linalg.eigvalsh(model.matrices(k, 0).H)
    middle, width = float(np.median(e)), max(float(np.ptp(e)) / 10, 1e-3)
    parts = [_fingerprint(model, q, middle, width) for q in np.array_split(distinct, -(-len(distinct) // _together(model)))]
    tensors = [(parts[0].tensors[i][0], np.concatenate([p.tensors[i][1] for p in parts])) for i in range(len(parts[0].tensors))]
    energies, curvature, of_bands, heights = (
        np.concatenate(x) for x in zip(*((p.energies, p.curvature, p.of_bands, p.heights) for p in parts), strict=True)
    )
    metric, extent, speed = (float(np.mean([getattr(p, name) for p in parts])) for name in ("metric", "extent", "speed"))
    found = _Fingerprint(energies, tensors, metric, extent, speed, curvature, of_bands, heights)
    where = where.reshape(points.shape[:2])
    return [_compared(g, found, where[0], where[1 + i], model) for i, g in enumerate(candidates)]


def _together(model: Lattice) -> int:
    """Points that are tested at once: as many as some 64 MiB hold with 60 matrices each."""
    return max(1, 2**22 // (60 * model.n_orbitals**2))


def _compared(operation: Operation, found: _Fingerprint, here: Ints, there: Ints, model: Lattice) -> Operation:
    """The operation with what it changes between points `here` and their images `there` (physics.md eq. 58)."""
    along = component_axes(model.axes, model.moments)
    violation = float(np.sqrt(((found.energies[there] - found.energies[here]) ** 2).mean()))
    if model.structure is not None and model.spin_degeneracy == 1 and operation.name == "inversion x time reversal":
        violation = max(violation, _splitting(found.energies[here]))
    mismatch = {"curvature": 0.0, "alpha": 0.0}
    for observable, value in found.tensors:
        if observable in (HEIGHT, LATERAL) and np.allclose(operation.rotation, np.eye(3)):
            continue  # time reversal leaves positions alone
        change = value[there] - transform(value[here], observable, operation, along)
        size, change_size = (np.linalg.norm(x.reshape(len(here), -1), axis=1) for x in (value[here], change))
        if (scale := found.scale(observable)) is not None:
            mismatch["curvature"] = max(mismatch["curvature"], float(np.sqrt((change**2).mean())) / scale)
        elif np.median(size) > MEASURED.response_floor * found.metric**1.5:
            mismatch["alpha"] = max(mismatch["alpha"], float(np.median(change_size / size)))
    band = 0.0
    if model.moments and model.default_points is None:  # bands of superlattices end at a cutoff, where they obey nothing
        curvature = get("berry_curvature")
        assert isinstance(curvature, Observable)
        turned = transform(found.curvature[here], curvature, operation, along)
        change = np.abs(found.curvature[there] - turned).max(axis=2)
        band = float((change / np.maximum(found.of_bands[here], 1e-12 * found.metric)).max())
    if found.heights.shape[1]:
        band = max(band, found.upside_down(operation, here, there, model))
    return replace(
        operation,
        violation=violation,
        curvature_mismatch=mismatch["curvature"],
        response_mismatch=mismatch["alpha"],
        band_mismatch=band,
    )


def _splitting(energies: Array) -> float:
    """Root mean square splitting in eV of levels (nk, n) that come in pairs, 0 where they do not.

    Inversion x time reversal leaves every k where it is and makes the levels of spinors double: that alone energies tell of it.
    """
    inside, between = energies[:, 1::2] - energies[:, :-1:2], energies[:, 2::2] - energies[:, 1:-1:2]
    if energies.shape[1] % 2 or energies.shape[1] < 4 or np.median(inside) > MEASURED.pairs * np.median(between):
        return 0.0
    return float(np.sqrt((inside**2).mean()))


class _Fingerprint(NamedTuple):
    """Energies (nk, n), tensors (nk, *components) of observables, and the mean trace of the metric in Angstrom^2.

    extent, speed : how far orbitals are from the middle of a layer or chain, in Angstrom, and how fast its electrons are, in eV
        Angstrom (root mean square). curvature, of_bands, heights : weights of the curvature (nk, n, moments), trace of the
        metric (nk, n), and position across a layer or chain (nk, n, bounded), of bands.
    """

    energies: Array
    tensors: list[tuple[Observable, Array]]
    metric: float
    extent: float
    speed: float
    curvature: Array
    of_bands: Array
    heights: Array

    def upside_down(self, operation: Operation, here: Ints, there: Ints, model: Lattice) -> float:
        """By how much single bands are not where an operation takes them across a layer or chain, in units of the extent.

        Of bands that end at a cutoff, the middle half.
        """
        turned = self.heights[here] @ operation.rotation[np.ix_(model.bounded, model.bounded)].T
        change = np.linalg.norm(self.heights[there] - turned, axis=2)
        n = change.shape[1]
        return float((change if model.default_points is None else change[:, n // 4 : n - n // 4]).max()) / self.extent

    def scale(self, observable: Observable) -> float | None:
        """The size that changes of a tensor are measured by; None for one that is measured by itself."""
        if observable.name == HEIGHT.name:
            return float(self.extent * self.energies.shape[1] / 2)
        if observable.name == LATERAL_MOMENT.name:
            return float(self.extent * self.speed * self.energies.shape[1] / 2)
        if observable.name == LATERAL.name:
            return self.extent * max(self.metric, MEASURED.least_extent**2)  # one orbital on a screw has no metric
        return self.metric if observable.kind == "curvature" else None


def _fingerprint(model: Lattice, k: Array, middle: float, width: float) -> _Fingerprint:
    """What operations are tested with at k (nk, 3), filled smoothly up to `middle` with `width` (eV).

    Curvature is odd under time reversal and even under inversion; responses are odd under either and even under both. What
    turns a layer upside down and leaves k where it is shows in where the electrons are along the normal, or, where inversion x
    time reversal hides that, in the moments in the plane. Moments are to chains what the curvature is to layers.
    """
    names = ["berry_curvature", "interband"] if model.moments else []
    names += ["spin"] if model.has_spin and model.axes else []
    observables = [o for o in map(get, names) if isinstance(o, Observable)]
    observables += [HEIGHT, LATERAL, LATERAL_MOMENT] if knows_across(model) else []
    observables += [o for o in [get("quantum_metric")] if isinstance(o, Observable)]
    # noise splits what symmetry makes equal; in a model that is written down narrow gaps are real
    tol = MEASURED.same if model.is_fitted else default_tol(model)
    bands, weights = evaluate_at(model, observables, k, Degeneracy(tol))
    f = fermi_function(bands.energies, middle, width)
    filled = unpacked(np.einsum("kn,knc->kc", f, weights), component_shapes(observables, model))
    metric = np.einsum("kaa->k", filled["quantum_metric"]).mean() if model.axes else 1.0
    tensors = [(o, filled[o.name]) for o in observables[:-1]]
    curvature = weights[:, :, : len(model.moments)]  # comes first, where there is one
    of_bands = (np.abs(bands.connections) ** 2).sum(axis=(1, 3))
    extent = max(_size(positions(bands)), MEASURED.least_extent) if knows_across(model) else 1.0
    speed = max(_size(bands.velocities), 1e-12) if model.axes else 1.0
    heights = bands.group_mean(height(bands)) if knows_across(model) else np.zeros((len(k), 0))
    return _Fingerprint(bands.energies, tensors, max(float(metric), 1e-12), extent, speed, curvature, of_bands, heights)


def _size(X: NDArray[np.complex128]) -> float:
    """Root mean square over the states of vectors of operators (nk, components, n, n)."""
    return float(np.sqrt((np.abs(X) ** 2).sum(axis=(1, 3)).mean()))


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
