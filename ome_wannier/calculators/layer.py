"""The elements of a layer that the position along its normal takes part in: moments in the plane, and a field along the normal.

The plane is periodic; across it the position is a bounded operator Z, and a field E_z is a bounded perturbation (physics.md
section 12). Rows are moments in the plane ("lateral") or along the normal ("moment"), columns fields in the plane ("field") or
along the normal ("gate"). Responses to E_z are those of equilibrium, at a fixed Fermi level. The drift of an element is what it
changes by when the origin moves by an Angstrom along the normal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands import across, compiled
from ..bands.bands import Bands, shared
from ..bands.matrices import _whole, diagonal, row_trace
from ..bands.traces import level_tensor, velocity_weighted
from ..common.units import SPIN_MOMENT
from .geometry import berry_curvature, orbital_moment

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


# ---- a field in the plane --------------------------------------------------------------------------------------------


def lateral(bands: Bands) -> Array:
    """2 Re[B_b M_i]_nn - delta_ib Re[1/2 {Z, F}]_nn (layers.md eq. 3): (nk, n, lateral, field) in Angstrom^3."""
    out = 2 * level_tensor(bands, bands.responses, across.lateral_operators(bands))
    F = across.curvature(bands)
    if F is not None:
        out[:, :, [0, 1], [0, 1]] -= row_trace(across.position(bands), F)[:, :, None]
    return out


def lateral_extrinsic(bands: Bands) -> Array:
    """-[vbar_b M_i]_nn for -df/de (layers.md eq. 4): (nk, n, lateral, field) in eV^2 Angstrom^3."""
    return -_velocity_weighted(bands, across.lateral_operators(bands))


def lateral_hall(bands: Bands) -> Array:
    """delta_ib Omega_n, what `lateral` changes by with the origin (layers.md eq. 9): (nk, n, lateral, field, gate)."""
    return (_curvature(bands)[:, :, :, None] * np.eye(2))[..., None]


def lateral_drude(bands: Bands) -> Array:
    """The same of `lateral_extrinsic`, +-[vbar_b v_a]_nn, v_a the current of the moment: (nk, n, lateral, field, gate)."""
    currents = [m.sign * bands.velocity(m.a) for m in across.lateral_moments(bands)]
    return _velocity_weighted(bands, np.stack(currents, axis=1))[..., None]


# ---- a field along the normal ----------------------------------------------------------------------------------------


def lateral_gate(bands: Bands) -> Array:
    """2 Re[B_z M_i]_nn + s_i Re[1/2 {Z, D_a Z}]_nn (layers.md eq. 5): (nk, n, lateral, gate) in Angstrom^3."""
    out = _mixed_by_gate(bands, across.lateral_operators(bands))
    D = across.position_derivatives(bands)
    if D is not None:
        for i, m in enumerate(across.lateral_moments(bands)):
            out[:, :, i, 0] += m.sign * row_trace(across.position(bands), D[:, m.a])
    return out


def lateral_gate_surface(bands: Bands) -> Array:
    """-[Zbar M_i]_nn for -df/de (layers.md eq. 5): (nk, n, lateral, gate) in eV Angstrom^3."""
    return -_shifted_by_gate(bands, across.lateral_operators(bands))


def lateral_by_level(bands: Bands) -> Array:
    """[M_i]_nn for -df/de, dM_i/dmu, the drift of `lateral_gate`: (nk, n, lateral, gate, gate) in eV Angstrom^2."""
    return _diagonals(across.lateral_operators(bands))


def moment_gate(bands: Bands) -> Array:
    """The weights with f of M_z under E_z (layers.md eq. 6): (nk, n, moment, gate) in Angstrom^3."""
    return across.gate_moment(bands)[:, :, None, :1]


def moment_gate_grand(bands: Bands) -> Array:
    """The weights with k_B T log(1 + exp((mu - e) / k_B T)) of M_z under E_z (layers.md eq. 7): (nk, n, moment, gate)."""
    return across.gate_moment(bands)[:, :, None, 1:]


def moment_gate_surface(bands: Bands) -> Array:
    """-[Zbar m]_nn for -df/de, m the moment of the Bloch states (layers.md eq. 6): (nk, n, moment, gate) in eV Angstrom^3."""
    ((m, n),) = bands.pairs
    Z, v, R = (_whole(X[:, None]) for X in (across.position(bands), bands.velocity(m), bands.connection(n)))
    found: Array = compiled.velocity_weighted_traces(Z, v, R, *bands.groups, *bands.passed)
    return -found[:, :, 0]


def moment_curvature(bands: Bands) -> Array:
    """Omega_n with f, a part of dM_z/dmu, the drift of `moment_gate`: (nk, n, moment, gate, gate) in Angstrom^2."""
    return _curvature(bands)[..., None, None]


def moment_by_level(bands: Bands) -> Array:
    """m_n for -df/de, the other part of dM_z/dmu: (nk, n, moment, gate, gate) in eV Angstrom^2."""
    return orbital_moment(bands)[..., None, None]


# ---- spin ------------------------------------------------------------------------------------------------------------


def spin_gate(bands: Bands) -> Array:
    """The moment of the spin that E_z mixes in (layers.md eq. 5): (nk, n, spin_moment, gate) in Angstrom^3."""
    return -SPIN_MOMENT * _mixed_by_gate(bands, bands.spins)


def spin_gate_surface(bands: Bands) -> Array:
    """-[Zbar m_i]_nn for -df/de with the spin moment (layers.md eq. 5): (nk, n, spin_moment, gate)."""
    return SPIN_MOMENT * _shifted_by_gate(bands, bands.spins)


def spin_by_level(bands: Bands) -> Array:
    """The spin moment of the states for -df/de, dM_i/dmu, the drift of `spin_gate`: (nk, n, spin_moment, gate, gate)."""
    return -SPIN_MOMENT * _diagonals(bands.spins)


# ---- the carriers ----------------------------------------------------------------------------------------------------


def carriers(bands: Bands) -> Array:
    """1 for -df/de, the density of states: (nk, n)."""
    return np.ones_like(bands.energies)


def height(bands: Bands) -> Array:
    """Z_nn for -df/de; over `carriers` it is where the carriers at the Fermi level are: (nk, n, gate) in Angstrom."""
    return diagonal(across.position(bands))[:, :, None]


@shared
def _curvature(bands: Bands) -> Array:
    return berry_curvature(bands)


def _velocity_weighted(bands: Bands, O: ComplexArray) -> Array:
    """Re [vbar_b O_i]_nn (nk, n, i, b) of a stack O (nk, i, n, n) of Hermitian matrices."""
    rows = [[velocity_weighted(bands, b, O[:, i]) for b in range(len(bands.axes))] for i in range(O.shape[1])]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _mixed_by_gate(bands: Bands, O: ComplexArray) -> Array:
    """2 Re[B_z O_i]_nn (nk, n, i, 1)."""
    return 2 * level_tensor(bands, across.position_response(bands)[:, None], O)


def _shifted_by_gate(bands: Bands, O: ComplexArray) -> Array:
    """Re [Zbar O_i]_nn (nk, n, i, 1), Zbar the part of Z inside groups."""
    Z = _whole(across.position(bands)[:, None])
    found = [compiled.velocity_weighted(Z, 0, _whole(O[:, i]), *bands.groups) for i in range(O.shape[1])]
    return np.stack(found, axis=-1)[..., None]


def _diagonals(O: ComplexArray) -> Array:
    """[O_i]_nn (nk, n, i, 1, 1)."""
    return np.stack([diagonal(O[:, i]) for i in range(O.shape[1])], axis=-1)[..., None, None]
