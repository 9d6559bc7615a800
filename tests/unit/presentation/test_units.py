"""Units: those of attributes are what pint parses, those that are asked for are conversions."""

from __future__ import annotations

import numpy as np
import pint
import pytest
import toys

import ome_wannier as ome
from ome_wannier import calculators
from ome_wannier.calculators import first_observable
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.common.units import ALPHA_UNIT, alpha_units
from ome_wannier.errors import SettingsError
from ome_wannier.presentation.units import parsable
from ome_wannier.units import convert_alpha

LEVEL = 0.3


@pytest.fixture(scope="module")
def layer():
    return ome.compute(toys.random_model(3, n=3), (6, 6, 1), ["total", "quantum_metric"], LEVEL)


@pytest.mark.parametrize("dimension", [0, 1, 2, 3])
def test_units_of_attributes_parse(dimension) -> None:
    registry = pint.UnitRegistry()
    for name in calculators.names():
        unit = unit_of(first_observable(calculators.get(name)), dimension, 1.0)[1]
        assert registry.parse_units(unit) is not None
    assert registry.parse_units("A m/V").is_compatible_with("S m")


def test_units_of_all_variables_of_a_result_parse(layer) -> None:
    registry = pint.UnitRegistry()
    units = {str(name): v.attrs["units"] for name, v in layer.variables.items() if "units" in v.attrs}
    assert any(name.endswith("_per_angstrom") for name in units)
    for unit in units.values():
        assert registry.parse_units(unit) is not None


def test_units_of_dipoles_are_those_of_charge_per_field() -> None:
    registry = pint.UnitRegistry()
    assert registry.parse_units("e angstrom/V").is_compatible_with("C m/V")


def test_units_asked_for_are_those_of_pint(layer) -> None:
    """Against pint's own constants: mu_B per cell and field, and e^2/h times angstrom."""
    registry = pint.UnitRegistry()
    row = layer["total"].sel(moment="z", field="y").item() * registry.parse_units("A m/V")
    cell = layer.attrs["cell"] * registry.angstrom**2
    wanted = {
        "mu_B/nm^2 per V/nm": row.to("bohr_magneton/nm^2/(V/nm)").magnitude,
        "mu_B per cell per V/nm": (row * cell).to("bohr_magneton/(V/nm)").magnitude,
        "e^2/h": row.to("elementary_charge^2/planck_constant*angstrom").magnitude,
    }
    for wanted_unit, value in wanted.items():
        table = ome.table(layer, units=wanted_unit)
        found = table[(table["quantity"] == "total") & (table["component"] == "zy")]["value"].item()
        assert found == pytest.approx(value, rel=1e-9)
        unit = table[table["quantity"] == "total"]["units"].iloc[0]
        per_cell = cell if "cell" in wanted_unit else 1
        assert (row * per_cell).to(registry.parse_units(unit)).magnitude == pytest.approx(value, rel=1e-9)
    assert set(table[table["quantity"] == "quantum_metric"]["units"]) == {"1"}


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_units_of_tables_are_what_they_convert_to(dimension) -> None:
    """Every unit that may be asked for, as pint parses it: its conversion is ours; ps/m is that of mu_0 alpha."""
    registry = pint.UnitRegistry()
    own = ALPHA_UNIT[dimension]
    for asked in alpha_units(dimension):
        value = 1.0 * registry.parse_units(own)
        if "cell" in asked:
            value = value * registry.angstrom**dimension
        if asked in ("ps/m", "c mu_0 alpha"):
            value = value * registry.vacuum_permeability * (registry.speed_of_light if asked.startswith("c") else 1)
        unit = registry.parse_units(parsable(own, asked))
        assert convert_alpha(1.0, asked, dimension, 1.0) == pytest.approx(value.to(unit).magnitude, rel=1e-6)


def test_three_dimensions_have_ps_per_m() -> None:
    registry = pint.UnitRegistry()
    value = (1.0 * registry.parse_units("A/V") * registry.vacuum_permeability).to("ps/m").magnitude
    assert convert_alpha(1.0, "ps/m", 3) == pytest.approx(value, rel=1e-9)


def test_wrong_units_are_refused_with_those_there_are(layer) -> None:
    with pytest.raises(SettingsError, match=r"no unit 'mu_B/nm\^3 per V/nm' with 2 .*did you mean 'mu_B/nm\^2 per V/nm'"):
        ome.summary(layer, units="mu_B/nm^3 per V/nm")
    without = layer.copy()
    without.attrs = {k: v for k, v in layer.attrs.items() if k != "cell"}
    with pytest.raises(SettingsError, match="size of the cell"):
        ome.table(without, units="mu_B/cell per V/nm")
    values = ome.table(without, units="SI")["value"]
    assert np.isfinite(values[values.notna()]).all()
    assert values.notna().sum() > 5
