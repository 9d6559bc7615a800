"""Whether a result depends on where its model was cut off: plane waves, a window of bands, or bands in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import adjoint
from ..bands.traces import level_weights
from ..calculators.circulation import CALCULATORS
from ..calculators.quantity import Observable
from ..calculators.weights import stack_tensor
from ..common.errors import ConvergenceWarning, SettingsError, warn
from ..models.plane_waves import PlaneWaves
from ..models.sparse_tight_binding import SparseTightBinding
from .compute import compute

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
    between = f"from cutoff {cutoff:g} to {cutoff + 1:g}"
    return _with_change(result, (result, finer), "cutoff_change", between, "raise the cutoff")


def local_within(first: int, last: int | None = None) -> Observable:
    """A calculator: the local part with all three bands among `first` to `last`, counted as Python's slices are.

    Against the number of bands it says how many take part in the local circulation: `local_within(-6)` has the highest six
    bands of a model, `local_within(n - 3, n + 3)` three on each side of the level above n bands. All bands give `local`,
    fewer than three give nothing.
    """

    def weights(bands: Bands) -> NDArray[np.float64]:
        """The local part with intermediate states in the window alone, (nk, n, moments, axes)."""
        kept = np.zeros(bands.energies.shape[1], dtype=bool)
        kept[first:last] = True
        inside = kept[:, None] & kept

        def anticommutator(m: int, n: int) -> NDArray[np.complex128]:
            R = bands.connection(n) * inside
            P = (bands.velocity(m) * inside) @ R
            return np.asarray((P + adjoint(P) - bands.anticommute_with_group_velocity(m, R)) / 2)

        operator = {(m, n): anticommutator(m, n) - anticommutator(n, m) for m, n in bands.pairs}
        return stack_tensor(bands, lambda m, n, b: level_weights(bands, bands.response(b) * inside, operator[m, n]))

    whole = next(c for c in CALCULATORS if c.name == "local")
    assert isinstance(whole, Observable)
    until = "" if last is None else f"{last}"
    name = f"local_within_{first}_{until}".replace("-", "m").rstrip("_")
    return replace(whole, name=name, long_name=f"{whole.long_name}, bands [{first}:{until}] alone", weights=weights)


def check_window(model: SparseTightBinding, **settings: Any) -> xr.Dataset:
    """The result, with `<name>_window_change` beside each quantity: what it has gained since a quarter of the window's bands.

    A layer's density of states grows linearly away from neutrality, so that a quarter of the bands covers half of the
    energies. Where what bands at a distance E add falls off as 1/E or faster, those beyond the window add at most as much
    as the last three quarters inside did. That was seen for `extrinsic`; `interband` of single k points oscillates with
    the window and was missed by twice the change. The bands are not solved for again.

    Parameters
    ----------
    settings : as for `compute`.

    Warns, raises : as `check_cutoff`.
    """
    few = max(model.window // 4, 1)
    result = compute(model, **settings)
    coarse = compute(model.narrowed(few), **settings)
    return _with_change(result, (coarse, result), "window_change", f"from {few} bands to {model.window}", "raise window")


def _with_change(result: xr.Dataset, pair: tuple[xr.Dataset, xr.Dataset], label: str, between: str, remedy: str) -> xr.Dataset:
    """The result with what each quantity changes within the pair; a warning where that exceeds its error."""
    before, after = pair
    for name in [str(name) for name in result.data_vars if f"{name}_error" in result]:
        # by position: where a filling is asked for, the Fermi levels move too
        change = result[name].copy(data=after[name].values - before[name].values)
        moved, error = (float(np.sqrt((x**2).mean())) for x in (change, result[f"{name}_error"]))
        if not np.isfinite(error):
            raise SettingsError(
                f"check_{label.split('_')[0]} compares with the error estimate: give kmesh even numbers of points"
            )
        change.attrs = {"units": result[name].attrs["units"], "long_name": f"change of {name} {between}"}
        result[f"{name}_{label}"] = change
        if moved > error:
            warn(
                f"{name} moves by {moved:.2g} {between}, its error estimate is {error:.2g}: {remedy}",
                ConvergenceWarning,
            )
    return result
