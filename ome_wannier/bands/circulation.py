"""The cross-gap form of the interband response: its local and itinerant circulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cross_gap
from .bands import Bands, shared
from .matrices import adjoint
from .outside_basis import outside_moments

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@shared
def interband(bands: Bands) -> Array:
    """Weights of the cross-gap form, both circulations (physics.md eq. 37): (nk, n, moment, field) in Angstrom^3."""
    if outside_moments(bands).N:
        return local_circulation(bands) + itinerant_circulation(bands)
    out: Array = cross_gap.interband(*_arguments(bands))
    return out


@shared
def local_circulation(bands: Bands) -> Array:
    """The local part of `interband` (physics.md eq. 35)."""
    out: Array = cross_gap.local(*_arguments(bands))
    return out


@shared
def itinerant_circulation(bands: Bands) -> Array:
    """The itinerant part of `interband` (physics.md eq. 35)."""
    if outside_moments(bands).N:
        out: Array = cross_gap.itinerant(*_arguments(bands))  # type: ignore[no-untyped-call]
        return out
    return interband(bands) - local_circulation(bands)


def _arguments(bands: Bands) -> tuple[Any, ...]:
    """With states outside the basis, where the model knows them, in the velocity."""
    N, v = outside_moments(bands).N, bands.velocities
    if N:
        # physics.md eq. 66
        v = v + np.stack([1j * (N[a] - adjoint(N[a])) for a in range(len(bands.axes))], axis=1)
    return (v, bands.connections, bands.energies, bands.groups, bands.passed, bands.pair_array)
