"""MeshSums over a mesh: batches of k points through the calculators into histograms.

They are the same to the last bit for any batch size and any number of workers, interrupted or not: the blocks of the mesh
are fixed, each is summed for itself, and they are added in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...bands.bands import Bands
from ...bands.degeneracy import Degeneracy
from ...calculators.weights import evaluate_at, side_by_side
from ...common.errors import SettingsError
from ...common.executors import ordered
from ...common.progress import track
from ...common.termination import soft_termination
from ...models.base import Lattice, has_zone
from ..band_energies import _wanted
from ..integral import Integrand, Resources
from ..kpoints.chosen import Points
from ..kpoints.mesh import KMesh
from ..memory import WORKING_SET, bytes_per_point, check_sums, keep_freed
from ..occupation.histogram import Occupation
from .checkpoint import Checkpoint, State
from .constants import MESH
from .crossings import Places, pairs_near, places_of, with_pairs, with_peaks
from .scatter import Planes, with_rows, with_scatter
from .unseen import Unseen, spacing, with_surfaces

Array = NDArray[np.float64]


class MeshSums(NamedTuple):
    """Values (nf, nT, *components) by observable on the mesh and on each of its sub-meshes (none for a mesh that cannot be
    divided), the widest degenerate group in eV, what the points may miss (see `unseen`) with the number of widths of the
    occupation that levels move by from point to point, and what the mesh would give more with the other groups of levels that
    there may be (`Degeneracy.other`). Sub-meshes that symmetry joins count once, with their number in `shares`.
    """

    full: dict[str, Array]
    parts: list[dict[str, Array]]
    widest_group: float
    shares: tuple[int, ...]
    unseen: dict[str, Array]
    coarsest: float
    doubt: dict[str, Array]


def histogram_bytes(occupation: Occupation, columns: int, number: int) -> int:
    """Memory of so many histograms for this many components, of the sum and of the block at work."""
    return 2 * number * 8 * occupation.n_rows * columns


def mesh_sums(integrand: Integrand, points: Points, resources: Resources, checkpoint: Checkpoint | None = None) -> MeshSums:
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
        return MeshSums({}, [{}] * len(shares) if len(shares) > 1 else [], 0.0, shares, {}, 0.0, {})
    doubtful = integrand.degeneracy.other is not None
    columns, number = len(integrand.kinds), len(shares) + doubtful
    each = bytes_per_point(model.n_orbitals, integrand.order, model.external is not None)
    each *= 1 + integrand.degeneracy.splits_pairs  # all is there for both
    mesh, full = points if isinstance(points, KMesh) else points.mesh, integrand.of_full_bands
    planes = Planes.none(occupation, int(full.sum()), mesh.size)
    histograms = histogram_bytes(occupation, columns, number) + 2 * planes.sums.nbytes
    length, together, blocks = _batches(points, each, resources.memory, histograms)
    check_sums(resources.memory, occupation, columns, number)
    state = State(np.zeros((number, occupation.n_rows, columns)), Unseen.none(occupation, columns), planes, 0, 0.0)
    ahead = int(2 * resources.memory // histograms) - 1
    most = int(resources.memory // (histograms + each * length * together))
    total, unseen, planes, _, widest = _add_blocks(
        MeshJob(integrand, points, length, together, spacing(mesh, model.lattice, model.axes)),
        blocks,
        state,
        (ahead, most),
        resources,
        checkpoint,
    )
    norm = model.spin_degeneracy / model.cell  # physics.md eqs. 18 and 19
    unseen = with_scatter(unseen, occupation, planes, mesh.size, full)
    sums = occupation.evaluate(total, integrand.kinds)
    every = sums[: len(shares)]
    whole = every.sum(axis=0)
    between = occupation.interpolation_error(total[: len(shares)].sum(axis=0), whole, integrand.kinds)
    values, missed = (integrand.named(x * norm / len(mesh)) for x in (whole, unseen.error(occupation) + between))
    sums *= norm
    doubt = integrand.named(sums[-1] / len(mesh)) if doubtful else {}
    every /= (mesh.n_sub * np.array(shares))[:, None, None, None]
    parts = [integrand.named(part) for part in every]
    return MeshSums(values, parts if len(parts) > 1 else [], widest, shares, missed, unseen.coarsest, doubt)


class MeshJob(NamedTuple):
    """All that a worker needs to know: what to sum over which points, points per row, rows per batch, and the vectors to the
    next points (axes, directions) in 1/Angstrom."""

    integrand: Integrand
    points: Points
    length: int
    together: int
    to_next: Array

    @property
    def mesh(self) -> KMesh:
        """The whole mesh."""
        return self.points if isinstance(self.points, KMesh) else self.points.mesh

    def evaluate(self, k: Array, wide: float) -> tuple[Array, Array]:
        """Energies (nk, n) and weights (nk, n, columns) at any k points, of bands within so many eV of the window."""
        known, (low, high) = self.integrand, self.integrand.occupation.window
        bands, weights = evaluate_at(known.model, known.observables, k, known.degeneracy, (low - wide, high + wide))
        return bands.energies, weights


class Block(NamedTuple):
    """Histograms of a block, what its points may miss, sums over planes of points, and the widest degenerate group.

    Those (sub-meshes, n_rows, columns) and, if levels may be in doubt, one more of what their other groups would change.
    """

    histograms: Array
    unseen: Unseen
    planes: Planes
    widest: float


def block_sum(job: MeshJob, rows: tuple[int, int]) -> Block:
    """The sum over the rows from the first up to the second."""
    keep_freed()
    occupation, degeneracy = job.integrand.occupation, job.integrand.degeneracy
    kinds, full, peaks = job.integrand.kinds, job.integrand.of_full_bands, job.integrand.of_full_peaks
    shares, columns, widest = len(job.points.shares), len(kinds), 0.0
    block = np.zeros((shares + (degeneracy.other is not None), occupation.n_rows, columns))
    missed, crossed, places, used = Unseen.none(occupation, columns), Unseen.none(occupation, columns), [], 0
    planes = Planes.none(occupation, int(full.sum()), job.mesh.size)
    for start in range(*rows, job.together):
        k, histogram, star = job.points.batch(start, min(start + job.together, rows[1]), job.length)
        bands, weights, use = _weighted(job, k, star, star > 0, degeneracy)
        widest = max(widest, bands.widest_group)
        part = np.repeat(histogram[use], job.integrand.model.n_orbitals)
        occupation.add(block, bands.energies.ravel(), weights.reshape(-1, columns), part)
        missed = with_surfaces(missed, occupation, bands.energies, bands.moves, weights, kinds)
        near = pairs_near(bands, occupation, degeneracy.finest, bool(full.any()))
        if full.any():
            states = bands.energies, weights[..., full]
            planes = with_rows(planes, occupation, near, states, (k, use), job.mesh)
        crossed = with_pairs(crossed, occupation, near.chosen(near.apart), bands.energies, weights, kinds)
        places.append(places_of(near, bands, k[use], occupation, job.mesh.size, star[use], bool(peaks.any())))
        used += len(bands.energies)
        doubtful = np.zeros_like(use)
        doubtful[use] = degeneracy.doubtful(bands.energies, occupation.window[1])
        if degeneracy.other is not None and doubtful.any():
            if doubtful[use].all():
                other = bands.regrouped(degeneracy.other)
                changed, before = _counted(side_by_side(job.integrand.observables, other), star[use]), use[use]
            else:
                other, changed, again = _weighted(job, k, star, doubtful, degeneracy.other)
                before = again[use]
            occupation.add(block, other.energies.ravel(), changed.reshape(-1, columns), shares)
            occupation.add(block, bands.energies[before].ravel(), -weights[before].reshape(-1, columns), shares)
    few = min(used, MESH.few_places)
    some = Places.joined(places).largest(max(used // MESH.points_per_place, few))
    crossed = with_peaks(crossed, occupation, some, job.evaluate, job.length, (kinds, peaks))
    return Block(block, missed.plus(crossed), planes, widest)


def _weighted(
    job: MeshJob, k: Array, star: NDArray[np.uint8], use: NDArray[np.bool_], degeneracy: Degeneracy
) -> tuple[Bands, Array, NDArray[np.bool_]]:
    """The bands at points of a batch, at least those to be used, their weights (nk, n, columns), and which points these are."""
    observables, occupation = job.integrand.observables, job.integrand.occupation
    model, k, use = _wanted(cast(Lattice, job.integrand.model), k, use)
    bands, weights = evaluate_at(model, observables, k, degeneracy, occupation.window, job.to_next)
    return bands, _counted(weights, star[use]), use


def _counted(weights: Array, star: NDArray[np.uint8]) -> Array:
    """Weights (nk, n, columns) of points, times how many each (nk,) stands for."""
    if (star != 1).any():
        weights *= star[:, None, None]
    return weights


def _add_blocks(
    job: MeshJob,
    blocks: Sequence[tuple[int, int]],
    state: State,
    at_once: tuple[int, int],
    resources: Resources,
    checkpoint: Checkpoint | None,
) -> State:
    """The sum of all blocks, from the checkpoint on if it has a state; at_once : `ahead` and `most` of `ordered`."""
    total, missed, planes, done, widest = state if checkpoint is None else checkpoint.state_like(state, len(blocks))
    adding = False
    todo = blocks[done:]
    with ExitStack() as stack:
        if resources.executor is not None or checkpoint is not None:
            stack.enter_context(soft_termination())
        results = stack.enter_context(closing(ordered(resources.executor, block_sum, job, todo, *at_once)))
        try:
            for _ in track(todo, "k points", resources.progress):
                block = next(results)
                adding = True
                total += block.histograms
                missed, planes = missed.plus(block.unseen), planes.plus(block.planes)
                done, widest = done + 1, max(widest, block.widest)
                adding = False
                if checkpoint is not None:
                    checkpoint.keep(State(total, missed, planes, done, widest))
        finally:  # interrupted or complete; half way through an addition the last checkpoint stands
            if checkpoint is not None and done and not adding:
                checkpoint.write(State(total, missed, planes, done, widest))
    return State(total, missed, planes, done, widest)


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
    rows = np.array_split(np.arange(n_rows), min(n_rows, _number_of_blocks(len(points), each, histograms)))
    return length, together, [(int(r[0]), int(r[-1]) + 1) for r in rows]


def _number_of_blocks(points: int, each: int, histograms: int) -> int:
    """Into how many blocks so many points are cut, from the bytes of each and of the histograms of a block."""
    passing = points * each
    small = min(4 * passing // WORKING_SET, MESH.blocks)
    large = min(passing // MESH.large_block, points // MESH.points_of_large, MESH.most_blocks)
    # the histograms of a block are cleared and added: no more blocks than make that cheap beside the matrices
    return max(MESH.few_blocks, min(max(small, large), passing // (MESH.histogram_cost * histograms)))
