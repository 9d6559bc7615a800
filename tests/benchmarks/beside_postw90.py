"""postw90's K of te from files made of the model (tests/physics/other_codes/test_postw90.py), beside our extrinsic response."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import difference, seconds, table

import ome_wannier as ome
from ome_wannier import units

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("", "physics/other_codes")]


def section(small: bool) -> str:
    """Times per point; those of a small mesh, with the start-up, are taken off."""
    if not (shutil.which("postw90.x") and shutil.which("wannier90.x")):
        return "postw90.x is not installed here (Debian: wannier90)."
    import test_postw90 as files

    model, levels, size = ome.load("te"), np.linspace(5.6, 6.6, 201), (5, 5, 5)
    least, most = (4, 6) if small else (4, 9)

    def ours(mesh: ome.KMesh) -> np.ndarray:
        settings = {
            "temperature": files.WIDTH / units.KB,
            "tau": files.TAU,
            "symmetry": "off",
            "executor": ome.executors.Alone(),
        }
        found = ome.compute(model, mesh, ["extrinsic", files.BASIS], levels, **settings)
        return np.asarray(found.extrinsic.values + found.curvature_of_the_basis.values)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        K = files.gyrotropic(folder, model, size, levels)  # makes the files
        off = difference(ours(ome.KMesh(size, files.SHIFT)), -np.swapaxes(K, 1, 2) * files.TAU / units.HBAR_EV_FS)
        assert off <= 1e-5  # it prints seven digits
        text = (folder / "model.win").read_text()

        def postw90(n: int) -> float:
            (folder / "model.win").write_text(text.replace("gyrotropic_kmesh = 5 5 5", f"gyrotropic_kmesh = {n} {n} {n}"))
            command = ["bash", "-c", "time -p postw90.x model"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
            return float(done.stderr.split("user")[1].split()[0])

        points = most**3 - least**3
        times = np.array(
            [
                [
                    seconds(lambda: ours(ome.KMesh((most,) * 3))) - seconds(lambda: ours(ome.KMesh((least,) * 3))),
                    postw90(most) - postw90(least),
                ]
                for _ in range(1 if small else 3)
            ]
        )
    we, they = np.median(times, axis=0) / points * 1e3
    ratio = float(np.median(times[:, 1] / times[:, 0]))
    return table(
        ["te", "ms per k, ours", "postw90's", "theirs / ours", "numbers differ by"],
        [["extrinsic, and what its basis adds", f"{we:.3f}", f"{they:.3f}", f"{ratio:.0f}", f"{off:.0e}"]],
    )
