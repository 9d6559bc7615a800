"""The first screen of operators and parts: how large, of which operator or part, where, and that it fits the screen."""

import re

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.presentation.numbers import rounded

LEVELS = np.linspace(-0.6, 0.6, 7)


@pytest.fixture(scope="module")
def antiferromagnet():
    """Two sites whose torques cancel each other."""
    model = ome.operators.with_torque(ome.load("cumnas-minimal"))
    return ome.compute(model, (16, 16, 1), "torque_response,torque_extrinsic,spin_hall", LEVELS, temperature=900.0, by="site")


@pytest.fixture(scope="module")
def layer():
    """A monolayer with L, whose Fermi level is in the gap at first."""
    model = ome.load("tmd-three-band")
    return ome.compute(model, (16, 16, 1), "L_extrinsic,L_hall,extrinsic", LEVELS, temperature=900.0)


def line_of(text: str, label: str) -> str:
    (line,) = re.findall(rf"^ *{re.escape(label)} .*$", text, re.MULTILINE)
    return line


def test_an_operator_is_shown_where_it_is_largest_in_a_scan(layer):
    """The number beside the level is that of the result there, and no other level has more beyond its error."""
    line = line_of(str(ome.summary(layer)), "L extrinsic zx")
    value, error, level = re.search(r"(\S+) ± (\S+) at (\S+)", line).groups()
    i = int(np.argmin(abs(LEVELS - float(level))))
    found, unsure = (layer[n].sel(operator_component="z", field="x").values[i] for n in ("L_extrinsic", "L_extrinsic_error"))
    power = 10.0 ** int(re.search(r" 10(\S+) hbar/m/V$", line).group(1).translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    assert f"{value} ± {error}" == rounded(found / power, unsure / power)
    beyond = abs(layer.L_extrinsic.values) - layer.L_extrinsic_error.values
    assert np.nanmax(beyond) == beyond[i, 2, 0]


def test_what_the_letters_of_operators_are_is_said(layer):
    """By an element of each kind that is shown."""
    text = str(ome.summary(layer))
    (hall,) = re.findall(r"^L hall (\w\w\w)", text, re.MULTILINE)
    of_hall = f"{hall}: component {hall[0]}, current {hall[1]}, field {hall[2]}"
    assert f"of operators zx: component z, field x; {of_hall}" in " ".join(text.split())


@pytest.mark.parametrize("chosen", [slice(None), [3], [1, 3, 5]])
def test_it_fits_a_screen(layer, antiferromagnet, chosen):
    for result in (layer, antiferromagnet):
        part = result.isel(fermi=chosen)
        part.attrs.pop("warnings", None)
        lines = str(ome.summary(part)).splitlines()
        assert len(lines) <= 30
        assert max(map(len, lines)) <= 80


def test_parts_that_cancel_are_shown(antiferromagnet):
    """Torques on the two sites are opposite, so that the whole is rounding; one table has all three."""
    one = antiferromagnet.isel(fermi=[2])
    text = str(ome.summary(one))
    table = text[text.index("shares by site") :]
    assert "torque response yx  torque extrinsic zx" in table
    whole, first, second = (line_of(table, label).split("  ") for label in ("all", "1", "2"))
    assert "0 (negligible)" in " ".join(whole)
    cells = [next(c for c in cells if "±" in c).split() for cells in (first, second)]
    assert float(cells[0][0]) == -float(cells[1][0]) != 0
    share = one.torque_response_by_site.sel(operator_component="y", field="x", site="1").item()
    assert share != 0
    assert abs(one.torque_response.sel(operator_component="y", field="x").item()) < 1e-9 * abs(share)


def test_what_the_shares_have_is_not_said_twice(antiferromagnet):
    """At one level each quantity with shares has one row of its whole; in a scan the table of the largest stays."""
    one = str(ome.summary(antiferromagnet.isel(fermi=[2])))
    assert "largest element of each" not in one
    assert len(re.findall("torque extrinsic zx", one)) == 1
    assert "largest element of each" in str(ome.summary(antiferromagnet))


def test_operators_that_were_asked_for_are_shown_beside_many_others():
    """Nine quantities that no one explains leave the operator's on the screen."""
    names = "total,ohmic,dos,electrons,quantum_metric,berry_curvature,drude_weight,magnetization,spin_magnetization,spin_hall"
    result = ome.compute(ome.load("kane-mele"), (8, 8, 1), names, 0.0, temperature=2000.0)
    text = str(ome.summary(result))
    assert re.search(r"^spin hall \w\w\w +\S+ ± \S+ ", text, re.MULTILINE)
    assert "quantum metric" not in text


def test_of_no_element_is_said_why():
    """Time reversal forbids the response of L without exchange, and its sum: one note for both."""
    model = ome.load("tmd-three-band", exchange=0.0)
    result = ome.compute(model, (4, 4, 1), "L_response,L_expectation,L_extrinsic", 0.5, temperature=900.0)
    said = " ".join(str(ome.summary(result)).split())
    assert re.search(r"L response, L expectation: [^:]*time reversal", said)


def test_heads_of_several_lines_stay_so_in_html(antiferromagnet):
    html = ome.summary(antiferromagnet)._repr_html_()
    assert re.search(r'pre-line">torque response yx\n', html)
