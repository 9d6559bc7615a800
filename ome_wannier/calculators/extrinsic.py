"""The extrinsic (kinetic, gyrotropic) part, proportional to the relaxation time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.traces import velocity_weighted, velocity_weighted_moment
from . import outside
from .quantity import PAPER, Observable
from .thermal import thermal_of
from .weights import stack_tensor

Array = NDArray[np.float64]


def extrinsic(bands: Bands) -> Array:
    """-[vbar_b m_i]_nn, to be weighted with -df/de (physics.md eq. 43): (nk, n, moment, field) in eV^2 Angstrom^3.

    m_i = 1/2 epsilon_imn Im sum_p (e_p - e_n) R_m,np R_n,pn = Re [v_m R_n]_nn for (m, n) with epsilon_imn = +1 (eq. 44).
    States outside the basis take part in the moment (eq. 63) where the model knows them.
    """
    beyond = {pair: outside.moment(bands, *pair) for pair in bands.pairs}

    def element(m: int, n: int, b: int) -> Array:
        inside: Array = velocity_weighted_moment(bands)[:, :, b, m, n]
        O = beyond[m, n]
        return -inside if O is None else -inside - velocity_weighted(bands, b, O)

    return stack_tensor(bands, element)


EXTRINSIC = Observable(
    name="extrinsic",
    long_name="extrinsic (kinetic) orbital magneto-electric response",
    kind="extrinsic",
    occupation="surface",
    time_reversal=+1,
    inversion=-1,
    equation="alpha = (e/hbar) tau sum_n (d_b f_n) m_i,n,  m_i,n = (e/2 hbar) eps_imn Im sum_p (e_p - e_n) R_m,np R_n,pn",
    reference=f"{PAPER}, extrinsic part; Yoda, Yokoyama, Murakami, Sci. Rep. 5, 12024 (2015); "
    "Zhong, Moore, Souza, Phys. Rev. Lett. 116, 077201 (2016)",
    weights=extrinsic,
)
CALCULATORS = (
    EXTRINSIC,
    thermal_of(EXTRINSIC, "alpha = sum_n tau v_b (df_n/de) ((e_n - mu)/T) m_i,n"),
)
