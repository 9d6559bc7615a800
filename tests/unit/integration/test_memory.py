"""What `memory` says is what a run takes, levels and temperatures included; measured in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import toys

import ome_wannier as ome
from ome_wannier.errors import SettingsError

#: prints by how many MiB the peak of the process grows while a run is at work; everything is imported and compiled before
CHILD = """
import resource, sys, warnings
import numpy as np, toys
import ome_wannier as ome
warnings.simplefilter("ignore")
model = toys.random_model(5, 3, 4) if sys.argv[1] == "general" else toys._centrosymmetric(3, dimension=3)
levels, temperatures = np.linspace(-0.5, 0.5, int(sys.argv[2])), np.array(sys.argv[3].split(","), dtype=float)
ome.compute(model, (4, 4, 4), fermi=levels[:2], temperature=temperatures)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ome.compute(model, (4, 4, 4), fermi=levels, temperature=temperatures, memory=int(float(sys.argv[4]) * 2**20))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
#: MiB that everything else grows by: results, Python's own, and what the allocator keeps
BESIDES = 24


def needed(model, levels, temperatures):
    """MiB that a run says it needs."""
    with pytest.raises(SettingsError, match=r"need .* MiB; raise memory") as said:
        ome.compute(model, (4, 4, 4), fermi=levels, temperature=temperatures, memory=2**22)
    return float(str(said.value).split(" MiB; ")[0].split()[-1])


@pytest.mark.parametrize(
    ("kind", "levels", "temperatures"),
    [("general", 400, np.linspace(100, 500, 10)), ("symmetric", 3000, np.array([0.0]))],
)
def test_memory_bounds_the_sums_at_all_levels(kind, levels, temperatures, monkeypatch):
    from ome_wannier.integration.mesh import sums

    model = {"general": toys.random_model(5, 3, 4), "symmetric": toys._centrosymmetric(3, dimension=3)}[kind]
    with monkeypatch.context() as patched:
        patched.setattr(sums, "_batches", lambda *given: (1, 1, []))
        budget = needed(model, np.linspace(-0.5, 0.5, levels), temperatures)
    budget = max(1.02 * budget, 96.0)
    given = [kind, str(levels), ",".join(map(str, temperatures)), str(budget)]
    found = subprocess.run(
        [sys.executable, "-c", CHILD, *given], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert float(found.stdout) < budget + BESIDES


def test_too_many_levels_and_temperatures_for_the_memory():
    """A thousand levels at twenty temperatures, which took 502 MB under 256 MiB."""
    with pytest.raises(SettingsError, match=r"the sums at 1000 Fermi levels and 20 temperatures need 310 MiB; raise memory"):
        ome.compute(
            toys.random_model(5, 3, 4), (4, 4, 4), fermi=np.linspace(-0.5, 0.5, 1000), temperature=np.linspace(100, 500, 20),
            memory=2**28,
        )  # fmt: skip


#: prints how many pages the system hands out for a batch of arrays, 32 MiB in all, after one that was as large
PAGES = """
import resource
import numpy as np
from ome_wannier.integration.memory import keep_freed
keep_freed()
for batch in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(2**18) for _ in range(16)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide by themselves")
@pytest.mark.parametrize("host", [{}, {"MALLOC_TRIM_THRESHOLD_": "65536"}], ids=["alone", "as Dask starts its workers"])
def test_freed_memory_serves_the_next_batch(host):
    """Pages of a batch as counted by the system: 8192 where all of it is asked for anew, a tenth of that is a lot."""
    child = subprocess.run([sys.executable, "-c", PAGES], env=os.environ | host, capture_output=True, text=True, check=True)
    assert int(child.stdout) < 800
