"""What `rtol` asks for: allowed errors, what they may cost, and what to say of those that were not reached.

The error of every element, at every Fermi level and temperature, is to be at most `rtol` times the largest absolute value
that the elements of the same quantity have at that temperature, over all Fermi levels. A quantity much smaller than what its
integrand cancels counts as zero: the reference is at least `CANCELLED` times the integral of the absolute value of the
integrand, and `EMPTY` times what there would be were all states at the Fermi level. Elements that the symmetries of the
Hamiltonian forbid are not waited for.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from . import cells
from .calculators import Calculator, Observable
from .calculators.base import component_axes
from .errors import ConvergenceWarning, SettingsError
from .kdotp import KDotP
from .occupation import Occupation
from .result import AXES, combine, first_observable
from .sums import Lattice, component_shapes

Array = NDArray[np.float64]

#: quantities below these shares of what they could be count as zero, see the module's text
CANCELLED, EMPTY = 1e-3, 1e-9
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


class Left(NamedTuple):
    """What may still be spent: k points, the time (of `time.monotonic`) at which to stop, or None, and seconds per point."""

    points: int
    deadline: float | None
    pace: float

    def allows(self, points: int) -> bool:
        """Whether so many more fit."""
        return points <= self.points and (self.deadline is None or time.monotonic() + self.pace * points <= self.deadline)

    def half(self) -> Left:
        """Half of it, of the time from now on."""
        deadline = None if self.deadline is None else (time.monotonic() + self.deadline) / 2
        return self._replace(points=self.points // 2, deadline=deadline)

    def after(self, points: int) -> Left:
        """What is left when so many points have been evaluated; their time passes by itself."""
        return self._replace(points=self.points - points)


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

    def pack(self, values: dict[str, Array]) -> Array:
        """The inverse of `unpack`."""
        return np.concatenate([values[n].reshape(-1, int(np.prod(s))) for n, s in self.shapes.items()], axis=1)


@dataclass(frozen=True)
class Limit:
    """The allowed error (levels, columns), a function of the sums."""

    owner: NDArray[np.int64]
    free: NDArray[np.bool_]
    n_temperatures: int
    rtol: float

    def __call__(self, part: cells.Part) -> Array:
        shape = (-1, self.n_temperatures, len(self.owner))
        value, size, scale = (x.reshape(shape) for x in (np.abs(part.value), part.size, part.scale))
        reference = np.maximum(value, np.maximum(CANCELLED * size, EMPTY * scale)).max(axis=0)
        out = np.full(value.shape, np.inf)
        for quantity in np.unique(self.owner):
            own = self.owner == quantity
            largest = reference[:, own & self.free].max(axis=1, initial=0.0)
            out[:, :, own & self.free] = self.rtol * largest[:, None] + np.finfo(float).tiny
        return out.reshape(part.value.shape)

    def worst(self, errors: Array) -> Array:
        """The largest of every quantity (..., quantities) in units of what is allowed (..., levels, columns)."""
        return np.stack([errors[..., self.owner == q].max(axis=(-2, -1)) for q in np.unique(self.owner)], axis=-1)


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


def about(errors: dict[str, Array], limits: dict[str, Array], task: Asked, points: int) -> dict[str, Any]:
    """What to record of the convergence; warns of the worst element of every quantity that has not converged."""
    failed = []
    along = component_axes(task.model.axes, task.model.moments)
    for c in task.wanted:
        ratio = errors[c.name] / limits[c.name]
        if not (ratio <= 1).all():
            worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
            element = "".join(AXES[along[dim][i]] for dim, i in zip(first_observable(c).dims, worst[2:], strict=True))
            level, T = task.occupation.fermi[worst[0]], task.occupation.temperature[worst[1]]
            reached = task.goal.rtol * float(ratio[worst])
            failed.append(f"{c.name} {element} at {level:.6g} eV, {T:g} K (relative error {reached:.1g})")
    if failed:
        warnings.warn(
            f"not converged to rtol = {task.goal.rtol:g} with {points} k points: {'; '.join(failed)}: "
            "raise max_points (or max_time), or rtol",
            ConvergenceWarning,
            stacklevel=5,
        )
    return {"rtol": task.goal.rtol, "converged": int(not failed), "not_converged": "; ".join(failed), "k_points": points}
