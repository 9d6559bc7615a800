"""What states outside the basis, or the upper bands inside it, change of a quantity: the same weights with them and without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..common.errors import SettingsError
from ..models.base import Model
from .quantity import ABOVE, OUTSIDE, Observable
from .weights import evaluate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """The weights (nk, n, *components) of a quantity less those of bands without some states."""

    weights: Callable[[Bands], Array]
    without: Callable[[Bands], Bands]

    def __call__(self, bands: Bands) -> Array:
        """The difference."""
        return self.weights(bands) - self.weights(self.without(bands))


def changes(model: Model, observables: Iterable[Observable], basis: int | None, seed: int = 13) -> list[Observable]:
    """What states outside change of each of these, and all but the lowest `basis` bands, where random k points tell of any.

    Raises
    ------
    SettingsError : a number of bands that the model does not have.
    """
    ways = dict(_ways(model, basis))
    if not ways:
        return []
    whole = np.array(model.periodic) if model.has_zone else np.ones(model.dimension)
    k = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, len(whole))) * whole
    observables = list(observables)
    bands = Bands(model, k, order=max((o.order for o in observables), default=1), curvature=True)
    if basis is not None and bands.energies.shape[1] != model.n_orbitals:
        raise SettingsError("basis: this model has only the bands of a window, from which the lowest cannot be counted")
    found = [replace(o, name=f"{o.name}{way}", weights=Change(o.weights, w)) for o in observables for way, w in ways.items()]
    return [o for o in found if evaluate(o, bands).any()]


def _ways(model: Model, basis: int | None) -> Iterator[tuple[str, Callable[[Bands], Bands]]]:
    if model.external is not None:
        yield OUTSIDE, Bands.inside
    if basis is not None:
        whole = isinstance(basis, (int, np.integer)) and not isinstance(basis, bool)
        if not whole or not 0 < basis < model.n_orbitals:
            raise SettingsError(f"basis is {basis!r}: give a number of bands from 1 to {model.n_orbitals - 1}")
        yield ABOVE, partial(Bands.lowest, count=basis)
