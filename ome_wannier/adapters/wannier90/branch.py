"""The branch of the logarithm in Wannier90's position matrix elements.

Wannier90 writes the diagonal <0n|r|Rn> as the Fourier transform of

    A_nn(k) = - sum_b w_b b Im ln M_nn(k, b)         (Marzari and Vanderbilt, PRB 56, 12847 (1997), eqs. 31 and B1)

with the principal value of the logarithm. Where b.r_n exceeds pi this is wrong by multiples of 2 pi w_b b: several
Angstrom, no lattice vector, and where b.r_n is close to pi not even the same at every k. `_centres.xyz` is right,
its branches being chosen with the guiding centres. Knowing the centres, the jumps are found and taken out.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.errors import FileFormatError, warn
from ...common.fortran_text import Array, ComplexArray, IntArray
from .belongs import meshes_of
from .files import RealSpaceMatrices

#: how close to a jump, in turns of 2 pi, b.r_n / 2 pi has to be for the branch to be looked for at every k
_NEAR_JUMP = 0.15
#: Angstrom: jumps are longer; what other approximations do to a mean is shorter, and twice that at one k point
_FAR = 0.5


def on_branch(
    main: Path,
    data: RealSpaceMatrices,
    position: ComplexArray,
    lattice: Array,
    mesh: tuple[int, int, int] | None,
    centres: Array | None,
) -> ComplexArray:
    """Position matrix elements of a file, freed of jumps if the mesh and the centres are known.

    Functions whose diagonal elements fit their centre keep them: not every program takes the principal value.

    Raises
    ------
    FileFormatError : centres to which no branch leads, in a file whose own positions may be principal values.

    Warns
    -----
    AccuracyWarning : jumps that cannot be taken out, or looked for; centres to which no branch leads, beside positions that are
        no principal values: these are kept.
    """
    if mesh and np.prod(mesh) != round((1 / data.ndegen).sum()):
        mesh = None  # other R vectors than Wannier90 writes
    if not mesh or centres is None:
        if not mesh and centres is None and len(told := meshes_of(data)) == 1:
            mesh = told[0]
        _warn_of_jumps(main, data, position, lattice, mesh, centres)
        return position
    mended = without_jumps(position, data.R, data.ndegen, lattice, mesh, centres)
    fits = _fits(mended, data, mesh, centres)
    if not fits.all():
        A = diagonal_on_mesh(position, data.R, data.ndegen, mesh)[0]
        _refuse_or_keep(main, A, centres, fits, finite_differences(lattice, mesh))
        return position
    return mended


def _refuse_or_keep(main: Path, A: Array, centres: Array, fits: NDArray[np.bool_], shells: tuple[Array, Array] | None) -> None:
    """Say that centres (n, 3) are not those of the diagonal elements A_nn(k), repaired or not."""
    mean = A.mean(axis=0)
    first = int(np.argmin(fits))
    found = f"Wannier function {first + 1} at {_place(mean[first])} Angstrom, and in _centres.xyz at {_place(centres[first])}"
    if shells is None or not _out_of_reach(mean, *shells):
        expected = "positions that some branch of Wannier90's logarithm brings to those in _centres.xyz (of another run? "
        raise FileFormatError(main, None, expected + "remove it, or give centres=)", f"{found}; {(~fits).sum()} such")
    warn(
        f"{main.name} and _centres.xyz disagree about {(~fits).sum()} of {len(fits)} Wannier functions in a way that no "
        f"branch of Wannier90's logarithm explains ({found}): those of {main.name}, which are no principal values, are used"
    )


def _out_of_reach(places: Array, b: Array, weights: Array) -> bool:
    """Whether one of the places (n, 3) is none that phases between -pi and pi can give."""
    reach = np.pi * np.abs(b @ b.T) @ np.abs(weights)
    return bool((np.abs(places @ b.T) > 1.001 * reach).any())


def _warn_of_jumps(
    main: Path,
    data: RealSpaceMatrices,
    position: ComplexArray,
    lattice: Array,
    mesh: tuple[int, int, int] | None,
    centres: Array | None,
) -> None:
    """Say that jumps are there, or may be, where mesh or centres are unknown."""
    mean = position[~data.R.any(axis=1)].sum(axis=0).diagonal().T.real
    A = diagonal_on_mesh(position, data.R, data.ndegen, mesh)[0] if mesh else mean[None]
    away = np.linalg.norm(A - (mean if centres is None else centres), axis=2).max()
    if away > 2 * _FAR or (mesh and centres is None and (_can_jump(lattice, mesh) or _torn(mean, lattice, mesh))):
        size = f"are off by about {away:.2g} Angstrom" if away > 2 * _FAR else "may be off by several Angstrom"
        warn(
            f"{main.name}: positions of Wannier functions {size}, because Wannier90 takes the principal value of "
            "a logarithm; _centres.xyz, and mp_grid in .win, let this be corrected"
        )


def _fits(position: ComplexArray, data: RealSpaceMatrices, mesh: tuple[int, int, int], centres: Array) -> NDArray[np.bool_]:
    """(n,) whether the diagonal elements lie at the centres, in the mean and at every k point."""
    A = diagonal_on_mesh(position, data.R, data.ndegen, mesh)[0]
    mean, worst = np.linalg.norm(A.mean(axis=0) - centres, axis=1), np.linalg.norm(A - centres, axis=2).max(axis=0)
    return np.asarray((mean <= _FAR) & (worst <= 2 * _FAR))


def _place(x: Array) -> str:
    return "(" + ", ".join(f"{c:.3f}" for c in x.tolist()) + ")"


def finite_differences(lattice: Array, mesh: tuple[int, int, int]) -> tuple[Array, Array] | None:
    """Vectors b (nb, 3) in 1/Angstrom between k points and weights w (nb,) with sum_b w_b b_i b_j = delta_ij.

    Shells are added by length until the condition can be met; one that adds nothing new is left out. None if no
    set of shells meets it.
    """
    steps = np.array(list(product(range(-4, 5), repeat=3)))
    b = steps @ (2 * np.pi * np.linalg.inv(lattice).T / np.array(mesh)[:, None])
    length = np.linalg.norm(b, axis=1)
    order = np.argsort(length, kind="stable")[1:]
    b, length = b[order], length[order]
    shell = np.cumsum(np.diff(length, prepend=length[:1]) > 1e-6 * length[-1])
    shells: list[Array] = []
    for s in range(min(36, int(shell[-1]) + 1)):
        new = b[shell == s]
        if any(_parallel(new, old) for old in shells):
            continue
        tensors = np.array([(x.T @ x)[np.triu_indices(3)] for x in [*shells, new]]).T
        scale = np.abs(tensors).max(axis=0)
        if np.linalg.svd(tensors / scale, compute_uv=False)[-1] < 1e-5:
            continue
        shells.append(new)
        weights = np.linalg.lstsq(tensors, np.eye(3)[np.triu_indices(3)], rcond=None)[0]
        if np.abs(tensors @ weights - np.eye(3)[np.triu_indices(3)]).max() < 1e-6:
            return np.concatenate(shells), np.repeat(weights, [len(x) for x in shells])
        if len(shells) == 6:
            break
    return None


def without_jumps(
    position: ComplexArray,
    R: IntArray,
    ndegen: IntArray,
    lattice: Array,
    mesh: tuple[int, int, int],
    centres: Array,
) -> ComplexArray:
    """Position matrix elements with every diagonal element on the branch of its centre.

    Parameters
    ----------
    position : (nR, n, n, 3) in Angstrom as in the file. R, ndegen : (nR, 3), (nR,). lattice : (3, 3) rows.
    mesh : k points along each reciprocal vector. centres : (n, 3) in Angstrom, on the right branch.

    Returns
    -------
    (nR, n, n, 3); `position` itself if nothing has to be changed.
    """
    shells = finite_differences(lattice, mesh)
    if shells is None:
        return position
    b, weights = shells
    A, phase = diagonal_on_mesh(position, R, ndegen, mesh)
    turns = centres @ b.T / (2 * np.pi)
    jump = np.stack(
        [_jumps(A[:, i] - centres[i], turns[i], 2 * np.pi * weights[:, None] * b) for i in range(len(centres))],
        axis=1,
    )
    before, after = (np.linalg.norm(X.mean(axis=0) - centres, axis=1) for X in (A, A - jump))
    jump[:, before <= after] = 0.0  # on the right branch already, as other programs write it
    if not jump.any():
        return position
    fixed = position.copy()
    index = np.arange(len(centres))
    fixed[:, index, index] -= np.tensordot(phase.conj().T, jump, axes=1) / len(A)
    return fixed


def diagonal_on_mesh(
    position: ComplexArray, R: IntArray, ndegen: IntArray, mesh: tuple[int, int, int]
) -> tuple[Array, ComplexArray]:
    """A_nn(k), (nk, n, 3) in Angstrom, on the mesh of k points, and the phases exp(i k.R), (nk, nR)."""
    k = np.stack(np.meshgrid(*[np.arange(n) / n for n in mesh], indexing="ij"), axis=-1).reshape(-1, 3)
    phase: ComplexArray = np.exp(2j * np.pi * (k @ R.T))
    A = np.tensordot(phase / ndegen, np.einsum("rnna->rna", position), axes=1).real
    return np.asarray(A), phase


def _jumps(deviation: Array, turns: Array, unit: Array) -> Array:
    """What the principal value added at every k, (nk, 3), for the deviations (nk, 3) of A_nn(k) from the centre.

    Far from a jump the centre tells the branch; near one, the smallest deviation does.
    """
    whole = np.round(turns)
    open_ = np.flatnonzero(np.abs(turns - whole) > 0.5 - _NEAR_JUMP)[:12]
    other = np.array(list(product((0, 1), repeat=len(open_)))).reshape(2 ** len(open_), len(open_))
    count = np.repeat(whole[None], len(other), axis=0)
    count[:, open_] += other * np.sign(turns - whole)[open_]
    options = -count @ unit
    distance = ((deviation[:, None] - options) ** 2).sum(axis=2)
    return np.asarray(options[np.argmin(distance, axis=1)])


def _can_jump(lattice: Array, mesh: tuple[int, int, int]) -> bool:
    """Whether b.r exceeds pi for some r in the home cell; directions with one k point do not count."""
    shells = finite_differences(lattice, mesh)
    if shells is None:
        return False
    turns = np.maximum(shells[0] @ lattice.T / (2 * np.pi), 0)
    return bool((turns @ (np.array(mesh) > 1)).max() > 0.5)


def _torn(mean: Array, lattice: Array, mesh: tuple[int, int, int]) -> bool:
    """Whether places (n, 3) lie more than half a cell apart along a direction with one k point.

    Principal values lie in one cell around the origin: a layer or chain that is thinner than half of it, and reaches across the
    end of that cell, is torn apart.
    """
    apart = np.ptp(mean @ np.linalg.inv(lattice), axis=0)
    return bool((apart[np.array(mesh) == 1] > 0.5).any())


def _parallel(new: Array, old: Array) -> bool:
    """Whether every vector of a shell is parallel to one of another shell."""
    cosine = np.abs(new @ old.T) / np.outer(np.linalg.norm(new, axis=1), np.linalg.norm(old, axis=1))
    return bool((cosine.max(axis=1) > 1 - 1e-6).all())
