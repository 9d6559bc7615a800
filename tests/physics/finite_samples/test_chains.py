"""Chains and ribbons: all nine elements against open chains, differences of equilibrium, and electrons followed in time."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from toys import TOYS, random_arrays
from toys import fermi as fermi_function

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.errors import AccuracyWarning, SettingsError

#: a net current makes transverse moments depend on the origin: where no test gives one, it is not the point
pytestmark = pytest.mark.filterwarnings("ignore:a net current flows")
CYCLIC = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
ALPHA = units.alpha_to_si(1)
#: the extrinsic part per hbar/eV
TAU = units.HBAR_EV_FS


def chain(seed, axis=2, position="centres", energies=(-4.0, -3.0, 3.0, 4.5), spin=False, shift=(0.0, 0.0, 0.0)):
    """A random chain along a Cartesian axis, reaching two cells far; positions commute, or not ("matrix")."""
    rng, n = np.random.default_rng(seed), len(energies)
    lattice = np.diag([10.0, 11.0, 12.0])
    lattice[axis, axis] = 3.0
    R = np.zeros((5, 3), dtype=int)
    R[:, axis] = np.arange(-2, 3)
    H = random_arrays(rng, R, n, 0.5, 0.5)
    H[2] += np.diag(energies)
    centres = rng.uniform(-1.5, 1.5, (n, 3)) + shift
    r = random_arrays(rng, R, n, 0.15, 0.5, (3,))
    r[2] += np.einsum("ij,ia->ija", np.eye(n), centres)
    where = {"centres": centres} if position == "centres" else {"position": r}
    if spin:
        where["spin"] = random_arrays(rng, R, n, 1.0, 0.5, (3,))
    return ome.TightBinding(lattice, R, H, periodic=tuple(i == axis for i in range(3)), **where)


def along(model):
    (axis,) = model.axes
    return axis


def mesh(model, n=48):
    return tuple(n if i == along(model) else 1 for i in range(3))


def computed(model, name, mu=0.0, T=0.0, **settings):
    """(3, 3) in e^2/hbar Angstrom^2."""
    settings = {"gate": "level", "tau": TAU} | settings
    return ome.compute(model, mesh(model), [name], mu, temperature=T, **settings)[name].values[0] / ALPHA


def cross(r, v):
    """-(1/2)(r_m v_n - r_n v_m) for the three axes, Hermitian parts."""
    parts = [-(r[m] @ v[n] - r[n] @ v[m]) / 2 for _, m, n in CYCLIC]
    return [(X + np.conj(np.swapaxes(X, -1, -2))) / 2 for X in parts]


def velocities(H, r):
    return [1j * (H @ x - x @ H) for x in r]


# ---- insulators: open chains ----------------------------------------------------------------------------------------


def open_chain(model, cells):
    """Hamiltonian and positions (3, N, N)."""
    axis, n = along(model), model.n_orbitals
    home = int(np.flatnonzero(~model.R.any(axis=1))[0])

    def blocks(matrices):
        out = np.zeros((cells, n, cells, n), dtype=complex)
        for R, X in zip(model.R, matrices, strict=True):
            for i in range(max(0, -R[axis]), min(cells, cells - R[axis])):
                out[i, :, i + R[axis]] = X
        return out.reshape(cells * n, -1)

    r = []
    for a in range(3):
        X = np.zeros_like(model.hamiltonian) if model.position is None else model.position[..., a].copy()
        if model.position is None:
            X[home] = np.diag(model.centres[:, a])
        r.append(blocks(X))
    r[axis] = r[axis] + np.diag(np.repeat(np.arange(cells) * model.lattice[axis, axis], n))
    return blocks(model.hamiltonian), r


def open_response(model, cells, occupied):
    """dM_i/dE_b of an open chain by perturbation theory of first order with all states; v = i [H + E.r, r]."""
    H, r = open_chain(model, cells)
    e, U = np.linalg.eigh(H)
    p = occupied * cells
    assert e[p] - e[p - 1] > 1, "the sample has states in the gap"
    turned = [np.conj(U).T @ x @ U for x in r]
    M = [np.conj(U).T @ O @ U for O in cross(r, velocities(H, r))]
    out = np.zeros((3, 3))
    for b in range(3):
        mix = turned[b][:p, p:] / (e[:p, None] - e[None, p:])
        moved = cross(r, velocities(r[b], r))
        for i in range(3):
            out[i, b] = 2 * np.vdot(mix, M[i][:p, p:]).real + np.trace((np.conj(U).T @ moved[i] @ U)[:p, :p]).real
    return out


@pytest.mark.parametrize(("axis", "position"), list(product((0, 2), ("centres", "matrix"))))
def test_insulators_against_open_chains(axis, position):
    """What one cell more adds: ends drop out but for exp(-cells), 1e-12 here. Moments and fields along and across."""
    model = chain(3, axis, position)
    expected = (open_response(model, 17, 2) - open_response(model, 16, 2)) / model.cell
    found = computed(model, "total")
    assert np.abs(expected).min() > 1e-6
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    other = computed(model, "total", gate="density", origin=[1.0, -2.0, 3.0])
    np.testing.assert_allclose(other, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


# ---- metals ---------------------------------------------------------------------------------------------------------

MU, KT = -1.0, 0.3
METALS = {position: chain(3, 2, position, energies=(-3.0, -1.0, 1.0, 3.5)) for position in ("centres", "matrix")}


class Fourier:
    """Matrices of a chain at k points displaced from those of a mesh by an amount in 1/Angstrom, in the Wannier gauge.

    Written without the package: positions across from the model's centres, v = i [H + E.r, r] with r = i d/dk + A along.
    """

    def __init__(self, model, n):
        self.model, self.axis = model, along(model)
        self.step = (model.R @ model.lattice)[:, self.axis]
        self.k = 2 * np.pi * np.arange(n) / n / model.lattice[self.axis, self.axis]
        r = model.position
        if r is None:
            r = np.zeros((*model.hamiltonian.shape, 3), dtype=complex)
            r[~model.R.any(axis=1)] = np.einsum("ij,ia->ija", np.eye(model.n_orbitals), model.centres)
        self.r = r

    def sum(self, X, shift, derivative=False):
        wave = np.exp(1j * (self.k[:, None] + shift) * self.step) * (1j * self.step if derivative else 1)
        return np.einsum("kr,rij->kij", wave, X)

    def at(self, shift, E):
        """H of the moving frame, and the moments, in a field E (3,)."""
        c, H0 = self.axis, self.sum(self.model.hamiltonian, shift)
        r = [self.sum(self.r[..., a], shift) for a in range(3)]
        h = H0 + sum(E[a] * r[a] for a in range(3))

        def velocity(a):
            X = 1j * (h @ r[a] - r[a] @ h)
            if a == c:  # i [h, i d/dk] = dh/dk, the field's own i d/dk commutes with r_c but for A, which is in h
                bounded = sum(E[b] * self.sum(self.r[..., b], shift, True) for b in range(3) if b != c)
                return X + self.sum(self.model.hamiltonian, shift, True) + bounded
            return X - E[c] * self.sum(self.r[..., a], shift, True)

        v = [velocity(a) for a in range(3)]
        # along the chain r is unbounded, and <r_c v_a + v_a r_c> a total derivative: the other order counts twice
        out = []
        for _, m, n in CYCLIC:
            both = [(m, n, -0.25), (n, m, 0.25)]
            terms = [(p, q, w if c not in (m, n) else 2 * w) for p, q, w in both if p != c]
            out.append(sum(w * (r[p] @ v[q] + v[q] @ r[p]) for p, q, w in terms))
        return h, out


def equilibrium(fourier, E, mu, kT):
    """M_i and the number of electrons per length in a static field across."""
    h, M = fourier.at(0.0, E)
    e, U = np.linalg.eigh(h)
    f = fermi_function(e, mu, kT)
    values = [(f * np.einsum("kin,kij,kjn->kn", U.conj(), O, U).real).sum() for O in M]
    return np.array([*values, f.sum()]) / len(e) / fourier.model.cell


def slope(of, h=1e-3):
    return (of(-2 * h) - 8 * of(-h) + 8 * of(h) - of(2 * h)) / (12 * h)


@pytest.mark.parametrize("position", METALS)
def test_gates_are_differences_of_equilibrium(position):
    """A field across at a fixed level, and at fixed electrons, where the level moves by -(dN/dE)/(dN/dmu): f and no theory."""
    model, kT = METALS[position], KT
    fourier, T = Fourier(model, 48), kT / units.KB
    level = computed(model, "total", MU, T, origin=[0, 0, 0])
    density = computed(model, "total", MU, T, gate="density")
    by_level = slope(lambda x: equilibrium(fourier, np.zeros(3), MU + x, kT))
    for b in (0, 1):
        found = slope(lambda x, b=b: equilibrium(fourier, x * np.eye(3)[b], MU, kT))
        expected = found[:3] - found[3] / by_level[3] * by_level[:3]
        # differences of fourth order, h = 1e-3, and the histogram
        np.testing.assert_allclose(level[:, b], found[:3], rtol=0, atol=1e-5 * np.abs(found[:3]).max())
        np.testing.assert_allclose(density[:, b], expected, rtol=0, atol=1e-5 * np.abs(found[:3]).max())


@pytest.mark.parametrize("position", METALS)
def test_magnetization(position):
    """In equilibrium, and its derivative by the level, of a metal whose moments do not vanish."""
    model, fourier = METALS[position], Fourier(METALS[position], 48)
    found = ome.compute(model, mesh(model), ["magnetization", "magnetization_dmu"], MU, temperature=KT / units.KB)
    unit = units.E2_OVER_HBAR * units.ANGSTROM
    M = equilibrium(fourier, np.zeros(3), MU, KT)[:3]
    by_level = slope(lambda x: equilibrium(fourier, np.zeros(3), MU + x, KT))[:3]
    np.testing.assert_allclose(found.magnetization.values[0] / unit, M, rtol=0, atol=1e-6 * np.abs(M).max())
    np.testing.assert_allclose(found.magnetization_dmu.values[0] / unit, by_level, rtol=0, atol=1e-5 * np.abs(by_level).max())
    assert found.magnetization.attrs["units"] == "A m"


@pytest.mark.parametrize("settings", [{"kmesh": (12, 1, 1)}, {"rtol": 0.1, "max_points": 2000}])
def test_a_straight_chain_has_nothing_to_sum(settings):
    """All orbitals on one axis: r_g = 0, and with it the moment -1/2 (r x v) of every state."""
    bent = chain(3, axis=0)
    straight = replace(bent, centres=bent.centres * np.array([1.0, 0.0, 0.0]) + np.array([0.0, 2.0, 3.0]))
    found = ome.compute(straight, calculators=["magnetization", "magnetization_dmu"], fermi=MU, temperature=300.0, **settings)
    for name in ("magnetization", "magnetization_dmu"):
        assert not found[name].values.any()
        assert not found[f"{name}_error"].values.any()
        assert found[name].shape[-1] == 3


def test_magnetic_fields():
    """M = -dOmega/dB, and dM_i/dE_g = -d<r_g>/dB_i at a fixed level, in a magnetic field that enters by Peierls phases.

    Along the chain A = B/2 (-y, x), across A_z = B_x y - B_y x, which keep the translations; a hop from j to i has the phase
    -A (r_i - r_j) at the middle, for particles of charge -1. Neither r x v nor perturbation theory is used.
    """
    model, n = METALS["centres"], 48
    x, y = model.centres[:, :2].T
    mean = lambda u: (u[:, None] + u) / 2  # noqa: E731
    cell = (model.R @ model.lattice)[:, 2, None, None]
    dz = cell + model.centres[:, 2] - model.centres[:, 2, None]  # of j in the cell R from i at home
    area = (np.multiply.outer(y, x) - np.multiply.outer(x, y)) / 2  # A (r_i - r_j) along the straight line, per B_z
    phases = [-mean(y) * dz, mean(x) * dz, area + 0 * dz]
    k = 2 * np.pi * np.arange(n) / n / model.lattice[2, 2]
    wave = np.exp(1j * k[:, None] * cell.ravel())

    def state(i, B):
        """-Omega, and <r_g> from the middle, per length."""
        e, U = np.linalg.eigh(np.einsum("kr,rij->kij", wave, model.hamiltonian * np.exp(-1j * B * phases[i])))
        f, g = fermi_function(e, MU, KT), KT * np.logaddexp(0, (MU - e) / KT)
        r = [(f * np.einsum("kin,i,kin->kn", U.conj(), u, U).real).sum() for u in (x, y)]
        return np.array([g.sum(), *r]) / n / model.cell

    found = np.array([slope(lambda B, i=i: state(i, B)) for i in range(3)])
    T, unit = KT / units.KB, units.E2_OVER_HBAR * units.ANGSTROM
    M = ome.compute(model, mesh(model), ["magnetization"], MU, temperature=T).magnetization.values[0] / unit
    np.testing.assert_allclose(M, found[:, 0], rtol=0, atol=1e-6 * np.abs(M).max())
    alpha = computed(model, "total", MU, T, origin=[0, 0, 0])[:, :2]
    np.testing.assert_allclose(alpha, -found[:, 1:], rtol=0, atol=1e-5 * np.abs(alpha).max())


def followed(model, mu, kT, n=24, E0=1e-5, ramp=40.0, step=0.05):
    """(intrinsic, extrinsic per time), (3,) each: M(t) = E (intrinsic + extrinsic int E dt) after a field is switched on.

    The Schroedinger equation of electrons that the field moves through the zone, from their equilibrium; no relaxation.
    """
    fourier = Fourier(model, n)
    e, first = np.linalg.eigh(fourier.at(0.0, np.zeros(3))[0])
    f = fermi_function(e, mu, kT)
    field = np.polynomial.Polynomial([0, 0, 0, 0, 35, -84, 70, -20])
    area = field.integ()
    c, found = along(model), []
    for E in (E0, -E0):
        psi, rows = first, []
        for number in range(int(1.5 * ramp / step)):
            x = (number + 0.5) * step / ramp
            strength, moved = (field(x), ramp * area(x)) if x < 1 else (1.0, ramp * (area(1) + x - 1))
            e, U = np.linalg.eigh(fourier.at(-E * moved, E * strength * np.eye(3)[c])[0])
            psi = U @ (np.exp(-1j * step * e)[:, :, None] * (np.conj(np.swapaxes(U, 1, 2)) @ psi))
            x = (number + 1) * step / ramp
            if x > 1.1 and number % 10 == 0:
                moved = ramp * (area(1) + x - 1)
                M = fourier.at(-E * moved, E * np.eye(3)[c])[1]
                values = [(f * np.einsum("kin,kij,kjn->kn", psi.conj(), O, psi).real).sum() for O in M]
                rows.append([moved, *(np.array(values) / n / model.cell)])
        found.append(np.array(rows))
    time, M = found[0][:, 0], (found[0] - found[1])[:, 1:] / (2 * E0)
    return np.linalg.lstsq(np.stack([np.ones_like(time), time], axis=1), M, rcond=None)[0]


@pytest.mark.parametrize("position", ["centres", pytest.param("matrix", marks=pytest.mark.long)])
def test_field_along_a_metal_in_time(position):
    """Both parts of a metal from electrons that are followed while a field is switched on, slowly beside the gaps of 1 eV.

    What the switching leaves oscillates and averages to 1e-3 of the largest element; the mesh of 24 points is that of both.
    """
    model, T = METALS[position], KT / units.KB
    intrinsic, extrinsic = followed(model, MU, KT)
    settings = {"temperature": T, "origin": [0, 0, 0], "tau": TAU}
    found = ome.compute(model, mesh(model, 24), ["total", "extrinsic"], MU, **settings)
    np.testing.assert_allclose(found.total.values[0, :, 2] / ALPHA, intrinsic, atol=3e-3 * np.abs(intrinsic).max())
    np.testing.assert_allclose(found.extrinsic.values[0, :, 2] / ALPHA, extrinsic, atol=1e-4 * np.abs(extrinsic).max())
    assert np.isnan(found.extrinsic.values[0, :, :2]).all()
    assert "drives no current" in found.extrinsic.attrs["missing"]


def helix(sites, hand, radius=1.3, rise=0.8):
    """One orbital per site on a screw, hopping -1 eV to the next."""
    angle = hand * 2 * np.pi / sites * np.arange(sites)
    centres = np.stack([5 + radius * np.cos(angle), 5 + radius * np.sin(angle), rise * np.arange(sites)], axis=1)
    H = np.zeros((3, sites, sites), dtype=complex)
    H[0] = -np.eye(sites, k=1) - np.eye(sites, k=-1)
    H[1, -1, 0] = H[2, 0, -1] = -1.0
    R = [(0, 0, 0), (0, 0, 1), (0, 0, -1)]
    return ome.TightBinding(np.diag([10.0, 10.0, sites * rise]), R, H, centres=centres, periodic=(False, False, True))


@pytest.mark.parametrize("sites", [3, 5, 7])
def test_the_axis_of_a_helix_has_no_order_that_tensors_do_not_tell(sites):
    """The cell is square, and a screw of any order does to these tensors what one of fourth order does."""
    found = ome.compute(helix(sites, 1), (1, 1, 24), ["extrinsic"], 0.4, temperature=900.0)["extrinsic"].attrs
    assert found["forbidden"] == ["xz", "yz"]
    assert set(found["forbidden_by"]) == {"axis of order 3 or more along (0, 0, 1)"}


@pytest.mark.parametrize("sites", [3, 4, 5])
@pytest.mark.parametrize("hand", [1, -1])
def test_orbital_edelstein_effect_of_a_helix(sites, hand):
    """A coil of atoms: alpha_zz = sigma_zz rho^2 sin(angle per site) / (2 rise), odd in the handedness.

    A hop encloses the area rho^2 sin(angle)/2 about the axis while it advances by the rise: the moment of every state is
    -rho^2 sin(angle) / (2 rise) times its velocity (a solenoid: Yoda, Yokoyama, Murakami, Nano Lett. 18, 916 (2018)).
    """
    model = helix(sites, hand)
    levels = np.array([-1.5, -0.7, 0.4])
    found = ome.compute(model, (1, 1, 120), ["extrinsic", "ohmic", "total"], levels, temperature=600.0)
    sigma = found.ohmic.sel(position="z", field="z").values
    assert (sigma > 1e-14).all()
    expected = sigma * 1.3**2 * np.sin(hand * 2 * np.pi / sites) / (2 * 0.8) * units.ANGSTROM
    np.testing.assert_allclose(found.extrinsic.sel(moment="z", field="z").values, expected, rtol=1e-10)
    across = found.extrinsic.sel(moment=["x", "y"], field="z").values  # the screw axis turns them away
    assert np.abs(across).max() < 1e-10 * np.abs(expected).max()
    assert (found.total.values == 0).all()  # time reversal


# ---- ribbons --------------------------------------------------------------------------------------------------------


def ribbon(layer, cells):
    """Cells of a layer side by side along its second vector, periodic along the first."""
    n, rows = layer.n_orbitals, {}
    for R, X in zip(layer.R, layer.hamiltonian, strict=True):
        block = rows.setdefault(int(R[0]), np.zeros((cells, n, cells, n), dtype=complex))
        for i in range(max(0, -R[1]), min(cells, cells - R[1])):
            block[i, :, i + R[1]] += X
    H = np.array([X.reshape(cells * n, -1) for X in rows.values()])
    centres = (np.arange(cells)[:, None, None] * layer.lattice[1] + layer.centres).reshape(-1, 3)
    lattice = np.array(layer.lattice)
    height = np.linalg.det(layer.lattice) / layer.lattice[2, 2] / np.linalg.norm(layer.lattice[0])
    # the second vector leaves room, and stands on the first
    lattice[1] = [0, (cells + 3) * height, 0]
    return ome.TightBinding(lattice, [(x, 0, 0) for x in rows], H, centres=centres, periodic=(True, False, False)), height


@pytest.mark.parametrize("name", ["insulator_2d", "slab"])
def test_ribbon_grows_by_the_layer(name):
    """M_z and in-plane fields: what a row more adds to a ribbon is the layer's response per area times the height of the row.

    In the ribbon y is bounded and M_z is {y, v_x}/2; in the layer it is the moment of Bloch states. No states at the edges.
    """
    layer = TOYS[name].model
    (small, height), (large, _) = ribbon(layer, 10), ribbon(layer, 11)
    settings = {"temperature": 0.0, "symmetry": "off"}
    expected = ome.compute(layer, (48, 48, 1), ["total"], 0.0, **settings).total.sel(moment="z").values[0, :2]
    grown = [ome.compute(m, (96, 1, 1), ["total"], 0.0, **settings).total.sel(moment="z").values[0, :2] for m in (large, small)]
    found = (grown[0] - grown[1]) / (height * units.ANGSTROM)
    assert np.abs(expected).min() > 1e-19
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


# ---- origin, axes, symmetry, spin -----------------------------------------------------------------------------------


@pytest.mark.parametrize("position", METALS)
def test_origin(position):
    """An element moves by the origin times what `_per_angstrom` says, exactly; a model that is moved as a whole does not."""
    model, T = METALS[position], KT / units.KB
    settings = {"temperature": T, "gate": "level"}
    at = {o: ome.compute(model, mesh(model), ["total", "extrinsic"], MU, origin=o, **settings) for o in ((0, 0, 0), (2, -1, 7))}
    first, other = at.values()
    for name in ("total", "extrinsic"):
        drift = first[f"{name}_per_angstrom"].values
        moved = first[name].values + np.nan_to_num(drift) @ [2.0, -1.0, 0.0]
        np.testing.assert_allclose(other[name].values, moved, rtol=0, atol=1e-12 * np.nanmax(np.abs(moved)))
        assert (np.nan_to_num(drift[..., 2]) == 0).all()
        assert np.nanmax(np.abs(drift)) > 0
    # a current along z at the height y makes a moment along x: -y v_z / 2 twice
    sigma = ome.compute(model, mesh(model), ["ohmic"], MU, temperature=T).ohmic.sel(position="z", field="z").values
    drift = first.extrinsic_per_angstrom.sel(moment="x", field="z").values / units.ANGSTROM
    np.testing.assert_allclose(drift[:, 1], -sigma, rtol=1e-9)


def test_net_current_is_said():
    """A transverse moment of a metal depends on the origin: a warning names it, and is silent where one was given."""
    model = METALS["centres"]
    with pytest.warns(AccuracyWarning, match="extrinsic .* depends on the origin across the chain"):
        ome.compute(model, mesh(model), ["extrinsic"], MU)
    ome.compute(model, mesh(model), ["extrinsic"], MU, origin=[0, 0, 0])


@pytest.mark.parametrize("axis", [0, 1])
def test_axes_turn(axis):
    """The same chain along another Cartesian axis, and along none: tensors turn with it."""
    model = METALS["matrix"]
    Q = np.roll(np.eye(3), axis + 1, axis=0) if axis else np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    Q = Q * np.linalg.det(Q)
    turned = ome.TightBinding(
        model.lattice @ Q.T,
        model.R,
        model.hamiltonian,
        position=np.einsum("ab,rijb->rija", Q, model.position),
        periodic=model.periodic,
    )
    settings = {"temperature": KT / units.KB, "origin": np.zeros(3)}
    here = ome.compute(model, mesh(model), ["total", "extrinsic"], MU, **settings)
    there = ome.compute(turned, mesh(model), ["total", "extrinsic"], MU, **settings)
    for name in ("total", "extrinsic"):
        expected = Q @ np.nan_to_num(here[name].values[0]) @ Q.T
        np.testing.assert_allclose(np.nan_to_num(there[name].values[0]), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_symmetry_changes_nothing():
    """Operations that are found forbid only what vanishes: a helix that a flux makes magnetic."""
    model = helix(4, 1)
    phases = np.exp(0.3j * model.R[:, 2])[:, None, None]
    model = replace(model, hamiltonian=model.hamiltonian * phases)
    asked, settings = ["total", "extrinsic"], {"temperature": 900.0, "origin": [5, 5, 0]}
    off = ome.compute(model, (1, 1, 120), asked, -0.7, symmetry="off", **settings)
    auto = ome.compute(model, (1, 1, 120), asked, -0.7, **settings)
    assert len(auto.attrs["symmetry_operations"]) >= 4
    size = np.nanmax(np.abs(off.extrinsic.values)), ALPHA
    for name, unit in zip(asked[::-1], size, strict=True):
        np.testing.assert_allclose(auto[name].values, off[name].values, rtol=0, atol=1e-9 * unit)


def test_cells_agree_with_a_mesh():
    """Cells that converge by themselves."""
    model, settings = METALS["matrix"], {"temperature": 900.0, "origin": [0, 0, 0]}
    fine = ome.compute(model, mesh(model, 480), ["total", "extrinsic"], MU, **settings)
    cells = ome.compute(model, calculators=["total", "extrinsic"], fermi=MU, rtol=1e-3, **settings)
    assert cells.attrs["converged"] == 1
    for name in ("total", "extrinsic"):
        size = np.nanmax(np.abs(fine[name].values))
        np.testing.assert_allclose(cells[name].values, fine[name].values, rtol=0, atol=1e-3 * size)


def test_spin_and_orbital_parts_add_up():
    """Spin under a field across against differences of equilibrium; total_with_spin is the sum; both parts along the chain."""
    model, T = chain(5, spin=True, energies=(-3.0, -1.0, 1.0, 3.5)), KT / units.KB
    fourier, b = Fourier(model, 48), 0
    found = ome.compute(
        model, mesh(model), ["total", "spin", "total_with_spin"], MU, temperature=T, gate="level", origin=[0, 0, 0]
    )

    def moments(x):
        e, U = np.linalg.eigh(fourier.at(0.0, x * np.eye(3)[b])[0])
        f, out = fermi_function(e, MU, KT), []
        for i in range(3):
            s = fourier.sum(model.spin[..., i], 0.0)
            out.append((f * np.einsum("kin,kij,kjn->kn", U.conj(), s, U).real).sum() / len(e) / model.cell)
        return -units.SPIN_MOMENT * np.array(out)

    expected = slope(moments)
    spin = found.spin.values[0] / ALPHA
    np.testing.assert_allclose(spin[:, b], expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    both = found.total.values + found.spin.values
    np.testing.assert_allclose(found.total_with_spin.values, both, rtol=0, atol=1e-12 * np.abs(both).max())


def test_defaults_of_chains():
    """What is computed unless told has elements in a chain; parts of the split, which it has not, are refused by name."""
    model = METALS["centres"]
    found = ome.compute(model, mesh(model, 12), fermi=MU, origin=[0, 0, 0])
    assert {"total", "extrinsic", "dipole_polarizability", "quantum_metric"} <= set(found.data_vars)
    assert "dipole" not in found
    with pytest.raises(SettingsError, match="two periodic directions"):
        ome.compute(model, mesh(model, 12), ["dipole"], MU)


def test_degenerate_levels_are_traced():
    """Every orbital twice, at the same place: the double levels give twice what the single ones give, whatever their states."""
    model, settings = METALS["matrix"], {"temperature": KT / units.KB, "origin": [0, 0, 0]}
    two = np.eye(2)
    r = np.einsum("rija,st->risjta", model.position, two).reshape(len(model.R), 8, 8, 3)
    H = np.einsum("rij,st->risjt", model.hamiltonian, two).reshape(len(model.R), 8, 8)
    double = ome.TightBinding(model.lattice, model.R, H, position=r, periodic=model.periodic)
    asked = ["total", "extrinsic", "magnetization", "drude_weight"]
    for gate in ("level", "density"):
        once, twice = (ome.compute(m, mesh(model, 24), asked, MU, gate=gate, **settings) for m in (model, double))
        for name in asked:
            size = np.nanmax(np.abs(once[name].values))
            np.testing.assert_allclose(twice[name].values, 2 * once[name].values, rtol=0, atol=1e-9 * size)


def test_window_of_bands():
    """A list of hoppings with a window that holds all bands is the dense model, velocities across included."""
    model, n = METALS["centres"], METALS["centres"].n_orbitals
    pairs = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2)
    orbitals, R = np.concatenate([pairs] * len(model.R)), np.repeat(model.R, n * n, axis=0)
    window = ome.SparseTightBinding(model.lattice, orbitals, R, model.hamiltonian.ravel(), model.centres, filled=2, window=n)
    settings = {"temperature": 900.0, "origin": [0, 0, 0], "symmetry": "off"}
    dense, sparse = (ome.compute(m, mesh(model, 12), ["total", "extrinsic"], MU, **settings) for m in (model, window))
    for name in ("total", "extrinsic"):
        size = np.nanmax(np.abs(dense[name].values))
        np.testing.assert_allclose(sparse[name].values, dense[name].values, rtol=0, atol=1e-9 * size)
