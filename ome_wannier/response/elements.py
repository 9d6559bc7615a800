"""What symmetry does to the elements of each quantity, as it is recorded beside it: forbidden, by what, and equal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calculators.blocks import element_axes
from ..calculators.quantity import Combination, Observable
from ..calculators.registry import Calculator, first_observable
from ..calculators.reported_units import AXES
from ..integration.hamiltonian_symmetry import Group
from ..models.alignment import in_users_axes
from ..models.base import Lattice, Model, has_zone
from ..symmetry.operations import Operation, generated, names_in, symbol
from ..symmetry.tensors import projector

Array = NDArray[np.float64]
Along = Mapping[str, tuple[int, ...]]

#: operations that are named first where several forbid an element
FIRST = ("time reversal", "inversion", "inversion x time reversal")
#: entries below this are zero: lattice vectors are known to some seven digits
SMALL = 1e-6


def about(model: Model, calculator: Calculator, group: Group) -> dict[str, Any]:
    """What to record beside a quantity: `forbidden` and `forbidden_by`, lists of elements such as "zx" and of what forbids
    each, and `equal`, a list of such as "yy = xx" and "yx = -xy". Nothing where symmetry does nothing, or is not used.

    Nor of quantities with a Chern-Simons part, which is fixed modulo a quantum: time reversal allows half of one.
    """
    observable = first_observable(calculator)
    terms = [name for name, _ in calculator.terms] if isinstance(calculator, Combination) else []
    if not has_zone(model) or not isinstance(observable, Observable) or "chern_simons" in terms or len(group.operations) < 2:
        return {}
    along = element_axes(model, calculator.name)
    seen = [along[d] if model.frame is None else (0, 1, 2) for d in observable.dims]
    names = ["".join(AXES[list(e)]) for e in product(*seen)]
    left = _left(model, observable, along, group.operations)
    gone = [i for i, row in enumerate(left) if not row.any()]
    found: dict[str, Any] = {}
    if gone:
        found["forbidden"] = [names[i] for i in gone]
        found["forbidden_by"] = _reasons(model, observable, along, group.operations, gone)
    if equal := _equal(left, names):
        found["equal"] = equal
    return found


def _left(model: Model, observable: Observable, along: Along, operations: Sequence[Operation]) -> Array:
    """(elements as reported, c): what operations leave of the elements, in terms of c numbers (physics.md eq. 57)."""
    axes = [along[d] for d in observable.dims]
    columns = projector(observable, operations, along).T.reshape(-1, *map(len, axes))
    seen = columns if model.frame is None else in_users_axes(columns, axes, model.frame)
    seen = seen.reshape(len(columns), -1).T
    return np.where(np.abs(seen) < SMALL, 0.0, seen)


def _said(model: Lattice, operation: Operation) -> str:
    """An operation in the user's axes.

    Tensors of a chain that is turned by less than half a turn are those of one that any turn leaves as it is: which screw axis
    a chain has cannot be told by them, nor by its cell, which has no sides.
    """
    (name,) = names_in([operation], model.frame)
    turn = re.fullmatch(r"[346]-fold rotation about (\([^)]*\))((?: x time reversal)?)", name) if model.dimension == 1 else None
    return name if turn is None else f"axis of order 3 or more along {turn[1]}{turn[2]}"


def _reasons(
    model: Model, observable: Observable, along: Along, operations: Sequence[Operation], gone: Sequence[int]
) -> list[str]:
    """What forbids each of some elements: a single operation where one is enough, else the point group."""
    assert has_zone(model)
    ranked = sorted(operations, key=lambda g: (FIRST.index(g.name) if g.name in FIRST else len(FIRST), len(g.name)))
    reasons: dict[int, str] = {}
    for operation in ranked:
        if operation.name == "identity" or len(reasons) == len(gone):
            continue
        kept = _left(model, observable, along, generated([operation], model.lattice))
        for i in gone:
            if not kept[i].any():
                reasons.setdefault(i, _said(model, operation))
    return [reasons.get(i, f"the point group {symbol(operations, model.lattice)}") for i in gone]


def _equal(left: Array, names: Sequence[str]) -> list[str]:
    """Elements that equal one before them, or its negative."""
    found: dict[str, str] = {}
    for i, name in enumerate(names):
        for j, sign in product(range(i), (1, -1)):
            if left[i].any() and np.abs(left[i] - sign * left[j]).max() < 100 * SMALL:
                found.setdefault(name, f"{name} = {'-' if sign < 0 else ''}{names[j]}")
    return list(found.values())
