"""ASE: atoms of a model and back, and ASE's own Wannier functions (`ase.dft.wannier.Wannier`) as a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError, warn
from ..models.base import Structure
from ..models.tight_binding import TightBinding

#: Angstrom: images of a pair of Wannier functions at distances closer than this count as equally near, and share the hopping
EQUALLY_NEAR = 1e-3


def structure(atoms: Any) -> Structure:
    """The atoms of an `ase.Atoms`, for `dataclasses.replace(model, structure=structure(atoms))`; the cell is not compared."""
    positions = atoms.get_scaled_positions(wrap=False).tolist()
    return Structure(tuple(int(z) for z in atoms.numbers), tuple((float(x), float(y), float(z)) for x, y, z in positions))


def atoms(model: TightBinding) -> Any:
    """The `ase.Atoms` of a model: its structure in its lattice, periodic where the model is.

    Raises
    ------
    ModelError : the model does not know its atoms.
    """
    if model.structure is None:
        raise ModelError(
            "this model does not know its atoms: give them with dataclasses.replace(model, "
            "structure=ome_wannier.adapters.ase.structure(atoms))"
        )
    from ase import Atoms

    known = model.structure
    return Atoms(numbers=known.numbers, scaled_positions=known.positions, cell=np.array(model.lattice), pbc=model.periodic)


def recognises(wannier: object) -> bool:
    """Whether an object holds ASE's Wannier functions."""
    return type(wannier).__module__.split(".")[0] == "ase" and hasattr(wannier, "get_hopping")


def load(wannier: Any, spin_degeneracy: int | None = None, periodic: tuple[bool, bool, bool] | None = None) -> TightBinding:
    """Hamiltonian and centres of ASE's Wannier functions.

    The hoppings of an N1 x N2 x N3 grid of k points are known modulo its supercell: each goes to the nearest image of its pair
    of functions, in equal parts to images equally near. At the k points of the grid the bands are ASE's. Directions with one k
    point are not periodic. ASE knows no position matrix elements between Wannier functions: a warning says so.

    ASE 3.29 gives <0|H|-R> for `get_hopping(R)`, in terms of its own centres: where `translate` moves a function by R, its
    hoppings move by -R. Here they are read accordingly; the other sign would reverse every Berry curvature.

    Parameters
    ----------
    spin_degeneracy : electrons per band; default: 2 where the calculator has one spin channel, 1 where it has two.
    periodic : see `TightBinding`; default: the directions with more than one k point.
    """
    warn(
        "ASE's Wannier functions have centres, but no position matrix elements between them: orbital quantities lack that part"
    )
    if spin_degeneracy is None:
        spin_degeneracy = 3 - int(wannier.calc.get_number_of_spins())
    cell, grid = np.asarray(wannier.unitcell_cc, dtype=float), np.asarray(wannier.kptgrid, dtype=int)
    centres = np.asarray(wannier.get_centers(), dtype=float)
    blocks = {t: np.asarray(wannier.get_hopping(-np.array(t)), dtype=complex) for t in np.ndindex(*grid.tolist())}
    R, H = _nearest(blocks, centres, cell, grid)
    return TightBinding(
        cell,
        R,
        H,
        centres=centres,
        periodic=(bool(grid[0] > 1), bool(grid[1] > 1), bool(grid[2] > 1)) if periodic is None else periodic,
        spin_degeneracy=spin_degeneracy,
        structure=structure(wannier.atoms),
        name="ASE Wannier functions (centres only)",
    )


def _nearest(
    blocks: dict[tuple[int, ...], NDArray[np.complex128]], centres: NDArray[np.float64], cell: NDArray[np.float64], grid: Any
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """R vectors and matrices: every element at the nearest of its images t + T, T a vector of the supercell."""
    n = len(centres)
    apart = (centres[None, :] - centres[:, None]) @ np.linalg.inv(cell)  # [i, j] in units of the cell
    whole = np.round(apart / grid).astype(int)  # centres lie anywhere in the supercell
    reach = [range(-2, 3) if g > 1 else (0,) for g in grid]
    shifts = np.array(np.meshgrid(*reach, indexing="ij")).reshape(3, -1).T
    terms = {(0, 0, 0): np.zeros((n, n), dtype=complex)}
    for t, X in blocks.items():
        for i, j in np.ndindex(n, n):
            images = np.array(t) + (shifts - whole[i, j] * (np.array(grid) > 1)) * grid
            distance = np.linalg.norm((images + apart[i, j]) @ cell, axis=1)
            near = images[distance < distance.min() + EQUALLY_NEAR]
            for r in map(tuple, near.tolist()):
                terms.setdefault(r, np.zeros((n, n), dtype=complex))[i, j] += X[i, j] / len(near)
    return np.array(list(terms)), np.array(list(terms.values()))
