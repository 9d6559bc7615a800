"""What is outside a basis of Wannier functions: its curvature, and states that the model knows beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..models.base import OpenBasis
from ..models.outside_states import Outside
from . import rotations
from .bands import Bands, shared
from .matrices import _whole

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@shared
def outside_moments(bands: Bands) -> Outside:
    """N, K, F and Y of the states outside the basis, in the eigenbasis; empty where the model does not know them."""
    return _outside(bands, moments=True)


@shared
def outside_metric(bands: Bands) -> Mapping[tuple[int, int], ComplexArray]:
    """G of the states outside the basis by pair of axes, in the eigenbasis; empty where the model does not know it."""
    return _outside(bands, metric=True).G


def _outside(bands: Bands, moments: bool = False, metric: bool = False) -> Outside:
    if not bands.outside:
        return Outside()
    model = cast(OpenBasis, bands.model)
    found = model.outside(bands.k, bands.matrices_with_curls(), moments, metric)
    return Outside(*({key: bands.rotate(X) for key, X in part.items()} for part in found))  # type: ignore[arg-type]


def basis_curvature(bands: Bands, a: int, b: int) -> Array:
    """Diagonal (nk, n) of the Wannier basis' own curvature F_ab (physics.md eq. 6) in the eigenbasis, in Angstrom^2."""
    if bands.model.exact_position:
        return np.zeros_like(bands.energies)
    return _basis_curvatures(bands)[:, a, b]


@shared
def _basis_curvatures(bands: Bands) -> Array:
    """(nk, axes, axes, n)."""
    commuted, curl = bands.rotated[1], bands.matrices_with_curls().curl
    assert commuted is not None
    assert curl is not None
    d = len(bands.axes)
    first, second = np.triu_indices(d, 1)
    F = np.zeros((len(curl), d, d, commuted.shape[2]))
    F[:, first, second] = rotations.diagonals(bands.eigenvectors, _whole(curl)) + commuted
    F[:, second, first] = -F[:, first, second]
    return F


def wannier_position(bands: Bands, a: int) -> ComplexArray:
    """The position operator r_a(k) (nk, n, n) in the Wannier gauge, in Angstrom."""
    A = bands.matrices.A
    assert A is not None, "asked of a model with a basis that depends on k"
    return A[:, a]


def wannier_curvature(bands: Bands, a: int, b: int) -> ComplexArray:
    """F_ab (nk, n, n) in the Wannier gauge, in Angstrom^2; zero for a basis whose positions commute."""
    if bands.model.exact_position:
        return np.zeros_like(bands.matrices.H)
    return _wannier_curvatures(bands)[:, a, b]


@shared
def _wannier_curvatures(bands: Bands) -> ComplexArray:
    return bands.matrices_with_curls().curvatures()
