"""LC and IC with neither Wannier functions nor interpolation: the moment of occupied states that a small field has mixed.

    python finite_field.py FOLDER OCCUPIED [BANDS ...]

Covariant differences between the k points of the calculation, as in Malashevich et al., New J. Phys. 12, 053032 (2010):
|d_a u_n> = sum_b w_b b_a |u_m,k+b> (M_b^-1)_mn with M_b the overlaps of occupied states, and

    LC = e/2hbar eps_cab Im sum_n <d_a u_n|H|d_b u_n> ,  IC = e/2hbar eps_cab Im sum_mn <n|H|m> <d_a u_m|d_b u_n> .

H is that of no field and acts on plane waves (.uHu); the states are mixed to first order with the empty ones of the lowest
BANDS bands, by <x|i d_a u_o>. Local fields are left out, as in the rest of the package.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import FortranFile

#: mu_0 e^2/2hbar in ps/m; the field in V/Angstrom
PS_PER_M, FIELD = 152.944, 1e-4
EPSILON = np.array([[[np.linalg.det(np.eye(3)[[c, a, b]]) for b in range(3)] for a in range(3)] for c in range(3)])


@dataclass(frozen=True, eq=False)
class Calculation:
    """What pw2wannier90 writes, on k points with their neighbours k + b; n bands.

    M : (k, b, n, n) overlaps <u_k|u_k+b>. H, I : (k, b1, b2, n, n) <u_k+b1|H_k|u_k+b2> in eV, and without H. energies : (k, n).
    to : (k, b) number of the point that k + b is. b : (k, b, 3) in 1/Angstrom. w : (k, b) with sum_b w b_i b_j = delta_ij.
    volume : Angstrom^3.
    """

    M: np.ndarray
    H: np.ndarray
    I: np.ndarray
    energies: np.ndarray
    to: np.ndarray
    b: np.ndarray
    w: np.ndarray
    volume: float


def read(seed: Path) -> Calculation:
    _, counts, rows = seed.with_suffix(".mmn").read_text().split("\n", 2)
    n, points, steps = map(int, counts.split())
    numbers = np.array(rows.split(), dtype=float).reshape(points, steps, 5 + 2 * n * n)
    M = np.swapaxes(numbers[..., 5:].copy().view(complex).reshape(points, steps, n, n), 2, 3)
    to = numbers[..., 1].astype(int) - 1
    text = seed.with_suffix(".nnkp").read_text()
    k = table(text, "kpoints", 1)
    b = (k[to] - k[:, None] + numbers[..., 2:5]) @ table(text, "recip_lattice", 0)
    energies = np.loadtxt(seed.with_suffix(".eig"))[:, 2].reshape(points, n)
    H, I = (pairs(seed.with_suffix(ending)) for ending in (".uHu", ".uIu"))
    volume = np.linalg.det(table(text, "real_lattice", 0))
    return Calculation(M, H, I, energies, to, b, np.array([weights(x) for x in b]), volume)


def table(text: str, name: str, skip: int) -> np.ndarray:
    lines = text.split(f"begin {name}")[1].split(f"end {name}")[0].strip().split("\n")
    return np.array([line.split() for line in lines[skip:]], dtype=float)


def weights(b: np.ndarray) -> np.ndarray:
    """One per length of b, so that sum_b w_b b_a b_b is the unit matrix."""
    lengths, shell = np.unique(np.linalg.norm(b, axis=1).round(4), return_inverse=True)
    parts = np.array([np.einsum("xa,xb->ab", b[shell == s], b[shell == s]).ravel() for s in range(len(lengths))]).T
    found, *_ = np.linalg.lstsq(parts, np.eye(3).ravel(), rcond=None)
    np.testing.assert_allclose(parts @ found, np.eye(3).ravel(), atol=1e-4)
    return found[shell]


def pairs(file: Path) -> np.ndarray:
    """(k, b1, b2, m, n) of <u_m,k+b1|X|u_n,k+b2>."""
    with FortranFile(file) as f:
        f.read_record("S60")
        n, points, steps = f.read_record(np.int32)
        found = np.empty((points, steps, steps, n, n), dtype=complex)
        for k in range(points):
            for second in range(steps):
                for first in range(steps):
                    found[k, first, second] = f.read_record(complex).reshape(n, n)
    return found


def response(of: Calculation, occupied: int, bands: int) -> np.ndarray:
    """(2, 3, 3) of LC and IC in ps/m, [moment, field]."""
    dual = np.linalg.inv(of.M[..., :occupied, :occupied])
    step = of.w[..., None] * of.b
    moved = np.einsum("kbd,kbxo->kdxo", step, of.M[:, :, occupied:bands, :occupied] @ dual)
    mixing = 1j * moved / (of.energies[:, None, None, :occupied] - of.energies[:, None, occupied:bands, None])
    found = np.zeros((2, 3, 3))
    for d in range(3):
        for sign in (1, -1):
            C = np.zeros((len(of.M), of.M.shape[2], occupied), dtype=complex)
            C[:, :occupied] = np.eye(occupied)
            C[:, occupied:bands] = sign * FIELD * mixing[:, d]
            C = np.linalg.qr(C)[0]
            found[:, :, d] += sign * moment(of, C, step) / (2 * FIELD)
    return PS_PER_M * found


def moment(of: Calculation, C: np.ndarray, step: np.ndarray) -> np.ndarray:
    """LC and IC (2, 3), without e/2hbar, of the states C (k, bands, occupied)."""
    dagger = np.conj(np.swapaxes(C, 1, 2))
    found = np.zeros((2, 3))
    for k in range(len(C)):
        there = of.to[k]
        D = C[there] @ np.linalg.inv(dagger[k] @ of.M[k] @ C[there])
        D = np.einsum("bd,bno->bdno", step[k], D)
        inside = (dagger[k] * of.energies[k]) @ C[k]
        moments = []
        for X, weight in ((of.H[k], np.eye(len(inside))), (of.I[k], inside)):
            right = np.einsum("pqmn,qbno->pbmo", X, D, optimize=True)
            S = np.einsum("pamr,pbmo->abro", D.conj(), right, optimize=True)
            moments.append(np.einsum("cab,or,abro->c", EPSILON, weight, S, optimize=True).imag)
        found += moments
    return found / len(C) / of.volume


if __name__ == "__main__":
    calculation = read(Path(sys.argv[1]) / "Cr2O3")
    occupied, *some = map(int, sys.argv[2:])
    for bands in some or [calculation.M.shape[2]]:
        lc, ic = response(calculation, occupied, bands)
        for name, x in (("LC", lc), ("IC", ic), ("LC+IC", lc + ic)):
            print(f"{bands} bands {name:6}", "across {:9.5f} {:9.5f} along {:9.5f}".format(x[0, 0], x[1, 1], x[2, 2]))
        print(np.round(lc + ic, 5))
