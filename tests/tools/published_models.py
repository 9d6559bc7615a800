"""Models of the sources that `published.py` compares with, written from what they say of their Hamiltonians."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

import ome_wannier as ome
from ome_wannier.models.tight_binding import TightBinding

ONE = np.eye(2, dtype=complex)
X, Y, Z = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: rows: the honeycomb lattice of HopTB.jl's and PythTB's examples, lattice constant 1 Angstrom, 10 Angstrom high
HONEYCOMB = np.array([[1.0, 0, 0], [0.5, np.sqrt(3) / 2, 0], [0, 0, 10]])
A_SITE, B_SITE = (1 / 3, 1 / 3, 0.0), (2 / 3, 2 / 3, 0.0)
TO_B = ((0, 0, 0), (-1, 0, 0), (0, -1, 0))

Term = tuple[tuple[int, int, int], int, int, np.ndarray]


def two_sites(terms: Iterable[Term], size: int) -> TightBinding:
    """A honeycomb of sites A, B with `size` orbitals each: blocks from site i to j of cell R, in eV; adjoints are added."""
    found: dict[tuple[int, int, int], np.ndarray] = {}

    def add(R: tuple[int, int, int], i: int, j: int, block: np.ndarray) -> None:
        H = found.setdefault(R, np.zeros((2 * size, 2 * size), dtype=complex))
        H[size * i : size * (i + 1), size * j : size * (j + 1)] += block

    for R, i, j, block in terms:
        add(R, i, j, block)
        if any(R) or i != j:
            add((-R[0], -R[1], -R[2]), j, i, np.conj(np.transpose(block)))
    centres = np.array([A_SITE] * size + [B_SITE] * size) @ HONEYCOMB
    return ome.TightBinding(
        HONEYCOMB, np.array(list(found)), np.array(list(found.values())), centres=centres, periodic=(True, True, False)
    )


def boron_nitride() -> TightBinding:
    """HopTB.jl, test/hall.jl: energies -1/2 and 1/2, hopping 1."""
    one = np.ones((1, 1))
    return two_sites(
        [((0, 0, 0), 0, 0, -one / 2), ((0, 0, 0), 1, 1, one / 2), *((R, 0, 1, one) for R in TO_B)],
        1,
    )


def kane_mele() -> TightBinding:
    """HopTB.jl, test/zoo.jl, get_Kane_Mele: energies +-1, hopping 1, spin-orbit 0.3, Rashba 0.25 eV."""
    half, around = np.sqrt(3) / 2, ((0, 1, 0), (1, 0, 0), (1, -1, 0))
    terms: list[Term] = [((0, 0, 0), 0, 0, ONE), ((0, 0, 0), 1, 1, -ONE), *((R, 0, 1, ONE) for R in TO_B)]
    for R, sign in zip(around, (-1, 1, -1), strict=True):
        terms += [(R, 0, 0, 0.3j * sign * Z), (R, 1, 1, -0.3j * sign * Z)]
    for R, spin in (((0, 0, 0), X / 2 - half * Y), ((0, -1, 0), -X), ((-1, 0, 0), X / 2 + half * Y)):
        terms.append((R, 0, 1, 0.25j * spin))
    return two_sites(terms, 2)


def magnetic_axion(M0: float, A1: float, A2: float, B1: float, B2: float, neel: float, J1: float, J2: float) -> TightBinding:
    """Four bands on a cubic lattice of 1 Angstrom, spin times orbital, all on one site:

    H = [M0 - 2 B1 (1 - cos kz) - 2 B2 (2 - cos kx - cos ky)] tau_z + (A1 sin kz s_z + A2 sin kx s_x + A2 sin ky s_y) tau_x
        + neel tau_y + s_z [J1 (1 + tau_z) + J2 (1 - tau_z)] / 2, in eV.
    """
    home = np.kron(ONE, (M0 - 2 * B1 - 4 * B2) * Z + neel * Y) + np.kron(Z, np.diag([J1, J2]))
    R, H = [np.zeros(3, dtype=int)], [home]
    for axis, (spin, A, B) in enumerate(((X, A2, B2), (Y, A2, B2), (Z, A1, B1))):
        step, hop = np.eye(3, dtype=int)[axis], B * np.kron(ONE, Z) - 0.5j * A * np.kron(spin, X)
        R += [step, -step]
        H += [hop, hop.conj().T]
    return ome.TightBinding(np.eye(3), np.array(R), np.array(H), centres=np.zeros((4, 3)))
