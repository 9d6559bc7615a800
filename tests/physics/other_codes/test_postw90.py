"""postw90's kinetic magneto-electric tensor K, conductivity, density of states and orbital magnetization, on our models.

postw90 interpolates ab-initio matrices on a grid of q points: energies, overlaps <u_q|u_q+b> (.mmn) and <u_q+b1|H_q|u_q+b2>
(.uHu). Here these files are made from a model so that they hold what the model knows, the states of its basis:

    overlaps 1 - i b.A(q):  i sum_b w_b b_a <u_q|u_q+b> = A_a(q), the position matrix, by sum_b w_b b_a b_c = delta_ac
    their product (1 + i b1.A) H (1 - i b2.A):  <d_a u|H|d_b u> = A_a H A_b, no state outside the basis

On the q points themselves nothing is interpolated but the derivative of H, which is exact if the grid holds all R vectors. The
grid is shifted off the points where levels are degenerate by symmetry: postw90 takes the product of diagonal elements there.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from scipy.io import FortranFile
from toys import haldane, random_model

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.outside_basis import basis_curvature
from ome_wannier.calculators import Observable

pytestmark = [
    pytest.mark.long,
    pytest.mark.outside,
    pytest.mark.skipif(
        not (shutil.which("postw90.x") and shutil.which("wannier90.x")),
        reason="postw90.x and wannier90.x are not installed (Debian: package wannier90)",
    ),
    pytest.mark.filterwarnings("ignore:kmesh .* errors are nan"),  # of meshes that hold what postw90 is given
]

SHIFT = (0.31, 0.17, 0.23)
WIDTH = 0.1
TAU = 10.0


def surface(task, size):
    """What asks for tasks of its module of Fermi surfaces, such as -K, on the shifted q points."""
    return [
        "gyrotropic = true",
        f"gyrotropic_task = {task}",
        "gyrotropic_kmesh = {} {} {}".format(*size),
        "gyrotropic_box_center = {:.15f} {:.15f} {:.15f}".format(*(0.5 + np.array(SHIFT) / size)),
        "gyrotropic_smr_type = f-d",
        f"gyrotropic_smr_fixed_en_width = {WIDTH}",
        "gyrotropic_smr_max_arg = 60",
    ]


def write_win(folder, model, q, size, levels, task):
    """Input of wannier90.x -pp and postw90.x, integrating over the q points themselves."""
    lines = [
        f"num_wann = {model.n_orbitals}",
        f"num_bands = {model.n_orbitals}",
        "use_ws_distance = false",
        *task,
        f"fermi_energy_min = {levels[0]}",
        f"fermi_energy_max = {levels[-1]}",
        f"fermi_energy_step = {levels[1] - levels[0]}",
        "mp_grid = {} {} {}".format(*size),
        "begin unit_cell_cart",
        *("{:.15f} {:.15f} {:.15f}".format(*row) for row in model.lattice),
        "end unit_cell_cart",
        "begin atoms_cart\nH 0 0 0\nend atoms_cart",
        "begin projections\nrandom\nend projections",
        "begin kpoints",
        *("{:.15f} {:.15f} {:.15f}".format(*k) for k in q),
        "end kpoints",
    ]
    (folder / "model.win").write_text("\n".join(lines) + "\n")


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1200)
    error = folder / "model.werr"
    assert done.returncode == 0, done.stdout + done.stderr
    assert not error.exists(), error.read_text()


def neighbours(folder, q, model):
    """Rows (k, k2, G) of the .nnkp file, numbers from 1, and b vectors (nk, nb, 3) in 1/Angstrom."""
    text = (folder / "model.nnkp").read_text()
    rows = text.split("begin nnkpts")[1].split("end nnkpts")[0].split()
    table = np.array(rows[1:], dtype=int).reshape(len(q), int(rows[0]), 5)
    b = q[table[:, :, 1] - 1] + table[:, :, 2:] - q[:, None]
    return table, b @ (2 * np.pi * np.linalg.inv(model.lattice).T)


def write_matrices(folder, model, q, size, table, b):
    """The files .eig, .mmn, .uHu and .chk, in the basis of the eigenstates at every q."""
    matrices = model.matrices(q, 1)
    e, U = np.linalg.eigh(matrices.H)
    nk, n = e.shape
    nb = b.shape[1]
    step = np.eye(n) - 1j * np.einsum("kba,kaij->kbij", b, matrices.A)
    there = U[table[:, :, 1] - 1]
    overlap = np.conj(np.swapaxes(U, 1, 2))[:, None] @ step @ there
    with open(folder / "model.eig", "w") as f:
        f.writelines(f"{i + 1} {k + 1} {e[k, i]:.16e}\n" for k in range(nk) for i in range(n))
    with open(folder / "model.mmn", "w") as f:
        f.write(f"made from a model\n{n} {nk} {nb}\n")
        for k in range(nk):
            for j in range(nb):
                f.write(" ".join(map(str, table[k, j])) + "\n")
                f.writelines(f"{x.real:.16e} {x.imag:.16e}\n" for x in overlap[k, j].T.ravel())
    with FortranFile(folder / "model.uHu", "w") as f:
        f.write_record(np.frombuffer(b"made from a model".ljust(60), dtype=np.uint8))
        f.write_record(np.array([n, nk, nb], dtype=np.int32))
        for k in range(nk):
            for second in range(nb):
                for first in range(nb):
                    X = np.conj(overlap[k, first].T) @ (e[k][:, None] * overlap[k, second])
                    f.write_record(X.ravel())  # row by row: postw90 reads columns, and transposes
    write_checkpoint(folder / "model.chk", model, q, size, np.conj(np.swapaxes(U, 1, 2)), nb)


def write_checkpoint(path, model, q, size, to_wannier, nb):
    """The .chk file of Wannier functions sum_m |m q> to_wannier_mn."""
    n, whole = model.n_orbitals, np.int32
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    with FortranFile(path, "w") as f:
        f.write_record(np.frombuffer(b"made from a model".ljust(33), dtype=np.uint8))
        f.write_record(np.array([n], dtype=whole))
        f.write_record(np.array([0], dtype=whole))
        f.write_record(np.array([], dtype=whole))
        f.write_record(model.lattice.T.ravel())
        f.write_record(reciprocal.T.ravel())
        f.write_record(np.array([len(q)], dtype=whole))
        f.write_record(np.array(size, dtype=whole))
        f.write_record(q.ravel())
        f.write_record(np.array([nb], dtype=whole))
        f.write_record(np.array([n], dtype=whole))
        f.write_record(np.frombuffer(b"postwann".ljust(20), dtype=np.uint8))
        f.write_record(np.array([0], dtype=whole))
        f.write_record(np.swapaxes(to_wannier, 1, 2).ravel())
        f.write_record(np.zeros(len(q) * nb * n * n, dtype=complex))
        f.write_record(np.ascontiguousarray(model.wannier_centres).ravel())
        f.write_record(np.ones(n))


def interpolated(folder, model, mesh, levels, task):
    """Run postw90 on the points of a mesh."""
    q = mesh.points()
    write_win(folder, model, q, mesh.size, levels, task)
    run(folder, "wannier90.x", "-pp", "model")
    write_matrices(folder, model, q, mesh.size, *neighbours(folder, q, model))
    run(folder, "postw90.x", "model")


def gyrotropic(folder, model, size, levels):
    """K_ab in ampere at the levels: (nf, 3, 3), a the velocity's axis, b the moment's."""
    interpolated(folder, model, ome.KMesh(size, SHIFT), levels, surface("-K", size))
    return tensors(folder / "model-gyrotropic-K_orb.dat", levels)


def tensors(path, levels):
    """The tensors (nf, 3, 3) of a file of that module."""
    rows = np.loadtxt(path, ndmin=2)
    np.testing.assert_allclose(rows[:, 0], levels, atol=1e-5)
    xx, yy, zz, xy, xz, yz, x, y, z = rows[:, 2:].T
    symmetric = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    antisymmetric = np.array([[0 * x, z, -y], [-z, 0 * x, x], [y, -x, 0 * x]])
    return np.moveaxis(symmetric + antisymmetric, 2, 0)


def curvature_of_the_basis(bands):
    """-v_b e_n F_i,nn / 2, what postw90 adds to -v_b m_i.

    It takes <d_a u|d_b u> - <d_b u|d_a u> = -i (d_a A_b - d_b A_a), complete, where the products of A miss the curvature F of
    the Wannier basis itself, but energies from the products: its moment is m + e_n F_nn / 2.
    """
    F = np.stack([basis_curvature(bands, m, n) for m, n in bands.pairs], axis=-1)
    v = np.stack([bands.slope(b) for b in range(len(bands.axes))], axis=-1)
    return -bands.energies[:, :, None, None] * F[:, :, :, None] * v[:, :, None, :] / 2


BASIS = Observable("curvature_of_the_basis", "", "extrinsic", "surface", 1, -1, "", "", curvature_of_the_basis, curvature=True)


def te():
    return ome.load("te")


@pytest.mark.parametrize(
    ("build", "size", "levels"),
    [
        (lambda: random_model(7, 3, 3, hopping=1.0), (5, 5, 5), np.array([-0.5, 0.1, 0.7])),
        (lambda: random_model(8, 3, 3, hopping=1.0, position="matrix"), (5, 5, 5), np.array([-0.5, 0.1, 0.7])),
        (te, (5, 5, 5), np.array([5.9, 6.1, 6.3])),
    ],
    ids=["tight binding", "position matrix", "te"],
)
def test_kinetic_tensor(tmp_path, build, size, levels):
    """extrinsic = -(e tau/hbar) K^T, as for WannierBerri; postw90 prints seven digits."""
    model = build()
    K = gyrotropic(tmp_path, model, size, levels)
    theirs = -np.swapaxes(K, 1, 2) * TAU / units.HBAR_EV_FS
    mesh = ome.KMesh(size, SHIFT)
    result = ome.compute(model, mesh, ["extrinsic", BASIS], levels, temperature=WIDTH / units.KB, tau=TAU, symmetry="off")
    ours = result.extrinsic.values + result.curvature_of_the_basis.values
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def stacked(name):
    """A layer as the crystal of layers that do not know of each other."""
    layer = ome.load(name)
    return ome.TightBinding(layer.lattice, layer.R, layer.hamiltonian, position=layer.position, periodic=(True,) * 3)


@pytest.mark.parametrize(
    ("build", "size", "levels"),
    [(te, (5, 5, 5), np.array([5.9, 6.1, 6.3])), (lambda: stacked("vse2"), (9, 9, 2), np.array([-0.6, -0.5, -0.4]))],
    ids=["te", "vse2"],
)
def test_conductivity_and_density_of_states(tmp_path, build, size, levels):
    """C in A/cm, Eq. (B6) of Tsirkin, Puente, Souza (2018), holds e/h: ohmic = 2 pi C tau/hbar; six digits."""
    model, mesh = build(), ome.KMesh(size, SHIFT)
    interpolated(tmp_path, model, mesh, levels, surface("-C-dos", size))
    found = ome.compute(model, mesh, ["ohmic", "dos"], levels, temperature=WIDTH / units.KB, tau=TAU, symmetry="off")
    theirs = tensors(tmp_path / "model-gyrotropic-C.dat", levels) * 100 * 2 * np.pi * TAU / units.HBAR_EV_FS
    np.testing.assert_allclose(found.ohmic, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
    states = np.loadtxt(tmp_path / "model-gyrotropic-DOS.dat", ndmin=2)[:, 1]
    np.testing.assert_allclose(found.dos * units.ANGSTROM**3, states, rtol=1e-5)


def test_a_layer_is_its_stack():
    """Of which postw90 was asked: conductivity and states of the layer are the stack's times its height."""
    stack, layer = stacked("vse2"), ome.load("vse2")
    settings = {"calculators": ["ohmic", "dos"], "fermi": -0.5, "temperature": WIDTH / units.KB, "symmetry": "off"}
    meshes = (ome.KMesh((9, 9, n), (*SHIFT[:2], 0.0)) for n in (2, 1))
    of_stack, of_layer = (ome.compute(model, mesh, **settings) for model, mesh in zip((stack, layer), meshes, strict=True))
    height = stack.cell / layer.cell * units.ANGSTROM
    np.testing.assert_allclose(of_layer.ohmic.values[0], of_stack.ohmic.values[0, :2, :2] * height, rtol=1e-9)
    np.testing.assert_allclose(of_layer.dos, of_stack.dos * height, rtol=1e-9)


def energy_times_basis_curvature(bands):
    """e_n F_i,nn / 2, what postw90 adds to the magnetization: see `curvature_of_the_basis`."""
    F = np.stack([basis_curvature(bands, m, n) for m, n in bands.pairs], axis=-1)
    return bands.energies[:, :, None] * F / 2


MORE = Observable("more", "", "moment", "sea", -1, 1, "", "", energy_times_basis_curvature, dims=("moment",), curvature=True)


def haldane_stack():
    """Haldane's layers with a hopping between them."""
    layer = haldane(delta=0.4)
    R = np.concatenate([layer.R, [[0, 0, 1], [0, 0, -1]]])
    H = np.concatenate([layer.hamiltonian, 0.2 * np.array([np.eye(2), np.eye(2)])])
    return ome.TightBinding(np.array(layer.lattice) * [[1], [1], [0.3]], R, H, centres=layer.centres)


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (haldane_stack, (5, 5, 5)),
        (lambda: random_model(7, 3, 3, hopping=1.0), (5, 5, 5)),
        (lambda: random_model(8, 3, 3, hopping=1.0, position="matrix"), (5, 5, 5)),
    ],
    ids=["haldane", "tight binding", "position matrix"],
)
def test_magnetization(tmp_path, build, size):
    """morb, a moment per cell in mu_B, at T = 0: factor +1; postw90 prints some six digits."""
    model, levels = build(), np.array([-0.9, -0.2, 0.5])
    mesh = ome.KMesh(size)
    task = ["berry = true", "berry_task = morb", "berry_kmesh = {} {} {}".format(*size)]
    interpolated(tmp_path, model, mesh, levels, task)
    rows = np.loadtxt(tmp_path / "model-morb-fermiscan.dat", ndmin=2)
    np.testing.assert_allclose(rows[:, -4], levels, atol=1e-5)
    theirs = rows[:, -3:] * units.MU_B / (model.cell * units.ANGSTROM**3)
    found = ome.compute(model, mesh, ["magnetization", MORE], levels, temperature=0.0, symmetry="off")
    ours = found.magnetization.values + found.more.values
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
