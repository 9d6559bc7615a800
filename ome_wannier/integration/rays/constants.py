"""Where rays are cut, in k_B T around the Fermi level and in units of the scale of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RaysConstants:
    """Where rays are cut, in k_B T around the Fermi level and in units of the scale of a model."""

    #: where rays are cut around the Fermi level, in k_B T
    thermal_cuts: tuple[float, ...] = (-40.0, -20.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0, 20.0, 40.0)
    search_points: int = 8
    #: where bands are as they are at infinity, in units of the scale; beyond it no crossings are looked for
    farthest: float = 64.0 * 4.0**7
    points_at_once: int = 4096
    #: rays are also cut from this factor to the next, down to this share of the first cut towards bands that come close at
    #: their origin, and out to the last crossing
    factor: float = 4.0
    nearest: float = 1e-9


RAYS = RaysConstants()
