"""compute(): chunks of k points through the calculators into histograms, then the result with its error."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from . import __version__, radial, symmetry
from .bands import DEGENERACY_TOL, Bands
from .calculators import Calculator, Observable, defaults, resolve
from .errors import AccuracyWarning, SettingsError
from .kmesh import KMesh, PolarMesh
from .model import KDotP, TightBinding
from .occupation import Occupation, fermi_level
from .progress import track
from .result import build, combine, component_axes, first_observable
from .units import KB

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]
Model = TightBinding | KDotP

#: matrices of n x n complex numbers alive at once per k point, by the order of derivatives (measured peak, see tests)
MATRICES_ALIVE = {1: 60, 2: 90}
#: working set in bytes beyond which larger batches of k points stop paying (they leave the cache)
WORKING_SET = 2**26
#: k points whose weights are added up before they enter the sum, independent of everything but the mesh
BLOCKS = 64
#: parts of the split that exceed the total by this factor cancel to it: the split says nothing then
SPLIT_LIMIT = 100.0


def compute(
    model: Model,
    kmesh: KMesh | PolarMesh | Sequence[int] | None = None,
    calculators: Iterable[str | Calculator] | None = None,
    fermi: ArrayLike | None = None,
    *,
    filling: float | None = None,
    temperature: float | Sequence[float] | Array = 300.0,
    tau: float = 10.0,
    memory: int = 2**30,
    degeneracy_tol: float = DEGENERACY_TOL,
    symmetry_tol: float = symmetry.SYMMETRY_TOL,
    progress: bool = False,
) -> xr.Dataset:
    """Response tensors of a model as functions of the Fermi level and the temperature.

    Parameters
    ----------
    model : `TightBinding` or `KDotP`, see `load`.
    kmesh : `KMesh` or (N1, N2, N3) for tight binding, `PolarMesh` for k.p; by default one of sensible spacing.
    calculators : names or calculators; by default all but the second forms of one quantity (`calculators.CHECKS`).
    fermi : Fermi level(s) in eV, ascending.
    filling : electrons per cell, instead of `fermi`.
    temperature : K; an array adds a dimension. At T = 0 Fermi-surface terms use the spacing of the Fermi levels.
    tau : relaxation time in fs, for the extrinsic part.
    memory : budget in bytes for the arrays of one batch of k points.
    degeneracy_tol : eV; levels closer than this form one degenerate group.
    symmetry_tol : eV; operations violated by less count as symmetries whose forbidden elements enter the error.
    progress : show a progress bar on anything over two seconds.

    Returns
    -------
    xarray.Dataset with dims (fermi, [temperature,] moment, field), `<name>_error` beside each quantity, SI units.

    Raises
    ------
    SettingsError : settings that cannot be used. ModelError : a model that cannot give what was asked.

    Notes
    -----
    The error estimate is the difference to the sub-mesh of every second (or third) point, plus the part of the tensor that the
    symmetries of the Hamiltonian forbid. It covers neither the Wannier functions nor the DFT calculation behind them.
    """
    start = time.perf_counter()
    wanted, observables = resolve(defaults() if calculators is None else calculators)
    temperatures = np.atleast_1d(np.asarray(temperature, dtype=float))
    if not tau >= 0:
        raise SettingsError(f"tau is {tau}: give a relaxation time in fs")
    if (fermi is None) == (filling is None):
        raise SettingsError("give either fermi (eV) or filling (electrons per cell)")
    needs_moment = any("moment" in first_observable(c).dims or "axis" in first_observable(c).dims for c in wanted)
    if needs_moment and not model.moments:
        raise SettingsError(
            "an orbital moment needs two periodic directions perpendicular to it: "
            f"this model has {len(model.axes)}; ask for dipole_polarizability or quantum_metric alone"
        )
    with threadpool_limits(limits=1, user_api="blas"):
        if isinstance(model, KDotP):
            rays = PolarMesh() if kmesh is None else _polar(kmesh)
            mesh: KMesh | PolarMesh = rays
            levels = _levels(fermi)
            values, others, attrs = _polar_sums(model, observables, rays, levels, temperatures, degeneracy_tol, progress)
        else:
            mesh = grid = KMesh.default(model.lattice, model.periodic) if kmesh is None else _uniform(kmesh, model)
            levels = _filled(model, grid, filling, temperatures[0]) if filling is not None else _levels(fermi)
            occupation = Occupation(levels, temperatures, any(o.occupation == "surface" for o in observables))
            values, others, attrs = _mesh_sums(model, observables, grid, occupation, memory, degeneracy_tol, progress)
    results = {c.name: combine(c, values) for c in wanted}
    uncertain = {name: _difference(value, c, others) for c, (name, value) in zip(wanted, results.items(), strict=True)}
    if isinstance(model, TightBinding):
        attrs |= _add_forbidden(model, wanted, results, uncertain, symmetry_tol)
    attrs |= {
        "software": f"ome_wannier {__version__}, numpy {np.__version__}",
        "model": model.name,
        "model_sha256": model.sha256,
        "kmesh": repr(mesh),
        "position": "commuting (tight binding)" if model.exact_position else "matrix elements of the Wannier functions",
        "left_out": "states outside the basis; local fields; vertex corrections; side jump and skew scattering",
        "spin_degeneracy": model.spin_degeneracy,
        "periodic": "".join("FT"[p] for p in model.periodic),
        "charge": "electrons carry -e; M is the magnetization of the electrons, positive along its axis",
        "degeneracy_tol_eV": degeneracy_tol,
        "tau_fs": tau,
        "wall_time_s": time.perf_counter() - start,
    }
    _check(attrs, results, degeneracy_tol)
    return build(
        wanted,
        results,
        uncertain,
        fermi=levels,
        temperature=temperatures if np.ndim(temperature) else float(temperatures[0]),
        axes=model.axes,
        moments=model.moments,
        tau=tau,
        attrs=attrs,
    )


def _difference(value: Array, calculator: Calculator, others: Sequence[dict[str, Array]]) -> Array:
    """Sum of the differences to coarser evaluations; nan where there is none."""
    if not others:
        return np.full_like(value, np.nan)
    return sum((abs(value - combine(calculator, other)) for other in others), np.zeros_like(value))


def _levels(fermi: ArrayLike | None) -> Array:
    if fermi is None:
        raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
    return np.atleast_1d(np.asarray(fermi, dtype=float))


def _polar(kmesh: KMesh | PolarMesh | Sequence[int]) -> PolarMesh:
    if not isinstance(kmesh, PolarMesh):
        raise SettingsError("a k.p model is integrated over the whole plane or space: give kmesh=PolarMesh(...)")
    return kmesh


def _uniform(kmesh: KMesh | PolarMesh | Sequence[int], model: TightBinding) -> KMesh:
    if isinstance(kmesh, PolarMesh):
        raise SettingsError("PolarMesh is for k.p models: give KMesh or (N1, N2, N3) for a lattice")
    mesh = kmesh if isinstance(kmesh, KMesh) else KMesh(tuple(kmesh))  # type: ignore[arg-type]
    for d in range(3):
        if mesh.size[d] > 1 and not model.periodic[d]:
            raise SettingsError(f"kmesh {mesh.size}: direction {d + 1} is not periodic in this model, use 1 point along it")
    return mesh


def _polar_sums(
    model: KDotP,
    observables: Sequence[Observable],
    mesh: PolarMesh,
    levels: Array,
    temperatures: Array,
    degeneracy_tol: float,
    progress: bool,
) -> tuple[dict[str, Array], list[dict[str, Array]], dict[str, Any]]:
    """Values and the two coarser evaluations of every observable at all levels and temperatures."""
    Occupation(levels, temperatures, surface=False)  # validates
    jobs = [(mu, T) for mu in levels for T in temperatures]
    sums = [
        radial.integrate(model, observables, mesh, mu, T * KB, degeneracy_tol)
        for mu, T in track(jobs, "Fermi levels", progress)
    ]
    fine, *others = (
        {
            o.name: model.spin_degeneracy
            * np.stack([s[version][i] for s in sums]).reshape(len(levels), len(temperatures), *np.shape(sums[0][version][i]))
            for i, o in enumerate(observables)
        }
        for version in range(3)
    )
    error = "difference to half the angles plus difference to three quarters of the radial nodes"
    return fine, others, {"error_estimate": error, "widest_degenerate_group_eV": 0.0}


def bytes_per_point(n: int, order: int) -> int:
    """Memory that one k point takes while its matrices are alive."""
    return 16 * n * n * MATRICES_ALIVE[order]


def _batches(mesh: KMesh, n: int, order: int, memory: int) -> tuple[int, int, list[NDArray[np.int64]]]:
    """Points per row, rows per batch, and the rows of every block. Only the rows per batch depend on `memory`."""
    each = bytes_per_point(n, order)
    length = mesh.row_length(WORKING_SET // each)
    if memory < each * length:
        raise SettingsError(f"memory {memory / 2**20:.0f} MiB: this model needs at least {each * length / 2**20:.0f} MiB")
    n_rows = len(mesh) // length
    together = max(min(memory, WORKING_SET) // (each * length), 1)
    return length, together, np.array_split(np.arange(n_rows), min(BLOCKS, n_rows))


def _mesh_sums(
    model: TightBinding,
    observables: Sequence[Observable],
    mesh: KMesh,
    occupation: Occupation,
    memory: int,
    degeneracy_tol: float,
    progress: bool,
) -> tuple[dict[str, Array], list[dict[str, Array]], dict[str, Any]]:
    """Values, and those of the sub-mesh if there is one, of every observable at all levels and temperatures."""
    order, curvature = max(o.order for o in observables), any(o.curvature for o in observables)
    length, together, blocks = _batches(mesh, model.n_orbitals, order, memory)
    shapes = {o.name: _component_shape(o, model) for o in observables}
    full, sub = (_histogram(occupation, shapes, memory) for _ in range(2))
    window, widest = occupation.window, 0.0
    for rows in track(blocks, "k points", progress):
        here, there = np.zeros_like(full), np.zeros_like(sub)
        for start in range(rows[0], rows[-1] + 1, together):
            k, in_sub = mesh.rows(start, min(start + together, rows[-1] + 1), length)
            bands = Bands(model, k, order=order, curvature=curvature, degeneracy_tol=degeneracy_tol, window=window)
            weights = _weights(bands, observables)
            widest = max(widest, bands.widest_group)
            occupation.add(here, bands.energies.ravel(), weights.reshape(-1, weights.shape[2]))
            chosen = in_sub.ravel()
            occupation.add(there, bands.energies[chosen].ravel(), weights[chosen].reshape(-1, weights.shape[2]))
        full += here
        sub += there
    norm = model.spin_degeneracy / (len(mesh) * model.cell)
    values = _unpack(occupation.evaluate(full * norm, _surface(observables, shapes)), shapes)
    others = []
    error = "none: the mesh has no sub-mesh (use even numbers)"
    if mesh.n_sub < len(mesh):
        scale = norm * len(mesh) / mesh.n_sub
        others = [_unpack(occupation.evaluate(sub * scale, _surface(observables, shapes)), shapes)]
        error = f"difference to the sub-mesh of every {mesh.strides} point"
    return values, others, {"error_estimate": error, "widest_degenerate_group_eV": widest}


def _histogram(occupation: Occupation, shapes: dict[str, tuple[int, ...]], memory: int) -> Array:
    """An empty histogram for all components; four are alive at once."""
    columns = sum(int(np.prod(s)) for s in shapes.values())
    if 4 * 8 * occupation.n_rows * columns > memory:
        raise SettingsError(
            f"memory {memory / 2**20:.0f} MiB: these Fermi levels and temperatures need "
            f"{occupation.n_rows * columns / 2**15:.0f} MiB; "
            "narrow the range, or leave out the lowest temperature or some calculators"
        )
    return np.zeros((occupation.n_rows, columns))


def _component_shape(observable: Observable, model: Model) -> tuple[int, ...]:
    along = component_axes(model.axes, model.moments)
    return tuple(len(along[dim]) for dim in observable.dims)


def _weights(bands: Bands, observables: Sequence[Observable]) -> Array:
    """Weights of all observables side by side: (nk, n, columns), means over degenerate groups."""
    columns = []
    for observable in observables:
        a = bands.select(observable(bands), observable.dims)
        columns.append(a.reshape(*a.shape[:2], -1))
    return bands.group_mean(np.concatenate(columns, axis=2))


def _surface(observables: Sequence[Observable], shapes: dict[str, tuple[int, ...]]) -> NDArray[np.bool_]:
    return np.repeat([o.occupation == "surface" for o in observables], [int(np.prod(shapes[o.name])) for o in observables])


def _unpack(columns: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Split (nf, nT, columns) into one array per observable."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes.values()])
    parts = np.split(columns, ends[:-1].tolist(), axis=2)
    return {name: p.reshape(*p.shape[:2], *s) for (name, s), p in zip(shapes.items(), parts, strict=True)}


def _filled(model: TightBinding, mesh: KMesh, filling: float, temperature: float) -> Array:
    """The Fermi level (1,) at which the cell holds `filling` electrons on this mesh."""
    n = mesh.size[mesh.row_axis]
    step = max(1, WORKING_SET // (n * bytes_per_point(model.n_orbitals, 1)))
    starts = range(0, len(mesh) // n, step)
    energies = np.concatenate([band_energies(model, mesh.rows(s, min(s + step, len(mesh) // n), n)[0]) for s in starts])
    weights = np.full(len(energies), model.spin_degeneracy / len(energies))
    return np.array([fermi_level(energies, weights, filling, temperature * KB)])


def band_energies(model: Model, k: Array) -> Array:
    """Energies (nk, n) in eV at the points k (..., 3)."""
    return np.asarray(np.linalg.eigvalsh(model.matrices(k, 0).H), dtype=float)


def _add_forbidden(
    model: TightBinding, wanted: Sequence[Calculator], values: dict[str, Array], errors: dict[str, Array], tol: float
) -> dict[str, Any]:
    """Add to the errors what the symmetries of the Hamiltonian forbid; return what was found."""
    group = [g for g in symmetry.operations(model) if g.holds(tol)]
    along = component_axes(model.axes, model.moments)
    for calculator in wanted:
        value = values[calculator.name]
        allowed = symmetry.symmetrised(value, first_observable(calculator), group, along)
        errors[calculator.name] = errors[calculator.name] + abs(value - allowed)
    return {
        "symmetry_operations": [g.name for g in group],
        "symmetry_violation_eV": max(g.violation for g in group),
        "symmetry_tol_eV": tol,
    }


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
