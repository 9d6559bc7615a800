"""Point operations that a crystal may have."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.base import Lattice
from .operations import fitted

Array = NDArray[np.float64]


def point_rotations(model: Lattice) -> list[Array]:
    """Cartesian rotation parts (3, 3) of the space group of the structure, or of the lattice where there is none."""
    import spglib

    if model.structure is not None:
        positions, numbers = np.array(model.structure.positions), list(model.structure.numbers)
    else:
        positions, numbers = np.zeros((1, 3)), [1]
    with warnings.catch_warnings():
        # spglib 2.7 warns of its own change of error handling, whichever is in use
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_symmetry((model.lattice.tolist(), positions.tolist(), numbers), symprec=1e-3)
    if dataset is None:
        raise ModelError("spglib finds no symmetry, not even the identity: do two atoms of the structure coincide?")
    reduced = list({r.tobytes(): r for r in dataset["rotations"]}.values())
    column = model.lattice.T
    rotations = fitted([column @ r @ np.linalg.inv(column) for r in reduced], model.lattice)
    plane = np.zeros(3, dtype=bool)
    plane[list(model.axes)] = True
    return [P for P in rotations if np.abs(P[np.ix_(plane, ~plane)]).max(initial=0) < 1e-6]
