"""Massive Dirac cones in two dimensions, tilted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kdotp import KDotP

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_ONE = np.eye(2, dtype=complex)
_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
_Z = np.array([[1, 0], [0, -1]], dtype=complex)
PAULI = np.stack([_X, _Y, _Z])


def tilted_dirac(*, alpha: float = 4.0, mass: float = 0.01, tilt: float = 0.8, spin_degeneracy: int = 1) -> KDotP:
    """H = tilt k_x + mass sigma_z + alpha (k_y sigma_x - k_x sigma_y): the surface of a magnetic topological insulator.

    Parameters
    ----------
    alpha : velocity times hbar in eV Angstrom.
    mass : half of the gap in eV.
    tilt : hbar v_t in eV Angstrom, along x; the cone is of type I for |tilt| < alpha.
    spin_degeneracy : number of identical cones.

    Source: Cullen, Arovas, Raimondi, Culcer (2025), model of their figures (physics.md section 7).
    """
    gradient = np.stack([tilt * _ONE - alpha * _Y, alpha * _X])

    def hamiltonian(k: Array) -> ComplexArray:
        return np.asarray(mass * _Z + np.tensordot(k, gradient, axes=1), dtype=complex)

    return KDotP(
        hamiltonian,
        lambda k: np.broadcast_to(gradient, (len(k), 2, 2, 2)),
        lambda k: np.zeros((len(k), 2, 2, 2, 2)),
        scale=abs(mass) / alpha if mass else 0.01,
        spin_degeneracy=spin_degeneracy,
        spin=np.moveaxis(PAULI, 0, 2),
        name=f"tilted Dirac cone (alpha={alpha:g} eV A, mass={mass:g} eV, tilt={tilt:g} eV A)",
    )
