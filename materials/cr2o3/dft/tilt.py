"""How the moments of Cr2O3 tilt in a field along x, with the exchange field that follows them, by sums over bands.

    python tilt.py screening40_2 states70_2     tilt.npy: m_x and m_y (4, n) on the reciprocal vectors of density70, per Ry/bohr

(1 - X B/m) t = t_0: t_0 from drive.npy and from what the potential of change.npy makes (screening.py), X the response of m
across z to a field B across z. B_z/m_z is exact for a turn of m. Turning all moments with B must give them back, but for
spin-orbit coupling: X is made larger by what the sum over bands falls short of that. The change of n and m_z by t is left out.
"""

import sys
from pathlib import Path

import density as charge
import numpy as np
from espresso import ELECTRONS, HARTREE, PREFIX, eigenvalues, placed, read_waves
from potential import Ground, collinear, ground, turning
from scipy.sparse.linalg import LinearOperator, gmres
from screening import DENSITY

GRID, SOME = 54, 23


class Bands:
    """All bands of pw.x on its k points, and how their density answers a potential."""

    def __init__(self, source: Path, base: Ground) -> None:
        self.energies = eigenvalues(source) * 2 / HARTREE
        files = (source / "out" / f"{PREFIX}.save" / f"wfc{k + 1}.dat" for k in range(len(self.energies)))
        self.waves = [read_waves(file, slice(None)) for file in files]
        self.base = base

    def response(self, W: np.ndarray) -> np.ndarray:
        """(4, n) of the potential W (4, N, N, N), V and B in Ry, which mixes empty bands into occupied ones."""
        V, x, y, z = W
        matrix = np.array([[V + z, x - 1j * y], [x + 1j * y, V - z]]).astype(np.complex64)
        found, size = np.zeros((4, *V.shape)), self.base.size
        for (G, u), e in zip(self.waves, self.energies, strict=True):
            place = (slice(None), slice(None), *(G % size).T)
            empty = u[ELECTRONS:].reshape(len(u) - ELECTRONS, -1).astype(np.complex64)
            for first in range(0, ELECTRONS, SOME):
                some = slice(first, min(first + SOME, ELECTRONS))
                states = grid(u[some], place, size)
                pushed = np.fft.fftn(np.einsum("ab...,nb...->na...", matrix, states), axes=(-3, -2, -1))[place] / size**3
                mixed = pushed.reshape(len(states), -1).astype(np.complex64) @ empty.conj().T
                mixed /= e[some, None] - e[None, ELECTRONS:]
                moved = grid((mixed @ empty).reshape(len(states), 2, -1), place, size)
                (uu, ud), (du, dd) = ([(states[:, a].conj() * moved[:, b]).sum(axis=0) for b in (0, 1)] for a in (0, 1))
                found += np.array([uu + dd, ud + du, -1j * (ud - du), uu - dd]).real
        return self.base.recip(2 * found / len(self.waves) / self.base.of.volume)


def grid(u: np.ndarray, place: tuple, size: int) -> np.ndarray:
    waves = np.zeros((*u.shape[:2], size, size, size), dtype=np.complex64)
    waves[place] = u
    return (np.fft.ifftn(waves, axes=(-3, -2, -1)) * size**3).astype(np.complex64)


def tilt(bands: Bands, drive: np.ndarray, change: np.ndarray) -> np.ndarray:
    base, ratio = bands.base, turning(bands.base)
    G, none = base.of.G, np.zeros_like(base.m)

    def across(W: np.ndarray) -> np.ndarray:
        return charge.across(G, charge.odd(bands.response(W)))[1:3].real.ravel()

    turn = base.real(bands.response(np.array([none, ratio * base.m, none, none]))[1])
    share = (turn * base.m).sum() / (base.m**2).sum()
    print("turning all moments gives this share of them back:", share)

    def without_what_it_makes(x: np.ndarray) -> np.ndarray:
        m = base.real(x.reshape(2, -1).astype(complex))
        return x - across(np.array([none, *(ratio * m), none])) / share

    first = charge.across(G, drive)[1:3].real.ravel() + across(collinear(base, charge.across(G, change)))
    A = LinearOperator((first.size, first.size), matvec=without_what_it_makes, dtype=float)
    m = gmres(A, first, restart=12, maxiter=1, rtol=1e-3, callback=print, callback_type="pr_norm")[0].reshape(2, -1)
    print("m_x of the cell, mu_B per Ry/bohr:", m[0, 0] * base.of.volume)
    return np.array([0 * m[0], *m, 0 * m[0]], dtype=complex)


if __name__ == "__main__":
    screening, source = map(Path, sys.argv[1:])
    of = charge.read(source / DENSITY)
    small = charge.read(screening / "density.dat").G
    drive, change = (placed(of.G, small, np.load(screening / f"{x}.npy")[:, None]) for x in ("drive", "change"))
    np.save("tilt.npy", tilt(Bands(source, ground(of, GRID)), drive, change))
