"""Densities of pw.x, charge-density.dat, and what symmetry says of a change that an electric field makes in that of Cr2O3.

Inversion times time reversal about the origin turns the field over: to first order the change is what is odd under it. The
magnetic group (-3'm') has a threefold axis along z and a twofold one along x. The change by a field along z is even under the
first and odd under the second; that by a field along x is even under the second, and its three turns cancel.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import FortranFile


class Density(NamedTuple):
    """head, basis : as in the file; basis (3, 3) the reciprocal vectors in 1/bohr. G : (n, 3). rho : (4, n), electrons and
    <sigma> per bohr^3."""

    head: np.ndarray
    basis: np.ndarray
    G: np.ndarray
    rho: np.ndarray

    @property
    def volume(self) -> float:
        """bohr^3."""
        return (2 * np.pi) ** 3 / np.linalg.det(self.basis)


def read(file: Path) -> Density:
    with FortranFile(file) as f:
        head, basis, G = f.read_record(np.int32), f.read_record(float), f.read_record(np.int32)
        rho = np.array([f.read_record(complex) for _ in range(head[2])])
    return Density(head, basis.reshape(3, 3), G.reshape(-1, 3), rho)


def write(file: Path, of: Density) -> None:
    with FortranFile(file, "w") as f:
        for record in (of.head, of.basis, of.G.astype(np.int32), *of.rho):
            f.write_record(record)


def odd(rho: np.ndarray) -> np.ndarray:
    """The part of rho (4, n) that inversion times time reversal turns over: n(r) - n(-r), m(r) + m(-r)."""
    return np.array([1j * rho[0].imag, *rho[1:].real])


def across(G: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Of an odd change rho (4, n) by fields along x and z, what the field along x makes."""
    even = (rho + flipped(G, rho)) / 2
    return even - _mean_turn(G, even)


def along(G: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """What the field along z makes."""
    return _mean_turn(G, (rho - flipped(G, rho)) / 2)


def turned(G: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """rho turned by 120 degrees about z, which takes the lattice vectors to one another."""
    n, x, y, z = rho[:, _order(G, G[:, [1, 2, 0]])]
    c, s = -0.5, np.sqrt(0.75)
    return np.array([n, c * x - s * y, s * x + c * y, z])


def flipped(G: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """rho turned by 180 degrees about x, and moved by half the sum of the lattice vectors."""
    n, x, y, z = rho[:, _order(G, -G[:, [1, 0, 2]])] * (-1.0) ** (G.sum(axis=1) % 2)
    return np.array([n, x, -y, -z])


def _mean_turn(G: np.ndarray, rho: np.ndarray) -> np.ndarray:
    once = turned(G, rho)
    return (rho + once + turned(G, once)) / 3


def _order(G: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    place = {tuple(g): i for i, g in enumerate(G.tolist())}
    return np.array([place[tuple(g)] for g in wanted.tolist()])
