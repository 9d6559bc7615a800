"""What parts of a material are asked for, and their shares in a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calculators.blocks import Block, blocks
from ..calculators.parts import Parts, shares, shares_across, trace_of
from ..calculators.quantity import Observable
from ..calculators.registry import Calculator
from ..calculators.reported_units import unit_of
from ..common.checked_input import places
from ..common.errors import SettingsError, warn
from ..integration.integral import Integral
from ..models.base import Model
from ..models.tight_binding import TightBinding, is_tight_binding
from ..sources.ready_operators import layers_of
from . import layer

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

WAYS = ("site", "layer", "orbital")
#: Angstrom; centres that are no farther apart are on one site, where the atoms are not known
SAME_SITE = 0.5
#: orbitals that a warning names, at most
SHOWN = 8

#: why elements of a quantity have no shares
NO_SHARE = "moments along a layer, or across a chain, need positions across it: they are not divided among parts"


class Shares(NamedTuple):
    """by : what the parts are, a dimension of the result. parts : labels and orbitals. of : observables of each quantity, one
    for each part. across : of responses to fields across, the terms of their blocks. blocks : these, one for each part.
    without : quantities whose parts are not unique."""

    by: str
    parts: Parts
    of: dict[str, list[Observable]]
    across: list[Observable]
    blocks: dict[str, list[Block]]
    without: tuple[str, ...]

    @property
    def observables(self) -> list[Observable]:
        """Of all quantities."""
        return [*(o for every in self.of.values() for o in every), *self.across]


NONE = Shares("", {}, {}, [], {}, ())


def shares_of(model: Model, wanted: Sequence[Calculator], by: str | Mapping[str, Sequence[int]] | None) -> Shares:
    """The shares that are asked for.

    Raises
    ------
    SettingsError : another way to divide a material, a model without orbitals, or no quantity that has shares.
    """
    if by is None:
        return NONE
    if not is_tight_binding(model):
        raise SettingsError("by: only models with orbitals (TightBinding) have parts")
    name, parts = parts_of(model, by)
    traces = {c: trace_of(c, model.external is not None) for c in wanted}
    of = {c.name: shares(c, t, parts, model.n_orbitals) for c, t in traces.items() if t is not None}
    across: list[Observable] = []
    of_blocks: dict[str, list[Block]] = {}
    for c, t in traces.items():
        for block in (b for b in blocks(model, [c.name]) if b.dims[-1] == "gate"):
            if t is not None:
                terms, of_blocks[c.name] = shares_across(block, t, parts, model.n_orbitals)
                across += terms
    without = tuple(c.name for c, t in traces.items() if t is None)
    if not of:
        raise SettingsError(f"by: no part has a share of its own in {', '.join(without)}; dipole, extrinsic or spin have")
    return Shares(name, parts, of, across, of_blocks, without)


def parts_of(model: TightBinding, by: str | Mapping[str, Sequence[int]]) -> tuple[str, Parts]:
    """The name of the dimension, and the orbitals of each part by its label."""
    n = model.n_orbitals
    if isinstance(by, Mapping):
        if not by:
            raise SettingsError("by: no part is given: give the orbitals of each part by its name")
        parts = {str(label): _orbitals(label, inside, n) for label, inside in by.items()}
        _warn_of_gaps(parts, n)
        return "part", parts
    if by == "orbital":
        return by, {str(i + 1): np.array([i]) for i in range(n)}
    if by == "layer":
        return by, {str(i): inside for i, inside in enumerate(layers_of(model), 1)}
    if by == "site":
        return by, _sites(model)
    raise SettingsError(f"by is {by!r}: give one of {', '.join(WAYS)}, or the orbitals of each part by its name")


def _warn_of_gaps(parts: Parts, n: int) -> None:
    """Say which of n orbitals keep the shares from adding up to the whole."""
    times = np.bincount(np.concatenate(list(parts.values())), minlength=n)
    kinds = ((np.flatnonzero(times == 0), "no part"), (np.flatnonzero(times > 1), "several parts"))
    if said := [f"orbitals {_listed(at)} are in {where}" for at, where in kinds if len(at)]:
        warn(f"by: {', '.join(said)}: the shares do not add up to the whole")


def _listed(orbitals: NDArray[np.int64]) -> str:
    """Their numbers, the first of many."""
    more = f" and {len(orbitals) - SHOWN} more" if len(orbitals) > SHOWN else ""
    return ", ".join(map(str, orbitals[:SHOWN].tolist())) + more


def _orbitals(label: object, inside: Sequence[int], n: int) -> NDArray[np.int64]:
    found = places(inside, n)
    if found is None:
        raise SettingsError(f"by: part {label!r} is {str(inside)[:60]}: give different numbers of orbitals from 0 to {n - 1}")
    return found


def _sites(model: TightBinding) -> Parts:
    """Of known atoms the orbitals nearest to each, named Te1, Te2, ...; else those whose centres lie together."""
    if model.structure is None:
        groups: list[list[int]] = []
        for i, x in enumerate(model.wannier_centres):
            near = [g for g in groups if _apart(model, model.wannier_centres[g[0]], x) < SAME_SITE]
            near[0].append(i) if near else groups.append([i])
        return {str(s): np.array(g) for s, g in enumerate(groups, 1)}
    from ase.data import chemical_symbols

    atoms = np.array(model.structure.positions) @ model.lattice
    nearest = [int(np.argmin([_apart(model, a, x) for a in atoms])) for x in model.wannier_centres]
    labels = [f"{chemical_symbols[z]}{i}" for i, z in enumerate(model.structure.numbers, 1)]
    return {labels[a]: np.flatnonzero(np.array(nearest) == a) for a in sorted(set(nearest))}


def _apart(model: TightBinding, a: Array, b: Array) -> float:
    """Distance in Angstrom to the nearest image."""
    step = (b - a) @ np.linalg.inv(model.lattice)
    return float(np.linalg.norm((step - np.round(step)) @ model.lattice))


def with_shares(result: xr.Dataset, model: Model, found: Integral, given: Shares, tau: float) -> xr.Dataset:
    """The result with `<name>_by_<part>` and its error beside each quantity that has shares."""
    if not given.of:
        return result
    scalar, data = "temperature" not in result.dims, {}
    for name, observables in given.of.items():
        first = replace(observables[0], name=name)
        factor, unit = unit_of(first, len(model.axes), tau)
        whole = layer.whole(model, [first]) if name in given.blocks else set()
        axes = [tuple(a) for a in layer.result_axes(model, first.dims, whole)]
        at = (slice(None), 0) if scalar else ()
        value, error = (
            [layer.reported(model, first, axes, x, error=wrong)[at] * f for x in _as_wholes(name, given, of)]
            for of, f, wrong in ((found.values, factor, False), (found.errors, abs(factor), True))
        )
        lead = ("fermi",) if scalar else ("fermi", "temperature")
        dims, place = (*lead, given.by, *first.dims), len(lead)
        coords = {d: np.array(x) for d, x in layer.letters(model, first, axes).items()}
        about: dict[str, Any] = {"units": unit, "long_name": f"{result[name].attrs['long_name']}, by {given.by}"}
        if name not in given.blocks and blocks(model, [name]):
            about["missing"] = NO_SHARE
        for label, stack, more in ((name, value, about), (f"{name}_error", error, {"units": unit})):
            variable = _variable(dims, np.stack(stack, axis=place), coords, more)
            data[label.replace(name, f"{name}_by_{given.by}", 1)] = variable.reindex(
                {d: result.coords[d] for d in first.dims if d in result.coords}
            )
    labels = (given.by, np.array(list(given.parts)), {"long_name": f"{given.by}, its orbitals by number in `orbitals`"})
    orbitals = [f"{label}: {', '.join(str(i) for i in inside.tolist())}" for label, inside in given.parts.items()]
    attrs = {"orbitals": orbitals} | ({"without_shares": ", ".join(given.without)} if given.without else {})
    return result.assign(data).assign_coords({given.by: labels}).assign_attrs(attrs)


def _as_wholes(name: str, given: Shares, found: Mapping[str, Array]) -> list[dict[str, Array]]:
    """For each part what was found of it, by the names that the whole quantity and its blocks have."""
    out = [{name: found[o.name]} for o in given.of[name]]
    for own, block in zip(out, given.blocks.get(name, ()), strict=False):
        own[replace(block, of=name).name] = found[block.name]
    return out


def _variable(dims: tuple[str, ...], value: Array, coords: Mapping[str, Any], about: dict[str, Any]) -> xr.DataArray:
    import xarray as xr

    return xr.DataArray(value, dims=dims, coords=coords, attrs=about)
