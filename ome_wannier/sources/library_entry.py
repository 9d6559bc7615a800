"""What an entry of the library of materials says (its `material.toml`), and its model.

It names either the files of a Wannier90 calculation beside it or a builder in `ome_wannier.lattices` with its parameters.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..common.errors import ModelError, OMEError, shortened
from ..models.base import Model, has_zone
from .stale import warn_of_another_material

if TYPE_CHECKING:
    from ..models.kdotp import KDotP
    from ..models.plane_waves import PlaneWaves
    from ..models.sparse_tight_binding import SparseTightBinding
    from ..models.tight_binding import TightBinding

    Loaded = TightBinding | KDotP | PlaneWaves | SparseTightBinding

FILE = "material.toml"
#: how the model of an entry is named in results, so that `cite` knows it again
PREFIX = "library/"


#: Fermi levels of a range, at the most: more would not fit in memory
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

    def moved(self, by: float) -> Scan:
        """The same, higher by so many eV."""
        return replace(self, start=self.start + by, stop=self.stop + by) if by else self


@dataclass(frozen=True)
class Citation:
    """A work to cite, as text, and its DOI where there is one."""

    text: str
    doi: str = ""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __str__(self) -> str:
        return f"{self.text}, https://doi.org/{self.doi}" if self.doi else self.text


Value = bool | int | float | str | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A keyword argument of a builder: its value in the entry, its unit, what it means, and where the value is from.

    value : None for a number that the builder chooses. or_vector : whether three components do as well as a number.
    """

    name: str
    unit: str
    meaning: str
    value: Value | None = None
    or_vector: bool = False
    status: Literal["computed", "read", "memory", "own", "given"] = "own"

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __str__(self) -> str:
        value = "(not given)" if self.value is None else self.value
        return f"{self.name} = {value}{f' {self.unit}' if self.unit else ''}, {self.meaning} [{self.status}]"


#: what the status of a parameter or an entry means, as `info` prints it
STATUS = {
    "computed": "computed for this project",
    "read": "read in a retrieved source",
    "memory": "from memory, to be verified",
    "own": "chosen by this project",
    "given": "given instead of the entry's",
}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One element of one quantity at one Fermi level (eV) and temperature (K), as `source` gives it.

    error : None where the source gives none.

    For source "computed", `make references` writes value and error anew, and the tests compute it again.
    """

    quantity: str
    element: str
    fermi: float
    temperature: float
    value: float
    unit: str
    error: float | None = None
    kmesh: tuple[int, int, int] | None = None
    source: str = "computed"

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __str__(self) -> str:
        where = f"{self.fermi:g} eV, {self.temperature:g} K{f', mesh {self.kmesh}' if self.kmesh else ''}"
        error = "" if self.error is None else f" +- {self.error:.1g}"
        return f"{self.quantity} {self.element} = {self.value:.4g}{error} {self.unit} at {where} [{self.source}]"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One material of the library.

    Parameters
    ----------
    title, formula : what it is.
    seed : seedname of its Wannier90 files in `folder`; or
    builder : "module:function" of `ome_wannier.lattices`, called with the values of
    parameters : the builder's keyword arguments that `load` takes.
    source : where the data come from and how far to trust them.
    status : "computed" for this project, "read" in a retrieved source, from "memory" and to be verified, or our "own".
    licence : of the data.
    units : of the data.
    filling : electrons per cell in these bands (models with a window of bands: from neutrality), if known.
    half_filled : whether half of the bands is full for any value of the parameters, however many bands that makes.
    fermi : eV, in the gap where there is one.
    gap : (top of the occupied, bottom of the empty bands) in eV, or None for a metal.
    kmesh : a mesh that resolves it; None for k.p models.
    scan : Fermi levels for a demonstration.
    symmetry : what it allows and forbids.
    caution : what a user should know before he computes it.
    citations : works to cite with the data.
    reference : values computed or published, with their settings, for comparison.
    name, folder : set by the library.
    """

    title: str
    formula: str
    source: str
    status: Literal["computed", "read", "memory", "own"]
    licence: str
    units: str
    fermi: float
    symmetry: str
    citations: tuple[Citation, ...]
    seed: str = ""
    builder: str = ""
    parameters: tuple[Parameter, ...] = ()
    filling: float | None = None
    half_filled: bool = False
    kmesh: tuple[int, int, int] | None = None
    gap: tuple[float, float] | None = None
    caution: str = ""
    scan: Scan | None = None
    reference: tuple[Reference, ...] = ()
    name: str = ""
    folder: Path = Path()

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def __post_init__(self) -> None:
        if bool(self.seed) == bool(self.builder):
            raise ValueError("give either seed (Wannier90 files) or builder")
        if self.builder and not re.fullmatch(r"[a-z_0-9]+:[a-z_0-9]+", self.builder):
            raise ValueError(f"builder {self.builder!r}: give 'module:function' of ome_wannier.lattices")

    def load(self, **options: Any) -> Loaded:
        """The model; options are those of the Wannier90 adapter, or values of the builder's parameters.

        Raises
        ------
        ModelError : a parameter that the entry does not have, or a value that the builder refuses.
        """
        if self.seed:
            from ..adapters.wannier90 import loader as wannier90

            read = wannier90.load(self.folder / self.seed, **options)
            warn_of_another_material(f"{FILE} of {self.name}", self.filling, self.formula, read)
            return replace(read, name=PREFIX + self.name)
        for name, value in options.items():
            self._check(name, value)
        values = {p.name: p.value for p in self.parameters if p.value is not None}
        model = self._built(values | options)
        changed = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return replace(model, name=f"{PREFIX}{self.name}{f' ({changed})' if changed else ''}")

    def used(self, options: Mapping[str, Value]) -> tuple[Parameter, ...]:
        """The parameters with the values that `load(**options)` takes."""
        given = {p.name: options[p.name] for p in self.parameters if p.name in options and options[p.name] != p.value}
        return tuple(replace(p, value=given[p.name], status="given") if p.name in given else p for p in self.parameters)

    def electrons(self, model: Model) -> float | None:
        """Electrons per cell in the bands of this model, which parameters may have changed; None if not known."""
        if not self.half_filled or not has_zone(model):
            return self.filling
        return 0.0 if model.neutral else model.spin_degeneracy * model.n_orbitals / 2

    def _built(self, values: Mapping[str, Any]) -> Loaded:
        """What the builder makes of these values.

        Raises
        ------
        ModelError : parameters that it does not have, values of which it can make nothing.
        """
        builder = self._builder()
        if unknown := [name for name in values if name not in inspect.signature(builder).parameters]:
            raise ModelError(f"{self.folder / FILE}: {self.builder} has no parameter {shortened(unknown[0], 60)!r}")
        try:
            return builder(**values)
        except (TypeError, ValueError, ArithmeticError, LookupError, MemoryError) as error:
            if isinstance(error, OMEError):
                raise
            given = shortened(", ".join(f"{k} = {v!r}" for k, v in values.items()), 300)
            raise ModelError(f"{self.folder / FILE}: {self.builder} can make nothing of {given} ({error})") from error

    def _builder(self) -> Callable[..., Loaded]:
        """The function of `ome_wannier.lattices`, one that is defined there and public."""
        module, name = self.builder.split(":")
        full = f"ome_wannier.lattices.{module}"
        try:
            function = getattr(importlib.import_module(full), name)
        except (ImportError, AttributeError) as error:
            raise ModelError(f"{self.folder / FILE}: no builder {self.builder!r} in ome_wannier.lattices") from error
        if not inspect.isfunction(function) or function.__module__ != full:
            raise ModelError(f"{self.folder / FILE}: {self.builder!r} is no builder of ome_wannier.lattices")
        return function

    def _check(self, name: str, value: object) -> None:
        """Refuse a parameter that does not exist, or a value of another kind than the entry's."""
        known = {p.name: p for p in self.parameters}
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
            raise ModelError(f"{self.name} has no parameter {name!r}: {remedy}")
        like = 0.1 if known[name].value is None else known[name].value
        assert like is not None
        vector = known[name].or_vector
        if not (_fits(value, like) or (vector and _fits(value, (0.0, 0.0, 0.0)))):
            kind = _words(like) + (" or a row of three" if vector else "")
            shown = list(like) if isinstance(like, tuple) else like  # rows as the command line takes them
            raise ModelError(f"{self.name}, parameter {name} is {value!r}: give {kind}, such as {shown!r}")


def _fits(value: object, like: Value) -> bool:
    """Whether a value is of the kind of another one: whole numbers pass for numbers, lists for rows of as many numbers."""
    if isinstance(like, bool | str):
        return isinstance(value, type(like))
    if isinstance(like, tuple):
        return isinstance(value, tuple | list | np.ndarray) and len(value) == len(like) and all(_fits(v, 0.0) for v in value)
    kind = numbers.Integral if isinstance(like, int) else numbers.Real
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


def _words(like: Value) -> str:
    if isinstance(like, tuple):
        return f"a row of {len(like)} numbers"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[type(like)]
