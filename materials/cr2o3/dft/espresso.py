"""Cr2O3 by Quantum ESPRESSO: functions with an exact `.uHu`, H applied to plane waves, for `tensor.py alpha`.

    python espresso.py density 70                               the density: folder density70
    python espresso.py states 70 2 160                          160 bands on 2 x 2 x 2 points: folder states70_2
    python espresso.py functions states70_2 all mesh2           Wannier90 and pw2wannier90: folder mesh2
    python espresso.py functions states70_2 valence mesh2_valence

pw.x, pw2wannier90.x and wannier90.x are in the path; the fully relativistic norm-conserving PBE potentials Cr-sp_r.upf
(3s2 3p6 3d5 4s1) and O_r.upf of PseudoDojo (github.com/PseudoDojo/ONCVPSP-PBE-FR-PDv0.4) in this folder.
"""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.io import FortranFile

SEED, PREFIX, HARTREE = "Cr2O3", "cr2o3", 27.211386245988
RUN = os.environ.get("MPIRUN", "mpirun -np 2").split()
CELL = """\
  2.4795000000   1.4315399925   4.5313333333
 -2.4795000000   1.4315399925   4.5313333333
  0.0000000000  -2.8630799849   4.5313333333
"""
#: Cr1 and Cr2 have opposite moments: + - + - along [111]
ATOMS = """\
O    0.2500000000   0.5558000000   0.9442000000
O    0.0558000000   0.7500000000   0.4442000000
O    0.5558000000   0.9442000000   0.2500000000
O    0.4442000000   0.0558000000   0.7500000000
Cr1  0.3475000000   0.3475000000   0.3475000000
Cr2  0.1525000000   0.1525000000   0.1525000000
Cr2  0.6525000000   0.6525000000   0.6525000000
Cr1  0.8475000000   0.8475000000   0.8475000000
O    0.9442000000   0.2500000000   0.5558000000
O    0.7500000000   0.4442000000   0.0558000000
"""
ELECTRONS = 92
#: projections of a set of functions, their number, and how many of the lowest bands are left out (Cr 3s, 3p, O 2s: 44)
SETS = {
    "all": ("Cr:s;p;d\nO:s;p", 120, 0),
    "valence": ("Cr:d\nO:p", 76, 44),
}


def density(cutoff: str) -> None:
    folder = Path(f"density{cutoff}")
    folder.mkdir()
    pw(folder, "scf", cutoff, ELECTRONS, "automatic\n3 3 3 0 0 0\n", "", "")


def states(cutoff: str, mesh: int, bands: int) -> None:
    folder, saved = Path(f"states{cutoff}_{mesh}"), Path("out", f"{PREFIX}.save")
    waves = shutil.ignore_patterns("wfc*")
    shutil.copytree(f"density{cutoff}" / saved, folder / saved, ignore=waves)
    rows = "".join(f"{row(k)} 1\n" for k in points(mesh))
    pw(folder, "nscf", cutoff, bands, f"crystal\n{mesh**3}\n{rows}", ", nosym=.true., noinv=.true.", ", diago_full_acc=.true.")


def pw(folder: Path, what: str, cutoff: str, bands: int, k: str, system: str, electrons: str) -> None:
    (folder / f"{what}.in").write_text(f"""\
&control
calculation='{what}', prefix='{PREFIX}', outdir='out', pseudo_dir='{Path.cwd()}', disk_io='low'
/
&system
ibrav=0, nat=10, ntyp=3, ecutwfc={cutoff}, noncolin=.true., lspinorb=.true., occupations='fixed', nbnd={bands}
starting_magnetization(1)=0.4, starting_magnetization(2)=-0.4{system}
/
&electrons
mixing_beta=0.4, conv_thr=1e-10{electrons}
/
ATOMIC_SPECIES
Cr1 51.996 Cr-sp_r.upf
Cr2 51.996 Cr-sp_r.upf
O 15.999 O_r.upf
CELL_PARAMETERS angstrom
{CELL}ATOMIC_POSITIONS crystal
{ATOMS}K_POINTS {k}""")
    run(folder, [*RUN, "pw.x", "-nk", "2", "-i", f"{what}.in"], what)


def functions(source: Path, name: str, folder: Path) -> None:
    projections, count, below = SETS[name]
    folder.mkdir()
    energies = eigenvalues(source)
    (folder / f"{SEED}.win").write_text(win(int(source.name.split("_")[1]), energies, projections, count, below))
    run(folder, ["wannier90.x", "-pp", SEED], "pp")
    (folder / "pw2wannier90.in").write_text(
        f"&inputpp\noutdir='../{source.name}/out', prefix='{PREFIX}', seedname='{SEED}', write_uHu=.true.\n/\n"
    )
    run(folder, [*RUN, "pw2wannier90.x", "-i", "pw2wannier90.in"], "pw2wannier90")
    write_overlaps(source, folder, slice(below, energies.shape[1]))
    run(folder, ["wannier90.x", SEED], "wannier90")


def write_overlaps(source: Path, folder: Path, bands: slice) -> None:
    """.uIu, <u_m,k+b1|u_n,k+b2>, for which pw2wannier90 takes as long as for .uHu; of the plane waves of k, as there."""
    text = (folder / f"{SEED}.nnkp").read_text().split("begin nnkpts")[1].split("end nnkpts")[0]
    count, *rows = text.strip().split("\n")
    steps = np.array([x.split() for x in rows], dtype=int).reshape(-1, int(count), 5)
    waves = [read_waves(source / "out" / f"{PREFIX}.save" / f"wfc{k + 1}.dat", bands) for k in range(len(steps))]
    with FortranFile(folder / f"{SEED}.uIu", "w") as file:
        file.write_record(np.array("products of plane waves".ljust(60).encode(), dtype="S60"))
        file.write_record(np.array([len(waves[0][1]), *steps.shape[:2]], dtype=np.int32))
        for k, of_k in enumerate(steps):
            moved = [placed(waves[k][0], waves[to - 1][0] - G, waves[to - 1][1]) for _, to, *G in of_k]
            for second in moved:
                for first in moved:
                    file.write_record((first.conj() @ second.T).ravel())


def read_waves(file: Path, bands: slice) -> tuple[np.ndarray, np.ndarray]:
    """Reciprocal vectors (n, 3) of the plane waves, and coefficients (bands, 2, n)."""
    with FortranFile(file) as f:
        f.read_record(np.uint8)
        _, n, spins, count = f.read_record(np.int32)
        f.read_record(float)
        G = f.read_record(np.int32).reshape(n, 3)
        return G, np.array([f.read_record(complex) for _ in range(count)])[bands].reshape(-1, spins, n)


def placed(G: np.ndarray, of: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Coefficients u (bands, 2, n) of plane waves (n, 3) in the order of G; (bands, 2 len(G)), without those that G lacks."""
    box = np.full([2 * np.abs([*G, *of]).max() + 1] * 3, -1)
    box[tuple(G.T)] = np.arange(len(G))
    place = box[tuple(of.T)]
    found = np.zeros((*u.shape[:2], len(G)), dtype=complex)
    found[..., place[place >= 0]] = u[..., place >= 0]
    return found.reshape(len(u), -1)


def eigenvalues(source: Path) -> np.ndarray:
    """(k, bands) in eV."""
    tree = ElementTree.parse(source / "out" / f"{PREFIX}.save" / "data-file-schema.xml")
    return HARTREE * np.array([x.text.split() for x in tree.iter("eigenvalues")], dtype=float)


def win(mesh: int, energies: np.ndarray, projections: str, count: int, below: int) -> str:
    """All bands from `below` on; those up to where the functions' number of them ends everywhere are frozen."""
    gap = energies[:, ELECTRONS - 1].max(), energies[:, ELECTRONS].min()
    left_out = f"exclude_bands = 1-{below}\n" if below else ""
    above = energies[:, below + count :]
    frozen = f"dis_num_iter = 300\ndis_froz_max = {above.min() - 0.01:.4f}\n" if above.size else ""
    return (
        f"num_wann = {count}\nnum_bands = {energies.shape[1] - below}\n{left_out}{frozen}spinors = true\nnum_iter = 0\n"
        f"guiding_centres = true\nfermi_energy = {sum(gap) / 2:.4f}\n"
        "write_tb = true\nwrite_xyz = true\nuse_ws_distance = true\nws_distance_tol = 0.05\n"
        f"mp_grid = {mesh} {mesh} {mesh}\n"
        f"begin unit_cell_cart\n{CELL}end unit_cell_cart\n"
        f"begin atoms_frac\n{ATOMS.replace('Cr1', 'Cr').replace('Cr2', 'Cr')}end atoms_frac\n"
        f"begin projections\n{projections}\nend projections\n"
        "begin kpoints\n" + "".join(f"{row(k)}\n" for k in points(mesh)) + "end kpoints\n"
    )


def points(mesh: int) -> list[tuple[float, ...]]:
    return list(itertools.product([i / mesh for i in range(mesh)], repeat=3))


def row(values: tuple[float, ...]) -> str:
    return " ".join(f"{x:.12f}" for x in values)


def run(folder: Path, command: list[str], name: str) -> None:
    with open(folder / f"{name}.out", "w") as out:
        subprocess.run(command, cwd=folder, stdout=out, check=True)


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "density":
        density(*given)
    elif what == "states":
        states(given[0], int(given[1]), int(given[2]))
    elif what == "functions":
        functions(Path(given[0]), given[1], Path(given[2]))
