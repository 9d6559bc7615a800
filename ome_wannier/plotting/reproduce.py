"""Figures 1 to 3 of Cullen et al. (2025), with each printed closed form beside the exact evaluation.

The model is the tilted massive Dirac cone of the surface of a magnetic topological insulator, at zero temperature. The
field is 1e5 V/m; the paper's figures are for one cone. Where a printed form does not follow from the paper's own
definitions (physics.md section 6), the form that does is drawn as well. Moments have the sign of M = -(e/2) <r x v>; the paper
draws -(e/2) <L> with an L that its Eqs. 49 to 57 make v x r, the opposite sign (6a), which figure 1 shows beside ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..common.safe_write import together
from ..common.units import HBAR_EV_FS, alpha_to_si, convert_alpha
from ..integration.kpoints.polar import PolarMesh
from ..lattices.dirac import tilted_dirac
from ..response.compute import compute

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

ALPHA, MASS, TILT = 4.0, 0.01, 0.8  #: eV Angstrom, eV, eV Angstrom (v_t = 0.2 alpha / hbar)
FIELD = 1e5  #: V/m
TAU = 10.0  #: fs, the paper's 0.01 ps
CLAIMED_TAU = 5.0  #: fs, above which the paper finds extrinsic to exceed intrinsic
TABLE_LEVELS = (0.0, 0.0101, 0.015, 0.03)  #: eV, the levels of physics.md section 7
LEVELS = np.unique(
    np.concatenate([np.linspace(0.0, 0.0095, 5), np.linspace(0.0098, 0.012, 23), np.linspace(0.0125, 0.05, 26), TABLE_LEVELS])
)


@dataclass(frozen=True)
class Curve:
    """One quantity against the Fermi level, in the units of the figure's axis."""

    name: str
    values: Array
    follows: bool | None = None  #: for closed forms: whether it is what the definitions give, to first order in the tilt


def printed_dipole(level: Array, mass: float = MASS) -> Array:
    """<y> per e E_y in 1/eV: -1/(12 pi m) in the gap, -(3 E^2 + m^2)/(48 pi E^3) in the band (physics.md eq. 50)."""
    E = np.maximum(level, mass)
    return -(3 * E**2 + mass**2) / (48 * np.pi * E**3)


def printed_itinerant(level: Array, mass: float = MASS, tilt: float = TILT) -> Array:
    """L_IC per e E_y in Angstrom as printed in Eqs. (55), (56): v_t (E^2 + m^2)/(16 pi E^3) in the band."""
    E = np.maximum(level, mass)
    return np.where(level > mass, tilt * (E**2 + mass**2) / (16 * np.pi * E**3), 0.0)


def corrected_itinerant(level: Array, mass: float = MASS, tilt: float = TILT) -> Array:
    """L_IC per e E_y in Angstrom as it follows (physics.md eq. 48): v_t (E^2 - m^2)/(16 pi E^3) in the band."""
    E = np.maximum(level, mass)
    return tilt * (E**2 - mass**2) / (16 * np.pi * E**3)


def first_order_extrinsic(level: Array, mass: float = MASS, tilt: float = TILT) -> Array:
    """alpha_zx per tau in (e^2/hbar^2) eV Angstrom: v_t m (E^2 - m^2)/(4 pi E^3), first order in the tilt (physics.md eq. 53).

    From the orbital moment m_z = -alpha^2 m / 2E^2 of either band and f shifted by v_t k_x: -int f d_x m_z.
    """
    E = np.maximum(level, mass)
    return tilt * mass * (E**2 - mass**2) / (4 * np.pi * E**3)


def curves(levels: Array = LEVELS) -> dict[str, dict[str, list[Curve]]]:
    """The content of the three figures: figure -> axis -> curves."""
    result = compute(
        tilted_dirac(alpha=ALPHA, mass=MASS, tilt=TILT),
        PolarMesh(),
        ["dipole_polarizability", "dipole", "itinerant", "local", "total_published", "total", "extrinsic"],
        levels,
        temperature=0.0,
        tau=TAU,
    )
    return {
        "1": _of_the_dipole(result, levels),
        "2": {"intrinsic OMM (mu_B/nm^2)": _intrinsic(result, levels)},
        "3": {"OMM (mu_B/nm^2)": _intrinsic_and_extrinsic(result, levels)},
    }


def _of_the_dipole(result: xr.Dataset, levels: Array) -> dict[str, list[Curve]]:
    # <y> per e E_y in 1/eV is the polarizability in e/V: times V/nm it is a dipole per area in e/nm
    polarizability = result.dipole_polarizability.sel(position="y", field="y").values
    to_dipole, exact = FIELD * 1e-9, _exact(result, "dipole", "y")
    return {
        "|dipole density| (e/nm)": [
            Curve("exact", np.abs(polarizability) * to_dipole),
            Curve("printed", np.abs(printed_dipole(levels)) * to_dipole, True),
        ],
        "dipole OMM (mu_B/nm^2)": [
            Curve("exact", exact),
            Curve("printed, with this sign", _closed(TILT * printed_dipole(levels) / 2), True),
            Curve("the paper's sign, -(e/2) <L>_d of Eq. 50", -exact, False),
        ],
    }


def _intrinsic(result: xr.Dataset, levels: Array) -> list[Curve]:
    dipole, itinerant = _closed(TILT * printed_dipole(levels) / 2), _closed(printed_itinerant(levels) / 2)
    return [
        Curve("dipole", _exact(result, "dipole", "y")),
        Curve("dipole, printed", dipole, True),
        Curve("itinerant", _exact(result, "itinerant", "y")),
        Curve("itinerant, printed", itinerant, False),
        Curve("itinerant, corrected", _closed(corrected_itinerant(levels) / 2), True),
        Curve("local", _exact(result, "local", "y")),
        Curve("sum as published", _exact(result, "total_published", "y")),
        Curve("sum as printed", dipole + itinerant, False),
        Curve("total (terms restored)", _exact(result, "total", "y")),
    ]


def _intrinsic_and_extrinsic(result: xr.Dataset, levels: Array) -> list[Curve]:
    first_order = _closed(first_order_extrinsic(levels) * TAU / HBAR_EV_FS)
    return [
        Curve("intrinsic, E || y, as published", _exact(result, "total_published", "y")),
        Curve("intrinsic, E || y, total", _exact(result, "total", "y")),
        Curve("intrinsic, E || x", _exact(result, "total", "x")),
        Curve("extrinsic, E || x", _exact(result, "extrinsic", "x")),
        Curve("extrinsic, E || x, first order", first_order, True),
        Curve("extrinsic, E || y", _exact(result, "extrinsic", "y")),
    ]


def _exact(result: xr.Dataset, name: str, field: str) -> Array:
    return _density(result[name].sel(moment="z", field=field).values)


def _density(alpha: Array) -> Array:
    """Orbital magnetic moment per area in Bohr magnetons per nm^2 from alpha in SI."""
    return np.asarray(convert_alpha(alpha, "mu_B/nm^2 per V/nm", 2)) * FIELD * 1e-9  # type: ignore[arg-type]


def _closed(alpha: Array) -> Array:
    """The same from alpha in e^2/hbar Angstrom."""
    return _density(alpha * alpha_to_si(2))


def _column(level: float) -> str:
    return f"{1e3 * level:.4g} meV"


def table(figures: dict[str, dict[str, list[Curve]]], levels: Array = LEVELS) -> pd.DataFrame:
    """The curves as numbers: figure, axis, curve, does it follow, and a column per Fermi level, named like "10.1 meV"."""
    import pandas as pd

    rows = [
        {"figure": figure, "axis": axis, "curve": c.name, "follows": {None: "exact", True: "yes", False: "no"}[c.follows]}
        | {_column(e): v for e, v in zip(levels, c.values, strict=True)}
        for figure, axes in figures.items()
        for axis, curves_ in axes.items()
        for c in curves_
    ]
    return pd.DataFrame(rows)


def summary(numbers: pd.DataFrame) -> pd.DataFrame:
    """The table at the Fermi levels of physics.md section 7, as text."""
    columns = [_column(e) for e in TABLE_LEVELS]
    short = numbers[["figure", "axis", "curve", "follows", *columns]].copy()
    for c in columns:
        # zero up to rounding is printed as zero
        short[c] = [f"{0.0 if abs(v) < 1e-12 else v:.4g}" for v in short[c]]
    return short


def answers(numbers: pd.DataFrame) -> list[str]:
    """Two claims of the paper against the table, in words: the sign of figure 1, and extrinsic against intrinsic moments."""
    rows = numbers.set_index("curve").filter(like=" meV")
    level = np.array([float(str(c).removesuffix(" meV")) for c in rows])
    extrinsic = np.abs(rows.loc["extrinsic, E || x"].to_numpy()) / TAU

    def beyond(curve: str, tau: float) -> str:
        """Where extrinsic is the larger one: their ratio is zero in the gap and rises with the level, nearly as its square."""
        ratio = extrinsic / np.abs(rows.loc[f"intrinsic, E || y, {curve}"].to_numpy())
        if ratio[-1] * tau <= 1:
            return f"at no level up to {level[-1]:g} meV at tau = {tau:g} fs (there from {1 / ratio[-1]:.2g} fs on)"
        return f"above {np.interp(1 / tau, ratio, level**2) ** 0.5:.3g} meV only at tau = {tau:g} fs"

    return [
        "Figure 1: the paper draws -(e/2) <L>_d with L = v x r (Eqs. 49 to 57); all else has the sign of M = -(e/2) <r x v>.",
        f'The paper: extrinsic (E || x) exceeds intrinsic (E || y) "for any tau > {CLAIMED_TAU:g} fs". Found: it exceeds',
        f"  total {beyond('total', TAU)}, {beyond('total', CLAIMED_TAU)};",
        f"  the published sum {beyond('as published', TAU)}, {beyond('as published', CLAIMED_TAU)}.",
    ]


def draw(figure: str, axes: dict[str, list[Curve]], levels: Array = LEVELS) -> Figure:
    """One figure: exact curves solid, printed forms that follow dashed, those that do not dotted."""
    from . import figures

    picture = figures.new(6.5 * len(axes), 4.6)
    for panel, (label, curves_) in zip(np.atleast_1d(picture.subplots(1, len(axes))), axes.items(), strict=True):
        for c in curves_:
            style = {None: "-", True: "--", False: ":"}[c.follows]
            panel.plot(1e3 * levels, c.values, style, label=c.name + (" (does not follow)" if c.follows is False else ""))
        panel.axvspan(0, 1e3 * MASS, color="0.93", zorder=0)
        panel.set_xlabel("Fermi level (meV)")
        panel.set_ylabel(label.replace("mu_B", "$\\mu_B$").replace("^2", "$^2$"))
        panel.legend(fontsize="small")
    picture.suptitle(f"Figure {figure}: tilted Dirac cone, m = 10 meV, $v_t$ = 0.2 $\\alpha/\\hbar$, E = $10^5$ V/m")
    return picture


def write(folder: str | Path) -> tuple[list[Path], pd.DataFrame]:
    """Compute, draw and tabulate everything into `folder` (made if it is missing); return the files and the table."""
    from . import figures

    out = Path(folder)
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    content = curves()
    numbers = table(content)
    fills = {out / f"figure{figure}.png": figures.png(draw(figure, axes)) for figure, axes in content.items()}
    try:
        together({**fills, out / "figures.csv": lambda file: numbers.to_csv(file, index=False)})
    except OSError:
        if new:
            out.rmdir()
        raise
    return [*fills, out / "figures.csv"], numbers
