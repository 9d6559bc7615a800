"""Spin-orbit coupling beside two channels: a system that turns its spins, against models that are turned in the laboratory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import TOYS, random_model, tilted_dirac

import ome_wannier as ome
from ome_wannier.adapters.wannierberri.spin_orbit import turned
from ome_wannier.adapters.wannierberri.system import export
from ome_wannier.errors import FileFormatError, ModelError, SettingsError

wb = pytest.importorskip("wannierberri")
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
EXCHANGE, ANGLES = 0.4, [(0.0, 0.0), (0.7, 0.3), (2.1, -1.4), (np.pi / 2, np.pi / 2)]


def hermitian(rng, R, n):
    """(nR, n, n) with X(-R) the adjoint of X(R)."""
    X = rng.normal(size=(len(R), n, n)) + 1j * rng.normal(size=(len(R), n, n))
    back = [int(np.flatnonzero((-r == R).all(axis=1))[0]) for r in R]
    return 0.1 * (X + np.conj(np.swapaxes(X[back], 1, 2)))


def parts(dimension, seed=5):
    """A model without spin, and its L (nR, n, n, 3)."""
    plain = random_model(seed, dimension, 3, position="matrix")
    rng = np.random.default_rng(seed)
    return plain, np.stack([hermitian(rng, plain.R, plain.n_orbitals) for _ in range(3)], axis=-1)


def soc_system(dimension, channels=2):
    """H0 +- exchange in two channels with the same functions, and L . sigma."""
    from wannierberri.system.system_soc import SystemSOC

    plain, L = parts(dimension)
    home = ~plain.R.any(axis=1)
    systems = []
    for sign in (1, -1)[:channels]:
        H = np.array(plain.hamiltonian)
        H[home] += sign * (channels - 1) * EXCHANGE * np.eye(plain.n_orbitals)
        systems.append(export(replace(plain, hamiltonian=H)))
        systems[-1].set_R_mat("dV_soc", L)
    system = SystemSOC(*systems)
    if channels == 2:
        system.rvec = systems[0].rvec
        system.set_R_mat("dV_soc", L)
        overlap = np.zeros(plain.hamiltonian.shape, dtype=complex)
        overlap[home] = np.eye(plain.n_orbitals)
        system.set_R_mat("overlap_up_down", overlap)
    return system


def laboratory(dimension, theta, phi, exchange=EXCHANGE):
    """The same with spins along z: H0 + exchange n . sigma + L . sigma."""
    plain, L = parts(dimension)
    along = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    n, home = plain.n_orbitals, ~plain.R.any(axis=1)
    H = np.kron(plain.hamiltonian, np.eye(2)) + sum(np.kron(L[..., c], PAULI[c]) for c in range(3))
    H[home] += exchange * np.kron(np.eye(n), np.einsum("c,cij->ij", along, PAULI))
    position = np.stack([np.kron(plain.position[..., a], np.eye(2)) for a in range(3)], axis=-1)
    spin = np.stack([np.kron(np.eye(n), s) for s in PAULI], axis=-1)
    return replace(plain, hamiltonian=H, position=position, spin=spin)


@pytest.mark.parametrize("dimension", [2, 3])
def test_responses_against_the_angle(dimension):
    """All responses are those of the laboratory's model at every angle, in one call; the system itself stays as it was."""
    names = ["total", "extrinsic", "spin", "spin_extrinsic", "berry_curvature", "ohmic"]
    mesh = (6, 6, 1) if dimension == 2 else (3, 3, 3)
    settings = {"calculators": names, "kmesh": mesh, "fermi": [0.0, 0.2], "temperature": 3000.0}
    system, degrees = soc_system(dimension), np.rad2deg(ANGLES).T
    found = ome.spin_directions(system, *degrees, **settings)
    assert found.total.dims == ("direction", "fermi", "moment", "field")
    np.testing.assert_allclose([found.theta.values, found.phi.values], degrees)
    assert not hasattr(system, "pauli_rotated")
    assert found.total.attrs["units"]
    for i, (theta, phi) in enumerate(ANGLES):
        expected = ome.compute(laboratory(dimension, theta, phi), **settings)
        for name in names:
            a, b = (np.nan_to_num(x[name].values) for x in (found.isel(direction=i), expected))
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * np.abs(b).max())
    assert np.abs(np.diff(found.total.fillna(0).values, axis=0)).max() > 0.01 * np.abs(found.total.fillna(0).values).max()


def test_one_channel_has_no_direction():
    """Without magnetism L . sigma alone: levels are those of the laboratory, and the same along all directions."""
    system = soc_system(2, channels=1)
    k = np.random.default_rng(1).uniform(size=(4, 3)) * [1, 1, 0]
    expected = np.linalg.eigvalsh(laboratory(2, 0, 0, exchange=0.0).matrices(k).H)
    for angles in ANGLES:
        levels = np.linalg.eigvalsh(ome.load(turned(system, *angles)).matrices(k).H)
        np.testing.assert_allclose(levels, expected, atol=1e-12)


def test_different_functions_and_vectors_in_the_channels():
    """Levels and spins of random channels with R vectors of their own, as WannierBerri has them at points of k."""
    from wannierberri.fourier.rvectors import Rvectors

    system = soc_system(2)
    rng = np.random.default_rng(8)
    one, other = system.system_up, system.system_down
    down = TOYS["matrix_metal_2d"].model  # another Hamiltonian with its own vectors
    system.system_down = export(down)
    system.system_down.set_R_mat("dV_soc", np.stack([hermitian(rng, down.R, down.n_orbitals) for _ in range(3)], axis=-1))
    assert other.num_wann == down.n_orbitals
    system.wannier_centers_cart[1::2] = system.system_down.wannier_centers_cart
    vectors = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [2, 1, 0]])
    system.rvec = Rvectors(
        lattice=system.real_lattice,
        iRvec=vectors,
        shifts_left_red=one.wannier_centers_red,
        shifts_right_red=system.system_down.wannier_centers_red,
    )
    system._XX_R.clear()
    shape = (len(vectors), system.num_wann_scalar, system.num_wann_scalar)
    dV = 0.2 * (rng.normal(size=(*shape, 3)) + 1j * rng.normal(size=(*shape, 3)))
    overlap = 0.2 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    system.set_R_mat("dV_soc", dV)
    system.set_R_mat("overlap_up_down", overlap)
    at = turned(system, 1.1, 0.4)
    at.alpha_soc = 0.7
    model, P = ome.load(at), at.pauli_rotated

    def bloch(R, X, k):
        return np.einsum("r,r...->...", np.exp(2j * np.pi * np.asarray(R) @ k), X)

    for k in rng.uniform(size=(3, 3)) * [1, 1, 0]:
        H = np.zeros((model.n_orbitals,) * 2, dtype=complex)
        S = np.zeros((*H.shape, 3), dtype=complex)
        for i, s in enumerate((system.system_up, system.system_down)):
            H[i::2, i::2] = (
                bloch(s.rvec.iRvec, s.get_R_mat("Ham"), k) + 0.7 * bloch(s.rvec.iRvec, s.get_R_mat("dV_soc"), k) @ P[i, i]
            )
            S[i::2, i::2] = np.eye(3)[..., None] * P[i, i]
        H[::2, 1::2] = 0.7 * bloch(vectors, dV, k) @ P[0, 1]
        H[1::2, ::2] = H[::2, 1::2].conj().T
        S[::2, 1::2] = bloch(vectors, overlap, k)[..., None] * P[0, 1]
        S[1::2, ::2] = np.conj(np.swapaxes(S[::2, 1::2], 0, 1))
        np.testing.assert_allclose(model.matrices(k[None]).H[0], H, atol=1e-12)
        np.testing.assert_allclose(np.moveaxis(model.operator("spin", k[None])[0], 0, -1), S, atol=1e-12)


def test_levels_are_those_of_wannierberri():
    """Its own evaluation of the same system at a point."""
    system = soc_system(2)
    system.set_soc_axis(theta=0.7, phi=0.3, alpha_soc=0.8)
    k = [0.13, 0.27, 0.0]
    theirs = wb.evaluate_k(system, k=k, quantities=["energy"], return_single_as_dict=False)
    np.testing.assert_allclose(np.linalg.eigvalsh(ome.load(system).matrices(np.array([k])).H[0]), np.ravel(theirs), atol=1e-9)


def test_a_function_of_the_angles():
    """A lattice of the library with an exchange field that turns; a number for one of the angles holds for all."""
    from ome_wannier.lattices.tmd import tmd

    def make(theta, phi):
        t, p = np.deg2rad([theta, phi])
        return tmd(exchange=tuple(0.1 * np.array([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)])))

    settings = {"calculators": ["spin", "ohmic"], "kmesh": (12, 12, 1), "fermi": -0.1, "temperature": 1000.0}
    found = ome.spin_directions(make, [0.0, 45.0, 90.0], 30.0, **settings)
    np.testing.assert_allclose(found.phi.values, 30.0)
    one = ome.compute(make(45.0, 30.0), **settings)
    for name in ("spin", "ohmic"):
        np.testing.assert_array_equal(found[name].isel(direction=1).values, one[name].values)


def test_one_direction_is_a_result_and_several_are_refused_in_a_line(tmp_path):
    """Each direction is summarized, listed, drawn and kept as what `compute` gives of it."""
    from ome_wannier import plotting
    from ome_wannier.lattices.tmd import tmd

    def make(theta, phi):
        t, p = np.deg2rad([theta, phi])
        return tmd(exchange=tuple(0.1 * np.array([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)])), strain=0.03)

    settings = {"calculators": ["spin", "ohmic"], "kmesh": (6, 6, 1), "fermi": -0.1, "temperature": 3000.0}
    found = ome.spin_directions(make, [0.0, 45.0], **settings)
    for use in (
        ome.summary,
        ome.table,
        lambda f: ome.save(f, tmp_path / "all.nc"),
        plotting.tensor,
        lambda f: plotting.mechanisms(f, fermi=-0.1),
    ):
        with pytest.raises(SettingsError, match=r"^2 spin directions: take one at a time, such as result.isel\(direction=0\)"):
            use(found)
    assert not list(tmp_path.iterdir())
    found.to_netcdf(tmp_path / "by_xarray.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match="found several spin directions"):
        ome.load_result(tmp_path / "by_xarray.nc")
    one = found.isel(direction=1)
    assert "spin" in str(ome.summary(one))
    expected = ome.compute(make(45.0, 0.0), **settings)
    listed = ome.table(one).set_index(["quantity", "component"])
    for a, b in (("x", "x"), ("y", "x")):
        assert listed.loc[("ohmic", a + b), "value"] == pytest.approx(expected.ohmic.sel(position=a, field=b).item(), abs=1e-15)
    ome.save(one, tmp_path / "one.nc")
    kept = ome.load_result(tmp_path / "one.nc")
    assert float(kept.theta) == 45.0
    np.testing.assert_array_equal(kept.spin.values, one.spin.values)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: ome.load(soc_system(2)), ModelError, "no spin direction"),
        (lambda: ome.spin_directions(soc_system(2), [1, 2], [1, 2, 3], fermi=0.0), SettingsError, "2 theta and 3 phi"),
        (lambda: ome.spin_directions(soc_system(2), "up", fermi=0.0), SettingsError, "theta is 'up'"),
        (lambda: ome.spin_directions(soc_system(2), fermi=0.0), SettingsError, "needs theta"),
        (lambda: ome.spin_directions(soc_system(2), [0, np.nan], fermi=0.0), SettingsError, r"^theta is \[0, nan\]: give"),
        (lambda: ome.spin_directions(soc_system(2), 0, np.inf, fermi=0.0), SettingsError, "^phi is inf: give finite"),
        (lambda: ome.spin_directions(lambda theta: tilted_dirac(), 0, fermi=0.0), SettingsError, "takes theta and phi"),
        (lambda: ome.spin_directions(tilted_dirac(), [1, 2], fermi=0.0), SettingsError, "a SystemSOC, or a function"),
        (lambda: ome.load(wb.system.SystemSOC(export(parts(2)[0]))), ModelError, "no spin-orbit coupling"),
    ],
)
def test_mistakes_are_one_line(make, error, said):
    with pytest.raises(error, match=said):
        make()
