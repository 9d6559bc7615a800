"""The magnetization of equilibrium, and how it changes with the Fermi level (modern theory of orbital magnetization).

    M_i = sum_n f_n m_i,n + g_n Omega_i,n ,      g = k_B T log(1 + exp((mu - e) / k_B T)) ,      dg/dmu = f .

The first term is the moment of the Bloch electrons, `bloch_moment`; the second, `berry_moment`, is their density of states in
a magnetic field. Each diverges where two occupied bands come close; their sum does not (physics.md eqs. 68 to 70).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import row_trace
from ..bands.outside_basis import basis_curvature
from ..common.units import SPIN_MOMENT
from . import operators
from .geometry import berry_curvature, orbital_moment
from .quantity import Combination, Observable

Array = NDArray[np.float64]


def band_curvature(bands: Bands) -> Array:
    """Omega of every band by itself, (m, n) with epsilon_imn = +1 (physics.md eq. 69): (nk, n, moment) in Angstrom^2.

    `berry_curvature` leaves out pairs of bands that no Fermi level separates: they cancel in a sum with f, not with g.
    """
    curvature = [
        basis_curvature(bands, m, n) - 2 * row_trace(-1j * bands.connection(m), bands.connection(n)) for m, n in bands.pairs
    ]
    return np.stack(curvature, axis=-1)


def spin_moment(bands: Bands) -> Array:
    """-(g/2) (hbar^2/2m) [sigma_i]_nn (physics.md eq. 45): (nk, n, spin_moment) in eV Angstrom^2 (times e/hbar)."""
    return -SPIN_MOMENT * operators.expectation(bands, "spin")


_REFERENCE = (
    "Xiao, Shi, Niu, Phys. Rev. Lett. 95, 137204 (2005); Thonhauser, Ceresoli, Vanderbilt, Resta, Phys. Rev. Lett. 95, 137205 "
    "(2005); Shi, Vignale, Xiao, Niu, Phys. Rev. Lett. 99, 197202 (2007)"
)
_SPIN = "m_i = -(g/2) mu_B sigma_i"

CALCULATORS = (
    Combination(
        name="magnetization",
        long_name="orbital magnetization of equilibrium",
        terms=(("bloch_moment", 1.0), ("berry_moment", 1.0)),
        equation="M = (e/hbar) sum_n f_n m_n + k_B T log(1 + exp((mu - e_n)/k_B T)) Omega_n",
        reference=_REFERENCE,
    ),
    Observable(
        name="bloch_moment",
        long_name="orbital moments as a part of the magnetization (orbital_moment)",
        kind="moment",
        occupation="sea",
        time_reversal=-1,
        inversion=+1,
        equation="M = (e/hbar) sum_n f_n m_n",
        reference=_REFERENCE,
        weights=orbital_moment,
        full_bands="cancel",  # beside berry_moment, a part of the magnetization
        dims=("moment",),
    ),
    Observable(
        name="berry_moment",
        long_name="Berry-curvature term of the orbital magnetization",
        kind="moment",
        occupation="grand",
        time_reversal=-1,
        inversion=+1,
        equation="M = (e/hbar) sum_n k_B T log(1 + exp((mu - e_n)/k_B T)) Omega_n",
        reference=_REFERENCE,
        weights=band_curvature,
        dims=("moment",),
        curvature=True,
    ),
    Combination(
        name="magnetization_dmu",
        long_name="derivative of the orbital magnetization by the Fermi level",
        terms=(("bloch_moment_dmu", 1.0), ("berry_moment_dmu", 1.0)),
        equation="dM/dmu = (e/hbar) sum_n f_n Omega_n + (-df_n/de) m_n",
        reference=f"{_REFERENCE}; Streda, J. Phys. C 15, L717 (1982)",
    ),
    Observable(
        name="bloch_moment_dmu",
        long_name="derivative of bloch_moment by the Fermi level",
        kind="moment_slope",
        occupation="surface",
        time_reversal=-1,
        inversion=+1,
        equation="dM/dmu = (e/hbar) sum_n (-df_n/de) m_n",
        reference=_REFERENCE,
        weights=orbital_moment,
        dims=("moment",),
    ),
    Observable(
        name="berry_moment_dmu",
        long_name="derivative of berry_moment by the Fermi level",
        kind="moment_slope",
        occupation="sea",
        time_reversal=-1,
        inversion=+1,
        equation="dM/dmu = (e/hbar) sum_n f_n Omega_n",
        reference=f"{_REFERENCE}; Streda, J. Phys. C 15, L717 (1982)",
        weights=berry_curvature,
        full_bands="cancel",
        dims=("moment",),
        curvature=True,
    ),
    Observable(
        name="spin_magnetization",
        long_name="spin magnetization of equilibrium",
        kind="moment",
        occupation="sea",
        time_reversal=-1,
        inversion=+1,
        equation=f"M_i = sum_n f_n m_i,n,  {_SPIN}",
        reference="Xiao, Chang, Niu, Rev. Mod. Phys. 82, 1959 (2010), Sec. IV",
        weights=spin_moment,
        full_bands="cancel",
        dims=("spin_moment",),
        needs_spin=True,
    ),
    Observable(
        name="spin_magnetization_dmu",
        long_name="derivative of the spin magnetization by the Fermi level",
        kind="moment_slope",
        occupation="surface",
        time_reversal=-1,
        inversion=+1,
        equation=f"dM_i/dmu = sum_n (-df_n/de) m_i,n,  {_SPIN}",
        reference="Xiao, Chang, Niu, Rev. Mod. Phys. 82, 1959 (2010), Sec. IV",
        weights=spin_moment,
        dims=("spin_moment",),
        needs_spin=True,
    ),
)
