"""PythTB models, version 1.8 (`tb_model`) and 2.x (`TBModel`), as tight-binding models; lengths are taken as Angstrom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..model import TightBinding
from ..validation import local_spin

Array = NDArray[np.float64]
Hopping = tuple[Any, int, int, tuple[int, ...]]


def recognises(model: object) -> bool:
    """Whether an object is a PythTB model of either generation."""
    return type(model).__module__.split(".")[0] == "pythtb" and hasattr(model, "set_hop")


def load(model: Any) -> TightBinding:
    """The same Hamiltonian, orbitals where they are (also outside the home cell), spin operator included if spinful.

    Raises
    ------
    ModelError : a parametric model with parameters that have no value (they are named).
    """
    old = hasattr(model, "_hoppings") and hasattr(model, "_lat")
    lattice, orbitals, periodic, n_spin = _geometry(model, old)
    onsite, hoppings = _old_terms(model) if old else _new_terms(model)
    dim, n_orb = len(lattice), len(orbitals)
    n = n_orb * n_spin
    terms: dict[tuple[int, ...], NDArray[np.complex128]] = {(0, 0, 0): np.zeros((n, n), dtype=complex)}

    def add(R: tuple[int, ...], i: int, j: int, amplitude: Any) -> None:
        block = np.asarray(amplitude, dtype=complex)
        block = block.reshape(n_spin, n_spin) if block.ndim else block * np.eye(n_spin)
        for r, a, b, x in ((R, i, j, block), (tuple(-c for c in R), j, i, block.conj().T)):
            matrix = terms.setdefault(r, np.zeros((n, n), dtype=complex))
            matrix[a * n_spin : (a + 1) * n_spin, b * n_spin : (b + 1) * n_spin] += x

    for i, energy in enumerate(onsite):
        add((0, 0, 0), i, i, np.asarray(energy) / 2)  # the pair of a term with itself is itself
    for amplitude, i, j, R in hoppings:
        add((*(int(c) for c in R), *(0,) * (3 - len(R))), i, j, amplitude)
    cell = np.eye(3)
    cell[:dim, :dim] = lattice
    centres = np.zeros((n_orb, 3))
    centres[:, :dim] = orbitals @ lattice
    return TightBinding(
        cell,
        np.array(list(terms)),
        np.array(list(terms.values())),
        centres=np.repeat(centres, n_spin, axis=0),
        periodic=(0 in periodic, 1 in periodic, 2 in periodic),
        spin=local_spin(n, "interlaced") if n_spin == 2 else None,
        name="PythTB model",
    )


def _geometry(model: Any, old: bool) -> tuple[Array, Array, list[int], int]:
    """Lattice vectors (d, d), reduced orbital positions (n, d), periodic directions, spin components."""
    names = ("_lat", "_orb", "_per", "_nspin") if old else ("lat_vecs", "orb_vecs", "periodic_dirs", "nspin")
    lattice, orbitals, periodic, n_spin = (getattr(model, name) for name in names)
    return np.asarray(lattice, dtype=float), np.asarray(orbitals, dtype=float), [int(p) for p in periodic], int(n_spin)


def _old_terms(model: Any) -> tuple[Any, list[Hopping]]:
    """On-site energies and hoppings of PythTB 1.8, where R is absent from molecules."""
    return model._site_energies, [(h[0], int(h[1]), int(h[2]), tuple(h[3]) if len(h) > 3 else ()) for h in model._hoppings]


def _new_terms(model: Any) -> tuple[Any, list[Hopping]]:
    """On-site energies and hoppings of PythTB 2, where R is absent if zero and terms without a value are left out."""
    free = sorted({name for term in getattr(model, "parameters", []) for name in term["names"]})
    if free:
        raise ModelError(f"parameters of this PythTB model have no value: {', '.join(free)}; set them first (with_parameters)")
    hoppings = [
        (h["amplitude"], int(h["from_orbital"]), int(h["to_orbital"]), tuple(h.get("lattice_vector", ())))
        for h in model.hoppings
    ]
    return model.onsite, hoppings
