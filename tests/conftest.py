"""What all tests share. One BLAS thread and no display, decided before numpy and matplotlib are imported."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run and in whatever order the tests come."""
    return np.random.default_rng(20250501)
