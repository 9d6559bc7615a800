"""Band-resolved quantities at given k points: for maps of the zone, coloured bands and looking inside a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..bands.degeneracy import Degeneracy
from ..calculators.blocks import blocks
from ..calculators.operators import named_in
from ..calculators.quantity import Combination, Observable
from ..calculators.registry import Calculator, combine, defaults, first_observable, resolve, with_terms
from ..calculators.weights import component_axes, evaluate_at, named
from ..common.errors import SettingsError
from ..integration.memory import WORKING_SET, bytes_per_point
from ..integration.occupation.fermi import by_occupation
from ..models.base import Model, has_zone, require_model
from . import layer

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

    Parameters
    ----------
    calculators : names or calculators, and names of the terms of layers and chains (`blocks.TERMS`).

    Returns
    -------
    xarray.Dataset with `energy` (k, band) in eV, `point` (k, 3) and for each calculator (k, band, *components): the
    integrand that compute() sums with the Fermi function (attribute occupation "sea"), minus its derivative ("surface") or
    its integral ("grand"), in units of hbar = e = 1, eV and Angstrom, averaged over degenerate groups ("grand": a straight line
    in their energies, physics.md eq. 69). A combination of terms that are occupied in different ways has no single integrand
    and is refused. Elements of a layer or chain that are such a combination, or do not exist, are nan; the attribute `missing`
    says why. Positions across count from the centres' mean.

    Raises
    ------
    SettingsError : points of the wrong shape, a combination that mixes terms that are occupied in different ways.
    """
    import xarray as xr

    require_model(model)
    points = np.atleast_2d(np.asarray(k, dtype=float))
    if points.ndim != 2 or points.shape[1] != (model.dimension if not has_zone(model) else 3):
        raise SettingsError(f"k has shape {points.shape}: expected (nk, 3), or (nk, d) for k.p")
    asked = [n for n in defaults(model.has_spin) if len(_occupations(n)) == 1] if calculators is None else calculators
    wanted, terms = resolve(with_terms(named_in(model, asked)))
    for calculator in wanted:
        refuse_mixed(model, calculator)
    if not all(isinstance(t, Observable) for t in terms):
        raise SettingsError("chern_simons is a property of a gap, not of bands: it has no band-resolved form")
    energies, weights = weights_at(model, points, observables_of(model, wanted), degeneracy_tol)
    coords: dict[str, Any] = {}
    data: dict[str, Any] = {
        "energy": (("k", "band"), energies, {"units": "eV", "long_name": "band energy"}),
        "point": (("k", "component"), points, {"long_name": "k point"}),
    }
    whole = layer.whole(model, wanted)
    for calculator in wanted:
        observable = first_observable(calculator)
        assert isinstance(observable, Observable)
        axes = layer.result_axes(model, observable.dims, whole)
        coords |= {d: (d, np.array(named)) for d, named in layer.letters(model, calculator, axes).items()}
        about = {"long_name": calculator.long_name, "equation": calculator.equation}
        about |= {"occupation": observable.occupation, "kind": observable.kind}
        if reason := missing(model, calculator, axes):
            about["missing"] = reason
        value = layer.reported(model, calculator, axes, per_band(model, calculator, weights))
        data[calculator.name] = (("k", "band", *observable.dims), value, about)
    return xr.Dataset(data, coords, {"model": model.name, "model_sha256": model.sha256})


def integrand(
    model: Model, calculator: Calculator, k: Array, fermi: float, kT: float, degeneracy_tol: float | None = None
) -> tuple[Array, Array, dict[str, tuple[str, ...]]]:
    """What compute() averages over the zone, at one Fermi level and k_B T > 0 in eV, fixed by a field across a layer or chain.

    Returns
    -------
    energies (nk, n) in eV; the sum over bands (nk, *components), as a dataset of compute() has it (but in units of
    hbar = e = 1, eV and Angstrom); the axes of each dimension.
    """
    parts = _parts(model, [calculator])
    observables = [t for t in resolve([calculator, *parts])[1] if isinstance(t, Observable)]
    energies, weights = weights_at(model, k, observables, degeneracy_tol)
    occupation = by_occupation(energies, fermi, kT)
    sums = {o.name: np.einsum("kn,kn...->k...", occupation[o.occupation], weights[o.name])[:, None] for o in observables}
    values = {c.name: combine(c, sums) for c in (calculator, *parts)}
    axes = layer.result_axes(model, first_observable(calculator).dims, layer.whole(model, [calculator]))
    return energies, layer.reported(model, calculator, axes, values)[:, 0], layer.letters(model, calculator, axes)


def weights_at(
    model: Model, points: Array, observables: Sequence[Observable], degeneracy_tol: float | None = None
) -> tuple[Array, dict[str, Array]]:
    """Energies (nk, n) in eV and the weights (nk, n, *components) of observables on the model's axes, at points (nk, 3)."""
    step = max(1, WORKING_SET // bytes_per_point(model.n_orbitals, max(o.order for o in observables)))
    with threadpool_limits(limits=1, user_api="blas"):
        degeneracy = Degeneracy.of(model, np.inf, degeneracy_tol)
        batches = [points[start : start + step] for start in range(0, len(points), step)]
        found = [evaluate_at(model, observables, batch, degeneracy) for batch in batches]
    energies = np.concatenate([bands.energies for bands, _ in found])
    return energies, named(np.concatenate([columns for _, columns in found]), observables, model)


def observables_of(model: Model, wanted: Sequence[Calculator]) -> list[Observable]:
    """The observables of the quantities, and of their blocks that have a band-resolved form."""
    parts = [p for c in wanted for p in _parts(model, [c]) if _occupations(p) == _occupations(c)]
    return [t for t in resolve([*wanted, *parts])[1] if isinstance(t, Observable)]


def per_band(model: Model, calculator: Calculator, weights: Mapping[str, Array]) -> dict[str, Array]:
    """A quantity and its blocks (nk, n, *components); nan, or zero where a layer was rotated, what mixes occupations."""
    value = combine(calculator, weights)
    out, along = {calculator.name: value}, component_axes(model.axes, model.moments)
    for block in blocks(model, [calculator.name]):
        if set(block.terms) <= set(weights):
            out[block.name] = sum((weights[t] for t in block.terms), np.zeros(()))
        else:
            shape = (*value.shape[:2], *(len(along[d]) for d in block.dims))
            out[block.name] = np.full(shape, np.nan if model.frame is None else 0.0)
    return out


def missing(model: Model, calculator: Calculator, axes: Sequence[tuple[int, ...]]) -> str:
    """Why a quantity has elements that are nan, or nothing."""
    mixed = [p for p in _parts(model, [calculator]) if _occupations(p) != _occupations(calculator)]
    said = [f"{p.name} mixes terms that are occupied in different ways: {', '.join(t for t, _ in p.terms)}" for p in mixed]
    return "; ".join([*said, *filter(None, [layer.missing(model, calculator, axes)])])


def refuse_mixed(model: Model, calculator: Calculator) -> None:
    """SettingsError for a quantity that mixes terms that are occupied in different ways, with the names of these."""
    if len(_occupations(calculator)) > 1:
        terms = resolve([calculator, *_parts(model, [calculator])])[1]
        raise SettingsError(
            f"{calculator.name} mixes terms that are occupied in different ways: ask for its terms instead "
            f"({', '.join(t.name for t in terms)})"
        )


def _parts(model: Model, wanted: Sequence[Calculator]) -> list[Combination]:
    """The blocks of layers and chains, without what they change by with the origin."""
    return [b.value for b in blocks(model, [c.name for c in wanted])]


def _occupations(calculator: str | Calculator) -> set[str]:
    """How the terms of a quantity are occupied."""
    return {t.occupation for t in resolve([calculator])[1] if isinstance(t, Observable)}
