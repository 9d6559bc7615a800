"""Question and answer of every strategy of integration over k points."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bands.degeneracy import Degeneracy
from ..calculators.quantity import AT_SURFACE, OCCUPATIONS, Observable
from ..calculators.registry import Calculator
from ..calculators.weights import Shapes, component_shapes, unpacked, without_columns
from ..models.base import Model
from .hamiltonian_symmetry import Group
from .kpoints.mesh import KMesh
from .kpoints.polar import PolarMesh
from .occupation.histogram import Occupation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Integrand:
    """What is integrated: weights of observables, side by side as columns, times the occupation of the states."""

    model: Model
    observables: tuple[Observable, ...]
    occupation: Occupation
    degeneracy: Degeneracy

    def named(self, columns: Array) -> dict[str, Array]:
        """One array (..., *components) for each observable, of (..., columns)."""
        return unpacked(columns, self._shapes, self._without)

    @cached_property
    def _shapes(self) -> Shapes:
        """Number of components along each dimension, by observable."""
        return component_shapes(self.observables, self.model)

    @cached_property
    def _without(self) -> frozenset[str]:
        """Names of observables that have no columns, as they vanish."""
        return without_columns(self.observables, self.model)

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """(columns,) how each is occupied: numbers in `OCCUPATIONS`."""
        return self._by_column([OCCUPATIONS.index(o.occupation) for o in self.observables])

    @cached_property
    def of_full_bands(self) -> NDArray[np.bool_]:
        """(columns,) to which full bands that nearly cross contribute (`Observable.full_bands`)."""
        return self._by_column([o.occupation == "sea" and o.full_bands != "cancel" for o in self.observables])

    @cached_property
    def of_full_peaks(self) -> NDArray[np.bool_]:
        """(columns,) in which they make peaks."""
        return self._by_column([o.occupation == "sea" and o.full_bands == "add" for o in self.observables])

    def _by_column(self, values: Sequence[Any]) -> NDArray[Any]:
        """(columns,) of one value for each observable."""
        return np.repeat(values, [0 if name in self._without else int(np.prod(s)) for name, s in self._shapes.items()])

    @property
    def surface(self) -> NDArray[np.bool_]:
        """(columns,) which are of states near the Fermi level alone."""
        return np.isin(self.kinds, AT_SURFACE)

    @property
    def order(self) -> int:
        """Covariant derivatives of the Hamiltonian that are needed."""
        return max(o.order for o in self.observables)

    @property
    def levels(self) -> int:
        """Fermi levels times temperatures."""
        return len(self.occupation.fermi) * len(self.occupation.temperature)


@dataclass(frozen=True)
class Resources:
    """What may be used for it: bytes, workers; whether to show progress; the file that the sum is kept in, and gone on from."""

    memory: int = 2**30
    progress: bool = False
    executor: Executor | None = None
    checkpoint: Path | None = None
    resume: bool = False


class Goal(NamedTuple):
    """What to reach, and what it may cost: relative error, k points, seconds (or None)."""

    rtol: float
    max_points: int
    max_time: float | None


#: a mesh, or a tolerance
Sampling = KMesh | PolarMesh | Goal


@dataclass(frozen=True)
class Request:
    """What `compute` was asked for, resolved and checked.

    calculators : the quantities, made of the observables of the integrand and of Chern-Simons parts (`gap_terms` says whether).
    trial : orbitals for these. group : operations that results are made to obey.
    """

    integrand: Integrand
    calculators: Sequence[Calculator]
    group: Group
    sampling: Sampling
    resources: Resources
    gap_terms: bool = False
    trial: ArrayLike | None = None


class Integral(NamedTuple):
    """What integrals over the zone give by quantity, (nf, nT, *components) in internal units, and what to record of them.

    values, errors : with all symmetries. raw : values without those that hold but for noise, where there are such.
    """

    values: dict[str, Array]
    errors: dict[str, Array]
    raw: dict[str, Array]
    attrs: dict[str, Any]

    def imposed(self, symmetric: dict[str, Array]) -> Integral:
        """The same with values that have been symmetrised: all that this changes is an error."""
        errors = {name: error + abs(self.values[name] - symmetric[name]) for name, error in self.errors.items()}
        return self._replace(values=symmetric, errors=errors, raw=self.values)
