"""The files of Wannier90 of Cr2O3 for the Hamiltonian that the density of a field makes, from those of no field.

    python moved.py mesh2 states70_2 screening40_2 0.005     folder mesh2_moved

H gains W, the potential of screening.py and tilt.py, times the field in Ry/bohr of energy. Its lowest 120 states are those of
H + W among all bands of mesh2; .uHu gains <u_k+b1|W|u_k+b2>, of plane waves. The tilt of the field along x is turned by 120
degrees, and with it its moment: self_consistent.py can tell it from the rest.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import density as charge
import espresso
import numpy as np
from finite_field import Calculation, read
from potential import Ground, collinear, ground, turning
from scipy.io import FortranFile
from screening import DENSITY
from tilt import GRID, grid

SEED, COUNT = espresso.SEED, espresso.SETS["all"][1]


def potential(base: Ground, change: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """(4, N, N, N) in Ry per Ry/bohr."""
    G, ratio = base.of.G, turning(base)
    m = base.real(tilt)
    turned = base.real(charge.turned(G, base.recip(ratio * m)))
    return turned + sum(collinear(base, part(G, change)) for part in (charge.across, charge.along))


def pushed(W: np.ndarray, G: np.ndarray, u: np.ndarray) -> np.ndarray:
    """W u (bands, 2, N, N, N) on all plane waves of the grid."""
    V, x, y, z = W
    matrix, size = np.array([[V + z, x - 1j * y], [x + 1j * y, V - z]]).astype(np.complex64), len(V)
    states = grid(u, (slice(None), slice(None), *(G % size).T), size)
    return (np.fft.fftn(np.einsum("ab...,nb...->na...", matrix, states), axes=(-3, -2, -1)) / size**3).astype(np.complex64)


def pairs(waves: list, Wu: list, steps: np.ndarray) -> np.ndarray:
    """<u_k+b1|W|u_k+b2> (k, b1, b2, n, n)."""
    size, found = Wu[0].shape[-1], {}

    def pair(k1: int, k2: int, between: tuple[int, ...]) -> np.ndarray:
        if (k1, k2, between) not in found:
            G, u = waves[k1]
            there = G + between
            moved = Wu[k2][(slice(None), slice(None), *(there % size).T)] * (np.abs(there) < size / 2).all(axis=1)
            found[k1, k2, between] = u.reshape(len(u), -1).conj() @ moved.reshape(len(u), -1).T
        return found[k1, k2, between]

    return np.array(
        [[[pair(p - 1, q - 1, tuple(np.subtract(H, G))) for _, q, *H in of_k] for _, p, *G in of_k] for of_k in steps.tolist()]
    )


def moved(of: Calculation, waves: list, W: np.ndarray, steps: np.ndarray) -> tuple[Calculation, list[np.ndarray]]:
    """The lowest states of H + W, W in eV, with .uHu of H + W; and what they are of those of H, (n, COUNT) at every k."""
    Wu = [pushed(W, *x) for x in waves]
    C, energies = [], []
    for (G, u), more, e in zip(waves, Wu, of.energies, strict=True):
        inside = more[(slice(None), slice(None), *(G % W.shape[1]).T)]
        added = u.reshape(len(u), -1).conj() @ inside.reshape(len(u), -1).T
        found = np.linalg.eigh(np.diag(e) + (added + added.conj().T) / 2)
        energies.append(found[0][:COUNT])
        C.append(found[1][:, :COUNT])
    there = [[C[to] for to in of_k] for of_k in of.to]
    H, I = (
        np.array([[[p.conj().T @ x @ q for x, q in zip(xs, near)] for xs, p in zip(X, near)] for X, near in zip(Xs, there)])
        for Xs in (of.H + pairs(waves, Wu, steps), of.I)
    )
    M = np.array([[C[k].conj().T @ of.M[k, i] @ p for i, p in enumerate(near)] for k, near in enumerate(there)])
    return Calculation(M, H, I, np.array(energies), of.to, of.b, of.w, of.volume), C


def write(folder: Path, source: Path, of: Calculation, C: list[np.ndarray], steps: np.ndarray, mesh: int) -> None:
    folder.mkdir()
    shutil.copy(source / f"{SEED}.nnkp", folder)
    (folder / f"{SEED}.win").write_text(espresso.win(mesh, of.energies, *espresso.SETS["all"]))
    for ending, X in ((".uHu", of.H), (".uIu", of.I)):
        with FortranFile(folder / f"{SEED}{ending}", "w") as file:
            file.write_record(np.array("moved".ljust(60).encode(), dtype="S60"))
            file.write_record(np.array([COUNT, *X.shape[:2]], dtype=np.int32))
            for of_k in np.swapaxes(X, 1, 2):
                for matrix in of_k.reshape(-1, COUNT**2):
                    file.write_record(matrix)
    overlaps = [f"moved\n{COUNT} {len(steps)} {steps.shape[1]}\n"]
    for of_k, rows in zip(of.M, steps, strict=True):
        for X, row in zip(of_k, rows, strict=True):
            overlaps += [" ".join(map(str, row)) + "\n", *(f"{z.real:.15f} {z.imag:.15f}\n" for z in X.T.ravel())]
    (folder / f"{SEED}.mmn").write_text("".join(overlaps))
    numbers = np.loadtxt(source / f"{SEED}.amn", skiprows=2)
    A = (numbers[:, 3] + 1j * numbers[:, 4]).reshape(len(C), -1, len(C[0])).swapaxes(1, 2)
    rows = [f"moved\n{COUNT} {len(C)} {A.shape[2]}\n"]
    for k, (X, c) in enumerate(zip(A, C, strict=True)):
        for (j, m), z in np.ndenumerate((c.conj().T @ X).T):
            rows.append(f"{m + 1} {j + 1} {k + 1} {z.real:.12f} {z.imag:.12f}\n")
    (folder / f"{SEED}.amn").write_text("".join(rows))
    levels = [f"{n + 1} {k + 1} {e:.12f}\n" for (k, n), e in np.ndenumerate(of.energies)]
    (folder / f"{SEED}.eig").write_text("".join(levels))
    subprocess.run(["wannier90.x", SEED], cwd=folder, check=True)


if __name__ == "__main__":
    source, states, screening = map(Path, sys.argv[1:4])
    base = ground(charge.read(states / DENSITY), GRID)
    small = charge.read(screening / "density.dat").G
    change = espresso.placed(base.of.G, small, np.load(screening / "change.npy")[:, None])
    W = float(sys.argv[4]) * espresso.HARTREE / 2 * potential(base, change, np.load("tilt.npy"))
    of = read(source / SEED)
    text = (source / f"{SEED}.nnkp").read_text().split("begin nnkpts")[1].split("end nnkpts")[0].split()
    steps = np.array(text[1:], dtype=int).reshape(len(of.to), -1, 5)
    files = (states / "out" / f"{espresso.PREFIX}.save" / f"wfc{k + 1}.dat" for k in range(len(steps)))
    waves = [(G, u.astype(np.complex64)) for G, u in (espresso.read_waves(file, slice(None)) for file in files)]
    found, C = moved(of, waves, W, steps)
    write(source.with_name(f"{source.name}_moved"), source, found, C, steps, round(len(steps) ** (1 / 3)))
