"""What a report shows, as plain lists and dictionaries: a table, points of a scatter plot, and the details of materials."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import calculators, screening
from ..calculators.registry import EQUAL
from ..calculators.reported_units import negligible
from ..common.errors import warn
from ..common.units import ALPHA_UNIT
from ..plotting.figures import PURPLE, VERMILION
from ..plotting.parts import COLOURS, PARTS, SAID, surest
from ..plugins.ase import row
from ..presentation.content import Summary, reference, summary, title_of
from ..presentation.elements import said
from ..presentation.numbers import prefixed, rounded
from ..presentation.units import scale
from ..runs.settings import TABLE
from ..screening import table as tables
from ..screening.descriptors import RESPONSE_UNIT
from ..screening.store import DAMAGE, FAILED, Store
from ..screening.table_units import factors, in_unit
from ..sources.citations import cite
from .plain import numbers
from .shares import Scaled, shares

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: columns of the table: heading, and what stands in the row
COLUMNS = (
    ("total_max", "max |total|"),
    ("total_element", "element"),
    ("total_fermi", "at (eV)"),
    ("extrinsic_max", "max |extrinsic|"),
    ("tau_equal", "equal at τ (fs)"),
    ("gap", "gap (eV)"),
    ("metric", "metric"),
    ("polarizable", "polarizability"),
    ("bands_needed", "bands needed"),
    ("dimension", "dim."),
)
#: quantities of a scan, with their colours; the total is black
INTRINSIC = {"total": "#000000", **PARTS}
EXTRINSIC = {"extrinsic": VERMILION, "spin_extrinsic": PURPLE}
#: elements that are smaller than this, in units of the largest, are zero to rounding
ROUNDING = 1e-9
AXES = "xyz"
MINUS = "\N{MINUS SIGN}"
#: columns of the database that are shown with the details
FACTS = (
    "source", "formula", "orbitals", "dimension", "gap", "fermi", "points", "seconds", "warning", "model_sha256", "software",
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a page shows.

    title, subtitle : headings. columns : (key, heading) of the table. rows : of the table, with `name`, `status`, the columns,
    their errors (`<key>_error`), `response_unit` unless that is SI, and `detail`, the number of its details or None.
    details : see `material`. failures : (name, reason). meanings : (column, unit, meaning). summary : of one result, which
    comes first.
    """

    title: str
    subtitle: str
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    meanings: list[tuple[str, str, str]] = field(default_factory=list)
    summary: Summary | None = None


def of_database(db: str | Path, by: str, where: str | None, details: int, units: str | None = None) -> Content:
    """The content of a screening. units : of the responses; by default SI with prefixes."""
    everything = screening.frame(db)
    ranked = screening.rank(everything, by, where)
    column = tables.column_of(by)
    columns = [(key, text) for key, text in COLUMNS if key in ranked]
    if column not in dict(columns):
        columns.insert(0, (column, column))
    store = Store(db)
    rows: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    scales = [None] * len(ranked) if units is None else factors(ranked, units)
    converted = ranked if units is None else in_unit(ranked, units).drop(columns="response_units")
    for i, (one, in_units) in enumerate(zip(converted.to_dict("records"), scales, strict=True)):
        kept = {str(k): _plain(v) for k, v in one.items()}
        kept |= {} if in_units is None else {"response_unit": in_units[1]}
        found = _details(store, kept, in_units) if i < details else None
        rows.append({**kept, "detail": None if found is None else len(shown)})
        shown += [] if found is None else [found]
    failed = everything[everything["status"] == FAILED] if "status" in everything else everything[:0]
    meanings = [
        (d.name, d.unit if units is None else d.unit.replace(RESPONSE_UNIT, units), d.meaning)
        for d in screening.describe(map(str, everything))
        if d.name in everything
    ]
    counts = everything["status"].value_counts().to_dict() if "status" in everything else {}
    said = ", ".join(f"{n} {status}" for status, n in counts.items())
    return Content(
        "Screening of the orbital magneto-electric response",
        f"{_shown_address(db)}: {said}; sorted by {column}" + (f", where {where}" if where else ""),
        columns,
        rows,
        shown,
        [(str(r.get("name", "")), str(r.get("reason", ""))) for r in failed.to_dict("records")],
        meanings,
    )


def _details(store: Store, facts: dict[str, Any], in_units: tuple[float, str] | None) -> dict[str, Any] | None:
    """The details of a row, or None, with a warning, where somebody else has written something else there.

    in_units : factor and unit of its responses; None for SI with prefixes.
    """

    def scaled(values: ArrayLike, own: str) -> tuple[float, str]:
        return prefixed(values, own) if in_units is None or own not in ALPHA_UNIT.values() else in_units

    try:
        return material(store.data(str(facts["key"])), facts, scaled)
    except DAMAGE as error:
        warn(f"{str(facts.get('name'))[:60]}: its tensors cannot be shown ({type(error).__name__}: {str(error)[:100]})")
        return None


def of_result(result: xr.Dataset, name: str, units: str | None = None) -> Content:
    """The content of one result."""
    _, data = row(result)
    data["ome_cite"] = cite(result)
    data["ome_settings"] = str(result.attrs.get("settings", "{}"))
    facts: dict[str, Any] = {
        "name": name or str(result.attrs.get("model", "result")),
        "source": str(result.attrs.get("source", "")),
    }
    title = title_of(str(result.attrs.get("model", "")))
    level = reference(result)
    facts["fermi"] = float(result["fermi"].values[level])

    def scaled(values: ArrayLike, own: str) -> tuple[float, str]:
        return scale(values, own, units, result)

    found = material(data, facts, scaled)
    for state, there in zip(found["states"], shares(result, level, scaled), strict=False):  # none at all without parts
        state["shares"] = there
    return Content(f"Orbital magneto-electric response of {title}", name, details=[found], summary=summary(result, units=units))


def _shown_address(db: str | Path) -> str:
    text = str(db)
    return text.rpartition("@")[2] if "://" in text else Path(text).name


def _plain(value: Any) -> Any:
    """A value as JSON holds it: nan is null."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def material(data: dict[str, Any], facts: dict[str, Any], scaled: Scaled = prefixed) -> dict[str, Any]:
    """The details of a material: at each temperature the scans of every element and the tensors at the level in question; then
    k-map, facts, citations.

    scaled : the factor and the unit that values in a unit are shown in.
    """
    levels, warm = (np.atleast_1d(np.asarray(data.get(f"ome_{name}", []), dtype=float)) for name in ("fermi", "temperature"))
    found: dict[str, Any] = {
        "name": str(facts.get("name", "")),
        "facts": _facts(data, facts),
        "cite": [line for line in str(data.get("ome_cite", "")).splitlines() if line],
        "allowed": facts.get("total_element"),
        "symmetry": [str(s) for s in data.get("ome_symmetry", [])],
        "forbidden": _legend(data),
    }
    if not len(levels):
        return found
    size = (len(levels), max(len(warm), 1))
    names = _responses(data)
    values = {name: _tensor(data, name, size) for name in names}
    errors = {name: _tensor(data, f"{name}_error", size) for name in names if f"ome_{name}_error" in data}
    reference = facts.get("fermi")
    at = len(levels) // 2 if reference is None else int(np.argmin(abs(levels - reference)))
    found["fermi"], found["level"] = numbers(levels, 8), float(levels[at])
    found["states"] = []
    for j in range(size[1]):
        now, unsure = ({name: x[:, j] for name, x in which.items()} for which in (values, errors))
        kinds = (("intrinsic", _intrinsic(now, unsure, data)), ("extrinsic", EXTRINSIC))
        scans = [scan for title, known in kinds if (scan := _scan(title, known, now, unsure, data, scaled))]
        tensors = [_at_level(name, now[name][at], unsure[name][at] if name in unsure else None, data, scaled) for name in names]
        found["states"].append(
            {"temperature": float(warm[j]) if len(warm) else None, "scans": scans, "tensors": [t for t in tensors if t["rows"]]}
        )
    if "ome_kmap" in data:
        found["kmap"] = _kmap(data)
    return found


def _responses(data: dict[str, Any]) -> list[str]:
    """Names of the quantities in the data with an error, total and parts first, without those that equal another one."""
    units = data.get("ome_units", {})
    last = ("_error", "_raw", "_per_angstrom")
    there = [key.removeprefix("ome_") for key in units if f"{key}_error" in units and not key.endswith(last)]
    there = [name for name in there if EQUAL.get(name) not in there]
    order = [*INTRINSIC, *EXTRINSIC, *calculators.names()]
    return sorted(there, key=lambda name: order.index(name) if name in order else len(order))


def _tensor(data: dict[str, Any], name: str, size: tuple[int, int]) -> Array:
    """(levels, temperatures, components): dimensions of the scan that have one entry were left out when it was stored."""
    values = np.asarray(data[f"ome_{name}"], dtype=float)
    scan = tuple(n for n in size if n > 1)
    if values.shape[: len(scan)] != scan:
        raise ValueError(f"{name} has shape {values.shape}: expected {scan} first")
    return values.reshape(*size, *values.shape[len(scan) :])


def _gone(data: dict[str, Any], name: str) -> dict[str, str]:
    """Elements of a quantity that symmetry forbids or that are not defined, and why."""
    found = data.get("ome_forbidden", {}).get(f"ome_{name}", {})
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _legend(data: dict[str, Any]) -> list[str]:
    """What the dashes of the responses stand for."""
    lines = []
    for name in (*INTRINSIC, *EXTRINSIC):
        gone = _gone(data, name) if name in ("total", *EXTRINSIC) else {}
        for reason in dict.fromkeys(gone.values()):
            lines.append(f"{', '.join(e for e, r in gone.items() if r == reason)} of {said(name)}: {reason}")
    return lines


def _intrinsic(values: dict[str, Array], errors: dict[str, Array], data: dict[str, Any]) -> dict[str, str]:
    """The curves of the intrinsic response, with their colours: of the parts those that are sure."""
    typical = {}
    for name in [name for name in COLOURS if name in errors and errors[name].ndim == 3]:
        free = [(i, j) for i, j in np.ndindex(errors[name].shape[1:]) if AXES[i] + AXES[j] not in _gone(data, name)]
        median = np.nan_to_num(np.median(errors[name], axis=0))
        typical[name] = SAID[name][1] * max((float(median[e]) for e in free), default=0.0)
    size = float(np.nan_to_num(np.abs(values["total"])).max()) if "total" in values else 0.0
    return {"total": INTRINSIC["total"], **surest(size, typical)}


def _scan(
    title: str,
    known: dict[str, str],
    values: dict[str, Array],
    errors: dict[str, Array],
    data: dict[str, Any],
    scaled: Scaled,
) -> dict[str, Any] | None:
    """Curves of some quantities, of every element that symmetry allows and that does not vanish; the largest element first."""
    names = [name for name in known if name in values and values[name].ndim == 3]
    if not names:
        return None
    lead = np.nan_to_num(np.abs(values[names[0]])).max(axis=0)
    size = np.nan_to_num(np.abs(np.stack([values[name] for name in names]))).max(axis=(0, 1))
    gone = _gone(data, names[0])
    elements = [(i, j) for i, j in np.ndindex(3, 3) if size[i, j] > ROUNDING * size.max() and AXES[i] + AXES[j] not in gone]
    if not elements:
        return None
    elements.sort(key=lambda e: -lead[e])
    factor, unit = scaled([size[e] for e in elements], data["ome_units"][f"ome_{names[0]}"])
    shown = {name: SAID.get(name, (said(name), 1.0)) for name in names}
    return {
        "title": title,
        "unit": unit,
        "elements": [
            {
                "name": AXES[i] + AXES[j],
                "curves": [
                    {"name": label, "colour": known[name], "y": numbers(values[name][:, i, j] * factor * times)}
                    for name, (label, times) in shown.items()
                ],
                "error": numbers(errors[names[0]][:, i, j] * factor) if names[0] in errors else None,
            }
            for i, j in elements
        ],
    }


def _at_level(name: str, value: Array, error: Array | None, data: dict[str, Any], scaled: Scaled) -> dict[str, Any]:
    """A tensor at one level as texts, its columns the axes of the last dimension, or of a vector one row.

    None, a dash, stands for what symmetry forbids or nobody defines. Columns of which nothing is defined are left out.
    """
    factor, unit = scaled(value, data["ome_units"][f"ome_{name}"])
    gone, least = _gone(data, name), negligible(name, data["ome_units"][f"ome_{name}"]) * factor
    lines = value.reshape(-1, 3) if value.ndim else value.reshape(1, 1)
    wrong = None if error is None else error.reshape(lines.shape)
    firsts = ["".join(AXES[i] for i in at) for at in np.ndindex(value.shape[:-1])]
    rows, columns = [], [j for j in range(lines.shape[1]) if np.isfinite(lines[:, j]).any()]
    for i, (line, first) in enumerate(zip(lines, firsts, strict=True)):
        cells = []
        for j, x in ((j, float(line[j])) for j in columns):
            e = math.nan if wrong is None else abs(float(wrong[i, j])) * factor
            element = f"{first}{AXES[j]}" if value.ndim else ""
            text = rounded(x * factor, e, least=least).replace("-", MINUS)
            cells.append(None if element in gone or not math.isfinite(x) else text)
        if any(cell is not None for cell in cells):
            rows.append({"first": first, "cells": cells})
    letters = [AXES[j] for j in columns] if value.ndim else [""]
    return {"name": said(name), "unit": unit, "rows": rows, "columns": letters, "corner": _corner(data, name)}


def _corner(data: dict[str, Any], name: str) -> str:
    """What the letters of the rows and of the columns stand for; nothing of rows of databases that do not say it."""
    *first, last = [d.removeprefix("operator_") for d in data.get("ome_dims", {}).get(f"ome_{name}", ())] or [""]
    return f"{', '.join(first)} \\ {last}" if first else ""


def _kmap(data: dict[str, Any]) -> dict[str, Any]:
    image = np.asarray(data["ome_kmap"], dtype=float)
    axis = np.linspace(-0.5, 0.5, len(image))
    return {"x": numbers(axis), "z": [numbers(line, 4) for line in image], "title": str(data.get("ome_kmap_of", ""))}


def _facts(data: dict[str, Any], facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What a material is and how it was computed, as (key, text)."""
    found = [(key, _text(facts[key])) for key in FACTS if facts.get(key) not in (None, "")]
    parameters = {key.removeprefix("p_"): value for key, value in facts.items() if key.startswith("p_")}
    found += [(key, _text(value)) for key, value in parameters.items() if value is not None]
    attrs = data.get("ome_attrs", {})
    found += [(key, str(attrs[key])) for key in ("kmesh", "error_estimate", "left_out") if key in attrs]
    try:
        settings = json.loads(str(data.get("ome_settings", "{}")))
    except json.JSONDecodeError:
        settings = {}
    skipped = ("seed", "material", "parameters")
    known = {*skipped, *dict(found)}
    found += [(k, _with_unit(k, v)) for k, v in settings.items() if v is not False and k not in known]
    return found


def _with_unit(key: str, value: Any) -> str:
    """A setting with its unit, if it has one."""
    unit = TABLE[key].unit if key in TABLE else ""
    return f"{_text(value)} {unit}".rstrip()


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


__all__ = ["COLUMNS", "MINUS", "Content", "material", "of_database", "of_result"]
