"""Magnetization per current density, chi = alpha^ext sigma^-1: what a material gives for a current, whatever tau is.

Both factors are proportional to it. M_i = sum_a chi_ia j_a is a length in any number of periodic directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
UNIT = "angstrom"


def of_currents(at: xr.Dataset) -> dict[str, Any]:
    """Descriptors of a result at one temperature: the size of the element of chi that exceeds its error most, over all levels.

    Nothing where the conductivity is not there; an error that is not known where it exceeds its own at no level.
    """
    return {key: abs(value) if key.endswith(SUFFIX) else value for key, value in _signed(at).items()}


def _signed(at: xr.Dataset) -> dict[str, Any]:
    """The same with the sign."""
    pairs: dict[str, Any] = {}
    if CONDUCTIVITY not in at:
        return pairs
    for name in quantities(at):
        if name in EXTRINSIC and len(reasons(at[name])) < at[name].isel(fermi=0).size:
            pairs |= _largest(at, name)
    return pairs


def lines(result: xr.Dataset, level: int, temperature: int) -> list[tuple[str, str, str]]:
    """Rows of the first screen, (label with element, value with error, unit), at these indices of level and temperature."""
    at = result.isel(temperature=temperature) if "temperature" in result.dims else result
    found = _signed(at.isel(fermi=[level]))
    rows = []
    for name in (key.removesuffix(SUFFIX) for key in found if key.endswith(SUFFIX)):
        column = f"{name}{SUFFIX}"
        number = rounded(found[column], found[f"{column}_error"])
        rows.append((f"{said(name)} / sigma {found[f'{column}_element']}", number, pretty(UNIT)))
    return rows


def _largest(at: xr.Dataset, name: str) -> dict[str, Any]:
    directions = list(defined(at[CONDUCTIVITY])["field"])
    moment = next(str(d) for d in at[name].dims if d not in ("fermi", "field"))
    alpha, unsure = (at[n].transpose("fermi", moment, "field").sel(field=directions).values for n in (name, f"{name}_error"))
    along = {"field": directions, "position": directions}
    sigma, vague = (at[n].transpose("fermi", ...).sel(along).values for n in (CONDUCTIVITY, f"{CONDUCTIVITY}_error"))
    axes = [str(x) for x in at[name][moment].values]
    gone = reasons(at[name])
    zero = np.array([[i + j in gone for j in directions] for i in axes])
    alpha, unsure = np.where(zero, 0.0, alpha), np.where(zero, 0.0, unsure)
    least = [_least(sigma[i]) for i in range(len(sigma))]
    sure = [i for i in range(len(sigma)) if least[i] > np.linalg.norm(np.nan_to_num(vague[i], nan=np.inf))]
    known = sure or [i for i in range(len(sigma)) if least[i] > 0]
    if not known:
        return {}
    chi, error = ratio(alpha[known], unsure[known], sigma[known], vague[known])
    error = error if sure else np.full_like(error, np.nan)
    beyond = np.abs(chi) - np.nan_to_num(error, nan=np.inf)
    where = np.unravel_index(int(np.argmax(beyond if beyond.max() > 0 else np.abs(chi))), chi.shape)
    column = f"{name}{SUFFIX}"
    return {
        column: float(chi[where]) / ANGSTROM,
        f"{column}_error": float(error[where]) / ANGSTROM,
        f"{column}_element": axes[where[1]] + directions[where[2]],
        f"{column}_fermi": float(at["fermi"].values[known[where[0]]]),
    }


def ratio(alpha: Array, unsure: Array, sigma: Array, vague: Array) -> tuple[Array, Array]:
    """chi (nf, moment, position) = alpha sigma^-1 in metres and its error to first order, of alpha (nf, moment, field) and of
    sigma (nf, position, field): |d alpha| |rho| + |chi| |d sigma| |rho|."""
    rho = np.linalg.inv(sigma)
    chi = alpha @ rho
    return chi, unsure @ np.abs(rho) + np.abs(chi) @ vague @ np.abs(rho)


def _least(sigma: Array) -> float:
    """The conductivity along the direction where it is least; 0 where it is not known."""
    return float(np.linalg.eigvalsh(0.5 * (sigma + sigma.T)).min()) if np.isfinite(sigma).all() else 0.0
