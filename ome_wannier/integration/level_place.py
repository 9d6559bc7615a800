"""Where Fermi levels lie: in which gap, or how many electrons above one and holes below it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.units import ANGSTROM, KB
from .band_ranges import NARROWEST, Gap, Look, groups
from .occupation.fermi import fermi_function

Array = NDArray[np.float64]

#: per so many centimetres to the power of the dimension
CM = 1e-2
#: temperature (K) at which carriers are counted: cold enough not to cross gaps, warm enough for a coarse mesh
COUNTED_AT = 100.0
#: carriers per cm^dimension that a coarse mesh cannot tell from none
FEW = 1e3


class Place(NamedTuple):
    """Where a level lies.

    gap : that it is in, or else the nearest one, or None where all bands overlap. carriers : electrons above that gap less the
    holes below it, per cm^dimension; 0 inside it. inside : whether it is in the gap.
    """

    gap: Gap | None
    carriers: float
    inside: bool

    def text(self, dimension: int) -> str:
        """In words."""
        if self.gap is None:
            return "in the bands, which have no gap"
        if not self.gap.is_open:
            overlap = f"overlap the next by {-self.gap.width:.3g} eV" if -self.gap.width > NARROWEST else "touch the next"
            where = f"filling of {self.gap.bands} bands, which {overlap}"
        else:
            where = (
                f"gap of {self.gap.width:.3g} eV, {self.gap.bottom:.4f} to {self.gap.top:.4f} eV above band {self.gap.bands}"
            )
        if self.inside:
            return f"in the {where}"
        if abs(self.carriers) < FEW:
            return f"in the bands, at the {where}"
        kind, side = ("electrons", "above") if self.carriers > 0 else ("holes", "below")
        unit = {3: "cm^3", 2: "cm^2", 1: "cm"}[dimension]
        return f"in the bands, about {abs(self.carriers):.1e} {kind} per {unit} {side} the {where}"


def places(look: Look, levels: Sequence[float], filled: float | None = None) -> list[Place]:
    """Where levels (eV) lie, seen on the coarse mesh of a look.

    filled : bands that are full at neutrality, where that is known: the gap above them is the one that carriers are counted
        from, be it open or not.
    """
    edges = [g.last for g in groups(look.ranges)[:-1]]
    if filled is not None and float(filled).is_integer() and 0 < filled < look.energies.shape[1]:
        edges = [int(filled)]
    coarse = {n: (float(look.ranges[:n, 1].max()), float(look.ranges[n:, 0].min())) for n in edges}
    gap_above = cache(look.gap)  # edges are followed where a level needs them
    per_cell = look.model.cell * (ANGSTROM / CM) ** look.model.dimension
    found = []
    for level in levels:
        nearest = min(coarse, key=lambda n: max(coarse[n][0] - level, level - coarse[n][1], 0.0), default=None)
        gap = None if nearest is None else gap_above(nearest)
        if gap is None or gap.holds(level):
            found.append(Place(gap, 0.0, gap is not None))
            continue
        electrons = fermi_function(look.energies, level, KB * COUNTED_AT).sum(axis=1).mean() - gap.bands
        found.append(Place(gap, look.model.spin_degeneracy * float(electrons) / per_cell, False))
    return found
