"""Orbital magneto-electric response of Wannier and tight-binding Hamiltonians: the public face."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .compute import compute
from .convert import convert, to_pythtb, to_tbmodels, to_wannierberri
from .tabulate import tabulate
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import calculators, executors, materials
    from .cutoff import check_cutoff, check_window, local_within
    from .doping import fermi_levels
    from .kdotp import KDotP
    from .kmesh import KMesh, PolarMesh
    from .loading import load
    from .materials import cite
    from .model import TightBinding
    from .planewaves import PlaneWaves
    from .result import load_result, save, table
    from .screening import rank, screen
    from .sparse import SparseTightBinding

# Loaded when first used, to keep the import fast. Functions that share their module's name are imported above: the
# module, once loaded by anything else, would take their place.
_HOME = {
    "KDotP": "kdotp",
    "KMesh": "kmesh",
    "PlaneWaves": "planewaves",
    "PolarMesh": "kmesh",
    "SparseTightBinding": "sparse",
    "TightBinding": "model",
    "check_cutoff": "cutoff",
    "check_window": "cutoff",
    "cite": "materials",
    "fermi_levels": "doping",
    "load": "loading",
    "load_result": "result",
    "local_within": "cutoff",
    "rank": "screening",
    "save": "result",
    "screen": "screening",
    "table": "result",
}
_MODULES = ("calculators", "executors", "materials")

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
    "rank",
    "save",
    "screen",
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
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
