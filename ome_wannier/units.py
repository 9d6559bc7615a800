"""Units: constants, and what responses are in other ones."""

from .common.units import (
    ALPHA_UNIT,
    ANGSTROM,
    BOHR,
    E2_OVER_H,
    E2_OVER_HBAR,
    HBAR_EV_FS,
    KB,
    MU_0,
    MU_B,
    SPIN_MOMENT,
    C,
    alpha_to_si,
    convert_alpha,
    extrinsic_to_si,
)

__all__ = [
    "ALPHA_UNIT",
    "ANGSTROM",
    "BOHR",
    "E2_OVER_H",
    "E2_OVER_HBAR",
    "HBAR_EV_FS",
    "KB",
    "MU_0",
    "MU_B",
    "SPIN_MOMENT",
    "C",
    "alpha_to_si",
    "convert_alpha",
    "extrinsic_to_si",
]
