"""A `.zip` with the files of one calculation, as JARVIS ships them: `wannier90_hr.dat` and POSCAR, without a `.win`.

The files that the loader knows are unpacked into a temporary folder, by the last part of their names; nothing else is.
"""

from __future__ import annotations

import functools
import re
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...common.errors import FileFormatError, ModelError
from ...common.limits import current
from ...models.tight_binding import TightBinding
from . import loader
from .crystal import ENDINGS as STRUCTURES
from .crystal import NAMES
from .seed import ENDINGS, is_resource_fork

_CHUNK = 2**20
_PACKED = ("", ".gz", ".bz2", ".xz")


@functools.wraps(loader.load)
def load(seed: str | Path, **options: Any) -> TightBinding:
    """Model from a `.zip`; options, errors and warnings as of `loader.load`."""
    archive = Path(seed)
    with TemporaryDirectory(prefix="ome_wannier_") as folder:
        _unpack(archive, Path(folder))
        try:
            return loader.load(folder, **options)
        except FileFormatError as error:
            inside = archive if Path(error.path) == Path(folder) else archive / Path(error.path).name
            raise FileFormatError(inside, error.line, error.expected, error.found) from None
        except ModelError as error:
            raise ModelError(str(error).replace(folder, str(archive))) from None


def _unpack(archive: Path, folder: Path) -> None:
    """Write the known files of an archive into a folder, up to the limits.

    Raises
    ------
    FileFormatError : a damaged or encrypted archive, one name twice, more than the limits allow.
    """
    total = 0
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                name = re.split(r"[/\\]", member.filename)[-1]  # Windows' own separators are kept by some programs
                if member.is_dir() or not _known(name):
                    continue
                if (folder / name).exists():
                    raise FileFormatError(archive, None, "the files of one calculation", f"{name} twice")
                with opened.open(member) as file, (folder / name).open("wb") as out:
                    while piece := file.read(_CHUNK):
                        total += len(piece)
                        current().check(archive, total, name)
                        out.write(piece)
    except FileFormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FileFormatError(archive, None, "an undamaged .zip without a password", str(error)[:200]) from error
    except OSError as error:
        raise FileFormatError(
            archive, None, "a readable file, and room for its content", error.strerror or str(error)
        ) from error


def _known(name: str) -> bool:
    endings = tuple(ending + packed for ending in ENDINGS.values() for packed in _PACKED)
    if is_resource_fork(name):
        return False
    return name.endswith(endings) or name in NAMES or name.lower().endswith(STRUCTURES)
