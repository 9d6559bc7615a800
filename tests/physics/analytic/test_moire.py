"""Moire continuum models: what is known of them in closed form, by symmetry, and from tight binding.

Twisted bilayer graphene: Bistritzer, MacDonald, PNAS 108, 12233 (2011). Homobilayers: Wu et al., PRL 122, 086402 (2019).
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from scipy import integrate
from scipy.optimize import fsolve
from toys import SIGMA

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, ConvergenceWarning, ModelError, SettingsError
from ome_wannier.integration.band_energies import mesh_energies
from ome_wannier.integration.symmetry_violations import operations
from ome_wannier.lattices.moire import HBAR2_M, twisted_bilayer_graphene, twisted_tmd
from ome_wannier.lattices.twisted import Bilayer
from ome_wannier.units import KB, alpha_to_si

A = 2.46
STRAINED = {"theta": 1.2, "strain": 0.003, "strain_angle": 20.0, "sublattice": 0.017, "cutoff": 1.6}
GRAPHENE = partial(twisted_bilayer_graphene, **STRAINED)
TMD = partial(twisted_tmd, theta=2.0, strain=0.005, displacement=0.01, cutoff=2.0)
MESH = (6, 6, 1)
#: identities hold at any cutoff, and low ones are fast
pytestmark = pytest.mark.filterwarnings("ignore:plane waves reach:ome_wannier.errors.AccuracyWarning")


def flat_width(theta):
    """Energies that the two bands at neutrality span, in eV."""
    model = twisted_bilayer_graphene(theta=theta, cutoff=2.0)
    e = mesh_energies(model, ome.KMesh((6, 6, 1)))
    return np.ptp(e[:, model.neutral - 1 : model.neutral + 1])


def test_magic_angle():
    """With w = 110 meV at AA and AB the narrowest bands are at 1.05 to 1.1 degrees, 5 times narrower than 0.1 away."""
    angles = np.array([0.95, 1.0, 1.05, 1.08, 1.1, 1.15, 1.2])
    widths = np.array([flat_width(t) for t in angles])
    assert 1.05 <= angles[widths.argmin()] <= 1.1
    assert widths.min() < widths[[0, -1]].min() / 5


def dirac_velocity(alpha):
    """Velocity of the cone at K of layer 1 in units of that without tunnelling, and the closed form of the first shell."""
    theta, velocity = 1.05, 5.96
    pair = Bilayer(A, theta, 0.0, 0.0, 0.165, 1, 2.0)
    corners = pair.corners @ pair.moire
    w = alpha * velocity * np.linalg.norm(corners[0] - corners[1])
    model = twisted_bilayer_graphene(theta=theta, velocity=velocity, w_aa=w, w_ab=w, cutoff=2.0)
    e, u = np.linalg.eigh(model.at(corners[:1], 0).H[0])
    cone = u[:, model.neutral - 1 : model.neutral + 1]
    assert np.ptp(e[model.neutral - 1 : model.neutral + 1]) < 1e-11
    v = np.conj(cone.T) @ model.linear[0] @ cone
    return np.sqrt(np.trace(v @ v).real / 2) / velocity, (1 - 3 * alpha**2) / (1 + 6 * alpha**2)


def test_velocity_at_the_dirac_point():
    """(1 - 3 a^2) / (1 + 6 a^2) keeps one shell; the next ones add at order a^4: twice a, 16 times the difference."""
    differences = []
    for alpha in (0.01, 0.02):
        v, formula = dirac_velocity(alpha)
        differences.append(v - formula)
        assert abs(differences[-1]) < 0.02 * (1 - formula)
    # the next order, a^6 with a coefficient of some hundreds, changes the ratio by 12 a^2 times a few
    assert differences[1] / differences[0] == pytest.approx(16, rel=0.02)


@pytest.mark.parametrize("valley", [1, -1])
@pytest.mark.parametrize("angle", [0.0, 25.0])
def test_strain_shifts_the_cones_as_in_tight_binding(valley, angle):
    """Zero of sum_j t_j exp(i q d_j), t_j = 1 - beta d_j e d_j / d^2, against where layer 1 of the model is gapless."""
    strain, beta, nu = 1e-4, 3.14, 0.165
    pair = Bilayer(A, 5.0, strain, angle, nu, valley, 2.0)
    angles = np.radians(90 + 120 * np.arange(3))
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    t = 1 - beta * np.einsum("ja,ab,jb->j", unit, pair.strains[0], unit)

    def f(q):
        z = (t * np.exp(1j * unit @ q * A / np.sqrt(3))).sum()
        return [z.real, z.imag]

    K = valley * np.array([4 * np.pi / (3 * A), 0.0])
    expected = fsolve(f, K, xtol=1e-11) - K
    model = twisted_bilayer_graphene(theta=5.0, strain=strain, strain_angle=angle, w_aa=0, w_ab=0, cutoff=2.0, valley=valley)
    block, slope = model.constant[:2, :2], model.linear[:, :2, :2]
    part = np.array([[np.trace(s @ x).real for x in slope] for s in SIGMA[:2]])
    k = np.linalg.solve(part, [-np.trace(s @ block).real for s in SIGMA[:2]])
    p = pair.deformations[0].T @ (k + (pair.waves[0, 0] - pair.corners[0]) @ pair.moire)
    # linear in strain: the next order is smaller by the strain times numbers of order beta
    assert p == pytest.approx(expected, rel=0, abs=10 * strain * np.abs(expected).max())


def test_layers_of_massive_and_massless_cones():
    """Without tunnelling the curvature below neutrality is sum_G m v^2 / 2 (m^2 + v^2 p^2)^(3/2) of layer 1, with its sign."""
    m, v = 0.02, 5.96
    pair = Bilayer(A, 2.0, 0.0, 0.0, 0.165, 1, 2.0)
    model = twisted_bilayer_graphene(theta=2.0, w_aa=0, w_ab=0, sublattice=m, velocity=v, cutoff=2.0)
    k = np.array([[0.12, 0.21, 0.0], [-0.3, 0.07, 0.0]])
    table = ome.tabulate(model, k, ["berry_curvature"])
    got = table.berry_curvature.values[:, : model.neutral, 0].sum(axis=1)
    p = model.folded(k)[:, None] + (pair.waves[0] - pair.corners[0]) @ pair.moire
    expected = (m * v**2 / 2 / (m**2 + v**2 * (p**2).sum(axis=2)) ** 1.5).sum(axis=1)
    assert got == pytest.approx(expected, rel=1e-9)


def test_one_wave_is_the_tilted_cone():
    """-v_t times the integral of G_yy / E over a square zone (-v_t / 12 pi m over the plane), G_yy as in test_dirac.

    The zone ends at 60 m/v and points are m/2v apart: the mesh is exact to exp(-4 pi), some 1e-5.
    """
    a, m, tilt = 4.0, 0.01, 0.8
    side = np.pi / (60 * m / a)
    gradient = np.stack([tilt * np.eye(2) - a * SIGMA[1], a * SIGMA[0]])
    cone = ome.PlaneWaves(np.diag([side, side, 1.0]), m * SIGMA[2], gradient, neutral=1)
    result = ome.compute(cone, (240, 240, 1), ["total"], [-1e-4, 0.0, 1e-4], temperature=0.0)
    value = result["total"].values[1, 0] / alpha_to_si(2)
    density = lambda y, x: (1 - y**2 / (1 + x**2 + y**2)) / (4 * (1 + x**2 + y**2) ** 1.5)  # noqa: E731
    square = integrate.dblquad(density, 0, 60, 0, 60, epsabs=1e-9)[0] * 4 / (2 * np.pi) ** 2
    assert square == pytest.approx(1 / (12 * np.pi), rel=0.02)
    assert value[1] == pytest.approx(-tilt / m * square, rel=1e-4)
    assert abs(value[0]) < 1e-6  # points on the edge of the zone stand on one side of it


def test_decoupled_parabolas():
    """Without potential and tunnelling: -hbar^2 |k + G - kappa|^2 / 2 m with the corners kappa of Wu et al."""
    theta, mass, u = 3.0, 0.62, 0.01
    model = twisted_tmd(theta=theta, mass=mass, potential=0, tunnelling=0, displacement=u, cutoff=3.0)
    side = 3.472 / (2 * np.sin(np.radians(theta) / 2))
    assert np.linalg.norm(model.lattice[:2], axis=1) == pytest.approx(side, rel=1e-12)
    radius = 4 * np.pi / (3 * side)
    k = np.array([[0.1, 0.27, 0.0]])
    q = model.folded(k)[0]
    grid = np.arange(-6, 7)
    G = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2) @ model.reciprocal
    pair = Bilayer(3.472, theta, 0.0, 0.0, 0.24, 1, 3.0)
    corners = pair.corners @ pair.moire  # neighbours on a hexagon, so not equivalent
    assert np.linalg.norm(corners[0] - corners[1]) == pytest.approx(radius, rel=1e-12)
    assert np.linalg.norm(corners, axis=1) == pytest.approx(radius, rel=1e-12)
    levels = [-HBAR2_M / (2 * mass) * ((q + G - c) ** 2).sum(axis=1) + s * u / 2 for c, s in zip(corners, (1, -1), strict=True)]
    expected = np.sort(np.concatenate(levels))[-12:]
    assert np.linalg.eigvalsh(model.matrices(k, 0).H)[0, -12:] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("displacement", "expected"), [(0.0, 1), (0.03, 0)])
def test_chern_number_of_the_highest_band(displacement, expected):
    """Wu et al.: at 1.2 degrees the highest band of MoTe2 carries one quantum; a displacement field makes it trivial."""
    numbers = []
    for valley in (1, -1):
        model = twisted_tmd(theta=1.2, displacement=displacement, cutoff=4.0, valley=valley)
        result = ome.compute(model, (12, 12, 1), ["berry_curvature"], filling=-1, temperature=0.0)
        numbers.append(2 * np.pi * result.berry_curvature.values.item())
    # measured with the cutoff: 0.7996 at 2.5, 0.99988 at 4, 1 - 2e-9 at 5
    assert abs(numbers[0]) == pytest.approx(expected, abs=1e-3)
    assert numbers[0] == pytest.approx(-numbers[1], abs=1e-3)


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_derivatives(build):
    """V and W against central differences, exact for a quadratic Hamiltonian but for rounding."""
    model = build()
    q, h = np.array([[0.003, -0.004]]), 1e-3
    found = model.at(q, 2)
    for a, step in enumerate(h * np.eye(2)):
        high, low = model.at(q + step, 2), model.at(q - step, 2)
        assert np.abs(found.V[:, a] - (high.H - low.H) / (2 * h)).max() < 1e-11 / h
        assert np.abs(found.W[:, a] - (high.V - low.V) / (2 * h)).max() < 1e-11 / h


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_bands_repeat_up_to_the_cutoff(build):
    """Energies at k and k + G, computed without folding, differ by what the cutoff leaves out."""
    q = np.array([[0.004, 0.009]])
    changes = []
    for cutoff in (2.0, 4.0):
        model = build(cutoff=cutoff)
        near = slice(model.neutral - 2, model.neutral + 2)
        e = [np.linalg.eigvalsh(model.at(p, 0).H)[0, near] for p in (q, q + model.reciprocal[:1])]
        changes.append(np.abs(e[0] - e[1]).max())
    assert changes[1] < changes[0] / 30
    assert changes[1] < 1e-4


def responses(model, q):
    """Energies (nk, n) and the weights (nk, n, 2) of total's interband share, and of the extrinsic part, at Cartesian q."""
    k = np.concatenate([q @ model.lattice[:2, :2].T / (2 * np.pi), np.zeros((len(q), 1))], axis=1)
    assert model.folded(k) == pytest.approx(q, abs=1e-12)  # inside the zone, where nothing is folded
    table = ome.tabulate(model, k, ["interband", "extrinsic"])
    interband, extrinsic = (table[name].sel(moment="z", field=["x", "y"]).values for name in ("interband", "extrinsic"))
    return table.energy.values, interband, extrinsic


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_threefold_rotation_forbids_a_moment(build):
    """Sums over three points that rotations join vanish without strain; time reversal is no symmetry of one valley."""
    turn = np.array([[-0.5, -np.sqrt(0.75)], [np.sqrt(0.75), -0.5]])
    start = np.array([0.17, 0.11]) @ build(strain=0.0).reciprocal
    q = np.stack([start, turn @ start, turn @ turn @ start])
    model = build(strain=0.0)
    e, *weights = responses(model, q)
    assert e[1:] == pytest.approx(e[:2], abs=1e-11)
    for w in weights:
        filled = w[:, : model.neutral - 1].sum(axis=1)
        assert abs(filled.sum(axis=0)).max() < 1e-7 * abs(filled).max()
    names = [g.name for g in operations(model) if g.exact]
    assert "3-fold rotation about (0, 0, 1)" in names
    assert not {"time reversal", "inversion"} & set(names)
    # the mirror normal to (0, 0, 1) leaves every k where it is, but swaps the two layers, which are not the same
    assert [g.name for g in operations(build()) if g.exact] == ["identity"]


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_time_reversal_joins_the_valleys(build):
    """Energies at k and -k equal, extrinsic responses equal, intrinsic ones opposite."""
    one, other = build(), build(valley=-1)
    q = np.array([[0.17, 0.11], [-0.05, 0.31]]) @ one.reciprocal
    (e, a, x), (e_, a_, x_) = responses(one, q), responses(other, -q)
    assert e == pytest.approx(e_, abs=1e-11)
    for here, there, sign in ((a, a_, -1), (x, x_, 1)):
        sums = [w[:, : one.neutral - 1].sum(axis=1) for w in (here, there)]
        assert abs(sums[0] - sign * sums[1]).max() < 1e-7 * abs(sums[0]).max() > 0


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_parts_add_up(build):
    """The positions commute: dipole + local_intraband + itinerant + local = total, every element, in metals too."""
    names = ["total", "dipole", "local_intraband", "itinerant", "local"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # the parts may exceed their sum by far
        result = ome.compute(build(), MESH, names, filling=-0.7, temperature=50.0)
    total, *parts = (result[name].sel(moment="z", field=["x", "y"]).values for name in names)
    assert abs(total - sum(parts)).max() < 1e-9 * max(abs(p).max() for p in parts)


def test_filling_counts_from_neutrality():
    """Neutral graphene at the gap of the sublattice potential, whatever the cutoff; one electron per spin fills one band."""
    ask = {"kmesh": MESH, "calculators": ["berry_curvature"], "temperature": 0.0}
    levels = [ome.compute(GRAPHENE(cutoff=c), filling=0, **ask).fermi.item() for c in (2.0, 3.0)]
    assert levels[0] == pytest.approx(levels[1], abs=1e-3)
    model = GRAPHENE()
    e = mesh_energies(model, ome.KMesh(MESH))
    assert e[:, model.neutral - 1].max() < ome.compute(model, filling=0, **ask).fermi.item()
    one = ome.compute(model, filling=2, **ask).fermi.item()
    assert (e < one + 1e-12).sum() / len(e) == pytest.approx(model.neutral + 1, abs=0.1)


@pytest.mark.parametrize("build", [GRAPHENE, TMD], ids=["graphene", "tmd"])
def test_levels_of_fillings(build):
    """Those that compute() takes for each filling, and electrons counted by hand."""
    model, fillings, temperature = build(), [-1.3, -1.0, -0.4], 30.0
    levels = ome.fermi_levels(model, MESH, fillings, temperature)
    ask = {"kmesh": MESH, "calculators": ["berry_curvature"], "temperature": temperature}
    assert levels == pytest.approx([ome.compute(model, filling=n, **ask).fermi.item() for n in fillings], abs=1e-10)
    e = mesh_energies(model, ome.KMesh(MESH))
    held = model.spin_degeneracy * (0.5 * (1 - np.tanh((e[None] - levels[:, None, None]) / (2 * KB * temperature)))).sum(axis=2)
    counted = held.mean(axis=1) - model.spin_degeneracy * model.neutral
    assert counted[[0, 2]] == pytest.approx([-1.3, -0.4], abs=1e-9)  # at -1 it is the middle of a gap that is taken
    for bad in (-1.0, [np.nan], [1e6]):
        with pytest.raises(SettingsError):
            ome.fermi_levels(model, MESH, bad, temperature)


def test_local_circulation_of_some_bands():
    """All bands: `local`. Two: nothing, three take part. Three: the sum over the only three there are, written out."""
    model, k = TMD(), np.array([[0.13, 0.21, 0.0], [-0.3, 0.07, 0.0]])
    n = model.n_orbitals
    three = ome.local_within(-3)
    table = ome.tabulate(model, k, ["local", ome.local_within(0, n), ome.local_within(n - 2, n), three])
    size = abs(table.local.values).max()
    assert table[ome.local_within(0, n).name].values == pytest.approx(table.local.values, abs=1e-9 * size)
    assert abs(table[ome.local_within(n - 2, n).name].values).max() < 1e-12 * size
    M = model.matrices(k, 1)
    e, u = np.linalg.eigh(M.H)
    v = np.einsum("kij,kail,klm->kajm", u.conj(), M.V, u)[:, :, -3:, -3:]
    e = e[:, -3:]
    gap = e[:, :, None] - e[:, None, :] + np.eye(3)
    off = 1 - np.eye(3)
    R = -1j * v * (off / gap)[:, None]
    X = (v * off)[:, 0] @ R[:, 1] - (v * off)[:, 1] @ R[:, 0]
    operator = (X + np.conj(np.swapaxes(X, 1, 2))) / 2
    for b in (0, 1):
        S = R[:, b] * off / gap
        pairs = 2 * np.real(S * np.swapaxes(operator, 1, 2)) / 2  # of one electron in n, none in p
        # with the highest band of the three empty, and with the two highest
        one = (pairs[:, 0, 2] + pairs[:, 1, 2]), (pairs[:, 0, 1] + pairs[:, 0, 2])
        found = np.cumsum(table[three.name].values[:, :, 0, b], axis=1)[:, -3:]
        assert found[:, 1] == pytest.approx(one[0], rel=1e-7, abs=1e-9 * size)
        assert found[:, 0] == pytest.approx(one[1], rel=1e-7, abs=1e-9 * size)


def test_cutoff_is_looked_at():
    """Too few plane waves: a warning that names the quantity. Enough of them: none."""
    ask = {"kmesh": (12, 12, 1), "calculators": ["total"], "filling": -1, "temperature": 60.0}
    with pytest.warns(ConvergenceWarning, match=r"total moves by .* from cutoff 1 to 2"):
        ome.check_cutoff(partial(twisted_tmd, theta=2.0, strain=0.005, displacement=0.02), 1, **ask)
    result = ome.check_cutoff(partial(twisted_tmd, theta=2.0, strain=0.005, displacement=0.02), 3, **ask)
    assert abs(result.total_cutoff_change.values).max() < result.total_error.values.max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta": 0.0}, "no moire lattice"),
        ({"valley": 2}, "valley is 2"),
        ({"cutoff": 0}, "cutoff is 0"),
        ({"theta": float("nan")}, "finite"),
        ({"spin_degeneracy": 4}, "valleys are separate models"),
    ],
)
def test_nonsense_is_named(options, message):
    for build in (twisted_bilayer_graphene, twisted_tmd):
        with pytest.raises(ModelError, match=message):
            build(**options)


def test_a_sublattice_potential_breaks_twofold_axis_with_time_reversal() -> None:
    """It leaves energies alone and makes curvatures of some per cent of the metric: more than an exact model's rounding."""

    def held(sublattice: float) -> set[str]:
        model = twisted_bilayer_graphene(theta=1.2, strain=0.001, sublattice=sublattice, cutoff=3.0)
        return {o.name for o in operations(model) if o.exact}

    broken = "2-fold rotation about (0, 0, 1) x time reversal"
    assert broken in held(0.0)
    assert broken not in held(0.002)
