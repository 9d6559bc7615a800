"""k.p Hamiltonians: functions of k on the whole plane or space."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from .base import Matrices, moment_axes, shown
from .operators import Operator, Parity, absent, distinct, on_vectors
from .real_space_checks import point

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class KDotP:
    """A k.p Hamiltonian: a function of Cartesian k on the whole plane or space.

    Parameters
    ----------
    hamiltonian : function of k (nk, d) in 1/Angstrom, returning (nk, n, n) Hermitian matrices in eV. The basis does
        not depend on k: the position operator is i d/dk.
    gradient : function of k returning (nk, d, n, n) in eV Angstrom; default: central differences of `hamiltonian`.
    hessian : function of k returning (nk, d, d, n, n) in eV Angstrom^2; default: central differences of the gradient.
    dimension : d, 2 (plane x, y) or 3.
    scale : a typical |k| in 1/Angstrom, such as gap / velocity: the length over which the Hamiltonian changes.
    spin_degeneracy : number of electrons that each band holds, valleys included.
    spin : (n, n, 3) spin operator in units of hbar/2, or None.
    operators : others of its operators, see `with_operator`.

    Raises
    ------
    ModelError : a function that fails, or returns the wrong shape or a matrix that is not Hermitian; the k is named.
    """

    hamiltonian: Callable[[Array], ArrayLike]
    gradient: Callable[[Array], ArrayLike] | None = None
    hessian: Callable[[Array], ArrayLike] | None = None
    dimension: int = 2
    scale: float = 0.01
    spin_degeneracy: int = 1
    name: str = "k.p"
    spin: ComplexArray | None = None
    operators: tuple[Operator, ...] = ()

    has_zone: ClassVar[bool] = False
    # the position operator is i d/dk, and the model knows no states but its own
    exact_position: ClassVar[bool] = True
    is_fitted: ClassVar[bool] = False
    external: ClassVar[None] = None
    available: ClassVar[None] = None
    # nothing is known of where its states are across the plane
    bounded: ClassVar[tuple[int, ...]] = ()
    frame: ClassVar[None] = None

    def __repr__(self) -> str:
        return f"<KDotP {self.name}: k.p in {self.dimension} dimensions, {self.spin_degeneracy} electron(s) per band>"

    def _repr_html_(self) -> str:
        return shown(self)

    def __post_init__(self) -> None:
        if self.dimension not in (2, 3):
            raise ModelError(f"dimension is {self.dimension}: a k.p model lives in 2 or 3 dimensions")
        if not self.scale > 0:
            raise ModelError(f"scale is {self.scale}: give a positive wave vector in 1/Angstrom")
        if self.spin_degeneracy < 1:
            raise ModelError(f"spin_degeneracy is {self.spin_degeneracy}: it must be at least 1")

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """A k.p model is extended in its `dimension` directions."""
        return (True, True, self.dimension == 3)

    @property
    def axes(self) -> tuple[int, ...]:
        """Cartesian axes of the field."""
        return tuple(range(self.dimension))

    @property
    def moments(self) -> tuple[int, ...]:
        """Cartesian axes of an orbital moment."""
        return moment_axes(self.axes)

    @property
    def has_spin(self) -> bool:
        """Whether the model knows its spin operator."""
        return self.spin is not None

    @property
    def size(self) -> str:
        """Number of orbitals, in words."""
        return f"{self.n_orbitals} orbitals"

    @cached_property
    def n_orbitals(self) -> int:
        """Number of bands, read off the Hamiltonian at k = 0."""
        return int(self._call(self.hamiltonian, np.zeros((1, self.dimension)), 0, "hamiltonian").shape[1])

    @cached_property
    def sha256(self) -> str:
        """Digest of the Hamiltonian's values at fixed points (a function cannot be hashed)."""
        k = np.random.default_rng(0).normal(size=(16, self.dimension)) * self.scale
        digest = hashlib.sha256(repr((self.dimension, self.spin_degeneracy)).encode())
        digest.update(self._call(self.hamiltonian, k, 0, "hamiltonian").tobytes())
        for operator in self.operators:
            digest.update(repr(operator.about).encode() + operator.matrices.tobytes())
        return digest.hexdigest()

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at Cartesian `k`, shape (..., 3) or (..., d), in 1/Angstrom; see `Matrices`."""
        k = np.asarray(k, dtype=float)
        k = np.ascontiguousarray(k.reshape(-1, k.shape[-1])[:, : self.dimension])
        H = self._call(self.hamiltonian, k, 0, "hamiltonian")
        if order == 0:
            return Matrices(H)
        return Matrices(H, self._gradient(k), None if order == 1 else self._hessian(k))

    def operator(self, name: str, k: Array) -> ComplexArray:
        """The operator of this name, which is the same at all `k`: (nk, c, n, n).

        Raises
        ------
        ModelError : none of this name, or one of another shape.
        """
        known = ({} if self.spin is None else {"spin": self.spin}) | {o.name: o.matrices[0] for o in self.operators}
        if name not in known:
            raise absent(name, known)
        X = np.moveaxis(np.asarray(known[name], dtype=complex), 2, 0)
        return np.broadcast_to(X, (np.asarray(k).reshape(-1, np.shape(k)[-1]).shape[0], *X.shape))

    def with_operator(
        self, name: str, matrices: ArrayLike, *, unit: str = "1", time_reversal: Parity = 1, inversion: Parity = 1
    ) -> KDotP:
        """The same model with one more operator: (n, n) Hermitian, or (n, n, 3); see `TightBinding.with_operator`."""
        home, n = np.zeros((1, 3), dtype=np.int64), self.n_orbitals
        X = on_vectors(matrices, f"operator {name}", home, n)
        new = Operator(name, X, unit, time_reversal, inversion).fitted(home, np.zeros(1, dtype=np.int64), n)
        return replace(self, operators=distinct((*self.operators, new)))

    def _gradient(self, k: Array) -> ComplexArray:
        if self.gradient is not None:
            return self._call(self.gradient, k, 1, "gradient")
        return _differences(lambda q: self._call(self.hamiltonian, q, 0, "hamiltonian"), k, self.scale)

    def _hessian(self, k: Array) -> ComplexArray:
        if self.hessian is not None:
            return self._call(self.hessian, k, 2, "hessian")
        W = _differences(self._gradient, k, self.scale)
        return (W + np.swapaxes(W, 1, 2)) / 2

    def _call(self, function: Callable[[Array], ArrayLike], k: Array, order: int, what: str) -> ComplexArray:
        """Call the user's function and answer for what it returns."""
        where = f"at k = {point(k[0])}" if len(k) == 1 else f"on {len(k)} points from k = {point(k[0])} to {point(k[-1])}"
        try:
            found = function(k)
            if np.ma.is_masked(found):
                raise ValueError("masked elements: fill them")
            value = np.asarray(found, dtype=complex)
        except Exception as error:
            if len(k) > 1:  # find the point that breaks it
                for q in k:
                    self._call(function, q[None], order, what)
            raise ModelError(f"your {what} function failed {where} 1/Angstrom: {type(error).__name__}: {error}") from error
        lead = (len(k),) + (self.dimension,) * order
        if value.ndim != len(lead) + 2 or value.shape[:-2] != lead or value.shape[-1] != value.shape[-2]:
            raise ModelError(f"your {what} function returned shape {value.shape} {where}: expected {(*lead, 'n', 'n')}")
        defect = np.abs(value - np.conj(np.swapaxes(value, -1, -2))).reshape(len(k), -1).max(axis=1)
        size = np.abs(value).reshape(len(k), -1).max(axis=1)
        bad = np.flatnonzero(~(defect <= 1e-10 * (1 + size)))
        if len(bad):
            raise ModelError(f"your {what} function is not Hermitian or not finite at k = {point(k[bad[0]])} 1/Angstrom")
        return value


def _differences(function: Callable[[Array], ComplexArray], k: Array, scale: float) -> ComplexArray:
    """Sixth-order central differences along each Cartesian axis, stacked after the k axis.

    The step, 1% of |k| or `scale`, balances truncation (h^6) against rounding (1e-16 / h): about 1e-12 relative.
    """
    h = 0.01 * np.maximum(scale, np.linalg.norm(k, axis=1))[:, None]
    derivatives = []
    for unit in np.eye(k.shape[1]):
        one, two, three = (function(k + m * h * unit) - function(k - m * h * unit) for m in (1, 2, 3))
        total = 3 / 4 * one - 3 / 20 * two + 1 / 60 * three
        derivatives.append(total / h.reshape(-1, *(1,) * (total.ndim - 1)))
    return np.stack(derivatives, axis=1)
