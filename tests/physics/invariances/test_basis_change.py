"""What the upper bands change, against sums over the lowest bands written out, and against what a result says."""

from __future__ import annotations

import re

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.errors import SettingsError
from ome_wannier.integration.band_ranges import Look

N, OCCUPIED, KEPT = 8, 3, 6


def model(seed: int, position: bool = True, pairs: bool = False) -> ome.TightBinding:
    """Random hoppings in three dimensions, with positions that do not commute, or bands in degenerate pairs."""
    rng = np.random.default_rng(seed)
    n = N // 2 if pairs else N
    R = np.array([(0, 0, 0), *(s * np.eye(3, dtype=int)[i] for i in range(3) for s in (1, -1))])
    H = 0.3 * (rng.normal(size=(len(R), n, n)) + 1j * rng.normal(size=(len(R), n, n)))
    A = 0.1 * (rng.normal(size=(len(R), n, n, 3)) + 1j * rng.normal(size=(len(R), n, n, 3)))
    H[0] += np.diag(4.0 * np.arange(n))
    back = [0, 2, 1, 4, 3, 6, 5]
    H, A = (X + np.conj(np.swapaxes(X[back], 1, 2)) for X in (H, A))
    if pairs:
        H, A = np.kron(H, np.eye(2)), np.einsum("rmna,ij->rminja", A, np.eye(2)).reshape(len(R), N, N, 3)
    centres = None if position else rng.normal(size=(N, 3))
    return ome.TightBinding(
        lattice=np.diag([2.0, 2.2, 2.5]), R=R, hamiltonian=H, position=A if position else None, centres=centres
    )


def of_lowest(bands: Bands, k: int, count: int) -> np.ndarray:
    """LC and IC (2, 3, 3) of the lowest `count` bands, term by term: physics.md eq. 34."""
    e, v = bands.energies[k, :count], bands.velocities[k][:, :count, :count]
    gaps = e[:, None] - e[None, :] + np.eye(count)
    R = -1j * v / gaps
    B, o, u = R / gaps, slice(0, OCCUPIED), slice(OCCUPIED, count)
    out = np.zeros((2, 3, 3))
    for i in range(3):
        m, n = (i + 1) % 3, (i + 2) % 3
        local = v[m][u, u] @ R[n][u, o] - v[n][u, u] @ R[m][u, o]
        itinerant = R[n][u, o] @ v[m][o, o] - R[m][u, o] @ v[n][o, o]
        for b in range(3):
            out[:, i, b] = [np.trace(B[b][o, u] @ X).real for X in (local, itinerant)]
    return out


@pytest.mark.parametrize("position", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_of_the_lowest_bands(seed: int, position: bool) -> None:
    found = model(seed, position)
    k = np.random.default_rng(seed + 10).uniform(-0.5, 0.5, (4, 3))
    bands = Bands(found, k, curvature=True)
    level = (bands.energies[:, OCCUPIED - 1].max() + bands.energies[:, OCCUPIED].min()) / 2
    bands = Bands(found, k, curvature=True, window=(level, level))
    for count in (KEPT, N):
        some = bands if count == N else bands.lowest(count)
        for name, wanted in zip(
            ("local_crossgap", "itinerant_crossgap"),
            np.moveaxis([of_lowest(bands, i, count) for i in range(4)], 1, 0),
            strict=True,
        ):
            got = get(name)(some)[:, :OCCUPIED].sum(axis=1)
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10 * np.abs(wanted).max(), err_msg=f"{name} {count}")


def test_the_bands_stay_as_they_are() -> None:
    bands = Bands(model(0), np.random.default_rng(1).uniform(-0.5, 0.5, (3, 3)), order=2, curvature=True)
    before = {name: get(name)(bands) for name in ("interband", "quantum_metric", "orbital_moment", "metric_curl")}
    some = bands.lowest(KEPT)
    for name in before:
        get(name)(some)
        np.testing.assert_array_equal(get(name)(bands), before[name], err_msg=name)
    np.testing.assert_array_equal(some.energies, bands.energies)


def test_no_group_is_divided() -> None:
    """An odd number of bands in pairs: the pair that it divides belongs to the others."""
    found = model(2, pairs=True)
    bands = Bands(found, np.random.default_rng(3).uniform(-0.5, 0.5, (5, 3)), curvature=True)
    for name in ("interband", "quantum_metric"):
        odd, even = (get(name)(bands.lowest(count))[:, :4] for count in (5, 4))
        np.testing.assert_array_equal(odd, even, err_msg=name)


def test_a_result_says_it() -> None:
    """As a share of the largest element, of the sum over the mesh and of a combination; "basis" alone says it."""
    found = model(1)
    settings = {"filling": float(OCCUPIED), "temperature": 0.0, "symmetry": "off"}
    result = ome.compute(found, (6, 6, 6), ["total", "quantum_metric"], basis=KEPT, **settings)
    k = np.stack(np.meshgrid(*[np.arange(6) / 6] * 3, indexing="ij"), -1).reshape(-1, 3)
    bands = Bands(found, k, curvature=True)
    whole, some = (np.mean([of_lowest(bands, i, n).sum(axis=0) for i in range(len(k))], axis=0) for n in (N, KEPT))
    share = np.abs(whole - some).max() / np.abs(whole).max()
    assert result["total"].attrs["basis_change"] == pytest.approx(share, rel=1e-8)
    assert result["quantum_metric"].attrs["basis_change"] > 0
    assert result.attrs["basis_change"].startswith("total ")
    assert "the bands left out by basis change total by" in " ".join(str(ome.summary(result)).split())
    alone = ome.compute(found, (6, 6, 6), ["total"], **settings)
    assert "basis_change" not in {**alone.attrs, **alone["total"].attrs}
    np.testing.assert_array_equal(alone["total"].values, result["total"].values)


@pytest.mark.parametrize("basis", [0, N, -2, 2.5, 6.0, "a", [3], True])
def test_numbers_of_bands_that_there_are_not(basis: object) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"basis is {basis!r}: give a number of bands from 1 to 7")):
        ome.compute(model(0), (2, 2, 2), ["total"], filling=3.0, basis=basis)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shift", [-3.0, 0.0, 2.0])
def test_no_fewer_than_the_filled_bands(seed: int, shift: float) -> None:
    """Bands that reach below the level at any point of a mesh that is finer than the one they are looked for on."""
    found = model(seed)
    k = np.stack(np.meshgrid(*[np.arange(24) / 24] * 3, indexing="ij"), -1).reshape(-1, 3)
    bottoms = Bands(found, k).energies.min(axis=0)
    level = float(np.mean(bottoms[OCCUPIED : OCCUPIED + 2])) + shift
    filled = int((bottoms < level).sum())
    settings = {"fermi": [level - 20.0, level], "temperature": 300.0}
    with pytest.raises(SettingsError, match=rf"basis is {filled - 1}: {filled} bands reach below the level of"):
        ome.compute(found, (2, 2, 2), ["quantum_metric"], basis=filled - 1, **settings)
    ome.compute(found, (2, 2, 2), ["quantum_metric"], basis=filled, **settings)


def test_a_valley_between_the_points() -> None:
    """A band whose bottom no point of a coarse mesh has: it reaches below a level just above that bottom."""
    q = 0.123
    R = np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0)])
    hop = 0.5 * np.exp(-2j * np.pi * q)
    H = np.array([np.diag([-3.0, 1.0]), np.diag([0.0, -hop]), np.diag([0.0, -np.conj(hop)])], dtype=complex)
    chain = ome.TightBinding(
        lattice=np.diag([3.0, 20.0, 20.0]), R=R, hamiltonian=H, centres=np.zeros((2, 3)), periodic=(True, False, False)
    )
    look = Look.at(chain)
    bottom = 1.0 - 2 * 0.5
    level = bottom + 1e-4
    assert look.ranges[1, 0] > level
    assert [look.reaching(x) for x in (-4.0, -1.0, bottom - 1e-3, level, 3.0)] == [0, 1, 1, 2, 2]


def test_of_a_filling_and_without_a_zone() -> None:
    for settings in ({"filling": 3.0}, {"filling": 2.5}):
        with pytest.raises(SettingsError, match="basis is 2: 3 bands reach below the level"):
            ome.compute(model(1), (4, 4, 4), ["total"], basis=2, **settings)
    dirac, settings = ome.load("tilted-dirac"), {"calculators": ["quantum_metric"], "basis": 1, "temperature": 300.0}
    edge = float(np.linalg.eigvalsh(dirac.matrices(np.zeros((1, 2)), 0).H)[0, 1])  # below it at other k, by the tilt
    with pytest.raises(SettingsError, match="basis is 1: 2 bands reach below the level"):
        ome.compute(dirac, fermi=edge + 0.1, **settings)
    assert ome.compute(dirac, fermi=0.0, **settings)["quantum_metric"].attrs["basis_change"] == pytest.approx(1.0)


def test_zero_within_errors_is_open(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Numbers that time reversal forbids, with symmetry off, are what rounding and meshes leave: no share of them is said."""
    rng = np.random.default_rng(8)
    R = np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)])
    H = 0.3 * rng.normal(size=(5, 4, 4))
    H[0] += np.diag(4.0 * np.arange(4))
    layer = ome.TightBinding(
        lattice=np.diag([2.0, 2.2, 9.0]),
        R=R,
        hamiltonian=(H + np.swapaxes(H[[0, 2, 1, 4, 3]], 1, 2)).astype(complex),
        centres=rng.normal(size=(4, 3)),
        periodic=(True, True, False),
    )
    names = ["quantum_metric", "berry_curvature", "total"]
    result = ome.compute(layer, (6, 6, 1), names, filling=2.0, basis=3, symmetry="off")
    share = {name: result[name].attrs["basis_change"] for name in names}
    assert 0 < share["quantum_metric"] < 1
    assert np.isnan(share["berry_curvature"])
    assert "berry_curvature open (zero beside its error or the change)" in result.attrs["basis_change"]
    ome.save(result, tmp_path / "x.nc")
    assert np.isnan(ome.load_result(tmp_path / "x.nc")["berry_curvature"].attrs["basis_change"])
    assert "moments in the plane and fields across not counted" in result.attrs["basis_change"]
    assert "fields across not counted" in " ".join(str(ome.summary(result)).split())


def test_what_all_but_cancels_is_open() -> None:
    """Berry curvatures of VSe2 in its gap add up to a Chern number of zero, to 1e-5 of thermal tails, which 16 bands do not."""
    settings = {"fermi": -0.28, "temperature": 300.0, "basis": 16}
    result = ome.compute(ome.load("vse2"), (48, 48, 1), ["berry_curvature", "extrinsic", "total"], **settings)
    largest = np.abs(result["berry_curvature"].values).max()
    assert 2 * result["berry_curvature_error"].values.max() < largest < 1e-5  # in units of 1 / 2 pi it is no Chern number
    assert np.isnan([result[name].attrs["basis_change"] for name in ("berry_curvature", "extrinsic")]).all()
    assert 1 < result["total"].attrs["basis_change"] < 10
    assert "open for extrinsic: zero beside its error or the change" in " ".join(str(ome.summary(result)).split())


def test_nothing_is_said_too() -> None:
    """Of what has no other bands in it; and without the responses what else is shown."""
    settings = {"filling": float(OCCUPIED), "basis": KEPT}
    none = ome.compute(model(4), (4, 4, 4), ["ohmic"], **settings)
    assert "basis_change" not in none["ohmic"].attrs
    assert none.attrs["basis_change"].startswith("nothing")
    assert "the bands left out by basis change nothing that is shown here" in " ".join(str(ome.summary(none)).split())
    some = ome.compute(model(4), (4, 4, 4), ["quantum_metric"], **settings)
    assert "the bands left out by basis change quantum metric by" in " ".join(str(ome.summary(some)).split())
