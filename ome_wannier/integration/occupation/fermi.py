"""The Fermi function, its derivative and its integral."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


#: Fermi functions are 0 or 1 to double precision this many k_B T away
REACH = 36.0
#: the integral of |(e - mu)/(k_B T) (-df/de)| over the energy, and the largest value of it times k_B T
THERMAL_AREA, THERMAL_PEAK = 2 * float(np.log(2)), 0.22388


def fermi_function(energy: Array, mu: float, kT: float) -> Array:
    """f(e) for k_B T in eV; a step, f(mu) = 1, at kT = 0."""
    if kT == 0:
        return (energy <= mu).astype(float)
    return _fermi_and_derivative(energy, mu, kT)[0]


def minus_fermi_derivative(energy: Array, mu: float, kT: float) -> Array:
    """-df/de in 1/eV for k_B T > 0 in eV."""
    return _fermi_and_derivative(energy, mu, kT)[1]


def grand_weight(energy: Array, mu: float, kT: float) -> Array:
    """g(e) = k_B T log(1 + exp((mu - e) / k_B T)) in eV, the integral of f over the Fermi level; max(mu - e, 0) at kT = 0."""
    if kT == 0:
        return np.maximum(mu - energy, 0.0)
    return np.asarray(kT * np.logaddexp(0.0, (mu - energy) / kT))


def thermal_weight(energy: Array, mu: float, kT: float) -> Array:
    """(e - mu)/(k_B T) (-df/de) in 1/eV for k_B T > 0 in eV: the weight of states in a gradient of the temperature."""
    return np.asarray((energy - mu) / kT * minus_fermi_derivative(energy, mu, kT))


def by_occupation(energy: Array, mu: float, kT: float) -> dict[str, Array]:
    """The factors of states for k_B T > 0 in eV, by the name of the occupation: f, -df/de in 1/eV, g in eV, and
    (e - mu)/(k_B T) (-df/de) in 1/eV."""
    f, df = _fermi_and_derivative(energy, mu, kT)
    return {"sea": f, "surface": df, "grand": grand_weight(energy, mu, kT), "thermal": (energy - mu) / kT * df}


def _at_levels(energy: Array, mu: Array, kT: float) -> tuple[Array, Array, Array]:
    """f(e), -df/de in 1/eV, and exp((e - mu) / k_B T), (levels, energies) for k_B T > 0 in eV; all within some hundred k_B T,
    so that the exponential of every pair is the product of two."""
    y = np.exp((mu[0] - mu) / kT)[:, None] * np.exp((energy - mu[0]) / kT)
    f = 1 / (1 + y)
    return f, y * f * (f / kT), y


def _fermi_and_derivative(energy: Array, mu: float, kT: float) -> tuple[Array, Array]:
    """f(e), and -df/de in 1/eV, for k_B T > 0 in eV."""
    x = np.clip((energy - mu) / kT, -700, 700)
    z = np.exp(-np.abs(x))
    f = np.where(x > 0, z, 1.0) / (1 + z)
    return np.asarray(f), np.asarray(z / (1 + z) ** 2 / kT)
