"""What a result of a layer says: gates, origins, elements that are missing, and files of before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import METAL, SOLID, TOYS, haldane, random_model, run, tilted_dirac

import ome_wannier as ome
from ome_wannier import plotting, units
from ome_wannier.errors import AccuracyWarning, SettingsError

SLAB = TOYS["slab"].model
SPIN = random_model(2, 2, 3, hopping=1.0, spin="matrix")
FOUR = ["total", "extrinsic", "spin", "total_with_spin"]


def moved(model, z):
    return replace(model, centres=model.centres + np.array([0, 0, z]))


def both(model, first, second, names=FOUR[:2], **settings):
    return (run(model, calculators=names, temperature=900.0, symmetry="off", **(settings | more)) for more in (first, second))


# ---- the origin ------------------------------------------------------------------------------------------------------


def test_origin_is_that_of_the_layer():
    """The layer moved up by 3 Angstrom, its origin with it: the same numbers; by default the origin moves along."""
    at, up = run(METAL, calculators=FOUR[:2]), run(moved(METAL, 3.0), calculators=FOUR[:2])
    for name in FOUR[:2]:
        np.testing.assert_allclose(up[name], at[name], rtol=1e-9)
    assert up.attrs["origin_angstrom"] == pytest.approx(at.attrs["origin_angstrom"] + 3.0)
    a = run(METAL, calculators=["total"], origin=0.5, gate="level")
    b = run(moved(METAL, 3.0), calculators=["total"], origin=[7.0, 0.0, 3.5], gate="level")
    np.testing.assert_allclose(b.total, a.total, rtol=1e-9)
    assert b.attrs["origin"] == "z = 3.5 Angstrom"


def test_what_an_origin_changes():
    """layers.md eq. 9 with Hall conductivity, Drude weight and dM/dmu of their own: to rounding."""
    z0 = 1.7
    centre = float(METAL.centre[2])
    here, there = both(METAL, {"origin": centre}, {"origin": centre + z0}, gate="level", fermi=[0.1, 0.3])
    si, tau = units.alpha_to_si(2), units.extrinsic_to_si(2, 10.0)
    hall = run(METAL, calculators=["berry_curvature"], fermi=[0.1, 0.3], temperature=900.0, symmetry="off")
    change = there.total - here.total
    for i in "xy":
        np.testing.assert_allclose(change.sel(moment=i, field=i), z0 * si * hall.berry_curvature.sel(axis="z"), rtol=1e-9)
    scale = abs(here.total).max().item()
    for element in ("xy", "yx", "zx", "zy"):
        assert abs(change.sel(moment=element[0], field=element[1])).max() < 1e-14 * scale
    # the Drude weight is symmetric, and positive on its diagonal: xx is D_yx, yy is -D_xy, xy is D_yy, yx is -D_xx
    drift = (there.extrinsic - here.extrinsic) / (z0 * tau)
    np.testing.assert_allclose(drift.sel(moment="x", field="x"), -drift.sel(moment="y", field="y"), rtol=1e-9)
    assert (drift.sel(moment="x", field="y") > 0).all()
    assert (drift.sel(moment="y", field="x") < 0).all()
    for name, result in (("total", here), ("extrinsic", here)):
        difference = (there[name] - here[name]) / z0
        np.testing.assert_allclose(result[f"{name}_per_angstrom"], difference, rtol=1e-8, atol=1e-13 * scale / z0)


def test_fixed_electrons_need_no_origin():
    """alpha_iz at a fixed number of electrons, from whatever height; its drift is zero."""
    one, other = both(METAL, {"origin": 0.0}, {"origin": 40.0}, ["total"])
    np.testing.assert_allclose(other.total.sel(field="z"), one.total.sel(field="z"), rtol=1e-12)
    assert not one.total_per_angstrom.sel(field="z").any()
    assert "density: the number of electrons is fixed" in one.attrs["gate"]
    assert "not screened" in one.attrs["gate_field"]


def test_a_net_current_is_warned_of():
    """By default, in a metal; not with an origin, nor in an insulator, nor where a symmetry turns the layer upside down."""
    with pytest.warns(AccuracyWarning, match=r"a net current flows: .*extrinsic .*give origin"):
        run(METAL, (24, 24, 1), calculators=["extrinsic"], temperature=3000.0)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "kmesh")
        run(METAL, (24, 24, 1), calculators=["extrinsic"], temperature=3000.0, origin=0.0)
        run(SLAB, calculators=["total", "extrinsic"], fermi=0.0)
        run(TOYS["inversion_2d"].model, calculators=["extrinsic"], fermi=-2.7)


# ---- gates -----------------------------------------------------------------------------------------------------------


def test_gates_of_an_insulator_are_one():
    """To what the mesh makes of a Hall conductivity that is zero."""
    gates = {"gate": "level"}, {"gate": "density"}
    level, density = both(SLAB, *gates, ["total"], fermi=0.0, kmesh=(32, 32, 1))
    np.testing.assert_allclose(level.total, density.total, rtol=1e-6)


def chern(height=2.0):
    """Haldane's model in its Chern phase, its sites at two heights."""
    model = haldane()
    return replace(model, centres=model.centres + np.array([[0, 0, 0.0], [0, 0, height]]))


def test_a_chern_insulator_has_a_fixed_level_alone():
    """alpha_zz and alpha_xx move by C e^2/h per Angstrom of the origin (layers.md eq. 9); the density gate is refused there."""
    model = chern()
    result = run(model, (24, 24, 1), calculators=["total"], fermi=[0.0], temperature=300.0, origin=0.0)
    assert "only a fixed level has a meaning" in result.attrs["gate"]
    assert result.attrs["gate"].startswith("level")
    per = result.total_per_angstrom.values[0] / (units.E2_OVER_HBAR * 1e-10 / (2 * np.pi))
    assert abs(per[2, 2]) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(per, per[2, 2] * np.eye(3), atol=1e-6)
    with pytest.warns(AccuracyWarning, match="Chern insulator"):
        asked = run(model, (24, 24, 1), calculators=["total"], fermi=[0.0], temperature=300.0, origin=0.0, gate="density")
    np.testing.assert_allclose(asked.total, result.total, rtol=1e-12)


def test_gates_go_by_the_level():
    """Of a scan, levels in bands have their electrons fixed and those in the gap their level."""
    result = run(chern(), (24, 24, 1), calculators=["total"], fermi=[-2.0, 0.0], temperature=300.0, origin=0.0)
    assert "; level: the Fermi level is fixed" in result.attrs["gate"]
    assert "from 0, 0 eV" in result.attrs["gate"]
    assert not result.total_per_angstrom.sel(field="z")[0].any()
    assert result.total_per_angstrom.sel(field="z")[1].any()


def test_a_flat_layer_has_no_more_than_before():
    """All orbitals in one plane: nothing across it, whatever the gate."""
    flat = replace(METAL, centres=METAL.centres * [1, 1, 0])
    total = run(flat, calculators=["total"]).total
    assert abs(total.sel(moment="z", field=["x", "y"])).min() > 0
    assert not total.sel(moment=["x", "y"]).any()
    assert not total.sel(field="z").any()


# ---- elements that are missing ---------------------------------------------------------------------------------------


def test_heights_that_vanish_change_nothing():
    """Nothing is computed of heights where there are none: the numbers are those of heights that are nearly nothing."""
    flat = replace(SPIN, centres=SPIN.centres * [1, 1, 0], position=None)
    nearly = replace(flat, centres=flat.centres + np.outer(np.linspace(-1e-9, 1e-9, flat.n_orbitals), [0, 0, 1]))
    settings = {
        "calculators": FOUR,
        "fermi": [-0.4, 0.2],
        "temperature": 900.0,
        "symmetry": "off",
        "origin": 0.7,
        "gate": "level",
    }
    at, beside = (run(model, **settings) for model in (flat, nearly))
    for name in (q for q in at.data_vars if not q.endswith("_error")):
        largest = abs(at[name]).max()
        assert largest > 0
        np.testing.assert_allclose(beside[name], at[name], atol=1e-7 * float(largest), rtol=0, err_msg=name)


def test_elements_that_do_not_exist_are_nan_with_a_reason():
    result = run(SPIN, calculators=[*FOUR, "spin_extrinsic", "interband"])
    for name in ("total", "spin", "total_with_spin"):
        assert np.isfinite(result[name]).all()
        assert "missing" not in result[name].attrs
    for name in ("extrinsic", "spin_extrinsic"):
        assert np.isnan(result[name].sel(field="z")).all()
        assert np.isfinite(result[name].sel(field=["x", "y"])).all()
        assert "drives no current" in result[name].attrs["missing"]
    assert "not split" in result.interband.attrs["missing"]
    assert np.isfinite(result.interband.sel(moment="z", field=["x", "y"])).all()
    np.testing.assert_allclose(result.total_with_spin, result.total + result.spin.values, rtol=1e-9)


@pytest.mark.parametrize("model", [SOLID, tilted_dirac()])
def test_others_have_no_gate_and_no_origin(model):
    for more in ({"gate": "level"}, {"origin": 1.0}):
        with pytest.raises(SettingsError, match="is of layers"):
            ome.compute(model, calculators=["total"], fermi=0.1, **more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"gate": "open"}, "gate is 'open': give \"density\""),
        ({"origin": "top"}, "origin is 'top': give Angstrom"),
        ({"origin": [1.0, 2.0]}, "or a point of three"),
        ({"origin": np.nan}, "origin is nan"),
    ],
)
def test_bad_choices(more, said):
    with pytest.raises(SettingsError, match=said):
        run(**more)


def test_results_of_before_are_read(tmp_path):
    """Two elements of a layer, as earlier versions wrote them."""
    result = run(METAL, calculators=["total", "extrinsic"], fermi=[0.0, 0.1])
    old = result.sel(moment=["z"], field=["x", "y"]).drop_vars(["total_per_angstrom", "extrinsic_per_angstrom"])
    old.attrs = {k: v for k, v in old.attrs.items() if k not in ("gate", "gate_field", "origin", "origin_angstrom")}
    ome.save(old, tmp_path / "old.nc")
    again = ome.load_result(tmp_path / "old.nc")
    assert again.total.shape == (2, 1, 2)
    assert len(ome.table(again)) == 8
    plotting.fermi_scan(again, tmp_path / "old.png")


# ---- stacks ----------------------------------------------------------------------------------------------------------


def test_an_insulator_is_its_decoupled_stack():
    """layers.md eq. 11: the response of layers that do not touch, times their distance, and one isotropic number."""
    stack = replace(SLAB, periodic=(True, True, True))
    layer = run(SLAB, (40, 40, 1), calculators=["total"], fermi=0.0, symmetry="off").total.values[0]
    crystal = run(stack, (40, 40, 1), calculators=["interband"], fermi=0.0, symmetry="off").interband.values[0]
    difference = layer - crystal * SLAB.lattice[2, 2] * 1e-10
    scale = np.abs(layer).max()
    np.testing.assert_allclose(difference, difference[2, 2] * np.eye(3), rtol=0, atol=1e-9 * scale)
    assert abs(difference[2, 2]) > 1e-3 * scale


def test_workers_and_cells_agree_with_the_mesh(tmp_path):
    """Processes and checkpoints give the same bits; cells the same numbers to their tolerance."""
    from ome_wannier import executors

    settings = {"fermi": [0.1, 0.4], "temperature": 3000.0, "origin": 0.0}
    one = ome.compute(SPIN, (16, 16, 1), FOUR, **settings)
    with executors.processes(2) as pool:
        two = ome.compute(SPIN, (16, 16, 1), FOUR, executor=pool, checkpoint=tmp_path / "half.npz", **settings)
    fine = ome.compute(SPIN, (64, 64, 1), FOUR, **settings)
    cells = ome.compute(SPIN, calculators=FOUR, rtol=1e-3, **settings)
    for name in FOUR:
        assert np.array_equal(one[name], two[name], equal_nan=True)
        wrong = abs(cells[name] - fine[name])
        assert not (wrong > cells[f"{name}_error"] + fine[f"{name}_error"]).any()
