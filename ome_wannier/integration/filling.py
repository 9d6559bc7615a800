"""Fermi levels that hold a number of electrons, and how sure they are.

A whole number of bands p is full where as many electrons are above band p as there are holes below it. Both numbers may be
tiny: they are compared by their logarithms, so that the level is right for any ratio of gap and temperature. Other numbers of
electrons differ from the nearest whole one by what is added on one side. At T = 0 any level in a gap will do: the middle.

On a mesh the level has an error, as responses do: the deviation of its sub-meshes. Where the mesh sees a gap, its edges may be
between the points (`info.Look` finds them): what shifts the middle by more than k_B T is an error too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calculators.quantity import whole_of
from ..common.checked_input import fault
from ..common.errors import ConvergenceWarning, SettingsError, warn
from ..common.units import KB
from ..models.base import Lattice, Model, has_zone
from ..symmetry.operations import Operation
from .band_energies import point_energies
from .band_ranges import Gap, Look, coarse_mesh
from .integral import Goal, Integral, Sampling
from .kpoints.chosen import Points, default_mesh, points_of
from .kpoints.mesh import KMesh
from .occupation.fermi_level import _seen, fermi_level, whole

if TYPE_CHECKING:
    from ..sources.library_entry import Entry

Array = NDArray[np.float64]

#: levels that many k_B T outside a gap need densities of states that differ 400 times
OUTSIDE = 3.0
#: eV between levels that are told apart
LEAST = 1e-9
#: share of rtol that the error of a level may take before it is counted
SETTLED = 0.1


class Level(NamedTuple):
    """The Fermi level of `electrons` per cell at a temperature, and its error, in eV; the gap above whole numbers of bands."""

    electrons: float
    temperature: float
    value: float
    error: float
    gap: Gap | None

    def spread(self, negligible: float = 0.0) -> Array:
        """The level alone, if its error is negligible or unknown, or with those that it may be as well: (1,) or (3,) eV."""
        if not self.error > negligible:
            return np.array([self.value])
        return self.value + max(self.error, LEAST) * np.array([-1.0, 0.0, 1.0])

    def about(self) -> dict[str, Any]:
        """What to record."""
        unsure = f"to {self.error:.2g} eV" if self.error >= 0 else "to an unknown error"
        how = f"holds {self.electrons:g} electrons per cell at {self.temperature:g} K, {unsure}"
        if self.temperature == 0 and self.gap is not None and self.gap.holds(self.value):
            how = f"middle of the gap from {self.gap.bottom:.6g} to {self.gap.top:.6g} eV (T = 0)"
        return {"filling": self.electrons, "filling_level": how, "fermi_error_eV": self.error}


def full_bands(model: Lattice, electrons: float) -> float:
    """How many bands so many electrons per cell fill.

    Electrons of plane waves and of windows of bands count from neutrality, since their number of bands is that of the cutoff.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none.
    """
    neutral = model.neutral
    bands = electrons / model.spin_degeneracy + neutral
    if not 0 < bands < model.n_orbitals:
        least, most = ((n - neutral) * model.spin_degeneracy for n in (0, model.n_orbitals))
        raise SettingsError(
            f"filling: {electrons:g} electrons per cell: the bands of this model hold more than {least} and less than {most}"
        )
    return bands


def gap_of(model: Lattice, electrons: float) -> Gap | None:
    """The gap above whole numbers of bands, negative where bands overlap; else None. SettingsError as for `full_bands`."""
    bands = whole(full_bands(model, electrons))
    return Look.at(model).gap(bands) if bands else None


def in_gap(model: Lattice, electrons: float) -> bool:
    """Whether a filling has its level in a gap at T = 0."""
    gap = gap_of(model, electrons)
    return gap is not None and gap.is_open


def level_of(
    model: Lattice, sampling: Sampling, electrons: float, temperature: float, exact: Sequence[Operation]
) -> tuple[Level, Sampling]:
    """The Fermi level of a filling on a mesh, of which exact operations leave some points; warns where it cannot be right.

    With a goal: on a mesh that is doubled until the error is `negligible`, or until that would take more than the goal allows,
    of whose time half is left to the responses. And the sampling, with what is left of that time.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none.
    """
    mesh = sampling if isinstance(sampling, KMesh) else default_mesh(model)
    gap, began = gap_of(model, electrons), time.monotonic()
    while True:
        start = time.monotonic()
        level = filled_level(model, points_of(model, mesh, exact), electrons, temperature, gap)
        now = time.monotonic()
        if not isinstance(sampling, Goal):
            break
        a, b, c = (2 * n if p else 1 for n, p in zip(mesh.size, model.periodic, strict=True))
        finer = KMesh((a, b, c), mesh.shift)
        most = sampling.max_time
        late = most is not None and now - began + (now - start) * len(finer) / len(mesh) > most / 2
        if level.error <= negligible(temperature, sampling) or late or len(finer) > sampling.max_points:
            sampling = sampling._replace(max_time=None if most is None else most - (now - began))
            break
        mesh = finer
    _warn_of_level(level)
    return level, sampling


def filled_level(model: Lattice, points: Points, electrons: float, temperature: float, gap: Gap | None = None) -> Level:
    """The Fermi level of a filling on a mesh, at a temperature in K; `gap` is `gap_of` the filling, where that is known.

    Raises
    ------
    SettingsError : more electrons than the bands hold, or none.
    """
    bands, kT = full_bands(model, electrons), KB * temperature
    gap = gap_of(model, electrons) if gap is None else gap
    if kT == 0 and gap is not None and gap.is_open:
        return Level(electrons, temperature, gap.middle, 0.0, gap)
    energies, weights, part = point_energies(model, points)
    value, squares = fermi_level(energies, weights, bands, kT), 0.0
    for i, number in enumerate(points.shares):
        share = weights[part == i] / weights[part == i].sum()
        squares += number * (fermi_level(energies[part == i], share, bands, kT) - value) ** 2
    error = float(np.sqrt(squares / sum(points.shares))) if len(points.shares) > 1 else np.nan
    if gap is not None and (seen := _seen(energies, gap.bands)).width > 0:
        error = max(error, abs(seen.middle - gap.middle) - kT)
    return Level(electrons, temperature, value, error, gap)


def negligible(temperature: float, goal: Goal | None) -> float:
    """eV by which a level may be wrong without moving a response by more than a tenth of rtol; 0 without a goal.

    Responses change as exp(level / k_B T) at the most; at T = 0 what would do at 1 K.
    """
    return 0.0 if goal is None else SETTLED * goal.rtol * KB * max(temperature, 1.0)


def _warn_of_level(level: Level) -> None:
    """Warn where the level lies far outside the gap that a whole number of bands has."""
    gap, kT = level.gap, KB * level.temperature
    if gap is None or not gap.is_open or gap.bottom - OUTSIDE * kT <= level.value <= gap.top + OUTSIDE * kT:
        return
    away = max(gap.bottom - level.value, level.value - gap.top) / kT
    where = f"lies {away:.2g} k_B T outside the gap from {gap.bottom:.5g} to {gap.top:.5g} eV"
    warn(f"filling: the level of {level.electrons:g} electrons, {level.value:.5g} eV, {where}: take a finer kmesh, or rtol")


def charged(level: Level, found: Integral) -> tuple[Array, Integral]:
    """The level (1,), and what there is there, of what was found at its `spread`, with the largest change within errors; warns
    where, with `rtol`, the change exceeds it."""
    middle, wrong, raw = ({n: x[len(x) // 2 :][:1] for n, x in of.items()} for of in (found.values, found.errors, found.raw))
    given = found.raw or found.values
    change = {n: np.abs(x - (raw or middle)[n]).max(axis=0, keepdims=True) for n, x in given.items()}
    attrs = found.attrs | level.about()
    rtol = attrs.get("rtol")
    far = [n for n, x in change.items() if rtol and x.max(initial=0.0) > rtol * np.abs(middle[n]).max(initial=0.0)]
    failed = [n for n in far if whole_of(n) == n]  # nothing waits for shares
    if failed:
        said = f"{', '.join(failed)} at the level of the filling, which is known to {level.error:.2g} eV"
        attrs |= {"converged": 0, "not_converged": "; ".join(filter(None, [attrs["not_converged"], said]))}
        remedy = "raise max_points (or max_time)"
        warn(f"not converged to rtol = {rtol:g}: {said}: {remedy}", ConvergenceWarning)
    return np.array([level.value]), Integral(middle, {name: x + change[name] for name, x in wrong.items()}, raw, attrs)


def fermi_levels(model: Lattice, kmesh: KMesh | tuple[int, int, int], fillings: ArrayLike, temperature: float = 0.0) -> Array:
    """Fermi levels (n,) in eV at which the cell holds `fillings` electrons on this mesh, whose energies are computed once.

    `compute(model, kmesh, fermi=fermi_levels(model, kmesh, fillings, T), temperature=T)` is a response against the filling.

    Parameters
    ----------
    fillings : (n,) electrons per cell; of plane waves and windows of bands, those added to neutrality.
    temperature : K.

    Raises
    ------
    SettingsError : fillings that are no row of numbers, or that the bands do not hold.
    """
    if wrong := fault(fillings):
        raise SettingsError(f"fillings {wrong}")
    wanted = np.asarray(fillings, dtype=float)
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise SettingsError(f"fillings {fillings!r}: give a row of numbers of electrons per cell")
    energies, weights, _ = point_energies(model, kmesh if isinstance(kmesh, KMesh) else KMesh(kmesh))
    full = [full_bands(model, n) for n in wanted.tolist()]
    gaps = [gap_of(model, n) if temperature == 0 else None for n in wanted.tolist()]
    return np.array(
        [
            gap.middle if gap and gap.is_open else fermi_level(energies, weights, bands, temperature * KB)
            for bands, gap in zip(full, gaps, strict=True)
        ]
    )


def shift(entry: Entry, model: Model) -> float:
    """How far, in eV, the levels that an entry recommends have to move for a model of it with other parameters.

    They move along with the level of its filling at T = 0 (0 for k.p models, which have none, and for files).
    """
    if not has_zone(model) or not entry.builder:
        return 0.0
    own = entry.load()
    assert has_zone(own)
    if own.sha256 == model.sha256:
        return 0.0
    levels = []
    for each in (model, own):
        electrons = entry.electrons(each)
        if electrons is None:
            return 0.0
        levels.append(filled_level(each, coarse_mesh(each), electrons, 0.0).value)
    return round(levels[0] - levels[1], 5)
