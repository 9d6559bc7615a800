"""The histogram of a scan against the Fermi function evaluated at every state; Fermi levels from a number of electrons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from toys import fermi as fermi_function
from toys import minus_derivative, thermal

from ome_wannier.errors import SettingsError
from ome_wannier.integration.occupation import fermi as module
from ome_wannier.integration.occupation.fermi_level import fermi_level
from ome_wannier.integration.occupation.histogram import Occupation
from ome_wannier.units import KB

#: non-uniform, and dense enough that neighbouring thermal windows overlap
LEVELS = np.array([-1.3, -0.4, -0.399, -0.1, 0.0, 0.02, 0.7, 1.9])
#: columns: two sea, two surface, one of the grand potential
SURFACE = np.array([False, True, True, False, False])
GRAND = np.array([False, False, False, False, True])
#: and one of a gradient of the temperature, which T = 0 does not have
KINDS = np.append(SURFACE + 2 * GRAND, 3)


@pytest.fixture
def states(rng):
    """Energies from below the lowest level to above the highest, and five weights of both signs for each."""
    energies = rng.uniform(-3, 3, 4000)
    return energies, rng.normal(size=(4000, 5)) * [1, 10, 1, 0.1, 3]


def scan(occupation, energies, weights, chunks=1):
    histogram = np.zeros((occupation.n_rows, weights.shape[1]))
    for part in np.array_split(np.arange(len(energies)), chunks):
        occupation.add(histogram, energies[part], weights[part])
    return occupation.evaluate(histogram, KINDS[: weights.shape[1]])


def direct(energies, weights, mu, T):
    """Of all six columns."""
    each = [f(energies, mu, T * KB) @ weights for f in (fermi_function, minus_derivative, grand, thermal)]
    return np.choose(KINDS, each)


def grand(energies, mu, kT):
    """The integral of f over the level, from the logarithm of the partition function of a state."""
    return kT * np.log1p(np.exp(-np.abs(mu - energies) / kT)) + np.maximum(mu - energies, 0)


@pytest.mark.parametrize("temperatures", [[300.0], [40.0, 77.0, 300.0, 2500.0], [900.0, 120.0]])
def test_finite_temperature(states, temperatures):
    """Sea and surface at several temperatures at once, against direct sums: 1e-6 of the sum of absolute weights (x 1/kT).

    The bound holds state by state, hence for weights of any sign.
    """
    energies, weights = states[0], np.append(states[1], 4 * states[1][:, :1], axis=1)
    got = scan(Occupation(LEVELS, np.array(temperatures), grand=True, thermal=True), energies, weights)
    for t, T in enumerate(temperatures):
        size = np.abs(weights).sum(axis=0) * np.choose(KINDS, [1, 1 / (T * KB), T * KB, 1 / (T * KB)])
        for i, mu in enumerate(LEVELS):
            assert (np.abs(got[i, t] - direct(energies, weights, mu, T)) <= 1e-6 * size).all()


def test_interpolation_error_of_one_state(rng):
    """The stated bounds, for single states at any distance: 5e-8 for f, 2e-7/kT for -df/de, alone and times (e - mu)/kT, and
    5e-8 kT for g at the lowest T.

    Cubic Lagrange interpolation in the middle of four nodes errs by at most 9/16 x 1/24 h^4 |f''''| = 3/128 h^4 |f''''|,
    with max |f''''| = 1/8 and max |f'''''| = 1/4 of the Fermi function in units of kT: 4.5e-8 and 9e-8.
    For g it is that of f''', 1/8, and for the weight of a gradient of the temperature 0.534: 1.9e-7.
    """
    T = 300.0
    x = np.sort(np.concatenate([np.linspace(-45, 45, 3001), rng.uniform(-4, 4, 1000)]))
    worst = np.zeros(4)
    one = Occupation(np.array([0.1]), np.array([T]), grand=True, thermal=True)
    for energy in 0.1 + x * T * KB:
        histogram = np.zeros((one.n_rows, 4))
        one.add(histogram, np.array([energy]), np.ones((1, 4)))
        got = one.evaluate(histogram, np.arange(4))[0, 0]
        exact = np.array([f(energy, 0.1, T * KB) for f in (fermi_function, minus_derivative, grand, thermal)])
        worst = np.maximum(worst, np.abs(got - exact) * [1, T * KB, 1 / (T * KB), T * KB])
    assert worst[0] < 5e-8
    assert worst[1] < 2e-7
    assert worst[2] < 5e-8
    assert worst[3] < 2e-7
    assert (worst > 1e-9).all()  # it is the interpolation that is seen


@pytest.mark.parametrize("temperatures", [[300.0], [100.0, 300.0, 2500.0]])
def test_interpolation_error_of_bands(temperatures):
    """Two smooth bands on a dense mesh: over the levels (single ones change sign) the histogram errs by less than it says."""
    k = 2 * np.pi * np.arange(200_000) / 200_000
    energies = np.concatenate([np.cos(k), 0.3 + 0.5 * np.sin(2 * k)])
    weights = np.stack([1.5 + np.sin(3 * np.tile(k, 2)) + i * energies**i for i in range(6)], axis=1)
    occupation, levels = Occupation(LEVELS[:-1], np.array(temperatures), grand=True, thermal=True), LEVELS[:-1]
    histogram = np.zeros((occupation.n_rows, 6))
    occupation.add(histogram, energies, weights)
    got = occupation.evaluate(histogram, KINDS)
    error = occupation.interpolation_error(histogram, got, KINDS)
    for t, T in enumerate(temperatures):
        off = got[:, t] - [direct(energies, weights, mu, T) for mu in levels]
        assert np.all(np.linalg.norm(off, axis=0) < np.linalg.norm(error[:, t], axis=0))
        assert np.all(np.linalg.norm(error[:, t], axis=0) < 30 * np.linalg.norm(off, axis=0))


def test_factors_of_pairs_have_the_entropy():
    """T S = -k_B T (f log f + (1 - f) log(1 - f)); nothing at T = 0, where states are full or empty."""
    energies = np.linspace(-0.4, 0.5, 19)[:, None]
    f, df, entropy = Occupation(LEVELS[3:6], np.array([0.0, 300.0]), grand=True).factors_of_pairs(energies).values()
    x = (energies - LEVELS[3:6]) / (300 * KB)
    filled = 1 / (1 + np.exp(x))
    expected = -300 * KB * (filled * np.log(filled) + (1 - filled) * np.log1p(-filled))
    np.testing.assert_allclose(entropy[:, 0, 1::2], expected, atol=1e-15)
    assert not entropy[:, 0, ::2].any()
    np.testing.assert_allclose(f[:, 0, 1::2], filled, rtol=1e-13)
    assert df.shape == f.shape


def test_zero_temperature_is_exact(states):
    """Counts at T = 0: e <= mu for the sea, mu - e of those; for the surface states between the middles of the levels."""
    energies, weights = states
    energies = np.concatenate([energies, LEVELS])  # states that lie exactly on a level are occupied
    weights = np.concatenate([weights, np.ones((len(LEVELS), 5))])
    got = scan(Occupation(LEVELS, np.array([0.0]), grand=True), energies, weights)[:, 0]
    middle = (LEVELS[1:] + LEVELS[:-1]) / 2
    edges = np.concatenate([[2 * LEVELS[0] - middle[0]], middle, [2 * LEVELS[-1] - middle[-1]]])
    for i, mu in enumerate(LEVELS):
        sea = weights[energies <= mu].sum(axis=0)
        sea[GRAND] = (np.maximum(mu - energies, 0) @ weights)[GRAND]
        inside = (energies > edges[i]) & (energies <= edges[i + 1])
        box = weights[inside].sum(axis=0) / (edges[i + 1] - edges[i])
        np.testing.assert_allclose(got[i], np.where(SURFACE, box, sea), rtol=0, atol=1e-13 * np.abs(weights).sum())
    # the boxes tile the range: their integral is the change of the sea
    total = (got[:, SURFACE] * np.diff(edges)[:, None]).sum(axis=0)
    whole = weights[(energies > edges[0]) & (energies <= edges[-1])].sum(axis=0)[SURFACE]
    np.testing.assert_allclose(total, whole, rtol=1e-10)


def test_zero_and_finite_temperatures_together(states):
    """A scan with T = 0 among others gives what separate scans give."""
    energies, weights = states
    mixed = scan(Occupation(LEVELS, np.array([300.0, 0.0, 50.0]), grand=True), energies, weights)
    assert np.array_equal(mixed[:, 1], scan(Occupation(LEVELS, np.array([0.0]), grand=True), energies, weights)[:, 0])
    warm = scan(Occupation(LEVELS, np.array([300.0, 50.0]), grand=True), energies, weights)
    assert np.array_equal(mixed[:, [0, 2]], warm)


def test_zero_temperature_with_a_single_level(states):
    """One level suffices for sea quantities."""
    energies, weights = states
    got = scan(Occupation(np.array([0.2]), np.array([0.0]), surface=False), energies, weights[:, :1])
    assert got[0, 0, 0] == pytest.approx(weights[energies <= 0.2, 0].sum(), abs=1e-10)


def test_low_temperature_approaches_zero(states):
    """A degree above zero, levels between states: the sea is what it is at T = 0."""
    energies = np.array([-2.0, -0.5, 0.2, 0.9, 2.5])
    weights = np.arange(25.0).reshape(5, 5) + 1
    cold = scan(Occupation(np.array([0.0, 0.5]), np.array([0.0, 1.0]), grand=True), energies, weights)
    np.testing.assert_allclose(cold[:, 1, ~SURFACE], cold[:, 0, ~SURFACE], rtol=1e-14)
    assert (cold[:, 1, SURFACE] == 0).all()


@pytest.mark.parametrize("chunks", [2, 7, 4000])
def test_chunks_change_no_bit(states, chunks):
    """States enter one after the other, so it does not matter how they are handed over."""
    energies, weights = states
    occupation = Occupation(LEVELS, np.array([0.0, 60.0, 300.0]), grand=True)
    assert np.array_equal(scan(occupation, energies, weights, chunks), scan(occupation, energies, weights))


def test_far_states(states):
    """States far below the grid count fully, states far above not at all, without overflow (warnings are errors)."""
    weights = np.ones((4, 5))
    energies = np.array([-1e6, -1e3, 1e3, 1e6])
    got = scan(Occupation(LEVELS, np.array([0.0, 3.0, 300.0]), grand=True), energies, weights)
    assert (got[:, :, ~SURFACE & ~GRAND] == 2).all()
    np.testing.assert_allclose(got[:, :, GRAND], np.broadcast_to((2 * LEVELS + 1.001e6)[:, None, None], (8, 3, 1)), rtol=1e-15)
    assert (got[:, :, SURFACE] == 0).all()


def test_functions_are_stable_and_symmetric():
    """f(-x) = 1 - f(x); no overflow; a step that includes its edge at T = 0."""
    right = np.geomspace(1e-9, 1e5, 200)
    x = np.concatenate([-right[::-1], [0], right])
    f = module.fermi_function(x, 0.0, 1.0)
    np.testing.assert_allclose(f + f[::-1], 1, rtol=1e-15)
    np.testing.assert_allclose(f, fermi_function(x, 0.0, 1.0), rtol=0, atol=1e-15)
    assert module.fermi_function(np.array([-1.0, 0.0, 1e-300]), 0.0, 0.0).tolist() == [1, 1, 0]
    df = module.minus_fermi_derivative(x, 0.0, 1.0)
    assert np.array_equal(df, df[::-1])
    near = np.abs(x) < 300
    np.testing.assert_allclose(df[near], minus_derivative(x[near], 0.0, 1.0), rtol=1e-13)


@pytest.mark.parametrize(
    ("levels", "temperatures", "message"),
    [
        ([], [300.0], "one or more finite energies"),
        ([[0.0, 1.0]], [300.0], "one or more finite energies"),
        ([0.0, np.nan], [300.0], "one or more finite energies"),
        ([np.inf], [300.0], "one or more finite energies"),
        ([1.0, 0.0], [300.0], "must ascend"),
        ([0.0, 0.0], [300.0], "must ascend"),
        ([0.0], [], "temperature must be"),
        ([0.0], [-1.0], "temperature must be"),
        ([0.0], [np.nan], "temperature must be"),
        ([0.0], [np.inf], "temperature must be"),
        ([0.0], [0.0], "two or more Fermi levels"),
        ([0.0], [300.0, 0.0], "two or more Fermi levels"),
    ],
)
def test_settings_errors(levels, temperatures, message):
    """Every unusable setting is named."""
    with pytest.raises(SettingsError, match=message):
        Occupation(np.array(levels), np.array(temperatures))


# ---- Fermi level from the number of electrons ------------------------------------------------------------------------


@pytest.fixture
def bands(rng):
    """200 k points, bands at -1 to -0.5, 1 to 2 and overlapping ones from 1.8 to 4; ascending per k."""
    e = np.sort(rng.uniform(size=(200, 4)) * [0.5, 1, 1.2, 2] + [-1, 1, 1.8, 2], axis=1)
    return e, np.full(200, 1 / 200)


@pytest.mark.parametrize("degeneracy", [1, 2])
def test_insulator(bands, degeneracy):
    """A filled band at T = 0: the middle of the gap."""
    e, w = bands
    middle = (e[:, 0].max() + e[:, 1].min()) / 2
    assert fermi_level(e, degeneracy * w, degeneracy) == middle


@pytest.mark.parametrize("kT", [1e-4, 2e-3, 0.026, 0.3])
@pytest.mark.parametrize("gap", [0.0, 0.02, 1.5, 8.0])
@pytest.mark.parametrize(("valence", "conduction"), [(1.0, 1.0), (16.0, 1.0), (0.2, 3.0)])
def test_electrons_are_holes_of_two_parabolas(kT, gap, valence, conduction):
    """A filled band at T > 0 in two dimensions, where a band of mass m has m states per energy.

    The electrons are m_c kT log(1 + exp((mu - E_c) / kT)), the holes likewise; deep in a gap that is mu = kT/2 log(m_v / m_c)
    from its middle. The bands are the midpoints of equal steps, h kT wide for the lighter one, whose sums err by h^2 / 24.
    """
    masses, h, reach = np.array([valence, conduction]), 0.01, 40.0
    x = kT * h * masses.min() * (np.arange(int(reach * masses.max() / h / masses.min())) + 0.5)
    energies = np.stack([-gap / 2 - x / valence, gap / 2 + x / conduction], axis=1)

    def log_number(y):
        """log log(1 + e^y) without underflow."""
        return y if y < -40 else np.log(np.log1p(np.exp(y)))

    def excess(mu):
        electrons, holes = (log_number((s * mu - gap / 2) / kT) for s in (1, -1))
        return electrons + np.log(conduction) - holes - np.log(valence)

    true = brentq(excess, -20 * kT, 20 * kT, xtol=1e-16)
    assert fermi_level(energies, np.full(len(x), 1 / len(x)), 1.0, kT) == pytest.approx(true, abs=2 * h**2 / 24 * kT)
    deep = kT / 2 * np.log(valence / conduction)
    if gap / 2 > abs(deep) + 5 * kT:
        assert true == pytest.approx(deep, abs=kT * np.exp((abs(deep) - gap / 2) / kT) + 1e-15)


@pytest.mark.parametrize("extra", [0.0, 1e-9, -1e-9, 1e-4, -0.3])
@pytest.mark.parametrize("kT", [1e-4, 1e-2, 0.1])
def test_electrons_to_rounding(bands, extra, kT):
    """The number of electrons above the first band less the holes in it, as sums of small numbers of their own."""
    e, w = bands
    mu = fermi_level(e, w, 1 + extra, kT)
    x = (e - mu) / kT
    electrons = w @ np.exp(-np.logaddexp(0, x[:, 1:])).sum(axis=1)
    holes = w @ np.exp(-np.logaddexp(0, -x[:, 0]))
    # rounding of mu is 1e-16, that of 1 + 1e-9 and of the sum of the weights some 1e-16
    assert electrons - holes == pytest.approx(extra, abs=1e-15 + 1e-15 / kT * max(electrons, holes))


def test_level_of_a_few_electrons(bands):
    """Far below all bands, of a number that no double holds beside 1, and its mirror image."""
    e, w = bands
    mu = fermi_level(e, w, 1e-20, 0.02)
    assert w @ np.exp((mu - e) / 0.02).sum(axis=1) == pytest.approx(1e-20, rel=1e-9)
    assert fermi_level(-e[:, ::-1], w, 4 - 1e-6, 0.02) == pytest.approx(-fermi_level(e, w, 1e-6, 0.02), abs=1e-10)


@pytest.mark.parametrize("electrons", [0.3, 1.7, 2.0, 2.5, 3.99])
@pytest.mark.parametrize("degeneracy", [1, 2])
def test_metal(bands, electrons, degeneracy):
    """The level holds the electrons: exactly at T > 0, to one state of the mesh at T = 0; 2.0 has overlapping bands."""
    e, w = bands
    w, electrons = degeneracy * w, degeneracy * electrons
    mu = fermi_level(e, w, electrons)
    below, above = w @ (e < mu).sum(axis=1), w @ (e <= mu).sum(axis=1)
    assert below < electrons <= above + 1e-9
    for kT in (0.002, 0.1):
        mu = fermi_level(e, w, electrons, kT)
        assert w @ fermi_function(e, mu, kT).sum(axis=1) == pytest.approx(electrons, abs=1e-9)


def test_unequal_weights(bands, rng):
    """Weights of k points need not be equal (irreducible meshes)."""
    e, _ = bands
    w = rng.uniform(0.5, 1.5, len(e))
    w /= w.sum()
    mu = fermi_level(e, w, 1.5)
    assert w @ (e < mu).sum(axis=1) < 1.5 <= w @ (e <= mu).sum(axis=1) + 1e-9
    mu = fermi_level(e, w, 1.5, 0.03)
    assert w @ fermi_function(e, mu, 0.03).sum(axis=1) == pytest.approx(1.5, abs=1e-9)


@pytest.mark.parametrize("electrons", [0.0, -1.0, 4.0, 5.0, np.nan])
def test_impossible_fillings(bands, electrons):
    """Nothing, everything, more, or not a number."""
    with pytest.raises(SettingsError, match="less than 4"):
        fermi_level(*bands, electrons)
