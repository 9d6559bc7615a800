"""WannierBerri's `System_R` as a tight-binding model, and back; also the folder that its `to_npz` writes.

WannierBerri puts the centres into the phases, exp[i k (R + t_j - t_i)], and leaves them out of its AA. Here positions are
complete, <0i|r|Rj> = AA + t_i on the diagonal at R = 0. It takes the Hermitian part of what it sums (R and -R, a missing -R
counting as zero), and so does the model. Its matrix SS is the spin in units of hbar/2, as here. Every band counts once there,
spinors or not; `spin_degeneracy` = 2 counts the electrons of a calculation without spin, and `export` leaves a note of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ModelError, warn
from ...models.base import Structure
from ...models.real_space import RealSpace, directions, of_one_k_point
from ...models.real_space_checks import HERMITICITY_TOLERANCE, partners, point
from ...models.tight_binding import TightBinding
from .external import external_of, matrices_of
from .folder import ELECTRONS, read_folder
from .nearest_images import shared_unevenly
from .spin_orbit import of_spinors

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: Angstrom; positions that agree to this are the same
SAME_PLACE = 1e-6


def recognises(model: object) -> bool:
    """Whether an object is a system of WannierBerri of any kind, also of those that `load` refuses."""
    return any(c.__module__.startswith("wannierberri.system.") for c in type(model).__mro__)


def load(
    system: Any,
    spin_degeneracy: int | None = None,
    external_terms: bool = False,
    periodic: tuple[bool, bool, bool] | None = None,
) -> TightBinding:
    """The Hamiltonian, positions (AA, or the centres where there is no AA or it is not used) and spin (SS) of a system.

    Parameters
    ----------
    system : a `System_R` made by any of its constructors, a `SystemSOC` whose direction is set, or the path of a folder that
        `to_npz` of the first wrote.
    spin_degeneracy : 1 or 2, electrons that each band holds; default: what a System of `export` says, 1 for spinors, and
        WannierBerri's count, 1, where nothing says.
    external_terms : complete moments and metric with the states outside the Wannier subspace, as far as the system's matrices
        BB and CC, FF (or OO and GG) know them; the result says how far.
    periodic : see `TightBinding`; default: what the system says.

    Raises
    ------
    ModelError : a system that is none of R vectors (k.p, phonons), or is inconsistent.
    FileFormatError : a folder that cannot be read.

    Warns
    -----
    AccuracyWarning : what is missing (AA, centres, how many electrons a band holds), matrices that are not Hermitian, hoppings
        that were not put to the nearest images of their orbitals (see `nearest_images`).
    """
    if isinstance(system, str | os.PathLike):
        system = read_folder(Path(system))
    if type(system).__name__ == "SystemSOC":
        system = of_spinors(system)
    _check(system)
    R, H = _paired(system, "Ham")
    centres = np.asarray(system.wannier_centers_cart, dtype=float)
    position = _position(system, R, centres)
    if external_terms and position is None:
        raise ModelError("external terms need AA in use: make the System with berry=True, not force_internal_terms_only")
    spin = _paired(system, "SS")[1] if system.has_R_mat("SS") else None
    external = external_of(system, R) if external_terms else None
    lattice, name = np.asarray(system.real_lattice, dtype=float), str(getattr(system, "name", "") or "WannierBerri system")
    terms = RealSpace(lattice, R, H, position, centres if position is None else None, spin, external)
    if uneven := shared_unevenly(R, H, centres, lattice):
        _warn(
            f"hoppings of up to {uneven:.2g} eV of this System are shared among images of orbitals that are not equally near: "
            "bands between the k points of the calculation suffer. ome_wannier.to_wannierberri(ome_wannier.load(seed)) reads "
            "_wsvec.dat, and system.do_ws_dist(mp_grid=...) finds nearest images itself"
        )
    along = directions(tuple(bool(p) for p in system.periodic) if periodic is None else periodic)  # type: ignore[arg-type]
    single = np.broadcast_to(getattr(system, "NKFFT_recommended", 0), 3) == 1  # that of the calculation, where it is known
    terms = of_one_k_point(terms, single & ~np.array(along), name)
    return TightBinding(
        lattice,
        terms.R,
        terms.hamiltonian,
        position=terms.position,
        centres=terms.centres,
        homes=terms.homes,
        periodic=along,  # type: ignore[arg-type]
        spin=terms.spin,
        external=terms.external,
        spin_degeneracy=_electrons(system) if spin_degeneracy is None else spin_degeneracy,
        structure=_structure(system),
        name=name,
    )


def _position(system: Any, R: NDArray[np.int64], centres: NDArray[np.float64]) -> ComplexArray | None:
    """Position matrices (nR, n, n, 3) in Angstrom, or None where centres are all that is used; warns where that is a lack."""
    if system.has_R_mat("AA") and not system.force_internal_terms_only:
        position = _paired(system, "AA")[1]
        home, i = int(np.flatnonzero(~R.any(axis=1))[0]), np.arange(len(centres))
        position[home, i, i] += centres
        return position
    if not system.force_internal_terms_only:
        _warn("this System has no AA: its Wannier centres stand in for the position operator; make it with berry=True")
    if len(centres) > 1 and not centres.any():
        _warn("all Wannier centres of this System are zero, and responses depend on where the orbitals are")
    return None


def export(model: TightBinding) -> Any:
    """The same matrices and atoms as a `System_R`; its point group is the identity until it is set.

    A model with commuting positions (centres) becomes a system with `force_internal_terms_only`: it needs no AA.
    Units and numbers are those of the model. In a System bands count once; `load` and `OME` read `spin_degeneracy` from an
    attribute that is left here, and which WannierBerri does not look at.
    """
    from wannierberri.fourier.rvectors import Rvectors
    from wannierberri.system.system_R import System_R

    spinor = True if model.has_spin else False if model.spin_degeneracy == 2 else None
    name = {"name": model.name} if model.name else {}
    system = System_R(
        periodic=model.periodic, force_internal_terms_only=model.exact_position, silent=True, spinor=spinor, **name
    )
    system.set_real_lattice(np.array(model.lattice))
    system.num_wann = model.n_orbitals
    system.set_wannier_centers(wannier_centers_cart=np.array(model.wannier_centres))
    system.rvec = Rvectors(lattice=system.real_lattice, iRvec=model.R, shifts_left_red=system.wannier_centers_red)
    system.set_R_mat("Ham", np.array(model.hamiltonian))
    if model.position is not None:
        A, i = np.array(model.position), np.arange(model.n_orbitals)
        A[system.rvec.iR0, i, i] -= model.wannier_centres
        system.set_R_mat("AA", A)
    if model.spin is not None:
        system.set_R_mat("SS", np.array(model.spin))
    for key, X in matrices_of(model).items():
        system.set_R_mat(key, X)
    if model.structure is not None:
        from ase.data import chemical_symbols

        labels = [chemical_symbols[z] for z in model.structure.numbers]
        system.set_structure(np.array(model.structure.positions), labels)
    system.do_at_end_of_init()
    setattr(system, ELECTRONS, model.spin_degeneracy)
    return system


def _check(system: Any) -> None:
    """Refuse what is no Hamiltonian of electrons on R vectors, or holds two answers to one question."""
    kind = type(system).__name__
    if not all(hasattr(system, name) for name in ("rvec", "wannier_centers_cart", "get_R_mat")):
        raise ModelError(
            f"{kind} has no Hamiltonian on R vectors: give a System_R, or for k.p models ome_wannier.KDotP(hamiltonian)"
        )
    if getattr(system, "is_phonon", False):
        raise ModelError("this System holds phonons: there are no electrons to respond")
    if not system.has_R_mat("Ham"):
        raise ModelError("this System has no matrix 'Ham'")
    centres = np.asarray(system.wannier_centers_cart, dtype=float)
    if centres.shape != (system.num_wann, 3):
        raise ModelError(f"wannier_centers_cart has shape {centres.shape}: expected {(system.num_wann, 3)}")
    phases = np.asarray(system.rvec.shifts_left_red, dtype=float) @ np.asarray(system.real_lattice)
    if phases.shape != centres.shape or np.abs(phases - centres).max() > SAME_PLACE:
        raise ModelError("wannier_centers_cart and the phases (rvec.shifts_left_red) of this System differ: set both")
    if system.has_R_mat("AA") and centres.any() and not system.force_internal_terms_only:
        i = np.arange(system.num_wann)
        diagonal = np.asarray(system.get_R_mat("AA"))[system.rvec.iR0, i, i]
        if np.abs(diagonal - centres).max() < SAME_PLACE:
            raise ModelError(
                "the diagonal of AA at R = 0 repeats the Wannier centres, which WannierBerri then counts twice: "
                "subtract them (files of Wannier90 need convention_II_to_I=True)"
            )


def _paired(system: Any, name: str) -> tuple[NDArray[np.int64], ComplexArray]:
    """R vectors with every -R and 0, and the Hermitian part of a matrix on them.

    Warns where it was not Hermitian by more than files are.
    """
    given = np.asarray(system.rvec.iRvec, dtype=np.int64)
    R = np.unique(np.concatenate([given, -given, np.zeros((1, 3), dtype=np.int64)]), axis=0)
    row = {tuple(r): i for i, r in enumerate(R.tolist())}
    place, partner = [row[tuple(r)] for r in given.tolist()], partners(R)
    X = np.asarray(system.get_R_mat(name), dtype=complex)
    full = np.zeros((len(R), *X.shape[1:]), dtype=complex)
    np.add.at(full, place, X)
    adjoint = np.conj(np.swapaxes(full[partner], 1, 2))
    defect = np.abs(full - adjoint).reshape(len(R), -1).max(axis=1)
    worst = int(np.argmax(defect))
    if defect[worst] > HERMITICITY_TOLERANCE:
        _warn(
            f"{name} of this System is not Hermitian (by {defect[worst]:.2g} at R = {point(R[worst])}): "
            "its Hermitian part is used, as WannierBerri does for the Hamiltonian"
        )
    hermitian: ComplexArray = np.asarray((full + adjoint) / 2, dtype=complex)
    return R, hermitian


def _electrons(system: Any) -> int:
    """How many electrons a band holds, as the System says it or as WannierBerri counts."""
    known = getattr(system, ELECTRONS, None)
    if known in (1, 2):
        return int(known)
    spinor = getattr(system, "spinor", None)
    if not (spinor or system.has_R_mat("SS")):
        said = "is of functions without spin" if spinor is False else "does not say how many electrons a band holds"
        _warn(
            f"this System {said}: one is counted, as in WannierBerri; give spin_degeneracy=2 for a calculation without spin, "
            "or 1 for any other"
        )
    return 1


def _structure(system: Any) -> Structure | None:
    """The atoms, where they are labelled by chemical symbols: other labels do not say what they are."""
    from ase.data import atomic_numbers

    labels = [str(label) for label in getattr(system, "atom_labels", [])]
    if not labels or not all(label in atomic_numbers for label in labels):
        return None
    positions = np.asarray(system.positions, dtype=float).tolist()
    return Structure(tuple(int(atomic_numbers[label]) for label in labels), tuple((x, y, z) for x, y, z in positions))


def _warn(text: str) -> None:
    warn(text)
