"""Operators that come ready: atom-centred angular momentum, layer, height in a layer, valley, and exchange torque."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adapters.wannier90.projections import possible_projections
from ..adapters.wannier90.seed import find
from ..adapters.wannier90.win import read_win
from ..calculators.operators import ENDINGS
from ..common.checked_input import places
from ..common.errors import FileFormatError, ModelError, warn
from ..models.atomic_orbitals import Orbital, angular_momentum
from ..models.operators import Operator
from ..models.real_space_checks import local_spin
from ..models.tight_binding import TightBinding, is_tight_binding
from ..models.valleys import with_valleys

__all__ = [
    "Operator",
    "Orbital",
    "angular_momentum",
    "layers_of",
    "with_angular_momentum",
    "with_height",
    "with_layers",
    "with_torque",
    "with_valleys",
]

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Ints = NDArray[np.int64]

#: Angstrom; Wannier functions that are farther than this from the sites of their projections are no atomic orbitals
ATOMIC = 0.5
#: Angstrom along the normal between which there is a layer's end
APART = 2.3


#: the operators by the beginning of the names of their calculators
READY = ("L", "layer", "height", "torque", "valley")


def ready_in(name: str) -> str | None:
    """The ready operator that a calculator of this name belongs to, such as "L" of "L_extrinsic"; None if none."""
    first, last = name.split("_")[0], name.rsplit("_", 1)[-1]
    return first if first in READY and last in ENDINGS else None


def with_ready(model: Any, calculators: Iterable[object], seed: Path | None) -> Any:
    """The model with the ready operators that calculators of these names need and that it does not have.

    seed : of its Wannier90 files, whose projections say what orbitals the functions are; None of a model that is built.

    Raises
    ------
    ModelError : a model that cannot have them.
    """
    wanted = dict.fromkeys(ready_in(name) for name in calculators if isinstance(name, str))
    known = {o.name.split("_")[0] for o in model.operators}
    for ready in [w for w in wanted if w is not None and w not in known]:
        if ready == "L" and seed is None:
            raise ModelError("L: this model does not say what orbitals it has: operators.with_angular_momentum takes them")
        ways: dict[str, Callable[[], TightBinding]] = {
            "L": partial(with_angular_momentum, model, str(seed)),
            "layer": partial(with_layers, model),
            "height": partial(with_height, model),
            "torque": partial(with_torque, model),
            "valley": partial(with_valleys, model),
        }
        model = ways[ready]()
    return model


def with_angular_momentum(model: TightBinding, orbitals: str | Path | Sequence[Orbital]) -> TightBinding:
    """The model with the operator "L", the angular momentum of electrons around their atoms, in units of hbar.

    Each Wannier function is taken for the atomic orbital that it was projected onto, which maximal localisation may change;
    what electrons do between atoms is no part of it (the orbital moment of the modern theory has both).

    Parameters
    ----------
    orbitals : one `Orbital` for each function, in the order of the model's; or the seedname or `.win` file of the model, whose
        projections say it.

    Raises
    ------
    ModelError : not as many orbitals as functions, functions that are not on the sites of their projections, orbitals that are
        not orthonormal. FileFormatError : no projections, or such as do not say what they are.

    Warns
    -----
    AccuracyWarning : what is taken from projections.
    """
    if isinstance(orbitals, str | Path):
        _require_orbitals(model, "L")
        found, sites = _of_win(model, Path(orbitals))
        try:
            local = angular_momentum(found)
        except ModelError as error:
            raise ModelError(f"L: by the projections of {orbitals}, {error}") from error
        warn("L: each Wannier function is taken for the atomic orbital that it was projected onto")
        return model.with_operator("L", _between_cells(model, sites, local), unit="hbar", time_reversal=-1)
    found = list(orbitals)
    if len(found) != model.n_orbitals:
        raise ModelError(f"{len(found)} orbitals for a model of {model.n_orbitals}: give one for each, in its order")
    return model.with_operator("L", angular_momentum(found), unit="hbar", time_reversal=-1)


def _of_win(model: TightBinding, seed: Path) -> tuple[list[Orbital], Array]:
    """The orbitals of a model's functions, and their sites (n, 3) in the model's axes; the order of spins is the one that puts
    each function on its site."""
    path = seed if seed.name.endswith(".win") else find(seed)[1]["win"]
    if path is None or not path.is_file():
        raise FileFormatError(seed, None, "a .win file, whose projections say what orbitals the functions are", "none")
    win = read_win(path)
    lattice = win.lattice if win.lattice is not None else model.lattice
    Q = np.eye(3) if model.frame is None else model.frame
    orders = possible_projections(win, lattice, model.n_orbitals)
    sites = [np.array([p.site for p in order]) @ Q.T for order in orders]
    far = [float(np.linalg.norm(model.wannier_centres - _nearest(model, x), axis=1).max()) for x in sites]
    good = [i for i, distance in enumerate(far) if distance < ATOMIC]
    if not good:
        raise ModelError(
            f"{path}: a Wannier function is {min(far):.2g} Angstrom from the site of its projection: it is no atomic orbital "
            "there; give the orbitals of all functions instead"
        )
    if len(good) > 1:
        raise ModelError(f"{path} does not tell the order of the spins of its spinors: mark them (u,d), or give the orbitals")
    return [p.orbital for p in orders[good[0]]], sites[good[0]]


def _nearest(model: TightBinding, sites: Array) -> Array:
    """The images of sites (n, 3) next to the centres of the functions."""
    cells = (model.wannier_centres - sites) @ np.linalg.inv(model.lattice)
    return np.asarray(sites + np.round(cells) @ model.lattice)


def _between_cells(model: TightBinding, sites: Array, local: ComplexArray) -> ComplexArray:
    """Matrices of functions of one site (n, n, 3), whichever images of it they sit on: (n, n, 3) or (nR, n, n, 3)."""
    home = np.round((_nearest(model, sites) - sites) @ np.linalg.inv(model.lattice)).astype(int)
    R = home[:, None] - home[None]
    pairs = local.any(axis=2)
    if not R[pairs].any():
        return local
    out = np.zeros((len(model.R), *local.shape), dtype=complex)
    for i, j in zip(*np.nonzero(pairs), strict=True):
        there = np.flatnonzero((R[i, j] == model.R).all(axis=1))
        if not len(there):
            raise ModelError(
                f"functions {i + 1} and {j + 1} of one atom are {R[i, j].tolist()} cells apart: no hopping is as far"
            )
        out[there[0], i, j] = local[i, j]
    return out


def _require_orbitals(model: Any, what: str) -> None:
    """ModelError for a k.p model or plane waves."""
    if not is_tight_binding(model):
        raise ModelError(f"{what}: only models with orbitals (TightBinding) have this operator")


def with_layers(model: TightBinding, layers: Sequence[Sequence[int]] | None = None) -> TightBinding:
    """The model with operators "layer_1", "layer_2", ...: how many electrons each layer has, from the lowest.

    layers : the orbitals of each; by default they are told apart where no centre is for 2.3 Angstrom along the normal.

    Raises
    ------
    ModelError : no layer with a normal, or one alone.
    """
    _require_orbitals(model, "layers")
    n = model.n_orbitals
    given = layers_of(model) if layers is None else layers
    groups = [places(x, n) for x in given] if np.iterable(given) else []
    if not groups:
        raise ModelError(f"layers is {given!r}: give the orbitals of each layer")
    for number, members in enumerate(groups, 1):
        if members is None:
            raise ModelError(f"layer {number}: give different numbers of orbitals from 0 to {n - 1}, not {str(layers)[:60]}")
        inside = np.zeros(n)
        inside[members] = 1.0
        model = model.with_operator(f"layer_{number}", np.diag(inside))
    return model


def layers_of(model: TightBinding) -> list[Ints]:
    """The orbitals of each layer, from the lowest along the normal."""
    if len(model.bounded) != 1:
        raise ModelError(f"this model is periodic along {model.dimension} directions: only one of two has layers")
    height = model.wannier_centres[:, model.bounded[0]]
    order = np.argsort(height, kind="stable")
    cuts = np.flatnonzero(np.diff(height[order]) > APART) + 1
    if not len(cuts):
        raise ModelError(
            f"layers: no gap of {APART} Angstrom between the centres along the normal, so that they are one: give the orbitals "
            "of each layer, or take shares by site"
        )
    return [np.sort(part) for part in np.split(order, cuts)]


def with_height(model: TightBinding) -> TightBinding:
    """The model with the operator "height", the position along the normal of a layer from the mean of the centres, in Angstrom:
    a vector, as symmetries turn it, whose components in the plane are zero.

    Its response over the area is the polarizability of the layer: e times it is a dipole.
    """
    _require_orbitals(model, "height")
    if len(model.bounded) != 1:
        raise ModelError(f"this model is periodic along {model.dimension} directions: only a layer has a height")
    axis = model.bounded[0]
    if model.position is None:
        assert model.centres is not None
        matrices = np.diag(model.centres[:, axis] - model.centre[axis]).astype(complex)
    else:
        matrices = model.position[..., axis].copy()
        matrices[~model.R.any(axis=1)] -= np.eye(model.n_orbitals) * model.centre[axis]
    normal = (np.eye(3) if model.frame is None else model.frame)[axis]
    return model.with_operator("height", matrices[..., None] * normal, unit="angstrom", inversion=-1)


def with_torque(model: TightBinding) -> TightBinding:
    """The model with the operator "torque", dS/dt = (i/hbar) [H_xc, S] with S = hbar sigma / 2, in eV.

    H_xc is what is odd under time reversal of the Hamiltonian, as an exchange field is.

    Raises
    ------
    ModelError : a model whose spin is not that of pure up and down functions.
    """
    _require_orbitals(model, "torque")
    n, home = model.n_orbitals, ~model.R.any(axis=1)
    spin = model.spin
    if spin is None or spin[~home].any():
        raise ModelError("torque: this model has no spin operator of pure up and down functions (spin_order)")
    orders = [o for o in ("block", "interlaced") if n % 2 == 0 and np.abs(spin[home][0] - local_spin(n, o)).max() < 1e-12]
    if not orders:
        raise ModelError("torque: the spin of this model is not that of pure up and down functions in an order that is known")
    flip = 1j * local_spin(n, orders[0])[..., 1]
    H = model.hamiltonian
    exchange = (H - flip @ np.conj(H) @ np.conj(flip.T)) / 2
    sigma = np.moveaxis(spin[home][0], 2, 0)
    matrices = np.stack([0.5j * (exchange @ s - s @ exchange) for s in sigma], axis=-1)
    return model.with_operator("torque", matrices, unit="eV", time_reversal=1)
