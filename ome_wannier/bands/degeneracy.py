"""Which levels of a k point count as one (physics.md eqs. 9 and 10): what decides about it, and what it is by default.

Interband weights grow as the inverse third power of the spacing of two levels. Where symmetry makes the two equal and noise
splits them, as in Wannier functions, what noise makes of that has to be left out; where the spacing is real it has to stay.
Inversion times time reversal, and inversion with Kramers pairs, make every level of a spinor model double at every k. Such
models can be recognised: their levels are paired by number, whatever noise does to them, and the splitting of the pairs tells
how large noise is. Elsewhere a tolerance decides. What the other answer would change, all levels of a model with split pairs
apart or a larger tolerance, is an error of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.units import KB
from ..models.base import Model

Array = NDArray[np.float64]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class LevelsConstants:
    """What counts as one level by default, in eV unless said."""

    #: default tolerances in eV of models whose positions are exact, which files round, and of k.p models, whose gaps are narrow
    exact_tol: float = 1e-5
    kdotp_tol: float = 1e-7
    #: levels of one group that are farther apart than this, in models that are written down, are so by physics
    rounding: float = 1e-8
    #: that of Wannier functions in k_B T of the lowest temperature, its bounds in eV, and what it is at T = 0
    share: float = 0.05
    least: float = 1e-6
    most: float = 1e-4
    cold_tol: float = 1e-5
    #: the tolerance up to which those levels may be one as well, in that of the default, and in the noise where it is known
    doubt: float = 10.0
    doubt_of_noise: float = 2.0
    #: the splitting of pairs, in k_B T of the lowest temperature, from which on it may matter, and the tolerance, in that
    #: splitting, where it is real
    felt: float = 1e-3
    below: float = 0.1
    #: random k points that have to have double levels everywhere, by how much these may be split (eV), and the share of the
    #: median distance to the next pair that this may be
    points: int = 60
    split: float = 5e-3
    narrow: float = 0.1
    #: median over pairs, at random k points, of the Berry curvature in units of the trace of the metric: inversion times time
    #: reversal makes it zero. Measured: 0.004 and less in antiferromagnets that have it, 0.09 and more in crystals that do not
    curved: float = 0.02


LEVELS = LevelsConstants()


@dataclass(frozen=True)
class Degeneracy:
    """What forms a group of levels.

    tol : eV; neighbouring levels that are no farther apart.
    paired : levels 2i and 2i + 1 (from 0), of an even number, have the mean energy of the two in everything: in groups, in
        denominators and in occupations, so that no result depends on the choice of states among the two.
    doubt : eV; levels farther apart than `tol` but not than this may be one as well. What that changes is an error.
    noise : eV; how far apart the two levels of a pair are at the most. It is taken for noise; what it changes is an error.
    apart : eV; `tol` were the pairs really split, or 0 where they are split by too little to matter.
    finer : eV; levels of one group that are farther apart are told apart by their occupations (physics.md eq. 10), or 0.
    """

    tol: float
    paired: bool = False
    doubt: float = 0.0
    noise: float = 0.0
    apart: float = 0.0
    finer: float = 0.0

    @classmethod
    def of(cls, model: Model, temperature: Array | float, tol: float | None = None) -> Degeneracy:
        """Of a model at temperatures in K: what the user gives (eV, no pairs, no doubt), or the default of its kind."""
        if tol is not None:
            return cls(float(tol))
        default = default_tol(model, temperature)
        if not model.is_fitted:
            return cls(default, finer=LEVELS.rounding)
        doubt = LEVELS.doubt * default
        noise = splitting_of_pairs(model)
        if noise is None:
            return cls(default, False, doubt)
        # levels that symmetry makes equal on planes and lines, four and more, are split by as much as the pairs are
        lowest = float(np.min(temperature))
        matters = noise > LEVELS.felt * max(KB * lowest, LEVELS.least)
        apart = min(default, LEVELS.exact_tol, LEVELS.below * noise) if matters else 0.0
        return cls(max(default, noise), True, max(doubt, LEVELS.doubt_of_noise * noise), noise, apart)

    def levels(self, energies: Array) -> Array:
        """The energies (nk, n), ascending, that count for these eigenvalues."""
        if not self.paired:
            return energies
        # physics.md eq. 9
        mean = energies.reshape(len(energies), -1, 2).mean(axis=2)
        return np.repeat(mean, 2, axis=1)

    @property
    def finest(self) -> float:
        """Spacing in eV from which on two levels that differ in occupation count as two."""
        return self.finer or self.tol

    @property
    def splits_pairs(self) -> bool:
        """Whether levels are in doubt at all points: those of all pairs."""
        return self.apart > 0

    @property
    def other(self) -> Degeneracy | None:
        """What may be true instead: pairs that are really split, or all levels in doubt one. None where nothing is in doubt."""
        if self.splits_pairs:
            return Degeneracy(self.apart)
        return Degeneracy(self.doubt, self.paired) if self.doubt else None

    def doubtful(self, energies: Array, top: float) -> NDArray[np.bool_]:
        """(nk,) whether some of the energies (nk, n) up to `top` (eV), above which states are empty, are in doubt."""
        if self.splits_pairs:
            return np.ones(len(energies), dtype=bool)
        spacing = np.diff(energies, axis=1)
        return np.asarray(((spacing > self.tol) & (spacing <= self.doubt) & (energies[:, :-1] <= top)).any(axis=1))

    @property
    def widest(self) -> float:
        """Spread in eV of a group beyond which levels have been taken together that are not one."""
        return max(10 * self.tol, LEVELS.split if self.paired else 0.0)


def default_tol(model: Model, temperature: Array | float = np.inf) -> float:
    """The spacing in eV of levels that count as one, by the kind of model and, for Wannier functions, the lowest T in K.

    physics.md eq. 10. Wannier functions split by some 0.1 meV what symmetry makes equal, and gaps far below k_B T leave no
    trace.
    """
    if not model.has_zone:
        return LEVELS.kdotp_tol
    if model.exact_position:
        return LEVELS.exact_tol
    lowest = float(np.min(temperature))
    return min(LEVELS.most, max(LEVELS.least, LEVELS.share * KB * lowest)) if lowest > 0 else LEVELS.cold_tol


def decided(values: Arrays, errors: Arrays, changes: Arrays, share: float) -> str:
    """The quantities about which levels in doubt decide: that they change by more than their other errors, and by how much.

    share : of the largest absolute value of a quantity, below which changes are not named.
    """
    found: dict[str, float] = {}
    for name, change in changes.items():
        if name.startswith("drift of"):  # with the origin of a layer: no quantity by itself
            continue
        largest = float(np.abs(values[name]).max(initial=0.0))
        worst = np.where(change > np.nan_to_num(errors[name]), change, 0.0).max(initial=0.0)
        quantity = name.partition("[")[0]  # of a block of a quantity
        if worst > share * largest:
            found[quantity] = max(found.get(quantity, 0.0), float(worst / largest) if largest else 0.0)
    return ", ".join(f"{name} by {100 * change:.2g}%" if change else name for name, change in found.items())


def splitting_of_pairs(model: Model) -> float | None:
    """By how much noise splits the double levels (eV) of Wannier functions of spinors that have inversion times time reversal.

    None for other models.

    Levels that are double by chance or by weak spin-orbit coupling, where inversion is missing, have Berry curvature. What is
    written down as a model has its degeneracies to rounding, and needs no pairs.
    """
    if not model.is_fitted or model.spin_degeneracy != 1 or model.n_orbitals % 2 or model.n_orbitals < 4:
        return None
    k = np.random.default_rng(17).uniform(-0.5, 0.5, (LEVELS.points, 1, 3)) * np.array(model.periodic)
    found = []
    for point in k:
        found.append(np.linalg.eigvalsh(model.matrices(point, 0).H)[0])
        if (found[-1][1::2] - found[-1][::2]).max() > LEVELS.split:  # as in all models but those that have the symmetry
            return None
    e = np.array(found)
    inside, apart = e[:, 1::2] - e[:, ::2], e[:, 2::2] - e[:, 1:-1:2]
    noise = float(inside.max())
    if noise > min(LEVELS.split, LEVELS.narrow * float(np.median(apart))):
        return None
    if len(model.axes) > 1 and float(np.median([_curvature_of_pairs(model, point) for point in k[::5]])) > LEVELS.curved:
        return None
    return noise


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
