"""What the first screen says of a result: what it is of, the largest response, what makes it, how sure it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calculators.registry import is_of_operator
from ..calculators.reported_units import ROUNDING
from ..common.errors import ModelError
from ..integration.occupation.fermi import REACH
from ..response.changes import OPEN, UNCOUNTED, percent
from ..response.result_files import quantities
from ..sources import library
from ..sources.library_entry import PREFIX, Entry
from . import elements, rows
from .largest import Point, in_reach
from .numbers import EXACT, NEGLIGIBLE
from .part_rows import by_part
from .rows import EXTRINSIC, Table
from .units import dimension_of

if TYPE_CHECKING:
    import xarray as xr

#: columns of numbers that fit a screen, and quantities besides the responses that are shown without being asked for
COLUMNS, OTHERS = 3, 6
#: the intrinsic response: the first of these that is there is explained
LEADING = ("total", "total_with_spin", "semiclassical", "spin")
#: quantities that a note names
NAMED = 3
#: why there is no point group of a k.p model
NO_GROUP = "not looked for: a k.p model has no atoms and no lattice"


@dataclass(frozen=True)
class Summary:
    """The answer on one screen: `print` it, or let a notebook show it.

    title : of what. facts : (key, text). tables : of numbers. notes : what they leave open. warnings : of the calculation.
    """

    title: str
    facts: list[tuple[str, str]]
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        from .text import text

        return text(self)

    def _repr_html_(self) -> str:
        from .html import fragment

        return fragment(self)


#: attributes that say how much some states change of a quantity: which these are, and what else there is to say
CHANGES = {
    "external_terms_change": ("states outside the Wannier functions", "external terms; --external off: without"),
    "basis_change": (
        "the bands left out by basis",
        "uncertainty of the basis: of what order more bands than there are would matter",
    ),
}


def summary(
    result: xr.Dataset, *, units: str | None = None, fermi: float | None = None, temperature: float | None = None
) -> Summary:
    """The answer on one screen: how large the response is, by which mechanism, and how sure that is.

    Parameters
    ----------
    result : from `compute`.
    units : of the responses, such as "mu_B/nm^2 per V/nm", "ps/m", "e2/h", "mu_B/cell per V/nm" or "SI" (see
        `units.convert_alpha`); by default SI with a prefix.
    fermi, temperature : eV and K, of which the nearest ones of the result are shown; by default all of up to three, and of a
        scan the level nearest that of the material, or the middle of its gap, or its own, and the largest response.

    Returns
    -------
    Summary : to be printed, or shown by a notebook.

    Raises
    ------
    ModelError : what is no result. SettingsError : a unit that does not exist.
    """
    if not (hasattr(result, "data_vars") and "fermi" in getattr(result, "coords", ())) or not quantities(result):
        raise ModelError(f"summary() takes a result of compute(), not {type(result).__name__}")
    points = _points(result, fermi, temperature)
    there = elements.distinct(result)
    leading = next((name for name in LEADING if name in there), None)
    extrinsic = [name for name in EXTRINSIC if name in there]
    tables = rows.intrinsic(result, leading, points, units) if leading else []
    shares, repeated = by_part(result, points, units)
    tables += rows.extrinsic(result, [name for name in extrinsic if name not in repeated], points, units)
    known = {leading, *extrinsic, *rows.PARTS, *rows.EXACT_PARTS, *rows.SPIN}
    others = [name for name in there if name not in known]
    rest = len([name for name in there if name not in {leading, *extrinsic, *rows.MECHANISMS}])
    if tables and len(others) > OTHERS:  # those of operators were asked for by name
        others = [name for name in others if is_of_operator(name)][:OTHERS]
    alone = [] if leading else [name for name in there if name in known and name not in extrinsic]
    beside = [name for name in (*alone, *others) if name not in repeated]
    title = f"{'others, ' if tables else ''}largest element of each"
    tables += rows.others(result, beside, points, units, title)
    tables += shares
    rest -= len(others)
    shown = [name for name in (leading, *extrinsic) if name is not None]
    partly = [name for name in shown if in_reach(result, name)]  # of others the table says why there is nothing
    notes = [*elements.legend(result, partly, undefined=False), *_notes(result, shown, beside, tables, max(rest, 0))]
    said = [str(text) for text in np.atleast_1d(result.attrs.get("warnings", []))]
    tables = [t for t in tables if t.rows or not t.columns]
    return Summary(title_of(str(result.attrs.get("model", ""))), _facts(result, points), tables, notes, said)


def reference(result: xr.Dataset) -> int:
    """Index of the level that stands for a scan: nearest that of the material where it is known and the scan has it, else the
    middle of the gap, else of the scan."""
    levels = result["fermi"].values
    gap = np.atleast_1d(result.attrs.get("gap_eV", []))
    middle = gap.mean() if len(gap) == 2 else (levels[0] + levels[-1]) / 2
    known = result.attrs.get("known_level_eV")
    if known is not None and levels[0] <= known <= levels[-1]:
        middle = known
    return int(np.argmin(abs(levels - middle)))


def _points(result: xr.Dataset, fermi: float | None, temperature: float | None) -> list[Point]:
    """Levels and temperatures that are shown, and of a scan the place of the largest response, None."""
    levels = result["fermi"].values
    temperatures = np.atleast_1d(result["temperature"].values)
    if fermi is not None:
        chosen = [int(np.argmin(abs(levels - fermi)))]
    else:
        chosen = list(range(len(levels))) if len(levels) <= COLUMNS else [reference(result)]
    warm = list(range(len(temperatures)))
    if temperature is not None:
        warm = [int(np.argmin(abs(temperatures - temperature)))]
    if len(chosen) * len(warm) > COLUMNS:
        chosen = [reference(result)] if fermi is None else chosen
    if len(warm) > COLUMNS:
        warm = [0, len(warm) // 2, len(warm) - 1]
    found = [Point(i, j) for i in chosen for j in warm]
    whole = len(chosen) < len(levels) and fermi is None
    return [*found, Point(None, None)] if whole and len(found) < COLUMNS else found


def title_of(model: str) -> str:
    """What the model of this name is called: with the title of its entry where it is from the library."""
    entry = _entry(model)
    return f"{model.removeprefix(PREFIX)}: {entry.title}" if entry else model or "unnamed model"


def _entry(model: str) -> Entry | None:
    """The entry of the library that a model of this name is from."""
    name = model.removeprefix(PREFIX).split(" (")[0]
    return library.entry(name) if model.startswith(PREFIX) and name in library.names() else None


def _facts(result: xr.Dataset, points: Sequence[Point]) -> list[tuple[str, str]]:
    about = result.attrs
    d, electrons = dimension_of(result), int(about.get("spin_degeneracy", 1))
    per_band = {1: "one electron per band", 2: "two electrons per band (no spin)"}.get(electrons, f"{electrons} per band")
    facts = [("model", f"{d} periodic direction{'s' * (d != 1)}, {per_band}")]
    facts.append(("Fermi level", _levels(result, points)))
    temperatures = np.atleast_1d(result["temperature"].values)
    warm = f"{', '.join(f'{t:g}' for t in temperatures)} K"
    if len(temperatures) > COLUMNS:
        warm = f"{temperatures[0]:g} to {temperatures[-1]:g} K in {len(temperatures)} temperatures"
    facts.append(("temperature", warm + _tau(about)))
    facts.append(("k points", sampling(result)))
    if about.get("symmetry_group"):
        noisy = about.get("symmetry_exact_group") not in (None, about["symmetry_group"])
        how = f" (exactly {about['symmetry_exact_group']}; what the others change is in the errors)" if noisy else ""
        used = " (not used)" if about.get("symmetry") == "off" else how
        facts.append(("point group", f"{about['symmetry_group']}{used}"))
    elif "PolarMesh" in str(about.get("kmesh")):
        facts.append(("point group", NO_GROUP))
    entry = _entry(str(about.get("model", "")))
    return [*facts, ("caution", entry.caution)] if entry and entry.caution else facts


def _tau(about: Mapping[str, Any]) -> str:
    """The relaxation time, or that it is a function."""
    if "tau_fs" not in about:
        return ""
    if "tau_of_energy" not in about:
        return f"; tau = {about['tau_fs']:.4g} fs"
    said = str(about["tau_of_energy"])
    if said.startswith(f"tau is {about['tau_fs']:.4g} fs at "):  # which is the time at the first level too
        return f"; {said}"
    how = said if said.startswith("tau is ") else "a function of the energy"
    return f"; tau = {about['tau_fs']:.4g} fs at the first level: {how}"


def _levels(result: xr.Dataset, points: Sequence[Point]) -> str:
    levels, about = result["fermi"].values, result.attrs
    chosen = list(dict.fromkeys(p.level for p in points if p.level is not None))
    place = list(np.atleast_1d(about.get("level_place", [])))
    texts = [f"{levels[i]:.4f} eV" + (f" {place[i]}" if len(place) == len(levels) else "") for i in chosen]
    if "filling_level" in about:
        texts.append(str(about["filling_level"]))
    if len(chosen) < len(levels):
        texts.append(f"{len(levels)} levels from {levels[0]:g} to {levels[-1]:g} eV{_stands_for(result, chosen)}")
    return "; ".join(texts)


def _stands_for(result: xr.Dataset, chosen: Sequence[int]) -> str:
    """What a level of a scan is that is shown because it is the nearest to that of the material, but not that."""
    known, levels = result.attrs.get("known_level_eV"), result["fermi"].values
    if known is None or not levels[0] <= known <= levels[-1] or list(chosen) != [int(np.argmin(abs(levels - known)))]:
        return ""
    same = f"{levels[chosen[0]]:.4f}" == f"{known:.4f}"
    return "" if same else f", this nearest to the material's {known:.4f} eV"


def sampling(result: xr.Dataset) -> str:
    """Mesh or tolerance, and whether it was reached."""
    about = result.attrs
    size = re.search(r"size=\((\d+), (\d+), (\d+)\)", str(about.get("kmesh", "")))
    if "rtol" in about:
        failed = str(about.get("not_converged") or "").split("; ")
        more = f" and {len(failed) - 1} more" if failed[1:] else ""
        missed = f"NOT reached for {failed[0]}{more}" if failed[0] else "reached"
        zero = f"; counted as zero: {about['counted_as_zero']}" if about.get("counted_as_zero") else ""
        mesh = f", most of a {' x '.join(size.groups())} mesh, as cells would be too many" if size else ""
        return f"rtol = {about['rtol']:g} {missed} with {about.get('k_points', '?')} points{mesh}{zero}"
    if size is None:
        return _rays(str(about.get("kmesh", "not recorded")))
    mesh = " x ".join(size.groups())
    return f"{mesh}, {int(np.prod([int(n) for n in size.groups()]))} points"


def _rays(mesh: str) -> str:
    """A mesh of a k.p model in words."""
    found = re.fullmatch(r"PolarMesh\(n_angle=(\d+), n_radial=(\d+), cutoff=(\S+)\)", mesh)
    if found is None:
        return mesh
    reach = "to infinity" if found[3] == "inf" else f"up to {found[3]} 1/angstrom"
    return f"{found[1]} rays of {found[2]} points, {reach}"


def _notes(result: xr.Dataset, shown: Sequence[str], others: Sequence[str], tables: Sequence[Table], rest: int) -> list[str]:
    notes = [note for table in tables for note in table.notes]
    if unsure := [note.removesuffix(rows.UNSURE) for note in notes if note.endswith(rows.UNSURE)]:
        said = list(dict.fromkeys(unsure))
        together = (", ".join(said) if len(said) <= NAMED else f"{', '.join(said[:2])} and {len(said) - 2} more") + rows.UNSURE
        notes = [together, *(note for note in notes if not note.endswith(rows.UNSURE))]
    for name in shown:
        diagonal = {"xx", "yy", "zz"} & set(elements.allowed(result[name]))  # what is left out is isotropic
        if "left_out" in result[name].attrs and diagonal:
            notes.append(f"{elements.said(name)} leaves out: {result[name].attrs['left_out']}")
    notes += _changes(result, shown, others)
    notes += _across(result, tables)
    texts = [text for table in tables for text in (*table.columns, *(cell for _, cells in table.rows for cell in cells))]
    if any(text.endswith((f"{rows.END})", f", {rows.END}")) for text in texts):
        notes.append(f"{rows.END}: the first or last level, beyond which it may be larger: widen the scan")
    if result.attrs.get("fermi_surface"):
        notes.append(str(result.attrs["fermi_surface"]))
    if any(EXACT in cell for table in tables for _, cells in table.rows for cell in cells):
        surface = f"of a Fermi surface: no band within {REACH:.0f} k_BT"
        notes.append(f"{EXACT}: every term is zero ({surface}), or known in closed form")
    if any(NEGLIGIBLE in cell for table in tables for _, cells in table.rows for cell in cells):
        notes.append(f"{NEGLIGIBLE}: with its error below {ROUNDING:g} of the natural unit (e^2/hbar, eV, Å), as rounding is")
    if any("±" in cell for table in tables for _, cells in table.rows for cell in cells):
        notes.append("±: numerical error of the calculation, not of DFT or its Wannier functions")
    if rest:
        notes.append(f"{rest} more quantities: --all, or ome.table(result)")
    return list(dict.fromkeys(notes))


def _changes(result: xr.Dataset, shown: Sequence[str], others: Sequence[str]) -> list[str]:
    """How much some states change the responses, or what else is shown where they take part in none of these."""
    notes = []
    for attribute, (states, more) in CHANGES.items():
        if attribute not in result.attrs:
            continue
        about = {name: result[name].attrs[attribute] for name in (*shown, *others) if attribute in result[name].attrs}
        use = [name for name in shown if name in about] or [name for name in others if name in about][:NAMED]
        if not use:
            notes.append(f"{states} change nothing that is shown here")
            continue
        known = [f"{elements.said(name)} by {percent(about[name])}" for name in use if np.isfinite(about[name])]
        unsure = [elements.said(name) for name in use if not np.isfinite(about[name])]
        said = f"{states} change {', '.join(known)}" if known else f"what {states} change is "
        said += f"{'; ' if known else ''}open for {', '.join(unsure)}: {OPEN}" if unsure else ""
        missing = f"; {UNCOUNTED}" if UNCOUNTED in result.attrs[attribute] else ""
        notes.append(f"{said}{missing} ({more})")
    return notes


def _across(result: xr.Dataset, tables: Sequence[Table]) -> list[str]:
    """What a field across a layer or chain is, where a table has a response to one."""
    field = str(result.attrs.get("gate_field", "")).partition(" is ")[0]
    if not field or not any(name in table.title for table in tables for name in field.split(", ")):
        return []
    gate = str(result.attrs.get("gate", "")).partition(":")[0]
    stays = {"density": "the number of electrons stays", "level": "the Fermi level stays"}.get(gate, gate)
    return [f"{field}: across, as of a gate; not screened, {stays} (gate)"]


def check_units(units: str | None, dimension: int) -> None:
    """Refuse a unit that does not exist before anything is computed. SettingsError lists those there are."""
    from .units import checked

    if units is not None:
        checked(units, dimension)
