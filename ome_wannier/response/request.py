"""What compute() is asked for: settings that cannot be used are refused here, and meshes chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calculators.blocks import blocks, parts
from ..calculators.operators import named_in
from ..calculators.quantity import GapTerm, Observable
from ..calculators.registry import Calculator, defaults, first_observable, get, needs_spin, resolve, with_chern_simons
from ..calculators.scattering import Tau
from ..common.checked_input import fault
from ..common.errors import SettingsError
from ..common.units import ANGSTROM
from ..integration.band_ranges import Look
from ..integration.filling import Level, in_gap, level_of
from ..integration.hamiltonian_symmetry import Group
from ..integration.integral import Goal, Resources, Sampling
from ..integration.kpoints.chosen import default_mesh, uniform
from ..integration.kpoints.mesh import KMesh
from ..integration.kpoints.polar import PolarMesh
from ..integration.occupation.histogram import Occupation
from ..integration.rays.quadrature import extrema
from ..models.base import Lattice, Model, has_zone, require_model
from ..models.kdotp import KDotP
from ..models.operators import SPIN_REMEDY
from ..sources.load import ADAPTERS, adapter, load

Array = NDArray[np.float64]
#: electrons per cm^d, more than any matter has
LARGEST_DENSITY = 1e30
#: quantities with a moment that chains have
ALONG_CHAINS = ("total", "extrinsic", "spin", "spin_extrinsic", "total_with_spin")


def model_of(source: Any) -> Model:
    """The model itself, or that of an object of another package. ModelError for what is neither; `load` takes names."""
    if not hasattr(source, "has_zone") and any(adapter(name).recognises(source) for name in ADAPTERS):
        return load(source)
    require_model(source)
    model: Model = source
    return model


def numbers(name: str, value: ArrayLike, unit: str) -> Array:
    """A number or a row of numbers; SettingsError for anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} is {value!r}: give a number or a list of numbers, in {unit}") from error
    if wrong := fault(value) or fault(array):
        raise SettingsError(f"{name} {wrong}")
    if array.ndim > 1 or array.size == 0:
        raise SettingsError(f"{name} has shape {array.shape}: give a number or a list of numbers, in {unit}")
    return array


def finite(name: str, value: ArrayLike, unit: str) -> Array:
    """The same where none may be infinite, nan, or true or false."""
    array = numbers(name, value, unit)
    if not np.isfinite(array).all() or np.asarray(value).dtype.kind == "b":
        raise SettingsError(f"{name} is {value!r}: give finite numbers, in {unit}")
    return array


def validate(model: Model, wanted: Sequence[Calculator], temperatures: Array, tau: float, degeneracy_tol: float | None) -> None:
    """Refuse settings that make no sense, and calculators that this model cannot give (SettingsError)."""
    limits = (("tau", tau, "fs"), *([] if degeneracy_tol is None else [("degeneracy_tol", degeneracy_tol, "eV")]))
    for name, number, unit in limits:
        if isinstance(number, str) or not (np.ndim(number) == 0 and np.isfinite(number) and number >= 0):
            raise SettingsError(f"{name} is {number!r}: give a number >= 0, in {unit}")
    Occupation(np.zeros(1), temperatures, surface=False)  # refuses temperatures that are none
    if not model.axes:
        raise SettingsError("this model has no periodic direction: responses are those of crystals, layers and chains")
    for calculator in wanted:
        observable = first_observable(calculator)
        if any(isinstance(t, GapTerm) for t in resolve([calculator])[1]) and (len(model.axes) < 3 or not model.has_zone):
            raise SettingsError(f"{calculator.name} has a Chern-Simons part, which needs a three-dimensional lattice")
        if not has_elements(model, calculator):
            raise SettingsError(
                f"{calculator.name} needs two periodic directions perpendicular to an orbital moment: this model has "
                f"{len(model.axes)}; ask for {', '.join(ALONG_CHAINS)}"
            )
        if model.available is not None and observable.kind != "own" and calculator.name not in model.available:
            raise SettingsError(
                f"{calculator.name} needs bands far from the Fermi level, which a window does not have: "
                f"one of {', '.join(model.available)}"
            )
        if needs_spin(calculator) and not model.has_spin:
            raise SettingsError(f"{calculator.name} needs the spin operator, which this model does not have: {SPIN_REMEDY}")


def has_elements(model: Model, calculator: Calculator) -> bool:
    """Whether a quantity has elements in this model: by itself, or blocks of a layer or chain."""
    needed = {"moment", "axis"} & set(first_observable(calculator).dims)
    return not needed or bool(model.moments) or bool(blocks(model, [calculator.name]))


def consisting_of(
    model: Model, asked: str | Iterable[str | Calculator] | None, include_chern_simons: bool
) -> tuple[list[Calculator], list[Calculator], tuple[Observable, ...], bool]:
    """The calculators asked for, by default all that are usable; the parts of a layer or chain that complete them; the
    observables that all consist of; and whether Chern-Simons parts are among their terms."""
    wanted, terms = resolve(usable(model) if asked is None else named_in(model, asked))
    if include_chern_simons:
        wanted, terms = resolve(map(with_chern_simons, wanted))
    more: list[Calculator] = [*parts(model, [c.name for c in wanted])]
    observables = [t for t in terms if isinstance(t, Observable)]
    return wanted, more, with_parts(observables, more), len(observables) < len(terms)


def with_parts(observables: Sequence[Observable], parts: Sequence[Calculator]) -> tuple[Observable, ...]:
    """The observables of what was asked for, and of the parts of a layer."""
    more = resolve(parts)[1] if parts else []
    return tuple({o.name: o for o in (*observables, *more) if isinstance(o, Observable)}.values())


def usable(model: Model) -> list[str]:
    """Names of the calculators that are used unless told."""
    found = [n for n in defaults(model.has_spin) if model.available is None or n in model.available]
    return [n for n in found if has_elements(model, get(n))]


def resources(
    memory: float, progress: bool, executor: Executor | None, checkpoint: str | Path | None, resume: bool
) -> Resources:
    """What may be used; SettingsError for what cannot."""
    if not isinstance(memory, (int, float, np.number)) or not 0 < memory < np.inf:
        raise SettingsError(f"memory is {memory!r}: give a number of bytes")
    if executor is not None and not isinstance(executor, Executor):
        raise SettingsError(f"executor is {executor!r}: give a concurrent.futures.Executor, such as executors.processes(2)")
    if resume and checkpoint is None:
        raise SettingsError("resume goes on from a checkpoint: give its file")
    return Resources(int(memory), progress, executor, None if checkpoint is None else Path(checkpoint), resume)


def sampling(model: Model, kmesh: KMesh | PolarMesh | Sequence[int] | None, goal: Goal | None) -> KMesh | PolarMesh | Goal:
    """The mesh or the tolerance that was asked for; SettingsError where both are given, or a mesh of the wrong kind."""
    if goal is not None:
        if kmesh is not None:
            raise SettingsError("give either kmesh or rtol: with rtol the mesh converges by itself")
        return goal
    if has_zone(model):
        return default_mesh(model) if kmesh is None else uniform(kmesh, model)
    mesh = PolarMesh() if kmesh is None else kmesh
    if not isinstance(mesh, PolarMesh):
        raise SettingsError("a k.p model is integrated over the whole plane or space: give kmesh=PolarMesh(...)")
    return mesh


def refuse_unfit(model: Model, goal: Goal | None, checkpoint: object, chern_simons: bool) -> None:
    """Refuse what needs a mesh that is given (SettingsError)."""
    if not model.has_zone and checkpoint is not None:
        raise SettingsError("checkpoint: k.p models are integrated along rays, not summed over a mesh: leave it out")
    if goal is not None and checkpoint is not None:
        raise SettingsError("checkpoint: with rtol no sum over fixed points is made that could be gone on with: leave it out")
    if goal is not None and chern_simons:
        raise SettingsError("rtol: the Chern-Simons part is computed on a mesh: give kmesh, or leave this part out")


def refuse_filled(model: Model, basis: int, level: float) -> None:
    """Refuse to leave out bands that reach below a level in eV (SettingsError): they are no intermediate states only."""
    if has_zone(model):
        filled = Look.at(model).reaching(level)
    else:
        filled = sum(lowest <= level for _, lowest, *_ in extrema(cast(KDotP, model)))
    if basis < filled:
        raise SettingsError(f"basis is {basis}: {filled} bands reach below the level of {level:g} eV: give at least {filled}")


def doped(model: Model, filling: object, carriers: object) -> float | None:
    """Electrons per cell of a filling with carriers, in cm^-d, added to it; None where no filling is given.

    Raises
    ------
    SettingsError : no number; carriers without a filling, or without a cell.
    """
    if carriers is None:
        return filling  # type: ignore[return-value]  # checked where it is used
    if filling is None or not has_zone(model):
        raise SettingsError("carriers are added to filling, the electrons per cell at neutrality: give filling as well")
    if isinstance(carriers, str) or np.ndim(carriers) or not abs(float(carriers)) < LARGEST_DENSITY:  # type: ignore[arg-type]
        raise SettingsError(f"carriers is {carriers!r}: give one number of electrons per cm^{len(model.axes)}")
    return electrons(filling) + float(carriers) * model.cell * (ANGSTROM * 100) ** len(model.axes)  # type: ignore[arg-type]


def relaxation(tau: Any, level: Any, checkpoint: object) -> tuple[Tau | None, float]:
    """A relaxation time that is a function of the energies, or None, and the number (fs) that was given, or 1.

    level : where the number holds, if the time is in inverse proportion to the density of states.

    Raises
    ------
    SettingsError : what excludes each other; a level that is none.
    """
    if (callable(tau) or level is not None) and checkpoint is not None:
        raise SettingsError("checkpoint: relaxation times by energy are not kept in it: leave it out, or give tau as a number")
    if level is not None and finite("tau_level", level, "eV").ndim:
        raise SettingsError(f"tau_level is {level!r}: give one number, in eV")
    if callable(tau) and level is not None:
        raise SettingsError(
            "tau_level is where a number tau holds, in inverse proportion to the density of states: tau is a function"
        )
    return (tau, 1.0) if callable(tau) else (None, tau)


def electrons(filling: object) -> float:
    """Electrons per cell; SettingsError for anything but one number."""
    found = numbers("filling", filling, "electrons per cell")  # type: ignore[arg-type]
    if found.ndim:
        raise SettingsError(f"filling is {filling!r}: give one number of electrons per cell")
    return float(found)


def one_temperature(temperatures: Array) -> float:
    """The temperature (K) at which a filling has its Fermi level; SettingsError for several, each of which has its own."""
    if len(temperatures) > 1:
        raise SettingsError(
            f"filling: the {len(temperatures)} temperatures have a Fermi level each: compute one by one, or give fermi (eV)"
        )
    return float(temperatures[0])


def given_levels(fermi: ArrayLike | None) -> Array:
    """Fermi levels (nf,) in eV that were given."""
    if fermi is None:
        raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
    return np.atleast_1d(numbers("fermi", fermi, "eV"))


def filled(
    model: Lattice,
    filling: object,
    where: Sampling,
    temperatures: Array,
    group: Group,
    observables: Sequence[Observable],
) -> tuple[Level, Sampling]:
    """The Fermi level of a filling, and the sampling with what is left of its time.

    Raises
    ------
    SettingsError : no number; several temperatures; a Fermi surface at T = 0, which has no width at a single level.
    """
    wanted = electrons(filling)
    if (temperatures == 0).all() and not in_gap(model, wanted):
        Occupation(np.zeros(1), temperatures, any(o.occupation == "surface" for o in observables))  # refuses that
    return level_of(model, where, wanted, one_temperature(temperatures), group.exact)


def occupation_of(model: Model, observables: Sequence[Observable], levels: Array, temperatures: Array) -> Occupation:
    """The occupation of the observables; where a Fermi surface at T = 0 has a single level, a gap is looked for around it."""
    kinds = {o.occupation for o in observables}
    surface, grand, thermal = has_zone(model) and "surface" in kinds, "grand" in kinds, "thermal" in kinds
    plain = Occupation(levels, temperatures, surface=False, grand=grand, thermal=thermal)  # refuses levels that are none
    if not has_zone(model) or not surface or len(levels) > 1 or (temperatures > 0).all():
        return replace(plain, surface=surface)
    gap = Look.at(model).gap_among(levels)
    return replace(plain, surface=surface, gap=None if gap is None else (gap.bottom, gap.top))
