"""From on-site terms and hoppings, each pair given once, to a model; and what uniaxial strain does to a layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.checked_input import fault
from ..common.errors import ModelError
from ..models.tight_binding import TightBinding

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Hopping = tuple[tuple[int, int, int], ArrayLike]

IDENTITY = np.eye(2, dtype=complex)


def from_hoppings(
    lattice: ArrayLike,
    positions: ArrayLike,
    onsite: ArrayLike,
    hoppings: Iterable[Hopping],
    *,
    spinful: bool = False,
    spin_degeneracy: int = 1,
    name: str = "",
) -> TightBinding:
    """A tight-binding model.

    Parameters
    ----------
    lattice : (3, 3) rows in Angstrom.
    positions : (sites, 3) in units of the lattice vectors.
    onsite : (n, n) in eV.
    hoppings : (R, X) with X_ij = <0i|H|Rj> in eV; X(-R) = X(R)^+ is added, for R = 0 too.
    spinful : every site has two orbitals, spin up and down along z, the spin running fastest.
    """
    for what, given in {"lattice": lattice, "positions": positions, "onsite": onsite}.items():
        if wrong := fault(given):
            raise ModelError(f"{what} {wrong}")
    terms: dict[tuple[int, int, int], ComplexArray] = {(0, 0, 0): np.array(onsite, dtype=complex)}
    for R, X in hoppings:
        if wrong := fault(X):
            raise ModelError(f"the hopping at R = {tuple(R)} {wrong}")
        matrix = np.asarray(X, dtype=complex)
        minus = (-R[0], -R[1], -R[2])
        for key, term in ((R, matrix), (minus, matrix.conj().T)):
            terms[key] = terms.get(key, 0) + term
    vectors = np.asarray(lattice, dtype=float)
    centres = np.asarray(positions, dtype=float) @ vectors
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    cells = np.array(list(terms))
    return TightBinding(
        vectors,
        cells,
        np.array(list(terms.values())),
        periodic=(
            bool(cells[:, 0].any()),
            bool(cells[:, 1].any()),
            bool(cells[:, 2].any()),
        ),  # as the builder means it, also where a parameter leaves cells uncoupled
        centres=np.repeat(centres, 2, axis=0) if spinful else centres,
        spin_degeneracy=spin_degeneracy,
        spin=np.stack([np.kron(np.eye(len(centres)), s) for s in pauli], axis=-1) if spinful else None,
        name=name,
    )


def uniaxial_strain(strain: float, angle: float, poisson: float) -> Array:
    """(2, 2) strain tensor e of a layer stretched by the fraction `strain` along the direction at `angle` degrees from x.

    Across that direction it shrinks by `poisson` times as much. Vectors r become (1 + e) r.

    Raises
    ------
    ModelError : numbers that are not finite, a strain of a half and more, a Poisson ratio that no layer has.
    """
    checked_poisson(poisson)
    if not (np.isfinite((strain, angle, poisson)).all() and abs(strain) < 0.5):
        raise ModelError(f"strain {strain!r} at {angle!r} degrees, Poisson ratio {poisson!r}: give finite numbers, below 0.5")
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, across = np.array([c, s]), np.array([-s, c])
    return np.asarray(strain * (np.outer(along, along) - poisson * np.outer(across, across)))


def checked_poisson(poisson: float) -> None:
    """Refuse a Poisson ratio outside -1 to 1, the range of stable isotropic layers (ModelError)."""
    if not -1 < poisson < 1:
        raise ModelError(f"poisson is {poisson}: give a Poisson ratio between -1 and 1, as that of every stable layer")


def deformed(vectors: ArrayLike, tensor: Array) -> Array:
    """Rows (n, 3) or (n, 2) in Angstrom, their x and y components stretched by the strain `tensor`."""
    out = np.array(vectors, dtype=float)
    out[:, :2] += out[:, :2] @ tensor
    return out


def elongation(vectors: ArrayLike, tensor: Array) -> Array:
    """(n,) relative change d'/d - 1 of the lengths of vectors in the plane, rows (n, 2) or (n, 3)."""
    before = np.asarray(vectors, dtype=float)[:, :2]
    return np.asarray(np.linalg.norm(deformed(before, tensor), axis=1) / np.linalg.norm(before, axis=1) - 1)
