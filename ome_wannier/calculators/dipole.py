"""The field-induced dipole and the orbital moment of its motion with the band velocity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.traces import level_tensor, velocity_weighted_dipoles
from ..common.units import ANGSTROM, HBAR_EV_FS
from .quantity import PAPER, Combination, Observable

Array = NDArray[np.float64]


def dipole_polarizability(bands: Bands) -> Array:
    """<r_a> per E_b: a_n = 2 Re [B_b R_a]_nn (physics.md eq. 22): (nk, n, position, field) in Angstrom^2/eV.

    The trace of B_b R_a over a full shell is the quantum metric over the gap.
    """
    return 2 * level_tensor(bands, bands.responses, bands.connections)


def metric_velocity(bands: Bands) -> Array:
    """2 Re [R_b R_a] of pairs across the level: (nk, n, position, field) in Angstrom^2, times e/hbar a velocity per field.

    Each pair of bands times its hbar / (e_m - e_n), the time of their interference, is its share of `dipole_polarizability`.
    """
    return 2 * level_tensor(bands, bands.connections, bands.connections)


def dipole(bands: Bands) -> Array:
    """Half of the trace of B_b with O_i = 1/2 epsilon_imn {vbar_m, R_n}: (nk, n, moment, field) in Angstrom^3.

    physics.md eqs. 23 and 27.
    """

    return level_tensor(bands, bands.responses, velocity_weighted_dipoles(bands))


CALCULATORS = (
    Observable(
        name="dipole_polarizability",
        long_name="electric dipole density per field",
        kind="polarizability",
        occupation="sea",
        time_reversal=+1,
        inversion=+1,
        equation="<r_a> = E_b sum_n f_n 2 Re [(R_b/(e_m - e_n)) R_a]_nn",
        reference=f"{PAPER}, Eqs. (1), (9)",
        weights=dipole_polarizability,
        full_bands="cancel",
        dims=("position", "field"),
    ),
    Observable(
        name="metric_velocity",
        long_name="quantum-metric velocity of the field-induced dipole, per field",
        kind="density_response",
        occupation="sea",
        time_reversal=+1,
        inversion=+1,
        equation="v_a = (2e/hbar) E_b sum_ou Re [R_b,ou R_a,uo],  <r_a> = sum v_ou hbar/(e_u - e_o)",
        reference=f"{PAPER}, Eq. (1): the displacement as a velocity times the Zitterbewegung time",
        weights=metric_velocity,
        full_bands="cancel",
        dims=("position", "field"),
        unit="m/s",
        factor=ANGSTROM / (HBAR_EV_FS * 1e-15),
    ),
    Observable(
        name="dipole",
        long_name="orbital moment of the field-induced dipole moving with the band velocity",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = 1/2 Tr[1/2 eps_imn {vbar_m, R_n} S_b]",
        reference=f"{PAPER}, Eq. (50)",
        weights=dipole,
        full_bands="alternate",
    ),
    Combination(
        name="local_intraband",
        long_name="intraband half of the local circulation (equal to the dipole part)",
        terms=(("dipole", 1.0),),
        equation="alpha = 1/2 L'_d: the terms l = m, n of L_LC that the paper drops",
        reference=f"{PAPER}, the terms l = m, n that Eq. (52) drops; checked against finite samples",
    ),
)
