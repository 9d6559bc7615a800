"""The ordinary geometric quantities: Berry curvature, quantum metric, orbital moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands import Bands, row_trace
from .base import Observable

Array = NDArray[np.float64]


def berry_curvature(bands: Bands) -> Array:
    """Omega_mn = -2 Im [R_m R_n]_nn + F_mn,nn for (m, n) with epsilon_imn = +1: (nk, n, moment) in Angstrom^2.

    F is the curvature of the Wannier basis itself, zero for a tight-binding model.
    """
    return np.stack(
        [
            -2 * row_trace(-1j * bands.connection(m), bands.connection(n)) + bands.basis_curvature(m, n)
            for m, n in bands.pairs
        ],
        axis=-1,
    )


def quantum_metric(bands: Bands) -> Array:
    """G_ab = Re [R_a R_b]_nn: (nk, n, dipole, field) in Angstrom^2, from the states inside the basis."""
    d = range(len(bands.axes))
    return np.stack(
        [np.stack([row_trace(bands.connection(a), bands.connection(b)) for b in d], axis=-1) for a in d], axis=-2
    )


def orbital_moment(bands: Bands) -> Array:
    """m_i = Re [v_m R_n]_nn for (m, n) with epsilon_imn = +1: (nk, n, moment) in eV Angstrom^2 (times e/hbar)."""
    return np.stack([row_trace(bands.velocity(m), bands.connection(n)) for m, n in bands.pairs], axis=-1)


CALCULATORS = (
    Observable(
        "berry_curvature",
        "Berry curvature",
        "curvature",
        "sea",
        -1,
        +1,
        "Omega = i sum_n f_n eps <d_m u_n|d_n u_n>",
        "Wang, Yates, Souza, Vanderbilt, Phys. Rev. B 74, 195118 (2006), Eq. (5)",
        berry_curvature,
        ("axis",),
        curvature=True,
    ),
    Observable(
        "quantum_metric",
        "quantum metric inside the basis",
        "curvature",
        "sea",
        +1,
        +1,
        "G_ab = sum_n f_n Re [R_a R_b]_nn",
        "Provost, Vallee, Commun. Math. Phys. 76, 289 (1980)",
        quantum_metric,
        ("dipole", "field"),
    ),
    Observable(
        "orbital_moment",
        "intrinsic orbital moment of the occupied Bloch electrons, inside the basis",
        "moment",
        "sea",
        -1,
        +1,
        "m_i = (e/2 hbar) eps_imn sum_n f_n Im sum_p (e_p - e_n) R_m,np R_n,pn",
        "Xiao, Chang, Niu, Rev. Mod. Phys. 82, 1959 (2010), Sec. III",
        orbital_moment,
        ("axis",),
    ),
)
