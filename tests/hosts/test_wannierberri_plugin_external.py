"""The plug-in with states outside the Wannier functions: compute's numbers, and those of WannierBerri's own calculator.

Models are those of `physics/finite_samples/test_external.py`: functions are dropped from a larger model, which
makes the matrices of what is outside exact. The subspace of those that are left is invariant under the Hamiltonian
("invariant"), or its upper bands are not ("frozen").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.finite_samples.test_external import large_model
from physics.other_codes.test_wannierberri_external import te
from toys import split

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.adapters.wannierberri import export, load
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.matrices import adjoint
from ome_wannier.bands.outside_basis import outside_moments, wannier_curvature, wannier_position
from ome_wannier.bands.traces import velocity_weighted
from ome_wannier.calculators import Observable
from ome_wannier.calculators.weights import evaluate
from ome_wannier.errors import ModelError
from ome_wannier.plugins.wannierberri import OME, OMETabulator

wannierberri = pytest.importorskip("wannierberri")

from wannierberri import calculators as wb  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

TAU = 10.0
#: eV, as in WannierBerri's calculators below
TOL = 1e-5
#: name: dimension, whether the subspace is invariant, mesh
LARGE = {
    "invariant_2d": (2, True, (4, 6, 1)),
    "frozen_2d": (2, False, (4, 6, 1)),
    "invariant_3d": (3, True, (4, 2, 4)),
    "frozen_3d": (3, False, (4, 2, 4)),
}
ASKED = ["total", "extrinsic", "quantum_metric", "orbital_moment"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """WannierBerri writes its results into the current folder."""
    monkeypatch.chdir(tmp_path)


def run(system, mesh, calculator):
    for part in (calculator, *filter(None, [getattr(calculator, "BerryDipole", None)])):
        if not isinstance(part, OME):
            part.save_mode = "bin"  # text files would be left open
    grid = wannierberri.Grid(system, NKdiv=1, NKFFT=list(mesh))
    options = {"use_irred_kpt": False, "symmetrize": False, "parallel": False}
    return wannierberri.run(system, grid, {"it": calculator}, **options).results["it"]


def close(ours, theirs, rtol):
    assert np.abs(theirs).max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.abs(theirs).max())


@pytest.mark.parametrize("name", LARGE)
def test_numbers_are_those_of_compute(name):
    """Of the model with external matrices, which are not those of the model without."""
    dimension, invariant, mesh = LARGE[name]
    model, levels = large_model(dimension, invariant).small(), np.array([-2.6, 0.0, 1.8])
    system = export(model)
    ours = run(system, mesh, OME(levels, ASKED, 600.0, save_mode="bin", external_terms=True))
    inside = run(system, mesh, OME(levels, ASKED, 600.0, save_mode="bin"))
    theirs = ome.compute(model, mesh, ASKED, levels, temperature=600.0)
    axes = {"moment": model.moments, "axis": model.moments, "field": model.axes, "position": model.axes}
    for key in ASKED:
        here, without = ours[key].data, inside[key].data
        for i, dim in enumerate(theirs[key].dims[1:]):
            here, without = (np.take(X, axes[dim], axis=1 + i) for X in (here, without))
        close(here, split(model, theirs[key]).values, 1e-8)
        assert np.abs(without - here).max() > 1e-2 * np.abs(here).max()
        assert theirs.attrs["external_terms"] == "moments, metric"
        assert f"left out: {theirs.attrs['left_out']}" in ours[key].comment
        assert f"external terms: {theirs.attrs['external_terms']}" in ours[key].comment
        assert "left out: states outside the basis; " in inside[key].comment


def moving_curvature(bands):
    """Tr vbar_b Omega_i in groups, Omega with the curvature of the Wannier functions themselves."""

    def element(m, n):
        inside = 1j * (bands.connection_connection(m, n) - bands.connection_connection(n, m))
        return inside + bands.rotate(wannier_curvature(bands, m, n))

    return moving(bands, element)


def moving(bands, matrix):
    """[vbar_b X_mn]_nn (nk, n, moment, field) of Hermitian matrices by pair of axes."""
    rows = [[velocity_weighted(bands, b, matrix(m, n)) for b in range(len(bands.axes))] for m, n in bands.pairs]
    return np.moveaxis(np.array(rows), (0, 1), (2, 3))


def added_to_moment(centres):
    """By way of the state itself (module text of test_wannierberri_external), as a part of extrinsic."""

    def weights(bands):
        A = [bands.rotate(wannier_position(bands, a) - np.diag(centres[:, a])) * bands.same for a in bands.axes]
        N = [outside_moments(bands).N[a] for a in range(len(bands.axes))]

        def element(m, n):
            X = A[m] @ N[n] - A[n] @ N[m]
            return -0.5j * (X - adjoint(X))

        return -moving(bands, element)

    return weights


def parts(model):
    """What WannierBerri's use of the Fermi level, and of the state itself, adds to extrinsic; see test_wannierberri."""
    functions = {
        "moving_curvature": moving_curvature,
        "energy_times": lambda bands: bands.energies[:, :, None, None] * moving_curvature(bands),
        "itself": added_to_moment(model.wannier_centres),
    }
    return [Observable(k, k, "extrinsic", "surface", 1, -1, "", "", f, curvature=True) for k, f in functions.items()]


BUILD = {name: lambda folder, a=LARGE[name]: (large_model(a[0], a[1]).small(fields=("BB", "CC")), a[2]) for name in LARGE}
BUILD["te"] = lambda folder: (te(folder), (4, 4, 4))


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # files it leaves open
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("name", BUILD)
def test_extrinsic_is_that_of_wannierberri(name, tmp_path):
    """extrinsic = -(e tau/hbar) K^T of GME_orb_FermiSurf with external terms: factor +1, with its two additions."""
    model, mesh = BUILD[name](tmp_path)
    system = export(model)
    levels = np.linspace(5.0, 7.0, 41) if name == "te" else np.linspace(-4.0, 4.0, 81)
    theirs = run(system, mesh, wb.static.GME_orb_FermiSurf(Efermi=levels, degen_thresh=TOL))
    theirs = -np.swapaxes(theirs.data, 1, 2)[::2] * TAU / units.HBAR_EV_FS
    if model.dimension == 2:
        theirs = theirs * abs(np.linalg.det(model.lattice)) / model.cell * units.ANGSTROM

    def of(external_terms):
        asked = ["extrinsic", *parts(model)] if external_terms else ["extrinsic"]
        calculator = OME(levels[::2], asked, 0.0, TAU, TOL, save_mode="bin", external_terms=external_terms)
        return run(system, mesh, calculator)

    def cut(tensor):
        return np.take(np.take(tensor, model.moments, axis=1), model.axes, axis=2)

    ours, at = of(True), levels[::2, None, None]
    added = ours["energy_times"].data - at * ours["moving_curvature"].data
    close(cut(ours["extrinsic"].data + added + ours["itself"].data), cut(theirs), 1e-9)
    size = np.abs(theirs).max()
    by_way_of_itself = np.nanmax(np.abs(ours["itself"].data)) / size
    # levels of Te are below the top of its frozen window, but for what interpolation makes of them
    assert by_way_of_itself > 1e-3 if name.startswith("frozen") else by_way_of_itself < (1e-3 if name == "te" else 1e-9)
    assert np.nanmax(np.abs(of(False)["extrinsic"].data - ours["extrinsic"].data)) > 1e-2 * size


def test_band_resolved():
    """In a tabulator, on the same system with and without."""
    model = large_model(2, False).small()
    tabulators = {str(e): OMETabulator("orbital_moment", external_terms=e) for e in (True, False)}
    pack = wb.TabulatorAll(tabulators, save_mode="bin")
    table = run(export(model), (3, 2, 1), pack)
    for external, key in ((model.external, "True"), (None, "False")):
        bands = Bands(replace(model, external=external), table.kpoints)
        close(table.results[key].data[:, :, 2:], evaluate(ome.calculators.get("orbital_moment"), bands), 1e-9)


@pytest.mark.parametrize("matrix", ["BB", "CC", "FF", "Ham"])
def test_changed_matrices_are_seen(matrix):
    """The model of a system is made anew when a matrix of what is outside changes."""
    system = export(large_model(2, False).small())
    calculator = OME([-2.6, 0.0, 1.8], ["total", "quantum_metric"], 600.0, save_mode="bin", external_terms=True)
    before = run(system, (2, 2, 1), calculator)
    system._XX_R[matrix] *= 1.5
    after = run(system, (2, 2, 1), calculator)
    key = "quantum_metric" if matrix == "FF" else "total"
    assert np.nanmax(np.abs(before[key].data - after[key].data)) > 1e-3 * np.nanmax(np.abs(before[key].data))


def test_there_and_back():
    model = large_model(3, False).small()
    back = load(export(model), external_terms=True)
    for ours, theirs in zip(back.external.arrays, model.external.arrays, strict=True):
        index = {tuple(r): i for i, r in enumerate(back.R.tolist())}
        np.testing.assert_allclose(ours[[index[tuple(r)] for r in model.R.tolist()]], theirs, rtol=0, atol=1e-10)


def test_systems_without():
    calculator = OME([0.0], ["total"], save_mode="bin", external_terms=True)
    model = large_model(2, True).small()
    with pytest.raises(ModelError, match="make it with morb=True"):
        run(export(replace(model, external=None)), (2, 2, 1), calculator)
    system = export(model)
    system.force_internal_terms_only = True
    with pytest.raises(ModelError, match="external terms need AA"):
        run(system, (2, 2, 1), calculator)
