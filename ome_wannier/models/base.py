"""Hamiltonians: what they are at a batch of k points, in the Wannier gauge.

A model knows its matrices, their covariant derivatives (physics.md eqs. 2 to 7) and what can be asked of it, and nothing
else: no Fermi level, no mesh, no file. Four kinds: `TightBinding` here (real-space matrices, with or without position matrix
elements), `SparseTightBinding` (a window of bands), `PlaneWaves` in a superlattice, and `KDotP` (a function of k).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .operators import Operator
from .outside_states import External, Outside

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: Angstrom across a layer or chain that are rounding
NO_HEIGHT = 1e-12


class Matrices(NamedTuple):
    """Hamiltonian and its covariant derivatives at a batch of k points, in the Wannier gauge.

    H : (nk, n, n) eV.
    V : (nk, axes, n, n) eV Angstrom, V_a = D_a H, or None; see `velocities`.
    W : (nk, axes, axes, n, n) eV Angstrom^2, [b, a] = D_b D_a H, or None.
    curl : (nk, pairs, n, n) Angstrom^2, d_a A_b - d_b A_a for all pairs a < b, or None; see `curvatures`.
    A : (nk, axes, n, n) Angstrom, the position operator r(k) inside the basis, or None.
    slope : (nk, axes, n, n) eV Angstrom, d_a H where V is left to be made of it and A, which the eigenbasis makes cheaper.
    """

    H: ComplexArray
    V: ComplexArray | None = None
    W: ComplexArray | None = None
    curl: ComplexArray | None = None
    A: ComplexArray | None = None
    slope: ComplexArray | None = None

    def velocities(self) -> ComplexArray:
        """V, or D_a H = d_a H - i [A_a, H] (physics.md eq. 4)."""
        if self.V is not None:
            return self.V
        from .compiled import covariant  # numba takes a third of a second to import

        V: ComplexArray = covariant(self.slope, self.A, self.H)
        return V

    def curvatures(self) -> ComplexArray:
        """F_ab = d_a A_b - d_b A_a - i [A_a, A_b] (nk, axes, axes, n, n), the curvature of the Wannier basis itself.

        physics.md eq. 6, in Angstrom^2. It vanishes for a complete (tight-binding) basis.
        """
        from .compiled import basis_curvatures

        F: ComplexArray = basis_curvatures(self.curl, self.A)
        return F


class Across(NamedTuple):
    """The position along the directions that are not periodic, where it is a bounded operator, in the Wannier gauge.

    Z : (nk, bounded, n, n) Angstrom, along `Model.bounded` and from `Model.centre`.
    slope : (nk, axes, bounded, n, n) Angstrom^2, d_a Z, or None where D_a Z = 0: where the components of the position commute.
    current : (nk, along, bounded, n, n) eV Angstrom^2, 1/2 {Z, v_a} where products of Z and v_a would lack states, or None: of
        a layer for the axes in its plane, of a chain for all three, where i [H, Z] is the velocity across.
    """

    Z: ComplexArray
    slope: ComplexArray | None = None
    current: ComplexArray | None = None


class Model(Protocol):
    """What a Hamiltonian has to offer to be computed with.

    has_zone : whether k runs over a Brillouin zone (`Lattice`), in units of the reciprocal vectors, or over the whole plane or
        space, in 1/Angstrom. exact_position : whether the components of the position operator commute inside the basis.
    is_fitted : whether these are Wannier functions, which obey the symmetries of their crystal but for noise.
    size : number of orbitals, in words.
    available : names of the calculators that it can give, or None for all.
    bounded : Cartesian axes across which it is bounded and knows the position, see `Layered`; none of crystals and k.p models.
    frame : (3, 3) rows are its axes in those of the user, where it was rotated to have Cartesian ones, or None.
    operators : those that it was given beside its spin.
    """

    @property
    def name(self) -> str: ...
    @property
    def has_zone(self) -> bool: ...
    @property
    def size(self) -> str: ...
    @property
    def n_orbitals(self) -> int: ...
    @property
    def dimension(self) -> int: ...
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
    def is_fitted(self) -> bool: ...
    @property
    def has_spin(self) -> bool: ...
    @property
    def operators(self) -> tuple[Operator, ...]: ...
    @property
    def external(self) -> External | None: ...
    @property
    def available(self) -> tuple[str, ...] | None: ...
    @property
    def bounded(self) -> tuple[int, ...]: ...
    @property
    def frame(self) -> Array | None: ...
    @property
    def sha256(self) -> str: ...

    def matrices(self, k: Array, order: int = 1, curvature: bool = False) -> Matrices:
        """Matrices at `k` up to the covariant derivative of the given order (0, 1 or 2)."""
        ...

    def operator(self, name: str, k: Array) -> ComplexArray:
        """One of its operators at `k`, in the Wannier gauge: (nk, c, n, n), of "spin" in units of hbar/2 (Pauli matrices)."""
        ...


class Lattice(Model, Protocol):
    """A model with a Brillouin zone.

    cell : volume, area or length of the cell in Angstrom**dimension. structure : the atoms, if known.
    neutral : bands that are full at neutrality, from which `filling` counts; 0 where it counts all electrons.
    default_points : points of the default mesh along each direction, or None, by spacing.
    by_rows : whether whole rows of a mesh are summed faster than their points. is_costly : whether a point takes seconds.
    """

    @property
    def lattice(self) -> Array: ...
    @property
    def cell(self) -> float: ...
    @property
    def structure(self) -> Structure | None: ...
    @property
    def neutral(self) -> int: ...
    @property
    def default_points(self) -> int | None: ...
    @property
    def by_rows(self) -> bool: ...
    @property
    def is_costly(self) -> bool: ...


def has_zone(model: Model) -> TypeIs[Lattice]:
    """Whether a model has a Brillouin zone."""
    return model.has_zone


class OpenBasis(Protocol):
    """What a model offers that may know states outside its basis."""

    @property
    def external(self) -> External | None: ...

    def outside(self, k: Array, inside: Matrices, moments: bool = False, metric: bool = False) -> Outside:
        """What is known of them at `k`, for moments and for the metric; `inside` holds A and its curls."""
        ...


class Layered(Protocol):
    """What a model offers that is bounded along some directions.

    centre : (3,) Angstrom, the mean of the centres of its orbitals, from which `across` counts.
    flat : whether all orbitals are there, so that the position across is zero at every k.
    """

    @property
    def centre(self) -> Array: ...

    @property
    def flat(self) -> bool: ...

    def across(self, k: Array) -> Across:
        """The position along its `bounded` axes at `k`."""
        ...


def require_model(source: object) -> None:
    """Refuse what is no model, such as a name or another program's object.

    Raises
    ------
    ModelError : with the remedy.
    """
    if not (hasattr(source, "matrices") and hasattr(source, "has_spin")) or isinstance(source, type):
        said = repr(source)[:60] if isinstance(source, str) else f"{type(source).__module__}.{type(source).__qualname__}"
        raise ModelError(f"{said} is no model: give it to ome_wannier.load first, which makes one of it")


@dataclass(frozen=True)
class Structure:
    """The atoms of a model: atomic numbers, and positions in units of the lattice vectors."""

    numbers: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]


def brief(model: Any) -> str:
    """One line for a session, in place of all arrays."""
    along = ", ".join(str(i + 1) for i, p in enumerate(model.periodic) if p)
    kind, name = type(model).__name__, f" {model.name}" if model.name else ""
    return f"<{kind}{name}: {model.size}, {model.spin_degeneracy} electron(s) per band, periodic along {along}>"


def bounded_axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Cartesian axes across a layer or a chain: those that are not among the `axes` of its field. None of a molecule."""
    return tuple(i for i in range(3) if i not in axes) if axes else ()


def is_flat(model: Model) -> bool:
    """Whether a model is a layer or chain whose orbitals are all where the mean of their centres is across it."""
    return bool(model.axes) and bool(model.bounded) and cast(Layered, model).flat


def shown(model: Any) -> str:
    """A model as a table for a notebook, in HTML; names are escaped."""
    d = model.dimension
    about = {
        "model": model.name or "unnamed",
        "kind": f"{type(model).__name__}, {model.size}",
        "electrons per band": model.spin_degeneracy,
        "periodic": f"{d} directions" + (f", cell {model.cell:.4g} angstrom^{d}" if model.has_zone else ""),
        "spin operator": "known" if model.has_spin else "none",
    }
    rows = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{escape(str(v))}</td></tr>" for k, v in about.items())
    return f"<table>{rows}</table>"


def moment_axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Cartesian axes whose two perpendicular axes are both among `axes`."""
    return tuple(i for i in range(3) if (i + 1) % 3 in axes and (i + 2) % 3 in axes)
