"""Integrals over the zone that have the symmetry of the Hamiltonian, from as few points as it allows.

Models that are written down have their symmetries to rounding: their irreducible points give what all points give. Wannier
functions obey a crystal's symmetry to some meV. To first order, averages over whole stars do not feel that in the elements that
symmetry allows, but the irreducible points alone do, and where the sum over the zone cancels they may give another number.
The difference between all points and the irreducible ones is therefore summed on a coarse mesh first. If its sub-meshes agree
about it well enough, it is added to the sum over the irreducible points of the mesh; else all points are summed, and the result
is symmetrised. What symmetry forbids is zero, and what there was of it an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .calculators import Calculator, GapTerm, Observable
from .calculators.base import component_axes
from .checkpoint import Checkpoint
from .degeneracy import Degeneracy
from .irreducible import IrreducibleMesh
from .kmesh import KMesh
from .occupation import Occupation
from .planewaves import PlaneWaves
from .pointgroup import EXACT_TOL, Operation
from .result import combine
from .sums import BLOCKS, Lattice, Points, Sums, mesh_sums
from .tensors import applied, projector

Array = NDArray[np.float64]
Values = dict[str, Array]
Change = Callable[[Values], Values]

#: points of the coarse mesh per irreducible point, about, and blocks that it is summed in
SHARE, COARSE_BLOCKS = 0.1, 8
#: points along each direction of a coarse mesh, at least
LEAST = 4
#: part of all points beyond which the irreducible and the coarse ones together are not worth the loss of accuracy
WORTH = 0.4
#: part of a response that the coarse mesh may leave open, root mean square over elements, Fermi levels and temperatures
OPEN = 0.01


class Rest(NamedTuple):
    """What remains of the difference between raw sums and what is reported, by observable.

    parts : on the sub-meshes of the coarse mesh, or of the whole mesh itself; shares : sub-meshes that each stands for.
    coarse, fine : sums over the irreducible points of the coarse mesh and of the mesh, before symmetrisation; or none.
    """

    parts: list[Values]
    shares: tuple[int, ...]
    coarse: Values
    fine: Values

    def error(self, calculator: Calculator) -> Array:
        """What is to be expected of it (nf, nT, *components) on the mesh.

        A coarse mesh has few states at a given Fermi level, perhaps none. What is left there (root mean square over the
        sub-meshes) is therefore joined, in quadrature, with what the sum over the irreducible points of the fine mesh makes
        expect: that sum, root mean square over the components, times the ratio of both over all Fermi levels.
        """
        change = _mean_square(calculator, self.parts, self.shares)
        if not self.fine:
            return np.asarray(np.sqrt(change))
        whole = _size(calculator, self.coarse).sum(axis=0)
        ratio = np.divide(change.sum(axis=0), whole, out=np.zeros(change.shape[1:]), where=whole > 0)
        return np.asarray(np.sqrt(change + ratio * _size(calculator, self.fine)))


class Symmetric(NamedTuple):
    """Sums with the symmetry of a group, the points that they were taken over, what remains, and how it was found."""

    sums: Sums
    points: Points
    rest: Rest | None
    how: str


def symmetric_sums(
    model: Lattice,
    wanted: Sequence[Calculator],
    observables: Sequence[Observable],
    left: IrreducibleMesh,
    group: Sequence[Operation],
    occupation: Occupation,
    *,
    trusted: bool,
    memory: int,
    degeneracy: Degeneracy,
    progress: bool,
    executor: Executor | None = None,
    checkpoint: Callable[[Points], Checkpoint | None] = lambda points: None,
) -> Symmetric:
    """The sums of `mesh_sums`, symmetrised, over the irreducible points `left` or, where they do not do, over the whole mesh.

    Sub-meshes are symmetrised by the operations that map the mesh onto itself, the whole by all of the group.

    trusted : whether the irreducible points have to do, as those of operations that were asked for.
    """

    def summed(over: Points, kept: Checkpoint | None = None, most_blocks: int = BLOCKS) -> Sums:
        return mesh_sums(
            model, observables, over, occupation, memory=memory, degeneracy=degeneracy,
            progress=progress, executor=executor, checkpoint=kept, most_blocks=most_blocks,
        )  # fmt: skip

    on_mesh = _symmetriser(model, observables, left.operations)
    whole = _symmetriser(model, observables, group)
    if exact(model, group) or not observables:
        sums = summed(left, checkpoint(left))
        return Symmetric(sums._replace(full=whole(sums.full), parts=list(map(on_mesh, sums.parts))), left, None, "")
    coarse = coarse_mesh(left)
    if trusted or len(left) + len(coarse) < WORTH * len(left.mesh):
        few = IrreducibleMesh.of(coarse, group, model.lattice, model.periodic)
        every, kept = (summed(p, most_blocks=COARSE_BLOCKS) for p in (coarse, few))
        difference = _Difference.of(every, kept, few, on_mesh, whole)
        if trusted or all(difference.open(c, on_mesh) < OPEN for c in wanted if not isinstance(c, GapTerm)):
            sums = summed(left, checkpoint(left))
            full, *parts = (_plus(v, difference.correction) for v in (whole(sums.full), *map(on_mesh, sums.parts)))
            rest = Rest(difference.rest, few.shares, difference.few, sums.full)
            how = f"what {coarse.size} points leave open about the difference of all points to irreducible ones"
            return Symmetric(sums._replace(full=full, parts=parts), left, rest, how)
    sums = summed(left.mesh, checkpoint(left.mesh))
    full, shares = whole(sums.full), left.shares if sums.parts else sums.shares
    rest = Rest([_plus(sums.full, full, -1)], (1,), {}, {})
    parts = list(map(on_mesh, _joined(sums.parts, left)))
    return Symmetric(sums._replace(full=full, parts=parts, shares=shares), left.mesh, rest, "what symmetrisation removes")


class _Difference(NamedTuple):
    """All points minus irreducible ones, on a coarse mesh.

    correction : the share of the difference that symmetry allows. rest : what is left without it, by sub-meshes with their
    `shares`. every, few : sums over all points, symmetrised, and over the irreducible ones, not symmetrised.
    """

    correction: Values
    rest: list[Values]
    shares: tuple[int, ...]
    every: Values
    few: Values

    @classmethod
    def of(cls, every: Sums, few: Sums, points: IrreducibleMesh, on_mesh: Change, whole: Change) -> _Difference:
        """Of the sums over all points of a coarse mesh and over its irreducible ones."""
        correction = whole(_plus(every.full, few.full, -1))
        pairs = zip(_joined(every.parts, points), few.parts, strict=True) if few.parts else [(every.full, few.full)]
        rest = [_plus(_plus(raw, on_mesh(part), -1), correction, -1) for raw, part in pairs]
        return cls(correction, rest, points.shares, whole(every.full), few.full)

    def open(self, calculator: Calculator, on_mesh: Change) -> float:
        """The part of a response, in elements that symmetry allows, about which the sub-meshes disagree."""
        change = _mean_square(calculator, [on_mesh(part) for part in self.rest], self.shares).sum()
        value = (_combined(calculator, self.every) ** 2).sum()
        return float(np.sqrt(change / value)) if value > 0 else 0.0


def exact(model: Lattice, group: Sequence[Operation]) -> bool:
    """Whether the symmetries hold to rounding at all k: not on the border of the zone where plane waves are cut off."""
    return all(g.holds(EXACT_TOL) for g in group) and (len(group) == 1 or not isinstance(model, PlaneWaves))


def coarse_mesh(points: IrreducibleMesh) -> KMesh:
    """A mesh of even sizes in the proportions of this one, with `SHARE` as many points as are left of this one, about."""
    mesh = points.mesh
    dimension = sum(n > 1 for n in mesh.size)
    factor = (SHARE * len(points) / len(mesh)) ** (1 / max(dimension, 1))
    a, b, c = (min(n, max(LEAST, 2 * round(n * factor / 2))) for n in mesh.size)
    return KMesh((a, b, c), mesh.shift)


def _symmetriser(model: Lattice, observables: Sequence[Observable], operations: Sequence[Operation]) -> Change:
    """What symmetrises values by observable."""
    along = component_axes(model.axes, model.moments)
    of = {o.name: (projector(o, operations, along), len(o.dims)) for o in observables}
    return lambda values: {name: applied(matrix, values[name], rank) for name, (matrix, rank) in of.items()}


def _joined(parts: Sequence[Values], points: IrreducibleMesh) -> list[Values]:
    """Means of the values on the sub-meshes that share a histogram."""
    members = [np.flatnonzero(points.orbit == i).tolist() for i in range(len(points.shares))]
    return [{name: np.mean([parts[s][name] for s in of], axis=0) for name in parts[0]} for of in members] if parts else []


def _plus(a: Values, b: Values, sign: int = 1) -> Values:
    return {name: a[name] + sign * b[name] for name in a}


def _combined(calculator: Calculator, values: Values) -> Array:
    """The value of a calculator but for the Chern-Simons part, which symmetry fixes modulo a quantum only."""
    return combine(calculator, {"chern_simons": np.zeros(()), **values})


def _mean_square(calculator: Calculator, parts: Sequence[Values], shares: Sequence[int]) -> Array:
    squares = [n * _combined(calculator, part) ** 2 for n, part in zip(shares, parts, strict=True)]
    return np.asarray(sum(squares, np.zeros(())) / sum(shares))


def _size(calculator: Calculator, values: Values) -> Array:
    """Mean square (nf, nT, 1...) over the components."""
    value = _combined(calculator, values)
    return np.asarray((value**2).mean(axis=tuple(range(2, value.ndim)), keepdims=True))
