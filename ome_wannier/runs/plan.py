"""What settings mean: where a model comes from, its mesh, its Fermi level, keywords of the loader and of `compute`."""

from __future__ import annotations

from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from ..adapters.wannier90 import seed as wannier90_seed
from ..integration.filling import Level, level_of, shift
from ..integration.hamiltonian_symmetry import group_of
from ..integration.kpoints import chosen
from ..integration.kpoints.mesh import KMesh
from ..integration.tolerance import MAX_POINTS, goal_of
from ..models.base import Lattice, Model
from ..response.compute import compute
from ..response.request import one_temperature
from ..sources import library
from ..sources.library_entry import Scan
from ..sources.load import Source, locate, of_entry
from ..sources.ready_operators import with_ready
from .settings import TABLE, Settings, named


class Known(NamedTuple):
    """A Fermi level (eV) that nobody gave, the levels around it that are recommended, and where they come from."""

    level: float
    scan: Scan | None
    origin: str


def source_of(settings: Settings) -> Source:
    """Where the model comes from: files, or an entry of the library.

    Raises
    ------
    ModelError : nothing of that name.
    """
    if settings.material is not None:
        return of_entry(library.entry(settings.material))
    assert settings.seed is not None
    return locate(settings.seed)


def loader_options(settings: Settings) -> dict[str, Any]:
    """Keywords of the loader: what differs from its defaults, and the values of parameters."""
    told = {name: getattr(settings, name) for name in named("loader")}
    given = {name: value for name, value in told.items() if value != TABLE[name].default and name != "parameters"}
    return given | (settings.parameters or {})


def basis_options(settings: Settings) -> dict[str, Any]:
    """The same for what keeps the functions alone: no file has a place for states outside them."""
    return loader_options(settings) | {"external": "off"}


def model_of(source: Source, settings: Settings) -> Model:
    """The model of a source, with the operators that the calculators of the settings need and that come ready.

    Raises
    ------
    ModelError : files that make no model; an operator that the model cannot have.
    """
    model = source.load(**loader_options(settings))
    seed = source.seed if source.adapter == "wannier90" else None
    found: Model = with_ready(model, settings.calculators or (), seed)
    return found


def arguments(settings: Settings) -> dict[str, Any]:
    """Keywords of `compute`; what is not set keeps its defaults."""
    known = signature(compute).parameters
    given = {name: getattr(settings, name) for name in TABLE if name in known} | {"fermi": settings.levels()}
    return {name: value for name, value in given.items() if value is not None}


def default_mesh(model: Lattice, source: Source | None = None) -> tuple[KMesh, str]:
    """The mesh of a run that none is given for, and why that one; without a source as `compute` chooses it."""
    if source and source.entry and source.entry.kmesh:
        return KMesh(source.entry.kmesh), f"recommended by the library entry {source.entry.name}"
    return chosen.default_mesh(model), "by the size of the reciprocal cell"


def mesh_of(settings: Settings, model: Lattice, source: Source | None = None) -> KMesh:
    """The mesh that is asked for, or the default."""
    return KMesh(settings.kmesh) if settings.kmesh else default_mesh(model, source)[0]


def known_level(model: Model, source: Source) -> Known | None:
    """The Fermi level that the library or the files name; None where they name none.

    Levels of the library move with that of its filling where parameters are not those of the entry.
    """
    entry = source.entry
    if entry is not None:
        by = shift(entry, model)
        moved = f", moved by {by:+g} eV with the level of its filling for these parameters" if by else ""
        scan = entry.scan.moved(by) if entry.scan else None
        return Known(entry.fermi + by, scan, f"from the library entry {entry.name}{moved}")
    files = wannier90_seed.inspect(source.seed) if source.adapter == "wannier90" else None
    if files is None or files.fermi_energy is None:
        return None
    return Known(files.fermi_energy, None, f"fermi_energy of {files.win}")


def neutral_electrons(model: Lattice, source: Source | None) -> float | None:
    """Electrons per cell at neutrality that the library knows; None of files, and of models that count from neutrality."""
    entry = source.entry if source else None
    return None if entry is None or model.neutral else entry.electrons(model)


def level_of_filling(settings: Settings, model: Lattice, source: Source | None = None) -> Level:
    """The level of the filling that is set, as `compute` finds it.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none; several temperatures.
    """
    assert settings.filling is not None
    goal = goal_of(settings.rtol, settings.max_points or MAX_POINTS, settings.max_time)
    T, exact = one_temperature(np.atleast_1d(settings.temperature)), group_of(model, settings.symmetry).exact
    return level_of(model, goal or mesh_of(settings, model, source), settings.filling, T, exact)[0]
