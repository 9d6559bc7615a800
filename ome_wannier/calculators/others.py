"""Calculators that are not of this package: of installed packages, by entry point, and of a module that a user names.

Both are code. An entry point of the group `ome_wannier.calculators` belongs to what somebody installed; "module:name" runs a
module, and is taken from a command line or from Python, never from a file (`runs.reading`, handbook/trust.md).
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..common.errors import SettingsError

#: of entry points: name = "module:calculator"
GROUP = "ome_wannier.calculators"
#: what stands between a module and a name in it
COLON = ":"


def names_code(name: str) -> bool:
    """Whether a name is that of a module and something in it."""
    return COLON in name


def installed() -> dict[str, EntryPoint]:
    """Calculators of installed packages by the names of their entry points; nothing is imported."""
    return {found.name: found for found in entry_points(group=GROUP)}


def load(name: str) -> Any:
    """What an installed package offers under this name, or "module:name" names; modules are imported, which runs them.

    A module is looked for where Python does, and last in the current folder.

    Raises
    ------
    SettingsError : nothing of that name, or a module that cannot be imported.
    """
    if names_code(name):
        return _of_module(name)
    found = installed().get(name)
    if found is None:
        raise SettingsError(f"no installed package offers a calculator {name!r}")
    try:
        return found.load()
    except Exception as error:
        raise SettingsError(f"calculator {name!r} of {_package(found)}: {_said(error)}") from error


def _of_module(name: str) -> Any:
    module, _, attribute = name.partition(COLON)
    if not all(part.isidentifier() for part in module.split(".")) or not attribute.isidentifier():
        raise SettingsError(f"calculator {name!r}: expected module:name, such as mymodule:chern")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # stays: workers find the module as this process did
    try:
        loaded = importlib.import_module(module)
    except Exception as error:
        raise SettingsError(f"calculator {name!r}: {_said(error)}") from error
    if not hasattr(loaded, attribute):
        near = difflib.get_close_matches(attribute, dir(loaded), 1)
        meant = f": did you mean {module}:{near[0]}?" if near else ""
        raise SettingsError(f"calculator {name!r}: {module} has no {attribute!r}{meant}")
    return getattr(loaded, attribute)


def _package(found: EntryPoint) -> str:
    return found.dist.name if found.dist is not None else found.value


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
