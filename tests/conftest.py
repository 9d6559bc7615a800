"""What all tests share. One BLAS thread and no display, decided before numpy and matplotlib are imported."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import importlib
import shutil
import signal
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

#: Reasons that a skip may have. With any other the run fails: what is never run is not tested, and nobody notices.
ALLOWED_SKIPS = (
    "no PostgreSQL server on this machine",  # of the system, not of pip
    "no Chromium and chromedriver on this machine",  # likewise
    "postw90.x and wannier90.x are not installed",  # likewise
    "WANNIER90 does not name a checkout",  # files that may not be kept here
    "wannier90.x is not installed",  # of the system
    "kwant is not installed",  # pip has no wheels of it, and its source does not build in pip's isolated environment
    "PythTB 1.8",  # pip has PythTB 2 for Python 3.12 and later alone: it is that of 3.11
    "the one with spin runs with 2.0 too",  # a model in the language of PythTB 1.8
    "names of files are bytes on POSIX systems alone",
    "the machine is busy",  # a speed that nothing can be said of
)

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def refused(report: Report) -> Report:
    """The report of a skip as that of a failure, unless its reason is allowed. An expected failure is no skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nNot among ALLOWED_SKIPS of tests/conftest.py: `make test` installs what tests need."
    return report


# In the process that runs the test: with pytest-xdist the report of a failure reaches the others as any other does.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return refused((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return refused((yield))


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """Kernels are compiled, ten seconds in a clean clone, before the first test: none has that in its time or its output."""
    from ome_wannier.common import object_code
    from ome_wannier.common.kernels import KERNELS

    for module in object_code.MODULES:
        importlib.import_module(f"ome_wannier.{module}")
    for kernel in KERNELS.values():
        assert kernel.run


@pytest.fixture(scope="session")
def compiled(kernels: None) -> None:
    """All that a run needs has been imported: that is not the time of the test that comes first."""
    import ome_wannier as ome

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ome.compute(ome.load("vse2"), (6, 6, 1), fermi=0.0)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run and in whatever order the tests come."""
    return np.random.default_rng(20250501)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children of this test obey SIGINT and SIGHUP, though the run itself may ignore them, as under nohup or after &.

    Ignored signals stay so in children; those with a handler are back at their default there.
    """
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, was in before.items():
        signal.signal(number, was)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window and without a network."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if None in found.values():
        pytest.skip("no Chromium and chromedriver on this machine (Debian: apt-get install chromium chromium-driver)")
    options = selenium.ChromeOptions()
    options.binary_location = found["chromium"]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(found["chromedriver"]))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def calculation_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files of a calculation of two Wannier functions on eight k points, `model.win` and others."""
    from fuzz_formats import calculation

    pytest.importorskip("fortio")
    folder = tmp_path_factory.mktemp("calculation")
    calculation(folder)
    return folder


@pytest.fixture
def calculation_copy(calculation_files: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(calculation_files, tmp_path / "x")
    return tmp_path / "x"
