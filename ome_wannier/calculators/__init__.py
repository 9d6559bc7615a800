"""The observables, by name: each a pure function of `Bands`, one physical quantity per file.

`get(name)` finds one, `names()` lists them, `resolve(list)` splits what was asked into what has to be integrated
and what is a sum of that. A calculator of your own is an `Observable`.
"""

from .quantity import Combination, GapTerm, Observable
from .registry import (
    CHECKS,
    COMPLETED,
    ON_REQUEST,
    Calculator,
    combine,
    defaults,
    first_observable,
    get,
    names,
    needs_spin,
    resolve,
    with_chern_simons,
)
from .semiclassical import semiclassical as semiclassical_with

__all__ = [
    "CHECKS",
    "COMPLETED",
    "ON_REQUEST",
    "Calculator",
    "Combination",
    "GapTerm",
    "Observable",
    "combine",
    "defaults",
    "first_observable",
    "get",
    "names",
    "needs_spin",
    "resolve",
    "semiclassical_with",
    "with_chern_simons",
]
