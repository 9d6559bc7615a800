"""Checks of real-space matrices: shapes, pairs of R vectors, Hermiticity, each with an error that says what is wrong where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.checked_input import LARGEST, fault
from ..common.errors import ModelError

#: largest tolerated non-Hermitian part, in eV or Angstrom: files carry six decimals
HERMITICITY_TOLERANCE = 2e-6
#: integers of R vectors: files have five columns for each
LARGEST_R = 99_999
#: Angstrom; a lattice vector below it is one of another unit, and its zone is of no use
SHORTEST = 1e-2


def checked(value: object, name: str, kind: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The value as a finite array of this kind and shape (None: any length); ModelError names it otherwise."""
    try:
        a = np.asarray(value)
        if kind is int and a.dtype.kind != "i":
            if not np.array_equal(a, np.round(np.asarray(a, dtype=float))):
                raise ModelError(f"{name} must be integers")
            a = np.round(np.asarray(a, dtype=float))
        out: NDArray[Any] = np.array(a, dtype=np.int64 if kind is int else kind)
    except (TypeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{name} is not an array of {kind.__name__}: {error}") from error
    if out.ndim != len(shape) or any(s is not None and s != t for s, t in zip(shape, out.shape, strict=True)):
        expected = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
        raise ModelError(f"{name} has shape {out.shape}: expected {expected}")
    if not np.isfinite(out).all():
        raise ModelError(f"{name} contains values that are not finite")
    limit = math.inf if kind is int else LARGEST  # lattice vectors are bounded where they are used
    if wrong := fault(value, limit) or fault(out, limit):
        raise ModelError(f"{name} {wrong}")
    return out


def check_lattice(lattice: NDArray[np.float64]) -> None:
    """Refuse vectors (3, 3), rows in Angstrom, that are of another unit or span no volume."""
    shortest = float(np.linalg.norm(lattice, axis=1).min())
    if 0 < shortest < SHORTEST:
        raise ModelError(f"a lattice vector is {shortest:.2g} Angstrom long: lengths are in Angstrom, is the unit right?")
    volume = abs(np.linalg.det(lattice))
    if not volume > 1e-6:
        raise ModelError(f"the lattice vectors span a volume of {volume:.2g} A^3: they must be linearly independent")


def check_vectors(R: NDArray[np.int64]) -> None:
    """Refuse R (nR, 3) with integers that no file has."""
    if R.min() < -LARGEST_R or R.max() > LARGEST_R:
        bad = R[int(np.argmax(np.abs(R.astype(float)).max(axis=1)))]
        raise ModelError(f"R = {tuple(bad.tolist())} is no lattice vector of a model: integers up to {LARGEST_R} are taken")


def spin_matrices(spin: object, R: NDArray[np.int64], partner: NDArray[np.int64], n: int) -> NDArray[Any]:
    """The spin operator as (nR, n, n, 3); local matrices stand at R = 0."""
    if np.ndim(spin) == 3:  # type: ignore[arg-type]
        local = checked(spin, "spin", complex, (n, n, 3))
        full = np.zeros((len(R), n, n, 3), dtype=complex)
        full[~R.any(axis=1)] = local
        spin = full
    return frozen(hermitised(checked(spin, "spin", complex, (len(R), n, n, 3)), R, partner, "spin", "hbar/2")[0])


def frozen(a: NDArray[Any]) -> NDArray[Any]:
    """A contiguous copy-on-need that cannot be written to."""
    a = np.ascontiguousarray(a)
    a.flags.writeable = False
    return a


def point(R: ArrayLike) -> str:
    """An R vector or k point as text."""
    return "(" + ", ".join(f"{x:.6g}" for x in np.asarray(R).tolist()) + ")"


def partners(R: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of -R for every R; ModelError names an R that stands twice or has no partner."""
    index: dict[tuple[int, ...], int] = {}
    for i, r in enumerate(map(tuple, R.tolist())):
        if r in index:
            raise ModelError(f"R = {point(R[i])} stands twice (entries {index[r]} and {i}): add the matrices")
        index[r] = i
    partner = [index.get(tuple(-x for x in r)) for r in R.tolist()]
    if None in partner:
        i = partner.index(None)
        raise ModelError(f"R = {point(R[i])} has no partner -R = {point(-R[i])}: give both members of every pair")
    if (0, 0, 0) not in index:
        raise ModelError("R = (0, 0, 0) is missing: the on-site terms are needed")
    return np.array(partner, dtype=np.int64)


def hermitised(
    X: NDArray[Any], R: NDArray[np.int64], partner: NDArray[np.int64], name: str, unit: str
) -> tuple[NDArray[Any], float]:
    """X(R) and X(-R)^+ averaged; ModelError where they differ by more than the tolerance."""
    adjoint = np.conj(np.swapaxes(X[partner], 1, 2))
    defect = np.abs(X - adjoint).reshape(len(R), -1).max(axis=1)
    worst = int(np.argmax(defect))
    if defect[worst] > HERMITICITY_TOLERANCE:
        raise ModelError(
            f"{name} is not Hermitian: X(R) and X(-R)^+ differ by {defect[worst]:.3g} {unit} at R = {point(R[worst])}; "
            f"tolerance {HERMITICITY_TOLERANCE:g}"
        )
    return (X + adjoint) / 2, float(defect[worst])


def one_electron(spin_degeneracy: int, what: str) -> None:
    """Make sure that the bands of a model with spin hold one electron each."""
    if spin_degeneracy != 1:
        raise ModelError(f"spin_degeneracy is {spin_degeneracy}: this {what} has spin, so each band holds one electron; give 1")


def local_spin(n: int, order: str) -> NDArray[np.complex128]:
    """Spin operator (n, n, 3) in units of hbar/2 of n spin-pure functions.

    Parameters
    ----------
    order : "block" (all up, then all down) or "interlaced" (up, down of each orbital).

    Raises
    ------
    ModelError : an odd number of functions, another order.
    """
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    if n % 2:
        raise ModelError(f"spin_order is given, but {n} functions are no pairs of up and down")
    one = np.eye(n // 2)
    if order == "block":
        return np.stack([np.kron(s, one) for s in pauli], axis=2)
    if order == "interlaced":
        return np.stack([np.kron(one, s) for s in pauli], axis=2)
    raise ModelError(f"spin_order is {order!r}: block or interlaced")
