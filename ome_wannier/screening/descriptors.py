"""The numbers that a material is chosen by: the name, unit and meaning of each, and how it is made of a result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bands.bands import Bands
from ..bands.degeneracy import Degeneracy
from ..calculators.quantity import Observable
from ..calculators.registry import Calculator, first_observable, get, names
from ..calculators.reported_units import negligible
from ..integration.band_ranges import Gap
from ..integration.kpoints.mesh import KMesh
from ..integration.memory import WORKING_SET, bytes_per_point
from ..models.base import Lattice
from ..presentation import ratios
from ..presentation.elements import names as element_names
from ..presentation.elements import reasons
from ..presentation.numbers import least
from ..response.result_files import quantities
from . import operator_columns
from .descriptor import Descriptor

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: responses that come first in a table
FIRST = ("total", "extrinsic")
#: kinds of calculators that are responses of a magnetization, whose elements are compared
RESPONSES = ("alpha", "extrinsic")
#: what the unit of a response in a table is called
RESPONSE_UNIT = "A/V (3D), A m/V (2D), A m^2/V (1D)"
#: and of what the origin changes of one
PER_ANGSTROM = f"{RESPONSE_UNIT}, per angstrom"
#: share of the polarizability that the bands of `bands_needed` have to bring
SHARE = 0.99
#: points of the mesh that they are counted on, at most
POINTS = 300


#: of a row as such; those of a response X are made by `describe`
DESCRIPTORS = (
    Descriptor("name", "", "what the material is called, with the values of its parameters"),
    Descriptor("status", "", "done; forbidden: nothing to integrate, all responses vanish by symmetry; failed; running"),
    Descriptor("reason", "", "why it failed"),
    Descriptor("warning", "", "what the calculation warned of"),
    Descriptor("formula", "", "chemical formula, where the atoms are known"),
    Descriptor("dimension", "", "number of periodic directions, which decides the unit of responses"),
    Descriptor("orbitals", "", "number of bands of the model"),
    Descriptor("cell_size", "angstrom^dimension", "volume of the unit cell, of a layer its area, of a chain its length"),
    Descriptor("gap", "eV", "gap at the Fermi level in question, or above the bands that a filling fills; 0 for metals"),
    Descriptor("fermi", "eV", "the Fermi level in question: the middle of the gap, that of the filling, or what was given"),
    Descriptor("fermi_error", "eV", "estimated error of the level of a filling; what it may change is in the errors"),
    Descriptor("tau_equal", "fs", "relaxation time at which the largest extrinsic element is that of the total"),
    Descriptor("metric", "1/angstrom (3D), 1 (2D)", "trace of the integrated quantum metric at the Fermi level in question"),
    Descriptor("polarizable", "e/Angstrom/V (3D), e/V (2D)", "mean of the diagonal of the dipole polarizability there"),
    *operator_columns.SCALARS,
    Descriptor("bands_needed", "", f"fewest bands next to the Fermi level that bring {SHARE:.0%} of the polarizability"),
    Descriptor("converged", "", "1 if the error reached rtol, 0 if not, or if a quantity counted as zero; see the warning"),
    Descriptor("seconds", "s", "time it took"),
    Descriptor("points", "", "k points"),
    Descriptor("model_sha256", "", "digest of the model"),
    Descriptor("settings_sha256", "", "digest of the settings that the result depends on"),
    Descriptor("software", "", "versions that computed it"),
    Descriptor("source", "", "where the model came from"),
)


def describe(columns: Iterable[str] = ()) -> list[Descriptor]:
    """All columns, those of every response included; of operators, whose names users give, those among `columns`."""
    found = list(DESCRIPTORS)
    known = sorted(names(), key=lambda name: name not in FIRST)  # stable: the others in their own order
    for name in known:
        if first_observable(get(name)).kind in RESPONSES:
            found += of_response(name)
        found += [column for one in ratios.RATIOS if one.of == name for column in of_ratio(one)]
    return found + operator_columns.columns(columns)


def of_ratio(one: ratios.Ratio) -> list[Descriptor]:
    """The columns of a ratio to the conductivity."""
    column = one.column
    return [
        Descriptor(column, one.unit, f"largest {one.meaning}"),
        Descriptor(f"{column}_error", one.unit, f"estimated error of {column}"),
        Descriptor(f"{column}_element", "", f"axes of {one.axes} of {column}"),
        Descriptor(f"{column}_fermi", "eV", f"Fermi level at which {column} is so large"),
    ]


def of_response(name: str) -> list[Descriptor]:
    """The columns of the response of this name."""
    unit = RESPONSE_UNIT
    return [
        Descriptor(f"{name}_max", unit, f"modulus of the element of {name} that exceeds its error most, over all Fermi levels"),
        Descriptor(f"{name}_max_error", unit, f"estimated error of {name}_max"),
        Descriptor(
            f"{name}_element", "", f"axes of that element of {name}, moment first; none (forbidden) if all vanish by symmetry"
        ),
        Descriptor(f"{name}_fermi", "eV", f"Fermi level at which {name} is so large"),
        Descriptor(f"{name}_at_end", "", f"1 if {name} still grows towards that level, the first or last of all"),
        Descriptor(f"{name}_gap", unit, f"largest element of {name} at the level in question if there is a gap, with its sign"),
        Descriptor(f"{name}_gap_error", unit, f"estimated error of {name}_gap"),
        Descriptor(f"{name}_gap_element", "", f"axes of that element of {name}"),
        Descriptor(f"{name}_per_angstrom", PER_ANGSTROM, f"most that an element of {name} changes with the origin of a layer"),
        Descriptor(f"{name}_removed", unit, f"most that a symmetry which holds but for noise takes from {name}"),
        Descriptor(f"{name}_removed_error", unit, f"numerical error of {name}_removed; {name}_max_error holds both"),
    ]


def of_result(result: xr.Dataset, reference: float, gap: Gap | None, tau: float) -> dict[str, Any]:
    """Descriptors of a result, of its first temperature."""
    at = result.isel(temperature=0) if "temperature" in result.dims else result
    pairs: dict[str, Any] = {}
    for name in quantities(at):
        known = at[name].attrs.get("index_order") or "spin_moment" in at[name].dims
        if known and not str(at[name].attrs["units"]).endswith("/K"):  # of gradients tables have no columns
            pairs |= _of_response(at[name], at[f"{name}_error"], reference if gap else None)
            if f"{name}_per_angstrom" in at:
                change = float(np.nanmax(abs(at[f"{name}_per_angstrom"].values), initial=0.0))
                pairs[f"{name}_per_angstrom"] = change if change > negligible(name, at[name].attrs["units"]) else 0.0
            if f"{name}_raw" in at:
                removed = np.nan_to_num(abs(at[f"{name}_raw"] - at[name]).values)
                most = np.unravel_index(int(np.argmax(removed)), removed.shape)
                pairs[f"{name}_removed"] = float(removed[most])
                pairs[f"{name}_removed_error"] = float(at[f"{name}_error"].values[most] - removed[most])
        elif operator_columns.has_own_unit(name):
            pairs |= _of_response(at[name], at[f"{name}_error"], reference if gap else None)
            pairs[f"{name}_unit"] = str(at[name].attrs["units"])
    level = at.sel(fermi=reference, method="nearest")
    if "quantum_metric" in level:
        pairs["metric"] = float(np.trace(level["quantum_metric"].values))
    if "dipole_polarizability" in level:
        pairs["polarizable"] = float(np.diagonal(level["dipole_polarizability"].values).mean())
    if "total_max" in pairs and pairs.get("extrinsic_max", 0.0) > np.nan_to_num(pairs.get("extrinsic_max_error", 0.0)):
        pairs["tau_equal"] = tau * pairs["total_max"] / pairs["extrinsic_max"]
    pairs |= operator_columns.of_level(level)
    pairs |= ratios.of_result(at)
    return {key: value for key, value in pairs.items() if (value != "" if isinstance(value, str) else np.isfinite(value))}


def of_forbidden(name: str) -> dict[str, Any]:
    """Descriptors of a response all of whose elements vanish by symmetries that hold to rounding: the error is none."""
    return {f"{name}_max": 0.0, f"{name}_max_error": 0.0, f"{name}_element": "none"}


def _of_response(value: xr.DataArray, error: xr.DataArray, middle: float | None) -> dict[str, Any]:
    """The largest element over the Fermi levels, and in the middle of the gap."""
    name, levels = value.name, value.coords["fermi"].values
    axes = [value.coords[d].values for d in value.dims if d != "fermi"]
    rounding = least(str(name), value.attrs)
    allowed = np.isin(element_names(value), list(reasons(value)), invert=True).reshape(
        [len(a) for a in axes]
    )  # of the elements
    numbers = np.where((abs(value.values) > rounding) & allowed, value.values, 0.0)
    errors = np.where(allowed | ~allowed.any(), error.values, 0.0)  # of what is forbidden, where all is
    number, wrong, element, at = _largest(numbers, errors, axes, allowed)
    pairs: dict[str, Any] = {
        f"{name}_max": abs(number),
        f"{name}_max_error": wrong,
        f"{name}_element": element,
        f"{name}_fermi": float(levels[at[0]]),
        f"{name}_at_end": int(_at_end(abs(numbers), wrong, at)),
    }
    if middle is not None:
        i = int(np.argmin(abs(levels - middle)))
        number, wrong, element, _ = _largest(numbers[i : i + 1], errors[i : i + 1], axes, allowed)
        pairs |= {f"{name}_gap": number, f"{name}_gap_error": wrong, f"{name}_gap_element": element}
    return pairs


def _place(sizes: Array) -> tuple[int, ...]:
    """The index of the largest."""
    return tuple(map(int, np.unravel_index(int(np.argmax(sizes)), sizes.shape)))


def _at_end(sizes: Array, error: float, at: tuple[int, ...]) -> bool:
    """Whether an element at the first or last level is larger than at the one beside it, by more than its error."""
    end, beside = at[0], 1 if at[0] == 0 else at[0] - 1
    return len(sizes) > 1 and end in (0, len(sizes) - 1) and bool(sizes[at] - sizes[(beside, *at[1:])] > np.nan_to_num(error))


def _largest(
    numbers: Array, errors: Array, axes: Sequence[Any], allowed: NDArray[np.bool_]
) -> tuple[float, float, str, tuple[int, ...]]:
    """The element (value and error) that exceeds its error most, its axes, and its index, the level first; where none does, the
    largest; where all are zero, the one with the largest error. No axes where symmetry forbids all elements."""
    size = abs(numbers)
    beyond = size - np.nan_to_num(errors)
    where = _place(
        beyond if beyond.max() > 0 else size if size.any() else np.where(allowed | ~allowed.any(), np.nan_to_num(errors), -1.0)
    )
    names = "".join(str(along[i]) for along, i in zip(axes, where[1:], strict=True)) if allowed.any() else "none"
    return float(numbers[where]), float(errors[where]), names, where


def bands_needed(model: Lattice, mesh: KMesh, level: float) -> int | None:
    """Fewest bands next to the Fermi level, below and above, whose pairs bring `SHARE` of the dipole polarizability.

    The polarizability, sum over pairs of |R_a,ou|^2 / (e_u - e_o), weighs the mixing by the field that every response of the
    electrons rests on. None where nothing is mixed.
    """
    if model.available is not None or not model.axes:
        return None
    k = mesh.points()
    if len(k) > POINTS:  # at random, since steps through a mesh may meet planes of symmetry alone
        k = np.random.default_rng(0).permutation(k)[:POINTS]
    n = model.n_orbitals
    weights = np.zeros((n + 1, n + 1))  # [i, j]: of the i-th band below the level with the j-th above, from 1
    step = max(1, WORKING_SET // bytes_per_point(n, 1))
    degeneracy = Degeneracy.of(model, np.inf)
    for start in range(0, len(k), step):
        bands = Bands(model, k[start : start + step], degeneracy=degeneracy)
        filled = (bands.energies <= level).sum(axis=1)
        pair = sum((abs(bands.connection(a)) ** 2 for a in range(len(model.axes))), np.zeros(()))
        pair = pair * abs(bands.inverse)
        for occupied in np.unique(filled).tolist():
            block = pair[filled == occupied].sum(axis=0)[:occupied, occupied:][::-1]
            weights[1 : occupied + 1, 1 : n - occupied + 1] += block
    share = weights.cumsum(axis=0).cumsum(axis=1)
    if not share[-1, -1] > 0:
        return None
    enough = np.argwhere(share >= SHARE * share[-1, -1] * (1 - 1e-9))
    return min(int(enough.sum(axis=1).min()), n)  # of a metal bands count on both sides


def responses(wanted: Sequence[Calculator]) -> list[Calculator]:
    """Of calculators those that are responses of a magnetization, integrated over bands."""
    return [c for c in wanted if first_observable(c).kind in RESPONSES and isinstance(first_observable(c), Observable)]
