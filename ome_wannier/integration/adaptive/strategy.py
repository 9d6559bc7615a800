"""Integrals over the Brillouin zone that converge by themselves to a relative tolerance (see `tolerance`), over cells.

One strategy serves all temperatures, levels and quantities. Others are faster where they fit, such as uniform meshes whose
sums converge exponentially; but what a few nested meshes say about their own error was wrong wherever all of them missed the
same narrow Fermi surface.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...bands.degeneracy import decided
from ...calculators.blocks import only_helps
from ...calculators.quantity import Combination, without_shares
from ...calculators.registry import first_observable
from ...calculators.weights import component_axes
from ...models.base import has_zone
from ...symmetry.operations import Operation
from ...symmetry.tensors import projector, symmetrised
from ..hamiltonian_symmetry import Group
from ..integral import Goal, Integral, Request
from ..kpoints.chosen import default_mesh
from ..tolerance import Columns, Errors, Limit, about
from . import cells
from . import refine as adaptive
from .constants import ADAPTIVE
from .cubature import rule
from .states import CellJob
from .uniform import instead_of_cells, points_at_least

Array = NDArray[np.float64]


def over_zone(request: Request, goal: Goal) -> Integral:
    """Integrals over the zone, cut into cells some points of the default mesh wide to begin with."""
    began = time.monotonic()
    deadline = None if goal.max_time is None else began + goal.max_time
    integrand, group = request.integrand, request.group
    model = integrand.model
    assert has_zone(model)
    columns = Columns.of(request)
    job = CellJob(integrand, columns.mix, rule(model.dimension), request.resources.memory)
    job.check_memory()
    free, left = (_allowed(request, g) for g in (group.exact, group.operations))
    quantity = _quantities(request)[columns.owner]
    removed = free & ~np.isin(quantity, quantity[left])
    # a tolerance is of the largest element of a block or, if noisy symmetries leave nothing of it, of the quantity
    owner = np.where(np.isin(columns.owner, columns.owner[left]), columns.owner, quantity)
    helping = np.isin(columns.owner, [i for i, c in enumerate(request.calculators) if only_helps(c)])
    limit = Limit(owner, free, removed | helping, len(integrand.occupation.temperature), goal.rtol)
    points = goal.max_points
    if deadline is not None:
        points = min(points, int(ADAPTIVE.first * (deadline - time.monotonic()) / cells.pace(job)))
    size = [-(-n // ADAPTIVE.points_per_cell) for n, p in zip(default_mesh(model).size, model.periodic, strict=True) if p]
    half = _inverts(group, model.axes)
    starts = [cells.base_cells([-(-n // 2**power) for n in size], half) for power in range(ADAPTIVE.coarser + 1)]
    fitting = [start for start in starts if len(start.half) * len(job.rule.nodes) <= points]
    start = fitting[0] if fitting else starts[-1]
    budget = adaptive.Budget(goal.max_points, deadline, points_at_least(request))
    refined = adaptive.refine(job, start, limit, budget, request.resources)
    nothing = frozenset(
        c.name for i, c in enumerate(request.calculators) if limit.removed[columns.owner == i].any() and not only_helps(c)
    )
    norm = model.spin_degeneracy / model.cell * (2 if half else 1)
    if refined.left:
        return instead_of_cells(request, goal, limit, nothing, refined, norm)
    return _report(request, goal, columns, limit, nothing, refined, norm)


def _quantities(request: Request) -> NDArray[np.int64]:
    """The number of the quantity that each calculator is, or is a block of."""
    names = [c.name if only_helps(c) or not isinstance(c, Combination) else c.of or c.name for c in request.calculators]
    return np.array([names.index(name) for name in names])


def _inverts(group: Group, axes: Sequence[int]) -> bool:
    """Whether half the zone does: whether an operation that holds to rounding, or was given, maps k to -k."""
    inside = np.ix_(axes, axes)
    return any(np.allclose(g.time_reversal * g.rotation[inside], -np.eye(len(axes)), atol=1e-6) for g in group.exact)


def _symmetric(request: Request, values: dict[str, Array], operations: Sequence[Operation]) -> dict[str, Array]:
    """Means of the quantities over operations."""
    along = component_axes(request.integrand.model.axes, request.integrand.model.moments)
    return {c.name: symmetrised(values[c.name], first_observable(c), operations, along) for c in request.calculators}


def _allowed(request: Request, operations: Sequence[Operation]) -> NDArray[np.bool_]:
    """(columns,) which elements of all quantities operations leave."""
    along = component_axes(request.integrand.model.axes, request.integrand.model.moments)
    return np.concatenate([projector(first_observable(c), operations, along).any(axis=1) for c in request.calculators])


def _report(
    request: Request,
    goal: Goal,
    columns: Columns,
    limit: Limit,
    removed: frozenset[str],
    found: adaptive.Refined,
    norm: float,
) -> Integral:
    """The result of sums over the zone (of volume 1), or half of it, before symmetrisation."""
    group, occupation, part = request.group, request.integrand.occupation, found.part
    raw, errors, limits, converged, doubt = (
        columns.unpack(x * norm, occupation)
        for x in (part.value, np.where(limit.free, found.error, 0.0), limit(part), limit.converged(part), part.doubt)
    )
    raw, stay = _symmetric(request, raw, group.exact), _symmetric(request, doubt, group.exact)
    stay = {name: np.abs(x) for name, x in stay.items()}
    # noise is no news where symmetry removes it, unless it may be what breaks that symmetry
    operations = group.exact if request.integrand.degeneracy.splits_pairs else group.operations
    decisive = {name: np.abs(x) for name, x in _symmetric(request, doubt, operations).items()}
    zone = "half of the zone" if _inverts(group, request.integrand.model.axes) else "the zone"
    estimate = "differences of cubature rules, Fermi surfaces that may pass between the points, and levels in doubt"
    attrs = {
        "kmesh": f"adaptive: {found.cells} cells in {zone}, down to 1/{round(0.5 / found.finest)} of a reciprocal vector",
        "error_estimate": estimate + (", plus what symmetrisation changes" if group.noisy else ""),
        "widest_degenerate_group_eV": found.widest_group,
        "levels_in_doubt": decided(raw, errors, without_shares(decisive), goal.rtol),
        **occupation.about(),
    }
    result = Integral(raw, {name: x + stay[name] for name, x in errors.items()}, {}, attrs)
    if group.noisy:
        result = result.imposed(_symmetric(request, raw, group.operations))
        # what cubature leaves of it is no sign of noise
        stay = {n: x + np.maximum(abs(raw[n] - result.values[n]) - errors[n], 0.0) for n, x in stay.items()}
    record = about(Errors(errors, stay, limits, converged, removed), request, goal, found.points)
    return result._replace(attrs=attrs | record)
