"""The command `plot`: results that were saved, drawn again and side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .options import takes

#: what may run along the axis
Axis = Literal["fermi", "carriers", "temperature", "mesh", "parts"]
AXES: tuple[Axis, ...] = ("fermi", "carriers", "temperature", "mesh", "parts")


@takes("units")
def plot(
    results: Annotated[list[str], typer.Argument(metavar="RESULT.nc...", help="Results of run; several are compared.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Picture, such as .png.")] = "plot.png",
    component: Annotated[
        list[str] | None, typer.Option(metavar="IJ", help="Component, moment first: zx; may be repeated.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(metavar="K", help="The nearest temperature; all by default.")] = None,
    fermi: Annotated[float | None, typer.Option(metavar="EV", help="Bars, or convergence, at the nearest level.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="fermi|carriers|temperature|mesh|parts",
            help="What runs along the axis; mesh: several results converge; parts: shares of --by.",
        ),
    ] = None,
    **given: Any,
) -> None:
    """Draw results of `run`: a scan with its parts, bars at one level, several in one figure, or how they converge."""
    from ..common.errors import SettingsError
    from ..plotting import picture
    from ..response.result_files import load_result
    from . import _console
    from .jobs import PLOT_FORMATS, check_output

    check_output("output", output, PLOT_FORMATS)
    axis = next((name for name in AXES if name == against), None)
    if axis != against:
        raise SettingsError(f"against: expected fermi, carriers, temperature, mesh or parts, found {against!r}")
    asked = unit_of(given)
    found = [load_result(Path(name)) for name in results]
    picture(found, output, component or None, temperature=temperature, fermi=fermi, units=asked, against=axis)
    _console().print(f"wrote {output}", soft_wrap=True)


def unit_of(given: dict[str, Any]) -> str | None:
    """The option --units, checked. SettingsError lists the units there are."""
    from ..common.errors import SettingsError
    from ..runs.values import units

    try:
        return None if given["units"] is None else units(given["units"])
    except ValueError as error:
        raise SettingsError(f"units: {error}") from error
