"""What the points of a mesh may miss is in the error, and is said; resolved meshes and insulators stay as they are."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from toys import random_model, two_band

import ome_wannier as ome
from ome_wannier.calculators.quantity import SEA, SURFACE, THERMAL
from ome_wannier.errors import AccuracyWarning
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.integration.mesh.crossings import pairs_near, with_pairs
from ome_wannier.integration.mesh.unseen import Unseen, with_surfaces
from ome_wannier.integration.occupation.fermi import minus_fermi_derivative
from ome_wannier.integration.occupation.histogram import Occupation
from ome_wannier.units import KB


@pytest.mark.parametrize("T", [10.0, 50.0])
@pytest.mark.parametrize("mesh", [(24, 24, 1), (48, 48, 1), None])
def test_a_pocket_between_the_points_is_in_the_error(mesh, T):
    model = ome.load("tilted-dirac-lattice", mass=0.1)
    settings = {"calculators": ["extrinsic"], "fermi": [0.11, 0.12], "temperature": T}
    true = ome.compute(model, rtol=1e-2, **settings)
    with pytest.warns(AccuracyWarning, match=r"does not resolve the Fermi surfaces of extrinsic: take .* rtol .*levels move"):
        result = ome.compute(model, mesh, **settings)
    assert true.attrs["converged"]
    off = abs(result.extrinsic - true.extrinsic).max(["moment", "field"])
    assert (off <= result.extrinsic_error.max(["moment", "field"])).all()


def test_a_pocket_at_zero_temperature():
    model = ome.load("tilted-dirac-lattice", mass=0.1)
    settings = {"calculators": ["extrinsic", "berry_curvature"], "fermi": [0.11, 0.115, 0.12], "temperature": 0.0}
    with pytest.warns(AccuracyWarning, match="does not resolve"):
        result = ome.compute(model, (24, 24, 1), **settings)
    true = ome.compute(model, rtol=0.1, **settings)
    assert true.attrs["converged"]
    for name in settings["calculators"]:
        allowed = result[f"{name}_error"].max() - true[f"{name}_error"].max()
        assert (abs(result[name] - true[name]).max() <= allowed).all()


def test_the_mesh_that_is_named_resolves():
    model = ome.load("tilted-dirac-lattice", mass=0.1)
    settings = {"calculators": ["extrinsic"], "fermi": 0.13, "temperature": 300.0, "origin": 0.0}
    with pytest.warns(AccuracyWarning, match=r"take \d+ x \d+ x 1 points") as caught:
        ome.compute(model, (24, 24, 1), **settings)
    size = [int(n) for n in str(caught[0].message).split("take ")[1].split(" points")[0].split(" x ")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ome.compute(model, size, **settings)
    true = ome.compute(model, rtol=1e-3, **settings)
    assert abs(result.extrinsic - true.extrinsic).max() <= result.extrinsic_error.max()


def test_insulators_and_resolved_meshes_stay_as_they_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gap = ome.compute(two_band(), (24, 24, 1), ["total"], 0.0, temperature=10.0)
        hot = ome.compute(two_band(), (96, 96, 1), ["extrinsic"], 0.9, temperature=1000.0)
    assert gap.attrs["energy_step_widths"] == 0
    assert hot.extrinsic_error.max() < 1e-3 * abs(hot.extrinsic).max()


def test_irreducible_points_miss_what_all_points_miss():
    """Points that symmetry joins miss together: their scatter is not less for being counted one by one."""
    model = two_band()
    settings = {"kmesh": (24, 24, 1), "calculators": ["total", "extrinsic"], "fermi": [0.8, 0.9], "temperature": 30.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        few, full = (ome.compute(model, symmetry=s, **settings) for s in ("auto", "off"))
    for name in settings["calculators"]:
        assert few[f"{name}_error"].max() > 0.5 * full[f"{name}_error"].max()


def of_points(energies, moves, weights, T=100.0, levels=(-0.3, 0.0, 0.2), velocities=None):
    """What points (nk, n) miss at these levels of a Fermi-surface term and of one of the sea with the same weights."""
    occupation = Occupation(np.array(levels), np.array([T]))
    both = np.repeat(np.array(weights, dtype=float)[..., None], 2, axis=2)
    kinds, energies, moves = np.array([SURFACE, SEA]), np.array(energies), np.array(moves)[..., None]
    found = with_surfaces(Unseen.none(occupation, 2), occupation, energies, moves, both, kinds)
    if velocities is not None:
        v = np.array(velocities, dtype=complex)[:, None]
        bands = SimpleNamespace(energies=energies, moves=moves, velocities=v, spacing=np.eye(1))
        found = with_pairs(found, occupation, pairs_near(bands, occupation, 1e-5), energies, both, kinds)
    return found.error(occupation)[:, 0], found.coarsest


def test_one_point():
    """Far from resolved all of a weight counts, spread over 2 d; resolved, next to nothing; out of reach, nothing."""
    error, coarsest = of_points([[0.0]], [[1.0]], [[2.0]])
    np.testing.assert_allclose(error[:, 0], 1.0, rtol=1e-12)
    np.testing.assert_allclose(error[:, 1], 2 * np.array([0.35, 0.5, 0.4]), rtol=1e-12)
    assert coarsest == pytest.approx(1.0 / (100 * KB))
    for energy, move in ((5.0, 1.0), (0.0, 1e-3)):
        assert not of_points([[energy]], [[move]], [[2.0]])[0].any()
    np.testing.assert_allclose(of_points([[-1.1]], [[1.0]], [[2.0]])[0][:, 0], [1.0, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("steps", [2.5, 3.0, 4.0, 6.0])
def test_sums_of_a_gradient_of_the_temperature(steps):
    """The worst sum over points of a band that moves by so many k_B T between them, over all places of the first: it is
    charged, and not more than 1.35 times. The integral vanishes."""
    step, worst, points = steps * 100 * KB, 0.0, np.arange(-100, 100)
    occupation = Occupation(np.zeros(1), np.array([100.0]), surface=False, thermal=True)
    for shift in np.linspace(0, 1, 101):
        x = (points + shift) * steps
        worst = max(worst, abs(np.sum(x / (2 * np.cosh(x / 2)) ** 2)) * steps)
    moves, weights = np.full((len(points), 1, 1), step), np.ones((len(points), 1, 1))
    none = Unseen.none(occupation, 1)
    found = with_surfaces(none, occupation, points[:, None] * step, moves, weights, np.array([THERMAL]))
    assert worst < found.size.item() * step < 1.35 * worst


def test_bands_that_nearly_touch_cancel():
    """Two bands 1 meV apart with opposite weights of 1000: what may be missing is their difference, not their sum."""
    error, _ = of_points([[0.1, 0.101]], [[1.0, 1.0]], [[1000.0, -1000.0]])
    assert error[:, 0].max() < 1e-9
    assert error[:, 1].max() < 1.0


@pytest.mark.parametrize("gap", [0.0, 0.002, 0.01, 0.04])
def test_bands_that_nearly_cross_between_the_points(gap):
    """(gap sigma_x + speed q sigma_z) / 2, rotated: the least gap is found from any point within the spacing, from no other."""
    speed, kT = 0.1, 300.0 * KB
    for q in (-0.9, -0.3, 0.4, 0.7, 1.2):
        e, U = np.linalg.eigh(np.array([[speed * q, gap], [gap, -speed * q]]) / 2)
        v = U.T @ np.diag([speed, -speed]) @ U / 2
        # half a width above and below: nothing is charged for the Fermi surfaces themselves, whose steps are resolved
        error, _ = of_points([e + 0.2], [np.diag(v)], [[1.0, -1.0]], T=300.0, velocities=[v])
        x = (e + np.array([[0.5], [0.2], [0.0]])) / kT
        f = 1 / (1 + np.exp(x))
        alias = min(1.0, 2 * np.exp(-2 * np.pi * gap / speed)) if abs(q) < 1 else 0.0
        np.testing.assert_allclose(error[:, 1], alias * (f[:, 0] - f[:, 1]), rtol=1e-9, atol=1e-12)
        surface = np.abs(f[:, 0] * (1 - f[:, 0]) - f[:, 1] * (1 - f[:, 1])) / kT
        np.testing.assert_allclose(error[:, 0], alias * surface, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [20, 90])
def test_near_crossings_are_in_the_error(size):
    """Four bands with a gap of some meV between the points of a mesh, 300 K: without its charge 2.8 times too little."""
    model = random_model(6, 2, 4)
    settings = {"calculators": ["total", "extrinsic"], "fermi": 0.186245, "temperature": 300.0, "symmetry": "off"}
    found, true = ome.compute(model, (size, size, 1), **settings), ome.compute(model, rtol=2e-3, max_points=400_000, **settings)
    for name in settings["calculators"]:
        off, error = (np.nan_to_num(x.values) for x in (abs(found[name] - true[name]), found[f"{name}_error"]))
        assert (off <= 2 * error + np.nan_to_num(true[f"{name}_error"].values)).all()


def test_many_levels():
    """Summed at 64 of them: those between have the larger of the two errors next to them."""
    levels = np.linspace(-1, 1, 500)
    some, _ = of_points([[0.0]], [[0.5]], [[2.0]], levels=levels)
    inside = abs(levels) < 0.5
    np.testing.assert_allclose(some[inside, 0], 2.0, rtol=1e-12)
    assert not some[abs(levels) > 0.5 + 2 / 63].any()


@pytest.mark.parametrize("steps", [2.0, 3.0, 4.0, 6.0])
def test_error_of_a_row_of_points(steps):
    """The relative error of a sum of -df/de over levels `steps` k_B T apart is at most what is charged."""
    kT, offset = 1.0, np.linspace(0, 1, 41)[:, None]
    levels = (np.arange(-200, 201) + offset) * steps * kT
    sums = minus_fermi_derivative(levels, 0.0, kT).sum(axis=1) * steps * kT
    x = 2 * np.pi**2 / steps
    bound = 2 * x / np.sinh(x)
    assert abs(sums - 1).max() == pytest.approx(bound, rel=0.1)


@pytest.mark.filterwarnings("ignore:a net current flows")
def test_scatter_of_a_large_fermi_surface():
    """Random metals on meshes that do not resolve them: the error covers, and is not all of what there is at the level."""
    ratios, shares = [], []
    for seed in range(6):
        model = random_model(seed, n=2)
        settings = {"calculators": ["extrinsic"], "fermi": [0.1], "temperature": 60.0, "symmetry": "off"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            coarse = ome.compute(model, (48, 48, 1), **settings)
        true = ome.compute(model, rtol=3e-3, **settings)
        off, error = abs(coarse.extrinsic - true.extrinsic).max(), coarse.extrinsic_error.max()
        ratios.append(float(off / error))
        shares.append(float(error / abs(true.extrinsic).max()))
    assert max(ratios) < 1
    assert np.median(ratios) > 0.02


@pytest.mark.parametrize(("angle", "multiple"), [(60, 6), (120, 6), (90, 2), (75, 2)])
def test_default_meshes_contain_the_corners_of_hexagonal_zones(angle, multiple):
    lattice = 3.19 * np.array([[1, 0, 0], [np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0], [0, 0, 6]])
    size = KMesh.default(lattice, (True, True, False)).size
    assert size[0] % multiple == 0
    assert size[1] % multiple == 0
    assert size[2] == 1
    if multiple == 6:
        corner = np.array([1 / 3, 1 / 3]) if angle == 120 else np.array([1 / 3, 2 / 3])
        assert np.allclose(corner * size[:2], np.rint(corner * size[:2]))
