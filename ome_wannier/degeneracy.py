"""Which levels of a k point count as one (physics.md section 2): what decides about it, and what it is by default.

Interband weights grow as the inverse third power of the spacing of two levels. Where symmetry makes the two equal and noise
splits them, as in Wannier functions, what noise makes of that has to be left out; where the spacing is real it has to stay.
Inversion times time reversal, and inversion with Kramers pairs, make every level of a spinor model double at every k. Such
models can be recognised; their levels are paired by number, whatever noise does to them. Elsewhere a tolerance decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kdotp import KDotP
from .model import Model, TightBinding
from .units import KB

Array = NDArray[np.float64]

#: default tolerances in eV of models whose positions are exact, which files round, and of k.p models, whose gaps are narrow
EXACT_TOL, KDOTP_TOL = 1e-5, 1e-7
#: that of Wannier functions in k_B T of the lowest temperature, its bounds in eV, and what it is at T = 0
SHARE, LEAST, MOST, COLD_TOL = 0.05, 1e-6, 1e-4, 1e-5
#: random k points that have to have double levels everywhere, by how much these may be split (eV), and the share of the median
#: distance to the next pair that this may be
POINTS, SPLIT, NARROW = 60, 5e-3, 0.1
#: median over pairs, at random k points, of the Berry curvature in units of the trace of the metric: inversion times time
#: reversal makes it zero. Measured: 0.004 and less in antiferromagnets that have it, 0.09 and more in crystals that do not
CURVED = 0.02


@dataclass(frozen=True)
class Degeneracy:
    """What forms a group of levels.

    tol : eV; neighbouring levels that are no farther apart.
    paired : levels 2i and 2i + 1 (from 0), of an even number, have the mean energy of the two in everything: in groups, in
        denominators and in occupations, so that no result depends on the choice of states among the two.
    """

    tol: float
    paired: bool = False

    @classmethod
    def of(cls, model: Model, temperature: Array | float, tol: float | None = None) -> Degeneracy:
        """Of a model at temperatures in K: what the user gives (eV, and no pairs), or the default of its kind."""
        if tol is not None:
            return cls(float(tol))
        return cls(default_tol(model, temperature), levels_are_double(model))

    def levels(self, energies: Array) -> Array:
        """The energies (nk, n), ascending, that count for these eigenvalues."""
        if not self.paired:
            return energies
        mean = energies.reshape(len(energies), -1, 2).mean(axis=2)
        return np.repeat(mean, 2, axis=1)

    @property
    def widest(self) -> float:
        """Spread in eV of a group beyond which levels have been taken together that are not one."""
        return max(10 * self.tol, SPLIT if self.paired else 0.0)


def default_tol(model: Model, temperature: Array | float = np.inf) -> float:
    """The spacing in eV of levels that count as one: by the kind of model and, of Wannier functions, the lowest temperature (K).

    Wannier functions split by some 0.1 meV what symmetry makes equal, and gaps far below k_B T leave no trace.
    """
    if isinstance(model, KDotP):
        return KDOTP_TOL
    if model.exact_position:
        return EXACT_TOL
    lowest = float(np.min(temperature))
    return min(MOST, max(LEAST, SHARE * KB * lowest)) if lowest > 0 else COLD_TOL


def levels_are_double(model: Model) -> bool:
    """Whether Wannier functions of spinors have inversion times time reversal but for noise: double levels at random k.

    Levels that are double by chance or by weak spin-orbit coupling, where inversion is missing, have Berry curvature. What is
    written down as a model has its degeneracies to rounding, and needs no pairs.
    """
    wannier = isinstance(model, TightBinding) and (model.position is not None or model.structure is not None)
    if not wannier or model.spin_degeneracy != 1 or model.n_orbitals % 2 or model.n_orbitals < 4:
        return False
    k = np.random.default_rng(17).uniform(-0.5, 0.5, (POINTS, 1, 3)) * np.array(model.periodic)
    e = np.array([np.linalg.eigvalsh(model.matrices(point, 0).H)[0] for point in k])
    inside, apart = e[:, 1::2] - e[:, ::2], e[:, 2::2] - e[:, 1:-1:2]
    if inside.max() > min(SPLIT, NARROW * float(np.median(apart))):
        return False
    return len(model.axes) < 2 or float(np.median([_curvature_of_pairs(model, point) for point in k[::5]])) < CURVED


def _curvature_of_pairs(model: Model, k: Array) -> Array:
    """|Berry curvature| of every pair of levels at one k (1, 3), in units of the trace of its metric; the largest component."""
    found = model.matrices(k, 1, True)
    e, U = np.linalg.eigh(found.H[0])
    pair = np.arange(len(e)) // 2
    apart = np.where(pair[:, None] == pair, np.inf, e[:, None] - e)
    R = -1j * (U.conj().T @ found.velocities()[0] @ U) / apart
    F = np.zeros((len(R), len(R), *R.shape[1:])) if model.exact_position else U.conj().T @ found.curvatures()[0] @ U
    curvature = np.einsum("abnn->abn", F).real - 2 * np.einsum("amn,bnm->abm", R, R).imag
    metric = (np.abs(R) ** 2).sum(axis=(0, 2))
    of_pair = curvature.reshape(*curvature.shape[:2], -1, 2).sum(axis=3), metric.reshape(-1, 2).sum(axis=1)
    return np.asarray(np.abs(of_pair[0]).max(axis=(0, 1)) / np.maximum(of_pair[1], np.finfo(float).tiny))
