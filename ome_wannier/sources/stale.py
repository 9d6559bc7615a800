"""Whether the files beside a `material.toml` are of the material that it speaks of: by its atoms, and by its electrons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..common.errors import warn

if TYPE_CHECKING:
    from ..models.tight_binding import TightBinding


def warn_of_another_material(entry: str, filling: float | None, formula: str, model: TightBinding) -> None:
    """Compare what an entry says with the model of its files.

    Parameters
    ----------
    entry : how a warning calls it. filling : electrons per cell. formula : of the cell, in any multiple, or words.

    Warns
    -----
    AccuracyWarning : more electrons than the bands hold; other atoms.
    """
    most = model.spin_degeneracy * model.n_orbitals
    if filling is not None and not 0 <= filling <= most:
        warn(f"{entry} has filling = {filling:g}, and the bands of its files hold {most}: is it of another material?")
    found = "" if model.structure is None else _formula(model.structure.numbers)
    if found and not _same(formula, found):
        warn(f"{entry} has formula = {formula}, and its files have the atoms {found}: is it of another material?")


def _formula(numbers: Sequence[int]) -> str:
    from ase.symbols import Symbols

    return str(Symbols(list(numbers)).formula.format("hill"))


def _same(one: str, other: str) -> bool:
    """Whether two chemical formulas are of the same atoms but for a factor; words, which are no formula, may be of any."""
    from ase.formula import Formula

    try:
        counts = [Formula(text).reduce()[0].count() for text in (one, other)]
    except ValueError:
        return True
    return bool(counts[0] == counts[1])
