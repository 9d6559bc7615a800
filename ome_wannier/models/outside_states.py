"""States outside the Wannier subspace: what they add to the moment and the metric of the states inside (physics.md eqs. 59
to 67).

With Q the projector on everything outside, |Q d_b u> is gauge covariant. Its matrix elements follow from the standard ones of
ab-initio codes by subtracting the part inside the subspace; they rotate with the eigenvectors and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .fourier import FourierSeries
from .real_space_checks import checked, frozen, hermitised

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class External:
    """Matrix elements of the position with the Hamiltonian of all states, on the R vectors of the model, positions absolute.

    physics.md eq. 59.

    Parameters
    ----------
    BB : (nR, n, n, 3) in eV Angstrom, <0i|H (r - R)_b|Rj>: in k space <u|H|i d_b u>.
    CC : (nR, n, n, 3) in eV Angstrom^2, i epsilon_cab <0i|r_a H (r - R)_b|Rj>: in k space i epsilon_cab <d_a u|H|d_b u>.
    FF : (nR, n, n, 3, 3) in Angstrom^2, <0i|r_a (r - R)_b|Rj>: in k space <d_a u|d_b u>.

    BB and CC complete moments, FF the metric: give the first two, or the last, or all three. Without FF its antisymmetric part,
    which moments need, is the curvature of the position matrix.

    Raises
    ------
    ModelError : one of BB and CC alone, nothing at all; and, when given to a model, shapes that do not fit, or CC or FF
        that are not Hermitian.
    """

    BB: ComplexArray | None = None
    CC: ComplexArray | None = None
    FF: ComplexArray | None = None

    def __post_init__(self) -> None:
        if (self.BB is None) != (self.CC is None):
            raise ModelError(f"external has {'CC' if self.BB is None else 'BB'} alone: a moment needs both BB and CC")
        if self.BB is None and self.FF is None:
            raise ModelError("external holds no matrices: give BB and CC, or FF, or all three")

    @property
    def arrays(self) -> tuple[ComplexArray | None, ...]:
        """BB, CC, FF."""
        return self.BB, self.CC, self.FF

    def fitted(self, R: NDArray[np.int64], partner: NDArray[np.int64], n: int) -> External:
        """The same, checked against the R vectors (partner: index of -R) and n orbitals of a model; CC, FF made Hermitian."""
        BB = CC = FF = None
        shape = (len(R), n, n, 3)
        if self.BB is not None:
            BB = frozen(checked(self.BB, "external BB", complex, shape))
            CC = checked(self.CC, "external CC", complex, shape)
            CC = frozen(hermitised(CC, R, partner, "external CC", "eV Angstrom^2")[0])
        if self.FF is not None:
            FF = checked(self.FF, "external FF", complex, (*shape, 3))
            symmetric, antisymmetric = FF + np.swapaxes(FF, 3, 4), 1j * (FF - np.swapaxes(FF, 3, 4))
            symmetric, antisymmetric = (
                hermitised(X, R, partner, "external FF", "Angstrom^2")[0] for X in (symmetric, antisymmetric)
            )
            FF = frozen((symmetric - 1j * antisymmetric) / 2)
        return External(BB, CC, FF)

    def displaced(self, R: NDArray[np.int64], H: ComplexArray, A: ComplexArray, t: Array) -> External:
        """The same of positions that are larger by t (n, 3); H and A are the Hamiltonian and the old position on R."""
        BB = CC = FF = None
        if self.BB is not None and self.CC is not None:
            BB, CC = displaced_moments(R, t, H, self.BB, self.CC)
        if self.FF is not None:
            FF = displaced_metric(R, t, A, self.FF)
        return External(BB, CC, FF)


_NOTHING: Mapping[Any, ComplexArray] = MappingProxyType({})


class Outside(NamedTuple):
    """Matrix elements of |Q d u> at nk points, (nk, n, n) each, by position in `axes` (N, G) or by pair (m, n) of them.

    physics.md eqs. 60 to 65.

    N : N_b = <u|H Q|i d_b u>, eV Angstrom; zero where the subspace is invariant under H.
    K : i (K_mn - K_nm), K_ab = <d_a u|Q H Q|d_b u>, eV Angstrom^2, Hermitian.
    F : i (T_mn - T_nm), T_ab = <d_a u|Q|d_b u>, Angstrom^2, Hermitian.
    Y : <u|v_m Q|i d_n u> - <u|v_n Q|i d_m u>, eV Angstrom^2, v the velocity of the whole Hamiltonian.
    G : by (a, b), (T_ab + T_ba)/2, Angstrom^2, Hermitian.

    Empty where the model does not know them.
    """

    N: Mapping[int, ComplexArray] = _NOTHING
    K: Mapping[tuple[int, int], ComplexArray] = _NOTHING
    F: Mapping[tuple[int, int], ComplexArray] = _NOTHING
    Y: Mapping[tuple[int, int], ComplexArray] = _NOTHING
    G: Mapping[tuple[int, int], ComplexArray] = _NOTHING


#: H, V, A and the curvature of A, in the Wannier gauge
Inside = tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray]


class ExternalSeries:
    """`Outside` at any k from the matrices of `External`, on the Cartesian axes of a model and the axes of its moments."""

    def __init__(
        self, external: External, lattice: Array, R: NDArray[np.int64], axes: tuple[int, ...], moments: tuple[int, ...]
    ) -> None:
        self._axes = axes
        self._pairs = [(axes.index((i + 1) % 3), axes.index((i + 2) % 3)) for i in moments]
        use = list(axes)

        def series(X: ComplexArray) -> FourierSeries:
            components = range(3, X.ndim)
            return FourierSeries(lattice, R, np.moveaxis(X, tuple(components), tuple(c - 2 for c in components)))

        self._B = None if external.BB is None else series(external.BB[..., use])
        self._C = None if external.CC is None else series(external.CC[..., list(moments)])
        self._F = None if external.FF is None else series(external.FF[..., use, :][..., use])

    def __call__(self, k: Array, inside: Inside, moments: bool, metric: bool) -> Outside:
        """What `moments` or `metric` need at fractional k, from the matrices inside the basis at the same k."""
        axes, A = self._axes, inside[2]
        # physics.md eq. 62
        T = None if self._F is None else self._F(k, 0, axes).value - A[:, :, None] @ A[:, None]
        outside = Outside()
        if moments and self._B is not None and self._C is not None:
            B, C = self._B(k, 1, axes), self._C(k, 0, axes).value
            C_of = {pair: C[:, i] for i, pair in enumerate(self._pairs)}
            outside = _moments(inside, B.value, B.first, C_of, T)
        if metric and T is not None:
            d = range(len(axes))
            outside = outside._replace(G={(a, b): (T[:, a, b] + T[:, b, a]) / 2 for a in d for b in d})
        return outside


def _moments(
    inside: Inside,
    B: ComplexArray,
    dB: ComplexArray,
    C: dict[tuple[int, int], ComplexArray],
    T: ComplexArray | None,
) -> Outside:
    """The parts of moments at nk points, in the Wannier gauge.

    inside : H (nk, n, n); V, A (nk, axes, n, n); curvature (nk, axes, axes, n, n) of A.
    B (nk, axes, n, n); dB[:, m, b] = d_m B_b; C by pair (m, n), i (C_mn - C_nm);
    T[:, a, b] = <d_a u|Q|d_b u> or None.
    """
    H, V, A, curvature = inside
    N = B - H[:, None] @ A  # physics.md eq. 60
    K, F, Y = {}, {}, {}
    for m, n in C:
        AHA = A[:, m] @ H @ A[:, n]
        AN = A[:, m] @ N[:, n] - A[:, n] @ N[:, m]
        NA = N[:, m] @ A[:, n] - N[:, n] @ A[:, m]
        # physics.md eq. 61: K_ab = C_ab - A_a H A_b - A_a N_b - N_a^+ A_b
        K[m, n] = C[m, n] - 1j * (AHA - _adjoint(AHA)) - 1j * (AN - _adjoint(AN))
        F[m, n] = curvature[:, m, n] if T is None else 1j * (T[:, m, n] - T[:, n, m])
        # physics.md eq. 65: D_m N_n - D_n N_m with D_m N_n = d_m N_n - i [A_m, N_n], d_m H and curl A written with V and the
        # curvature
        curl = dB[:, m, n] - dB[:, n, m] - (V[:, m] @ A[:, n] - V[:, n] @ A[:, m]) - 1j * (AHA - _adjoint(AHA))
        curl = curl - H @ curvature[:, m, n] - 1j * (AN + NA)
        Y[m, n] = curl + H @ F[m, n] - K[m, n]
    return Outside(dict(enumerate(np.moveaxis(N, 1, 0))), K, F, Y)


def displaced_moments(
    R: NDArray[np.int64], t: Array, H: ComplexArray, B: ComplexArray, C: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    """BB and CC on R (nR, 3) of positions that are larger by t (n, 3) than those of B and C."""
    index = {tuple(r): i for i, r in enumerate(R.tolist())}
    minus = [index[tuple(-x for x in r)] for r in R.tolist()]
    BB = B + H[..., None] * t
    adjoint = np.conj(np.swapaxes(BB[minus], 1, 2))
    moved = np.einsum("ia,rijb->rijab", t, BB) + np.einsum("rija,jb->rijab", adjoint, t)
    moved -= np.einsum("rij,ia,jb->rijab", H, t, t)
    added = [1j * (moved[..., a, b] - moved[..., b, a]) for a, b in ((1, 2), (2, 0), (0, 1))]
    return BB, C + np.stack(added, axis=-1)


def displaced_metric(R: NDArray[np.int64], t: Array, A: ComplexArray, F: ComplexArray) -> ComplexArray:
    """FF on R (nR, 3) of positions that are larger by t (n, 3) than those of A and F."""
    moved = np.einsum("ia,rijb->rijab", t, A) + np.einsum("rija,jb->rijab", A, t)
    moved[~R.any(axis=1)] += np.einsum("ij,ia,jb->ijab", np.eye(len(t)), t, t)
    return np.asarray(F + moved)


def _adjoint(X: ComplexArray) -> ComplexArray:
    return np.conj(np.swapaxes(X, -1, -2))
