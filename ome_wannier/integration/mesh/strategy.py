"""Integrals on a uniform mesh, with their errors.

Operations that hold to rounding, or were given, leave fewer points to sum. Wannier functions obey the others of their crystal
to some meV. To first order, averages over whole stars do not feel that in the elements that symmetry allows, but single points
of the stars do: all points are summed, and what symmetrisation then changes is an error, the whole of what is forbidden.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...bands.degeneracy import decided
from ...calculators.quantity import Combination, without_shares
from ...calculators.registry import Calculator, combine, first_observable, shown
from ...calculators.weights import component_axes
from ...common.errors import warn
from ...common.version import __version__
from ...models.base import has_zone
from ...symmetry.operations import Operation
from ...symmetry.tensors import applied, projector
from ..chern_simons import chern_simons
from ..integral import Integral, Integrand, Request
from ..kpoints.chosen import Points, points_of
from ..kpoints.irreducible import IrreducibleMesh
from ..kpoints.mesh import KMesh
from .checkpoint import Checkpoint, digest
from .constants import MESH
from .sums import MeshSums, mesh_sums

Array = NDArray[np.float64]
Values = dict[str, Array]


def over_mesh(request: Request, mesh: KMesh) -> Integral:
    """Integrals over the mesh; warns of what it does not resolve."""
    found, sums = summed(request, mesh)
    _warn_of_untested(mesh, request.integrand.model.periodic)
    if sums.unseen:
        _warn_of_coarse(request, mesh, sums, found.values)
    return found


def summed(request: Request, mesh: KMesh) -> tuple[Integral, MeshSums]:
    """Integrals over the mesh, or the points of it that symmetry leaves, and the sums that they are made of.

    Their errors are deviations of sub-meshes, what the points may miss, what levels in doubt change, and what operations do
    that hold but for noise.
    """
    integrand, group, wanted = request.integrand, request.group, request.calculators
    assert has_zone(integrand.model)
    points = points_of(integrand.model, mesh, group.exact)
    sums = mesh_sums(integrand, points, request.resources, _checkpoint(request, points))
    if isinstance(points, IrreducibleMesh):  # sub-meshes have the symmetry of the mesh
        parts = [_symmetric(part, integrand, points.operations) for part in sums.parts]
        sums = sums._replace(full=_symmetric(sums.full, integrand, group.exact), parts=parts)
    sums, about = _with_gap_terms(request, mesh, sums) if request.gap_terms else (sums, {})
    values = {c.name: combine(c, sums.full) for c in wanted}
    errors = {c.name: _deviation(values[c.name], c, sums) for c in wanted}
    if sums.unseen:
        errors = {c.name: errors[c.name] + _missed(c, integrand, sums, group.exact) for c in wanted}
    changes, left = ({c.name: np.abs(x) for c, x in _doubts(request, sums, g)} for g in (group.exact, group.operations))
    decisive = changes if integrand.degeneracy.splits_pairs else left  # noise is no news where symmetry removes it
    attrs = {
        "kmesh": repr(mesh),
        "irreducible_points": len(points),
        "error_estimate": _estimate(mesh, sums, group.noisy),
        "widest_degenerate_group_eV": sums.widest_group,
        "energy_step_widths": sums.coarsest,
        "levels_in_doubt": decided(values, errors, without_shares(decisive), MESH.worth),
    }
    errors = {name: error + changes.get(name, 0.0) for name, error in errors.items()}
    found = Integral(values, errors, {}, attrs | integrand.occupation.about() | about)
    if not group.noisy:
        return found, sums
    symmetric = _symmetric(sums.full, integrand, group.operations)
    return found.imposed({c.name: combine(c, symmetric) for c in wanted}), sums


def _checkpoint(request: Request, points: Points) -> Checkpoint | None:
    """The file that the sum is kept in, if one was asked for."""
    given = request.resources
    if given.checkpoint is None:
        return None
    return Checkpoint(given.checkpoint, digest(request.integrand, points, __version__), given.resume)


def _symmetric(values: Values, integrand: Integrand, operations: Sequence[Operation]) -> Values:
    """Means over operations of values by observable; not of a Chern-Simons part, which symmetry fixes modulo a quantum only."""
    along = component_axes(integrand.model.axes, integrand.model.moments)
    turned = {o.name: applied(projector(o, operations, along), values[o.name], len(o.dims)) for o in integrand.observables}
    return values | turned


def _doubts(request: Request, sums: MeshSums, operations: Sequence[Operation]) -> list[tuple[Calculator, Array]]:
    """What levels in doubt change of the quantities, as operations leave it; nothing where none are."""
    if not sums.doubt:
        return []
    doubt = {"chern_simons": np.zeros(()), **_symmetric(sums.doubt, request.integrand, operations)}
    return [(c, combine(c, doubt)) for c in request.calculators]


def _with_gap_terms(request: Request, mesh: KMesh, sums: MeshSums) -> tuple[MeshSums, dict[str, object]]:
    """The same with the Chern-Simons part, and what to record of it."""
    model, occupation = request.integrand.model, request.integrand.occupation
    assert has_zone(model)
    fine, coarse, about = chern_simons(model, mesh, occupation.fermi, request.trial)
    shape = (len(occupation.fermi), len(occupation.temperature), 3, 3)

    def added(values: Values, tensor: Array) -> Values:
        return values | {"chern_simons": np.broadcast_to(tensor[:, None], shape).copy()}

    return sums._replace(full=added(sums.full, fine), parts=[added(part, coarse) for part in sums.parts]), about


def _estimate(mesh: KMesh, sums: MeshSums, noisy: bool) -> str:
    """What the errors are, in words."""
    if not sums.parts:
        return "none: the mesh has no sub-mesh (use even numbers)"
    error = f"deviation of the sub-meshes of every {mesh.strides} point (root mean square), plus what passes between the points"
    error += ", plus what symmetrisation changes" if noisy else ""
    return error + (", plus what levels in doubt would change in other groups" if sums.doubt else "")


def _deviation(value: Array, calculator: Calculator, sums: MeshSums) -> Array:
    """Root mean square of the differences to the sub-meshes (tolerance.md eq. 6); nan where there is none."""
    if not sums.parts:
        return np.full_like(value, np.nan)
    squares = [n * (value - combine(calculator, part)) ** 2 for n, part in zip(sums.shares, sums.parts, strict=True)]
    return np.asarray(np.sqrt(sum(squares, np.zeros_like(value)) / sum(sums.shares)))


def _missed(calculator: Calculator, integrand: Integrand, sums: MeshSums, operations: Sequence[Operation]) -> Array:
    """What the points of a mesh may miss of a quantity: the sum over its terms, and over what operations average."""
    terms = calculator.terms if isinstance(calculator, Combination) else [(calculator.name, 1.0)]
    total = sum((abs(c) * sums.unseen[name] for name, c in terms if name in sums.unseen), np.zeros(()))
    if not total.ndim:
        return np.asarray(total)
    observable, along = first_observable(calculator), component_axes(integrand.model.axes, integrand.model.moments)
    return applied(abs(projector(observable, operations, along)), total, len(observable.dims))


def _warn_of_coarse(request: Request, mesh: KMesh, sums: MeshSums, values: Values) -> None:
    """Warn of quantities of which the points may miss a good part, with a mesh that resolves the Fermi surfaces."""
    integrand, step = request.integrand, sums.coarsest
    missed = {c.name: _missed(c, integrand, sums, request.group.operations) for c in request.calculators}
    much = {n for n, x in missed.items() if x.max(initial=0.0) > MESH.coarse * abs(values[n]).max(initial=0.0)}
    names = shown(c for c in request.calculators if c.name in much)
    if not names or step <= MESH.fine:
        return
    finer = [n * max(step / MESH.fine, 1.0) if n > 1 else 1.0 for n in mesh.size]
    size = " x ".join(f"{2 * np.ceil(n / 2):.0f}" if n > 1 else "1" for n in finer)
    cells = ", or rtol" if len(integrand.model.axes) < 3 else ""  # in crystals many bands cross the level: a mesh costs less
    would = f"{size} points would" if max(finer) < MESH.too_fine else "none does that can be summed"  # f is a step at T = 0
    many = f"{would}; take more, or a higher temperature" if len(integrand.model.axes) == 3 else "take rtol"
    better = f"take {size} points{cells}" if np.prod(finer) < MESH.too_many else many
    moved = f"levels move by up to {step:.3g} k_B T" if not integrand.occupation.cold.any() else "levels move, at T = 0,"
    warn(
        f"kmesh {mesh.size} does not resolve the Fermi surfaces of {', '.join(names[:2] + ['...'] * (len(names) > 2))}: "
        f"{better} ({moved} from point to point; the errors say so)"
    )


def _warn_of_untested(mesh: KMesh, periodic: tuple[bool, bool, bool]) -> None:
    """Warn where the error estimate, made of every second or third point along each direction, misses one or all.

    One point along a direction is taken as intended.
    """
    missed = [d for d in range(3) if periodic[d] and mesh.strides[d] == 1 and mesh.size[d] > 1]
    if not missed:
        return
    better = tuple(n + (d in missed) for d, n in enumerate(mesh.size))
    along = f"the errors say nothing of direction {', '.join(str(d + 1) for d in missed)}"
    warn(
        f"kmesh {mesh.size}: {'the errors are nan' if mesh.n_sub_meshes == 1 else along}, for want of a divisor 2 or 3: "
        f"take {better}"
    )
