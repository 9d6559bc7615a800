"""Ranking, conditions and files: right numbers out of a table, and nothing carried out that is no comparison."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ome_wannier import screening
from ome_wannier.cli import ranking
from ome_wannier.errors import SettingsError, StoreError
from ome_wannier.screening.store import DONE, FAILED, FORBIDDEN, Store
from ome_wannier.screening.table import select, units
from ome_wannier.screening.table_units import in_unit

ROWS = [
    ("a", DONE, {"total_max": 3.0, "gap": 0.5, "dimension": 2, "p_m": "WS2"}),
    ("b", DONE, {"total_max": 5.0, "gap": 0.0, "dimension": 3, "p_m": "MoS2"}),
    ("c", FORBIDDEN, {"total_max": 0.0, "gap": 1.5, "dimension": 2}),
    ("d", FAILED, {"reason": 'why, "of" course', "total_max": 9.0}),
    ("e", DONE, {"gap": 2.0, "dimension": 2, "extrinsic_gap": -1.0}),
]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    store = Store(tmp_path / "s.db")
    store.prepare("t", {})
    for name, status, pairs in ROWS:
        store.finish(f"k-{name}", status, None, {"name": name, **pairs}, {})
    return tmp_path / "s.db"


def ranked(db: Path, *arguments: str, **more: bool) -> list[str]:
    return list(screening.rank(db, *arguments, **more)["name"])


def test_largest_first_without_what_failed_or_has_no_number(db: Path) -> None:
    assert ranked(db) == ["b", "a", "c"]
    assert ranked(db, "total_max", ascending=True) == ["c", "a", "b"]
    assert ranked(db, "gap") == ["e", "c", "a", "b"]
    assert ranked(db, "gap|extrinsic|") == ["e"]


CONDITIONS = {
    "gap>0.1": "a c e",
    "gap > 0.1 and dimension == 2 and max|total| > 1": "a",
    "p_m == 'WS2' or gap >= 2": "a e",
    "not gap < 1": "c d e",
    "0 <= gap < 1": "a b",
    "p_m in ['WS2', 'MoS2']": "a b",
    "name not in ('a', 'b')": "c d e",
    "(gap > 1) and status != 'done'": "c",
    "gap != 0.5": "b c d e",
    "extrinsic_gap < -0.5": "e",
    "0.5 == gap": "a",
    "total_max > gap": "a b",
}


@pytest.mark.parametrize("where", CONDITIONS)
def test_conditions(db: Path, where: str) -> None:
    table = screening.frame(db)
    assert "".join(sorted(table[select(table, where)]["name"])) == CONDITIONS[where].replace(" ", "")


HOSTILE = {
    "__import__('os').system('touch hacked')": "Call",
    "name.__class__": "Attribute",
    "().__class__.__mro__": "Attribute",
    "gap > 1 if gap else 2": "IfExp",
    "[x for x in name]": "ListComp",
    "(lambda: 1)()": "Call",
    "gap @ gap": "BinOp",
    "9**9**9 > gap": "BinOp",
    "name[0]": "Subscript",
    "f'{gap}' == 'a'": "JoinedStr",
    "gap := 3": "not a condition",
    "(gap := 3)": "NamedExpr",
    "@engine": "not a condition",
    "import os": "not a condition",
    "nosuch > 1": "no column 'nosuch'",
    "gpa > 1": "did you mean gap, ",
    "__builtins__ > 1": "no column",
    "gap": "not a condition",
    "gap and 1": "and, or, not are for comparisons",
    "1 < 2": "a comparison needs the name of a column",
    "gap == [1]": "a comparison needs the name of a column",
    "gap in name": "in is for a column and a list",
    "name > 3": "texts are compared with texts",
    "-name == 'a'": "texts",
    "'a'": "not a condition",
    "": "not a condition",
    "gap > 1\0": "not a condition",
    "(" * 1500 + "gap>1" + ")" * 300: "not a condition",
    "gap > 1 and " * 300 + "gap > 1": "characters: at most",
}


@pytest.mark.parametrize("where", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_but_comparisons_is_carried_out(db: Path, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    table = screening.frame(db)
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "eval", None)
        patched.setattr(pd, "eval", None)
        with pytest.raises(SettingsError) as caught:
            select(table, where)
    assert HOSTILE[where] in str(caught.value) or "not a condition" in str(caught.value)
    assert not (tmp_path / "hacked").exists()


def test_columns_come_in_order_with_what_counts_first(db: Path) -> None:
    columns = list(screening.frame(db))
    assert columns[:4] == ["name", "status", "reason", "p_m"]
    assert columns[-1] == "key"
    assert columns.index("gap") < columns.index("total_max") < columns.index("extrinsic_gap")
    assert units(["gap", "name", "total_max"]) == {"gap": "eV", "total_max": "A/V (3D), A m/V (2D), A m^2/V (1D)"}


def test_files_hold_the_table(db: Path, tmp_path: Path) -> None:
    table = screening.frame(db)
    screening.export(table, tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv")
    assert list(back["name"]) == list(table["name"])
    assert back.loc[back["name"] == "d", "reason"].item() == 'why, "of" course'
    np.testing.assert_array_equal(back["gap"], table["gap"])
    with pytest.raises(SettingsError, match=r"\.csv or \.parquet"):
        screening.export(table, tmp_path / "t.xlsx")


def test_parquet(db: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    table = screening.frame(db)
    screening.export(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table, check_dtype=False)


def test_parquet_without_pyarrow_says_what_to_install(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="parquet"):
        screening.export(screening.frame(db), tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_an_empty_database_is_an_empty_table(tmp_path: Path) -> None:
    Store(tmp_path / "s.db").prepare("t", {})
    assert len(screening.frame(tmp_path / "s.db")) == 0
    with pytest.raises(SettingsError, match="no row has 'total_max'"):
        screening.rank(tmp_path / "s.db")
    with pytest.raises(StoreError, match="no such database"):
        screening.frame(tmp_path / "t.db")
    with pytest.raises(SettingsError, match="no column 'totl_max': did you mean total_max"):
        screening.rank(pd.DataFrame({"total_max": [1.0], "status": [DONE]}), "totl_max")


def test_rows_are_ranked_by_what_exceeds_their_errors() -> None:
    """A large number, all error, comes after a small one that is sure, an unknown error is larger than any, 0 is last."""
    numbers = {"total_max": [9.0, 2.0, 5.0, 1.0, 0.0, 1.0], "total_max_error": [8.9, 0.1, np.nan, 0.2, 0.0, 3.0]}
    found = pd.DataFrame({"name": list("abcdef"), "status": [DONE] * 6, **numbers})
    assert list(screening.rank(found)["name"]) == ["b", "d", "a", "f", "c", "e"]


def test_a_ranking_has_no_number_less_than_rounding() -> None:
    """And does not call it open, nor show the level of a response that is forbidden."""
    rows = {
        "name": ["a", "b", "c"],
        "dimension": [2, 2, 2],
        "total_max": [1e-16, 0.0, 0.0],
        "total_max_error": [1e-17, 4e-69, 0.0],
    }
    found = pd.DataFrame({**rows, "total_element": ["zx", "zx", "none"], "total_fermi": [0.1, 0.2, 0.3]})
    table = ranking.printed(found, ["name", "total_max", "total_fermi"], "total_max", None)
    assert [list(c.cells) for c in table.columns] == [
        list("abc"),
        ["100 ± 10", "0 (negligible)", "forbidden"],
        ["0.1", "0.2", "-"],
    ]
    assert "(open)" not in " ".join(ranking.explained(found, found, "total_max", None, ["name", "total_max"]))
    larger = found.assign(total_max_error=[1e-17, 3e-26, 0.0])
    assert "(open)" in " ".join(ranking.explained(larger, larger, "total_max", None, ["name", "total_max"]))


def test_responses_in_another_unit() -> None:
    """e^2/h in crystals, times angstrom in layers, by the constants of 2019; other columns stay."""
    found = pd.DataFrame({"dimension": [2, 3], "total_max": [1e-15, 1e-6], "total_max_error": [1e-16, 1e-7], "gap": [1.0, 2.0]})
    quantum = 1.602176634e-19**2 / 6.62607015e-34
    converted = in_unit(found, "e2/h")
    np.testing.assert_allclose(converted["total_max"], [1e-15 / quantum / 1e-10, 1e-6 / quantum], rtol=1e-12)
    np.testing.assert_allclose(converted["total_max_error"] / converted["total_max"], 0.1)
    assert list(converted["gap"]) == [1.0, 2.0]
    assert list(converted["response_units"]) == [
        "elementary_charge^2/planck_constant*angstrom",
        "elementary_charge^2/planck_constant",
    ]
    with pytest.raises(SettingsError, match=r"no unit 'ps/m' with 2 periodic directions.*--where"):
        in_unit(found, "ps/m")


def test_responses_per_cell_of_a_table() -> None:
    """Bohr magnetons per cell and V/nm, and the size of each cell; a row that does not know it refuses."""
    found = pd.DataFrame(
        {"dimension": [2, 3, 1, np.nan], "cell_size": [10.0, 50.0, 2.0, np.nan], "total_max": [1e-15, 1e-6, 1e-24, 1.0]}
    )
    magneton = 9.2740100783e-24
    converted = in_unit(found, "mu_B per cell per V/nm")
    expected = [1e-15 * 10e-20 / magneton * 1e9, 1e-6 * 50e-30 / magneton * 1e9, 1e-24 * 2e-10 / magneton * 1e9, np.nan]
    np.testing.assert_allclose(converted["total_max"], expected, rtol=1e-8)
    assert list(converted["response_units"]) == ["bohr_magneton/(V/nm)"] * 3 + [""]
    with pytest.raises(SettingsError, match="needs the size of the cell"):
        in_unit(found.assign(cell_size=[10.0, np.nan, 2.0, np.nan]), "mu_B/cell per V/nm")


def test_files_have_no_number_for_what_symmetry_forbids(tmp_path: Path) -> None:
    rows = {"name": ["a", "b"], "total_max": [0.0, 2.0], "total_max_error": [0.0, 0.1], "total_element": ["none", "zx"]}
    screening.export(pd.DataFrame({**rows, "total_gap_element": ["none", "zx"], "total_gap": [0.0, -2.0]}), tmp_path / "t.csv")
    first, second = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert first == "a,,,forbidden,forbidden,"
    assert second == "b,2.0,0.1,zx,zx,-2.0"
