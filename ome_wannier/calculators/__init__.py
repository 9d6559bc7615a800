"""The observables, by name: each a pure function of `Bands`, one physical quantity per file.

`get(name)` finds one, `names()` lists them, `resolve(list)` splits what was asked into what has to be integrated
and what is a sum of that. A calculator of your own is any object with the attributes of `base.Observable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..errors import SettingsError
from . import circulation, dipole, extrinsic, geometry, insulator, semiclassical, spin
from .base import Combination, Observable
from .semiclassical import semiclassical as semiclassical_with

Calculator: TypeAlias = Observable | Combination

_ALL: dict[str, Calculator] = {
    c.name: c
    for module in (semiclassical, dipole, circulation, insulator, extrinsic, geometry, spin)
    for c in module.CALCULATORS
}

#: second expressions of the same quantities, costlier and for checks: not among the defaults
CHECKS = ("metric_curl_sea", "itinerant_sea", "commutator_residual", "spin_along_moments")

__all__ = [
    "CHECKS",
    "Calculator",
    "Combination",
    "Observable",
    "defaults",
    "get",
    "names",
    "needs_spin",
    "resolve",
    "semiclassical_with",
]


def names() -> list[str]:
    """Names of the built-in calculators."""
    return list(_ALL)


def needs_spin(calculator: str | Calculator) -> bool:
    """Whether it, or a term of it, needs the spin operator."""
    return any(o.needs_spin for o in resolve([calculator])[1])


def defaults(has_spin: bool) -> list[str]:
    """Names of the calculators that are used unless told, for a model with or without a spin operator: all but CHECKS."""
    return [name for name in _ALL if name not in CHECKS and (has_spin or not needs_spin(name))]


def get(name: str) -> Calculator:
    """The built-in calculator of this name; SettingsError lists the names there are."""
    if name not in _ALL:
        raise SettingsError(f"no calculator {name!r}: one of {', '.join(_ALL)}")
    return _ALL[name]


def resolve(asked: str | Iterable[str | Calculator]) -> tuple[list[Calculator], list[Observable]]:
    """What was asked for, as objects without repetition, and the observables to integrate for it."""
    wanted: dict[str, Calculator] = {}
    for item in [asked] if isinstance(asked, str) else asked:
        calculator = get(item) if isinstance(item, str) else item
        if calculator.name in _ALL and type(calculator) is Observable and calculator is not _ALL[calculator.name]:
            raise SettingsError(f"{calculator.name!r} is the name of a built-in calculator: give yours another one")
        if wanted.setdefault(calculator.name, calculator) is not calculator:
            raise SettingsError(f"two different calculators are named {calculator.name!r}")
    basic: dict[str, Observable] = {}
    for calculator in wanted.values():
        parts: Sequence[Observable] = (
            [_observable(name) for name, _ in calculator.terms] if isinstance(calculator, Combination) else [calculator]
        )
        for part in parts:
            basic.setdefault(part.name, part)
    if not wanted:
        raise SettingsError("no calculators asked for")
    return list(wanted.values()), list(basic.values())


def _observable(name: str) -> Observable:
    calculator = get(name)
    assert isinstance(calculator, Observable)
    return calculator
