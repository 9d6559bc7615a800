"""The Fermi level at which given energies hold a number of electrons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...common.errors import SettingsError
from ..band_ranges import Gap

Array = NDArray[np.float64]


#: numbers of full bands that differ from a whole one by less are whole
WHOLE = 1e-12


def fermi_level(energies: Array, weights: Array, electrons: float, kT: float = 0.0) -> float:
    """The Fermi level in eV at which bands hold `electrons` per cell; at kT = 0 the middle of a gap.

    Parameters
    ----------
    energies : (nk, n) eV, ascending per k.
    weights : (nk,) electrons that one state at this point holds; they sum to the spin degeneracy.
    electrons : per cell.
    kT : eV.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none.
    """
    n = energies.shape[1]
    share = weights / weights.sum()
    bands = electrons / float(weights.sum())
    if not 0 < bands < n:
        raise SettingsError(f"{electrons:g} electrons per cell: more than 0 and less than {n * weights.sum():g} fit the bands")
    full = whole(bands)
    if kT > 0:
        return _holding(energies, share, round(bands), 0.0 if full else bands - round(bands), kT)
    if full:
        gap = _seen(energies, full)
        if gap.width > 0:
            return gap.middle
    order = np.argsort(energies, axis=None, kind="stable")
    filled = np.cumsum(np.broadcast_to(share[:, None], energies.shape).ravel()[order])
    return float(energies.ravel()[order[min(int(np.searchsorted(filled, bands - WHOLE)), len(order) - 1)]])


def _holding(energies: Array, share: Array, p: int, extra: float, kT: float) -> float:
    """The level in eV at which the electrons above the lowest p bands exceed the holes below by `extra` (physics.md eq. 21).

    g(mu) = log(electrons + max(-extra, 0)) - log(holes + max(extra, 0)) = 0, which rises with mu.
    """
    from scipy.optimize import brentq

    with np.errstate(divide="ignore"):
        log_share, more, fewer = np.log(share)[:, None], np.log(max(extra, 0.0)), np.log(max(-extra, 0.0))
    below, above = energies[:, :p], energies[:, p:]

    def excess(mu: float) -> float:
        electrons = _log_sum(log_share - np.logaddexp(0.0, (above - mu) / kT))
        holes = _log_sum(log_share - np.logaddexp(0.0, (mu - below) / kT))
        return float(np.logaddexp(electrons, fewer) - np.logaddexp(holes, more))

    low, high = float(energies.min()) - 100 * kT, float(energies.max()) + 100 * kT
    return float(brentq(excess, low, high, xtol=1e-15, rtol=4 * np.finfo(float).eps, maxiter=500))


def _log_sum(logarithms: Array) -> float:
    """The logarithm of the sum of numbers given by their logarithms; -inf for none."""
    top = logarithms.max(initial=-np.inf)
    return float(top + np.log(np.exp(logarithms - top).sum())) if np.isfinite(top) else -np.inf


def whole(bands: float) -> int:
    """The number of full bands if it is a whole one, else 0."""
    return round(bands) if abs(bands - round(bands)) < WHOLE else 0


def _seen(energies: Array, bands: int) -> Gap:
    """The gap that a mesh sees."""
    return Gap(bands, float(energies[:, bands - 1].max()), float(energies[:, bands].min()))
