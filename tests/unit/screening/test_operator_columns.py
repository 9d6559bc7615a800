"""Columns of operators, of the conductivity and of carriers: the numbers of `compute`, in the unit that the row says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase.db import connect
from screens import Here, write_list

import ome_wannier as ome
from ome_wannier import cli, screening
from ome_wannier.cli import ranking
from ome_wannier.errors import SettingsError
from ome_wannier.report.content import of_database
from ome_wannier.report.page import _cell
from ome_wannier.screening import table

LEVELS = -0.1 + np.linspace(-0.3, 0.3, 5)
NAMES = ["L_extrinsic", "L_hall", "ohmic", "dos", "electrons", "extrinsic"]
HEAD = f"""kmesh = [12, 12, 1]
temperature = 2000.0
calculators = {NAMES}
around = {{start = -0.3, stop = 0.3, number = 5}}
"""
MODELS = '''
import numpy as np

import ome_wannier as ome


def weighed():
    """A crystal with an operator of the user's, in an odd unit."""
    model = ome.load("stacked-honeycomb")
    return model.with_operator("weight", 1e-30 * np.eye(model.n_orbitals), unit="kg", time_reversal=1)
'''


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strained layer, one without strain, whose response is forbidden, and a crystal with an operator of the user's."""
    folder = tmp_path_factory.mktemp("operators")
    (folder / "mine.py").write_text(MODELS)
    path = write_list(
        folder,
        'material = "tmd-three-band"\nfermi = -0.1\nparameters = {strain = [0.0, 0.04]}',
        f'name = "mine"\npython = "{folder / "mine.py"}:weighed"\nfermi = 0.1\nkmesh = [6, 6, 6]\n'
        'calculators = ["weight_response", "weight_expectation", "dos", "electrons", "extrinsic"]',
        head=HEAD,
    )
    assert screening.screen(path, folder / "s.db", executor=Here()).done == 3
    return folder / "s.db"


def rows(db: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in screening.frame(db).to_dict("records")}


def computed(**parameters: float) -> Any:
    model = ome.load("tmd-three-band", **parameters)
    return ome.compute(model, (12, 12, 1), NAMES, LEVELS, temperature=2000.0)


def test_columns_are_the_numbers_of_compute(db: Path) -> None:
    """The largest element over the levels, where, and the unit; at the level in question the states and the carriers."""
    row, result = rows(db)["tmd-three-band (strain=0.04)"], computed(strain=0.04)
    for name in ("L_extrinsic", "L_hall", "ohmic"):
        beyond = np.nan_to_num(abs(result[name]) - result[f"{name}_error"].values, nan=-np.inf)
        at = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
        assert row[f"{name}_max"] == pytest.approx(abs(result[name].values[at]), rel=1e-6)
        assert row[f"{name}_max_error"] == pytest.approx(result[f"{name}_error"].values[at], rel=1e-6)
        assert row[f"{name}_fermi"] == pytest.approx(LEVELS[at[0]])
        axes = [result[d].values for d in result[name].dims[1:]]
        assert row[f"{name}_element"] == "".join(a[i] for a, i in zip(axes, at[1:], strict=True))
        assert row[f"{name}_unit"] == result[name].attrs["units"]
    assert row["dos"] == pytest.approx(result.dos.values[2], rel=1e-6)
    assert row["dos_unit"] == result.dos.attrs["units"] == "1/eV/m^2"
    model = ome.load("tmd-three-band", strain=0.04)
    neutral = 2 / (model.cell * 1e-16)  # two electrons per cell, in 1/cm^2
    assert row["carriers"] == pytest.approx(result.electrons.values[2] * 1e-4 - neutral, rel=1e-6)
    assert row["carriers_error"] == pytest.approx(result.electrons_error.values[2] * 1e-4, rel=1e-6)
    assert (row["carriers"] < 0, row["carriers_unit"]) == (True, "1/cm^2")


def test_a_layer_whose_responses_are_forbidden_has_its_operators(db: Path) -> None:
    """Without strain no moment answers, and the orbital Hall conductivity is what it is."""
    row, result = rows(db)["tmd-three-band (strain=0)"], computed(strain=0.0)
    assert (row["status"], row["extrinsic_element"], row["extrinsic_max"]) == ("done", "none", 0.0)
    assert (row["L_extrinsic_element"], row["L_extrinsic_max"]) == ("none", 0.0)
    assert row["L_hall_max"] == pytest.approx(float(abs(result.L_hall).max()), rel=1e-6)


def test_an_operator_of_the_user_keeps_its_unit_and_size(db: Path) -> None:
    """1e-30 kg is no rounding of a kilogram; what N electrons have is N times it, and no field changes that."""
    row = rows(db)["mine"]
    assert row["weight_expectation_unit"] == "kg/m^3"
    result = ome.compute(
        ome.load("stacked-honeycomb"), (6, 6, 6), "electrons", 0.1 + np.linspace(-0.3, 0.3, 5), temperature=2000.0
    )
    assert row["weight_expectation_max"] == pytest.approx(1e-30 * float(result.electrons.max()), rel=1e-6)
    assert row["weight_response_max"] == 0.0
    assert "weight_expectation_element" not in screening.frame(db) or pd.isna(row["weight_expectation_element"])


def test_the_ranking_says_units_and_has_layers_apart(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = screening.frame(db)
    found = screening.rank(every, "max|L_hall|", "dimension == 2")
    out = printed(capsys, "rank", db, "--by", "max|L_hall|")
    unit, value = re.search(r"L_hall_max \(10⁻⁶ (hbar/e S)\)", out), re.search(r" ([\d.]+) ± ", out)
    assert unit
    assert float(value.group(1)) == pytest.approx(found["L_hall_max"][0] * 1e6, rel=1e-2)
    assert [title for title, _ in ranking.parts(screening.rank(every, "dos"), "dos", 9, True)] == ["crystals:", "layers:"]
    out = printed(capsys, "rank", db, "--by", "carriers")
    assert re.search(r"carriers \(10¹[²⁵] 1/cm²\)", out)
    assert "1 rows have no carriers" in out  # nobody knows the neutrality of the crystal
    assert "forbidden" in printed(capsys, "rank", db, "--by", "max|L_extrinsic|")


def test_pages_and_the_database_say_units(db: Path) -> None:
    content = of_database(db, "max|L_hall|", "dimension == 2", 5)
    text = _cell(content.rows[0], "L_hall_max").text
    assert text.endswith(" 10⁻⁶ hbar/e S")
    assert _cell(content.rows[0], "dos").text.endswith(" 1/eV/m²")
    assert ("ohmic_max", "that of ohmic_unit") in [m[:2] for m in content.meanings]
    known = connect(str(db)).metadata["key_descriptions"]
    assert known["L_hall_max"][1].startswith("modulus of the element of L_hall")


def test_a_column_that_no_row_has_says_what_to_ask_for() -> None:
    bare = pd.DataFrame({"name": ["a"], "status": ["done"], "total_max": [1.0]})
    for column, needed in (("L_hall_max", "L_hall"), ("carriers", "electrons"), ("dos", "dos"), ("ohmic_max", "ohmic")):
        with pytest.raises(SettingsError, match=rf"no row has '{column}' .*calculators that include {needed}$"):
            screening.rank(bare, column)
    assert table.units(["spin_extrinsic_max"]) == table.units(["extrinsic_max"]).fromkeys(
        ["spin_extrinsic_max"], table.units(["extrinsic_max"])["extrinsic_max"]
    )


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(a) for a in arguments])
    out = capsys.readouterr()
    assert caught.value.code == 0, out.err
    return out.out
