"""The commands `screen`, `rank` and `export`: many materials into a database, and the table that comes out of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..common.limits import limited
from ..runs.reading import validate
from .options import takes
from .ranking import plain

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from ..screening import Item
    from ..screening.step import Outcome

#: exit code where some materials failed
SOME_FAILED = 3
#: failures that are named; of more, the number
SHOWN = 20
#: a summary of progress where there is no terminal, every so many seconds
REPORT_EVERY = 30.0

Database = Annotated[str, typer.Argument(help="Database of a screening: a .db file, or postgresql://user@host/name.")]
Where = Annotated[str | None, typer.Option(metavar="CONDITION", help="Such as \"gap>0.1 and p_material=='WS2'\".")]
By = Annotated[
    str, typer.Option(metavar="COLUMN", help='Column to sort by, largest first: "max|total|", "extrinsic/sigma", gap ...')
]


@takes(
    "kmesh", "rtol", "max_time", "fermi", "filling", "temperature", "tau", "tau_level", "calculators",
    rtol="Or the relative error to reach; 0.01 by default.", max_time="Seconds that each may take for it; 300.",
    calculators="Quantities, with commas or repeated.",
)  # fmt: skip
def screen(
    what: Annotated[list[str], typer.Argument(metavar="LIST.toml|FOLDER|SEED|NAME...", help="What to compute.")],
    db: Annotated[str, typer.Option(metavar="FILE|URL", help="Where to store it: screening.db, or postgresql://...")],
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes, a material each.")] = 1,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Compute those again that failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")] = False,
    around: Annotated[
        str | None, typer.Option(metavar="START:STOP:N", help="Levels in eV relative to the Fermi level of each material.")
    ] = None,
    kmap: Annotated[int | None, typer.Option(metavar="N", help="Store an N x N map of k space of each layer.")] = None,
    **given: Any,
) -> None:
    """Compute many materials into one database; what is there is not computed again. Settings given here hold for all."""
    from .. import screening
    from . import _console, _note

    todo = screening.items(what, given | {"around": around, "kmap": kmap})
    if code := sorted({item.python for item in todo if item.python}):
        _note(f"this list runs code: {_listed(code)}")
    console = _console()
    if dry_run:
        _say_estimate(todo, db, workers, retry_failed, console)
        return
    outcomes = _run(todo, db, workers, retry_failed)
    failures = [(o.name, str(o.pairs["reason"])) for o in outcomes if o.status == "failed"]
    unconverged = [o.name for o in outcomes if o.pairs.get("converged") == 0]
    counts = screening.Counts.of(outcomes)
    for name, reason in failures[:SHOWN]:
        _note(plain(f"failed: {name}: {reason}"))
    if len(failures) > SHOWN:
        _note(f"... and {len(failures) - SHOWN} more: ome-wannier export shows all, with status failed")
    if unconverged:
        _note(f"warning: rtol not reached for {len(unconverged)} (errors in rank; --max-time): {_listed(unconverged)}")
    console.print(str(counts), soft_wrap=True)
    if counts.failed or counts.failed_before:
        raise typer.Exit(SOME_FAILED)


def _run(todo: Sequence[Item], db: str, workers: int, retry_failed: bool) -> list[Outcome]:
    """Do it, with a progress bar."""
    from .. import screening
    from . import _note
    from .jobs import console_is_watched

    outcomes = []
    bar = _bar() if console_is_watched() else None
    start = last = time.monotonic()
    with closing(screening.run(todo, db, workers, retry_failed=retry_failed)) as found, bar or nullcontext():
        task = bar.add_task("materials", total=len(todo), rate="") if bar else None
        for outcome in found:
            outcomes.append(outcome)
            passed = time.monotonic() - start
            rate = f"{60 * len(outcomes) / passed:.3g} per minute"
            if bar is not None and task is not None:
                bar.update(task, completed=len(outcomes), rate=rate)
            elif time.monotonic() - last > REPORT_EVERY:
                last = time.monotonic()
                left = passed / len(outcomes) * (len(todo) - len(outcomes))
                _note(f"{len(outcomes)} of {len(todo)}, {rate}, {_duration(left)} left")
    return outcomes


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)


def _say_estimate(todo: Sequence[Item], db: str, workers: int, retry_failed: bool, console: Console) -> None:
    from ..screening.estimate import estimate
    from ..screening.store import Store
    from . import _note

    found = estimate(todo, Store(db), retry_failed)
    by_source = Counter(item.settings.material or item.python or "files" for item in todo)
    console.print(f"{len(todo)} materials: " + ", ".join(f"{n} of {what}" for what, n in by_source.items()), soft_wrap=True)
    for name, reason in found.unloadable[:SHOWN]:
        _note(plain(f"cannot be loaded: {name}: {reason}"))
    parts = [f"{found.todo} to compute", f"{found.there} there already", f"{found.failed_before} failed before"]
    console.print(", ".join([*parts, f"{len(found.unloadable)} that cannot be loaded"]))
    if found.seconds is not None:
        said = f"about {_duration(found.seconds / workers)} with {workers} worker{'s' * (workers > 1)}"
        console.print(f"{said}, from a few samples on small meshes")
    if found.bounded:
        longest = _duration(found.bound / workers)
        console.print(f"{found.bounded} converge by themselves, which can take longer: max_time allows them {longest}")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


@takes("units")
def rank(
    db: Database,
    by: By = "max|total|",
    where: Where = None,
    number: Annotated[int, typer.Option("-n", "--number", metavar="N", min=1, help="Rows to show.")] = 20,
    columns: Annotated[str | None, typer.Option(metavar="NAMES", help="Columns to show, with commas, or all.")] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="Smallest first.")] = False,
    **given: Any,
) -> None:
    """Show the materials of a screening, the largest response beyond its error first, layers and crystals apart."""
    from .. import screening
    from ..screening import table
    from . import _console, _note
    from .pictures import unit_of
    from .ranking import explained, is_open, parts, printed, width_of

    asked, console = unit_of(given), _console()
    every = screening.frame(db)
    found = screening.rank(every, by, where, ascending=ascending)
    column = table.column_of(by)
    shown = _columns(found, columns, column)
    printed_parts = [
        (title, printed(part, shown, column if columns is None else "", asked))
        for title, part in parts(found, column, number, columns is None)
    ]  # all before any, which a unit may refuse
    for title, part in printed_parts:
        if title:
            console.print(title)
        if not console.is_terminal:  # a file or another program is to have all of it
            console.width = max(console.width, width_of(console, part))
        console.print(part, soft_wrap=True)
    if len(found) > number:
        console.print(f"{number} of {len(found)} rows")
    if lines := explained(found, every, column, where, [name for name in shown if columns is not None or name != column]):
        console.print("\n".join(lines), soft_wrap=True)
    vague = [row for row in found.to_dict("records") if is_open(row, column)] if f"{column}_error" in found else []
    if vague:
        _note(f"warning: errors larger than the values, or not known: {_listed([row['name'] for row in vague])}")


def _columns(found: pd.DataFrame, asked: str | None, by: str) -> list[str]:
    """Columns to show: those asked for, or the number that counts and what belongs to it."""
    from ..common.errors import SettingsError

    if asked is not None and asked.strip() == "all":
        return [str(c) for c in found]
    if asked is not None:
        wanted = [name.strip() for name in asked.split(",") if name.strip()]
        for name in wanted:
            if name not in found:
                raise SettingsError(f"no column {name!r}: one of {', '.join(map(str, found))}")
        return wanted
    response = by.removesuffix("_max").removesuffix("_gap")
    about = ["gap", "dimension", "tau_equal", "converged"]
    first = ["name", by, f"{by}_error", f"{response}_element", f"{response}_fermi", *about]
    return list(dict.fromkeys(name for name in first if name in found))


def _listed(names: Sequence[str]) -> str:
    """Names for a line of the console, the first of many."""
    return plain(", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else ""))


@takes("unpack_size", "unpack_ratio", "units")
def report(
    source: Annotated[str, typer.Argument(metavar="DB|RESULT.nc", help="Database of a screening, or a result of run.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where to write it: .html.")] = "report.html",
    by: By = "max|total|",
    where: Where = None,
    details: Annotated[int, typer.Option(metavar="N", min=1, help="Materials shown with their scans and tensors.")] = 200,
    **given: Any,
) -> None:
    """Write one HTML page that needs no network: the ranked table, pictures, and every material in detail."""
    from .. import report as reports
    from . import _console
    from .jobs import check_output
    from .pictures import unit_of

    check_output("output", output, (".html", ".htm"))
    allowed = validate({name: value for name, value in given.items() if value is not None})
    with limited(allowed.unpack_size, allowed.unpack_ratio):
        path = reports.report(source, output, by, where, details, unit_of(given))
    _console().print(f"wrote {path}: {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


@takes("units")
def export(
    db: Database,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write all columns as text: .csv.")] = None,
    parquet: Annotated[str | None, typer.Option(metavar="FILE", help="Write all columns as Parquet (needs pyarrow).")] = None,
    where: Where = None,
    **given: Any,
) -> None:
    """Write the table of a screening, failures included."""
    from .. import screening
    from ..common.errors import SettingsError
    from ..screening import table
    from ..screening.table_units import in_unit
    from . import _console
    from .jobs import check_output
    from .pictures import unit_of

    asked = unit_of(given)
    if csv is None and parquet is None:
        raise SettingsError("give --csv FILE or --parquet FILE")
    check_output("csv", csv, (".csv",))
    check_output("parquet", parquet, (".parquet",))
    found = screening.frame(db)
    if where is not None:
        found = found[table.select(found, where)]
    found = in_unit(found, "SI" if asked is None else asked)
    for path in (csv, parquet):
        if path:
            screening.export(found, path)
            _console().print(f"wrote {path}: {len(found)} rows, {found.shape[1]} columns", soft_wrap=True)
