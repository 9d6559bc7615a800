"""Integrals on a given mesh, or along rays: by observable, with coarser evaluations of them and the symmetry that they have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import __version__, radial
from . import symmetry as symmetries
from .asked import default_mesh, numbers, one_temperature, ray_levels, uniform
from .axion import chern_simons
from .calculators import Calculator, Combination, GapTerm, Observable
from .calculators.base import component_axes
from .checkpoint import Checkpoint, digest
from .errors import AccuracyWarning, SettingsError
from .irreducible import IrreducibleMesh
from .kdotp import KDotP
from .kmesh import KMesh, PolarMesh
from .model import TightBinding
from .occupation import Occupation
from .pointgroup import Operation, symbol
from .progress import track
from .result import combine, first_observable
from .sums import Lattice, Points, filled_level, mesh_sums
from .symmetric_sums import Rest, symmetric_sums
from .tensors import applied, projector, symmetrised
from .units import KB
from .unseen import FINE

Array = NDArray[np.float64]
Model = Lattice | KDotP

#: share of a quantity that the points of a mesh may miss without a word, and points that nobody would take
COARSE, TOO_MANY = 0.1, 10**8


class Means(NamedTuple):
    """What a result does not depend on."""

    memory: int
    progress: bool
    executor: Executor | None
    checkpoint: str | Path | None
    resume: bool


class Part(NamedTuple):
    """Integrals by observable, coarser evaluations of them for the error and the number that each stands for, what the points
    may miss, what symmetry leaves uncertain, the Fermi levels, the mesh, and what to record."""

    values: dict[str, Array]
    others: list[dict[str, Array]]
    shares: tuple[int, ...]
    unseen: dict[str, Array]
    rest: Rest | None
    fermi: Array
    temperature: Array
    mesh: KMesh | PolarMesh
    attrs: dict[str, Any]


class Group(NamedTuple):
    """The symmetries of the Hamiltonian within `tol` (eV), what was asked for, and whether values are symmetrised."""

    operations: list[Operation]
    tol: float
    asked: str
    used: bool

    @property
    def trusted(self) -> bool:
        """Whether the operations were given, not found."""
        return self.asked == "given"

    @classmethod
    def of(cls, model: Lattice, asked: Any, tol: float | None) -> Group:
        """Of a model: found, or those that were asked for."""
        used = not (isinstance(asked, str) and asked == "off")
        found = symmetries.group_of(model, asked, tol)
        said = asked if isinstance(asked, str) else "given"
        return cls(found, symmetries.tolerance(model, tol), said, used)

    def about(self, model: Lattice) -> dict[str, Any]:
        """What to record."""
        return {
            "symmetry": self.asked,
            "symmetry_group": symbol(self.operations, model.lattice),
            "symmetry_operations": [g.name for g in self.operations],
            "symmetry_violation_eV": max(g.violation for g in self.operations),
            "symmetry_tol_eV": self.tol,
        }


def mesh_part(
    model: Lattice,
    wanted: Sequence[Calculator],
    observables: Sequence[Observable],
    kmesh: KMesh | PolarMesh | Sequence[int] | None,
    fermi: ArrayLike | None,
    filling: float | None,
    temperatures: Array,
    degeneracy_tol: float,
    group: Group,
    means: Means,
) -> Part:
    """Integrals over the mesh, or the points of it that symmetry leaves, at the levels asked for."""
    mesh = default_mesh(model) if kmesh is None else uniform(kmesh, model)
    left = points_of(model, mesh, group)
    if filling is None:
        levels = np.atleast_1d(numbers("fermi", fermi, "eV"))  # type: ignore[arg-type]
    else:
        levels = np.array([level_of(model, left or mesh, filling, one_temperature(temperatures))])
    occupation = Occupation(levels, temperatures, any(o.occupation == "surface" for o in observables))

    def kept(points: Points) -> Checkpoint | None:
        if means.checkpoint is None:
            return None
        run = digest(model, observables, points, occupation, degeneracy_tol, __version__)
        return Checkpoint(means.checkpoint, run, means.resume)

    settings: Any = {
        "degeneracy_tol": degeneracy_tol,
        "memory": means.memory,
        "progress": means.progress,
        "executor": means.executor,
    }
    error = f"deviation of the sub-meshes of every {mesh.strides} point (root mean square), plus what passes between the points"
    points: Points = mesh
    if left is None:
        sums, rest = mesh_sums(model, observables, mesh, occupation, checkpoint=kept(mesh), **settings), None
        error += ", plus what the symmetries forbid"
    else:
        sums, points, rest, how = symmetric_sums(
            model, wanted, observables, left, group.operations, occupation, trusted=group.trusted, checkpoint=kept, **settings
        )
        error += f", plus {how}" if how else ""
    if not sums.parts:
        error = "none: the mesh has no sub-mesh (use even numbers)"
    attrs = {
        "kmesh": repr(mesh),
        "irreducible_points": len(points),
        "error_estimate": error,
        "widest_degenerate_group_eV": sums.widest_group,
        "energy_step_widths": sums.coarsest,
    }
    return Part(sums.full, sums.parts, sums.shares, sums.unseen, rest, levels, temperatures, mesh, attrs)


def points_of(model: Lattice, mesh: KMesh, group: Group) -> IrreducibleMesh | None:
    """The points of a mesh that the symmetries leave, if they are used."""
    return IrreducibleMesh.of(mesh, group.operations, model.lattice, model.periodic) if group.used else None


def level_of(model: Lattice, points: Points, filling: object, temperature: float) -> float:
    """The Fermi level (eV) of a filling in electrons per cell, at a temperature in K."""
    electrons = numbers("filling", filling, "electrons per cell")  # type: ignore[arg-type]
    if electrons.ndim:
        raise SettingsError(f"filling is {filling!r}: give one number of electrons per cell")
    return filled_level(model, points, float(electrons), temperature)


def values_and_errors(
    model: Model, wanted: Sequence[Calculator], part: Part, group: Group | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values and errors (nf, nT, *components) by quantity: the deviations of sub-meshes, what the points may miss, and what
    symmetry changes."""
    values = {c.name: combine(c, part.values) for c in wanted}
    errors = {c.name: _difference(values[c.name], c, part.others, part.shares) for c in wanted}
    if part.unseen:
        missed = {c.name: _missed(c, part, model, group) for c in wanted}
        _warn_of_coarse(part, missed, values)
        errors = {name: x + missed[name] for name, x in errors.items()}
    if group is not None and not isinstance(model, KDotP):
        errors = {c.name: errors[c.name] + _change(c, part, model, group, values[c.name]) for c in wanted}
    return values, errors


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
    degeneracy_tol: float,
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
        radial.warn_of_touching(model, origin, mu, T * KB, degeneracy_tol)
    sums = [
        radial.integrate(model, observables, mesh, mu, T * KB, degeneracy_tol, origin)
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
    return Part(fine, others, (1, 1), {}, None, levels, temperatures, mesh, attrs)


def _difference(
    value: Array, calculator: Calculator, others: Sequence[dict[str, Array]], shares: Sequence[int]
) -> Array:
    """Root mean square of the differences to coarser evaluations; nan where there is none."""
    if not others:
        return np.full_like(value, np.nan)
    squares = [n * (value - combine(calculator, other)) ** 2 for n, other in zip(shares, others, strict=True)]
    return np.asarray(np.sqrt(sum(squares, np.zeros_like(value)) / sum(shares)))


def _missed(calculator: Calculator, part: Part, model: Model, group: Group | None) -> Array:
    """What the points of a mesh may miss of a quantity: the sum over its terms, and over what is averaged by symmetry."""
    terms = calculator.terms if isinstance(calculator, Combination) else [(calculator.name, 1.0)]
    total = sum((abs(c) * part.unseen[name] for name, c in terms if name in part.unseen), np.zeros(()))
    if group is None or not group.used or not total.ndim:
        return np.asarray(total)
    observable, along = first_observable(calculator), component_axes(model.axes, model.moments)
    return applied(abs(projector(observable, group.operations, along)), total, len(observable.dims))


def _warn_of_coarse(part: Part, missed: dict[str, Array], values: dict[str, Array]) -> None:
    """Warn of quantities of which the points may miss a good part, with a mesh that resolves the Fermi surfaces."""
    names = [n for n, x in missed.items() if (x.max(initial=0.0) > COARSE * abs(values[n]).max(initial=0.0))]
    if not names:
        return
    mesh, step = part.mesh, part.attrs["energy_step_widths"]
    assert isinstance(mesh, KMesh)
    finer = [n * max(step / FINE, 1.0) if n > 1 else 1.0 for n in mesh.size]
    size = " x ".join(f"{2 * np.ceil(n / 2):.0f}" if n > 1 else "1" for n in finer)
    better = f"take {size} points, or rtol" if np.prod(finer) < TOO_MANY else "take rtol"
    moved = f"levels move by up to {step:.3g} k_B T" if (part.temperature > 0).all() else "levels move, at T = 0,"
    warnings.warn(
        f"kmesh {mesh.size} does not resolve the Fermi surfaces of {', '.join(names[:3] + ['...'] * (len(names) > 3))}: "
        f"{moved} from point to point; the errors say so: {better}",
        AccuracyWarning,
        stacklevel=4,
    )


def _change(calculator: Calculator, part: Part, model: Lattice, group: Group, value: Array) -> Array:
    """What symmetrisation changes or, where it was not used, would remove."""
    if isinstance(calculator, GapTerm):  # symmetry fixes it modulo a quantum only
        return np.zeros_like(value)
    if group.used:
        return np.zeros_like(value) if part.rest is None else part.rest.error(calculator)
    along = component_axes(model.axes, model.moments)
    return np.asarray(abs(value - symmetrised(value, first_observable(calculator), group.operations, along)))
