"""Relaxation times that depend on the state: a function of the energies of the bands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..common.errors import SettingsError
from .quantity import WITH_TAU, Observable

Array = NDArray[np.float64]
#: of energies (nk, n) in eV, relaxation times (nk, n), or what numpy makes (nk, n) of, in fs
Tau = Callable[[Array], Any]


@dataclass(frozen=True, eq=False)
class Scattered:
    """Weights (nk, n, *components) times the relaxation time of each state in fs."""

    weights: Callable[[Bands], Array]
    tau: Tau

    def __call__(self, bands: Bands) -> Array:
        """The product."""
        found, times = self.weights(bands), times_of(self.tau, bands.energies)
        return np.asarray(found * times.reshape(*times.shape, *(1,) * (found.ndim - 2)))


def times_of(tau: Tau, energies: Array) -> Array:
    """The relaxation times of states (nk, n) in fs.

    Raises
    ------
    SettingsError : a function that fails, or that gives something else than numbers >= 0, for all states.
    """
    try:
        given = np.asarray(tau(energies))
        if np.iscomplexobj(given):
            raise TypeError("complex numbers")
        found = np.broadcast_to(given.astype(float), energies.shape)
    except Exception as error:
        raise SettingsError(
            f"tau: your function of the energies (nk, n) in eV failed: {type(error).__name__}: {error}"
        ) from error
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise SettingsError("tau: your function of the energies returned times that are not finite or negative: give fs >= 0")
    return found


def scattered(observables: Iterable[Observable], tau: Tau) -> tuple[Observable, ...]:
    """The observables, those with a relaxation time with that of each state in their weights."""
    return tuple(replace(o, weights=Scattered(o.weights, tau)) if o.kind in WITH_TAU else o for o in observables)
