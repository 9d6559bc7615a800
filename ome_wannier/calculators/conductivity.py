"""What carries a current: Drude weight and ohmic conductivity, the density of states, and the number of electrons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.traces import velocities_weighted
from .quantity import Observable
from .thermal import thermal_of

Array = NDArray[np.float64]


def squared_velocity(bands: Bands) -> Array:
    """Re [vbar_a vbar_b]_nn, to be weighted with -df/de: (nk, n, position, field) in eV^2 Angstrom^2.

    Velocities are blocks inside degenerate groups, and the trace of their product is taken (physics.md eq. 12).
    """
    return velocities_weighted(bands, bands.velocities)


def states(bands: Bands) -> Array:
    """1 of every state: (nk, n)."""
    return np.ones_like(bands.energies)


_REFERENCE = "Ashcroft, Mermin, Solid State Physics (1976), Eqs. (13.25), (13.26)"

DRUDE_WEIGHT = Observable(
    name="drude_weight",
    long_name="Drude weight, the ohmic conductivity per relaxation time",
    kind="drude",
    occupation="surface",
    time_reversal=+1,
    inversion=+1,
    equation="D_ab = (e^2/hbar^2) sum_n (-df_n/de) v_a,n v_b,n,  sigma = D tau",
    reference=_REFERENCE,
    weights=squared_velocity,
    dims=("position", "field"),
)
OHMIC = replace(
    DRUDE_WEIGHT,
    name="ohmic",
    long_name="ohmic conductivity in the relaxation-time approximation",
    kind="ohmic",
    equation="sigma_ab = (e^2/hbar^2) tau sum_n (-df_n/de) v_a,n v_b,n",
)
DOS = Observable(
    name="dos",
    long_name="density of states at the Fermi level, as wide as the temperature",
    kind="density",
    occupation="surface",
    time_reversal=+1,
    inversion=+1,
    equation="g = sum_n (-df_n/de)",
    reference="Ashcroft, Mermin, Solid State Physics (1976), Eq. (8.57)",
    weights=states,
    dims=(),
    unit="1/eV",
)
CALCULATORS = (
    DRUDE_WEIGHT,
    OHMIC,
    replace(
        thermal_of(OHMIC, "j_a = e tau sum_n (-df_n/de) ((e_n - mu)/T) v_a,n v_b,n d_b T"),
        long_name="current of a gradient of the temperature, minus the Seebeck coefficient times ohmic",
    ),
    DOS,
    Observable(
        name="electrons",
        long_name="density of electrons in the bands of the model",
        kind="density",
        occupation="sea",
        time_reversal=+1,
        inversion=+1,
        equation="n = sum_n f_n",
        reference="Ashcroft, Mermin, Solid State Physics (1976), Eq. (2.46)",
        weights=states,
        dims=(),
        full_bands="cancel",
    ),
)
