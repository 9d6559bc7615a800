"""Hamiltonians given by real-space matrices in a Wannier or tight-binding basis."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import ModelError
from .alignment import EXACT
from .base import NO_HEIGHT, Across, Matrices, Structure, bounded_axes, brief, moment_axes, shown
from .fourier import FourierSeries
from .operators import Operator, Parity, absent, distinct, on_vectors
from .outside_states import External, ExternalSeries, Outside
from .positions import whole, with_diagonal_position, with_position
from .real_space import RealSpace, frozen_terms, given_homes, in_axes, laid_out
from .real_space_checks import check_lattice, check_vectors, checked, hermitised, partners, spin_matrices

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


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
    periodic : which lattice directions are periodic; default: those in which some R has a component that no choice of home
        cells removes. Orbitals of a layer at both ends of its cell are moved by whole cells, see `home_cells`.
    spin_degeneracy : 1 or 2, the number of electrons that each band holds.
    structure : the atoms, if known.
    spin : spin operator in units of hbar/2: (n, n, 3) for matrices that are local (Pauli matrices of spin-pure orbitals), or
        (nR, n, n, 3), [r, i, j] = <0i|sigma|Rj>; None for a model without it.
    hermiticity_error : eV or Angstrom, the largest non-Hermitian part that was averaged away before; the model adds its own.
    external : matrix elements with the states outside the basis, which complete moments and metric; needs `position`.
    homes : (n, 3) cells by which the orbitals have been moved from those of their source; found, not to be given.
    operators : others of its operators, see `with_operator`.
    frame : (3, 3) rows are the axes of this model in those of its source, where a layer or chain in no Cartesian plane or line
        was rotated (see `alignment`), and everything above with it; found, not to be given.

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
    spin: ComplexArray | None = None
    hermiticity_error: float = 0.0
    external: External | None = None
    homes: NDArray[np.int64] | None = None
    frame: Array | None = None
    operators: tuple[Operator, ...] = ()

    has_zone: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True
    is_costly: ClassVar[bool] = False
    neutral: ClassVar[int] = 0
    default_points: ClassVar[None] = None
    available: ClassVar[None] = None

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return shown(self)

    def __post_init__(self) -> None:
        lattice = checked(self.lattice, "lattice", float, (3, 3))
        R = checked(self.R, "R", int, (None, 3))
        H = checked(self.hamiltonian, "hamiltonian", complex, (len(R), None, None))
        n = H.shape[1]
        if H.shape[2] != n:
            raise ModelError(f"hamiltonian has shape {H.shape}: the matrices must be square")
        if n == 0 or len(R) == 0:
            raise ModelError("the model has no orbitals or no R vectors")
        check_lattice(lattice)
        check_vectors(R)
        if self.spin_degeneracy not in (1, 2):
            raise ModelError(f"spin_degeneracy is {self.spin_degeneracy}: it must be 1 or 2")
        if (self.position is None) == (self.centres is None):
            raise ModelError(
                "give exactly one of position (nR, n, n, 3) and centres (n, 3), in Angstrom: "
                "orbital magnetization depends on where the orbitals are"
            )
        partner = partners(R)
        H, violation = hermitised(H, R, partner, "hamiltonian", "eV")
        position = centres = None
        if self.position is not None:
            r = checked(self.position, "position", complex, (len(R), n, n, 3))
            r, r_violation = hermitised(r, R, partner, "position", "Angstrom")
            position, violation = r, max(violation, r_violation)
        else:
            centres = checked(self.centres, "centres", float, (n, 3))
        spin = None if self.spin is None else spin_matrices(self.spin, R, partner, n)
        if self.external is not None and position is None:
            raise ModelError("external is given without position: nothing is outside a basis whose position is diagonal")
        external = None if self.external is None else self.external.fitted(R, partner, n)
        homes = given_homes(self.homes, n)
        operators = distinct(o.fitted(R, partner, n) for o in distinct(self.operators))
        given = RealSpace(lattice, R, H, position, centres, spin, external, homes=homes, operators=operators)
        terms = in_axes(laid_out(given, self.periodic))
        if self.frame is not None:
            earlier = checked(self.frame, "frame", float, (3, 3))
            terms = terms._replace(frame=earlier if terms.frame is None else terms.frame @ earlier)
        for key, value in frozen_terms(terms)._asdict().items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "hermiticity_error", max(violation, self.hermiticity_error))

    def __getstate__(self) -> dict[str, object]:
        """What is sent to other processes: the fields, not the several times larger series made of them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def size(self) -> str:
        """Number of orbitals, in words."""
        return f"{self.n_orbitals} orbitals"

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
        """Cartesian axes spanned by the periodic directions: the axes of the field."""
        vectors = self.lattice[list(self.periodic)]
        used = np.abs(vectors).max(axis=0, initial=0.0) > EXACT * np.abs(self.lattice).max()
        return tuple(int(a) for a in np.flatnonzero(used))

    @property
    def moments(self) -> tuple[int, ...]:
        """Cartesian axes of an orbital moment: those whose two perpendicular axes are both periodic."""
        return moment_axes(self.axes)

    @property
    def bounded(self) -> tuple[int, ...]:
        """Cartesian axes across a layer or chain, along which the position is a bounded operator."""
        return bounded_axes(self.axes)

    @property
    def cell(self) -> float:
        """Volume (3D), area (2D) or length (1D) of the cell in Angstrom**dimension; 1 for a molecule."""
        vectors = self.lattice[list(self.periodic)]
        return float(np.sqrt(np.linalg.det(vectors @ vectors.T))) if self.dimension else 1.0

    @property
    def exact_position(self) -> bool:
        """Whether the components of the position operator commute inside the basis (what that matters for: physics.md 6d)."""
        return self.position is None

    @property
    def is_fitted(self) -> bool:
        """Whether these are Wannier functions: with position matrix elements, or of known atoms."""
        return self.position is not None or self.structure is not None

    @property
    def has_spin(self) -> bool:
        """Whether the model knows its spin operator."""
        return self.spin is not None

    @cached_property
    def wannier_centres(self) -> Array:
        """(n, 3) Cartesian centres <0i|r|0i> in Angstrom."""
        if self.centres is not None:
            return self.centres
        assert self.position is not None
        home = int(np.flatnonzero(~self.R.any(axis=1))[0])
        return np.ascontiguousarray(np.einsum("iia->ia", self.position[home]).real)

    @cached_property
    def centre(self) -> Array:
        """(3,) mean of the centres in Angstrom."""
        return np.asarray(self.wannier_centres.mean(axis=0))

    @cached_property
    def flat(self) -> bool:
        """Whether all centres are in the middle across the layer or chain, to rounding, and the position is diagonal."""
        across = list(self.bounded)
        return self.centres is not None and bool(np.abs((self.centres - self.centre)[:, across]).max(initial=0.0) < NO_HEIGHT)

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that a result depends on."""
        digest = hashlib.sha256(repr((self.periodic, self.spin_degeneracy, self.R.shape, self.hamiltonian.shape)).encode())
        for a in (self.lattice, self.R, self.hamiltonian, self.position, self.centres, self.spin):
            digest.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        for operator in self.operators:
            digest.update(repr(operator.about).encode() + operator.matrices.tobytes())
        for a in () if self.external is None else self.external.arrays:
            digest.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()

    @cached_property
    def _series(self) -> tuple[FourierSeries, FourierSeries | None]:
        """Fourier series of the Hamiltonian and, where there is one, of the position along the axes of the field.

        Of their upper triangles: the sums over R and -R, and their derivatives, are Hermitian.
        """
        H = FourierSeries(self.lattice, self.R, self.hamiltonian[:, *np.triu_indices(self.n_orbitals)])
        return H, None if self.position is None else self._stacked(self.position[..., list(self.axes)])

    def _stacked(self, X: ComplexArray) -> FourierSeries:
        """The series of the upper triangles of matrices (nR, n, n, c)."""
        return FourierSeries(self.lattice, self.R, np.moveaxis(X[:, *np.triu_indices(self.n_orbitals)], 2, 1))

    @cached_property
    def _operator_series(self) -> dict[str, FourierSeries]:
        spin = {} if self.spin is None else {"spin": self._stacked(self.spin)}
        return spin | {o.name: self._stacked(o.on(self.R)) for o in self.operators if len(o.matrices) > 1}

    @cached_property
    def _local(self) -> dict[str, ComplexArray]:
        """Operators within cells (c, n, n), which are the same at all k."""
        return {o.name: np.moveaxis(o.matrices[0], 2, 0) for o in self.operators if len(o.matrices) == 1}

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at fractional `k`, shape (..., 3), in the Wannier gauge; see `Matrices`.

        Points that share two of their three coordinates along the second-last dimension of `k` (rows of a mesh)
        are summed direction by direction. The leading dimensions are flattened to nk in the answer.
        """
        axes = self.axes
        series, position = self._series
        found = series(k, order, axes)
        if order and position is None:
            assert self.centres is not None
            return with_diagonal_position(found, self.centres[:, list(axes)])
        h = whole(found)
        if order == 0:
            return Matrices(h.value)
        assert position is not None
        A, dA, curl = self._position(position, k, order, curvature)
        return with_position(h, A, dA, curl)

    def operator(self, name: str, k: Array) -> ComplexArray:
        """The operator of this name at fractional `k`, shape (..., 3), in the Wannier gauge: (nk, c, n, n).

        Raises
        ------
        ModelError : none of this name.
        """
        if name in self._local:
            return np.broadcast_to(self._local[name], (np.asarray(k).reshape(-1, 3).shape[0], *self._local[name].shape))
        if name not in self._operator_series:
            raise absent(name, [*self._operator_series, *self._local])
        return whole(self._operator_series[name](k, 0, self.axes)).value

    def with_operator(
        self,
        name: str,
        matrices: ArrayLike,
        *,
        unit: str = "1",
        time_reversal: Parity = 1,
        inversion: Parity = 1,
    ) -> TightBinding:
        """The same model with one more operator, whose calculators are `calculators.operators.calculators_of`.

        Parameters
        ----------
        name : an identifier; calculators are <name>_expectation, <name>_response, <name>_extrinsic, <name>_hall and
            <name>_extrinsic_thermal.
        matrices : (nR, n, n) on the model's own `R`, [r, i, j] = <0i|O|Rj>, or (n, n) within a cell; of a Cartesian vector
            (nR, n, n, 3) or (n, n, 3), components along x, y, z. Hermitian: X(-R) is the adjoint of X(R).
        unit : of the matrix elements, as pint reads it.
        time_reversal, inversion : +1 even, -1 odd. They decide what symmetry allows, and are held against the matrices.

        Raises
        ------
        ModelError : shapes that do not fit, matrices that are not Hermitian, a name that is taken or no identifier.
        """
        X = on_vectors(matrices, f"operator {name}", self.R, self.n_orbitals)
        given = Operator(name, X, unit, time_reversal, inversion)
        return replace(self, operators=(*self.operators, given if self.frame is None else given.turned(self.frame)))

    def across(self, k: Array) -> Across:
        """The position along the `bounded` axes at fractional `k`, see `Across`."""
        bounded, n = list(self.bounded), self.n_orbitals
        one = np.eye(n, dtype=complex)
        if self.centres is not None:
            Z = one * (self.centres - self.centre)[:, bounded].T[:, None]
            return Across(np.broadcast_to(Z, (np.asarray(k).reshape(-1, 3).shape[0], *Z.shape)))
        found, number = whole(self._across(k, 0, self.axes)).value, len(bounded)
        slope = found[:, number:].reshape(len(found), len(self.axes), number, n, n)
        return Across(found[:, :number] - one * self.centre[bounded][:, None, None], slope)

    @cached_property
    def _across(self) -> FourierSeries:
        """The upper triangles of the position along the bounded axes, and of its derivatives along the others."""
        assert self.position is not None
        r = np.moveaxis(self.position[:, *np.triu_indices(self.n_orbitals)][..., list(self.bounded)], 2, 1)
        x = (self.R @ self.lattice)[:, list(self.axes), None]
        return FourierSeries(
            self.lattice, self.R, np.concatenate([r, *(1j * x[:, a, None] * r for a in range(x.shape[1]))], axis=1)
        )

    def _position(
        self, position: FourierSeries, k: Array, order: int, curvature: bool
    ) -> tuple[ComplexArray, ComplexArray | None, ComplexArray | None]:
        """A, dA[b, a] = d_b A_a where second derivatives are asked for, and the curls d_a A_b - d_b A_a of `self._pairs`."""
        if order == 2:
            a = whole(position(k, 1, self.axes))
            first, second = self._pairs
            return a.value, a.first, a.first[:, first, second] - a.first[:, second, first] if curvature else None
        if not curvature:
            return whole(position(k, 0, self.axes)).value, None, None
        both, d = whole(self._with_curls(k, 0, self.axes)).value, len(self.axes)
        return np.ascontiguousarray(both[:, :d]), None, np.ascontiguousarray(both[:, d:])

    @property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The axes a and b of all curls."""
        first, second = np.triu_indices(len(self.axes), 1)
        return first, second

    @cached_property
    def _with_curls(self) -> FourierSeries:
        """The upper triangles of A and of its curls, which are half as many as its derivatives."""
        assert self.position is not None
        r = np.moveaxis(self.position[:, *np.triu_indices(self.n_orbitals)][..., list(self.axes)], 2, 1)
        x = (self.R @ self.lattice)[:, list(self.axes), None]
        first, second = self._pairs
        curls = 1j * (x[:, first] * r[:, second] - x[:, second] * r[:, first])
        return FourierSeries(self.lattice, self.R, np.concatenate([r, curls], axis=1))

    @cached_property
    def _external_series(self) -> ExternalSeries | None:
        if self.external is None:
            return None
        return ExternalSeries(self.external, self.lattice, self.R, self.axes, self.moments)

    def outside(self, k: Array, inside: Matrices, moments: bool = False, metric: bool = False) -> Outside:
        """Matrix elements with the states outside the basis at fractional `k`, in the Wannier gauge; see `Outside`.

        inside : the matrices at `k`, with the curls of A. `moments` asks for N, K, F and Y, `metric` for G.
        """
        if self._external_series is None:
            return Outside()
        assert inside.A is not None
        known = inside.H, inside.velocities(), inside.A, inside.curvatures()
        return self._external_series(k, known, moments, metric)


def is_tight_binding(model: object) -> TypeIs[TightBinding]:
    """Whether a model has matrices on R vectors, as files of Wannier functions have."""
    return isinstance(model, TightBinding)
