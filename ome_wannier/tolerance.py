"""What `rtol` asks for: allowed errors, what they may cost, and what to say of those that were not reached.

The error of every element, at every Fermi level and temperature, is to be at most `rtol` times the largest absolute value
that the elements of the same quantity have at that temperature, over all Fermi levels, or `EMPTY` times what there would be
were all states at the Fermi level. Work ends sooner for a quantity much smaller than what its integrand cancels: at `CANCELLED`
times the integral of the absolute value of the integrand. It then counts as zero, is named, and has not converged: there are
three states. Elements that the symmetries of the Hamiltonian forbid are not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from . import cells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .errors import ConvergenceWarning, SettingsError, warn
from .kdotp import KDotP
from .occupation import Occupation
from .result import AXES, combine, first_observable
from .sums import Lattice, component_shapes

Array = NDArray[np.float64]

#: shares of what a quantity could be, see the module's text
CANCELLED, EMPTY = 1e-4, 1e-12
#: k points that may be evaluated unless told: some minutes for twenty bands
MAX_POINTS = 2_000_000


class Goal(NamedTuple):
    """What to reach, and what it may cost: relative error, k points, seconds (or None)."""

    rtol: float
    max_points: int
    max_time: float | None


def checked(rtol: object, max_points: object, max_time: object) -> Goal:
    """The goal.

    Raises
    ------
    SettingsError : what is no number, or out of range.
    """

    def number(value: object) -> bool:
        return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(np.isfinite(value))

    if not number(rtol) or not 0 < float(rtol) < 1:  # type: ignore[arg-type]
        raise SettingsError(f"rtol is {rtol!r}: give a relative error between 0 and 1, such as 1e-3")
    if not number(max_points) or not float(max_points) >= 1:  # type: ignore[arg-type]
        raise SettingsError(f"max_points is {max_points!r}: give a number of k points")
    if max_time is not None and (not number(max_time) or not float(max_time) > 0):  # type: ignore[arg-type]
        raise SettingsError(f"max_time is {max_time!r}: give a number of seconds")
    seconds = None if max_time is None else float(max_time)  # type: ignore[arg-type]
    return Goal(float(rtol), int(max_points), seconds)  # type: ignore[arg-type, call-overload]


class Columns(NamedTuple):
    """How the columns of all observables make up those of the asked quantities.

    mix : (columns of the observables, columns of the quantities). surface : which of the former are weighted with -df/de.
    owner : number of the quantity of each column. shapes : components by quantity.
    """

    mix: Array
    surface: NDArray[np.bool_]
    owner: NDArray[np.int64]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, model: Lattice, wanted: Sequence[Calculator], observables: Sequence[Observable]) -> Columns:
        """Of what was asked for."""
        shapes = component_shapes(observables, model)
        numbers = [int(np.prod(s)) for s in shapes.values()]
        ends = np.cumsum(numbers)
        unit = np.split(np.eye(sum(numbers)), ends[:-1].tolist(), axis=1)
        basis = {name: u.reshape(-1, *shapes[name]) for name, u in zip(shapes, unit, strict=True)}
        found = {c.name: combine(c, basis) for c in wanted}
        owner = np.repeat(np.arange(len(wanted)), [int(np.prod(x.shape[1:])) for x in found.values()])
        mix = np.concatenate([x.reshape(len(x), -1) for x in found.values()], axis=1)
        surface = np.repeat([o.occupation == "surface" for o in observables], numbers)
        return cls(mix, surface, owner, {name: x.shape[1:] for name, x in found.items()})

    def unpack(self, x: Array, occupation: Occupation) -> dict[str, Array]:
        """Split (levels, columns) into one array (nf, nT, *components) for each quantity."""
        levels = (len(occupation.fermi), len(occupation.temperature))
        return {name: x[:, self.owner == i].reshape(*levels, *s) for i, (name, s) in enumerate(self.shapes.items())}


@dataclass(frozen=True)
class Limit:
    """Allowed errors (levels, columns), functions of the sums: at which to stop, and at which to speak of convergence.

    tolerance.md eq. 1.

    free : (columns,) those that exact symmetries leave. removed : those of quantities of which others, which hold but for
        noise, leave nothing.
    """

    owner: NDArray[np.int64]
    free: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    n_temperatures: int
    rtol: float

    def __call__(self, part: cells.Part) -> Array:
        """At which to stop: of a quantity that is nearly all cancelled, a share of what cancels; of one that symmetry removes,
        all of that."""
        share = np.where(self.removed, 1.0, CANCELLED)
        return self._of(part, np.maximum(np.abs(part.value), share * part.size))

    def converged(self, part: cells.Part) -> Array:
        """At which a quantity has converged: a share of its value."""
        return self._of(part, np.abs(part.value))

    def _of(self, part: cells.Part, reference: Array) -> Array:
        shape = (-1, self.n_temperatures, len(self.owner))
        largest = np.maximum(reference, EMPTY * part.scale).reshape(shape).max(axis=0)
        out = np.full((len(part.value) // self.n_temperatures, *largest.shape), np.inf)
        for quantity in np.unique(self.owner):
            free = (self.owner == quantity) & self.free
            out[:, :, free] = self.rtol * largest[:, free].max(axis=1, initial=0.0)[:, None] + np.finfo(float).tiny
        return out.reshape(part.value.shape)


class Asked(Protocol):
    """What `about` needs to know of a task."""

    @property
    def model(self) -> Lattice | KDotP: ...
    @property
    def wanted(self) -> Sequence[Calculator]: ...
    @property
    def occupation(self) -> Occupation: ...
    @property
    def goal(self) -> Goal: ...


class Errors(NamedTuple):
    """Errors (nf, nT, *components) by quantity, what more points do not change of them (what symmetrisation changes,
    `Degeneracy.doubt`), errors at which work ends, and those at which there is convergence; and the quantities of which
    symmetries that hold but for noise leave nothing."""

    errors: dict[str, Array]
    stay: dict[str, Array]
    limits: dict[str, Array]
    converged: dict[str, Array]
    removed: frozenset[str] = frozenset()


def about(found: Errors, task: Asked, points: int) -> dict[str, Any]:
    """What to record of the convergence; warns of the worst element of every quantity that has not converged."""
    failed: list[str] = []
    zero: list[str] = []
    stays: list[str] = []
    removed: list[str] = []
    for c in task.wanted:
        error, limits = found.errors[c.name], found.limits[c.name]
        goal = limits if c.name in found.removed else found.converged[c.name]
        ratio = (error + found.stay.get(c.name, 0.0)) / goal
        if (ratio <= 1).all():
            removed += [f"{c.name} (symmetry leaves nothing of it)"] if c.name in found.removed else []
            continue
        worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        where = f"{c.name} {_place(c, worst, task)} (relative error {task.goal.rtol * float(ratio[worst]):.1g})"
        (stays if (error <= goal).all() else zero if (error <= limits).all() else failed).append(where)
    if failed:
        warn(
            f"not converged to rtol = {task.goal.rtol:g} with {points} k points: {'; '.join(failed)}: "
            "raise max_points (or max_time), or rtol",
            ConvergenceWarning,
        )
    if zero:
        warn(
            f"counted as zero, not converged to rtol = {task.goal.rtol:g} of the value: {'; '.join(zero)}: below "
            f"{CANCELLED:g} of what cancels in it over the zone; a lower rtol resolves it",
            ConvergenceWarning,
        )
    return {
        "rtol": task.goal.rtol,
        "converged": int(not (failed or zero or stays or removed)),
        "not_converged": "; ".join(failed + [f"{text[:-1]}, which more points do not change)" for text in stays]),
        "counted_as_zero": "; ".join(zero + removed),
        "k_points": points,
    }


def _place(calculator: Calculator, at: Sequence[np.intp], task: Asked) -> str:
    """The element, level and temperature of an index, in words."""
    along = component_axes(task.model.axes, task.model.moments)
    element = "".join(AXES[along[dim][i]] for dim, i in zip(first_observable(calculator).dims, at[2:], strict=True))
    return f"{element} at {task.occupation.fermi[at[0]]:.6g} eV, {task.occupation.temperature[at[1]]:g} K"
