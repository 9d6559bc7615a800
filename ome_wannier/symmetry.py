"""Magnetic point-group operations that a Hamiltonian obeys.

Candidates are the point operations of the structure (spglib), or of the bare lattice where no atoms are known, each with
and without time reversal. A candidate holds if it maps band energies, Berry curvatures and the responses of single k
points, at random k points, onto those at the transformed points.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .calculators import Observable, get
from .calculators.base import component_axes, evaluate
from .degeneracy import Degeneracy
from .errors import AccuracyWarning, ModelError, SettingsError
from .model import TightBinding
from .occupation import fermi_function
from .planewaves import PlaneWaves
from .pointgroup import EXACT_TOL, SYMMETRY_TOL, Operation, fitted, from_fractional, generated, largest_group, on_reciprocal
from .sparse import SparseTightBinding
from .tensors import transform

Array = NDArray[np.float64]
Lattice = TightBinding | PlaneWaves | SparseTightBinding

#: responses below this, in units of the metric to the power 3/2, are zero and decide nothing
RESPONSE_FLOOR = 1e-6
N_POINTS = 4


def tolerance(model: Lattice, tol: float | None = None) -> float:
    """The tolerance in eV that operations of this model are judged with: `tol`, or by default one for its kind.

    Wannier functions, which come with position matrix elements or atoms, obey the crystal's symmetries to some meV; what is
    written down as a model obeys its own to rounding, and a small field in it is no error.
    """
    if tol is not None:
        return tol
    wannier = isinstance(model, TightBinding) and (model.position is not None or model.structure is not None)
    return SYMMETRY_TOL if wannier else EXACT_TOL


def point_rotations(model: Lattice) -> list[Array]:
    """Cartesian rotation parts (3, 3) of the space group of the structure, or of the lattice where there is none."""
    import spglib

    if model.structure is not None:
        positions, numbers = np.array(model.structure.positions), list(model.structure.numbers)
    else:
        positions, numbers = np.zeros((1, 3)), [1]
    with warnings.catch_warnings():
        # spglib 2.7 warns of its own change of error handling, whichever is in use
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_symmetry((model.lattice.tolist(), positions.tolist(), numbers), symprec=1e-3)
    if dataset is None:
        raise ModelError("spglib finds no symmetry, not even the identity: do two atoms of the structure coincide?")
    reduced = list({r.tobytes(): r for r in dataset["rotations"]}.values())
    column = model.lattice.T
    rotations = fitted([column @ r @ np.linalg.inv(column) for r in reduced], model.lattice)
    plane = np.zeros(3, dtype=bool)
    plane[list(model.axes)] = True
    return [P for P in rotations if np.abs(P[np.ix_(plane, ~plane)]).max(initial=0) < 1e-6]


def operations(model: Lattice, seed: int = 7) -> list[Operation]:
    """All candidate operations with the measured violation, identity first."""
    rotations = sorted(point_rotations(model), key=lambda P: (-round(np.linalg.det(P)), -np.trace(P)))
    return measured(model, [Operation(P, s) for s in (1, -1) for P in rotations], seed)


def measured(model: Lattice, candidates: Sequence[Operation], seed: int = 7) -> list[Operation]:
    """The operations with what the Hamiltonian violates them by, at random k points."""
    k = np.random.default_rng(seed).uniform(-0.5, 0.5, (N_POINTS, 3)) * np.array(model.periodic)
    images = [g.time_reversal * k @ on_reciprocal(g.rotation, model.lattice).T for g in candidates]
    points = np.stack([k, *images]) * np.array(model.periodic)
    # operations that differ by inversion x time reversal meet at the same points
    distinct, where = np.unique(np.round(points.reshape(-1, 3), 9) + 0.0, axis=0, return_inverse=True)
    # filled up to the middle of the bands, over a tenth of their width
    e = np.linalg.eigvalsh(model.matrices(k, 0).H)
    middle, width = float(np.median(e)), max(float(np.ptp(e)) / 10, 1e-3)
    parts = [_fingerprint(model, q, middle, width) for q in np.array_split(distinct, -(-len(distinct) // _together(model)))]
    tensors = [
        (parts[0].tensors[i][0], np.concatenate([p.tensors[i][1] for p in parts])) for i in range(len(parts[0].tensors))
    ]
    found = _Fingerprint(
        np.concatenate([p.energies for p in parts]), tensors, float(np.mean([p.metric for p in parts]))
    )
    where = where.reshape(points.shape[:2])
    return [_compared(g, found, where[0], where[1 + i], model) for i, g in enumerate(candidates)]


def _together(model: Lattice) -> int:
    """Points that are tested at once: as many as some 64 MiB hold with 60 matrices each."""
    return max(1, 2**22 // (60 * model.n_orbitals**2))


def _compared(
    operation: Operation, found: _Fingerprint, here: NDArray[np.int64], there: NDArray[np.int64], model: Lattice
) -> Operation:
    """The operation with what it changes between points `here` and their images `there`."""
    along = component_axes(model.axes, model.moments)
    violation = float(np.abs(found.energies[there] - found.energies[here]).max())
    mismatch = {"curvature": 0.0, "alpha": 0.0}
    for observable, value in found.tensors:
        change = value[there] - transform(value[here], observable, operation, along)
        size, change_size = (np.linalg.norm(x.reshape(len(here), -1), axis=1) for x in (value[here], change))
        if observable.kind == "curvature":
            mismatch["curvature"] = float(np.sqrt((change**2).mean())) / found.metric
        elif np.median(size) > RESPONSE_FLOOR * found.metric**1.5:
            mismatch["alpha"] = max(mismatch["alpha"], float(np.median(change_size / size)))
    return replace(
        operation, violation=violation, curvature_mismatch=mismatch["curvature"], response_mismatch=mismatch["alpha"]
    )


class _Fingerprint(NamedTuple):
    """Energies (nk, n), tensors (nk, *components) of observables, and the mean trace of the metric in Angstrom^2."""

    energies: Array
    tensors: list[tuple[Observable, Array]]
    metric: float


def _fingerprint(model: Lattice, k: Array, middle: float, width: float) -> _Fingerprint:
    """What operations are tested with at k (nk, 3), filled smoothly up to `middle` with `width` (eV).

    Curvature is odd under time reversal and even under inversion; responses are odd under either and even under both.
    """
    bands = Bands(model, k, degeneracy=Degeneracy(1e-3))
    e = bands.energies
    f = fermi_function(e, middle, width)

    def filled(observable: str) -> Array:
        found = get(observable)
        assert isinstance(found, Observable)
        return np.asarray(np.einsum("kn,kn...->k...", f, evaluate(found, bands)))

    names = ["berry_curvature", "interband"] if model.moments else []
    names += ["spin"] if model.has_spin and model.axes else []
    tensors = []
    for name in names:
        observable = get(name)
        assert isinstance(observable, Observable)
        tensors.append((observable, filled(name)))
    metric = np.einsum("kaa->k", filled("quantum_metric")).mean() if model.axes else 1.0
    return _Fingerprint(e, tensors, max(float(metric), 1e-12))


#: with symmetry="auto", operations of the atoms that miss the tolerance by less than this factor, with and without time
#: reversal, are reported: magnetism, which breaks them on purpose, most often does so by more
NEAR = 3.0

#: what the argument `symmetry` of compute may be
REMEDY = 'give "auto", "off", a list of symmetry.Operation, or the dataset of spglib.get_magnetic_symmetry_dataset'


def group_of(model: Lattice, asked: Any = "auto", tol: float | None = None) -> list[Operation]:
    """The group of operations that the Hamiltonian obeys within `tolerance(model, tol)`, identity first.

    asked : "auto", for the operations of the atoms or the lattice, with and without time reversal ("off" is the same, without
        a word about those that fail); or operations that generate the group: a sequence of `Operation`, or an object (or
        dict) with `rotations`, in units of the lattice vectors, and `time_reversals`, such as spglib's magnetic datasets.

    Raises
    ------
    SettingsError : what is no symmetry of the lattice or cannot be understood.

    Warns
    -----
    AccuracyWarning : an operation that was asked for, or one of the atoms that misses the tolerance by little, is dropped.
    """
    limit = tolerance(model, tol)
    searched = isinstance(asked, str) and asked in ("auto", "off")
    found = operations(model) if searched else measured(model, _given(model, asked))
    group = largest_group([g for g in found if g.holds(limit)], model.lattice)
    kept = {id(g) for g in group}
    dropped = [g for g in found if id(g) not in kept]
    if searched:
        held = [g.rotation for g in group]
        lost = (g for g in dropped if not any(np.abs(g.rotation - P).max() < 1e-6 for P in held))
        dropped = [g for g in lost if model.structure is not None and EXACT_TOL < limit < g.violation < NEAR * limit]
    if dropped and not (searched and asked == "off"):
        worst = max(dropped, key=lambda g: g.violation)
        names = ", ".join(g.name for g in dropped[:3]) + (f" and {len(dropped) - 3} more" if len(dropped) > 3 else "")
        warnings.warn(
            f"symmetry: dropped {names}: the Hamiltonian violates them by up to {worst.violation:.2g} eV (Berry curvature "
            f"{worst.curvature_mismatch:.2g}, response {worst.response_mismatch:.2g}); symmetry_tol is {limit:g} eV",
            AccuracyWarning,
            stacklevel=3,
        )
    return group


def _given(model: Lattice, asked: Any) -> list[Operation]:
    """The group that the operations asked for generate, rotations fitted to the lattice."""
    if isinstance(asked, str):
        raise SettingsError(f"symmetry is {asked!r}: {REMEDY}")
    if hasattr(asked, "rotations") and hasattr(asked, "time_reversals"):
        asked = from_fractional(asked.rotations, asked.time_reversals, model.lattice)
    elif isinstance(asked, Mapping) and {"rotations", "time_reversals"} <= asked.keys():
        asked = from_fractional(asked["rotations"], asked["time_reversals"], model.lattice)
    if not isinstance(asked, Sequence) or not asked or not all(isinstance(g, Operation) for g in asked):
        raise SettingsError(f"symmetry is {str(asked)[:60]!r}: {REMEDY}")
    group = generated(asked, model.lattice)
    rotations = fitted([g.rotation for g in group], model.lattice)
    plane = np.zeros(3, dtype=bool)
    plane[list(model.axes)] = True
    if any(np.abs(P[np.ix_(plane, ~plane)]).max(initial=0) > 1e-6 for P in rotations):
        raise SettingsError("symmetry: these operations turn the periodic directions out of their plane or line")
    return [Operation(P, g.time_reversal) for P, g in zip(rotations, group, strict=True)]
