"""kwant builders with translational symmetry: sites where they are, lengths taken as Angstrom and energies as eV."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from ..models.tight_binding import TightBinding


def recognises(model: object) -> bool:
    """Whether an object is a kwant Builder."""
    return type(model).__module__.split(".")[0] == "kwant" and hasattr(model, "hopping_value_pairs")


def load(
    model: Any,
    params: Mapping[str, Any] | None = None,
    *,
    spin_degeneracy: int = 1,
    periodic: tuple[bool, bool, bool] | None = None,
) -> TightBinding:
    """The Hamiltonian of a Builder; values that are functions are called with their sites and `params`.

    Parameters
    ----------
    params : values of the parameters of these functions, by name.
    spin_degeneracy : electrons per band, 1 or 2. kwant does not know which orbitals are spins: keep 1 where some are.
    periodic : see `TightBinding`; default: the directions of the symmetry of the Builder.

    Raises
    ------
    ModelError : a parameter without a value (it is named); sites without positions.
    """
    if not all(hasattr(s, "pos") for s in model.sites()):
        raise ModelError("sites of this kwant system have no positions: use a lattice with primitive vectors")
    symmetry = model.symmetry
    periods = np.asarray(symmetry.periods, dtype=float) if symmetry.num_directions else np.zeros((0, 0))
    d, lattice = len(periods), np.eye(3)
    if d:  # open directions: perpendicular to the periodic ones
        padded = np.pad(periods, ((0, 0), (0, 3 - periods.shape[1])))
        lattice = np.concatenate([padded, np.linalg.svd(padded)[2][d:]])
    onsite = [(s, np.atleast_2d(_value(v, (s,), params))) for s, v in model.site_value_pairs()]
    sizes = [len(v) for _, v in onsite]
    start = dict(zip((s for s, _ in onsite), np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    n = sum(sizes)
    terms: dict[tuple[int, ...], NDArray[np.complex128]] = {(0, 0, 0): np.zeros((n, n), dtype=complex)}

    def add(a: Any, b: Any, X: Any) -> None:
        """Add the block of two sites, and its Hermitian partner."""
        step = [int(y) - int(x) for x, y in zip(symmetry.which(a), symmetry.which(b), strict=True)]
        R = (*step, 0, 0, 0)[:3]
        i, j = start[symmetry.to_fd(a)], start[symmetry.to_fd(b)]
        for r, p, q, x in ((R, i, j, X), (tuple(-c for c in R), j, i, X.conj().T)):
            terms.setdefault(r, np.zeros((n, n), dtype=complex))[p : p + x.shape[0], q : q + x.shape[1]] += x

    for s, X in onsite:
        add(s, s, X / 2)  # the pair of a term with itself is itself
    for (a, b), v in model.hopping_value_pairs():
        add(a, b, np.atleast_2d(_value(v, (a, b), params)))
    centres = np.array([np.pad(np.asarray(s.pos, dtype=float), (0, 3 - len(s.pos))) for s, _ in onsite])
    R, along = np.array(list(terms)), (d > 0, d > 1, d > 2) if periodic is None else periodic
    where = np.repeat(centres, sizes, axis=0)
    return TightBinding(lattice, R, np.array(list(terms.values())), None, where, along, spin_degeneracy, name="kwant system")


def _value(value: Any, sites: tuple[Any, ...], params: Mapping[str, Any] | None) -> Any:
    """A value, or what the function that it is gives."""
    if callable(value):
        names = list(inspect.signature(value).parameters)[len(sites) :]
        if missing := [name for name in names if name not in (params or {})]:
            raise ModelError(f"parameters of this kwant system have no value: {', '.join(missing)}; give params=")
        value = value(*sites, **{name: (params or {})[name] for name in names})
    return np.asarray(value, dtype=complex)
