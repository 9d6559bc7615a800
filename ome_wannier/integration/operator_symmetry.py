"""Which symmetries of a Hamiltonian an operator obeys: the occupation of one of two layers, for one, not what swaps them.

Expectation values and responses of bands at random k points and at their images tell, as for the Hamiltonian itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..bands.degeneracy import Degeneracy, default_tol
from ..calculators.operators import calculators_of
from ..calculators.quantity import Observable
from ..calculators.weights import component_axes, component_shapes, evaluate_at, unpacked
from ..models.base import Lattice, Model, has_zone
from ..models.operators import Operator
from ..symmetry.operations import Operation, largest_group, on_reciprocal
from ..symmetry.tensors import transform
from .hamiltonian_symmetry import NOISE, Group
from .symmetry_violations import SAMPLE

Array = NDArray[np.float64]

#: share of the mean size that rounding may change a weight by
ROUNDING = 1e-6


def obeyed(group: Group, model: Model, observables: Sequence[Observable]) -> tuple[Group, str]:
    """The operations of a group that the operators obey whose calculators are asked for, and which of these are why others do
    not count, in words."""
    names = {o.name for o in observables}
    asked = [o for o in model.operators if names & {c.name for c in calculators_of(o)}]
    if not asked or not has_zone(model) or len(group.operations) == 1:
        return group, ""
    kept, why = list(group.operations), []
    for operator in asked:
        violations = dict(zip(map(id, group.operations), _violations(operator, model, group.operations), strict=True))
        held = [g for g in kept if violations[id(g)] <= (ROUNDING if g in group.exact else NOISE.curvature_tol)]
        if len(held) < len(kept):
            why.append(operator.name)
        kept = held
    if not why:
        return group, ""
    operations = largest_group(kept, model.lattice)
    exact = largest_group([g for g in kept if g in group.exact], model.lattice)
    said = f"{', '.join(why)}: operations that do not take it to itself, by its declared parities, are not used"
    return group._replace(operations=operations, exact=exact), said


def _violations(operator: Operator, model: Lattice, operations: Sequence[Operation], seed: int = 11) -> list[float]:
    """By what share of the mean size weights of an operator at images are not what the operations make of them."""
    tested = calculators_of(operator)[:2]
    k = np.round(np.random.default_rng(seed).uniform(-0.5, 0.5, (SAMPLE.n_points, 3)), 6) * np.array(model.periodic)
    along = component_axes(model.axes, model.moments)
    here = _weights(model, tested, k)
    sizes = [max(float(np.abs(x).mean()), np.finfo(float).tiny) for x in here]
    out = []
    for g in operations:
        there = _weights(model, tested, g.time_reversal * k @ on_reciprocal(g.rotation, model.lattice).T)
        changes = (np.abs(y - transform(x, o, g, along)).max() for x, y, o in zip(here, there, tested, strict=True))
        out.append(max(change / size for change, size in zip(changes, sizes, strict=True)))
    return out


def _weights(model: Lattice, observables: Sequence[Observable], k: Array) -> list[Array]:
    """Weights (nk, n, *components) of bands; levels that noise may have split count as one."""
    tol = SAMPLE.same if model.is_fitted else default_tol(model)
    _, weights = evaluate_at(model, observables, k, Degeneracy(tol))
    return list(unpacked(weights, component_shapes(observables, model)).values())
