"""Physical constants and the one conversion from the internal units (eV, Angstrom, hbar = e = 1).

Internally a response tensor alpha_ij = dM_i/dE_j is computed in units of e^2/hbar times
Angstrom**(3 - d), d being the number of periodic directions; this file turns it into SI and
into the other units in use (physics.md section 8).
"""

from __future__ import annotations

import math

# CODATA 2022 as in scipy.constants, against which a test holds them: importing that takes a third of a second
_E, _H, _K = 1.602176634e-19, 6.62607015e-34, 1.380649e-23
_M_E, _G_E = 9.1093837139e-31, -2.00231930436092
_HBAR = _H / (2 * math.pi)

E2_OVER_HBAR: float = _E**2 / _HBAR  #: S
E2_OVER_H: float = _E**2 / _H  #: S
KB: float = _K / _E  #: eV/K
HBAR_EV_FS: float = _HBAR / _E * 1e15  #: eV fs
ANGSTROM: float = 1e-10  #: m
BOHR: float = 5.29177210544e-11 / ANGSTROM  #: Angstrom
MU_0: float = 1.25663706127e-6  #: N/A^2
MU_B: float = 9.2740100657e-24  #: J/T
C: float = 299792458.0  #: m/s

#: spin moment of an electron (physics.md eq. 45), (g/2) mu_B, in e eV Angstrom^2 / hbar: (g/2) hbar^2 / 2m
SPIN_MOMENT: float = -_G_E / 2 * _HBAR**2 / (2 * _M_E) / _E / ANGSTROM**2

#: SI unit of alpha_ij = dM_i/dE_j by the number of periodic directions: M is a moment per volume, area, length, or a moment
ALPHA_UNIT = {3: "A/V", 2: "A m/V", 1: "A m^2/V", 0: "A m^3/V"}


def alpha_to_si(dimension: int) -> float:
    """Factor from e^2/hbar Angstrom^(3-d) to SI for d periodic directions (physics.md eq. 55)."""
    return E2_OVER_HBAR * math.pow(ANGSTROM, 3 - dimension)


def extrinsic_to_si(dimension: int, tau: float) -> float:
    """Factor from (e^2/hbar^2) eV Angstrom^(3-d) per unit of time to SI, for a relaxation time `tau` in fs.

    physics.md eq. 56.
    """
    return alpha_to_si(dimension) * tau / HBAR_EV_FS


#: other ways to write units of alpha
ALIASES = {
    "e^2/h": "e2/h",
    "e^2/hbar": "e2/hbar",
    "mu_B per cell per V/m": "mu_B/cell per V/m",
    "mu_B per cell per V/nm": "mu_B/cell per V/nm",
    "si": "SI",
}


def alpha_units(dimension: int, cell: float = 1.0) -> dict[str, float]:
    """What alpha in SI is multiplied by to be in each unit in use, see `convert_alpha`."""
    nm, per_cell = 1e-9, cell * math.pow(ANGSTROM, dimension) / MU_B
    factors = {
        "SI": 1.0,
        "e2/h": math.pow(ANGSTROM, dimension - 3) / E2_OVER_H,
        "e2/hbar": math.pow(ANGSTROM, dimension - 3) / E2_OVER_HBAR,
        "mu_B/cell per V/m": per_cell,
        "mu_B/cell per V/nm": per_cell / nm,
    }
    if dimension == 3:
        factors |= {"ps/m": MU_0 * 1e12, "c mu_0 alpha": C * MU_0, "mu_B/nm^3 per V/nm": nm**3 / MU_B / nm}
    if dimension == 2:
        factors |= {"mu_B/nm^2 per V/nm": nm**2 / MU_B / nm}
    return factors


def convert_alpha(value: float, unit: str, dimension: int, cell: float = 1.0) -> float:
    """Convert alpha (or an array of it) from SI to another unit in use.

    Parameters
    ----------
    value : alpha in SI (`ALPHA_UNIT`).
    unit : "e2/h", "e2/hbar" (times Angstrom in 2D), "ps/m" (mu_0 alpha, 3D), "c mu_0 alpha" (3D, dimensionless),
        "mu_B/cell per V/m", "mu_B/cell per V/nm", "mu_B/nm^2 per V/nm" (2D), "mu_B/nm^3 per V/nm" (3D), or one of `ALIASES`.
    dimension : number of periodic directions.
    cell : volume or area of the unit cell in Angstrom**dimension, for the units per cell.

    Raises
    ------
    ValueError : if the unit does not exist in this dimension.
    """
    factors, unit = alpha_units(dimension, cell), ALIASES.get(unit, unit)
    if unit not in factors:
        raise ValueError(f"no unit {unit!r} for alpha with {dimension} periodic directions: one of {sorted(factors)}")
    return value * factors[unit]
