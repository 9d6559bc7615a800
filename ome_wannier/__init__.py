"""Orbital magneto-electric response of Wannier and tight-binding Hamiltonians: the public face."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .common.version import __version__ as __version__

if TYPE_CHECKING:
    from . import adapters as adapters
    from . import calculators, materials
    from . import checkpoint as checkpoint
    from . import errors as errors
    from . import lattices as lattices
    from . import models as models
    from . import plotting as plotting
    from . import symmetry as symmetry
    from . import units as units
    from .common import executors
    from .integration.filling import fermi_levels
    from .integration.kpoints.mesh import KMesh
    from .integration.kpoints.polar import PolarMesh
    from .integration.symmetrize import symmetrize
    from .models.kdotp import KDotP
    from .models.plane_waves import PlaneWaves
    from .models.sparse_tight_binding import SparseTightBinding
    from .models.tight_binding import TightBinding
    from .presentation.content import summary
    from .presentation.long_table import table
    from .response.compute import compute
    from .response.cutoff_checks import check_cutoff, check_window, local_within
    from .response.result_files import load_result, save
    from .response.spin_directions import spin_directions
    from .response.tabulate import tabulate
    from .screening import rank, screen
    from .sources import ready_operators as operators
    from .sources.citations import cite
    from .sources.convert import convert, to_pythtb, to_tbmodels, to_wannierberri
    from .sources.load import load

# Loaded when first used: the import stays fast, and compiled code is there for those who compute.
_HOME = {
    "KDotP": "models.kdotp",
    "KMesh": "integration.kpoints.mesh",
    "PlaneWaves": "models.plane_waves",
    "PolarMesh": "integration.kpoints.polar",
    "SparseTightBinding": "models.sparse_tight_binding",
    "TightBinding": "models.tight_binding",
    "check_cutoff": "response.cutoff_checks",
    "check_window": "response.cutoff_checks",
    "cite": "sources.citations",
    "compute": "response.compute",
    "convert": "sources.convert",
    "fermi_levels": "integration.filling",
    "load": "sources.load",
    "load_result": "response.result_files",
    "local_within": "response.cutoff_checks",
    "rank": "screening",
    "save": "response.result_files",
    "screen": "screening",
    "spin_directions": "response.spin_directions",
    "summary": "presentation.content",
    "symmetrize": "integration.symmetrize",
    "table": "presentation.long_table",
    "tabulate": "response.tabulate",
    "to_pythtb": "sources.convert",
    "to_tbmodels": "sources.convert",
    "to_wannierberri": "sources.convert",
}
# Folders too that a name above does not stand for: `ome.errors.ModelError` needs no import of its own.
_MODULES = {
    "executors": "common.executors",
    "operators": "sources.ready_operators",
    **{
        name: name
        for name in (
            "adapters", "calculators", "checkpoint", "errors", "lattices", "materials", "models", "plotting", "plugins",
            "report", "response", "runs", "screening", "sources", "symmetry", "units",
        )
    },
}  # fmt: skip

__all__ = [
    "KDotP",
    "KMesh",
    "PlaneWaves",
    "PolarMesh",
    "SparseTightBinding",
    "TightBinding",
    "calculators",
    "check_cutoff",
    "check_window",
    "cite",
    "compute",
    "convert",
    "executors",
    "fermi_levels",
    "load",
    "load_result",
    "local_within",
    "materials",
    "operators",
    "rank",
    "save",
    "screen",
    "spin_directions",
    "summary",
    "symmetrize",
    "table",
    "tabulate",
    "to_pythtb",
    "to_tbmodels",
    "to_wannierberri",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{_MODULES[name]}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
