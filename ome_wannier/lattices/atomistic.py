"""Twisted bilayer graphene atom by atom: commensurate cells, displacements, and p_z orbitals by Slater and Koster.

Atoms carry tags: 1, 2 for sublattices A, B of layer 1, and 3, 4 of layer 2. Layer 1 is turned by +theta/2, as in `moire`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from ..models.base import Structure
from ..models.sparse_tight_binding import SparseTightBinding
from ..models.tight_binding import TightBinding
from .hopping import uniaxial_strain

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
#: ase.Atoms, whose package is imported where it is used and has no types
Atoms: TypeAlias = Any

#: orbitals up to which all bands are computed: matrices of every R, and some 60 of the size of the Hamiltonian per k point
DENSE_LIMIT = 1500
#: atoms of a cell, at the most: beyond it a k point takes minutes
MOST_ATOMS = 50_000
#: Angstrom: atoms closer than this are a mistake
TOO_CLOSE = 0.8


def twist_angle(m: int, r: int) -> float:
    """Angle in degrees of the commensurate cell (m, r): cos theta = (3 m^2 + 3 m r + r^2/2) / (3 m^2 + 3 m r + r^2).

    Source: Lopes dos Santos, Peres, Castro Neto, Phys. Rev. B 86, 155449 (2012), Eq. (2); (m, m + 1) of others is r = 1.
    """
    whole = 3 * m * m + 3 * m * r + r * r
    return float(np.degrees(np.arccos((whole - r * r / 2) / whole)))


def twisted_bilayer(
    m: int, r: int = 1, *, lattice_constant: float = 2.46, distance: float = 3.35, vacuum: float = 15.0
) -> Atoms:
    """Two flat graphene layers, turned against each other about a common centre of hexagons by `twist_angle(m, r)`.

    The cell has 4 (3 m^2 + 3 m r + r^2) atoms, a third of it if 3 divides r. Its point group is D6.

    Parameters
    ----------
    m, r : positive integers without a common divisor. lattice_constant, distance, vacuum : Angstrom.

    Raises
    ------
    ModelError : m and r that are no such integers, or make more than `MOST_ATOMS` atoms.
    """
    from ase import Atoms as AseAtoms

    if int(m) != m or int(r) != r or m < 1 or r < 1 or np.gcd(int(m), int(r)) != 1:
        raise ModelError(f"m = {m}, r = {r}: give positive integers without a common divisor")
    m, r = int(m), int(r)
    atoms_there = 4 * (3 * m * m + 3 * m * r + r * r) // (3 if r % 3 == 0 else 1)
    if atoms_there > MOST_ATOMS:
        raise ModelError(f"m = {m}, r = {r} make {atoms_there} atoms, more than {MOST_ATOMS}: give smaller numbers")
    theta = twist_angle(m, r)
    # one lattice vector of the cell in units of those of each layer, the second 60 degrees on
    first, second = ((m + 2 * r // 3, -r // 3), (m + r // 3, r // 3)) if r % 3 == 0 else ((m + r, m), (m, m + r))
    bravais = lattice_constant * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    positions, tags = [], []
    for layer, (p, q) in enumerate((first, second)):
        turn = _rotation(theta / 2 if layer == 0 else -theta / 2)
        sites = _sites(np.array([[p, q], [-q, p + q]])) @ bravais
        for sublattice, sign in enumerate((1, -1)):
            xy = (sites + np.array([0.0, sign * lattice_constant / np.sqrt(3)])) @ turn.T
            positions.append(np.column_stack([xy, np.full(len(xy), vacuum / 2 + layer * distance)]))
            tags += len(xy) * [1 + 2 * layer + sublattice]
    cell = np.diag([0.0, 0.0, distance + vacuum])
    cell[:2, :2] = np.array([[p, q], [-q, p + q]]) @ bravais @ _rotation(-theta / 2).T
    atoms = AseAtoms(f"C{len(tags)}", positions=np.concatenate(positions), cell=cell, pbc=(True, True, False), tags=tags)
    atoms.info = {"theta": theta, "lattice_constant": lattice_constant}
    return atoms


def relaxed(atoms: Atoms, *, in_plane: float = 0.0, distance_aa: float = 3.60, distance_ab: float = 3.35) -> Atoms:
    """A flat twisted bilayer displaced by the lowest harmonics of the moire lattice; to be strained afterwards.

    Layers turn further against each other around AA, u_l = +-in_plane sum_g (z x g/|g|) sin(g r), which makes these regions
    smaller, and their distance is d_0 + 2 d_1 sum_g cos(g r), over three g at 120 degrees.

    Parameters
    ----------
    in_plane : Angstrom. distance_aa, distance_ab : Angstrom, of the layers in AA and AB regions.

    Source: corrugation as in Koshino et al., Phys. Rev. X 8, 031087 (2018), Appendix A; both numbers from memory.
    """
    if "theta" not in atoms.info:
        raise ModelError("relaxed() needs the twist of the layers: give atoms made by twisted_bilayer()")
    half, a = atoms.info["theta"] / 2, atoms.info["lattice_constant"]
    b = 4 * np.pi / (np.sqrt(3) * a) * np.array([[np.sqrt(3) / 2, -0.5], [0.0, 1.0]])
    g = b @ (_rotation(half) - _rotation(-half)).T
    g = np.vstack([g, -g.sum(axis=0)])
    sign = np.where(atoms.get_tags() <= 2, 1, -1)
    xyz = atoms.get_positions()
    phase = xyz[:, :2] @ g.T
    across = np.column_stack([-g[:, 1], g[:, 0]]) / np.linalg.norm(g[0])
    d1 = (distance_aa - distance_ab) / 9
    d = distance_ab + 3 * d1 + 2 * d1 * np.cos(phase).sum(axis=1)
    moved = xyz.copy()
    moved[:, :2] += sign[:, None] * in_plane * (np.sin(phase) @ across)
    moved[:, 2] = xyz[:, 2].mean() - sign * d / 2
    out = atoms.copy()
    out.set_positions(moved)
    return out


def strained(atoms: Atoms, strain: float, angle: float = 0.0, poisson: float = 0.165) -> Atoms:
    """Both layers and the cell under the same uniaxial strain, along `angle` in degrees from x; it stays commensurate.

    Strain between the layers, as in `moire`, does not. Raises ModelError for what is no strain.
    """
    deformation = np.eye(3)
    deformation[:2, :2] += uniaxial_strain(strain, angle, poisson)
    out = atoms.copy()
    out.set_cell(np.array(atoms.cell) @ deformation)
    out.set_positions(atoms.get_positions() @ deformation)
    return out


def sublattice_potential(atoms: Atoms, potential: float, layer: int = 1) -> Array:
    """On-site energies (n,) in eV: +potential on A and -potential on B of one layer, as of aligned hBN."""
    tags = atoms.get_tags()
    return np.asarray(potential * ((tags == 2 * layer - 1).astype(float) - (tags == 2 * layer)))


class Hoppings(NamedTuple):
    """Entries <0i|H|Rj>: (nb, 2) orbitals i, j, (nb, 3) R, (nb,) eV; every hopping in both directions."""

    orbitals: Ints
    R: Ints
    value: Array


def hoppings(
    atoms: Atoms,
    onsite: ArrayLike = 0.0,
    *,
    v_pi: float = -2.7,
    v_sigma: float = 0.48,
    decay: float = 0.184 * 2.46,
    bond: float = 2.46 / np.sqrt(3),
    distance: float = 3.35,
    cutoff: float = 6.0,
) -> Hoppings:
    """Hoppings between p_z orbitals along z, one per atom.

    t(d) = v_pi exp(-(|d| - bond) / decay) (1 - c^2) + v_sigma exp(-(|d| - distance) / decay) c^2, c = d_z / |d|.

    Parameters
    ----------
    onsite : eV, a number or one per atom. v_pi, v_sigma : eV. decay, bond, distance : Angstrom.
    cutoff : Angstrom; at 6, what is left out is below 0.5 meV per hopping.

    Raises
    ------
    ModelError : atoms that coincide, on-site energies that are not one per atom.

    Source: Moon, Koshino, Phys. Rev. B 85, 195458 (2012), Eqs. (3) to (5), with their numbers.
    """
    from ase.neighborlist import neighbor_list

    n = len(atoms)
    try:
        energies = np.broadcast_to(np.asarray(onsite, dtype=float), n)
    except ValueError as error:
        raise ModelError(f"onsite has shape {np.shape(onsite)}: give a number or {n} numbers, in eV") from error
    i, j, R, d = neighbor_list("ijSD", atoms, cutoff)  # type: ignore[no-untyped-call]
    # one of each pair, then its mirror image: rounding at the cutoff cannot separate them
    once = (i < j) | ((i == j) & ((R @ [1e6, 1e3, 1]) > 0))
    i, j, R, d = i[once], j[once], R[once], d[once]
    length = np.linalg.norm(d, axis=1)
    if len(length) and length.min() < TOO_CLOSE:
        p = int(np.argmin(length))
        raise ModelError(f"atoms {i[p]} and {j[p]} are {length[p]:.3g} A apart: remove one")
    cosine = (d[:, 2] / length) ** 2
    t = v_pi * np.exp(-(length - bond) / decay) * (1 - cosine) + v_sigma * np.exp(-(length - distance) / decay) * cosine
    here, home = np.arange(n), np.zeros((n, 3), dtype=int)
    return Hoppings(
        np.concatenate([np.column_stack([here, here]), np.column_stack([i, j]), np.column_stack([j, i])]),
        np.concatenate([home, R, -R]).astype(np.int64),
        np.concatenate([energies, t, t]),
    )


def slater_koster(atoms: Atoms, onsite: ArrayLike = 0.0, *, spin_degeneracy: int = 2, **parameters: float) -> TightBinding:
    """The model of `hoppings(atoms, onsite, **parameters)` with all its bands, of up to `DENSE_LIMIT` atoms.

    Raises
    ------
    ModelError : more atoms, see `sparse_slater_koster`; or as of `hoppings`.
    """
    n = len(atoms)
    if n > DENSE_LIMIT:
        raise ModelError(f"{n} orbitals are more than {DENSE_LIMIT}: use sparse_slater_koster, which has a window of bands")
    listed = hoppings(atoms, onsite, **parameters)
    R, where = np.unique(listed.R, axis=0, return_inverse=True)
    H = np.zeros((len(R), n, n), dtype=complex)
    np.add.at(H, (where.ravel(), listed.orbitals[:, 0], listed.orbitals[:, 1]), listed.value)
    return TightBinding(
        np.array(atoms.cell), R, H, centres=atoms.get_positions(), periodic=tuple(atoms.pbc),
        spin_degeneracy=spin_degeneracy, structure=_structure(atoms, listed), name=_name(atoms),
    )  # fmt: skip


def sparse_slater_koster(
    atoms: Atoms,
    onsite: ArrayLike = 0.0,
    *,
    window: int = 80,
    level: float | None = None,
    spin_degeneracy: int = 2,
    **parameters: float,
) -> SparseTightBinding:
    """The same model with a window of bands around half filling, for thousands of atoms; see `SparseTightBinding`."""
    listed = hoppings(atoms, onsite, **parameters)
    return SparseTightBinding(
        np.array(atoms.cell), listed.orbitals, listed.R, listed.value.astype(complex), atoms.get_positions(),
        filled=len(atoms) // 2, window=min(window, len(atoms)), level=level, spin_degeneracy=spin_degeneracy,
        structure=_structure(atoms, listed), name=_name(atoms),
    )  # fmt: skip


def twisted_graphene(
    *,
    m: int = 2,
    r: int = 1,
    in_plane: float = 0.0,
    distance_aa: float = 3.35,
    distance_ab: float = 3.35,
    strain: float = 0.0,
    strain_angle: float = 0.0,
    poisson: float = 0.165,
    sublattice: float = 0.0,
    window: int = 80,
    spin_degeneracy: int = 2,
) -> TightBinding | SparseTightBinding:
    """Commensurate twisted bilayer graphene in one call: `twisted_bilayer`, `relaxed`, `strained`, `sublattice_potential`.

    All its bands up to `DENSE_LIMIT` atoms, a window of them beyond. Time reversal holds: there is no intrinsic response.

    Parameters
    ----------
    m, r : the cell, see `twisted_bilayer`; the angle is `twist_angle(m, r)`, 13.2 degrees for (2, 1), 1.05 for (31, 1).
    in_plane, distance_aa, distance_ab : Angstrom, displacements of the lowest harmonics, see `relaxed`; by default flat.
    strain : of both layers and the cell, a fraction. strain_angle : degrees from x. Without it the threefold axis forbids M_z.
    poisson : Poisson ratio. sublattice : eV, +-sublattice on A, B of layer 1: removes the twofold axes.
    window : number of bands, where there is a window. spin_degeneracy : 1 or 2.

    Raises
    ------
    ModelError : as of the functions that it calls, and for distances or a window that are not positive.
    """
    if not min(distance_aa, distance_ab) > 0:
        raise ModelError(f"distance_aa = {distance_aa}, distance_ab = {distance_ab}: give positive lengths in Angstrom")
    if not window >= 1:
        raise ModelError(f"window is {window}: give a positive number of bands")
    atoms = relaxed(twisted_bilayer(m, r), in_plane=in_plane, distance_aa=distance_aa, distance_ab=distance_ab)
    atoms = strained(atoms, strain, strain_angle, poisson)
    onsite = sublattice_potential(atoms, sublattice)
    if len(atoms) > DENSE_LIMIT:
        return sparse_slater_koster(atoms, onsite, window=window, spin_degeneracy=spin_degeneracy)
    return slater_koster(atoms, onsite, spin_degeneracy=spin_degeneracy)


def _structure(atoms: Atoms, listed: Hoppings) -> Structure:
    """The atoms; those of a rarer on-site energy count as another species (Z + 1, ...), or symmetries would mix them."""
    energies = np.round(listed.value[: len(atoms)], 9)
    _, kind, count = np.unique(energies, return_inverse=True, return_counts=True)
    rank = np.empty(len(count), dtype=int)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(count))
    places = atoms.get_scaled_positions(wrap=False).tolist()
    numbers = (int(z) for z in atoms.numbers + rank[kind])
    return Structure(tuple(numbers), tuple((float(x), float(y), float(z)) for x, y, z in places))


def _name(atoms: Atoms) -> str:
    theta = atoms.info.get("theta")
    return f"{len(atoms)} p_z orbitals" if theta is None else f"twisted bilayer graphene, {theta:.4g} deg, {len(atoms)} atoms"


def _rotation(degrees: float) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def _sites(cell: Ints) -> Ints:
    """Lattice points (det, 2) inside a cell (2, 2) that is given in units of the lattice vectors."""
    reach = int(np.abs(cell).sum(axis=0).max())
    axis = np.arange(-reach, reach + 1)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    fraction = points @ np.linalg.inv(cell)
    return points[((fraction > -1e-9) & (fraction < 1 - 1e-9)).all(axis=1)]
