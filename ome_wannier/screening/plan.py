"""What is to be computed of an item: its model, Fermi levels and calculators, and the keys that its row is stored under."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import doping, materials, symmetry
from ..adapters import wannier90_seed
from ..asked import one_temperature
from ..calculators import Calculator, resolve
from ..chosen import default_mesh
from ..errors import ModelError, SettingsError
from ..info import Gap, Look
from ..kmesh import KMesh
from ..loading import Source, load, locate, of_entry
from ..model import Lattice, Model, has_zone
from ..sparse import AVAILABLE, SparseTightBinding
from ..tolerance import MAX_POINTS, goal_of
from .listing import Item

Array = NDArray[np.float64]

#: what is computed unless told: the responses and their parts, and the geometry that goes with them
CALCULATORS = (
    "total",
    "dipole",
    "local_intraband",
    "itinerant",
    "local",
    "extrinsic",
    "dipole_polarizability",
    "quantum_metric",
)
#: settings that the result depends on
_RESULT = (
    "kmesh", "temperature", "tau", "degeneracy_tol", "symmetry", "include_chern_simons", "filling",
    "rtol", "max_points", "max_time",
)  # fmt: skip


class Plan(NamedTuple):
    """What is computed of a model: Fermi levels (eV), the one in question, the gap there, calculators; no levels, and None,
    where it is that of a filling."""

    levels: Array
    reference: float | None
    gap: Gap | None
    wanted: list[Calculator]


def loaded(item: Item) -> tuple[Model, Source | None]:
    """The model, and where it comes from where that is a library entry or files."""
    if item.fault:
        raise ModelError(item.fault)
    options = loader_options(item)
    if item.model is not None:
        return load(item.model, **options), None
    if item.python:
        made = _from_python(item.python, item.settings.parameters or {})
        return load(made, **{k: v for k, v in options.items() if k not in (item.settings.parameters or {})}), None
    settings = item.settings
    source = of_entry(materials.entry(settings.material)) if settings.material else locate(str(settings.seed))
    return source.load(**options), source


def loader_options(item: Item) -> dict[str, Any]:
    """Options of the loader that the settings contain."""
    settings = item.settings
    given = {key: getattr(settings, key) for key in ("spin_degeneracy", "spin_order", "centres", "periodic", "use_wsvec")}
    given["spn"] = settings.spn or None
    return {key: value for key, value in given.items() if value is not None} | (settings.parameters or {})


def _from_python(where: str, parameters: dict[str, Any]) -> Any:
    """What a function of a user's file returns."""
    file, _, name = where.rpartition(":")
    if not file or not Path(file).is_file():
        raise ModelError(f"python {where!r}: give 'file.py:function', there is no such file")
    spec = importlib.util.spec_from_file_location("_ome_wannier_user", file)
    if spec is None or spec.loader is None:
        raise ModelError(f"python {where!r}: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise ModelError(f"{file}: there is no function {name!r}")
    return getattr(module, name)(**parameters)


def planned(model: Model, source: Source | None, item: Item) -> Plan:
    """What is to be computed of a model.

    Raises
    ------
    SettingsError : no Fermi level is known.
    """
    window = isinstance(model, SparseTightBinding)  # of bands, in which not everything can be computed
    wanted, _ = resolve(item.settings.calculators or [n for n in CALCULATORS if not window or n in AVAILABLE])
    if not has_zone(model):
        levels, reference = _levels(item, _known_level(model, source, item), source)
        return Plan(levels, reference, None, wanted)
    if item.settings.filling is not None and item.around is None:
        gap = doping.gap_of(model, item.settings.filling)
        return Plan(np.empty(0), None, gap if gap is not None and gap.is_open else None, wanted)
    look = Look.at(model)
    levels, reference = _levels(item, _known_level(model, source, item), source)
    gap = look.gap_among(np.array([reference]))
    if gap is None and item.settings.fermi is not None and item.around is None:
        gap = look.gap_among(levels)
    if gap is not None:
        reference = gap.middle if item.settings.filling is None else reference
        levels = np.unique(np.append(levels, reference))
    return Plan(levels, reference, gap, wanted)


def _known_level(model: Model, source: Source | None, item: Item) -> float | None:
    """The Fermi level (eV) that the settings, the library or the files name, the middle one of several."""
    settings = item.settings
    if settings.fermi is not None:
        levels = np.atleast_1d(settings.levels())  # type: ignore[arg-type]
        return float(levels[len(levels) // 2])
    if settings.filling is not None:
        if not has_zone(model):
            raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
        return level_of_filling(model, item).value
    if source is not None and source.entry is not None:
        return source.entry.fermi + doping.shift(source.entry, model)
    if source is not None and source.adapter == "wannier90":
        return wannier90_seed.inspect(source.seed).fermi_energy
    return None


def level_of_filling(model: Lattice, item: Item) -> doping.Level:
    """The level of the filling that the settings give, as `compute` finds it."""
    settings = item.settings
    assert settings.filling is not None
    goal = goal_of(settings.rtol, settings.max_points or MAX_POINTS, settings.max_time)
    exact = symmetry.group_of(model, settings.symmetry).exact
    T = one_temperature(np.array(temperatures(item)))
    return doping.level_of(model, goal or mesh_of(model, item), settings.filling, T, exact)[0]


def _levels(item: Item, known: float | None, source: Source | None) -> tuple[Array, float]:
    """Fermi levels (eV) and the one in question."""
    if known is None:
        raise SettingsError("no Fermi level is known: give fermi (eV) or filling (electrons per cell) for this material")
    if item.around is not None:
        return known + item.around.levels(), known
    if item.settings.fermi is not None:
        return np.atleast_1d(np.asarray(item.settings.levels(), dtype=float)), known
    entry = None if source is None else source.entry
    if entry is not None and entry.scan is not None and item.settings.filling is None:
        return entry.scan.moved(known - entry.fermi).levels(), known  # `known` has been moved for other parameters
    return np.array([known]), known


def temperatures(item: Item) -> list[float]:
    """K, as a list."""
    found = item.settings.temperature
    return [found] if isinstance(found, float) else list(found)


def source_key(item: Item) -> str:
    """Under which a failure to load is stored: digest of where the model should come from, and how."""
    said = [item.source, item.name if item.model is not None else "", item.settings.to_json(), repr(item.around)]
    return _digest("source", *said)


def row_key(model: Model, item: Item, plan: Plan) -> str:
    """Under which a result is stored: digest of the model and of the settings."""
    return _digest("model", model.sha256, settings_digest(item, plan))


def settings_digest(item: Item, plan: Plan) -> str:
    """Digest of everything but the model that the result depends on."""
    settings = item.settings.model_dump(mode="json", include=set(_RESULT))
    names = sorted(c.name for c in plan.wanted)
    return hashlib.sha256(json.dumps([settings, names, plan.levels.tolist(), item.kmap], sort_keys=True).encode()).hexdigest()


def _digest(kind: str, *parts: str) -> str:
    # not hexadecimal throughout: ASE takes text that may be a number for one
    return f"{kind}-" + hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def mesh_of(model: Lattice, item: Item) -> KMesh:
    """The mesh that is asked for, or one of sensible spacing."""
    return KMesh(item.settings.kmesh) if item.settings.kmesh else default_mesh(model)
