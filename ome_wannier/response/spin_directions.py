"""Responses against the direction of the spins: one result with a dimension more."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..common.errors import SettingsError
from .compute import compute
from .request import finite

if TYPE_CHECKING:
    import xarray as xr


def spin_directions(
    model: Callable[[float, float], Any] | Any, theta: ArrayLike | None = None, phi: ArrayLike = 0.0, **settings: Any
) -> xr.Dataset:
    """The responses of a model with its spins along each of some directions.

    Parameters
    ----------
    model : a `SystemSOC` of WannierBerri; or a function of theta and phi that makes a model, or what `compute` takes for one.
    theta, phi : degrees from z, and in the plane from x; one number or as many as there are directions.
    settings : those of `compute`, such as calculators, kmesh and fermi.

    Returns
    -------
    xarray.Dataset as of `compute` with the dimension `direction` first and coordinates `theta` and `phi`; attributes are those
    that all directions have, since symmetries may differ. `summary`, `table`, `save` and figures take one direction,
        `found.isel(direction=0)`.

    Raises
    ------
    SettingsError : no angles, or such that do not go together; a function that does not take both. Others as of `compute`.
    """
    import xarray as xr

    from ..adapters.wannierberri.spin_orbit import turned

    if theta is None:
        raise SettingsError("spin_directions needs theta: give the angles from z, in degrees")
    angles = [np.atleast_1d(finite(name, x, "degrees")) for name, x in (("theta", theta), ("phi", phi))]
    if len({len(x) for x in angles} - {1}) > 1:
        raise SettingsError(f"{len(angles[0])} theta and {len(angles[1])} phi: give as many of both, or one")
    pairs = np.broadcast_arrays(*angles)
    if not callable(model) and type(model).__name__ != "SystemSOC":
        raise SettingsError(
            f"spin_directions takes a SystemSOC, or a function of theta and phi that makes a model, not {type(model).__name__}"
        )
    if callable(model) and not _takes_both(model):
        raise SettingsError("spin_directions: the function that makes a model takes theta and phi: def magnet(theta, phi)")
    make = model if callable(model) else lambda t, p: turned(model, *np.deg2rad((t, p)))
    results = [compute(make(float(t), float(p)), **settings) for t, p in zip(*pairs, strict=True)]
    found: xr.Dataset = xr.concat(results, "direction", join="exact", combine_attrs="drop_conflicts")
    about = {"units": "degrees"}
    return found.assign_coords(theta=("direction", pairs[0], about), phi=("direction", pairs[1], about))


def _takes_both(make: Callable[..., Any]) -> bool:
    """Whether a function can be called with two angles; True where Python does not know what it takes."""
    try:
        inspect.signature(make).bind(0.0, 0.0)
    except ValueError:  # no signature, as of some compiled functions
        return True
    except TypeError:
        return False
    return True
