"""Magnetic point-group operations that a Hamiltonian obeys, and what they do to response tensors (physics.md section 9).

Candidates are the point operations of the structure (spglib), or of the bare lattice where no atoms are known, each with
and without time reversal. A candidate holds if it maps band energies, Berry curvatures and the responses of single k
points, at random k points, onto those at the transformed points.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .calculators import Observable, Term, get
from .calculators.base import component_axes, evaluate
from .errors import ModelError
from .model import TightBinding
from .occupation import fermi_function
from .planewaves import PlaneWaves
from .sparse import SparseTightBinding

Array = NDArray[np.float64]
Lattice = TightBinding | PlaneWaves | SparseTightBinding

#: largest change of an energy, in eV, at which an operation still counts as a symmetry of the Hamiltonian
SYMMETRY_TOL = 0.01
#: largest mismatch of Berry curvatures in units of the quantum metric, which bounds them; curvatures decide between operations
#: that act alike on energies. Wannier functions of good crystals give 0.01 to 0.03, operations that fail 0.1 to 0.3.
CURVATURE_TOL = 0.05
#: largest relative mismatch of the responses of single k points, which alone tell inversion x time reversal from either;
#: Wannier functions of good crystals give up to 0.1, operations that fail 1 to 2
RESPONSE_TOL = 0.5
#: of models whose symmetries hold to rounding, see `tolerance`: energies in eV, and the mismatches, above which
#: an operation fails; a potential of 1 meV must not pass for an error of 10 meV
EXACT_TOL, EXACT_MISMATCH = 1e-7, 1e-5
#: responses below this, in units of the metric to the power 3/2, are zero and decide nothing
RESPONSE_FLOOR = 1e-6
N_POINTS = 4
#: component dimensions that turn like a magnetic moment
AXIAL = ("moment", "spin_moment", "axis")


@dataclass(frozen=True)
class Operation:
    """A point operation, perhaps with time reversal, and how well a Hamiltonian obeys it.

    rotation : (3, 3) Cartesian, determinant +1 or -1.
    time_reversal : -1 if combined with time reversal, else +1.
    violation : largest change of a band energy in eV.
    curvature_mismatch : root mean square change of the Berry curvature over the trace of the quantum metric.
    response_mismatch : relative change of the intrinsic (orbital, or spin where known) response of single k points.
    """

    rotation: Array
    time_reversal: int
    violation: float
    curvature_mismatch: float
    response_mismatch: float = 0.0

    def holds(self, tol: float = SYMMETRY_TOL) -> bool:
        """Whether it counts as a symmetry; with a tolerance for exact models the tensors have to match exactly as well."""
        curvature, response = (EXACT_MISMATCH, EXACT_MISMATCH) if tol <= EXACT_TOL else (CURVATURE_TOL, RESPONSE_TOL)
        return self.violation <= tol and self.curvature_mismatch <= curvature and self.response_mismatch <= response

    @property
    def name(self) -> str:
        """Name such as "inversion", "3-fold rotation about z x time reversal"."""
        P, det = self.rotation, round(float(np.linalg.det(self.rotation)))
        proper = P * det
        angle = np.degrees(np.arccos(np.clip((np.trace(proper) - 1) / 2, -1, 1)))
        order = 1 if angle < 1 else round(360 / angle)
        w, v = np.linalg.eig(proper)
        axis = np.real(v[:, np.argmin(np.abs(w - 1))])
        axis = axis / axis[np.argmax(np.abs(axis))]
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
    rotations = [column @ r @ np.linalg.inv(column) for r in reduced]
    plane = np.zeros(3, dtype=bool)
    plane[list(model.axes)] = True
    return [P for P in rotations if np.abs(P[np.ix_(plane, ~plane)]).max(initial=0) < 1e-6]


def operations(model: Lattice, seed: int = 7) -> list[Operation]:
    """All candidate operations with the measured violation, identity first."""
    rotations = sorted(point_rotations(model), key=lambda P: (-round(np.linalg.det(P)), -np.trace(P)))
    k = np.random.default_rng(seed).uniform(-0.5, 0.5, (N_POINTS, 3)) * np.array(model.periodic)
    lattice = model.lattice
    # k in units of the reciprocal vectors: kappa = lattice @ k_cartesian / 2 pi
    maps = [lattice @ P @ np.linalg.inv(lattice) for P in rotations]
    images = np.stack([[s * k @ M.T for M in maps] for s in (1, -1)])
    points = np.concatenate([k[None], images.reshape(-1, N_POINTS, 3)])
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
    out = []
    for j, s in enumerate((1, -1)):
        for i, P in enumerate(rotations):
            at = 1 + j * len(rotations) + i
            out.append(_compared(Operation(P, s, 0.0, 0.0), found, where[0], where[at], model))
    return sorted(out, key=lambda o: o.time_reversal, reverse=True)


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
    bands = Bands(model, k, degeneracy_tol=1e-3)
    e = bands.energies
    f = fermi_function(e, middle, width)

    def filled(observable: str) -> Array:
        found = get(observable)
        assert isinstance(found, Observable)
        return np.asarray(np.einsum("kn,kn...->k...", f, evaluate(found, bands)))

    names = [["berry_curvature"], ["local_crossgap", "itinerant_crossgap"]] if model.moments else []
    tensors = []
    for parts in names + ([["spin"]] if model.has_spin and model.axes else []):
        first = get(parts[0])
        assert isinstance(first, Observable)
        tensors.append((first, sum((filled(p) for p in parts), np.zeros(()))))
    metric = np.einsum("kaa->k", filled("quantum_metric")).mean() if model.axes else 1.0
    return _Fingerprint(e, tensors, max(float(metric), 1e-12))


def transform(tensor: Array, observable: Term, operation: Operation, axes: dict[str, tuple[int, ...]]) -> Array:
    """A response tensor (..., *components) after an operation of the crystal.

    Axial indices ("moment", "spin_moment", "axis") and polar ones ("field", "position") turn with the rotation part; each
    axial one brings its determinant, and time reversal the parity of the observable.
    """
    P, det = operation.rotation, round(float(np.linalg.det(operation.rotation)))
    sign = observable.time_reversal if operation.time_reversal < 0 else 1
    first = tensor.ndim - len(observable.dims)
    for i, dim in enumerate(observable.dims):
        use = axes[dim]
        block = P[np.ix_(use, use)] * (det if dim in AXIAL else 1)
        tensor = np.moveaxis(np.tensordot(tensor, block, axes=(first + i, 1)), -1, first + i)
    return sign * tensor


def symmetrised(
    tensor: Array, observable: Term, group: Sequence[Operation], axes: dict[str, tuple[int, ...]]
) -> Array:
    """Mean of the tensor over a group of operations."""
    return sum((transform(tensor, observable, g, axes) for g in group), np.zeros_like(tensor)) / len(group)
