"""What a report shows, as plain lists and dictionaries: a table, points of a scatter plot, and the details of materials."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import calculators, screening
from ..common.errors import warn
from ..plotting.figures import PURPLE, VERMILION, prefixed
from ..plotting.scan import PARTS
from ..plugins.ase import row
from ..screening import table as tables
from ..screening.store import DAMAGE, FAILED, Store
from ..sources.citations import cite

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
#: significant digits of the numbers in the page
DIGITS = 5
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
    their errors (`<key>_error`) and `detail`, the number of its details or None. details : see `material`. failures : (name,
    reason). meanings : (column, unit, meaning).
    """

    title: str
    subtitle: str
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    meanings: list[tuple[str, str, str]] = field(default_factory=list)


def of_database(db: str | Path, by: str, where: str | None, details: int) -> Content:
    """The content of a screening."""
    everything = screening.frame(db)
    ranked = screening.rank(everything, by, where)
    column = tables.column_of(by)
    columns = [(key, text) for key, text in COLUMNS if key in ranked]
    if column not in dict(columns):
        columns.insert(0, (column, column))
    store = Store(db)
    rows: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for i, one in enumerate(ranked.to_dict("records")):
        kept = {str(k): _plain(v) for k, v in one.items()}
        found = _details(store, kept) if i < details else None
        rows.append({**kept, "detail": None if found is None else len(shown)})
        shown += [] if found is None else [found]
    failed = everything[everything["status"] == FAILED] if "status" in everything else everything[:0]
    meanings = [(d.name, d.unit, d.meaning) for d in screening.describe() if d.name in everything]
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


def _details(store: Store, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The details of a row, or None, with a warning, where somebody else has written something else there."""
    try:
        return material(store.data(str(facts["key"])), facts)
    except DAMAGE as error:
        warn(f"{str(facts.get('name'))[:60]}: its tensors cannot be shown ({type(error).__name__}: {str(error)[:100]})")
        return None


def of_result(result: xr.Dataset, name: str) -> Content:
    """The content of one result."""
    _, data = row(result)
    data["ome_cite"] = cite(result)
    data["ome_settings"] = str(result.attrs.get("settings", "{}"))
    facts = {"name": name or str(result.attrs.get("model", "result")), "source": str(result.attrs.get("source", ""))}
    title = str(result.attrs.get("model", "")) or "Result"
    return Content(f"Orbital magneto-electric response of {title}", name, details=[material(data, facts)])


def _shown_address(db: str | Path) -> str:
    text = str(db)
    return text.rpartition("@")[2] if "://" in text else Path(text).name


def _plain(value: Any) -> Any:
    """A value as JSON holds it: nan is null."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def material(data: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The details of a material: scans of every element, tensors at the Fermi level in question, k-map, facts, citations."""
    levels = np.atleast_1d(np.asarray(data.get("ome_fermi", []), dtype=float))
    found: dict[str, Any] = {
        "name": str(facts.get("name", "")),
        "facts": _facts(data, facts),
        "cite": [line for line in str(data.get("ome_cite", "")).splitlines() if line],
        "allowed": facts.get("total_element"),
        "symmetry": [str(s) for s in data.get("ome_symmetry", [])],
    }
    if not len(levels):
        return found
    tensors = {name: _tensor(data, name, len(levels)) for name in _responses(data)}
    errors = {name: _tensor(data, f"{name}_error", len(levels)) for name in tensors if f"ome_{name}_error" in data}
    reference = facts.get("fermi")
    at = len(levels) // 2 if reference is None else int(np.argmin(abs(levels - reference)))
    found["fermi"] = _numbers(levels, 8)
    found["scans"] = [
        scan
        for title, known in (("intrinsic", INTRINSIC), ("extrinsic", EXTRINSIC))
        if (scan := _scan(title, known, tensors, errors, data["ome_units"]))
    ]
    found["tensors"] = [_at_level(name, tensors[name][at], errors.get(name), at, data["ome_units"]) for name in tensors]
    found["level"] = float(levels[at])
    if "ome_kmap" in data:
        found["kmap"] = _kmap(data)
    return found


def _responses(data: dict[str, Any]) -> list[str]:
    """Names of the responses in the data, total and parts first."""
    units = data.get("ome_units", {})
    there = [key.removeprefix("ome_") for key in units if not key.endswith(("_error", "_raw", "_per_angstrom"))]
    there = [name for name in there if str(units[f"ome_{name}"]).startswith("A") and np.ndim(data[f"ome_{name}"]) >= 2]
    order = [*INTRINSIC, *EXTRINSIC, *calculators.names()]
    return sorted(there, key=lambda name: order.index(name) if name in order else len(order))


def _tensor(data: dict[str, Any], name: str, levels: int) -> Array:
    """(levels, 3, 3) of the first temperature."""
    values = np.asarray(data[f"ome_{name}"], dtype=float)
    return np.asarray(values.reshape(levels, -1, 3, 3)[:, 0])


def _scan(
    title: str, known: dict[str, str], tensors: dict[str, Array], errors: dict[str, Array], units: dict[str, str]
) -> dict[str, Any] | None:
    """Curves of some quantities, of every element that does not vanish; the largest element first."""
    names = [name for name in known if name in tensors]
    if not names:
        return None
    leading = tensors[names[0]]
    size = np.nan_to_num(np.abs(np.stack([tensors[name] for name in names]))).max(axis=(0, 1))
    lead = np.nan_to_num(np.abs(leading)).max(axis=0)
    elements = [(i, j) for i, j in np.ndindex(3, 3) if size[i, j] > ROUNDING * size.max()]
    elements.sort(key=lambda e: -lead[e])
    factor, unit = prefixed([size.max()], units[f"ome_{names[0]}"])
    return {
        "title": title,
        "unit": unit,
        "elements": [
            {
                "name": AXES[i] + AXES[j],
                "curves": [
                    {"name": name, "colour": known[name], "y": _numbers(tensors[name][:, i, j] * factor)} for name in names
                ],
                "error": _numbers(errors[names[0]][:, i, j] * factor) if names[0] in errors else None,
            }
            for i, j in elements
        ],
    }


def _at_level(name: str, value: Array, error: Array | None, at: int, units: dict[str, str]) -> dict[str, Any]:
    """A tensor at one level as texts, its rows the axes of the moment; None where there is no component."""
    factor, unit = prefixed(value, units[f"ome_{name}"])
    rows = []
    for i in range(3):
        if np.isfinite(value[i]).any():
            cells = [_cell(value[i, j] * factor, None if error is None else error[at, i, j] * factor) for j in range(3)]
            rows.append({"moment": AXES[i], "cells": cells})
    return {"name": name, "unit": unit, "rows": rows}


def _cell(value: float, error: float | None) -> str | None:
    return with_error(value, error) if math.isfinite(value) else None


def with_error(value: float, error: float | None) -> str:
    """A number with three digits, or as many as its error leaves, and the error with two."""
    if error is None or not math.isfinite(error):
        return f"{value:.3g}".replace("-", MINUS)
    if error < 1e-3 * abs(value):
        return f"{value:.4g} ± {error:.1g}".replace("-", MINUS)
    if error == 0:
        return "0 ± 0"
    digits = min(max(1 - math.floor(math.log10(error)), 0), 4)
    small = abs(value) < 10.0**-digits and value != 0
    return (f"{value:.2g} ± {error:.2g}" if small else f"{value:.{digits}f} ± {error:.{digits}f}").replace("-", MINUS)


def _kmap(data: dict[str, Any]) -> dict[str, Any]:
    image = np.asarray(data["ome_kmap"], dtype=float)
    axis = np.linspace(-0.5, 0.5, len(image))
    return {"x": _numbers(axis), "z": [_numbers(line, 4) for line in image], "title": str(data.get("ome_kmap_of", ""))}


def _numbers(values: Array, digits: int = DIGITS) -> list[float | None]:
    """Rounded to significant digits; None for what is no number."""
    return [float(f"{x:.{digits}g}") if math.isfinite(x) else None for x in np.asarray(values, dtype=float).tolist()]


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
    found += [(key, _text(value)) for key, value in settings.items() if key not in skipped and key not in dict(found)]
    return found


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


__all__ = ["COLUMNS", "MINUS", "Content", "material", "of_database", "of_result", "with_error"]
