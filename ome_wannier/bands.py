"""Energies, velocities and off-diagonal Berry connections at a batch of k points (physics.md eqs. 8 to 17).

Everything is computed when first asked for and kept, so a set of calculators pays once for what it shares. Levels that count
as one (see `degeneracy`) form a group; connections are zero inside groups, so every trace over a group is independent of the
choice of eigenvectors in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .degeneracy import Degeneracy, default_tol
from .errors import ModelError
from .external import Outside
from .model import Matrices, Model, OpenBasis

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

SPIN_REMEDY = "give spin=, or spin_order= when loading spinor Wannier functions"


class Bands:
    """The eigenproblem at nk points and what follows from it; hbar = e = 1, energies in eV, lengths in Angstrom.

    Parameters
    ----------
    model : the Hamiltonian.
    k : (..., 3) points as the model takes them, flattened to nk.
    order : covariant derivatives of H to ask of the model at once (a higher one is asked for when needed).
    degeneracy : what forms a group of levels; for None the tolerance of this kind of model, and no pairs.
    window : eV; the weights are good for Fermi levels in this range (Fermi-surface terms are zero outside).
    spacing : (axes, directions) in 1/Angstrom, vectors to the next points of a mesh; the weights are good too for states whose
        levels, extrapolated linearly, reach the window on the way there.

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
        degeneracy: Degeneracy | None = None,
        window: tuple[float, float] = (-np.inf, np.inf),
        spacing: Array | None = None,
    ) -> None:
        self._model, self._k, self._curvature, self._window = model, k, curvature, window
        self._degeneracy = degeneracy or Degeneracy(default_tol(model))
        self._matrices = model.matrices(k, order, curvature)
        self._spacing = np.zeros((len(model.axes), 0)) if spacing is None else spacing
        self._products: dict[tuple[str, int, int], ComplexArray] = {}
        self._derivatives: dict[tuple[int, int], ComplexArray] = {}
        self.axes = model.axes
        self.moments = model.moments
        self.pairs = tuple((self.axes.index((i + 1) % 3), self.axes.index((i + 2) % 3)) for i in self.moments)

    @cached_property
    def _eigh(self) -> tuple[Array, ComplexArray]:
        e, U = np.linalg.eigh(self._matrices.H)
        return e, U

    @cached_property
    def energies(self) -> Array:
        """(nk, n) in eV, ascending; of paired levels the mean (physics.md eq. 9)."""
        return self._degeneracy.levels(self._eigh[0])

    def level_weights(self, X: ComplexArray, Y: ComplexArray) -> Array:
        """a_n = sum_{q>n} w[n, q] - sum_{o<n} w[o, n] (nk, n) of the pair weights w[o, q] = Re X_oq conj(Y_oq), o < q.

        physics.md eq. 17 without its factor 2.
        The sum of a_n over the bands below any Fermi level in the window is the sum of w over the pairs across it. Pairs
        whose two bands lie on one side of the window drop out here, before two large numbers could cancel.
        """
        weights: Array = self.level_tensor(X[:, None], Y[:, None])[:, :, 0, 0]
        return weights

    def level_tensor(self, X: ComplexArray, Y: ComplexArray) -> Array:
        """The same for every X_i of a stack (nk, i, n, n) with every Y_j of a stack (nk, j, n, n): (nk, n, j, i)."""
        out: Array = _kernels().level_weights(_whole(X), _whole(Y), *self._passed)
        return out

    @cached_property
    def interband(self) -> Array:
        """Weights of the cross-gap form, both circulations (physics.md eq. 37): (nk, n, moment, field) in Angstrom^3."""
        if self.outside_moments.N:
            return self.local_circulation + self.itinerant_circulation
        out: Array = _crossgap().interband(*self._crossgap_arguments)
        return out

    @cached_property
    def local_circulation(self) -> Array:
        """The local part of `interband` (physics.md eq. 35)."""
        out: Array = _crossgap().local(*self._crossgap_arguments)
        return out

    @cached_property
    def itinerant_circulation(self) -> Array:
        """The itinerant part of `interband` (physics.md eq. 35)."""
        if self.outside_moments.N:
            out: Array = _crossgap().itinerant(*self._crossgap_arguments)
            return out
        return self.interband - self.local_circulation

    @property
    def _crossgap_arguments(self) -> tuple[Any, ...]:
        """With states outside the basis, where the model knows them, in the velocity."""
        N, v = self.outside_moments.N, self._velocities
        if N:
            # physics.md eq. 66
            v = v + np.stack([1j * (N[a] - adjoint(N[a])) for a in range(len(self.axes))], axis=1)
        return (v, self.connections, self.energies, *self._groups, *self._passed, self._pair_array)

    @cached_property
    def _passed(self) -> tuple[Ints, Ints]:
        """First band (nk,) that a Fermi level in the window may pass, and the end of those: bounds of degenerate groups."""
        first, end = self._groups
        reach = self.moves.sum(axis=2)
        highest = np.maximum.accumulate(self.energies + reach, axis=1)
        lowest = np.minimum.accumulate((self.energies - reach)[:, ::-1], axis=1)  # of a band and those above, backwards
        low, high = (highest <= self._window[0]).sum(axis=1), (lowest <= self._window[1]).sum(axis=1)
        k, n = np.arange(len(low)), first.shape[1]
        below = np.where(low < n, first[k, np.minimum(low, n - 1)], n)
        above = np.where(high > 0, end[k, np.maximum(high, 1) - 1], 0)
        return below, above

    @property
    def eigenvectors(self) -> ComplexArray:
        """(nk, n, n), columns are the eigenvectors in the Wannier gauge."""
        return self._eigh[1]

    def rotate(self, X: ComplexArray) -> ComplexArray:
        """U^+ X U for X of shape (nk, n, n), or a stack (nk, ..., n, n), in the Wannier gauge."""
        stack = X.reshape(len(X), -1, *X.shape[-2:])
        rotated: ComplexArray = _kernels().rotate(self._eigh[1], _whole(stack))
        return rotated.reshape(X.shape)

    # ---- degenerate groups -------------------------------------------------------------------------------------

    @cached_property
    def _groups(self) -> tuple[Ints, Ints]:
        """First band and end of the group of each band, (nk, n) each."""
        first, end = _kernels().groups(self.energies, self._degeneracy.tol)
        return first, end

    @cached_property
    def same(self) -> NDArray[np.bool_]:
        """(nk, n, n), true for bands of one group."""
        first = self._groups[0]
        return np.asarray(first[:, :, None] == first[:, None, :])

    @cached_property
    def degenerate_points(self) -> Ints:
        """Indices of the k points at which some group has more than one band."""
        first, end = self._groups
        return np.flatnonzero((end - first > 1).any(axis=1))

    @property
    def widest_group(self) -> float:
        """Largest spread of the eigenvalues inside one group, in eV (groups are chained: it may exceed the tolerance)."""
        (first, end), (e, _) = self._groups, self._eigh
        spread = np.take_along_axis(e, end - 1, 1) - np.take_along_axis(e, first, 1)
        return float(spread.max(initial=0.0))

    def group_mean(self, a: Array) -> Array:
        """Replace per-band values a (nk, n, ...) by their mean over the group, the only gauge-invariant share."""
        if len(self.degenerate_points) == 0:
            return a
        flat = np.require(a.reshape(*a.shape[:2], -1), float, ["C", "W"])
        mean: Array = _kernels().group_mean(flat, *self._groups)
        return mean.reshape(a.shape)

    @cached_property
    def inverse(self) -> Array:
        """(nk, n, n): 1 / (e_m - e_n) between groups, 0 inside."""
        difference = self.energies[:, :, None] - self.energies[:, None, :]
        difference[self.same] = np.inf
        return 1.0 / difference

    # ---- matrices in the eigenbasis ----------------------------------------------------------------------------

    @cached_property
    def _rotated(self) -> tuple[ComplexArray, Array | None]:
        """Velocities (nk, axes, n, n), and the diagonals (nk, pairs, n) of -i [A_a, A_b], a < b, if positions take part."""
        if self._matrices.V is None and self._matrices.slope is None:
            self._matrices = self._model.matrices(self._k, 1, self._curvature)
        found = self._matrices
        if found.slope is None or found.A is None:
            return self.rotate(found.velocities()), None
        U = self._eigh[1]
        v, commuted = _kernels().rotate_covariant(U, self.energies, _whole(found.slope), _whole(found.A))
        return v, commuted

    @property
    def _velocities(self) -> ComplexArray:
        """(nk, axes, n, n)."""
        return self._rotated[0]

    def velocity(self, a: int) -> ComplexArray:
        """v_a (nk, n, n) in eV Angstrom."""
        return self._velocities[:, a]

    def group_velocity(self, a: int) -> ComplexArray:
        """The block-diagonal part of v_a: matrix elements inside degenerate groups (physics.md eq. 12)."""
        return self.velocity(a) * self.same

    def slope(self, a: int) -> Array:
        """Diagonal of v_a (nk, n): the band velocity where bands are not degenerate."""
        slope: Array = self._slopes[a]
        return slope

    @cached_property
    def _slopes(self) -> Array:
        """(axes, nk, n)."""
        return np.ascontiguousarray(np.einsum("kann->akn", self._velocities).real)

    @cached_property
    def moves(self) -> Array:
        """(nk, n, directions) in eV: how far levels move on the way to the next points of the mesh, extrapolated linearly."""
        if not self._spacing.shape[1]:
            return np.zeros((*self.energies.shape, 0))
        return np.abs(np.tensordot(self._slopes, self._spacing, (0, 0)))

    @cached_property
    def connections(self) -> ComplexArray:
        """`connection` along all axes, (nk, axes, n, n)."""
        out: ComplexArray = _kernels().connections(self.energies, *self._groups, self._velocities)
        return out

    @cached_property
    def responses(self) -> ComplexArray:
        """`response` along all axes, (nk, axes, n, n)."""
        out: ComplexArray = _kernels().responses(self.energies, *self._groups, self.connections)
        return out

    def connection(self, a: int) -> ComplexArray:
        """Off-diagonal Berry connection R_a = -i v_a / (e_m - e_n): (nk, n, n) in Angstrom, zero inside groups.

        physics.md eq. 11.
        """
        return self.connections[:, a]

    def response(self, b: int) -> ComplexArray:
        """B_b = R_b / (e_m - e_n) (nk, n, n) in Angstrom/eV: the field makes the density matrix B_b (f_m - f_n).

        physics.md eq. 15.
        """
        return self.responses[:, b]

    def velocity_connection(self, m: int, n: int) -> ComplexArray:
        """v_m @ R_n (nk, n, n)."""
        return self._product("vR", self._velocities, m, n)

    def connection_connection(self, a: int, b: int) -> ComplexArray:
        """R_a @ R_b (nk, n, n)."""
        if a > b:
            return adjoint(self._product("RR", self.connections, b, a))
        return self._product("RR", self.connections, a, b)

    def _product(self, what: str, left: ComplexArray, a: int, b: int) -> ComplexArray:
        """left_a @ R_b, kept."""
        if (what, a, b) not in self._products:
            self._products[what, a, b] = _kernels().multiply(left, a, self.connections, b)
        return self._products[what, a, b]

    def moving_dipoles(self) -> ComplexArray:
        """1/2 epsilon_imn {vbar_m, R_n} (physics.md eq. 23): (nk, moments, n, n) in eV Angstrom^2."""
        found: ComplexArray = _kernels().moving_dipoles(self._velocities, self.connections, *self._groups, self._pair_array)
        return found

    @cached_property
    def interband_anticommutators(self) -> ComplexArray:
        """1/2 epsilon_imn {v_m - vbar_m, R_n} (physics.md eq. 24): (nk, moments, n, n) in eV Angstrom^2; zero for two bands."""
        found: ComplexArray = _kernels().anticommutators(self.energies, self.connections, self.commutators, self._pair_array)
        return found

    @cached_property
    def commutators(self) -> ComplexArray:
        """i/2 epsilon_imn [R_m, R_n] (nk, moments, n, n) in Angstrom^2."""
        found: ComplexArray = _kernels().commutators(self.connections, self._pair_array)
        return found

    @property
    def _pair_array(self) -> Ints:
        return np.array(self.pairs, dtype=np.int64).reshape(-1, 2)

    def commute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X - X @ vbar_b."""
        out: ComplexArray = _kernels().with_group_velocity(self._velocities, b, _whole(X), -1.0, *self._groups)
        return out

    def anticommute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X + X @ vbar_b."""
        out: ComplexArray = _kernels().with_group_velocity(self._velocities, b, _whole(X), 1.0, *self._groups)
        return out

    def connection_derivative(self, a: int, b: int) -> ComplexArray:
        """Generalised derivative R_a;b = D_b R_a between groups (physics.md eqs. 13 and 14): (nk, n, n) in Angstrom^2."""
        if (a, b) not in self._derivatives:
            vR = self.velocity_connection(a, b)
            # physics.md eq. 13, then eq. 14
            v_ab = self._second_derivatives[:, b, a] - 1j * (vR - adjoint(vR))
            R = self.connection(a)
            self._derivatives[a, b] = self.inverse * (-1j * v_ab - self.commute_with_group_velocity(b, R))
        return self._derivatives[a, b]

    @cached_property
    def _second_derivatives(self) -> ComplexArray:
        """D_b D_a H (nk, b, a, n, n)."""
        W = self._matrices.W
        if W is None:
            self._matrices = self._model.matrices(self._k, 2, self._curvature)
            W = self._matrices.W
            assert W is not None
        return self.rotate(W)

    def moving_trace(self, b: int, left: ComplexArray, right: ComplexArray) -> Array:
        """Re [vbar_b O]_nn (nk, n), O the Hermitian part of left @ right inside groups, right Hermitian.

        Without degeneracies this is the band velocity times the diagonal of the product. Zero outside the window.
        """
        weights: Array = self._moving_traces(self._velocities[:, [b]], left[:, None], right[:, None])[:, :, 0, 0, 0]
        return weights

    @cached_property
    def moving_metric(self) -> Array:
        """Re [vbar_c G_ab]_nn (nk, n, c, a, b), G_ab = Re R_a R_b inside groups. Zero outside the window.

        physics.md eq. 31.
        """
        return self._moving_traces(self._velocities, self.connections, self.connections)

    @cached_property
    def moving_moment(self) -> Array:
        """Re [vbar_c M_ab]_nn (nk, n, c, a, b), M_ab = Re v_a R_b inside groups. Zero outside the window.

        physics.md eq. 44.
        """
        return self._moving_traces(self._velocities, self._velocities, self.connections)

    def _moving_traces(self, v: ComplexArray, left: ComplexArray, right: ComplexArray) -> Array:
        out: Array = _kernels().moving_traces(_whole(v), _whole(left), _whole(right), *self._groups, *self._passed)
        return out

    def moving_expectation(self, b: int, O: ComplexArray) -> Array:
        """Re [vbar_b O]_nn (nk, n) with O Hermitian."""
        out: Array = _kernels().moving_expectation(self._velocities, b, _whole(O), *self._groups)
        return out

    def basis_curvature(self, a: int, b: int) -> Array:
        """Diagonal (nk, n) of the Wannier basis' own curvature F_ab (physics.md eq. 6) in the eigenbasis, in Angstrom^2."""
        if self._model.exact_position:
            return np.zeros_like(self.energies)
        return self._basis_curvatures[:, a, b]

    @cached_property
    def _basis_curvatures(self) -> Array:
        """(nk, axes, axes, n)."""
        commuted, curl = self._rotated[1], self._with_curls().curl
        assert commuted is not None
        assert curl is not None
        d = len(self.axes)
        first, second = np.triu_indices(d, 1)
        F = np.zeros((len(curl), d, d, commuted.shape[2]))
        F[:, first, second] = _kernels().diagonals(self._eigh[1], _whole(curl)) + commuted
        F[:, second, first] = -F[:, first, second]
        return F

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
        found = model.outside(self._k, self._with_curls(), moments, metric)
        return Outside(*({key: self.rotate(X) for key, X in part.items()} for part in found))  # type: ignore[arg-type]

    @cached_property
    def spins(self) -> ComplexArray:
        """sigma (nk, 3, n, n), the spin operator in units of hbar/2."""
        S = self._matrices.S
        if S is None:
            raise ModelError(f"this model has no spin operator: {SPIN_REMEDY}")
        return self.rotate(S)

    def wannier_position(self, a: int) -> ComplexArray:
        """The position operator r_a(k) (nk, n, n) in the Wannier gauge, in Angstrom."""
        A = self._matrices.A
        assert A is not None, "asked of a model with a basis that depends on k"
        return A[:, a]

    def wannier_curvature(self, a: int, b: int) -> ComplexArray:
        """F_ab (nk, n, n) in the Wannier gauge, in Angstrom^2; zero for a basis whose positions commute."""
        if self._model.exact_position:
            return np.zeros_like(self._matrices.H)
        return self._wannier_curvatures[:, a, b]

    @cached_property
    def _wannier_curvatures(self) -> ComplexArray:
        return self._with_curls().curvatures()

    def _with_curls(self) -> Matrices:
        """The matrices, with the curls of A: asked for again if they were not asked for at first."""
        if self._matrices.curl is None:
            self._matrices = self._model.matrices(self._k, 1 if self._matrices.W is None else 2, True)
        return self._matrices


def adjoint(X: ComplexArray) -> ComplexArray:
    """Conjugate transpose of every matrix of a stack."""
    return np.conj(np.swapaxes(X, -1, -2))


def diagonal(X: ComplexArray) -> Array:
    """Real part of the diagonal (nk, n) of every matrix of a stack."""
    return np.ascontiguousarray(np.einsum("knn->kn", X).real)


def row_trace(X: ComplexArray, Y: ComplexArray) -> Array:
    """Re [X Y]_nn (nk, n) for Hermitian Y: the sum over q of Re X_nq conj(Y_nq)."""
    out: Array = row_traces(X[:, None], Y[:, None])[:, :, 0, 0]
    return out


def row_traces(X: ComplexArray, Y: ComplexArray) -> Array:
    """The same for every X_i of a stack (nk, i, n, n) with every Y_j of a stack (nk, j, n, n): (nk, n, j, i)."""
    out: Array = _kernels().row_traces(_whole(X), _whole(Y))
    return out


def _whole(X: ComplexArray) -> ComplexArray:
    """The array in one piece and writable, as compiled code wants it; a copy only if it is not."""
    return np.require(X, np.complex128, ["C", "W"])


def _kernels() -> Any:
    """The compiled loops; numba takes a third of a second to import."""
    from . import kernels

    return kernels


def _crossgap() -> Any:
    """The compiled cross-gap form; likewise."""
    from . import crossgap

    return crossgap
