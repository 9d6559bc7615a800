"""The Chern-Simons (axion) part, a property of a gap as a whole: it is no sum over bands, see `ome_wannier.axion`
(physics.md eq. 41)."""

from __future__ import annotations

from .quantity import GapTerm

CALCULATORS = (
    GapTerm(
        name="chern_simons",
        long_name="Chern-Simons (axion) part of a three-dimensional insulator, isotropic",
        kind="alpha",
        time_reversal=-1,
        inversion=-1,
        equation="alpha = (e^2/h) theta/(2 pi) delta_ij,  "
        "theta = -1/(4 pi) int d^3k eps_abc tr[A_a d_b A_c - (2i/3) A_a A_b A_c]",
        reference="Essin, Moore, Vanderbilt, Phys. Rev. Lett. 102, 146805 (2009); "
        "Malashevich et al., New J. Phys. 12, 053032 (2010)",
        dims=("moment", "field"),
    ),
)
