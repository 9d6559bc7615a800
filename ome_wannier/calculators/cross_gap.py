"""The cross-gap form: only pairs of an occupied and an empty band have an energy denominator.

With the bands partitioned at the Fermi level (o occupied, u empty) and B_b = R_b / (e_m - e_n),

    Q_ib = eps_imn Re sum_ou B_ou [ sum_u' v_m,uu' R_n,u'o + sum_o' R_n,uo' v_m,o'o ]

is well conditioned for any model. The weight of a band is what Q changes by when the Fermi level passes it
(`ome_wannier.crossgap`), so the sum over the bands below any Fermi level is Q: one histogram serves all Fermi levels
(physics.md eqs. 34 to 37).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands import circulation
from ..bands.bands import Bands
from ..bands.matrices import adjoint
from ..bands.traces import level_tensor
from . import outside
from .quantity import Observable

Array = NDArray[np.float64]


def interband(bands: Bands) -> Array:
    """Weights of both sums (physics.md eq. 37): (nk, n, moment, field) in Angstrom^3."""
    return circulation.interband(bands) + _beyond(bands)


def local_crossgap(bands: Bands) -> Array:
    """Weights of the first sum of physics.md eq. 34, both intermediate bands empty: (nk, n, moment, field) in Angstrom^3."""
    return circulation.local_circulation(bands) + _beyond(bands)


def itinerant_crossgap(bands: Bands) -> Array:
    """Weights of the second sum, both intermediate bands occupied: (nk, n, moment, field) in Angstrom^3.

    physics.md eq. 34.
    """
    return circulation.itinerant_circulation(bands)


def _beyond(bands: Bands) -> Array | float:
    """What states outside the basis, where the model knows them, add as u', the band that the field does not mix in.

    physics.md eq. 67.
    """
    beyond = [outside.circulation(bands, m, n) for m, n in bands.pairs]
    known = [adjoint(Y) for Y in beyond if Y is not None]
    return level_tensor(bands, bands.responses, np.stack(known, axis=1)) if known else 0.0


_REFERENCE = "Malashevich et al., New J. Phys. 12, 053032 (2010); Essin et al., Phys. Rev. B 81, 205104 (2010)"

CALCULATORS = (
    Observable(
        name="local_crossgap",
        long_name="local circulation in the cross-gap form",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = eps_imn Re sum_ou B_ou sum_u' v_m,uu' R_n,u'o",
        reference=_REFERENCE,
        weights=local_crossgap,
        full_bands="cancel",
    ),
    Observable(
        name="itinerant_crossgap",
        long_name="itinerant circulation in the cross-gap form",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = eps_imn Re sum_ou B_ou sum_o' R_n,uo' v_m,o'o",
        reference=_REFERENCE,
        weights=itinerant_crossgap,
        full_bands="cancel",
    ),
    Observable(
        name="interband",
        long_name="field-induced interband orbital moment, in the cross-gap form",
        kind="alpha",
        occupation="sea",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = eps_imn Re sum_ou B_ou [sum_u' v_m,uu' R_n,u'o + sum_o' R_n,uo' v_m,o'o]",
        reference=f"{_REFERENCE}; first term of Cullen et al. (2025), Eq. (57); Xiao et al., Phys. Rev. B 103, 045401 (2021)",
        weights=interband,
        full_bands="cancel",
    ),
)
