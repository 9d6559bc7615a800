"""The Fermi function and its derivative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


#: Fermi functions are 0 or 1 to double precision this many k_B T away
REACH = 36.0


def fermi_function(energy: Array, mu: float, kT: float) -> Array:
    """f(e) for k_B T in eV; a step, f(mu) = 1, at kT = 0."""
    if kT == 0:
        return (energy <= mu).astype(float)
    return _fermi_and_derivative(energy, mu, kT)[0]


def minus_fermi_derivative(energy: Array, mu: float, kT: float) -> Array:
    """-df/de in 1/eV for k_B T > 0 in eV."""
    return _fermi_and_derivative(energy, mu, kT)[1]


def _at_levels(energy: Array, mu: Array, kT: float) -> tuple[Array, Array]:
    """f(e), and -df/de in 1/eV, (levels, energies) for k_B T > 0 in eV; all within some hundred k_B T, so that the exponential
    of every pair is the product of two."""
    y = np.exp((mu[0] - mu) / kT)[:, None] * np.exp((energy - mu[0]) / kT)
    f = 1 / (1 + y)
    y *= f
    y *= f / kT
    return f, y


def _fermi_and_derivative(energy: Array, mu: float, kT: float) -> tuple[Array, Array]:
    """f(e), and -df/de in 1/eV, for k_B T > 0 in eV."""
    x = np.clip((energy - mu) / kT, -700, 700)
    z = np.exp(-np.abs(x))
    f = np.where(x > 0, z, 1.0) / (1 + z)
    return np.asarray(f), np.asarray(z / (1 + z) ** 2 / kT)
