"""Which positions of Wannier functions are repaired: files with principal values, on the right branch, with foreign centres."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ome_wannier.adapters import wannier90
from ome_wannier.adapters.wannier90.branch import diagonal_on_mesh, finite_differences, on_branch
from ome_wannier.adapters.wannier90.files import RealSpaceMatrices
from ome_wannier.common.errors import AccuracyWarning, FileFormatError

MATERIALS = Path(__file__).parents[3] / "materials"
HEXAGONAL = np.array([[3.19, 0, 0], [-1.595, 3.19 * np.sqrt(0.75), 0], [0, 0, 20.0]])
OBLIQUE = np.array([[3.0, 0.3, 0], [-0.7, 3.4, 0], [0.2, 0, 18.0]])
MESHES = ((3, 3, 1), (4, 4, 1), (2, 3, 2))


def written(lattice, mesh, centres, principal):
    """Position matrices of functions at `centres` as a program writes them, the phases of M_nn(k, b) with noise of a spread.

    Marzari and Vanderbilt, eq. 31: A_nn(k) = - sum_b w_b b phi, phi = -b.r + noise, as such or reduced to (-pi, pi].
    """
    rng = np.random.default_rng(1)
    b, w = finite_differences(lattice, mesh)
    k = np.stack(np.meshgrid(*[np.arange(m) / m for m in mesh], indexing="ij"), axis=-1).reshape(-1, 3)
    phase = -(centres @ b.T)[None] + 0.03 * rng.normal(size=(len(k), len(centres), len(b)))
    if principal:
        phase = np.pi - (np.pi - phase) % (2 * np.pi)
    A = -np.einsum("b,ba,knb->kna", w, b, phase)
    R = np.stack(np.meshgrid(*[np.arange(m) - m // 2 for m in mesh], indexing="ij"), axis=-1).reshape(-1, 3)
    position = np.zeros((len(R), len(centres), len(centres), 3), dtype=complex)
    i = np.arange(len(centres))
    position[:, i, i] = np.einsum("kr,kna->rna", np.exp(-2j * np.pi * k @ R.T), A) / len(k)
    ones = np.ones(len(R), dtype=int)
    return RealSpaceMatrices(R, ones, np.zeros(position.shape[:3], dtype=complex), position, lattice, ones), A


def places(seed, lattice):
    """Six centres, up to three cells from the home cell."""
    return np.random.default_rng(seed).uniform(-3, 3, (6, 3)) @ lattice


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("lattice", [HEXAGONAL, OBLIQUE], ids=["hexagonal", "oblique"])
def test_positions_on_the_right_branch_stay(lattice, mesh):
    """What fits the centres already is not changed in any bit, whatever cell the functions are in."""
    centres = places(3, lattice)
    data, _ = written(lattice, mesh, centres, principal=False)
    assert on_branch(Path("x"), data, data.position, lattice, mesh, centres) is data.position


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("lattice", [HEXAGONAL, OBLIQUE], ids=["hexagonal", "oblique"])
def test_principal_values_are_brought_to_their_centres(lattice, mesh):
    """With the unreduced phases of the same functions as reference, at every k point, also several cells away.

    The unreduced phases are among what is chosen from, and what is nearest to the centre is chosen: it is no farther from the
    centre than they are, so both differ by twice that distance at most. Other choices differ by sums of jumps 2 pi w_b b: where
    all of these lead away from the centre, the choice is the right one, to rounding. The oblique lattice has a shell of small
    weight, whose jumps of 0.04 Angstrom do not.
    """
    centres = places(4, lattice)
    data, _ = written(lattice, mesh, centres, principal=True)
    want = written(lattice, mesh, centres, principal=False)[1]
    found = on_branch(Path("x"), data, data.position, lattice, mesh, centres)
    assert not np.allclose(data.position, found)
    b, w = finite_differences(lattice, mesh)
    noise = want - centres
    half = 2 * np.pi * (w[:, None] * b)[[k for k, x in enumerate(b.tolist()) if x > [0, 0, 0]]]  # one of b and -b
    jumps = np.array(list(product(range(-2, 3), repeat=len(half)))) @ half
    length = (jumps**2).sum(axis=1)
    jumps, length = jumps[length > 1e-9], length[length > 1e-9]
    sure = (np.abs(noise @ jumps.T) < length / 2).all(axis=2)
    off = np.linalg.norm(diagonal_on_mesh(found, data.R, data.ndegen, mesh)[0] - want, axis=2)
    assert (off <= np.where(sure, 0.0, 2 * np.linalg.norm(noise, axis=2)) + 1e-9).all()
    assert sure.all() if lattice is HEXAGONAL else not sure.all()


def test_centres_of_another_run():
    """Positions that are no principal values are kept, with a warning; those that may be are not used, nor the centres."""
    centres, mesh = places(5, HEXAGONAL), (3, 3, 1)
    stale = centres.copy()
    stale[2] += 1.1, 0.4, 0.3
    data, _ = written(HEXAGONAL, mesh, centres, principal=False)
    with pytest.warns(AccuracyWarning, match=r"disagree about 1 of 6 .*Wannier function 3 at"):
        assert on_branch(Path("x"), data, data.position, HEXAGONAL, mesh, stale) is data.position
    data, _ = written(HEXAGONAL, mesh, centres, principal=True)
    with pytest.raises(FileFormatError, match=r"Wannier function 3 at .*; 1 such"):
        on_branch(Path("x"), data, data.position, HEXAGONAL, mesh, stale)


def without_companions(tmp_path, material, *endings):
    """A `_tb.dat` of the library, alone or with some of its companions."""
    for ending in ("_tb.dat.gz", *endings):
        file = next((MATERIALS / material.lower()).glob(f"{material}{ending}"))
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / material


@pytest.mark.parametrize("material", ["hBN", "VSe2", "Cr2O3"])
def test_a_bare_file_is_doubted(tmp_path, material):
    """5 to 14 Angstrom off; the R vectors say what the mesh was."""
    with pytest.warns(AccuracyWarning) as said:
        wannier90.load(without_companions(tmp_path, material), use_wsvec=False)
    assert any("principal value" in str(w.message) for w in said)


def test_a_layer_torn_at_the_end_of_the_cell_is_doubted(tmp_path):
    """h-BN lies at z = L/2, where principal values have either sign: 12 Angstrom apart, and the mesh has one point there."""
    path = without_companions(tmp_path, "hBN", ".win", "_wsvec.dat.gz")
    with pytest.warns(AccuracyWarning, match="may be off by several Angstrom"):
        found = wannier90.load(path)
    assert np.ptp(found.wannier_centres[:, 2]) == pytest.approx(12, abs=1e-4)
