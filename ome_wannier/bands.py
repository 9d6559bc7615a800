"""Energies, velocities and off-diagonal Berry connections at a batch of k points (physics.md section 2).

Everything is computed when first asked for and kept, so a set of calculators pays once for what it shares. Levels closer
than `degeneracy_tol` form a group; connections are zero inside groups, so every trace over a group is independent of the
choice of eigenvectors in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .external import Outside
from .model import Model, OpenBasis

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: default spacing in eV below which neighbouring levels belong to one degenerate group: of exact models, whose symmetries
#: hold to rounding, and of Wannier functions, which split by some 0.1 meV what symmetry makes equal
DEGENERACY_TOL, WANNIER_DEGENERACY_TOL = 1e-5, 1e-3
SPIN_REMEDY = "give spin=, or spin_order= when loading spinor Wannier functions"


class Bands:
    """The eigenproblem at nk points and what follows from it; hbar = e = 1, energies in eV, lengths in Angstrom.

    Parameters
    ----------
    model : the Hamiltonian.
    k : (..., 3) points as the model takes them, flattened to nk.
    order : covariant derivatives of H to ask of the model at once (a higher one is asked for when needed).
    degeneracy_tol : eV; see the module's text, and for None `default_degeneracy_tol`.
    window : eV; the weights are good for Fermi levels in this range.

    Attributes
    ----------
    axes : Cartesian axes of the field; axis arguments a, b below count positions in `axes`.
    moments : Cartesian axes of the moment.
    pairs : for each moment, the positions (m, n) in `axes` with epsilon_imn = +1.
    """

    def __init__(
        self,
        model: Model,
        k: Array,
        *,
        order: int = 1,
        curvature: bool = False,
        degeneracy_tol: float | None = None,
        window: tuple[float, float] = (-np.inf, np.inf),
    ) -> None:
        self._model, self._k, self._curvature, self._window = model, k, curvature, window
        self._tol = default_degeneracy_tol(model) if degeneracy_tol is None else degeneracy_tol
        self._matrices = model.matrices(k, order, curvature)
        self._products: dict[tuple[str, int, int], ComplexArray] = {}
        self._derivatives: dict[tuple[int, int], ComplexArray] = {}
        self.axes = model.axes
        self.moments = model.moments
        self.pairs = tuple((self.axes.index((i + 1) % 3), self.axes.index((i + 2) % 3)) for i in self.moments)

    @cached_property
    def _eigh(self) -> tuple[Array, ComplexArray]:
        e, U = np.linalg.eigh(self._matrices.H)
        return e, U

    @property
    def energies(self) -> Array:
        """(nk, n) in eV, ascending."""
        return self._eigh[0]

    def level_weights(self, X: ComplexArray, Y: ComplexArray) -> Array:
        """a_n = sum_{q>n} w[n, q] - sum_{o<n} w[o, n] (nk, n) of the pair weights w[o, q] = Re X_oq conj(Y_oq), o < q.

        The sum of a_n over the bands below any Fermi level in the window is the sum of w over the pairs across it. Pairs
        whose two bands lie on one side of the window drop out here, before two large numbers could cancel.
        """
        from .kernels import level_weights as kernel  # numba takes a third of a second to import

        out: Array = kernel(X, Y, *self._sides)
        return out

    @cached_property
    def _sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of bands (nk,) at or below the window's lower edge, and at or below its upper edge."""
        low, high = self._window
        return (self.energies <= low).sum(axis=1), (self.energies <= high).sum(axis=1)

    @property
    def eigenvectors(self) -> ComplexArray:
        """(nk, n, n), columns are the eigenvectors in the Wannier gauge."""
        return self._eigh[1]

    def rotate(self, X: ComplexArray) -> ComplexArray:
        """U^+ X U for X of shape (nk, n, n) in the Wannier gauge."""
        rotated: ComplexArray = self._adjoint_vectors @ (X @ self._eigh[1])
        return rotated

    @cached_property
    def _adjoint_vectors(self) -> ComplexArray:
        return np.ascontiguousarray(adjoint(self._eigh[1]))

    # ---- degenerate groups -------------------------------------------------------------------------------------

    @cached_property
    def _group(self) -> NDArray[np.int64]:
        """(nk, n) number of the group of each band."""
        steps = np.diff(self.energies, axis=1) > self._tol
        return np.concatenate([np.zeros((len(steps), 1), dtype=np.int64), np.cumsum(steps, axis=1)], axis=1)

    @cached_property
    def same(self) -> NDArray[np.bool_]:
        """(nk, n, n), true for bands of one group."""
        return np.asarray(self._group[:, :, None] == self._group[:, None, :])

    @cached_property
    def degenerate_points(self) -> NDArray[np.int64]:
        """Indices of the k points at which some group has more than one band."""
        return np.flatnonzero(self._group[:, -1] < self._group.shape[1] - 1)

    @property
    def widest_group(self) -> float:
        """Largest energy spread inside one group, in eV (groups are chained: it may exceed the tolerance)."""
        d = self.degenerate_points
        if len(d) == 0:
            return 0.0
        spread = np.abs(self.energies[d, :, None] - self.energies[d, None, :])
        return float((spread * self.same[d]).max())

    def group_mean(self, a: Array) -> Array:
        """Replace per-band values a (nk, n, ...) by their mean over the group, the only gauge-invariant share."""
        d = self.degenerate_points
        if len(d):
            mean = self.same[d] / self.same[d].sum(axis=2, keepdims=True)
            flat = a[d].reshape(len(d), a.shape[1], -1)
            a = a.copy()
            a[d] = (mean @ flat).reshape(a[d].shape)
        return a

    @cached_property
    def inverse(self) -> Array:
        """(nk, n, n): 1 / (e_m - e_n) between groups, 0 inside."""
        difference = self.energies[:, :, None] - self.energies[:, None, :]
        difference[self.same] = np.inf
        return 1.0 / difference

    # ---- matrices in the eigenbasis ----------------------------------------------------------------------------

    @cached_property
    def _velocities(self) -> list[ComplexArray]:
        V = self._matrices.V
        if V is None:
            self._matrices = self._model.matrices(self._k, 1, self._curvature)
            V = self._matrices.V
            assert V is not None
        return [self.rotate(V[:, a]) for a in range(len(self.axes))]

    def velocity(self, a: int) -> ComplexArray:
        """v_a (nk, n, n) in eV Angstrom."""
        return self._velocities[a]

    def group_velocity(self, a: int) -> ComplexArray:
        """The block-diagonal part of v_a: matrix elements inside degenerate groups."""
        return self._group_velocities[a]

    @cached_property
    def _group_velocities(self) -> list[ComplexArray]:
        return [v * self.same for v in self._velocities]

    def slope(self, a: int) -> Array:
        """Diagonal of v_a (nk, n): the band velocity where bands are not degenerate."""
        return self._slopes[a]

    @cached_property
    def _slopes(self) -> list[Array]:
        return [np.ascontiguousarray(np.einsum("knn->kn", v).real) for v in self._velocities]

    def connection(self, a: int) -> ComplexArray:
        """Off-diagonal Berry connection R_a = -i v_a / (e_m - e_n) (nk, n, n) in Angstrom, zero inside groups."""
        return self._connections[a]

    @cached_property
    def _connections(self) -> list[ComplexArray]:
        return [-1j * (v * self.inverse) for v in self._velocities]

    def response(self, b: int) -> ComplexArray:
        """B_b = R_b / (e_m - e_n) (nk, n, n) in Angstrom/eV: the density matrix that a field makes is B_b (f_m - f_n)."""
        return self._responses[b]

    @cached_property
    def _responses(self) -> list[ComplexArray]:
        return [R * self.inverse for R in self._connections]

    def velocity_connection(self, m: int, n: int) -> ComplexArray:
        """v_m @ R_n (nk, n, n)."""
        return self._product("vR", m, n)

    def connection_connection(self, a: int, b: int) -> ComplexArray:
        """R_a @ R_b (nk, n, n)."""
        if a > b:
            return adjoint(self._product("RR", b, a))
        return self._product("RR", a, b)

    def _product(self, what: str, a: int, b: int) -> ComplexArray:
        if (what, a, b) not in self._products:
            left = self.velocity(a) if what == "vR" else self.connection(a)
            self._products[what, a, b] = left @ self.connection(b)
        return self._products[what, a, b]

    def commute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X - X @ vbar_b, elementwise where no bands are degenerate."""
        slope = self.slope(b)
        out = (slope[:, :, None] - slope[:, None, :]) * X
        d = self.degenerate_points
        if len(d):
            vbar = self.group_velocity(b)[d]
            out[d] = vbar @ X[d] - X[d] @ vbar
        return out

    def anticommute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X + X @ vbar_b, elementwise where no bands are degenerate."""
        slope = self.slope(b)
        out = (slope[:, :, None] + slope[:, None, :]) * X
        d = self.degenerate_points
        if len(d):
            vbar = self.group_velocity(b)[d]
            out[d] = vbar @ X[d] + X[d] @ vbar
        return out

    def connection_derivative(self, a: int, b: int) -> ComplexArray:
        """Generalised derivative R_a;b = D_b R_a (nk, n, n) in Angstrom^2, between groups (physics.md section 2)."""
        if (a, b) not in self._derivatives:
            W = self._matrices.W
            if W is None:
                self._matrices = self._model.matrices(self._k, 2, self._curvature)
                W = self._matrices.W
                assert W is not None
            vR = self.velocity_connection(a, b)
            v_ab = self.rotate(W[:, b, a]) - 1j * (vR - adjoint(vR))
            R = self.connection(a)
            self._derivatives[a, b] = self.inverse * (-1j * v_ab - self.commute_with_group_velocity(b, R))
        return self._derivatives[a, b]

    def moving_trace(self, b: int, left: ComplexArray, right: ComplexArray) -> Array:
        """Re [vbar_b O]_nn (nk, n), O the Hermitian part of left @ right inside groups, right Hermitian.

        Without degeneracies this is the band velocity times the diagonal of the product.
        """
        out = self.slope(b) * row_trace(left, right)
        d = self.degenerate_points
        if len(d):
            out[d] = self._block_trace(b, left[d] @ right[d])
        return out

    def moving_expectation(self, b: int, O: ComplexArray) -> Array:
        """Re [vbar_b O]_nn (nk, n) with O Hermitian."""
        out: Array = self.slope(b) * np.einsum("knn->kn", O).real
        d = self.degenerate_points
        if len(d):
            out[d] = self._block_trace(b, O[d])
        return out

    def _block_trace(self, b: int, O: ComplexArray) -> Array:
        """The same at the degenerate points alone, where blocks are multiplied."""
        d = self.degenerate_points
        block = (O + adjoint(O)) / 2 * self.same[d]
        trace: Array = np.einsum("kij,kji->ki", self.group_velocity(b)[d], block).real
        return trace

    def basis_curvature(self, a: int, b: int) -> Array:
        """Diagonal (nk, n) of the Wannier basis' own curvature F_ab in the eigenbasis, in Angstrom^2; zero if complete."""
        if self._model.exact_position:
            return np.zeros_like(self.energies)
        U = self._eigh[1]
        diagonal: Array = np.einsum("kin,kin->kn", np.conj(U), self.wannier_curvature(a, b) @ U).real
        return diagonal

    @cached_property
    def outside_moments(self) -> Outside:
        """N, K, F and Y of the states outside the basis, in the eigenbasis; empty where the model does not know them."""
        return self._outside(moments=True)

    @cached_property
    def outside_metric(self) -> Mapping[tuple[int, int], ComplexArray]:
        """G of the states outside the basis by pair of axes, in the eigenbasis; empty where the model does not know it."""
        return self._outside(metric=True).G

    def _outside(self, moments: bool = False, metric: bool = False) -> Outside:
        model = self._model
        if not isinstance(model, OpenBasis) or model.external is None:
            return Outside()
        self.wannier_curvature(0, 0)  # asks for it
        found = model.outside(self._k, self._matrices, moments, metric)
        return Outside(*({key: self.rotate(X) for key, X in part.items()} for part in found))  # type: ignore[arg-type]

    @cached_property
    def _spins(self) -> list[ComplexArray]:
        S = self._matrices.S
        if S is None:
            raise ModelError(f"this model has no spin operator: {SPIN_REMEDY}")
        return [self.rotate(S[:, i]) for i in range(3)]

    def spin(self, i: int) -> ComplexArray:
        """sigma_i (nk, n, n), the spin operator in units of hbar/2."""
        return self._spins[i]

    def wannier_position(self, a: int) -> ComplexArray:
        """The position operator r_a(k) (nk, n, n) in the Wannier gauge, in Angstrom."""
        A = self._matrices.A
        assert A is not None, "asked of a model with a basis that depends on k"
        return A[:, a]

    def wannier_curvature(self, a: int, b: int) -> ComplexArray:
        """F_ab (nk, n, n) in the Wannier gauge, in Angstrom^2; zero for a basis whose positions commute."""
        if self._model.exact_position:
            return np.zeros_like(self._matrices.H)
        if self._matrices.F is None:
            self._matrices = self._model.matrices(self._k, 1 if self._matrices.W is None else 2, True)
        assert self._matrices.F is not None
        F: ComplexArray = self._matrices.F[:, a, b]
        return F


def default_degeneracy_tol(model: Model) -> float:
    """The spacing in eV of levels that count as one, by the kind of model."""
    return DEGENERACY_TOL if model.exact_position else WANNIER_DEGENERACY_TOL


def adjoint(X: ComplexArray) -> ComplexArray:
    """Conjugate transpose of every matrix of a stack."""
    return np.conj(np.swapaxes(X, -1, -2))


def diagonal(X: ComplexArray) -> Array:
    """Real part of the diagonal (nk, n) of every matrix of a stack."""
    return np.ascontiguousarray(np.einsum("knn->kn", X).real)


def row_trace(X: ComplexArray, Y: ComplexArray) -> Array:
    """Re [X Y]_nn (nk, n) for Hermitian Y: the sum over q of Re X_nq conj(Y_nq)."""
    from .kernels import row_trace as kernel

    out: Array = kernel(X, Y)
    return out
