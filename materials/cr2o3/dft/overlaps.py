"""What Wannier90 reads, of GPAW's states with spin-orbit coupling: .win .amn .mmn .eig; and .uHu .uIu, as sums over bands.

Overlaps have the dipoles of the PAW spheres: <u_k|u_k+b> gains <phi_i|exp(-ibr)|phi_j> to first order in b in each.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np

SEED = "Cr2O3"
#: spinor functions: 4 Cr with d, 6 O with p; empty bands above these that the disentanglement may use
FUNCTIONS, MORE = 76, 12


def prepare(source: Path, folder: Path) -> None:
    """Write all of it for the states of a file of GPAW, and run Wannier90.

    The bands begin with O 2p: what is below, Cr 3s, 3p where the setup has them and O 2s, takes part in .uHu alone.
    """
    from gpaw import GPAW
    from gpaw.spinorbit import soc_eigenstates

    calculation = GPAW(source, txt=None)
    coupled, k = soc_eigenstates(calculation), calculation.get_bz_k_points()
    energies = np.array([coupled[i].eig_m for i in range(len(k))])
    electrons = round(calculation.get_number_of_electrons())
    low = electrons - 48
    window = slice(low, low + FUNCTIONS + MORE)
    gap = energies[:, electrons - 1].max(), energies[:, electrons].min()
    (folder / f"{SEED}.win").write_text(_win(calculation, k, gap))
    subprocess.run(["wannier90.x", "-pp", SEED], cwd=folder, check=True)
    _write_projections(folder, calculation, coupled, window)
    lines = [f"{n + 1} {i + 1} {e:.12f}\n" for i, of_k in enumerate(energies) for n, e in enumerate(of_k[window])]
    (folder / f"{SEED}.eig").write_text("".join(lines))
    steps = _steps(folder, len(k))
    M = _overlaps(calculation, coupled, k, steps, window)
    np.savez(folder / "overlaps.npz", M=M.astype(np.complex64), energies=energies, low=low)
    with open(folder / f"{SEED}.mmn", "w") as file:
        file.write(f"gpaw\n{window.stop - low} {len(k)} {steps.shape[1]}\n")
        for of_k, rows in zip(M, steps, strict=True):
            for X, row in zip(of_k, rows, strict=True):
                file.write(" ".join(map(str, row)) + "\n")
                file.write("".join(f"{z.real:.12f} {z.imag:.12f}\n" for z in X[window].T.ravel()))
    subprocess.run(["wannier90.x", SEED], cwd=folder, check=True)
    write_sums(folder, folder)


def _win(calculation, k, gap) -> str:
    atoms, mesh = calculation.atoms, " ".join(map(str, calculation.wfs.kd.N_c))
    fractional = atoms.get_scaled_positions()

    def block(name, lines):
        return "\n".join([f"begin {name}", *lines, f"end {name}\n"])

    def row(values):
        return " ".join(f"{x:.12f}" for x in values)

    return (
        f"num_wann = {FUNCTIONS}\nnum_bands = {FUNCTIONS + MORE}\nspinors = true\nnum_iter = 30\ndis_num_iter = 300\n"
        f"dis_mix_ratio = 0.5\nguiding_centres = true\nfermi_energy = {sum(gap) / 2:.4f}\ndis_froz_max = {gap[0] + 2:.4f}\n"
        f"write_tb = true\nwrite_xyz = true\nuse_ws_distance = true\nws_distance_tol = 0.05\nmp_grid = {mesh}\n"
        + block("unit_cell_cart", map(row, atoms.cell))
        + block("atoms_frac", (f"{s} {row(x)}" for s, x in zip(atoms.symbols, fractional, strict=True)))
        + block(
            "projections",
            (f"f={','.join(map(str, x))}:{'d' if s == 'Cr' else 'p'}" for s, x in zip(atoms.symbols, fractional, strict=True)),
        )
        + block("kpoints", map(row, k))
    )


def _steps(folder: Path, points: int):
    """(k, step, 5): the numbers, from 1, of k and of k + b, and the reciprocal vector that takes it there."""
    text = (folder / f"{SEED}.nnkp").read_text().split("begin nnkpts")[1].split("end nnkpts")[0]
    count, *rows = text.strip().split("\n")
    return np.array([row.split() for row in rows], dtype=int).reshape(points, int(count), 5)


def _valence(setup) -> list[int]:
    """The partial waves of Cr 3d, O 2p."""
    wanted, first = {"Cr": 2, "O": 1}[setup.symbol], 0
    for n, ell in zip(setup.n_j, setup.l_j, strict=True):
        if ell == wanted and n in (2 if wanted == 1 else 3,):
            return list(range(first, first + 2 * ell + 1))
        first += 2 * ell + 1
    raise ValueError(f"{setup.symbol}: no such partial wave")


def _write_projections(folder: Path, calculation, coupled, window) -> None:
    waves = [_valence(setup) for setup in calculation.wfs.setups]
    with open(folder / f"{SEED}.amn", "w") as file:
        file.write(f"gpaw\n{window.stop - window.start} {len(coupled)} {FUNCTIONS}\n")
        for i in range(len(coupled)):
            P = coupled[i].projections
            columns = [P[a][window, spin, w] for a, of_atom in enumerate(waves) for w in of_atom for spin in range(2)]
            for m, column in enumerate(np.conj(columns)):
                file.write("".join(f"{n + 1} {m + 1} {i + 1} {z.real:.12f} {z.imag:.12f}\n" for n, z in enumerate(column)))


def _overlaps(calculation, coupled, k, steps, window):
    """<u_lk|u_n,k+b> (k, step, all bands, bands of the window)."""
    setups, places, grid = calculation.wfs.setups, calculation.spos_ac, calculation.wfs.gd
    r = grid.get_grid_point_coordinates().reshape(3, -1)
    reciprocal = 2 * np.pi * np.linalg.inv(grid.cell_cv).T
    # L = 1, 2, 3 are y, z, x
    dipoles = [np.sqrt(4 * np.pi / 3) * np.moveaxis(s.Delta_iiL[:, :, [3, 1, 2]], 2, 0) for s in setups]
    u = [_spinors(calculation, i, coupled[i].v_mn) for i in range(len(k))]
    bands, width = len(u[0]), window.stop - window.start
    M = np.zeros((*steps.shape[:2], bands, width), dtype=complex)
    for i, j in np.ndindex(*steps.shape[:2]):
        there, G = steps[i, j, 1] - 1, steps[i, j, 2:]
        b = k[there] - k[i] + G
        wave = np.exp(-1j * (G @ reciprocal) @ r).astype(np.complex64)
        right = (u[there][window] * wave).reshape(width, -1)
        M[i, j] = (u[i].reshape(bands, -1).conj() @ right.T) * grid.dv
        for a, setup in enumerate(setups):
            inside = setup.dO_ii - 1j * np.tensordot(b @ reciprocal, dipoles[a], 1)
            inside = inside * np.exp(-2j * np.pi * b @ places[a])
            left, other = coupled[i].projections[a], coupled[there].projections[a][window]
            for spin in range(2):
                M[i, j] += left[:, spin].conj() @ inside @ other[:, spin].T
    return M


def _spinors(calculation, i: int, coefficients):
    """The periodic parts (bands, 2, points of the grid) at a k point; coefficients have up and down in turn."""
    found = []
    for spin in range(2):
        of_spin = coefficients[:, spin::2].astype(np.complex64)
        waves = [calculation.wfs.get_wave_function_array(n, i, spin, periodic=True) for n in range(of_spin.shape[1])]
        found.append(of_spin @ np.array(waves, dtype=np.complex64).reshape(len(waves), -1))
    return np.stack(found, axis=1)


def write_sums(folder: Path, target: Path, share: float = 1.0) -> None:
    """.uHu and .uIu, <u_m,k+b1|X|u_n,k+b2> as the sum over this share of the bands of the overlaps in a folder."""
    from scipy.io import FortranFile

    kept = np.load(folder / "overlaps.npz")
    M, energies = kept["M"].astype(complex), kept["energies"]
    points, steps, bands, width = M.shape
    top = round(share * bands / 2) * 2
    if target != folder:
        target.mkdir(exist_ok=True)
        for ending in (".win", ".chk", ".eig", ".mmn", "_tb.dat", "_wsvec.dat", "_centres.xyz"):
            shutil.copy(folder / f"{SEED}{ending}", target)
    for ending, weights in ((".uHu", energies[:, :top]), (".uIu", np.ones((points, top)))):
        with FortranFile(target / f"{SEED}{ending}", "w") as file:
            file.write_record(np.array(f"sum over {top} bands".ljust(60).encode(), dtype="S60"))
            file.write_record(np.array([width, points, steps], dtype=np.int32))
            for i in range(points):
                for second in range(steps):
                    R = weights[i][:, None] * M[i, second, :top]
                    for first in range(steps):
                        file.write_record((M[i, first, :top].conj().T @ R).ravel())
