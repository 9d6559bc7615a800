"""What a calculation may cost: a moire continuum model of more than 300 bands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

RUN = """
import json, resource, time, warnings
import numpy as np
import ome_wannier as ome
from ome_wannier import calculators

warnings.simplefilter("ignore")
names = {names}
model = ome.load("tbg", cutoff={cutoff})
start = time.process_time()
result = ome.compute(model, (30, 30, 1), names, np.linspace(-0.1, 0.1, 201), temperature=20.0)
print(json.dumps({{
    "bands": model.n_orbitals, "seconds": time.process_time() - start, "levels": result.sizes["fermi"],
    "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "quantities": len(result.data_vars),
}}))
"""


@pytest.mark.long
@pytest.mark.parametrize("which", ["default", "all"])
def test_moire_of_300_bands(which: str) -> None:
    """30 x 30 points, 201 levels: five minutes on two cores are ten of processor time; 2 GB. It prints what it took."""
    names = {
        "default": "calculators.defaults(has_spin=False)",
        "all": '[n for n in calculators.names() if n != "chern_simons" and not calculators.needs_spin(n)]',
    }[which]
    code = RUN.format(names=names, cutoff=4.6)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cost = json.loads(done.stdout)
    print(which, cost)
    assert cost["bands"] >= 300
    assert cost["levels"] == 201
    assert cost["seconds"] < 600
    assert cost["gigabytes"] < 2
