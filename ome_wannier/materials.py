"""The library of materials: what its entries say, their models, and what to cite.

An entry is a folder with a `material.toml` (the fields of `Entry`) and the files of a Wannier90 calculation. The library is
`materials/` of a source tree, and `ome_wannier/library/` once installed.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError, ModelError
from .model import TightBinding

if TYPE_CHECKING:
    import xarray as xr

FILE = "material.toml"
#: how the model of an entry is named in results, so that `cite` knows it again
PREFIX = "library/"

PAPER = (
    "J. H. Cullen, D. P. Arovas, R. Raimondi, D. Culcer, Quantum geometry and dipolar dynamics in the orbital "
    "magneto-electric effect (2025), https://doi.org/10.48550/arXiv.2505.02911"
)
WANNIER90 = (
    "G. Pizzi et al., Wannier90 as a community code: new features and applications, J. Phys.: Condens. Matter 32, 165902 "
    "(2020), https://doi.org/10.1088/1361-648X/ab51ff"
)
WANNIERBERRI = (
    "S. S. Tsirkin, High performance Wannier interpolation of Berry curvature and related quantities with WannierBerri code, "
    "npj Comput. Mater. 7, 33 (2021), https://doi.org/10.1038/s41524-021-00498-5"
)


#: more Fermi levels than this are a slip of the pen, and would not fit in memory
MOST_LEVELS = 1_000_000


@dataclass(frozen=True)
class Scan:
    """Evenly spaced energies: `start` and `stop` in eV, both included, and their `number`, 2 to `MOST_LEVELS`."""

    start: float
    stop: float
    number: int

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.stop)):
            raise ValueError("start and stop must be finite")
        if self.number < 2 or self.stop <= self.start:
            raise ValueError("a scan goes up from start to stop in 2 or more energies")
        if self.number > MOST_LEVELS:
            raise ValueError(f"{self.number} energies are too many: at most {MOST_LEVELS}")

    def levels(self) -> NDArray[np.float64]:
        """(number,) energies in eV."""
        return np.linspace(self.start, self.stop, self.number)


@dataclass(frozen=True)
class Citation:
    """A work to cite, as text, and its DOI where there is one."""

    text: str
    doi: str = ""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __str__(self) -> str:
        return f"{self.text}, https://doi.org/{self.doi}" if self.doi else self.text


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One material of the library.

    Parameters
    ----------
    title, formula : what it is.
    seed : seedname of its Wannier90 files in `folder`.
    source : where the data come from and how far to trust them.
    status : "computed" for this project, "read" in a retrieved source, or from "memory" and to be verified.
    licence : of the data.
    units : of the data.
    spinor : whether the bands hold one electron (spinors) or two.
    filling : electrons per cell in these bands.
    fermi : eV, in the gap where there is one.
    gap : (top of the occupied, bottom of the empty bands) in eV, or None for a metal.
    kmesh : a mesh that resolves it.
    scan : Fermi levels for a demonstration.
    symmetry : what it allows and forbids.
    citations : works to cite with the data.
    reference : values measured or published, with their settings, for comparison.
    name, folder : set by the library.
    """

    title: str
    formula: str
    seed: str
    source: str
    status: Literal["computed", "read", "memory"]
    licence: str
    units: str
    spinor: bool
    filling: float
    fermi: float
    kmesh: tuple[int, int, int]
    symmetry: str
    citations: tuple[Citation, ...]
    gap: tuple[float, float] | None = None
    scan: Scan | None = None
    reference: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    folder: Path = Path()

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def load(self, **options: Any) -> TightBinding:
        """The model; options as for `ome_wannier.load`."""
        from .adapters import wannier90

        return replace(wannier90.load(self.folder / self.seed, **options), name=PREFIX + self.name)


def library() -> Path:
    """The folder that holds the entries."""
    here = Path(__file__).parent
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
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(Entry).validate_python(stored | {"name": path.absolute().parent.name, "folder": path.parent})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(path, None, "TOML", str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FileFormatError(path, None, f"a material, {key}: {first['msg']}", repr(first["input"])[:60]) from error


def load(name: str, **options: Any) -> TightBinding:
    """The model of the entry of this name; options as for `ome_wannier.load`."""
    return entry(name).load(**options)


def cite(what: str | xr.Dataset) -> str:
    """What to cite for a result, or for an entry of the library: one work per line.

    For a result these are the theory, the programs whose output it came from, the entry it was computed with, and the
    references of the quantities in it.

    Raises
    ------
    ModelError : a name that the library does not have.
    """
    if isinstance(what, str):
        works = [PAPER, WANNIER90, *_of_entry(entry(what))]
    else:
        about = what.attrs
        made = str(about.get("model", "")).removeprefix(PREFIX)
        known = str(about.get("model", "")).startswith(PREFIX) and made in names()
        works = [PAPER]
        if known or "Wannier functions" in str(about.get("position", "")) or "source" in about:
            works.append(WANNIER90)
        if "wannierberri" in str(about.get("software", "")).lower():
            works.append(WANNIERBERRI)
        works += _of_entry(entry(made)) if known else []
        works += [f"{v.attrs['reference']} [{name}]" for name, v in what.data_vars.items() if v.attrs.get("reference")]
    return "\n".join(dict.fromkeys(works))


def _of_entry(found: Entry) -> list[str]:
    return [str(c) for c in found.citations] + [f"{found.title}: {found.source} [{found.licence}]"]
