"""Energies, velocities and off-diagonal Berry connections at a batch of k points (physics.md eqs. 8 to 17).

Everything is computed when first asked for and kept, so a set of calculators pays once for what it shares. Levels that count
as one (see `degeneracy`) form a group; connections are zero inside groups, so every trace over a group is independent of the
choice of eigenvectors in it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..models.base import Matrices, Model
from . import compiled, rotations
from .degeneracy import Degeneracy, default_tol
from .eigensolver import eigh
from .matrices import _whole, adjoint

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]
T = TypeVar("T")

#: eV; energies that are no farther apart may be so by rounding
ROUNDING = 1e-12


def shared(make: Callable[[Bands], T]) -> Callable[[Bands], T]:
    """A quantity of bands that is made when first asked for and kept with them, so that calculators pay once."""

    @wraps(make)
    def kept(bands: Bands) -> T:
        """What is kept, or is made now."""
        if make not in bands.kept:
            bands.kept[make] = make(bands)
        found: T = bands.kept[make]
        return found

    return kept


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
    outside : whether states outside the basis take part, which the model knows.
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
        self._curvature, self._window = curvature, window
        self._degeneracy = degeneracy or Degeneracy(default_tol(model))
        self.matrices = model.matrices(k, order, curvature)
        self.spacing = np.zeros((len(model.axes), 0)) if spacing is None else spacing
        self.kept: dict[Callable[[Bands], Any], Any] = {}
        self._products: dict[tuple[str, int, int], ComplexArray] = {}
        self._derivatives: dict[tuple[int, int], ComplexArray] = {}
        self._operators: dict[str, ComplexArray] = {}
        self._others: NDArray[np.bool_] | None = None
        self.model, self.k, self.outside = model, k, model.external is not None
        self.axes = model.axes
        self.moments = model.moments
        self.pairs = tuple((self.axes.index((i + 1) % 3), self.axes.index((i + 2) % 3)) for i in self.moments)

    def inside(self) -> Bands:
        """The same of a model that knows no states outside its basis."""
        other = copy(self)
        other.kept, other.outside = {}, False
        return other

    def lowest(self, count: int) -> Bands:
        """The same where the lowest bands and the others are not coupled: of the lowest, what a basis of these alone gives.

        The others begin with the group of the band after `count`, so that no group is divided.
        """
        other = self.regrouped(self._degeneracy)
        other._others = self.groups[0][:, count, None] <= np.arange(self.energies.shape[1])
        return other

    def _uncoupled(self, X: ComplexArray) -> ComplexArray:
        """X (nk, ..., n, n) in the eigenbasis, without elements between the lowest bands and the others, if these are apart."""
        if self._others is None:
            return X
        one = self._others[:, :, None] == self._others[:, None, :]
        return np.asarray(X * one.reshape(len(X), *(1,) * (X.ndim - 3), *one.shape[1:]))

    def regrouped(self, degeneracy: Degeneracy) -> Bands:
        """The same eigenproblem with other groups of levels."""
        other = copy(self)
        for name in [n for n, x in vars(type(self)).items() if isinstance(x, cached_property)]:
            other.__dict__.pop(name, None)
        other._eigh, other._degeneracy = self._eigh, degeneracy
        other.kept, other._products, other._derivatives, other._operators = {}, {}, {}, {}
        return other

    @cached_property
    def _eigh(self) -> tuple[Array, ComplexArray]:
        return eigh(_whole(self.matrices.H))

    @cached_property
    def energies(self) -> Array:
        """(nk, n) in eV, ascending; of paired levels the mean (physics.md eq. 9)."""
        return self._degeneracy.levels(self._eigh[0])

    @cached_property
    def passed(self) -> tuple[Ints, Ints]:
        """First band (nk,) that a Fermi level in the window may pass, and the end of those: bounds of degenerate groups."""
        below, above = compiled.passed(self.energies, self.moves, *self.groups, *self._window)
        return below, above

    @property
    def pair_array(self) -> Ints:
        """`pairs` as an array."""
        return np.array(self.pairs, dtype=np.int64).reshape(-1, 2)

    @property
    def eigenvectors(self) -> ComplexArray:
        """(nk, n, n), columns are the eigenvectors in the Wannier gauge."""
        return self._eigh[1]

    def rotate(self, X: ComplexArray) -> ComplexArray:
        """U^+ X U for X of shape (nk, n, n), or a stack (nk, ..., n, n), in the Wannier gauge."""
        stack = X.reshape(len(X), -1, *X.shape[-2:])
        rotated: ComplexArray = rotations.rotate(self._eigh[1], _whole(stack))
        return self._uncoupled(rotated.reshape(X.shape))

    def rotate_hermitian(self, X: ComplexArray) -> ComplexArray:
        """The same for Hermitian X, in half of the time."""
        stack = X.reshape(len(X), -1, *X.shape[-2:])
        rotated: ComplexArray = rotations.rotate_pairs(self._eigh[1], _whole(stack))
        return self._uncoupled(rotated.reshape(X.shape))

    # ---- degenerate groups -------------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> tuple[Ints, Ints]:
        """First band and end of the group of each band, (nk, n) each."""
        first, end = compiled.groups(self.energies, self._degeneracy.tol)
        return first, end

    @cached_property
    def same(self) -> NDArray[np.bool_]:
        """(nk, n, n), true for bands of one group."""
        first = self.groups[0]
        return np.asarray(first[:, :, None] == first[:, None, :])

    @cached_property
    def degenerate_points(self) -> Ints:
        """Indices of the k points at which some group has more than one band."""
        first, end = self.groups
        return np.flatnonzero((end - first > 1).any(axis=1))

    @cached_property
    def told_apart(self) -> tuple[Ints, Bands] | None:
        """Points at which levels of one group are farther apart than `Degeneracy.finer`, and all points with finer groups; None
        where there are none."""
        finer, tol = self._degeneracy.finer, self._degeneracy.tol
        if not finer or len(self.degenerate_points) == 0:
            return None
        spacing = np.diff(self.energies, axis=1)
        points = np.flatnonzero(((spacing > finer) & (spacing <= tol)).any(axis=1))
        if len(points) == 0:
            return None
        bands = self.regrouped(Degeneracy(finer))
        bands.passed = self.passed
        return points, bands

    @property
    def widest_group(self) -> float:
        """Largest spread of the eigenvalues inside one group, in eV (groups are chained: it may exceed the tolerance)."""
        return float(compiled.widest(self._eigh[0], *self.groups)[0])

    def group_mean(self, a: Array) -> Array:
        """Replace per-band values a (nk, n, ...) by their mean over the group, the only gauge-invariant share."""
        if len(self.degenerate_points) == 0:
            return a
        mean: Array = compiled.group_mean(_columns(a), *self.groups)
        return mean.reshape(a.shape)

    def group_lines(self, a: Array) -> Array:
        """The same with what a group has in a straight line in its energies, for weights that a function of these multiplies.

        Levels of one group that are near a third one have large and opposite weights with k_B T log(1 + exp((mu - e) / k_B T)),
        which their distance makes finite in the sum.
        """
        if len(self.degenerate_points) == 0:
            return a
        lines: Array = compiled.group_lines(_columns(a), self.energies, *self.groups, ROUNDING)
        return lines.reshape(a.shape)

    @cached_property
    def inverse(self) -> Array:
        """(nk, n, n): 1 / (e_m - e_n) between groups, 0 inside."""
        difference = self.energies[:, :, None] - self.energies[:, None, :]
        difference[self.same] = np.inf
        return 1.0 / difference

    # ---- matrices in the eigenbasis ----------------------------------------------------------------------------

    @cached_property
    def rotated(self) -> tuple[ComplexArray, Array | None]:
        """Velocities (nk, axes, n, n), and the diagonals (nk, pairs, n) of -i [A_a, A_b], a < b, if positions take part."""
        if self.matrices.V is None and self.matrices.slope is None:
            self.matrices = self.model.matrices(self.k, 1, self._curvature)
        found = self.matrices
        if found.slope is None or found.A is None:
            return self.rotate_hermitian(found.velocities()), None
        U = self._eigh[1]
        v, commuted = rotations.rotate_covariant(U, self.energies, _whole(found.slope), _whole(found.A))
        return self._uncoupled(v), commuted

    @property
    def velocities(self) -> ComplexArray:
        """(nk, axes, n, n)."""
        return self.rotated[0]

    def velocity(self, a: int) -> ComplexArray:
        """v_a (nk, n, n) in eV Angstrom."""
        return self.velocities[:, a]

    def slope(self, a: int) -> Array:
        """Diagonal of v_a (nk, n): the band velocity where bands are not degenerate."""
        slope: Array = self._slopes[a]
        return slope

    @cached_property
    def _slopes(self) -> Array:
        """(axes, nk, n)."""
        return np.ascontiguousarray(np.einsum("kann->akn", self.velocities).real)

    @cached_property
    def moves(self) -> Array:
        """(nk, n, directions) in eV: how far levels move on the way to the next points of the mesh, extrapolated linearly."""
        # element by element, here and below: the bits of a product of matrices depend on how many points are together
        found: Array = compiled.moves(self.velocities, self.spacing)
        return found

    @cached_property
    def connections(self) -> ComplexArray:
        """`connection` along all axes, (nk, axes, n, n)."""
        out: ComplexArray = compiled.connections(self.energies, *self.groups, self.velocities)
        return out

    @cached_property
    def responses(self) -> ComplexArray:
        """`response` along all axes, (nk, axes, n, n)."""
        out: ComplexArray = compiled.responses(self.energies, *self.groups, self.connections)
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
        return self._product("vR", self.velocities, m, n)

    def connection_connection(self, a: int, b: int) -> ComplexArray:
        """R_a @ R_b (nk, n, n)."""
        if a > b:
            return adjoint(self._product("RR", self.connections, b, a))
        return self._product("RR", self.connections, a, b)

    def _product(self, what: str, left: ComplexArray, a: int, b: int) -> ComplexArray:
        """left_a @ R_b, kept."""
        if (what, a, b) not in self._products:
            self._products[what, a, b] = compiled.multiply(left, a, self.connections, b)
        return self._products[what, a, b]

    def commute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X - X @ vbar_b."""
        out: ComplexArray = compiled.with_group_velocity(self.velocities, b, _whole(X), -1.0, *self.groups)
        return out

    def anticommute_with_group_velocity(self, b: int, X: ComplexArray) -> ComplexArray:
        """vbar_b @ X + X @ vbar_b."""
        out: ComplexArray = compiled.with_group_velocity(self.velocities, b, _whole(X), 1.0, *self.groups)
        return out

    def connection_derivative(self, a: int, b: int) -> ComplexArray:
        """Generalised derivative R_a;b = D_b R_a between groups (physics.md eqs. 13 and 14): (nk, n, n) in Angstrom^2."""
        if (a, b) not in self._derivatives:
            vR = self.velocity_connection(a, b)  # physics.md eq. 13, then eq. 14
            v_ab = self._second_derivatives[:, b, a] - 1j * (vR - adjoint(vR))
            R = self.connection(a)
            self._derivatives[a, b] = self.inverse * (-1j * v_ab - self.commute_with_group_velocity(b, R))
        return self._derivatives[a, b]

    @cached_property
    def _second_derivatives(self) -> ComplexArray:
        """D_b D_a H (nk, b, a, n, n)."""
        W = self.matrices.W
        if W is None:
            self.matrices = self.model.matrices(self.k, 2, self._curvature)
            W = self.matrices.W
            assert W is not None
        return self.rotate_hermitian(W)

    def operator(self, name: str) -> ComplexArray:
        """An operator of the model (nk, c, n, n), c = 1, or 3 components; "spin" is sigma, in units of hbar/2."""
        if name not in self._operators:
            self._operators[name] = self.rotate_hermitian(self.model.operator(name, self.k))
        return self._operators[name]

    def matrices_with_curls(self) -> Matrices:
        """The matrices, with the curls of A: asked for again if they were not asked for at first."""
        if self.matrices.curl is None:
            self.matrices = self.model.matrices(self.k, 1 if self.matrices.W is None else 2, True)
        return self.matrices


def _columns(a: Array) -> Array:
    """(nk, n, c) of (nk, n, ...), as compiled code takes it."""
    return np.require(a.reshape(*a.shape[:2], -1), float, ["C", "W"])
