"""What any operator of a model has: its sum over the electrons, what a field makes of it, and its current.

The field makes the density matrix S_b = e E_b B_b (f_m - f_n) (physics.md eq. 15), and shifts the electrons of a Fermi surface:
the response of an operator O is Tr[O S_b], its extrinsic response (e/hbar) tau E_b sum (d_b f_n) O_n, and its current along a
is that of 1/2 {v_a, O}. Such a conductivity has the sign of what flows, as that of WannierBerri: of the operator 1, the number
of electrons, it is minus the anomalous Hall conductivity over e.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bands import gate
from ..bands.bands import Bands
from ..bands.matrices import _whole, diagonal
from ..bands.traces import level_tensor, velocities_weighted
from ..common.errors import SettingsError
from ..models.base import Model
from ..models.operators import Operator, distinct
from .quantity import Dims, Observable
from .thermal import thermal_of

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Parity = Literal[-1, 1]

REFERENCE = "Garate, MacDonald, Phys. Rev. B 80, 134403 (2009)"
CURRENT_REFERENCE = "Sinova et al., Phys. Rev. Lett. 92, 126603 (2004)"
#: how the names of the calculators of an operator end
ENDINGS = ("expectation", "response", "extrinsic", "hall", "thermal")
#: calculators of the spin that have other names: its moment is what is reported
ALIASES = {"spin_response": "spin", "spin_expectation": "spin_magnetization"}


def expectation(bands: Bands, name: str) -> Array:
    """[O_i]_nn (nk, n, c), in the unit of the operator."""
    O = bands.operator(name)
    return np.stack([diagonal(O[:, i]) for i in range(O.shape[1])], axis=-1)


def response(bands: Bands, name: str) -> Array:
    """Tr[O_i S_b] (nk, n, c, field), in the unit of the operator times Angstrom/eV (physics.md eq. 16)."""
    return 2 * level_tensor(bands, bands.responses, bands.operator(name))


def extrinsic(bands: Bands, name: str) -> Array:
    """-[vbar_b O_i]_nn for -df/de (nk, n, c, field), in the unit of the operator times eV Angstrom (physics.md eq. 43)."""
    return -velocities_weighted(bands, bands.operator(name))


def hall(bands: Bands, name: str) -> Array:
    """Tr[1/2 {v_a, O_i} S_b] (nk, n, c, current, field), in the unit of the operator times Angstrom^2."""
    found = 2 * level_tensor(bands, bands.responses, currents(bands, name))
    d = len(bands.axes)
    return found.reshape(*found.shape[:2], -1, d, d)


def currents(bands: Bands, name: str) -> ComplexArray:
    """1/2 {v_a, O_i} (nk, c * axes, n, n), in the unit of the operator times eV Angstrom."""
    O, v = bands.operator(name), bands.velocities
    return np.concatenate([gate.anticommutators(_whole(O[:, i]), v) for i in range(O.shape[1])], axis=1)


@dataclass(frozen=True)
class Weights:
    """The weights of an operator, with its components or, of one that has none, without that dimension."""

    of: Callable[[Bands, str], Array]
    name: str
    is_vector: bool

    def __call__(self, bands: Bands) -> Array:
        """(nk, n, [component,] ...)."""
        found = self.of(bands, self.name)
        return found if self.is_vector else found[:, :, 0]


def calculators_of(operator: Operator) -> tuple[Observable, ...]:
    """<name>_expectation, <name>_response, <name>_extrinsic, <name>_hall and <name>_extrinsic_thermal."""
    return _calculators(*operator.about[:4], operator.is_vector)


def size_of(model: Model, name: str | None) -> float:
    """The largest matrix element of the model's operator of this name; 1 where there is none."""
    return float(next((np.abs(o.matrices).max(initial=0.0) for o in model.operators if o.name == name), 1.0))


@lru_cache(maxsize=256)
def _calculators(name: str, unit: str, T: Parity, P: Parity, is_vector: bool) -> tuple[Observable, ...]:
    first: Dims = ("operator_component",) if is_vector else ()
    odd: Parity = -1 if P > 0 else 1
    reversed_: Parity = -1 if T > 0 else 1

    def weights(of: Callable[[Bands, str], Array]) -> Weights:
        return Weights(of, name, is_vector)

    extrinsic_part = Observable(
        name=f"{name}_extrinsic",
        long_name=f"extrinsic response of {name} to an electric field",
        kind="density_extrinsic",
        occupation="surface",
        time_reversal=reversed_,
        inversion=odd,
        equation="(e/hbar) tau sum_n (d_b f_n) O_n",
        reference=REFERENCE,
        weights=weights(extrinsic),
        dims=(*first, "field"),
        unit=unit,
    )
    return (
        Observable(
            name=f"{name}_expectation",
            long_name=f"sum of {name} over the occupied states",
            kind="density",
            occupation="sea",
            time_reversal=T,
            inversion=P,
            equation="sum_n f_n O_n",
            reference=REFERENCE,
            weights=weights(expectation),
            dims=first,
            full_bands="cancel",
            unit=unit,
        ),
        Observable(
            name=f"{name}_response",
            long_name=f"intrinsic response of {name} to an electric field",
            kind="density_response",
            occupation="sea",
            time_reversal=T,
            inversion=odd,
            equation="Tr[O S_b]",
            reference=REFERENCE,
            weights=weights(response),
            dims=(*first, "field"),
            full_bands="cancel",
            unit=unit,
        ),
        extrinsic_part,
        hall_of(name, unit, reversed_, P, is_vector),
        thermal_of(extrinsic_part, "sum_n tau v_b (df_n/de) ((e_n - mu)/T) O_n"),
    )


def hall_of(
    name: str,
    unit: str,
    time_reversal: Parity,
    inversion: Parity,
    is_vector: bool,
    needs_spin: bool = False,
    factor: float = 1.0,
) -> Observable:
    """The intrinsic conductivity of the current of an operator; parities are those of the conductivity.

    factor : what the operator is in, in terms of `unit`.
    """
    first: Dims = ("operator_component",) if is_vector else ()
    return Observable(
        name=f"{name}_hall",
        long_name=f"intrinsic conductivity of the current of {name}",
        kind="current_response",
        occupation="sea",
        time_reversal=time_reversal,
        inversion=inversion,
        equation="sigma_ab = Tr[1/2 {v_a, O} S_b]",
        reference=CURRENT_REFERENCE,
        weights=Weights(hall, name, is_vector),
        dims=(*first, "current", "field"),
        full_bands="cancel",
        needs_spin=needs_spin,
        unit=unit,
        factor=factor,
    )


def named_in(model: Model, asked: Any) -> Any:
    """What was asked for, with the calculators of the model's operators in place of their names."""
    return named_among(model.operators, asked)


def named_among(operators: Iterable[Operator], asked: Any) -> Any:
    """The same with the calculators of these operators.

    Raises
    ------
    SettingsError : the name of a calculator of an operator that is not among them.
    """
    from .registry import is_built_in, is_known  # which imports what imports this module

    if not isinstance(asked, Iterable):
        return asked  # `resolve` refuses it
    given = distinct(operators)
    known = {c.name: c for operator in given for c in calculators_of(operator)}
    names = [name.strip() for name in asked.split(",") if name.strip()] if isinstance(asked, str) else list(asked)
    for name in [x for x in names if isinstance(x, str) and x.rpartition("_")[2] in ENDINGS]:
        if not (name in known or name in ALIASES or is_known(name) or is_built_in(name)):
            have = ", ".join(o.name for o in given) or "none"
            raise SettingsError(f"no calculator {name!r}: of operators this model has {have}")
    return [known.get(c, ALIASES.get(c, c)) if isinstance(c, str) else c for c in names]
