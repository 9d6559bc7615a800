"""How operations act on the Wannier functions of a model, found from its own matrices.

An operation g takes the functions of an atom to combinations of those of its image, g |0 i> = sum_j |L j> D_ji. What D is
follows from the matrices of the model, which nearly obey O(M R + L_j - L_i) D = D F O(R), F what g does to the components of
O, complex conjugate where g reverses time: the D that obeys this best, in the sense of least squares, is the lowest eigenvector
of a quadratic form. No projections are needed, and whatever maximal localisation made of the functions does not matter.

A group of such D is then made a representation to rounding: D_g <- mean over h of D_gh D_h^-1, up to phases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .space_group import Motion, Places

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: forms (squares of relative violations) that are no farther apart leave open which D it is
OPEN = 1e-9
#: what is left of a product that is not in its place when the D are a representation, and how often they are improved
CLOSED, STEPS = 1e-13, 30


class Quantity(NamedTuple):
    """Matrices that operations act on.

    matrices : (nR, n, n, c), with the atoms of all functions at home. time_reversal, inversion : +1 even, -1 odd; of a scalar
    (c = 1), a vector (c = 3) or a tensor of two axes (c = 9). A vector that is even under inversion is axial.
    """

    name: str
    matrices: ComplexArray
    time_reversal: int = 1
    inversion: int = 1

    def turned(self, P: Array, time_reversal: int) -> Array:
        """(c, c) what an operation of Cartesian rotation P does to the components."""
        by = {1: np.eye(1), 3: P, 9: np.kron(P, P)}[self.matrices.shape[3]]
        plain = 1 if self.matrices.shape[3] != 3 else -1  # under inversion, of what has no handedness of its own
        odd = np.linalg.det(P) < 0 and self.inversion != plain
        sign = self.time_reversal if time_reversal < 0 else 1
        return np.asarray((-sign if odd else sign) * by)


class Vectors:
    """R vectors that a group maps onto each other, with those of functions that change cells."""

    def __init__(self, R: Ints) -> None:
        self.R = R
        self._low, self._high = R.min(axis=0), R.max(axis=0)
        self._number = np.full(tuple(self._high - self._low + 1), len(R), dtype=np.int64)
        self._number[tuple((R - self._low).T)] = np.arange(len(R))

    def numbers(self, R: Ints) -> Ints:
        """Where vectors (..., 3) stand; nR of one that is none of these."""
        inside = ((self._low <= R) & (self._high >= R)).all(axis=-1)
        found = self._number[tuple(np.moveaxis(np.where(inside[..., None], R - self._low, 0), -1, 0))]
        return np.asarray(np.where(inside, found, len(self.R)))


def images(R: Ints, m: Motion) -> Ints:
    """(atoms, atoms, nR, 3): what R between functions of two atoms becomes."""
    return np.asarray((R @ m.operation.rotation.T)[None, None] + m.cells[None, :, None] - m.cells[:, None, None])


def closed(R: Ints, filled: NDArray[np.bool_], motions: Sequence[Motion]) -> Ints:
    """The R that images of matrix elements have. filled : (atoms, atoms, nR), where there are any."""
    every = np.concatenate([np.zeros((1, 3), dtype=np.int64), *(images(R, m)[filled] for m in motions)])
    return np.unique(np.concatenate([every, -every]), axis=0)


def at_images(X: ComplexArray, vectors: Vectors, places: Places, m: Motion) -> ComplexArray:
    """X(M R + L_j - L_i) at all R, in the order of the functions of the image."""
    origin: Ints = np.asarray(np.argsort(m.to))[places.of]  # the atom that goes where each function is
    at = vectors.numbers(images(vectors.R, m))[origin[:, None], origin]  # (n, n, nR)
    padded = np.concatenate([X, np.zeros((1, *X.shape[1:]), dtype=complex)])
    n = len(origin)
    i, j = np.indices((n, n))
    return np.asarray(np.moveaxis(padded[at, i[..., None], j[..., None]], 2, 0))


def conjugated(X: ComplexArray, m: Motion) -> ComplexArray:
    """X, or its complex conjugate where time is reversed."""
    return np.conj(X) if m.operation.time_reversal < 0 else X


def form(quantity: Quantity, vectors: Vectors, places: Places, m: Motion) -> ComplexArray:
    """The quadratic form (pairs, pairs) of what D (see `pairs_of`) violates a quantity by, over its size: 0 to 4 for |D| = 1.

    |O(M R + L_j - L_i) D - D F O(R)|^2, summed over R and components.
    """
    n, members = len(places.of), places.members
    start = np.concatenate([[0], np.cumsum([len(own) ** 2 for own in members])])
    Y = np.moveaxis(at_images(quantity.matrices, vectors, places, m), 3, 1).reshape(-1, n, n)
    F = quantity.turned(m.rotation, m.operation.time_reversal)
    Z = np.moveaxis(conjugated(quantity.matrices @ F.T, m), 3, 1).reshape(-1, n, n)
    full = Y.any(axis=(1, 2)) | Z.any(axis=(1, 2))
    Y, Z = Y[full], Z[full]
    left, right = (np.tensordot(np.conj(Y), Y, axes=((0, 1), (0, 1))), np.tensordot(Z, np.conj(Z), axes=((0, 2), (0, 2))))
    cross = np.zeros((start[-1], start[-1]), dtype=complex)
    for a, own in enumerate(members):
        for b, other in enumerate(members):
            y = Y[:, members[m.to[a]][:, None], members[m.to[b]]]  # (r, k, i)
            z = Z[:, own[:, None], other]  # (r, j, l)
            part = np.tensordot(np.conj(y), z, axes=(0, 0)).transpose(1, 3, 0, 2)
            cross[start[b] : start[b + 1], start[a] : start[a + 1]] = part.reshape(len(other) ** 2, len(own) ** 2)
    i, j = pairs_of(places, m)
    square = left[i[:, None], i] * (j[:, None] == j) + right.T[j[:, None], j] * (i[:, None] == i)
    size = float((np.abs(quantity.matrices) ** 2).sum())
    return np.asarray((square - cross - np.conj(cross.T)) * (n / max(size, np.finfo(float).tiny)))


def pairs_of(places: Places, m: Motion) -> tuple[Ints, Ints]:
    """Rows and columns (pairs,) of the elements of D that are not 0: from functions of an atom to those of its image."""
    members = places.members
    pairs = [(i, j) for a, own in enumerate(members) for i in members[m.to[a]] for j in own]
    i, j = np.array(pairs).T
    return i, j


def action(
    levels: ComplexArray,
    spin: ComplexArray | None,
    position: Callable[[], ComplexArray],
    places: Places,
    m: Motion,
) -> tuple[ComplexArray, bool]:
    """D (n, n), unitary, which violates the forms of Hamiltonian and spin least, and whether it is the only one.

    A spin of pure up and down functions is obeyed to rounding, others as the Hamiltonian is. What these leave open is decided
    by the form of the position, which is made if it is needed.
    """
    among = np.eye(len(levels), dtype=complex)
    if spin is not None:
        values, states = np.linalg.eigh(spin)
        pure = states[:, values < OPEN]
        among, levels = (pure, levels) if pure.shape[1] > 1 else (among, levels + spin)
    values, states = np.linalg.eigh(np.conj(among.T) @ levels @ among)
    left, known = among @ states[:, values < values[0] + OPEN], True
    if left.shape[1] > 1:
        values, inside = np.linalg.eigh(np.conj(left.T) @ position() @ left)
        left, known = left @ inside, bool(values[1] >= values[0] + OPEN)
    D = np.zeros((len(places.of), len(places.of)), dtype=complex)
    D[pairs_of(places, m)] = left[:, 0]
    return unitary(D), known


def unitary(D: ComplexArray) -> ComplexArray:
    """The unitary matrix next to D."""
    u, _, vh = np.linalg.svd(D)
    return np.asarray(u @ vh)


def representation(D: ComplexArray, motions: Sequence[Motion], table: Ints) -> ComplexArray:
    """Matrices (operations, n, n) next to D that are a representation of the group to rounding, each up to a phase.

    Raises
    ------
    ModelError : D that are near no representation.
    """
    left = np.inf
    for _ in range(STEPS):
        new = []
        for g, m in enumerate(motions):
            found = D[table[g]] @ np.conj(np.swapaxes(conjugated(D, m), 1, 2))
            phase = np.einsum("ij,hij->h", np.conj(D[g]), found)
            new.append(unitary(np.einsum("h,hij->ij", np.conj(phase / np.abs(phase)), found)))
        D, before = np.stack(new), D
        left, last = float(np.abs(D - before).max()), left
        if left < CLOSED or (left < 1e-10 and left >= last):
            return D
    raise ModelError(f"what the operations do to the functions does not become a group: it changes by {left:.1g} still")
