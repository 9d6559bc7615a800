"""Magnetic point-group operations that a Hamiltonian obeys, and what they do to response tensors (physics.md section 9).

Candidates are the point operations of the structure (spglib), or of the bare lattice where no atoms are known, each with
and without time reversal. A candidate holds if it maps band energies, and Berry curvatures, at random k points onto those
at the transformed points.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .calculators import Term
from .calculators.geometry import berry_curvature, quantum_metric
from .errors import ModelError
from .model import TightBinding
from .occupation import fermi_function

Array = NDArray[np.float64]

#: largest change of an energy, in eV, at which an operation still counts as a symmetry of the Hamiltonian
SYMMETRY_TOL = 0.01
#: largest mismatch of Berry curvatures in units of the quantum metric, which bounds them; curvatures decide between operations
#: that act alike on energies. Wannier functions of good crystals give 0.01 to 0.03, operations that fail 0.1 to 0.3.
CURVATURE_TOL = 0.05
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
    """

    rotation: Array
    time_reversal: int
    violation: float
    curvature_mismatch: float

    def holds(self, tol: float = SYMMETRY_TOL) -> bool:
        """Whether it counts as a symmetry."""
        return self.violation <= tol and self.curvature_mismatch <= CURVATURE_TOL

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


def point_rotations(model: TightBinding) -> list[Array]:
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


def operations(model: TightBinding, seed: int = 7) -> list[Operation]:
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
    energies, curvature, metric = _fingerprint(model, distinct)
    where = where.reshape(points.shape[:2])
    energies, curvature = energies[where], curvature[where]
    out = []
    for j, s in enumerate((1, -1)):
        for i, P in enumerate(rotations):
            at = 1 + j * len(rotations) + i
            violation = float(np.abs(energies[at] - energies[0]).max())
            axial = s * np.linalg.det(P) * P[np.ix_(model.moments, model.moments)]
            change = curvature[at] - curvature[0] @ axial.T
            mismatch = float(np.sqrt((change**2).mean())) / metric if change.size else 0.0
            out.append(Operation(P, s, violation, mismatch))
    return sorted(out, key=lambda o: o.time_reversal, reverse=True)


def _fingerprint(model: TightBinding, k: Array) -> tuple[Array, Array, float]:
    """Energies (nk, n), Berry curvature of the lower bands (nk, moments), and the mean trace of their metric, at k (nk, 3).

    Both are filled smoothly up to the middle of the bands.
    """
    bands = Bands(model, k, degeneracy_tol=1e-3)
    e = bands.energies
    mu, width = np.median(e), max(float(np.ptp(e)) / 10, 1e-3)
    f = fermi_function(e, float(mu), width)
    curvature = np.zeros((len(e), 0))
    if model.moments:
        curvature = np.einsum("kn,kni->ki", f, bands.group_mean(berry_curvature(bands)))
    metric = np.einsum("kn,knaa->k", f, bands.group_mean(quantum_metric(bands))).mean() if model.axes else 1.0
    return e, curvature, max(float(metric), 1e-12)


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
