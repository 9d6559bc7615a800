"""What the points of a mesh may miss: Fermi surfaces that pass between them.

Extrapolated linearly to the neighbouring points, the level of a state moves by up to d, the sum over the directions of the
mesh of |slope| times the spacing. If it could reach the Fermi level on the way, a Fermi surface may pass nearby; a band that is
convex (or concave) from a point to an extremum of its own cannot get farther. Such a state counts as if it were spread evenly
over 2d, with |weight| / (2 d) for -df/de, and half of |weight| for f, times the relative error of a sum of -df/de over points
that are d apart: 2 x / sinh x, x = 2 pi^2 k_B T / d, from the first term of Poisson's summation formula, or 1 if that is less.

All of that may be missing, as a pocket that no point sees is. Where many states are near the level, they sample the Fermi
surface at random, and what is uncertain is the scatter of the sum. The error is the smaller of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kmesh import KMesh
from .occupation import Occupation

Array = NDArray[np.float64]

#: levels that move by less than so many widths of the occupation (k_B T) from point to point leave errors below 1e-3, which
#: sub-meshes see; and those up to which they leave errors below 0.2
RESOLVED, FINE = 2.0, 4.0
#: eV; occupations that change over less than this are steps
STEP = 1e-12
#: standard deviations of the scatter that are charged
DEVIATIONS = 2.0


class Unseen(NamedTuple):
    """Sums over states near the levels, and the largest d in units of the width.

    steps : (2, nT, nf + 1, columns), what |weight| and the variance of the sum grow by from level to level.
    coarsest : d / width.
    """

    steps: Array
    coarsest: float

    @classmethod
    def none(cls, occupation: Occupation, columns: int) -> Unseen:
        """Of no states."""
        return cls(np.zeros((2, len(occupation.temperature), len(occupation.fermi) + 1, columns)), 0.0)

    def plus(self, other: Unseen) -> Unseen:
        """Of the states of both."""
        return Unseen(self.steps + other.steps, max(self.coarsest, other.coarsest))

    def error(self) -> Array:
        """(nf, nT, columns) of the sums over the states."""
        size, variance = np.maximum(np.cumsum(self.steps, axis=2)[:, :, :-1], 0.0)
        return np.swapaxes(np.minimum(size, DEVIATIONS * np.sqrt(variance)), 0, 1)


def spacing(mesh: KMesh, lattice: Array, axes: Sequence[int]) -> Array:
    """(axes, directions) in 1/Angstrom: vectors to the next points of the mesh."""
    vectors = 2 * np.pi * np.linalg.inv(lattice)[list(axes)] / mesh.size
    return np.asarray(vectors[:, [n > 1 for n in mesh.size]])


def with_states(
    found: Unseen, occupation: Occupation, energies: Array, move: Array, weights: Array, surface: NDArray[np.bool_]
) -> Unseen:
    """With states (ns,), `weights` (ns, columns), added one after the other; `surface` columns are weighted with -df/de."""
    from .kernels import scatter  # numba takes a third of a second to import

    widths = np.maximum(occupation.widths.reshape(len(occupation.fermi), -1).min(axis=0), STEP)
    first = np.searchsorted(occupation.fermi, energies - move)
    end = np.searchsorted(occupation.fermi, energies + move)
    near = (first < end) & (move > RESOLVED * widths.min())
    rows, move = np.stack([first[near], end[near]], axis=1), move[near]
    size = np.abs(weights[near]) * np.where(surface, 1 / (2 * move[:, None]), 0.5)
    signs = np.broadcast_to([1.0, -1.0], rows.shape).copy()
    coarsest = found.coarsest
    for t, width in enumerate(widths):
        use = move > RESOLVED * width
        if not use.any():
            continue
        d = move[use, None]
        coarsest = max(coarsest, float(d.max() / width))
        x = np.minimum(2 * np.pi**2 * width / d, 700.0)
        amount = size[use] * np.minimum(2 * x / np.sinh(x), 1.0)
        # the integral of (df/de)^2 over the energy is 1 / (6 k_B T)
        variance = amount**2 * np.where(surface, d / (3 * width), 1.0)
        scatter(found.steps[0, t], rows[use], signs[use], amount)
        scatter(found.steps[1, t], rows[use], signs[use], variance)
    return Unseen(found.steps, coarsest)
