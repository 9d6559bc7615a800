"""compute(): from a model and settings to the labelled result with its error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..bands.degeneracy import Degeneracy
from ..calculators.changes import changes
from ..calculators.registry import Calculator
from ..calculators.scattering import scattered, times_of
from ..common.errors import SettingsError
from ..integration.filling import charged, negligible
from ..integration.hamiltonian_symmetry import group_of
from ..integration.integral import Integral, Integrand, Request
from ..integration.kpoints.mesh import KMesh
from ..integration.kpoints.polar import PolarMesh
from ..integration.operator_symmetry import obeyed, with_unused
from ..integration.tolerance import MAX_POINTS, goal_of
from ..models.base import Model, has_zone
from ..symmetry.operations import Operation
from . import doubts, elements, imposed_symmetry
from .changes import with_changes
from .dataset import build
from .integrated import integrated
from .layer import choice_of, placed
from .parts import shares_of, with_shares
from .provenance import provenance, with_warnings
from .request import (
    consisting_of,
    doped,
    filled,
    given_levels,
    model_of,
    numbers,
    occupation_of,
    refuse_filled,
    refuse_unfit,
    relaxation,
    resources,
    sampling,
    validate,
)
from .tau_over_dos import TauOverDos, tau_over_dos

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: what is said of a relaxation time that the user made
A_FUNCTION = "a function; tau_fs is its mean over bands at the first Fermi level"


@with_warnings
def compute(
    model: Model | Any,
    kmesh: KMesh | PolarMesh | Sequence[int] | None = None,
    calculators: str | Iterable[str | Calculator] | None = None,
    fermi: ArrayLike | None = None,
    *,
    filling: float | None = None,
    temperature: float | Sequence[float] | Array = 300.0,
    tau: float | Callable[[Array], Any] = 10.0,
    memory: int = 2**30,
    degeneracy_tol: float | None = None,
    symmetry: str | Sequence[Operation] | Any = "auto",
    include_chern_simons: bool = False,
    trial: ArrayLike | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    rtol: float | None = None,
    max_points: int = MAX_POINTS,
    max_time: float | None = None,
    gate: str | None = None,
    origin: ArrayLike | None = None,
    carriers: float | None = None,
    by: str | Mapping[str, Sequence[int]] | None = None,
    tau_level: float | None = None,
    basis: int | None = None,
) -> xr.Dataset:
    """Response tensors of a model as functions of the Fermi level and the temperature.

    Parameters
    ----------
    model : `TightBinding`, `SparseTightBinding`, `PlaneWaves` or `KDotP`, see `load`; or an object of PythTB, TBmodels,
        WannierBerri, sisl, kwant or ASE that `load` takes.
    kmesh : `KMesh` or (N1, N2, N3) for tight binding, `PolarMesh` for k.p; by default one of sensible spacing.
    calculators : names or calculators; by default all but `calculators.CHECKS`, the second forms of one
        quantity, and `calculators.ON_REQUEST`, such as the magnetization of equilibrium.
    fermi : Fermi level(s) in eV, ascending.
    filling : electrons per cell, instead of `fermi`; of plane waves and windows of bands those added to neutrality. The
        Fermi level differs between temperatures: one at a time. At T = 0 a gap has its level in the middle. `fermi_error_eV`
        of the result is what the mesh leaves open; what it may change is in the errors.
    temperature : K; an array adds a dimension. At T = 0 Fermi-surface terms use the spacing of the Fermi levels; at a single
        one they are zero in a gap, and refused in bands.
    tau : relaxation time in fs, for the extrinsic part and the ohmic conductivity; or a function of the energies (nk, n) of all
        bands in eV that returns that of each state, such as lambda e: 10 * dos(mu) / dos(e), or of each band.
    memory : budget in bytes for the arrays of one batch of k points and for all sums; with `executor`, of each worker.
    degeneracy_tol : eV; levels closer than this form one degenerate group, and no others do. By default 0.05 k_B T of the
        lowest temperature, but 1e-6 to 1e-4 (1e-5 at T = 0), for Wannier functions with position matrix elements, which split
        levels that symmetry makes equal; 1e-7 for k.p models, 1e-5 for others. In models that are written down levels of one
        group that are 1e-8 eV apart count all the same as each of them is occupied (physics.md eq. 10). Spinor Wannier
        functions whose bands are double everywhere but for noise, as inversion times time reversal makes them, have the mean
        of the two energies, and at least that noise as tolerance (attribute `paired_levels`; see `bands.degeneracy`). What
        levels of Wannier functions up to ten times that far apart (twice the noise) would change as one is an error (attribute
        `levels_in_doubt`). A number switches all of this off.
    symmetry : "auto" looks for the operations that the Hamiltonian obeys, among those of its atoms or lattice, with and
        without time reversal, and gives the tensors their symmetry, each by its declared parities. Points that operations
        join which hold to rounding are summed once, and what these forbid is exactly zero. What others change, which
        Wannier functions obey but for noise (`integration.hamiltonian_symmetry`), is an error, and the values without them are
        kept as `<name>_raw`. "off" sums over all points, and symmetrises nothing. Or operations to be relied on: a list of
        `symmetry.Operation` that generate the group, or what spglib.get_magnetic_symmetry_dataset gives for the cell of
        the model; those that the Hamiltonian breaks by more than 30 meV are dropped with a warning, from 3 meV on one says so.
    include_chern_simons : add the Chern-Simons part to `total`, `total_with_spin` and `semiclassical` (3D insulators).
    trial : (n, occupied) trial orbitals for the Chern-Simons part; by default they are looked for.
    progress : show a progress bar on anything over two seconds; a line every half minute where there is no terminal.
    executor : without one, work of more than some seconds is shared with helper processes, as many as this one may use cores
        (`executors.Alone()` says otherwise). Or any `concurrent.futures.Executor`, see `executors`: its workers sum the blocks
        of the mesh, 64 at most, which are added in fixed order, so the result does not depend on it. What is small beside
        that stays in this process: the Fermi level of a filling, symmetries, the Chern-Simons part, k.p models.
    checkpoint : file that the sum over the mesh is kept in every half minute, and when it is interrupted (Ctrl-C, SIGTERM);
        removed when the result is complete.
    resume : go on from `checkpoint` if it is there; the result is that of a run without interruption, to the last bit.
    rtol : instead of `kmesh`: the zone is cut into cells, finer where needed, until for every quantity and temperature the
        error of each element at each Fermi level is below `rtol` times the largest absolute value among all elements (of a
        layer: of its block, tolerance.md eq. 1) and levels. Elements that exact symmetries forbid are not waited for;
        quantities of which others leave nothing are held to `rtol` times the integral of the absolute value of their integrand.
        Work ends sooner for a quantity below 0.01% of that integral, all of which cancels: the attribute `counted_as_zero`
        names it, and it has not converged (see `integration.tolerance`). `converged`, `not_converged` and `k_points` say the
        rest. The level of a filling is looked for on a mesh that is doubled.
    max_points : with `rtol`: k points; the first cells are as coarse as they have to be. What has not converged by then is
        named in a ConvergenceWarning.
    max_time : with `rtol`: seconds, likewise, judged by the speed of one cell. The result then depends on the speed of the
        machine.
    gate : what a field across a layer or chain leaves as it is: "density", the electrons (isolated, or dual gate), or "level",
        the Fermi level (grounded, with its reservoir at the origin). By default density, but level in the gaps of Chern
        insulators, where nothing else has a meaning. In other gaps both are the same.
    origin : a Cartesian point in Angstrom, or of a layer a number along its normal, from which positions across it count; by
        default the mean of the centres. `<name>_per_angstrom` of the result says how much every element changes with it.
    carriers : 1/cm^d, electrons per cm^2 of a layer, cm^3 of a crystal, cm of a chain, added to `filling`, which is then that
        of neutrality; holes are negative.
    by : "site", "layer", "orbital", or the orbitals (from 0) of each part by its name: shares of the parts of the material,
        `<name>_by_<part>` with one more dimension, of quantities that are traces of an operator O: of 1/2 {P_s, O}, P_s the
        projector on the orbitals of a part. They add up to the whole where the parts are all orbitals, each once. With `rtol`
        nothing waits for them. `without_shares` names what has none.
    tau_level : eV; `tau` is then the relaxation time at this energy, and at others in inverse proportion to the density of
        states, `dos`, as of weak scatterers that do not tell states apart. The attribute `tau_of_energy` says how well that is
        known, which is not in the errors.
    basis : number of bands: the attribute `basis_change` says how much each quantity changes when all bands above the lowest
        ones, and their degenerate ones, are left out as intermediate states, as a share of the largest element; nan where that
        is below its error or a tenth of the change. At least as many as reach below the highest Fermi level.

    Returns
    -------
    xarray.Dataset with dims (fermi, [temperature,] moment, field), `<name>_error` beside each quantity, SI units.

    Raises
    ------
    SettingsError : settings that cannot be used, a checkpoint of another run. ModelError : a model that cannot give what was
        asked. WorkerError : workers that died, or that a calculator cannot be sent to.

    Notes
    -----
    The error estimate is the root mean square deviation of the sub-meshes of every second (or third) point from the whole
    mesh, which they make up, plus what symmetry changes that holds but for noise. It covers neither the Wannier functions nor
    the DFT calculation behind them.
    """
    began = time.perf_counter()
    model = model_of(model)
    wanted, more, observables, gap_terms = consisting_of(model, calculators, include_chern_simons)
    given = shares_of(model, wanted, by)
    outer = changes(model, observables, basis)
    more, observables = [*more, *given.observables, *outer], (*observables, *given.observables, *outer)
    temperatures = np.atleast_1d(numbers("temperature", temperature, "K"))
    of_state, tau = relaxation(tau, tau_level, checkpoint)
    validate(model, wanted, temperatures, tau, degeneracy_tol)
    if (fermi is None) == (filling is None):
        raise SettingsError("give either fermi (eV) or filling (electrons per cell)")
    filling = doped(model, filling, carriers)
    choice = choice_of(model, gate, origin)
    means = resources(memory, progress, executor, checkpoint, resume)
    goal = goal_of(rtol, max_points, max_time)
    where = sampling(model, kmesh, goal)
    refuse_unfit(model, goal, checkpoint, gap_terms)
    with threadpool_limits(limits=1, user_api="blas"):
        degeneracy = Degeneracy.of(model, temperatures, degeneracy_tol)
        (group, wholes, alone), level = obeyed(group_of(model, symmetry), model, observables), None
        if filling is not None and has_zone(model):
            level, where = filled(model, filling, where, temperatures, group, observables)
        levels = given_levels(fermi) if level is None else level.spread(negligible(level.temperature, goal))
        integrand = Integrand(model, observables, occupation_of(model, observables, levels, temperatures), degeneracy)
        if basis is not None:
            refuse_filled(model, basis, levels.max() if level is None else level.value)
        request = Request(integrand, [*wanted, *more], group, where, means, gap_terms, trial)
        if tau_level is not None:
            of_state = tau_over_dos(request, float(tau), float(tau_level))
        if of_state is not None:
            integrand = replace(integrand, observables=scattered(observables, of_state))
            request = replace(request, integrand=integrand)
        found = with_unused(integrated(request), request, wholes)
        found = placed(request, wanted, found, choice, [b for of in given.blocks.values() for b in of])
    if level is not None:
        levels, found = charged(level, found)
    if alone:
        found = found._replace(attrs=found.attrs | {"symmetry_of_operators": alone})
    coordinates = levels, temperatures if np.ndim(temperature) else float(temperatures[0])
    unit = 1.0 if of_state is not None else float(tau)  # times of states are in the weights
    result = _labelled(replace(request, calculators=wanted), found, coordinates, unit, began)
    if of_state is not None:
        at_level = float(times_of(of_state, np.full((1, model.n_orbitals), levels[0])).mean())
        said = of_state.about(levels) if isinstance(of_state, TauOverDos) else A_FUNCTION
        for about in (result.attrs, *(v.attrs for v in result.data_vars.values() if "tau_fs" in v.attrs)):
            about |= {"tau_fs": at_level, "tau_of_energy": said}
    return with_changes(with_shares(result, model, found, given, unit), wanted, found, basis)


def _labelled(
    request: Request,
    found: Integral,
    coordinates: tuple[Array, Array | float],
    tau: float,
    began: float,
) -> xr.Dataset:
    """The result with all that is to be recorded, at Fermi levels in eV and temperatures in K; warns of what is in doubt."""
    model, wanted, group, degeneracy = request.integrand.model, request.calculators, request.group, request.integrand.degeneracy
    doubts.warn_of(found, degeneracy)
    if request.resources.checkpoint is not None:
        request.resources.checkpoint.unlink(missing_ok=True)
    attrs = imposed_symmetry.about(model, wanted, group) | provenance(model)
    attrs |= {"degeneracy_tol_eV": degeneracy.tol, "paired_levels": int(degeneracy.paired)}
    attrs |= {"tau_fs": tau, "wall_time_s": time.perf_counter() - began}
    result = build(model, wanted, found, coordinates, tau, attrs)
    for calculator in wanted:
        result[calculator.name].attrs |= elements.about(model, calculator, group)
    imposed_symmetry.warn_of_changes(result, model, wanted, group)
    return result
