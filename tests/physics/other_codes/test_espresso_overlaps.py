""".uIu of Cr2O3's script for Quantum ESPRESSO, of files as pw.x writes them, against sums over plane waves one by one."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
from scipy.io import FortranFile
from test_sums_over_bands import records

SCRIPT = Path(__file__).parents[3] / "materials" / "cr2o3" / "dft" / "espresso.py"
#: k and k + b on two points, with the reciprocal vector between: k + b = k' + G
STEPS = [[(1, 2, 0, 0, 0), (1, 2, -1, 0, 0), (1, 1, 0, 1, -1)], [(2, 1, 1, 0, 0), (2, 1, 0, 0, 0), (2, 2, 0, -1, 1)]]


def test_overlaps_of_plane_waves(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("espresso", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    espresso = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(espresso)
    rng = np.random.default_rng(4)
    box = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    saved = tmp_path / "states" / "out" / f"{espresso.PREFIX}.save"
    saved.mkdir(parents=True)
    waves = []
    for k in range(2):
        G = box[rng.permutation(len(box))[: 90 + k]].astype(np.int32)
        u = rng.normal(size=(4, 2, len(G))) + 1j * rng.normal(size=(4, 2, len(G)))
        waves.append([{(*g, s): x[s, i] for i, g in enumerate(G.tolist()) for s in range(2)} for x in u])
        with FortranFile(saved / f"wfc{k + 1}.dat", "w") as f:
            f.write_record(np.zeros(44, dtype=np.uint8))
            f.write_record(np.array([200, len(G), 2, 4], dtype=np.int32))
            f.write_record(np.eye(3))
            f.write_record(G)
            for x in u:
                f.write_record(x.ravel())
    rows = "\n".join(" ".join(map(str, row)) for of_k in STEPS for row in of_k)
    (tmp_path / f"{espresso.SEED}.nnkp").write_text(f"begin nnkpts\n 3\n{rows}\nend nnkpts\n")
    espresso.write_overlaps(tmp_path / "states", tmp_path, slice(1, 4))
    sizes, found = records(tmp_path / f"{espresso.SEED}.uIu")
    np.testing.assert_array_equal(sizes, [3, 2, 3])
    found = found.reshape(2, 3, 3, 3, 3)
    for k, second, first, m, n in np.ndindex(found.shape):
        wanted = 0
        for g in waves[k][0]:  # those of k alone, as H is applied to them
            left, right = (
                waves[to - 1][band + 1].get((g[0] + x, g[1] + y, g[2] + z, g[3]), 0)
                for (_, to, x, y, z), band in ((STEPS[k][first], m), (STEPS[k][second], n))
            )
            wanted += np.conj(left) * right
        np.testing.assert_allclose(found[k, second, first, m, n], wanted, rtol=0, atol=1e-12)
