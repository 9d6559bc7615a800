"""Lines that the command line prints about a model and a run."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from ..common.units import convert_alpha
from ..models.alignment import axis_names
from ..models.base import Lattice
from ..models.kdotp import KDotP
from ..models.tight_binding import TightBinding
from ..runs.settings import Settings
from ..sources.library_entry import STATUS, Entry, Scan

if TYPE_CHECKING:
    import xarray as xr


def model_line(model: Lattice | KDotP) -> str:
    """Name, size and spin of a model."""
    known = {1: "one electron per band (spinors, or no spin counted)", 2: "two electrons per band (no spin)"}
    spin = known.get(model.spin_degeneracy, f"{model.spin_degeneracy} electrons per band (spin and valleys)")
    return f"{model.name}, {model.size}, {spin}, {model.dimension} periodic directions"


def entry_lines(entry: Entry) -> list[str]:
    """What a library entry says, but for its citations."""
    hidden = ("citations", "reference", "name", "parameters", "status", "half_filled")
    about = [(field.name, getattr(entry, field.name)) for field in fields(entry) if field.name not in hidden]
    about.append(("status", STATUS[entry.status]))
    about += [("parameter", parameter) for parameter in entry.parameters]
    about += [("reference", value) for value in entry.reference]
    return [f"{key:9} {value}" for key, value in about if value not in (None, "")]


def fermi_line(settings: Settings) -> str:
    """The Fermi levels, or the filling that determines them."""
    fermi = settings.fermi
    if fermi is None:
        return f"level of {settings.filling:g} electrons per cell"
    if isinstance(fermi, Scan):
        return f"{fermi.start:g} to {fermi.stop:g} eV in {fermi.number} levels"
    return f"{', '.join(f'{level:g}' for level in np.atleast_1d(fermi))} eV"


def formula_line(model: TightBinding) -> str:
    """Chemical formula in the order of Hill."""
    if model.structure is None:
        return "unknown (the atoms are not given)"
    from ase.symbols import Symbols

    return str(Symbols(list(model.structure.numbers)).formula.format("hill"))


def periodic_line(model: Lattice) -> str:
    """The periodic directions and the size of the cell in them."""
    on = [str(j + 1) for j in range(3) if model.periodic[j]]
    size = {3: "volume {:.3f} A^3", 2: "area {:.3f} A^2", 1: "length {:.3f} A", 0: "no cell"}[model.dimension]
    axes = "".join(axis_names(model.frame)[a] for a in model.axes)
    return f"along lattice vectors {', '.join(on) or 'none'} ({axes}), {size.format(model.cell)}"


def about_lines(result: xr.Dataset) -> list[str]:
    """What the numbers mean: index order, other units, error, what is left out."""
    variables = {str(name): v.attrs for name, v in result.data_vars.items()}
    order = next((f"index order: {a['index_order']}" for a in variables.values() if "index_order" in a), "")
    other = conversion_line(result.attrs["periodic"].count("T")) if order else ""
    error = f"error: {result.attrs['error_estimate']}{convergence(result)}"
    left_out: dict[str, list[str]] = {}
    for name, attrs in variables.items():
        if "left_out" in attrs:
            left_out.setdefault(attrs["left_out"], []).append(name)
    more = [f"left out of {', '.join(names)}: {note}" for note, names in left_out.items()]
    surface = result.attrs.get("fermi_surface", "")
    left = f"left out: {result.attrs['left_out']}"
    of = {"external_terms_change": "external terms: states outside the basis", "basis_change": "basis: bands left out by basis"}
    changed = [
        f"{what} change, of the largest element, {result.attrs[name]}" for name, what in of.items() if name in result.attrs
    ]
    about = (*layer_lines(result), *symmetry_lines(result))
    known = (level_line(result), surface, order, other, *about, error, *changed, left, *more)
    return [text for text in known if text]


def layer_lines(result: xr.Dataset) -> list[str]:
    """What the elements of a layer depend on, and why some are missing; nothing of other models."""
    about = result.attrs
    said = [f"gate: {about['gate']}; {about['gate_field']}", f"origin: {about['origin']}"] if "gate" in about else []
    missing: dict[str, list[str]] = {}
    for name, variable in result.data_vars.items():
        if "missing" in variable.attrs:
            missing.setdefault(variable.attrs["missing"], []).append(str(name))
    return said + [f"missing in {', '.join(names)}: {reason}" for reason, names in missing.items()]


def level_line(result: xr.Dataset) -> str:
    """What a level that a filling has is, and how sure; empty for levels that were given."""
    return f"level: {result.attrs['filling_level']}" if "filling_level" in result.attrs else ""


def convergence(result: xr.Dataset) -> str:
    """Whether a result that was to converge by itself did."""
    about = result.attrs
    if "rtol" not in about:
        return ""
    missed = f"not for {about['not_converged']}" if about["not_converged"] else "for all elements that symmetry allows"
    if about.get("counted_as_zero"):
        missed += f", counted as zero: {about['counted_as_zero']}"
    return f"; converged to rtol = {about['rtol']:g} {missed}; {about['k_points']} k points, {about['kmesh']}"


def symmetry_lines(result: xr.Dataset) -> list[str]:
    """The point group and the points that it left, what is imposed but for noise, and what is broken; none for k.p models."""
    about = result.attrs
    if "symmetry_group" not in about:
        return []
    points = f"{about.get('k_points', about.get('irreducible_points'))} k points"
    used = "not used" if about["symmetry"] == "off" else about["symmetry_imposed"] or f"point group {about['symmetry_group']}"
    exact = f"; {_symmetrize(result)} makes Wannier functions that have it to rounding" if about["symmetry_imposed"] else ""
    return [f"symmetry: {used}; {points}{exact}", broken_line(result)]


def broken_line(result: xr.Dataset) -> str:
    """Symmetries of the atoms that the Hamiltonian breaks, by how much, which responses that touches, and the remedy."""
    broken = result.attrs.get("symmetry_broken")
    return f"symmetry: {broken}; if it is not meant to, {_symmetrize(result)} --moments FILE restores it" if broken else ""


def _symmetrize(result: xr.Dataset) -> str:
    """The command that makes the model of a result symmetric."""
    settings = json.loads(result.attrs.get("settings", "{}"))
    return f"ome-wannier symmetrize {settings.get('material') or settings.get('seed') or 'SEED'} -o NEW"


def conversion_line(dimension: int) -> str:
    """The reported unit of alpha in the other units in use; empty where there are none."""
    if dimension == 3:
        return f"1 nA/V = {convert_alpha(1e-9, 'ps/m', 3):.4g} ps/m (mu_0 alpha) = {convert_alpha(1e-9, 'e2/h', 3):.4g} e^2/h"
    if dimension == 2:
        per_field = convert_alpha(1e-15, "mu_B/nm^2 per V/nm", 2)
        return f"1 fA m/V = {convert_alpha(1e-15, 'e2/h', 2):.4g} e^2/h Angstrom = {per_field:.4g} mu_B/nm^2 per V/nm"
    return ""
