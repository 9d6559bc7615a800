"""A relaxation time in inverse proportion to the density of states, as of weak scatterers that do not tell states apart.

Fermi's golden rule with one matrix element for all: 1/tau(e) is proportional to the states g(e) to scatter into.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ..calculators.conductivity import DOS
from ..common.errors import SettingsError, warn
from ..common.units import KB
from ..integration.integral import Integrand, Request
from ..integration.occupation.histogram import Occupation
from .integrated import integrated

Array = NDArray[np.float64]

#: how far the table reaches beyond the levels in k_B T, where -df/de is 1e-9, and energies of it per k_B T
REACH, PER_KT = 20.0, 2
#: what a density of states has to exceed its error by at the level that is given, and which share of the largest one
SURE, LEAST = 3.0, 1e-3
#: states this many k_B T from a level count for how well the density of states is known, and the error that is warned of
NEAR, VAGUE = 4.0, 0.02


@dataclass(frozen=True, eq=False)
class TauOverDos:
    """tau(e) = tau g(level) / g(e), with g not less than its own error.

    tau : fs. level : eV, at which that is the time. at_level : g there and its error. energies (n,) : ascending, in eV. dos,
    errors (n,) : g at these, in any unit. T : the temperature (K) that g is as wide as.
    """

    tau: float
    level: float
    at_level: tuple[float, float]
    energies: Array
    dos: Array
    errors: Array
    T: float

    def __call__(self, energies: Array) -> Array:
        """The relaxation times (fs) of states at these energies (eV); beyond the table those of its ends."""
        inside = np.clip(energies, self.energies[0], self.energies[-1])
        least = np.maximum(np.interp(inside, self.energies, self.errors), LEAST**2 * self.dos.max())
        return np.asarray(self.tau * self.at_level[0] / np.maximum(self._smooth(inside), least))

    @cached_property
    def _smooth(self) -> CubicSpline:
        """g, which changes over k_B T, between the energies of the table."""
        return CubicSpline(self.energies, self.dos)

    def known_to(self, levels: Array) -> float:
        """The largest relative error of g within some k_B T of Fermi levels, where there are states, plus that at its level."""
        reach = NEAR * KB * self.T
        near = (self.energies >= levels[0] - reach) & (self.energies <= levels[-1] + reach)
        near &= self.dos > np.maximum(self.errors, LEAST * self.dos.max())
        return float((self.errors[near] / self.dos[near]).max(initial=0.0)) + self.at_level[1] / self.at_level[0]

    def about(self, levels: Array) -> str:
        """In words."""
        known = f"known to {100 * self.known_to(levels):.2g}%, which is not in the errors"
        return f"tau is {self.tau:g} fs at {self.level:g} eV, and proportional to 1/DOS (as wide as {self.T:g} K, {known})"


def tau_over_dos(request: Request, tau: float, level: float) -> TauOverDos:
    """The relaxation times for a request, with the density of states on its own sampling; warns where that is not well known.

    Raises
    ------
    SettingsError : T = 0, which has no width; no states at the level, or hardly known ones.
    """
    occupation = request.integrand.occupation
    T = float(occupation.temperature.min())
    if T == 0:
        raise SettingsError("tau_level: the density of states is as wide as the temperature: give temperatures above zero")
    reach = REACH * KB * occupation.temperature.max()
    low, high = occupation.fermi[0] - reach, occupation.fermi[-1] + reach
    table = np.linspace(low, high, int(PER_KT * (high - low) / (KB * T)) + 2)
    energies = np.union1d(table, level)
    integrand = Integrand(request.integrand.model, (DOS,), Occupation(energies, np.array([T])), request.integrand.degeneracy)
    found = integrated(replace(request, integrand=integrand, calculators=[DOS], gap_terms=False))
    dos, errors = found.values[DOS.name][:, 0], found.errors[DOS.name][:, 0]
    i, of_table = int(np.searchsorted(energies, level)), np.searchsorted(energies, table)
    if not dos[i] > LEAST * dos.max():
        raise SettingsError(f"tau_level: {level:g} eV has hardly any states: give a level in a band")
    if not dos[i] > SURE * errors[i]:
        known = f"{100 * errors[i] / dos[i]:.2g}%"
        raise SettingsError(f"tau_level: the density of states at {level:g} eV is known to {known} only: give a finer mesh")
    times = TauOverDos(tau, level, (float(dos[i]), float(errors[i])), table, dos[of_table], errors[of_table], T)
    if (share := times.known_to(occupation.fermi)) > VAGUE:
        warn(f"tau_level: the density of states is known to {100 * share:.2g}% only, which is not in the errors: a finer mesh")
    return times
