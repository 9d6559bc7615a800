"""Orbital magneto-electric response of Wannier and tight-binding Hamiltonians: the public face."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import calculators, materials
    from .compute import compute
    from .kmesh import KMesh, PolarMesh
    from .loading import load
    from .materials import cite
    from .model import KDotP, TightBinding
    from .result import load_result, save, table
    from .tabulate import tabulate

__version__ = "0.1.0"

# loaded when first used: importing the package costs next to nothing
_HOME = {
    "KDotP": "model",
    "KMesh": "kmesh",
    "PolarMesh": "kmesh",
    "TightBinding": "model",
    "cite": "materials",
    "compute": "compute",
    "load": "loading",
    "load_result": "result",
    "save": "result",
    "table": "result",
    "tabulate": "tabulate",
}
_MODULES = ("calculators", "materials")

__all__ = [
    "KDotP",
    "KMesh",
    "PolarMesh",
    "TightBinding",
    "calculators",
    "cite",
    "compute",
    "load",
    "load_result",
    "materials",
    "save",
    "table",
    "tabulate",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value  # a module of the same name (compute) must not take its place
        return value
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
