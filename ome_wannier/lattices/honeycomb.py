"""Models on the honeycomb lattice: strained, gapped graphene, Haldane, and Kane-Mele with an exchange field.

Lattice vectors a (1, 0) and a (1/2, sqrt(3)/2), sites A at (1/3, 1/3) and B at (2/3, 2/3) in units of them. An A site has its
neighbours B in the cells (0, 0), (-1, 0) and (0, -1); `bonds` multiplies the hoppings to them: three different numbers, or one
that differs, are the simplest strain, without which the threefold axis forbids M_z from a field in the plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding
from .dirac import PAULI
from .hopping import IDENTITY, Hopping, deformed, elongation, from_hoppings, uniaxial_strain

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

POSITIONS = ((1 / 3, 1 / 3, 0.0), (2 / 3, 2 / 3, 0.0))
#: cells of the three neighbours B of the A site of the cell (0, 0)
NEIGHBOURS = ((0, 0, 0), (-1, 0, 0), (0, -1, 0))
#: cells R whose A site reaches that of the cell (0, 0) over one B site with a turn to the left; the B sites turn to the right
TURNS = ((1, 0, 0), (-1, 1, 0), (0, -1, 0))
_A, _B = np.diag([1, 0]), np.diag([0, 1])
_A_TO_B = np.array([[0, 1], [0, 0]])


def vectors(lattice_constant: float, height: float = 10.0) -> Array:
    """(3, 3) rows in Angstrom; ModelError if a length is not positive."""
    a = lattice_constant
    if not (a > 0 and height > 0):
        raise ModelError(f"lattice constant {a}, distance of layers {height}: give positive lengths in Angstrom")
    return np.array([[a, 0, 0], [a / 2, a * np.sqrt(3) / 2, 0], [0, 0, height]])


def bond_directions() -> Array:
    """(3, 2) unit vectors from an A site to its three neighbours."""
    unit = vectors(1.0)
    d = np.array([np.array(POSITIONS[1]) + R - np.array(POSITIONS[0]) for R in NEIGHBOURS]) @ unit
    return np.asarray(np.sqrt(3) * d[:, :2])


def _three(bonds: tuple[float, float, float]) -> tuple[float, float, float]:
    if len(bonds) != 3:
        raise ModelError(f"bonds {tuple(bonds)}: give three factors, one per bond")
    return bonds


def graphene(
    *,
    t: float = -2.7,
    mass: float = 0.1,
    strain: float = 0.0,
    strain_angle: float = 0.0,
    poisson: float = 0.165,
    beta: float = 3.37,
    lattice_constant: float = 2.46,
    spin_degeneracy: int = 2,
) -> TightBinding:
    """Graphene with a staggered potential and uniaxial strain: atoms move, hoppings follow the bond length.

    Parameters
    ----------
    t : nearest-neighbour hopping in eV, t exp(-beta (d'/d - 1)) under strain.
    mass : energies +mass on A and -mass on B, in eV; 0 keeps inversion.
    strain : uniaxial, a fraction. strain_angle : degrees from x, a zigzag direction. Without strain the threefold axis
        forbids M_z. Both atoms of the cell follow the strain; they do not relax against each other.
    poisson : Poisson ratio. beta : -d ln t / d ln d. lattice_constant : Angstrom.
    spin_degeneracy : 1 or 2.

    Source: Pereira, Castro Neto, Peres, Phys. Rev. B 80, 045401 (2009), doi:10.1103/PhysRevB.80.045401, beta and the Poisson
    ratio of graphite, as in examples of pybinding. The mass is of this project. No published response was compared with.
    """
    tensor = uniaxial_strain(strain, strain_angle, poisson)
    flat = vectors(lattice_constant)
    hops = t * np.exp(-beta * elongation(bond_directions(), tensor))
    return from_hoppings(
        deformed(flat, tensor),
        POSITIONS,
        mass * PAULI[2],
        [(R, hop * _A_TO_B) for R, hop in zip(NEIGHBOURS, hops, strict=True)],
        spin_degeneracy=spin_degeneracy,
        name=f"graphene (t={t:g}, mass={mass:g} eV, strain={strain:g} at {strain_angle:g} deg)",
    )


def haldane(
    *,
    t: float = -1.0,
    t2: float = 0.15,
    phi: float = np.pi / 2,
    mass: float = 0.2,
    bonds: tuple[float, float, float] = (1.0, 1.0, 1.0),
    lattice_constant: float = 2.46,
    spin_degeneracy: int = 1,
) -> TightBinding:
    """Haldane's model: the Chern number is +-1 for |mass| < 3 sqrt(3) |t2 sin(phi)|, and 0 beyond.

    Parameters
    ----------
    t, t2 : hoppings to nearest and second neighbours in eV.
    phi : phase of t2 exp(i phi) for an electron that turns left on A sites, right on B sites; 0 or pi keeps time reversal.
    mass : energies +mass on A and -mass on B, in eV; 0 keeps inversion.
    bonds : factors of t on the three bonds.
    lattice_constant : Angstrom.
    spin_degeneracy : 1 or 2.

    Source: Haldane, Phys. Rev. Lett. 61, 2015 (1988); the default numbers (in units of |t|) are customary, not his.

    Raises
    ------
    ModelError : another number of bonds than three, a lattice constant that is not positive.
    """
    bonds = _three(bonds)
    hoppings: list[Hopping] = [(R, t * f * _A_TO_B) for R, f in zip(NEIGHBOURS[1:], bonds[1:], strict=True)]
    around = t2 * (np.exp(1j * phi) * _A + np.exp(-1j * phi) * _B)
    hoppings += [(R, around) for R in TURNS]
    return from_hoppings(
        vectors(lattice_constant),
        POSITIONS,
        mass * PAULI[2] + t * bonds[0] * PAULI[0],
        hoppings,
        spin_degeneracy=spin_degeneracy,
        name=f"Haldane (t={t:g}, t2={t2:g}, phi={phi:.4g}, mass={mass:g} eV)",
    )


def kane_mele(
    *,
    t: float = 0.85,
    spin_orbit: float = 0.01,
    rashba: float = 0.02,
    exchange: float = 0.01,
    stagger: float = 0.0,
    bonds: tuple[float, float, float] = (1.0, 1.0, 1.0),
    lattice_constant: float = 2.46,
) -> TightBinding:
    """The model of Kane and Mele with an exchange field along z.

    H = t sum c_i^+ c_j + i spin_orbit sum nu_ij c_i^+ s_z c_j + i rashba sum c_i^+ (s x d_ij)_z c_j
    + exchange sum c_i^+ s_z c_i + stagger sum +-c_i^+ c_i,
    with nu_ij = +1 for a turn to the left on the way from j to i, and d_ij the direction of that way.

    Parameters
    ----------
    t, spin_orbit, rashba, exchange, stagger : eV. Without exchange time reversal holds; without Rashba coupling s_z is
        conserved; without stagger (and with equal bonds or not) the twofold axis along z holds.
    bonds : factors of t and rashba on the three bonds.
    lattice_constant : Angstrom.

    Source: Kane, Mele, Phys. Rev. Lett. 95, 226801 (2005); exchange: Qiao et al., Phys. Rev. B 82, 161414(R) (2010). The
    default numbers are those of the orbital magneto-electric literature as handed down in the project's table of parameters.

    Raises
    ------
    ModelError : another number of bonds than three, a lattice constant that is not positive.
    """
    onsite = np.kron(IDENTITY, exchange * PAULI[2]) + np.kron(PAULI[2], stagger * IDENTITY)
    hoppings: list[Hopping] = [(R, np.kron(PAULI[2], 1j * spin_orbit * PAULI[2])) for R in TURNS]
    for R, f, to_b in zip(NEIGHBOURS, _three(bonds), bond_directions(), strict=True):
        d = -to_b  # from B to A: c_A^+ c_B moves the electron that way
        hop = np.kron(_A_TO_B, f * (t * IDENTITY + 1j * rashba * (PAULI[0] * d[1] - PAULI[1] * d[0])))
        if any(R):
            hoppings.append((R, hop))
        else:
            onsite = onsite + hop + hop.conj().T
    return from_hoppings(
        vectors(lattice_constant),
        POSITIONS,
        onsite,
        hoppings,
        spinful=True,
        name=f"Kane-Mele (t={t:g}, spin-orbit={spin_orbit:g}, Rashba={rashba:g}, exchange={exchange:g} eV)",
    )
