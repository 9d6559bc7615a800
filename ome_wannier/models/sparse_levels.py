"""Levels of a sparse Hermitian matrix near an energy, by shift-invert Lanczos iterations, and how many are below."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .base import ComplexArray

Array = NDArray[np.float64]

#: eV, largest tolerated |H u - e u| of a level
RESIDUAL = 1e-8


def levels_below(H: Any, energy: float) -> int:
    """Number of eigenvalues of a sparse Hermitian matrix below an energy: the negative pivots of H - energy (Sylvester)."""
    return int((_factorised(H, energy).U.diagonal().real < 0).sum())


def _factorised(H: Any, energy: float) -> Any:
    """L U of H - energy with pivots on the diagonal, so that U = D L^+."""
    from scipy.sparse import identity
    from scipy.sparse.linalg import splu

    A = (H - energy * identity(H.shape[0], format="csc")).tocsc()
    try:
        lu = splu(A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:
        raise ModelError(f"an energy level lies exactly at {energy:g} eV: give another level") from error
    b = np.ones(H.shape[0], dtype=complex)
    if not (lu.perm_r == lu.perm_c).all() or not np.linalg.norm(A @ lu.solve(b) - b) < 1e-5 * np.linalg.norm(b):
        raise ModelError(f"the factorisation at {energy:g} eV is not accurate: give another level")
    return lu


def nearest_levels(H: Any, energy: float, number: int) -> tuple[Array, ComplexArray]:
    """The levels nearest to an energy in eV, ascending (number,), and their vectors (n, number).

    Raises
    ------
    ModelError : an energy that is a level, levels that do not converge, or are not accurate to RESIDUAL.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    n = H.shape[0]
    solve = LinearOperator((n, n), matvec=_factorised(H, energy).solve, dtype=complex)
    start = np.random.default_rng(1).standard_normal(n) + 0j  # the same each time: results are reproducible
    try:
        _, U = eigsh(H, number, sigma=energy, OPinv=solve, v0=start)
    except ArpackNoConvergence as error:
        raise ModelError(f"the levels near {energy:g} eV do not converge: give another level or window") from error
    # ARPACK treats complex matrices as any other: its vectors of equal levels are not orthogonal
    Q, _ = np.linalg.qr(U)
    e, mixed = np.linalg.eigh(Q.conj().T @ (H @ Q))
    U = Q @ mixed
    worst = float(np.linalg.norm(H @ U - U * e, axis=0).max())
    if worst > RESIDUAL:
        raise ModelError(f"levels near {energy:g} eV are accurate to {worst:.2g} eV only: give another level")
    return np.asarray(e), np.asarray(U)


def middle_of_widest_gap(e: Array) -> float:
    """The middle of the widest gap between ascending levels."""
    i = int(np.argmax(np.diff(e)))
    return float(e[i] + e[i + 1]) / 2
