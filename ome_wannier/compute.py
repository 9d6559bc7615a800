"""compute(): from a model and settings to the labelled result with its error."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from . import __version__, converge, radial, rays
from . import symmetry as symmetries
from .axion import chern_simons
from .bands import SPIN_REMEDY, default_degeneracy_tol
from .calculators import Calculator, GapTerm, Observable, defaults, needs_spin, resolve, with_chern_simons
from .calculators.base import component_axes
from .checkpoint import Checkpoint, digest
from .errors import AccuracyWarning, SettingsError
from .irreducible import IrreducibleMesh
from .kdotp import KDotP
from .kmesh import KMesh, PolarMesh
from .model import TightBinding, require_model
from .occupation import Occupation
from .planewaves import PlaneWaves
from .pointgroup import EXACT_TOL, Operation, symbol
from .progress import track
from .result import build, combine, first_observable
from .sparse import AVAILABLE, SparseTightBinding
from .sums import Lattice, Points, filled_level, mesh_sums
from .symmetric_sums import Rest, symmetric_sums
from .tensors import symmetrised
from .units import KB

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]
Model = TightBinding | PlaneWaves | SparseTightBinding | KDotP

#: parts of the split that exceed the total by this factor cancel to it: the split says nothing then
SPLIT_LIMIT = 100.0


def compute(
    model: Model,
    kmesh: KMesh | PolarMesh | Sequence[int] | None = None,
    calculators: str | Iterable[str | Calculator] | None = None,
    fermi: ArrayLike | None = None,
    *,
    filling: float | None = None,
    temperature: float | Sequence[float] | Array = 300.0,
    tau: float = 10.0,
    memory: int = 2**30,
    degeneracy_tol: float | None = None,
    symmetry: str | Sequence[Operation] | Any = "auto",
    symmetry_tol: float | None = None,
    include_chern_simons: bool = False,
    trial: ArrayLike | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    rtol: float | None = None,
    max_points: int = converge.MAX_POINTS,
    max_time: float | None = None,
) -> xr.Dataset:
    """Response tensors of a model as functions of the Fermi level and the temperature.

    Parameters
    ----------
    model : `TightBinding`, `SparseTightBinding`, `PlaneWaves` or `KDotP`, see `load`.
    kmesh : `KMesh` or (N1, N2, N3) for tight binding, `PolarMesh` for k.p; by default one of sensible spacing.
    calculators : names or calculators; by default all but the second forms of one quantity (`calculators.CHECKS`).
    fermi : Fermi level(s) in eV, ascending.
    filling : electrons per cell, instead of `fermi`; of plane waves and windows of bands those added to neutrality.
    temperature : K; an array adds a dimension. At T = 0 Fermi-surface terms use the spacing of the Fermi levels.
    tau : relaxation time in fs, for the extrinsic part.
    memory : budget in bytes for the arrays of one batch of k points and the histograms; with `executor`, of each worker.
    degeneracy_tol : eV; levels closer than this form one degenerate group. By default 1e-3 for Wannier functions with
        position matrix elements, which split levels that symmetry makes equal, and 1e-5 for other models.
    symmetry : "auto" looks for the operations that the Hamiltonian obeys, among those of its atoms or lattice, with and
        without time reversal, sums over the points that they leave, and symmetrises the tensors, each by its declared
        parities: forbidden elements are exactly zero. "off" sums over all points and symmetrises nothing. Or operations
        to be used: a list of `symmetry.Operation` that generate the group, or what spglib.get_magnetic_symmetry_dataset
        gives for the cell of the model.
    symmetry_tol : eV; operations violated by more are dropped. By default 0.01 for Wannier functions, and rounding for
        other models (`symmetry.tolerance`).
    include_chern_simons : add the Chern-Simons part to `total`, `total_with_spin` and `semiclassical` (3D insulators).
    trial : (n, occupied) trial orbitals for the Chern-Simons part; by default they are looked for.
    progress : show a progress bar on anything over two seconds.
    executor : any `concurrent.futures.Executor`, see `executors`: its workers sum the blocks of the mesh, 64 at most, which
        are added in fixed order, so the result does not depend on it. What is small beside that stays in this process: the
        Fermi level of a filling, symmetries, the Chern-Simons part, k.p models.
    checkpoint : file that the sum over the mesh is kept in every half minute, and when it is interrupted (Ctrl-C, SIGTERM);
        removed when the result is complete.
    resume : go on from `checkpoint` if it is there; the result is that of a run without interruption, to the last bit.
    rtol : instead of `kmesh`: k points are added, where they are needed, until for every quantity and temperature the error of
        each element at each Fermi level is below `rtol` times the largest absolute value among all elements and levels.
        Elements that symmetry forbids are not waited for. A quantity below 0.1% of the integral of the absolute value of its
        integrand, all of which cancels, is held to that 0.1% instead (see `converge`). The attributes of the result say whether
        it `converged`, and with how many `k_points`. For a filling, the Fermi level has settled to rtol times k_B T.
    max_points : with `rtol`: k points that may be evaluated. What has not converged by then is named in a ConvergenceWarning.
    max_time : with `rtol`: seconds it may take, likewise; the result then depends on the speed of the machine.

    Returns
    -------
    xarray.Dataset with dims (fermi, [temperature,] moment, field), `<name>_error` beside each quantity, SI units.

    Raises
    ------
    SettingsError : settings that cannot be used, a checkpoint of another run. ModelError : a model that cannot give what was
        asked. WorkerError : workers that died, or that a calculator cannot be sent to.

    Notes
    -----
    The error estimate is the root mean square deviation of the sub-meshes of every second (or third) point from the whole
    mesh, which they make up, plus what symmetrisation changes: on a coarse mesh, the difference to the sum over all of its
    points (root mean square over its sub-meshes); with symmetry="off", the part of the tensor that symmetries forbid. It
    covers neither the Wannier functions nor the DFT calculation behind them.
    """
    start = time.perf_counter()
    require_model(model)
    wanted, terms = resolve(_defaults(model) if calculators is None else calculators)
    if include_chern_simons:
        wanted, terms = resolve(map(with_chern_simons, wanted))
    observables = [t for t in terms if isinstance(t, Observable)]
    temperatures = np.atleast_1d(_numbers("temperature", temperature, "K"))
    degeneracy_tol = default_degeneracy_tol(model) if degeneracy_tol is None else degeneracy_tol
    _validate(model, wanted, temperatures, tau, degeneracy_tol, symmetry_tol, memory)
    if (fermi is None) == (filling is None):
        raise SettingsError("give either fermi (eV) or filling (electrons per cell)")
    if executor is not None and not isinstance(executor, Executor):
        raise SettingsError(f"executor is {executor!r}: give a concurrent.futures.Executor, such as executors.processes(2)")
    if resume and checkpoint is None:
        raise SettingsError("resume goes on from a checkpoint: give its file")
    goal = None if rtol is None else converge.checked(rtol, max_points, max_time)
    if goal is not None:
        _refuse_with_rtol(kmesh, checkpoint, len(observables) < len(terms))
    means = _Means(memory, progress, executor, checkpoint, resume)
    if isinstance(model, KDotP) and not (isinstance(symmetry, str) and symmetry in ("auto", "off")):
        raise SettingsError("symmetry: k.p models are integrated over all directions: leave it out")
    with threadpool_limits(limits=1, user_api="blas"):
        group = None if isinstance(model, KDotP) else _Group.of(model, symmetry, symmetry_tol)
        if goal is not None:
            levels, (results, errors, attrs) = _self_converging(
                model, wanted, observables, fermi, filling, temperatures, degeneracy_tol, group, goal, means
            )
        else:
            if isinstance(model, KDotP):
                part = _polar_part(model, observables, kmesh, fermi, temperatures, degeneracy_tol, means)
            else:
                assert group is not None
                part = _mesh_part(
                    model, wanted, observables, kmesh, fermi, filling, temperatures, degeneracy_tol, group, means
                )
                if len(observables) < len(terms):
                    part = _with_gap_terms(model, part, trial)
            levels, attrs, on_mesh = part.fermi, part.attrs, _on_mesh(model, wanted, part, group)
            results, errors = on_mesh.values, {n: on_mesh.deviations[n] + on_mesh.changes[n] for n in on_mesh.values}
    if not isinstance(model, KDotP):
        assert group is not None
        attrs |= group.about(model)
    _check(attrs, results, degeneracy_tol)
    attrs |= _provenance(model) | {"degeneracy_tol_eV": degeneracy_tol, "tau_fs": float(tau)}
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)
    return build(
        wanted,
        results,
        errors,
        fermi=levels,
        temperature=temperatures if np.ndim(temperature) else float(temperatures[0]),
        axes=model.axes,
        moments=model.moments,
        tau=tau,
        attrs=attrs | {"wall_time_s": time.perf_counter() - start},
    )


def _refuse_with_rtol(kmesh: object, checkpoint: object, chern_simons: bool) -> None:
    if kmesh is not None:
        raise SettingsError("give either kmesh or rtol: with rtol the mesh converges by itself")
    if checkpoint is not None:
        raise SettingsError("checkpoint: with rtol no sum over fixed points is made that could be gone on with: leave it out")
    if chern_simons:
        raise SettingsError("rtol: the Chern-Simons part is computed on a mesh: give kmesh, or leave this part out")


def _self_converging(
    model: Model,
    wanted: Sequence[Calculator],
    observables: Sequence[Observable],
    fermi: ArrayLike | None,
    filling: float | None,
    temperatures: Array,
    degeneracy_tol: float,
    group: _Group | None,
    goal: converge.Goal,
    means: _Means,
) -> tuple[Array, converge.Converged]:
    """The Fermi levels, and the integrals to a relative tolerance."""
    surface = any(o.occupation == "surface" for o in observables)
    if isinstance(model, KDotP):
        levels = _ray_levels(fermi)
        task = rays.Task(model, wanted, observables, Occupation(levels, temperatures, False), degeneracy_tol, goal)
        return levels, rays.over_rays(task, means.progress)
    assert group is not None
    mesh = _default_mesh(model)
    if filling is None:
        levels = np.atleast_1d(_numbers("fermi", fermi, "eV"))  # type: ignore[arg-type]
    else:
        levels = np.array([_settled_level(model, mesh, filling, float(temperatures[0]), group, goal)])
    along = component_axes(model.axes, model.moments)

    def symmetrise(tensor: Array, calculator: Calculator) -> Array:
        used = group.used and not isinstance(calculator, GapTerm)
        return symmetrised(tensor, first_observable(calculator), group.operations, along) if used else tensor

    def on_mesh(points: KMesh) -> converge.OnMesh:
        part = _mesh_part(model, wanted, observables, points, levels, None, temperatures, degeneracy_tol, group, means)
        return _on_mesh(model, wanted, part, group)

    occupation = Occupation(levels, temperatures, surface)
    # half a zone whose other half differs shifts allowed elements: only where that is far below the tolerance
    smooth = max(0.1 * goal.rtol * KB * float(temperatures.min()), EXACT_TOL)
    inverts = group.used and any(
        _inverts(g, model.axes)
        and (group.trusted or (g.violation < smooth and max(g.curvature_mismatch, g.response_mismatch) < 0.1 * goal.rtol))
        for g in group.operations
    )
    zone = converge.Task(model, wanted, observables, occupation, symmetrise, degeneracy_tol, goal, inverts)
    return levels, converge.over_zone(zone, mesh, on_mesh, means.executor, means.progress)


def _inverts(operation: Operation, axes: Sequence[int]) -> bool:
    """Whether it maps every k to -k."""
    block = operation.rotation[np.ix_(axes, axes)] * operation.time_reversal
    return bool(np.allclose(block, -np.eye(len(axes)), atol=1e-6))


def _settled_level(
    model: Lattice, mesh: KMesh, filling: object, temperature: float, group: _Group, goal: converge.Goal
) -> float:
    """The Fermi level (eV) of a filling, on a mesh that is doubled until it moves by less than rtol k_B T (of 1 K at T = 0)."""
    level = np.inf
    while True:
        previous, level = level, _level_of(model, _points(model, mesh, group) or mesh, filling, temperature)
        size = [2 * n if p else 1 for n, p in zip(mesh.size, model.periodic, strict=True)]
        mesh = KMesh((size[0], size[1], size[2]))
        if abs(level - previous) <= goal.rtol * KB * max(temperature, 1.0) or len(mesh) > goal.max_points:
            return level


def _defaults(model: Model) -> list[str]:
    """Names of the calculators that are used unless told."""
    names = defaults(model.has_spin)
    return [n for n in names if n in AVAILABLE] if isinstance(model, SparseTightBinding) else names


class _Means(NamedTuple):
    """What a result does not depend on."""

    memory: int
    progress: bool
    executor: Executor | None
    checkpoint: str | Path | None
    resume: bool


class _Part(NamedTuple):
    """Integrals by observable, coarser evaluations of them for the error and the number that each stands for, what
    symmetry leaves uncertain, the Fermi levels, the mesh, and what to record."""

    values: dict[str, Array]
    others: list[dict[str, Array]]
    shares: tuple[int, ...]
    rest: Rest | None
    fermi: Array
    temperature: Array
    mesh: KMesh | PolarMesh
    attrs: dict[str, Any]


def _numbers(name: str, value: ArrayLike, unit: str) -> Array:
    """A number or a row of numbers; SettingsError for anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} is {value!r}: give a number or a list of numbers, in {unit}") from error
    if array.ndim > 1 or array.size == 0:
        raise SettingsError(f"{name} has shape {array.shape}: give a number or a list of numbers, in {unit}")
    return array


def _validate(
    model: Model,
    wanted: Sequence[Calculator],
    temperatures: Array,
    tau: float,
    degeneracy_tol: float,
    symmetry_tol: float | None,
    memory: float,
) -> None:
    tolerances = (("degeneracy_tol", degeneracy_tol), ("symmetry_tol", 0.0 if symmetry_tol is None else symmetry_tol))
    limits = (("tau", tau, "fs"), *((name, number, "eV") for name, number in tolerances))
    for name, number, unit in limits:
        if isinstance(number, str) or not (np.ndim(number) == 0 and np.isfinite(number) and number >= 0):
            raise SettingsError(f"{name} is {number!r}: give a number >= 0, in {unit}")
    if not isinstance(memory, (int, float, np.number)) or not 0 < memory < np.inf:
        raise SettingsError(f"memory is {memory!r}: give a number of bytes")
    Occupation(np.zeros(1), temperatures, surface=False)  # refuses temperatures that are none
    if not model.axes:
        raise SettingsError("this model has no periodic direction: responses are those of crystals, layers and chains")
    for calculator in wanted:
        observable = first_observable(calculator)
        if any(isinstance(t, GapTerm) for t in resolve([calculator])[1]) and (len(model.axes) < 3 or isinstance(model, KDotP)):
            raise SettingsError(f"{calculator.name} has a Chern-Simons part, which needs a three-dimensional lattice")
        if {"moment", "axis"} & set(observable.dims) and not model.moments:
            raise SettingsError(
                f"{calculator.name} needs two periodic directions perpendicular to an orbital moment: this model has "
                f"{len(model.axes)}; ask for dipole_polarizability or quantum_metric alone"
            )
        if isinstance(model, SparseTightBinding) and observable.kind != "own" and calculator.name not in AVAILABLE:
            raise SettingsError(
                f"{calculator.name} needs bands far from the Fermi level, which a window does not have: "
                f"one of {', '.join(AVAILABLE)}"
            )
        if needs_spin(calculator) and not model.has_spin:
            raise SettingsError(f"{calculator.name} needs the spin operator, which this model does not have: {SPIN_REMEDY}")


def _mesh_part(
    model: Lattice,
    wanted: Sequence[Calculator],
    observables: Sequence[Observable],
    kmesh: KMesh | PolarMesh | Sequence[int] | None,
    fermi: ArrayLike | None,
    filling: float | None,
    temperatures: Array,
    degeneracy_tol: float,
    group: _Group,
    means: _Means,
) -> _Part:
    mesh = _default_mesh(model) if kmesh is None else _uniform(kmesh, model)
    left = _points(model, mesh, group)
    if filling is None:
        levels = np.atleast_1d(_numbers("fermi", fermi, "eV"))  # type: ignore[arg-type]
    else:
        levels = np.array([_level_of(model, left or mesh, filling, float(temperatures[0]))])
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
    error = f"deviation of the sub-meshes of every {mesh.strides} point (root mean square)"
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
    }
    return _Part(sums.full, sums.parts, sums.shares, rest, levels, temperatures, mesh, attrs)


def _points(model: Lattice, mesh: KMesh, group: _Group) -> IrreducibleMesh | None:
    """The points of a mesh that the symmetries leave, if they are used."""
    return IrreducibleMesh.of(mesh, group.operations, model.lattice, model.periodic) if group.used else None


def _level_of(model: Lattice, points: Points, filling: object, temperature: float) -> float:
    electrons = _numbers("filling", filling, "electrons per cell")  # type: ignore[arg-type]
    if electrons.ndim:
        raise SettingsError(f"filling is {filling!r}: give one number of electrons per cell")
    return filled_level(model, points, float(electrons), temperature)


def _on_mesh(model: Model, wanted: Sequence[Calculator], part: _Part, group: _Group | None) -> converge.OnMesh:
    """Values by quantity with the deviations of sub-meshes and what symmetry changes."""
    values = {c.name: combine(c, part.values) for c in wanted}
    deviations = {c.name: _difference(values[c.name], c, part.others, part.shares) for c in wanted}
    if group is None or isinstance(model, KDotP):
        changes = {name: np.zeros_like(x) for name, x in values.items()}
    else:
        changes = {c.name: _change(c, part, model, group, values[c.name]) for c in wanted}
    return converge.OnMesh(values, deviations, changes, part.attrs)


def _with_gap_terms(model: Lattice, part: _Part, trial: ArrayLike | None) -> _Part:
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


def _polar_part(
    model: KDotP,
    observables: Sequence[Observable],
    kmesh: KMesh | PolarMesh | Sequence[int] | None,
    fermi: ArrayLike | None,
    temperatures: Array,
    degeneracy_tol: float,
    means: _Means,
) -> _Part:
    if means.checkpoint is not None:
        raise SettingsError("checkpoint: k.p models are integrated along rays, not summed over a mesh: leave it out")
    levels = _ray_levels(fermi)
    mesh = PolarMesh() if kmesh is None else kmesh
    if not isinstance(mesh, PolarMesh):
        raise SettingsError("a k.p model is integrated over the whole plane or space: give kmesh=PolarMesh(...)")
    Occupation(levels, temperatures, surface=False)  # refuses levels that are none
    jobs = [(mu, T) for mu in levels for T in temperatures]
    pockets = radial.extrema(model)
    sums = [
        radial.integrate(
            model, observables, mesh, mu, T * KB, degeneracy_tol, radial.ray_origin(model, pockets, float(mu))
        )
        for mu, T in track(jobs, "Fermi levels", means.progress)
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
    return _Part(fine, others, (1, 1), None, levels, temperatures, mesh, attrs)


def _ray_levels(fermi: ArrayLike | None) -> Array:
    if fermi is None:
        raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
    return np.atleast_1d(_numbers("fermi", fermi, "eV"))


def _default_mesh(model: Lattice) -> KMesh:
    """A mesh by spacing; for superlattices, whose bands vary on the scale of their small zone, by number."""
    if isinstance(model, PlaneWaves | SparseTightBinding):
        a, b, c = (24 if p else 1 for p in model.periodic)
        return KMesh((a, b, c))
    return KMesh.default(model.lattice, model.periodic)


def _uniform(kmesh: KMesh | PolarMesh | Sequence[int], model: Lattice) -> KMesh:
    if isinstance(kmesh, PolarMesh):
        raise SettingsError("PolarMesh is for k.p models: give KMesh or (N1, N2, N3) for a lattice")
    mesh = kmesh if isinstance(kmesh, KMesh) else KMesh(kmesh)  # type: ignore[arg-type]
    for d in range(3):
        if mesh.size[d] > 1 and not model.periodic[d]:
            raise SettingsError(f"kmesh {mesh.size}: direction {d + 1} is not periodic in this model, use 1 point along it")
    return mesh


def _difference(
    value: Array, calculator: Calculator, others: Sequence[dict[str, Array]], shares: Sequence[int]
) -> Array:
    """Root mean square of the differences to coarser evaluations; nan where there is none."""
    if not others:
        return np.full_like(value, np.nan)
    squares = [n * (value - combine(calculator, other)) ** 2 for n, other in zip(shares, others, strict=True)]
    return np.asarray(np.sqrt(sum(squares, np.zeros_like(value)) / sum(shares)))


def _provenance(model: Model) -> dict[str, Any]:
    """What made the result, and what it means."""
    return {
        "software": f"ome_wannier {__version__}, numpy {np.__version__}",
        "model": model.name,
        "model_sha256": model.sha256,
        "position": "commuting (tight binding)" if model.exact_position else "matrix elements of the Wannier functions",
        **outside_basis(model),
        "spin_degeneracy": model.spin_degeneracy,
        "periodic": "".join("FT"[p] for p in model.periodic),
        "charge": "electrons carry -e; M is the magnetization of the electrons, positive along its axis",
    }


def outside_basis(model: Model) -> dict[str, str]:
    """Which quantities states outside the basis take part in, and what a result leaves out."""
    left_out = (*_left_outside(model), "local fields", "vertex corrections", "side jump and skew scattering")
    return {"external_terms": ", ".join(_completed(model)) or "none", "left_out": "; ".join(left_out)}


def _completed(model: Model) -> list[str]:
    """What states outside the basis take part in, as far as the model knows them."""
    known = model.external
    if known is None:
        return []
    return [name for name, X in (("moments", known.BB), ("metric", known.FF)) if X is not None]


def _left_outside(model: Model) -> tuple[str, ...]:
    """The share of states outside the basis that is missing."""
    if isinstance(model, SparseTightBinding):
        return ("bands outside the window",)
    known = _completed(model)
    if not known:
        return ("states outside the basis",)
    missing = {"moments": "moments by way of states outside the basis", "metric": "metric of states outside the basis"}
    always = ("states outside the basis that are mixed in by the field", "states outside the basis in the parts of the split")
    return (*(text for name, text in missing.items() if name not in known), *always)


class _Group(NamedTuple):
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
    def of(cls, model: Lattice, asked: Any, tol: float | None) -> _Group:
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


def _change(calculator: Calculator, part: _Part, model: Lattice, group: _Group, value: Array) -> Array:
    """What symmetrisation changes or, where it was not used, would remove."""
    if isinstance(calculator, GapTerm):  # symmetry fixes it modulo a quantum only
        return np.zeros_like(value)
    if group.used:
        return np.zeros_like(value) if part.rest is None else part.rest.error(calculator)
    along = component_axes(model.axes, model.moments)
    return np.asarray(abs(value - symmetrised(value, first_observable(calculator), group.operations, along)))


def _check(attrs: dict[str, Any], values: dict[str, Array], degeneracy_tol: float) -> None:
    """Warn where the numbers mean less than they seem to."""
    widest = attrs["widest_degenerate_group_eV"]
    if widest > 10 * degeneracy_tol:
        warnings.warn(
            f"a degenerate group spreads over {widest:.2g} eV, more than ten times degeneracy_tol = {degeneracy_tol:g} eV: "
            "lower degeneracy_tol",
            AccuracyWarning,
            stacklevel=3,
        )
    if "total" not in values:
        return
    total = abs(values["total"]).max()
    worst = max(
        ((abs(values[name]).max(), name) for name in ("dipole", "local", "itinerant", "itinerant_sea") if name in values),
        default=(0.0, ""),
    )
    if worst[0] > SPLIT_LIMIT * total > 0:
        warnings.warn(
            f"the split is dominated by nearly degenerate occupied pairs: {worst[1]} exceeds the total "
            f"{worst[0] / total:.1g} times and cancels; trust total and the cross-gap parts, or raise degeneracy_tol",
            AccuracyWarning,
            stacklevel=3,
        )
