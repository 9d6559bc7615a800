"""How electrons and m_z of Cr2O3 follow an electric field, with local fields and exchange: (1 - F) x = x_0, by ph.x and pw.x.

    python espresso.py density 40
    python screening.py 40 2       on 2 x 2 x 2 points: folder screening40_2 with drive.npy, change.npy

x_0, drive.npy, is the change of the density at a fixed Hamiltonian by ph.x (`lnoloc`: all empty states, the position as a
commutator). F is what one step of pw.x without mixing makes of a changed density. Of both what symmetry allows is kept
(density.py). change.npy is x. Both are (4, n) on the reciprocal vectors of the density, by fields along x and z together, per
Ry/bohr of energy of the field. m_x and m_y of x are of no use: F gives them back nearly as they are, below the error of the
states (tilt.py has them).
"""

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import density as charge
import numpy as np
from espresso import ELECTRONS, PREFIX, RUN, pw, run
from scipy.sparse.linalg import LinearOperator, gmres

SAVED = Path("out", f"{PREFIX}.save")
DENSITY = SAVED / "charge-density.dat"
#: Ry/bohr of energy of the field at which F is evaluated, and the residual that is left
STRENGTH, TOLERANCE = 0.01, 1e-2


def start(folder: Path, cutoff: str, mesh: int) -> None:
    shutil.copytree(f"density{cutoff}" / SAVED, folder / SAVED, ignore=shutil.ignore_patterns("wfc*"))
    scf(folder, cutoff, mesh, ", startingpot='file'")
    shutil.copy(folder / DENSITY, folder / "density.dat")


def scf(folder: Path, cutoff: str, mesh: int, electrons: str) -> None:
    k = f"automatic\n{mesh} {mesh} {mesh} 0 0 0\n"
    pw(folder, "scf", cutoff, ELECTRONS, k, ", nosym=.true., noinv=.true.", electrons)


def drive(folder: Path, of: charge.Density) -> np.ndarray:
    """ph.x writes the changes by fields along the lattice vectors, in units of the first one's length, on the grid."""
    (folder / "ph.in").write_text(
        f"field\n&inputph\nprefix='{PREFIX}', outdir='out', trans=.false., epsil=.true., lnoloc=.true., fildrho='drho'\n/\n"
        "0 0 0\n"
    )
    run(folder, [*RUN, "ph.x", "-i", "ph.in"], "ph")
    found = np.fromfile(folder / "out" / "_ph0" / f"{PREFIX}.drho.E1", dtype=complex).reshape(3, 4, -1).real
    grid = round(found.shape[2] ** (1 / 3))
    lattice = 2 * np.pi * np.linalg.inv(of.basis).T
    of_axes = np.einsum("xi,icr->xcr", np.linalg.inv(lattice / np.linalg.norm(lattice[0])), found)
    waves = np.fft.fftn((of_axes[0] + of_axes[2]).reshape(4, grid, grid, grid), axes=(1, 2, 3)) / grid**3
    return waves[(slice(None), *(of.G[:, ::-1] % grid).T)]


def allowed(of: charge.Density, rho: np.ndarray) -> np.ndarray:
    rho = charge.odd(rho)
    return charge.across(of.G, rho) + charge.along(of.G, rho)


def numbers(rho: np.ndarray) -> np.ndarray:
    """The numbers (4 n,) that an odd rho has."""
    return np.concatenate([rho[0].imag, *rho[1:].real])


def change(x: np.ndarray) -> np.ndarray:
    n, *m = x.reshape(4, -1)
    return np.array([1j * n, *m], dtype=complex)


def screened(folder: Path, cutoff: str, mesh: int, of: charge.Density, x0: np.ndarray) -> np.ndarray:
    even, size = of.rho - charge.odd(of.rho), STRENGTH * np.linalg.norm(x0)
    electrons = ", startingpot='file', startingwfc='file', diago_thr_init=1e-10, diago_david_ndim=4"
    electrons += ", electron_maxstep=1, mixing_beta=1.0, conv_thr=1e-30"

    def without_what_it_makes(x: np.ndarray) -> np.ndarray:
        scale = size / np.linalg.norm(x)
        charge.write(folder / DENSITY, of._replace(rho=even + scale * change(x)))
        with suppress(subprocess.CalledProcessError):  # one step does not converge, which pw.x says by its exit code
            scf(folder, cutoff, mesh, electrons)
        return x - numbers(allowed(of, charge.read(folder / DENSITY).rho)) / scale

    A = LinearOperator((x0.size, x0.size), matvec=without_what_it_makes, dtype=float)
    return gmres(A, x0, restart=9, maxiter=1, rtol=TOLERANCE, callback=print, callback_type="pr_norm")[0]


if __name__ == "__main__":
    cutoff, mesh = sys.argv[1], int(sys.argv[2])
    folder = Path(f"screening{cutoff}_{mesh}")
    start(folder, cutoff, mesh)
    of = charge.read(folder / "density.dat")
    x0 = allowed(of, drive(folder, of))
    np.save(folder / "drive.npy", x0)
    np.save(folder / "change.npy", change(screened(folder, cutoff, mesh, of, numbers(x0))))
