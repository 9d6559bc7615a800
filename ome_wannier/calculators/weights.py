"""Weights of observables at k points, on the axes of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.degeneracy import Degeneracy
from ..common.errors import ModelError
from ..models.base import Model, is_flat
from .quantity import Observable

Array = NDArray[np.float64]

Shapes = dict[str, tuple[int, ...]]


def component_axes(axes: Sequence[int], moments: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Cartesian axes that each component dimension runs over.

    "lateral" : those of moments that need the position across a layer or chain. "gate" : of the field there.
    """
    return {
        "moment": tuple(moments),
        "spin_moment": (0, 1, 2),
        "operator_component": (0, 1, 2),
        "axis": tuple(moments),
        "field": tuple(axes),
        "position": tuple(axes),
        "current": tuple(axes),
        "lateral": tuple(i for i in range(3) if i not in moments),
        "gate": tuple(i for i in range(3) if i not in axes),
    }


def component_names(dims: Sequence[str], along: Mapping[str, Sequence[int]]) -> list[str]:
    """Names of the elements of a tensor, such as "zx", in the order of its flattened dimensions."""
    return ["".join("xyz"[i] for i in element) for element in product(*(along[d] for d in dims))]


def evaluate(observable: Observable, bands: Bands) -> Array:
    """Weights (nk, n, *components) of an observable on the model's axes, averaged over degenerate groups ("grand": a line).

    Raises
    ------
    ModelError : weights that are not of the declared shape, complex, nan or infinite (one's own calculator).
    """
    along = component_axes(bands.axes, bands.moments)
    expected = (*bands.energies.shape, *(len(along[dim]) for dim in observable.dims))
    # a block that a layer or chain does not have, or that vanishes
    if 0 in expected or (observable.of_heights and is_flat(bands.model)):
        return np.zeros(expected)
    found = observable(bands)
    if np.ma.is_masked(found):
        raise ModelError(f"calculator {observable.name} returned weights that have masked elements: fill them")
    weights = np.asarray(found)
    if np.iscomplexobj(weights):
        raise ModelError(f"calculator {observable.name} returned complex weights: take .real or .imag")
    nk, n = bands.energies.shape
    if weights.ndim != len(expected) or weights.shape[:2] != (nk, n):
        raise ModelError(f"calculator {observable.name} returned weights of shape {weights.shape}: expected {expected}")
    for i, dim in enumerate(observable.dims):
        if weights.shape[2 + i] == 3:
            weights = np.take(weights, along[dim], axis=2 + i)
        elif weights.shape[2 + i] != len(along[dim]):
            raise ModelError(
                f"calculator {observable.name} returned weights of shape {weights.shape}: "
                f"dimension {dim!r} must have {len(along[dim])} or 3 entries"
            )
    if not _built_in(observable) and not np.isfinite(weights).all():
        raise ModelError(f"calculator {observable.name} returned weights that are nan or infinite")
    if observable.occupation == "grand":
        return bands.group_lines(weights)
    return _with_levels_apart(observable, bands, bands.group_mean(weights))


def _with_levels_apart(observable: Observable, bands: Bands, weights: Array) -> Array:
    """Weights (nk, n, *components), means over groups, with what they lack where levels of a group cross (physics.md eq. 10).

    Of f: the sum over a whole group is known best with its levels as one; what differs between them counts with the differences
    of f. Of its derivative, beside f in the same response: those of the levels themselves. All others are continuous there,
    or diverge, and the tolerance says how far.
    """
    cancels = observable.occupation == "sea" and observable.full_bands == "cancel"
    beside = observable.occupation == "surface" and observable.kind == "alpha"
    if not (cancels or beside) or bands.told_apart is None:
        return weights
    points, finer = bands.told_apart
    apart, out = evaluate(observable, finer), weights.copy()
    if cancels:
        apart = apart + weights - bands.group_mean(apart)
    out[points] = apart[points]
    return out


def evaluate_at(
    model: Model,
    observables: Sequence[Observable],
    k: Array,
    degeneracy: Degeneracy,
    window: tuple[float, float] = (-np.inf, np.inf),
    spacing: Array | None = None,
) -> tuple[Bands, Array]:
    """Bands at the points k, see `Bands`, and the weights (nk, n, columns) of all observables side by side."""
    order = max(o.order for o in observables)
    curvature = model.external is not None or any(o.curvature for o in observables)
    bands = Bands(model, k, order=order, curvature=curvature, degeneracy=degeneracy, window=window, spacing=spacing)
    return bands, side_by_side(observables, bands)


def side_by_side(observables: Sequence[Observable], bands: Bands) -> Array:
    """Weights of all observables: (nk, n, columns)."""
    none = without_columns(observables, bands.model)
    columns = [evaluate(o, bands).reshape(*bands.energies.shape, -1) for o in observables if o.name not in none]
    return np.concatenate([np.zeros((*bands.energies.shape, 0)), *columns], axis=2)


def without_columns(observables: Sequence[Observable], model: Model) -> frozenset[str]:
    """Names of those that vanish for a model, whatever k, and are not summed: not if nothing else is left to be summed."""
    none = frozenset(o.name for o in observables if o.of_heights)
    if not none or not is_flat(model):
        return frozenset()
    left = [s for name, s in component_shapes(observables, model).items() if name not in none]
    return none if any(0 not in s for s in left) else frozenset()


def component_shapes(observables: Sequence[Observable], model: Model) -> Shapes:
    """Number of components along each dimension, by observable."""
    along = component_axes(model.axes, model.moments)
    return {o.name: tuple(len(along[dim]) for dim in o.dims) for o in observables}


def unpacked(columns: Array, shapes: Shapes, none: frozenset[str] = frozenset()) -> dict[str, Array]:
    """Split (..., columns) into one array (..., *components) per observable; of those that have no columns zeros."""
    found, first = {}, 0
    for name, s in shapes.items():
        if name in none:
            found[name] = np.zeros((*columns.shape[:-1], *s))
            continue
        end = first + int(np.prod(s))
        found[name], first = columns[..., first:end].reshape((*columns.shape[:-1], *s)), end
    return found


def named(columns: Array, observables: Sequence[Observable], model: Model) -> dict[str, Array]:
    """The same of what `side_by_side` gives."""
    return unpacked(columns, component_shapes(observables, model), without_columns(observables, model))


def _built_in(observable: Observable) -> bool:
    """By name, which no calculator of one's own may have, and which survives the way to another process."""
    from .registry import is_built_in  # which imports this module

    return is_built_in(observable.name)


def stack_tensor(bands: Bands, element: Callable[[int, int, int], Array]) -> Array:
    """Weights (nk, n, moments, axes) from a function of (m, n, b): the axes with epsilon_imn = +1, and the field's."""
    return np.stack([np.stack([element(m, n, b) for b in range(len(bands.axes))], axis=-1) for m, n in bands.pairs], axis=-2)
