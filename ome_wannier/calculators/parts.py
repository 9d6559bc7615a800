"""Parts of the material in a response: atoms, layers, orbitals.

A quantity that is a trace of an operator O has the share of a part s with the projector P_s on its orbitals

    O_s = 1/2 {P_s, O} ,        sum_s O_s = O     where the parts are all orbitals, each once.

Others have no unique share: a moment whose positions stand between different bands belongs to no place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bands import across
from ..bands.bands import Bands
from ..bands.traces import interband_anticommutators, velocity_weighted_dipoles
from ..common.units import SPIN_MOMENT
from . import operators
from .blocks import Block
from .quantity import PART, Observable
from .registry import Calculator, first_observable, resolve
from .weights import component_axes

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
#: labels and orbitals
Parts = Mapping[str, NDArray[np.int64]]


#: a sum over the electrons, what a field makes of it, and what tau adds; of a field across a layer or chain the terms of a
#: block, what it mixes, what it moves of a Fermi surface, and what a Fermi level changes, its drift
KINDS = ("sum", "response", "extrinsic", "gate", "gate_surface", "by_level")


class Trace(NamedTuple):
    """A quantity as a factor times a trace of an operator (nk, i, n, n), of one of `KINDS`."""

    kind: str
    operator: Callable[[Bands], ComplexArray]
    factor: float = 1.0


def moment(bands: Bands) -> ComplexArray:
    """The moment of Bloch electrons, 1/4 epsilon_imn {v_m, R_n}: its diagonal is physics.md eq. 44: (nk, moments, n, n)."""
    return (velocity_weighted_dipoles(bands) + interband_anticommutators(bands)) / 2


def _connections(bands: Bands) -> ComplexArray:
    return bands.connections


def _operator(bands: Bands, name: str) -> ComplexArray:
    return bands.operator(name)


def _identity(bands: Bands) -> ComplexArray:
    n = bands.energies.shape[1]
    return np.broadcast_to(np.eye(n, dtype=complex), (len(bands.energies), 1, n, n))


_SPIN = partial(_operator, name="spin")
TRACES = {
    "dipole_polarizability": Trace("response", _connections),
    "dipole": Trace("response", velocity_weighted_dipoles, 0.5),
    "local_intraband": Trace("response", velocity_weighted_dipoles, 0.5),
    "local": Trace("response", interband_anticommutators, 0.5),
    "extrinsic": Trace("extrinsic", moment),
    "extrinsic_thermal": Trace("extrinsic", moment),
    "orbital_moment": Trace("sum", moment),
    "dos": Trace("sum", _identity),
    "electrons": Trace("sum", _identity),
    "spin": Trace("response", _SPIN, -SPIN_MOMENT),
    "spin_extrinsic": Trace("extrinsic", _SPIN, -SPIN_MOMENT),
    "spin_extrinsic_thermal": Trace("extrinsic", _SPIN, -SPIN_MOMENT),
    "spin_magnetization": Trace("sum", _SPIN, -SPIN_MOMENT),
    "spin_hall": Trace("response", partial(operators.currents, name="spin")),
}
#: to which states outside the basis add what no orbital has
WITH_OUTSIDE = ("extrinsic", "extrinsic_thermal", "orbital_moment")


def trace_of(calculator: Calculator, external: bool) -> Trace | None:
    """What a quantity is the trace of, or None: then its parts are not unique. external : the model knows states outside."""
    if calculator.name in TRACES:
        return None if external and calculator.name in WITH_OUTSIDE else TRACES[calculator.name]
    weights = getattr(calculator, "weights", None)
    if not isinstance(weights, operators.Weights):
        return None
    if weights.of is operators.hall:
        return Trace("response", partial(operators.currents, name=weights.name))
    O = partial(_operator, name=weights.name)
    kind = "sum" if weights.of is operators.expectation else "extrinsic" if weights.of is operators.extrinsic else "response"
    return Trace(kind, O)


@dataclass(frozen=True, eq=False)
class AllParts:
    """The shares of all parts in a trace.

    members : (parts, n), 1 where an orbital belongs to a part, else 0. orbitals : (n, n) orthogonal, rows that are the orbitals
        in terms of those of the model; None where they are the same.
    """

    trace: Trace
    members: Array
    orbitals: Array | None = None

    def __call__(self, bands: Bands) -> Array:
        """(nk, n, parts, i, field), of a sum without a field (nk, n, parts, i), of a drift (nk, n, parts, i, gate, gate)."""
        kind, O, factor = self.trace.kind, self.trace.operator(bands), self.trace.factor
        U = bands.eigenvectors if self.orbitals is None else self.orbitals @ bands.eigenvectors
        if kind in ("sum", "by_level"):
            found = factor * _resolved(U, np.eye(U.shape[2], dtype=complex)[None, None], O, self.members)[..., 0]
            return found if kind == "sum" else found[..., None, None] * np.eye(len(bands.model.bounded))
        if kind in ("extrinsic", "gate_surface"):
            moved = bands.velocities if kind == "extrinsic" else across.positions(bands)
            return -factor * _resolved(U, np.where(bands.same[:, None], moved, 0.0), O, self.members)
        mixed_in = bands.responses if kind == "response" else across.position_responses(bands)
        return 2 * factor * _resolved(U, _across_window(bands, mixed_in), O, self.members)


def _resolved(U: ComplexArray, X: ComplexArray, O: ComplexArray, members: Array) -> Array:
    """Re [X_b 1/2 {P_s, O_i}]_nn (nk, n, parts, i, b) of U (nk, orbitals, n), X (nk, b, n, n), Hermitian O (nk, i, n, n)."""
    W = U[:, None] @ O
    XU = X @ np.conj(np.swapaxes(U, 1, 2))[:, None]
    out = np.empty((len(U), U.shape[2], len(members), O.shape[1], max(X.shape[1], 1)))
    for i in range(O.shape[1]):
        XW = X @ np.conj(np.swapaxes(W[:, i], 1, 2))[:, None]
        for b in range(X.shape[1]):
            of_orbitals = (XU[:, b] * np.swapaxes(W[:, i], 1, 2) + XW[:, b] * np.swapaxes(U, 1, 2)).real / 2
            out[:, :, :, i, b] = of_orbitals @ members.T
    return out


def _across_window(bands: Bands, B: ComplexArray) -> ComplexArray:
    """B (nk, b, n, n) without pairs of bands on one side of the window of Fermi levels: their weights cancel in every sum."""
    (below, above), n = bands.passed, np.arange(bands.energies.shape[1])
    low, high = n < below[:, None], n >= above[:, None]
    idle = (low[:, :, None] & low[:, None]) | (high[:, :, None] & high[:, None])
    return np.where(idle[:, None], 0.0, B)


@dataclass(frozen=True, eq=False)
class Share:
    """The weights of one part; those of all are made at once, and kept with the bands."""

    whole: AllParts
    number: int
    dims: tuple[str, ...]

    def __call__(self, bands: Bands) -> Array:
        """(nk, n, *components)."""
        if self.whole not in bands.kept:
            bands.kept[self.whole] = self.whole(bands)
        found, along = bands.kept[self.whole][:, :, self.number], component_axes(bands.axes, bands.moments)
        return np.asarray(found.reshape(*found.shape[:2], *(len(along[d]) for d in self.dims)))


def shares(calculator: Calculator, trace: Trace, parts: Parts, orbitals: int) -> list[Observable]:
    """The observables of each part of a quantity."""
    first = first_observable(calculator)
    assert isinstance(first, Observable)
    return _shares(replace(first, name=calculator.name), trace, parts, orbitals)  # which may be made of another one


def shares_across(block: Block, trace: Trace, parts: Parts, orbitals: int) -> tuple[list[Observable], list[Block]]:
    """The observables of each part of the response of an operator to a field across, and the block that they make."""
    kinds = dict(zip((*block.terms, *block.drifts), KINDS[3:], strict=True))
    terms = [t for t in resolve(block.combinations)[1] if isinstance(t, Observable)]
    found = [o for t in terms for o in _shares(t, trace._replace(kind=kinds[t.name]), parts, orbitals)]
    return found, [
        replace(
            block,
            of=f"{block.of}{PART}{i}",
            terms=tuple(f"{t}{PART}{i}" for t in block.terms),
            drifts=tuple(f"{t}{PART}{i}" for t in block.drifts),
        )
        for i in range(len(parts))
    ]


def _shares(of: Observable, trace: Trace, parts: Parts, orbitals: int) -> list[Observable]:
    """What an observable is divided into, each with its part's number in the name."""
    members = np.zeros((len(parts), orbitals))
    for row, inside in zip(members, parts.values(), strict=True):
        row[inside] = 1.0
    whole = AllParts(trace, members)
    return [replace(of, name=f"{of.name}{PART}{i}", weights=Share(whole, i, of.dims)) for i in range(len(parts))]


def mixed(given: Sequence[Observable], seed: int = 13) -> list[Observable]:
    """The shares of as many parts of orbitals that are mixed at random: as large, and of no symmetry."""
    known: dict[int, AllParts] = {}
    found = []
    for o in given:
        share = o.weights
        assert isinstance(share, Share)
        n = share.whole.members.shape[1]
        turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
        whole = known.setdefault(id(share.whole), replace(share.whole, orbitals=turned))
        found.append(replace(o, weights=replace(share, whole=whole)))
    return found


def operator_of(observable: Observable) -> str | None:
    """The name of the operator of a model that a quantity, or a share in it, is made of; None of others."""
    weights = observable.weights
    if isinstance(weights, Share):
        return getattr(weights.whole.trace.operator, "keywords", {}).get("name")
    return getattr(weights, "name", None)
