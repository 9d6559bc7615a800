"""Wannier90's input file `.win`: the cell, the atoms, the spin, and where the projections sit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from ...common.errors import FileFormatError
from ...common.units import BOHR
from ...models.base import Structure
from .text import Array, number, read_bytes, snippet

Line = tuple[int, str]  # 1-based number in the file, text without comment
Block = tuple[int, list[Line]]  # number of its `begin` line, what stands inside

_KEYWORDS = {"num_wann", "spinors", "fermi_energy", "use_ws_distance", "translate_home_cell", "mp_grid"}
_BLOCKS = {"unit_cell_cart", "atoms_frac", "atoms_cart", "projections"}
_TRUE, _FALSE = {"t", "true", ".t.", ".true."}, {"f", "false", ".f.", ".false."}
_STATES = {"s": 1, "p": 3, "d": 5, "f": 7, "sp": 2, "sp2": 3, "sp3": 4, "sp3d": 5, "sp3d2": 6}
_MULTIPLICITY = {0: 1, 1: 3, 2: 5, 3: 7, -1: 2, -2: 3, -3: 4, -4: 5, -5: 6}
_ORBITAL = re.compile(
    r"p[xyz]|d(z2|xz|yz|xy|x2-y2)|sp(2|3|3d|3d2)?-[1-6]"
    r"|f(z3|xz2|yz2|xyz|z\(x2-y2\)|x\(x2-3y2\)|y\(3x2-y2\))"
)


@dataclass(frozen=True, eq=False)
class Win:
    """What a `.win` file says; None where it says nothing.

    lattice : (3, 3) rows in Angstrom. labels : of the atoms, in lower case. positions : (atoms, 3) in units
    of the lattice vectors. projections : the block, as text. mesh : mp_grid.
    """

    path: Path
    n_wann: int | None = None
    spinors: bool | None = None
    fermi_energy: float | None = None
    use_ws_distance: bool | None = None
    translate_home_cell: bool | None = None
    mesh: tuple[int, int, int] | None = None
    lattice: Array | None = None
    labels: tuple[str, ...] = ()
    positions: Array | None = None
    structure: Structure | None = None
    projections: list[Line] = field(default_factory=list)


def read_win(path: Path) -> Win:
    """Read a `.win` file.

    Raises
    ------
    FileFormatError : with the line; for a keyword or block that is used here and wrong, a block that is not
        closed, one that stands twice. Other keywords and blocks are not looked at.
    """
    keywords, blocks = _sections(path)
    lattice = _lattice(path, blocks["unit_cell_cart"]) if "unit_cell_cart" in blocks else None
    labels, positions = _atoms(path, blocks, lattice)
    return Win(
        path=path,
        n_wann=_integer(path, keywords.get("num_wann")),
        spinors=_logical(path, keywords.get("spinors")),
        fermi_energy=_real(path, keywords.get("fermi_energy")),
        use_ws_distance=_logical(path, keywords.get("use_ws_distance")),
        translate_home_cell=_logical(path, keywords.get("translate_home_cell")),
        mesh=_mesh(path, keywords.get("mp_grid")),
        lattice=lattice,
        labels=tuple(label for _, label in labels),
        positions=positions,
        structure=_structure(path, labels, positions),
        projections=blocks["projections"][1] if "projections" in blocks else [],
    )


def projection_centres(win: Win, lattice: Array, n_wann: int) -> Array:
    """Cartesian positions (n_wann, 3) in Angstrom at which the projections of a `.win` file sit.

    Raises
    ------
    FileFormatError : projections that are random or unknown, or not as many as the Wannier functions; spinors
        on several sites, whose order (blocks, or up and down in turn) the files do not tell.
    """
    unit, lines = _unit(win.projections)
    centres: list[Array] = []
    for line in lines:
        site, _, states = line[1].lower().replace(" ", "").partition(":")
        count = _count_states(win.path, line, states.partition(":")[0])
        for centre in _sites(win, line, site, lattice, unit):
            centres += [centre] * count
    found = np.array(centres).reshape(-1, 3)
    if win.spinors and 2 * len(found) == n_wann:
        if len(found) and np.ptp(found, axis=0).max() > 0:
            _fail(win.path, lines[0], "centres as an argument (the order of the spins is not in the files)")
        found = np.concatenate([found, found])
    if len(found) != n_wann:
        raise FileFormatError(win.path, None, f"projections for {n_wann} Wannier functions", f"{len(found)}")
    return found


def _sections(path: Path) -> tuple[dict[str, Line], dict[str, Block]]:
    """Keywords with their values, and blocks, by name in lower case."""
    keywords: dict[str, Line] = {}
    blocks: dict[str, Block] = {}
    inside = ""
    for i, raw in enumerate(read_bytes(path).split(b"\n"), 1):
        text = re.split(r"[!#]", raw.decode("utf-8-sig", "replace"), maxsplit=1)[0].strip()
        if not text:
            continue
        match = re.fullmatch(r"(\w+)(?:\s*[=:]\s*|\s+|$)(.*)", text)
        name, value = match.groups() if match else (text, "")
        name = name.lower()
        if name in ("begin", "end"):
            inside = _fence(path, (i, text), inside, name, value.lower(), blocks)
        elif inside:
            blocks[inside][1].append((i, text))
        elif name in keywords and name in _KEYWORDS:
            _fail(path, (i, text), f"{name} once (see line {keywords[name][0]})")
        else:
            keywords[name] = i, value
    if inside:
        raise FileFormatError(path, blocks[inside][0], f"a line 'end {inside}' further on", "none")
    return keywords, blocks


def _fence(path: Path, line: Line, inside: str, word: str, name: str, blocks: dict[str, Block]) -> str:
    """The block that one is in after a line `begin name` or `end name`."""
    if word == "end":
        if not inside or name != inside:
            _fail(path, line, f"end {inside}" if inside else "begin before end")
        return ""
    if inside:
        _fail(path, line, f"end {inside}")
    if name in blocks and name in _BLOCKS:
        _fail(path, line, f"the block {name} once (see line {blocks[name][0]})")
    blocks[name] = line[0], []
    return name


def _lattice(path: Path, block: Block) -> Array:
    unit, lines = _unit(block[1])
    if len(lines) != 3:
        raise FileFormatError(path, block[0], "3 lattice vectors", f"{len(lines)} lines")
    return np.array([[unit * x for x in _reals(path, line, line[1], 3)] for line in lines])


def _atoms(path: Path, blocks: dict[str, Block], lattice: Array | None) -> tuple[list[Line], Array | None]:
    """Labels with their lines, and positions in units of the lattice vectors."""
    both = [blocks[name] for name in ("atoms_frac", "atoms_cart") if name in blocks]
    if not both:
        return [], None
    if len(both) == 2:
        raise FileFormatError(path, both[1][0], "one of atoms_frac and atoms_cart", "both")
    cartesian = "atoms_cart" in blocks
    unit, lines = _unit(both[0][1]) if cartesian else (1.0, both[0][1])
    labels, positions = [], []
    for line in lines:
        label, *rest = line[1].replace(",", " ").split(maxsplit=1)
        labels.append((line[0], label.lower()))
        positions.append(_reals(path, line, rest[0] if rest else "", 3))
    found: Array = unit * np.array(positions, dtype=float).reshape(-1, 3)
    if cartesian:
        if lattice is None or abs(np.linalg.det(lattice)) < 1e-6:
            raise FileFormatError(path, both[0][0], "unit_cell_cart with three independent vectors", "none")
        found = np.asarray(np.linalg.solve(lattice.T, found.T).T, dtype=float)
    return labels, found


def _structure(path: Path, labels: list[Line], positions: Array | None) -> Structure | None:
    if positions is None or not labels:
        return None
    from ase.data import atomic_numbers

    numbers = []
    for i, label in labels:
        letters = re.match(r"[a-z]*", label)
        word = letters.group().capitalize() if letters else ""
        element = next((word[:n] for n in (2, 1) if word[:n] in atomic_numbers), None)
        if element is None:
            raise FileFormatError(path, i, "a label that begins with a chemical symbol", repr(label))
        numbers.append(int(atomic_numbers[element]))
    return Structure(tuple(numbers), tuple((x, y, z) for x, y, z in positions.tolist()))


def _unit(lines: list[Line]) -> tuple[float, list[Line]]:
    """Angstrom per unit of length of a block, and its lines without the one that names the unit."""
    if lines and lines[0][1].lower() in ("ang", "bohr"):
        return (BOHR if lines[0][1].lower() == "bohr" else 1.0), lines[1:]
    return 1.0, lines


def _count_states(path: Path, line: Line, states: str) -> int:
    """Number of orbitals of `s;pz`, `px,py` or `l=2,mr=1,4`."""
    total = 0
    for group in states.split(";"):
        numeric = re.fullmatch(r"l=(-?\d)(?:,mr=(\d(?:,\d)*))?", group)
        if numeric:
            l_value, mr = int(numeric.group(1)), numeric.group(2)
            total += len(mr.split(",")) if mr else _MULTIPLICITY.get(l_value, 0)
            continue
        for state in group.split(","):
            if state not in _STATES and not _ORBITAL.fullmatch(state):
                _fail(path, line, "projections onto known states, or centres as an argument")
            total += _STATES.get(state, 1)
    return total


def _sites(win: Win, line: Line, site: str, lattice: Array, unit: float) -> list[Array]:
    """Cartesian positions meant by `f=...`, `c=...` or the label of an atom."""
    if site[:2] in ("f=", "c="):
        xyz = np.array(_reals(win.path, line, site[2:], 3))
        return [xyz @ lattice if site[0] == "f" else unit * xyz]
    if site not in win.labels or win.positions is None:
        _fail(win.path, line, "f=..., c=... or the label of an atom, or centres as an argument")
    return [x @ lattice for label, x in zip(win.labels, win.positions, strict=True) if label == site]


def _reals(path: Path, line: Line, text: str, n: int) -> list[float]:
    values = [number(token.encode()) for token in text.replace(",", " ").split()]
    if len(values) != n or None in values:
        _fail(path, line, f"{n} reals")
    return [value for value in values if value is not None]


def _real(path: Path, line: Line | None) -> float | None:
    return None if line is None else _reals(path, line, line[1], 1)[0]


def _integer(path: Path, line: Line | None) -> int | None:
    value = _real(path, line)
    if line is None or value is None:
        return None
    if value != int(value) or value < 1:
        _fail(path, line, "a positive integer")
    return int(value)


def _mesh(path: Path, line: Line | None) -> tuple[int, int, int] | None:
    if line is None:
        return None
    x, y, z = _reals(path, line, line[1], 3)
    if not all(n == int(n) and 1 <= n <= 1000 for n in (x, y, z)):
        _fail(path, line, "3 positive integers")
    return int(x), int(y), int(z)


def _logical(path: Path, line: Line | None) -> bool | None:
    if line is None:
        return None
    if line[1].lower() not in _TRUE | _FALSE:
        _fail(path, line, ".true. or .false.")
    return line[1].lower() in _TRUE


def _fail(path: Path, line: Line, expected: str) -> NoReturn:
    raise FileFormatError(path, line[0], expected, snippet(line[1].encode()))
