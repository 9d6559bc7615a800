"""The potential of electrons and magnetization of Cr2O3 by PBE, and its change; Ry and bohr. libxc by `pip install gpaw`."""

import re
from dataclasses import dataclass
from pathlib import Path

import density as charge
import numpy as np
from espresso import ATOMS

#: share of a change at which the derivative is taken; |m| per bohr^3 below which m has no direction to speak of
SHARE, FAINT = 0.002, 1e-3


@dataclass(frozen=True, eq=False)
class Ground:
    """n with the core's, and m_z, (N, N, N) on a grid; waves : what `real` and `recip` go between."""

    of: charge.Density
    size: int
    n: np.ndarray
    m: np.ndarray

    def real(self, rho: np.ndarray) -> np.ndarray:
        """(..., n) on the reciprocal vectors to (..., N, N, N)."""
        waves = np.zeros((*rho.shape[:-1], *(self.size,) * 3), dtype=complex)
        waves[(..., *(self.of.G % self.size).T)] = rho
        return np.fft.ifftn(waves, axes=(-3, -2, -1)).real * self.size**3

    def recip(self, values: np.ndarray) -> np.ndarray:
        waves = np.fft.fftn(values, axes=(-3, -2, -1)) / self.size**3
        return waves[(..., *(self.of.G % self.size).T)]


def ground(of: charge.Density, size: int) -> Ground:
    bare = Ground(of, size, np.zeros(0), np.zeros(0))
    n, m = bare.real(of.rho[[0, 3]] - charge.odd(of.rho)[[0, 3]])
    return Ground(of, size, n + bare.real(core(of)), m)


def core(of: charge.Density) -> np.ndarray:
    """Electrons of the cores for exchange and correlation, of the potentials' files, on the reciprocal vectors."""
    found, lengths = np.zeros(len(of.G), dtype=complex), np.linalg.norm(of.G @ of.basis, axis=1)
    atoms = [line.split() for line in ATOMS.strip().split("\n")]
    for name, file in (("Cr", "Cr-sp_r.upf"), ("O", "O_r.upf")):
        text = Path(file).read_text()
        parts = [re.search(rf"<PP_{x} [^>]*>(.*?)</PP_{x}>", text, re.DOTALL).group(1) for x in ("R", "RAB", "NLCC")]
        r, weight, n = (np.array(x.split(), dtype=float) for x in parts)
        short, place = np.unique(lengths.round(6), return_inverse=True)
        radial = np.array([np.sum(4 * np.pi * r**2 * n * np.sinc(q * r / np.pi) * weight) for q in short])[place]
        places = np.array([x[1:] for x in atoms if x[0].startswith(name)], dtype=float)
        found += radial / of.volume * np.exp(-2j * np.pi * of.G @ places.T).sum(axis=1)
    return found


def exchange_correlation(base: Ground, n: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V and B_z of PBE, the mean and half the difference of both spins'."""
    from gpaw.xc.libxc import LibXC

    kernel = LibXC("PBE")
    kernel.initialize(2)
    spins = np.ascontiguousarray(np.maximum([(n + m) / 2, (n - m) / 2], 1e-10))
    numbers = np.meshgrid(*[np.fft.fftfreq(base.size, 1 / base.size)] * 3, indexing="ij")
    G = 1j * np.einsum("axyz,ab->bxyz", numbers, base.of.basis)
    up, down = (np.fft.ifftn(G * np.fft.fftn(x), axes=(1, 2, 3)).real for x in spins)
    products = np.ascontiguousarray([(up**2).sum(axis=0), (up * down).sum(axis=0), (down**2).sum(axis=0)])
    v, by_product = np.zeros_like(spins), np.zeros_like(products)
    kernel.calculate(np.zeros(n.shape), spins, v, products, by_product)
    flows = 2 * by_product[0] * up + by_product[1] * down, 2 * by_product[2] * down + by_product[1] * up
    v -= [np.fft.ifftn((G * np.fft.fftn(x, axes=(1, 2, 3))).sum(axis=0)).real for x in flows]
    return v[0] + v[1], v[0] - v[1]


def collinear(base: Ground, change: np.ndarray) -> np.ndarray:
    """(4, N, N, N) of V and B = 0, 0, B_z that a change (4, n) of electrons and m_z makes."""
    n, m = base.real(change[[0, 3]])
    more, less = (exchange_correlation(base, base.n + s * n, base.m + s * m) for s in (SHARE, -SHARE))
    V, B = ((x - y) / (2 * SHARE) for x, y in zip(more, less, strict=True))
    squares = ((base.of.G @ base.of.basis) ** 2).sum(axis=1)
    hartree = np.where(squares > 1e-12, 8 * np.pi * change[0] / np.maximum(squares, 1e-12), 0)
    return np.array([V + base.real(hartree), 0 * V, 0 * V, B])


def turning(base: Ground) -> np.ndarray:
    """B_z / m_z: what a small turn of m makes of B across z, per m across z."""
    _, B = exchange_correlation(base, base.n, base.m)
    return np.divide(B, base.m, out=np.zeros_like(B), where=np.abs(base.m) > FAINT)
