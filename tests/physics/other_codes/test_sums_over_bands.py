""".uHu of the script that goes from DFT to the response of Cr2O3, against the one that the tests of external terms make."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.io import FortranFile
from test_wannierberri_external import make_uhu, unpacked

SCRIPT = Path(__file__).parents[3] / "materials" / "cr2o3" / "dft" / "overlaps.py"


@pytest.fixture(scope="module")
def overlaps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("overlaps", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and matrices, as they follow each other, of a file like .uHu."""
    with FortranFile(file, "r") as f:
        f.read_record("S60")
        sizes = f.read_record(np.int32)
        return sizes, np.array([f.read_record(complex) for _ in range(sizes[1] * sizes[2] ** 2)])


def test_sums_over_all_bands(overlaps: ModuleType, tmp_path: Path) -> None:
    """Te: of all 24 bands the same, of fewer another; .uIu of all is the product of the overlaps."""
    unpacked(tmp_path, ("eig", "mmn"))
    make_uhu(tmp_path)
    sizes, wanted = records(tmp_path / "Te.uHu")
    _, counts, rows = (tmp_path / "Te.mmn").read_text().split("\n", 2)
    n, nk, nb = map(int, counts.split())
    numbers = np.array(rows.split(), dtype=float).reshape(nk, nb, 5 + 2 * n * n)[:, :, 5:]
    M = np.swapaxes(numbers.copy().view(complex).reshape(nk, nb, n, n), 2, 3)
    energies = np.loadtxt(tmp_path / "Te.eig")[:, 2].reshape(nk, n)
    np.savez(tmp_path / "overlaps.npz", M=M, energies=energies, low=0)
    overlaps.write_sums(tmp_path, tmp_path)
    found_sizes, found = records(tmp_path / f"{overlaps.SEED}.uHu")
    np.testing.assert_array_equal(found_sizes, sizes)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    _, products = records(tmp_path / f"{overlaps.SEED}.uIu")
    np.testing.assert_allclose(products[1].reshape(n, n), M[0, 1].conj().T @ M[0, 0], rtol=0, atol=1e-12)
    overlaps.write_sums(tmp_path, tmp_path, 0.75)
    assert np.abs(records(tmp_path / f"{overlaps.SEED}.uHu")[1] - wanted).max() > 0.1
