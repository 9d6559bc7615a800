"""The cross-gap form: only pairs of an occupied and an empty band have an energy denominator.

With the bands partitioned at the Fermi level (o occupied, u empty) and B_b = R_b / (e_m - e_n),

    Q_ib = eps_imn Re sum_ou B_ou [ sum_u' v_m,uu' R_n,u'o + sum_o' R_n,uo' v_m,o'o ]

is well conditioned for any model. A term of the first sum exists while the Fermi level lies between o and the lower of
u, u'; one of the second while it lies between the higher of o, o' and u. Collecting the terms by these two levels gives
pair weights w[o, q], o < q, and per-band weights a_n = sum_{q>n} w[n, q] - sum_{o<n} w[o, n] whose sum over the bands
below any Fermi level is Q: one histogram serves all Fermi levels (physics.md section 4).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bands import Bands, adjoint
from . import outside
from .base import Combination, Observable

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def local_crossgap(bands: Bands) -> Array:
    """Weights of the first sum, both intermediate bands empty: (nk, n, moment, field) in Angstrom^3.

    Where the model knows the states outside the basis they take part as u', the band that the field does not mix in.
    """
    tensor = _crossgap(bands, lambda X, lower: X @ lower)
    for i, (m, n) in enumerate(bands.pairs):
        Y = outside.circulation(bands, m, n)
        if Y is not None:
            for b in range(len(bands.axes)):
                tensor[:, :, i, b] += bands.level_weights(bands.response(b), adjoint(Y))
    return tensor


def itinerant_crossgap(bands: Bands) -> Array:
    """Weights of the second sum, both intermediate bands occupied: (nk, n, moment, field) in Angstrom^3."""
    return _crossgap(bands, lambda X, lower: lower @ X)


def _crossgap(bands: Bands, times: Callable[[ComplexArray, ComplexArray], ComplexArray]) -> Array:
    """Either sum: they differ by the side on which the lower triangle of the velocity multiplies.

    The lower triangle selects the intermediate bands on the far side of the pair. It includes the diagonal where it
    multiplies R, and not where it multiplies B, or the term u = u' (o = o') would count twice.
    """
    d = range(len(bands.axes))
    lower = [np.tril(outside.velocity(bands, a)) for a in d]
    strict = [np.tril(v, -1) for v in lower]
    R = [bands.connection(a) for a in d]
    B = [bands.response(a) for a in d]
    moved = [[times(B[b], strict[m]) for m in d] for b in d]
    tensor = np.empty((*bands.energies.shape, len(bands.pairs), len(bands.axes)))
    for i, (m, n) in enumerate(bands.pairs):
        circulation = times(R[n], lower[m]) - times(R[m], lower[n])
        for b in d:
            tensor[:, :, i, b] = (
                bands.level_weights(B[b], circulation)
                + bands.level_weights(R[n], moved[b][m])
                - bands.level_weights(R[m], moved[b][n])
            )
    return tensor


_REFERENCE = "Malashevich et al., New J. Phys. 12, 053032 (2010); Essin et al., Phys. Rev. B 81, 205104 (2010)"

CALCULATORS = (
    Observable(
        "local_crossgap",
        "local circulation in the cross-gap form",
        "alpha",
        "sea",
        -1,
        -1,
        "alpha = eps_imn Re sum_ou B_ou sum_u' v_m,uu' R_n,u'o",
        _REFERENCE,
        local_crossgap,
    ),
    Observable(
        "itinerant_crossgap",
        "itinerant circulation in the cross-gap form",
        "alpha",
        "sea",
        -1,
        -1,
        "alpha = eps_imn Re sum_ou B_ou sum_o' R_n,uo' v_m,o'o",
        _REFERENCE,
        itinerant_crossgap,
    ),
    Combination(
        "interband",
        "field-induced interband orbital moment, in the cross-gap form",
        (("local_crossgap", 1.0), ("itinerant_crossgap", 1.0)),
        "alpha = eps_imn Re sum_ou B_ou [sum_u' v_m,uu' R_n,u'o + sum_o' R_n,uo' v_m,o'o]",
        f"{_REFERENCE}; first term of Cullen et al. (2025), Eq. (57); Xiao et al., Phys. Rev. B 103, 045401 (2021)",
    ),
)
