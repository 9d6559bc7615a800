"""Pictures, by what they hold: the plotted numbers are the result's, and names, units and errors can be read off."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pint
import pytest
import toys
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import ome_wannier as ome
from ome_wannier import plotting
from ome_wannier.calculators import get
from ome_wannier.calculators.operators import named_in
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.errors import SettingsError
from ome_wannier.plotting import figures, zone
from ome_wannier.presentation.largest import largest
from ome_wannier.presentation.numbers import prefixed
from ome_wannier.units import KB

LEVELS = np.linspace(-1.0, 1.0, 21)
PARTS = {"dipole": "dipole, 2 x", "itinerant": "itinerant", "local": "local"}
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def plane():
    """A 2D model without any symmetry."""
    return toys.random_model(3, n=3)


@pytest.fixture(scope="module")
def result2(plane):
    return ome.compute(plane, (8, 8, 1), fermi=LEVELS, temperature=[100.0, 2000.0], tau=7.0)


@pytest.fixture(scope="module")
def result3():
    model = toys.random_model(4, dimension=3, n=3)
    return ome.compute(model, (4, 4, 4), fermi=LEVELS, temperature=1000.0)


def sure(result):
    """The same with parts that have no errors."""
    return result.assign({f"{part}_error": 0 * result[f"{part}_error"] for part in PARTS})


def panels(figure):
    return [ax for ax in figure.axes if ax.axison]


def line(ax, label):
    (found,) = (x for x in ax.lines if x.get_label() == label)
    return found


def factor_of(ax):
    """What the label's unit says: fA m/V, 10⁻³ A m/V ..."""
    prefix = re.search(r"\(([afpnµm]?)A( m)?/V\)", ax.get_ylabel()).group(1)
    return {"a": 1e18, "f": 1e15, "p": 1e12, "n": 1e9, "µ": 1e6, "m": 1e3, "": 1.0}[prefix]


# ---- the scan ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["linear", "symlog"])
def test_scan_draws_the_numbers_of_the_result(result2, scale) -> None:
    figure = plotting.fermi_scan(result2, scale=scale, temperature=100.0)
    top, bottom = panels(figure)[:3], panels(figure)[3:]
    assert len(top) == len(bottom) == 3
    for axes, name in ((top, "total"), (bottom, "extrinsic")):
        factor = factor_of(axes[0])
        for ax in axes:
            moment, field = re.search(r"alpha_\{(.)(.)\}", ax.get_title()).groups()
            drawn = line(ax, name)
            expected = result2[name].sel(moment=moment, field=field).isel(temperature=0).values
            assert_allclose(drawn.get_xdata(), LEVELS)
            assert_allclose(drawn.get_ydata(), expected * factor, rtol=1e-12)
            assert ax.get_title() == rf"$\alpha_{{{moment}{field}}}$: $M_{moment}$ from $E_{field}$"
    assert {"zx", "zy"} < {re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in top}
    assert all(abs(line(ax, "total").get_ydata()).max() >= 1 for ax in top) or factor_of(top[0]) > 1


def test_scan_stacks_the_parts_to_the_total(result2) -> None:
    """Areas above zero hold the positive parts, those below the negative ones: together the total."""
    figure = plotting.fermi_scan(sure(result2), components=["zy"], scale="linear", temperature=2100.0)
    ax = panels(figure)[0]
    here = result2.isel(temperature=1).sel(moment="z", field="y")
    areas = [c for c in ax.collections if c.get_alpha() == 0.85]
    assert len(areas) == 2 * len(PARTS)
    for part, (up, down) in zip(PARTS, zip(areas[::2], areas[1::2], strict=True), strict=True):
        assert up.get_label() == PARTS[part]
        times = 2 if part == "dipole" else 1  # the intraband half of the local circulation equals it
        for x, value in zip(LEVELS, here[part].values * factor_of(ax), strict=True):
            heights = []
            for area in (up, down):
                at_x = np.concatenate([p.vertices[np.isclose(p.vertices[:, 0], x), 1] for p in area.get_paths()])
                heights.append(np.ptp(at_x))
            assert_allclose(heights[0] - heights[1], times * value, atol=1e-9 * abs(here[part]).max().item() * factor_of(ax))
    assert_allclose(sum(here[p] for p in PARTS) + here["dipole"], here["total"], atol=1e-12 * float(abs(here["total"]).max()))


def test_parts_less_than_their_errors_are_pale_and_others_are_drawn_where_all_are(result2) -> None:
    """An error between two values of a part; then one above all, where cross-gap parts have none."""
    at = {"components": ["zy"], "scale": "linear", "temperature": 100.0}
    here = abs(result2["local"].isel(temperature=0).sel(moment="z", field="y")).values
    between = float(np.sort(here)[len(here) // 2 - 1 : len(here) // 2 + 1].mean())
    some = sure(result2)
    some["local_error"] = some["local_error"] + between
    figure = plotting.fermi_scan(some, **at)
    assert "pale: parts less than their errors" in figure.get_suptitle()
    strong = [c for c in panels(figure)[0].collections if c.get_label() == "local"]
    x = np.concatenate([p.vertices[:, 0] for c in strong for p in c.get_paths()])
    assert set(np.round(x, 9)) <= set(np.round(LEVELS[here > between], 9))
    assert "pale" not in plotting.fermi_scan(sure(result2), **at).get_suptitle()
    cross = {f"{n}_error": 0 * result2[f"{n}_error"] for n in ("itinerant_crossgap", "local_crossgap", "metric_curl")}
    open_parts = result2.assign(cross | {"local_error": result2["local_error"] + 9 * abs(result2["total"]).max()})
    labels = {t.get_text() for t in plotting.fermi_scan(open_parts, **at).legends[0].get_texts()}
    assert {"itinerant, cross-gap", "local, cross-gap", "half the metric curl"} < labels


def test_scan_shows_errors_gap_model_and_units(result2) -> None:
    figure = plotting.fermi_scan(sure(result2), components=["zx", "zy", "xz"], gap=(-0.2, 0.3), temperature=100.0)
    labels = {t.get_text() for t in figure.legends[0].get_texts()}
    assert labels == {*PARTS.values(), "total", "extrinsic", "estimated error", "gap"}
    title = figure.get_suptitle()
    assert "k mesh 8 × 8 × 1" in title and "100 K" in title and "τ = 7 fs" in title  # noqa: PT018, RUF001
    ax = panels(figure)[3]
    assert len(panels(figure)) == 5  # there is no extrinsic part of a field along z
    assert ax.get_xlabel() == "Fermi level (eV)"
    assert ax.get_ylabel().startswith("extrinsic (")
    band = next(c for c in ax.collections if c.get_label() == "estimated error").get_paths()[0].vertices[:, 1]
    here = result2.isel(temperature=0).sel(moment="z", field="x")
    high = (here["extrinsic"] + here["extrinsic_error"]).max().item() * factor_of(ax)
    assert_allclose(band.max(), high, rtol=1e-12)
    gap = next(p for p in ax.patches if p.get_label() == "gap")
    assert_allclose([gap.get_x(), gap.get_x() + gap.get_width()], [-0.2, 0.3])


def test_a_gap_wider_than_the_scan_does_not_widen_it(result2) -> None:
    figure = plotting.fermi_scan(result2, gap=(-0.2, 3.0), temperature=100.0)
    for ax in panels(figure):
        gap = next(p for p in ax.patches if p.get_label() == "gap")
        assert_allclose([gap.get_x(), gap.get_x() + gap.get_width()], [-0.2, 1.0])
        assert_allclose(ax.get_xlim(), [-1.0, 1.0])


def test_scan_draws_the_element_that_the_summary_shows(result3) -> None:
    """It exceeds its error most; three others are larger, within their errors."""
    sure, noisy = ("y", "z"), [("x", "x"), ("x", "y"), ("z", "x")]
    result = result3.copy(deep=True)
    for name in ("total", "total_error"):
        result[name][:] = 1e-9
    for element, value, error in ((sure, 2e-6, 1e-9), *((e, 5e-6, 9e-6) for e in noisy)):
        result["total"].loc[{"moment": element[0], "field": element[1]}] = value
        result["total_error"].loc[{"moment": element[0], "field": element[1]}] = error
    assert largest(result, "total")[0] == "yz"
    drawn = [re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in panels(plotting.fermi_scan(result))[:3]]
    assert "yz" in drawn


def test_scan_in_3d_draws_the_three_largest_and_says_so(result3) -> None:
    figure = plotting.fermi_scan(result3)
    assert "the 3 largest of 9 components" in figure.get_suptitle()
    sizes = {m + f: abs(result3["total"].sel(moment=m, field=f)).max().item() for m in "xyz" for f in "xyz"}
    largest = sorted(sizes, key=sizes.__getitem__)[-3:]
    drawn = [re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in panels(figure)[:3]]
    assert sorted(drawn) == sorted(largest)
    chosen = plotting.fermi_scan(result3, components=["xy", ("z", "z")])
    assert "largest" not in chosen.get_suptitle()
    assert [re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in panels(chosen)[:2]] == ["xy", "zz"]


def test_scan_of_other_quantities(plane) -> None:
    """A result without intrinsic or extrinsic part shows what it has, a row each."""
    result = ome.compute(plane, (4, 4, 1), ["berry_curvature", "quantum_metric"], LEVELS)
    figure = plotting.fermi_scan(result)
    drawn = panels(figure)
    assert drawn[0].get_title() == "z"
    assert len(drawn) == 4
    assert drawn[0].get_ylabel().startswith("berry curvature (")
    assert_allclose(line(drawn[0], "berry curvature").get_ydata(), result["berry_curvature"].values[:, 0], rtol=1e-12)
    assert len(figure.axes) == 6
    assert not any(ax.axison for ax in figure.axes[1:3])


def test_scale_follows_the_range() -> None:
    assert panels(plotting.fermi_scan(spiked(1e6)))[0].get_yscale() == "symlog"
    assert panels(plotting.fermi_scan(spiked(2.0)))[0].get_yscale() == "linear"


def spiked(height):
    """A result that is 1 (in fA m/V) but for one level."""
    model = toys.two_band()
    result = ome.compute(model, (4, 4, 1), ["total"], LEVELS)
    result["total"][:] = 1e-15
    result["total"][7] *= height
    result["total_error"][:] = 1e-16
    return result


def test_a_huge_error_does_not_set_the_scale() -> None:
    result = spiked(2.0)
    result["total_error"][3] = 1e-12
    low, high = panels(plotting.fermi_scan(result))[0].get_ylim()
    assert -4 < low < 0 < high < 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": ["xw"]}, "no component 'xw' of total: one of xx, xy"),
        ({"components": ["zyx"]}, "no component 'zyx'"),
        ({"path": "scan.xyz"}, "its name must end in one of .*png"),
    ],
)
def test_scan_refuses(result2, tmp_path, change, message) -> None:
    if "path" in change:
        change = {"path": tmp_path / change["path"]}
    with pytest.raises(SettingsError, match=message):
        plotting.fermi_scan(result2, **change)
    assert not list(tmp_path.iterdir())


def test_scan_needs_two_levels(result2) -> None:
    with pytest.raises(SettingsError, match="tensor"):
        plotting.fermi_scan(result2.isel(fermi=[3]))


# ---- the tensors ---------------------------------------------------------------------------------------------------


def test_tensor_writes_value_and_error_into_each_cell(result3) -> None:
    figure = plotting.tensor(result3, fermi=0.31, names=["total"])
    ax, bar = panels(figure)
    assert bar.get_ylabel() in ax.get_title()
    here = result3["total"].sel(fermi=0.3, method="nearest")
    image = ax.images[0].get_array()
    factor = float(image[0, 0] / here.values[0, 0])
    assert_allclose(image, here.values * factor, rtol=1e-12)
    assert "Fermi level 0.3 eV" in figure.get_suptitle()
    assert re.fullmatch(r"total \([apnfµm]?A/V\)", ax.get_title())
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("moment", "field")
    cells = {t.get_position(): t.get_text() for t in ax.texts}
    error = result3["total_error"].sel(fermi=0.3, method="nearest").values
    assert len(cells) == 9
    for (j, i), text in cells.items():
        value, uncertainty = (float(x) for x in text.replace(MINUS, "-").split("\n± "))
        # two digits of the error: at most half of the last one of 10
        assert value == pytest.approx(here.values[i, j] * factor, abs=0.06 * error[i, j] * factor)
        assert uncertainty == pytest.approx(error[i, j] * factor, rel=0.06)


def test_tensor_by_default_shows_the_parts_at_the_middle_level(result2) -> None:
    figure = plotting.tensor(sure(result2), temperature=100.0)
    shown = [ax.get_title().split(" (")[0] for ax in panels(figure) if ax.get_title()]
    assert shown == ["dipole", "itinerant", "local", "total", "extrinsic"]
    assert "Fermi level 0 eV" in figure.get_suptitle()


def test_tensor_leaves_no_empty_frames(result2) -> None:
    figure = plotting.tensor(result2, names=["total", "dipole", "local", "extrinsic"], temperature=100.0)
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2 + [True]


@pytest.mark.filterwarnings("ignore:kmesh .* errors are nan:ome_wannier.errors.AccuracyWarning")
def test_tensor_of_a_vector_and_without_error(plane) -> None:
    with np.errstate(all="ignore"):
        result = ome.compute(plane, (5, 5, 1), ["berry_curvature"], 0.1)
    ax, _ = panels(plotting.tensor(result))
    assert np.isnan(result["berry_curvature_error"]).all()
    assert ax.texts[0].get_text().endswith("± ?")
    assert ax.get_xlabel() == "axis"


def test_tensor_refuses_what_is_not_there(result2) -> None:
    with pytest.raises(SettingsError, match="no 'nonsense': one of total"):
        plotting.tensor(result2, names=["nonsense"], temperature=100.0)


# ---- maps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "element"), [("total", "zy"), ("extrinsic", "zy"), ("dipole", "zy"), ("total", "xy"), ("total", "zz")]
)
def test_map_holds_the_integrand(name, element) -> None:
    """The image at a point is what a mesh of that one point gives: the same sum over bands, divided by the cell."""
    model = toys.random_model(3, 2, 3) if element != "zy" else toys.two_band()
    figure = plotting.zone_map(model, name, 0.4, element, shape=(6, 5), temperature=900.0)
    ax = figure.axes[0]
    image = ax.images[0].get_array()
    assert image.shape == (5, 6)
    left, right, bottom, top = ax.images[0].get_extent()
    dx, dy = (right - left) / 6, (top - bottom) / 5
    k = np.array([left + 4.5 * dx, bottom + 1.5 * dy, 0.0]) @ model.lattice.T / (2 * np.pi)
    k[2] = 0.0
    with np.errstate(all="ignore"):
        one = ome.KMesh((1, 1, 1), shift=tuple(k))
        there = ome.compute(model, one, [name], 0.4, temperature=900.0, symmetry="off", gate="level")
    factor = unit_of(get("extrinsic" if name == "extrinsic" else "dipole"), 2, 10.0)[0]
    expected = there[name].sel(moment=element[0], field=element[1]).item() * model.cell / factor
    assert_allclose(image[1, 4], expected, rtol=1e-6, atol=1e-12)
    assert ax.get_xlabel() == "$k_x$ (1/Å)"
    assert figure.axes[1].get_ylabel().startswith("integrand (e²/ħ")
    assert ax.get_title() == f"{name} {element} at 0.4 eV, 900 K"


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("X_expectation", ""),
        ("X_response", "x"),
        ("X_extrinsic", "y"),
        ("X_extrinsic_thermal", "y"),
        ("extrinsic_thermal", "zx"),
        ("ohmic_thermal", "xx"),
        ("X_hall", "xy"),
        ("spin_hall", "zxy"),
        ("metric_velocity", "xx"),
        ("dos", ""),
        ("drude_weight", "xy"),
    ],
)
def test_units_of_maps_and_bands(name, element) -> None:
    """What is drawn, in the unit that is written, over the cell, is what compute() has in its own at the same point."""
    ureg = pint.UnitRegistry()
    plain = toys.TOYS["matrix_insulator_2d"].model
    model = plain.with_operator("X", plain.spin[..., 2], unit="hbar", time_reversal=-1)
    figure = plotting.zone_map(model, name, 0.4, element, shape=(2, 2), temperature=9000.0)
    image = figure.axes[0].images[0].get_array()
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    k = np.array([(3 * left + right) / 4, (3 * bottom + top) / 4, 0.0]) @ model.lattice.T / (2 * np.pi)
    one = ome.KMesh((1, 1, 1), shift=(*k[:2], 0.0))
    there = ome.compute(model, one, [name], 0.4, temperature=9000.0, symmetry="off")[name].isel(fermi=0)
    written = figure.axes[1].get_ylabel().removeprefix("integrand (").removesuffix(")")
    unit = ureg.Quantity(f"({written})/angstrom^2").to_base_units()
    reported = ureg.Quantity(f"1 {there.units}").to_base_units()
    expected = there.sel({d: x for d, x in zip(there.dims, element, strict=True)}).item() * reported
    tau = ureg.Quantity("10 fs" if "tau_fs" in there.attrs else "1")
    assert_allclose(
        (image[0, 0] / model.cell * unit * tau).to(expected.units).magnitude, expected.magnitude, rtol=1e-3
    )  # of a unit
    lines = plotting.bands(model, [[0, 0, 0], [0.5, 0, 0]], name, element, n=3)
    per_band = lines.axes[1].get_ylabel().rpartition(" (")[2].removesuffix(")")
    more = ureg.Quantity(1, "eV" if get_of(model, name).occupation in ("surface", "thermal") else "")
    ratio = ureg.Quantity(per_band or "1") / (ureg.Quantity(written) * more)
    assert_allclose(ratio.to("").magnitude, 1.0)


def get_of(model, name):
    """The observable of this name, of an operator too."""
    (found,) = named_in(model, [name])
    return get(found) if isinstance(found, str) else found


def test_map_draws_the_fermi_contour(plane) -> None:
    k = ome.KMesh((24, 24, 1)).points()
    energies = ome.tabulate(plane, k, ["dipole"])["energy"].values
    fermi = float(np.median(energies))
    figure = plotting.zone_map(plane, "berry_curvature", fermi, "z", shape=(40, 40))
    contours = [c for c in figure.axes[0].collections if len(c.get_paths()[0].vertices)]
    assert contours
    xy = np.concatenate([c.get_paths()[0].vertices for c in contours])
    back = np.column_stack([xy, np.zeros(len(xy))]) @ plane.lattice.T / (2 * np.pi)
    back[:, 2] = 0
    on_contour = ome.tabulate(plane, back, ["dipole"])["energy"].values
    assert abs(on_contour - fermi).min(axis=1).max() < 0.05 * np.ptp(energies)


def test_map_of_a_plane_of_a_volume() -> None:
    model = toys.random_model(4, dimension=3, n=3)
    window = zone._window(model, (7, 6), 1, 0.25)
    assert window.k.shape == (6, 7, 3)
    assert_allclose(window.k[..., 1], 0.25)
    figure = plotting.zone_map(model, "berry_curvature", 0.0, "y", shape=(7, 6), plane=1, at=0.25)
    bands = ome.tabulate(model, window.k.reshape(-1, 3), ["berry_curvature"])
    occupied = (1 - np.tanh(bands["energy"].values / (2 * 300 * KB))) / 2
    expected = (occupied * bands["berry_curvature"].sel(axis="y").values).sum(axis=1).reshape(6, 7)
    assert_allclose(figure.axes[0].images[0].get_array(), expected, rtol=1e-9, atol=1e-12)


def test_map_of_a_kp_model() -> None:
    model = toys.tilted_dirac()
    figure = plotting.zone_map(model, "dipole", 0.02, "zy", shape=(9, 9), temperature=50.0)
    left, right, *_ = figure.axes[0].images[0].get_extent()
    assert_allclose(right - left, 2 * zone.KDOTP_WINDOW * model.scale * 9 / 8)


def test_map_refuses(plane) -> None:
    with pytest.raises(SettingsError, match="positive one"):
        plotting.zone_map(plane, "dipole", 0.0, temperature=0.0)
    with pytest.raises(SettingsError, match="at least two points"):
        plotting.zone_map(plane, "dipole", 0.0, shape=(1, 5))
    with pytest.raises(SettingsError, match="no component 'xx'"):
        plotting.zone_map(plane, "dipole", 0.0, "xx", shape=(3, 3))
    with pytest.raises(SettingsError, match=r"no component 'xz' of extrinsic: field z: .* no current"):
        plotting.zone_map(plane, "extrinsic", 0.0, "xz", shape=(3, 3))
    scalar = replace(get("quantum_metric"), name="scalar", weights=lambda b: b.energies, dims=())
    with pytest.raises(SettingsError, match="no component 'zx': this is a single number, its component is"):
        plotting.zone_map(plane, scalar, 0.0, "zx", shape=(3, 3))
    assert plotting.zone_map(plane, scalar, 0.0, "", shape=(3, 3))
    R = [[-1, 0, 0], [0, 0, 0], [1, 0, 0]]
    wire = ome.TightBinding(3 * np.eye(3), R, np.full((3, 1, 1), 0.3), centres=np.zeros((1, 3)))
    with pytest.raises(SettingsError, match="two or three periodic directions"):
        plotting.zone_map(wire, "dipole", 0.0, shape=(3, 3))


@pytest.mark.parametrize(
    ("vectors", "corners", "area"),
    [
        ([[2.0, 0], [0, 1]], 4, 2.0),
        ([[1.0, 0], [0.5, np.sqrt(3) / 2]], 6, np.sqrt(3) / 2),
        ([[1.0, 0.0], [-1.7, 1.0]], 6, 1.0),
    ],
)
def test_wigner_seitz_cell(vectors, corners, area) -> None:
    cell = zone._wigner_seitz(np.array(vectors))
    x, y = cell.T
    assert len(cell) == corners
    assert_allclose((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2, area, rtol=1e-9)


# ---- bands ---------------------------------------------------------------------------------------------------------


def test_bands_are_those_of_the_model(plane) -> None:
    corners = [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]
    figure = plotting.bands(plane, corners, "dipole", "zy", labels=["G", "X", "M"], n=30, fermi=0.2)
    ax, bar = figure.axes
    drawn = np.stack([x.get_ydata() for x in ax.lines[:3]], axis=1)
    reciprocal = 2 * np.pi * np.linalg.inv(plane.lattice).T
    distance = ax.lines[0].get_xdata()
    length = np.linalg.norm(0.5 * reciprocal[:2], axis=1)
    assert_allclose(distance[[0, -1]], [0, length.sum()])
    k = np.stack([np.interp(distance, [0, length[0], length.sum()], c) for c in np.transpose(corners)], axis=1)
    table = ome.tabulate(plane, k, ["dipole"])
    assert_allclose(drawn, table["energy"].values - 0.2, atol=1e-12)
    (lines,) = (c for c in ax.collections if isinstance(c, LineCollection))
    weights = table["dipole"].sel(moment="z", field="y").values
    assert_allclose(np.sort(lines.get_array()), np.sort(((weights[1:] + weights[:-1]) / 2).ravel()), atol=1e-9)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["G", "X", "M"]
    assert ax.get_ylabel() == "energy − Fermi level (eV)"  # noqa: RUF001
    assert bar.get_ylabel() == "dipole zy (e²/ħ Å³)"


def test_bands_along_the_standard_path_with_a_break() -> None:
    fcc = toys.random_model(6, dimension=3, n=2)
    fcc = toys.rebuilt(fcc, lattice=2.0 * (np.ones((3, 3)) - np.eye(3)))
    branches, labels = plotting.standard_path(fcc)
    assert len(branches) == 2
    assert len(labels) == sum(map(len, branches))
    assert labels[0] == r"$\Gamma$"
    assert_allclose(branches[0][0], 0)
    figure = plotting.bands(fcc, n=40)
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert sum("|" in t for t in ticks) == 1
    assert len(figure.axes) == 1
    assert figure.axes[0].get_ylabel() == "energy (eV)"


def test_standard_path_of_a_slab_stays_in_its_plane() -> None:
    branches, labels = plotting.standard_path(toys.haldane())
    assert labels == [r"$\Gamma$", "M", "K", r"$\Gamma$"]
    assert_allclose(np.concatenate(branches)[:, 2], 0)
    assert plotting.standard_path(toys.haldane(), "GK")[1] == [r"$\Gamma$", "K"]


def test_bands_of_a_kp_model() -> None:
    model = toys.tilted_dirac(v_t=0.0)
    figure = plotting.bands(model, [[-0.01, 0], [0.01, 0]], "orbital_moment", "z", n=21)
    upper = figure.axes[0].lines[1]
    assert_allclose(upper.get_ydata(), np.hypot(0.01, 4 * (upper.get_xdata() - 0.01)), rtol=1e-9)
    assert figure.axes[1].get_ylabel() == "orbital moment z (e/ħ eV Å²)"


@pytest.mark.parametrize(
    ("name", "unit"), [("metric_curl", "e²/ħ eV Å³"), ("extrinsic", "e²/ħ² eV² Å³"), ("dipole_polarizability", "e² Å²/eV")]
)
def test_weights_of_surface_terms_carry_one_ev_more(name, unit) -> None:
    component = "yy" if name == "dipole_polarizability" else "zy"
    figure = plotting.bands(toys.two_band(), [[0, 0, 0], [0.5, 0, 0]], name, component, n=5)
    assert figure.axes[1].get_ylabel() == f"{name.replace('_', ' ')} {component} ({unit})"


def test_bands_refuse(plane) -> None:
    with pytest.raises(SettingsError, match="2 labels for the 3 corners"):
        plotting.bands(plane, [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], labels=["a", "b"])
    with pytest.raises(SettingsError, match="no length"):
        plotting.bands(plane, [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(SettingsError, match="mixes"):
        plotting.bands(plane, [[0, 0, 0], [0.5, 0, 0]], "total")
    with pytest.raises(SettingsError, match="no standard path"):
        plotting.bands(toys.tilted_dirac())
    with pytest.raises(SettingsError, match="no standard path 'GQQ'"):
        plotting.standard_path(plane, "GQQ")


# ---- what they share -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "unit", "factor", "name"),
    [
        ([2.4e-14, -1e-16], "A m/V", 1e15, "fA m/V"),
        ([1e-6], "A/V", 1e6, "µA/V"),
        ([999.0], "A", 1.0, "A"),
        ([0.0], "A/V", 1.0, "A/V"),
        ([np.nan, 2e4], "angstrom^2", 1e-3, "10³ Å²"),
        ([0.15, 0.02], "1", 1.0, "1"),
        ([5e-25], "A/V", 1e27, "10⁻²⁷ A/V"),
        ([3e4], "1", 1e-3, "10³"),
        ([1.0], "e angstrom/V", 1.0, "e Å/V"),
    ],
)
def test_prefixes(values, unit, factor, name) -> None:
    found, said = prefixed(values, unit)
    assert found == pytest.approx(factor)
    assert said == name


def test_colour_scale() -> None:
    linear = figures.diverging_norm([-1.0, 2.0, 0.5])
    assert (linear.vmin, linear.vmax) == (-2, 2)
    wide = figures.diverging_norm(np.concatenate([np.full(500, 1e-3), np.geomspace(1, 10, 400)]))
    assert wide.vmin == -wide.vmax
    assert wide(0.0) == pytest.approx(0.5)
    assert hasattr(wide, "linthresh")
    assert figures.diverging_norm(np.zeros(3)).vmax == 1


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_files_are_written_whole_or_not_at_all(result2, tmp_path: Path, ending, monkeypatch) -> None:
    target = tmp_path / f"scan.{ending}"
    plotting.fermi_scan(result2, target, temperature=100.0)
    first = target.read_bytes()
    assert first.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending])
    assert [p.name for p in tmp_path.iterdir()] == [target.name]

    def fails(self, where, **options):
        where.write(b"half a pict")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fails)
    with pytest.raises(OSError, match="No space"):
        plotting.tensor(result2, path=target, temperature=100.0)
    assert target.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_no_global_figures(result2) -> None:
    plotting.fermi_scan(result2)
    plotting.tensor(result2, temperature=100.0)
    assert plt.get_fignums() == []


# ---- results side by side ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strained():
    """Haldane's model under strain, whose mirror forbids elements, at several levels and temperatures."""
    return ome.compute(
        ome.load("haldane"),
        (12, 12, 1),
        ["total", "dipole", "itinerant", "local", "extrinsic"],
        LEVELS,
        temperature=[100.0, 900.0],
    )


def test_what_symmetry_forbids_is_not_drawn(strained) -> None:
    """One panel for each of the elements that the mirror leaves, and the reason for the others above."""
    gone = {q: strained[q].attrs["forbidden"] for q in ("total", "extrinsic")}
    assert {q: len(v) for q, v in gone.items()} == {"total": 7, "extrinsic": 5}
    for figure in (plotting.fermi_scan(strained, temperature=100.0), plotting.compare(strained)):
        drawn = [re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in panels(figure)]
        assert drawn == ["yz", "zy", "zx"]
        assert not {"yz", "zy"} & {*gone["total"]}
        assert "zx" not in gone["extrinsic"]
    assert "forbidden by" in plotting.fermi_scan(strained, temperature=100.0).get_suptitle()


def test_every_temperature_is_a_line(strained) -> None:
    figure = plotting.fermi_scan(strained)
    ax = panels(figure)[0]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["100 K", "900 K"]
    moment, field = re.search(r"alpha_\{(.)(.)\}", ax.get_title()).groups()
    factor = factor_of(ax)
    for i, label in enumerate(("100 K", "900 K")):
        wanted = strained["total"].sel(moment=moment, field=field).isel(temperature=i).values * factor
        assert_allclose(line(ax, label).get_ydata(), wanted, rtol=1e-12)


def test_results_are_compared_in_one_unit(strained, plane) -> None:
    other = ome.compute(plane, (6, 6, 1), ["total"], LEVELS, temperature=100.0)
    figure = plotting.compare({"a": strained, "b": other}, temperature=100.0, units="e2/h")
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ["a, 100 K", "b, 100 K"]
    assert panels(figure)[0].get_ylabel() == "total (e²/h Å)"
    (ax,) = [ax for ax in panels(figure) if "zx" in ax.get_title() and len(ax.lines) > 1][:1]
    drawn = line(ax, "b, 100 K").get_ydata()
    assert_allclose(drawn, other["total"].sel(moment="z", field="x").values / (3.874045865410302e-05 * 1e-10), rtol=1e-9)


def test_units_per_cell_are_of_the_cell_of_each_result(strained, plane) -> None:
    """Lines and bars of two materials: each is multiplied by its own area, not by that of the first."""
    magneton, nm = 9.2740100783e-24, 1e-9
    other = ome.compute(plane, (6, 6, 1), ["total", "extrinsic"], LEVELS, temperature=100.0)
    both = {"a": strained.isel(temperature=0), "b": other}
    assert abs(other.attrs["cell"] / strained.attrs["cell"] - 1) > 0.1
    wanted = {
        name: r["total"].sel(moment="z", field="y").values * r.attrs["cell"] * 1e-20 / magneton / nm for name, r in both.items()
    }
    figure = plotting.compare(both, units="mu_B/cell per V/nm", components=["zy"])
    for name, values in wanted.items():
        assert_allclose(line(panels(figure)[0], f"{name}, 100 K").get_ydata(), values, rtol=1e-8)
    bars = plotting.mechanisms({k: r.isel(fermi=[7]) for k, r in both.items()}, component="zy", units="mu_B/cell per V/nm")
    heights = [c.patches[0].get_height() for c in panels(bars)[0].containers if c.get_label() in {"a, 100 K", "b, 100 K"}]
    assert_allclose(heights, [wanted["a"][7], wanted["b"][7]], rtol=1e-8)
    alone = plotting.mechanisms(both["a"].isel(fermi=[7]), component="zy")
    assert len(panels(alone)) == 1  # nothing of the extrinsic response, which has no zy


def test_a_comparison_says_how_each_was_computed_and_what_is_forbidden(strained, plane) -> None:
    other = ome.compute(plane, (6, 6, 1), ["total"], LEVELS, temperature=100.0, tau=3.0, gate="level")
    gone = strained["total"].attrs | {"forbidden": ["xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"]}
    gone["forbidden_by"] = ["time reversal"] * 9
    none = strained.assign(total=strained["total"].assign_attrs(gone))
    for figure in (
        plotting.compare({"a": none, "b": other}, temperature=100.0),
        plotting.mechanisms({"a": none, "b": other}, fermi=0.0, temperature=100.0),
    ):
        said = figure.get_suptitle().replace("\n", " ")
        assert re.search(
            r"a: 12 x 12 x 1, 144 points; tau = 10 fs; gate: \w+; all of total: forbidden by time reversal b: ", said
        )
        assert "b: 6 x 6 x 1, 36 points; tau = 3 fs; gate: level" in said


def alone(strained, name, called=None):
    """The result with one quantity, which may be called by the name of another."""
    one = strained.isel(temperature=0)[[name, f"{name}_error"]]
    return one if called is None else one.rename({name: called, f"{name}_error": f"{called}_error"})


@pytest.mark.parametrize("how", ["lines", "bars"])
def test_a_comparison_of_what_shares_no_element_says_so(strained, how) -> None:
    """A line each on what was not computed, one for all, and nothing where there is no number, not even a zero."""
    draw = {"lines": plotting.compare, "bars": lambda r: plotting.mechanisms(r, fermi=0.3)}[how]
    apart = {"a": alone(strained, "total"), "b": alone(strained, "extrinsic"), "c": alone(strained, "total", "quantum_metric")}
    nothing = "no element is of two of these: there is nothing to compare"
    figure = draw({k: apart[k] for k in "ab"})
    said = figure.get_suptitle().replace("\n", " ")
    assert re.search(r"^a: 12 x .*; gate: density; not computed: extrinsic b: .*; not computed: total no element", said)
    assert nothing in said
    drawn = [len(ax.lines) if how == "lines" else sum(np.isfinite(p.get_height()) for p in ax.patches) for ax in panels(figure)]
    assert set(drawn) == {2 if how == "lines" else 1}  # a curve and the line at zero
    assert "not computed: total, extrinsic" in draw({k: apart[k] for k in "abc"}).get_suptitle().replace("\n", " ")
    assert nothing not in draw({"a": apart["a"], "b": apart["a"]}).get_suptitle().replace("\n", " ")


def test_elements_that_are_rounding_are_not_drawn() -> None:
    """Of a k.p model nobody knows the symmetry: the cone forbids zx of the total and zy of the extrinsic response."""
    cone = ome.load("tilted-dirac")
    result = ome.compute(cone, ome.PolarMesh(16, 8), ["total", "extrinsic"], [-0.02, 0.0, 0.02])
    for figure in (plotting.fermi_scan(result), plotting.compare({"a": result, "b": result})):
        assert [re.search(r"alpha_\{(..)\}", ax.get_title()).group(1) for ax in panels(figure)] == ["zy", "zx"]


def test_bars_of_results_none_of_which_has_a_response(strained) -> None:
    results = {name: alone(strained, "total", name) for name in ("quantum_metric", "berry_curvature")}
    figure = plotting.mechanisms(results, fermi=0.3)
    assert {t.get_text() for ax in panels(figure) for t in ax.get_xticklabels()} == {"quantum metric", "berry curvature"}


def test_a_comparison_names_the_drawn_elements_that_one_lacks(strained) -> None:
    """Of the total zx, which the other has, not all that symmetry forbids."""
    one = strained.isel(temperature=0)[["total", "total_error"]]
    assert "zx" in one["total"].attrs["forbidden"]
    figure = plotting.compare({"a": one, "b": one.assign(total=without_marks(one["total"]))}, components=["zx", "zy"])
    assert re.search(r"; zx of total: forbidden by mirror", figure.get_suptitle().replace("\n", " "))


def without_marks(variable):
    """A quantity that nothing forbids."""
    found = variable.copy()
    found.attrs = {k: v for k, v in variable.attrs.items() if not k.startswith("forbidden")}
    return found


def test_against_temperature(strained) -> None:
    figure = plotting.compare(strained, fermi=0.3, against="temperature")
    assert panels(figure)[-1].get_xlabel() == "temperature (K)"
    assert_allclose(panels(figure)[0].lines[0].get_xdata(), [100.0, 900.0])


def test_one_level_is_bars_with_errors(strained) -> None:
    """The total and its mechanisms, whose bars add up to it; where the error is larger than the value the bar is pale."""
    one = strained.isel(fermi=[7])
    figure = plotting.mechanisms(one, temperature=900.0)
    ax = panels(figure)[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["total", "dipole, 2 x", "itinerant", "local"]
    heights = [bar.get_height() for bar in ax.patches]
    assert_allclose(sum(heights[1:]), heights[0], rtol=1e-9)
    assert len(plotting.picture([one], None).axes) == len(figure.axes)


def test_refuses_to_compare(strained, result3) -> None:
    with pytest.raises(SettingsError, match="different dimensions"):
        plotting.compare([strained, result3])
    with pytest.raises(SettingsError, match="one temperature"):
        plotting.compare(result3, against="temperature")
    with pytest.raises(SettingsError, match="at least two Fermi levels"):
        plotting.compare(strained.isel(fermi=[3]))
    forbidden = strained["total"].attrs["forbidden"][0]
    with pytest.raises(SettingsError, match=r"nothing to draw: .* forbidden by"):
        plotting.compare(strained[["total", "total_error"]], components=[forbidden])


@pytest.fixture(scope="module")
def finer():
    """One model on three meshes and with a tolerance, at two levels."""
    model, settings = ome.load("haldane"), {"calculators": ["total", "extrinsic"], "fermi": [-0.2, 0.1], "temperature": 900.0}
    return [*(ome.compute(model, (n, n, 1), **settings) for n in (24, 8, 16)), ome.compute(model, rtol=0.3, **settings)]


def test_convergence_draws_values_and_errors_against_points(finer) -> None:
    """Sorted by the number of points, meshes as circles, rtol as a square, at the level and of the element asked for."""
    figure = plotting.convergence(finer, fermi=0.1, components=["zy"])
    ax = panels(figure)[0]
    assert (ax.get_xscale(), panels(figure)[-1].get_xlabel()) == ("log", "k points")
    drawn = {c.get_label(): c for c in ax.containers}
    assert set(drawn) == {"mesh", "rtol"}
    data, _, (bars,) = drawn["mesh"]
    assert_allclose(data.get_xdata(), [64, 256, 576])
    at = [r.sel(fermi=0.1, moment="z", field="y") for r in (finer[1], finer[2], finer[0])]
    assert_allclose(data.get_ydata(), [float(r["total"]) * factor_of(ax) for r in at], rtol=1e-9)
    half = [float(np.ptp(segment[:, 1])) / 2 for segment in bars.get_segments()]
    assert_allclose(half, [float(r["total_error"]) * factor_of(ax) for r in at], rtol=1e-9)
    assert drawn["rtol"][0].get_xdata() == [finer[3].attrs["k_points"]]
    assert "Fermi level 0.1 eV, 900 K" in figure.get_suptitle()


def test_convergence_refuses(finer, plane) -> None:
    """What would not converge to one number: one result, two models, two relaxation times, a level that one does not have."""
    other = ome.compute(plane, (6, 6, 1), ["total"], [-0.2, 0.1], temperature=900.0)
    with pytest.raises(SettingsError, match="at least two results"):
        plotting.convergence(finer[:1])
    with pytest.raises(SettingsError, match="different models"):
        plotting.convergence([finer[0], other])
    with pytest.raises(SettingsError, match=r"different relaxation times \(10.0, 20.0\)"):
        plotting.convergence([finer[0], finer[1].assign_attrs(tau_fs=20.0)])
    apart = [finer[0][["total", "total_error"]], finer[1][["extrinsic", "extrinsic_error"]]]
    with pytest.raises(SettingsError, match="no two of these results have total or extrinsic together"):
        plotting.convergence(apart)
    with pytest.raises(SettingsError, match=r"64 k points has no level 0.1 eV"):
        plotting.picture([finer[0], finer[1].isel(fermi=[0])], None, fermi=0.1, against="mesh")


def test_levels_of_different_materials_count_from_their_gaps(strained, plane) -> None:
    """Where all know them; the legend fits the figure, and the lowest panel of each column has the axis."""
    other = ome.compute(plane, (6, 6, 1), ["total"], LEVELS, temperature=100.0)
    both = {"a": strained.assign_attrs(gap_eV=[-0.2, 0.3]), "b": other.assign_attrs(gap_eV=[0.1, 0.2])}
    figure = plotting.compare(both, temperature=100.0)
    lines = {x.get_label(): x.get_xdata() for ax in panels(figure) for x in ax.lines if len(x.get_xdata()) > 2}
    assert_allclose(lines["a, 100 K"], LEVELS + 0.2)
    assert_allclose(lines["b, 100 K"], LEVELS - 0.1)
    grid = panels(figure)
    lowest = {round(ax.get_position().x0, 2): ax for ax in sorted(grid, key=lambda ax: -ax.get_position().y0)}
    assert {ax.get_xlabel() for ax in lowest.values()} == {"Fermi level above the lower edge of the gap (eV)"}
    same = plotting.compare([both["a"], both["a"].copy()], temperature=100.0)
    assert panels(same)[-1].get_xlabel() == "Fermi level (eV)"
    many = plotting.compare({"a long name of a material " + "abcdef"[i]: strained for i in range(6)})
    many.canvas.draw()
    box = many.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= many.bbox.x1


def test_against_carriers() -> None:
    """Electrons per cm^2 above the bands below the gap, holes negative; the numbers are those of the Fermi levels."""
    model = ome.load("haldane")
    levels = np.linspace(-1.5, 1.5, 13)
    result = ome.compute(model, (24, 24, 1), ["extrinsic", "electrons"], levels, temperature=400.0)
    result.attrs |= {"gap_eV": [-0.5, 0.5], "gap_above_band": 1}
    figure = plotting.picture([result], None, against="carriers")
    (line, *_) = [x for ax in figure.axes for x in ax.lines if len(x.get_xdata()) == len(levels)]
    expected = (result.electrons.values - 1 / (model.cell * 1e-20)) * 1e-4 / 1e12
    np.testing.assert_allclose(line.get_xdata(), expected)
    assert expected[0] < 0 < expected[-1]
    assert "carriers" in {ax.get_xlabel().split()[0] for ax in figure.axes if ax.get_xlabel()}
    with pytest.raises(SettingsError, match="has no electrons"):
        plotting.picture([result.drop_vars(["electrons", "electrons_error"])], None, against="carriers")
    with pytest.raises(SettingsError, match="neutrality is not known"):
        plotting.picture(
            [result.assign_attrs({}).drop_attrs().assign_attrs(cell=1.0, periodic="TTF")], None, against="carriers"
        )


def test_shares_of_parts_are_bars() -> None:
    """Heights are those of the result, the title has the whole; a picture of a result without parts is refused."""
    model = toys.TOYS["insulator_2d"].model
    result = ome.compute(model, (10, 10, 1), ["dipole", "extrinsic", "dos"], [0.1, 0.2], temperature=900.0, by="orbital")
    figure = plotting.picture([result], None, ["zx"], against="parts", fermi=0.2)
    ax = figure.axes[0]
    share = result.dipole_by_orbital.sel(moment="z", field="x").isel(fermi=1).values
    heights = np.array([patch.get_height() for patch in ax.patches])
    assert_allclose(heights / heights[0], share / share[0], rtol=1e-12)
    assert "by orbital; in all" in ax.get_title()
    assert [t.get_text() for t in ax.get_xticklabels()] == result.orbital.values.tolist()
    assert len(figure.axes) == 3
    with pytest.raises(SettingsError, match="no shares of parts"):
        plotting.picture([result[["dipole", "dipole_error"]]], None, against="parts")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("ohmic", "ohmic xx at"), ("dos", "dos at"), ("extrinsic", "extrinsic zx at"), ("berry_curvature", " z at")],
)
def test_a_map_of_no_component_in_particular(name: str, shown: str) -> None:
    """What is usual, or the first there is."""
    figure = plotting.zone_map(ome.load("haldane"), name, 0.3, shape=(8, 8))
    assert shown in figure.axes[0].get_title()
