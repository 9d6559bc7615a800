"""PythTB on the same points: levels, and the Berry flux of the lower band of the Haldane model, whose sum is 2 pi."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pythtb
from measure import in_turn, median_ratio, table

import ome_wannier as ome
from ome_wannier.bands.bands import Bands


def section(small: bool) -> str:
    """Times of both; PythTB 1.8, as 2 has other names."""
    n = 60 if small else 300
    model = ome.load("haldane")
    theirs = ome.to_pythtb(model)
    k = ome.KMesh((n, n, 1)).points()
    found: dict[str, np.ndarray] = {}

    def our_levels() -> None:
        found["our levels"] = Bands(model, k).energies

    def their_levels() -> None:
        found["their levels"] = theirs.solve_all(k[:, :2]).T

    def our_flux() -> None:
        result = ome.compute(model, (n, n, 1), ["berry_curvature"], 0.0, temperature=0.0, symmetry="off")
        found["our flux"] = result.berry_curvature.values.ravel()

    def their_flux() -> None:
        states = pythtb.wf_array(theirs, [n + 1, n + 1])
        with contextlib.redirect_stdout(io.StringIO()):
            states.solve_on_grid([0.0, 0.0])
            found["their flux"] = np.array([states.berry_flux([0])])

    our_flux()  # compiles
    times = in_turn([our_levels, their_levels, our_flux, their_flux], 1 if small else 3)
    levels = np.abs(found["our levels"] - found["their levels"]).max()
    # ours is the integral of the curvature over the zone by (2 pi)^2
    flux = abs(found["our flux"][0] * (2 * np.pi) ** 2 - found["their flux"][0])
    assert levels <= 1e-12
    assert flux <= 1e-9
    rows = [
        [
            what,
            *(f"{n * n / x:,.0f}" for x in np.median(times[:, i : i + 2], axis=0)),
            f"{median_ratio(times, i + 1, i):.1f}",
            f"{off:.0e}",
        ]
        for i, what, off in ((0, "levels", levels), (2, "Berry flux below the gap", flux))
    ]
    return table(["haldane", "points per second, ours", "PythTB's", "times faster", "numbers differ by"], rows)
