"""The spin magneto-electric (Edelstein) response: the formulas of the orbital one with the spin moment as the operator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..common.units import SPIN_MOMENT
from . import operators
from .quantity import PAPER, Combination, Observable
from .thermal import thermal_of

Array = NDArray[np.float64]


def spin(bands: Bands) -> Array:
    """Trace of B_b with the spin moment -(g/2) (hbar^2/2m) sigma_i: (nk, n, spin_moment, field) in Angstrom^3.

    physics.md eqs. 16 and 45.
    """
    return -SPIN_MOMENT * operators.response(bands, "spin")


def spin_extrinsic(bands: Bands) -> Array:
    """-[vbar_b m_i]_nn with the spin moment, for -df/de: (nk, n, spin_moment, field) in eV^2 Angstrom^3.

    physics.md eqs. 43, 45.
    """
    return -SPIN_MOMENT * operators.extrinsic(bands, "spin")


def spin_along_moments(bands: Bands) -> Array:
    """The rows of `spin` that stand beside an orbital moment: (nk, n, moment, field) in Angstrom^3."""
    return spin(bands)[:, :, list(bands.moments)]


_REFERENCE = "Edelstein, Solid State Commun. 73, 233 (1990); Garate, MacDonald, Phys. Rev. B 80, 134403 (2009)"

EXTRINSIC = Observable(
    name="spin_extrinsic",
    long_name="extrinsic spin magneto-electric (Edelstein) response",
    kind="extrinsic",
    occupation="surface",
    time_reversal=+1,
    inversion=-1,
    equation="alpha = (e/hbar) tau sum_n (d_b f_n) m_i,n,  m_i = -(g/2) mu_B sigma_i",
    reference=_REFERENCE,
    weights=spin_extrinsic,
    dims=("spin_moment", "field"),
    needs_spin=True,
)
CALCULATORS = (
    Observable(
        name="spin",
        long_name="intrinsic spin magneto-electric response",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = Tr[m_i S_b],  m_i = -(g/2) mu_B sigma_i",
        reference=_REFERENCE,
        weights=spin,
        full_bands="cancel",
        dims=("spin_moment", "field"),
        needs_spin=True,
    ),
    EXTRINSIC,
    thermal_of(EXTRINSIC, "alpha = sum_n tau v_b (df_n/de) ((e_n - mu)/T) m_i,n,  m_i = -(g/2) mu_B sigma_i"),
    Observable(
        name="spin_along_moments",
        long_name="intrinsic spin response of the components that have an orbital counterpart",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = Tr[m_i S_b],  m_i = -(g/2) mu_B sigma_i, i the axes of orbital moments",
        reference=_REFERENCE,
        weights=spin_along_moments,
        full_bands="cancel",
        needs_spin=True,
    ),
    operators.hall_of("spin", "hbar", time_reversal=+1, inversion=+1, is_vector=True, needs_spin=True, factor=0.5),
    Combination(
        name="total_with_spin",
        long_name="intrinsic magneto-electric response, orbital and spin",
        terms=(("interband", 1.0), ("metric_curl", 0.5), ("spin_along_moments", 1.0)),
        equation="alpha = total + spin",
        reference=f"{PAPER}; {_REFERENCE}",
        note="in 3D the isotropic part lacks the Chern-Simons term",
    ),
)
