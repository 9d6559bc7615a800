"""Which symmetries a run with shares of parts keeps: those that leave the parts in place, whatever noise there is."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import spglib

import ome_wannier as ome
from ome_wannier.adapters import ase
from ome_wannier.calculators.reported_units import ROUNDING
from ome_wannier.presentation.numbers import least
from ome_wannier.sources.ready_operators import with_angular_momentum

MATERIALS = Path(__file__).parents[3] / "materials"


def atoms_in_place(model):
    """Cartesian rotations of spglib's operations of the crystal that leave every atom where it is, modulo the lattice."""
    atoms = ase.atoms(model)
    cell, x = np.array(atoms.cell), atoms.get_scaled_positions(wrap=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of spglib 2.7, however it is called
        found = spglib.get_symmetry((cell, x, atoms.numbers), symprec=1e-3)
    kept = []
    for M, t in zip(found["rotations"], found["translations"], strict=True):
        moved = x @ M.T + t - x
        if np.abs((moved - np.round(moved)) @ cell).max() < 1e-2:
            kept.append(cell.T @ M @ np.linalg.inv(cell.T))
    return kept


def number_in(result):
    return len(np.atleast_1d(result.attrs["symmetry_operations"]))


@pytest.mark.parametrize(("name", "times"), [("te", 2), ("hbn", 2), ("cumnas", 1)])
def test_noise_in_shares_costs_no_operation(name, times):
    """The moments of three, two and six atoms: time reversal, where it holds, with each operation that moves no atom.

    In cumnas the operation comes alone or with time reversal, so that the number is that of the crystal's. Before, noise in the
    smallest share left te with time reversal, hbn without its mirror and axis, and cumnas with nothing.
    """
    model = ome.load(name)
    result = ome.compute(
        model, (2, 2, 2) if len(model.axes) == 3 else (2, 2, 1), "extrinsic", 0.0, temperature=3000.0, by="site"
    )
    assert number_in(result) == times * len(atoms_in_place(model))


def test_an_operator_of_a_layer_keeps_its_symmetry():
    """MoS2's mirror forbids that a field across moves the electrons of one band: what noise leaves of that is no violation."""
    with pytest.warns(ome.errors.AccuracyWarning, match="projected onto"):
        model = with_angular_momentum(ome.load("mos2"), MATERIALS / "mos2" / "MoS2_soc_strain.win")
    found = [ome.compute(model, (2, 2, 1), name, 0.0, temperature=3000.0) for name in ("extrinsic", "L_response")]
    assert number_in(found[0]) == number_in(found[1]) == 8
    assert "symmetry_of_operators" not in found[1].attrs


def test_what_noise_makes_of_symmetries_that_exchange_parts_is_an_error():
    """Inversion with time reversal forbids the extrinsic response of CuMnAs, and exchanges atoms: by site it is not used."""
    settings = {"fermi": 8.7045, "temperature": 3000.0}
    whole, shared = (ome.compute(ome.load("cumnas"), (8, 8, 6), "extrinsic", by=by, **settings) for by in (None, "site"))
    assert not whole.extrinsic.values.any()
    left = abs(shared.extrinsic.values)
    assert left.max() > 1e-6
    assert (left <= shared.extrinsic_error.values).all()
    np.testing.assert_allclose(shared.extrinsic_by_site.sum("site").values, shared.extrinsic.values, atol=1e-12 * left.max())


@pytest.mark.parametrize("by", ["site", "orbital"])
@pytest.mark.parametrize("name", ["dipole", "local", "extrinsic"])
def test_rounding_in_shares_costs_no_operation(name, by):
    """Graphene has none of these moments, on no atom: what is left is rounding."""
    whole, shared = (ome.compute(ome.load("graphene"), (4, 4, 1), name, 0.1, temperature=3000.0, by=b) for b in (None, by))
    assert number_in(shared) == number_in(whole) == 8


@pytest.mark.parametrize("by", ["site", "orbital"])
@pytest.mark.parametrize(
    "name", ["haldane", "kane-mele", "tmd-three-band", "stacked-honeycomb", "cumnas-minimal", "bernal-graphene"]
)
def test_shares_are_those_without_symmetry(name, by):
    """Whatever operations a run keeps, where sites are exchanged, or orbitals of opposite spin: to 1e-9 of shares, or of the
    natural unit where there are none."""
    model = ome.load(name)
    names = ["dipole", "local", "extrinsic", "dipole_polarizability", "orbital_moment", "electrons"]
    names += ["spin", "spin_extrinsic", "spin_hall"] * model.has_spin
    settings = {"fermi": 0.1, "temperature": 4000.0, "by": by}
    mesh = (6, 6, 6) if len(model.axes) == 3 else (6, 6, 1)
    found, plain = (ome.compute(model, mesh, names, symmetry=s, **settings) for s in ("auto", "off"))
    for n in names:
        a, b = found[f"{n}_by_{by}"].values, plain[f"{n}_by_{by}"].values
        size = max(np.nanmax(np.abs(b)), np.nanmax(np.abs(plain[n].values)))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(size, least(n, plain[n].attrs) / ROUNDING))
