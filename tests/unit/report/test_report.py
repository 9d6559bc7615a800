"""The report: what is in the page, that nothing hostile gets out of its place, and, in a real browser, that it works."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from windows import SIZES, resized

import ome_wannier as ome
from ome_wannier import screening
from ome_wannier.errors import FileFormatError, SettingsError, StoreError
from ome_wannier.report import content, page, report
from ome_wannier.screening.store import FAILED, Store
from ome_wannier.units import convert_alpha

sys.path.insert(0, str(Path(__file__).parents[1] / "screening"))
from screens import Here, table, write_list

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&$title \N{SNOWMAN}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screening of layers, a crystal, what symmetry forbids, a failure, and hostile names."""
    where = tmp_path_factory.mktemp("report")
    path = write_list(
        where,
        table("lattice", [1, 2, 3], [2, 4]) + "\nkmap = 12",
        'material = "stacked-honeycomb"\nkmesh = [4, 4, 4]',
        'material = "tmd-three-band"\nparameters = {strain = 0.0}',
        table("damaged", [1]),
        f"name = {json.dumps(HOSTILE)}\n{table('lattice', [9])}",
    )
    screening.screen(path, where / "s.db", executor=Here())
    Store(where / "s.db").finish("k-x", FAILED, None, {"name": HOSTILE, "reason": HOSTILE}, {})
    report(where / "s.db", where / "s.html")
    return where


@pytest.fixture(scope="module")
def result() -> Any:
    return ome.compute(ome.load("haldane"), (8, 8, 1), ["total", "dipole", "extrinsic"], np.linspace(-1.5, 1.5, 5))


class Reader(HTMLParser):
    """Elements, their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self._in == "script" else self.texts).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def data(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(path).scripts[0])
    return found


def test_the_table_has_every_material_in_order(folder: Path) -> None:
    found = read(folder / "s.html")
    ranked = screening.rank(folder / "s.db")
    assert [row["name"] for row in data(folder / "s.html")["rows"]] == list(ranked["name"])
    values = [a["data-value"] for tag, a in found.elements if tag == "th" and a.get("scope") == "row"]
    assert values == list(ranked["name"])
    assert any("1 failed" in t or "2 failed" in t for t in found.texts)
    assert any("ZeroDivisionError: of the user" in t for t in found.texts)


def test_a_screening_in_bohr_magnetons_per_cell(folder: Path) -> None:
    """Table, points of the plot, scans and tensors; the cells are those of the rows."""
    report(folder / "s.db", folder / "cells.html", units="mu_B/cell per V/nm")
    found, si = data(folder / "cells.html"), data(folder / "s.html")
    ranked = screening.rank(folder / "s.db")
    for row, before, cell in zip(found["rows"], si["rows"], ranked["cell_size"], strict=True):
        if before["total_max"]:
            wanted = convert_alpha(before["total_max"], "mu_B/cell per V/nm", before["dimension"], cell)
            assert row["total_max"] == pytest.approx(wanted)
            assert row["response_unit"] == "μ_B/cell per V/nm"
    detail = found["details"][0]
    units = {t["unit"] for t in detail["states"][0]["tensors"] if t["name"] in ("total", "dipole", "extrinsic")}
    assert units == {"μ_B/cell per V/nm"} == {scan["unit"] for scan in detail["states"][0]["scans"]}
    assert any(text.endswith(" μ_B/cell per V/nm") for text in read(folder / "cells.html").texts)


def test_details_are_the_numbers_of_the_database(folder: Path) -> None:
    store = Store(folder / "s.db")
    ranked = screening.rank(folder / "s.db")
    i = int(ranked["name"].str.startswith("models.py").argmax())  # of those that have a map of k space
    best, detail = ranked.iloc[i], data(folder / "s.html")["details"][i]
    stored = store.data(best["key"])
    (scan, _) = detail["states"][0]["scans"]
    i, j = ("xyz".index(c) for c in scan["elements"][0]["name"])
    assert abs(stored["ome_total"][:, i, j]).max() == np.nanmax(abs(stored["ome_total"]))
    factor, unit = content.prefixed([1e-15], "A m/V")
    assert scan["unit"].endswith("A m/V")
    drawn = np.array(scan["elements"][0]["curves"][0]["y"])
    ratio = drawn / stored["ome_total"][:, i, j]
    assert np.allclose(ratio, ratio[0], rtol=1e-4)
    assert round(np.log10(abs(ratio[0]))) % 3 == 0
    assert (factor, unit) == (1e15, "fA m/V")
    names = [c["name"] for c in scan["elements"][0]["curves"]]
    assert names == ["total", "dipole, 2 x", "itinerant", "local"]
    maps = [d["kmap"] for d in data(folder / "s.html")["details"] if "kmap" in d]
    assert maps
    assert np.shape(maps[0]["z"]) == (12, 12)
    assert detail["fermi"] == pytest.approx(stored["ome_fermi"].tolist())
    assert any("arXiv" in c or "doi" in c for c in detail["cite"])
    assert dict(detail["facts"])["kmesh"].startswith("KMesh")


def test_what_is_forbidden_has_no_level() -> None:
    row = {"total_fermi": 0.8, "total_element": "none", "extrinsic_fermi": 0.7, "extrinsic_element": "zx"}
    assert [page._cell(row, f"{name}_fermi").text for name in ("total", "extrinsic")] == ["", "0.7"]


def test_what_symmetry_forbids_is_said(folder: Path) -> None:
    found = data(folder / "s.html")
    (row,) = [r for r in found["rows"] if r["name"].startswith("tmd")]
    detail = found["details"][row["detail"]]
    assert "states" not in detail
    assert any("3-fold" in s for s in detail["symmetry"])


def test_only_the_best_are_shown_in_detail(folder: Path, tmp_path: Path) -> None:
    report(folder / "s.db", tmp_path / "s.html", by="gap", where="dimension == 2", details=2)
    found = data(tmp_path / "s.html")
    assert len(found["details"]) == 2
    assert [r["detail"] for r in found["rows"]] == [0, 1] + [None] * (len(found["rows"]) - 2)
    assert {r["dimension"] for r in found["rows"]} == {2}


def test_hostile_texts_stay_texts(folder: Path) -> None:
    """No element, attribute or script comes of a name or a reason, which are both there as they are."""
    found = read(folder / "s.html")
    assert [tag for tag, _ in found.elements].count("script") == 3
    assert "img" not in [tag for tag, _ in found.elements]
    assert not any(key.startswith("on") for _, a in found.elements for key in a)
    assert "".join(found.texts).count(HOSTILE) >= 2
    assert f"{HOSTILE} (seed=9, n=2)" in [r["name"] for r in data(folder / "s.html")["rows"]]
    assert "window.hacked" not in "".join(found.scripts[1:])


def test_the_page_needs_nothing_else(folder: Path) -> None:
    found = read(folder / "s.html")
    assert not [a for tag, a in found.elements if tag in ("script", "img", "iframe") and "src" in a]
    assert [a["href"] for tag, a in found.elements if tag == "link"] == ["data:,"]
    policy = next(a["content"] for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_library_that_draws_is_there_once_and_packed(folder: Path) -> None:
    """Unpacked it is what plotly ships, to the last letter; it is most of the page."""
    page = (folder / "s.html").read_text(encoding="utf-8")
    (packed,) = re.findall(r'<script type="text/plain" id="plotly">([A-Za-z0-9+/=]+)</script>', page)
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()
    assert len(packed) < 0.45 * len(get_plotlyjs())
    assert len(page) < len(packed) + 200_000


def test_a_result_alone(result: Any, tmp_path: Path) -> None:
    ome.save(result, tmp_path / "r.nc")
    assert report(tmp_path / "r.nc", tmp_path / "r.html") == tmp_path / "r.html"
    found = data(tmp_path / "r.html")
    assert found["rows"] == []
    (detail,) = found["details"]
    assert [t["name"] for t in detail["states"][0]["tensors"]] == ["total", "dipole", "extrinsic"]
    assert any("Summary" in text for text in read(tmp_path / "r.html").texts)
    assert detail["fermi"] == [-1.5, -0.75, 0.0, 0.75, 1.5]
    report(result, tmp_path / "live.html")
    live = data(tmp_path / "live.html")["details"][0]
    assert live["states"] == detail["states"]
    one = result.isel(fermi=[2])
    report(one, tmp_path / "one.html")
    assert data(tmp_path / "one.html")["details"][0]["fermi"] == [0.0]


def test_units_and_level_are_those_of_the_summary(result: Any, tmp_path: Path) -> None:
    """Curves and tensors in the unit that is asked for, tensors at the level of the material where it is known."""
    known = result.assign_attrs(known_level_eV=0.7)
    report(known, tmp_path / "si.html")
    report(known, tmp_path / "mu.html", units="mu_B/nm^2 per V/nm")
    si, mu = (data(tmp_path / f"{n}.html")["details"][0] for n in ("si", "mu"))
    assert si["level"] == mu["level"] == 0.75
    curve, other = (d["states"][0]["scans"][0] for d in (si, mu))
    assert other["unit"] == "μ_B/nm² per V/nm"
    element = curve["elements"][0]["name"]
    wanted = convert_alpha(result["total"].sel(moment=element[0], field=element[1]).values, "mu_B/nm^2 per V/nm", 2)
    assert other["elements"][0]["curves"][0]["y"] == pytest.approx(wanted.squeeze(), rel=1e-4)
    assert {t["unit"] for t in mu["states"][0]["tensors"]} == {"μ_B/nm² per V/nm"}


def test_parts_that_are_open_give_way_to_those_that_are_sure(tmp_path: Path) -> None:
    """As in pictures: where the mechanisms are less than their errors and the cross-gap parts are not."""
    whole = ome.compute(ome.load("haldane"), (8, 8, 1), fermi=np.linspace(-1.5, 1.5, 5))
    parts, exact = ("dipole", "itinerant", "local"), ("itinerant_crossgap", "local_crossgap", "metric_curl")
    sure = {f"{name}_error": 0 * whole[f"{name}_error"] for name in (*parts, *exact)}
    vague = {"local_error": 9 * abs(whole["total"]).max() + 0 * whole["local_error"]}
    for errors, wanted in ((sure, {"dipole, 2 x", "itinerant", "local"}), (sure | vague, {"itinerant, cross-gap"})):
        report(whole.assign(errors), tmp_path / "p.html")
        curves = data(tmp_path / "p.html")["details"][0]["states"][0]["scans"][0]["elements"][0]["curves"]
        assert wanted < {c["name"] for c in curves}


def test_every_temperature_is_shown(tmp_path: Path) -> None:
    model = ome.load("haldane")
    warm = ome.compute(model, (8, 8, 1), ["total"], [0.5, 1.0], temperature=[100.0, 600.0])
    cold = ome.compute(model, (8, 8, 1), ["total"], [0.5, 1.0], temperature=100.0)
    report(warm, tmp_path / "w.html")
    report(cold, tmp_path / "c.html")
    both, (alone,) = (data(tmp_path / f"{n}.html")["details"][0]["states"] for n in "wc")
    assert [s["temperature"] for s in both] == [100.0, 600.0]
    first, single = (s["scans"][0]["elements"] for s in (both[0], alone))
    assert [e["name"] for e in first] == [e["name"] for e in single] == ["zy"]
    assert first[0]["curves"][0]["y"] == pytest.approx(single[0]["curves"][0]["y"], rel=1e-4)
    assert both[1]["scans"][0]["elements"][0]["curves"][0]["y"] != first[0]["curves"][0]["y"]
    said = data(tmp_path / "w.html")["details"][0]["forbidden"]
    assert any(re.match(r"\S.*\bzx\b.* of total: forbidden by ", line) for line in said)


EVERY = {
    "scan": {"fermi": [0.3, 0.5]},
    "one level": {"fermi": 0.5},
    "levels and temperatures": {"fermi": [0.3, 0.5, 0.7], "temperature": [100.0, 600.0]},
    "one level, temperatures": {"fermi": 0.5, "temperature": [100.0, 300.0, 600.0]},
    "three levels": {"fermi": [0.3, 0.5, 0.7]},
    "vectors": {"fermi": 0.5, "calculators": ["orbital_moment", "berry_curvature"]},
    "vectors along a scan": {"fermi": [0.3, 0.5, 0.7], "calculators": ["orbital_moment"]},
    "nothing allowed": {"fermi": 0.5, "calculators": ["total"], "name": "graphene"},
}


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_of_result(kind: str, tmp_path: Path) -> None:
    """With every quantity of the package; the numbers shown are those of the result, by their own dimensions."""
    asked = dict(EVERY[kind])
    result = ome.compute(ome.load(asked.pop("name", "haldane")), (4, 4, 1), **asked)  # type: ignore[arg-type]
    ome.save(result, tmp_path / "r.nc")
    report(tmp_path / "r.nc", tmp_path / "r.html")
    (detail,) = data(tmp_path / "r.html")["details"]
    assert len(detail["states"]) == result["temperature"].size
    tensors = {t["name"]: t for t in detail["states"][-1]["tensors"]}
    if "orbital_moment" in result:
        (row,) = tensors["orbital moment"]["rows"]
        shown = [cell for cell in row["cells"] if cell is not None]
        assert len(shown) == 1
        at = result["orbital_moment"].isel(fermi=result.sizes["fermi"] // 2, axis=0)
        at = at.isel(temperature=-1) if "temperature" in at.dims else at
        factor, unit = content.prefixed([at.item()], "A")
        assert tensors["orbital moment"]["unit"] == unit
        value = float(shown[0].split(" ")[0].replace("\N{MINUS SIGN}", "-"))
        assert value == pytest.approx(at.item() * factor, rel=0.06)


@pytest.fixture(scope="module")
def shared() -> Any:
    """Shares of sites in a response whose whole is rounding, and in a current, at two temperatures."""
    model = ome.operators.with_torque(ome.load("cumnas-minimal"))
    asked = {"fermi": [-0.2, 0.2], "temperature": [600.0, 900.0], "by": "site"}
    return ome.compute(model, (16, 16, 1), "torque_response,spin_hall", **asked)


def test_shares_of_parts_are_bars(shared: Any, tmp_path: Path) -> None:
    """Of every element that has any, at each temperature and the level of the tensors: the numbers of the result."""
    report(shared, tmp_path / "r.html")
    (detail,) = data(tmp_path / "r.html")["details"]
    level = shared.fermi.values.tolist().index(detail["level"])
    for j, state in enumerate(detail["states"]):
        there = state["shares"]
        assert (there["by"], there["parts"]) == ("site", ["1", "2"])
        bars = {bar["name"].split(" = ")[0]: bar for bar in there["bars"]}
        assert {name.rpartition(" ")[0] for name in bars} == {"torque response", "spin hall"}
        for name, bar in bars.items():
            quantity, element = name.rpartition(" ")[0].replace(" ", "_"), name.rpartition(" ")[2]
            for kind, end in (("y", ""), ("error", "_error")):
                whole = shared[f"{quantity}_by_site{end}"].isel(fermi=level, temperature=j)
                place = dict(zip([d for d in shared[quantity].dims[2:]], element, strict=True))
                value = whole.sel(place).values
                factor = content.prefixed(
                    [abs(shared[f"{quantity}_by_site"].isel(fermi=level, temperature=j).sel(place)).max()], ""
                )
                assert bar[kind] == pytest.approx(value * factor[0], rel=1e-4)
        torque = bars["torque response yx"]
        assert torque["whole"] == "0 (negligible)"
        assert torque["y"][0] == -torque["y"][1] != 0


def test_without_shares_there_are_no_bars(result: Any, tmp_path: Path) -> None:
    report(result, tmp_path / "r.html")
    assert all("shares" not in state for state in data(tmp_path / "r.html")["details"][0]["states"])


def test_rows_of_currents_have_their_letters(shared: Any, tmp_path: Path) -> None:
    """Component and current, as the head says; rows that symmetry forbids are not there."""
    report(shared, tmp_path / "r.html")
    (detail,) = data(tmp_path / "r.html")["details"]
    tensors = {t["name"]: t for t in detail["states"][0]["tensors"]}
    hall, torque = tensors["spin hall"], tensors["torque response"]
    assert hall["corner"] == "component, current \\ field"
    assert torque["corner"] == "component \\ field"
    allowed = [e for e in ome.presentation.elements.allowed(shared.spin_hall)]
    assert allowed
    assert {r["first"] + c for r in hall["rows"] for c, x in zip(hall["columns"], r["cells"], strict=True) if x} == set(allowed)


def test_wrong_use_is_one_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"end in \.html"):
        report(folder / "s.db", tmp_path / "s.txt")
    with pytest.raises(StoreError, match="no such database"):
        report(tmp_path / "none.db", tmp_path / "s.html")
    with pytest.raises(SettingsError, match="no column 'x'"):
        report(folder / "s.db", tmp_path / "s.html", by="x")
    (tmp_path / "r.nc").write_text("nothing")
    with pytest.raises(FileFormatError):
        report(tmp_path / "r.nc", tmp_path / "s.html")
    assert not (tmp_path / "s.html").exists()


def test_an_empty_selection_is_a_page(folder: Path, tmp_path: Path) -> None:
    report(folder / "s.db", tmp_path / "s.html", where="gap > 1e9")
    assert data(tmp_path / "s.html") == {"rows": [], "details": []}


# ---- in a browser


def opened(browser: Any, path: Path, size: str) -> None:
    """Figures are there a moment after the page: the library that draws them is packed."""
    from selenium.webdriver.support.ui import WebDriverWait

    resized(browser, size)
    browser.get(path.as_uri())
    WebDriverWait(browser, 30).until(lambda b: b.execute_script("return !!window.Plotly"))


def names(browser: Any) -> list[str]:
    rows = "[...document.querySelectorAll('#ranked tbody tr')].filter(r => !r.hidden)"
    return list(browser.execute_script(f"return {rows}.map(r => r.cells[1].dataset.value)"))


@pytest.mark.long
@pytest.mark.outside
@pytest.mark.parametrize("size", SIZES)
def test_in_a_browser(folder: Path, browser: Any, size: str, tmp_path: Path) -> None:
    """Loaded from file:// without a network: no errors, figures, sorting and selecting by keyboard, nothing hacked."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, folder / "s.html", size)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    for plot in ("#scatter .main-svg", "#scans .main-svg"):
        assert browser.execute_script(f"return document.querySelectorAll('{plot}').length"), plot
    points = browser.execute_script("return document.querySelectorAll('#scatter .scatterlayer .point').length")
    ranked = screening.rank(folder / "s.db")
    assert points == ((ranked["total_max"] > 0) & ranked["metric"].notna()).sum()
    assert names(browser) == list(ranked["name"])

    heads = browser.find_elements(By.CSS_SELECTOR, "#ranked thead th")
    gap = next(h for h in heads if h.text.startswith("gap"))
    button = gap.find_element(By.TAG_NAME, "button")
    by_gap = ranked.sort_values("gap", ascending=False, kind="stable")
    browser.execute_script("arguments[0].focus()", button)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert gap.get_attribute("aria-sort") == "descending"
    assert names(browser) == list(by_gap["name"])
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert gap.get_attribute("aria-sort") == "ascending"
    assert [h.get_attribute("aria-sort") for h in heads].count("none") == len(heads) - 1

    row = browser.find_element(By.CSS_SELECTOR, "#ranked tbody tr:nth-child(3) button.pick")
    wanted = row.text
    browser.execute_script("arguments[0].focus()", row)
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert browser.find_element(By.ID, "h-detail").text == wanted
    assert browser.execute_script("return document.querySelectorAll('#kmap .main-svg').length")
    assert browser.switch_to.active_element.get_attribute("id") == "detail"
    assert browser.execute_script("return document.querySelectorAll('button.pick[aria-pressed=true]').length") == 1

    hostile = next(b for b in browser.find_elements(By.CSS_SELECTOR, "button.pick") if "hacked" in b.text)
    browser.execute_script("arguments[0].click()", hostile)
    assert browser.find_element(By.ID, "h-detail").text == f"{HOSTILE} (seed=9, n=2)"
    assert browser.execute_script("return window.hacked") is None

    select = browser.find_element(By.CSS_SELECTOR, "#scans select")
    options = [o.text for o in select.find_elements(By.TAG_NAME, "option")]
    assert len(options) == 2
    before = browser.execute_script("return document.querySelector('#scans .plot').data[1].y[0]")
    select.send_keys(Keys.ARROW_DOWN)
    assert browser.execute_script("return document.querySelector('#scans .plot').data[1].y[0]") != before

    browser.find_element(By.ID, "filter").send_keys("STACKED")
    assert names(browser) == ["stacked-honeycomb"]
    assert browser.find_element(By.ID, "count").text == f"1 of {len(ranked)}"
    assert browser.get_log("browser") == []
    kept = Path(os.environ.get("OME_SCREENSHOTS", tmp_path))
    browser.execute_script("document.getElementById('filter').value = ''; window.scrollTo(0, 0)")
    assert browser.save_screenshot(str(kept / f"report-{size}.png"))
    assert (kept / f"report-{size}.png").stat().st_size > 10_000


@pytest.mark.long
@pytest.mark.outside
@pytest.mark.parametrize("size", SIZES)
def test_a_result_in_a_browser(result: Any, browser: Any, size: str, tmp_path: Path) -> None:
    report(result, tmp_path / "r.html")
    opened(browser, tmp_path / "r.html", size)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.querySelectorAll('#scans .main-svg').length")
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert not browser.execute_script("return [...document.querySelectorAll('#scatter, #ranked')].some(e => e.offsetParent)")


@pytest.mark.long
@pytest.mark.outside
@pytest.mark.parametrize("size", SIZES)
def test_shares_in_a_browser(shared: Any, browser: Any, size: str, tmp_path: Path) -> None:
    """Another quantity is drawn when it is chosen."""
    report(shared, tmp_path / "r.html")
    opened(browser, tmp_path / "r.html", size)
    assert browser.get_log("browser") == []
    drawn = "return document.querySelector('#scans .plot').data[0].y"
    before = browser.execute_script(drawn)
    assert len(before) == 2
    browser.find_element("css selector", "#scans select").send_keys("s")
    assert browser.execute_script(drawn) != before
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.long
@pytest.mark.outside
def test_a_browser_that_cannot_unpack_shows_all_but_the_figures(result: Any, browser: Any, tmp_path: Path) -> None:
    report(result, tmp_path / "r.html")
    old = {"source": "delete window.DecompressionStream"}
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", old)
    browser.get((tmp_path / "r.html").as_uri())
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert "The figures need a browser of 2023 or later." in browser.find_element("tag name", "header").text
    assert browser.execute_script("return document.querySelectorAll('#tensors td').length") > 2
    assert browser.get_log("browser") is not None  # of what failed: the next page begins without


def test_the_command_writes_it(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ome_wannier", "report", str(folder / "s.db"), "-o", str(tmp_path / "s.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"wrote .*s\.html: \d\.\d MB", done.stdout)
    assert data(tmp_path / "s.html") == data(folder / "s.html")
