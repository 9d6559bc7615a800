"""What a calculator is: per-band weights and how they are occupied, or a sum of such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..common.errors import SettingsError

Array = NDArray[np.float64]

Dim = Literal["moment", "spin_moment", "operator_component", "field", "axis", "position", "current", "lateral", "gate"]
Dims = tuple[Dim, ...]


#: kinds of an operator: its density, what a field makes of it, and its current
OF_OPERATORS = ("density", "density_response", "density_extrinsic", "density_thermal", "current_response")
#: kinds driven by a field that a gradient of the temperature drives too, and the kinds of what that makes
OF_GRADIENTS = {"extrinsic": "thermal", "ohmic": "thermal_current", "density_extrinsic": "density_thermal"}
KINDS = (
    *("alpha", "extrinsic", "polarizability", "curvature", "moment", "moment_slope", "drude", "ohmic"),
    *("thermal", "thermal_current", *OF_OPERATORS, "own"),
)
#: kinds whose unit contains the relaxation time
WITH_TAU = (*OF_GRADIENTS, *OF_GRADIENTS.values())
#: how the weights of a state are occupied, and the numbers of these: f, -df/de, k_B T log(1 + exp((mu - e) / k_B T)), and
#: (e - mu)/(k_B T) (-df/de)
OCCUPATIONS = ("sea", "surface", "grand", "thermal")
SEA, SURFACE, GRAND, THERMAL = range(4)
#: those of states near the Fermi level alone
AT_SURFACE = (SURFACE, THERMAL)


@dataclass(frozen=True)
class Observable:
    """A quantity that is a sum over bands of weights a_n(k) times an occupation.

    Parameters
    ----------
    name, long_name : identifier and description.
    kind : how the integral is converted: "alpha" (response of the magnetization, e^2/hbar Angstrom^(3-d)), "extrinsic" (the
        same, per unit of time, times eV), "polarizability", "curvature", "moment", "moment_slope" (a moment per eV of the Fermi
        level), "drude", "ohmic" (conductivity per unit of time, and with the relaxation time), "thermal", "thermal_current" (as
        "extrinsic", "ohmic", per gradient of the temperature); of an operator whose elements are in `unit` times `factor`
        "density", "density_response", "density_extrinsic", "density_thermal" (what it adds up to, in equilibrium, under a field
        and under a gradient of the temperature), "current_response" (its current); or "own": multiplied by `factor`, in `unit`.
    occupation : "sea", weights times f(e), "surface", times -df/de, "grand", times
        g(e) = k_B T log(1 + exp((mu - e) / k_B T)), whose derivative by the Fermi level is f, or "thermal", times
        (e - mu)/(k_B T) (-df/de).
    dims : what the component axes of the weights are.
    time_reversal, inversion : +1 even, -1 odd: a quantity that is odd vanishes in a crystal with that symmetry.
    equation, reference : the formula and where it comes from.
    weights : function of Bands returning (nk, n, *components): components of "moment" and "axis" run over
        `bands.moments`, those of "spin_moment" and "operator_component" over x, y, z, those of "field", "position" and
        "current" over `bands.axes`; all three Cartesian axes are accepted as well.
    order : covariant derivatives of the Hamiltonian that the weights need (1 or 2).
    curvature : whether they need the curvature of the Wannier basis.
    needs_spin : whether they need the spin operator.
    of_heights : whether they vanish where all orbitals of a layer or chain are at one height: there they are not computed.
    full_bands : what two bands, both full, give by each other where they nearly cross: it may "cancel", "alternate" in sign
        around the crossing (or grow no faster than 1 / gap), or "add" up to a peak.
    unit, factor : of kind "own": the reported unit, and what turns the integral of the weights (eV, Angstrom,
        hbar = e = 1, per Angstrom^d) into it. Of kinds of an operator see there.
    """

    name: str
    long_name: str
    kind: str
    occupation: Literal["sea", "surface", "grand", "thermal"]
    time_reversal: Literal[-1, 1]
    inversion: Literal[-1, 1]
    equation: str
    reference: str
    weights: Callable[[Bands], Array]
    dims: Dims = ("moment", "field")
    order: int = 1
    curvature: bool = False
    needs_spin: bool = False
    full_bands: Literal["cancel", "alternate", "add"] = "add"
    unit: str = "1"
    factor: float = 1.0
    of_heights: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():  # it names variables and files
            raise SettingsError(f"a calculator cannot be named {self.name!r}: letters, digits and _, no digit first")
        if self.kind not in KINDS:
            raise SettingsError(f"calculator {self.name}: no kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.occupation not in OCCUPATIONS:
            raise SettingsError(f"calculator {self.name}: no occupation {self.occupation!r}: one of {', '.join(OCCUPATIONS)}")
        if self.full_bands not in ("cancel", "alternate", "add"):
            raise SettingsError(f"calculator {self.name}: full_bands {self.full_bands!r}: one of cancel, alternate, add")
        for symmetry in ("time_reversal", "inversion"):
            if getattr(self, symmetry) not in (1, -1):
                raise SettingsError(f"calculator {self.name}: {symmetry} is {getattr(self, symmetry)!r}: +1 (even) or -1 (odd)")

    def __call__(self, bands: Bands) -> Array:
        """Per-band weights, see `weights`."""
        return self.weights(bands)


@dataclass(frozen=True)
class Combination:
    """A sum of observables of one kind.

    terms : (name, coefficient). of : the quantity that it is a part of, if it is one.
    """

    name: str
    long_name: str
    terms: tuple[tuple[str, float], ...]
    equation: str
    reference: str
    note: str = ""
    of: str = ""


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


#: between the name of a quantity and the number of a part of the material, in names of its shares
PART = "__part_"


#: the share of states outside the basis in a quantity, and that of the upper bands inside it
OUTSIDE, ABOVE = f"{PART}outside", f"{PART}above"


def whole_of(name: str) -> str:
    """The quantity that this is the name of, or of a share in it."""
    return name.partition(PART)[0]


def without_shares(found: Mapping[str, Array]) -> dict[str, Array]:
    """What was found of quantities, without the shares of parts in them, of which nobody is warned."""
    return {name: x for name, x in found.items() if whole_of(name) == name}


def is_share(calculator: object) -> bool:
    """Whether it is the share of a part of the material, or of some states, in a quantity."""
    return isinstance(calculator, Observable) and PART in calculator.name


PAPER = "Cullen, Arovas, Raimondi, Culcer (2025)"
