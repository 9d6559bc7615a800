"""The units that quantities are reported in, and the names of their components."""

from __future__ import annotations

import numpy as np

from ..common import units
from ..common.errors import SettingsError
from .quantity import OF_OPERATORS, Observable
from .registry import Term, first_observable, get

AXES = np.array(["x", "y", "z"])
INDEX_ORDER = "M_i = alpha_ij E_j: moment axis i first, field axis j second"
INDEX_ORDER_OF_GRADIENTS = "M_i = alpha_ij d_j T: moment axis i first, axis j of the gradient (dimension field) second"


#: numbers below this, in the natural units of their quantity (eV, Angstrom, e^2/hbar), are zero to rounding
ROUNDING = 1e-12


def index_order(observable: Term) -> str:
    """What the indices of a response (moment, field) are."""
    return INDEX_ORDER_OF_GRADIENTS if observable.kind == "thermal" else INDEX_ORDER


def negligible(name: str, unit: str) -> float:
    """What numbers of a quantity, in its SI unit, have to exceed to be more than rounding; 0 of a user's own quantities."""
    try:
        observable = first_observable(get(name))
    except SettingsError:
        return 0.0
    if isinstance(observable, Observable) and observable.kind == "own":
        return 0.0
    factors = {named: factor for factor, named in (unit_of(observable, d, units.HBAR_EV_FS) for d in range(4))}
    return ROUNDING * abs(factors.get(unit, 0.0))


def unit_of(observable: Term, dimension: int, tau: float) -> tuple[float, str]:
    """Factor from internal units (eV, Angstrom, hbar = e = 1) to the reported unit of an observable, and its name."""
    if isinstance(observable, Observable) and observable.kind == "own":
        return observable.factor, observable.unit
    if isinstance(observable, Observable) and observable.kind in OF_OPERATORS:
        return _of_operator(observable, dimension, tau)
    per = {3: "/angstrom", 2: "", 1: " angstrom", 0: " angstrom^2"}[dimension]
    metres = {3: "/m", 2: "", 1: " m", 0: " m^2"}[dimension]
    conductance = units.E2_OVER_HBAR * units.ANGSTROM ** (2 - dimension)
    return {
        "alpha": (units.alpha_to_si(dimension), units.ALPHA_UNIT[dimension]),
        "extrinsic": (units.extrinsic_to_si(dimension, tau), units.ALPHA_UNIT[dimension]),
        "polarizability": (1.0, f"e{per}/V" if per else "e/V"),
        "curvature": (1.0, per.replace("/angstrom", "1/angstrom").strip() or "1"),
        "moment": (conductance, f"A{metres}"),
        "moment_slope": (conductance, f"A{metres}/eV"),
        "drude": (conductance / (units.HBAR_EV_FS * 1e-15), f"S{metres}/s"),
        "ohmic": (conductance * tau / units.HBAR_EV_FS, f"S{metres}"),
        "thermal": (units.KB * units.extrinsic_to_si(dimension, tau), units.ALPHA_UNIT[dimension].replace("/V", "/K")),
        "thermal_current": (units.KB * conductance * tau / units.HBAR_EV_FS, f"A{metres}/K"),
    }[observable.kind]


def _of_operator(observable: Observable, dimension: int, tau: float) -> tuple[float, str]:
    """The same for kinds of an operator: its density, what a field of 1 V/m makes of it, and its current over charge."""
    volume, unit = units.ANGSTROM**dimension, observable.unit
    per = {3: "/m^3", 2: "/m^2", 1: "/m", 0: ""}[dimension]
    per_field = {3: "/m^2/V", 2: "/m/V", 1: "/V", 0: " m/V"}[dimension]
    metres = {3: "/m", 2: "", 1: " m", 0: " m^2"}[dimension]
    conductance = units.E2_OVER_HBAR * units.ANGSTROM ** (2 - dimension)
    factor, unit = {
        "density": (1 / volume, f"{unit}{per}"),
        "density_response": (units.ANGSTROM / volume, f"{unit}{per_field}"),
        "density_extrinsic": (units.ANGSTROM / volume * tau / units.HBAR_EV_FS, f"{unit}{per_field}"),
        "density_thermal": (
            units.KB * units.ANGSTROM / volume * tau / units.HBAR_EV_FS,
            f"{unit}{per_field.replace('V', 'K')}",
        ),
        "current_response": (conductance, f"{unit}/e S{metres}"),
    }[observable.kind]
    return factor * observable.factor, unit
