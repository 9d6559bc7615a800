"""The calculators inside WannierBerri: in `wannierberri.run`, along a `Path`, and in a `TabulatorAll`.

    from ome_wannier.plugins.wannierberri import OME, OMETabulator

    result = wannierberri.run(system, grid, calculators={"ome": OME(Efermi=levels, calculators=["total", "extrinsic"])})
    alpha = result.results["ome"]["total"].data          # (Efermi, 3, 3), A/V

Numbers, units and index order are those of `ome_wannier.compute` on the same k points: alpha[level, i, j], i the axis of the
moment, j of the field; SI units, per volume (A/V) where `system.periodic` has three directions, per area (A m/V) where it has
two; `comment` of each result says so. All three Cartesian axes are there, as WannierBerri's symmetrisation needs them:
components that a two-dimensional model does not have are zero. Bands count once, as in WannierBerri, unless
`spin_degeneracy` is 2.

Irreducible k points are as good as the symmetry of the Wannier functions, which obey that of their crystal approximately. In
the gap of VSe2, where alpha_zy is small by cancellation, they give -1.05e-17 A m/V, all points -1.34e-17 (48 x 48, NKFFT 4).
`run(..., use_irred_kpt=False)` takes all points and symmetrises their sum. No error holds what that changes; that of `compute`
does.

A restart needs `restart_iteration`, the number of the last iteration: by default WannierBerri (26.10) takes the iteration whose
file the folder happens to list last, and then its own calculators are wrong as well.

WannierBerri asks of a calculator and a result what the classes here have, and no more; nothing of it is inherited. Matrices
come from the model of the system (`adapters.wannierberri`), made once, not from WannierBerri's Data_K.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..bands.matrices import SPIN_REMEDY
from ..calculators.quantity import WITH_TAU, GapTerm, Observable
from ..calculators.registry import Calculator, combine, defaults, first_observable, names, needs_spin, resolve
from ..calculators.registry import get as built_in
from ..calculators.reported_units import INDEX_ORDER, unit_of
from ..calculators.weights import component_axes, evaluate, side_by_side, unpacked
from ..common.errors import SettingsError
from ..integration.integral import Integrand
from ..integration.occupation.histogram import Occupation
from ..models.alignment import in_users_axes
from ..models.tight_binding import TightBinding
from ..response.provenance import outside_basis
from .wannierberri_bands import batches, degeneracy_of, model_of

Array = NDArray[np.float64]
Asked = str | Sequence[str | Calculator] | None
SAVE_MODES = ("bin", "txt", "bin+txt", "txt+bin", "none")  # WannierBerri itself takes a misspelt one for "none"


@dataclass(frozen=True)
class OME:
    """Response tensors at Fermi levels, as a calculator of `wannierberri.run` on a `Grid`.

    Parameters
    ----------
    Efermi : eV, ascending; need not be uniform.
    calculators : names or calculators, one's own included; by default those of `ome_wannier.compute`.
    temperature : K; an array adds a dimension after that of the Fermi levels. tau : fs.
    degeneracy_tol : eV, by default as in `compute`.
    spin_degeneracy : electrons that each band holds.
    external_terms : complete moments and metric with the states outside the Wannier functions, by the system's matrices BB and
        CC (`morb=True`), FF or OO and GG (`qmetric=True`), as `load` does. `comment` of each result says what is left out.
        Where the functions span no invariant subspace, WannierBerri's own moments hold -i/2 [A_m,nn N_n,nn + N_m,nn^* A_n,nn -
        (m <-> n)] besides, N_nn = <u_n|H Q|d u_n>, which depends on the choice of centres: 0.5% of extrinsic for Te, see tests.
    save_mode : "bin", "txt", "bin+txt" or "none": what WannierBerri's run writes, one file per quantity.

    Raises
    ------
    SettingsError : settings that cannot be used, or a quantity that the system does not have.
    ModelError : a system that is no model, or has none of the matrices that `external_terms` needs.
    """

    Efermi: ArrayLike
    calculators: Asked = None
    temperature: ArrayLike = 300.0
    tau: float = 10.0
    degeneracy_tol: float | None = None
    spin_degeneracy: int = 1
    external_terms: bool = False
    save_mode: str = "bin+txt"
    comment: str = field(default="orbital magneto-electric response (ome_wannier)", init=False)
    allow_path: bool = field(default=False, init=False)
    allow_grid: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.spin_degeneracy not in (1, 2):
            raise SettingsError(f"spin_degeneracy is {self.spin_degeneracy!r}: 1 or 2")
        if self.save_mode not in SAVE_MODES:
            raise SettingsError(f"save_mode is {self.save_mode!r}: one of {', '.join(SAVE_MODES)}")
        for name, number in (("tau", self.tau), ("degeneracy_tol", self.degeneracy_tol or 0.0)):
            if not isinstance(number, int | float | np.number) or not 0 <= number < np.inf:
                raise SettingsError(f"{name} is {number!r}: give a number >= 0")
        object.__setattr__(self, "calculators", _portable(self.calculators))
        observables = _resolved(self.calculators, False)[1]
        self._occupation(observables)

    def _occupation(self, observables: Sequence[Observable]) -> Occupation:
        try:
            levels = np.atleast_1d(np.asarray(self.Efermi, dtype=float))
            temperatures = np.atleast_1d(np.asarray(self.temperature, dtype=float))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"Efermi and temperature must be numbers, in eV and K: {error}") from error
        kinds = {o.occupation for o in observables}
        return Occupation(levels, temperatures, "surface" in kinds, grand="grand" in kinds)

    def __call__(self, data_K: Any) -> Tensors:
        """The tensors of the k points of one FFT grid, their mean over these points, by the name of the calculator."""
        model = model_of(data_K.system, self.external_terms)
        wanted, observables = _resolved(self.calculators, model.has_spin)
        _check(model, wanted)
        occupation = self._occupation(observables)
        with threadpool_limits(limits=1, user_api="blas"):
            degeneracy = degeneracy_of(model, occupation.temperature, self.degeneracy_tol)
            integrand = Integrand(model, tuple(observables), occupation, degeneracy)
            histogram = np.zeros((occupation.n_rows, len(integrand.kinds)))
            for bands in batches(data_K, model, observables, degeneracy, occupation.window):
                weights = side_by_side(observables, bands)
                occupation.add(histogram, bands.energies.ravel(), weights.reshape(-1, weights.shape[2]))
        norm = self.spin_degeneracy / (model.cell * len(data_K.kpoints_all))
        parts = unpacked(occupation.evaluate(histogram * norm, integrand.kinds), integrand.shapes)
        values = {o.name: _cartesian(parts[o.name], model, o, 2) for o in observables}
        return Tensors({c.name: self._result(c, combine(c, values), model, occupation) for c in wanted})

    def _result(self, calculator: Calculator, value: Array, model: TightBinding, occupation: Occupation) -> Any:
        """WannierBerri's result of one calculator, in the reported unit."""
        from wannierberri.result import EnergyResult

        observable = first_observable(calculator)
        factor, unit = unit_of(observable, len(model.axes), self.tau)
        scalar = np.ndim(self.temperature) == 0
        about = f"{calculator.long_name}\n{calculator.equation}\nunit: {unit}; indices: {', '.join(observable.dims) or 'none'}"
        if observable.dims == ("moment", "field"):
            about += f"\n{INDEX_ORDER}"
        about += f"\ntemperature {self.temperature} K" + (f", tau {self.tau} fs" if observable.kind in WITH_TAU else "")
        about += "".join(f"\n{key.replace('_', ' ')}: {text}" for key, text in outside_basis(model).items())
        return EnergyResult(
            [occupation.fermi] if scalar else [occupation.fermi, occupation.temperature],
            (value[:, 0] if scalar else value) * factor,
            rank=len(observable.dims),
            E_titles=["Efermi"] if scalar else ["Efermi", "Temperature"],
            save_mode=self.save_mode,
            comment=about,
            **_transforms(observable),
        )


@dataclass(frozen=True)
class Tensors:
    """Results of one `OME` by calculator, `result["total"].data`; they add up, turn and save as WannierBerri's do."""

    results: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.results[name]

    def __mul__(self, number: float) -> Tensors:
        return Tensors({name: r * number for name, r in self.results.items()})

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Tensors:
        return Tensors({name: r / number for name, r in self.results.items()})

    def __add__(self, other: Tensors | int | None) -> Tensors:
        if not isinstance(other, Tensors):
            return NotImplemented if other else self  # sums start with 0, or None
        return Tensors({name: r + other.results[name] for name, r in self.results.items()})

    __radd__ = __add__

    def __sub__(self, other: Tensors) -> Tensors:
        return self + other * -1.0

    def transform(self, operation: Any) -> Tensors:
        """What a symmetry operation makes of the tensors."""
        return Tensors({name: r.transform(operation) for name, r in self.results.items()})

    @property
    def max(self) -> Array:
        """Sizes by which WannierBerri chooses the k points to refine."""
        return np.concatenate([r.max for r in self.results.values()])

    def savedata(self, name: str, prefix: str, suffix: str, i_iter: int) -> None:
        """Files PREFIX-NAME-CALCULATOR_iter-NNNN.npz and .dat, which WannierBerri's EnergyResult reads."""
        for key, r in self.results.items():
            r.savedata(f"{name}-{key}", prefix, suffix, i_iter)


@dataclass
class OMETabulator:
    """A quantity band by band, for `wannierberri.calculators.TabulatorAll` on a grid or a path.

    Parameters
    ----------
    calculator : a name or calculator; not one that mixes terms that are occupied in different ways, as `total` does.
    degeneracy_tol : eV. ibands : bands to keep (set by TabulatorAll). external_terms : as for `OME`.

    Numbers are those of `ome_wannier.tabulate`: the integrand in units of hbar = e = 1, eV and Angstrom, indices as in `OME`.
    """

    calculator: str | Calculator
    degeneracy_tol: float | None = None
    ibands: Any = None
    external_terms: bool = False
    allow_path = False
    allow_grid = False

    def __post_init__(self) -> None:
        self.calculator = _portable([self.calculator])[0]  # type: ignore[index]
        (calculator,), observables = _resolved([self.calculator], False)
        if len({o.occupation for o in observables}) > 1:
            raise SettingsError(f"{calculator.name} mixes terms that are occupied in different ways: ask for its terms instead")
        self.comment = f"{calculator.long_name} (ome_wannier.tabulate)"

    def __call__(self, data_K: Any) -> Any:
        """WannierBerri's KBandResult of the k points of one FFT grid, or of a path."""
        from wannierberri.result import KBandResult

        model = model_of(data_K.system, self.external_terms)
        (calculator,), observables = _resolved([self.calculator], model.has_spin)
        _check(model, [calculator])
        parts: dict[str, list[Array]] = {o.name: [] for o in observables}
        with threadpool_limits(limits=1, user_api="blas"):
            degeneracy = degeneracy_of(model, np.inf, self.degeneracy_tol)
            for bands in batches(data_K, model, observables, degeneracy, (-np.inf, np.inf)):
                for o in observables:
                    parts[o.name].append(evaluate(o, bands))
        value = combine(calculator, {name: np.concatenate(p) for name, p in parts.items()})
        value = _cartesian(value.reshape(*value.shape[:2], -1), model, first_observable(calculator), 2)
        kept = value if self.ibands is None else value[:, np.asarray(self.ibands)]
        return KBandResult(kept, rank=value.ndim - 2, **_transforms(first_observable(calculator)))


def ray_init(**options: Any) -> None:
    """WannierBerri's `ray_init` (same options) with this package sent to the workers along with WannierBerri.

    On one machine any way of starting Ray does; on several it saves installing the package on each. Calculators of one's own
    travel with the run if they are written in the script itself; a module that holds some is sent with
    `runtime_env={"py_modules": ["my_calculators.py"]}`.
    """
    from wannierberri.parallel import ray_init as start

    environment = dict(options.pop("runtime_env", None) or {})
    environment["py_modules"] = [*environment.get("py_modules", []), str(Path(__file__).parents[1])]
    start(runtime_env=environment, **options)


def _portable(asked: Asked) -> Asked:
    """Built-in calculators by name, so that they are the same after a journey to another process."""
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        return asked
    ours = {id(built_in(name)): name for name in names()}
    return tuple(ours.get(id(c), c) for c in asked)


def _resolved(asked: Asked, has_spin: bool) -> tuple[list[Calculator], list[Observable]]:
    """Calculators, and the observables that they consist of."""
    wanted, terms = resolve(defaults(has_spin) if asked is None else asked)
    for term in terms:
        if isinstance(term, GapTerm):
            raise SettingsError(f"{term.name} is a property of a gap, not a sum over k points: use ome_wannier.compute")
    return wanted, [t for t in terms if isinstance(t, Observable)]


def _check(model: TightBinding, wanted: Sequence[Calculator]) -> None:
    """Refuse what the system cannot give."""
    for calculator in wanted:
        if needs_spin(calculator) and not model.has_spin:
            raise SettingsError(
                f"{calculator.name} needs the spin operator, which this System does not have: "
                f"make it with spin=True, or use set_spin_pairs; for other models {SPIN_REMEDY}"
            )
        if {"moment", "axis"} & set(first_observable(calculator).dims) and not model.moments:
            raise SettingsError(
                f"{calculator.name} needs two periodic directions perpendicular to an orbital moment: this System has "
                f"{len(model.axes)}"
            )


def _axes(model: TightBinding, observable: Any) -> list[tuple[int, ...]]:
    """Cartesian axes of each component dimension of an observable."""
    along = component_axes(model.axes, model.moments)
    return [along[dim] for dim in observable.dims]


def _cartesian(columns: Array, model: TightBinding, observable: Any, first: int) -> Array:
    """Components, flattened after the `first` dimensions, on three Cartesian axes each: zero where there are none."""
    axes = _axes(model, observable)
    value = columns.reshape(*columns.shape[:first], *(len(a) for a in axes))
    return in_users_axes(value, axes, np.eye(3) if model.frame is None else model.frame)


def _transforms(observable: Any) -> dict[str, Any]:
    """What time reversal and inversion do, from the declared parities; rotations WannierBerri knows."""
    from wannierberri.symmetry.point_symmetry import transform_ident, transform_odd

    by_parity = {1: transform_ident, -1: transform_odd}
    return {"transformTR": by_parity[observable.time_reversal], "transformInv": by_parity[observable.inversion]}
