"""Into how many blocks a mesh is cut: many where a thousand workers may share them, few where each would sum little."""

from __future__ import annotations

import numpy as np
import pytest
import toys

import ome_wannier as ome
from ome_wannier.integration.memory import bytes_per_point
from ome_wannier.integration.mesh import sums
from ome_wannier.integration.mesh.constants import MESH

MIB = 2**20


def blocks(bands: int, size: tuple[int, int, int], histograms: int = MIB, memory: int = 2**30):
    """Points per row, and the blocks of a mesh."""
    length, _, found = sums._batches(ome.KMesh(size), bytes_per_point(bands, 1), memory, histograms)
    return length, found


def test_a_thousand_workers_find_a_block_each() -> None:
    """10^5 points of 76 bands, as of Cr2O3: three minutes of work on one core."""
    length, found = blocks(76, (48, 48, 44), 7 * MIB)
    points = [length * (stop - start) for start, stop in found]
    assert 1000 <= len(found) <= MESH.most_blocks
    assert max(points) <= 2 * min(points)
    assert min(points) >= MESH.points_of_large


def test_more_work_makes_no_more_than_so_many() -> None:
    assert len(blocks(76, (480, 480, 48))[1]) == MESH.most_blocks


@pytest.mark.parametrize(
    ("bands", "size", "histograms", "expected"),
    [
        (2, (1000, 1000, 1), MIB, 64),  # a second of work
        (18, (12, 12, 12), MIB, 32),  # half a gigabyte of matrices for 17 megabytes in each
        (76, (48, 48, 44), 512 * MIB, 130),  # wide histograms: an eighth of the bytes that pass
        (600, (10, 10, 10), MIB, 64),  # few points, however long they take
        (2, (4, 4, 1), MIB, 4),  # a row each
    ],
)
def test_others_are_cut_into_few(bands: int, size: tuple[int, int, int], histograms: int, expected: int) -> None:
    assert len(blocks(bands, size, histograms, 2**32)[1]) == expected


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_in_one_block(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(1, 60, 3))
    length, found = blocks(int(rng.integers(2, 90)), size, int(rng.integers(1, 64)) * MIB, 2**31)
    rows = [row for start, stop in found for row in range(start, stop)]
    assert rows == list(range(np.prod(size) // length))


def test_sums_do_not_depend_on_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metal in three dimensions, cut into 16 blocks and into one for each row: equal to rounding."""
    of, levels = toys.random_model(3, dimension=3), np.linspace(-0.5, 0.5, 5)
    results = []
    for number in (16, 10**6):
        monkeypatch.setattr(sums, "_number_of_blocks", lambda *_, number=number: number)
        results.append(ome.compute(of, (8, 8, 8), ["total", "extrinsic"], levels, temperature=300.0))
    few, many = results
    for name in ("total", "extrinsic"):
        scale = np.abs(few[name].values).max()
        np.testing.assert_allclose(many[name].values, few[name].values, rtol=0, atol=1e-12 * scale)
