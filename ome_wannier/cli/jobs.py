"""What the commands `run` and `convert` do, from settings to printed tables and files."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..common import executors
from ..common.errors import SettingsError, kept_warnings
from ..common.safe_write import place
from ..integration.band_ranges import Look
from ..integration.filling import full_bands
from ..integration.level_place import places
from ..models.base import Lattice, Model, has_zone
from ..presentation.content import check_units, summary, title_of
from ..presentation.elements import legend
from ..presentation.long_table import origin_table, table, write_csv
from ..presentation.text import text
from ..response.compute import compute
from ..response.result_files import quantities, save
from ..runs.plan import arguments, basis_options, default_mesh, known_level, model_of, neutral_electrons, source_of
from ..runs.settings import Settings
from ..sources import library
from ..sources.convert import convert as write_model
from ..sources.load import Source
from . import lines, tables
from .streams import in_one_place

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.console import Console

Note = Callable[[str], None]

#: seconds after which a run says what takes less
LONG = 20.0
#: suffixes that a picture may have
PLOT_FORMATS = (".png", ".pdf", ".svg", ".jpg")
OUTPUT_FORMATS = {"output": (".nc",), "plot": PLOT_FORMATS, "csv": (".csv",)}


def run(settings: Settings, console: Console, note: Note) -> xr.Dataset:
    """Compute what the settings ask for, print it, write the files; `note` gets what was chosen and why.

    Raises
    ------
    OMEError, OSError : a user's mistake; files that cannot be written are found before computing.
    """
    for key, endings in OUTPUT_FORMATS.items():
        check_output(key, getattr(settings, key), endings)
    with kept_warnings() as said:
        source = source_of(settings)
        model = model_of(source, settings)
        check_units(settings.units, model.dimension)
        settings = complete(settings, source, model, note)
        console.print(title_of(model.name), soft_wrap=True)  # before what may take long
        _watched(settings, console)
        result = _computed(model, settings, note)
    result.attrs |= {"settings": settings.to_json(), "source": str(source.seed)} | ({"warnings": said} if said else {})
    if has_zone(model):
        result.attrs |= _places(model, result, settings, source)
    written, failures = write(result, settings)  # before printing, which may end early: ... | head
    _print_result(result, settings, console)
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True)
    for failure in failures:  # after the numbers, which would be lost
        raise failure
    return result


def _computed(model: Model, settings: Settings, note: Note) -> xr.Dataset:
    """The result; what a checkpoint keeps of a run that is interrupted is said."""
    try:
        with _executor(settings) as executor, _hint(settings, note):
            return compute(model, **arguments(settings), progress=True, executor=executor)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM
        if settings.checkpoint and Path(settings.checkpoint).exists():
            note(f"kept {settings.checkpoint}: the same command with --resume goes on from there")
        raise


@contextmanager
def _hint(settings: Settings, note: Note) -> Iterator[None]:
    """Say once, where it takes long, what takes less."""
    ways = ["a smaller --kmesh"]
    if settings.rtol is not None:
        scan = settings.fermi is not None and not isinstance(settings.fermi, float)
        ways = ["fewer --calculators, such as total"] * (settings.calculators is None)
        ways += ["one --fermi level"] * scan + ["a larger --rtol", "--max-time SECONDS, which ends it"]
    ways += ["--workers N"] if not (settings.workers or settings.dask or settings.mpi) else []
    text = f"this takes more than {LONG:.0f} s; what takes less: {', '.join(ways)}"
    timer = threading.Timer(LONG, note, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _places(model: Lattice, result: xr.Dataset, settings: Settings, source: Source) -> dict[str, Any]:
    """What to record of where the levels lie: the widest gap that holds one of them, and each in words."""
    filling = source.entry.electrons(model) if settings.filling is None and source.entry else settings.filling
    filled = None if filling is None else full_bands(model, filling)
    look, levels = Look.at(model), result["fermi"].values
    found = places(look, levels.tolist(), filled)
    within = look.gap_among(levels)
    gap = {} if within is None else {"gap_eV": [within.bottom, within.top], "gap_above_band": within.bands}
    known = known_level(model, source)
    level = {} if known is None else {"known_level_eV": known.level}
    neutral = neutral_electrons(model, source)
    level |= {} if neutral is None else {"neutral_electrons": neutral}
    return gap | level | {"level_place": [place.text(model.dimension) for place in found]}


def _watched(settings: Settings, console: Console) -> None:
    """End here if nobody wants what is to be computed: no file is asked for, and standard output is no longer read."""
    lost = getattr(console.file, "lost", None)
    if lost is not None and not any((settings.output, settings.csv, settings.plot, settings.checkpoint)):
        raise typer.Exit  # `main` knows why


def convert(
    settings: Settings, target: str, kind: str | None, write_spin_order: str | None, overwrite: bool, console: Console
) -> None:
    """Write the model that the settings name for another program, and print the paths."""
    model = source_of(settings).load(**basis_options(settings))
    for path in write_model(model, target, kind, write_spin_order=write_spin_order, overwrite=overwrite):
        console.print(f"wrote {path}", soft_wrap=True)


def check_output(key: str, name: str | None, endings: tuple[str, ...]) -> None:
    """Make sure that the file which the setting `key` asks for can be written, before anything is computed.

    Raises
    ------
    SettingsError : a name whose ending says nothing, a folder that is missing or not writable.
    """
    if not name:
        return
    path = Path(name)
    if path.suffix.lower() not in endings:
        raise SettingsError(f"{key} {path}: the name must end in {' or '.join(endings)}")
    try:
        place(path)
    except OSError as error:
        raise SettingsError(f"{key} {path}: {error.strerror}") from error


def complete(settings: Settings, source: Source, model: Model, note: Note) -> Settings:
    """Settings with a mesh and Fermi levels, noting what was chosen and why.

    Raises
    ------
    SettingsError : no Fermi level is known.
    """
    entry = source.entry
    chosen: dict[str, Any] = {}
    if entry and entry.folder.parent == library.library():  # a file of settings tells names from paths
        chosen = {"seed": None, "material": entry.name}
    if settings.kmesh is None and settings.rtol is None and has_zone(model):
        mesh, why = default_mesh(model, source)
        chosen["kmesh"] = mesh.size
        note(f"no --kmesh given: took {' '.join(map(str, mesh.size))}, {why}")
    if settings.carriers is not None and settings.fermi is None and settings.filling is None and entry is not None:
        chosen["filling"] = entry.electrons(model)
        note(f"no --filling given: --carriers are added to the {chosen['filling']:g} electrons of the library entry")
    elif settings.fermi is None and settings.filling is None:
        known = known_level(model, source)
        if known is None:
            assert has_zone(model)  # others come from the library
            ranges = Look.at(model).ranges
            raise SettingsError(
                "no Fermi level is known: give --fermi (eV; one, or start:stop:number) or --filling (electrons per cell); "
                f"the bands reach from {ranges.min():.2f} to {ranges.max():.2f} eV, `ome-wannier info` shows their gaps"
            )
        chosen["fermi"] = known.scan or known.level
        note(f"no --fermi or --filling given: took {lines.fermi_line(replace(settings, **chosen))}, {known.origin}")
    return replace(settings, **chosen)


def write(result: xr.Dataset, settings: Settings) -> tuple[list[Path], list[OSError | SettingsError]]:
    """Write the files that the settings ask for, each whole or not at all; the paths, and why others could not be written."""
    ways: list[tuple[str | None, Callable[[str], object]]] = [
        (settings.output, lambda path: save(result, path)),
        (settings.csv, lambda path: write_csv(path, *_tables(result, settings))),
        (settings.plot, lambda path: _draw(result, path, settings)),
    ]
    written: list[Path] = []
    failures: list[OSError | SettingsError] = []
    for path, way in ways:
        if not path:
            continue
        try:
            way(path)
        except (OSError, SettingsError) as error:
            failures.append(error)
        else:
            written.append(Path(path))
    return written, failures


def _tables(result: xr.Dataset, settings: Settings) -> list[pd.DataFrame]:
    """The numbers of a result as text has them; with --all what the origin changes, too, as it is printed."""
    found = [table(result, settings.units)]
    return [*found, origin_table(result, settings.units)] if settings.all else found


def _draw(result: xr.Dataset, path: str, settings: Settings) -> None:
    """Draw the picture that suits it; where symmetry leaves nothing to draw, that is an error of the picture alone."""
    from ..plotting import picture

    picture([result], path, units=settings.units)


def console_is_watched() -> bool:
    """Whether a progress bar on standard error is seen by someone."""
    return sys.stderr.isatty()


def _executor(settings: Settings) -> AbstractContextManager[Executor | None]:
    """The workers that the settings name, until they are no longer needed."""
    if settings.dask is not None:
        return executors.dask(settings.dask)
    if settings.mpi:
        return executors.mpi()
    if settings.workers is None:
        return nullcontext()
    return executors.Alone() if settings.workers == 1 else executors.processes(settings.workers)


def _print_result(result: xr.Dataset, settings: Settings, console: Console) -> None:
    """The first screen; with --all every quantity and element at the levels and temperatures that it shows, too."""
    plus_minus = "±" if "utf" in console.encoding.lower() else "+-"
    shown = replace(summary(result, units=settings.units), title="")
    if in_one_place():  # which has them above, in full
        shown = replace(shown, warnings=[])
    console.print(text(shown, plus_minus), soft_wrap=True)
    if not settings.all:
        if broken := lines.broken_line(result):
            console.print(broken, soft_wrap=True)
        return
    for at in tables.shown(result):
        console.print(f"\nFermi level {float(at['fermi']):.4f} eV; {float(at['temperature']):g} K", soft_wrap=True)
        for part in tables.tensor_tables(at, plus_minus, settings.units):
            console.print(part)
        for part in tables.origin_tables(at, settings.units):
            console.print(part)
    for line in [*legend(result, quantities(result)), *lines.about_lines(result)]:
        console.print(line, soft_wrap=True)
