"""An ASE calculator, `atoms.calc = OMECalculator(...)`, and what of a result goes into a row of an ASE database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import BaseCalculator, external_calculators, register_calculator_class
from numpy.typing import NDArray

from .. import calculators as library
from ..common.errors import ModelError, SettingsError
from ..models.tight_binding import is_tight_binding
from ..presentation import elements
from ..response.compute import compute
from ..response.result_files import part_of, quantities
from ..sources.load import load

if TYPE_CHECKING:
    import xarray as xr

NAME = "ome"
#: Angstrom by which atoms may stand elsewhere than in a model that cannot follow them
SAME_PLACE = 1e-3


class OMECalculator(BaseCalculator):
    """Responses of the model that belongs to the atoms, as ASE properties `ome_total`, `ome_extrinsic` ...

    `atoms.calc.get_property("ome_total", atoms)` is an array (3, 3), [moment, field], in SI units (`atoms.calc.units`, those of
    the calculator of that name); (3,) or (3, 3) for other quantities. Components that make no sense (the field along an open
    direction) are nan. `ome_total_error` is the error estimate. The whole result is `atoms.calc.dataset`.

    Parameters
    ----------
    model_from : a function atoms -> model (anything that `ome_wannier.load` takes), or one model, or what `load` takes. One
        model belongs to one structure: other atoms are refused, because it would not follow them.
    kmesh, fermi, settings : as for `ome_wannier.compute`; one Fermi level (or `filling=`), one temperature.
    calculators : names, a list or text with commas; the properties are these, each with `ome_` in front.

    Raises
    ------
    ModelError : atoms that are not those of the model. SettingsError : several Fermi levels or temperatures,
        or settings that `compute` does not know.
    """

    def __init__(
        self,
        model_from: Any,
        kmesh: Sequence[int] | None = None,
        fermi: float | None = None,
        calculators: str | Sequence[str] = ("total", "extrinsic"),
        **settings: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if np.ndim(fermi if fermi is not None else 0.0) or np.ndim(settings.get("temperature", 0.0)):
            raise SettingsError("an ASE calculator gives one value: one fermi level, one temperature; for scans use compute")
        _check_settings(settings)
        if calculators is None:
            raise SettingsError("calculators is None: give names, they are the properties that an ASE calculator has")
        names = [c.name for c in library.resolve(calculators)[0]]
        self.implemented_properties = [f"ome_{name}{end}" for name in names for end in ("", "_error")]
        self._model_from: Callable[[Any], Any] = model_from if callable(model_from) else _Fixed(load(model_from))
        self._settings = {"kmesh": kmesh, "fermi": fermi, "calculators": names, **settings}
        self.dataset: xr.Dataset | None = None
        self.units: dict[str, str] = {}

    def calculate(self, atoms: Any, properties: Any, system_changes: Any) -> None:
        """All quantities at once, for these atoms."""
        self.dataset = compute(load(self._model_from(atoms)), **self._settings)
        names = [p.removeprefix("ome_") for p in self.implemented_properties]
        self.results = {f"ome_{name}": tensor(self.dataset[name].isel(fermi=0)) for name in names}
        self.units = {f"ome_{name}": str(self.dataset[name].attrs["units"]) for name in names}

    def _get_name(self) -> str:
        return NAME

    def export_properties(self) -> Any:
        """None of the properties that ASE defines (energy, forces ...)."""
        from ase.outputs import Properties

        return Properties({})

    def todict(self) -> dict[str, Any]:
        """The settings, in a form that a database can hold."""
        return {k: v for k, v in self._settings.items() if isinstance(v, int | float | str | bool | list | tuple)}


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse what `compute` does not know here, not at the first property that is asked for."""
    known = [p.name for p in signature(compute).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in settings:
        if name not in known:
            raise SettingsError(f"an ASE calculator has no setting {name!r}: kmesh, fermi, calculators, {', '.join(known)}")


class _Fixed:
    """One model for one structure: that of the model, or else the first atoms that come."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.first: Any = None

    def __call__(self, atoms: Any) -> Any:
        from ..adapters import ase as adapter

        known = self.first
        if known is None:
            has_atoms = is_tight_binding(self.model) and self.model.structure is not None
            known = adapter.atoms(self.model) if has_atoms else atoms.copy()
        wrong = _difference(known, atoms)
        if wrong:
            raise ModelError(
                f"{wrong} the model's, which cannot follow the atoms: give model_from= a function that makes a model of atoms"
            )
        self.first = known
        return self.model


def _difference(known: Any, atoms: Any) -> str:
    """What of the atoms is not as known, up to lattice vectors and order; empty if nothing."""
    if sorted(known.numbers) != sorted(atoms.numbers):
        return f"the atoms {atoms.get_chemical_formula()} are not"
    if np.abs(known.cell[:] - atoms.cell[:]).max() > SAME_PLACE:
        return "the cell is not"
    apart = atoms.get_scaled_positions(wrap=False)[:, None] - known.get_scaled_positions(wrap=False)[None]
    apart = apart - np.round(apart) * np.asarray(known.pbc)
    near = (np.linalg.norm(apart @ known.cell[:], axis=2) < SAME_PLACE) & (atoms.numbers[:, None] == known.numbers[None])
    lost = np.flatnonzero(~near.any(axis=1))
    return f"the position of atom {lost[0]} is not" if len(lost) else ""


def tensor(values: xr.DataArray) -> NDArray[np.float64]:
    """Components over x, y, z along every direction, nan where the quantity has none."""
    known = values.values
    places = [
        np.arange(n) if d in SCAN else ["xyz".index(axis) for axis in values.coords[d].values]
        for d, n in zip(values.dims, known.shape, strict=True)
    ]
    full = np.full([n if d in SCAN else 3 for d, n in zip(values.dims, known.shape, strict=True)], np.nan)
    full[np.ix_(*places)] = known
    return full


SCAN = ("fermi", "temperature")


def row(result: xr.Dataset) -> tuple[dict[str, float | str], dict[str, Any]]:
    """What of a result goes into an ASE database: `db.write(atoms, key_value_pairs=pairs, data=data)`.

    Returns
    -------
    pairs : numbers to select by: `ome_total_max`, the largest modulus of all components and Fermi levels, in SI units, and for
        a single level and temperature each component, `ome_total_zx`.
    data : the whole tensors, ([fermi,] [temperature,] 3, 3), nan where a component makes no
        sense, with errors, units, what their dimensions are, levels and provenance.

    Raises
    ------
    SettingsError : something else than a result.
    """
    import xarray as xr

    if not isinstance(result, xr.Dataset):
        raise SettingsError(
            f"row() takes a result of compute(), or calc.dataset after a property was asked for: not {type(result).__name__}"
        )
    pairs: dict[str, float | str] = {}
    data: dict[str, Any] = {"ome_units": {}, "ome_dims": {}}
    by = part_of(result)
    for key, values in result.data_vars.items():
        if by in values.dims:
            continue
        values = values.squeeze([d for d in SCAN if d in values.dims and values.sizes[d] == 1])
        name, full = f"ome_{key}", tensor(values)
        data[name] = full
        data["ome_units"][name] = str(values.attrs.get("units", ""))
        data["ome_dims"][name] = [str(d) for d in values.dims if d not in SCAN]
        if str(key).endswith(("_error", "_raw", "_per_angstrom")):
            continue
        gone = elements.reasons(result[key]) if key in quantities(result) else {}
        if gone:
            data["ome_forbidden"] = data.get("ome_forbidden", {}) | {name: gone}
        size = [float(abs(elements.element(values, e)).max()) for e in elements.names(values) if e not in gone]
        if np.isfinite(size).any():  # of what symmetry leaves: none of what it forbids
            pairs[f"{name}_max"] = float(np.nanmax(size))
        if not set(SCAN) & set(values.dims):
            for index, x in np.ndenumerate(full):
                if np.isfinite(x) and "".join("xyz"[i] for i in index) not in gone:
                    pairs[f"{name}_" + "".join("xyz"[i] for i in index)] = float(x)
    for scan in SCAN:
        if scan in result.coords:
            data[f"ome_{scan}"] = np.atleast_1d(result[scan].values).astype(float)
    data["ome_attrs"] = {str(k): v for k, v in result.attrs.items() if isinstance(v, int | float | str)}
    return pairs, data


if NAME not in external_calculators:
    register_calculator_class(NAME, OMECalculator)  # type: ignore[no-untyped-call]
