"""What `wannierberri.run` holds of an `OME`: sums over k points, from which tensors are put together when they are asked for.

WannierBerri adds up results of parts of the zone and turns them by symmetries. Elements of a layer or chain that do not exist
are nan, which would spread, and a field across at a fixed number of electrons needs where the carriers of the whole zone are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calculators.blocks import CARRIERS, HEIGHT, blocks
from ..calculators.quantity import WITH_TAU
from ..calculators.registry import Calculator, first_observable, get
from ..calculators.reported_units import index_order, unit_of
from ..calculators.weights import component_axes
from ..models.alignment import in_users_axes
from ..models.tight_binding import TightBinding
from ..response.layer import HALF, Choice, assembled, in_words, missing
from ..response.provenance import outside_basis

Array = NDArray[np.float64]


def by_origin(name: str, across: str) -> str:
    """The name of what the elements of a quantity with a field along ("field") or across ("gate") change by with the origin."""
    return f"{name} by origin, {across}"


@dataclass(frozen=True)
class Across:
    """Where the origin of a layer or chain is, and what a field across leaves as it is.

    gate : as in `compute`. shift : (3,) Angstrom, of the origin from the mean of the centres. gapped : (nf,) which levels lie
    in a gap. quantum : of a layer, 2 pi over the electrons of a band, and its normal (3,): what makes a Chern number of a sum.
    """

    gate: str | None
    shift: Array
    gapped: NDArray[np.bool_]
    quantum: tuple[float, Array] | None


@dataclass(frozen=True)
class Tensors:
    """Results of one `OME` by calculator, `result["total"].data`; they add up, turn and save as WannierBerri's do.

    sums : WannierBerri's results of all that is summed over k points. missing : (3, ...), which elements of a quantity do not
    exist, and are nan. across : of layers and chains.
    """

    sums: Mapping[str, Any]
    missing: Mapping[str, NDArray[np.bool_]]
    across: Across | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in self.missing:
            raise KeyError(name)
        found = self.sums[name]
        data = self._placed(name)
        out = found * 1.0
        out.data = np.where(self.missing[name], np.nan, data) if self.missing[name].any() else data
        return out

    @property
    def results(self) -> dict[str, Any]:
        """All quantities."""
        return {name: self[name] for name in self.missing}

    def _placed(self, name: str) -> Array:
        """The elements with their origin and gate (layers.md eqs. 9 and 10)."""
        out, across = np.array(self.sums[name].data), self.across
        for kind in ("field", "gate"):
            drift = self.sums.get(by_origin(name, kind))
            if drift is not None and across is not None:
                z = self._heights(across) if kind == "gate" else across.shift
                out += np.einsum("...ijg,...g->...ij", drift.data, np.broadcast_to(z, (*out.shape[:-2], 3)))
        return out

    def _heights(self, across: Across) -> Array:
        """(nf, [nT,] 3) from where a field across counts: the carriers at a fixed number of electrons, else the origin."""
        number, height = self.sums[CARRIERS.name].data, self.sums[HEIGHT.name].data
        if across.gate == "level":
            return np.broadcast_to(across.shift, height.shape)
        z = np.divide(height, number[..., None], out=np.zeros_like(height), where=number[..., None] > 0)
        chern = self._chern(across).reshape(-1, *[1] * (z.ndim - 1))
        return np.where(chern, across.shift, z)

    def _chern(self, across: Across) -> NDArray[np.bool_]:
        """(nf,) which levels lie in the gap of a Chern insulator, by the Hall conductivity that makes `total` depend on z."""
        drift = self.sums.get(by_origin("total", "field"), self.sums.get(by_origin("total_with_spin", "field")))
        if drift is None or across.quantum is None:
            return np.zeros(len(across.gapped), dtype=bool)
        factor, normal = across.quantum
        hall = np.einsum("...iig,g->...", drift.data, normal) / 2 * factor
        return np.asarray(across.gapped & (np.abs(hall.reshape(len(hall), -1)).max(axis=1) > HALF))

    def _each(self, change: Any) -> Tensors:
        return replace(self, sums={name: change(r) for name, r in self.sums.items()})

    def __mul__(self, number: float) -> Tensors:
        return self._each(lambda r: r * number)

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Tensors:
        return self._each(lambda r: r / number)

    def __add__(self, other: Tensors | int | None) -> Tensors:
        if not isinstance(other, Tensors):
            return NotImplemented if other else self  # sums start with 0, or None
        return replace(self, sums={name: r + other.sums[name] for name, r in self.sums.items()})

    __radd__ = __add__

    def __sub__(self, other: Tensors) -> Tensors:
        return self + other * -1.0

    def transform(self, operation: Any) -> Tensors:
        """What a symmetry operation makes of the tensors."""
        return self._each(lambda r: r.transform(operation))

    @property
    def max(self) -> Array:
        """Sizes by which WannierBerri chooses the k points to refine."""
        return np.concatenate([self.sums[name].max for name in self.missing])

    def savedata(self, name: str, prefix: str, suffix: str, i_iter: int) -> None:
        """Files PREFIX-NAME-CALCULATOR_iter-NNNN.npz and .dat, which WannierBerri's EnergyResult reads."""
        for key, r in self.results.items():
            r.savedata(f"{name}-{key}", prefix, suffix, i_iter)


@dataclass(frozen=True)
class Form:
    """How WannierBerri's results are made: at Fermi levels in eV and temperatures in K, one of which may be a number."""

    fermi: Array
    temperature: Array | float
    tau: float
    save_mode: str
    choice: Choice

    def result(self, value: Array, calculator: Calculator, factor: float, about: str) -> Any:
        """A result of a sum (nf, nT, 3, ...) in the user's axes."""
        from wannierberri.result import EnergyResult

        observable, scalar = first_observable(calculator), np.ndim(self.temperature) == 0
        return EnergyResult(
            [self.fermi] if scalar else [self.fermi, np.asarray(self.temperature, dtype=float)],
            (value[:, 0] if scalar else value) * factor,
            rank=len(observable.dims),
            E_titles=["Efermi"] if scalar else ["Efermi", "Temperature"],
            save_mode=self.save_mode,
            comment=about,
            **transforms(observable),
        )

    def held(self, model: TightBinding, calculator: Calculator, values: Mapping[str, Array]) -> dict[str, Any]:
        """Results of a quantity, and of what its elements change by with the origin."""
        factor, unit = unit_of(first_observable(calculator), len(model.axes), self.tau)
        all_axes: list[tuple[int, ...]] = [(0, 1, 2)] * len(first_observable(calculator).dims)
        whole = _turned(assembled(model, calculator, values, all_axes, 0.0), all_axes, model)
        out = {calculator.name: self.result(whole, calculator, factor, self._about(model, calculator, unit))}
        along = component_axes(model.axes, model.moments)
        for block in (b for b in blocks(model, [calculator.name]) if b.drifts):
            drift = _turned(values[block.drift], [along[d] for d in (*block.dims, "gate")], model)
            key = by_origin(calculator.name, block.dims[-1])
            more = self.result(drift, block.combinations[1], factor, key)
            out[key] = out[key] + more if key in out else more
        return out

    def carriers(self, model: TightBinding, values: Mapping[str, Array]) -> dict[str, Any]:
        """Where the carriers at the Fermi level are across a layer or chain, and how many."""
        height = _turned(values[HEIGHT.name], [model.bounded], model)
        return {
            HEIGHT.name: self.result(height, HEIGHT, 1.0, HEIGHT.name),
            CARRIERS.name: self.result(values[CARRIERS.name], CARRIERS, 1.0, CARRIERS.name),
        }

    def across(self, model: TightBinding, gapped: NDArray[np.bool_]) -> Across:
        """What decides of a layer or chain."""
        bounded = (np.eye(3) if model.frame is None else np.asarray(model.frame))[list(model.bounded)]
        factor = 2 * np.pi / (model.spin_degeneracy * unit_of(first_observable(get("total")), len(model.axes), self.tau)[0])
        return Across(
            self.choice.gate, self.choice.shift @ bounded, gapped, (factor, bounded[0]) if len(bounded) == 1 else None
        )

    def _about(self, model: TightBinding, calculator: Calculator, unit: str) -> str:
        """What a quantity is, for the head of a file."""
        observable = first_observable(calculator)
        about = f"{calculator.long_name}\n{calculator.equation}\nunit: {unit}; indices: {', '.join(observable.dims) or 'none'}"
        if observable.dims == ("moment", "field"):
            about += f"\n{index_order(observable)}"
        about += f"\ntemperature {self.temperature} K" + (f", tau {self.tau} fs" if observable.kind in WITH_TAU else "")
        about += "".join(f"\n{key.replace('_', ' ')}: {text}" for key, text in outside_basis(model).items())
        if blocks(model, [calculator.name]):
            about += f"\n{in_words(model, self.choice)}"
        if reason := missing(model, calculator, [(0, 1, 2)] * len(observable.dims)):
            about += f"\nnan: {reason}" if model.frame is None else f"\nzero in the axes of the layer: {reason}"
        return about


def absent(model: TightBinding, calculator: Calculator, values: Mapping[str, Array]) -> NDArray[np.bool_]:
    """(3, ...), which elements do not exist; none where a layer was rotated, whose are zero in its axes."""
    axes: list[tuple[int, ...]] = [(0, 1, 2)] * len(first_observable(calculator).dims)
    found = assembled(model, calculator, values, axes, 0.0 if model.frame is not None else np.nan)
    return np.asarray(np.isnan(found[0, 0]))


def transforms(observable: Any) -> dict[str, Any]:
    """What time reversal and inversion do, from the declared parities; rotations WannierBerri knows."""
    from wannierberri.symmetry.point_symmetry import transform_ident, transform_odd

    by_parity = {1: transform_ident, -1: transform_odd}
    return {"transformTR": by_parity[observable.time_reversal], "transformInv": by_parity[observable.inversion]}


def on_three_axes(model: TightBinding, calculator: Calculator, values: Mapping[str, Array]) -> Array:
    """A quantity by k point and band (nk, n, 3, ...), nan where it has no such element."""
    axes: list[tuple[int, ...]] = [(0, 1, 2)] * len(first_observable(calculator).dims)
    value = assembled(model, calculator, values, axes, 0.0 if model.frame is not None else np.nan)
    return value if model.frame is None else in_users_axes(value, axes, model.frame)


def _turned(value: Array, axes: list[tuple[int, ...]], model: TightBinding) -> Array:
    """Components on all three axes of the user, of those on the axes of the model."""
    return in_users_axes(value, axes, np.eye(3) if model.frame is None else model.frame)
