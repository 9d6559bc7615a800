"""The elements of a layer or chain that the position across it takes part in.

Across it the position is a bounded operator r_g, and a field is a bounded perturbation (layers.md and chains.md). Rows are
moments that need it ("lateral": in the plane of a layer, all of a chain) or not ("moment": along the normal of a layer);
columns are fields along the layer or chain ("field") or across ("gate"). Responses to a field across are those of equilibrium,
at a fixed Fermi level. The drift of an element is what it changes by when the origin moves by an Angstrom, in each direction
across ("gate").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..bands import across, compiled
from ..bands.bands import Bands, shared
from ..bands.matrices import _whole, diagonal, row_trace
from ..bands.traces import level_tensor, velocities_weighted
from ..common.units import SPIN_MOMENT
from .geometry import berry_curvature, orbital_moment

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


# ---- a field along the layer or chain --------------------------------------------------------------------------------


def lateral(bands: Bands) -> Array:
    """2 Re[B_b M_i]_nn + Re[M_i of i [r_b, v]]_nn (layers.md eq. 3, chains.md eq. 3): (nk, n, lateral, field) in Angstrom^3."""
    return 2 * level_tensor(bands, bands.responses, across.lateral_operators(bands)) + _dragged(bands, bands.axes)


def lateral_extrinsic(bands: Bands) -> Array:
    """-[vbar_b M_i]_nn for -df/de (layers.md eq. 4): (nk, n, lateral, field) in eV^2 Angstrom^3."""
    return -velocities_weighted(bands, across.lateral_operators(bands))


def lateral_hall(bands: Bands) -> Array:
    """The current that makes the moment, what `lateral` changes by with the origin: (nk, n, lateral, field, gate).

    Of a layer delta_ib Omega_n (layers.md eq. 9): the current that is symmetric in the two directions vanishes.
    """
    if bands.moments:
        return np.asarray((_curvature(bands)[..., None] * np.eye(2))[..., None])
    along = across.current_axes(bands)
    current = 2 * level_tensor(bands, bands.responses, across.currents(bands))
    for b, axis in enumerate(bands.axes):
        for c, other in enumerate(along):
            if (found := across.dragged(bands, axis, other)) is not None:
                current[:, :, c, b] += found.sign * diagonal(found.X)
    return _of_currents(bands, current)


def lateral_drude(bands: Bands) -> Array:
    """The same of `lateral_extrinsic`, of [vbar_b v_c]_nn: (nk, n, lateral, field, gate)."""
    return _of_currents(bands, -velocities_weighted(bands, across.currents(bands)))


def lateral_moment(bands: Bands) -> Array:
    """[M_i]_nn, the moments of the states that need the position across: (nk, n, lateral) in eV Angstrom^2 (times e/hbar)."""
    return _diagonal(across.lateral_operators(bands))


# ---- a field across --------------------------------------------------------------------------------------------------


def lateral_gate(bands: Bands) -> Array:
    """2 Re[B_g M_i]_nn + Re[M_i of i [r_g, v]]_nn (layers.md eq. 5, chains.md eq. 4): (nk, n, lateral, gate) in Angstrom^3."""
    return _mixed_by_gate(bands, across.lateral_operators(bands)) + _dragged(bands, bands.model.bounded)


def lateral_gate_surface(bands: Bands) -> Array:
    """-[rbar_g M_i]_nn for -df/de (layers.md eq. 5, chains.md eq. 4): (nk, n, lateral, gate) in eV Angstrom^3."""
    return -_shifted_by_gate(bands, across.lateral_operators(bands))


def lateral_by_level(bands: Bands) -> Array:
    """[M_i]_nn for -df/de, dM_i/dmu, the drift of `lateral_gate`: (nk, n, lateral, gate, gate) in eV Angstrom^2."""
    return _diagonals(bands, across.lateral_operators(bands))


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


# ---- operators of a model ----------------------------------------------------------------------------------------------


def operator_gate(bands: Bands, name: str) -> Array:
    """2 Re[B_g O_i]_nn, what a field across mixes into an operator (layers.md eq. 5): (nk, n, c, gate), times Angstrom/eV."""
    return _mixed_by_gate(bands, bands.operator(name))


def operator_gate_surface(bands: Bands, name: str) -> Array:
    """-[rbar_g O_i]_nn for -df/de (layers.md eq. 5): (nk, n, c, gate), times Angstrom."""
    return -_shifted_by_gate(bands, bands.operator(name))


def operator_by_level(bands: Bands, name: str) -> Array:
    """[O_i]_nn for -df/de, the drift of `operator_gate`: (nk, n, c, gate, gate), in the unit of the operator."""
    return _diagonals(bands, bands.operator(name))


# ---- spin ------------------------------------------------------------------------------------------------------------


def spin_gate(bands: Bands) -> Array:
    """The moment of the spin that E_z mixes in (layers.md eq. 5): (nk, n, spin_moment, gate) in Angstrom^3."""
    return -SPIN_MOMENT * _mixed_by_gate(bands, bands.operator("spin"))


def spin_gate_surface(bands: Bands) -> Array:
    """-[Zbar m_i]_nn for -df/de with the spin moment (layers.md eq. 5): (nk, n, spin_moment, gate)."""
    return SPIN_MOMENT * _shifted_by_gate(bands, bands.operator("spin"))


def spin_by_level(bands: Bands) -> Array:
    """The spin moment of the states for -df/de, dM_i/dmu, the drift of `spin_gate`: (nk, n, spin_moment, gate, gate)."""
    return -SPIN_MOMENT * _diagonals(bands, bands.operator("spin"))


# ---- the carriers ----------------------------------------------------------------------------------------------------


def carriers(bands: Bands) -> Array:
    """1 for -df/de, the density of states: (nk, n)."""
    return np.ones_like(bands.energies)


def height(bands: Bands) -> Array:
    """[r_g]_nn for -df/de; over `carriers` it is where the carriers at the Fermi level are: (nk, n, gate) in Angstrom."""
    return _diagonal(across.positions(bands))


@shared
def _curvature(bands: Bands) -> Array:
    return berry_curvature(bands)


def _dragged(bands: Bands, fields: Sequence[int]) -> Array | float:
    """[M_i]_nn with i [r_b, v] in place of the velocity, for fields along Cartesian axes b: (nk, n, lateral, fields)."""
    if across.position_derivatives(bands) is None:
        return 0.0
    r, rows, known = across.positions(bands), across.lateral_axes(bands), {}
    out = np.zeros((*bands.energies.shape, len(rows), len(fields)))
    for i, axis in enumerate(rows):
        for term in across.products(bands, axis):
            for b, field in enumerate(fields):
                found = across.dragged(bands, field, term.c)
                if found is None:
                    continue
                if (key := (term.g, found.name)) not in known:
                    known[key] = row_trace(r[:, term.g], found.X)
                out[:, :, i, b] += term.weight * found.sign * known[key]
    return out


def _of_currents(bands: Bands, current: Array) -> Array:
    """What moments change by, (nk, n, lateral, b, gate), of what the velocities along `current_axes` have (nk, n, c, b)."""
    rows, along = across.lateral_axes(bands), across.current_axes(bands)
    out = np.zeros((*current.shape[:2], len(rows), current.shape[3], len(bands.model.bounded)))
    for i, axis in enumerate(rows):
        for term in across.products(bands, axis):
            out[:, :, i, :, term.g] -= term.weight * current[:, :, along.index(term.c)]
    return out


def _mixed_by_gate(bands: Bands, O: ComplexArray) -> Array:
    """2 Re[B_g O_i]_nn (nk, n, i, gate)."""
    return 2 * level_tensor(bands, across.position_responses(bands), O)


def _shifted_by_gate(bands: Bands, O: ComplexArray) -> Array:
    """Re [rbar_g O_i]_nn (nk, n, i, gate), rbar_g the part of r_g inside groups."""
    out: Array = compiled.within_groups(_whole(across.positions(bands)), _whole(O), *bands.groups)
    return out


def _diagonals(bands: Bands, O: ComplexArray) -> Array:
    """delta_gh [O_i]_nn (nk, n, i, g, h)."""
    return _diagonal(O)[..., None, None] * np.eye(len(bands.model.bounded))


def _diagonal(O: ComplexArray) -> Array:
    """[O_i]_nn (nk, n, i) of a stack O (nk, i, n, n)."""
    return np.stack([diagonal(O[:, i]) for i in range(O.shape[1])], axis=-1)
