"""Maps of the Brillouin zone: where a response comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..calculators.operators import named_in
from ..calculators.registry import Calculator, resolve
from ..common.errors import SettingsError
from ..common.units import KB
from ..models.alignment import axes_line, axis_names
from ..models.base import Lattice, Model, has_zone, require_model
from ..models.kdotp import KDotP
from ..response.tabulate import integrand
from . import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: half the width, in units of its scale, of the window on a k.p model
KDOTP_WINDOW = 5.0


class Plane(NamedTuple):
    """A window on a plane of k space.

    k : (ny, nx, 3 or 2) points as the model takes them. x, y : Cartesian coordinates in 1/Angstrom of the columns and rows.
    labels : what x and y are. zone : (corners, 2) of the Brillouin zone of the plane, or None for k.p.
    """

    k: Array
    x: Array
    y: Array
    labels: tuple[str, str]
    zone: Array | None


def zone_map(
    model: Model,
    calculator: str | Calculator,
    fermi: float,
    component: str | tuple[str, ...] | None = None,
    shape: tuple[int, int] = (120, 120),
    plane: int = 2,
    path: str | Path | None = None,
    *,
    at: float = 0.0,
    temperature: float = 300.0,
) -> Figure:
    """Where in the Brillouin zone a response comes from: its integrand at one Fermi level, with the Fermi contour.

    Parameters
    ----------
    model, calculator : as in `compute`; combinations of Fermi-sea and Fermi-surface terms are fine.
    fermi : eV.
    component : such as "zx", moment first; by default zx, or the first where there is no such.
    shape : points along the two axes of the picture.
    plane, at : for three periodic directions, the reciprocal vector along which the fractional coordinate is fixed to `at`.
    path : where to save it.
    temperature : K; occupies the bands, and gives Fermi-surface terms their width.

    Returns
    -------
    Figure whose image holds the integrand sum_n f(e_n) a_n (or -df/de a_n): the response is its mean over the zone,
    divided by the cell and in SI units. Of a field across a layer it is the response at a fixed Fermi level, with the origin at
    the mean of the centres (`gate="level"` of `compute`).
    """
    require_model(model)
    window = _window(model, shape, plane, at)
    energies, chosen, calculator, component = _integrand(model, calculator, window.k, component, fermi, temperature)
    image = chosen.reshape(window.k.shape[:2])
    figure = figures.new(5.6, 4.6)
    figure.set_layout_engine("compressed")
    ax = figure.subplots()
    _draw_map(figure, ax, window, image, figures.weight_unit(calculator, integrated=True))
    _draw_contour(ax, window, energies.reshape(*image.shape, -1), fermi)
    name = calculator.name.replace("_", " ")
    what = f"{name} {''.join(component)}".rstrip() + f" at {fermi:g} eV, {temperature:g} K"
    ax.set_title(f"{model.name}\n{what}" if model.name else what, fontsize="medium")
    if model.frame is not None:
        figure.supxlabel(axes_line(model.frame), fontsize="x-small")
    figures.save(figure, path)
    return figure


def _window(model: Model, shape: tuple[int, int], plane: int, at: float) -> Plane:
    """The rectangle around the Wigner-Seitz cell of the plane, or around the origin of a k.p model."""
    nx, ny = shape
    if nx < 2 or ny < 2:
        raise SettingsError(f"shape {shape}: a map needs at least two points along each axis")
    if not has_zone(model):
        side = KDOTP_WINDOW * cast(KDotP, model).scale
        x, y = np.linspace(-side, side, nx), np.linspace(-side, side, ny)
        k = np.stack([*np.meshgrid(x, y), *([np.full((ny, nx), at)] if model.dimension == 3 else [])], axis=-1)
        return Plane(k, x, y, ("$k_x$ (1/Å)", "$k_y$ (1/Å)"), None)
    fixed = _fixed_direction(model, plane)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    vectors = reciprocal[[d for d in range(3) if d != fixed]]
    frame, labels = _frame(np.asarray(vectors, dtype=float), axis_names(model.frame))
    zone = _wigner_seitz(vectors @ frame.T)
    reach = 1.02 * np.abs(zone).max(axis=0)
    x, y = np.linspace(-reach[0], reach[0], nx), np.linspace(-reach[1], reach[1], ny)
    cartesian = np.stack(np.meshgrid(x, y), axis=-1) @ frame
    k = cartesian @ model.lattice.T / (2 * np.pi)
    k[..., fixed] = at if model.periodic[fixed] else 0.0
    return Plane(k, x, y, labels, zone)


def _fixed_direction(model: Lattice, plane: int) -> int:
    """The lattice direction along which k does not run: the one asked for, or the one that is not periodic."""
    if model.dimension == 3 and plane in (0, 1, 2):
        return plane
    if model.dimension == 2:
        return model.periodic.index(False)
    raise SettingsError(f"a map needs two or three periodic directions and plane 0, 1 or 2, not {model.dimension} and {plane}")


def _frame(vectors: Array, called: tuple[str, str, str]) -> tuple[Array, tuple[str, str]]:
    """(2, 3) orthonormal axes of the plane spanned by two vectors: Cartesian ones, with their names, where they lie in it."""
    used = np.flatnonzero(np.abs(vectors).max(axis=0) > 1e-8 * np.abs(vectors).max())
    if len(used) == 2:
        a, b = (called[i] if len(called[i]) == 1 else f"{{{called[i]}}}" for i in used)
        return np.eye(3)[used], (f"$k_{a}$ (1/Å)", f"$k_{b}$ (1/Å)")
    first = vectors[0] / np.linalg.norm(vectors[0])
    second = vectors[1] - first * (first @ vectors[1])
    frame = np.stack([first, second / np.linalg.norm(second)])
    return frame, ("k along the first reciprocal vector (1/Å)", "k across it (1/Å)")


def _wigner_seitz(vectors: Array) -> Array:
    """Corners (n, 2), counter-clockwise, of the points nearer to the origin than to any other point of a plane lattice."""
    n = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 2), axis=-1).reshape(-1, 2)
    G = n[n.any(axis=1)] @ vectors
    half = (G**2).sum(axis=1) / 2
    i, j = np.triu_indices(len(G), 1)
    crossing = np.abs(np.linalg.det(np.stack([G[i], G[j]], axis=1))) > 1e-9 * half.max()
    i, j = i[crossing], j[crossing]
    points = np.linalg.solve(np.stack([G[i], G[j]], axis=1), np.stack([half[i], half[j]], axis=1)[..., None])[..., 0]
    corners = points[(points @ G.T <= half * (1 + 1e-9)).all(axis=1)]
    digits = 9 - int(np.floor(np.log10(np.abs(corners).max())))
    corners = np.unique(np.round(corners, digits), axis=0)
    return corners[np.argsort(np.arctan2(corners[:, 1], corners[:, 0]))]


def _integrand(
    model: Model, asked: str | Calculator, k: Array, component: str | tuple[str, ...] | None, fermi: float, temperature: float
) -> tuple[Array, Array, Calculator, str | tuple[str, ...]]:
    """Energies (nk, n), the integrand (nk,) of one component, the calculator itself, and which component."""
    (calculator,), _ = resolve(named_in(model, [asked]))
    if not temperature > 0:
        raise SettingsError(f"temperature is {temperature} K: a map needs a positive one, as the width of the Fermi surface")
    energies, value, along = integrand(model, calculator, k.reshape(-1, k.shape[-1]), fermi, temperature * KB)
    component = figures.or_first(component, along)
    chosen = value[figures.index(component, along)]
    if np.isnan(chosen).all():
        figures.refuse_missing(model, calculator, component)
    return energies, chosen, calculator, component


def _draw_map(figure: Figure, ax: Axes, window: Plane, image: Array, unit: str) -> None:
    from matplotlib.patches import Polygon

    inside = image if window.zone is None else image[_inside(window)]
    dx, dy = (window.x[1] - window.x[0]) / 2, (window.y[1] - window.y[0]) / 2
    extent = (window.x[0] - dx, window.x[-1] + dx, window.y[0] - dy, window.y[-1] + dy)
    drawn = ax.imshow(
        image,
        origin="lower",
        extent=extent,
        cmap=figures.DIVERGING,
        norm=figures.diverging_norm(inside),
        interpolation="nearest",
    )
    if window.zone is not None:
        edge = Polygon(window.zone.tolist(), closed=True, fill=False, edgecolor="0.2", linewidth=1.0)
        ax.add_patch(edge)
        drawn.set_clip_path(edge)
        ax.set_frame_on(False)
    ax.set_xlabel(window.labels[0])
    ax.set_ylabel(window.labels[1])
    figures.colorbar(ax, drawn, f"integrand ({unit})")


def _inside(window: Plane) -> NDArray[np.bool_]:
    """(ny, nx), which points lie in the zone."""
    from matplotlib.path import Path as Outline

    assert window.zone is not None
    points = np.stack(np.meshgrid(window.x, window.y), axis=-1).reshape(-1, 2)
    return Outline(window.zone).contains_points(points).reshape(len(window.y), len(window.x))


def _draw_contour(ax: Axes, window: Plane, energies: Array, fermi: float) -> None:
    """The lines on which a band has the Fermi energy."""
    from matplotlib.patches import Polygon

    for band in range(energies.shape[2]):
        e = energies[:, :, band]
        if e.min() < fermi < e.max():
            lines = ax.contour(window.x, window.y, e, levels=[fermi], colors="black", linewidths=1.0, linestyles="solid")
            if window.zone is not None:
                lines.set_clip_path(Polygon(window.zone.tolist(), closed=True, transform=ax.transData))
