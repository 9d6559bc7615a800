"""Large tight-binding Hamiltonians as lists of hoppings, seen through a window of bands around neutrality.

At each k the bands nearest to neutrality come from shift-invert Lanczos iterations (SuperLU, ARPACK). The window holds the same
bands, counted from below, at every k: Sylvester's law of inertia says how many levels lie below an energy, and that none
was missed. Velocities are projected on the window, so sums over intermediate bands lack those outside:
`ome_wannier.check_window` says what they amount to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .base import Across, ComplexArray, Matrices, Structure, bounded_axes, brief, shown
from .home_cells import homes_of_pairs
from .operators import Operator, absent
from .real_space_checks import HERMITICITY_TOLERANCE, checked, frozen, point
from .sparse_levels import levels_below, middle_of_widest_gap, nearest_levels
from .tight_binding import TightBinding

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

#: see `SparseTightBinding._window_at`
Window = tuple[Array, ComplexArray, ComplexArray, ComplexArray]

#: memory in bytes up to which windows are kept: energies, filling and narrower windows ask for the same points again
KEPT = 2**30
#: calculators that need no bands far from the Fermi level, or whose share of them falls off with their distance
AVAILABLE = (
    "total", "interband", "local_crossgap", "itinerant_crossgap", "metric_curl", "extrinsic", "berry_curvature",
    "quantum_metric", "dipole_polarizability", "magnetization_dmu", "drude_weight", "ohmic",
    "extrinsic_thermal", "ohmic_thermal",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SparseTightBinding:
    """A list of hoppings <0i|H|Rj> between orbitals at fixed places, and a window of its bands.

    Parameters
    ----------
    lattice : (3, 3), rows in Angstrom.
    orbitals : (nb, 2) integers i, j. R : (nb, 3) integers. hopping : (nb,) eV; both directions of every hopping, on-site
        energies as i = j, R = 0; repeated entries are added.
    centres : (n, 3) Cartesian in Angstrom.
    filled : number of bands that are full at neutrality: `filling` counts electrons per cell from there.
    window : number of bands, half of them below neutrality; at most n.
    level : eV, near neutrality, where levels are looked for; by default found by bisection.
    spin_degeneracy : 1 or 2, electrons per band. structure : the atoms, if known.
    wider : a model of a wider window whose solutions are used, see `narrowed`.
    frame : as of `TightBinding`: found, not to be given.

    Raises
    ------
    ModelError : arrays that do not fit together, hoppings that are not Hermitian; at a k point, levels that cannot be found.
    """

    lattice: Array
    orbitals: Ints
    R: Ints
    hopping: ComplexArray
    centres: Array
    filled: int
    window: int = 80
    level: float | None = None
    spin_degeneracy: int = 1
    structure: Structure | None = None
    name: str = "sparse tight binding"
    wider: SparseTightBinding | None = None
    frame: Array | None = None

    has_zone: ClassVar[bool] = True
    # positions commute among the orbitals; in the window, up to the bands left out
    exact_position: ClassVar[bool] = True
    is_fitted: ClassVar[bool] = False
    # nothing is known of the bands outside the window: look at what moves with it
    external: ClassVar[None] = None
    has_spin: ClassVar[bool] = False
    operators: ClassVar[tuple[Operator, ...]] = ()
    available: ClassVar[tuple[str, ...]] = AVAILABLE
    # bands vary on the scale of the small zone, whatever its size
    default_points: ClassVar[int] = 24
    by_rows: ClassVar[bool] = False
    is_costly: ClassVar[bool] = True

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return shown(self)

    def __post_init__(self) -> None:
        centres = checked(self.centres, "centres", float, (None, 3))
        orbitals = checked(self.orbitals, "orbitals", int, (None, 2))
        n = len(centres)
        if len(orbitals) and not 0 <= orbitals.min() <= orbitals.max() < n:
            raise ModelError(f"orbitals run from {orbitals.min()} to {orbitals.max()}: there are {n} centres, counted from 0")
        if not 0 <= self.filled <= n:
            raise ModelError(f"filled is {self.filled}: between 0 and {n} bands can be full")
        if not 1 <= self.window <= n:
            raise ModelError(f"window is {self.window}: between 1 and {n} bands")
        fields = {
            "lattice": checked(self.lattice, "lattice", float, (3, 3)),
            "orbitals": orbitals,
            "R": checked(self.R, "R", int, (len(orbitals), 3)),
            "hopping": checked(self.hopping, "hopping", complex, (len(orbitals),)),
            "centres": centres,
        }
        for key, value in _in_axes(_in_agreeing_cells(fields), self.frame).items():
            object.__setattr__(self, key, None if value is None else frozen(value))
        k = np.array([0.1234, 0.2345, 0.3456])
        H = self._bloch(k, self.hopping)
        defect = float(np.abs((H - H.conj().T).data).max(initial=0))
        if defect > HERMITICITY_TOLERANCE:
            raise ModelError(f"hopping is not Hermitian by {defect:.3g} eV: give <0i|H|Rj> and <0j|H|-Ri>, its conjugate")
        object.__setattr__(self, "_solved", {})

    def __getstate__(self) -> dict[str, Any]:
        """A copy for another process starts without the solutions."""
        return self.__dict__ | {"_solved": {}}

    @cached_property
    def _frame(self) -> TightBinding:
        """The lattice with one orbital: it checks R and knows directions, axes and the size of the cell."""
        return _bare(self.lattice, self.R, self.spin_degeneracy)

    @property
    def size(self) -> str:
        """Number of orbitals and bands, in words."""
        return f"{len(self.centres)} orbitals, a window of {self.window} bands"

    @property
    def n_orbitals(self) -> int:
        """Number of bands in the window."""
        return self.window

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Directions in which some R has a component."""
        return self._frame.periodic

    @property
    def dimension(self) -> int:
        """Number of periodic directions."""
        return self._frame.dimension

    @property
    def axes(self) -> tuple[int, ...]:
        """Cartesian axes of the field."""
        return self._frame.axes

    @property
    def moments(self) -> tuple[int, ...]:
        """Cartesian axes of an orbital moment."""
        return self._frame.moments

    @property
    def bounded(self) -> tuple[int, ...]:
        """Cartesian axes across a layer or chain."""
        return bounded_axes(self.axes)

    @cached_property
    def centre(self) -> Array:
        """(3,) mean of the centres in Angstrom."""
        return np.asarray(self.centres.mean(axis=0))

    @property
    def flat(self) -> bool:
        """No: products with velocities, which have all bands between, are not compared with zero."""
        return False

    @property
    def cell(self) -> float:
        """Volume, area or length of the cell in Angstrom**dimension."""
        return self._frame.cell

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that a result depends on."""
        digest = hashlib.sha256(repr((self.spin_degeneracy, self.filled, self.window)).encode())
        for a in (self.lattice, self.orbitals, self.R, self.hopping, self.centres):
            digest.update(np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()

    @property
    def first(self) -> int:
        """Number of the window's lowest band, counted from 0."""
        return min(max(self.filled - self.window // 2, 0), len(self.centres) - self.window)

    @property
    def neutral(self) -> int:
        """Number of bands of the window that are full at neutrality."""
        return self.filled - self.first

    def narrowed(self, window: int) -> SparseTightBinding:
        """The same with fewer bands in the window, at no cost where this model has been solved."""
        if window > self.window:
            raise ModelError(f"narrowed({window}): this window has {self.window} bands")
        return replace(self, window=window, wider=self)

    def operator(self, name: str, k: Array) -> ComplexArray:
        """It knows none: ModelError."""
        raise absent(name, ())

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Energies (as diagonal H) and velocities in the window at fractional `k`, shape (..., 3); see `Matrices`.

        Raises
        ------
        ModelError : second derivatives are asked for, which need all bands.
        """
        if order > 1:
            raise ModelError(
                "this quantity needs second derivatives of the Hamiltonian, which a window of bands does not have: "
                f"ask for some of {', '.join(AVAILABLE)}"
            )
        found = [self._window_at(q)[:2] for q in np.asarray(k, dtype=float).reshape(-1, 3)]
        H = np.zeros((len(found), self.window, self.window), dtype=complex)
        H[:, np.arange(self.window), np.arange(self.window)] = np.stack([e for e, _ in found])
        return Matrices(H) if order == 0 else Matrices(H, np.stack([V for _, V in found]))

    def across(self, k: Array) -> Across:
        """The position along the bounded axes in the window, and its products with velocities, which have all bands between."""
        found = [self._window_at(q)[2:] for q in np.asarray(k, dtype=float).reshape(-1, 3)]
        return Across(np.stack([Z for Z, _ in found]), None, np.stack([O for _, O in found]))

    def _window_at(self, k: Array) -> Window:
        """Energies (window,), velocities (axes, window, window), the position along the bounded axes (bounded, window, window)
        and 1/2 {position, velocity} (along, bounded, window, window), kept for the next time."""
        if self.wider is not None:
            found = self.wider._window_at(k)
            cut = slice(self.first - self.wider.first, self.first - self.wider.first + self.window)
            return (found[0][cut], *(X[..., cut, cut] for X in found[1:]))  # type: ignore[return-value]
        solved: dict[bytes, Window] = self._solved  # type: ignore[attr-defined]
        key = np.ascontiguousarray(k).tobytes()
        if key in solved:
            return solved[key]
        e, U = self.states(k)
        step = self.R @ self.lattice + self.centres[self.orbitals[:, 1]] - self.centres[self.orbitals[:, 0]]

        def between(values: ComplexArray) -> ComplexArray:
            return np.asarray(U.conj().T @ (self._bloch(k, values) @ U))

        z = self.centres - self.centre
        mean = (z[self.orbitals[:, 0]] + z[self.orbitals[:, 1]]) / 2
        V = np.stack([between(1j * step[:, a] * self.hopping) for a in self.axes])
        empty = np.zeros((0, *V.shape[1:]), dtype=complex)
        Z = np.stack([U.conj().T @ (z[:, c, None] * U) for c in self.bounded]) if self.bounded else empty
        along = self.axes if len(self.axes) > 1 else (0, 1, 2)
        O = [[between(1j * step[:, a] * mean[:, c] * self.hopping) for c in self.bounded] for a in along]
        found = e, V, Z, np.reshape(O, (len(along), len(Z), *V.shape[1:]))
        if len(solved) * sum(x.nbytes for x in found) < KEPT:
            solved[key] = found
        return found

    def states(self, k: Array) -> tuple[Array, ComplexArray]:
        """Energies (window,) in eV and eigenvectors (n, window) at one fractional `k` (3,)."""
        H = self._bloch(k, self.hopping)
        n, wanted = len(self.centres), self.window + max(6, self.window // 5)
        while 3 * wanted < n:
            e, U = nearest_levels(H, self._level, wanted)
            edge = (wanted - self.window) // 4 + 2  # levels at each end among which there is a cut, between unequal ones
            low, high = middle_of_widest_gap(e[:edge]), middle_of_widest_gap(e[-edge:])
            below, up_to = levels_below(H, low), levels_below(H, high)
            inside = (e > low) & (e < high)
            if inside.sum() != up_to - below:
                raise ModelError(f"{up_to - below - inside.sum()} levels were missed at k = {point(k)}: change level or window")
            missing = max(below - self.first, self.first + self.window - up_to)
            if missing <= 0:
                start = int(np.argmax(inside)) + self.first - below
                return e[start : start + self.window], U[:, start : start + self.window]
            wanted += max(2 * missing + 2, self.window // 4)  # looking once more costs as much as before
        e, U = np.linalg.eigh(H.toarray())
        return e[self.first : self.first + self.window], U[:, self.first : self.first + self.window]

    @cached_property
    def _level(self) -> float:
        """The energy of the highest filled band at a point of no symmetry, to some 0.05 eV."""
        if self.level is not None:
            return self.level
        H = self._bloch(np.array([0.21, 0.13, 0.07]), self.hopping)
        high = float(np.abs(H).sum(axis=1).max())
        low = -1.07 * high  # not symmetric: orbitals without on-site energy leave no pivot at zero
        while high - low > 0.05:
            middle = (low + high) / 2
            excess = levels_below(H, middle) - self.filled
            low, high = (middle, high) if excess < 0 else (low, middle)
        return (low + high) / 2

    def _bloch(self, k: Array, values: ComplexArray) -> Any:
        """Sum of values exp(2 pi i k R) as a sparse (n, n) matrix."""
        from scipy.sparse import csc_matrix

        n = len(self.centres)
        phases = np.exp(2j * np.pi * (self.R @ k))
        return csc_matrix((values * phases, (self.orbitals[:, 0], self.orbitals[:, 1])), shape=(n, n))


def _in_agreeing_cells(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with orbitals moved by whole cells along directions in which that removes R (see `home_cells`)."""
    lattice, pairs, R, centres = (fields[key] for key in ("lattice", "orbitals", "R", "centres"))
    there = fields["hopping"] != 0
    for d in np.flatnonzero(R[there].any(axis=0)).tolist():
        h = homes_of_pairs(pairs[there], R[there, d], (centres @ np.linalg.inv(lattice))[:, d])
        if h is not None:
            R = R + (h[pairs[:, :1]] - h[pairs[:, 1:]]) * np.eye(3, dtype=np.int64)[d]
            R[~there, d] = 0
            centres = centres + h[:, None] * lattice[d]
    return fields | {"R": R, "centres": centres}


def _bare(lattice: Array, R: Ints, spin_degeneracy: int = 1) -> TightBinding:
    """One orbital without energy on these R (nR, 3) and their partners."""
    both = np.unique(np.concatenate([R, -R, np.zeros((1, 3), dtype=int)]), axis=0)
    empty = np.zeros((len(both), 1, 1), dtype=complex)
    return TightBinding(lattice, both, empty, centres=np.zeros((1, 3)), spin_degeneracy=spin_degeneracy)


def _in_axes(fields: dict[str, Any], earlier: Array | None) -> dict[str, Any]:
    """The same, and `frame`, with a layer or chain turned into Cartesian axes; `earlier`: how it was turned before."""
    bare = _bare(fields["lattice"], fields["R"])
    Q = bare.frame
    centres = fields["centres"] if Q is None else fields["centres"] @ Q.T
    frame = earlier if Q is None else Q if earlier is None else Q @ earlier
    return fields | {"lattice": bare.lattice, "centres": centres, "frame": frame}
