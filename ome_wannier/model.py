"""Hamiltonians: what they are at a batch of k points, in the Wannier gauge.

A model knows its matrices and their covariant derivatives (physics.md section 2) and nothing else:
no Fermi level, no mesh, no file. Two kinds: `TightBinding` (real-space matrices, with or without
position matrix elements) and `KDotP` (a function of k).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ModelError
from .fourier import FourierSeries

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: largest tolerated non-Hermitian part, in eV or Angstrom: files carry six decimals
HERMITICITY_TOLERANCE = 2e-6


class Matrices(NamedTuple):
    """Hamiltonian and its covariant derivatives at a batch of k points, in the Wannier gauge.

    H : (nk, n, n) eV.
    V : (nk, axes, n, n) eV Angstrom, V_a = D_a H, or None.
    W : (nk, axes, axes, n, n) eV Angstrom^2, [b, a] = D_b D_a H, or None.
    F : (nk, axes, axes, n, n) Angstrom^2, [a, b] = d_a A_b - d_b A_a - i [A_a, A_b], the curvature of the
        Wannier basis itself, or None. It vanishes for a complete (tight-binding) basis.
    A : (nk, axes, n, n) Angstrom, the position operator r(k) inside the basis, or None.
    """

    H: ComplexArray
    V: ComplexArray | None = None
    W: ComplexArray | None = None
    F: ComplexArray | None = None
    A: ComplexArray | None = None


class Model(Protocol):
    """What a Hamiltonian has to offer to be computed with."""

    @property
    def n_orbitals(self) -> int: ...
    @property
    def periodic(self) -> tuple[bool, bool, bool]: ...
    @property
    def axes(self) -> tuple[int, ...]: ...
    @property
    def moments(self) -> tuple[int, ...]: ...
    @property
    def spin_degeneracy(self) -> int: ...
    @property
    def exact_position(self) -> bool: ...
    @property
    def sha256(self) -> str: ...

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at `k` up to the covariant derivative of the given order (0, 1 or 2)."""
        ...


@dataclass(frozen=True)
class Structure:
    """The atoms of a model: atomic numbers, and positions in units of the lattice vectors."""

    numbers: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, eq=False)
class TightBinding:
    """A Hamiltonian given by real-space matrices in a Wannier or tight-binding basis.

    Parameters
    ----------
    lattice : (3, 3), rows are the lattice vectors in Angstrom.
    R : (nR, 3) integers.
    hamiltonian : (nR, n, n) in eV, [r, i, j] = <0i|H|Rj>, every degeneracy weight folded in.
    position : (nR, n, n, 3) in Angstrom, [r, i, j] = <0i|r|Rj>, Cartesian; or None.
    centres : (n, 3) Cartesian in Angstrom, for a model whose position operator is diagonal. One of `position` and
        `centres` must be given: orbital magnetization depends on where the orbitals are.
    periodic : which lattice directions are periodic; default: those in which some R has a component.
    spin_degeneracy : 1 or 2, the number of electrons that each band holds.
    structure : the atoms, if known.

    Raises
    ------
    ModelError : arrays that do not fit together, a missing -R partner, a matrix that is not Hermitian (the R is named).
    """

    lattice: Array
    R: NDArray[np.int64]
    hamiltonian: ComplexArray
    position: ComplexArray | None = None
    centres: Array | None = None
    periodic: tuple[bool, bool, bool] = None  # type: ignore[assignment]
    spin_degeneracy: int = 1
    structure: Structure | None = None
    name: str = ""
    hermiticity_error: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        lattice = _array(self.lattice, "lattice", float, (3, 3))
        R = _array(self.R, "R", int, (None, 3))
        H = _array(self.hamiltonian, "hamiltonian", complex, (len(R), None, None))
        n = H.shape[1]
        if H.shape[2] != n:
            raise ModelError(f"hamiltonian has shape {H.shape}: the matrices must be square")
        if n == 0 or len(R) == 0:
            raise ModelError("the model has no orbitals or no R vectors")
        volume = abs(np.linalg.det(lattice))
        if not volume > 1e-6:
            raise ModelError(f"the lattice vectors span a volume of {volume:.2g} A^3: they must be linearly independent")
        if self.spin_degeneracy not in (1, 2):
            raise ModelError(f"spin_degeneracy is {self.spin_degeneracy}: it must be 1 or 2")
        if (self.position is None) == (self.centres is None):
            raise ModelError(
                "give exactly one of position (nR, n, n, 3) and centres (n, 3), in Angstrom: "
                "orbital magnetization depends on where the orbitals are"
            )
        partner = _partners(R)
        H, violation = _hermitised(H, R, partner, "hamiltonian", "eV")
        position = centres = None
        if self.position is not None:
            r = _array(self.position, "position", complex, (len(R), n, n, 3))
            r, r_violation = _hermitised(r, R, partner, "position", "Angstrom")
            position, violation = _frozen(r), max(violation, r_violation)
        else:
            centres = _frozen(_array(self.centres, "centres", float, (n, 3)))
        periodic = tuple(R.any(axis=0).tolist()) if self.periodic is None else tuple(bool(p) for p in self.periodic)
        if len(periodic) != 3:
            raise ModelError(f"periodic is {periodic}: give three truth values, one per lattice vector")
        for j in range(3):
            if not periodic[j] and R[:, j].any():
                bad = R[np.flatnonzero(R[:, j])[0]]
                raise ModelError(f"direction {j + 1} is declared not periodic, but R = {_name(bad)} has a component along it")
        for key, value in {
            "lattice": _frozen(lattice),
            "R": _frozen(R),
            "hamiltonian": _frozen(H),
            "position": position,
            "centres": centres,
            "periodic": periodic,
            "hermiticity_error": violation,
        }.items():
            object.__setattr__(self, key, value)

    @property
    def n_orbitals(self) -> int:
        """Number of orbitals (bands)."""
        return int(self.hamiltonian.shape[1])

    @property
    def dimension(self) -> int:
        """Number of periodic directions."""
        return sum(self.periodic)

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """Cartesian axes spanned by the periodic directions: the axes of the field.

        Raises ModelError where they are no Cartesian line or plane.
        """
        vectors = self.lattice[list(self.periodic)]
        used = np.abs(vectors).max(axis=0, initial=0.0) > 1e-8 * np.abs(self.lattice).max()
        if used.sum() != self.dimension:
            raise ModelError(
                "the periodic lattice vectors do not lie in a Cartesian line or plane: "
                "rotate the lattice (and the position matrix elements) so that they do"
            )
        return tuple(int(a) for a in np.flatnonzero(used))

    @property
    def moments(self) -> tuple[int, ...]:
        """Cartesian axes of an orbital moment: those whose two perpendicular axes are both periodic."""
        return _moments(self.axes)

    @property
    def cell(self) -> float:
        """Volume (3D), area (2D) or length (1D) of the cell in Angstrom**dimension; 1 for a molecule."""
        vectors = self.lattice[list(self.periodic)]
        return float(np.sqrt(np.linalg.det(vectors @ vectors.T))) if self.dimension else 1.0

    @property
    def exact_position(self) -> bool:
        """Whether the components of the position operator commute inside the basis (physics.md 6d)."""
        return self.position is None

    @cached_property
    def wannier_centres(self) -> Array:
        """(n, 3) Cartesian centres <0i|r|0i> in Angstrom."""
        if self.centres is not None:
            return self.centres
        assert self.position is not None
        home = int(np.flatnonzero(~self.R.any(axis=1))[0])
        return np.ascontiguousarray(np.einsum("iia->ia", self.position[home]).real)

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that a result depends on."""
        digest = hashlib.sha256(repr((self.periodic, self.spin_degeneracy, self.R.shape, self.hamiltonian.shape)).encode())
        for a in (self.lattice, self.R, self.hamiltonian, self.position, self.centres):
            digest.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()

    @cached_property
    def _series(self) -> tuple[FourierSeries, FourierSeries | None]:
        """Fourier series of the Hamiltonian and, with a position matrix, of A_a = r_a(k) for the axes of the field."""
        lattice = self.lattice
        H = FourierSeries(lattice, self.R, self.hamiltonian)
        if self.position is None:
            return H, None
        return H, FourierSeries(lattice, self.R, np.moveaxis(self.position[..., list(self.axes)], 3, 1))

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at fractional `k`, shape (..., 3), in the Wannier gauge; see `Matrices`.

        Points that share two of their three coordinates along the second-last dimension of `k` (rows of a mesh)
        are summed direction by direction. The leading dimensions are flattened to nk in the answer.
        """
        axes = self.axes
        series, position = self._series
        h = series(k, order, axes)
        if order == 0:
            return Matrices(h.value)
        if position is None:
            assert self.centres is not None
            return _diagonal_position(h.value, h.first, h.second, self.centres[:, list(axes)])
        a = position(k, 1 if order == 2 or curvature else 0, axes)
        return _full_position(h.value, h.first, h.second, a.value, a.first, order, curvature)


def _diagonal_position(H: ComplexArray, dH: ComplexArray, ddH: ComplexArray | None, centres: Array) -> Matrices:
    """D_a X = d_a X - i [t_a, X] with t the diagonal matrix of orbital centres: elementwise d_a - i (t_i - t_j)_a."""
    t = np.moveaxis(centres[:, None, :] - centres[None, :, :], 2, 0)
    V = dH - 1j * t * H[:, None]
    A = np.broadcast_to(np.stack([np.diag(x) for x in centres.T.astype(complex)]), V.shape)
    if ddH is None:
        return Matrices(H, V, A=A)
    W = ddH - 1j * (t[:, None] * dH[:, None] + t[None, :] * dH[:, :, None]) - (t[:, None] * t[None, :]) * H[:, None, None]
    return Matrices(H, V, W, A=A)


def _full_position(
    H: ComplexArray,
    dH: ComplexArray,
    ddH: ComplexArray | None,
    A: ComplexArray,
    dA: ComplexArray | None,
    order: int,
    curvature: bool,
) -> Matrices:
    """Covariant derivatives with the full position matrix A; dA[b, a] = d_b A_a, ddH[b, a] = d_b d_a H."""
    V = dH - 1j * _commutator(A, H[:, None])
    W = F = None
    if order == 2:
        assert ddH is not None
        assert dA is not None
        # [d_b A_a, H] + [A_a, d_b H] + [A_b, V_a], the commutators of Hermitian matrices taken together
        P = dA @ H[:, None, None]
        P += A[:, None] @ dH[:, :, None]
        P += A[:, :, None] @ V[:, None]
        W = ddH - 1j * (P - np.conj(np.swapaxes(P, -1, -2)))
    if curvature:
        assert dA is not None
        F = np.zeros_like(dA)
        for a in range(F.shape[1]):
            for b in range(a + 1, F.shape[1]):
                F[:, a, b] = dA[:, a, b] - dA[:, b, a] - 1j * _commutator(A[:, a], A[:, b])
                F[:, b, a] = -F[:, a, b]
    return Matrices(H, V, W, F, A)


def _commutator(X: ComplexArray, Y: ComplexArray) -> ComplexArray:
    """[X, Y] of Hermitian matrices: one product and its conjugate transpose."""
    P: ComplexArray = X @ Y
    return P - np.conj(np.swapaxes(P, -1, -2))


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
        return _moments(self.axes)

    @property
    def exact_position(self) -> bool:
        """The position operator is i d/dk, whose components commute."""
        return True

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
        return digest.hexdigest()

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at Cartesian `k`, shape (..., 3) or (..., d), in 1/Angstrom; see `Matrices`."""
        k = np.asarray(k, dtype=float)
        k = np.ascontiguousarray(k.reshape(-1, k.shape[-1])[:, : self.dimension])
        H = self._call(self.hamiltonian, k, 0, "hamiltonian")
        if order == 0:
            return Matrices(H)
        V = self._gradient(k)
        return Matrices(H, V) if order == 1 else Matrices(H, V, self._hessian(k))

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
        where = f"at k = {_name(k[0])}" if len(k) == 1 else f"on {len(k)} points from k = {_name(k[0])} to {_name(k[-1])}"
        try:
            value = np.asarray(function(k), dtype=complex)
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
            raise ModelError(f"your {what} function is not Hermitian or not finite at k = {_name(k[bad[0]])} 1/Angstrom")
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


def _moments(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(3) if (i + 1) % 3 in axes and (i + 2) % 3 in axes)


def _array(value: object, name: str, kind: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
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
    return out


def _frozen(a: NDArray[Any]) -> NDArray[Any]:
    a = np.ascontiguousarray(a)
    a.flags.writeable = False
    return a


def _name(R: ArrayLike) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in np.asarray(R).tolist()) + ")"


def _partners(R: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of -R for every R; ModelError names an R that stands twice or has no partner."""
    index: dict[tuple[int, ...], int] = {}
    for i, r in enumerate(map(tuple, R.tolist())):
        if r in index:
            raise ModelError(f"R = {_name(R[i])} stands twice (entries {index[r]} and {i}): add the matrices")
        index[r] = i
    partner = [index.get(tuple(-x for x in r)) for r in R.tolist()]
    if None in partner:
        i = partner.index(None)
        raise ModelError(f"R = {_name(R[i])} has no partner -R = {_name(-R[i])}: give both members of every pair")
    if (0, 0, 0) not in index:
        raise ModelError("R = (0, 0, 0) is missing: the on-site terms are needed")
    return np.array(partner, dtype=np.int64)


def _hermitised(
    X: NDArray[Any], R: NDArray[np.int64], partner: NDArray[np.int64], name: str, unit: str
) -> tuple[NDArray[Any], float]:
    """X(R) and X(-R)^+ averaged; ModelError where they differ by more than the tolerance."""
    adjoint = np.conj(np.swapaxes(X[partner], 1, 2))
    defect = np.abs(X - adjoint).reshape(len(R), -1).max(axis=1)
    worst = int(np.argmax(defect))
    if defect[worst] > HERMITICITY_TOLERANCE:
        raise ModelError(
            f"{name} is not Hermitian: X(R) and X(-R)^+ differ by {defect[worst]:.3g} {unit} at R = {_name(R[worst])}; "
            f"tolerance {HERMITICITY_TOLERANCE:g}"
        )
    return (X + adjoint) / 2, float(defect[worst])
