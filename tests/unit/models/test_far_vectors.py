"""R vectors far beyond their number: sums without the box around them."""

from __future__ import annotations

import numpy as np
import pytest

from ome_wannier import TightBinding
from ome_wannier.errors import ModelError
from ome_wannier.models.fourier import FourierSeries


def test_far_vectors_are_summed_one_by_one() -> None:
    """Against the closed form of a chain of hops over 99,999 cells; rows do not depend on their company."""
    far = 99_999
    R = np.array([[0, 0, 0], [far, 0, 0], [-far, 0, 0], [0, far, 0], [0, -far, 0]])
    series = FourierSeries(3.0 * np.eye(3), R, np.array([0.5, 0.1, 0.1, 0.2, 0.2], dtype=complex)[:, None, None])
    k = np.stack(np.meshgrid(np.arange(6) / 6, np.arange(4) / 4, [0.0], indexing="ij"), axis=-1)
    found = series(k.reshape(6, 4, 3), 1, (0, 1))
    x, y = (2 * np.pi * far * k.reshape(-1, 3)[:, i] for i in (0, 1))
    # phases of 6e5 radians are known to some 1e-10, derivatives are 3e5 Angstrom times as large
    assert np.allclose(found.value[:, 0, 0], 0.5 + 0.2 * np.cos(x) + 0.4 * np.cos(y), atol=1e-9)
    assert np.allclose(found.first[:, 0, 0, 0], -3 * far * 0.2 * np.sin(x), atol=1e-4)
    alone = series(k.reshape(6, 4, 3)[2:3], 1, (0, 1))
    assert np.array_equal(alone.first, found.first[8:12])


def test_vectors_beyond_all_files_are_refused() -> None:
    """Integers that no file of five columns holds."""
    R = np.array([[0, 0, 0], [2**62, 0, 0], [-(2**62), 0, 0]])
    with pytest.raises(ModelError, match="no lattice vector"):
        TightBinding(np.eye(3), R, np.ones((3, 1, 1), dtype=complex), centres=np.zeros((1, 3)))
