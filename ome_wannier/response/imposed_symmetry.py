"""What symmetry does to results, in words: operations, how far the Hamiltonian is from them, and what they forbid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calculators.blocks import element_axes
from ..calculators.quantity import GapTerm
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import AXES, unit_of
from ..common.errors import warn
from ..integration.hamiltonian_symmetry import Group, listed, size
from ..models.base import Lattice, Model, has_zone
from ..symmetry.operations import Operation, generated, symbol
from ..symmetry.tensors import projector

if TYPE_CHECKING:
    import xarray as xr

#: what symmetrisation changes is worth a warning beyond this many numerical errors, this share of the largest element, and
#: this share of the natural unit (noise makes 1e-8 of e^2/hbar Angstrom in the gap of MoS2, and numerical errors are less)
ERRORS, SHARE, SMALL = 3.0, 0.1, 1e-6
#: quantities that are named
SAID = 3


def about(model: Model, wanted: Sequence[Calculator], group: Group) -> dict[str, Any]:
    """What to record of the symmetries; nothing of a model without a zone."""
    if not has_zone(model):
        return {}
    lines = {"symmetry_imposed": imposed_line(model, wanted, group), "symmetry_broken": broken_line(model, wanted, group)}
    return group.about(model.lattice) | lines


def imposed_line(model: Lattice, wanted: Sequence[Calculator], group: Group) -> str:
    """What operations that do not hold to rounding are imposed, how far the Hamiltonian is from them, and what they forbid."""
    if not group.noisy:
        return ""
    lost = forbidden(model, wanted, group.operations, group.exact) or "no element of what was asked for"
    exact = "the identity" if len(group.exact) == 1 else symbol(group.exact, model.lattice)
    how = f"of which {exact} holds to rounding and the rest to {size(group.operations)}"
    return f"{symbol(group.operations, model.lattice)}, {how}, forbids {lost}"


def broken_line(model: Lattice, wanted: Sequence[Calculator], group: Group) -> str:
    """Operations of the atoms that the Hamiltonian breaks, by how much, and what they would forbid."""
    if not group.broken:
        return ""
    larger = generated([*group.operations, *group.broken], model.lattice)
    lost = forbidden(model, wanted, larger, group.operations) or "no element of what was asked for"
    return (
        f"the atoms have {listed(group.broken)}, with and without time reversal broken by the Hamiltonian, by up to "
        f"{size(group.broken)}; unbroken it would forbid {lost}"
    )


def forbidden(model: Lattice, wanted: Sequence[Calculator], group: Sequence[Operation], smaller: Sequence[Operation]) -> str:
    """Elements that a group forbids and a smaller one does not: "all of total, spin; xy, yx of extrinsic"."""
    names: dict[str, list[str]] = {}
    for c in wanted:
        observable = first_observable(c)
        if isinstance(observable, GapTerm):
            continue
        along = element_axes(model, c.name)
        left, before = (np.asarray(projector(observable, g, along).any(axis=1)) for g in (group, smaller))
        if (before & ~left).any():
            elements = ["".join(AXES[list(e)]) for e in product(*(along[d] for d in observable.dims))]
            lost = [e for e, gone in zip(elements, before & ~left, strict=True) if gone]
            names.setdefault(", ".join(lost) if left.any() else "all", []).append(c.name)
    return "; ".join(f"{elements} of {', '.join(of)}" for elements, of in names.items())


def warn_of_changes(result: xr.Dataset, model: Model, wanted: Sequence[Calculator], group: Group) -> None:
    """Warn of quantities that symmetrisation changes by more than their numerical errors explain, and by enough to matter."""
    said = []
    for c in wanted:
        if f"{c.name}_raw" not in result:
            continue
        value, raw, error = (result[n].values for n in (c.name, f"{c.name}_raw", f"{c.name}_error"))
        value, raw, error = (np.nan_to_num(x) for x in (value, raw, error))  # nan: elements that a layer does not have
        change = abs(raw - value)
        numerical = np.nan_to_num(error - change)
        least = max(SHARE * abs(value).max(), SMALL * unit_of(first_observable(c), len(model.axes), result.attrs["tau_fs"])[0])
        serious = (change > ERRORS * numerical) & (change > least)
        if serious.any():
            at = np.unravel_index(int(np.argmax(np.where(serious, change, 0.0))), change.shape)
            where = result[c.name][at].coords
            element = "".join(str(where[d].item()) for d in first_observable(c).dims)
            given = f"{raw[at]:.2g} +- {numerical[at]:.1g} {result[c.name].attrs['units']}"
            said.append(f"{c.name} {element} at {where['fermi'].item():.6g} eV from {given} to {value[at]:.2g}")
    if said and has_zone(model):
        more = f"; and {len(said) - SAID} more" if len(said) > SAID else ""
        warn(
            f"symmetry changes {'; '.join(said[:SAID])}{more}: more than their numerical errors explain. The Hamiltonian "
            f"violates {symbol(group.operations, model.lattice)} by up to {size(group.operations)}; "
            'symmetry="off" keeps what it gives'
        )
