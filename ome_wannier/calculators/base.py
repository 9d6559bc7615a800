"""What a calculator is: per-band weights and how they are occupied, or a sum of such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..bands import Bands
from ..degeneracy import Degeneracy
from ..errors import ModelError, SettingsError
from ..model import Model

Array = NDArray[np.float64]
Shapes = dict[str, tuple[int, ...]]

Dims = tuple[Literal["moment", "spin_moment", "field", "axis", "position"], ...]


KINDS = ("alpha", "extrinsic", "polarizability", "curvature", "moment", "own")


@dataclass(frozen=True)
class Observable:
    """A quantity that is a sum over bands of weights a_n(k) times an occupation.

    Parameters
    ----------
    name, long_name : identifier and description.
    kind : how the integral is converted: "alpha" (response of the magnetization, e^2/hbar Angstrom^(3-d)), "extrinsic" (the
        same, per unit of time, times eV), "polarizability", "curvature", "moment", or "own": multiplied by `factor`, in `unit`.
    occupation : "sea", weights times f(e), or "surface", times -df/de.
    dims : what the component axes of the weights are.
    time_reversal, inversion : +1 even, -1 odd: a quantity that is odd vanishes in a crystal with that symmetry.
    equation, reference : the formula and where it comes from.
    weights : function of Bands returning (nk, n, *components): components of "moment" and "axis" run over
        `bands.moments`, those of "spin_moment" over x, y, z, those of "field" and "position" over `bands.axes`; all three
        Cartesian axes are accepted as well.
    order : covariant derivatives of the Hamiltonian that the weights need (1 or 2).
    curvature : whether they need the curvature of the Wannier basis.
    needs_spin : whether they need the spin operator.
    unit, factor : of kind "own": the reported unit, and what turns the integral of the weights (eV, Angstrom,
        hbar = e = 1, per Angstrom^d) into it.
    """

    name: str
    long_name: str
    kind: str
    occupation: Literal["sea", "surface"]
    time_reversal: Literal[-1, 1]
    inversion: Literal[-1, 1]
    equation: str
    reference: str
    weights: Callable[[Bands], Array]
    dims: Dims = ("moment", "field")
    order: int = 1
    curvature: bool = False
    needs_spin: bool = False
    unit: str = "1"
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():  # it names variables and files
            raise SettingsError(f"a calculator cannot be named {self.name!r}: letters, digits and _, no digit first")
        if self.kind not in KINDS:
            raise SettingsError(f"calculator {self.name}: no kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.occupation not in ("sea", "surface"):
            raise SettingsError(f"calculator {self.name}: no occupation {self.occupation!r}: sea or surface")
        for symmetry in ("time_reversal", "inversion"):
            if getattr(self, symmetry) not in (1, -1):
                raise SettingsError(f"calculator {self.name}: {symmetry} is {getattr(self, symmetry)!r}: +1 (even) or -1 (odd)")

    def __call__(self, bands: Bands) -> Array:
        """Per-band weights, see `weights`."""
        return self.weights(bands)


@dataclass(frozen=True)
class Combination:
    """A sum of observables of one kind: `terms` are (name, coefficient)."""

    name: str
    long_name: str
    terms: tuple[tuple[str, float], ...]
    equation: str
    reference: str
    note: str = ""


@dataclass(frozen=True)
class GapTerm:
    """A quantity that an insulator has as a whole, at each Fermi level in a gap, and no metal.

    It takes part in combinations like an `Observable`, but compute() gets its value elsewhere.
    """

    name: str
    long_name: str
    kind: str
    time_reversal: Literal[-1, 1]
    inversion: Literal[-1, 1]
    equation: str
    reference: str
    dims: Dims
    needs_spin: bool = False


def component_axes(axes: Sequence[int], moments: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Cartesian axes that each component dimension runs over."""
    return {
        "moment": tuple(moments),
        "spin_moment": (0, 1, 2),
        "axis": tuple(moments),
        "field": tuple(axes),
        "position": tuple(axes),
    }


def evaluate(observable: Observable, bands: Bands) -> Array:
    """Weights (nk, n, *components) of an observable on the model's axes, averaged over degenerate groups.

    Raises
    ------
    ModelError : weights that are not of the declared shape, complex, nan or infinite (one's own calculator).
    """
    weights = np.asarray(observable(bands))
    if np.iscomplexobj(weights):
        raise ModelError(f"calculator {observable.name} returned complex weights: take .real or .imag")
    nk, n = bands.energies.shape
    along = component_axes(bands.axes, bands.moments)
    expected = (nk, n, *(len(along[dim]) for dim in observable.dims))
    if weights.ndim != len(expected) or weights.shape[:2] != (nk, n):
        raise ModelError(f"calculator {observable.name} returned weights of shape {weights.shape}: expected {expected}")
    for i, dim in enumerate(observable.dims):
        if weights.shape[2 + i] == 3:
            weights = np.take(weights, along[dim], axis=2 + i)
        elif weights.shape[2 + i] != len(along[dim]):
            raise ModelError(
                f"calculator {observable.name} returned weights of shape {weights.shape}: "
                f"dimension {dim!r} must have {len(along[dim])} or 3 entries"
            )
    if not _built_in(observable) and not np.isfinite(weights).all():
        raise ModelError(f"calculator {observable.name} returned weights that are nan or infinite")
    return bands.group_mean(weights)


def evaluate_at(
    model: Model,
    observables: Sequence[Observable],
    k: Array,
    degeneracy: Degeneracy,
    window: tuple[float, float] = (-np.inf, np.inf),
    spacing: Array | None = None,
) -> tuple[Bands, Array]:
    """Bands at the points k, see `Bands`, and the weights (nk, n, columns) of all observables side by side."""
    order = max(o.order for o in observables)
    curvature = model.external is not None or any(o.curvature for o in observables)
    bands = Bands(model, k, order=order, curvature=curvature, degeneracy=degeneracy, window=window, spacing=spacing)
    return bands, side_by_side(observables, bands)


def side_by_side(observables: Sequence[Observable], bands: Bands) -> Array:
    """Weights of all observables: (nk, n, columns)."""
    columns = [evaluate(o, bands).reshape(*bands.energies.shape, -1) for o in observables]
    return np.concatenate(columns, axis=2)


def component_shapes(observables: Sequence[Observable], model: Model) -> Shapes:
    """Number of components along each dimension, by observable."""
    along = component_axes(model.axes, model.moments)
    return {o.name: tuple(len(along[dim]) for dim in o.dims) for o in observables}


def unpacked(columns: Array, shapes: Shapes) -> dict[str, Array]:
    """Split (..., columns) into one array (..., *components) per observable."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes.values()])
    parts = np.split(columns, ends[:-1].tolist(), axis=-1)
    return {name: p.reshape(*p.shape[:-1], *s) for (name, s), p in zip(shapes.items(), parts, strict=True)}


def _built_in(observable: Observable) -> bool:
    """By name, which no calculator of one's own may have, and which survives the way to another process."""
    from . import names  # the package imports this module

    return observable.name in names()


def stack_tensor(bands: Bands, element: Callable[[int, int, int], Array]) -> Array:
    """Weights (nk, n, moments, axes) from a function of (m, n, b): the axes with epsilon_imn = +1, and the field's."""
    return np.stack([np.stack([element(m, n, b) for b in range(len(bands.axes))], axis=-1) for m, n in bands.pairs], axis=-2)


PAPER = "Cullen, Arovas, Raimondi, Culcer (2025)"
