"""The same numbers by both codes on one mesh, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from measure import Mesh, difference, half, in_turn, median_ratio, per_point, table
from wannierberri.calculators import static as theirs
from wannierberri_models import (
    ADDED,
    CASES,
    DEGENERATE,
    TAU,
    clear,
    in_ours,
    in_plane,
    kinetic,
    one_grid,
    static,
    tight_binding,
    with_added,
)

import ome_wannier as ome
from ome_wannier import units


class Pair(NamedTuple):
    """A quantity by both codes.

    run, their_run : what is timed, on a mesh; numbers, their_numbers : what these return, in the same unit.
    within : largest difference relative to the largest number; levels : those that are compared, others are near differences
    of levels where both codes round (`clear`).
    """

    name: str
    their_name: str
    run: Callable[[Mesh], Any]
    their_run: Callable[[Mesh], Any]
    numbers: Callable[[Any], np.ndarray]
    their_numbers: Callable[[Any], np.ndarray]
    levels: np.ndarray
    within: float

    def difference(self, mesh: Mesh) -> float:
        """Between the two, held to `within`."""
        ours, theirs = self.numbers(self.run(mesh)), self.their_numbers(self.their_run(mesh))
        found = difference(ours, theirs, self.levels)
        assert found <= self.within, (self.name, found)
        return found


def pairs(name: str, mesh: Mesh) -> Iterator[Pair]:
    """All pairs for a material of the library. A derivative at a level is a difference between the levels before and after in
    WannierBerri, a box of two spacings; ours reaches half way to the neighbours: the same boxes belong to every second level.
    """
    model, levels = tight_binding(name), np.linspace(*CASES[name][1], 201)
    system = ome.to_wannierberri(model)
    every = np.ones(len(levels), dtype=bool)
    second, where = levels[::2], clear(model, mesh, levels[::2])
    per_length = -units.E2_OVER_HBAR * units.ANGSTROM ** (2 - model.dimension)

    def ours(names: list[Any], at: np.ndarray) -> Callable[[Mesh], Any]:
        return lambda size: ome.compute(
            model, size, names, at, temperature=0.0, tau=TAU, symmetry="off", executor=ome.executors.Alone()
        )

    def their(kind: Any, **settings: Any) -> Callable[[Mesh], Any]:
        return lambda size: one_grid(system, size, static(kind, levels, **settings))

    degenerate = {"degen_thresh": DEGENERATE}
    yield Pair(
        "extrinsic, and what the boxes add", "GME_orb_FermiSurf",
        ours(["extrinsic", *ADDED], second), their(theirs.GME_orb_FermiSurf, **degenerate),
        lambda r: with_added(model, r, second), lambda x: kinetic(model, x)[::2], where, 1e-9,
    )  # fmt: skip
    yield Pair(
        "ohmic", "Ohmic_FermiSurf", ours(["ohmic"], second), their(theirs.Ohmic_FermiSurf, **degenerate),
        lambda r: in_plane(model, r.ohmic), lambda x: in_ours(model, x * TAU, "field", "field")[::2], where, 1e-9,
    )  # fmt: skip

    if name == "vse2":  # the others have time reversal, alone or with inversion
        yield Pair(
            "berry_curvature", "AHC", ours(["berry_curvature"], levels), their(theirs.AHC, **degenerate),
            lambda r: in_plane(model, r.berry_curvature) * per_length, lambda x: in_ours(model, x, "moment"), every, 1e-9,
        )  # fmt: skip


def section(small: bool) -> str:
    """Times of all pairs."""
    rows = []
    for name in ("te", "vse2") if small else CASES:
        mesh = half(CASES[name][0]) if small else CASES[name][0]
        for pair in pairs(name, mesh):
            off = pair.difference(mesh)  # and compiles
            clocks = [partial(per_point, run, mesh) for run in (pair.run, pair.their_run)]
            times = in_turn(clocks, 1 if small else 3, clock=lambda work: work())
            ours, their = np.median(times, axis=0)
            rows.append(
                [name, pair.name, pair.their_name, f"{1e3 * ours:.3f}", f"{1e3 * their:.3f}",
                 f"{median_ratio(times, 1, 0):.1f}", f"{off:.0e}"]
            )  # fmt: skip
    return table(["material", "ours", "WannierBerri's", "ms per k, ours", "theirs", "theirs / ours", "numbers differ by"], rows)
