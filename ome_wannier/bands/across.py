"""Operators of a layer or chain that hold the position across it, a bounded operator (layers.md and chains.md).

z below is the normal of a layer, Z the position along it from the model's centre; everything is in the eigenbasis. Which
directions are bounded decides what a moment is made of (`products`) and what a field does to a velocity (`dragged`).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..models.base import Across, Layered
from . import compiled, gate
from .bands import Bands, shared
from .matrices import _whole, adjoint
from .outside_basis import wannier_curvature

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Product(NamedTuple):
    """A term weight * 1/2 {r_g, v_c} of a moment: g a number in `Model.bounded`, c a Cartesian axis."""

    g: int
    c: int
    weight: float


def lateral_axes(bands: Bands) -> tuple[int, ...]:
    """Cartesian axes of the moments that need the position across: in the plane of a layer, all three of a chain."""
    return tuple(i for i in range(3) if i not in bands.moments)


def current_axes(bands: Bands) -> list[int]:
    """Cartesian axes of the velocities that these moments are made of."""
    return sorted({t.c for i in lateral_axes(bands) for t in products(bands, i)})


def products(bands: Bands, i: int) -> tuple[Product, ...]:
    """M_i = -1/2 (r_m v_n - r_n v_m), epsilon_imn = +1, in terms of the positions that are bounded operators.

    Where one of the two is not, <r_m v_n + v_m r_n> is a total derivative and vanishes: the other term counts twice.
    """
    bounded, m, n = bands.model.bounded, (i + 1) % 3, (i + 2) % 3
    weight = 0.5 if m in bounded and n in bounded else 1.0
    pairs = ((m, n, -weight), (n, m, weight))
    return tuple(Product(bounded.index(r), c, w) for r, c, w in pairs if r in bounded)


@shared
def _across(bands: Bands) -> Across:
    return cast(Layered, bands.model).across(bands.k)


@shared
def _rotated(bands: Bands) -> tuple[ComplexArray, ComplexArray | None, ComplexArray | None]:
    """r_g (nk, bounded, n, n); D_a r_g (nk, axes, bounded, n, n), and of a layer F of the basis, where these are not zero."""
    from ..models.compiled import covariant

    Z, slope = _across(bands).Z, _across(bands).slope
    if slope is None:
        return bands.rotate_hermitian(Z), None, None
    A = bands.matrices_with_curls().A
    assert A is not None
    D = np.stack([covariant(_whole(slope[:, :, g]), _whole(A), _whole(Z[:, g])) for g in range(Z.shape[1])], axis=2)
    stack = [Z, D.reshape(len(D), -1, *D.shape[-2:])]
    if len(bands.pairs) == 1:
        ((m, n),) = bands.pairs
        stack.append(wannier_curvature(bands, m, n)[:, None])
    found, number = bands.rotate_hermitian(np.concatenate(stack, axis=1)), Z.shape[1]
    first, between = _whole(found[:, :number]), _whole(found[:, number : number + D.shape[1] * number])
    return first, between.reshape(D.shape), _whole(found[:, -1]) if len(stack) == 3 else None


def positions(bands: Bands) -> ComplexArray:
    """r_g across a layer or chain (nk, bounded, n, n) in Angstrom."""
    return _rotated(bands)[0]


def position(bands: Bands) -> ComplexArray:
    """Z (nk, n, n) in Angstrom, along the normal of a layer."""
    return positions(bands)[:, 0]


@shared
def position_responses(bands: Bands) -> ComplexArray:
    """B_g = r_g / (e_m - e_n) between groups (nk, bounded, n, n) in Angstrom/eV, anti-Hermitian: what a field across mixes
    (layers.md eq. 1)."""
    out: ComplexArray = compiled.responses(bands.energies, *bands.groups, _whole(positions(bands)))
    return out


def position_derivatives(bands: Bands) -> ComplexArray | None:
    """D_a r_g = d_a r_g - i [A_a, r_g] (nk, axes, bounded, n, n) in Angstrom^2; None where positions commute and it is zero."""
    return _rotated(bands)[1]


def curvature(bands: Bands) -> ComplexArray | None:
    """F_xy of the basis (nk, n, n) in Angstrom^2, x, y the axes of the layer in the order that makes z its normal, or None."""
    return _rotated(bands)[2]


def velocity(bands: Bands, c: int) -> ComplexArray:
    """v_c (nk, n, n) in eV Angstrom along a Cartesian axis: of a bounded one i [H, r_c]."""
    if c in bands.axes:
        return bands.velocity(bands.axes.index(c))
    e, g = bands.energies, bands.model.bounded.index(c)
    return 1j * (e[:, :, None] - e[:, None, :]) * positions(bands)[:, g]


def currents(bands: Bands) -> ComplexArray:
    """Their velocities (nk, along, n, n) in eV Angstrom."""
    along = current_axes(bands)
    return bands.velocities if along == list(bands.axes) else np.stack([velocity(bands, c) for c in along], axis=1)


class Dragged(NamedTuple):
    """sign * X (nk, n, n) in Angstrom^2, Hermitian; X has the name, by which it is known again."""

    sign: int
    X: ComplexArray
    name: tuple[str, int, int]


def dragged(bands: Bands, b: int, c: int) -> Dragged | None:
    """i [r_b, r_c], Cartesian axes: by how much a field along b changes v_c = i [H + E.r, r_c].

    Of two periodic directions -F_bc, of two bounded ones their commutator, of one of each a covariant derivative. None where
    positions commute.
    """
    bounded, D = bands.model.bounded, position_derivatives(bands)
    if D is None or b == c:
        return None
    if b in bounded and c in bounded:
        r = positions(bands)
        P = r[:, bounded.index(b)] @ r[:, bounded.index(c)]
        return Dragged(1, 1j * (P - adjoint(P)), ("commutator", b, c))
    if b in bounded or c in bounded:
        along, across = (c, b) if b in bounded else (b, c)
        a, g = bands.axes.index(along), bounded.index(across)
        return Dragged(1 if b in bounded else -1, D[:, a, g], ("derivative", a, g))
    F = curvature(bands)
    sign = -1 if (bands.axes.index(b), bands.axes.index(c)) in bands.pairs else 1
    return None if F is None else Dragged(sign, F, ("curvature", 0, 0))


@shared
def lateral_operators(bands: Bands) -> ComplexArray:
    """The moments that need the position across (nk, lateral, n, n) in eV Angstrom^2, see `products`.

    Of a layer with normal z, M_x = 1/2 {Z, v_y} and M_y = -1/2 {Z, v_x}.
    """
    terms, along = [products(bands, i) for i in lateral_axes(bands)], current_axes(bands)
    current = _across(bands).current
    if current is not None:
        known = [bands.rotate_hermitian(current[:, :, g]) for g in range(current.shape[2])]
    else:
        v = _whole(currents(bands))
        known = [gate.anticommutators(_whole(Z), v) for Z in np.moveaxis(positions(bands), 1, 0)]
    out = np.empty((len(known[0]), len(terms), *known[0].shape[2:]), dtype=complex)
    for i, (first, *others) in enumerate(terms):
        np.multiply(known[first.g][:, along.index(first.c)], first.weight, out=out[:, i])
        for t in others:
            out[:, i] += t.weight * known[t.g][:, along.index(t.c)]
    return out


@shared
def gate_moment(bands: Bands) -> Array:
    """Weights of M_z under E_z with f and with g = k_B T log(1 + exp((mu - e) / k_B T)): (nk, n, 2)."""
    ((m, n),) = bands.pairs
    both = slice(None) if (m, n) == (0, 1) else [m, n]  # a copy where they are in the other order
    D, F = position_derivatives(bands), curvature(bands)
    v, R, Z, B = bands.velocities[:, both], bands.connections[:, both], position(bands), position_responses(bands)[:, 0]
    none = np.empty((0, *Z.shape[1:]), dtype=complex)
    more = (none[:, None], none) if D is None or F is None else (_whole(D[:, both, 0]), _whole(F))
    state = (*map(_whole, (v, R, Z, B)), bands.energies)
    out: Array = gate.moment(state, more, bands.groups, bands.passed)
    return out
