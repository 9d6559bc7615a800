"""What the projections of a `.win` file say: the sites, the orbitals on each, and the order of their spins."""

from __future__ import annotations

import re
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from ...common.errors import FileFormatError
from ...common.fortran_text import Array
from ...models.atomic_orbitals import Orbital, count
from .list_directed import Line, fail, reals
from .win import Win, unit_of

#: the names of all states of l, and of single ones, in the order of Wannier90's tables
_WHOLE = {"s": 0, "p": 1, "d": 2, "f": 3, "sp": -1, "sp2": -2, "sp3": -3, "sp3d": -4, "sp3d2": -5}
_SINGLE = {
    1: ("pz", "px", "py"),
    2: ("dz2", "dxz", "dyz", "dx2-y2", "dxy"),
    3: ("fz3", "fxz2", "fyz2", "fz(x2-y2)", "fxyz", "fx(x2-3y2)", "fy(3x2-y2)"),
}
_STATES: dict[str, set[tuple[int, int]]] = (
    {name: {(l, m) for m in range(count(l))} for name, l in _WHOLE.items()}
    | {name: {(l, m)} for l, names in _SINGLE.items() for m, name in enumerate(names)}
    | {f"{name}-{m + 1}": {(l, m)} for name, l in _WHOLE.items() if l < 0 for m in range(count(l))}
)

#: Angstrom; sites that are no farther apart are one
_SAME_PLACE = 1e-3

T = TypeVar("T")
Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


class Projection(NamedTuple):
    """site : Cartesian, in Angstrom. orbital : with the spin where it is marked."""

    site: Array
    orbital: Orbital


def projection_centres(win: Win, lattice: Array, n_wann: int) -> Array:
    """Cartesian positions (n_wann, 3) in Angstrom at which the projections of a `.win` file sit.

    Spins that are marked, (u), (d) or (u,d), are sorted as Wannier90 does it: up and down of each state in turn. Of several,
    select_projections takes its own, in its order.

    Raises
    ------
    FileFormatError : projections that are random or unknown, or not as many as the Wannier functions; spinors without
        marks on several sites, whose order (blocks, or up and down in turn) the files do not tell.
    """
    found = np.array([p.site for p in _listed(win, lattice)]).reshape(-1, 3)
    if _is_unmarked(win, n_wann, len(found)):
        if len(found) and np.ptp(found, axis=0).max() > 0:
            first = unit_of(win.projections)[1][0]
            fail(win.path, first, "centres as an argument (the order of the spins is not in the files)")
        found = np.concatenate([found, found])
    return np.array(_chosen(win, list(found), n_wann))


def possible_projections(win: Win, lattice: Array, n_wann: int) -> list[list[Projection]]:
    """The projections of all Wannier functions; of spinors without marks both orders that there may be: up and down of each
    state in turn, and all up before all down.

    Raises
    ------
    FileFormatError : as for `projection_centres`; no projections.
    """
    if not win.projections:
        raise FileFormatError(win.path, None, "projections, which say what orbitals the Wannier functions are", "none")
    found = _listed(win, lattice)
    if not _is_unmarked(win, n_wann, len(found)):
        return [_chosen(win, found, n_wann)]
    up, down = ([p._replace(orbital=p.orbital._replace(spin=s)) for p in found] for s in "ud")
    return [_chosen(win, x, n_wann) for x in ([p for pair in zip(up, down, strict=True) for p in pair], [*up, *down])]


def _is_unmarked(win: Win, n_wann: int, number: int) -> bool:
    """Whether these are spinors without a mark of the spin, each projection of which stands for two functions."""
    return bool(win.spinors) and not any(_spin_of(line[1]) for line in win.projections) and 2 * number == n_wann


def _chosen(win: Win, found: list[T], n_wann: int) -> list[T]:
    """Those that select_projections takes, as many as there are Wannier functions."""
    if win.selected and max(win.selected) <= len(found):
        found = [found[i - 1] for i in win.selected]
    if len(found) != n_wann:
        raise FileFormatError(win.path, None, f"projections for {n_wann} Wannier functions", f"{len(found)}")
    return found


def _spin_of(line: str) -> re.Match[str] | None:
    return re.search(r"\(([ud,]+)\)", "".join(line.lower().split()).partition(":")[2])


def _listed(win: Win, lattice: Array) -> list[Projection]:
    """The projections as Wannier90 sorts them: by l and m at each site, spins that are marked in turn."""
    for line in win.projections:
        if ":" not in line[1] and "random" in line[1].lower():
            fail(win.path, line, "centres as an argument (random projections sit anywhere)")
    unit, lines = unit_of(win.projections)
    out: list[Projection] = []
    marked = []
    for line in lines:
        site, colon, rest = "".join(line[1].lower().split()).partition(":")
        if not colon:
            fail(win.path, line, "a site, a colon and states")
        spin = _spin_of(line[1])
        marked.append(spin is not None)
        copies = [s for s in "ud" if s in spin[1]] if spin else [""]
        states = re.split(r":|\[", rest.replace(spin[0], "") if spin else rest)[0]
        axes, radial = _axes(win, line, rest), _radial(rest)
        for centre in _sites(win, line, site, lattice, unit):
            shell = (*np.round(centre / _SAME_PLACE).astype(int).tolist(), radial)
            for (l, m), s in product(sorted(_states(win, line, states)), copies):
                out.append(Projection(centre, Orbital(l, m, shell, axes, s)))
    if any(marked) and not win.spinors:
        fail(win.path, lines[marked.index(True)], "spinors = true where projections have spins")
    if any(marked) and not all(marked):
        fail(win.path, lines[marked.index(False)], "(u), (d) or (u,d) in every line or in none, or centres as an argument")
    return out


def _axes(win: Win, line: Line, rest: str) -> Axes:
    """The local axes of `z=...` and `x=...`, by default the Cartesian ones."""
    given = {part[:2]: reals(win.path, line, part[2:], 3) for part in rest.split(":")[1:] if part[:2] in ("z=", "x=")}
    z, x = np.array(given.get("z=", [0.0, 0.0, 1.0])), np.array(given.get("x=", [1.0, 0.0, 0.0]))
    if not (np.linalg.norm(z) > 0 and np.linalg.norm(x) > 0):
        fail(win.path, line, "axes that are not zero")
    z, x = z / np.linalg.norm(z), x / np.linalg.norm(x)
    return tuple(tuple(map(float, a)) for a in (x, np.cross(z, x), z))  # type: ignore[return-value]


def _radial(rest: str) -> int:
    """The number of the radial function, `r=...`."""
    found = re.search(r":r=(\d)", rest)
    return int(found[1]) if found else 1


def _states(win: Win, line: Line, states: str) -> set[tuple[int, int]]:
    """The orbitals (l, m) of `s;pz`, `px,py` or `l=2,mr=1,4`; one that stands twice counts once."""
    chosen: set[tuple[int, int]] = set()
    for group in states.split(";"):
        numeric = re.fullmatch(r"l=(-?\d)(?:,mr=(\d(?:,\d)*))?", group)
        if numeric and count(int(numeric[1])):
            l_value = int(numeric[1])
            number = count(l_value)
            ms = [int(m) for m in numeric[2].split(",")] if numeric[2] else range(1, number + 1)
            found = set(product([l_value], [m - 1 for m in ms if 1 <= m <= number]))
            known = all(1 <= m <= number for m in ms)
        else:
            names = group.split(",")
            known = all(name in _STATES for name in names)
            found = set().union(*(_STATES.get(name, set()) for name in names))
        if not known:
            fail(win.path, line, "projections onto known states, or centres as an argument")
        chosen |= found
    return chosen


def _sites(win: Win, line: Line, site: str, lattice: Array, unit: float) -> list[Array]:
    """Cartesian positions meant by `f=...`, `c=...` or the label of an atom."""
    if site[:2] in ("f=", "c="):
        xyz = np.array(reals(win.path, line, site[2:], 3))
        return [xyz @ lattice if site[0] == "f" else unit * xyz]
    if site not in win.labels or win.positions is None:
        fail(win.path, line, "f=..., c=... or the label of an atom, or centres as an argument")
    return [x @ lattice for label, x in zip(win.labels, win.positions, strict=True) if label == site]
