"""Angular momentum of atomic orbitals: real spherical harmonics and their hybrids, as Wannier90 numbers them, in any axes.

L = -i r x nabla in units of hbar. Its matrix elements follow from how functions change when they are turned: with the harmonics
as polynomials, L_a f(r) = -i df(r + t a x r)/dt, taken exactly by a step into the complex plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import index
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_Polynomial = Callable[[ComplexArray, ComplexArray, ComplexArray], ComplexArray]
#: real harmonics of l = 0 to 3 in the order of Wannier90 (user guide, table 3.1), without 1 / sqrt(4 pi)
_HARMONICS: dict[int, tuple[_Polynomial, ...]] = {
    0: (lambda x, y, z: np.ones_like(x),),
    1: (lambda x, y, z: np.sqrt(3) * z, lambda x, y, z: np.sqrt(3) * x, lambda x, y, z: np.sqrt(3) * y),
    2: (
        lambda x, y, z: np.sqrt(5 / 4) * (2 * z**2 - x**2 - y**2),
        lambda x, y, z: np.sqrt(15) * x * z,
        lambda x, y, z: np.sqrt(15) * y * z,
        lambda x, y, z: np.sqrt(15 / 4) * (x**2 - y**2),
        lambda x, y, z: np.sqrt(15) * x * y,
    ),
    3: (
        lambda x, y, z: np.sqrt(7 / 4) * z * (2 * z**2 - 3 * x**2 - 3 * y**2),
        lambda x, y, z: np.sqrt(21 / 8) * x * (4 * z**2 - x**2 - y**2),
        lambda x, y, z: np.sqrt(21 / 8) * y * (4 * z**2 - x**2 - y**2),
        lambda x, y, z: np.sqrt(105 / 4) * z * (x**2 - y**2),
        lambda x, y, z: np.sqrt(105) * x * y * z,
        lambda x, y, z: np.sqrt(35 / 8) * x * (x**2 - 3 * y**2),
        lambda x, y, z: np.sqrt(35 / 8) * y * (3 * x**2 - y**2),
    ),
}
_S, _Z, _X, _Y, _ZZ, _XX = (0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 3)
_SP2 = (
    {_S: 3**-0.5, _X: -(6**-0.5), _Y: 2**-0.5},
    {_S: 3**-0.5, _X: -(6**-0.5), _Y: -(2**-0.5)},
    {_S: 3**-0.5, _X: 2 * 6**-0.5},
)
#: hybrids, l < 0, of harmonics (l, m) (user guide, table 3.2)
_HYBRIDS: dict[int, tuple[dict[tuple[int, int], float], ...]] = {
    -1: ({_S: 2**-0.5, _X: 2**-0.5}, {_S: 2**-0.5, _X: -(2**-0.5)}),
    -2: _SP2,
    -3: tuple({_S: 0.5, _X: 0.5 * x, _Y: 0.5 * y, _Z: 0.5 * x * y} for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1))),
    -4: (*_SP2, {_Z: 2**-0.5, _ZZ: 2**-0.5}, {_Z: -(2**-0.5), _ZZ: 2**-0.5}),
    -5: (
        {_S: 6**-0.5, _X: -(2**-0.5), _ZZ: -(12**-0.5), _XX: 0.5},
        {_S: 6**-0.5, _X: 2**-0.5, _ZZ: -(12**-0.5), _XX: 0.5},
        {_S: 6**-0.5, _Y: -(2**-0.5), _ZZ: -(12**-0.5), _XX: -0.5},
        {_S: 6**-0.5, _Y: 2**-0.5, _ZZ: -(12**-0.5), _XX: -0.5},
        {_S: 6**-0.5, _Z: -(2**-0.5), _ZZ: 3**-0.5},
        {_S: 6**-0.5, _Z: 2**-0.5, _ZZ: 3**-0.5},
    ),
}
#: harmonics up to l = 3, and how far functions of one place may be from orthonormal
_SIZE, _ORTHOGONAL = 16, 1e-6


class Orbital(NamedTuple):
    """An atomic orbital.

    l, m : of Wannier90's tables, m from 0; l < 0 are hybrids. axes : (3, 3) rows are its x, y and z axes in Cartesian ones.
    shell : orbitals of one place belong together where this is equal, such as a place's number with the radial function.
    spin : "u", "d", or none.
    """

    l: int
    m: int
    shell: tuple[int, ...]
    axes: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    spin: str = ""


def angular_momentum(orbitals: Sequence[Orbital]) -> ComplexArray:
    """<i|L_a|j> (n, n, 3) in units of hbar, between orbitals of one shell and spin.

    Raises
    ------
    ModelError : orbitals that do not exist, axes that are not perpendicular, functions of one shell that are not orthonormal,
        such as one that stands twice.
    """
    out = np.zeros((len(orbitals), len(orbitals), 3), dtype=complex)
    groups: dict[object, list[int]] = {}
    for i, orbital in enumerate(orbitals):
        if not _is_orbital(orbital):
            raise ModelError(
                f"orbital {i + 1} is {str(orbital)[:80]}: give an Orbital(l, m, shell), whole numbers, axes of 3 x 3"
            )
        groups.setdefault((orbital.shell, orbital.spin), []).append(i)
    L = _angular_momentum()
    for members in groups.values():
        C = np.stack([_expansion(orbitals[i]) for i in members])
        if np.abs(C @ C.T - np.eye(len(members))).max() > _ORTHOGONAL:
            which = ", ".join(str(i + 1) for i in members[:6]) + (", ..." if len(members) > 6 else "")
            raise ModelError(
                f"the orbitals {which} of one atom are not orthonormal (one stands twice, or hybrids beside their parts): "
                "which angular momentum they have is not known"
            )
        out[np.ix_(members, members)] = np.moveaxis(C @ L @ C.T, 0, -1)
    return out


def _is_orbital(given: object) -> bool:
    """Whether all that an orbital consists of is of its kind."""
    try:
        hash((given.shell, given.spin))  # type: ignore[attr-defined]
        index(given.l), index(given.m)  # type: ignore[attr-defined]
        return bool(np.shape(given.axes) == (3, 3) and np.isfinite(given.axes).all())  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return False


def _expansion(orbital: Orbital) -> Array:
    """(16,) coefficients of the harmonics, in Cartesian axes."""
    if not 0 <= orbital.m < count(orbital.l):
        raise ModelError(f"no orbital l = {orbital.l}, mr = {orbital.m + 1}")
    axes = np.array(orbital.axes, dtype=float)
    axes = axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), np.finfo(float).tiny)
    if not np.abs(axes @ axes.T - np.eye(3)).max() < 1e-3 or np.linalg.det(axes) < 0:
        raise ModelError(f"the axes {np.round(axes, 4).tolist()} of an orbital are not perpendicular and right-handed")
    u, _, vt = np.linalg.svd(axes)
    local = _values(_points() @ (u @ vt).T) @ _unturned(orbital.l, orbital.m)
    return np.asarray(np.linalg.lstsq(_values(_points()).real, local.real, rcond=None)[0], dtype=float)


def count(l: int) -> int:
    """How many orbitals there are of l: 2 l + 1, of a hybrid 1 - l; 0 where there is none."""
    return len(_HARMONICS[l]) if l in _HARMONICS else len(_HYBRIDS.get(l, ()))


def _unturned(l: int, m: int) -> Array:
    out = np.zeros(_SIZE)
    for (degree, order), c in ({(l, m): 1.0} if l >= 0 else _HYBRIDS[l][m]).items():
        out[degree**2 + order] = c
    return out


@cache
def _points() -> Array:
    """(64, 3) random directions."""
    x = np.random.default_rng(0).normal(size=(64, 3))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def _values(r: Array | ComplexArray) -> ComplexArray:
    """(points, 16) all harmonics at r (points, 3)."""
    x, y, z = np.asarray(r, dtype=complex).T
    return np.stack([f(x, y, z) for functions in _HARMONICS.values() for f in functions], axis=1)


@cache
def _angular_momentum() -> ComplexArray:
    """L_a (3, 16, 16) between all harmonics."""
    r, step = _points(), 1e-30
    inverse = np.linalg.pinv(_values(r).real)
    turned = [_values(r + 1j * step * np.cross(a, r)).imag / step for a in np.eye(3)]
    L = np.stack([-1j * inverse @ d for d in turned])
    return (L + np.conj(np.swapaxes(L, 1, 2))) / 2
