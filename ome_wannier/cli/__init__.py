"""The command line: parses arguments, calls the package, prints.

The options of `run` are the keys of a TOML file, see settings.py.
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

from ..common.version import __version__
from . import screening

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

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Seed = Annotated[str, typer.Argument(help="Library name, Wannier90 seedname, one of its files, or a folder with them.")]
Filling = Annotated[str | None, typer.Option(help="Electrons per cell.")]
SpinDegeneracy = Annotated[str | None, typer.Option(metavar="1|2", help="Electrons per band, if the files do not say it.")]
SpinOrder = Annotated[
    str | None, typer.Option(metavar="ORDER", help="How spinor functions are sorted: block or interlaced; adds the spin part.")
]
Spn = Annotated[bool | None, typer.Option("--spn", help="Take the spin operator from .spn, .chk and .eig beside the seed.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Of a built library entry, may be repeated: theta=1.05."),
]
Centres = Annotated[
    str | None, typer.Option(metavar="FILE", help="Text file with x y z (Angstrom) of each orbital, to be used instead.")
]
Periodic = Annotated[
    tuple[str, str, str] | None, typer.Option(metavar="P1 P2 P3", help="Which lattice vectors are periodic: 1 1 0.")
]
UseWsvec = Annotated[
    bool | None,
    typer.Option("--use-wsvec/--no-use-wsvec", help="Whether _wsvec.dat is applied; by default its header decides."),
]


@app.command()
def run(
    seed: Annotated[
        str | None, typer.Argument(help="Library name, Wannier90 seedname, file or folder, or a TOML file of settings.")
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="TOML file of settings; options override it.")] = None,
    kmesh: Annotated[tuple[int, int, int] | None, typer.Option(metavar="N1 N2 N3", help="k points: 48 48 1.")] = None,
    fermi: Annotated[
        str | None, typer.Option(metavar="EV", help="Fermi level(s) in eV: -0.3, or -0.5,0,0.5, or start:stop:number.")
    ] = None,
    filling: Filling = None,
    temperature: Annotated[str | None, typer.Option(metavar="K", help="Temperature(s) in K: 300, or 0,300.")] = None,
    tau: Annotated[str | None, typer.Option(metavar="FS", help="Relaxation time in fs, for the extrinsic part.")] = None,
    calculators: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="Quantities, with commas or repeated; all by default.")
    ] = None,
    spin_degeneracy: SpinDegeneracy = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory for one batch of k points: 1GiB.")] = None,
    degeneracy_tol: Annotated[str | None, typer.Option(metavar="EV", help="Levels closer than this are degenerate.")] = None,
    symmetry: Annotated[
        str | None, typer.Option(metavar="auto|off", help="Whether to use the symmetries of the Hamiltonian.")
    ] = None,
    include_chern_simons: Annotated[
        bool | None, typer.Option("--include-chern-simons", help="Add the Chern-Simons part to the totals (3D insulators).")
    ] = None,
    spin_order: SpinOrder = None,
    spn: Spn = None,
    centres: Centres = None,
    periodic: Periodic = None,
    use_wsvec: UseWsvec = None,
    parameters: Parameters = None,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the result: .nc.")] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw it: .png, .pdf, .svg, .jpg.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write a table: .csv.")] = None,
    workers: Annotated[str | None, typer.Option(metavar="N", help="Share the k points among N processes.")] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Or the workers of a Dask scheduler: tcp://...")] = None,
    mpi: Annotated[
        bool | None, typer.Option("--mpi", help="Or MPI: mpiexec -n 4 python -m mpi4py.futures -m ome_wannier run ...")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(metavar="FILE", help="Keep the sum so far: half.npz.")] = None,
    resume: Annotated[bool | None, typer.Option("--resume", help="Go on from the checkpoint, if it is there.")] = None,
    rtol: Annotated[str | None, typer.Option(metavar="REL", help="Relative error to reach, instead of --kmesh: 1e-3.")] = None,
    max_points: Annotated[str | None, typer.Option(metavar="N", help="With --rtol: k points it may cost.")] = None,
    max_time: Annotated[str | None, typer.Option(metavar="S", help="With --rtol: seconds it may cost.")] = None,
    debug: Debug = False,
) -> None:
    """Compute the response tensors with their errors."""
    from .. import settings
    from . import jobs

    options = {k: v for k, v in locals().items() if k in settings.Settings.model_fields}
    if seed is not None and seed.endswith(".toml") and Path(seed).name != "material.toml":
        if config is not None:
            raise typer.BadParameter(f"two files of settings: {seed} and {config}")
        config, options["seed"] = seed, None
    jobs.run(settings.resolve(options, config), _console(), _note)


@app.command()
def info(
    seed: Seed,
    filling: Filling = None,
    temperature: Annotated[str | None, typer.Option(metavar="K", help="Temperature of the level of a filling: 300.")] = None,
    kmesh: Annotated[tuple[int, int, int] | None, typer.Option(metavar="N1 N2 N3", help="k points for that level.")] = None,
    spin_degeneracy: SpinDegeneracy = None,
    spin_order: SpinOrder = None,
    spn: Spn = None,
    centres: Centres = None,
    periodic: Periodic = None,
    use_wsvec: UseWsvec = None,
    parameters: Parameters = None,
    debug: Debug = False,
) -> None:
    """Show orbitals, files, bands, symmetries."""
    from .. import settings
    from .describe import describe

    options = {k: v for k, v in locals().items() if k in settings.Settings.model_fields}
    describe(settings.resolve(options), _console())


@app.command("map")
def draw_map(
    seed: Seed,
    calculator: Annotated[str, typer.Option(metavar="NAME", help="Quantity, such as local.")],
    fermi: Annotated[str | None, typer.Option(metavar="EV", help="Fermi level in eV.")] = None,
    component: Annotated[str, typer.Option(metavar="IJ", help="Component, moment first: zx.")] = "zx",
    temperature: Annotated[str | None, typer.Option(metavar="K", help="Temperature in K: 300.")] = None,
    shape: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="NX NY", help="Points of the picture. [default: 120 120; 32 32 for more than 60 bands]"),
    ] = None,
    plane: Annotated[int, typer.Option(metavar="1|2|3", help="In 3D: the reciprocal vector across the picture.")] = 3,
    at: Annotated[float, typer.Option(metavar="K", help="In 3D: the fractional coordinate along that vector.")] = 0.0,
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Picture of the zone.")] = "map.png",
    bands: Annotated[str | None, typer.Option(metavar="FILE", help="Picture of the bands, coloured by the quantity.")] = None,
    energies: Annotated[tuple[float, float] | None, typer.Option(metavar="LOW HIGH", help="Bands to show, in eV.")] = None,
    spin_degeneracy: SpinDegeneracy = None,
    spin_order: SpinOrder = None,
    spn: Spn = None,
    centres: Centres = None,
    periodic: Periodic = None,
    use_wsvec: UseWsvec = None,
    parameters: Parameters = None,
    debug: Debug = False,
) -> None:
    """Draw where in k space a response comes from, with the Fermi contour, and bands coloured by it."""
    from .. import settings
    from . import maps

    given = {k: v for k, v in locals().items() if k in settings.Settings.model_fields and k != "output"}
    found = settings.resolve(given | {"calculators": calculator, "plot": output})
    maps.draw(found, component, shape, plane, at, bands, energies, _console(), _note)


@app.command()
def convert(
    seed: Seed,
    target: Annotated[str, typer.Argument(help="x_tb.dat, x_hr.dat, x.hdf5 (TBmodels), or x/ (a folder for WannierBerri).")],
    sparse: Annotated[bool, typer.Option("--sparse", help="WannierTools' variant of x_hr.dat, without zeros.")] = False,
    write_spin_order: Annotated[
        str | None, typer.Option(metavar="ORDER", help="Sort spinor functions in the file: block or interlaced.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was written there before.")] = False,
    spin_degeneracy: SpinDegeneracy = None,
    spin_order: SpinOrder = None,
    spn: Spn = None,
    centres: Centres = None,
    periodic: Periodic = None,
    use_wsvec: UseWsvec = None,
    parameters: Parameters = None,
    debug: Debug = False,
) -> None:
    """Write a model for another program; what the format cannot hold is said."""
    from .. import settings
    from . import jobs

    options = {k: v for k, v in locals().items() if k in settings.Settings.model_fields}
    kind = "sparse" if sparse else None
    jobs.convert(settings.resolve(options), target, kind, write_spin_order, overwrite, _console())


@app.command("materials")
def list_materials(
    name: Annotated[str | None, typer.Argument(help="Say all about this one, and what to cite.")] = None, debug: Debug = False
) -> None:
    """List the library of materials."""
    from ..sources import library as materials
    from ..sources.citations import cite
    from . import lines

    console = _console()
    if name is not None:
        for text in lines.entry_lines(materials.entry(name)):
            console.print(text, soft_wrap=True)
        console.print("\nTo cite:\n" + cite(name), soft_wrap=True)
        return
    width = max(map(len, materials.names()), default=0)
    for found in map(materials.entry, materials.names()):
        console.print(f"{found.name:{width}} {found.title}: Fermi level {found.fermi:g} eV", soft_wrap=True)


@app.command()
def reproduce(
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the figures and the table.")] = "reproduce",
    debug: Debug = False,
) -> None:
    """Draw figures 1 to 3 of Cullen et al. (2025), exact and as printed, and tabulate them."""
    from ..plotting import reproduce as figures
    from . import tables

    console = _console()
    files, numbers = figures.write(out)
    console.print(tables.frame(figures.summary(numbers)), soft_wrap=True)
    for text in [*figures.answers(numbers), *(f"wrote {file}" for file in files)]:
        console.print(text, soft_wrap=True)


app.command()(screening.screen)
app.command()(screening.rank)
app.command()(screening.export)
app.command()(screening.report)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if show:
        typer.echo(f"ome_wannier {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `ome-wannier`: leaves with 0, 2 after a user's mistake, 130 when interrupted, 1 after a fault of ours."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _plain_warnings():
            code = app(given, prog_name="ome-wannier", standalone_mode=False)
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):  # newer versions of typer return 130 instead
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough; nothing more may be written when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        said = _one_line(error)
        if said is None or "--debug" in given:
            traceback.print_exc()
        if said:
            _note(f"error: {said}")
        sys.exit(1 if said is None else 2)
    if code == INTERRUPTED:
        _note("error: interrupted")
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: Exception) -> str | None:
    """What to say of a user's mistake; None for an error of ours."""
    from ..common.errors import OMEError

    usage = typer.BadParameter.__mro__[2]  # ClickException, of whichever click typer uses
    if isinstance(error, usage):
        return str(error.format_message())  # type: ignore[attr-defined]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, OMEError):
        return " ".join(str(error).split())
    return None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings of this package as one line each on standard error."""
    from ..common.errors import AccuracyWarning

    def show(message: Warning | str, *args: Any, **more: Any) -> None:
        _note(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", AccuracyWarning)
        warnings.showwarning = show
        yield


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _console() -> Console:
    """Standard output; wide and without colours where it is no terminal."""
    from rich.console import Console

    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)
