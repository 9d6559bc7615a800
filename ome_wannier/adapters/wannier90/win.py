"""Wannier90's input file `.win`: the cell, the atoms, the spin, as Wannier90 itself reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...common.errors import FileFormatError
from ...common.fortran_text import Array
from ...common.packed import read_bytes
from ...common.units import BOHR
from ...models.base import Structure
from .list_directed import Line, fail, integers, logical, ranges, real, reals

Block = tuple[int, list[Line]]  # number of its `begin` line, what stands inside

_KEYWORDS = {
    "num_wann", "num_elec_per_state", "spin", "spinors", "fermi_energy", "use_ws_distance", "translate_home_cell", "mp_grid",
    "select_projections", "dis_froz_min", "dis_froz_max",
}  # fmt: skip
_BLOCKS = ("unit_cell_cart", "atoms_frac", "atoms_cart", "projections")
#: k points along one direction, at most
_MOST_POINTS, _MOST_FUNCTIONS = 1000, 10**6


@dataclass(frozen=True, eq=False)
class Win:
    """What a `.win` file says; None where it says nothing.

    lattice : (3, 3) rows in Angstrom. labels : of the atoms, in lower case. positions : (atoms, 3) in units
    of the lattice vectors. structure : the atoms, if every label begins with a chemical symbol. projections : the block,
    as text. selected : select_projections, counted from 1. mesh : mp_grid. per_state : num_elec_per_state. channel : "up"
    or "down", of a calculation with two spins. frozen : dis_froz_min and dis_froz_max in eV, infinite where only one is given.
    """

    path: Path
    n_wann: int | None = None
    spinors: bool | None = None
    per_state: int | None = None
    channel: str | None = None
    fermi_energy: float | None = None
    use_ws_distance: bool | None = None
    translate_home_cell: bool | None = None
    mesh: tuple[int, int, int] | None = None
    lattice: Array | None = None
    labels: tuple[str, ...] = ()
    positions: Array | None = None
    structure: Structure | None = None
    projections: list[Line] = field(default_factory=list)
    selected: list[int] | None = None
    frozen: tuple[float, float] | None = None

    @property
    def ghosts(self) -> int:
        """How many atoms Wannier90 labels X, as it does centres: their label is x, or x and no letter."""
        return sum(re.fullmatch(r"x([^a-z].*)?", label) is not None for label in self.labels)


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
    n_wann = integers(path, keywords.get("num_wann"), 1, _MOST_FUNCTIONS)
    mesh = integers(path, keywords.get("mp_grid"), 3, _MOST_POINTS)
    per_state = integers(path, keywords.get("num_elec_per_state"), 1, 2)
    return Win(
        path=path,
        n_wann=n_wann[0] if n_wann else None,
        spinors=logical(path, keywords.get("spinors")),
        per_state=per_state[0] if per_state else None,
        channel=_channel(path, keywords.get("spin")),
        fermi_energy=real(path, keywords.get("fermi_energy")),
        use_ws_distance=logical(path, keywords.get("use_ws_distance")),
        translate_home_cell=logical(path, keywords.get("translate_home_cell")),
        mesh=(mesh[0], mesh[1], mesh[2]) if mesh else None,
        lattice=lattice,
        labels=labels,
        positions=positions,
        structure=_structure(labels, positions),
        projections=blocks["projections"][1] if "projections" in blocks else [],
        selected=ranges(path, keywords.get("select_projections"), _MOST_FUNCTIONS),
        frozen=_frozen(path, keywords),
    )


def unit_of(lines: list[Line]) -> tuple[float, list[Line]]:
    """Angstrom per unit of length of a block, and its lines without the one that names the unit."""
    first = lines[0][1].lower() if lines else ""
    if "ang" in first or "bohr" in first:
        return (1.0 if "ang" in first else BOHR), lines[1:]
    return 1.0, lines


def _sections(path: Path) -> tuple[dict[str, Line], dict[str, Block]]:
    """Keywords with their values, and blocks, by name in lower case."""
    keywords: dict[str, Line] = {}
    blocks: dict[str, Block] = {}
    inside = ""
    for i, raw in enumerate(re.split(rb"\r\n?|\n", read_bytes(path)), 1):
        text = re.split(r"[!#]", raw.decode("utf-8-sig", "replace"), maxsplit=1)[0].strip()
        if not text:
            continue
        match = re.fullmatch(r"(\w+)(?:\s*[=:]\s*|\s+|$)(.*)", text)
        name, value = match.groups() if match else (text, "")
        name = name.lower()
        fence = re.match(r"begin|end", name)
        if fence:
            inside = _fence(path, (i, text), inside, fence[0], blocks)
        elif inside:
            blocks[inside][1].append((i, text))
        elif name in keywords and name in _KEYWORDS:
            fail(path, (i, text), f"{name} once (see line {keywords[name][0]})")
        else:
            keywords[name] = i, value
    if inside:
        raise FileFormatError(path, blocks[inside][0], f"a line 'end {inside}' further on", "none")
    return keywords, blocks


def _fence(path: Path, line: Line, inside: str, word: str, blocks: dict[str, Block]) -> str:
    """The block that one is in after a line that begins with `begin` or `end` and has the name anywhere behind it."""
    rest = line[1].lower()[len(word) :]
    named = [name for name in _BLOCKS if name in rest]
    if len(named) > 1:
        fail(path, line, f"one of {' and '.join(named)}")
    other = re.search(r"[^\W_]\w*", rest)  # of a block that is not read here; more may stand behind its name
    name = named[0] if named else other.group() if other else ""
    if word == "end":
        if not inside or name != inside:
            fail(path, line, f"end {inside}" if inside else "begin before end")
        return ""
    if inside:
        fail(path, line, f"end {inside}")
    if name in blocks and name in _BLOCKS:
        fail(path, line, f"the block {name} once (see line {blocks[name][0]})")
    blocks[name] = line[0], []
    return name


def _lattice(path: Path, block: Block) -> Array:
    unit, lines = unit_of(block[1])
    if len(lines) != 3:
        raise FileFormatError(path, block[0], "3 lattice vectors", f"{len(lines)} lines")
    return np.array([[unit * x for x in reals(path, line, line[1], 3)] for line in lines])


def _atoms(path: Path, blocks: dict[str, Block], lattice: Array | None) -> tuple[tuple[str, ...], Array | None]:
    """Labels in lower case, and positions in units of the lattice vectors."""
    both = [blocks[name] for name in ("atoms_frac", "atoms_cart") if name in blocks]
    if not both:
        return (), None
    if len(both) == 2:
        raise FileFormatError(path, both[1][0], "one of atoms_frac and atoms_cart", "both")
    cartesian = "atoms_cart" in blocks
    lines = both[0][1]
    unit = 1.0
    if cartesian and lines and len(lines[0][1].replace(",", " ").split()) < 4:  # else it is an atom, whatever its label
        unit, lines = unit_of(lines)
    labels, positions = [], []
    for line in lines:
        label, *rest = re.split(r"\s*,\s*|\s+", line[1], maxsplit=1)
        labels.append(label.strip("'\"").lower())
        positions.append(reals(path, line, rest[0] if rest else "", 3))
    found: Array = unit * np.array(positions, dtype=float).reshape(-1, 3)
    if cartesian:
        if lattice is None or abs(np.linalg.det(lattice)) < 1e-6:
            raise FileFormatError(path, both[0][0], "unit_cell_cart with three independent vectors", "none")
        found = np.asarray(np.linalg.solve(lattice.T, found.T).T, dtype=float)
    return tuple(labels), found


def _structure(labels: tuple[str, ...], positions: Array | None) -> Structure | None:
    """The atoms; None where a label is a number or no element, for then nothing can be made of them."""
    if positions is None or not labels:
        return None
    from ase.data import atomic_numbers

    numbers = []
    for label in labels:
        letters = re.match(r"[a-z]*", label)
        word = letters.group().capitalize() if letters else ""
        element = next((word[:n] for n in (2, 1) if word[:n] in atomic_numbers), "X")
        numbers.append(int(atomic_numbers[element]))
    if not all(numbers):
        return None
    return Structure(tuple(numbers), tuple((x, y, z) for x, y, z in positions.tolist()))


def _frozen(path: Path, keywords: dict[str, Line]) -> tuple[float, float] | None:
    """The frozen window; None without its upper end, as Wannier90 has none then."""
    low, high = (real(path, keywords.get(f"dis_froz_{end}")) for end in ("min", "max"))
    return None if high is None else (-np.inf if low is None else low, high)


def _channel(path: Path, line: Line | None) -> str | None:
    """The spin of a calculation with two channels."""
    if line is None:
        return None
    found = next((name for name in ("up", "down") if name in line[1].lower()), None)
    if found is None:
        fail(path, line, "up or down")
    return found
