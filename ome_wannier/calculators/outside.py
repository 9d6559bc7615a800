"""What states outside the Wannier subspace add to moments and metric; None where they are not known.

physics.md eqs. 63 to 67.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import adjoint
from ..bands.outside_basis import outside_metric, outside_moments

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def circulation(bands: Bands, m: int, n: int) -> ComplexArray | None:
    """Y of physics.md eq. 65, <u|v_m Q|i d_n o> - <u|v_n Q|i d_m o>: (nk, u, o) in eV Angstrom^2."""
    return outside_moments(bands).Y.get((m, n))


def moment(bands: Bands, m: int, n: int) -> ComplexArray | None:
    """Orbital moment of the Bloch states by way of states outside, (nk, n, n) in eV Angstrom^2 (times e/hbar), Hermitian.

    physics.md eq. 63: Im [R_m N_n - R_n N_m] - K_mn/2 + {e, F_mn}/4, to be taken inside degenerate groups.
    """
    N, K, F = (outside_moments(bands).N, outside_moments(bands).K, outside_moments(bands).F)
    if not K:
        return None
    X = bands.connection(m) @ N[n] - bands.connection(n) @ N[m]
    e = bands.energies
    mean = (e[:, :, None] + e[:, None, :]) / 2
    return (-1j * (X - adjoint(X)) - K[m, n] + mean * F[m, n]) / 2


def metric(bands: Bands, a: int, b: int) -> ComplexArray | None:
    """Re <d_a u|Q|d_b u> (physics.md eq. 64): (nk, n, n) in Angstrom^2, Hermitian."""
    found: ComplexArray | None = outside_metric(bands).get((a, b))
    return found
