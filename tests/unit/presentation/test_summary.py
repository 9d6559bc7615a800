"""The first screen: numbers of the result, forbidden as a word, everything in few lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
import toys

import ome_wannier as ome
from ome_wannier import plotting
from ome_wannier.cli import tables
from ome_wannier.errors import ModelError
from ome_wannier.presentation import elements, rows
from ome_wannier.presentation.largest import largest
from ome_wannier.report import content

LEVELS = np.linspace(-0.6, 0.6, 13)


@pytest.fixture(scope="module")
def haldane():
    """The elements that are split into parts."""
    model = ome.load("haldane")
    return toys.split(model, ome.compute(model, (12, 12, 1), fermi=LEVELS, temperature=300.0, tau=7.0))


def numbers(text: str, label: str) -> list[tuple[float, float]]:
    """Values and errors of a row."""
    (line,) = re.findall(rf"^ *{re.escape(label)}  .*$", text, re.MULTILINE)
    return [(float(v), float(e)) for v, e in re.findall(r"(\S+) ± (\S+)", line)]


def test_rows_are_the_numbers_of_the_result(haldane) -> None:
    """The total at the middle level and at the largest; the mechanisms add up to it, with the dipole twice."""
    text = str(ome.summary(haldane, units="SI", fermi=0.1))
    at = haldane.sel(fermi=0.1, method="nearest").sel(moment="z", field="y")
    ((value, error),) = numbers(str(ome.summary(haldane, units="e2/h", fermi=0.1)), "total")
    factor = 1 / (3.874045865410302e-05 * 1e-10)
    assert value == pytest.approx(float(at["total"]) * factor, abs=max(0.06 * error, 1e-6))
    assert "M_z = alpha_zy E_y (A m/V)" in text
    exact = {name: float(at[name]) for name in ("total", "dipole", "itinerant", "local")}
    assert 2 * exact["dipole"] + exact["itinerant"] + exact["local"] == pytest.approx(exact["total"], rel=1e-6)


def test_what_is_forbidden_is_a_word_everywhere(haldane) -> None:
    about = haldane["total"].attrs
    why = dict(zip(about["forbidden"], about["forbidden_by"], strict=True))
    assert elements.reasons(haldane["total"]) == {"zx": f"forbidden by {why['zx']}"}
    summary = ome.summary(haldane)
    assert "zx of total; zy of extrinsic: forbidden by mirror normal to" in " ".join(str(summary).split())
    assert "forbidden by " in summary._repr_html_()
    assert not re.search(r"(?<![\d.])0(\.0*)? ± 0(\.0*)?(?![\d.e])", str(summary))
    table = ome.table(haldane)
    gone = table[(table["quantity"] == "total") & (table["component"] == "zx")]
    assert gone["value"].isna().all()
    assert gone["note"].str.startswith("forbidden by ").all()
    assert table[(table["quantity"] == "total") & (table["component"] == "zy")]["value"].notna().all()
    assert largest(haldane, "total")[0] == "zy"


def test_elements_that_nobody_defines_are_dashes_with_their_reason(haldane) -> None:
    """nan with the attributes undefined and undefined_by, as layers have for some elements of a gate field."""
    result = haldane.copy(deep=True)
    result["extrinsic"].loc[{"moment": "z", "field": "y"}] = np.nan
    result["extrinsic"].attrs = {
        k: v for k, v in result["extrinsic"].attrs.items() if k not in ("forbidden", "forbidden_by", "missing")
    } | {"undefined": ["zy"], "undefined_by": ["a gate drives no current"]}
    assert elements.reasons(result["extrinsic"]) == {"zy": "not defined: a gate drives no current"}
    assert "zy of extrinsic: not defined: a gate drives no current" in elements.legend(result, ["extrinsic"])
    assert "not defined" not in str(ome.summary(result))  # which shows what there is
    del result["extrinsic"].attrs["undefined"]
    assert elements.reasons(result["extrinsic"]) == {"zy": "not defined"}
    note = ome.table(result).query("quantity == 'extrinsic' and component == 'zy'")["note"]
    assert set(note) == {"not defined"}


def test_an_element_that_is_not_split_has_a_table_of_its_own(haldane) -> None:
    """A larger moment in the plane, which has no mechanisms: it is shown alone, and below it the largest that has some."""
    larger = haldane["total"].isel(moment=[0, 0], field=[0, 0]).assign_coords(moment=["x", "z"], field=["x", "y"]).copy()
    larger.values[:] = np.nan
    larger.loc[{"moment": "z"}] = haldane["total"].sel(moment="z").values
    larger.loc[{"moment": "x", "field": "y"}] = 10 * abs(haldane["total"]).max().item()
    result = haldane.drop_vars(["total", "total_error"]).assign_coords({}).copy()
    result = result.drop_dims("moment").assign(total=larger, total_error=0.01 * abs(larger))
    for name in ("dipole", "itinerant", "local"):
        for each in (name, f"{name}_error"):
            result[each] = haldane[each].reindex(moment=["x", "z"])
    result["total"].attrs = haldane["total"].attrs | {"forbidden": ["zx"], "forbidden_by": ["a mirror"]}
    text = str(ome.summary(result, fermi=0.1))
    first, second = (
        text.index("intrinsic: M_x = alpha_xy E_y"),
        text.index("largest that splits into mechanisms: M_z = alpha_zy E_y"),
    )
    assert first < second < text.index("dipole, 2 x")
    assert not re.search(r"^  \S.* -$", text, re.MULTILINE)


def test_level_of_the_material_stands_for_a_scan(haldane) -> None:
    assert "Fermi level  0.0000 eV" in str(ome.summary(haldane))
    haldane_there = haldane.assign_attrs(known_level_eV=0.31, gap_eV=[-0.1, 0.1])
    assert "Fermi level  0.3000 eV" in str(ome.summary(haldane_there))
    assert "Fermi level  0.0000 eV" in str(ome.summary(haldane.assign_attrs(known_level_eV=9.0)))


@pytest.mark.parametrize("unsure", [1e-3, 0.8])
def test_parts_that_all_are_open_give_way_to_those_that_are_sure(haldane, unsure) -> None:
    """Errors of the mechanisms a hundred times the total: the cross-gap parts stand there, and a line says why; where the total
    itself is not sure too."""
    result = haldane.copy(deep=True)
    for name in ("dipole", "itinerant", "local"):
        result[f"{name}_error"][:] = 100 * abs(haldane["total"]).max()
    result["total_error"][:] = unsure * abs(haldane["total"]).max()
    for name in rows.EXACT_PARTS:
        result[name], result[f"{name}_error"] = 0.5 * haldane["total"], 0.001 * abs(haldane["total"])
    text = str(ome.summary(result, fermi=-0.6))
    assert "dipole, 2 x" not in text
    assert "itinerant, cross-gap" in text
    assert "dipole, itinerant, local: open" in text


@pytest.mark.parametrize(
    ("value", "error", "of_total", "said"),
    [
        (0.26, 0.12, 0.3, "26%"),
        (0.26, 0.48, 0.3, "?"),  # below half of the total, but more than the part
        (-0.26, 0.48, 0.3, "?"),
        (0.26, 0.26, 0.3, "?"),
        (0.9, 0.51, 0.3, "?"),
        (0.9, 0.1, 0.5, "?"),
        (0.001, 0.002, 0.3, "0%"),  # 0 as it is written, whatever the error makes of it
        (0.001, 0.006, 0.3, "?"),
        (0.0, 0.0, 0.3, "0%"),
        (0.26, np.nan, 0.3, "?"),
        (0.26, 0.12, np.nan, "?"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 4.2e-17])
def test_a_share_of_what_is_not_known_is_open(haldane, value, error, of_total, said, scale) -> None:
    """A part of a total of one: its share, or a question mark with what it means."""
    result = haldane.copy(deep=True)
    for name in ("total", "dipole", "itinerant", "local", *rows.EXACT_PARTS):
        result[name][:], result[f"{name}_error"][:] = 0.0, 0.0
    result["total"][:], result["total_error"][:] = scale, of_total * scale
    result["itinerant"][:], result["itinerant_error"][:] = value * scale, error * scale
    text = str(ome.summary(result, fermi=0.1))
    (line,) = re.findall(r"^  itinerant  .*$", text, re.MULTILINE)
    assert line.split()[-1] == said
    assert ("?: an error exceeds half of the total, or the part itself" in text) == (said == "?")


def test_the_largest_at_the_end_of_a_scan_says_so(haldane) -> None:
    """At the first or the last level, in a word and in a line; not elsewhere, and not of levels that are all shown."""
    for at in (0, 6, 12):
        result = haldane.copy(deep=True)
        for name in ("total", "extrinsic"):
            result[f"{name}_error"][:] = 1e-3 * abs(haldane[name]).max()
            result[name][{"fermi": at}] = 10 * abs(haldane[name]).max()
        text = str(ome.summary(result))
        if at == 6:
            assert "end" not in text.split()  # the largest is at the level that stands for the scan
            continue
        assert len(re.findall(rf"at {LEVELS[at]:g} eV \(largest, end\)", text)) == 2
        assert "end: the first or last level, beyond which it may be larger: widen the scan" in text
        assert "end)" not in str(ome.summary(result.isel(fermi=[at])))


def test_reasons_of_two_kinds_are_two_sentences(haldane) -> None:
    result = haldane.copy(deep=True)
    result["extrinsic"][:] = np.nan
    names = elements.names(result["extrinsic"])
    marks = {"forbidden": names[1:], "forbidden_by": ["inversion x time reversal"], "missing": "E_z drives no current"}
    result["extrinsic"].attrs = {k: v for k, v in haldane["extrinsic"].attrs.items() if k not in marks} | marks
    said = " ".join(str(ome.summary(result)).split())
    assert " extrinsic: forbidden by inversion x time reversal. Not defined: E_z drives no current " in said


@pytest.mark.parametrize(("value", "error"), [(0.0, 4.1e-69), (1e-30, 3e-30), (-2e-30, 0.0)])
def test_what_is_less_than_rounding_is_no_number(haldane, value, error) -> None:
    """1e-12 e^2/hbar angstrom is 2.4e-26 A m/V: in the tables of a summary and in those of --all, a part or the response."""
    for name in ("itinerant", "extrinsic"):
        result = haldane.copy(deep=True)
        result[name][:], result[f"{name}_error"][:] = value, error
        text = str(ome.summary(result, fermi=0.1))
        (line,) = re.findall(rf"^ *{name}  .*$", text, re.MULTILINE)
        assert "  0 (negligible)" in line
        assert "0 (negligible): with its error below 1e-12 of the natural unit (e^2/hbar, eV, Å), as rounding is" in " ".join(
            text.split()
        )
        assert "10⁻" not in text
        cells = [c for t in tables.tensor_tables(result.isel(fermi=7)) for column in t.columns for c in column.cells]
        assert "0 (negligible)" in cells
    larger = haldane.copy(deep=True)
    larger["itinerant"][:], larger["itinerant_error"][:] = value, 3e-26
    assert "negligible" not in str(ome.summary(larger, fermi=0.1))


def test_a_quantity_of_a_user_may_be_of_any_size(haldane) -> None:
    mine = haldane.assign(mine=1e-3 * haldane["extrinsic"] * 1e-12, mine_error=1e-4 * abs(haldane["extrinsic"]) * 1e-12)
    mine["mine"].attrs |= haldane["extrinsic"].attrs
    assert "negligible" not in str(ome.summary(mine, fermi=-0.6))


def test_a_level_of_a_scan_says_what_it_stands_for(haldane) -> None:
    near = str(ome.summary(haldane.assign_attrs(known_level_eV=0.31)))
    assert "this nearest to the material's 0.3100 eV" in " ".join(near.split())
    for known in (0.3, 9.0):
        assert "nearest" not in str(ome.summary(haldane.assign_attrs(known_level_eV=known)))
    assert "nearest" not in str(ome.summary(haldane.assign_attrs(known_level_eV=0.31), fermi=-0.2))


def test_a_model_without_a_lattice_says_why_it_has_no_point_group(haldane) -> None:
    cone = ome.load("tilted-dirac")
    why = "point group  not looked for: a k.p model has no atoms and no lattice"
    for how in ({"kmesh": ome.PolarMesh(8, 8)}, {"rtol": 0.3}):
        assert why in str(ome.summary(ome.compute(cone, calculators=["total"], fermi=[0.0], **how)))
    assert "not looked for" not in str(ome.summary(haldane))


def test_a_caution_of_the_library_is_on_the_first_screen(haldane) -> None:
    caution = ome.materials.entry("cumnas").caution
    for name, said in (("library/cumnas", True), ("library/cumnas (a=1)", True), ("library/te", False), ("cumnas", False)):
        text = " ".join(str(ome.summary(haldane.assign_attrs(model=name))).split())
        assert (caution in text) == said
    assert "cumnas-minimal" in ome.summary(haldane.assign_attrs(model="library/cumnas"))._repr_html_()


def test_fields_across_a_layer_have_no_column_where_nothing_is_defined() -> None:
    """In the printed table, the picture and the report: the metric of a layer has two columns, its response three."""
    model = toys.random_model(3, n=3)
    layer = ome.compute(model, (4, 4, 1), ["total", "quantum_metric"], [0.1], origin=0.0)
    assert elements.defined(layer["quantum_metric"])["field"] == ("x", "y")
    assert list(elements.trimmed(layer, "total")["total"].sizes.values()) == [1, 3, 3]
    titles = [[str(column.header) for column in table.columns] for table in tables.tensor_tables(layer.isel(fermi=0))]
    assert ["field x", "field y", "field z"] in [t[-4:-1] for t in titles]
    assert all("field z" not in t for t in titles if "position" in t)
    drawn = [ax for ax in plotting.tensor(layer, names=["total", "quantum_metric"]).axes if ax.get_xlabel() == "field"]
    assert sorted(len(ax.get_xticks()) for ax in drawn) == [2, 3]
    (found,) = content.of_result(layer, "layer").details
    columns = {t["name"]: t["columns"] for t in found["states"][0]["tensors"]}
    assert columns == {"total": ["x", "y", "z"], "quantum metric": ["x", "y"]}


def test_it_fits_a_screen(haldane) -> None:
    for result in (haldane, haldane.isel(fermi=[3]), haldane.isel(fermi=[1, 5, 9])):
        lines = str(ome.summary(result)).splitlines()
        assert len(lines) <= 30
        assert max(map(len, lines)) <= 80


def test_equal_quantities_are_shown_once(haldane) -> None:
    there = elements.distinct(haldane)
    assert not {"semiclassical", "local_intraband"} & set(there)
    other = ome.compute(ome.load("haldane"), (4, 4, 1), ["total", ome.calculators.semiclassical_with("kubo")], 0.1)
    assert elements.distinct(other) == ["total", "semiclassical"]


def test_elements_that_symmetry_makes_equal_are_named_together() -> None:
    te = ome.compute(ome.load("te"), (4, 4, 4), ["extrinsic"], 6.0)
    assert elements.independent(te["extrinsic"]) == ["xx", "zz"]
    assert elements.with_equals(te["extrinsic"], "xx") == "xx = yy"
    ome_says = {e for e in elements.names(te["extrinsic"]) if float(abs(elements.element(te["extrinsic"], e)).max()) > 0}
    assert ome_says == {"xx", "yy", "zz"}
    np.testing.assert_allclose(
        te["extrinsic"].sel(moment="x", field="x"), te["extrinsic"].sel(moment="y", field="y"), rtol=1e-9
    )


def test_warnings_and_texts_of_others_are_escaped(haldane) -> None:
    result = haldane.copy()
    result.attrs = haldane.attrs | {"warnings": ["<script>x</script>"], "model": "<b>mine</b>"}
    html = ome.summary(result)._repr_html_()
    assert "<script>" not in html
    assert "<b>mine" not in html
    assert "warning: <script>x</script>" in str(ome.summary(result))


def test_warnings_of_the_calculation_are_kept() -> None:
    with pytest.warns(ome.errors.AccuracyWarning):
        result = ome.compute(toys.random_model(3, n=3), (5, 5, 1), ["berry_curvature"], 0.1)
    assert "warning: " in str(ome.summary(result))


def test_only_results_have_a_summary() -> None:
    with pytest.raises(ModelError, match="takes a result of compute"):
        ome.summary(ome.load("haldane"))  # type: ignore[arg-type]


def test_models_show_themselves_to_notebooks() -> None:
    html = ome.load("haldane")._repr_html_()
    assert "2 orbitals" in html
    assert re.search(r"cell [\d.]+ angstrom\^2", html)
    chain = toys.random_model(3, n=2)
    assert "&lt;i&gt;" in toys.rebuilt(chain, name="<i>")._repr_html_()
    assert "2 directions" in toys.tilted_dirac()._repr_html_()


def test_compute_takes_objects_of_other_packages() -> None:
    ours = ome.load("haldane")
    theirs = ome.to_pythtb(ours)
    assert type(theirs).__module__.startswith("pythtb")
    found = ome.compute(theirs, (4, 4, 1), ["total"], 0.1)
    expected = ome.compute(ours, (4, 4, 1), ["total"], 0.1)
    np.testing.assert_allclose(found["total"], expected["total"], rtol=1e-6, atol=1e-24)
    with pytest.raises(ModelError, match=r"give it to ome_wannier\.load first"):
        ome.compute("haldane", fermi=0.1)


def test_an_exact_zero_is_not_the_largest_where_all_others_are_within_their_errors():
    """A planar layer under a gate: 0 +- 0 exceeds its error more than 10 +- 130 does."""
    result = ome.compute(ome.load("tmd-three-band"), (12, 12, 1), ["total", "extrinsic"], fermi=0.1)
    text = str(ome.summary(result))
    assert "intrinsic: M_z = alpha_zy E_y" in text
    assert "exact" not in text


def test_shares_that_are_rounding_say_so():
    """The electrons of the lower of two layers have no share in the upper one."""
    H = np.diag([-1.0, -1.1]).astype(complex)[None] + np.zeros((1, 2, 2))
    centres = [[0.0, 0.0, 0.0], [0.3, 0.2, 6.0]]
    model = ome.TightBinding(np.diag([3.0, 3.1, 20.0]), [[0, 0, 0]], H, centres=centres, periodic=(True, True, False))
    model = ome.operators.with_layers(model)
    result = ome.compute(model, (2, 2, 1), "layer_1_expectation", fermi=-0.9, temperature=900.0, by="layer")
    result.layer_1_expectation_by_layer[0, 1] = 3.0  # beside 1e19
    result.layer_1_expectation_by_layer_error[0, 1] = 5.0
    (line,) = [x for x in str(ome.summary(result)).splitlines() if x.startswith("  2 ")]
    assert "negligible" in line


def test_what_rounding_leaves_of_an_operator_is_not_shown():
    """The number of electrons does not respond to a field, whatever unit it is counted in; its sum is shown."""
    for size in (1.0, 1e-30):
        model = toys.random_model(3, n=3).with_operator("N", size * np.eye(3), unit="kg")
        result = ome.compute(model, (6, 6, 1), ["N_response", "N_expectation"], fermi=0.1, temperature=9000.0)
        assert 0 < float(abs(result.N_response).max()) < 1e-10 * 1e10 * size
        lines = {" ".join(x.split(" ")[:2]): x for x in str(ome.summary(result)).splitlines()}
        assert "0 (negligible)" in lines["N response"]
        assert "negligible" not in lines["N expectation"]


@pytest.mark.parametrize("levels", [[0.4], [0.2, 0.4, 0.6]])
def test_the_element_whose_shares_are_shown_has_shares(levels):
    """In the plane of a layer moments have none, though they are the largest here: the table is of another element, named."""
    model = toys.TOYS["matrix_insulator_2d"].model
    result = ome.compute(model, (10, 10, 1), "extrinsic", fermi=levels, temperature=2500.0, by="orbital")
    text = str(ome.summary(result))
    assert "M_y = alpha_yx E_x" in text
    table = text[text.index("extrinsic by orbital") :]
    assert "nan" not in text
    (element,) = re.findall(r"z[xy]", table.partition("\n  1 ")[0])
    share = result.extrinsic_by_orbital.sel(moment="z", field=element[1], orbital="1", fermi=levels[0]).item()
    (line,) = re.findall(r"^  1 +(\S+) ±", table, re.MULTILINE)
    prefix = {"a": 1e-18, "f": 1e-15, "z": 1e-21}[re.search(r"\((.)A m/V\)", table).group(1)]
    assert float(line) * prefix == pytest.approx(share, abs=0.6 * prefix)
