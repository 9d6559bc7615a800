"""What the command `info` does: prints what a model is made of, its bands and its symmetries."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..adapters.wannier90 import loader as wannier90
from ..adapters.wannier90 import seed as wannier90_seed
from ..adapters.wannier90.wsvec import read_wsvec
from ..calculators.blocks import element_axes
from ..calculators.registry import defaults, first_observable, get, resolve
from ..calculators.weights import component_names
from ..integration.band_ranges import Look
from ..integration.filling import Level, full_bands
from ..integration.hamiltonian_symmetry import Group, among
from ..integration.symmetry_violations import operations
from ..models.alignment import axes_line, axis_names
from ..models.base import Lattice, Model, has_zone
from ..models.tight_binding import TightBinding, is_tight_binding
from ..presentation.content import NO_GROUP, title_of
from ..presentation.elements import legend_of
from ..response.elements import about as marks
from ..response.imposed_symmetry import broken_line
from ..runs.plan import default_mesh, known_level, level_of_filling, loader_options, source_of
from ..runs.settings import Settings
from ..sources.library_entry import STATUS
from ..sources.load import Source
from ..symmetry.operations import names_in, symbol
from ..symmetry.tensors import projector, relations
from . import lines, tables

if TYPE_CHECKING:
    from rich.console import Console


def describe(settings: Settings, console: Console) -> None:
    """Print what a model is, its gap, which responses its symmetry allows and what to run next; with `all` the rest too.

    `settings` give its source, and perhaps a filling.
    """
    source = source_of(settings)
    model = source.load(**loader_options(settings))
    console.print(title_of(model.name), soft_wrap=True)
    _say(console, [("model", lines.model_line(model))])
    if not has_zone(model):
        _say(console, [("k.p", f"a function of k in {model.dimension} dimensions, integrated along rays to infinity")])
        _say(console, [("point group", NO_GROUP), *_known(model, settings, source)])
        _say(console, _next(settings, ["run {}"]) if not settings.all else _origin(source, settings))
        return
    _say(console, [("periodic", lines.periodic_line(model))])
    if model.frame is not None:
        _say(console, [("axes", f"{axes_line(model.frame)} in yours: it was rotated; results are in yours")])
    look, level = Look.at(model), _level(model, settings, source)
    _say(console, [*_gap(model, level, settings, source), *_known(model, settings, source)])
    if source.entry and source.entry.caution:
        _say(console, [("caution", source.entry.caution)])
    candidates = operations(model)
    group = among(model, candidates)
    _print_allowed(model, group, console)
    if not settings.all:
        fermi = "" if known_level(model, source) or settings.filling is None else f" --filling {settings.filling:g}"
        fermi = fermi if known_level(model, source) or fermi else " --filling ELECTRONS"
        _say(console, _next(settings, [f"run {{}}{fermi}", "info {} --all"]))
        return
    _say(console, [("default mesh", " x ".join(map(str, default_mesh(model, source)[0].size))), *_origin(source, settings)])
    if is_tight_binding(model):
        _say(console, _matrices(model, source, settings))
    _print_bands(model, look, level, settings, source, console)
    console.print("\nSymmetry of the Hamiltonian (violation: root mean square of the changes of band energies)")
    console.print(tables.symmetry_table(candidates, group, names_in(candidates, model.frame)))
    broken = broken_line(model, resolve(defaults(model.has_spin))[0], group)
    if broken:
        _say(console, [("broken", broken), *_next(settings, ["symmetrize {} -o NEW --moments FILE"])])


def _say(console: Console, said: list[tuple[str, str]]) -> None:
    for key, text in said:
        console.print(f"{key:13} {text}", soft_wrap=True)


def _next(settings: Settings, commands: list[str]) -> list[tuple[str, str]]:
    """What to run next, with the name that the model was asked for by."""
    given = (f" -p {name}={value}" for name, value in (settings.parameters or {}).items())
    name = f"{settings.material or settings.seed}{''.join(given)}"
    return [("next" if i == 0 else "", f"ome-wannier {c.format(name)}") for i, c in enumerate(commands)]


def _print_allowed(model: Lattice, group: Group, console: Console) -> None:
    """Print which elements of the responses a group leaves, and what forbids the others."""
    kinds = {"intrinsic": "total", "extrinsic": "extrinsic"} if element_axes(model, "total")["moment"] else {}
    if model.has_spin and len(model.moments) < 3:
        kinds |= {"intrinsic spin": "spin", "extrinsic spin": "spin_extrinsic"}
    said, why = [], []
    for label, name in kinds.items():
        observable, along = first_observable(get(name)), element_axes(model, name)
        found = relations(observable, group.operations, along)
        exact = np.asarray(projector(observable, group.exact, along).any(axis=1))
        said.append(tables.allowed_table(label, observable.dims, along, found, exact, axis_names(model.frame)))
        why += legend_of(label, marks(model, get(name), group), component_names(observable.dims, along))
    if said:
        about = f"{symbol(group.operations, model.lattice)}, {len(group.operations)} operations"
        about += f" ({tables.NOISY}: not by the {len(group.exact)} that hold to rounding)" if group.noisy else ""
        console.print(f"\nElements that the point group allows: {about}; each as its independent ones, moment first")
        for table in said:
            console.print(table)
        for line in why:
            console.print(line, soft_wrap=True)


def _origin(source: Source, settings: Settings) -> list[tuple[str, str]]:
    """Library entry, its parameters, and files, as they are printed."""
    entry = source.entry
    said = [("library", f"{entry.name}: {entry.title}" if entry else "no entry")]
    if entry:
        said += [("status", f"{STATUS[entry.status]}; `ome-wannier materials {entry.name}` says more")]
        said += [("parameter", str(p)) for p in entry.used(settings.parameters or {})]
    if source.adapter != "wannier90":
        return said if source.adapter is None else [*said, ("files", f"{source.seed} ({source.adapter})")]
    files = wannier90_seed.inspect(source.seed)
    said.append(("files", ", ".join(p.name for p in _paths(files))))
    said.append(("wsvec", _wsvec_line(files.wsvec, settings.use_wsvec)))
    if files.fermi_energy is not None:
        said.append(("fermi_energy", f"{files.fermi_energy:g} eV in {files.win.name if files.win else '.win'}"))
    return said


def _wsvec_line(file: Path | None, use: bool | None) -> str:
    """Whether `_wsvec.dat` is applied, as the loader decides."""
    if file is None:
        return "no _wsvec.dat: bands between the k points of DFT may suffer"
    if use is None:
        use = read_wsvec(file)[0]
        return f"{file.name} {'applied' if use else 'not applied: its header has use_ws_distance=.false.'}"
    return f"{file.name} {'applied' if use else 'not applied, as asked'}"


def _matrices(model: TightBinding, source: Source, settings: Settings) -> list[tuple[str, str]]:
    """What the matrices of a model are like, as it is printed."""
    position = "diagonal: the centres of the orbitals" if model.exact_position else "matrix elements <0i|r|Rj>"
    if source.adapter == "wannier90" and settings.centres is None and model.external is None:
        moved = wannier90.corrections(source.seed, settings.win, settings.lattice)
        if moved.any():
            count = f"{np.count_nonzero(moved)} of {len(moved)} functions"
            position += f", corrected for {count} by up to {moved.max():.3g} A: on the branch of _centres.xyz"
    entry = source.entry
    # builders may tell atoms of different energies apart by their numbers, so that symmetries do not mix them
    built = entry.formula if entry and entry.builder else ""
    return [
        ("formula", built or lines.formula_line(model)),
        ("position", position),
        ("spin", "operator known" if model.has_spin else "no operator"),
        *([("outside", "external terms known, and positions with them")] if model.external is not None else []),
        ("R vectors", f"{len(model.R)}, reaching {', '.join(map(str, abs(model.R).max(axis=0)))} cells"),
        ("Hermiticity", f"largest violation {model.hermiticity_error:.2g} eV or Angstrom"),
    ]


def _filling(model: Lattice, settings: Settings, source: Source) -> float | None:
    """Electrons per cell, as given or as the library knows them."""
    return source.entry.electrons(model) if settings.filling is None and source.entry else settings.filling


def _level(model: Lattice, settings: Settings, source: Source) -> Level | None:
    filling = _filling(model, settings, source)
    return None if filling is None else level_of_filling(replace(settings, filling=filling), model, source)


def _gap(model: Lattice, level: Level | None, settings: Settings, source: Source) -> list[tuple[str, str]]:
    """The gap above the bands that are filled, and the level."""
    filling = _filling(model, settings, source)
    if filling is None or level is None:
        return [("gap", "give --filling (electrons per cell)")]
    filled, gap = full_bands(model, filling), level.gap
    if gap is None:
        text = f"none: {filling:g} electrons fill {filled:g} bands, a metal"
    else:
        n, ends = gap.bands, f"{gap.bottom:.4f} to {gap.top:.4f} eV"
        kind = f"{gap.width:.4f} eV ({ends})"
        if gap.width <= 0:
            kind = f"none: band {n} ends at {gap.bottom:.4f} eV, {n + 1} begins at {gap.top:.4f} eV, {-gap.width:.4f} eV below"
        text = f"{kind}; {filling:g} electrons per cell fill {filled:g} bands"
    return [("gap", text), ("level", f"{level.value:.4f} eV {level.about()['filling_level']}")]


def _known(model: Model, settings: Settings, source: Source) -> list[tuple[str, str]]:
    """The level that the library or the files name, which need not be that of the filling, and the scan that `run` takes."""
    known = known_level(model, source)
    if known is None:
        return []
    taken = lines.fermi_line(replace(settings, fermi=known.scan or known.level, filling=None))
    return [("Fermi level", f"{known.level:.4f} eV, {known.origin}; run takes {taken}")]


def _print_bands(model: Lattice, look: Look, level: Level | None, settings: Settings, source: Source, console: Console) -> None:
    filling = _filling(model, settings, source)
    filled = None if filling is None else full_bands(model, filling)
    gap, ranges = level.gap if level else None, look.ranges.copy()
    if gap:
        ranges[gap.bands - 1, 1], ranges[gap.bands, 0] = gap.bottom, gap.top
    console.print(f"\nBands on a {' x '.join(map(str, look.mesh.size))} mesh")
    console.print(tables.band_table(ranges, filled))


def _paths(files: wannier90_seed.Companions) -> list[Path]:
    return [p for p in asdict(files).values() if isinstance(p, Path) and p != files.seed]
