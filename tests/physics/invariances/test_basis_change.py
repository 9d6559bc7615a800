"""What the upper bands change, against sums over the lowest bands written out, and against what a result says."""

from __future__ import annotations

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.errors import SettingsError

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
    found = model(4)
    settings = {"filling": float(OCCUPIED), "temperature": 0.0, "symmetry": "off"}
    result = ome.compute(found, (4, 4, 4), ["total", "quantum_metric"], basis=KEPT, **settings)
    k = np.stack(np.meshgrid(*[np.arange(4) / 4] * 3, indexing="ij"), -1).reshape(-1, 3)
    bands = Bands(found, k, curvature=True)
    whole, some = (np.mean([of_lowest(bands, i, n).sum(axis=0) for i in range(len(k))], axis=0) for n in (N, KEPT))
    share = np.abs(whole - some).max() / np.abs(whole).max()
    assert result["total"].attrs["basis_change"] == pytest.approx(share, rel=1e-8)
    assert result["quantum_metric"].attrs["basis_change"] > 0
    assert result.attrs["basis_change"].startswith("total ")
    assert "the bands left out by basis change total by" in " ".join(str(ome.summary(result)).split())
    alone = ome.compute(found, (4, 4, 4), ["total"], **settings)
    assert "basis_change" not in {**alone.attrs, **alone["total"].attrs}
    np.testing.assert_array_equal(alone["total"].values, result["total"].values)


@pytest.mark.parametrize("basis", [0, N, -2])
def test_numbers_of_bands_that_there_are_not(basis: int) -> None:
    with pytest.raises(SettingsError, match=f"basis is {basis}: give a number of bands from 1 to 7"):
        ome.compute(model(0), (2, 2, 2), ["total"], filling=3.0, basis=basis)
