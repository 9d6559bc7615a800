"""A crystal with a handedness: honeycomb layers joined by helical hoppings."""

from __future__ import annotations

import numpy as np

from ..models.tight_binding import TightBinding
from .dirac import PAULI
from .honeycomb import NEIGHBOURS, POSITIONS, TURNS, vectors
from .hopping import Hopping, from_hoppings


def stacked_honeycomb(
    *,
    t: float = 1.0,
    t_right: float = 0.3,
    t_left: float = 0.0,
    mass: float = 0.5,
    lattice_constant: float = 2.46,
    layer_distance: float = 3.35,
    spin_degeneracy: int = 1,
) -> TightBinding:
    """Honeycomb layers, one per cell, whose equal sites are joined from layer to layer by hoppings along helices.

    H = mass sum +-c_i^+ c_i + t sum_layer c_i^+ c_j + t_right sum_right c_i^+ c_j + t_left sum_left c_i^+ c_j. Going up
    one layer along the right-handed bonds, A sites move by minus the three second-neighbour vectors `honeycomb.TURNS`, B
    sites by plus, both counterclockwise about the hexagons; the left-handed bonds are the mirror image. Exchanging t_right
    and t_left gives the other enantiomer, equal numbers an achiral crystal. At fixed k_z the right-handed crystal is
    Haldane's model with the phase phi = -k_z layer_distance.

    Parameters
    ----------
    t, t_right, t_left, mass : eV.
    lattice_constant, layer_distance : Angstrom.
    spin_degeneracy : 1 or 2.

    Source: Yoda, Yokoyama, Murakami, Sci. Rep. 5, 12024 (2015); Nano Lett. 18, 916 (2018). Default numbers are of this project.
    """
    a_to_b = np.array([[0, t], [0, 0]])
    hoppings: list[Hopping] = [(R, a_to_b) for R in NEIGHBOURS[1:]]
    for x, y, _ in TURNS:
        hoppings.append(((-x, -y, 1), np.diag([t_right, t_left])))
        hoppings.append(((x, y, 1), np.diag([t_left, t_right])))
    return from_hoppings(
        vectors(lattice_constant, layer_distance),
        POSITIONS,
        mass * PAULI[2] + t * PAULI[0],
        hoppings,
        spin_degeneracy=spin_degeneracy,
        name=f"stacked honeycomb (t={t:g}, right={t_right:g}, left={t_left:g}, mass={mass:g} eV)",
    )
