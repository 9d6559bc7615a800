"""What two cores or more give without being asked: te, all points, as against one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from measure import table

#: prints the seconds on the clock of one process, with helpers that start, and with those that are there
PROCESS = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import ome_wannier as ome

if __name__ == "__main__":
    model, n, names, levels = ome.load("te"), int(sys.argv[1]), ["total", "extrinsic"], np.linspace(5.6, 6.6, 201)
    def run(executor=None):
        start = time.monotonic()
        found = ome.compute(model, (n, n, n), names, levels, symmetry="off", executor=executor)
        return time.monotonic() - start, found.total.values.tobytes() + found.extrinsic.values.tobytes()
    ome.compute(model, (4, 4, 4), names, levels, symmetry="off")  # compiles
    times, bits = zip(run(ome.executors.Alone()), run(), run())
    assert len(set(bits)) == 1
    print(json.dumps(times))
"""


def section(small: bool) -> str:
    """Times of some sizes; the bits of the results are asserted to be the same."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows = []
    for n in (12,) if small else (36, 54):

        def once(n: int = n) -> list[float]:
            command = [sys.executable, "-c", PROCESS, str(n)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            return list(json.loads(done.stdout))

        times = np.array([once() for _ in range(1 if small else 3)])
        one, cold, warm = np.median(times, axis=0)
        ratios = np.median(times[:, :1] / times, axis=0)
        rows.append([f"{n}^3", f"{one:.1f}", f"{cold:.1f}", f"{ratios[1]:.2f}", f"{warm:.1f}", f"{ratios[2]:.2f}"])
    header = ["points", "s, one process", f"{cores} cores, helpers start", "times faster", "helpers are there", "times faster"]
    return table(header, rows)
