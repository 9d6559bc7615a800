"""The curl of the quantum metric, the total response, and the semiclassical forms that differ in a prefactor."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.matrices import row_trace
from ..bands.traces import velocity_weighted, velocity_weighted_metric
from . import outside
from .quantity import PAPER, Combination, Observable
from .weights import stack_tensor

Array = NDArray[np.float64]

_REFERENCE = "Cullen, Arovas, Raimondi, Culcer (2025), second term of Eq. (57)"

#: coefficient of the curl of the metric
PREFACTORS = {"wavepacket": 1.0, "operator": 1 / 2, "kubo": 1 / 3}


def metric_curl(bands: Bands) -> Array:
    """Fermi-surface form, epsilon_imn [vbar_m G_bn]_nn, G_bn = Re R_b R_n: (nk, n, moment, field) in eV Angstrom^3.

    physics.md eq. 31. States outside the basis take part in the metric (eq. 64) where the model knows them.
    """

    def weighted_metric(m: int, n: int, b: int) -> Array:
        inside: Array = velocity_weighted_metric(bands)[:, :, m, b, n]
        G = outside.metric(bands, b, n)
        return inside if G is None else inside + velocity_weighted(bands, m, G)

    return stack_tensor(bands, lambda m, n, b: weighted_metric(m, n, b) - weighted_metric(n, m, b))


def metric_curl_sea(bands: Bands) -> Array:
    """Fermi-sea form, epsilon_imn d_m G_bn with d_m G_bn = Re [R_b;m R_n + R_b R_n;m]_nn: (nk, n, moment, field).

    physics.md eq. 30. Inside the basis only, whatever the model knows of states outside.
    """

    def derivative(m: int, n: int, b: int) -> Array:
        left = row_trace(bands.connection_derivative(b, m), bands.connection(n))
        return left + row_trace(bands.connection(b), bands.connection_derivative(n, m))

    return stack_tensor(bands, lambda m, n, b: derivative(m, n, b) - derivative(n, m, b))


def semiclassical(prefactor: Literal["wavepacket", "operator", "kubo"] = "operator") -> Combination:
    """interband + c metric_curl, where c says how much of the electric quadrupole's rate of change is magnetization.

    physics.md eq. 32. "wavepacket" (c = 1) is Cullen et al. Eq. (57) as printed, "operator" (c = 1/2) the untruncated density
    matrix and equal to `total` (eq. 38), "kubo" (c = 1/3) the conductivity to first order in q, whose traceless part alone has
    a meaning.
    All agree in insulators, where the Fermi-surface term vanishes. For one tilted massive Dirac cone with the Fermi
    level in the band, -M_z / (e^2 E_y v_t) is to first order in the tilt (physics.md eq. 51) m^2 / (12 pi E_F^3),
    (3 E_F^2 + 5 m^2) / (96 pi E_F^3) and (E_F^2 + m^2) / (24 pi E_F^3); all are 1 / (12 pi m) in the gap.

    Raises
    ------
    ValueError : for another prefactor.
    """
    if prefactor not in PREFACTORS:
        raise ValueError(f"no prefactor {prefactor!r}: one of {', '.join(PREFACTORS)}")
    return Combination(
        name="semiclassical",
        long_name=f"semiclassical response, prefactor {prefactor}",
        terms=(("interband", 1.0), ("metric_curl", PREFACTORS[prefactor])),
        equation=f"alpha = interband + {PREFACTORS[prefactor]:.4g} metric_curl",
        reference=f"{PAPER}, Eq. (57)",
    )


CALCULATORS = (
    Combination(
        name="total",
        long_name="intrinsic orbital magneto-electric response",
        terms=(("interband", 1.0), ("metric_curl", 0.5)),
        equation="alpha = interband + 1/2 metric_curl",
        reference=f"{PAPER}, density-matrix response, with the terms restored that Eq. (52) drops",
        note="in 3D the isotropic part lacks the Chern-Simons term",
    ),
    semiclassical(),
    Observable(
        name="metric_curl",
        long_name="curl of the quantum metric, Fermi-surface form",
        kind="alpha",
        occupation="surface",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = -eps_imn sum_n (d_m f_n) G_bn,n",
        reference=_REFERENCE + ", integrated by parts",
        weights=metric_curl,
    ),
    Observable(
        name="metric_curl_sea",
        long_name="curl of the quantum metric, Fermi-sea form",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = eps_imn sum_n f_n d_m G_bn,n",
        reference=_REFERENCE,
        weights=metric_curl_sea,
        full_bands="alternate",
        order=2,
    ),
)
