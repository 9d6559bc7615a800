"""Where a Fermi level lies, in words and numbers, against counting states by hand."""

from __future__ import annotations

import numpy as np
import pytest
import toys

from ome_wannier.integration.band_ranges import Look
from ome_wannier.integration.level_place import places


def test_inside_and_beside_the_gap() -> None:
    """Electrons above the gap of Haldane's model, counted on a mesh of 300 x 300 points at T = 0: to 5%, the coarse mesh's."""
    model = toys.haldane()
    look = Look.at(model)
    gap = look.gap(1)
    inside, above, below = places(look, [gap.middle, gap.top + 0.5, gap.bottom - 0.5])
    assert inside.inside
    assert f"in the gap of {gap.width:.3g} eV, " in inside.text(2)
    x = np.arange(300) / 300
    k = np.stack([*np.meshgrid(x, x), np.zeros((300, 300))], axis=-1).reshape(-1, 3)
    e = np.linalg.eigvalsh(model.matrices(k, 0).H)
    per_cm2 = 1 / (model.cell * 1e-16)
    assert above.carriers == pytest.approx((e[:, 1] < gap.top + 0.5).mean() * per_cm2, rel=0.05)
    assert below.carriers == pytest.approx(-(e[:, 0] > gap.bottom - 0.5).mean() * per_cm2, rel=0.05)
    assert "electrons per cm^2 above the gap" in above.text(2)
    assert "holes per cm^2 below the gap" in below.text(2)


def test_bands_that_overlap_count_from_a_filling() -> None:
    model = toys.random_model(4, dimension=3, n=3)
    look = Look.at(model)
    (place,) = places(look, [float(look.energies.max()) + 1.0], filled=1)
    assert place.carriers == pytest.approx(2 / (model.cell * 1e-24), rel=1e-9)
    assert not place.inside
