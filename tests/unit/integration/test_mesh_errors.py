"""Errors of sums over a mesh: deviations of sub-meshes, and meshes that have none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from toys import (
    METAL,
    random_model,
    run,
)

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning
from ome_wannier.integration.kpoints.mesh import KMesh


def test_default_mesh():
    """Without a mesh: an even one of sensible spacing, one point along what is not periodic."""
    result = ome.compute(METAL, calculators=["berry_curvature"], fermi=0.1)
    a, b, c = KMesh.default(METAL.lattice, METAL.periodic).size
    assert result.attrs["kmesh"] == repr(KMesh((a, b, c)))
    assert a % 2 == b % 2 == 0
    assert c == 1
    spacing = 2 * np.pi * np.linalg.norm(np.linalg.inv(METAL.lattice), axis=0) / (a, b, c)
    assert (spacing[:2] <= 0.04).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dimension", [2, 3])
def test_error_estimate_holds_for_smooth_insulators(seed, dimension):
    """The true error of a tensor, against a dense mesh, is below the estimate, for every sea quantity (largest elements).

    The error falls like exp(-c N), so that of half the mesh is its square root; the estimate is their difference. A single
    element of the estimate may vanish by chance, where the error of half the mesh changes sign as the model changes: that
    happens to fewer than one element in ten.
    """
    model = random_model(100 + seed, dimension, 3, energies=[-4, 2.5, 4.5], hopping=0.5)
    n, dense = (10, 40) if dimension == 2 else (8, 20)
    meshes = [tuple(m if p else 1 for p in model.periodic) for m in (n, dense)]
    parts = ["interband", "dipole", "local", "dipole_polarizability", "berry_curvature", "quantum_metric", "orbital_moment"]
    rough, fine = (ome.compute(model, mesh, parts, 0.0, temperature=0.0) for mesh in meshes)
    below = []
    for name in parts:
        error = np.abs(rough[name] - fine[name]).values
        estimate = rough[f"{name}_error"].values
        assert error.max() <= estimate.max(), (name, error, estimate)
        assert fine[f"{name}_error"].max() < estimate.max()
        below.append(error.ravel() > estimate.ravel())
    assert np.concatenate(below).mean() < 0.1


@pytest.mark.filterwarnings("ignore:kmesh .* errors say nothing of direction:ome_wannier.errors.AccuracyWarning")
@pytest.mark.filterwarnings("ignore:kmesh .* errors are nan:ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("mesh", [(12, 12, 1), (9, 15, 1), (6, 9, 1), (6, 7, 1), (7, 8, 1)])
@pytest.mark.parametrize("shift", [(0, 0, 0), (0.5, 0.25, 0)])
def test_error_is_the_deviation_of_the_sub_meshes(mesh, shift):
    """Even directions use every second point, multiples of three every third; checked by computing each sub-mesh itself."""
    model = random_model(0, 2, 3, energies=[-6, 4, 6], hopping=0.4)  # a gap too wide for a Fermi surface between the points
    kmesh = KMesh(mesh, shift)
    result = ome.compute(model, kmesh, ["interband", "berry_curvature"], 0.0, temperature=0.0)
    strides = [2 if n % 2 == 0 else 3 if n % 3 == 0 else 1 for n in mesh]
    assert kmesh.strides == tuple(strides)
    size = tuple(n // s for n, s in zip(mesh, strides, strict=True))
    offsets = itertools.product(*map(range, strides))
    meshes = [KMesh(size, tuple((x + o) / s for x, o, s in zip(shift, at, strides, strict=True))) for at in offsets]
    parts = [ome.compute(model, m, ["interband", "berry_curvature"], 0.0, temperature=0.0) for m in meshes]
    assert result.attrs["energy_step_widths"] == 0
    for name in ("interband", "berry_curvature"):
        expected = np.sqrt(np.mean([((result[name] - part[name]) ** 2).values for part in parts], axis=0))
        size = max(np.abs(result[name]).max().item(), expected.max())
        np.testing.assert_allclose(result[f"{name}_error"], expected, rtol=0, atol=1e-11 * size)


def test_mesh_without_sub_mesh():
    """5 x 7 points have none: the error is nan, which is said with a mesh that has one; values are there."""
    with pytest.warns(AccuracyWarning, match=r"kmesh \(5, 7, 1\): the errors are nan.* take \(6, 8, 1\)") as record:
        result = run(kmesh=(5, 7, 1))
    assert len([w for w in record if "nan" in str(w.message)]) == 1
    assert np.isnan(result.total_error).all()
    assert np.isfinite(result.total).all()
    assert "use even numbers" in result.attrs["error_estimate"]


def test_mesh_with_sub_meshes_along_one_direction():
    """The error of 6 x 7 points is that of the first direction alone, which is said."""
    with pytest.warns(AccuracyWarning, match=r"say nothing of direction 2, for want .* take \(6, 8, 1\)"):
        result = run(kmesh=(6, 7, 1))
    assert np.isfinite(result.total_error).all()


def test_meshes_cover_the_zone():
    """Shifted and odd meshes sum a band over the zone: points, weights and sub-mesh of KMesh against numpy."""
    mesh = KMesh((4, 3, 6), (0.5, 0.0, 0.25))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mesh.size), indexing="ij"), axis=-1).reshape(-1, 3)
    expected = (grid + np.array(mesh.shift)) / mesh.size
    got = mesh.points()
    assert len(mesh) == len(got) == 72
    np.testing.assert_allclose(sorted(map(tuple, got)), sorted(map(tuple, expected)), atol=1e-15)
    rows, sub_mesh = mesh.rows(0, 24, 3)
    assert np.bincount(sub_mesh.ravel()).tolist() == [mesh.n_sub] * mesh.n_sub_meshes == [2 * 1 * 3] * 12
    np.testing.assert_allclose(rows.reshape(-1, 3), got)
    # only the row axis varies along a row
    assert (np.ptp(rows, axis=1) > 0).sum(axis=1).tolist() == [1] * 24


@pytest.mark.filterwarnings("ignore:kmesh .* errors are nan:ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.37, 0.11, 0.0)])
def test_shifted_meshes_converge_to_the_same(shift):
    """A dense mesh gives the same wherever it starts, even and odd."""
    model = random_model(101, 2, 3, energies=[-4, 2.5, 4.5], hopping=0.5)
    reference = ome.compute(model, (40, 40, 1), ["interband"], 0.0, temperature=0.0).interband.values
    for size in ((40, 40, 1), (41, 43, 1)):
        got = ome.compute(model, KMesh(size, shift), ["interband"], 0.0, temperature=0.0).interband.values
        np.testing.assert_allclose(got, reference, rtol=0, atol=1e-9 * np.abs(reference).max())
