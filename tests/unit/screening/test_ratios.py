"""Magnetization per current density: a helix's in closed form, its error, and what the ranking says of it."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import ome_wannier as ome
from ome_wannier import screening
from ome_wannier.cli import ranking
from ome_wannier.errors import SettingsError
from ome_wannier.presentation.ratios import of_result, ratio
from ome_wannier.report.page import _cell
from ome_wannier.screening import table
from ome_wannier.screening.table_units import in_unit

RADIUS, RISE = 1.2, 0.8


def helix():
    """Three sites per turn, one orbital each, equal hoppings: a solenoid (chains.md eq. 5)."""
    sites = [[RADIUS * np.cos(2 * np.pi * i / 3), RADIUS * np.sin(2 * np.pi * i / 3), i * RISE] for i in range(3)]
    hop = np.zeros((3, 3, 3), dtype=complex)
    hop[1] = [[0, -1, 0], [-1, 0, -1], [0, -1, 0]]
    hop[2][2, 0] = hop[0][0, 2] = -1
    cells = [(0, 0, -1), (0, 0, 0), (0, 0, 1)]
    return ome.TightBinding(
        np.diag([30.0, 30.0, 3 * RISE]), cells, hop, centres=np.array(sites), periodic=(False, False, True), name="helix"
    )


def test_a_helix_gives_its_pitch() -> None:
    """alpha_cc / sigma_cc = rho^2 sin(phi) / 2h, whatever the level and the relaxation time."""
    for tau in (3.0, 50.0):
        result = ome.compute(
            helix(), (1, 1, 120), ["extrinsic", "ohmic"], [-1.0, 0.4], temperature=900.0, tau=tau, origin=[0, 0, 0]
        )
        found = of_result(result)
        assert found["extrinsic_per_current"] == pytest.approx(RADIUS**2 * np.sin(2 * np.pi / 3) / (2 * RISE), rel=1e-6)
        assert found["extrinsic_per_current_element"] == "zz"
        assert 0 <= found["extrinsic_per_current_error"] < 1e-2
    assert not of_result(result[["extrinsic", "extrinsic_error"]])


def test_errors_cover_the_corners() -> None:
    """Every combination of alpha and sigma at the ends of their (small) errors stays within the error of their ratio."""
    rng = np.random.default_rng(0)
    alpha, sigma = rng.normal(size=(1, 3, 2)), np.eye(2) * [2.0, 3.0] + 0.3
    unsure, vague = 1e-4 * rng.uniform(0.5, 1, (1, 3, 2)), 1e-4 * rng.uniform(0.5, 1, (1, 2, 2))
    chi, error = ratio(alpha, unsure, sigma[None], vague)
    most = np.zeros_like(chi)
    for _ in range(300):
        signs = rng.choice([-1, 1], (1, 3, 2)), rng.choice([-1, 1], (1, 2, 2))
        most = np.maximum(most, abs(ratio(alpha + signs[0] * unsure, unsure, sigma + signs[1] * vague, vague)[0] - chi))
    assert (most < error * 1.001).all()
    assert (error < 2.0 * most).all()


ROWS = pd.DataFrame(
    {
        "name": ["sure", "vague", "none", "crystal"],
        "status": ["done"] * 4,
        "dimension": [2, 2, 2, 3],
        "extrinsic_max": [3e-15, 2e-15, 0.0, 1e-6],
        "extrinsic_max_error": [1e-16, 9e-15, 0.0, 1e-7],
        "extrinsic_element": ["zx", "zx", "none", "xx"],
        "extrinsic_per_current": [0.5, np.nan, np.nan, 2.0],
        "extrinsic_per_current_error": [0.1, np.nan, np.nan, np.nan],
    }
)


def text(found: pd.DataFrame, shown: list[str], by: str, units: str | None = None) -> str:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=200).print(ranking.printed(found, shown, by, units))
    return out.getvalue()


def test_rows_say_what_is_forbidden_and_open_in_one_unit() -> None:
    found = screening.rank(ROWS, "max|extrinsic|", "dimension == 2")
    said = text(found, ["name", "extrinsic_max", "extrinsic_max_error"], "extrinsic_max")
    assert "extrinsic_max (fA m/V)" in said
    assert "3.00 ± 0.10" in said
    assert "2.0 ± 9.0 (open)" in said
    assert "forbidden" in said
    assert "3 rows" not in "".join(ranking.explained(found, ROWS, "extrinsic_max", None, []))


def test_layers_and_crystals_are_ranked_together_by_what_a_current_gives() -> None:
    found = screening.rank(ROWS, "extrinsic/sigma")
    assert list(found["name"]) == ["sure", "crystal"]
    assert [title for title, _ in ranking.parts(found, "extrinsic_per_current", 9, True)] == [""]
    said = text(found, ["name", "extrinsic_per_current"], "extrinsic_per_current")
    assert "extrinsic_per_current (Å)" in said
    assert "0.50 ± 0.10" in said
    assert "2 ± ? (open)" in said
    assert ranking.explained(found, ROWS, "extrinsic_per_current", None, [])[-1].startswith("2 rows have no extrinsic_per")
    assert table.units(["extrinsic_per_current"]) == {"extrinsic_per_current": "angstrom"}


def test_tables_say_the_unit_of_each_row() -> None:
    """Also where none was asked for: layers and crystals have different ones."""
    assert list(in_unit(ROWS, "SI")["response_units"]) == ["A m/V", "A m/V", "A m/V", "A/V"]
    foreign = ROWS.assign(dimension=[2, 2, np.nan, 3])  # a row of somebody else keeps its numbers in SI, not in other units
    assert list(in_unit(foreign, "SI")["extrinsic_max"]) == list(ROWS["extrinsic_max"])
    assert np.isnan(in_unit(foreign, "e2/h")["extrinsic_max"][2])


def test_a_page_says_which_errors_are_not_known() -> None:
    row = {"name": "a", "x_per_current": 1.234, "x_per_current_error": None, "gap": 1.23456}
    cell = _cell(row, "x_per_current")
    assert cell.text.startswith("1.2 ± ?")
    assert cell.weak
    assert _cell(row, "gap").text == "1.235"


def test_an_error_that_is_not_known_is_larger_than_any() -> None:
    """Ranked below numbers that their errors exceed, above what symmetry forbids."""
    columns = {"x": [0.0, 5.0, 1.0, 2.0], "x_error": [0.0, np.nan, 3.0, 0.1], "name": ["none", "unknown", "open", "sure"]}
    assert list(screening.rank(pd.DataFrame(columns), "x")["name"]) == ["sure", "open", "unknown", "none"]


def test_a_sure_coefficient_comes_before_larger_ones_that_are_open() -> None:
    """By what exceeds the error, not by sign; those of unknown errors by size."""
    rows = {"name": list("abcd"), "seebeck": [20.0, -1569.0, -60.0, 300.0], "seebeck_error": [1.0, np.nan, 2.0, np.nan]}
    found = screening.rank(pd.DataFrame(rows), "seebeck")
    assert list(found["name"]) == ["c", "a", "b", "d"]
    said = text(found, ["name", "seebeck", "seebeck_error"], "seebeck")
    assert "-60.0 ± 2.0" in said
    assert "± ? (open)" in said
    assert "seebeck_error" not in said


def test_a_column_that_no_row_has_says_what_it_is_and_needs() -> None:
    bare = ROWS[["name", "status", "extrinsic_max"]]
    with pytest.raises(SettingsError, match=r"no row has 'extrinsic_per_current' \(.*alpha / sigma.*include ohmic"):
        screening.rank(bare, "extrinsic/sigma")
    with pytest.raises(SettingsError, match=r"no row has 'seebeck' \(.*include ohmic and ohmic_thermal"):
        screening.rank(bare, "seebeck")
    with pytest.raises(SettingsError, match=r"no row has 'metric' \(trace"):
        screening.rank(bare, "metric")
    with pytest.raises(SettingsError, match=r"no column 'extrinsc_max': did you mean extrinsic_max, \w+, \w+\?"):
        screening.rank(bare, "extrinsc_max")
    for close in ("extrinsic_sigma", "extrinsic/sigm", "extrinsic/ sigma_"):
        with pytest.raises(SettingsError, match=r"did you mean extrinsic/sigma, "):
            screening.rank(bare, close)


def test_the_first_screen_has_it_where_the_conductivity_is() -> None:
    result = ome.compute(helix(), (1, 1, 60), ["extrinsic", "ohmic"], [0.4], temperature=900.0, origin=[0, 0, 0])
    (line,) = [line for line in str(ome.summary(result)).splitlines() if line.startswith("extrinsic / sigma")]
    assert line.split()[3] == "zz"
    assert float(line.split()[4]) == pytest.approx(RADIUS**2 * np.sin(2 * np.pi / 3) / (2 * RISE), rel=1e-3)
    assert line.endswith("Å")
