"""Itinerant and local circulation: the split of the density-matrix response of Cullen et al.

The itinerant part exists twice. As published (`itinerant_sea`, physics.md eq. 25) it needs second derivatives of H, and pairs
of occupied bands that come close make its integrand grow as 1/gap^3 although their sum is a total derivative. Where the
positions commute, R_m;b - i [R_b, R_m] = R_b;m between bands, so the published form is the curl of the metric plus a
three-band term,

    L'_IC = metric_curl + epsilon_imn Im [R_b R_m R_n]_nn ,

and taking the curl as a Fermi-surface term leaves first derivatives and simple denominators (`itinerant`, physics.md eq. 26).
With it, dipole + itinerant + local + local_intraband equals `total` (eq. 28) for any model, Wannier functions included: every
element in 2D, the traceless part in 3D. What the truncation of a Wannier basis changes is the difference of the two forms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import adjoint, row_trace, row_traces
from ..bands.traces import commutators, interband_anticommutators, level_tensor
from .quantity import PAPER, Combination, Observable
from .weights import stack_tensor

Array = NDArray[np.float64]


def itinerant_sea(bands: Bands) -> Array:
    """1/2 epsilon_imn Re [R_n DR_bm]_nn, DR_bm = R_m;b - i [R_b, R_m]: (nk, n, moment, field) in Angstrom^3.

    physics.md eq. 25.
    """

    def half(n: int, m: int, b: int) -> Array:
        # [R_b, R_m] = P - P^+ with P = R_b R_m; i (P - P^+) is Hermitian
        P = bands.connection_connection(b, m)
        return row_trace(bands.connection(n), bands.connection_derivative(m, b) - 1j * (P - adjoint(P)))

    return stack_tensor(bands, lambda m, n, b: (half(n, m, b) - half(m, n, b)) / 2)


def three_band_circulation(bands: Bands) -> Array:
    """1/2 epsilon_imn Im [R_b R_m R_n]_nn (physics.md eq. 26): (nk, n, moment, field) in Angstrom^3. Zero for two bands."""

    return -row_traces(bands.connections, commutators(bands)) / 2


def local(bands: Bands) -> Array:
    """Half of the trace of B_b with O_i = 1/2 epsilon_imn {vtil_m, R_n}, vtil = v - vbar: (nk, n, moment, field) in Angstrom^3.

    physics.md eqs. 24 and 27. Three different bands (groups) take part: it vanishes for two.
    """

    return level_tensor(bands, bands.responses, interband_anticommutators(bands))


CALCULATORS = (
    Combination(
        name="itinerant",
        long_name="itinerant circulation, Fermi-surface form",
        terms=(("metric_curl", 0.5), ("three_band_circulation", 1.0)),
        equation="alpha = 1/2 metric_curl + 1/2 sum_n f_n eps_imn Im [R_b R_m R_n]_nn",
        reference=f"{PAPER}, Eqs. (51), (54), (56), integrated by parts (see itinerant_sea)",
    ),
    Observable(
        name="local",
        long_name="local circulation, three different bands",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = 1/2 Tr[1/2 eps_imn {v_m - vbar_m, R_n} S_b]",
        reference=f"{PAPER}, Eqs. (52), (53)",
        weights=local,
        full_bands="alternate",
    ),
    Combination(
        name="total_published",
        long_name="dipole + itinerant + local, as published (misses the intraband half of the local circulation)",
        terms=(("dipole", 1.0), ("metric_curl", 0.5), ("three_band_circulation", 1.0), ("local", 1.0)),
        equation="alpha = 1/2 (L'_d + L'_IC + L'_LC)",
        reference=f"{PAPER}, Eq. (49), last line; it misses the intraband half of the local circulation",
    ),
    Observable(
        name="three_band_circulation",
        long_name="three-band part of the itinerant circulation",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = 1/2 sum_n f_n eps_imn Im [R_b R_m R_n]_nn",
        reference=f"{PAPER}, Eq. (51), with R_m;b - i [R_b, R_m] = R_b;m (positions that commute)",
        weights=three_band_circulation,
        full_bands="alternate",
    ),
    Observable(
        name="itinerant_sea",
        long_name="itinerant circulation, Fermi-sea form as published",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = 1/2 sum_n f_n eps_imn Re [R_n (R_m;b - i [R_b, R_m])]_nn",
        reference=f"{PAPER}, Eqs. (51), (54), (56)",
        weights=itinerant_sea,
        full_bands="alternate",
        order=2,
    ),
    Combination(
        name="commutator_residual",
        long_name="total minus (dipole + itinerant_sea + local + local_intraband): zero where the positions commute",
        terms=(
            ("interband", 1.0),
            ("metric_curl", 0.5),
            ("dipole", -2.0),
            ("itinerant_sea", -1.0),
            ("local", -1.0),
        ),
        equation="alpha = total - 1/2 (2 L'_d + L'_IC + L'_LC)",
        reference=f"{PAPER}: uncertainty of its split by the truncation of the basis",
    ),
)
