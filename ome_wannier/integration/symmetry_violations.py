"""By how much a Hamiltonian violates magnetic point-group operations, at random k points.

Between a point and its image band energies are compared, and what energies do not tell: Berry curvatures, responses of single
points, and of a layer or chain where its electrons are across it, and their moments (physics.md eq. 58).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bands.across import positions
from ..bands.degeneracy import Degeneracy, default_tol
from ..calculators.blocks import HEIGHT, LATERAL, LATERAL_MOMENT, knows_across
from ..calculators.layer import height, lateral_moment
from ..calculators.quantity import Observable
from ..calculators.registry import get
from ..calculators.weights import component_axes, evaluate_at, named
from ..models.base import Lattice
from ..symmetry.candidates import point_rotations
from ..symmetry.operations import Operation, on_reciprocal
from ..symmetry.tensors import transform
from .occupation.fermi import fermi_function

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SampleConstants:
    """Where violations are measured, and what is too small to be compared."""

    #: responses below this, in units of the metric to the power 3/2, are zero and decide nothing
    response_floor: float = 1e-6
    #: random k points that operations are measured at: in general, and of Wannier functions of known atoms; there are no more
    #: than so many of these (models that are built atom by atom hold their symmetries to rounding, or not at all)
    n_points: int = 4
    n_points_noisy: int = 16
    wannier: int = 300
    #: Angstrom; orbitals that are not farther from the middle of a layer are in its plane but for noise
    least_extent: float = 0.01
    #: eV; levels of Wannier functions that are no farther apart count as one
    same: float = 1e-3
    #: splitting of pairs of levels in units of the distance between pairs
    pairs: float = 0.2


SAMPLE = SampleConstants()


def operations(model: Lattice, seed: int = 7) -> list[Operation]:
    """All candidate operations with the measured violation: without time reversal, identity first, then the same with it."""
    rotations = sorted(point_rotations(model), key=lambda P: (-round(np.linalg.det(P)), -np.trace(P)))
    return measured(model, [Operation(P, s) for s in (1, -1) for P in rotations], seed)


def measured(model: Lattice, candidates: Sequence[Operation], seed: int = 7) -> list[Operation]:
    """The operations with what the Hamiltonian violates them by, at random k points."""
    noisy = model.is_fitted and model.structure is not None and model.n_orbitals <= SAMPLE.wannier
    n_points = SAMPLE.n_points_noisy if noisy else SAMPLE.n_points
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
    by_state = ((p.energies, p.curvature, p.of_bands, p.heights, p.lateral) for p in parts)
    energies, curvature, of_bands, heights, lateral = (np.concatenate(x) for x in zip(*by_state, strict=True))
    metric, extent, speed = (float(np.mean([getattr(p, name) for p in parts])) for name in ("metric", "extent", "speed"))
    found = _Fingerprint(energies, tensors, metric, extent, speed, curvature, of_bands, heights, lateral)
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
        elif np.median(size) > SAMPLE.response_floor * found.metric**1.5:
            mismatch["alpha"] = max(mismatch["alpha"], float(np.median(change_size / size)))
    band = 0.0
    if model.moments and model.default_points is None:  # bands of superlattices end at a cutoff, where they obey nothing
        curvature = get("berry_curvature")
        assert isinstance(curvature, Observable)
        turned = transform(found.curvature[here], curvature, operation, along)
        change = np.abs(found.curvature[there] - turned).max(axis=2)
        band = float((change / np.maximum(found.of_bands[here], 1e-12 * found.metric)).max())
    if found.heights.shape[2]:
        band = max(band, found.upside_down(operation, here, there, model), found.circulating(operation, here, there, model))
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
    if energies.shape[1] % 2 or energies.shape[1] < 4 or np.median(inside) > SAMPLE.pairs * np.median(between):
        return 0.0
    return float(np.sqrt((inside**2).mean()))


class _Fingerprint(NamedTuple):
    """Energies (nk, n), tensors (nk, *components) of observables, and the mean trace of the metric in Angstrom^2.

    extent, speed : how far orbitals are from the middle of a layer or chain, in Angstrom, and how fast its electrons are, in eV
        Angstrom (root mean square). curvature, of_bands, heights : weights of the curvature (nk, n, moments), trace of the
        metric (nk, n), position across a layer or chain (nk, n, bounded), and moments that need it (nk, n, lateral), of bands.
    """

    energies: Array
    tensors: list[tuple[Observable, Array]]
    metric: float
    extent: float
    speed: float
    curvature: Array
    of_bands: Array
    heights: Array
    lateral: Array

    def circulating(self, operation: Operation, here: Ints, there: Ints, model: Lattice) -> float:
        """The same of their moments, in units of the extent times the speed.

        In a full half of the bands the moments of a chiral tube cancel, as the flux through it changes next to no energy.
        """
        turned = transform(self.lateral[here], LATERAL_MOMENT, operation, component_axes(model.axes, model.moments))
        return self._largest(self.lateral[there] - turned, model) / (self.extent * self.speed)

    def upside_down(self, operation: Operation, here: Ints, there: Ints, model: Lattice) -> float:
        """By how much single bands are not where an operation takes them across a layer or chain, in units of the extent."""
        turned = self.heights[here] @ operation.rotation[np.ix_(model.bounded, model.bounded)].T
        return self._largest(self.heights[there] - turned, model) / self.extent

    def _largest(self, change: Array, model: Lattice) -> float:
        """The largest change of a vector (nk, n, c) of a band; of bands that end at a cutoff, of the middle half."""
        size, n = np.linalg.norm(change, axis=2), change.shape[1]
        return float((size if model.default_points is None else size[:, n // 4 : n - n // 4]).max())

    def scale(self, observable: Observable) -> float | None:
        """The size that changes of a tensor are measured by; None for one that is measured by itself."""
        if observable.name == HEIGHT.name:
            return float(self.extent * self.energies.shape[1] / 2)
        if observable.name == LATERAL_MOMENT.name:
            return float(self.extent * self.speed * self.energies.shape[1] / 2)
        if observable.name == LATERAL.name:
            return self.extent * max(self.metric, SAMPLE.least_extent**2)  # one orbital on a screw has no metric
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
    tol = SAMPLE.same if model.is_fitted else default_tol(model)
    bands, weights = evaluate_at(model, observables, k, Degeneracy(tol))
    f = fermi_function(bands.energies, middle, width)
    filled = named(np.einsum("kn,knc->kc", f, weights), observables, model)
    metric = np.einsum("kaa->k", filled["quantum_metric"]).mean() if model.axes else 1.0
    tensors = [(o, filled[o.name]) for o in observables[:-1]]
    curvature = weights[:, :, : len(model.moments)]  # comes first, where there is one
    of_bands = (np.abs(bands.connections) ** 2).sum(axis=(1, 3))
    extent = max(_size(positions(bands)), SAMPLE.least_extent) if knows_across(model) else 1.0
    speed = max(_size(bands.velocities), 1e-12) if model.axes else 1.0
    none = np.zeros((*bands.energies.shape, 0))
    heights, lateral = (bands.group_mean(f(bands)) if knows_across(model) else none for f in (height, lateral_moment))
    return _Fingerprint(
        bands.energies, tensors, max(float(metric), 1e-12), extent, speed, curvature, of_bands, heights, lateral
    )


def _size(X: NDArray[np.complex128]) -> float:
    """Root mean square over the states of vectors of operators (nk, components, n, n)."""
    return float(np.sqrt((np.abs(X) ** 2).sum(axis=(1, 3)).mean()))
