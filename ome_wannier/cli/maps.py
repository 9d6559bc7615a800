"""What the command `map` does: pictures of where in k space a response comes from."""

from __future__ import annotations

from rich.console import Console

from ..common.errors import SettingsError
from ..models.base import has_zone
from ..response.tabulate import tabulate
from ..runs.plan import Known, known_level, model_of, source_of
from ..runs.settings import Settings
from .jobs import PLOT_FORMATS, Note, check_output

#: bands beyond which a point takes so long that a picture has fewer of them
MANY = 60


def draw(
    settings: Settings,
    component: str | None,
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
    from .. import plotting

    picture = settings.plot or "map.png"
    check_output("output", picture, PLOT_FORMATS)
    check_output("bands", bands, PLOT_FORMATS)
    if settings.calculators is None or len(settings.calculators) != 1:
        raise SettingsError("give one --calculator, such as local")
    if not isinstance(settings.temperature, float):
        raise SettingsError("a map is drawn for one --temperature")
    (calculator,) = settings.calculators
    source = source_of(settings)
    model = model_of(source, settings)
    if bands and not has_zone(model):
        raise SettingsError("--bands needs a lattice: a k.p model has no standard path")
    if bands:
        tabulate(model, [[0.0, 0.0, 0.0]], [calculator])  # refused, if it is, before anything is written
    known = known_level(model, source) if settings.fermi is None or bands else None
    fermi = _fermi(settings, known, note)
    if shape is None and model.n_orbitals > MANY:
        note(f"no --shape given: took 32 32, for a point of {model.n_orbitals} bands takes long")
    shape = shape or ((32, 32) if model.n_orbitals > MANY else (120, 120))
    plotting.zone_map(model, calculator, fermi, component, shape, plane - 1, picture, at=at, temperature=settings.temperature)
    console.print(f"wrote {picture}", soft_wrap=True)
    if bands:
        if energies is None and known and known.scan:
            energies = (known.scan.start, known.scan.stop)
        plotting.bands(model, None, calculator, component, fermi=fermi, energies=energies, path=bands)
        console.print(f"wrote {bands}", soft_wrap=True)


def _fermi(settings: Settings, known: Known | None, note: Note) -> float:
    """The one level (eV) that a map is drawn at."""
    if settings.fermi is None and known:
        note(f"no --fermi given: took {known.level:g} eV, {known.origin}")
        return known.level
    if not isinstance(settings.fermi, float):
        raise SettingsError("a map is drawn at one Fermi level: give --fermi, in eV")
    return settings.fermi
