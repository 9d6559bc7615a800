"""Wannier90: one call finds every file of a calculation and folds its degeneracies into a clean model.

    X(R + T)_mn += X(R)_mn / (ndegen(R) N_T)      for the Hamiltonian and the position operator,

with the shifts T of `_wsvec.dat` (T = 0, N_T = 1 without it), after X(R) <- (X(R) + X(-R)^+) / 2: position
matrix elements come from finite differences in k and are Hermitian only to the accuracy of these.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...common.errors import AccuracyWarning, FileFormatError, ModelError, warn
from ...common.fortran_text import Array, ComplexArray, IntArray
from ...models.real_space import RealSpace, directions, of_one_k_point
from ...models.real_space_checks import HERMITICITY_TOLERANCE, checked, local_spin
from ...models.tight_binding import TightBinding
from .belongs import are_of, refuse_degeneracies_of_others, warn_of_another_calculation
from .branch import on_branch
from .crystal import Crystal, crystal, on_atoms
from .files import RealSpaceMatrices, read_centres, read_hr, read_r, read_tb
from .projections import projection_centres
from .seed import find
from .spins import spin_degeneracy as electrons_per_band
from .win import Win, read_win
from .wsvec import Shifts, parse_wsvec, read_wsvec, shifted


def load(
    seed: str | Path,
    *,
    centres: ArrayLike | None = None,
    periodic: tuple[bool, bool, bool] | None = None,
    spin_degeneracy: int | None = None,
    use_wsvec: bool | None = None,
    spin_order: str | None = None,
    win: str | Path | None = None,
    lattice: ArrayLike | str | Path | None = None,
) -> TightBinding:
    """Model from the files of a Wannier90 calculation, compressed or not.

    Parameters
    ----------
    seed : seedname ("dir/Te"), path of a `_tb.dat` or `_hr.dat` file, or folder that holds one seedname.
        `_tb.dat` is preferred. `_hr.dat` needs the cell from `.win`, and positions from `centres`, `_r.dat`,
        `_centres.xyz` or the projections of `.win`, in this order. Positions in `_tb.dat` and `_r.dat` are
        corrected with `_centres.xyz` (see `wannier90_branch`). Where they hold nothing but the centres, the model has centres.
    centres : (n, 3) Cartesian in Angstrom: a diagonal position operator, instead of what the files hold.
    periodic : see `TightBinding`. A direction with one k point counts as not periodic: nothing is known of a dispersion there.
    spin_degeneracy : default what `.win` says, with spinors, num_elec_per_state or spin = up; see `spins`. 1, with a warning,
        without `.win`.
    spin_order : "block" (all up, then all down: VASP 5, WannierTools) or "interlaced" (up, down of each orbital: QE, VASP 6,
        PythTB), for spinor Wannier functions that are nearly spin-pure: gives the model a spin operator. Never guessed.
    use_wsvec : default: use `_wsvec.dat` if its header says use_ws_distance=.true.
    win : the `.win` file, if it has another name than the seed.
    lattice : for `_hr.dat` without a cell in a `.win`: (3, 3) rows in Angstrom, or a POSCAR or CIF; by default the one beside
        it. Functions are taken to sit on its atoms where only one way is possible (see `crystal`).

    Raises
    ------
    FileFormatError : a file that is missing, damaged, or at odds with another.
    ModelError : matrices that make no model, or a Hamiltonian without positions.

    Warns
    -----
    AccuracyWarning : no `.win`; positions from projections, or uncertain for lack of `_centres.xyz`;
        no `_wsvec.dat` though `.win` has use_ws_distance = true; a mesh or a lattice that is not that of the Hamiltonian.
    """
    path, files, main, data, read = _found(seed, win)
    known = _crystal(path, data, read, lattice)
    cell = _check_win(main, data, read, known)
    refuse_degeneracies_of_others(main, data, read)
    warn_of_another_calculation(main, data, read, cell, known.path if known else None)
    position = None if centres is not None else _in_files(files, data)
    if position is not None:
        position = _on_branch(main, files, data, position, cell, read)
    elif centres is None and known and known.structure and not (files["centres"] or (read and read.projections)):
        centres = on_atoms(known, data.H.shape[1], spin_degeneracy, spin_order)
    elif centres is None:
        centres = _centres(main, files["centres"], read, cell, data.H.shape[1])
    shifts = _shifts(files["wsvec"], use_wsvec, path, data, read)
    try:
        R, matrices, defect = _fold(main, data, position, shifts, files["wsvec"])
        if position is not None:
            position, centres = _as_centres(R, matrices[..., 1:])
        where = None if centres is None else checked(centres, "centres", float, (data.H.shape[1], 3))
        terms = _across(main, RealSpace(cell, R, matrices[..., 0], position, where, None, None), data, read, periodic)
        return TightBinding(
            cell,
            terms.R,
            terms.hamiltonian,
            position=terms.position,
            centres=terms.centres,
            homes=terms.homes,
            periodic=periodic,  # type: ignore[arg-type]  # None: the model looks at R
            spin_degeneracy=electrons_per_band(path, read) if spin_degeneracy is None else spin_degeneracy,
            structure=read.structure if read and read.structure else known.structure if known else None,
            name=path.name,
            hermiticity_error=defect,
            spin=None if spin_order is None else local_spin(data.H.shape[1], spin_order),
        )
    except ModelError as error:
        raise ModelError(f"{main}: {error}") from error


def corrections(seed: str | Path, win: str | Path | None = None, lattice: ArrayLike | str | Path | None = None) -> Array:
    """(n,) in Angstrom, the most by which `load` corrects <0n|r|Rn> of the files, over R and axes; see `wannier90_branch`."""
    path, files, main, data, read = _found(seed, win)
    position = _in_files(files, data)
    if position is None:
        return np.zeros(data.H.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # `load` says it
        cell = _check_win(main, data, read, _crystal(path, data, read, lattice))
        corrected = _on_branch(main, files, data, position, cell, read)
    return np.asarray(np.abs(corrected - position).max(axis=(0, 3)).diagonal())


class _Found(NamedTuple):
    """Path of the seed, its files by kind, the one with the Hamiltonian and what it holds, and what `.win` says, if any."""

    path: Path
    files: dict[str, Path | None]
    main: Path
    data: RealSpaceMatrices
    win: Win | None


def _found(seed: str | Path, win: str | Path | None) -> _Found:
    """The files of a seed, `.win` being the one that is given or that of the seed."""
    path, files = find(Path(seed))
    said = Path(win) if win is not None else files["win"]
    read = read_win(said) if said else None
    main = files["tb"] or files["hr"]
    assert main is not None
    return _Found(path, files, main, read_tb(main) if files["tb"] else read_hr(main), read)


def _crystal(seed: Path, data: RealSpaceMatrices, win: Win | None, given: ArrayLike | str | Path | None) -> Crystal | None:
    """The cell from elsewhere, of a Hamiltonian whose files do not have it."""
    if data.lattice is None and (win is None or win.lattice is None):
        return crystal(given, seed)
    if given is not None:
        raise ModelError(f"{seed}: its files have the lattice vectors already: leave lattice out")
    return None


def _in_files(files: dict[str, Path | None], data: RealSpaceMatrices) -> ComplexArray | None:
    """Position matrix elements as they stand in the files, or None."""
    return data.position if data.position is not None or not files["r"] else read_r(files["r"], data)


def _on_branch(
    main: Path, files: dict[str, Path | None], data: RealSpaceMatrices, position: ComplexArray, lattice: Array, win: Win | None
) -> ComplexArray:
    """The same, on the branch of the centres in `_centres.xyz` where these are those of the position matrix elements."""
    xyz = None if win and win.translate_home_cell else files["centres"]
    known = read_centres(xyz, len(position[0]), win.ghosts if win else 0) if xyz else None
    return on_branch(main, data, position, lattice, win.mesh if win else None, known)


def _check_win(main: Path, data: RealSpaceMatrices, win: Win | None, known: Crystal | None) -> Array:
    """The lattice, after making sure that `.win` belongs to the Hamiltonian."""
    n_wann = data.H.shape[1]
    if win and win.n_wann not in (None, n_wann):
        raise FileFormatError(win.path, None, f"num_wann = {n_wann} as in {main.name}", f"num_wann = {win.n_wann}")
    lattice = win.lattice if win else None
    if known is not None:
        return known.lattice
    if data.lattice is None:
        if lattice is None:
            missing = (
                "a .win file with unit_cell_cart beside it (it holds no lattice vectors), a POSCAR or CIF, or win or lattice"
            )
            raise FileFormatError(main, None, missing, str(win.path) if win else "no .win file")
        return lattice
    tolerance = 1e-4 * np.abs(data.lattice).max()
    if win and lattice is not None and np.abs(lattice - data.lattice).max() > tolerance:
        found = np.array2string(lattice, precision=5, separator=", ").replace("\n", "")
        raise FileFormatError(win.path, None, f"unit_cell_cart with the lattice vectors of {main.name}", found)
    return data.lattice


def _centres(main: Path, xyz: Path | None, win: Win | None, lattice: Array, n_wann: int) -> Array:
    """Centres of the Wannier functions for a Hamiltonian without position matrix elements."""
    if xyz:
        if win and win.translate_home_cell:
            expected = f"translate_home_cell = false (the centres in {xyz.name} are moved by lattice vectors)"
            raise FileFormatError(win.path, None, expected, "true")
        return read_centres(xyz, n_wann, win.ghosts if win else 0)
    if win and win.projections:
        centres = projection_centres(win, lattice, n_wann)
        warn(
            f"{main.name}: the Wannier functions are taken to sit where the projections of {win.path.name} "
            "do; write_xyz or write_tb gives their centres"
        )
        return centres
    raise ModelError(
        f"{main} does not say where the orbitals are, and orbital magnetization depends on it: "
        "write _tb.dat, _r.dat or _centres.xyz, or give centres (n, 3) in Angstrom"
    )


def _shifts(file: Path | None, use: bool | None, seed: Path, data: RealSpaceMatrices, win: Win | None) -> Shifts | None:
    """The shifts of `_wsvec.dat`, or None if they are not to be used."""
    if use is False:
        return None
    if file is None:
        if use:
            path = seed.with_name(seed.name + "_wsvec.dat")
            raise FileFormatError(path, None, "the file (use_wsvec=True)", "no such file")
        if win and win.use_ws_distance:
            warn(
                f"{win.path.name} has use_ws_distance = true, but there is no {seed.name}_wsvec.dat: "
                "bands between the k points of the calculation suffer"
            )
        return None
    in_use, table = read_wsvec(file)
    return parse_wsvec(table, data.R, data.H.shape[1]) if in_use or use else None


def _fold(
    main: Path, data: RealSpaceMatrices, position: ComplexArray | None, shifts: Shifts | None, wsvec: Path | None
) -> tuple[IntArray, ComplexArray, float]:
    """R vectors, Hamiltonian and position together (nR, n, n, 1 or 4), every degeneracy folded in, and how far the
    Hamiltonian was from Hermitian (eV). The position matrix is not Hermitian on a finite mesh and is averaged."""
    index = {tuple(r): i for i, r in enumerate(data.R.tolist())}
    partner = np.array([index[tuple(r)] for r in (-data.R).tolist()])
    H = _hermitised(data.H[..., None], partner)
    defect = np.abs(H[..., 0] - data.H).reshape(len(H), -1).max(axis=1) * 2
    worst = int(np.argmax(defect))
    if defect[worst] > HERMITICITY_TOLERANCE:
        expected = f"H(R) and H(-R)^+ equal to {HERMITICITY_TOLERANCE:g} eV"
        found = f"a difference of {defect[worst]:.3g} eV at R = {tuple(data.R[worst].tolist())}"
        raise FileFormatError(main, int(data.line[worst]), expected, found)
    X = H if position is None else np.concatenate([H, _hermitised(position, partner)], axis=3)
    X = X / data.ndegen[:, None, None, None]
    if shifts is None:
        return data.R, X, float(defect[worst])
    assert wsvec is not None
    return *shifted(wsvec, data.R, X, partner, shifts), float(defect[worst])


def _across(
    main: Path, terms: RealSpace, data: RealSpaceMatrices, win: Win | None, periodic: tuple[bool, bool, bool] | None
) -> RealSpace:
    """The same without R along directions of one k point, unless they are to be periodic; see `of_one_k_point`."""
    mesh = win.mesh if win else None
    known = mesh is not None and are_of(data, mesh)
    single = (np.array(mesh) == 1 if known else ~data.R.any(axis=0)) & ~np.array(directions(periodic) or (False,) * 3)
    return of_one_k_point(terms, single, main.name)


def _as_centres(R: IntArray, position: ComplexArray) -> tuple[ComplexArray | None, Array | None]:
    """The position matrix (nR, n, n, 3), or instead of it the centres (n, 3) if there is nothing else in it."""
    nonzero = np.asarray(position.any(axis=3))
    nonzero[~R.any(axis=1)] &= ~np.eye(nonzero.shape[1], dtype=bool)
    if nonzero.any():
        return position, None
    return None, np.einsum("iia->ia", position[~R.any(axis=1)][0].real)


def _hermitised(X: ComplexArray, partner: IntArray) -> ComplexArray:
    """(X(R) + X(-R)^+) / 2 for X of shape (nR, n, n, components)."""
    return np.asarray((X + np.conj(X[partner].swapaxes(1, 2))) / 2)
