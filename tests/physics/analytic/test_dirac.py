"""Numbers that are known exactly: the tilted massive Dirac cone, a 3D Dirac point, a Chern number, the conversions of units.

The references are integrals done by hand or by quadrature of closed forms written here. For two bands d(k).sigma + v_t k_x
with |d| = E0: |R_a R_b| between them is the metric G_ab = (d_a d . d_b d - d_a E0 d_b E0) / (4 E0^2); with
d = (alpha k_y, -alpha k_x, m) that is alpha^2 (delta_ab - alpha^2 k_a k_b / E0^2) / (4 E0^2).
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate
from toys import SIGMA, haldane, tilted_dirac

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.calculators import semiclassical_with
from ome_wannier.errors import AccuracyWarning, SettingsError

ALPHA, M, V_T = 4.0, 0.01, 0.8
LEVELS = [0.0, 0.0101, 0.0150, 0.0300]
#: physics.md section 7: <y>, L'_d, L'_IC in the gap and at the three Fermi levels, as many digits as it gives
POLARIZABILITY = [-2.6525823848649, -2.53977993771, -1.50601881899, -0.68607494673]
DIPOLE = [-2.1220659078919, -2.03182395, -1.20481506, -0.54885996]
ITINERANT = [0.0, 0.0876343464, 0.592456704, 0.470785995]
#: parts of the response, every form that exists
PARTS = [
    "dipole_polarizability",
    "dipole",
    "itinerant",
    "itinerant_sea",
    "local",
    "local_intraband",
    "interband",
    "metric_curl",
    "metric_curl_sea",
    "total",
    "total_published",
    "extrinsic",
]


def internal(result, name):
    """Values in units of e^2/hbar and Angstrom."""
    return result[name].values / (1.0 if name == "dipole_polarizability" else units.alpha_to_si(2))


@pytest.fixture(scope="module", params=[True, False], ids=["derivatives given", "finite differences"])
def cone(request):
    model = tilted_dirac(V_T, ALPHA, M, derivatives=request.param)
    return ome.compute(model, ome.PolarMesh(), PARTS, LEVELS, temperature=0.0)


def last_digit(reference):
    """Half a unit of the last digit that a printed number carries, beside 1e-8 relative."""
    digits = len(repr(reference).split(".")[1])
    return max(0.51 * 10.0**-digits, 1e-8 * abs(reference))


@pytest.mark.parametrize("i", range(4), ids=[f"E_F={mu}" for mu in LEVELS])
def test_table(cone, i):
    """<y>, L'_d = v_t <y>, L'_IC and the absence of a local part, against the exact integrals of physics.md section 7."""
    y = internal(cone, "dipole_polarizability")[i, 1, 1]
    assert y == pytest.approx(POLARIZABILITY[i], rel=0, abs=last_digit(POLARIZABILITY[i]))
    # the table's L'_d has 9 digits; v_t <y> has all of them
    assert 2 * internal(cone, "dipole")[i, 0, 1] == pytest.approx(DIPOLE[i], rel=0, abs=last_digit(DIPOLE[i]))
    assert 2 * internal(cone, "dipole")[i, 0, 1] == pytest.approx(V_T * POLARIZABILITY[i], rel=1e-8)
    for name in ("itinerant", "itinerant_sea"):
        got = 2 * internal(cone, name)[i, 0, 1]
        assert got == pytest.approx(ITINERANT[i], rel=0, abs=max(last_digit(ITINERANT[i]), 1e-10))
    assert internal(cone, "local")[i] == pytest.approx(0, abs=1e-12)
    total = internal(cone, "total")[i, 0, 1]
    assert total == pytest.approx(DIPOLE[i] + ITINERANT[i] / 2, rel=0, abs=last_digit(DIPOLE[i]) + last_digit(ITINERANT[i]))
    published = internal(cone, "total_published")[i, 0, 1]
    assert published == pytest.approx((DIPOLE[i] + ITINERANT[i]) / 2, abs=last_digit(DIPOLE[i]) + last_digit(ITINERANT[i]))


def test_gap_is_exact(cone):
    """In the gap <y> = -1/(12 pi m) for every tilt, all prefactors agree, and nothing is left of the Fermi surface."""
    assert internal(cone, "dipole_polarizability")[0, 1, 1] == pytest.approx(-1 / (12 * np.pi * M), rel=1e-12)
    assert internal(cone, "total")[0, 0, 1] == pytest.approx(-V_T / (12 * np.pi * M), rel=1e-12)
    assert internal(cone, "interband")[0, 0, 1] == pytest.approx(-V_T / (12 * np.pi * M), rel=1e-12)
    assert (cone.metric_curl.values[0] == 0).all()
    assert (cone.extrinsic.values[0] == 0).all()


def test_field_directions(cone):
    """The mirror k_x -> -k_x (with time reversal): no intrinsic response to E along x, no extrinsic one along y."""
    for name in set(PARTS) - {"dipole_polarizability", "extrinsic"}:
        values = internal(cone, name)[:, 0]
        # rounding of differences costs 1e-13 x the sea form's integrand, which is a hundred times its integral
        assert np.abs(values[:, 0]).max() < 1e-11 * max(np.abs(internal(cone, "total")).max(), 1), name
    extrinsic = cone.extrinsic.values[:, 0]
    assert (np.abs(extrinsic[1:, 0]) > 1e6 * np.abs(extrinsic[1:, 1])).all()


def test_error_estimates_cover_the_error(cone):
    """The estimates of the ray integration hold against the exact numbers, and are small."""
    exact = np.array(POLARIZABILITY)
    error = np.abs(internal(cone, "dipole_polarizability")[:, 1, 1] - exact)
    estimate = cone.dipole_polarizability_error.values[:, 1, 1]
    rounding = np.array([last_digit(x) for x in POLARIZABILITY])
    assert (error <= estimate + rounding).all()
    assert (estimate < 1e-10).all()


@pytest.mark.parametrize("level", [0.0101, 0.015, 0.03])
def test_extrinsic_against_the_fermi_contour(cone, level):
    """One dimension of quadrature: alpha_zx/tau = -int f d_x m_z = -contour integral of v_x m_z, m_z = -m alpha^2/(2 E0^2)."""

    def integrand(angle):
        c = np.cos(angle)
        # v_t k c + sqrt(m^2 + alpha^2 k^2) = E_F
        a, b = ALPHA**2 - V_T**2 * c**2, level * V_T * c
        k = (-b + np.sqrt(b**2 + a * (level**2 - M**2))) / a
        E0 = np.sqrt(M**2 + ALPHA**2 * k**2)
        v_x, v_radial = V_T + ALPHA**2 * k * c / E0, V_T * c + ALPHA**2 * k / E0
        return k / v_radial * -v_x * (-M * ALPHA**2 / (2 * E0**2)) / (2 * np.pi) ** 2

    expected, _ = integrate.quad(integrand, 0, 2 * np.pi, epsabs=0, epsrel=1e-12)
    got = cone.extrinsic.sel(fermi=level).values[0, 0] / units.extrinsic_to_si(2, 10.0)
    assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("level", [0.0098, 0.0099, 0.00999])
def test_pocket_beside_the_origin(level):
    """Between the edge m sqrt(1 - (v_t/alpha)^2) and m the Fermi sea is a pocket that most rays from k = 0 would miss.

    Rays start inside it, so that sums over directions converge exponentially there too: 64 rays agree with 2048. The pocket
    is an ellipse, of numerical eccentricity v_t/alpha = 0.2, and 64 rays leave 0.2^64.
    """
    few, many = (
        ome.compute(
            tilted_dirac(V_T, ALPHA, M), ome.PolarMesh(n), ["dipole_polarizability", "metric_curl"], level, temperature=0.0
        )
        for n in (64, 2048)
    )
    for name in ("dipole_polarizability", "metric_curl"):
        np.testing.assert_allclose(few[name], many[name], rtol=0, atol=1e-10 * float(np.abs(many[name]).max()))


def slope_in_tilt(names, fermi, h=0.01):
    """d/dv_t at v_t = 0 of alpha_zy: two central differences of an odd function, extrapolated; error (h/alpha)^4 = 4e-11."""
    values = []
    for v in (h, h / 2):
        result = ome.compute(tilted_dirac(v, ALPHA, M), ome.PolarMesh(), names, fermi, temperature=0.0)
        values.append([internal(result, c if isinstance(c, str) else c.name)[:, 0, 1] / v for c in names])
    a, b = np.array(values)
    return (4 * b - a) / 3


def test_first_order_in_the_tilt():
    """physics.md 6e: L_IC = v_t (E_F^2 - m^2)/(16 pi E_F^3), L_d + L_IC = -v_t m^2/(12 pi E_F^3), for E_F in the band."""
    E = np.array([0.0102, 0.015, 0.03, 0.2])
    dipole, itinerant = slope_in_tilt(["dipole", "itinerant"], E)
    np.testing.assert_allclose(2 * itinerant, (E**2 - M**2) / (16 * np.pi * E**3), rtol=1e-8)
    np.testing.assert_allclose(2 * (dipole + itinerant), -(M**2) / (12 * np.pi * E**3), rtol=1e-7)


@pytest.mark.parametrize(
    ("prefactor", "closed_form"),
    [
        ("wavepacket", lambda E: M**2 / (12 * np.pi * E**3)),
        ("operator", lambda E: (3 * E**2 + 5 * M**2) / (96 * np.pi * E**3)),
        ("kubo", lambda E: (E**2 + M**2) / (24 * np.pi * E**3)),
    ],
)
def test_prefactors_of_the_metric_curl(prefactor, closed_form):
    """physics.md 6f; with the sign of sections 4 and 7 (alpha = L'/2, M = -(e/2) r x v) the closed forms enter with -1."""
    E = np.array([0.0102, 0.015, 0.03])
    (got,) = slope_in_tilt([semiclassical_with(prefactor)], E)
    np.testing.assert_allclose(got, -closed_form(E), rtol=1e-8)
    (gap,) = slope_in_tilt([semiclassical_with(prefactor)], [0.002])
    np.testing.assert_allclose(gap, -1 / (12 * np.pi * M), rtol=1e-10)


def test_operator_prefactor_is_total(cone):
    """semiclassical("operator") and total are the same sum."""
    assert set(ome.calculators.get("total").terms) == set(semiclassical_with("operator").terms)
    with pytest.raises(ValueError, match="no prefactor"):
        semiclassical_with("other")


@pytest.mark.parametrize(("T", "m", "mu"), [(15.0, M, 0.012), (120.0, M, 0.012), (300.0, 1e-6, 0.0)])
def test_finite_temperature(T, m, mu):
    """<y>, L'_d and the metric curl at T > 0 against two-dimensional quadrature of closed forms over k.

    <y> = int (f_- - f_+) (-2 G_yy / 2 E0); metric_curl = int sum_s (-df_s/de)(v_x G_yy - v_y G_xy).
    """
    kT = T * units.KB
    model = tilted_dirac(V_T, ALPHA, m)
    result = ome.compute(model, ome.PolarMesh(), ["dipole_polarizability", "dipole", "metric_curl"], mu, temperature=T)

    def parts(k, angle):
        kx, ky = k * np.cos(angle), k * np.sin(angle)
        E0 = np.sqrt(m**2 + ALPHA**2 * k**2)
        metric = ALPHA**2 / (4 * E0**2)
        Gyy, Gxy = metric * (1 - ALPHA**2 * ky**2 / E0**2), -metric * ALPHA**2 * kx * ky / E0**2
        sea = surface = 0.0
        for s in (1, -1):
            x = np.clip((V_T * kx + s * E0 - mu) / kT, -600, 600)
            f = 1 / (1 + np.exp(x))
            sea += s * f * 2 * Gyy / (2 * E0)
            surface += f * (1 - f) / kT * ((V_T + s * ALPHA**2 * kx / E0) * Gyy - s * ALPHA**2 * ky / E0 * Gxy)
        return np.array([sea, surface]) * k / (2 * np.pi) ** 2

    # trapezoid over the angle converges exponentially; Gauss-Legendre over log k
    angles = 2 * np.pi * np.arange(200) / 200
    edges = np.linspace(np.log(1e-8 * m / ALPHA), np.log(1e12 * (M + kT) / ALPHA), 600)
    x, w = np.polynomial.legendre.leggauss(16)
    t = np.concatenate([(a + b) / 2 + (b - a) / 2 * x for a, b in pairwise(edges)])
    dt = np.concatenate([(b - a) / 2 * w for a, b in pairwise(edges)])
    k, dk = np.exp(t), np.exp(t) * dt
    sea, surface = (parts(k[:, None], angles[None]) @ np.full(200, 2 * np.pi / 200)) @ dk
    # the rays of the package: trapezoid and Gauss-Legendre as well, but cut at other places; both below 1e-9
    assert internal(result, "dipole_polarizability")[0, 1, 1] == pytest.approx(sea, rel=1e-8)
    assert internal(result, "dipole")[0, 0, 1] == pytest.approx(V_T * sea / 2, rel=1e-8)
    assert internal(result, "metric_curl")[0, 0, 1] == pytest.approx(surface, rel=1e-8)


@pytest.mark.parametrize("settings", [{}, {"rtol": 1e-3}])
def test_bands_that_touch_are_named(settings):
    """What grows as the logarithm of the gap has no value without one; away from the level it has."""
    model = ome.load("tilted-dirac", mass=0.0)
    with pytest.warns(AccuracyWarning, match="bands touch near the Fermi level of 0 eV.*diverge"):
        ome.compute(model, calculators=["total"], fermi=0.0, temperature=300.0, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AccuracyWarning)
        ome.compute(model, calculators=["total"], fermi=0.1, temperature=30.0, **settings)


def test_finite_temperature_is_smeared_zero_temperature():
    """X(T) = int (-df/de) X(T = 0, e) de for a three-level cut through gap and band, by Gauss-Legendre in tanh."""
    T, mu = 40.0, 0.011
    kT = T * units.KB
    model = tilted_dirac(V_T, ALPHA, M)
    mesh = ome.PolarMesh(n_angle=32, n_radial=12)
    names = ["interband", "extrinsic"]
    # u = (1 + tanh((e - mu)/2kT))/2 runs from 0 to 1 with du = -df/de de
    # the tilt moves the band edges to m sqrt(1 - (v_t/alpha)^2)
    edge = M * np.sqrt(1 - (V_T / ALPHA) ** 2)
    cuts = np.concatenate([[0], (1 + np.tanh((np.array([-edge, edge]) - mu) / (2 * kT))) / 2, [1]])
    x, w = np.polynomial.legendre.leggauss(16)
    u = np.concatenate([(a + b) / 2 + (b - a) / 2 * x for a, b in pairwise(cuts)])
    du = np.concatenate([(b - a) / 2 * w for a, b in pairwise(cuts)])
    energies = mu + 2 * kT * np.arctanh(2 * u - 1)
    order = np.argsort(energies)
    cold = ome.compute(model, mesh, names, energies[order], temperature=0.0)
    warm = ome.compute(model, mesh, names, mu, temperature=T)
    for name, field in (("interband", 1), ("extrinsic", 0)):
        smeared = du[order] @ cold[name].values[:, 0, field]
        # 16 nodes leave about 1e-6 where the function decays like 1/e towards u = 1
        assert warm[name].values[0, 0, field] == pytest.approx(smeared, rel=1e-5)


def dirac_3d(v=(0.3, -0.2, 0.5), alpha=2.0, m=0.1, derivatives=True):
    """H = v.k + alpha k.Gamma + m Gamma_5, every level twofold degenerate."""
    gammas = [np.kron(SIGMA[0], s) for s in SIGMA]
    slope = np.array([v[a] * np.eye(4) + alpha * gammas[a] for a in range(3)])
    mass = m * np.kron(SIGMA[2], np.eye(2))
    gradient = {"gradient": lambda k: np.broadcast_to(slope, (len(k), 3, 4, 4))} if derivatives else {}
    return ome.KDotP(lambda k: mass + np.einsum("ka,aij->kij", k, slope), **gradient, dimension=3, scale=m / alpha)


@pytest.mark.parametrize("derivatives", [True, False])
def test_dirac_point_in_three_dimensions(derivatives):
    """Gap of a 3D Dirac point up to a cutoff: chi = -int alpha^2 (1 - alpha^2 k_x^2/E^2)/(2 E^3), and L'_d = v x chi.

    Tr[P_- v_x P_+ v_x] = 2 alpha^2 (1 - alpha^2 k_x^2 / E^2) for the two occupied and the two empty levels.
    """
    v, alpha, m, cutoff = np.array([0.3, -0.2, 0.5]), 2.0, 0.1, 3.0
    model = dirac_3d(v, alpha, m, derivatives)
    mesh = ome.PolarMesh(n_angle=12, n_radial=12, cutoff=cutoff)
    result = ome.compute(model, mesh, ["dipole_polarizability", "dipole", "berry_curvature"], 0.0, temperature=0.0)

    def integrand(k):
        E = np.sqrt(m**2 + alpha**2 * k**2)
        return -(k**2) / (2 * np.pi**2) * alpha**2 * (1 - alpha**2 * k**2 / (3 * E**2)) / (2 * E**3)

    chi, _ = integrate.quad(integrand, 0, cutoff, epsrel=1e-12, limit=200)
    np.testing.assert_allclose(result.dipole_polarizability[0], chi * np.eye(3), rtol=1e-9, atol=1e-9 * abs(chi))
    # L'_i,b = eps_imn v_m chi delta_nb: the matrix of v x
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    np.testing.assert_allclose(result.dipole[0] / units.alpha_to_si(3), cross * chi / 2, rtol=1e-9, atol=1e-9 * abs(chi))
    assert np.abs(result.berry_curvature).max() < 1e-12


def haldane_at(k, delta=0.2, t=-1.0, t2=0.15, phi=np.pi / 2):
    """Haldane's Bloch matrix written out for fractional k, B relative to A in the cells (0,0), (-1,0), (0,-1)."""
    x, y = 2 * np.pi * np.asarray(k).T
    f = t * (1 + np.exp(-1j * x) + np.exp(-1j * y))
    # A hops around the triangle a1, a2 - a1, -a2 with phase +phi, B with -phi
    around = np.array([x, y - x, -y])
    up, down = (2 * t2 * np.cos(around + sign * phi).sum(axis=0) for sign in (1, -1))
    return np.array([[delta + up, f], [np.conj(f), -delta + down]]).transpose(2, 0, 1)


def test_haldane_has_its_chern_number():
    """The integral of the Berry curvature is an integer; sign from a product of overlaps around plaquettes (Fukui et al.).

    With A = i <u|du>, <u_k|u_k'> = exp(-i A.dk), so that the flux through a plaquette is minus the phase of the product.
    """
    n = 24
    k = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2) / n
    H = haldane_at(k)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(H), np.linalg.eigvalsh(haldane().matrices(np.c_[k, 0 * k[:, 0]], 0).H), atol=1e-12
    )
    u = np.linalg.eigh(H)[1][:, :, 0].reshape(n, n, 2)

    def link(a, b):
        return np.einsum("xyi,xyi->xy", np.conj(a), b)

    right, up = np.roll(u, -1, axis=0), np.roll(u, -1, axis=1)
    corner = np.roll(right, -1, axis=1)
    flux = -np.angle(link(u, right) * link(right, corner) * link(corner, up) * link(up, u))
    chern = flux.sum() / (2 * np.pi)
    assert chern == pytest.approx(round(chern), abs=1e-10)
    assert abs(round(chern)) == 1
    result = ome.compute(haldane(), (60, 60, 1), ["berry_curvature"], 0.0, temperature=0.0)
    # the mesh converges like exp(-n x width of the strip of analyticity): 60 points are enough for 1e-10
    assert 2 * np.pi * result.berry_curvature.values.item() == pytest.approx(chern, abs=1e-10)
    trivial = ome.compute(haldane(delta=2.0), (60, 60, 1), ["berry_curvature"], 0.0, temperature=0.0)
    assert 2 * np.pi * trivial.berry_curvature.values.item() == pytest.approx(0, abs=1e-10)


def test_conversions():
    """physics.md section 8, to the digits given there."""
    assert float(f"{units.E2_OVER_H:.6g}") == 3.87405e-5
    assert float(f"{units.E2_OVER_HBAR:.6g}") == 2.43413e-4
    assert round(units.MU_0 * units.E2_OVER_H * 1e12, 3) == 48.683
    assert round(units.MU_0 * units.E2_OVER_HBAR * 1e12, 2) == 305.88
    one_ps_per_m = 1e-12 / units.MU_0
    assert units.convert_alpha(one_ps_per_m, "ps/m", 3) == pytest.approx(1)
    assert float(f"{units.convert_alpha(one_ps_per_m, 'c mu_0 alpha', 3):.4g}") == 2.998e-4
    # 1 (e^2/h) A in a field of 1e5 V/m = 1e-4 V/nm
    layer = units.E2_OVER_H * units.ANGSTROM
    assert float(f"{1e-4 * units.convert_alpha(layer, 'mu_B/nm^2 per V/nm', 2):.4g}") == 4.177e-5
    assert units.convert_alpha(layer, "e2/h", 2) == pytest.approx(1)
    assert units.convert_alpha(units.E2_OVER_HBAR, "e2/hbar", 3) == pytest.approx(1)
    assert units.alpha_to_si(2) == units.E2_OVER_HBAR * 1e-10
    # alpha/tau = e^2/hbar^2 x eV: with tau = hbar/eV the two parts are alike
    assert units.extrinsic_to_si(3, units.HBAR_EV_FS) == pytest.approx(units.alpha_to_si(3))
    # per cell: a moment of 1 mu_B in a cell of 10 A^2 and 1 V/m is 1e-19 m^-2 x ...
    assert units.convert_alpha(9.2740100657e-24 / 1e-19, "mu_B/cell per V/m", 2, 10.0) == pytest.approx(1, rel=1e-9)
    assert units.convert_alpha(1.0, "mu_B/nm^3 per V/nm", 3) == pytest.approx(1e-18 / 9.2740100657e-24, rel=1e-9)
    # mu_B = e hbar/2m: hbar^2/2m = 3.80998212 eV A^2, and half the g factor of the electron
    assert pytest.approx(3.80998212 * 1.00115965218, rel=1e-8) == units.SPIN_MOMENT
    with pytest.raises(ValueError, match="no unit 'ps/m'"):
        units.convert_alpha(1.0, "ps/m", 2)


def test_settings_of_polar_meshes():
    """Too few nodes, odd angles, a cutoff that is not positive."""
    for bad in ({"n_angle": 7}, {"n_angle": 2}, {"n_radial": 3}, {"cutoff": 0.0}, {"cutoff": -1.0}):
        with pytest.raises(SettingsError, match="PolarMesh"):
            ome.PolarMesh(**bad)


def test_constants_are_those_of_scipy():
    """Exact ones to rounding; measured ones to the digits that CODATA's editions agree on."""
    from scipy import constants as c

    exact = [(units.E2_OVER_HBAR, c.e**2 / c.hbar), (units.E2_OVER_H, c.e**2 / c.h), (units.KB, c.k / c.e), (units.C, c.c)]
    exact += [(units.HBAR_EV_FS, c.hbar / c.e * 1e15), (units.ANGSTROM, c.angstrom)]
    for ours, theirs in exact:
        assert ours == pytest.approx(theirs, rel=1e-14)
    spin = -c.value("electron g factor") / 2 * c.hbar**2 / (2 * c.m_e) / c.e / c.angstrom**2
    measured = [(units.MU_0, c.mu_0), (units.MU_B, c.value("Bohr magneton")), (units.SPIN_MOMENT, spin)]
    measured += [(units.BOHR, c.value("Bohr radius") / c.angstrom)]
    for ours, theirs in measured:
        assert ours == pytest.approx(theirs, rel=2e-9)
