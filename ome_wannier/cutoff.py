"""Whether a result depends on the cutoff of the plane waves that its model was made with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .compute import compute
from .errors import ConvergenceWarning, SettingsError
from .planewaves import PlaneWaves

if TYPE_CHECKING:
    import xarray as xr


def check_cutoff(build: Callable[..., PlaneWaves], cutoff: float, **settings: Any) -> xr.Dataset:
    """The result at this cutoff, with `<name>_cutoff_change` beside each quantity: what one more shell of waves does to it.

    Parameters
    ----------
    build : function of the keyword `cutoff` that makes the model, such as functools.partial(twisted_tmd, theta=3.0).
    settings : as for `compute`.

    Warns
    -----
    ConvergenceWarning : a quantity moves by more than its error estimate (both as root mean square over levels,
        temperatures and components).

    Raises
    ------
    SettingsError : a mesh without sub-meshes, which has no error to compare with.
    """
    result, finer = (compute(build(cutoff=c), **settings) for c in (cutoff, cutoff + 1))
    names = [str(name) for name in result.data_vars if f"{name}_error" in result]
    for name in names:
        # by position: where a filling is asked for, the Fermi levels move too
        change = result[name].copy(data=finer[name].values - result[name].values)
        moved, error = (float(np.sqrt((x**2).mean())) for x in (change, result[f"{name}_error"]))
        if not np.isfinite(error):
            raise SettingsError("check_cutoff compares with the error estimate: give kmesh even numbers of points")
        change.attrs = {"units": result[name].attrs["units"], "long_name": f"change of {name} to cutoff {cutoff + 1:g}"}
        result[f"{name}_cutoff_change"] = change
        if moved > error:
            warnings.warn(
                f"{name} moves by {moved:.2g} from cutoff {cutoff:g} to {cutoff + 1:g}, its error estimate is {error:.2g}: "
                "raise the cutoff",
                ConvergenceWarning,
                stacklevel=2,
            )
    return result
