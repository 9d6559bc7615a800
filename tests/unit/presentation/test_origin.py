"""What the origin of a layer changes, wherever it is printed or written: against results with two origins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pint
import pytest
import toys
from numpy.testing import assert_allclose

import ome_wannier as ome
from ome_wannier.cli import tables
from ome_wannier.presentation import elements
from ome_wannier.presentation.long_table import origin_table, write_csv
from ome_wannier.screening import descriptors
from ome_wannier.screening.table_units import in_unit

NAMES = ("total", "extrinsic")


@pytest.fixture(scope="module")
def two():
    """A layer without symmetry with its origin at 0 and at 1 angstrom."""
    model = toys.random_model(3, n=3)
    return [ome.compute(model, (6, 6, 1), list(NAMES), [0.1], temperature=900.0, origin=z) for z in (0.0, 1.0)]


def change(two, name):
    return (two[1][name] - two[0][name]).values[0]


def test_a_file_has_it_for_every_element(two, tmp_path) -> None:
    table = origin_table(two[0], units="e2/h").query("quantity == 'total_per_angstrom'")
    assert list(table["component"]) == elements.names(two[0]["total"])
    quantum = 1.602176634e-19**2 / 6.62607015e-34 * 1e-10
    assert_allclose(table["value"], change(two, "total").ravel() / quantum, rtol=1e-6, atol=1e-9)
    assert table["error"].isna().all()
    assert set(table["note"]) == {"no error is estimated"}
    gone = origin_table(two[0]).query("quantity == 'extrinsic_per_angstrom' and component == 'xz'")
    assert gone["value"].isna().all()
    assert gone["note"].str.startswith("not defined: field z").all()
    write_csv(tmp_path / "x.csv", ome.table(two[0], "e2/h"), origin_table(two[0], "e2/h"))
    both = pd.read_csv(tmp_path / "x.csv", na_values="-")
    assert len(both) == len(ome.table(two[0])) + len(origin_table(two[0]))
    assert_allclose(both.query("quantity == 'total_per_angstrom'")["value"], table["value"])
    (unit,) = set(table["units"])
    assert pint.UnitRegistry().parse_units(unit).is_compatible_with("e^2/planck_constant")


@pytest.mark.parametrize("name", NAMES)
def test_all_that_is_printed_has_it(two, name) -> None:
    (table,) = (t for t in tables.origin_tables(two[0].isel(fermi=0), "SI") if str(t.columns[0].header).startswith(name))
    texts = [list(column.cells) for column in table.columns[1:-1]]
    wanted = change(two, name)
    assert [str(c.header) for c in table.columns[1:]] == ["field x", "field y", "field z", "unit"]
    for (i, j), value in np.ndenumerate(wanted):
        if np.isnan(value):
            assert texts[j][i] == "-"
        else:
            assert float(texts[j][i]) == pytest.approx(value, rel=1e-3, abs=1e-25)


@pytest.mark.parametrize("name", NAMES)
def test_a_screening_has_the_most(two, name) -> None:
    pairs = descriptors.of_result(two[0], 0.1, None, 10.0)
    assert pairs[f"{name}_per_angstrom"] == pytest.approx(np.nanmax(abs(change(two, name))), rel=1e-6)
    row = pd.DataFrame([pairs | {"dimension": 2}])
    quantum = 1.602176634e-19**2 / 6.62607015e-34 * 1e-10
    assert in_unit(row, "e2/h")[f"{name}_per_angstrom"][0] == pytest.approx(pairs[f"{name}_per_angstrom"] / quantum)


def test_crystals_have_none(tmp_path) -> None:
    crystal = ome.compute(toys.random_model(4, dimension=3, n=3), (2, 2, 2), ["total"], [0.1], temperature=900.0)
    assert tables.origin_tables(crystal.isel(fermi=0)) == []
    assert len(origin_table(crystal)) == 0
    write_csv(tmp_path / "x.csv", ome.table(crystal), origin_table(crystal))
    assert set(pd.read_csv(tmp_path / "x.csv")["quantity"]) == {"total"}
