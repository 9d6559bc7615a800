"""Spin operator of Wannier functions from Wannier90's `.chk` and `.spn`, through WannierBerri.

With the Bloch states of the calculation the spin is exact; `spin_order` in `ome_wannier.load` takes the Wannier functions for
pure spins instead. The seed's `.chk`, `.eig` and `.spn` must be there, plain or compressed, in the same gauge as the model:

    model = ome_wannier.load("Te", spn=True)

Every matrix element goes to the nearest image of its pair of functions, as WannierBerri places it (MDRS). At the k points of
the calculation that does not matter; between them it is one interpolation of many.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ModelError
from ...models.home_cells import relabelled
from ...models.tight_binding import TightBinding
from .calculation import foreign, read_calculation

ComplexArray = NDArray[np.complex128]

#: eV by which the Hamiltonian of `.chk` and `.eig` may differ from the model's at the k points of the calculation: Wannier90
#: writes the matrix elements of `_hr.dat` with six digits, and a k point sums tens of them
SAME_GAUGE = 1e-4
#: Angstrom: images of a pair at distances closer than this count as equally near (ws_distance_tol). Too small a value breaks
#: the symmetry of the crystal, which the centres have only nearly: the one that gives the model's Hamiltonian is taken
NEAREST = (1e-5, 1e-3, 1e-2, 5e-2, 1e-1)
#: endings of what is read
FILES = (".chk", ".eig", ".spn")


def spin_matrices(seed: str | Path, model: TightBinding, nearest: tuple[float, ...] = NEAREST) -> ComplexArray:
    """The spin operator (nR, n, n, 3) in units of hbar/2 on the R vectors of a model, [r, i, j] = <0i|sigma|Rj>.

    Parameters
    ----------
    seed : path that the names of `.chk`, `.eig` and `.spn` begin with, of the calculation that the model is from.
    nearest : Angstrom, tolerances with which images of a pair of functions count as equally near. The one is taken with
        which the Hamiltonian of `.chk` and `.eig` comes closest to the model's, R by R.

    Raises
    ------
    ModelError : a missing file or package; other functions, or another gauge, than the model's (the Hamiltonians differ).
    FileFormatError : files that are damaged, or of different calculations.
    """
    data = read_calculation(seed, FILES, "the spin operator needs", model)
    from wannierberri.system.system_R import System_R

    def as_ours(system: Any) -> tuple[Any, list[Any]]:
        """R, Hamiltonian and spin of orbitals in the home cells of the model, the spin in its axes."""
        H, spin = (np.asarray(system.get_R_mat(name), dtype=complex) for name in ("Ham", "SS"))
        given = [H, spin if model.frame is None else spin @ model.frame.T]
        R = np.asarray(system.rvec.iRvec)
        across = ~np.array(model.periodic)
        homes = np.zeros((model.n_orbitals, 3), dtype=np.int64) if model.homes is None else model.homes
        return relabelled(R, given, homes, across) if homes.any() or R[:, across].any() else (R, given)

    want = {"spin": True, "symmetrize": False, "silent": True}
    with foreign(seed, FILES):
        systems = [System_R.from_wannierdata(data, ws_dist_tol=x, **want) for x in nearest]
    ours = dict(zip(map(tuple, model.R.tolist()), model.hamiltonian, strict=True))

    def distance(system: Any) -> float:
        R, (H, _) = as_ours(system)
        theirs = zip(map(tuple, R.tolist()), H, strict=True)
        return max(float(np.abs(X - ours.get(r, 0)).max()) for r, X in theirs)

    system = min(systems, key=distance)
    R, (H, spin) = as_ours(system)
    k = np.asarray(data.kpt_red, dtype=float)
    gap = np.abs(np.tensordot(np.exp(2j * np.pi * k @ R.T), H, 1) - model.matrices(k, 0).H).max()
    if gap > SAME_GAUGE:
        raise ModelError(f"{seed}.chk and the model differ by {gap:.2g} eV at its k points: not the same Wannier functions")
    found = dict(zip(map(tuple, R.tolist()), spin, strict=True))
    if lost := [r for r in found if r not in ours]:
        raise ModelError(f"the spin has elements at R = {lost[0]}, which the model lacks: load it with its _wsvec.dat")
    zero = np.zeros_like(spin[0])
    return np.array([found.get(tuple(r), zero) for r in model.R.tolist()])
