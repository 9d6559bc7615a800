"""The calculators by name, and what those that were asked for consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError
from . import (
    blocks,
    chern_simons,
    circulation,
    conductivity,
    cross_gap,
    dipole,
    extrinsic,
    geometry,
    magnetization,
    others,
    semiclassical,
    spin,
)
from .operators import ENDINGS
from .quantity import OF_OPERATORS, Combination, GapTerm, Observable, whole_of

Term: TypeAlias = Observable | GapTerm
Calculator: TypeAlias = Term | Combination

_ALL: dict[str, Calculator] = {
    c.name: c
    for module in (
        semiclassical,
        dipole,
        circulation,
        cross_gap,
        extrinsic,
        geometry,
        spin,
        chern_simons,
        magnetization,
        conductivity,
    )
    for c in module.CALCULATORS
}

#: terms of the blocks of layers and chains, no calculators by themselves
_TERMS: dict[str, Calculator] = {t.name: t for t in blocks.TERMS}

#: second expressions of the same quantities, costlier and for checks: not among the defaults
CHECKS = ("metric_curl_sea", "itinerant_sea", "commutator_residual", "spin_along_moments")
#: quantities without a field, and currents: computed when asked for
ON_REQUEST = (
    *(c.name for module in (magnetization, conductivity) for c in module.CALCULATORS),
    *("spin_hall", "metric_velocity", "extrinsic_thermal", "spin_extrinsic_thermal"),
)
#: quantities that are another one by definition, or were proved to be
EQUAL = {"semiclassical": "total", "local_intraband": "dipole"}
#: what `include_chern_simons` adds the Chern-Simons part to
COMPLETED = ("total", "total_with_spin", "semiclassical")


def is_built_in(name: str) -> bool:
    """Whether a calculator of the package, or a term of one, has this name, which none of one's own may have."""
    return name in _ALL or name in _TERMS


def is_of_operator(name: str) -> bool:
    """Whether a quantity of this name is what an operator has, a response of it or a current, but no magnetization."""
    return name.rpartition("_")[2] in ENDINGS and not (name in _ALL and first_observable(_ALL[name]).kind not in OF_OPERATORS)


def names() -> list[str]:
    """Names of the built-in calculators."""
    return list(_ALL)


def needs_spin(calculator: str | Calculator) -> bool:
    """Whether it, or a term of it, needs the spin operator."""
    return any(o.needs_spin for o in resolve([calculator])[1])


def defaults(has_spin: bool) -> list[str]:
    """Names of the calculators that are used unless told, for a model with or without a spin operator.

    All but CHECKS and ON_REQUEST, and but chern_simons, which exists in gaps of three-dimensional crystals only.
    """
    left_out = (*CHECKS, *ON_REQUEST)
    first = [name for name, c in _ALL.items() if name not in left_out and not isinstance(c, GapTerm)]
    return [name for name in first if has_spin or not needs_spin(name)]


def with_chern_simons(calculator: Calculator) -> Calculator:
    """The same calculator, completed by the Chern-Simons part if it is one of COMPLETED."""
    if calculator.name not in COMPLETED or not isinstance(calculator, Combination):
        return calculator
    terms = (*calculator.terms, ("chern_simons", 1.0))
    return replace(calculator, terms=terms, equation=f"{calculator.equation} + chern_simons", note="")


def get(name: str) -> Calculator:
    """The built-in calculator of this name; SettingsError lists the names there are."""
    if name not in _ALL:
        raise SettingsError(f"no calculator {name!r}: one of {', '.join([*_ALL, *others.installed()])}")
    return _ALL[name]


def with_terms(asked: Iterable[str | Calculator]) -> list[str | Calculator]:
    """The same, with the terms of the blocks of layers and chains, of which names are known to bands alone, as objects."""
    names = asked.split(",") if isinstance(asked, str) else asked
    return [_TERMS.get(c.strip(), c) if isinstance(c, str) else c for c in names]


def is_known(name: str) -> bool:
    """Whether `named` may find something: built in, of an installed package, or of a module; nothing is imported."""
    return name in _ALL or others.names_code(name) or name in others.installed()


def named(name: str) -> Calculator:
    """The calculator of a name: built in, else of an installed package, or "module:name", which imports that module.

    Raises
    ------
    SettingsError : nothing of that name, or something else than a calculator.
    """
    if name in _ALL or not is_known(name):
        return get(name)
    found = others.load(name)
    if not isinstance(found, Observable | GapTerm | Combination):
        raise SettingsError(f"calculator {name!r} is a {type(found).__name__}: expected an Observable")
    return found


def resolve(asked: str | Iterable[str | Calculator]) -> tuple[list[Calculator], list[Term]]:
    """What was asked for, as objects without repetition, and the terms that it consists of.

    Text is a name, or names with commas between them, as on the command line; see `named`.
    """
    if not isinstance(asked, Iterable):
        raise SettingsError(f"calculators is {asked!r}: give a list of names or Observable objects")
    wanted: dict[str, Calculator] = {}
    for item in [name.strip() for name in asked.split(",") if name.strip()] if isinstance(asked, str) else asked:
        calculator = named(item) if isinstance(item, str) else item
        if not isinstance(calculator, Observable | GapTerm | Combination):
            raise SettingsError(f"{item!r} is no calculator: give names, or Observable objects")
        ours = _ALL.get(calculator.name, _TERMS.get(calculator.name, calculator))
        if type(calculator) is Observable and calculator is not ours:
            raise SettingsError(f"{calculator.name!r} is the name of a built-in calculator: give yours another one")
        if wanted.setdefault(calculator.name, calculator) is not calculator:
            raise SettingsError(f"two different calculators are named {calculator.name!r}")
    basic: dict[str, Term] = {}
    for calculator in wanted.values():
        parts: Sequence[Term] = (
            [_term(name) for name, _ in calculator.terms] if isinstance(calculator, Combination) else [calculator]
        )
        for part in parts:
            basic.setdefault(part.name, part)
    if not wanted:
        raise SettingsError("no calculators asked for")
    return list(wanted.values()), list(basic.values())


def shown(calculators: Iterable[Calculator]) -> list[str]:
    """The quantities that these are, or are parts or shares of, each once, without what only helps to place a layer."""
    said = [c.of if isinstance(c, Combination) and c.of else whole_of(c.name) for c in calculators]
    return [name for name in dict.fromkeys(said) if name not in _TERMS and blocks.made_term(name) is None]


def combine(calculator: Calculator, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The value of a calculator from those of the observables."""
    if not isinstance(calculator, Combination):
        return values[calculator.name]
    return sum((c * values[name] for name, c in calculator.terms), np.zeros(()))


def first_observable(calculator: Calculator) -> Term:
    """The calculator itself, or the first term of a combination (all are of one kind)."""
    return _term(calculator.terms[0][0]) if isinstance(calculator, Combination) else calculator


def _term(name: str) -> Term:
    calculator = _TERMS.get(name) or blocks.made_term(name) or get(name)
    assert not isinstance(calculator, Combination)
    return calculator
