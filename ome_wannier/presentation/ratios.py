"""Ratios to the conductivity, in which the relaxation time drops out: magnetization per current, and the Seebeck coefficient.

Both factors of chi = alpha^ext sigma^-1 are proportional to it. M_i = sum_a chi_ia j_a is a length in any number of periodic
directions. Without a current the field of a gradient is E = S grad T, S = -sigma^-1 times the current of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calculators.registry import first_observable, get, names
from ..common.units import ANGSTROM
from ..response.result_files import quantities
from .elements import defined, reasons, said
from .numbers import pretty, rounded

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: responses that are proportional to the relaxation time
EXTRINSIC = tuple(name for name in names() if first_observable(get(name)).kind == "extrinsic")
#: the conductivity that it is divided by
CONDUCTIVITY = "ohmic"
#: what is added to the name of a response
SUFFIX = "_per_current"


def ratio(alpha: Array, unsure: Array, sigma: Array, vague: Array) -> tuple[Array, Array]:
    """chi (nf, moment, position) = alpha sigma^-1 in metres and its error to first order, of alpha (nf, moment, field) and of
    sigma (nf, position, field): |d alpha| |rho| + |chi| |d sigma| |rho|."""
    rho = np.linalg.inv(sigma)
    chi = alpha @ rho
    return chi, unsure @ np.abs(rho) + np.abs(chi) @ vague @ np.abs(rho)


def seebeck(thermal: Array, unsure: Array, sigma: Array, vague: Array) -> tuple[Array, Array]:
    """S (nf, field, gradient) = -sigma^-1 thermal in V/K and its error, all (nf, 3, 3) or smaller, as for `ratio`."""
    chi, error = ratio(*(np.swapaxes(x, 1, 2) for x in (thermal, unsure, sigma, vague)))
    return -np.swapaxes(chi, 1, 2), np.swapaxes(error, 1, 2)


class Ratio(NamedTuple):
    """A ratio to the conductivity: its column in tables, the quantity that is divided, what it is called, what it and its axes
    are, its unit and the factor to that from SI, and how it is made."""

    column: str
    of: str
    label: str
    meaning: str
    axes: str
    unit: str
    factor: float
    made: Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def _per_current(name: str) -> Ratio:
    about = f"magnetization of {name} per current density: alpha / sigma, without tau"
    axes = "the moment and of the current"
    return Ratio(f"{name}{SUFFIX}", name, f"{said(name)} / sigma", about, axes, "angstrom", 1 / ANGSTROM, ratio)


_ABOUT = "Seebeck coefficient, below zero of electrons: current of a gradient / sigma, without tau"
SEEBECK = Ratio("seebeck", "ohmic_thermal", "Seebeck", _ABOUT, "the field and of the gradient", "uV/K", 1e6, seebeck)
RATIOS = (*map(_per_current, EXTRINSIC), SEEBECK)


def of_result(at: xr.Dataset) -> dict[str, Any]:
    """Descriptors of a result at one temperature: the size of the element of chi that exceeds its error most, over all levels;
    of the Seebeck coefficient with its sign.

    Nothing where the conductivity is not there; an error that is not known where it exceeds its own at no level.
    """
    return {key: abs(value) if key.endswith(SUFFIX) else value for key, value in _signed(at).items()}


def _signed(at: xr.Dataset) -> dict[str, Any]:
    """The same with the sign."""
    there = quantities(at) if CONDUCTIVITY in at else []
    pairs: dict[str, Any] = {}
    for one in RATIOS:
        if one.of in there and len(reasons(at[one.of])) < at[one.of].isel(fermi=0).size:
            pairs |= _largest(at, one)
    return pairs


def lines(result: xr.Dataset, level: int, temperature: int) -> list[tuple[str, str, str]]:
    """Rows of the first screen, (label with element, value with error, unit), at these indices of level and temperature."""
    at = result.isel(temperature=temperature) if "temperature" in result.dims else result
    found = _signed(at.isel(fermi=[level]))
    return [
        (f"{r.label} {found[f'{r.column}_element']}", rounded(found[r.column], found[f"{r.column}_error"]), pretty(r.unit))
        for r in RATIOS
        if r.column in found
    ]


def _largest(at: xr.Dataset, one: Ratio) -> dict[str, Any]:
    name = one.of
    directions = list(defined(at[CONDUCTIVITY])["field"])
    moment = next(str(d) for d in at[name].dims if d not in ("fermi", "field"))
    alpha, unsure = (at[n].transpose("fermi", moment, "field").sel(field=directions).values for n in (name, f"{name}_error"))
    along = {"field": directions, "position": directions}
    sigma, vague = (at[n].transpose("fermi", ...).sel(along).values for n in (CONDUCTIVITY, f"{CONDUCTIVITY}_error"))
    if moment == "position":
        alpha, unsure = (x[:, np.isin(at[name][moment].values, directions)] for x in (alpha, unsure))
    axes = directions if moment == "position" else [str(x) for x in at[name][moment].values]
    gone = reasons(at[name])
    zero = np.array([[i + j in gone for j in directions] for i in axes])
    alpha, unsure = np.where(zero, 0.0, alpha), np.where(zero, 0.0, unsure)
    least = [_least(sigma[i]) for i in range(len(sigma))]
    sure = [i for i in range(len(sigma)) if least[i] > np.linalg.norm(np.nan_to_num(vague[i], nan=np.inf))]
    known = sure or [i for i in range(len(sigma)) if least[i] > 0]
    if not known:
        return {}
    chi, error = one.made(alpha[known], unsure[known], sigma[known], vague[known])
    error = error if sure else np.full_like(error, np.nan)
    beyond = np.abs(chi) - np.nan_to_num(error, nan=np.inf)
    where = np.unravel_index(int(np.argmax(beyond if beyond.max() > 0 else np.abs(chi))), chi.shape)
    return {
        one.column: float(chi[where]) * one.factor,
        f"{one.column}_error": float(error[where]) * one.factor,
        f"{one.column}_element": axes[where[1]] + directions[where[2]],
        f"{one.column}_fermi": float(at["fermi"].values[known[where[0]]]),
    }


def _least(sigma: Array) -> float:
    """The conductivity along the direction where it is least; 0 where it is not known."""
    return float(np.linalg.eigvalsh(0.5 * (sigma + sigma.T)).min()) if np.isfinite(sigma).all() else 0.0
