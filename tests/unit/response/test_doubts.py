"""Warnings of numbers that mean less than they seem to."""

from __future__ import annotations

import numpy as np
import pytest
import toys
from toys import (
    LATTICE_SQUARE,
    from_terms,
    random_model,
    run,
)

from ome_wannier.errors import AccuracyWarning


def test_wide_degenerate_groups_are_reported():
    """Levels 9e-6 eV apart chain into one group of 1.7e-4 eV: its spread is given and the tolerance to lower."""
    n = 20
    levels = np.diag(9e-6 * np.arange(n))
    terms = {(0, 0): levels, (1, 0): np.eye(n), (-1, 0): np.eye(n), (0, 1): np.eye(n), (0, -1): np.eye(n)}
    model = from_terms(LATTICE_SQUARE, terms, np.zeros((n, 3)))
    with pytest.warns(AccuracyWarning, match="lower degeneracy_tol") as record:
        result = run(model, (4, 4, 1), ["dipole"])
    assert result.attrs["widest_degenerate_group_eV"] == pytest.approx(19 * 9e-6)
    assert len(record) == 1
    assert record[0].filename == toys.__file__  # the line of `run` that calls compute
    run(model, (4, 4, 1), ["dipole"], degeneracy_tol=1e-6)  # warnings are errors


def near_degenerate(split):
    """Two occupied levels `split` apart."""
    return random_model(61, 2, 3, energies=[-4, -4 + split, 4], hopping=0.02, decay=0.05)


def test_split_of_near_degenerate_pairs_is_reported():
    """Parts that exceed the total a hundred times and cancel say nothing: the warning names the worst."""
    with pytest.warns(AccuracyWarning, match=r"exceeds the total .* times and cancels"):
        result = run(near_degenerate(0.01), (6, 6, 1), ["total", "dipole", "local", "itinerant_sea"], 0.0, temperature=300.0)
    split = 2 * result.dipole + result.itinerant_sea + result.local
    split = split.sel(moment="z", field=["x", "y"])
    assert np.abs(result.local).max() > 100 * np.abs(result.total.sel(moment="z", field=["x", "y"])).max()
    assert np.isfinite(split).all()
    # the total alone is fine, and says nothing
    run(near_degenerate(0.01), (6, 6, 1), ["total"], 0.0)
