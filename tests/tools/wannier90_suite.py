"""Wannier functions of the tests of Wannier90, whose files are not here, from a checkout of it, made by its own programs."""

from __future__ import annotations

import bz2
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.adapters.wannier90.files import read_tb
from ome_wannier.adapters.wannierberri.calculation import read_calculation
from ome_wannier.bands.bands import Bands
from ome_wannier.models.outside_states import External

#: programs that make the functions from a checkpoint
PROGRAMS = ("w90chk2chk.x", "wannier90.x")
#: lines of input that ask postw90 for something
ASKS = ("gyrotropic", "fermi_energy", "bands_plot", "berry")


def missing() -> str:
    """What is not there, or nothing."""
    if not os.environ.get("WANNIER90"):
        return "WANNIER90 does not name a checkout of github.com/wannier-developers/wannier90"
    return ", ".join(f"{p} is not installed (Debian: package wannier90)" for p in PROGRAMS if not shutil.which(p))


@cache
def functions(seed: str, checkpoint: str, test: str) -> ome.TightBinding:
    """Those of a checkpoint, with the input of a test, and with external terms where it has `.uHu`.

    On the diagonal positions are the linear finite differences of postw90; what is in `_tb.dat` has logarithms there.
    """
    suite = Path(os.environ["WANNIER90"]) / "test-suite"
    with tempfile.TemporaryDirectory() as there:
        folder, given = Path(there), suite / "tests" / test
        found = [given / f"{seed}.eig", given / f"{seed}.mmn", *(suite / "checkpoints" / checkpoint).glob(f"{seed}.*.bz2")]
        for file in found:
            if file.suffix == ".bz2":
                (folder / file.stem).write_bytes(bz2.decompress(file.read_bytes()))
            elif file.exists():
                shutil.copy(file, folder)
        lines = (given / f"{seed}.win").read_text().splitlines()
        asked = [x for x in lines if not x.strip().startswith(ASKS)]
        (folder / f"{seed}.win").write_text("\n".join(["restart = plot", "write_tb = true", *asked]) + "\n")
        for command in (["w90chk2chk.x", "-f2u", seed], ["wannier90.x", seed]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        tb, model = read_tb(folder / f"{seed}_tb.dat"), ome.load(folder / seed, external="off")
        assert isinstance(model, ome.TightBinding)
        more = [".uHu"] if (folder / f"{seed}.uHu").exists() else []
        data = read_calculation(folder / seed, (".chk", ".eig", ".mmn", *more), "this needs", model)
    A, B, C = zip(*(at_point(data, k) for k in range(len(data.mmn.data))), strict=True)
    waves = np.exp(-2j * np.pi * tb.R @ np.transpose(data.chk.kpt_red)) / len(A) / tb.ndegen[:, None]
    A, B, C = (np.tensordot(waves, x, 1) for x in (A, B, C))
    return replace(model, position=A, external=External(B, C) if more else None)


def at_point(data: Any, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """<u|i d_a u>, <u|H|i d_a u> and i epsilon_cab <d_a u|H|d_b u> (n, n, 3), by finite differences at a point of the mesh."""
    b, V, M = data.bkvec, data.chk.v_matrix, data.mmn.data[k]
    near, g = b.neighbours[k], b.wk[:, None] * b.bk_cart
    to = [m @ V[n] for m, n in zip(M, near, strict=True)]
    A, B = (1j * np.einsum("ba,bmn->mna", g, V[k].conj().T @ x) for x in (to, data.eig.data[k][:, None] * to))
    C = np.zeros_like(A)
    if data.has_file("uhu"):
        H = [
            [V[n].conj().T @ x @ V[m] for x, m in zip(row, near, strict=True)]
            for row, n in zip(data.uhu.data[k], near, strict=True)
        ]
        C = 1j * np.cross(*np.broadcast_arrays(g[:, None], g[None]))  # epsilon_cab b1_a b2_b
        C = np.einsum("ijc,ijmn->mnc", C, H)
    return (A + A.conj().swapaxes(0, 1)) / 2, B, (C + C.conj().swapaxes(0, 1)) / 2


def iron() -> list[float]:
    """Anomalous Hall conductivity of iron (S/cm), x, y, z: minus e^2/hbar times the sum of Berry curvatures."""
    model = functions("Fe", "fe_postw90", "testpostw90_fe_ahc")
    found = ome.compute(model, (10, 10, 10), ["berry_curvature"], [12.6279], temperature=0.0, symmetry="off")
    return list(-units.E2_OVER_HBAR * 1e8 * found["berry_curvature"].values[0])


class States(NamedTuple):
    """Energies (nk, n), velocities, curvatures and moments (nk, n, 3) at points, and the weight of a point."""

    energies: np.ndarray
    slopes: np.ndarray
    curvatures: np.ndarray
    moments: np.ndarray
    weight: float


@cache
def tellurium() -> States:
    """Of tellurium, on 5 x 5 x 5 points in a part of the zone."""
    model = functions("Te", "te_postw90", "testpostw90_te_gyrotropic_D0")
    k = np.array([0.33333, 0.33333, 0.5]) - 0.1 + 0.2 * np.stack(np.meshgrid(*[np.arange(5) / 5] * 3, indexing="ij"), -1)
    bands = Bands(model, k.reshape(-1, 3), curvature=True)
    slopes = np.stack([bands.slope(a) for a in range(3)], axis=-1)
    curvatures, moments = (ome.calculators.get(name)(bands) for name in ("berry_curvature", "orbital_moment"))
    return States(bands.energies, slopes, curvatures, moments, 0.2**3 / 125 / model.cell)


def delta(energies: np.ndarray, level: float) -> np.ndarray:
    """A Gaussian of 0.1 eV, cut off at five widths (1/eV)."""
    x = (energies - level) / 0.1
    return np.where(abs(x) < 5, np.exp(-(x**2)) / np.sqrt(np.pi) / 0.1, 0.0)


def tensor(level: float, x: str, y: str) -> np.ndarray:
    """(3, 3) the sum of products of two properties of the states at a level."""
    at = tellurium()
    return np.asarray(at.weight * np.einsum("kn,kna,knb->ab", delta(at.energies, level), getattr(at, x), getattr(at, y)))


def conductivity(level: float) -> np.ndarray:
    """C in A/cm: e/h times velocities times velocities."""
    return units.E2_OVER_HBAR / (2 * np.pi) * 1e8 * tensor(level, "slopes", "slopes")


def dipole(level: float) -> np.ndarray:
    """D: velocities times curvatures."""
    return tensor(level, "slopes", "curvatures")


def kinetic(level: float) -> np.ndarray:
    """K in A: velocities times orbital moments."""
    return units.E2_OVER_HBAR * tensor(level, "slopes", "moments")


def states(level: float) -> float:
    """Density of states in 1/(eV Angstrom^3)."""
    at = tellurium()
    return float(at.weight * delta(at.energies, level).sum())


def symmetric(x: np.ndarray) -> list[float]:
    """xx, yy, zz, xy, xz, yz of a tensor."""
    return [float(x[a, b] + x[b, a]) / 2 for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]


def antisymmetric(x: np.ndarray) -> list[float]:
    """x, y, z: half of yz - zy, and so on."""
    return [float(x[a, b] - x[b, a]) / 2 for a, b in ((1, 2), (2, 0), (0, 1))]
