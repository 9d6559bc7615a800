"""The elements of a quantity of a result: which symmetry forbids or nobody defines, which are equal, and what is shown once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calculators.registry import EQUAL, get
from ..response.result_files import quantities

if TYPE_CHECKING:
    import xarray as xr

#: what stands for an element that is forbidden or not defined
DASH = "-"
#: how the reason begins of an element that is not defined
UNDEFINED = "not defined"
#: dimensions of a scan; all others are Cartesian
SCAN = ("fermi", "temperature")


def along(variable: xr.DataArray) -> dict[str, tuple[str, ...]]:
    """The Cartesian dimensions of a variable and their axes."""
    return {str(d): tuple(str(x) for x in variable[d].values) for d in variable.dims if d not in SCAN}


def names(variable: xr.DataArray) -> list[str]:
    """All elements, such as "zx"; "" for a single number."""
    return ["".join(letters) for letters in product(*along(variable).values())]


def element(variable: xr.DataArray, name: str) -> xr.DataArray:
    """One element over levels and temperatures."""
    return variable.sel(dict(zip(along(variable), name, strict=True)))


def at(variable: xr.DataArray, whole: xr.DataArray, name: str) -> xr.DataArray:
    """One element of a quantity in what has dimensions besides its own, such as the shares of parts in it."""
    return variable.sel(dict(zip(along(whole), name, strict=True)))


def defined(variable: xr.DataArray) -> dict[str, tuple[str, ...]]:
    """The Cartesian dimensions of a variable and those of their axes along which any element is defined; all if none is."""
    there = variable.notnull()
    if not there.any():
        return along(variable)
    return {d: tuple(a for a in axes if there.sel({d: a}).any()) for d, axes in along(variable).items()}


def trimmed(result: xr.Dataset, name: str) -> xr.Dataset:
    """A quantity and its error without the rows and columns that it has nothing in, such as a field across a layer."""
    return result[[name, f"{name}_error"]].sel({d: list(axes) for d, axes in defined(result[name]).items()})


def reasons(variable: xr.DataArray) -> dict[str, str]:
    """Elements that have no value and why: "forbidden by time reversal", or "not defined: ..."."""
    found: dict[str, str] = {}
    for key, said in (("undefined", f"{UNDEFINED}: "), ("forbidden", "forbidden by ")):
        elements, why = (_listed(variable.attrs.get(name)) for name in (key, f"{key}_by"))
        why = why * len(elements) if len(why) == 1 else why
        found |= {name: said + reason for name, reason in zip(elements, why, strict=False)}
    missing = [name for name in names(variable) if name not in found and np.isnan(element(variable, name).values).all()]
    reason = variable.attrs.get("missing")
    undefined = f"{UNDEFINED}: {reason}" if reason else UNDEFINED
    return {name: found[name] for name in names(variable) if name in found} | dict.fromkeys(missing, undefined)


def _listed(value: Any) -> list[str]:
    """An attribute that is a list of texts; of one netCDF makes the text itself."""
    return [] if value is None else [str(x) for x in np.atleast_1d(value)]


def allowed(variable: xr.DataArray) -> list[str]:
    """Elements that have a value."""
    gone = reasons(variable)
    return [name for name in names(variable) if name not in gone]


def equal(variable: xr.DataArray) -> dict[str, str]:
    """Elements that symmetry makes equal to one before them, or to its negative: {"yy": "xx", "yx": "-xy"}."""
    return dict(text.split(" = ", 1) for text in _listed(variable.attrs.get("equal")) if " = " in text)


def independent(variable: xr.DataArray) -> list[str]:
    """Elements that have a value, those that are equal once."""
    again = equal(variable)
    return [name for name in allowed(variable) if name not in again]


def with_equals(variable: xr.DataArray, name: str) -> str:
    """An element with those that equal it: "xx = yy", "xy = -yx"."""
    same = [(other, of) for other, of in equal(variable).items() if of.lstrip("-") == name]
    return " = ".join([name, *(("-" if of.startswith("-") else "") + other for other, of in same)])


def distinct(result: xr.Dataset) -> list[str]:
    """Names of the quantities, without those that equal another one of the result by definition."""
    there = quantities(result)
    return [name for name in there if not _again(result, name, there)]


def _again(result: xr.Dataset, name: str, there: list[str]) -> bool:
    """Whether a quantity is another one that is there; of `semiclassical` its prefactor decides."""
    if EQUAL.get(name) not in there:
        return False
    equation = str(result[name].attrs.get("equation", ""))
    return name != "semiclassical" or equation.startswith(get(name).equation)


def said(name: str) -> str:
    """A quantity as it is printed."""
    return name.replace("_", " ")


def labelled(result: xr.Dataset, name: str, element: str) -> str:
    """A quantity and its element, with those that equal it: "L hall xyz = -yxz"."""
    return f"{said(name)} {with_equals(result[name], element)}".rstrip()


def legend(
    result: xr.Dataset, which: Sequence[str], undefined: bool = True, among: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    """What the dashes of some quantities stand for, a line for each reason: "zx of total, dipole: forbidden by ...".

    undefined : those that are not defined, too, beside those that are forbidden. among : elements of each quantity, others are
    left out; by default all.
    """
    lines: dict[str, dict[str, list[str]]] = {}
    for name in which:
        gone = reasons(result[name])
        for reason in dict.fromkeys(r for r in gone.values() if undefined or not r.startswith(UNDEFINED)):
            elements = [e for e, r in gone.items() if r == reason]
            every = len(elements) == len(names(result[name]))
            if wanted := elements if among is None else [e for e in elements if e in among[name]]:
                lines.setdefault(reason, {}).setdefault("" if every else ", ".join(wanted), []).append(said(name))
    return _lines(lines)


def legend_of(label: str, marks: Mapping[str, Any], every: Sequence[str]) -> list[str]:
    """The same of a quantity that is not computed: `marks` of `response.elements.about`, and the names of all its elements."""
    lines: dict[str, dict[str, list[str]]] = {}
    gone = dict(zip(_listed(marks.get("forbidden")), _listed(marks.get("forbidden_by")), strict=True))
    for reason in dict.fromkeys(gone.values()):
        elements = [e for e, r in gone.items() if r == reason]
        text = "" if len(elements) == len(every) else ", ".join(elements)
        lines.setdefault(f"forbidden by {reason}", {}).setdefault(text, []).append(label)
    return _lines(lines)


def _lines(lines: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    return [
        f"{'; '.join((f'{text} of ' if text else 'all of ') + ', '.join(of) for text, of in found.items())}: {reason}"
        for reason, found in lines.items()
    ]
