"""Whether the hoppings of a System stand at the nearest images of their orbitals.

Wannier90 knows a hopping modulo the vectors of the supercell of its k points. In `_tb.dat` it stands at the shortest of these
R, shared among equally short ones, whatever its two orbitals are; `_wsvec.dat` says which images of the orbitals are nearest.
Without it (`System_R.from_tb_dat`) bands between the k points suffer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: eV: shares of one hopping agree to this, as files carry six digits
EQUAL = 2e-6
#: Angstrom: images at distances closer than this are equally near
EQUALLY_NEAR = 1e-3


def shared_unevenly(R: Ints, H: ComplexArray, centres: Array, lattice: Array) -> float:
    """eV, the largest hopping that is shared equally among images that are not equally near; 0 if there is none.

    Parameters
    ----------
    R : (nR, 3). H : (nR, n, n). centres : (n, 3) Cartesian in Angstrom. lattice : (3, 3) rows in Angstrom.

    Meshes of k points for which no two R are equally short leave no shares, so that nothing is seen.
    """
    apart = centres[None, :] - centres[:, None]
    for mesh in meshes(R, lattice):
        cell = np.mod(R, mesh) @ np.array([mesh[1] * mesh[2], mesh[2], 1])
        order = np.argsort(cell, kind="stable")
        shares = [x for x in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1) if len(x) > 1]
        if not shares or any(np.abs(H[x] - H[x[0]]).max() > EQUAL for x in shares):
            continue  # another mesh; or they were put to the nearest images
        largest = 0.0
        for x in shares:
            distance = np.linalg.norm((R[x] @ lattice)[:, None, None] + apart, axis=3)
            uneven = np.ptp(distance, axis=0) > EQUALLY_NEAR
            largest = max(largest, float(np.abs(H[x[0]][uneven]).max(initial=0.0)))
        return largest if largest > EQUAL else 0.0
    return 0.0


def meshes(R: Ints, lattice: Array) -> Iterator[tuple[int, ...]]:
    """The meshes of k points whose Wigner-Seitz cell these R (nR, 3) are."""
    T = np.array(list(product((-1, 0, 1), repeat=3)))
    length = np.linalg.norm(R @ lattice, axis=1)
    for mesh in product(*(range(1, 2 * int(m) + 2) for m in np.abs(R).max(axis=0))):
        size = math.prod(mesh)
        if not len(R) <= 4 * size <= 4 * len(R):
            continue
        if len(np.unique(np.mod(R, mesh) @ np.array([mesh[1] * mesh[2], mesh[2], 1]))) < size:
            continue
        nearest = np.min([np.linalg.norm((R + t * mesh) @ lattice, axis=1) for t in T], axis=0)
        if (length <= nearest + EQUALLY_NEAR).all():
            yield mesh
