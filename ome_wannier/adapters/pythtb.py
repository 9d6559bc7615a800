"""PythTB models, version 1.8 (`tb_model`) and 2.x (`TBModel`), as tight-binding models; lengths are taken as Angstrom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError, warn
from ..models.real_space_checks import local_spin, one_electron
from ..models.tight_binding import TightBinding

Array = NDArray[np.float64]
Hopping = tuple[Any, int, int, tuple[int, ...]]


def recognises(model: object) -> bool:
    """Whether an object is a PythTB model of either generation."""
    return type(model).__module__.split(".")[0] == "pythtb" and hasattr(model, "set_hop")


def load(model: Any, *, spin_degeneracy: int = 1, periodic: tuple[bool, bool, bool] | None = None) -> TightBinding:
    """The same Hamiltonian, orbitals where they are (also outside the home cell), spin operator included if spinful.

    Where an open lattice vector is not perpendicular to the periodic ones, H(k) has other phases than PythTB's: it leaves the
    component of a position along the open vector out of its phase, here Cartesian centres are used. Bands are the same.

    Parameters
    ----------
    spin_degeneracy : electrons per band, 1 or 2; a spinful model has 1.
    periodic : see `TightBinding`; default: what the model says.

    Raises
    ------
    ModelError : a parametric model with parameters that have no value (they are named); a spinful model with two electrons
        per band.
    """
    old = hasattr(model, "_hoppings") and hasattr(model, "_lat")
    lattice, orbitals, along, n_spin = _geometry(model, old)
    onsite, hoppings = _old_terms(model) if old else _new_terms(model)
    if n_spin == 2:
        one_electron(spin_degeneracy, "PythTB model")
    dim, n_orb = len(lattice), len(orbitals)
    n = n_orb * n_spin
    terms: dict[tuple[int, ...], NDArray[np.complex128]] = {(0, 0, 0): np.zeros((n, n), dtype=complex)}

    def add(R: tuple[int, ...], i: int, j: int, amplitude: Any) -> None:
        """Add a hopping, and its Hermitian partner."""
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
        periodic=(0 in along, 1 in along, 2 in along) if periodic is None else periodic,
        spin_degeneracy=spin_degeneracy,
        spin=local_spin(n, "interlaced") if n_spin == 2 else None,
        name="PythTB model",
    )


def export(model: TightBinding) -> Any:
    """A PythTB model of the installed generation with the same Hamiltonian and centres, always with three lattice vectors.

    A model whose orbitals are pairs of pure spins at one place becomes a spinful PythTB model (its orbitals are put side by
    side where they came in blocks); any other one a model without spin. Lost, with a warning: position matrix elements between
    orbitals, a spin operator of another kind, electrons per band.

    Raises
    ------
    ModelError : lattice vectors that form a left-handed system, which PythTB refuses.
    """
    import pythtb

    if np.linalg.det(model.lattice) < 0:
        raise ModelError("PythTB wants right-handed lattice vectors: exchange two of them (and the components of R)")
    order = _pairs(model)
    lost = [
        *(["position matrix elements between orbitals"] if model.position is not None else []),
        *(["external matrix elements"] if model.external is not None else []),
        *(["the spin operator"] if model.has_spin and order is None else []),
        *(["that each band holds two electrons"] if model.spin_degeneracy == 2 else []),
    ]
    if lost:
        warn(f"PythTB cannot hold {', '.join(lost)}: left out")
    n_spin = 1 if order is None else 2
    order = np.arange(model.n_orbitals) if order is None else order
    orbitals = (model.wannier_centres @ np.linalg.inv(model.lattice))[order][::n_spin].tolist()
    periodic = [a for a in range(3) if model.periodic[a]]
    lattice = model.lattice.tolist()
    if hasattr(pythtb, "TBModel"):
        out = pythtb.TBModel(pythtb.Lattice(lattice, orbitals, periodic_dirs=periodic), spinful=n_spin == 2)
    else:
        out = pythtb.tb_model(len(periodic), 3, lattice, orbitals, per=periodic, nspin=n_spin)
    n = len(orbitals)
    for R, X in zip(model.R.tolist(), model.hamiltonian, strict=True):
        blocks = X[np.ix_(order, order)].reshape(n, n_spin, n, n_spin).swapaxes(1, 2)
        if not any(R):
            out.set_onsite([blocks[i, i].real.item() if n_spin == 1 else blocks[i, i] for i in range(n)])
        where = {"ind_R": R} if periodic else {}
        for i, j in np.argwhere(np.abs(blocks).max(axis=(2, 3)) > 0).tolist() if R >= [0, 0, 0] else []:
            if any(R) or i < j:  # PythTB adds the other half
                out.set_hop(blocks[i, j].item() if n_spin == 1 else blocks[i, j], i, j, **where)
    return out


def _pairs(model: TightBinding) -> NDArray[np.int64] | None:
    """The order that puts up and down of each orbital side by side, if the model is made of such pairs."""
    n = model.n_orbitals
    if model.spin is None or n % 2:
        return None
    home = ~model.R.any(axis=1)
    for kind, order in (("interlaced", np.arange(n)), ("block", np.arange(n).reshape(2, -1).T.ravel())):
        local = np.abs(model.spin[home][0] - local_spin(n, kind)).max() < 1e-12 and not model.spin[~home].any()
        centres = model.wannier_centres[order]
        if local and np.abs(centres[::2] - centres[1::2]).max() < 1e-12:
            return order
    return None


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
