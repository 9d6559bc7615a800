"""The command line: parses arguments, calls the package, prints.

The options of `run` are the keys of a TOML file, see `runs.settings`.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..common.errors import AccuracyWarning, OMEError, shortened
from ..common.limits import limited
from ..common.termination import soft_termination
from ..common.version import __version__
from ..runs.reading import resolve
from ..runs.settings import TABLE, named
from . import pictures, screening
from .options import takes
from .streams import patient

if TYPE_CHECKING:
    from rich.console import Console

#: exit code after Ctrl-C
INTERRUPTED = 130

app = typer.Typer(
    name="ome-wannier",
    help="Orbital magneto-electric response of Wannier and tight-binding Hamiltonians.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Seed = Annotated[str, typer.Argument(help=TABLE["seed"].help)]


@app.command()
@takes(*named("computation", "loader", "files", "workers"))
def run(
    seed: Annotated[
        str | None, typer.Argument(help="Library name, Wannier90 seedname, file or folder, or a TOML file of settings.")
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="TOML file of settings; options override it.")] = None,
    **given: Any,
) -> None:
    """Compute the response tensors with their errors."""
    from . import jobs

    if seed is not None and seed.endswith(".toml") and Path(seed).name != "material.toml":
        if config is not None:
            raise typer.BadParameter(f"two files of settings: {seed} and {config}")
        config, seed = seed, None
    settings = resolve(given | {"seed": seed}, config)
    with limited(settings.unpack_size, settings.unpack_ratio):
        jobs.run(settings, _console(), _note)


@app.command()
@takes(
    "filling", "temperature", "kmesh", "all", *named("loader"),
    temperature="Temperature of the level of a filling: 300.", kmesh="k points for that level.",
    all="Print files, matrices, bands and all operations, those that fail too.",
)  # fmt: skip
def info(seed: Seed, **given: Any) -> None:
    """Show the gap, which responses symmetry allows, and what to run next."""
    from .describe import describe

    settings = resolve(given | {"seed": seed})
    with limited(settings.unpack_size, settings.unpack_ratio):
        describe(settings, _console())


@app.command("map")
@takes("fermi", "temperature", *named("loader"), fermi="Fermi level in eV.", temperature="Temperature in K: 300.")
def draw_map(
    seed: Seed,
    calculator: Annotated[str, typer.Option(metavar="NAME", help="Quantity, such as local.")],
    component: Annotated[
        str | None, typer.Option(metavar="IJ", help="Component, moment first. [default: zx, or the first where there is none]")
    ] = None,
    shape: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="NX NY", help="Points of the picture. [default: 120 120; 32 32 for more than 60 bands]"),
    ] = None,
    plane: Annotated[int, typer.Option(metavar="1|2|3", help="In 3D: the reciprocal vector across the picture.")] = 3,
    at: Annotated[float, typer.Option(metavar="K", help="In 3D: the fractional coordinate along that vector.")] = 0.0,
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Picture of the zone.")] = "map.png",
    bands: Annotated[str | None, typer.Option(metavar="FILE", help="Picture of the bands, coloured by the quantity.")] = None,
    energies: Annotated[tuple[float, float] | None, typer.Option(metavar="LOW HIGH", help="Bands to show, in eV.")] = None,
    **given: Any,
) -> None:
    """Draw where in k space a response comes from, with the Fermi contour, and bands coloured by it."""
    from . import maps

    found = resolve(given | {"seed": seed, "calculators": calculator, "plot": output})
    with limited(found.unpack_size, found.unpack_ratio):
        maps.draw(found, component, shape, plane, at, bands, energies, _console(), _note)


@app.command()
@takes(*named("loader"))
def convert(
    seed: Seed,
    target: Annotated[str, typer.Argument(help="x_tb.dat, x_hr.dat, x.hdf5 (TBmodels), or x/ (a folder for WannierBerri).")],
    sparse: Annotated[bool, typer.Option("--sparse", help="WannierTools' variant of x_hr.dat, without zeros.")] = False,
    write_spin_order: Annotated[
        str | None, typer.Option(metavar="ORDER", help="Sort spinor functions in the file: block or interlaced.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was written there before.")] = False,
    **given: Any,
) -> None:
    """Write a model for another program; what the format cannot hold is said."""
    from . import jobs

    kind = "sparse" if sparse else None
    jobs.convert(resolve(given | {"seed": seed}), target, kind, write_spin_order, overwrite, _console())


@app.command()
@takes(*named("loader"))
def symmetrize(
    seed: Seed,
    target: Annotated[str, typer.Option("-o", "--output", metavar="NEW", help="Seedname, or x_tb.dat, x_hr.dat, x/.")],
    moments: Annotated[
        str | None, typer.Option(metavar="FILE", help="Text file with the magnetic moment x y z of each atom.")
    ] = None,
    nonmagnetic: Annotated[bool, typer.Option("--nonmagnetic", help="The crystal has no moments.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was written there before.")] = False,
    **given: Any,
) -> None:
    """Make Wannier functions exactly symmetric under the magnetic group of their crystal; how far they were off is said."""
    from .symmetrizing import restore

    settings = resolve(given | {"seed": seed})
    with limited(settings.unpack_size, settings.unpack_ratio):
        restore(settings, target, moments, nonmagnetic, overwrite, _console())


@app.command("materials")
@takes()
def list_materials(
    name: Annotated[str | None, typer.Argument(help="Say all about this one, and what to cite.")] = None,
) -> None:
    """List the library of materials."""
    from ..sources import library
    from ..sources.citations import cite
    from . import lines

    console = _console()
    if name is not None:
        for text in lines.entry_lines(library.entry(name)):
            console.print(text, soft_wrap=True)
        console.print("\nTo cite:\n" + cite(name), soft_wrap=True)
        return
    width = max(map(len, library.names()), default=0)
    for found in map(library.entry, library.names()):
        console.print(f"{found.name:{width}} {found.title}: Fermi level {found.fermi:g} eV", soft_wrap=True)


@app.command()
@takes()
def reproduce(
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the figures and the table.")] = "reproduce",
) -> None:
    """Draw figures 1 to 3 of Cullen et al. (2025), exact and as printed, and tabulate them."""
    from ..plotting import reproduce as figures
    from . import tables

    console = _console()
    files, numbers = figures.write(out)
    console.print(tables.frame(figures.summary(numbers)), soft_wrap=True)
    for text in [*figures.answers(numbers), *(f"wrote {file}" for file in files)]:
        console.print(text, soft_wrap=True)


for command in (pictures.plot, screening.screen, screening.rank, screening.export, screening.report):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if show:
        typer.echo(f"ome_wannier {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `ome-wannier`: leaves with 0, 2 after a user's mistake, 130 when interrupted, 1 after a fault of ours."""
    os.environ["MPLBACKEND"] = "Agg"  # pictures are files: a notebook's backend may not be there
    with patient() as (out, _), soft_termination():
        code = _called(list(sys.argv[1:] if arguments is None else arguments))
        out.flush()
        if code == 0 and out.lost is not None and not isinstance(out.lost, BrokenPipeError):
            _note(f"error: standard output: {out.lost.strerror}; what was to be printed is lost")
            code = 2
    sys.exit(code)


def _called(given: list[str]) -> int:
    """Do what the arguments say; the exit code."""
    try:
        with _plain_warnings():
            code = app(given, prog_name="ome-wannier", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # newer versions of typer return 130 instead
        code = INTERRUPTED
    except Exception as error:
        said = _one_line(error)
        if said is None or "--debug" in given:
            traceback.print_exc()
        if said:
            _note(f"error: {said}")
        return 1 if said is None else 2
    if code == INTERRUPTED:
        _note("error: interrupted")
    return code if isinstance(code, int) else 0


def _one_line(error: Exception) -> str | None:
    """What to say of a user's mistake; None for an error of ours."""
    usage = typer.BadParameter.__mro__[2]  # ClickException, of whichever click typer uses
    if isinstance(error, usage):
        return str(error.format_message())  # type: ignore[attr-defined]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, OMEError):
        return str(error)
    return None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings of this package as one line each on standard error."""

    def show(message: Warning | str, *args: Any, **more: Any) -> None:
        _note(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", AccuracyWarning)
        warnings.showwarning = show
        yield


def _note(text: str) -> None:
    """One line on standard error, of printable characters and bounded length, whatever a file or a name holds."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    print(shortened(line), file=sys.stderr, flush=True)


def _console() -> Console:
    """Standard output; wide and without colours where it is no terminal."""
    from rich.console import Console

    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)
