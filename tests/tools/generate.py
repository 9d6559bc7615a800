"""Write VALIDATION.md: every independent check with both numbers, from live runs. `make validation` runs it.

The independent values are those of the tests; their helpers are imported, not written again. Each function below is one
check and returns its rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "VALIDATION.md"
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(HERE.parent / p) for p in ("", "physics/analytic", "physics/finite_samples", "physics/other_codes")]

import numpy as np  # noqa: E402
import test_axion as axion  # noqa: E402
import test_dirac as dirac  # noqa: E402
import test_flakes as flakes  # noqa: E402
import test_lattice_models as lattices  # noqa: E402
import test_wannierberri as berri  # noqa: E402
from toys import TOYS, malashevich, tilted_dirac  # noqa: E402

import ome_wannier as ome  # noqa: E402
from ome_wannier import units  # noqa: E402
from ome_wannier.bands.bands import Bands  # noqa: E402
from ome_wannier.calculators import semiclassical_with  # noqa: E402
from ome_wannier.integration.chern_simons import axion_angle  # noqa: E402
from ome_wannier.lattices.antiferromagnet import cumnas_minimal  # noqa: E402
from ome_wannier.lattices.chiral import stacked_honeycomb  # noqa: E402
from ome_wannier.lattices.honeycomb import haldane, kane_mele  # noqa: E402
from ome_wannier.plotting import reproduce  # noqa: E402

SHEET = "[physics.md](../../ome_wannier/handbook/physics.md)"
FLAKES = "[test_flakes.py](../physics/finite_samples/test_flakes.py)"
LATTICES = "[test_lattice_models.py](../physics/analytic/test_lattice_models.py)"
BERRI = "WannierBerri, [test_wannierberri.py](../physics/other_codes/test_wannierberri.py)"
NJP = "reference digits of the project for the model of A. Malashevich et al., New J. Phys. 12, 053032 (2010)"
PRB = "A. Malashevich et al., Phys. Rev. B 86, 094430 (2012), quoted at second hand"
CONE = "tilted Dirac cone, m = 10 meV, v_t = 0.2 alpha/hbar"


@dataclass(frozen=True)
class Row:
    """One line of the page.

    difference : the largest one over all elements, where `value` and `reference` are the largest element of a tensor.
    tolerance : what the difference must stay below, in the unit of the value; `why` says where it comes from.
    Without an independent value (nan) nothing is checked, and the page says so.
    """

    check: str
    model: str
    value: float
    reference: float
    source: str
    difference: float
    tolerance: float
    why: str

    @property
    def holds(self) -> bool:
        return np.isnan(self.reference) or self.difference <= self.tolerance

    def cells(self) -> list[str]:
        value, reference = (number(x, self.tolerance) for x in (self.value, self.reference))
        numbers = ["none at hand", "-", "-"]
        if not np.isnan(self.reference):
            numbers = [reference, f"{self.difference:.1g}", f"{self.tolerance:.2g}"]
        return [self.check, self.model, value, numbers[0], self.source, *numbers[1:], self.why]


HEADER = ["check", "model", "here", "independent", "source of the independent value", "difference", "tolerance", "why"]


def number(x: float, tolerance: float) -> str:
    """Digits down to the power of ten next to the tolerance; at least two, at most fourteen."""
    if x == 0 or np.isnan(x):
        return f"{x:g}"
    digits = np.floor(np.log10(abs(x))) - np.ceil(np.log10(tolerance) - 1e-9) + 1
    return f"{x:#.{int(np.clip(digits, 2, 14))}g}".rstrip(".")


def scalar(check: str, model: str, value: float, reference: float, source: str, tolerance: float, why: str) -> Row:
    """A single number against another."""
    value, reference = float(value), float(reference)
    return Row(check, model, value, reference, source, abs(value - reference), float(tolerance), why)


def tensor(check: str, model: str, values, references, source: str, relative: float, why: str) -> Row:
    """Every element against every element, the tolerance relative to the largest; that one is shown."""
    ours, theirs = np.asarray(values, dtype=float), np.asarray(references, dtype=float)
    at = np.unravel_index(np.abs(theirs).argmax(), theirs.shape)
    off, size = float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())
    return Row(check, model, float(ours[at]), float(theirs[at]), source, off, relative * size, why)


# ---- the tilted Dirac cone ---------------------------------------------------------------------------------------------


def cone_table() -> list[Row]:
    """physics.md section 7: <y>, L'_d and L'_IC in the gap and at three Fermi levels in the band."""
    names = ["dipole_polarizability", "dipole", "itinerant", "local"]
    result = ome.compute(tilted_dirac(), ome.PolarMesh(), names, dirac.LEVELS, temperature=0.0)
    y, dipole, itinerant, _ = (dirac.internal(result, name) for name in names)
    rows = []
    for i, level in enumerate(dirac.LEVELS):
        where = "in the gap" if level == 0 else f"E_F = {1e3 * level:.1f} meV"
        for what, ours, exact in (
            ("⟨y⟩ (1/eV)", y[i, 1, 1], dirac.POLARIZABILITY[i]),
            ("L'_d (Å)", 2 * dipole[i, 0, 1], dirac.DIPOLE[i]),
            ("L'_IC (Å)", 2 * itinerant[i, 0, 1], dirac.ITINERANT[i]),
        ):
            tolerance = dirac.last_digit(exact) if exact else 1e-10
            why = "digits of the table" if exact else "rounding"
            rows.append(scalar(f"{what}, {where}", CONE, ours, exact, f"exact integral, {SHEET} 7", tolerance, why))
    return rows


def cone_selection() -> list[Row]:
    """A mirror with time reversal: no intrinsic response to E along x, no extrinsic one to E along y."""
    result = ome.compute(tilted_dirac(), ome.PolarMesh(), ["total", "extrinsic"], 0.015, temperature=0.0)
    total, extrinsic = dirac.internal(result, "total")[0, 0], result.extrinsic.values[0, 0]
    source, why = f"zero by symmetry, {SHEET} 7", "sums of terms of size 1 cancel"
    return [
        scalar("total alpha_zx / alpha_zy, E_F = 15 meV", CONE, total[0] / total[1], 0, source, 1e-11, why),
        scalar("extrinsic alpha_zy / alpha_zx, E_F = 15 meV", CONE, extrinsic[1] / extrinsic[0], 0, source, 1e-11, why),
    ]


def closed_forms() -> list[Row]:
    """physics.md 6e and 6f, first order in the tilt: slopes at v_t = 0."""
    m, levels = dirac.M, np.array([0.0102, 0.015, 0.03])
    dipole, itinerant = dirac.slope_in_tilt(["dipole", "itinerant"], levels)
    pi, why = np.pi, "extrapolation of the slope"
    forms = [
        ("L'_IC / v_t", 2 * itinerant, (levels**2 - m**2) / (16 * pi * levels**3), "6e, (E_F² - m²)/(16 pi E_F³)"),
        ("(L'_d + L'_IC) / v_t", 2 * (dipole + itinerant), -(m**2) / (12 * pi * levels**3), "6e, -m²/(12 pi E_F³)"),
        ("⟨y⟩ (1/eV)", 2 * dipole, reproduce.printed_dipole(levels), "6f, -(3 E_F² + m²)/(48 pi E_F³)"),
    ]
    prefactors = {
        "wavepacket": (m**2 / (12 * pi * levels**3), "m²/(12 pi E_F³)"),
        "operator": ((3 * levels**2 + 5 * m**2) / (96 * pi * levels**3), "(3 E_F² + 5 m²)/(96 pi E_F³)"),
        "kubo": ((levels**2 + m**2) / (24 * pi * levels**3), "(E_F² + m²)/(24 pi E_F³)"),
    }
    for name, (form, text) in prefactors.items():
        (got,) = dirac.slope_in_tilt([semiclassical_with(name)], levels)
        forms.append((f"semiclassical, prefactor {name}, / v_t", got, -form, f"6f, -{text}"))
    (gap,) = dirac.slope_in_tilt([semiclassical_with("operator")], [0.002])
    label = "Dirac cone, first order in v_t"
    rows = [tensor(f"{t}, E_F = 10.2, 15, 30 meV", label, a, b, f"{SHEET} {source}", 1e-7, why) for t, a, b, source in forms]
    source = f"{SHEET} 6f, -1/(12 pi m)"
    return [*rows, tensor("total / v_t, in the gap", label, gap, [-1 / (12 * pi * m)], source, 1e-9, why)]


# ---- finite samples ----------------------------------------------------------------------------------------------------


def layers() -> list[Row]:
    """dM/dE and d<r>/dE of flakes with open boundaries, extrapolated to infinite size."""
    rows = []
    source, why = f"flakes of open boundary, all states, bulk part of L², {FLAKES}", "opposite edges of the flake interact"
    for name in ("insulator_2d", "one of three"):
        model, occupied, size = flakes.LAYERS[name]
        moment, dipole = flakes.bulk_response(model, size, occupied)
        names = ("interband", "dipole_polarizability")
        total, chi = (flakes.lattice_response(model, (48, 48, 1), n) for n in names)
        label = f"random layer, {occupied} of {model.n_orbitals} bands filled"
        rows.append(tensor("total (e²/hbar Å)", label, total, moment[2:, :2], source, 1e-6, why))
        rows.append(tensor("dipole_polarizability (1/eV)", label, chi, dipole[:2, :2], source, 1e-6, why))
    return rows


def _energy_response(model, sizes, occupied):
    """Second derivative of the energy of a sample in a field along (0.8, 0.6, 0), as element xx, by diagonalisation."""
    H, x = flakes.sample(model, sizes)
    along, h = x @ [0.8, 0.6, 0.0], 2e-3
    p = occupied * int(np.prod(sizes))
    energy = [np.linalg.eigvalsh(H + np.diag(s * h * along))[:p].sum() for s in (-2, -1, 0, 1, 2)]
    out = np.zeros((3, 3))
    out[0, 0] = np.dot([-1, 16, -30, 16, -1], energy) / (12 * h**2)
    return (out,)


def second_order_energy() -> list[Row]:
    """physics.md 6g: the energy in a field is 1/2 E chi E = -sum |E.R|²/(e_m - e_n)."""
    model, occupied, size = flakes.LAYERS["two bands"]
    chi = flakes.lattice_response(model, (48, 48, 1), "dipole_polarizability")
    field = np.array([0.8, 0.6])
    (energy,) = flakes.bulk_response(model, size, occupied, _energy_response)
    source = f"levels of flakes in a field, differentiated twice, {SHEET} 6g"
    why = "step of the second difference, rounding"
    return [tensor("E.chi.E (1/eV)", "random layer, 1 of 2 bands filled", field @ chi @ field, energy[0, 0], source, 1e-4, why)]


def spin_flake() -> list[Row]:
    """The intrinsic spin response of flakes: -(g/2) mu_B d<sigma>/dE."""
    model, occupied, size = flakes.LAYERS["insulator_2d"]
    (sigma,) = flakes.bulk_response(model, size, occupied, flakes.sample_spin_response)
    ours = flakes.lattice_response(model, (48, 48, 1), "spin")[:, :2]
    source, why = f"flakes of open boundary, {FLAKES}", "opposite edges of the flake interact"
    label = "random layer with spin, 2 of 4 bands filled"
    return [tensor("spin (e²/hbar Å)", label, ours, -units.SPIN_MOMENT * sigma[:, :2], source, 1e-6, why)]


def solids() -> list[Row]:
    """Blocks in three dimensions: the traceless part, and what is left of the isotropic one, the Chern-Simons part."""
    rows = []
    source, why = f"blocks of open boundary, bulk part of L³, {FLAKES}", "opposite faces of the block interact"
    for name, (model, occupied, size) in flakes.SOLIDS.items():
        block, _ = flakes.bulk_response(model, size, occupied)
        total = flakes.lattice_response(model, (16, 16, 16), "interband")
        theta = axion_angle(model, ome.KMesh((16, 16, 16)), occupied).theta
        label = f"random solid, {name} bands filled"
        rows.append(
            tensor("total, traceless (e²/hbar)", label, flakes.traceless(total), flakes.traceless(block), source, 2e-6, why)
        )
        ours, rest = theta / (4 * np.pi**2), np.trace(block - total) / 3
        tolerance, isotropic = 2e-6 * np.abs(total).max(), f"isotropic rest of the {source}"
        rows.append(scalar("chern_simons (e²/hbar)", label, ours, rest, isotropic, tolerance, why))
    return rows


def malashevich_cubes() -> list[Row]:
    """All of the response of the 8-site model against cubes of 4 and 5 cells along each edge."""
    model = malashevich()
    block, _ = flakes.bulk_response(model, 4, 2)
    result = ome.compute(model, (18, 18, 18), ["total"], filling=2, temperature=1.0, include_chern_simons=True)
    ours, theirs = 1e5 * result.total.values[0] / units.E2_OVER_HBAR, 1e5 * block
    source, why = f"cubes of open boundary, bulk part of L³, {FLAKES}", "opposite faces of the cube interact"
    label = "8-site model, phi = pi"
    return [
        tensor("total + chern_simons, 9 elements (1e-5 e²/hbar)", label, ours, theirs, source, 1e-4, why),
        scalar("the same, zz (1e-5 e²/hbar)", label, ours[2, 2], theirs[2, 2], source, 5e-4, why),
    ]


# ---- brute force and identities ----------------------------------------------------------------------------------------


def cross_gap() -> list[Row]:
    """The cross-gap formula of Essin et al. by loops over bands, its derivatives by a loop over hoppings."""
    rows = []
    for name, n in (("insulator_2d", 10), ("slab", 10), ("insulator_3d", 4)):
        toy = TOYS[name]
        model, mesh = toy.model, tuple(n if x else 1 for x in toy.model.periodic)
        sum_ = np.zeros((len(model.moments), len(model.axes)))
        for k in ome.KMesh(mesh).points():
            _, v, R, B = flakes.eigensystem(model, k)
            for i, b in product(range(len(model.moments)), range(len(model.axes))):
                sum_[i, b] += sum(flakes.cross_gap(v, R, B, toy.occupied, model.moments[i], model.axes[b]))
        expected = sum_ / np.prod(mesh) / model.cell
        ours = flakes.lattice_response(model, mesh, "interband")
        source = f"loops over occupied and empty bands at the same k points, {FLAKES}"
        unit = "e²/hbar Å" if model.dimension == 2 else "e²/hbar"
        rows.append(tensor(f"interband ({unit})", name, ours, expected, source, 1e-10, "rounding"))
    return rows


def identity() -> list[Row]:
    """physics.md 6d: density matrix with the dropped terms = interband + half the metric curl, metals at k_B T = 30 meV."""
    rows = []
    for name in ("insulator_2d", "metal_2d", "metal_3d", "pt_3d"):
        toy = TOYS[name]
        bands = Bands(toy.model, ome.KMesh(toy.mesh).points(), order=2)

        def mean(*terms, bands=bands, level=toy.fermi):
            return sum(c * flakes.occupied(term, bands, level, 0.03).mean(axis=0) for c, term in terms)

        split = mean((2, "dipole"), (1, "itinerant_sea"), (1, "local"))
        other = mean((1, "local_crossgap"), (1, "itinerant_crossgap"), (0.5, "metric_curl_sea"))
        if toy.model.dimension == 3:
            split, other = flakes.traceless(split), flakes.traceless(other)
        what = "2 dipole + itinerant_sea + local" + (", traceless" if toy.model.dimension == 3 else "")
        source = f"interband + 1/2 metric_curl_sea, {SHEET} 6d"
        rows.append(tensor(what, name, split, other, source, 1e-10, "rounding; terms cancel by up to 1e3"))
    return rows


def sea_and_surface() -> list[Row]:
    """The metric curl as a sea and as a surface term: the difference falls exponentially with the mesh."""
    model = flakes.SMOOTH["metal"]
    rows = []
    for n, tolerance in ((16, 1e-3), (24, 1e-6), (32, 1e-9)):
        bands = Bands(model, ome.KMesh((n, n, 1)).points(), order=2)
        surface, sea = (flakes.occupied(q, bands, 0.1, 0.25).mean(axis=0) for q in ("metric_curl", "metric_curl_sea"))
        source = "metric_curl_sea (second derivatives of H), same mesh"
        label = "random metal, k_B T = 0.25 eV"
        rows.append(tensor(f"metric_curl, {n} x {n}", label, surface, sea, source, tolerance, "exponential in the mesh"))
    return rows


# ---- three-dimensional insulators --------------------------------------------------------------------------------------


def malashevich_printed() -> list[Row]:
    """alpha_zz at phi = pi on an 18³ mesh."""
    names = ["local_crossgap", "itinerant_crossgap", "chern_simons", "total"]
    result = ome.compute(malashevich(), (18, 18, 18), names, filling=2, temperature=1.0, include_chern_simons=True)
    printed = [-8.30338, 3.28291, -0.77123, -5.79169]
    ours = [1e5 * result[n].sel(moment="z", field="z").item() / units.E2_OVER_HBAR for n in names]
    label, why = "8-site model, phi = pi", "last digit given"
    rows = [
        scalar(f"{n}, zz (1e-5 e²/hbar)", label, a, b, NJP, 0.51e-5, why) for n, a, b in zip(names, ours, printed, strict=True)
    ]
    theta = 1e4 * result.attrs["chern_simons_theta"][0]
    return [*rows, scalar("theta (1e-4)", label, theta, -3.04468, NJP, 0.51e-5, why)]


def fu_kane_mele() -> list[Row]:
    """theta = pi in the strong topological phase, 0 elsewhere, modulo 2 pi; time reversal allows no other."""
    rows = []
    for bond, phase, expected in ((1.0, "strong", np.pi), (-1.0, "weak", 0.0), (-5.0, "trivial", 0.0)):
        theta = axion_angle(axion.fu_kane_mele(bond), ome.KMesh((24, 24, 24)), 2).theta
        # the branch nearest to the expected value
        theta = expected + (theta - expected + np.pi) % (2 * np.pi) - np.pi
        source = "quantised; L. Fu, C. L. Kane, E. J. Mele, Phys. Rev. Lett. 98, 106803 (2007)"
        label = f"Fu-Kane-Mele, {phase} phase"
        rows.append(scalar("theta modulo 2 pi, 24³", label, theta, expected, source, 1e-5, "exponential in the mesh"))
    return rows


# ---- topology and symmetry ---------------------------------------------------------------------------------------------


def chern_numbers() -> list[Row]:
    """2 pi times the integrated curvature against products of overlaps around plaquettes."""
    cases = [
        ("Haldane, phi = pi/2", haldane(phi=np.pi / 2, mass=0.2), 1, 24, (120, 120, 1), 1e-9),
        ("Haldane, phi = -pi/2", haldane(phi=-np.pi / 2, mass=0.2), 1, 24, (120, 120, 1), 1e-9),
        ("Haldane, large mass", haldane(phi=np.pi / 2, mass=1.0), 1, 24, (120, 120, 1), 1e-9),
        ("Kane-Mele with exchange", kane_mele(t=1.0, spin_orbit=0.0, rashba=0.4, exchange=0.3), 2, 60, (96, 96, 1), 1e-6),
    ]
    source = f"overlaps around plaquettes (Fukui, Hatsugai, Suzuki), {LATTICES}"
    return [
        scalar(
            "2 pi berry_curvature",
            label,
            lattices.integrated_curvature(model, mesh),
            lattices.chern_number(model, filled, n)[0],
            source,
            tolerance,
            "exponential in the mesh",
        )
        for label, model, filled, n, mesh, tolerance in cases
    ]


def zeros_by_symmetry() -> list[Row]:
    """Largest element of every calculator of a kind, in units of the natural size of its terms."""
    unequal = {"t": 1.0, "spin_orbit": 0.1, "bonds": lattices.STRAINED}
    no_exchange = kane_mele(rashba=0.2, exchange=0.0, stagger=0.3, **unequal)
    cases = [
        ("intrinsic, time reversal", "strained Kane-Mele", no_exchange, "alpha", -1.0),
        ("intrinsic, inversion", "strained Haldane", haldane(mass=0.0, bonds=lattices.STRAINED), "alpha", -1.2),
        ("intrinsic, time reversal", "chiral stack", stacked_honeycomb(), "alpha", -0.8),
        ("extrinsic, inversion", "strained Haldane", haldane(mass=0.0, bonds=lattices.STRAINED), "extrinsic", -1.2),
        ("extrinsic, inversion x time reversal", "CuMnAs, n = (1, 2, 3)", cumnas_minimal(neel=(1, 2, 3)), "extrinsic", -0.7),
    ]
    rows = []
    for what, label, model, kind, level in cases:
        found = lattices.sums(model, kind, level)
        largest = max(np.abs(value).max() / size for value, size in found.values())
        check = f"{what}: largest element of {len(found)} quantities, relative to their terms"
        rows.append(scalar(check, label, largest, 0, "zero by symmetry", 1e-12, "rounding"))
    return rows


def enantiomers() -> list[Row]:
    """Mirror images of a chiral crystal respond oppositely."""
    right, left = (
        ome.compute(stacked_honeycomb(t_right=r, t_left=l), (12, 12, 8), ["extrinsic"], -0.8).extrinsic.values[0]
        for r, l in ((0.3, 0.0), (0.0, 0.3))
    )
    ours, other = (np.diag(a) / units.extrinsic_to_si(3, 10.0) for a in (right, left))
    source = f"minus the left-handed crystal, {LATTICES}"
    label = "right-handed chiral stack"
    return [tensor("extrinsic / tau, diagonal (e²/hbar² eV)", label, ours, -other, source, 1e-12, "rounding")]


# ---- WannierBerri ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """WannierBerri prints, and writes its results into the current folder."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        yield


def _berri_row(check: str, name: str, ours, theirs, relative: float, why: str, factor: str) -> Row:
    return tensor(check, name, ours, theirs, f"{factor}, {BERRI}", relative, why)


def berri_geometry() -> list[Row]:
    """Berry curvature of the Fermi sea, orbital moment of every state."""
    rows = []
    for name in ("metal_3d", "matrix_metal_2d"):
        model, mesh = berri.MODELS[name], berri.mesh_of(berri.MODELS[name])
        levels = np.linspace(-2, 2, 41)
        ahc = berri.ours_from(model, berri.run(model, mesh, berri.wb.static.AHC(Efermi=levels)).data, "moment")
        ours = ome.compute(model, mesh, ["berry_curvature"], levels, temperature=0.0).berry_curvature.values
        per_length = -units.E2_OVER_HBAR * units.ANGSTROM ** (2 - model.dimension)
        what = f"-(e²/hbar) berry_curvature ({'S' if model.dimension == 2 else 'S/m'}), 41 levels"
        rows.append(_berri_row(what, name, per_length * ours, ahc, 1e-11, "rounding", "AHC"))
        formula = berri.wb.tabulate.OrbitalMoment(kwargs_formula={"OO_uIu": True})
        k, table = berri.tabulated(model, mesh, m=formula)
        moment = ome.calculators.get("orbital_moment")(Bands(model, k)) * units.E2_OVER_HBAR * units.ANGSTROM**2 / units.MU_B
        theirs = table["m"][:, :, list(model.moments)]
        rows.append(_berri_row("orbital_moment of every state (mu_B)", name, moment, theirs, 1e-9, "rounding", "OrbitalMoment"))
    return rows


def berri_kinetic() -> list[Row]:
    """The extrinsic part as a surface term, in boxes of 1e-7 eV around a state and for every level of a scan."""
    name = "metal_3d"
    model, mesh = berri.METALS[name], berri.mesh_of(berri.METALS[name])
    factor = "-(e tau/hbar) K^T of GME_orb_FermiSurf"
    width, level = 1e-7, float(Bands(model, ome.KMesh(mesh).points()).energies[5, 1])
    ours, _, theirs = berri.surface_of_both(model, mesh, level + 0.3 * width + width * np.arange(-2, 3) / 2)
    rows = [_berri_row("extrinsic (A/V), one state", name, ours, theirs, 1e-6, "width of the boxes of levels", factor)]
    for name in ("metal_2d", "matrix_metal_3d"):
        model, mesh = berri.METALS[name], berri.mesh_of(berri.METALS[name])
        ours, added, theirs = berri.surface_of_both(model, mesh, np.linspace(-1.5, 1.5, 61))
        unit = "A m/V" if model.dimension == 2 else "A/V"
        rows.append(
            _berri_row(
                f"extrinsic + known term of finite boxes ({unit})", name, ours + added, theirs, 1e-10, "rounding", factor
            )
        )
    return rows


def berri_kinetic_sea() -> list[Row]:
    """The extrinsic part as a sea: sum f d_b m with WannierBerri's derivative of the moment, which GME_orb_FermiSea sums."""
    model = berri.random_model(31, 2, 3, energies=[-2.0, 0.0, 2.0], hopping=0.5, decay=0.3)
    mesh, kT = (24, 24, 1), 0.4
    k, table = berri.tabulated(model, mesh, d=berri.wb.tabulate.DerOrbitalMoment(), e=berri.wb.tabulate.Energy())
    sea = berri.sea_of_states(model, k, table["e"], table["d"], lambda e: berri.fermi_function(e, 0.2, kT))
    result = ome.compute(model, mesh, ["extrinsic"], 0.2, temperature=kT / units.KB, tau=berri.TAU)
    ours = berri.split(model, result.extrinsic).values[0]
    factor = "-(e tau/hbar) sum f d_b m, DerOrbitalMoment, the integrand of GME_orb_FermiSea"
    return [_berri_row("extrinsic (A m/V)", "smooth metal_2d", ours, sea, 1e-6, "exponential in the mesh", factor)]


def berri_dispersion() -> list[Row]:
    """The conductivity to first order in the wave vector: prefactor kubo."""
    rows, kT = [], 0.05
    for name in ("metal_2d", "metal_3d", "matrix_metal_3d", "insulator_3d"):
        model, mesh = berri.MODELS[name], berri.mesh_of(berri.MODELS[name])
        insulator = name in berri.INSULATORS
        level = [0.0] if insulator else [0.15, 0.5]
        theirs = berri.ours_from(model, berri.alpha_of_dispersion(model, mesh, level, kT), "moment", "field")
        result = ome.compute(model, mesh, [semiclassical_with("kubo")], level, temperature=kT / units.KB)
        ours = berri.traceless(result.semiclassical.values, model)
        what = f"semiclassical, kubo ({'A m/V' if model.dimension == 2 else 'A/V, traceless'})"
        why = "width of SDCT" if insulator else "Fermi functions of the scan"
        factor = "epsilon_iac sigma_abc / 3i of SDCT_sym at omega = 0"
        rows.append(_berri_row(what, name, ours, theirs, 1e-6 if insulator else 1e-5, why, factor))
    return rows


def berri_spin() -> list[Row]:
    """Spin: the Edelstein response, and the intrinsic one."""
    name = "spin_metal_3d"
    model, level = berri.SPINFUL[name]
    mesh, kT, levels = berri.mesh_of(model), 0.05, level + np.linspace(-1.5, 1.5, 61)
    surface = berri.wb.static.GME_spin_FermiSurf(Efermi=levels, degen_thresh=1e-5)
    theirs = berri.HALF_G * berri.kinetic(model, berri.run(model, mesh, surface).data, "spin_moment", "field")[::2]
    ours = ome.compute(model, mesh, ["spin_extrinsic"], levels[::2], temperature=0.0, tau=berri.TAU).spin_extrinsic.values
    factor = "-(g/2)(e tau/hbar) K^T of GME_spin_FermiSurf"
    rows = [_berri_row("spin_extrinsic (A/V), 31 levels", name, ours, theirs, 1e-9, "rounding", factor)]
    terms = {"M1_terms": False, "E2_terms": False, "V_terms": False, "S_terms": True}
    theirs = -berri.alpha_of_dispersion(model, mesh, level, kT, **terms) / 2
    ours = ome.compute(model, mesh, ["spin"], level, temperature=kT / units.KB).spin.values
    factor = "-1/2 (its spin moment there: sign and factor, see the test) of the spin terms of SDCT_sym"
    why = "Fermi functions of the scan"
    rows.append(_berri_row("spin (A/V), traceless", name, berri.traceless(ours, model), theirs, 1e-5, why, factor))
    return rows


# ---- units -------------------------------------------------------------------------------------------------------------


def conversions() -> list[Row]:
    """physics.md section 8, to the digits given there."""
    per_ps = 1e-12 / units.MU_0
    layer = units.E2_OVER_H * units.ANGSTROM
    moment = 1e-4 * units.convert_alpha(layer, "mu_B/nm^2 per V/nm", 2)
    given = [
        ("e²/h (1e-5 S)", 1e5 * units.E2_OVER_H, 3.87405, 0.5e-5),
        ("e²/hbar (1e-4 S)", 1e4 * units.E2_OVER_HBAR, 2.43413, 0.5e-5),
        ("mu_0 e²/h (ps/m)", units.convert_alpha(units.E2_OVER_H, "ps/m", 3), 48.683, 0.5e-3),
        ("mu_0 e²/hbar (ps/m)", units.convert_alpha(units.E2_OVER_HBAR, "ps/m", 3), 305.88, 0.5e-2),
        ("1 ps/m as c mu_0 alpha (1e-4)", 1e4 * units.convert_alpha(per_ps, "c mu_0 alpha", 3), 2.998, 0.5e-3),
        ("theta = pi (ps/m)", units.convert_alpha(units.E2_OVER_H / 2, "ps/m", 3), 24.34, 0.5e-2),
        ("1 (e²/h) Å at 1e5 V/m (1e-5 mu_B/nm²)", 1e5 * moment, 4.177, 0.5e-3),
        ("(g/2) hbar²/2m (eV Å²)", units.SPIN_MOMENT, 3.80998212 * 1.00115965218, 0.5e-7),
    ]
    source = f"{SHEET} 8, CODATA"
    return [scalar(what, "-", a, b, source, tolerance, "last digit given") for what, a, b, tolerance in given]


# ---- real Wannier functions --------------------------------------------------------------------------------------------


def _forbidden(check: str, label: str, value: float, error: float, allowed: float) -> Row:
    """What symmetry forbids, against a tenth of what it allows."""
    why = f"a tenth of the allowed element, {allowed:.3g}; the error stated for the forbidden one is {error:.2g}"
    return scalar(check, label, value, 0, "zero by symmetry", 0.1 * abs(allowed), why)


def vse2() -> list[Row]:
    """m'm2': alpha_zy alone."""
    result = ome.compute(ome.load("vse2"), (48, 48, 1), ["total"], fermi=-0.281, temperature=20.0, symmetry="off")
    x, y = result.total.sel(moment="z", field=["x", "y"]).values[0]
    error = result.total_error.sel(moment="z", field="x").values[0]
    return [_forbidden("total zx (A m/V), 48 x 48", "VSe2, strained ferromagnet, in the gap", x, error, y)]


def _worst(values: np.ndarray, errors: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """The largest of the masked elements and its stated error."""
    at = np.unravel_index(np.where(mask, np.abs(values), -1).argmax(), values.shape)
    return float(values[at]), float(errors[at])


def te() -> list[Row]:
    """Time reversal: no intrinsic response. D3: the extrinsic one is diag(a, a, b)."""
    result = ome.compute(ome.load("te"), (24, 24, 24), ["total", "extrinsic"], fermi=7.0, temperature=1200.0, symmetry="off")
    parts = {n: (result[n].values[0], result[f"{n}_error"].values[0]) for n in ("total", "extrinsic")}
    allowed = parts["extrinsic"][0][2, 2]
    label = "Te, right-handed, E_F = 7 eV, 1200 K"
    intrinsic = _worst(*parts["total"], np.ones((3, 3), dtype=bool))
    off = _worst(*parts["extrinsic"], ~np.eye(3, dtype=bool))
    return [
        _forbidden("total, largest element (A/V), 24³", label, *intrinsic, allowed),
        _forbidden("extrinsic, largest off the diagonal (A/V), 24³", label, *off, allowed),
    ]


def cr2o3() -> list[Row]:
    """diag(a, a, c), and the literature for the order of magnitude."""
    result = ome.compute(ome.load("cr2o3"), (6, 6, 6), ["total"], fermi=8.2379, symmetry="off")
    total, error = (units.convert_alpha(result[n].values[0], "ps/m", 3) for n in ("total", "total_error"))
    a, b, c = np.diag(total)
    off, stated = _worst(total, error, ~np.eye(3, dtype=bool))
    label = "Cr2O3, PBE, 2 x 2 x 2 k points"
    coarse = "order of magnitude only: coarse k points and small basis, PBE without +U; sizes, since the sign is the domain's"
    why = f"not checked: no value of this element is at hand; the error stated is {error[2, 2]:.1g}"
    both, symmetry = error[0, 0] + error[1, 1], "zero by symmetry"
    return [
        _forbidden("total, largest off the diagonal (ps/m), 6³", label, off, stated, c),
        scalar("total, xx - yy (ps/m), 6³", label, a - b, 0, symmetry, both, "errors stated for the two"),
        scalar("size of alpha_perp, LC + IC (ps/m)", label, abs(a + b) / 2, 0.0064 + 0.0084, PRB, 0.05, coarse),
        scalar("size of alpha_parallel, LC + IC (ps/m)", label, abs(c), np.nan, "-", error[2, 2], why),
    ]


# ---- the page ----------------------------------------------------------------------------------------------------------

Check = Callable[[], list[Row]]
SECTIONS: dict[str, tuple[Check, ...]] = {
    "The tilted Dirac cone": (cone_table, cone_selection, closed_forms),
    "Finite samples": (layers, second_order_energy, spin_flake, solids, malashevich_cubes),
    "Brute force and identities": (cross_gap, identity, sea_and_surface),
    "Three-dimensional insulators": (malashevich_printed, fu_kane_mele),
    "Topology and symmetry": (chern_numbers, zeros_by_symmetry, enantiomers),
    "WannierBerri": (berri_geometry, berri_kinetic, berri_kinetic_sea, berri_dispersion, berri_spin),
    "Units": (conversions,),
    "Real Wannier functions": (vse2, te, cr2o3),
}
#: seconds each; the others are left to the `long` test
QUICK: tuple[Check, ...] = (
    cone_table,
    cone_selection,
    layers,
    second_order_energy,
    spin_flake,
    cross_gap,
    identity,
    sea_and_surface,
    malashevich_printed,
    chern_numbers,
    zeros_by_symmetry,
    enantiomers,
    conversions,
)

ABOUT = """\
# Validation

Written by [generate.py](generate.py) from live runs, never by hand: `make validation` writes this page again, and
[test_validation.py](test_validation.py) holds it against the script.

Each line sets a number of this package beside one that was obtained without its formulas. Where tensors are compared, or
many levels or states, the largest element is shown, and the difference is the largest of all. Numbers are printed down to
the power of ten next to the tolerance, and every tolerance says where it comes from. Models named like `metal_2d` are
those of [toys.py](../toys.py). How the quantities are defined: [README](../../README.md) and {sheet}.
"""


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def heading() -> list[str]:
    """What was run, when, and with what."""
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "wannierberri"))
    return [
        ABOUT.format(sheet=SHEET),
        f"Run on {date.today().isoformat()}: ome_wannier {ome.__version__}, Python {platform.python_version()}, {packages};",
        f"sha256 of the script {fingerprint()}.",
        "",
    ]


def fingerprint() -> str:
    """Of this file: the page names the script that wrote it."""
    return hashlib.sha256(Path(__file__).read_text(encoding="utf-8").encode()).hexdigest()[:16]


def run(check: Check) -> list[Row]:
    with _elsewhere():
        return check()


def main() -> None:
    """Write the page; refuse to, if any difference exceeds its tolerance."""
    text, failed = heading(), []
    for title, checks in SECTIONS.items():
        text += [f"## {title}", "", line(HEADER), line(["---"] * len(HEADER))]
        for check in checks:
            rows = run(check)
            print(f"{title}: {check.__name__}, {len(rows)} rows", flush=True)
            text += [line(row.cells()) for row in rows]
            failed += [row for row in rows if not row.holds]
        text.append("")
    if failed:
        sys.exit("\n".join(["not written: beyond the tolerance:", *(line(row.cells()) for row in failed)]))
    PAGE.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
