"""A three-dimensional insulator without any symmetry, known to many digits: the model that formulas are tried on."""

from __future__ import annotations

import numpy as np

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding
from .hopping import Hopping, from_hoppings

#: site (in units of half the lattice constant): energy in units of t, phases in units of pi of the hoppings to the next sites
#: along x, y, z. The first phase is the parameter phi
_SITES = {
    (0, 0, 0): (-6.5, 0.0, 0.5, 1.7),
    (1, 0, 0): (0.9, 1.3, 0.2, 0.5),
    (1, 1, 0): (1.4, 0.8, 1.4, 0.6),
    (0, 1, 0): (1.2, 0.3, 1.9, 1.0),
    (0, 0, 1): (-6.0, 1.4, 0.8, 0.3),
    (1, 0, 1): (1.5, 0.6, 1.7, 0.7),
    (1, 1, 1): (0.8, 0.8, 0.6, 1.2),
    (0, 1, 1): (1.2, 1.9, 0.3, 1.4),
}


def eight_site_cube(*, phi: float = np.pi, t: float = 1.0, lattice_constant: float = 1.0) -> TightBinding:
    """Cubic model of eight sites per cell with complex hoppings, whose two lowest bands are full.

    H = sum_i E_i c_i^+ c_i + sum_<ij> t exp(i phi_ij) c_i^+ c_j + h.c., j the next site along x, y or z. In units of e^2/hbar
    its response depends neither on t nor on the lattice constant.

    Parameters
    ----------
    phi : the phase of the hopping from (0, 0, 0) along x, which is varied.
    t : eV, the modulus of all hoppings and the unit of the site energies. lattice_constant : Angstrom.

    Source: Malashevich, Souza, Coh, Vanderbilt, New J. Phys. 12, 053032 (2010), doi:10.1088/1367-2630/12/5/053032, appendix.

    Raises
    ------
    ModelError : t or a lattice constant that is not positive.
    """
    if not (t > 0 and lattice_constant > 0):
        raise ModelError(f"t = {t} eV, lattice_constant = {lattice_constant} Angstrom: give positive numbers")
    sites = list(_SITES)
    hoppings: list[Hopping] = []
    for i, site in enumerate(sites):
        for axis in range(3):
            phase = phi if (i, axis) == (0, 0) else np.pi * _SITES[site][1 + axis]
            there = np.array(site) + np.eye(3, dtype=int)[axis]
            X = np.zeros((8, 8), dtype=complex)
            X[i, sites.index(tuple((there % 2).tolist()))] = t * np.exp(1j * phase)
            x, y, z = (there // 2).tolist()
            hoppings.append(((x, y, z), X))
    return from_hoppings(
        lattice_constant * np.eye(3),
        np.array(sites) / 2,
        np.diag([t * energy for energy, *_ in _SITES.values()]),
        hoppings,
        name=f"eight-site cube (phi={phi:.4g}, t={t:g} eV)",
    )
