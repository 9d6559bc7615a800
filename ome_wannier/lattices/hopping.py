"""From on-site terms and hoppings, each pair given once, to a model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model import TightBinding

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
    hoppings : (R, X) with X_ij = <0i|H|Rj> in eV, R other than 0; X(-R) = X(R)^+ is added.
    spinful : every site has two orbitals, spin up and down along z, the spin running fastest.
    """
    terms: dict[tuple[int, int, int], ComplexArray] = {(0, 0, 0): np.array(onsite, dtype=complex)}
    for R, X in hoppings:
        matrix = np.asarray(X, dtype=complex)
        minus = (-R[0], -R[1], -R[2])
        for key, term in ((R, matrix), (minus, matrix.conj().T)):
            terms[key] = terms.get(key, 0) + term
    vectors = np.asarray(lattice, dtype=float)
    centres = np.asarray(positions, dtype=float) @ vectors
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    return TightBinding(
        vectors,
        np.array(list(terms)),
        np.array(list(terms.values())),
        centres=np.repeat(centres, 2, axis=0) if spinful else centres,
        spin_degeneracy=spin_degeneracy,
        spin=np.stack([np.kron(np.eye(len(centres)), s) for s in pauli], axis=-1) if spinful else None,
        name=name,
    )
