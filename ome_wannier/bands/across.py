"""Operators of a layer that hold the position along its normal, a bounded operator (layers.md).

z below is the normal, Z the position along it from the model's centre; everything is in the eigenbasis.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..models.base import Across, Layered
from . import compiled, gate
from .bands import Bands, shared
from .matrices import _whole
from .outside_basis import wannier_curvature

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Lateral(NamedTuple):
    """The moments in the plane: M_i = sign * 1/2 {Z, v_a}, the Cartesian axis i, and the number a in `Bands.axes`."""

    axis: int
    a: int
    sign: int


def lateral_moments(bands: Bands) -> tuple[Lateral, ...]:
    """Of a layer with normal c, along each axis i in its plane: epsilon_iac Z v_a, a the other axis in the plane."""
    (c,) = bands.model.bounded
    return tuple(Lateral(i, 1 - n, 1 if (i + 2) % 3 == c else -1) for n, i in enumerate(bands.axes))


@shared
def _across(bands: Bands) -> Across:
    return cast(Layered, bands.model).across(bands.k)


@shared
def position(bands: Bands) -> ComplexArray:
    """Z (nk, n, n) in Angstrom."""
    return bands.rotate(_across(bands).Z[:, 0])


@shared
def position_response(bands: Bands) -> ComplexArray:
    """B_z = Z / (e_m - e_n) between groups (nk, n, n) in Angstrom/eV, anti-Hermitian: what E_z mixes (layers.md eq. 1)."""
    out: ComplexArray = compiled.responses(bands.energies, *bands.groups, _whole(position(bands)[:, None]))
    return out[:, 0]


@shared
def position_derivatives(bands: Bands) -> ComplexArray | None:
    """D_a Z = d_a Z - i [A_a, Z] (nk, axes, n, n) in Angstrom^2; None where positions commute and it is zero."""
    from ..models.compiled import covariant

    slope = _across(bands).slope
    if slope is None:
        return None
    A = bands.matrices_with_curls().A
    assert A is not None
    return bands.rotate(covariant(_whole(slope[:, :, 0]), _whole(A), _whole(_across(bands).Z[:, 0])))


@shared
def curvature(bands: Bands) -> ComplexArray | None:
    """F_xy of the basis (nk, n, n) in Angstrom^2, x, y the axes of the layer in the order that makes z its normal, or None."""
    if _across(bands).slope is None:
        return None
    ((m, n),) = bands.pairs
    return bands.rotate(wannier_curvature(bands, m, n))


@shared
def lateral_operators(bands: Bands) -> ComplexArray:
    """The moments in the plane (nk, 2, n, n) in eV Angstrom^2, M_x = 1/2 {Z, v_y} and M_y = -1/2 {Z, v_x} for a normal z."""
    current = _across(bands).current
    if current is not None:
        anti = bands.rotate(current[:, :, 0])
    else:
        anti = gate.anticommutators(_whole(position(bands)), bands.velocities)
    return np.stack([m.sign * anti[:, m.a] for m in lateral_moments(bands)], axis=1)


@shared
def gate_moment(bands: Bands) -> Array:
    """Weights of M_z under E_z with f and with g = k_B T log(1 + exp((mu - e) / k_B T)): (nk, n, 2)."""
    ((m, n),) = bands.pairs
    both = [m, n]
    D, F = position_derivatives(bands), curvature(bands)
    v, R, Z, B = bands.velocities[:, both], bands.connections[:, both], position(bands), position_response(bands)
    more = None if D is None or F is None else (_whole(D[:, both]), _whole(F))
    state = (*map(_whole, (v, R, Z, B)), bands.energies)
    out: Array = gate.moment(state, more, bands.groups, bands.passed)
    return out
