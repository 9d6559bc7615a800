"""WannierBerri's `SystemSOC`, spin-orbit coupling beside two spin channels, as one `System_R` of spinors at a spin direction.

Functions come as up, down of each pair, quantised along the direction. With P = <s|sigma|s'> turned there, H is that of the
channels plus sum_c dV_c P_c, and the spin is the overlap of the channels times P. Written here since `get_system_R` of
WannierBerri 26.10 takes no single channel, and puts the overlaps to the R vectors of the channels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ModelError

ComplexArray = NDArray[np.complex128]


def turned(system: Any, theta: float, phi: float) -> Any:
    """The same system with its spins along (theta, phi), in radians; its own direction stays."""
    from wannierberri.w90files.soc import SOC

    found = copy.copy(system)
    found.pauli_rotated = SOC.get_pauli_rotated(theta=theta, phi=phi)
    found.alpha_soc = getattr(system, "alpha_soc", 1.0)
    return found


def of_spinors(system: Any) -> Any:
    """The `System_R` of a `SystemSOC` in the direction that is set.

    Raises
    ------
    ModelError : no spin-orbit matrices, or no direction.
    """
    from wannierberri.fourier.rvectors import Rvectors
    from wannierberri.system.system_R import System_R

    if not system.has_soc:
        raise ModelError("this SystemSOC has no spin-orbit coupling (dV_soc): give its system_up or system_down")
    if not hasattr(system, "pauli_rotated"):
        raise ModelError("this SystemSOC has no spin direction: call its set_soc_axis, or give it to spin_directions")
    channels = [system.system_up, system.system_down]
    of = [np.asarray(s.rvec.iRvec, dtype=np.int64) for s in channels]
    two = system.nspin == 2
    mixed = np.asarray(system.rvec.iRvec, dtype=np.int64) if two else of[0]
    every = np.concatenate([*of, mixed, np.zeros((1, 3), dtype=np.int64)])
    R = np.unique(np.concatenate([every, -every]), axis=0)
    row = {tuple(r): i for i, r in enumerate(R.tolist())}
    back = np.array([row[tuple(r)] for r in (-R).tolist()])
    n, P = system.num_wann_scalar, np.asarray(system.pauli_rotated)

    def on(given: NDArray[np.int64], X: Any) -> ComplexArray:
        full = np.zeros((len(R), *np.shape(X)[1:]), dtype=complex)
        full[[row[tuple(r)] for r in given.tolist()]] = X
        return full

    def whole(blocks: Sequence[ComplexArray]) -> ComplexArray:
        """Blocks up-up, down-down and up-down (nR, n, n, ...), the last with its adjoint."""
        up, down, between = blocks
        out = np.zeros((len(R), 2 * n, 2 * n, *up.shape[3:]), dtype=complex)
        out[:, ::2, ::2], out[:, 1::2, 1::2], out[:, ::2, 1::2] = up, down, between
        out[:, 1::2, ::2] = np.conj(np.swapaxes(between[back], 1, 2))
        return out

    coupling = [on(r, s.get_R_mat("dV_soc")) @ P[i, i] for i, (r, s) in enumerate(zip(of, channels, strict=True))]
    coupling.append(on(mixed, (system if two else channels[0]).get_R_mat("dV_soc")) @ P[0, 1])
    H = [on(r, s.get_R_mat("Ham")) for r, s in zip(of, channels, strict=True)]
    one = np.zeros((len(R), n, n), dtype=complex)
    one[~R.any(axis=1)] = np.eye(n)
    overlap = on(mixed, system.get_R_mat("overlap_up_down")) if two else one
    spinors = System_R(
        periodic=tuple(system.periodic), force_internal_terms_only=system.force_internal_terms_only, silent=True, spinor=True
    )
    spinors.set_real_lattice(np.array(system.real_lattice))
    spinors.num_wann = 2 * n
    spinors.set_wannier_centers(wannier_centers_cart=np.array(system.wannier_centers_cart))
    spinors.rvec = Rvectors(lattice=spinors.real_lattice, iRvec=R, shifts_left_red=spinors.wannier_centers_red)
    spinors.set_R_mat("Ham", whole([*H, np.zeros_like(one)]) + system.alpha_soc * whole(coupling))
    spinors.set_R_mat("SS", whole([x[..., None] * p for x, p in ((one, P[0, 0]), (one, P[1, 1]), (overlap, P[0, 1]))]))
    if all(s.has_R_mat("AA") for s in channels):
        A = [on(r, s.get_R_mat("AA")) for r, s in zip(of, channels, strict=True)]
        spinors.set_R_mat("AA", whole([*A, np.zeros_like(A[0])]))
    spinors.do_at_end_of_init()
    return spinors
