"""The real-space matrices of a model, laid out: orbitals in home cells that agree, vectors in Cartesian axes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError, warn
from .alignment import rotation, snapped
from .home_cells import connected, homes, relabelled, strongest_homes
from .operators import Operator
from .outside_states import External
from .real_space_checks import checked, frozen, point

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]
Directions = tuple[bool, bool, bool]


class RealSpace(NamedTuple):
    """What `TightBinding` has under the same names, and how it was moved from what was given (`homes`, `frame`)."""

    lattice: Array
    R: Ints
    hamiltonian: ComplexArray
    position: ComplexArray | None
    centres: Array | None
    spin: ComplexArray | None
    external: External | None
    periodic: Directions = (True, True, True)
    homes: Ints | None = None
    frame: Array | None = None
    operators: tuple[Operator, ...] = ()

    @property
    def matrices(self) -> list[ComplexArray | None]:
        """All matrices (nR, n, n, ...), None where there are none."""
        outside = (None,) * 3 if self.external is None else self.external.arrays
        return [self.hamiltonian, self.position, self.spin, *outside, *(o.on(self.R) for o in self.operators)]

    @property
    def reduced(self) -> Array:
        """(n, 3) centres in units of the lattice vectors."""
        if self.centres is not None:
            where = self.centres
        else:
            assert self.position is not None
            where = np.einsum("iia->ia", self.position[~self.R.any(axis=1)][0].real)
        return np.asarray(where @ np.linalg.inv(self.lattice))


def laid_out(terms: RealSpace, asked: Directions | None) -> RealSpace:
    """The same with R along periodic directions alone: orbitals are moved by whole cells where that is all that R says.

    Parameters
    ----------
    asked : which directions are to be periodic; None: those with R that no choice of home cells removes.

    Raises
    ------
    ModelError : truth values that are none; a direction that is not to be periodic, but couples orbitals of different cells.
    """
    given = directions(asked)
    along = np.asarray(terms.R.any(axis=0))
    candidates = [d for d in range(3) if along[d] and not (given and given[d])]
    n = len(terms.hamiltonian[0])
    moved, away = np.zeros((n, 3), dtype=np.int64), np.zeros(3, dtype=bool)
    if candidates:
        elements = connected(terms.matrices)
        for d in candidates:
            if given is None and not elements[terms.R[:, d] != 0].any():
                continue  # listed by hand, without an element
            found = homes(terms.R, elements, terms.reduced, d)
            if found is None and given is not None:
                bad = point(terms.R[int(np.flatnonzero(elements.any(axis=(1, 2)) & (terms.R[:, d] != 0))[0])])
                raise ModelError(
                    f"direction {d + 1} is declared not periodic, but R = {bad} has a component along it, "
                    "and no choice of home cells for the orbitals removes it"
                )
            if found is not None:
                moved[:, d], away[d] = found, True
    periodic = given or tuple((along & ~away).tolist())
    return (moved_by(terms, moved, away) if away.any() else terms)._replace(periodic=periodic)


def moved_by(terms: RealSpace, moved: Ints, away: NDArray[np.bool_]) -> RealSpace:
    """The same with orbitals moved by cells (n, 3), and no R left along the directions `away` (see `relabelled`)."""
    R, (H, position, spin, BB, CC, FF, *others) = relabelled(terms.R, terms.matrices, moved, away)
    assert H is not None
    t = moved @ terms.lattice
    external = terms.external
    if external is not None:
        assert position is not None
        external = External(BB, CC, FF).displaced(R, H, position, t)
    if position is not None:
        i = np.arange(len(moved))
        position[np.flatnonzero(~R.any(axis=1))[0], i, i] += t
    centres = None if terms.centres is None else terms.centres + t
    total = moved if terms.homes is None else terms.homes + moved
    operators = tuple(o.with_matrices(X) for o, X in zip(terms.operators, others, strict=True) if X is not None)
    return terms._replace(
        R=R,
        hamiltonian=H,
        position=position,
        centres=centres,
        spin=spin,
        external=external,
        homes=total if total.any() else None,
        operators=operators,
    )


def of_one_k_point(terms: RealSpace, across: NDArray[np.bool_], name: str) -> RealSpace:
    """The same without R along the directions `across` (3,), along which a calculation had one k point, where k is 0.

    Nothing is known there of a dispersion: R along them says which image of an orbital was taken to be the nearest one, and the
    sum over them is exact. Orbitals are moved to where the strongest couplings stay in one cell.

    Warns
    -----
    AccuracyWarning : couplings for which that cannot be, as in layers thicker than half of the cell. name : of the model.
    """
    away = across & terms.R.any(axis=0)
    if not away.any():
        return terms
    moved, over = np.zeros((len(terms.hamiltonian[0]), 3), dtype=np.int64), 0.0
    for d in np.flatnonzero(away):
        moved[:, d] = strongest_homes(terms.R, terms.hamiltonian, terms.reduced, int(d))
        left = terms.R[:, d, None, None] != moved[None, None, :, d] - moved[None, :, None, d]
        over = max(over, float(np.abs(terms.hamiltonian[left]).max(initial=0.0)))
    if over:
        warn(
            f"{name}: direction {', '.join(str(d + 1) for d in np.flatnonzero(away))} has one k point and counts as not "
            f"periodic; couplings of up to {over:.2g} eV with images in the next cell are those of one cell "
            "(periodic=... keeps them there)"
        )
    return moved_by(terms, moved, away)


def in_axes(terms: RealSpace) -> RealSpace:
    """The same with the periodic directions in a Cartesian plane or line, rounding taken out, a tilt rotated away."""
    terms = terms._replace(lattice=snapped(terms.lattice, terms.periodic))
    Q = rotation(terms.lattice, terms.periodic)
    return terms if Q is None else turned(terms, Q)._replace(frame=Q)


def turned(terms: RealSpace, Q: Array) -> RealSpace:
    """The same on other Cartesian axes, the rows of Q (3, 3)."""
    external = terms.external
    if external is not None:
        BB, CC, FF = external.arrays
        external = External(_turned(BB, Q), _turned(CC, Q), None if FF is None else np.einsum("...ab,ca,db->...cd", FF, Q, Q))
    return terms._replace(
        lattice=_cleaned(terms.lattice @ Q.T, terms.periodic),
        position=_turned(terms.position, Q),
        centres=None if terms.centres is None else terms.centres @ Q.T,
        spin=_turned(terms.spin, Q),
        external=external,
        operators=tuple(o.turned(Q) for o in terms.operators),
    )


def given_homes(value: object, n: int) -> Ints | None:
    """The cells by which orbitals have been moved before, checked."""
    return None if value is None else checked(value, "homes", int, (n, 3))


def frozen_terms(terms: RealSpace) -> RealSpace:
    """The same with arrays that cannot be written to."""
    external = terms.external
    if external is not None:
        external = External(*(None if X is None else frozen(X) for X in external.arrays))
    arrays: dict[str, Any] = {k: frozen(v) for k, v in terms._asdict().items() if isinstance(v, np.ndarray)}
    operators = tuple(o.with_matrices(frozen(o.matrices)) for o in terms.operators)
    return terms._replace(**arrays, external=external, operators=operators)


def directions(given: Directions | None) -> Directions | None:
    """The three truth values of `periodic`, checked; ModelError if they are none."""
    if given is None:
        return None
    values = list(given)
    if len(values) != 3 or not all(p in (True, False) for p in values):
        raise ModelError(f"periodic is {given!r}: give three truth values, one per lattice vector")
    return bool(values[0]), bool(values[1]), bool(values[2])


def _turned(X: ComplexArray | None, Q: Array) -> ComplexArray | None:
    return None if X is None else np.asarray(X @ Q.T)


def _cleaned(lattice: Array, periodic: Directions) -> Array:
    """Without what the arithmetic of the rotation leaves across the plane or line."""
    out = lattice.copy()
    rows = np.flatnonzero(periodic)
    small = np.abs(out[rows]).max(axis=0) < 1e-12 * np.abs(out).max()
    out[np.ix_(rows, np.flatnonzero(small))] = 0.0
    return out
