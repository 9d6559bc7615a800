"""Sums over a mesh: batches of k points through the calculators into histograms.

They are the same to the last bit for any batch size and any number of workers, interrupted or not: the blocks of the mesh
are fixed, each is summed for itself, and they are added in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .calculators.base import evaluate_at, unpacked
from .checkpoint import Checkpoint, State, soft_termination
from .chosen import Points
from .degeneracy import Degeneracy
from .errors import SettingsError
from .executors import ordered
from .integral import Integrand, Resources
from .kmesh import KMesh
from .model import Lattice, Matrices, Model, has_zone
from .occupation import Occupation
from .progress import track
from .unseen import Unseen, spacing, with_points

Array = NDArray[np.float64]

#: matrices of n x n complex numbers alive at once per k point, by the order of derivatives: the measured peak is 49 and 70
MATRICES_ALIVE = {1: 60, 2: 90}
#: and those of the states outside the basis where the model knows them: the measured peak is 23
OUTSIDE_ALIVE = 30
#: working set in bytes beyond which larger batches of k points stop paying (they leave the cache)
WORKING_SET = 2**26
#: parts of the mesh that are summed for themselves and then added in order, whoever computes them; of small meshes as many
#: as hold a quarter of the working set each, but `FEW_BLOCKS` if there are rows enough
BLOCKS, FEW_BLOCKS = 64, 16
#: bytes of matrices that should pass for every byte of a block's histograms
HISTOGRAM_COST = 8


class Sums(NamedTuple):
    """Values (nf, nT, *components) by observable on the mesh and on each of its sub-meshes (none for a mesh that cannot be
    divided), the widest degenerate group in eV, what the points may miss (see `unseen`) with the number of widths of the
    occupation that levels move by from point to point, and what the mesh would give more were all levels in doubt one
    (`Degeneracy.doubt`). Sub-meshes that symmetry joins count once, with their number in `shares`.
    """

    full: dict[str, Array]
    parts: list[dict[str, Array]]
    widest_group: float
    shares: tuple[int, ...]
    unseen: dict[str, Array]
    coarsest: float
    doubt: dict[str, Array]


def bytes_per_point(n: int, order: int, outside: bool = False) -> int:
    """Memory that one k point takes while its matrices are alive; with those of states outside the basis, or without."""
    return 16 * n * n * (MATRICES_ALIVE[order] + OUTSIDE_ALIVE * outside)


def histogram_bytes(occupation: Occupation, columns: int, number: int) -> int:
    """Memory of so many histograms for this many components, of the sum and of the block at work."""
    return 2 * number * 8 * occupation.n_rows * columns


def mesh_sums(integrand: Integrand, points: Points, resources: Resources, checkpoint: Checkpoint | None = None) -> Sums:
    """Integrals of every observable at all Fermi levels and temperatures; of an irreducible mesh, before symmetrisation.

    The memory is that of each worker, and of this process, where blocks wait for their turn to be added: if it holds the
    histograms of few of them, few are computed at a time.

    Raises
    ------
    SettingsError : a memory budget that does not hold the histograms and one row of k points.
    WorkerError : see `executors.ordered`.
    """
    model, occupation, shares = integrand.model, integrand.occupation, points.shares
    assert has_zone(model)
    if not integrand.observables:
        return Sums({}, [{}] * len(shares) if len(shares) > 1 else [], 0.0, shares, {}, 0.0, {})
    columns, number = len(integrand.surface), len(shares) + (integrand.degeneracy.doubt > 0)
    each = bytes_per_point(model.n_orbitals, integrand.order, model.external is not None)
    histograms = histogram_bytes(occupation, columns, number)
    length, together, blocks = _batches(points, each, resources.memory, histograms)
    state = State(np.zeros((number, occupation.n_rows, columns)), Unseen.none(occupation, columns), 0, 0.0)
    ahead = int(2 * resources.memory // histograms) - 1
    total, unseen, _, widest = _add_blocks(
        Job(integrand, points, length, together), blocks, state, ahead, resources, checkpoint
    )
    norm = model.spin_degeneracy / model.cell
    mesh = points if isinstance(points, KMesh) else points.mesh
    sums = occupation.evaluate(total, integrand.surface) * norm
    every, shapes = sums[: len(shares)], integrand.shapes
    values, missed = (unpacked(x / len(mesh), shapes) for x in (every.sum(axis=0), unseen.error(occupation) * norm))
    doubt = unpacked(sums[-1] / len(mesh), shapes) if integrand.degeneracy.doubt else {}
    parts = [unpacked(part / (n * mesh.n_sub), shapes) for part, n in zip(every, shares, strict=True)]
    return Sums(values, parts if len(parts) > 1 else [], widest, shares, missed, unseen.coarsest, doubt)


class Job(NamedTuple):
    """All that a worker needs to know: what to sum over which points, points per row and rows per batch."""

    integrand: Integrand
    points: Points
    length: int
    together: int


class Block(NamedTuple):
    """Histograms of a block, what its points may miss, and the widest degenerate group.

    Those (sub-meshes, n_rows, columns) and, if levels may be in doubt, one more of what it would change were they one.
    """

    histograms: Array
    unseen: Unseen
    widest: float


def block_sum(job: Job, rows: tuple[int, int]) -> Block:
    """The sum over the rows from the first up to the second."""
    occupation, degeneracy, surface = job.integrand.occupation, job.integrand.degeneracy, job.integrand.surface
    shares, columns, widest = len(job.points.shares), len(surface), 0.0
    block = np.zeros((shares + (degeneracy.doubt > 0), occupation.n_rows, columns))
    missed = Unseen.none(occupation, columns)
    for start in range(*rows, job.together):
        k, histogram, star = job.points.batch(start, min(start + job.together, rows[1]), job.length)
        bands, weights, use = _weighted(job, k, star, star > 0, degeneracy)
        widest = max(widest, bands.widest_group)
        part = np.repeat(histogram[use], job.integrand.model.n_orbitals)
        occupation.add(block, bands.energies.ravel(), weights.reshape(-1, columns), part)
        missed = with_points(missed, occupation, bands.energies, bands.moves, weights, surface)
        doubtful = np.zeros_like(use)
        doubtful[use] = degeneracy.doubtful(bands.energies, occupation.window[1])
        if doubtful.any():
            bands, wider, again = _weighted(job, k, star, doubtful, degeneracy.wider)
            occupation.add(block, bands.energies.ravel(), (wider - weights[again[use]]).reshape(-1, columns), shares)
    return Block(block, missed, widest)


def _weighted(
    job: Job, k: Array, star: NDArray[np.uint8], use: NDArray[np.bool_], degeneracy: Degeneracy
) -> tuple[Bands, Array, NDArray[np.bool_]]:
    """The bands at points of a batch, at least those to be used, their weights (nk, n, columns), and which points these are."""
    observables, occupation = job.integrand.observables, job.integrand.occupation
    lattice = cast(Lattice, job.integrand.model)
    mesh = job.points if isinstance(job.points, KMesh) else job.points.mesh
    model, k, use = _wanted(lattice, k, use)
    to_next = spacing(mesh, lattice.lattice, lattice.axes)
    bands, weights = evaluate_at(model, observables, k, degeneracy, occupation.window, to_next)
    if (star[use] != 1).any():
        weights *= star[use][:, None, None]
    return bands, weights, use


@dataclass(frozen=True)
class _Chosen:
    """A model at some of the points that it is asked for: sums over whole rows are fast, what follows is not.

    use : (rows, length), which points are wanted.
    """

    model: Lattice
    use: NDArray[np.bool_]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at the points that are wanted among `k` (rows, length, 3)."""
        found = self.model.matrices(k, order, curvature)
        return Matrices(*(None if X is None else X[self.use.ravel()] for X in found))  # type: ignore[arg-type]


def _wanted(model: Lattice, k: Array, use: NDArray[np.bool_]) -> tuple[Model, Array, NDArray[np.bool_]]:
    """A model and points (rows, length, 3) or (nk, 3) to ask it for that give the wanted ones, and which they are."""
    if use.all():
        return model, k, use
    if not model.by_rows:
        return model, k[use], use
    if model.external is not None:  # its matrices are joined with those of whole rows; the weight of the others is zero
        return model, k, np.ones_like(use)
    return cast(Model, _Chosen(model, use)), k, use


def _add_blocks(
    job: Job,
    blocks: Sequence[tuple[int, int]],
    state: State,
    ahead: int,
    resources: Resources,
    checkpoint: Checkpoint | None,
) -> State:
    """The sum of all blocks, from the checkpoint on if it has a state."""
    total, missed, done, widest = state if checkpoint is None else checkpoint.state or state
    adding = False
    todo = blocks[done:]
    with ExitStack() as stack:
        if resources.executor is not None or checkpoint is not None:
            stack.enter_context(soft_termination())
        results = stack.enter_context(closing(ordered(resources.executor, block_sum, job, todo, ahead)))
        try:
            for _ in track(todo, "k points", resources.progress):
                block = next(results)
                adding = True
                total += block.histograms
                missed = missed.plus(block.unseen)
                done, widest = done + 1, max(widest, block.widest)
                adding = False
                if checkpoint is not None:
                    checkpoint.keep(State(total, missed, done, widest))
        finally:  # interrupted or complete; half way through an addition the last checkpoint stands
            if checkpoint is not None and done and not adding:
                checkpoint.write(State(total, missed, done, widest))
    return State(total, missed, done, widest)


def _batches(points: Points, each: int, memory: int, histograms: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Points per row, rows per batch, and first row and end of every block, from the bytes of each point.

    Only the rows per batch depend on `memory`.
    """
    length = points.row_length(WORKING_SET // each)
    least = histograms + each * length
    if memory < least:
        raise SettingsError(
            f"memory {memory / 2**20:.3g} MiB: this model needs {each * length / 2**20:.3g} MiB, and these Fermi levels, "
            f"temperatures and calculators {histograms / 2**20:.3g} MiB; raise memory, or narrow the range or leave out the "
            "lowest temperature"
        )
    n_rows = points.n_rows(length)
    together = max(min(memory - histograms, WORKING_SET) // (each * length), 1)
    # the histograms of a block are cleared and added: no more blocks than make that cheap beside the matrices
    cheap = min(4 * len(points) * each // WORKING_SET, len(points) * each // (HISTOGRAM_COST * histograms))
    number = min(BLOCKS, n_rows, max(FEW_BLOCKS, cheap))
    rows = np.array_split(np.arange(n_rows), number)
    return length, together, [(int(r[0]), int(r[-1]) + 1) for r in rows]


def band_energies(model: Model, k: Array) -> Array:
    """Energies (nk, n) in eV at the points k (..., 3)."""
    return np.asarray(np.linalg.eigvalsh(model.matrices(k, 0).H), dtype=float)


def mesh_energies(model: Lattice, mesh: KMesh) -> Array:
    """Energies (N, n) in eV on the whole mesh, in the order of its rows."""
    return point_energies(model, mesh)[0]


def point_energies(model: Lattice, points: Points) -> tuple[Array, Array, NDArray[np.int64]]:
    """Energies (nk, n) in eV of a mesh, in the order of its rows, the share (nk,) of the zone of each point, and the number
    (nk,) of the histogram that it goes to."""
    row = points.row_length(2**62)
    step = max(1, WORKING_SET // (row * bytes_per_point(model.n_orbitals, 1)))
    energies, stars, histograms = [], [], []
    for start in range(0, n_rows := points.n_rows(row), step):
        k, histogram, star = points.batch(start, min(start + step, n_rows), row)
        at, k, use = _wanted(model, k, star > 0)
        energies.append(np.linalg.eigvalsh(at.matrices(k, 0).H))
        stars.append(star[use])
        histograms.append(histogram[use])
    weights = np.concatenate(stars).astype(float)
    return np.concatenate(energies), weights / weights.sum(), np.concatenate(histograms)
