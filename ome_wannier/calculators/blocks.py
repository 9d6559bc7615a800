"""Of what the tensors of a layer consist: blocks of rows and columns, which the symmetries of a plane do not mix.

A block has its terms, observables that are integrated over the zone, and its drift: what it changes by when the origin moves
along the normal, per Angstrom (an index "gate" more). `total`, for one, has the block of the moment along the normal and
fields in the plane that it has without knowing where the orbitals are across the layer, and three more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ..bands.across import lateral_axes
from ..bands.bands import Bands
from ..models.base import Model
from ..models.operators import Operator
from . import layer
from .operators import Weights
from .quantity import Combination, Dim, Dims, Observable, is_share
from .spin import spin
from .weights import component_axes

Array = NDArray[np.float64]
Terms = tuple[str, ...]
Parity = Literal[-1, 1]


@dataclass(frozen=True)
class Rows:
    """Rows of weights (nk, n, spin_moment, ...): those of moments along the normal of a layer, or in its plane."""

    weights: Callable[[Bands], Array]
    kind: Literal["moment", "lateral"]

    def __call__(self, bands: Bands) -> Array:
        """The weights (nk, n, moment or lateral, ...)."""
        rows = bands.moments if self.kind == "moment" else lateral_axes(bands)
        return self.weights(bands)[:, :, list(rows)]


@dataclass(frozen=True)
class Block:
    """A block of a quantity.

    dims : rows and columns, of vectors rows alone. terms, drifts : names of observables whose sums are its values, and its
        drift; none of what does not depend on the origin.
    """

    of: str
    dims: tuple[str, ...]
    terms: Terms
    drifts: Terms = ()

    @property
    def name(self) -> str:
        """The name of its values."""
        return f"{self.of}[{','.join(self.dims)}]"

    @property
    def drift(self) -> str:
        """The name of its drift."""
        return f"drift of {self.name}"

    @property
    def value(self) -> Combination:
        """Its values, to be integrated."""
        return Combination(self.name, self.name, tuple((t, 1.0) for t in self.terms), "", "", of=self.of)

    @property
    def combinations(self) -> list[Combination]:
        """What is to be integrated for it: values and drift."""
        drift = replace(self.value, name=self.drift, long_name=self.drift, terms=tuple((t, 1.0) for t in self.drifts))
        return [self.value, drift] if self.drifts else [self.value]


def _term(
    name: str,
    weights: Callable[[Bands], Array],
    dims: Dims,
    occupation: Literal["sea", "surface", "grand", "thermal"] = "sea",
    kind: str = "alpha",
    time_reversal: Parity = -1,
    needs_spin: bool = False,
    of_heights: bool = False,
) -> Observable:
    """A term of a block; its parity under inversion is that of its indices."""
    odd = sum(d in ("field", "gate") for d in dims) % 2
    return Observable(
        name,
        name.replace("_", " "),
        kind,
        occupation,
        time_reversal,
        -1 if odd else 1,
        "",
        "",
        weights,
        dims,
        curvature=not needs_spin,
        needs_spin=needs_spin,
        full_bands="cancel",
        of_heights=of_heights,
    )


def _spin_terms(rows: Literal["spin_moment", "moment", "lateral"]) -> list[Observable]:
    """The terms of the moment of the spin under a field along the normal, for these rows."""

    def of(weights: Callable[[Bands], Array]) -> Callable[[Bands], Array]:
        return weights if rows == "spin_moment" else Rows(weights, rows)

    return [
        _term(f"{rows}_spin_gate", of(layer.spin_gate), (rows, "gate"), needs_spin=True, of_heights=True),
        _term(
            f"{rows}_spin_gate_surface",
            of(layer.spin_gate_surface),
            (rows, "gate"),
            "surface",
            needs_spin=True,
            of_heights=True,
        ),
        _term(f"{rows}_spin_by_level", of(layer.spin_by_level), (rows, "gate", "gate"), "surface", needs_spin=True),
    ]


#: the observables, none of which is a calculator by itself
TERMS = (
    _term("lateral_response", layer.lateral, ("lateral", "field"), of_heights=True),
    _term("lateral_moment", layer.lateral_moment, ("lateral",), kind="moment", of_heights=True),
    _term("lateral_moment_dmu", layer.lateral_moment, ("lateral",), "surface", "moment_slope", of_heights=True),
    _term("lateral_hall", layer.lateral_hall, ("lateral", "field", "gate")),
    _term("lateral_extrinsic", layer.lateral_extrinsic, ("lateral", "field"), "surface", "extrinsic", 1, of_heights=True),
    _term("lateral_drude", layer.lateral_drude, ("lateral", "field", "gate"), "surface", "extrinsic", 1),
    _term("lateral_thermal", layer.lateral_extrinsic, ("lateral", "field"), "thermal", "thermal", 1, of_heights=True),
    _term("lateral_thermal_drude", layer.lateral_drude, ("lateral", "field", "gate"), "thermal", "thermal", 1),
    _term("lateral_gate", layer.lateral_gate, ("lateral", "gate"), of_heights=True),
    _term("lateral_gate_surface", layer.lateral_gate_surface, ("lateral", "gate"), "surface", of_heights=True),
    _term("lateral_by_level", layer.lateral_by_level, ("lateral", "gate", "gate"), "surface", of_heights=True),
    _term("moment_gate", layer.moment_gate, ("moment", "gate"), of_heights=True),
    _term("moment_gate_grand", layer.moment_gate_grand, ("moment", "gate"), "grand", of_heights=True),
    _term("moment_gate_surface", layer.moment_gate_surface, ("moment", "gate"), "surface", of_heights=True),
    _term("moment_curvature", layer.moment_curvature, ("moment", "gate", "gate")),
    _term("moment_by_level", layer.moment_by_level, ("moment", "gate", "gate"), "surface"),
    _term("lateral_spin", Rows(spin, "lateral"), ("lateral", "field"), needs_spin=True),
    *(term for rows in ("spin_moment", "moment", "lateral") for term in _spin_terms(rows)),
    _term("carriers", layer.carriers, (), "surface", "curvature", 1),
    _term("height", layer.height, ("gate",), "surface", "curvature", 1, of_heights=True),
)

LATERAL, LATERAL_MOMENT = TERMS[:2]
#: whose ratio is where the carriers at the Fermi level are along the normal
CARRIERS, HEIGHT = TERMS[-2:]

_LATERAL = ("lateral_response",), ("lateral_hall",)
_LATERAL_GATE = ("lateral_gate", "lateral_gate_surface"), ("lateral_by_level",)
_MOMENT_GATE = ("moment_gate", "moment_gate_grand", "moment_gate_surface"), ("moment_curvature", "moment_by_level")


def _spin_gate(rows: str) -> tuple[Terms, Terms]:
    return (f"{rows}_spin_gate", f"{rows}_spin_gate_surface"), (f"{rows}_spin_by_level",)


def _both(one: tuple[Terms, Terms], other: tuple[Terms, Terms]) -> tuple[Terms, Terms]:
    return (*one[0], *other[0]), (*one[1], *other[1])


_BLOCKS = (
    Block("total", ("lateral", "field"), *_LATERAL),
    Block("total", ("lateral", "gate"), *_LATERAL_GATE),
    Block("total", ("moment", "gate"), *_MOMENT_GATE),
    Block("magnetization", ("lateral",), ("lateral_moment",)),
    Block("magnetization_dmu", ("lateral",), ("lateral_moment_dmu",)),
    Block("extrinsic", ("lateral", "field"), ("lateral_extrinsic",), ("lateral_drude",)),
    Block("extrinsic_thermal", ("lateral", "field"), ("lateral_thermal",), ("lateral_thermal_drude",)),
    Block("spin", ("spin_moment", "gate"), *_spin_gate("spin_moment")),
    Block("total_with_spin", ("lateral", "field"), *_both(_LATERAL, (("lateral_spin",), ()))),
    Block("total_with_spin", ("lateral", "gate"), *_both(_LATERAL_GATE, _spin_gate("lateral"))),
    Block("total_with_spin", ("moment", "gate"), *_both(_MOMENT_GATE, _spin_gate("moment"))),
)


def _of_operator(operator: Operator) -> Block:
    """The response of an operator to a field across a layer or chain."""
    first: tuple[Dim, ...] = ("operator_component",) if operator.is_vector else ()
    found = _operator_terms(*operator.about[:4], operator.is_vector)
    for term in found:
        _MADE[term.name] = term
    gate, surface, by_level = (term.name for term in found)
    return Block(f"{operator.name}_response", (*first, "gate"), (gate, surface), (by_level,))


#: terms of the operators of models, by their names, which say what they are
_MADE: dict[str, Observable] = {}


def made_term(name: str) -> Observable | None:
    """The term of this name of an operator of some model, or None."""
    return _MADE.get(name)


@lru_cache(maxsize=256)
def _operator_terms(name: str, unit: str, T: Parity, P: Parity, is_vector: bool) -> tuple[Observable, ...]:
    tag = crc32(repr((unit, T, P, is_vector)).encode())
    first: tuple[Dim, ...] = ("operator_component",) if is_vector else ()
    odd: Parity = -1 if P > 0 else 1
    base = _term(f"{name}_gate_{tag:x}", Weights(layer.operator_gate, name, is_vector), (*first, "gate"), of_heights=True)
    base = replace(base, kind="density_response", time_reversal=T, inversion=odd, unit=unit, curvature=False)
    surface = Weights(layer.operator_gate_surface, name, is_vector)
    by_level, dims = Weights(layer.operator_by_level, name, is_vector), (*first, "gate", "gate")
    return (
        base,
        replace(base, name=f"{name}_gate_surface_{tag:x}", occupation="surface", weights=surface),
        replace(
            replace(base, of_heights=False),
            name=f"{name}_by_level_{tag:x}",
            occupation="surface",
            weights=by_level,
            dims=dims,
            inversion=P,
        ),
    )


def only_helps(calculator: object) -> bool:
    """Whether a calculator is the drift of a block, the share of a part, or says where carriers are: nobody waits for it."""
    if isinstance(calculator, Combination):
        return bool(calculator.of) and calculator.name.startswith("drift of ")
    return calculator in (CARRIERS, HEIGHT) or is_share(calculator)


def knows_across(model: Model) -> bool:
    """Whether a model is a layer or a chain that knows where its orbitals are across it."""
    return bool(model.axes) and bool(model.bounded)


def blocks(model: Model, names: Sequence[str]) -> list[Block]:
    """The blocks of quantities beyond what these are by themselves; none of models that are no layers."""
    if not knows_across(model):
        return []
    empty = [dim for dim, along in component_axes(model.axes, model.moments).items() if not along]
    every = [*_BLOCKS, *(_of_operator(o) for o in model.operators)]
    return [b for b in every if b.of in names and not set(b.dims) & set(empty)]


def parts(model: Model, names: Sequence[str]) -> list[Combination | Observable]:
    """All that is to be integrated for the blocks of these quantities."""
    found = blocks(model, names)
    gated = any(b.dims[-1] == "gate" for b in found)
    return [c for b in found for c in b.combinations] + ([CARRIERS, HEIGHT] if gated else [])


def element_axes(model: Model, name: str) -> dict[str, tuple[int, ...]]:
    """Cartesian axes along which a quantity of this name has elements, by dimension, those of its blocks included."""
    along = component_axes(model.axes, model.moments)
    places = {"lateral": "moment", "gate": "field"}
    out = dict(along)
    for block in blocks(model, [name]):
        for dim in block.dims:
            at = places.get(dim, dim)
            out[at] = tuple(sorted({*out[at], *along[dim]}))
    return out
