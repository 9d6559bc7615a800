"""Operators of a model beside its Hamiltonian: Hermitian matrices in its own basis, with a name, a unit and parities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from .real_space_checks import checked, frozen, hermitised

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Parity = Literal[-1, 1]

SPIN_REMEDY = "give spin=, or spin_order= when loading spinor Wannier functions"
#: names that a model has already: of its spin, and of quantities that would be mistaken for those of an operator
TAKEN = ("spin", "total", "berry", "orbital")


@dataclass(frozen=True, eq=False)
class Operator:
    """A Hermitian operator, or a Cartesian vector of three.

    Parameters
    ----------
    name : an identifier, from which the names of its calculators are made.
    matrices : (nR, n, n, c), [r, i, j] = <0i|O|Rj> on the model's R vectors, c = 1, or 3 for the components along x, y, z; or
        (1, n, n, c) of an operator within cells. (n, n), (n, n, 3) and (nR, n, n) are taken for those.
    unit : of its matrix elements, as pint reads it.
    time_reversal, inversion : +1 even, -1 odd. A vector that is even under inversion is axial, as an angular momentum.
    """

    name: str
    matrices: ComplexArray
    unit: str = "1"
    time_reversal: Parity = 1
    inversion: Parity = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrices", _with_all_dimensions(self.matrices, f"operator {self.name}"))
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name in TAKEN:
            raise ModelError(
                f"an operator cannot be named {self.name!r}: letters, digits and _, and none of {', '.join(TAKEN)}"
            )
        if not isinstance(self.unit, str) or not self.unit:
            raise ModelError(f"operator {self.name}: unit is {self.unit!r}: give a text, such as hbar")
        for parity in ("time_reversal", "inversion"):
            value = getattr(self, parity)
            if isinstance(value, bool | np.bool_) or value not in (1, -1):
                raise ModelError(f"operator {self.name}: {parity} is {value!r}: give +1 (even) or -1 (odd)")

    @property
    def is_vector(self) -> bool:
        """Whether it has components along x, y, z."""
        return bool(self.matrices.shape[3] == 3)

    @property
    def about(self) -> tuple[Any, ...]:
        """What it is, without its matrices."""
        return self.name, self.unit, self.time_reversal, self.inversion, self.matrices.shape[3]

    def with_matrices(self, matrices: ComplexArray) -> Operator:
        """The same operator with other matrices (nR, n, n, c)."""
        return replace(self, matrices=matrices)

    def turned(self, Q: Array) -> Operator:
        """The same with a vector's components along the rows of Q (3, 3)."""
        return self.with_matrices(self.matrices @ Q.T) if self.is_vector else self

    def fitted(self, R: NDArray[np.int64], partner: NDArray[np.int64], n: int) -> Operator:
        """The same, checked against the R vectors and the number of orbitals of a model.

        Raises
        ------
        ModelError : another shape, values that are not finite, matrices that are not Hermitian.
        """
        what = f"operator {self.name}"
        X = on_vectors(self.matrices, what, R, n)
        if len(X) < len(R):
            R, partner = np.zeros((1, 3), dtype=np.int64), np.zeros(1, dtype=np.int64)
        return self.with_matrices(frozen(hermitised(X, R, partner, what, self.unit)[0]))

    def on(self, R: NDArray[np.int64]) -> ComplexArray:
        """Its matrices on all R vectors."""
        if len(self.matrices) == len(R):
            return self.matrices
        out = np.zeros((len(R), *self.matrices.shape[1:]), dtype=complex)
        out[~R.any(axis=1)] = self.matrices
        return out


def _with_all_dimensions(matrices: ArrayLike, what: str) -> NDArray[Any]:
    """Matrices (nR or 1, n, n, c) where no model is known; ModelError for another shape, or one that may mean either."""
    X = np.asarray(matrices)
    if X.ndim == 2:
        X = X[None, ..., None]
    elif X.ndim == 3 and X.shape != (3, 3, 3):
        X = X[None] if X.shape[0] == X.shape[1] and X.shape[2] in (1, 3) else X[..., None]
    if X.ndim != 4 or X.shape[1] != X.shape[2] or X.shape[3] not in (1, 3):
        raise ModelError(
            f"{what} has matrices of shape {X.shape}: give (1, n, n, c) within a cell or (nR, n, n, c), c = 1 or 3"
        )
    return X


def on_vectors(matrices: ArrayLike, what: str, R: NDArray[np.int64], n: int) -> NDArray[Any]:
    """Matrices (nR, n, n, c) of those given, (nR, n, n) or (nR, n, n, c); (1, n, n, c) of those within a cell, (n, n) or
    (n, n, c). c is 1 or 3.

    Raises
    ------
    ModelError : another shape; where there are as many R vectors as orbitals, (n, n, n) is taken for (nR, n, n).
    """
    X = np.asarray(matrices)
    shape = X.shape
    if shape in ((len(R), n, n), (n, n)):
        X, shape = X[..., None], (*shape, 1)
    if shape in ((n, n, 1), (n, n, 3)):
        X = X[None]
    if X.ndim != 4 or X.shape[0] not in (1, len(R)) or X.shape[1:3] != (n, n) or X.shape[3] not in (1, 3):
        raise ModelError(
            f"{what} has matrices of shape {shape}: expected ({len(R)}, {n}, {n}) or ({n}, {n}), for a vector with 3 more: "
            "on the model's R vectors, or within a cell"
        )
    return checked(X, what, complex, X.shape)


def distinct(operators: Iterable[Operator]) -> tuple[Operator, ...]:
    """Operators, each with a name of its own; ModelError otherwise."""
    found = tuple(operators) if np.iterable(operators) else (operators,)
    if wrong := [o for o in found if not isinstance(o, Operator)]:
        raise ModelError(f"operators: {str(wrong[0])[:60]!r} is no Operator")
    names = [o.name for o in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ModelError(f"two operators are named {twice[0]!r}: give the new one another name")
    return found


def absent(name: str, known: Iterable[str]) -> ModelError:
    """The error for an operator that a model does not have."""
    if name == "spin":
        return ModelError(f"this model has no spin operator: {SPIN_REMEDY}")
    return ModelError(f"this model has no operator {name!r}: it has {', '.join(known) or 'none'}")
