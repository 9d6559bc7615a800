"""The calculators inside WannierBerri: in `wannierberri.run`, along a `Path`, and in a `TabulatorAll`.

    from ome_wannier.plugins.wannierberri import OME, OMETabulator

    result = wannierberri.run(system, grid, calculators={"ome": OME(Efermi=levels, calculators=["total", "extrinsic"])})
    alpha = result.results["ome"]["total"].data          # (Efermi, 3, 3), A/V

Numbers, units and index order are those of `ome_wannier.compute` on the same k points: alpha[level, i, j], i the axis of the
moment, j of the field; SI units, per volume (A/V) where `system.periodic` has three directions, per area (A m/V) where it has
two; `comment` of each result says so. All three Cartesian axes are there, as WannierBerri's symmetrisation needs them:
elements that a layer or chain does not have are nan, with the reason in `comment` (zero, in the axes of a layer in a plane that
is no Cartesian one). Others are those of `compute`, with its `gate` and `origin`. A System of `ome_wannier.to_wannierberri`
knows how many electrons a band holds; in others bands count once, as in WannierBerri, unless `spin_degeneracy` is 2.

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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..calculators.blocks import HEIGHT, parts
from ..calculators.operators import named_among
from ..calculators.quantity import GapTerm, Observable
from ..calculators.registry import (
    Calculator,
    combine,
    defaults,
    first_observable,
    names,
    needs_spin,
    resolve,
    with_terms,
)
from ..calculators.registry import get as built_in
from ..calculators.weights import evaluate, side_by_side
from ..common.errors import SettingsError
from ..integration.integral import Integrand
from ..integration.occupation.histogram import Occupation
from ..models.operators import SPIN_REMEDY, Operator
from ..models.tight_binding import TightBinding
from ..response.layer import choice_of
from ..response.request import ALONG_CHAINS, has_elements, with_parts
from ..response.tabulate import observables_of, per_band
from .wannierberri_bands import batches, degeneracy_of, gapped, model_of
from .wannierberri_results import Form, Tensors, absent, on_three_axes, transforms

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
    spin_degeneracy : electrons that each band holds; default: what the System says, or one, with a warning where it does not.
    external_terms : complete moments and metric with the states outside the Wannier functions, by the system's matrices BB and
        CC (`morb=True`), FF or OO and GG (`qmetric=True`), as `load` does. `comment` of each result says what is left out.
        Where the functions span no invariant subspace, WannierBerri's own moments hold -i/2 [A_m,nn N_n,nn + N_m,nn^* A_n,nn -
        (m <-> n)] besides, N_nn = <u_n|H Q|d u_n>, which depends on the choice of centres: 0.5% of extrinsic for Te, see tests.
    gate, origin : of layers and chains, as in `compute`.
    operators : `ome_wannier.operators.Operator` with matrices within a cell, or on the R vectors of the System; `calculators`
        may then name X_expectation, X_response, X_extrinsic and X_hall of each.
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
    spin_degeneracy: int | None = None
    external_terms: bool = False
    save_mode: str = "bin+txt"
    gate: str | None = None
    origin: ArrayLike | None = None
    operators: tuple[Operator, ...] = ()
    comment: str = field(default="orbital magneto-electric response (ome_wannier)", init=False)
    allow_path: bool = field(default=False, init=False)
    allow_grid: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.spin_degeneracy not in (None, 1, 2):
            raise SettingsError(f"spin_degeneracy is {self.spin_degeneracy!r}: 1 or 2")
        if self.save_mode not in SAVE_MODES:
            raise SettingsError(f"save_mode is {self.save_mode!r}: one of {', '.join(SAVE_MODES)}")
        for name, number in (("tau", self.tau), ("degeneracy_tol", self.degeneracy_tol or 0.0)):
            if not isinstance(number, int | float | np.number) or not 0 <= number < np.inf:
                raise SettingsError(f"{name} is {number!r}: give a number >= 0")
        object.__setattr__(self, "calculators", _portable(self.calculators))
        observables = _resolved(self.calculators, False, self.operators)[1]
        self._occupation(observables)

    def _occupation(self, observables: Sequence[Observable]) -> Occupation:
        try:
            levels = np.atleast_1d(np.asarray(self.Efermi, dtype=float))
            temperatures = np.atleast_1d(np.asarray(self.temperature, dtype=float))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"Efermi and temperature must be numbers, in eV and K: {error}") from error
        kinds = {o.occupation for o in observables}
        return Occupation(levels, temperatures, "surface" in kinds, grand="grand" in kinds, thermal="thermal" in kinds)

    def __call__(self, data_K: Any) -> Tensors:
        """The tensors of the k points of one FFT grid, their mean over these points, by the name of the calculator."""
        model = model_of(data_K.system, self.external_terms, self.spin_degeneracy, self.operators)
        wanted, observables = _resolved(self.calculators, model.has_spin, self.operators)
        _check(model, wanted)
        choice, more = choice_of(model, self.gate, self.origin), parts(model, [c.name for c in wanted])
        observables = list(with_parts(observables, more))
        occupation = self._occupation(observables)
        sums = self._sums(data_K, model, observables, occupation)
        values = sums | {c.name: combine(c, sums) for c in (*wanted, *more)}
        form = Form(occupation.fermi, self.temperature, self.tau, self.save_mode, choice)  # type: ignore[arg-type]
        held = {name: r for c in wanted for name, r in form.held(model, c, values).items()}
        if HEIGHT.name in values:
            held |= form.carriers(model, values)
        across = form.across(model, gapped(model, occupation.fermi)) if more else None
        return Tensors(held, {c.name: absent(model, c, values) for c in wanted}, across)

    def _sums(
        self, data_K: Any, model: TightBinding, observables: Sequence[Observable], occupation: Occupation
    ) -> dict[str, Array]:
        """(nf, nT, *components) on the model's axes, of each observable."""
        with threadpool_limits(limits=1, user_api="blas"):
            degeneracy = degeneracy_of(model, occupation.temperature, self.degeneracy_tol)
            integrand = Integrand(model, tuple(observables), occupation, degeneracy)
            histogram = np.zeros((occupation.n_rows, len(integrand.kinds)))
            for bands in batches(data_K, model, observables, degeneracy, occupation.window):
                weights = side_by_side(observables, bands)
                occupation.add(histogram, bands.energies.ravel(), weights.reshape(-1, weights.shape[2]))
        norm = model.spin_degeneracy / (model.cell * len(data_K.kpoints_all))
        return integrand.named(occupation.evaluate(histogram * norm, integrand.kinds))


@dataclass
class OMETabulator:
    """A quantity band by band, for `wannierberri.calculators.TabulatorAll` on a grid or a path.

    Parameters
    ----------
    calculator : a name or calculator; not one that mixes terms that are occupied in different ways, as `total` does.
    degeneracy_tol : eV. ibands : bands to keep (set by TabulatorAll). external_terms, operators : as for `OME`.

    Numbers are those of `ome_wannier.tabulate`: the integrand in units of hbar = e = 1, eV and Angstrom, indices as in `OME`.
    """

    calculator: str | Calculator
    degeneracy_tol: float | None = None
    ibands: Any = None
    external_terms: bool = False
    operators: tuple[Operator, ...] = ()
    allow_path = False
    allow_grid = False

    def __post_init__(self) -> None:
        self.calculator = _portable([self.calculator])[0]  # type: ignore[index]
        (calculator,), observables = _resolved(with_terms([self.calculator]), False, self.operators)
        if len({o.occupation for o in observables}) > 1:
            raise SettingsError(f"{calculator.name} mixes terms that are occupied in different ways: ask for its terms instead")
        self.comment = f"{calculator.long_name} (ome_wannier.tabulate)"

    def __call__(self, data_K: Any) -> Any:
        """WannierBerri's KBandResult of the k points of one FFT grid, or of a path."""
        from .wannierberri_kband import PartialResult

        # numbers of single bands do not count electrons
        model = model_of(data_K.system, self.external_terms, 1, self.operators)
        (calculator,), _ = _resolved(with_terms([self.calculator]), model.has_spin, self.operators)
        _check(model, [calculator])
        observables = observables_of(model, [calculator])
        found: dict[str, list[Array]] = {o.name: [] for o in observables}
        with threadpool_limits(limits=1, user_api="blas"):
            degeneracy = degeneracy_of(model, np.inf, self.degeneracy_tol)
            for bands in batches(data_K, model, observables, degeneracy, (-np.inf, np.inf)):
                for o in observables:
                    found[o.name].append(evaluate(o, bands))
        value = on_three_axes(model, calculator, per_band(model, calculator, {n: np.concatenate(p) for n, p in found.items()}))
        kept = value if self.ibands is None else value[:, np.asarray(self.ibands)]
        return PartialResult(kept, rank=value.ndim - 2, **transforms(first_observable(calculator)))


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


def _resolved(asked: Any, has_spin: bool, operators: Sequence[Operator] = ()) -> tuple[list[Calculator], list[Observable]]:
    """Calculators, and the observables that they consist of."""
    wanted, terms = resolve(defaults(has_spin) if asked is None else named_among(operators, asked))
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
        if not has_elements(model, calculator):
            raise SettingsError(
                f"{calculator.name} needs two periodic directions perpendicular to an orbital moment: this System has "
                f"{len(model.axes)}; ask for {', '.join(ALONG_CHAINS)}"
            )
