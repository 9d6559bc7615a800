"""What the command `symmetrize` does: makes a model exactly symmetric, says what that changed, writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..adapters.wannier90 import seed as wannier90_seed
from ..adapters.wannier90.win import read_win
from ..common.errors import SettingsError
from ..integration.symmetrize import Symmetrized, symmetrize
from ..models.tight_binding import is_tight_binding
from ..presentation.content import title_of
from ..runs import values
from ..runs.plan import basis_options, source_of
from ..runs.settings import Settings
from ..sources.convert import KINDS, convert
from ..sources.load import Source
from ..symmetry.operations import listed, symbol
from . import tables

if TYPE_CHECKING:
    from rich.console import Console

Array = NDArray[np.float64]


def restore(settings: Settings, target: str, moments: str | None, nonmagnetic: bool, overwrite: bool, console: Console) -> None:
    """Make the model that the settings name symmetric, print what that changed, and write it.

    moments : path of a text file with x y z of each atom. nonmagnetic : all moments are 0.

    Raises
    ------
    OMEError : a model that cannot be made symmetric, or not be written; both of `moments` and `nonmagnetic`.
    """
    source = source_of(settings)
    model = source.load(**basis_options(settings))
    if not is_tight_binding(model):
        raise SettingsError(f"{model.name}: only Wannier functions and orbitals can be made symmetric")
    console.print(title_of(model.name), soft_wrap=True)
    found = symmetrize(model, _moments(moments, nonmagnetic, 0 if model.structure is None else len(model.structure.numbers)))
    for line in _said(found, source):
        console.print(line, soft_wrap=True)
    console.print(tables.restored_table(found.operations, model.frame))
    name = target if target.endswith((*KINDS.values(), ".h5")) else f"{target}{KINDS['tb']}"
    for path in convert(found.model, name, overwrite=overwrite):
        console.print(f"wrote {path}", soft_wrap=True)


def _moments(path: str | None, nonmagnetic: bool, n: int) -> Array | None:
    if path is not None and nonmagnetic:
        raise SettingsError("moments and nonmagnetic exclude each other")
    if nonmagnetic:
        return np.zeros((n, 3))
    if path is None:
        return None
    try:
        return np.array(values.centres(path), dtype=float)
    except ValueError as error:
        raise SettingsError(f"moments: {error}") from error


def _said(found: Symmetrized, source: Source) -> list[str]:
    """The group, how far bands and centres moved, and in which window."""
    group = symbol([r.operation for r in found.operations], found.model.lattice)
    window = _frozen(source)
    mean, largest = found.band_changes(window or (-np.inf, np.inf))
    where = "of all bands" if window is None else f"of the frozen window ({_range(*window)})"
    moved = np.linalg.norm(found.model.wannier_centres - found.given.wannier_centres, axis=1).max()
    said = [
        f"symmetric     under {group}, {len(found.operations)} operations, to rounding",
        f"levels        {where}, move by {1e3 * mean:.2g} meV (root mean square), {1e3 * largest:.2g} meV at most",
        f"centres       move by {moved:.2g} Angstrom at most",
    ]
    if found.left_out:
        size = max(r.changes["hamiltonian"] for r in found.left_out)
        names = listed([r.operation for r in found.left_out], found.model.frame)
        said.append(
            f"left out      {names}, which the atoms have and the Hamiltonian breaks by up to {1e3 * size:.2g} meV; "
            "give the moments of the atoms if it is not meant to"
        )
    return said


def _range(low: float, high: float) -> str:
    return f"up to {high:g} eV" if low == -np.inf else f"{low:g} to {high:g} eV"


def _frozen(source: Source) -> tuple[float, float] | None:
    """The window in which Wannier90 keeps the bands of DFT, if its input says it."""
    if source.adapter != "wannier90":
        return None
    win = wannier90_seed.inspect(source.seed).win
    return None if win is None else read_win(win).frozen
