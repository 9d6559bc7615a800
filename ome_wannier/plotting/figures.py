"""What all pictures share: a figure without global state, SI prefixes, colour scales, and saving whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calculators.quantity import Observable
from ..calculators.registry import Calculator, first_observable
from ..common.errors import SettingsError
from ..common.safe_write import Fill, whole
from ..models.base import Model
from ..response import layer
from ..response.tabulate import missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Okabe and Ito's colours, told apart with any kind of colour vision
BLUE, SKY, ORANGE, GREEN, VERMILION, PURPLE = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
#: diverging colour map, safe for colour-blind readers
DIVERGING = "RdBu_r"
#: a largest value this many times the typical one asks for a logarithmic scale
WIDE_RANGE = 30.0
#: decades that a logarithmic colour scale spans on either side of zero
MOST_DECADES = 3

#: units of the per-band weights of a Fermi-sea term, by kind; those of a Fermi-surface term carry one eV more
WEIGHT_UNIT = {
    "alpha": ("e²/ħ", "Å³"),
    "extrinsic": ("e²/ħ²", "eV Å³"),
    "polarizability": ("e²", "Å²/eV"),
    "curvature": ("", "Å²"),
    "moment": ("e/ħ", "eV Å²"),
    "moment_slope": ("e/ħ", "Å²"),
    "drude": ("e²/ħ²", "eV Å²"),
    "ohmic": ("e²/ħ²", "eV Å²"),
    "thermal": ("k_B e/ħ²", "eV Å³"),
    "thermal_current": ("k_B e/ħ²", "eV Å²"),
}
#: the same of an operator, beside its own unit
OPERATOR_UNIT = {
    "density": ("", ""),
    "density_response": ("e", "Å/eV"),
    "density_extrinsic": ("e/ħ", "Å"),
    "density_thermal": ("k_B/ħ", "Å"),
    "current_response": ("e/ħ", "Å²"),
}


def new(width: float, height: float) -> Figure:
    """A figure of this size in inches that belongs to nobody's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | Path | None) -> None:
    """Write a figure (png, pdf, svg ... by the name's ending); the file appears whole or not at all.

    Raises
    ------
    SettingsError : an ending that names no format.
    """
    if path is None:
        return
    target = Path(path)
    kind = target.suffix.lstrip(".").lower() or "png"
    kinds = figure.canvas.get_supported_filetypes()
    if kind not in kinds:
        raise SettingsError(f"cannot write the picture {target.name!r}: its name must end in one of {', '.join(sorted(kinds))}")
    whole(target, _fill(figure, kind))


def png(figure: Figure) -> Fill:
    """What writes a figure into a file, as png."""
    return _fill(figure, "png")


def _fill(figure: Figure, kind: str) -> Fill:
    return lambda file: figure.savefig(file, format=kind, dpi=180)


def faded(colour: str, strength: float) -> tuple[float, float, float]:
    """A colour mixed with white: itself at 1."""
    from matplotlib.colors import to_rgb

    r, g, b = (1 - strength * (1 - c) for c in to_rgb(colour))
    return r, g, b


def diverging_norm(values: ArrayLike) -> Normalize:
    """A colour scale symmetric about zero: linear, or logarithmic away from zero where the values range widely.

    A logarithmic scale leaves out the largest fiftieth of the values (they have the last colour) and is linear below the
    median, or `MOST_DECADES` below its end.
    """
    from matplotlib.colors import Normalize, SymLogNorm

    typical, largest = sizes(values)
    if largest <= WIDE_RANGE * typical:
        return Normalize(-largest, largest)
    end = float(np.nanquantile(np.abs(np.asarray(values, dtype=float)), 0.98)) or largest
    return SymLogNorm(max(typical, 10.0**-MOST_DECADES * end), vmin=-end, vmax=end, base=10)


def sizes(values: ArrayLike | None) -> tuple[float, float]:
    """The median and the largest of the absolute values, zeros and infinities aside; 1 and 1 if there are none."""
    size = np.abs(np.asarray(values, dtype=float))
    size = size[np.isfinite(size) & (size > 0)]
    return (float(np.median(size)), float(size.max())) if size.size else (1.0, 1.0)


def colorbar(ax: Axes, drawn: ScalarMappable, label: str) -> None:
    """A colour bar with a few ticks that do not collide, and arrowheads where values lie beyond the scale."""
    norm, top = drawn.norm, float(drawn.get_clim()[1] or 0.0)
    beyond = sizes(drawn.get_array())[1] > top * (1 + 1e-9)
    bar = ax.figure.colorbar(drawn, ax=ax, label=label, extend="both" if beyond else "neither")
    if hasattr(norm, "linthresh"):
        first, last = math.ceil(math.log10(norm.linthresh) + 0.5), math.floor(math.log10(top))
        powers = [10.0**e for e in range(last, first - 1, -max(1, (last - first) // 3))]
        powers = powers or [10.0**last]
        bar.set_ticks([-p for p in powers] + [0.0] + powers[::-1])
        bar.minorticks_off()


def component(wanted: str | tuple[str, ...], available: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A component such as "zy" or ("z", "y") as a selection {"moment": "z", "field": "y"}.

    Raises
    ------
    SettingsError : there is no such component; the ones there are are listed.
    """
    letters = tuple(wanted)
    if len(letters) != len(available) or any(x not in axis for x, axis in zip(letters, available.values(), strict=False)):
        choices = [""]
        for axis in available.values():
            choices = [c + a for c in choices for a in axis]
        there = f"one of {', '.join(choices)}" if available else 'this is a single number, its component is ""'
        raise SettingsError(f"no component {''.join(letters)!r}: {there}")
    return dict(zip(available, letters, strict=True))


def or_first(wanted: str | tuple[str, ...] | None, available: dict[str, tuple[str, ...]]) -> str | tuple[str, ...]:
    """The component that is asked for; where none is, zx if there is that, or the first one."""
    if wanted is not None:
        return wanted
    usual = len(available) == 2 and all(x in axis for x, axis in zip("zx", available.values(), strict=True))
    return "zx" if usual else tuple(axis[0] for axis in available.values())


def index(wanted: str | tuple[str, ...], available: dict[str, tuple[str, ...]]) -> Any:
    """The same as an index of an array whose dimensions, but for the first, have these axes."""
    return slice(None), *(available[d].index(letter) for d, letter in component(wanted, available).items())


def component_names(model: Model, calculator: Calculator) -> dict[str, tuple[str, ...]]:
    """The dimensions of a calculator's components and their coordinates in this model."""
    axes = layer.result_axes(model, first_observable(calculator).dims, layer.whole(model, [calculator]))
    return layer.letters(model, calculator, axes)


def refuse_missing(model: Model, calculator: Calculator, wanted: str | tuple[str, ...], per_band: bool = False) -> NoReturn:
    """SettingsError for an element that does not exist, or not band by band, and why."""
    axes = layer.result_axes(model, first_observable(calculator).dims, layer.whole(model, [calculator]))
    reason = (missing if per_band else layer.missing)(model, calculator, axes)
    raise SettingsError(f"no component {''.join(wanted)!r} of {calculator.name}: {reason}")


def weight_unit(calculator: Calculator, integrated: bool) -> str:
    """Unit of an integrand, or of the per-band weights."""
    observable = first_observable(calculator)
    assert isinstance(observable, Observable)
    if observable.kind == "own":
        return f"{observable.unit} per k" if observable.unit != "1" else ""
    if observable.kind in OPERATOR_UNIT:
        of_it = observable.unit if observable.factor == 1 else f"({observable.factor:.4g} {observable.unit})"
        constants, unit = OPERATOR_UNIT[observable.kind]
        constants = " ".join(filter(None, [of_it, constants]))
    else:
        constants, unit = WEIGHT_UNIT[observable.kind]
    if not integrated and observable.occupation in ("surface", "thermal"):
        unit = unit.replace("eV", "eV²", 1) if unit.startswith("eV") else f"eV {unit}"
    return f"{constants} {unit}".strip()
