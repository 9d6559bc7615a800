"""Moire continuum models of one valley: twisted bilayer graphene and twisted semiconductor homobilayers.

The other valley, `valley=-1`, is the time-reversed model: extrinsic responses are the same there, intrinsic ones opposite. A
valley that is occupied alone (spontaneous polarisation) has both; the sum of two equally occupied ones twice the extrinsic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.plane_waves import PlaneWaves
from .dirac import PAULI
from .twisted import STAR, Bilayer

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Matrix = Array | ComplexArray

#: hbar^2 / m_e in eV Angstrom^2
HBAR2_M = 7.619964231


def twisted_bilayer_graphene(
    *,
    theta: float = 1.05,
    strain: float = 0.0,
    strain_angle: float = 0.0,
    sublattice: float = 0.0,
    w_aa: float = 0.110,
    w_ab: float = 0.110,
    velocity: float = 5.96,
    lattice_constant: float = 2.46,
    poisson: float = 0.165,
    beta: float = 3.14,
    cutoff: float = 4.0,
    valley: int = 1,
    spin_degeneracy: int = 2,
    distance: float = 3.35,
) -> PlaneWaves:
    """Bistritzer-MacDonald model of one valley, with heterostrain and a sublattice potential on layer 1.

    H_l = velocity (valley sigma_x p_x + sigma_y p_y), p = F_l^T (k + G) - valley (K + A_l), joined by T_j = [[w_aa, w_ab
    exp(-i G_j d)], [w_ab exp(i G_j d), w_aa]], d the bond from A to B. Strain shifts the cones by
    valley A,  A = sqrt(3) beta / (2 a) (e_xx - e_yy, -2 e_xy).

    Parameters
    ----------
    theta : degrees. strain : heterostrain, +-strain/2 in the layers. strain_angle : degrees from the zigzag direction x.
    sublattice : eV, +-sublattice on A, B of layer 1 (aligned hBN): opens a gap of 2 sublattice in this layer alone.
    w_aa, w_ab : eV, tunnelling at AA and AB regions; corrugation makes w_aa the smaller.
    velocity : hbar v in eV Angstrom. lattice_constant : Angstrom. poisson : Poisson ratio.
    beta : -d ln t / d ln(bond length) of the nearest-neighbour hopping.
    cutoff : radius of the plane waves in units of the moire reciprocal vector.
    valley : +1 or -1. spin_degeneracy : 2, spin (not valley). distance : Angstrom, of layer 2 above layer 1.

    Returns
    -------
    PlaneWaves with four components (A, B of layers 1, 2) per wave, neutral at half filling of the bands.

    Raises
    ------
    ModelError : no moire lattice (theta and strain too small), an angle that is not small, another valley, a velocity that is
        not positive.

    Warns
    -----
    AccuracyWarning : a cutoff too low for the angle.

    Sources: Bistritzer, MacDonald, PNAS 108, 12233 (2011), and w = 110 meV from there; strain as in Bi, Yuan, Fu,
    Phys. Rev. B 100, 035448 (2019), for a K of the other sign, with the beta of a related program, which has half of it
    (the shift is checked against tight binding); velocity of t = 2.8 eV. No published value of the response was compared with.
    """
    if not velocity > 0:
        raise ModelError(f"velocity is {velocity}: give a positive number, hbar v in eV Angstrom")
    pair = Bilayer(lattice_constant, theta, strain, strain_angle, poisson, valley, cutoff)
    pair.check_reach(velocity * pair.reach, 3 * max(abs(w_aa), abs(w_ab)))
    n = pair.waves.shape[1]
    momenta, slopes = pair.momenta()
    sigma = np.stack([valley * PAULI[0], PAULI[1]])
    fields = np.stack([[e[0, 0] - e[1, 1], -2 * e[0, 1]] for e in pair.strains]) * np.sqrt(3) * beta / 2 / lattice_constant
    p = momenta - valley * fields[:, None]
    dirac = velocity * np.einsum("lnc,cij->lnij", p, sigma)
    dirac[0] += sublattice * PAULI[2]
    tunnelling = np.zeros((n, 2, n, 2), dtype=complex)
    for step, phase in zip(STAR, (0.0, 2 * np.pi / 3, -2 * np.pi / 3), strict=True):
        turn = np.exp(1j * valley * phase)
        T = np.array([[w_aa, w_ab * turn.conjugate()], [w_ab * turn, w_aa]])
        tunnelling += pair.shift(step, 1, 0).T[:, None, :, None] * T[None, :, None, :]
    speed = velocity * np.einsum("lac,cij->laij", slopes, sigma)
    return PlaneWaves(
        pair.lattice,
        _joined(_diagonal(dirac[0]), _diagonal(dirac[1]), tunnelling.reshape(2 * n, 2 * n)),
        np.stack([_joined(np.kron(np.eye(n), speed[0, a]), np.kron(np.eye(n), speed[1, a])) for a in range(2)]),
        neutral=2 * n,
        spin_degeneracy=spin_degeneracy,
        name=f"twisted bilayer graphene ({theta:g} deg, strain {strain:g} at {strain_angle:g} deg, valley {valley:+d})",
        heights=_heights(distance, 4 * n),
    )


def twisted_tmd(
    *,
    theta: float = 3.0,
    displacement: float = 0.0,
    strain: float = 0.0,
    strain_angle: float = 0.0,
    mass: float = 0.62,
    potential: float = 0.008,
    phase: float = -89.6,
    tunnelling: float = -0.0085,
    lattice_constant: float = 3.472,
    poisson: float = 0.24,
    cutoff: float = 4.0,
    valley: int = 1,
    spin_degeneracy: int = 1,
    distance: float = 7.8,
) -> PlaneWaves:
    """Valence bands of one valley of a twisted homobilayer such as MoTe2; spin and valley are locked.

    H = [[-p_1^2 / 2m + D_1, T], [T^+, -p_2^2 / 2m + D_2]], p_l = F_l^T (k + G) - K, D_l = 2 potential sum_{g1, g2, -g1-g2}
    cos(g r + s_l phase) + s_l displacement / 2, s = +1, -1, T = tunnelling (1 + exp(i g1 r) + exp(i (g1 + g2) r)).
    Threefold rotations forbid a moment along z: a response needs strain, whose geometry alone is taken into account.

    Parameters
    ----------
    theta : degrees. displacement : eV between the layers. strain : heterostrain. strain_angle : degrees from x.
    mass : effective mass in units of the electron's. potential, tunnelling : eV. phase : degrees.
    lattice_constant : Angstrom. poisson : Poisson ratio. cutoff : radius of the plane waves in units of |g|.
    valley : +1 or -1. spin_degeneracy : 1. distance : Angstrom, of layer 2 above layer 1.

    Returns
    -------
    PlaneWaves with two components (layers 1, 2) per wave, all bands full at neutrality: a hole per cell is filling = -1.

    Raises
    ------
    ModelError : no moire lattice, an angle that is not small, another valley, a mass that is not positive.

    Warns
    -----
    AccuracyWarning : a cutoff too low for the angle.

    Source: Wu, Lovorn, Tutuc, Martin, MacDonald, Phys. Rev. Lett. 122, 086402 (2019), layer 1 their bottom layer; numbers
    for MoTe2 from public programs that have theirs; no published value of the response was compared with.
    """
    if not mass > 0:
        raise ModelError(f"mass is {mass}: give a positive number; the valence bands curve downwards by themselves")
    pair = Bilayer(lattice_constant, theta, strain, strain_angle, poisson, valley, cutoff)
    n = pair.waves.shape[1]
    p, slopes = pair.momenta()
    inertia = -HBAR2_M / (2 * mass)
    pair.check_reach(-inertia * pair.reach**2, 6 * abs(potential) + 3 * abs(tunnelling))
    layers = []
    for layer, s in enumerate((1, -1)):
        turn = np.exp(1j * s * np.radians(phase))
        wave = np.sum([pair.shift(g, layer, layer) for g in ((1, 0), (0, 1), (-1, -1))], axis=0)
        kinetic = np.diag(inertia * (p[layer] ** 2).sum(axis=1) + s * displacement / 2)
        V = potential * (wave * (turn if valley > 0 else turn.conjugate()))
        layers.append(kinetic + V + V.conj().T)
    T = tunnelling * np.sum([pair.shift(step, 1, 0).T for step in STAR], axis=0)
    one = np.eye(n)
    linear = 2 * inertia * np.einsum("lac,lnc->lan", slopes, p)
    metric = inertia * np.einsum("lac,lbc->lab", slopes, slopes)
    return PlaneWaves(
        pair.lattice,
        _joined(layers[0], layers[1], T),
        np.stack([_joined(np.diag(linear[0, a]), np.diag(linear[1, a])) for a in range(2)]),
        np.stack([[_joined(metric[0, a, b] * one, metric[1, a, b] * one) for b in range(2)] for a in range(2)]),
        neutral=2 * n,
        spin_degeneracy=spin_degeneracy,
        name=f"twisted homobilayer ({theta:g} deg, displacement {displacement:g} eV, strain {strain:g}, valley {valley:+d})",
        heights=_heights(distance, 2 * n),
    )


def _heights(distance: float, waves: int) -> Array:
    """(waves,) heights of the components of two layers, the first below the second; ModelError for no distance."""
    if not 0 < distance < np.inf:
        raise ModelError(f"distance is {distance}: give Angstrom between the layers")
    return np.repeat([-distance / 2, distance / 2], waves // 2)


def _diagonal(blocks: ComplexArray) -> ComplexArray:
    """(N, m, m) blocks along the diagonal of (N m, N m)."""
    n, m = blocks.shape[:2]
    return np.asarray(np.einsum("nij,np->nipj", blocks, np.eye(n))).reshape(n * m, n * m)


def _joined(first: Matrix, second: Matrix, between: Matrix | None = None) -> ComplexArray:
    """The matrices of two layers, and the one between them."""
    zero = np.zeros_like(first) if between is None else between
    return np.asarray(np.block([[first, zero], [zero.conj().T, second]]), dtype=complex)
