"""sisl Hamiltonians of orthogonal orbitals: sites are where the atoms are, lengths in Angstrom, energies in eV."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..common.errors import ModelError
from ..models.real_space_checks import local_spin, one_electron
from ..models.tight_binding import TightBinding


def recognises(model: object) -> bool:
    """Whether an object is a sisl Hamiltonian."""
    return type(model).__module__.split(".")[0] == "sisl" and hasattr(model, "Hk") and hasattr(model, "geometry")


def load(model: Any, *, spin_degeneracy: int | None = None, periodic: tuple[bool, bool, bool] | None = None) -> TightBinding:
    """The same Hamiltonian; each orbital stands at its atom, spins are interlaced.

    sisl's own H(k) is transformed back on the mesh of its supercell, which is exact and serves every kind of spin.

    Parameters
    ----------
    spin_degeneracy : electrons per band; default: 2 for an unpolarized Hamiltonian, 1 for any other, which has no other choice.
    periodic : see `TightBinding`.

    Raises
    ------
    ModelError : non-orthogonal orbitals; a Nambu (superconducting) Hamiltonian; two electrons per band in one with spin.
    """
    if not model.orthogonal:
        raise ModelError("this sisl Hamiltonian has an overlap matrix: orthogonal orbitals are needed (Wannier functions)")
    spin = model.spin
    if getattr(spin, "is_nambu", False):
        raise ModelError("this sisl Hamiltonian is a Nambu one: superconductors are not understood")
    geometry = model.geometry
    counts = np.asarray(geometry.nsc, dtype=int)  # odd: cells -m..m couple to the home cell
    R = np.array(list(itertools.product(*(range(-(c // 2), c // 2 + 1) for c in counts))))
    k = np.array(list(itertools.product(*(np.arange(c) / c for c in counts))))
    n_spin = 1 if spin.is_unpolarized else 2
    if spin_degeneracy is None:
        spin_degeneracy = 3 - n_spin
    if n_spin == 2:
        one_electron(spin_degeneracy, "sisl Hamiltonian")
    H = np.array([_at(model, q, spin.is_polarized) for q in k])
    phases = np.exp(-2j * np.pi * R @ k.T)
    terms = np.asarray(np.tensordot(phases, H, 1) / len(k), dtype=complex)
    terms[~_stored(model, R, n_spin)] = 0.0  # noise of the transformation: it would join cells that nothing joins
    filled = np.asarray(terms.any(axis=(1, 2)) | ~R.any(axis=1))
    filled |= filled[::-1]
    R, terms = R[filled], terms[filled]
    atoms = geometry.o2a(np.arange(geometry.no))
    centres = np.repeat(geometry.xyz[atoms], n_spin, axis=0)
    return TightBinding(
        np.asarray(geometry.cell),
        R,
        terms,
        centres=centres,
        periodic=periodic,  # type: ignore[arg-type]
        spin_degeneracy=spin_degeneracy,
        spin=local_spin(len(centres), "interlaced") if n_spin == 2 else None,
        name="sisl Hamiltonian",
    )


def _stored(model: Any, R: Any, n_spin: int) -> Any:
    """(nR, n, n) whether the Hamiltonian holds an element, or its Hermitian partner, for a pair of orbitals."""
    geometry = model.geometry
    n = geometry.no
    rows, columns = model.nonzero()
    place = {tuple(r): i for i, r in enumerate(R.tolist())}
    offsets = np.asarray(geometry.lattice.sc_off)[np.asarray(columns) // n]
    found = np.zeros((len(R), n, n), dtype=bool)
    found[[place[tuple(r)] for r in offsets.tolist()], rows, np.asarray(columns) % n] = True
    found |= found[::-1].swapaxes(1, 2)  # R runs from -m to m: the partner of the first is the last
    return np.kron(found, np.ones((n_spin, n_spin), dtype=bool))


def _at(model: Any, k: Any, polarized: bool) -> Any:
    """H(k) without orbital positions in the phase; the two spins of a polarized Hamiltonian side by side, interlaced."""
    if not polarized:
        return model.Hk(k=k, gauge="lattice", format="array", dtype=np.complex128)
    up, down = (model.Hk(k=k, gauge="lattice", format="array", dtype=np.complex128, spin=s) for s in (0, 1))
    return np.kron(up, np.diag([1, 0])) + np.kron(down, np.diag([0, 1]))
