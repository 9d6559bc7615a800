"""Finite differences of functions between k points, of which positions inside the subspace are Hermitian.

With |Z_b> = |i d_b u> from finite differences, <u|Z_b> = A_b + D_b, where A is Hermitian and D anti-Hermitian, of second order
in the distance of the k points. WannierBerri drops D from the position alone. What is outside the subspace is then no longer
|Z_b> less its part inside, but has u D_b in it: times energies counted from anywhere. Here |Z_b> - u D_b stands for
|Z_b> in all of them:

    BB'_b = BB_b - H D_b ,
    C'_ab = C_ab + D_a BB_b - BB_a^+ D_b - D_a H D_b ,
    FF'_ab = FF_ab + D_a <u|Z_b> - <u|Z_a>^+ D_b - D_a D_b ,

so that a state that is an eigenstate has no matrix elements of H with what is outside, and with FF a constant in H drops out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ComplexArray = NDArray[np.complex128]

#: pairs (a, b) of C and FF in the order of the axis c of epsilon_cab
CYCLIC = ((1, 2), (2, 0), (0, 1))


def corrections(system: Any, data: Any) -> dict[str, ComplexArray]:
    """What has to be added to BB, CC and FF (nR, n, n, 3, ...) of a `System_R` of a calculation, positions from the centres."""
    centres = np.asarray(system.wannier_centers_cart, dtype=float)
    kpoints, weights = data.kptirr_system
    H = np.asarray(data.chk.get_HH_q(data.eig, kptirr=kpoints, weights_k=weights))
    Z, B = _differences(data, centres, None), _differences(data, centres, data.eig)
    D = (Z - _adjoint(Z)) / 2
    HD = H[:, None] @ D
    C, F = np.empty((2, len(H), 3, 3, *H.shape[1:]), dtype=complex)
    for a in range(3):
        for b in range(3):
            C[:, a, b] = D[:, a] @ B[:, b] - _adjoint(B[:, a]) @ D[:, b] - D[:, a] @ HD[:, b]
            F[:, a, b] = D[:, a] @ Z[:, b] - _adjoint(Z[:, a]) @ D[:, b] - D[:, a] @ D[:, b]
    CC = np.stack([1j * (C[:, a, b] - C[:, b, a]) for a, b in CYCLIC], axis=1)
    found = {"BB": np.moveaxis(-HD, 1, 3), "CC": np.moveaxis(CC, 1, 3), "FF": np.moveaxis(F, (1, 2), (3, 4))}
    return {name: np.asarray(system.rvec.q_to_R(X)) for name, X in found.items()}


def _differences(data: Any, centres: NDArray[np.float64], eig: Any) -> ComplexArray:
    """<u|i d_b u>, or with H between where `eig` is given, (nk, 3, n, n), positions of the second function from its centre."""
    kpoints, weights = data.kptirr_system
    vectors = data.get_file("bkvec")
    found: Any = 0
    for i, b in enumerate(np.asarray(vectors.bk_cart)):
        matrices = data.chk.get_AABB_q_ib(vectors, data.mmn, kpoints, weights, i, eig=eig)
        found = found + matrices * np.exp(1j * centres @ b)[:, None]
    return np.asarray(np.moveaxis(found, 3, 1))


def _adjoint(X: ComplexArray) -> ComplexArray:
    return np.conj(np.swapaxes(X, -1, -2))
