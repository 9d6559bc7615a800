"""The level of a filling on a mesh: the gap that it lies in, its error, and what comes of both."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, ConvergenceWarning, SettingsError
from ome_wannier.integration import band_ranges as info
from ome_wannier.integration import filling as doping
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.units import KB


def bands(valence=0.5, conduction=0.8, mixing=0.1, gap=0.3):
    """Two bands on a square lattice, one with its top and one with its bottom off every mesh; `mixing` couples them."""
    R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
    H = np.zeros((5, 2, 2), dtype=complex)
    H[0] = np.diag([-gap / 2 - 4 * valence, gap / 2 + 4 * conduction])
    for i, (v, c) in ((1, (0.37, 1.9)), (3, (1.13, 0.6))):  # phases: where the edges are, in 1/a
        H[i] = np.diag([valence * np.exp(1j * v), -conduction * np.exp(1j * c)]) + mixing * np.array([[0, 1], [0, 0]])
        H[i + 1] = H[i].conj().T
    return ome.TightBinding(np.diag([4.0, 4.0, 10.0]), R, H, centres=[(0, 0, 0), (1.0, 0.7, 0)])


def dense(model, T, filling=1.0, n=400):
    """The level by the plain sum over a fine mesh, which resolves it at these temperatures."""
    from scipy.optimize import brentq

    e = np.linalg.eigvalsh(model.matrices(KMesh((n, n, 1)).points(), 0).H)
    return brentq(lambda mu: (0.5 - 0.5 * np.tanh((e - mu) / (2 * KB * T))).sum(axis=1).mean() - filling, -5, 5, xtol=1e-13)


# ---- gaps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.3, 2e-4, -0.2])
def test_edges_between_the_points(gap):
    """Uncoupled bands have known edges; the points of the mesh miss them by some meV."""
    look = info.Look.at(bands(mixing=0.0, gap=gap))
    found = look.gap(1)
    if gap > 0:
        assert (found.bottom, found.top) == pytest.approx((-gap / 2, gap / 2), abs=1e-6)
        assert found.is_open
        assert look.gap_among(np.array([-1.0, 0.0, 4.0])) == found
        assert look.gap_among(np.array([gap])) is None
        assert abs(look.ranges[0, 1] - found.bottom) > 1e-4
    else:  # bands cross: the lower one has the lower energy of both at each k
        e = np.linalg.eigvalsh(look.model.matrices(KMesh((600, 600, 1)).points(), 0).H)
        assert (found.bottom, found.top) == pytest.approx((e[:, 0].max(), e[:, 1].min()), abs=2e-4)
        assert not found.is_open


def test_touching_bands_have_no_gap():
    """Two bands that touch at k = (pi + 0.3) / a, between all points."""
    hop = np.zeros((3, 2, 2), dtype=complex)
    hop[0] = [[0, 1], [1, 0]]
    hop[1][0, 1] = np.exp(-0.3j)
    hop[2] = hop[1].conj().T
    chain = ome.TightBinding(np.diag([3.0, 9, 9]), [(0, 0, 0), (1, 0, 0), (-1, 0, 0)], hop, centres=np.zeros((2, 3)))
    found = info.Look.at(chain).gap(1)
    assert not found.is_open
    assert found.width < 1e-5
    assert info.Look.at(chain).gap_among(np.array([0.0])) is None


# ---- the level and its error ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filling", [1.0, 1.02, 0.7])
@pytest.mark.parametrize("T", [300.0, 1000.0])
def test_the_error_covers_what_the_mesh_misses(filling, T):
    model = bands()
    true = dense(model, T, filling)
    found = [doping.filled_level(model, KMesh((n, n, 1)), filling, T) for n in (6, 8, 12, 16, 24, 36)]
    for level in found:
        assert abs(level.value - true) < 2 * level.error
    assert found[-1].error < found[0].error / 10


def test_the_error_of_the_level_is_in_that_of_the_response():
    """What lies between the levels at which a response is evaluated, by three runs at given levels."""
    model, mesh, T = bands(), (8, 8, 1), 300.0
    found = ome.compute(model, mesh, ["extrinsic", "total"], filling=1.0, temperature=T)
    mu, error = found.fermi.item(), found.attrs["fermi_error_eV"]
    at = ome.compute(model, mesh, ["extrinsic", "total"], [mu - error, mu, mu + error], temperature=T)
    for name in ("extrinsic", "total"):
        np.testing.assert_allclose(found[name].values[0], at[name].values[1], rtol=1e-6)
        change = abs(at[name].values - at[name].values[1]).max(axis=0)
        np.testing.assert_allclose(found[f"{name}_error"].values[0], at[f"{name}_error"].values[1] + change, rtol=1e-5)
        assert np.nanmax(change) > 0
    assert found.sizes["fermi"] == 1


def test_a_level_outside_the_gap_is_warned_of():
    """Two points along each direction see a valence band that ends far below its top; room temperature is small beside that."""
    model = bands(valence=2.0, conduction=0.2, mixing=0.0)
    with pytest.warns(AccuracyWarning, match=r"level of 1 electrons, .* lies .* k_B T outside the gap from -0\.15 to 0\.15 eV"):
        rough = ome.compute(model, (2, 2, 1), ["total"], filling=1, temperature=30.0)
    assert rough.attrs["fermi_error_eV"] > abs(rough.fermi.item()) - 0.15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ome.compute(model, (60, 60, 1), ["total"], filling=1, temperature=300.0)


@pytest.mark.parametrize(("filling", "T"), [(1.0, 300.0), (1.05, 300.0)])
def test_with_rtol_the_level_settles(filling, T):
    model = bands()
    found = ome.compute(model, None, ["extrinsic"], filling=filling, temperature=T, rtol=1e-2)
    assert found.attrs["converged"] == 1
    assert found.attrs["fermi_error_eV"] <= 1e-3 * KB * T
    assert found.fermi.item() == pytest.approx(dense(model, T, filling), abs=1e-3 * KB * T)


def test_a_level_that_has_not_settled_is_said():
    """So few points that the mesh is not doubled: what the level leaves open is charged, and the result has not converged."""
    model = bands(valence=0.05, conduction=2.0)
    with pytest.warns(ConvergenceWarning) as said:
        found = ome.compute(model, None, ["extrinsic"], filling=1.02, temperature=20.0, rtol=1e-3, max_points=6000)
    assert any("at the level of the filling, which is known to" in str(w.message) for w in said)
    assert found.attrs["converged"] == 0
    assert "level of the filling" in found.attrs["not_converged"]
    true = dense(model, 20.0, 1.02, 900)
    assert abs(found.fermi.item() - true) < 3 * found.attrs["fermi_error_eV"]


# ---- zero temperature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{"kmesh": (24, 24, 1)}, {"rtol": 1e-2}])
@pytest.mark.parametrize("level", [{"fermi": 0.1}, {"filling": 1}])
def test_a_gap_has_no_fermi_surface(how, level):
    """One level at T = 0: Fermi-surface terms are zero, and the result says why; the others are those of any level there."""
    model = bands(gap=0.5)
    found = ome.compute(model, calculators=["extrinsic", "local_crossgap"], temperature=0.0, **level, **how)
    found = found.sel(moment=["z"], field=["x", "y"])
    assert (found.extrinsic == 0).all()
    assert (found.extrinsic_error == 0).all()
    assert found.attrs["fermi_surface"].startswith("no states at the level: gap from -0.")
    warm = ome.compute(model, calculators=["local_crossgap"], fermi=0.0, temperature=20.0, **how)
    sea, error = warm.local_crossgap.values, (warm.local_crossgap_error.values + found.local_crossgap_error.values).max()
    np.testing.assert_allclose(found.local_crossgap.values, sea, atol=2 * error, rtol=1e-6)
    assert abs(sea).max() > 10 * error
    if "filling" in level:
        gap = info.Look.at(model).gap(1)
        assert found.fermi.item() == gap.middle


@pytest.mark.parametrize("how", [{"kmesh": (12, 12, 1)}, {"rtol": 1e-2}])
@pytest.mark.parametrize("level", [{"fermi": 1.0}, {"filling": 1.4}])
def test_a_single_level_in_bands_is_refused(how, level):
    with pytest.raises(SettingsError, match=r"two or more Fermi levels, .* or one in a gap"):
        ome.compute(bands(), calculators=["extrinsic"], temperature=0.0, **level, **how)


def test_a_metal_at_zero_temperature_has_its_sea():
    """Counted on the mesh, with an error from its sub-meshes."""
    found = ome.compute(bands(), (24, 24, 1), ["local_crossgap"], filling=1.4, temperature=0.0)
    assert 0 < found.attrs["fermi_error_eV"] < 0.2
    assert (found.local_crossgap_error > 0).any()
    with pytest.raises(SettingsError, match="less than 2"):
        ome.compute(bands(), (24, 24, 1), ["total"], filling=2, temperature=0.0)
