"""The valley of electrons on honeycomb lattices, as an operator: hoppings to second neighbours, +-1 at the corners of the zone.

These are <0i|V|Rj> = -i nu / 3 sqrt(3), nu = +1 along three directions 120 degrees apart and -1 along their opposites, the same
on both sublattices: V(k) = (2 / 3 sqrt(3)) sum_b sin(k.b) (Colomes, Franz, Phys. Rev. Lett. 120, 086603; Ramires, Lado, Phys.
Rev. Lett. 121, 146801).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError
from .tight_binding import TightBinding, is_tight_binding

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: what distances may differ by, relative; Angstrom along the normal within a layer; and of the largest cell that is taken for
#: that of one honeycomb
STRAIN, THICK, LARGEST = 0.05, 1.0, 8.0
#: radian that two corners may be from the first reciprocal vector more or less, and are as near
ALIKE = 0.1


def with_valleys(model: TightBinding, constant: float | None = None) -> TightBinding:
    """The model with the operator "valley", whose expectation value is +1 at the corner K of the zone and -1 at K'.

    K is the corner next to the first reciprocal vector, on the side of the second where two are about as near. Between the
    corners it changes continuously, and vanishes along the lines from the centre to the middles of the edges. It is odd under
    time reversal and inversion.

    Parameters
    ----------
    constant : Angstrom, the lattice constant of the honeycombs (2.46 of graphene), for cells that hold several, such as those
        of twisted layers: then each site has one orbital. By default that of a hexagonal cell up to 8 Angstrom.

    Raises
    ------
    ModelError : no layer, or one that is not made of honeycombs of this constant.
    """
    if not is_tight_binding(model):
        raise ModelError("valley: only models with orbitals (TightBinding) have this operator")
    if len(model.bounded) != 1 or model.dimension != 2:
        raise ModelError(f"valley: this model is periodic along {model.dimension} directions: only a layer has valleys here")
    A = model.lattice[np.array(model.periodic)][:, model.axes]
    lengths = np.linalg.norm(A, axis=1)
    hexagonal = np.ptp(lengths) < STRAIN * lengths[0] and abs(abs(A[0] @ A[1]) / lengths.prod() - 0.5) < STRAIN
    if constant is None:
        if not (hexagonal and lengths[0] < LARGEST):
            raise ModelError("valley: the cell is not that of one honeycomb: with_valleys(model, constant) takes its constant")
        constant = float(lengths[0])
    if isinstance(constant, str) or not 0 < float(constant) < np.inf:
        raise ModelError(f"valley: constant is {constant!r}: give the lattice constant of the honeycombs in Angstrom")
    alone = hexagonal and abs(lengths[0] - constant) < STRAIN * constant
    i, j, R, d = _second_neighbours(model, A, float(constant), bool(alone))
    sign = _signs(model, A, i, np.arctan2(d[:, 1], d[:, 0]))
    cells = np.zeros((len(R), 3), dtype=np.int64)
    cells[:, np.array(model.periodic)] = R
    model = _with_vectors(model, cells)
    index = {tuple(r): at for at, r in enumerate(model.R.tolist())}
    V = np.zeros((len(model.R), model.n_orbitals, model.n_orbitals), dtype=complex)
    V[[index[tuple(r)] for r in cells.tolist()], i, j] = -1j * sign / (3 * np.sqrt(3))
    return model.with_operator("valley", V, time_reversal=-1, inversion=-1)


def _second_neighbours(model: TightBinding, A: Array, constant: float, alone: bool) -> tuple[Ints, Ints, Ints, Array]:
    """Pairs of orbitals <0i| |Rj>: i, j (p,), R (p, 2) and their distance (p, 2) in the plane, six of each i.

    alone : whether the cell holds one honeycomb, so that each orbital has its own images for neighbours.
    """
    where = model.wannier_centres
    plane, height = where[:, model.axes], where[:, model.bounded[0]]
    apart = plane[None] - plane[:, None]
    home = np.round(apart @ np.linalg.inv(A)).astype(np.int64)  # the image of j next to i is in cell -home
    near = apart - home @ A
    reach = int(np.ceil(1.1 * constant * np.linalg.norm(np.linalg.inv(A), axis=0).max() + 0.5))
    found = []
    for shift in np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2):
        d = near + shift @ A
        pair = np.abs(np.linalg.norm(d, axis=2) - constant) < STRAIN * constant
        pair &= np.eye(len(where), dtype=bool) if alone else np.abs(height[None] - height[:, None]) < THICK
        i, j = np.nonzero(pair)
        found.append((i, j, shift - home[i, j], d[i, j]))
    i, j, R, d = (np.concatenate(parts) for parts in zip(*found, strict=True))
    number = np.bincount(i, minlength=len(where))
    if (number != 6).any():
        first = int(np.flatnonzero(number != 6)[0])
        raise ModelError(
            f"valley: orbital {first + 1} has {number[first]} orbitals of its layer at {constant:g} Angstrom, not six: no "
            "honeycomb of this constant with one orbital on each site"
        )
    return i, j, R, d


def _signs(model: TightBinding, A: Array, i: Ints, angle: Array) -> Array:
    """nu of each pair by the angle of its direction in the plane, so that +1 is the valley K of all layers.

    Corners of the zone lie along the directions to second neighbours: nu = +1 is 60 degrees off K, where k.b is 2 pi/3.
    """
    sixth = np.angle(np.bincount(i, np.cos(6 * angle)) + 1j * np.bincount(i, np.sin(6 * angle))) / 6
    first, second = np.linalg.inv(A).T
    turn = np.sign(first[0] * second[1] - first[1] * second[0])
    step, towards = np.pi / 3, np.arctan2(first[1], first[0]) + ALIKE * turn
    corner = sixth[0] + step * np.round((towards - sixth[0]) / step)
    corners = sixth + step * np.round((corner - sixth) / step)  # of layers that are turned by less than 30 degrees
    return np.asarray(-np.sign(np.cos(3 * (angle - corners[i]))))


def _with_vectors(model: TightBinding, cells: Ints) -> TightBinding:
    """The model with these R vectors among its own, without hoppings along those that it did not have."""
    known = set(map(tuple, model.R.tolist()))
    more = [r for r in sorted(set(map(tuple, cells.tolist()))) if r not in known]
    if not more:
        return model
    if model.external is not None:
        raise ModelError("valley: the hoppings of this model do not reach second neighbours")
    n = len(model.R)

    def longer(X: ComplexArray) -> ComplexArray:
        return X if len(X) < n else np.concatenate([X, np.zeros((len(more), *X.shape[1:]))])

    return replace(
        model,
        R=np.concatenate([model.R, more]),
        hamiltonian=longer(model.hamiltonian),
        position=None if model.position is None else longer(model.position),
        spin=None if model.spin is None else longer(model.spin),
        operators=tuple(o.with_matrices(longer(o.matrices)) for o in model.operators),
    )
