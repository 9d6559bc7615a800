"""Warnings name the line of the caller, however deep in the package they arise."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

import pytest
import toys

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning


@pytest.mark.parametrize(
    "settings",
    [
        {"kmesh": (7, 7, 1), "fermi": 0.1},  # no sub-meshes
        {"fermi": 0.1, "rtol": 1e-4, "max_points": 1},  # not converged
        {"kmesh": (6, 6, 1), "fermi": 0.1, "temperature": 1.0},  # Fermi surfaces that are not resolved
    ],
)
def test_warnings_name_this_file_and_line(settings: dict[str, object]) -> None:
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        ome.compute(toys.METAL, calculators="total", **settings)  # type: ignore[arg-type]
    found = [w for w in record if issubclass(w.category, AccuracyWarning)]
    assert found
    assert {(Path(w.filename), w.lineno) for w in found} == {(Path(__file__), line)}


def test_warnings_of_writing_name_this_file(tmp_path: Path) -> None:
    with pytest.warns(AccuracyWarning) as record:
        ome.convert(ome.load("vse2"), tmp_path / "x_hr.dat")
    assert {w.filename for w in record if issubclass(w.category, AccuracyWarning)} == {__file__}
