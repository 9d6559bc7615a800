"""The ordinary geometric quantities: Berry curvature, quantum metric, orbital moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import diagonal, row_trace
from ..bands.outside_basis import basis_curvature
from ..bands.traces import level_tensor, level_weights
from . import outside
from .quantity import Observable

Array = NDArray[np.float64]


def berry_curvature(bands: Bands) -> Array:
    """Omega_mn = -2 Im [R_m R_n]_nn + F_mn,nn, (m, n) with epsilon_imn = +1 (physics.md eq. 39): (nk, n, moment) in Angstrom^2.

    F is the curvature of the Wannier basis itself, zero for a tight-binding model.
    """
    return np.stack(
        [
            -2 * level_weights(bands, -1j * bands.connection(m), bands.connection(n)) + basis_curvature(bands, m, n)
            for m, n in bands.pairs
        ],
        axis=-1,
    )


def quantum_metric(bands: Bands) -> Array:
    """Metric of the occupied states, sum over pairs across the Fermi level of Re R_a,ou R_b,uo: (nk, n, position, field).

    In Angstrom^2 (physics.md eq. 40). The weights add up to the metric of the bands below any Fermi level; for the lowest band,
    and for both of two bands up to the sign, they are the metric Re [R_a R_b]_nn of the band itself (eq. 29). Empty states
    outside the basis take part where the model knows them (eq. 64).
    """

    tensor = level_tensor(bands, bands.connections, bands.connections)
    for a in range(len(bands.axes)):
        for b in range(len(bands.axes)):
            G = outside.metric(bands, a, b)
            if G is not None:
                tensor[:, :, a, b] += diagonal(G)
    return tensor


def orbital_moment(bands: Bands) -> Array:
    """m_i = Re [v_m R_n]_nn, (m, n) with epsilon_imn = +1 (physics.md eq. 44): (nk, n, moment) in eV Angstrom^2 (times e/hbar).

    States outside the basis take part where the model knows them (eq. 63).
    """

    def element(m: int, n: int) -> Array:
        inside = row_trace(bands.velocity(m), bands.connection(n))
        beyond = outside.moment(bands, m, n)
        return inside if beyond is None else inside + diagonal(beyond)

    return np.stack([element(m, n) for m, n in bands.pairs], axis=-1)


CALCULATORS = (
    Observable(
        name="berry_curvature",
        long_name="Berry curvature",
        kind="curvature",
        occupation="sea",
        time_reversal=-1,
        inversion=+1,
        equation="Omega = i sum_n f_n eps <d_m u_n|d_n u_n>",
        reference="Wang, Yates, Souza, Vanderbilt, Phys. Rev. B 74, 195118 (2006), Eq. (5)",
        weights=berry_curvature,
        full_bands="cancel",
        dims=("axis",),
        curvature=True,
    ),
    Observable(
        name="quantum_metric",
        long_name="quantum metric of the occupied states",
        kind="curvature",
        occupation="sea",
        time_reversal=+1,
        inversion=+1,
        equation="G_ab = Re sum_ou R_a,ou R_b,uo",
        reference="Provost, Vallee, Commun. Math. Phys. 76, 289 (1980); Souza, Wilkens, Martin, Phys. Rev. B 62, 1666 (2000)",
        weights=quantum_metric,
        full_bands="cancel",
        dims=("position", "field"),
    ),
    Observable(
        name="orbital_moment",
        long_name="intrinsic orbital moment of the occupied Bloch electrons",
        kind="moment",
        occupation="sea",
        time_reversal=-1,
        inversion=+1,
        equation="m_i = (e/2 hbar) eps_imn sum_n f_n Im sum_p (e_p - e_n) R_m,np R_n,pn",
        reference="Xiao, Chang, Niu, Rev. Mod. Phys. 82, 1959 (2010), Sec. III",
        weights=orbital_moment,
        full_bands="alternate",
        dims=("axis",),
    ),
)
