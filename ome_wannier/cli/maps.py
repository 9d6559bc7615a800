"""What the command `map` does: pictures of where in k space a response comes from."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from .. import doping
from ..errors import SettingsError
from ..model import has_zone
from ..settings import PLOT_FORMATS, Settings
from . import lines
from .jobs import Note, check_output, options, source_of

#: bands beyond which a point takes so long that a picture has fewer of them
MANY = 60


def draw(
    settings: Settings,
    component: str,
    shape: tuple[int, int] | None,
    plane: int,
    at: float,
    bands: str | None,
    energies: tuple[float, float] | None,
    console: Console,
    note: Note,
) -> None:
    """Draw the map that `settings.plot` names and, if a file is given, the bands coloured by the same calculator.

    Raises
    ------
    OMEError, OSError : a user's mistake; files that cannot be written are found before computing.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    from .. import plotting

    picture = settings.plot or "map.png"
    for key, path in (("output", picture), ("bands", bands)):
        if path:
            check_output(key, Path(path), PLOT_FORMATS)
    if settings.calculators is None or len(settings.calculators) != 1:
        raise SettingsError("give one --calculator, such as local")
    if not isinstance(settings.temperature, float):
        raise SettingsError("a map is drawn for one --temperature")
    (calculator,) = settings.calculators
    source = source_of(settings)
    model = source.load(**options(settings))
    if bands and not has_zone(model):
        raise SettingsError("--bands needs a lattice: a k.p model has no standard path")
    fermi = settings.fermi
    if fermi is None and source.entry:
        by = doping.shift(source.entry, model)
        fermi = source.entry.fermi + by
        note(f"no --fermi given: took {fermi:g} eV, {lines.origin_line(source.entry, by)}")
    if not isinstance(fermi, float):
        raise SettingsError("a map is drawn at one Fermi level: give --fermi, in eV")
    if shape is None:
        shape = (32, 32) if model.n_orbitals > MANY else (120, 120)
        if model.n_orbitals > MANY:
            note(f"no --shape given: took 32 32, for a point of {model.n_orbitals} bands takes long")
    plotting.zone_map(model, calculator, fermi, component, shape, plane - 1, picture, at=at, temperature=settings.temperature)
    console.print(f"wrote {picture}", soft_wrap=True)
    if bands:
        if energies is None and source.entry and source.entry.scan:
            scan = source.entry.scan.moved(doping.shift(source.entry, model))
            energies = (scan.start, scan.stop)
        plotting.bands(model, None, calculator, component, fermi=fermi, energies=energies, path=bands)
        console.print(f"wrote {bands}", soft_wrap=True)
