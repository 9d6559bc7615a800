"""Traces of which calculators are made: over pairs of bands, and of group velocities with other matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import compiled
from .bands import Bands, shared
from .matrices import _whole

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def level_weights(bands: Bands, X: ComplexArray, Y: ComplexArray) -> Array:
    """a_n = sum_{q>n} w[n, q] - sum_{o<n} w[o, n] (nk, n) of the pair weights w[o, q] = Re X_oq conj(Y_oq), o < q.

    physics.md eq. 17 without its factor 2.

    The sum of a_n over the bands below any Fermi level in the window is the sum of w over the pairs across it. Pairs
    whose two bands lie on one side of the window drop out here, before two large numbers could cancel.
    """
    weights: Array = level_tensor(bands, X[:, None], Y[:, None])[:, :, 0, 0]
    return weights


def level_tensor(bands: Bands, X: ComplexArray, Y: ComplexArray) -> Array:
    """The same for every X_i of a stack (nk, i, n, n) with every Y_j of a stack (nk, j, n, n): (nk, n, j, i)."""
    out: Array = compiled.level_weights(_whole(X), _whole(Y), *bands.passed)
    return out


@shared
def commutators(bands: Bands) -> ComplexArray:
    """i/2 epsilon_imn [R_m, R_n] (nk, moments, n, n) in Angstrom^2."""
    found: ComplexArray = compiled.commutators(bands.connections, bands.pair_array)
    return found


@shared
def interband_anticommutators(bands: Bands) -> ComplexArray:
    """1/2 epsilon_imn {v_m - vbar_m, R_n} (physics.md eq. 24): (nk, moments, n, n) in eV Angstrom^2; zero for two bands."""
    found: ComplexArray = compiled.anticommutators(bands.energies, bands.connections, commutators(bands), bands.pair_array)
    return found


def velocity_weighted_dipoles(bands: Bands) -> ComplexArray:
    """1/2 epsilon_imn {vbar_m, R_n} (physics.md eq. 23): (nk, moments, n, n) in eV Angstrom^2."""
    found: ComplexArray = compiled.velocity_weighted_dipoles(
        bands.velocities, bands.connections, *bands.groups, bands.pair_array
    )
    return found


@shared
def velocity_weighted_metric(bands: Bands) -> Array:
    """Re [vbar_c G_ab]_nn (nk, n, c, a, b), G_ab = Re R_a R_b inside groups. Zero outside the window.

    physics.md eq. 31.
    """
    return _velocity_weighted(bands, bands.velocities, bands.connections, bands.connections)


@shared
def velocity_weighted_moment(bands: Bands) -> Array:
    """Re [vbar_c M_ab]_nn (nk, n, c, a, b), M_ab = Re v_a R_b inside groups. Zero outside the window.

    physics.md eq. 44.
    """
    return _velocity_weighted(bands, bands.velocities, bands.velocities, bands.connections)


def _velocity_weighted(bands: Bands, v: ComplexArray, left: ComplexArray, right: ComplexArray) -> Array:
    out: Array = compiled.velocity_weighted_traces(_whole(v), _whole(left), _whole(right), *bands.groups, *bands.passed)
    return out


def velocity_weighted_product(bands: Bands, b: int, left: ComplexArray, right: ComplexArray) -> Array:
    """Re [vbar_b O]_nn (nk, n), O the Hermitian part of left @ right inside groups, right Hermitian.

    Without degeneracies this is the band velocity times the diagonal of the product. Zero outside the window.
    """
    weights: Array = _velocity_weighted(bands, bands.velocities[:, [b]], left[:, None], right[:, None])[:, :, 0, 0, 0]
    return weights


def velocity_weighted(bands: Bands, b: int, O: ComplexArray) -> Array:
    """Re [vbar_b O]_nn (nk, n) with O Hermitian."""
    return velocities_weighted(bands, O[:, None])[:, :, 0, b]


def velocities_weighted(bands: Bands, O: ComplexArray) -> Array:
    """Re [vbar_b O_i]_nn (nk, n, i, b) of a stack O (nk, i, n, n) of Hermitian matrices."""
    out: Array = compiled.within_groups(bands.velocities, _whole(O), *bands.groups)
    return out
