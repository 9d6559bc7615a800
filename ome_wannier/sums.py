"""Sums over a mesh: batches of k points through the calculators into histograms.

They are the same to the last bit for any batch size and any number of workers, interrupted or not: the blocks of the mesh
are fixed, each is summed for itself, and they are added in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .calculators import Observable
from .calculators.base import component_axes, evaluate
from .checkpoint import Checkpoint, State, soft_termination
from .errors import SettingsError
from .executors import ordered
from .kdotp import KDotP
from .kmesh import KMesh
from .model import TightBinding
from .occupation import Occupation, fermi_level
from .planewaves import PlaneWaves
from .progress import track
from .sparse import SparseTightBinding
from .units import KB

Array = NDArray[np.float64]
Shapes = dict[str, tuple[int, ...]]
#: models with a Brillouin zone
Lattice = TightBinding | PlaneWaves | SparseTightBinding

#: matrices of n x n complex numbers alive at once per k point, by the order of derivatives: the measured peak is 49 and 70
MATRICES_ALIVE = {1: 60, 2: 90}
#: and those of the states outside the basis where the model knows them: the measured peak is 23
OUTSIDE_ALIVE = 30
#: working set in bytes beyond which larger batches of k points stop paying (they leave the cache)
WORKING_SET = 2**26
#: parts of the mesh that are summed for themselves and then added in order, whoever computes them
BLOCKS = 64


class Sums(NamedTuple):
    """Values (nf, nT, *components) by observable on the mesh and on each of its sub-meshes (none for a mesh that cannot be
    divided), and the widest degenerate group in eV."""

    full: dict[str, Array]
    parts: list[dict[str, Array]]
    widest_group: float


def bytes_per_point(n: int, order: int, outside: bool = False) -> int:
    """Memory that one k point takes while its matrices are alive; with those of states outside the basis, or without."""
    return 16 * n * n * (MATRICES_ALIVE[order] + OUTSIDE_ALIVE * outside)


def histogram_bytes(occupation: Occupation, columns: int, mesh: KMesh) -> int:
    """Memory of the histograms for this many components: one per sub-mesh, of the sum and of the block at work."""
    return 2 * mesh.n_sub_meshes * 8 * occupation.n_rows * columns


def component_shapes(observables: Sequence[Observable], model: Lattice | KDotP) -> Shapes:
    """Number of components along each dimension, by observable."""
    along = component_axes(model.axes, model.moments)
    return {o.name: tuple(len(along[dim]) for dim in o.dims) for o in observables}


def mesh_sums(
    model: Lattice,
    observables: Sequence[Observable],
    mesh: KMesh,
    occupation: Occupation,
    *,
    memory: int,
    degeneracy_tol: float,
    progress: bool,
    executor: Executor | None = None,
    checkpoint: Checkpoint | None = None,
) -> Sums:
    """Integrals of every observable at all Fermi levels and temperatures.

    `memory` is the budget of each worker, and of this process, where blocks wait for their turn to be added: if it holds the
    histograms of few of them, few are computed at a time.

    Raises
    ------
    SettingsError : a memory budget that does not hold the histograms and one row of k points.
    WorkerError : see `executors.ordered`.
    """
    if not observables:
        return Sums({}, [{}] if mesh.n_sub_meshes > 1 else [], 0.0)
    shapes = component_shapes(observables, model)
    columns = sum(int(np.prod(s)) for s in shapes.values())
    each = bytes_per_point(model.n_orbitals, max(o.order for o in observables), model.external is not None)
    histograms = histogram_bytes(occupation, columns, mesh)
    length, together, blocks = _batches(mesh, each, memory, histograms)
    job = Job(model, tuple(observables), mesh, occupation, degeneracy_tol, length, together)
    state = State(np.zeros((mesh.n_sub_meshes, occupation.n_rows, columns)), 0, 0.0)
    total, widest = _add_blocks(job, blocks, state, int(2 * memory // histograms) - 1, progress, executor, checkpoint)
    surface = np.repeat([o.occupation == "surface" for o in observables], [int(np.prod(s)) for s in shapes.values()])
    norm = model.spin_degeneracy / model.cell
    values = _unpack(occupation.evaluate(total.sum(axis=0) * (norm / len(mesh)), surface), shapes)
    if len(total) == 1:
        return Sums(values, [], widest)
    parts = [_unpack(occupation.evaluate(one * (norm / mesh.n_sub), surface), shapes) for one in total]
    return Sums(values, parts, widest)


class Job(NamedTuple):
    """All that a worker needs to know: besides what `mesh_sums` was given, points per row and rows per batch."""

    model: Lattice
    observables: tuple[Observable, ...]
    mesh: KMesh
    occupation: Occupation
    degeneracy_tol: float
    length: int
    together: int


def block_sum(job: Job, rows: tuple[int, int]) -> tuple[Array, float]:
    """Histograms (sub-meshes, n_rows, columns) of the rows from the first up to the second, and the widest degenerate group."""
    order = max(o.order for o in job.observables)
    curvature = job.model.external is not None or any(o.curvature for o in job.observables)
    columns = sum(int(np.prod(s)) for s in component_shapes(job.observables, job.model).values())
    block = np.zeros((job.mesh.n_sub_meshes, job.occupation.n_rows, columns))
    window, widest = job.occupation.window, 0.0
    for start in range(*rows, job.together):
        k, sub_mesh = job.mesh.rows(start, min(start + job.together, rows[1]), job.length)
        bands = Bands(job.model, k, order=order, curvature=curvature, degeneracy_tol=job.degeneracy_tol, window=window)
        weights = _weights(bands, job.observables)
        widest = max(widest, bands.widest_group)
        part = np.repeat(sub_mesh.ravel(), job.model.n_orbitals)
        job.occupation.add(block, bands.energies.ravel(), weights.reshape(-1, columns), part)
    return block, widest


def _add_blocks(
    job: Job,
    blocks: Sequence[tuple[int, int]],
    state: State,
    ahead: int,
    progress: bool,
    executor: Executor | None,
    checkpoint: Checkpoint | None,
) -> tuple[Array, float]:
    """The sum of all blocks and the widest degenerate group, from the checkpoint on if it has a state."""
    total, done, widest = state if checkpoint is None else checkpoint.state or state
    adding = False
    todo = blocks[done:]
    with ExitStack() as stack:
        if executor is not None or checkpoint is not None:
            stack.enter_context(soft_termination())
        results = stack.enter_context(closing(ordered(executor, block_sum, job, todo, ahead)))
        try:
            for _ in track(todo, "k points", progress):
                block, group = next(results)
                adding = True
                total += block
                done, widest = done + 1, max(widest, group)
                adding = False
                if checkpoint is not None:
                    checkpoint.keep(State(total, done, widest))
        finally:  # interrupted or complete; half way through an addition the last checkpoint stands
            if checkpoint is not None and done and not adding:
                checkpoint.write(State(total, done, widest))
    return total, widest


def _batches(mesh: KMesh, each: int, memory: int, histograms: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Points per row, rows per batch, and first row and end of every block, from the bytes of each point.

    Only the rows per batch depend on `memory`.
    """
    length = mesh.row_length(WORKING_SET // each)
    least = histograms + each * length
    if memory < least:
        raise SettingsError(
            f"memory {memory / 2**20:.3g} MiB: this model needs {each * length / 2**20:.3g} MiB, and these Fermi levels, "
            f"temperatures and calculators {histograms / 2**20:.3g} MiB; raise memory, or narrow the range or leave out the "
            "lowest temperature"
        )
    n_rows = len(mesh) // length
    together = max(min(memory - histograms, WORKING_SET) // (each * length), 1)
    rows = np.array_split(np.arange(n_rows), min(BLOCKS, n_rows))
    return length, together, [(int(r[0]), int(r[-1]) + 1) for r in rows]


def _weights(bands: Bands, observables: Sequence[Observable]) -> Array:
    """Weights of all observables side by side: (nk, n, columns), means over degenerate groups."""
    columns = []
    for observable in observables:
        a = evaluate(observable, bands)
        columns.append(a.reshape(*a.shape[:2], -1))
    return np.concatenate(columns, axis=2)


def _unpack(columns: Array, shapes: Shapes) -> dict[str, Array]:
    """Split (nf, nT, columns) into one array per observable."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes.values()])
    parts = np.split(columns, ends[:-1].tolist(), axis=2)
    return {name: p.reshape(*p.shape[:2], *s) for (name, s), p in zip(shapes.items(), parts, strict=True)}


def band_energies(model: Lattice | KDotP, k: Array) -> Array:
    """Energies (nk, n) in eV at the points k (..., 3)."""
    return np.asarray(np.linalg.eigvalsh(model.matrices(k, 0).H), dtype=float)


def mesh_energies(model: Lattice, mesh: KMesh) -> Array:
    """Energies (N, n) in eV on the whole mesh, in the order of its rows."""
    n = mesh.size[mesh.row_axis]
    n_rows, step = len(mesh) // n, max(1, WORKING_SET // (n * bytes_per_point(model.n_orbitals, 1)))
    return np.concatenate([band_energies(model, mesh.rows(s, min(s + step, n_rows), n)[0]) for s in range(0, n_rows, step)])


def filled_level(model: Lattice, mesh: KMesh, filling: float, temperature: float) -> float:
    """The Fermi level (eV) at which the cell holds `filling` electrons on this mesh, at a temperature in K.

    Electrons of plane waves and of windows of bands count from neutrality, since their number of bands is that of the cutoff.
    """
    if isinstance(model, PlaneWaves | SparseTightBinding):
        filling += model.spin_degeneracy * model.neutral
    energies = mesh_energies(model, mesh)
    return fermi_level(energies, np.full(len(energies), model.spin_degeneracy / len(energies)), filling, temperature * KB)
