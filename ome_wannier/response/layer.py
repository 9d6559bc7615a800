"""What a result of a layer needs beyond integrals: which gate, which origin, and its tensors put together of their blocks.

layers.md eqs. 9 and 10: with the origin at z0 an element is its value at the mean of the centres plus z0 times its drift. At a
fixed number of electrons a field along the normal moves the Fermi level by z_FS per unit of it, where the carriers are, which
is the same as an origin there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calculators.blocks import CARRIERS, HEIGHT, Block, blocks, knows_across
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import AXES
from ..calculators.weights import component_axes
from ..common.errors import SettingsError, warn
from ..integration.band_ranges import Look
from ..integration.integral import Integral, Request
from ..models.alignment import in_users_axes
from ..models.base import Model, has_zone

Array = NDArray[np.float64]
Values = dict[str, Array]
Axes = Sequence[tuple[int, ...]]

GATES = ("density", "level")
#: quantised anomalous Hall conductivities from which on a gap counts as that of a Chern insulator
HALF = 0.5
#: share of the largest element that a dependence on the origin, per Angstrom, has to have for a warning
SHARE = 1e-3
#: and in e^2/hbar Angstrom^(2-d) (times eV of extrinsic parts): less is rounding
ROUNDING = 1e-10


class Choice(NamedTuple):
    """What the elements of a layer or chain depend on.

    gate : "density", "level", or None: density, but in the gaps of Chern insulators. shift : (bounded,) Angstrom across, where
    the origin is, from the mean of the centres. given : whether somebody chose it.
    """

    gate: str | None
    shift: Array
    given: bool


def choice_of(model: Model, gate: object, origin: ArrayLike | None) -> Choice:
    """What was asked for; SettingsError for what cannot be, and for models that are no layers or chains."""
    if gate is not None and gate not in GATES:
        raise SettingsError(f'gate is {gate!r}: give "density" (electrons stay) or "level" (the Fermi level stays)')
    for name, value in (("gate", gate), ("origin", origin)):
        if value is not None and not knows_across(model):
            raise SettingsError(f"{name} is of layers and chains that know where their orbitals are across them: leave it out")
    if origin is None:
        return Choice(None if gate is None else str(gate), np.zeros(len(model.bounded)), False)
    try:
        found = np.asarray(origin, dtype=float)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    bounded = list(model.bounded)
    if found.shape not in (() if len(bounded) == 1 else (3,), (3,)) or not np.isfinite(found).all():
        along = "Angstrom along the normal, or " if len(bounded) == 1 else ""
        raise SettingsError(f"origin is {origin!r}: give {along}a point of three coordinates")
    if found.ndim:
        found = (found if model.frame is None else model.frame @ found)[bounded]
    return Choice(None if gate is None else str(gate), np.atleast_1d(found) - _centre(model)[bounded], True)


def placed(
    request: Request, wanted: Sequence[Calculator], found: Integral, choice: Choice, shares: Sequence[Block] = ()
) -> Integral:
    """The blocks of a layer with its gate and its origin, and their drifts; warns where the origin matters and is a default.

    shares : blocks of parts of the material, whose terms were integrated one by one.
    """
    model = request.integrand.model
    of_layer = [b for b in blocks(model, [c.name for c in wanted]) if b.drifts]
    if not of_layer:
        return found
    found = _summed(found, shares)
    of_layer += shares
    chern = _chern(request, of_layer, found.values)
    density = np.zeros_like(chern) if choice.gate == "level" else ~chern
    if chern.any() and choice.gate == "density":
        warn(
            "gate: in the gap of a Chern insulator the moment moves with the Fermi level, which its edges pin: there gate is "
            '"level"'
        )
    values, errors, raw = dict(found.values), dict(found.errors), dict(found.raw)
    for block in of_layer:
        fixed = density[:, None, None] & (block.dims[-1] == "gate")
        for part in (values, raw) if raw else (values,):
            part[block.name] = part[block.name] + _times(np.where(fixed, _height(part), choice.shift), part[block.drift])
        z, drift = np.where(fixed, _height(found.values), choice.shift), np.abs(found.values[block.drift])
        unsure = np.where(fixed, _height_error(found), 0.0) if block.dims[-1] == "gate" else np.zeros_like(z)
        errors[block.name] = errors[block.name] + _times(np.abs(z), errors[block.drift]) + _times(unsure, drift)
        for part in (values, errors, raw) if raw else (values, errors):
            part[block.drift] = np.where(_beside(fixed, part[block.drift]), 0.0, part[block.drift])
    out = found._replace(values=values, errors=errors, raw=raw, attrs=found.attrs | _about(request, choice, density, chern))
    if not choice.given and not _middle_is_fixed(request):
        _warn_of_origin(request, of_layer, out)
    return out


def _summed(found: Integral, shares: Sequence[Block]) -> Integral:
    """With the sums of the terms of blocks, whose errors add up."""
    sums = {name: terms for b in shares for name, terms in ((b.name, b.terms), (b.drift, b.drifts))}

    def with_sums(known: Values) -> Values:
        return known | {name: np.sum([known[t] for t in terms], axis=0) for name, terms in sums.items()} if known else known

    return found._replace(values=with_sums(found.values), errors=with_sums(found.errors), raw=with_sums(found.raw))


def whole(model: Model, wanted: Sequence[Calculator]) -> set[str]:
    """The dimensions that have all three axes: those of quantities that were asked for and have blocks."""
    return {d for c in wanted if blocks(model, [c.name]) for d in first_observable(c).dims}


def assembled(model: Model, calculator: Calculator, values: Mapping[str, Array], axes: Axes, empty: float) -> Array:
    """A quantity (nf, nT, *components), or with two other dimensions before these, on `result_axes`; `empty` where it has no
    element."""
    dims, value = first_observable(calculator).dims, values[calculator.name]
    along = component_axes(model.axes, model.moments)
    if [len(a) for a in axes] == list(value.shape[2:]):
        return value
    out = np.full((*value.shape[:2], *(len(a) for a in axes)), empty)
    for at, part in ((dims, value), *((b.dims, values[b.name]) for b in blocks(model, [calculator.name]))):
        rows, *more = ([a.index(i) for i in along[d]] for a, d in zip(axes, at, strict=True))
        out[np.ix_(range(len(out)), range(out.shape[1]), rows, *more)] = part
    return out


def drifts(model: Model, calculator: Calculator, values: Values) -> list[Values]:
    """What a quantity and its blocks change by when the origin moves by an Angstrom along each direction across; none without
    blocks that do."""
    moving = [b for b in blocks(model, [calculator.name]) if b.drifts]
    still = {calculator.name: np.zeros_like(values[calculator.name])}
    directions = range(len(model.bounded)) if moving else ()
    return [still | {b.name: values[b.drift][..., g] for b in moving} for g in directions]


def result_axes(model: Model, dims: Sequence[str], whole: set[str]) -> list[tuple[int, ...]]:
    """Cartesian axes of the model that each dimension of a result runs over: all three of those in `whole`."""
    along = component_axes(model.axes, model.moments)
    return [(0, 1, 2) if d in whole else along[d] for d in dims]


def missing(model: Model, calculator: Calculator, axes: Axes) -> str:
    """Why a quantity on `result_axes` has elements that are nan, or nothing."""
    along, dims = component_axes(model.axes, model.moments), first_observable(calculator).dims
    if list(axes) == [along[d] for d in dims]:
        return ""
    across = ", ".join(AXES[i] for i in model.bounded)
    if (kind := first_observable(calculator).kind) in ("extrinsic", "thermal"):
        what = "static field" if kind == "extrinsic" else "gradient of the temperature"
        return f"field {across}: a {what} across a {_kind(model)} drives no current, so there is no extrinsic part"
    if blocks(model, [calculator.name]):
        return ""
    if dims == ("moment",):
        return f"known along {across}: magnetization has the other elements, which are not split"
    if "moment" in dims:
        return f"known for fields in the plane, and moments along {across}: total has the other elements, which are not split"
    if "axis" in dims:
        return f"known along {across}: the others need a momentum across the {_kind(model)}"
    return f"{across}: known along the periodic directions"


def reported(model: Model, calculator: Calculator, axes: Axes, values: Mapping[str, Array], error: bool = False) -> Array:
    """A quantity in the user's axes, `assembled`: nan where it has no element, or zero where a layer was rotated."""
    if model.frame is None:
        return assembled(model, calculator, values, axes, np.nan)
    return in_users_axes(assembled(model, calculator, values, axes, 0.0), list(axes), model.frame, error)


def letters(model: Model, calculator: Calculator, axes: Axes) -> dict[str, tuple[str, ...]]:
    """The user's Cartesian axes of each dimension of a quantity on `result_axes`."""
    seen = axes if model.frame is None else [(0, 1, 2)] * len(axes)
    return {d: tuple(AXES[list(a)].tolist()) for d, a in zip(first_observable(calculator).dims, seen, strict=True)}


def _kind(model: Model) -> str:
    """A layer or a chain."""
    return "layer" if len(model.bounded) == 1 else "chain"


def _centre(model: Model) -> Array:
    centre: Array = model.centre  # type: ignore[attr-defined]
    return centre


def _times(z: Array, drift: Array) -> Array:
    """z (nf, nT, gate) times a drift (nf, nT, *components, gate)."""
    return np.asarray((_beside(z, drift) * drift).sum(axis=-1))


def _beside(z: NDArray[Any], drift: Array) -> NDArray[Any]:
    """z (nf, nT, gate) with the dimensions of a drift (nf, nT, *components, gate)."""
    return z.reshape(*z.shape[:-1], *(1,) * (drift.ndim - z.ndim), z.shape[-1])


def _height(values: Values) -> Array:
    """(nf, nT, gate) in Angstrom, where the carriers at the Fermi level are; 0 where there are none."""
    if HEIGHT.name not in values:
        return np.zeros(())
    return _per_carrier(values[HEIGHT.name], values)


def _per_carrier(x: Array, values: Values) -> Array:
    """x (nf, nT, gate) over the density of states; 0 where there is none."""
    number = np.broadcast_to(values[CARRIERS.name][..., None], x.shape)
    out: Array = np.divide(x, number, out=np.zeros_like(x), where=number > 0)
    return out


def _height_error(found: Integral) -> Array:
    """Its error."""
    error = found.errors[HEIGHT.name] + np.abs(_height(found.values)) * found.errors[CARRIERS.name][..., None]
    return _per_carrier(error, found.values)


def _chern(request: Request, of_layer: Sequence[Block], values: Values) -> NDArray[np.bool_]:
    """(nf,) which Fermi levels lie in the gap of a Chern insulator: with a quantised Hall conductivity and no band there."""
    model, levels = request.integrand.model, request.integrand.occupation.fermi
    hall = next((values[b.drift] for b in of_layer if "lateral_hall" in b.drifts), None)
    out = np.zeros(len(levels), dtype=bool)
    if hall is None or not has_zone(model) or len(model.axes) < 2:
        return out
    coldest = int(np.argmin(request.integrand.occupation.temperature))
    number = 2 * np.pi * hall[:, coldest, 0, 0, 0] / model.spin_degeneracy
    quantised = np.abs(number) > HALF
    if quantised.any():
        gaps = Look.at(model).gaps_among(levels[quantised])
        out[quantised] = [any(g.holds(level) for g in gaps) for level in levels[quantised].tolist()]
    return out


def _middle_is_fixed(request: Request) -> bool:
    """Whether symmetries leave one point across alone, such as those that map a layer upside down: the natural origin."""
    across = np.ix_(request.integrand.model.bounded, request.integrand.model.bounded)
    mean = sum((g.rotation[across] for g in request.group.operations), np.zeros(())) / len(request.group.operations)
    return bool(np.abs(mean).max() < 1e-6)


def _warn_of_origin(request: Request, of_layer: Sequence[Block], found: Integral) -> None:
    """Warn, once, of elements of fields in the plane that depend on the origin by more than their errors per Angstrom."""
    along = component_axes(request.integrand.model.axes, request.integrand.model.moments)
    said, share = [], 0.0
    for block in (b for b in of_layer if b.dims[-1] == "field"):
        value, drift = np.abs(found.values[block.name]), np.linalg.norm(found.values[block.drift], axis=-1)
        least = np.nan_to_num(
            np.maximum(found.errors[block.name], np.linalg.norm(found.errors[block.drift], axis=-1)), nan=np.inf
        )
        least = np.maximum(least, max(SHARE * value.max(), SHARE * drift.max(), ROUNDING))
        moved = np.where(drift > least, drift, 0.0)
        if moved.any():
            at = np.unravel_index(int(np.argmax(moved)), moved.shape)
            said.append(f"{block.of} {''.join(AXES[along[d][i]] for d, i in zip(block.dims, at[2:], strict=True))}")
            share = max(share, float(drift[at] / max(value.max(), least[at])))
    if said:
        kind, which = _kind(request.integrand.model), f"{', '.join(said[:2])}{', ...' * (len(said) > 2)}"
        most = f"{100 * share:.2g}%" if share < 1 else "100% and more"
        warn(
            f"a net current flows: {which} depend{'s' * (len(said) == 1)} on the origin across the {kind}, "
            f"by up to {most} of the largest element per Angstrom: give origin"
        )


def _about(request: Request, choice: Choice, density: NDArray[np.bool_], chern: NDArray[np.bool_]) -> dict[str, Any]:
    """What to record."""
    model, levels = request.integrand.model, request.integrand.occupation.fermi
    kind, at, place = _kind(model), _centre(model)[list(model.bounded)] + choice.shift, _place(model, choice)
    where = "in the plane" if kind == "layer" else "at"
    words = {
        True: f"density: the number of electrons is fixed (isolated {kind}, or dual gate)",
        False: f"level: the Fermi level is fixed (grounded, its reservoir {where} {place})",
    }
    said = words[bool(density.all())]
    if density.any() and not density.all():
        some = ", ".join(f"{x:.6g}" for x in levels[~density][[0, -1]])
        said = f"{words[True]}; {words[False]} at levels from {some} eV"
    if chern.any():
        said += "; in the gap of a Chern insulator only a fixed level has a meaning"
    return {
        "origin": f"{place}{'' if choice.given else ', the mean of the centres'}",
        "origin_angstrom": float(at[0]) if len(at) == 1 else at,
        "gate": said,
        "gate_field": _unscreened(model),
    }


def in_words(model: Model, choice: Choice) -> str:
    """The choice, and what a field across is, before anything is known of Fermi levels."""
    gate = choice.gate or "density, but level in the gaps of Chern insulators"
    origin = f"{_place(model, choice)}{'' if choice.given else ', the mean of the centres'}"
    return f"origin: {origin}; gate: {gate}; {_unscreened(model)}"


def _place(model: Model, choice: Choice) -> str:
    """Where the origin is."""
    at = _centre(model)[list(model.bounded)] + choice.shift
    return ", ".join(f"{AXES[i]} = {x:.6g} Angstrom" for i, x in zip(model.bounded, at, strict=True))


def _unscreened(model: Model) -> str:
    fields = ", ".join(f"E_{AXES[i]}" for i in model.bounded)
    return f"{fields} is the field in the Hamiltonian, not screened; the response is that of equilibrium"
