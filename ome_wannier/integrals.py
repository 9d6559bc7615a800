"""Integrals on a given mesh, or along rays: by observable, with coarser evaluations of them and the symmetry that they have.

Operations that hold to rounding, or were given, leave fewer points to sum. Wannier functions obey the others of their crystal
to some meV. To first order, averages over whole stars do not feel that in the elements that symmetry allows, but single points
of the stars do: all points are summed, and what symmetrisation then changes is an error, the whole of what is forbidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import __version__, doping, radial
from .asked import default_mesh, one_temperature, ray_levels, uniform
from .axion import chern_simons
from .calculators import Calculator, Combination, Observable
from .calculators.base import component_axes
from .checkpoint import Checkpoint, digest
from .degeneracy import Degeneracy, decided
from .errors import SettingsError, warn
from .info import Look
from .irreducible import IrreducibleMesh
from .kdotp import KDotP
from .kmesh import KMesh, PolarMesh
from .model import TightBinding
from .occupation import Occupation
from .pointgroup import Operation
from .progress import track
from .result import Outcome, combine, first_observable, imposed
from .sums import Lattice, Points, mesh_sums
from .symmetry import Group
from .tensors import applied, projector
from .tolerance import Goal
from .units import KB
from .unseen import FINE

Array = NDArray[np.float64]
Values = dict[str, Array]
Model = Lattice | KDotP

#: share of a quantity that the points of a mesh may miss without a warning, and points that no warning recommends
COARSE, TOO_MANY = 0.1, 10**8
#: share of the largest value of a quantity beyond which what levels in doubt change is named in a warning
WORTH = 1e-3


class Means(NamedTuple):
    """What a result does not depend on."""

    memory: int
    progress: bool
    executor: Executor | None
    checkpoint: str | Path | None
    resume: bool


class Part(NamedTuple):
    """Integrals by observable as the Hamiltonian gives them, coarser evaluations of them for the error and the number that each
    stands for, what the points may miss, what levels in doubt change (`Degeneracy`), the Fermi levels, the mesh, and what to
    record."""

    values: Values
    others: list[Values]
    shares: tuple[int, ...]
    unseen: Values
    doubt: Values
    fermi: Array
    temperature: Array
    mesh: KMesh | PolarMesh
    attrs: dict[str, Any]


def mesh_part(
    model: Lattice,
    observables: Sequence[Observable],
    kmesh: KMesh | PolarMesh | Sequence[int] | None,
    levels: Array,
    temperatures: Array,
    degeneracy: Degeneracy,
    group: Group,
    means: Means,
) -> Part:
    """Integrals over the mesh, or the points of it that symmetry leaves, at these Fermi levels (nf,) in eV."""
    mesh = default_mesh(model) if kmesh is None else uniform(kmesh, model)
    points = points_of(model, mesh, group)
    occupation = occupation_of(model, observables, levels, temperatures)
    kept = None
    if means.checkpoint is not None:
        run = digest(model, observables, points, occupation, degeneracy, __version__)
        kept = Checkpoint(means.checkpoint, run, means.resume)
    sums = mesh_sums(
        model, observables, points, occupation, memory=means.memory, degeneracy=degeneracy,
        progress=means.progress, executor=means.executor, checkpoint=kept,
    )  # fmt: skip
    if isinstance(points, IrreducibleMesh):  # sub-meshes have the symmetry of the mesh
        parts = [made_symmetric(part, model, observables, points.operations) for part in sums.parts]
        sums = sums._replace(full=made_symmetric(sums.full, model, observables, group.exact), parts=parts)
    error = f"deviation of the sub-meshes of every {mesh.strides} point (root mean square), plus what passes between the points"
    error += ", plus what symmetrisation changes" if group.noisy else ""
    error += ", plus what levels in doubt would change as one" if sums.doubt else ""
    if not sums.parts:
        error = "none: the mesh has no sub-mesh (use even numbers)"
    attrs = {
        "kmesh": repr(mesh),
        "irreducible_points": len(points),
        "error_estimate": error,
        "widest_degenerate_group_eV": sums.widest_group,
        "energy_step_widths": sums.coarsest,
        **occupation.about(),
    }
    return Part(sums.full, sums.parts, sums.shares, sums.unseen, sums.doubt, levels, temperatures, mesh, attrs)


def points_of(model: Lattice, mesh: KMesh, group: Group) -> Points:
    """The points of a mesh that operations which hold to rounding leave."""
    return IrreducibleMesh.of(mesh, group.exact, model.lattice, model.periodic) if len(group.exact) > 1 else mesh


def made_symmetric(values: Values, model: Model, observables: Sequence[Observable], operations: Sequence[Operation]) -> Values:
    """Means over operations of values by observable; not of a Chern-Simons part, which symmetry fixes modulo a quantum only."""
    along = component_axes(model.axes, model.moments)
    turned = {o.name: applied(projector(o, operations, along), values[o.name], len(o.dims)) for o in observables}
    return values | turned


def level_of(
    model: Lattice, mesh: KMesh, filling: float, temperatures: Array, group: Group, goal: Goal | None = None
) -> doping.Level:
    """The Fermi level of a filling in electrons per cell on a mesh, or on doubled ones until it has settled.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none; several temperatures.
    """
    T = one_temperature(temperatures)

    def points(mesh: KMesh) -> Points:
        return points_of(model, mesh, group)

    if goal is None:
        level = doping.filled_level(model, points(mesh), filling, T)
    else:
        level = doping.settled_level(model, mesh, points, filling, T, goal)
    doping.warn_of_level(level)
    return level


def occupation_of(model: Lattice, observables: Sequence[Observable], levels: Array, temperatures: Array) -> Occupation:
    """The occupation of the observables; where a Fermi surface at T = 0 has a single level, a gap is looked for around it."""
    surface = any(o.occupation == "surface" for o in observables)
    Occupation(levels, temperatures, surface=False)  # refuses levels that are none
    if not surface or len(levels) > 1 or (temperatures > 0).all():
        return Occupation(levels, temperatures, surface)
    gap = Look.at(model).gap_among(levels)
    return Occupation(levels, temperatures, surface, None if gap is None else (gap.bottom, gap.top))


def outcome_of(
    model: Model, wanted: Sequence[Calculator], observables: Sequence[Observable], part: Part, group: Group | None
) -> Outcome:
    """Values by quantity and their errors: deviations of sub-meshes, what the points may miss, what levels in doubt change, and
    what operations do that hold but for noise."""
    values = {c.name: combine(c, part.values) for c in wanted}
    errors = {c.name: _difference(values[c.name], c, part.others, part.shares) for c in wanted}
    if group is None:
        return Outcome(values, errors, {}, part.attrs | {"levels_in_doubt": ""})
    if part.unseen:
        _warn_of_coarse(part, {c.name: _missed(c, part, model, group.operations) for c in wanted}, values)
        errors = {c.name: errors[c.name] + _missed(c, part, model, group.exact) for c in wanted}
    changes: Values = {}
    if part.doubt:
        doubt = {"chern_simons": np.zeros(()), **made_symmetric(part.doubt, model, observables, group.operations)}
        changes = {c.name: np.abs(combine(c, doubt)) for c in wanted}
    about = part.attrs | {"levels_in_doubt": decided(values, errors, changes, WORTH)}
    found = Outcome(values, {name: error + changes.get(name, 0.0) for name, error in errors.items()}, {}, about)
    if not group.noisy:
        return found
    symmetric = made_symmetric(part.values, model, observables, group.operations)
    return imposed(found, {c.name: combine(c, symmetric) for c in wanted})


def with_gap_terms(model: Lattice, part: Part, trial: ArrayLike | None) -> Part:
    """The same with the Chern-Simons part."""
    assert isinstance(part.mesh, KMesh)
    assert isinstance(model, TightBinding)
    fine, coarse, about = chern_simons(model, part.mesh, part.fermi, trial)
    shape = (len(part.fermi), len(part.temperature), 3, 3)

    def added(values: dict[str, Array], tensor: Array) -> dict[str, Array]:
        return values | {"chern_simons": np.broadcast_to(tensor[:, None], shape).copy()}

    return part._replace(
        values=added(part.values, fine),
        others=[added(o, coarse) for o in part.others],
        attrs=part.attrs | about,
    )


def polar_part(
    model: KDotP,
    observables: Sequence[Observable],
    kmesh: KMesh | PolarMesh | Sequence[int] | None,
    fermi: ArrayLike | None,
    temperatures: Array,
    degeneracy: Degeneracy,
    means: Means,
) -> Part:
    """Integrals of a k.p model along rays."""
    if means.checkpoint is not None:
        raise SettingsError("checkpoint: k.p models are integrated along rays, not summed over a mesh: leave it out")
    levels = ray_levels(fermi)
    mesh = PolarMesh() if kmesh is None else kmesh
    if not isinstance(mesh, PolarMesh):
        raise SettingsError("a k.p model is integrated over the whole plane or space: give kmesh=PolarMesh(...)")
    Occupation(levels, temperatures, surface=False)  # refuses levels that are none
    pockets = radial.extrema(model)
    jobs = [(mu, T, radial.ray_origin(model, pockets, float(mu))) for mu in levels for T in temperatures]
    for mu, T, origin in jobs:
        radial.warn_of_touching(model, origin, mu, T * KB, degeneracy.tol)
    sums = [
        radial.integrate(model, observables, mesh, mu, T * KB, degeneracy, origin)
        for mu, T, origin in track(jobs, "Fermi levels", means.progress)
    ]
    fine, *others = (
        {
            o.name: model.spin_degeneracy
            * np.stack([getattr(s, version)[i] for s in sums]).reshape(len(levels), -1, *np.shape(sums[0].fine[i]))
            for i, o in enumerate(observables)
        }
        for version in ("fine", "half", "coarse")
    )
    error = "difference to half the angles and to three quarters of the radial nodes (root mean square)"
    attrs = {"kmesh": repr(mesh), "error_estimate": error, "widest_degenerate_group_eV": 0.0}
    return Part(fine, others, (1, 1), {}, {}, levels, temperatures, mesh, attrs)


def _difference(value: Array, calculator: Calculator, others: Sequence[dict[str, Array]], shares: Sequence[int]) -> Array:
    """Root mean square of the differences to coarser evaluations (tolerance.md eq. 6); nan where there is none."""
    if not others:
        return np.full_like(value, np.nan)
    squares = [n * (value - combine(calculator, other)) ** 2 for n, other in zip(shares, others, strict=True)]
    return np.asarray(np.sqrt(sum(squares, np.zeros_like(value)) / sum(shares)))


def _missed(calculator: Calculator, part: Part, model: Model, operations: Sequence[Operation]) -> Array:
    """What the points of a mesh may miss of a quantity: the sum over its terms, and over what operations average."""
    terms = calculator.terms if isinstance(calculator, Combination) else [(calculator.name, 1.0)]
    total = sum((abs(c) * part.unseen[name] for name, c in terms if name in part.unseen), np.zeros(()))
    if not total.ndim:
        return np.asarray(total)
    observable, along = first_observable(calculator), component_axes(model.axes, model.moments)
    return applied(abs(projector(observable, operations, along)), total, len(observable.dims))


def _warn_of_coarse(part: Part, missed: dict[str, Array], values: dict[str, Array]) -> None:
    """Warn of quantities of which the points may miss a good part, with a mesh that resolves the Fermi surfaces."""
    mesh, step = part.mesh, part.attrs["energy_step_widths"]
    names = [n for n, x in missed.items() if x.max(initial=0.0) > COARSE * abs(values[n]).max(initial=0.0)]
    if not names or step <= FINE:
        return
    assert isinstance(mesh, KMesh)
    finer = [n * max(step / FINE, 1.0) if n > 1 else 1.0 for n in mesh.size]
    size = " x ".join(f"{2 * np.ceil(n / 2):.0f}" if n > 1 else "1" for n in finer)
    better = f"take {size} points, or rtol" if np.prod(finer) < TOO_MANY else "take rtol"
    moved = f"levels move by up to {step:.3g} k_B T" if (part.temperature > 0).all() else "levels move, at T = 0,"
    warn(
        f"kmesh {mesh.size} does not resolve the Fermi surfaces of {', '.join(names[:3] + ['...'] * (len(names) > 3))}: "
        f"{moved} from point to point; the errors say so: {better}"
    )
