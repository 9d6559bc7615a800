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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calculators.blocks import only_helps
from ..calculators.quantity import Combination, is_share, whole_of
from ..calculators.registry import Calculator, combine, first_observable
from ..calculators.reported_units import AXES
from ..calculators.weights import component_axes
from ..common.errors import ConvergenceWarning, SettingsError, warn
from .adaptive.cells import Part
from .integral import Goal, Integrand, Request
from .occupation.histogram import Occupation

Array = NDArray[np.float64]

#: shares of what a quantity could be, see the module's text
CANCELLED, EMPTY = 1e-4, 1e-12
#: k points that may be evaluated unless told: some minutes for twenty bands
MAX_POINTS = 2_000_000


def goal_of(rtol: object, max_points: object, max_time: object) -> Goal | None:
    """The goal; None without a tolerance.

    Raises
    ------
    SettingsError : what is no number, or out of range; bounds without a tolerance.
    """

    def number(value: object) -> float:
        good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        return float(value) if good else np.nan  # type: ignore[arg-type]

    if rtol is None:
        if max_time is not None or max_points != MAX_POINTS:
            raise SettingsError("max_points and max_time bound the work that rtol asks for: give rtol")
        return None
    if not 0 < number(rtol) < 1:
        raise SettingsError(f"rtol is {rtol!r}: give a relative error between 0 and 1, such as 1e-3")
    if not 1 <= number(max_points) < np.inf:
        raise SettingsError(f"max_points is {max_points!r}: give a number of k points")
    if max_time is not None and not 0 < number(max_time) < np.inf:
        raise SettingsError(f"max_time is {max_time!r}: give a number of seconds")
    return Goal(number(rtol), int(number(max_points)), None if max_time is None else number(max_time))


class Columns(NamedTuple):
    """How the columns of all observables make up those of the asked quantities.

    mix : (columns of the observables, columns of the quantities). owner : number of the quantity of each column.
    shapes : components by quantity.
    """

    mix: Array
    owner: NDArray[np.int64]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, request: Request) -> Columns:
        """Of what was asked for."""
        integrand, wanted = request.integrand, request.calculators
        basis = integrand.named(np.eye(len(integrand.kinds)))
        found = {c.name: combine(c, basis) for c in wanted}
        owner = np.repeat(np.arange(len(wanted)), [int(np.prod(x.shape[1:])) for x in found.values()])
        mix = np.concatenate([x.reshape(len(x), -1) for x in found.values()], axis=1)
        return cls(mix, owner, {name: x.shape[1:] for name, x in found.items()})

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

    def __call__(self, part: Part) -> Array:
        """At which to stop: of a quantity that is nearly all cancelled, a share of what cancels; of one that symmetry removes,
        all of that."""
        share = np.where(self.removed, 1.0, CANCELLED)
        return self._of(part, np.maximum(np.abs(part.value), share * part.size))

    def converged(self, part: Part) -> Array:
        """At which a quantity has converged: a share of its value."""
        return self._of(part, np.abs(part.value))

    def _of(self, part: Part, reference: Array) -> Array:
        shape = (-1, self.n_temperatures, len(self.owner))
        largest = np.maximum(reference, EMPTY * part.scale).reshape(shape).max(axis=0)
        out = np.full((len(part.value) // self.n_temperatures, *largest.shape), np.inf)
        for quantity in np.unique(self.owner):
            free = (self.owner == quantity) & self.free
            out[:, :, free] = self.rtol * largest[:, free].max(axis=1, initial=0.0)[:, None] + np.finfo(float).tiny
        return out.reshape(part.value.shape)


class Errors(NamedTuple):
    """Errors (nf, nT, *components) by quantity, what more points do not change of them (what symmetrisation changes,
    `Degeneracy.doubt`), errors at which work ends, and those at which there is convergence; and the quantities of which
    symmetries that hold but for noise leave nothing."""

    errors: dict[str, Array]
    stay: dict[str, Array]
    limits: dict[str, Array]
    converged: dict[str, Array]
    removed: frozenset[str] = frozenset()


def about(found: Errors, request: Request, goal: Goal, points: int) -> dict[str, Any]:
    """What to record of the convergence; warns of the worst element of every quantity that has not converged."""
    failed: list[str] = []
    zero: list[str] = []
    stays: list[str] = []
    removed: list[str] = []
    for c in sorted(request.calculators, key=lambda c: c.name in found.removed):  # what symmetry removes is named last
        error, limits = found.errors[c.name], found.limits[c.name]
        allowed = limits if c.name in found.removed or only_helps(c) else found.converged[c.name]
        ratio = (error + found.stay.get(c.name, 0.0)) / allowed
        if (ratio <= 1).all():
            removed += [f"{_said(c)} (symmetry leaves nothing of it)"] if c.name in found.removed else []
            continue
        if is_share(c) and any(text.startswith(_said(c)) for text in (*failed, *zero, *stays)):
            continue  # one of many is enough
        worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        where = f"{_said(c)} {_place(c, worst, request.integrand)} (relative error {goal.rtol * float(ratio[worst]):.1g})"
        (stays if (error <= allowed).all() else zero if (error <= limits).all() else failed).append(where)
    if failed:
        remedy = "raise max_points (or max_time), or rtol"
        if request.group.noisy:
            remedy += ", or make the model symmetric (ome_wannier.symmetrize): noise opens crossings that a symmetry keeps"
        warn(
            f"not converged to rtol = {goal.rtol:g} with {points} k points: {'; '.join(failed)}: {remedy}",
            ConvergenceWarning,
        )
    if stays:
        warn(
            f"not converged to rtol = {goal.rtol:g}: {'; '.join(stays)}: what symmetrisation changes and levels in doubt are "
            "not changed by more points (see symmetry_imposed, levels_in_doubt)",
            ConvergenceWarning,
        )
    if zero:
        warn(
            f"counted as zero, not converged to rtol = {goal.rtol:g} of the value: {'; '.join(zero)}: below "
            f"{CANCELLED:g} of what cancels in it over the zone; a lower rtol resolves it",
            ConvergenceWarning,
        )
    return {
        "rtol": goal.rtol,
        "converged": int(not (failed or zero or stays or removed)),
        "not_converged": "; ".join(failed + [f"{text[:-1]}, which more points do not change)" for text in stays]),
        "counted_as_zero": "; ".join(zero + removed),
        "k_points": points,
    }


def _said(calculator: Calculator) -> str:
    """The name of a quantity, or what the result calls that of which it is a block, the drift of a block, or a share."""
    if isinstance(calculator, Combination) and calculator.of:
        return f"{calculator.of}_per_angstrom" if only_helps(calculator) else calculator.of
    return f"shares of {whole_of(calculator.name)}" if is_share(calculator) else calculator.name


def _place(calculator: Calculator, at: Sequence[np.intp], integrand: Integrand) -> str:
    """The element, level and temperature of an index, in words."""
    along = component_axes(integrand.model.axes, integrand.model.moments)
    element = "".join(AXES[along[dim][i]] for dim, i in zip(first_observable(calculator).dims, at[2:], strict=True))
    occupation = integrand.occupation
    return f"{element} at {occupation.fermi[at[0]]:.6g} eV, {occupation.temperature[at[1]]:g} K".lstrip()
