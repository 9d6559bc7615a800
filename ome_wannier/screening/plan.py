"""What is to be computed of an item: its model, Fermi levels and calculators, and the keys that its row is stored under."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..calculators.operators import named_in
from ..calculators.registry import Calculator, resolve
from ..common.errors import ModelError, SettingsError
from ..integration.band_ranges import Gap, Look
from ..integration.filling import gap_of
from ..models.base import Lattice, Model, has_zone
from ..runs.plan import known_level, level_of_filling, loader_options, model_of, neutral_electrons, source_of
from ..runs.settings import named
from ..sources.load import Source, load
from ..sources.ready_operators import with_ready
from .listing import Item

Array = NDArray[np.float64]

#: what is computed unless told: the responses and their parts, and the geometry that goes with them
CALCULATORS = (
    "total", "dipole", "local_intraband", "itinerant", "local", "extrinsic", "dipole_polarizability", "quantum_metric"
)  # fmt: skip
#: settings that the result depends on, besides calculators and levels, which are in the plan
_RESULT = [name for name in named("computation") if name not in ("calculators", "fermi", "memory")]


class Plan(NamedTuple):
    """What is computed of a model: Fermi levels (eV), the one in question, the gap there, calculators; no levels, and None,
    where it is that of a filling. neutral : electrons per cell at neutrality, where they are known."""

    levels: Array
    reference: float | None
    gap: Gap | None
    wanted: list[Calculator]
    neutral: float | None = None


def loaded(item: Item) -> tuple[Model, Source | None]:
    """The model, and where it comes from where that is a library entry or files."""
    if item.fault:
        raise ModelError(item.fault)
    options, wanted = loader_options(item.settings), item.settings.calculators or ()
    if item.model is not None:
        return with_ready(load(item.model, **options), wanted, None), None
    if item.python:
        made = _from_python(item.python, item.settings.parameters or {})
        model = load(made, **{k: v for k, v in options.items() if k not in (item.settings.parameters or {})})
        return with_ready(model, wanted, None), None
    source = source_of(item.settings)
    return model_of(source, item.settings), source


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
    wanted, _ = resolve(
        named_in(model, item.settings.calculators or [n for n in CALCULATORS if n in (model.available or CALCULATORS)])
    )
    neutral = _neutral(model, source, item) if has_zone(model) else None
    if item.settings.filling is not None and item.around is None and has_zone(model):
        gap = gap_of(model, item.settings.filling)
        return Plan(np.empty(0), None, gap if gap is not None and gap.is_open else None, wanted, neutral)
    levels, reference = _levels(model, source, item)
    if not has_zone(model):
        return Plan(levels, reference, None, wanted)
    look = Look.at(model)
    gap = look.gap_among(np.array([reference]))
    if gap is None and item.settings.fermi is not None and item.around is None:
        gap = look.gap_among(levels)
    if gap is not None:
        reference = gap.middle if item.settings.filling is None else reference
        levels = np.unique(np.append(levels, reference))
    return Plan(levels, reference, gap, wanted, neutral)


def _neutral(model: Lattice, source: Source | None, item: Item) -> float | None:
    """Electrons per cell at neutrality: those of the library, or else the filling that carriers would be added to."""
    known = neutral_electrons(model, source)
    return item.settings.filling if known is None and not model.neutral else known


def _levels(model: Model, source: Source | None, item: Item) -> tuple[Array, float]:
    """Fermi levels (eV), and the one in question: that of settings (the middle one), library or files."""
    settings, entry = item.settings, source.entry if source else None
    if settings.fermi is not None:
        levels = np.atleast_1d(np.asarray(settings.levels(), dtype=float))
        known = float(levels[len(levels) // 2])
    elif settings.filling is not None:
        if not has_zone(model):
            raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
        known = level_of_filling(settings, model).value
        levels = np.array([known])
    else:
        found = known_level(model, source) if source else None
        if found is None:
            raise SettingsError("no Fermi level is known: give fermi (eV) or filling (electrons per cell) for this material")
        known = found.level
        # not `found.scan`, which differs in the last digit: rows keep their keys
        levels = entry.scan.moved(known - entry.fermi).levels() if entry and entry.scan else np.array([known])
    return levels if item.around is None else known + item.around.levels(), known


def source_key(item: Item) -> str:
    """Under which a failure to load is stored: digest of where the model should come from, and how."""
    said = [item.source, item.name if item.model is not None else "", item.settings.to_json(), repr(item.around)]
    return _digest("source", *said)


def row_key(model: Model, item: Item, plan: Plan) -> str:
    """Under which a result is stored: digest of the model and of the settings."""
    return _digest("model", model.sha256, settings_digest(item, plan))


def settings_digest(item: Item, plan: Plan) -> str:
    """Digest of everything but the model that the result depends on."""
    settings = {name: getattr(item.settings, name) for name in _RESULT}
    names = sorted(c.name for c in plan.wanted)
    return hashlib.sha256(json.dumps([settings, names, plan.levels.tolist(), item.kmap], sort_keys=True).encode()).hexdigest()


def _digest(kind: str, *parts: str) -> str:
    # not hexadecimal throughout: ASE takes text that may be a number for one
    return f"{kind}-" + hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
