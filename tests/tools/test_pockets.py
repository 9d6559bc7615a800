"""Claims of convergence and errors hold on random small pockets; the truths that they are held against are checked here too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pockets
import pytest
from pocket_problems import SX, SY, SZ, boxes, constant, cosine, draw, sine, summed
from pocket_truths import COARSE, E2_HBAR, FINE, HBAR, KB, TAU, Levels, Model, by_rays

SEED = 1
#: problems of this seed of which truths and runs take least time, of every kind but Bernal bilayers and those in 3D
QUICK = (1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 14, 16, 18, 19, 20, 22, 23, 24, 25, 26, 28, 31, 33, 34, 35, 47, 82, 93, 98, 100)
#: problems with truths that a uniform mesh can check: Rashba's, two valleys, an antiferromagnet with double bands
MESHES = (150, pytest.param(16, marks=pytest.mark.long), pytest.param(63, marks=pytest.mark.long))
#: the first problems of another seed, whatever they take
MANY = 60
#: seconds that a run may take here
SECONDS = 3.0


def assert_holds(studied: list[pockets.Studied]) -> None:
    """None false, none understated; and most is claimed."""
    verdicts = [v for s in studied for v in s.verdicts]
    assert not [str(v) for v in verdicts if v.false or v.understated]
    assert sum(v.claimed for v in verdicts) > 0.7 * len(verdicts)


def test_quick_problems() -> None:
    assert len(QUICK) == 30
    studied = [pockets.study(pockets.Item(SEED, n, pockets.RTOLS, 0, SECONDS)) for n in QUICK]
    assert None not in studied
    assert_holds([s for s in studied if s])


@pytest.mark.parametrize(
    ("number", "levels"),
    [
        # spin-split bands, a level far up: cells saw both Fermi lines and nothing between them, and 12 % were missing
        pytest.param(163, Levels(np.array([0.2051]), np.array([5.0])), id="ring between two Fermi lines"),
        # all nodes of a cell on one side of the level, one of them at 2.6 k_B T: a pocket of 1.2 tolerances lay between them
        pytest.param(350, None, id="pocket beside a node near the level"),
    ],
)
def test_what_cells_once_missed_is_seen(number: int, levels: Levels | None) -> None:
    """Both had been called converged."""
    problem = draw(0, number)
    problem = problem if levels is None else replace(problem, levels=levels)
    found = pockets.truth(problem)
    assert found is not None
    (verdict,) = pockets.judge(problem, found, pockets.Item(0, number, (1e-2,), 0, 60.0), 1e-2)
    assert verdict.claimed
    assert verdict.off < 1
    assert verdict.ratio < 1


@pytest.mark.long
def test_many_problems() -> None:
    studied = [pockets.study(pockets.Item(SEED + 1, n, pockets.RTOLS, 400_000, pockets.SECONDS)) for n in range(MANY)]
    assert sum(s is None for s in studied) < MANY / 5
    assert_holds([s for s in studied if s])


def test_page_is_of_these_scripts() -> None:
    text = pockets.PAGE.read_text(encoding="utf-8")
    assert pockets.fingerprint() in text, "the scripts have changed: `make validation` writes the page again"


# ---- truths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", MESHES)
def test_rays_against_uniform_meshes(number: int) -> None:
    """Both formulations of the zone's integral, to what both are sure to."""
    problem = draw(SEED, number)
    found = pockets.truth(problem)
    assert found is not None
    deviation = pockets.deviation_of_mesh(problem, found, 2_000_000)
    assert deviation is not None
    assert deviation < 2e-5  # the mesh to 4e-6 for each of two directions


def cone(mass: float, tilt: float) -> Model:
    """A lattice model of tilt k_x + mass s_z + 4 (k_y s_x - k_x s_y), per Angstrom, with nothing else near its gap."""
    parts = [constant((mass + 8) * SZ), cosine((1, 0), -4 * SZ), cosine((0, 1), -4 * SZ)]
    parts += [sine((1, 0), tilt * np.eye(2) - 4 * SY), sine((0, 1), 4 * SX)]
    hop = summed(*parts)
    return Model(np.eye(2), np.array(list(hop)), np.array(list(hop.values())), np.zeros((2, 2)))


@pytest.mark.parametrize("fineness", [FINE[2], COARSE[2]])
def test_closed_forms_of_the_tilted_cone(fineness) -> None:
    """physics.md sections 6e, 6f, and the extrinsic part that follows from the moment 4^2 m / 2 e^2 by parts, at T = 0.

    Far from the cone the lattice adds some 1 / (12 pi 4), what a gap of its size has. The pocket itself changes by 2 k^2 / mass
    of the lattice, (tilt / 4)^2, and (2e-3)^2 of the boxes: 1e-5.
    """
    m, tilt = 1e-5, 1e-2
    E = 3 * m
    levels = Levels(E + m * np.array([-2e-3, 0, 2e-3]), np.zeros(1))
    names = ("interband", "metric_curl", "extrinsic")
    found = by_rays(cone(m, tilt), levels, names, boxes(np.zeros((1, 2))), fineness._replace(octaves=24))
    interband, curl, extrinsic = (found[n][1, 0] / (E2_HBAR * 1e-10 * tilt) for n in names)
    close = {"rel": 1e-4, "abs": 0.01}
    assert -(interband + curl)[1] == pytest.approx(m**2 / (12 * np.pi * E**3), **close)
    assert -(interband + curl / 2)[1] == pytest.approx((3 * E**2 + 5 * m**2) / (96 * np.pi * E**3), **close)
    assert abs(extrinsic[0]) == pytest.approx(TAU / HBAR * m * (E**2 - m**2) / (4 * np.pi * E**3), rel=1e-4)
    assert abs(interband[0]) + abs(curl[0]) < 1e-4 * abs(interband[1])


def test_curvature_of_a_pocket_is_the_berry_phase_of_its_contour() -> None:
    """At T = 0, of the upper band; the phase of overlaps around the contour has no Kubo sum in it."""
    mass, level = 0.02, 0.05
    model = cone(mass, 1.2)
    found = by_rays(model, Levels(np.array([0.0, level]), np.zeros(1)), ("berry_curvature",), boxes(np.zeros((1, 2))), FINE[2])
    pocket = found["berry_curvature"][1, 0, 0] - found["berry_curvature"][0, 0, 0]
    angle = 2 * np.pi * np.arange(20_000) / 20_000
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    low, high = np.zeros(len(angle)), np.full(len(angle), 0.01)
    for _ in range(50):
        r = (low + high) / 2
        below = model.energies(r[:, None] * direction)[:, 1] < level
        low, high = np.where(below, r, low), np.where(below, high, r)
    k = low[:, None] * direction
    h = np.einsum("kr,rij->kij", np.exp(2j * np.pi * (k @ model.R.T)), model.H)
    u = np.linalg.eigh(h)[1][:, :, 1]
    phase = -np.angle((u.conj() * np.roll(u, -1, axis=0)).sum(axis=1)).sum()
    phase = (phase + np.pi) % (2 * np.pi) - np.pi
    assert pocket == pytest.approx(phase / (2 * np.pi) ** 2, rel=1e-6)  # the polygon's to 1 / 20000^2 times some


def test_warm_surfaces_are_averages_of_cold_ones() -> None:
    """A response at T > 0 is that of T = 0 folded with -df/de.

    Levels are h = k_B T / 3 apart from -14 to 14 k_B T. Their boxes are good to h^2 / 24 times the second derivative, of a
    response that changes within 12 meV = 6 k_B T: some 3e-4; what lies outside is 2e-6.
    """
    kT, n = 2e-3, 42
    fermi = 0.03 + kT / 3 * np.arange(-n, n + 1)
    model, name, box = cone(0.02, 1.2), ("metric_curl",), boxes(np.zeros((1, 2)))
    cold = by_rays(model, Levels(fermi, np.zeros(1)), name, box, COARSE[2])["metric_curl"]
    warm = by_rays(model, Levels(fermi[n : n + 1], np.array([kT / KB])), name, box, COARSE[2])["metric_curl"]
    share = 1 / (12 * np.cosh((fermi - fermi[n]) / 2 / kT) ** 2)
    assert np.tensordot(share, cold[:, 0], 1) == pytest.approx(warm[0, 0], abs=1e-3 * abs(warm).max())
