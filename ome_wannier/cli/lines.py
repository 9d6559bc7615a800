"""Lines that the command line prints about a model and a run."""

from __future__ import annotations

import numpy as np

from ..materials import Scan
from ..model import TightBinding
from ..settings import Settings


def model_line(model: TightBinding) -> str:
    """Name, size and spin of a model."""
    spin = "one electron per band (spinors)" if model.spin_degeneracy == 1 else "two electrons per band (no spin)"
    return f"{model.name}, {model.n_orbitals} orbitals, {spin}, {model.dimension} periodic directions"


def mesh_line(settings: Settings) -> str:
    """The mesh of complete settings."""
    assert settings.kmesh is not None
    return f"{' x '.join(map(str, settings.kmesh))}, {int(np.prod(settings.kmesh))} points"


def fermi_line(settings: Settings) -> str:
    """The Fermi levels, or the filling that determines them."""
    fermi = settings.fermi
    if fermi is None:
        return f"level of {settings.filling:g} electrons per cell"
    if isinstance(fermi, Scan):
        return f"{fermi.start:g} to {fermi.stop:g} eV in {fermi.number} levels"
    return f"{', '.join(f'{level:g}' for level in np.atleast_1d(fermi))} eV"


def formula_line(model: TightBinding) -> str:
    """Chemical formula in the order of Hill."""
    if model.structure is None:
        return "unknown (no atoms in .win)"
    from ase.symbols import Symbols

    return str(Symbols(list(model.structure.numbers)).formula.format("hill"))


def periodic_line(model: TightBinding) -> str:
    """The periodic directions and the size of the cell in them."""
    assert model.periodic is not None
    on = [str(j + 1) for j in range(3) if model.periodic[j]]
    size = {3: "volume {:.3f} A^3", 2: "area {:.3f} A^2", 1: "length {:.3f} A", 0: "no cell"}[model.dimension]
    axes = "".join("xyz"[a] for a in model.axes)
    return f"along lattice vectors {', '.join(on) or 'none'} ({axes}), {size.format(model.cell)}"
