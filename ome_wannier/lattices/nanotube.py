"""Carbon nanotubes, chains with a handedness: rolled-up graphene with one orbital per atom."""

from __future__ import annotations

import numpy as np

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding
from .hopping import Hopping, from_hoppings

#: n^2 + n m + m^2 of the thinnest tube, (2, 1), and atoms of a cell, at the most
THINNEST, MOST_ATOMS = 7, 2000
#: cells, by the vectors of graphene, of the three B sites next to the A site of cell 0, all at (1/3, 1/3) of theirs
NEAREST = ((0, 0), (-1, 0), (0, -1))
#: Angstrom around the tube: the size of the cell across it, which means nothing
ROOM = 10.0


def carbon_nanotube(
    *, n: int = 4, m: int = 2, hopping: float = -2.7, bond: float = 1.42, spin_degeneracy: int = 2
) -> TightBinding:
    """The tube (n, m) along z: graphene with nearest-neighbour hoppings, rolled up along n a_1 + m a_2.

    Atoms lie on a cylinder; its curvature changes no hopping. (m, n) is the mirror image of (n, m): responses that are odd
    under reflections, such as the moment along the tube of a current along it, change sign. Half of the bands is full.

    Parameters
    ----------
    n, m : integers that are not negative. hopping : eV. bond : Angstrom.

    Raises
    ------
    ModelError : numbers that make no tube, or one of more than `MOST_ATOMS` atoms per cell.

    Source: Saito, Fujita, Dresselhaus, Dresselhaus, Phys. Rev. B 46, 1804 (1992); hopping and bond
    are those of graphene in the examples of sisl. No published response was compared with.
    """
    if int(n) != n or int(m) != m or min(n, m) < 0 or n * n + n * m + m * m < THINNEST:
        raise ModelError(f"n = {n}, m = {m}: give integers that are not negative, (2, 1) or more")
    if not (np.isfinite((hopping, bond)).all() and bond > 0):
        raise ModelError(f"hopping {hopping}, bond {bond}: give finite numbers, and a positive length")
    n, m = int(n), int(m)
    common = int(np.gcd(2 * n + m, 2 * m + n))
    rolled = np.array([[n, m], [(2 * m + n) // common, -(2 * n + m) // common]])  # around the tube, and along it
    cells = int(abs(n * rolled[1, 1] - m * rolled[1, 0]))
    if 2 * cells > MOST_ATOMS:
        raise ModelError(f"n = {n}, m = {m} make {2 * cells} atoms per cell, more than {MOST_ATOMS}: give smaller numbers")
    around = np.sqrt(3) * bond * np.sqrt(n * n + n * m + m * m)
    length, radius = np.sqrt(3) * around / common, around / (2 * np.pi)

    def place(cell: np.ndarray) -> np.ndarray:
        """In units of 1 / cells of the circumference and of the length, which are whole numbers for cells of graphene."""
        return np.asarray(cell @ np.linalg.inv(rolled) * cells)

    reach = int(np.abs(rolled).sum())
    every = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    where = np.rint(place(every)).astype(int)
    home = every[((where >= 0) & (where < cells)).all(axis=1)]
    number = {tuple(x): i for i, x in enumerate(np.rint(place(home)).astype(int).tolist())}
    along: dict[int, np.ndarray] = {}
    for i, cell in enumerate(home):
        for step in NEAREST:
            u, w = np.rint(place(cell + step)).astype(int).tolist()
            X = along.setdefault(w // cells, np.zeros((2 * cells, 2 * cells)))
            X[2 * i, 2 * number[u % cells, w % cells] + 1] += hopping
    sites = np.stack([place(home), place(home + 1 / 3)], axis=1).reshape(-1, 2) / cells
    angle, box = 2 * np.pi * sites[:, 0], 2 * radius + ROOM
    positions = np.column_stack([0.5 + radius / box * np.cos(angle), 0.5 + radius / box * np.sin(angle), sites[:, 1]])
    hoppings: list[Hopping] = [((0, 0, R), X) for R, X in along.items()]
    return from_hoppings(
        np.diag([box, box, length]),
        positions,
        np.zeros((2 * cells, 2 * cells)),
        hoppings,
        spin_degeneracy=spin_degeneracy,
        name=f"carbon nanotube ({n}, {m}) (hopping={hopping:g} eV, bond={bond:g} Angstrom)",
    )
