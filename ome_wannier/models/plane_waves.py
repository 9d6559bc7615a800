"""Continuum Hamiltonians in a superlattice: plane waves up to a cutoff, as of moire materials."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .base import NO_HEIGHT, Across, ComplexArray, Matrices, brief, shown
from .operators import Operator, absent
from .real_space_checks import HERMITICITY_TOLERANCE, checked, frozen

Array = NDArray[np.float64]

#: neighbours of the cell around Gamma, Gamma itself first: of points at equal distance the first is taken
_NEIGHBOURS = np.array([(0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))])


@dataclass(frozen=True, eq=False)
class PlaneWaves:
    """H(k) = constant + k_a linear_a + k_a k_b quadratic_ab in a basis exp(i (k + G) r) with finitely many G.

    The basis functions do not depend on k beyond exp(ikr), so the position operator is i d/dk and derivatives are exact.
    H(k + G) is H(k) with the plane waves renumbered, up to those that enter and leave at the cutoff: points are therefore
    folded into the zone around Gamma, and what moves with the cutoff has to be looked at (`cutoff.check_cutoff`).

    Measured for strained graphene at 1.2 degrees with cutoffs 3 and 4 against 5: `total`, `interband`, `metric_curl` and
    `extrinsic` are within 4e-4 and 6e-6 of themselves, the parts `dipole`, `itinerant` and `local` within 2e-2 and 5e-3, for
    they add up a deep Dirac sea. The metric of such a sea grows as the logarithm of the cutoff, the orbital moment moves too,
    and the Fermi-sea forms of total derivatives (`metric_curl_sea`, `itinerant_sea`) do not converge.

    Parameters
    ----------
    lattice : (3, 3), rows in Angstrom: two vectors of the superlattice in the plane x, y, the third along z.
    constant : (n, n) eV. linear : (2, n, n) eV Angstrom. quadratic : (2, 2, n, n) eV Angstrom^2, or None.
    neutral : number of bands that are full at neutrality: `filling` counts electrons per cell from there.
    heights : (n,) Angstrom, where the waves are along z, or None where that is not known: elements of the moment in the plane
        and of a field along z need it.
    spin_degeneracy : 1 or 2, electrons per band. Valleys are models of their own: where time reversal joins two, their
        extrinsic responses are equal and their intrinsic ones opposite, so no factor stands for both.

    Raises
    ------
    ModelError : arrays that do not fit together or are not Hermitian, a lattice that is not in the plane.
    """

    lattice: Array
    constant: ComplexArray
    linear: ComplexArray
    quadratic: ComplexArray | None = None
    neutral: int = 0
    spin_degeneracy: int = 1
    name: str = "plane waves"
    heights: Array | None = None

    has_zone: ClassVar[bool] = True
    dimension: ClassVar[int] = 2
    periodic: ClassVar[tuple[bool, bool, bool]] = (True, True, False)
    axes: ClassVar[tuple[int, int]] = (0, 1)
    moments: ClassVar[tuple[int]] = (2,)
    # the position operator is i d/dk; symmetries are those of the superlattice, no atoms are known
    exact_position: ClassVar[bool] = True
    is_fitted: ClassVar[bool] = False
    structure: ClassVar[None] = None
    # nothing is known of waves beyond the cutoff: look at what moves with it
    external: ClassVar[None] = None
    has_spin: ClassVar[bool] = False
    operators: ClassVar[tuple[Operator, ...]] = ()
    available: ClassVar[None] = None
    frame: ClassVar[None] = None
    # bands vary on the scale of the small zone, whatever its size
    default_points: ClassVar[int] = 24
    by_rows: ClassVar[bool] = False
    is_costly: ClassVar[bool] = False

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        return shown(self)

    def __post_init__(self) -> None:
        lattice = checked(self.lattice, "lattice", float, (3, 3))
        constant = checked(self.constant, "constant", complex, (None, None))
        n = len(constant)
        arrays = {"constant": constant, "linear": checked(self.linear, "linear", complex, (2, n, n))}
        if self.quadratic is not None:
            q = checked(self.quadratic, "quadratic", complex, (2, 2, n, n))
            arrays["quadratic"] = (q + np.swapaxes(q, 0, 1)) / 2
        for key, X in arrays.items():
            defect = np.abs(X - np.conj(np.swapaxes(X, -1, -2))).max(initial=0)
            if defect > HERMITICITY_TOLERANCE:
                raise ModelError(f"{key} is not Hermitian: it differs from its adjoint by {defect:.3g}")
        if lattice[:2, 2].any() or lattice[2, :2].any() or not abs(np.linalg.det(lattice)) > 1e-6:
            raise ModelError("lattice: give two independent vectors in the plane x, y and a third one along z")
        if self.spin_degeneracy not in (1, 2):
            raise ModelError(f"spin_degeneracy is {self.spin_degeneracy}: it must be 1 or 2, valleys are separate models")
        if not 0 <= self.neutral <= n:
            raise ModelError(f"neutral is {self.neutral}: between 0 and {n} bands can be full")
        object.__setattr__(self, "lattice", frozen(lattice))
        if self.heights is not None:
            object.__setattr__(self, "heights", frozen(checked(self.heights, "heights", float, (n,))))
        for key, X in arrays.items():
            object.__setattr__(self, key, frozen(X))

    @property
    def size(self) -> str:
        """Number of orbitals, in words."""
        return f"{self.n_orbitals} orbitals"

    @property
    def n_orbitals(self) -> int:
        """Number of plane waves times components (bands)."""
        return len(self.constant)

    @property
    def bounded(self) -> tuple[int, ...]:
        """The normal, where it is known where the waves are along it."""
        return () if self.heights is None else (2,)

    @cached_property
    def centre(self) -> Array:
        """(3,) mean height in Angstrom."""
        return np.array([0.0, 0.0, 0.0 if self.heights is None else self.heights.mean()])

    @property
    def flat(self) -> bool:
        """Whether all waves are at one height, to rounding."""
        return self.heights is not None and bool(np.abs(self.heights - self.centre[2]).max() < NO_HEIGHT)

    @property
    def cell(self) -> float:
        """Area of the superlattice's cell in Angstrom^2."""
        return float(abs(np.linalg.det(self.lattice[:2, :2])))

    @cached_property
    def reciprocal(self) -> Array:
        """(2, 2), rows are the reciprocal vectors of the superlattice in 1/Angstrom."""
        return np.asarray(2 * np.pi * np.linalg.inv(self.lattice[:2, :2]).T)

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that a result depends on."""
        digest = hashlib.sha256(repr((self.spin_degeneracy, self.neutral, self.n_orbitals)).encode())
        for a in (self.lattice, self.constant, self.linear, self.quadratic, *(() if self.heights is None else (self.heights,))):
            digest.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()

    def folded(self, k: Array) -> Array:
        """Cartesian wave vectors (nk, 2) in 1/Angstrom, nearest to Gamma, of fractional points (..., 3)."""
        fraction = np.asarray(k, dtype=float).reshape(-1, 3)[:, :2]
        images = ((fraction - np.round(fraction))[:, None] - _NEIGHBOURS) @ self.reciprocal
        distance = np.round(np.linalg.norm(images, axis=2) / np.abs(self.reciprocal).max(), 9)
        return np.asarray(images[np.arange(len(images)), np.argmin(distance, axis=1)])

    def operator(self, name: str, k: Array) -> ComplexArray:
        """It knows none: ModelError."""
        raise absent(name, ())

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at fractional `k`, shape (..., 3), folded into the zone around Gamma; see `Matrices`."""
        return self.at(self.folded(k), order)

    def across(self, k: Array) -> Across:
        """The heights of the waves from their mean, at every k."""
        assert self.heights is not None
        Z = np.diag(self.heights - self.centre[2]).astype(complex)[None]
        return Across(np.broadcast_to(Z, (np.asarray(k).reshape(-1, 3).shape[0], *Z.shape)))

    def at(self, q: Array, order: int = 1) -> Matrices:
        """Matrices at Cartesian `q` (nk, 2) in 1/Angstrom relative to Gamma, not folded."""
        n = self.n_orbitals
        H = self.constant + np.tensordot(q, self.linear, axes=1)
        V = np.broadcast_to(self.linear, (len(q), 2, n, n))
        W = np.broadcast_to(np.zeros((), dtype=complex), (len(q), 2, 2, n, n))
        if self.quadratic is not None:
            slope = np.tensordot(q, self.quadratic, axes=1)
            H = H + np.einsum("ka,kaij->kij", q, slope)
            V = V + 2 * slope
            W = np.broadcast_to(2 * self.quadratic, W.shape)
        if order == 0:
            return Matrices(H)
        A = np.broadcast_to(np.zeros((), dtype=complex), V.shape)
        return Matrices(H, V, W if order == 2 else None, A=A)
