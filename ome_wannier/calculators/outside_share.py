"""What states outside the basis change of a quantity: the same weights with them and without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..models.base import Model
from .quantity import OUTSIDE, Observable
from .weights import evaluate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """The weights (nk, n, *components) of a quantity less those of a basis that nothing is outside of."""

    weights: Callable[[Bands], Array]

    def __call__(self, bands: Bands) -> Array:
        """The difference."""
        return self.weights(bands) - self.weights(bands.inside())


def changes(model: Model, observables: Iterable[Observable], seed: int = 13) -> list[Observable]:
    """What states outside change of each of these that they take part in, which random k points tell."""
    if model.external is None:
        return []
    k = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 3)) * np.array(model.periodic)
    bands = Bands(model, k, order=max((o.order for o in observables), default=1), curvature=True)
    found = [replace(o, name=f"{o.name}{OUTSIDE}", weights=Change(o.weights)) for o in observables]
    return [o for o in found if evaluate(o, bands).any()]
