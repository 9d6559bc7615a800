"""Bands along a path in k space, coloured by what a calculator gives each of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calculators.operators import named_in
from ..calculators.registry import Calculator, resolve, with_terms
from ..common.errors import SettingsError
from ..models.base import Lattice, Model, has_zone, require_model
from ..response.tabulate import tabulate
from . import figures

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def standard_path(model: Lattice, special: str | None = None) -> tuple[list[Array], list[str]]:
    """A standard k path of the model's lattice, from ASE.

    Parameters
    ----------
    special : names of special points such as "GMKG" or "GXM,YG"; by default the lattice's standard path.

    Returns
    -------
    branches : fractional points, one array (m, 3) per unbroken branch. labels : the names of all points in turn.
    """
    from ase.cell import Cell

    try:
        found = Cell(model.lattice).bandpath(special, npoints=0, pbc=model.periodic)  # type: ignore[no-untyped-call]
    except (KeyError, ValueError) as error:
        raise SettingsError(f"no standard path {special or ''!r} for this lattice: {error}") from error
    from ase.dft.kpoints import parse_path_string

    names = parse_path_string(found.path)  # type: ignore[no-untyped-call]
    branches = [np.array([found.special_points[name] for name in branch]) for branch in names]
    return branches, [r"$\Gamma$" if name == "G" else name for branch in names for name in branch]


def bands(
    model: Model,
    path_points: ArrayLike | Sequence[ArrayLike] | None = None,
    calculator: str | Calculator | None = None,
    component: str | tuple[str, ...] | None = None,
    *,
    labels: Sequence[str] | None = None,
    n: int = 200,
    fermi: float | None = None,
    energies: tuple[float, float] | None = None,
    path: str | Path | None = None,
) -> Figure:
    """Bands along a path in k space, coloured by what a calculator gives each of them.

    Parameters
    ----------
    path_points : (m, 3) corners of the path (fractional; 1/Angstrom for k.p), or a list of such, one per unbroken
        branch; by default the lattice's `standard_path`.
    calculator : whose per-band weights are the colours; a combination of sea and surface terms has none and is refused.
    component : such as "zx", moment first; by default zx, or the first where there is no such.
    labels : names of all corners in turn.
    n : points along the whole path.
    fermi : eV, drawn as a line and taken as the zero of energy.
    energies : the lowest and highest energy to show, in eV; all bands by default.
    path : where to save it.
    """
    require_model(model)
    if path_points is None:
        if not has_zone(model):
            raise SettingsError("a k.p model has no standard path: give path_points in 1/Angstrom")
        branches, suggested = standard_path(model)
        labels = suggested if labels is None else labels
    else:
        nested = np.ndim(path_points[0]) == 2  # type: ignore[index]
        branches = [np.asarray(b, dtype=float) for b in (path_points if nested else [path_points])]  # type: ignore[union-attr]
    corners = sum(map(len, branches))
    if labels is not None and len(labels) != corners:
        raise SettingsError(f"{len(labels)} labels for the {corners} corners of the path")
    k, distance, ticks = _sampled(model, branches, n)
    table = tabulate(model, np.concatenate(k), [calculator] if calculator is not None else ["quantum_metric"])
    figure = figures.new(6.2, 4.4)
    ax = figure.subplots()
    if energies is not None:
        table = _shown(table, energies)
        ax.set_ylim(*(e - (fermi or 0.0) for e in energies))
    _draw_bands(ax, model, table, calculator, component, distance, fermi or 0.0)
    _draw_ticks(ax, ticks, labels)
    if fermi is not None:
        ax.axhline(0, color="0.3", linewidth=0.8, linestyle="--")
    ax.set_ylabel("energy (eV)" if fermi is None else "energy − Fermi level (eV)")  # noqa: RUF001
    figures.save(figure, path)
    return figure


def _shown(table: xr.Dataset, energies: tuple[float, float]) -> xr.Dataset:
    """The bands that come into a window of energies somewhere."""
    low, high = energies
    e = table["energy"]
    inside = ((e >= low) & (e <= high)).any("k")
    if not bool(inside.any()):
        raise SettingsError(f"no band lies between {low:g} and {high:g} eV")
    return table.isel(band=np.flatnonzero(inside.values))


def _sampled(model: Model, branches: Sequence[Array], n: int) -> tuple[list[Array], list[Array], list[Array]]:
    """Points of each branch, their distance along the path in 1/Angstrom, and the distances of the corners."""
    reciprocal = np.eye(branches[0].shape[1]) if not has_zone(model) else 2 * np.pi * np.linalg.inv(model.lattice).T
    steps = [np.linalg.norm(np.diff(b, axis=0) @ reciprocal, axis=1) for b in branches]
    total = sum(float(s.sum()) for s in steps)
    if not total > 0:
        raise SettingsError("the k path has no length: give at least two different points")
    k, distance, ticks, start = [], [], [], 0.0
    for corners, lengths in zip(branches, steps, strict=True):
        tick = start + np.concatenate([[0.0], np.cumsum(lengths)])
        inner = [np.linspace(a, b, max(2, round(n * (b - a) / total)), endpoint=False) for a, b in pairwise(tick.tolist())]
        x = np.concatenate([*inner, tick[-1:]])
        k.append(np.stack([np.interp(x, tick, corners[:, c]) for c in range(corners.shape[1])], axis=1))
        distance.append(x)
        ticks.append(tick)
        start = tick[-1]
    return k, distance, ticks


def _draw_bands(
    ax: Axes,
    model: Model,
    table: xr.Dataset,
    asked: str | Calculator | None,
    component: str | tuple[str, ...] | None,
    distance: Sequence[Array],
    zero: float,
) -> None:
    """Thin lines for the bands and, below them, thick ones in the colour of the weights."""
    from matplotlib.collections import LineCollection

    cuts = np.cumsum([len(x) for x in distance])[:-1]
    energies = np.split(table["energy"].values - zero, cuts)
    for x, e in zip(distance, energies, strict=True):
        ax.plot(x, e, color="0.35", linewidth=0.5, zorder=3)
    if asked is None:
        return
    (calculator,), _ = resolve(with_terms(named_in(model, [asked])))
    available = figures.component_names(model, calculator)
    component = figures.or_first(component, available)
    weights = table[calculator.name].sel(figures.component(component, available)).values
    if np.isnan(weights).all():
        figures.refuse_missing(model, calculator, component, per_band=True)
    norm = figures.diverging_norm(weights)
    segments, colours = [], []
    for x, e, w in zip(distance, energies, np.split(weights, cuts), strict=True):
        ends = np.stack([np.broadcast_to(x[:, None], e.shape), e], axis=-1)
        segments.append(np.stack([ends[:-1], ends[1:]], axis=2).reshape(-1, 2, 2))
        colours.append(((w[:-1] + w[1:]) / 2).ravel())
    colour = np.concatenate(colours)
    order = np.argsort(np.abs(colour))  # what is strong lies on top
    lines = LineCollection(
        list(np.concatenate(segments)[order]), cmap=figures.DIVERGING, norm=norm, linewidths=4.0, capstyle="round", zorder=2
    )
    lines.set_array(colour[order])
    drawn = ax.add_collection(lines)
    name = f"{calculator.name.replace('_', ' ')} {''.join(component)}".rstrip()
    figures.colorbar(ax, drawn, f"{name} ({figures.weight_unit(calculator, integrated=False)})")


def _draw_ticks(ax: Axes, ticks: Sequence[Array], labels: Sequence[str] | None) -> None:
    """A vertical line at every corner; two names where one branch ends and the next begins."""
    at: list[float] = []
    text: list[str] = []
    names = list(labels) if labels is not None else [""] * sum(map(len, ticks))
    for position in np.concatenate(list(ticks)).tolist():
        name = names.pop(0)
        if at and position == at[-1]:
            text[-1] = f"{text[-1]}|{name}" if name else text[-1]
        else:
            at.append(position)
            text.append(name)
    for position in at:
        ax.axvline(position, color="0.6", linewidth=0.6, zorder=1)
    ax.set_xticks(at, text)
    ax.set_xlim(at[0], at[-1])
    ax.margins(y=0.03)
