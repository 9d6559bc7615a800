"""What the commands `run` and `info` do, from settings to printed tables and files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import info, materials, symmetry
from ..adapters import wannier90_seed
from ..compute import compute
from ..errors import SettingsError
from ..files import whole
from ..kmesh import KMesh
from ..loading import Source, locate
from ..model import TightBinding
from ..result import save, table
from ..settings import PLOT_FORMATS, Settings
from . import lines, tables

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

Note = Callable[[str], None]

OUTPUT_FORMATS = {"output": (".nc",), "plot": PLOT_FORMATS, "csv": (".csv",)}


def run(settings: Settings, console: Console, note: Note) -> xr.Dataset:
    """Compute what the settings ask for, print it, write the files; `note` gets what was chosen and why.

    Raises
    ------
    OMEError, OSError : a user's mistake; files that cannot be written are found before computing.
    """
    check_outputs(settings)
    source = _source(settings)
    model = source.load(**_options(settings))
    settings = complete(settings, source, model, note)
    console.print(f"model   {lines.model_line(model)}", soft_wrap=True)
    console.print(f"mesh    {lines.mesh_line(settings)}", soft_wrap=True)
    console.print(f"Fermi   {lines.fermi_line(settings)}", soft_wrap=True)
    result = compute(model, **_arguments(settings), progress=console_is_watched())
    result.attrs |= {"settings": settings.to_json(), "source": str(source.seed)}
    mesh = info.coarse_mesh(model)
    within = info.gap_among(info.band_ranges(model, mesh), result["fermi"].values)
    _print_result(result, within, mesh, console)
    for path in write(result, settings, within):
        console.print(f"wrote {path}", soft_wrap=True)
    return result


def describe(settings: Settings, console: Console) -> None:
    """Print what a model holds; `settings` give its source, and perhaps filling and symmetry_tol."""
    source = _source(settings)
    model = source.load(**_options(settings))
    assert model.periodic is not None
    files = wannier90_seed.inspect(source.seed)
    said = [
        ("model", lines.model_line(model)),
        ("library", f"{source.entry.name}: {source.entry.title}" if source.entry else "no entry"),
        ("formula", lines.formula_line(model)),
        ("files", ", ".join(p.name for p in _paths(files))),
        ("position", "diagonal: the centres of the orbitals" if model.exact_position else "matrix elements <0i|r|Rj>"),
        (
            "wsvec",
            f"{files.wsvec.name} applied" if files.wsvec else "no _wsvec.dat: bands between the k points of DFT may suffer",
        ),
        ("R vectors", f"{len(model.R)}, reaching {', '.join(map(str, abs(model.R).max(axis=0)))} cells"),
        ("periodic", lines.periodic_line(model)),
        ("default mesh", " x ".join(map(str, KMesh.default(model.lattice, model.periodic).size))),
        ("Hermiticity", f"largest violation {model.hermiticity_error:.2g} eV or Angstrom"),
    ]
    if files.fermi_energy is not None:
        said.append(("fermi_energy", f"{files.fermi_energy:g} eV in {files.win.name if files.win else '.win'}"))
    for key, text in said:
        console.print(f"{key:13} {text}", soft_wrap=True)
    _print_bands(model, settings, source, console)
    tol = symmetry.SYMMETRY_TOL if settings.symmetry_tol is None else settings.symmetry_tol
    console.print(f"\nSymmetry of the Hamiltonian (holds: violated by less than {tol * 1e3:g} meV)")
    console.print(tables.symmetry_table(symmetry.operations(model), tol))


def check_outputs(settings: Settings) -> None:
    """Make sure that the files asked for can be written, before anything is computed.

    Raises
    ------
    SettingsError : a name whose ending says nothing, a folder that is missing or not writable, one name given twice.
    """
    asked = {key: Path(path) for key in OUTPUT_FORMATS if (path := getattr(settings, key))}
    for key, path in asked.items():
        if path.suffix.lower() not in OUTPUT_FORMATS[key]:
            raise SettingsError(f"{key} {path}: the name must end in {' or '.join(OUTPUT_FORMATS[key])}")
        if path.is_dir():
            raise SettingsError(f"{key} {path}: this is a folder")
        if not path.parent.is_dir():
            raise SettingsError(f"{key} {path}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise SettingsError(f"{key} {path}: the folder {path.parent} is not writable")


def complete(settings: Settings, source: Source, model: TightBinding, note: Note) -> Settings:
    """Settings with a mesh and Fermi levels, noting what was chosen and why.

    Raises
    ------
    SettingsError : no Fermi level is known.
    """
    entry = source.entry
    chosen: dict[str, Any] = {}
    if entry and entry.folder.parent == materials.library():  # a file of settings tells names from paths
        chosen = {"seed": None, "material": entry.name}
    if settings.kmesh is None:
        assert model.periodic is not None
        size = entry.kmesh if entry else KMesh.default(model.lattice, model.periodic).size
        why = f"recommended by the library entry {entry.name}" if entry else "by the size of the reciprocal cell"
        chosen["kmesh"] = size
        note(f"no --kmesh given: took {' '.join(map(str, size))}, {why}")
    if settings.fermi is None and settings.filling is None:
        chosen["fermi"], why = _known_fermi(source, model)
        note(f"no --fermi or --filling given: took {lines.fermi_line(settings.model_copy(update=chosen))}, {why}")
    return settings.model_copy(update=chosen)


def _known_fermi(source: Source, model: TightBinding) -> tuple[float | materials.Scan, str]:
    entry = source.entry
    if entry:
        return entry.scan or entry.fermi, f"from the library entry {entry.name}"
    files = wannier90_seed.inspect(source.seed)
    if files.fermi_energy is not None:
        return files.fermi_energy, f"fermi_energy of {files.win}"
    ranges = info.band_ranges(model, info.coarse_mesh(model))
    raise SettingsError(
        "no Fermi level is known: give --fermi (eV; one, or start:stop:number) or --filling (electrons per cell); "
        f"the bands reach from {ranges.min():.2f} to {ranges.max():.2f} eV, `ome-wannier info` shows their gaps"
    )


def write(result: xr.Dataset, settings: Settings, within: info.Gap | None) -> list[Path]:
    """Write the files that the settings ask for, each whole or not at all; return their paths."""
    if settings.output:
        save(result, settings.output)
    if settings.csv:
        whole(Path(settings.csv), lambda temporary: table(result).to_csv(temporary, index=False))
    if settings.plot:
        os.environ.setdefault("MPLBACKEND", "Agg")
        from .. import plotting

        if result.sizes["fermi"] > 1:
            plotting.fermi_scan(result, settings.plot, gap=(within.bottom, within.top) if within else None)
        else:
            plotting.tensor(result, path=settings.plot)
    return [Path(p) for p in (settings.output, settings.csv, settings.plot) if p]


def console_is_watched() -> bool:
    """Whether a progress bar on standard error is seen by someone."""
    return sys.stderr.isatty()


def _source(settings: Settings) -> Source:
    if settings.material is None:
        assert settings.seed is not None
        return locate(settings.seed)
    found = materials.entry(settings.material)
    return Source(found.folder / found.seed, found)


def _options(settings: Settings) -> dict[str, Any]:
    """Options of the loader."""
    given = {"spin_degeneracy": settings.spin_degeneracy, "spin_order": settings.spin_order}
    return {key: value for key, value in given.items() if value is not None}


def _arguments(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `compute`; tolerances that are not set keep their defaults."""
    temperature = settings.temperature
    given: dict[str, Any] = {
        "kmesh": settings.kmesh,
        "calculators": settings.calculators,
        "fermi": settings.levels(),
        "filling": settings.filling,
        "temperature": temperature if isinstance(temperature, float) else list(temperature),
        "tau": settings.tau,
        "memory": settings.memory,
        "include_chern_simons": settings.include_chern_simons,
    }
    tolerances = {"degeneracy_tol": settings.degeneracy_tol, "symmetry_tol": settings.symmetry_tol}
    return given | {key: value for key, value in tolerances.items() if value is not None}


def _print_result(result: xr.Dataset, within: info.Gap | None, mesh: KMesh, console: Console) -> None:
    plus_minus = "±" if "utf" in console.encoding.lower() else "+-"
    warm = result.isel(temperature=0) if "temperature" in result.dims else result
    first = f", the first of {result.sizes['temperature']}" if "temperature" in result.dims else ""
    for i in tables.shown_levels(result["fermi"].values, within):
        at = warm.isel(fermi=i)
        level = float(at["fermi"])
        place = ""
        if within and within.holds(level):
            on = " x ".join(map(str, mesh.size))
            place = f", in the gap {within.bottom:.3f} to {within.top:.3f} eV above band {within.bands} (on {on} points)"
        console.print(f"\nFermi level {level:.4f} eV{place}; {float(at['temperature']):g} K{first}", soft_wrap=True)
        for part in tables.tensor_tables(at, plus_minus):
            console.print(part)
    if result.sizes["fermi"] > tables.SHOWN_LEVELS:
        console.print(tables.extremes_table(warm, plus_minus))
    for text in lines.about_lines(result):
        console.print(text, soft_wrap=True)


def _print_bands(model: TightBinding, settings: Settings, source: Source, console: Console) -> None:
    mesh = info.coarse_mesh(model)
    ranges = info.band_ranges(model, mesh)
    filling = settings.filling
    if filling is None and source.entry:
        filling = source.entry.filling
    filled = None if filling is None else filling / model.spin_degeneracy
    if filled is not None and not 0 < filled < model.n_orbitals:
        capacity = model.n_orbitals * model.spin_degeneracy
        raise SettingsError(
            f"--filling {filling:g}: the bands of this model hold more than 0 and less than {capacity} electrons"
        )
    console.print(f"\nBands on a {' x '.join(map(str, mesh.size))} mesh")
    console.print(tables.band_table(ranges, filled))
    if filled is None:
        console.print("gap           give --filling (electrons per cell)")
    elif filled != round(filled):
        console.print(f"gap           none: {filling:g} electrons fill {filled:g} bands, a metal")
    else:
        top, bottom = info.gap(ranges, round(filled))
        kind = f"{bottom - top:.4f} eV" if bottom > top else f"none: the bands overlap by {top - bottom:.4f} eV"
        console.print(
            f"gap           {kind} ({top:.4f} to {bottom:.4f} eV) at {filling:g} electrons per cell, {filled:g} bands"
        )


def _paths(files: wannier90_seed.Companions) -> list[Path]:
    return [p for p in asdict(files).values() if isinstance(p, Path) and p != files.seed]
