"""The library of materials: `materials/` of a source tree, `ome_wannier/library/` once installed.

An entry is a folder with a `material.toml`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import FileFormatError, ModelError
from ..common.toml import read_toml
from .library_entry import FILE, Entry

if TYPE_CHECKING:
    from .library_entry import Loaded


def library() -> Path:
    """The folder that holds the entries."""
    here = Path(__file__).parents[1]
    installed = here / "library"
    return installed if installed.is_dir() else here.parent / "materials"


def names() -> list[str]:
    """Names of the entries, in alphabetical order."""
    return sorted(file.parent.name for file in library().glob(f"*/{FILE}"))


def entry(name: str) -> Entry:
    """The entry of this name.

    Raises
    ------
    ModelError : no such entry; those that there are, are listed. FileFormatError : a damaged `material.toml`.
    """
    if name not in names():
        raise ModelError(f"no material {name!r} in the library: one of {', '.join(names())}")
    return read(library() / name)


def read(folder: str | Path) -> Entry:
    """The entry that a folder holds.

    Raises
    ------
    FileFormatError : a `material.toml` that is not TOML, or lacks or misspells a field. OSError : no such file.
    """
    from pydantic import TypeAdapter, ValidationError

    path = Path(folder) / FILE
    try:
        stored = read_toml(path)
        if not _finite(stored):
            raise FileFormatError(path, None, "a material of finite numbers", "nan or inf")
        return TypeAdapter(Entry).validate_python(stored | {"name": path.absolute().parent.name, "folder": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FileFormatError(path, None, f"a material, {key}: {first['msg']}", repr(first["input"])[:60]) from error


def _finite(stored: object) -> bool:
    """Whether all numbers in tables and lists are finite."""
    if isinstance(stored, dict | list):
        return all(map(_finite, stored.values() if isinstance(stored, dict) else stored))
    return not isinstance(stored, float) or math.isfinite(stored)


def load(name: str, **options: Any) -> Loaded:
    """The model of the entry of this name; options as for `ome_wannier.load`."""
    return entry(name).load(**options)
