"""Band-resolved quantities at given k points: for maps of the zone, coloured bands and looking inside a number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..bands.degeneracy import Degeneracy
from ..calculators.quantity import Observable
from ..calculators.registry import Calculator, combine, defaults, first_observable, resolve
from ..calculators.reported_units import AXES
from ..calculators.weights import as_reported, component_shapes, evaluate_at, reported_axes, unpacked
from ..common.errors import SettingsError
from ..integration.memory import WORKING_SET, bytes_per_point
from ..models.base import Model, has_zone, require_model

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


def tabulate(
    model: Model,
    k: ArrayLike,
    calculators: Iterable[str | Calculator] | None = None,
    *,
    degeneracy_tol: float | None = None,
) -> xr.Dataset:
    """Energies and per-band weights at the points `k` (nk, 3): fractional for a lattice, 1/Angstrom for k.p.

    Returns
    -------
    xarray.Dataset with `energy` (k, band) in eV, `point` (k, 3) and for each calculator (k, band, *components): the
    integrand that compute() sums with the Fermi function (attribute occupation "sea"), minus its derivative ("surface") or
    its integral ("grand"), in units of hbar = e = 1, eV and Angstrom, averaged over degenerate groups. A combination of terms
    that are occupied in different ways has no single integrand and is refused.

    Raises
    ------
    SettingsError : points of the wrong shape, a combination that mixes terms that are occupied in different ways.
    """
    import xarray as xr

    require_model(model)
    points = np.atleast_2d(np.asarray(k, dtype=float))
    if points.ndim != 2 or points.shape[1] != (model.dimension if not has_zone(model) else 3):
        raise SettingsError(f"k has shape {points.shape}: expected (nk, 3), or (nk, d) for k.p")
    asked = [n for n in defaults(model.has_spin) if not _mixed(n)] if calculators is None else calculators
    wanted, terms = resolve(asked)
    observables = [t for t in terms if isinstance(t, Observable)]
    for calculator in wanted:
        if _mixed(calculator):
            raise SettingsError(f"{calculator.name} mixes terms that are occupied in different ways: ask for its terms instead")
    if len(observables) < len(terms):
        raise SettingsError("chern_simons is a property of a gap, not of bands: it has no band-resolved form")
    step = max(1, WORKING_SET // bytes_per_point(model.n_orbitals, max(o.order for o in observables)))
    with threadpool_limits(limits=1, user_api="blas"):
        degeneracy = Degeneracy.of(model, np.inf, degeneracy_tol)
        batches = [points[start : start + step] for start in range(0, len(points), step)]
        found = [evaluate_at(model, observables, batch, degeneracy) for batch in batches]
    energies = np.concatenate([bands.energies for bands, _ in found])
    weights = unpacked(np.concatenate([columns for _, columns in found]), component_shapes(observables, model))
    coords: dict[str, Any] = {}
    data: dict[str, Any] = {
        "energy": (("k", "band"), energies, {"units": "eV", "long_name": "band energy"}),
        "point": (("k", "component"), points, {"long_name": "k point"}),
    }
    for calculator in wanted:
        observable = first_observable(calculator)
        assert isinstance(observable, Observable)
        axes = reported_axes(model, observable.dims)
        coords |= {d: (d, AXES[list(a)]) for d, a in zip(observable.dims, axes, strict=True)}
        about = {"long_name": calculator.long_name, "equation": calculator.equation}
        about |= {"occupation": observable.occupation, "kind": observable.kind}
        value = as_reported(model, observable.dims, combine(calculator, weights))
        data[calculator.name] = (("k", "band", *observable.dims), value, about)
    return xr.Dataset(data, coords, {"model": model.name, "model_sha256": model.sha256})


def _mixed(calculator: str | Calculator) -> bool:
    _, terms = resolve([calculator])
    return len({t.occupation for t in terms if isinstance(t, Observable)}) > 1
