"""Which symmetries of a Hamiltonian operators and parts obey: the occupation of one of two layers not what swaps them.

Expectation values and responses of bands at random k points and at their images tell, as for the Hamiltonian itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bands.degeneracy import Degeneracy, default_tol
from ..calculators.operators import size_of
from ..calculators.parts import mixed, operator_of
from ..calculators.quantity import ABOVE, OUTSIDE, Combination, Observable, is_share, whole_of
from ..calculators.registry import first_observable
from ..calculators.reported_units import ROUNDING as NOTHING
from ..calculators.weights import component_axes, evaluate_at, named
from ..models.base import Lattice, Model, has_zone
from ..models.tight_binding import is_tight_binding
from ..symmetry.operations import Operation, largest_group, on_reciprocal
from ..symmetry.tensors import symmetrised, transform
from .hamiltonian_symmetry import Group
from .integral import Integral, Request
from .symmetry_violations import SAMPLE

Array = NDArray[np.float64]

#: what stands for the shares of parts in words
PARTS = "parts of the material"
#: share of its size that rounding may change an expectation value or a response by; what noise may (Te and MoS2: up to 0.01)
ROUNDING, NOISY = 1e-6, 0.05
#: what noise may change the shares of parts by (Te, MoS2, VSe2, hBN, CuMnAs: up to 0.07 by operations that keep atoms in place,
#: from 0.2 by those that exchange atoms whose shares differ)
NOISY_SHARES = 0.12
#: sizes beside the largest of an operator, or of all shares, that are zero, and that may be noise (of MoS2 what a field across
#: moves electrons of one band by, which its mirror forbids: 2e-6)
ZERO, FAINT = 1e-8, 1e-3


class Obeyed(NamedTuple):
    """group : operations that the operators obey whose calculators are asked for, and the parts whose shares are. wholes :
    those that the operators obey. why : in words which of these are why others do not count."""

    group: Group
    wholes: Group
    why: str


def obeyed(group: Group, model: Model, observables: Sequence[Observable]) -> Obeyed:
    """The operations of a group that operators and parts obey."""
    if not has_zone(model) or len(group.operations) == 1:
        return Obeyed(group, group, "")
    of_operator = {o.name: [x for x in observables if getattr(x.weights, "name", None) == o.name] for o in model.operators}
    tested = {name: (of_it, NOISY) for name, of_it in of_operator.items()}
    shares = [o for o in observables if is_share(o) and not o.name.endswith((OUTSIDE, ABOVE))]
    tested[PARTS] = (shares, NOISY_SHARES)
    kept, wholes = list(group.operations), group
    why: list[str] = []
    for name, (of_it, noisy) in tested.items():
        if name == PARTS:
            wholes = _restricted(group, kept, model) if why else group
        violations = _violations(of_it, model, group) if of_it else {}
        held = [g for g in kept if violations.get(id(g), 0.0) <= (ROUNDING if g in group.exact else noisy)]
        if len(held) < len(kept):
            why.append(name)
        kept = held
    if not why:
        return Obeyed(group, group, "")
    said = f"{', '.join(why)}: operations that do not take them to themselves, by their declared parities, are not used"
    return Obeyed(_restricted(group, kept, model), wholes, said)


def _restricted(group: Group, kept: Sequence[Operation], model: Lattice) -> Group:
    """The largest groups among the operations that are kept."""
    exact = [g for g in kept if g in group.exact]
    return group._replace(operations=largest_group(kept, model.lattice), exact=largest_group(exact, model.lattice))


def with_unused(found: Integral, request: Request, wholes: Group) -> Integral:
    """With what operations that quantities obey, and their shares do not, would change in these as an error.

    Where noise breaks what a symmetry forbids, a run with shares gives what is left of it: of CuMnAs by site 7 uA/V. Not of a
    Chern-Simons part, which symmetry fixes modulo a quantum only.
    """
    if len(wholes.operations) == len(request.group.operations):
        return found
    model, errors = request.integrand.model, dict(found.errors)
    along = component_axes(model.axes, model.moments)
    for c in request.calculators:
        of = first_observable(c)
        terms = [name for name, _ in c.terms] if isinstance(c, Combination) else [c.name]
        if whole_of(c.name) == c.name and "chern_simons" not in terms and of.dims:
            value = found.values[c.name]
            errors[c.name] = errors[c.name] + np.abs(value - symmetrised(value, of, wholes.operations, along))
    return found._replace(errors=errors)


def _violations(tested: Sequence[Observable], model: Lattice, group: Group, seed: int = 11) -> dict[int, float]:
    """By what share the weights of an operator at images are not what operations (by their id) make of them.

    The largest of what was asked for: of each the median over k points, as responses grow without a bound where bands nearly
    touch. The shares of parts in one quantity are judged together, beside what parts of no symmetry would have: noise, or
    rounding, in what symmetry forbids is no violation.
    """
    k = np.round(np.random.default_rng(seed).uniform(-0.5, 0.5, (SAMPLE.n_points_noisy, 3)), 6) * np.array(model.periodic)
    along = component_axes(model.axes, model.moments)
    here = _weights(model, tested, k)
    plain = _sizes(tested, here)
    top = max(float(np.median(size)) for size in plain.values())
    nothing = {whole_of(o.name): NOTHING * size_of(model, operator_of(o)) for o in tested}
    zero = {name: max(ZERO * top, nothing[name], np.finfo(float).tiny) for name in plain}
    shares = is_share(tested[0])
    other = _sizes(tested, _weights(model, mixed(tested), k) if shares else _weights(_with_other_signs(model), tested, k))
    known = {name: np.maximum(np.maximum(size, other[name]) if shares else size, zero[name]) for name, size in plain.items()}
    exact = {name: np.maximum(size, nothing[name] / ROUNDING) for name, size in known.items()}  # nothing may change by itself
    noisy = {name: np.maximum(np.maximum(size, other[name]), FAINT * top) for name, size in known.items()}
    out = {}
    for g in group.operations:
        there = _weights(model, tested, g.time_reversal * k @ on_reciprocal(g.rotation, model.lattice).T)
        changes = _sizes(tested, [y - transform(x, o, g, along) for x, y, o in zip(here, there, tested, strict=True)])
        sizes = exact if g in group.exact else noisy
        out[id(g)] = max(float(np.median(change / sizes[name])) for name, change in changes.items())
    return out


def _sizes(tested: Sequence[Observable], weights: Sequence[Array]) -> dict[str, Array]:
    """Root mean square (nk,) of weights (nk, n, *components), of all shares in a quantity together, by its name."""
    squares: dict[str, list[Array]] = {}
    for o, x in zip(tested, weights, strict=True):
        squares.setdefault(whole_of(o.name), []).append((x.reshape(len(x), -1) ** 2).mean(axis=1))
    return {name: np.sqrt(np.mean(of_it, axis=0)) for name, of_it in squares.items()}


def _with_other_signs(model: Lattice, seed: int = 12) -> Lattice:
    """The model with operators whose elements between two orbitals have random signs: as large, and of no symmetry."""
    if not is_tight_binding(model) or not model.operators:
        return model
    signs = np.sign(np.random.default_rng(seed).normal(size=(model.n_orbitals,) * 2))
    both = (np.triu(signs) + np.triu(signs, 1).T)[..., None]
    return replace(model, operators=tuple(o.with_matrices(o.matrices * both) for o in model.operators))


def _weights(model: Lattice, observables: Sequence[Observable], k: Array) -> list[Array]:
    """Weights (nk, n, *components) of bands; levels that noise may have split count as one."""
    tol = SAMPLE.same if model.is_fitted else default_tol(model)
    _, weights = evaluate_at(model, observables, k, Degeneracy(tol))
    return list(named(weights, observables, model).values())
