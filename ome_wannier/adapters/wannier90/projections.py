"""Where the projections of a `.win` file sit: the sites, how many states each has, and the order of their spins."""

from __future__ import annotations

import re
from itertools import product

import numpy as np

from ...common.errors import FileFormatError
from .list_directed import Line, fail, reals
from .text import Array
from .win import Win, unit_of

#: how many states m there are for each l of Wannier90's table, and the names of all of them
_COUNT = {0: 1, 1: 3, 2: 5, 3: 7, -1: 2, -2: 3, -3: 4, -4: 5, -5: 6}
_WHOLE = {"s": 0, "p": 1, "d": 2, "f": 3, "sp": -1, "sp2": -2, "sp3": -3, "sp3d": -4, "sp3d2": -5}
_SINGLE = {
    1: ("pz", "px", "py"),
    2: ("dz2", "dxz", "dyz", "dx2-y2", "dxy"),
    3: ("fz3", "fxz2", "fyz2", "fxyz", "fz(x2-y2)", "fx(x2-3y2)", "fy(3x2-y2)"),
}
_STATES: dict[str, set[tuple[int, int]]] = (
    {name: {(l, m) for m in range(_COUNT[l])} for name, l in _WHOLE.items()}
    | {name: {(l, m)} for l, names in _SINGLE.items() for m, name in enumerate(names)}
    | {f"{name}-{m + 1}": {(l, m)} for name, l in _WHOLE.items() if l < 0 for m in range(_COUNT[l])}
)


def projection_centres(win: Win, lattice: Array, n_wann: int) -> Array:
    """Cartesian positions (n_wann, 3) in Angstrom at which the projections of a `.win` file sit.

    Spins that are marked, (u), (d) or (u,d), are sorted as Wannier90 does it: up and down of each state in turn. Of several,
    select_projections takes its own, in its order.

    Raises
    ------
    FileFormatError : projections that are random or unknown, or not as many as the Wannier functions; spinors without
        marks on several sites, whose order (blocks, or up and down in turn) the files do not tell.
    """
    for line in win.projections:
        if ":" not in line[1] and "random" in line[1].lower():
            fail(win.path, line, "centres as an argument (random projections sit anywhere)")
    unit, lines = unit_of(win.projections)
    centres: list[Array] = []
    marked = []
    for line in lines:
        site, colon, rest = "".join(line[1].lower().split()).partition(":")
        if not colon:
            fail(win.path, line, "a site, a colon and states")
        spin = re.search(r"\(([ud,]+)\)", rest)
        marked.append(spin is not None)
        copies = len({"u", "d"} & set(spin[1])) if spin else 1
        states = re.split(r":|\[", rest.replace(spin[0], "") if spin else rest)[0]
        count = copies * _count_states(win, line, states)
        for centre in _sites(win, line, site, lattice, unit):
            centres += [centre] * count
    if any(marked) and not win.spinors:
        fail(win.path, lines[marked.index(True)], "spinors = true where projections have spins")
    found = np.array(centres).reshape(-1, 3)
    if win.spinors and not any(marked) and 2 * len(found) == n_wann:
        if len(found) and np.ptp(found, axis=0).max() > 0:
            fail(win.path, lines[0], "centres as an argument (the order of the spins is not in the files)")
        found = np.concatenate([found, found])
    if any(marked) and not all(marked):
        fail(win.path, lines[marked.index(False)], "(u), (d) or (u,d) in every line or in none, or centres as an argument")
    if win.selected and max(win.selected) <= len(found):
        found = found[np.array(win.selected) - 1]
    if len(found) != n_wann:
        raise FileFormatError(win.path, None, f"projections for {n_wann} Wannier functions", f"{len(found)}")
    return found


def _count_states(win: Win, line: Line, states: str) -> int:
    """Number of orbitals of `s;pz`, `px,py` or `l=2,mr=1,4`; one that stands twice counts once."""
    chosen: set[tuple[int, int]] = set()
    for group in states.split(";"):
        numeric = re.fullmatch(r"l=(-?\d)(?:,mr=(\d(?:,\d)*))?", group)
        if numeric and int(numeric[1]) in _COUNT:
            l_value = int(numeric[1])
            ms = [int(m) for m in numeric[2].split(",")] if numeric[2] else range(1, _COUNT[l_value] + 1)
            found = set(product([l_value], [m - 1 for m in ms if 1 <= m <= _COUNT[l_value]]))
            known = all(1 <= m <= _COUNT[l_value] for m in ms)
        else:
            names = group.split(",")
            known = all(name in _STATES for name in names)
            found = set().union(*(_STATES.get(name, set()) for name in names))
        if not known:
            fail(win.path, line, "projections onto known states, or centres as an argument")
        chosen |= found
    return len(chosen)


def _sites(win: Win, line: Line, site: str, lattice: Array, unit: float) -> list[Array]:
    """Cartesian positions meant by `f=...`, `c=...` or the label of an atom."""
    if site[:2] in ("f=", "c="):
        xyz = np.array(reals(win.path, line, site[2:], 3))
        return [xyz @ lattice if site[0] == "f" else unit * xyz]
    if site not in win.labels or win.positions is None:
        fail(win.path, line, "f=..., c=... or the label of an atom, or centres as an argument")
    return [x @ lattice for label, x in zip(win.labels, win.positions, strict=True) if label == site]
