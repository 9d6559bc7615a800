"""Writing a model as Wannier90 writes it: `_tb.dat`, `_hr.dat` or its sparse variant, with `_centres.xyz` and `.win` beside it.

Numbers have 17 significant digits, so that a model comes back to the bit. Wannier90 itself prints 9 in `_tb.dat` and 6 decimals
in `_hr.dat`. The tests run PythTB (1.8 and 2) and WannierBerri on these files (its `from_hr_file` is to be told the cell), and
TBmodels 1.4 read them; the sparse variant has WannierTools' layout, but WannierTools was not run. Degeneracies and `_wsvec.dat`
are folded into the matrices already: every degeneracy is 1, and there is no `_wsvec.dat`.

A periodic direction without hopping gets matrices of zeros at R = +-1 along it, because readers know the periodic directions
by their R vectors alone. `.win` holds the cell, the atoms and `spinors`, which says how many electrons a band holds. It is no
input of a calculation: without mp_grid nobody looks there for the branch of the positions (`wannier90_branch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from ...common.errors import ModelError, warn
from ...common.fortran_text import Array, ComplexArray, IntArray
from ...common.safe_write import together
from ...models.real_space_checks import local_spin
from ...models.tight_binding import TightBinding

#: the kinds of files, by how their names end
KINDS = {"tb": "_tb.dat", "hr": "_hr.dat", "sparse": "_hr.dat"}
_HEADER = "written by ome_wannier"
_COMPRESSED = ("", ".gz", ".bz2", ".xz")


def write(
    model: TightBinding, path: str | Path, kind: str | None = None, *, spin_order: str | None = None, overwrite: bool = False
) -> list[Path]:
    """Write a model to "x_tb.dat" or "x_hr.dat", and with it "x_centres.xyz" and "x.win".

    Parameters
    ----------
    kind : "tb", "hr" or "sparse" (WannierTools' variant of `_hr.dat`, without elements that are zero); default: by the name.
    spin_order : "block" or "interlaced", the order of the functions in the file; default: as in the model. The model must
        have spin-pure functions in one of these orders, as a `spin` shows that was made by `spin_order` in `load`.
    overwrite : replace files that are there. A `.win` of a calculation, and files that would be read together with
        the new ones though they do not belong to them, are never touched: another name is asked for.

    Returns
    -------
    paths of the three files.

    Raises
    ------
    ModelError : a name that does not end as the kind does; files in the way; an order of spins that is not known.

    Warns
    -----
    AccuracyWarning : what the file cannot hold: spin, external matrices; in `_hr.dat`, positions between different functions.
    """
    path = Path(path)
    kind = kind or next((k for k, ending in KINDS.items() if path.name.endswith(ending)), None)
    if kind not in KINDS or not path.name.endswith(KINDS[kind]) or path.name == KINDS[kind]:
        endings = " or ".join(f"a seedname and {ending} ({k})" for k, ending in KINDS.items())
        raise ModelError(f"cannot write {path}: the name must be {endings}")
    losses = list(_losses(model, kind, spin_order))
    model = replace(model, external=None)
    if spin_order is not None:
        model = reordered(model, spin_order)
    seed = path.with_name(path.name.removesuffix(KINDS[kind]))
    small = {f"{seed.name}_centres.xyz": _centres_text(model), f"{seed.name}.win": _win_text(model)}
    companions = {seed.with_name(name): text for name, text in small.items()}
    _check_way(seed, path, companions, overwrite)
    for text in losses:
        warn(f"{path.name}: {text}")
    lines = {"tb": _tb_lines, "hr": _hr_lines, "sparse": _sparse_lines}[kind]
    files = {**{file: (text,) for file, text in companions.items()}, path: lines(model)}
    together({file: partial(_fill, content) for file, content in files.items()})
    return [path, *companions]


def reordered(model: TightBinding, order: str) -> TightBinding:
    """The model with its spin-pure functions sorted as "block" or "interlaced".

    Raises
    ------
    ModelError : no spin, or one of functions that are not spin-pure in one of the two orders; external matrix elements.
    """
    if model.external is not None:
        raise ModelError("functions of a model with external matrix elements cannot be sorted: leave these out (external=None)")
    n = model.n_orbitals
    target = local_spin(n, order)
    now = spin_order_of(model)
    if now is None:
        raise ModelError(
            "the order of the spins is not known: the model's spin is not that of pure up and down functions in block "
            "or interlaced order; load it with spin_order"
        )
    if now == order:
        return model
    index = np.arange(n).reshape((2, n // 2) if now == "block" else (n // 2, 2)).T.ravel()
    pair = np.ix_(np.arange(len(model.R)), index, index)
    where: dict[str, Array | ComplexArray] = {}
    if model.position is not None:
        where["position"] = model.position[pair]
    if model.centres is not None:
        where["centres"] = model.centres[index]
    return replace(model, hamiltonian=model.hamiltonian[pair], spin=target, **where)  # type: ignore[arg-type]


def spin_order_of(model: TightBinding) -> str | None:
    """ "block" or "interlaced" if the spin operator is exactly that of pure functions in this order, else None.

    A single pair is in both orders and counts as interlaced.
    """
    if model.spin is None:
        return None
    home = ~model.R.any(axis=1)
    for order in ("interlaced", "block"):
        if not model.spin[~home].any() and np.array_equal(model.spin[home][0], local_spin(model.n_orbitals, order)):
            return order
    return None


def _losses(model: TightBinding, kind: str, written: str | None) -> Iterator[str]:
    """One line for everything that a file of this kind does not hold."""
    if model.has_spin:
        order = written or spin_order_of(model)
        again = f"; load(..., spin_order={order!r}) makes it again" if order else ""
        yield f"the format has no place for the spin operator{again}"
    if model.external is not None:
        yield "the format has no place for matrix elements with states outside the basis (external)"
    if kind != "tb" and model.position is not None:
        away = _without_centres(model)
        if away.any():
            size = f"up to {np.abs(away).max():.2g} Angstrom"
            yield f"the position between different functions ({size}) is left out, only the centres are kept; _tb.dat holds it"


def _without_centres(model: TightBinding) -> ComplexArray:
    """The position matrix less the centres on its diagonal."""
    assert model.position is not None
    out = model.position.copy()
    index = np.arange(model.n_orbitals)
    out[np.flatnonzero(~model.R.any(axis=1))[0], index, index] = 0
    return out


def _check_way(seed: Path, path: Path, companions: dict[Path, str], overwrite: bool) -> None:
    """Make sure that no file is lost, and none of another calculation is read with the new ones."""
    if not path.parent.is_dir():
        raise ModelError(f"cannot write {path}: there is no folder {path.parent}")
    there = [file for file, text in companions.items() if file.exists() and file.read_bytes() != text.encode()]
    win = seed.with_name(seed.name + ".win")
    if win in there and _HEADER.encode() not in win.read_bytes().partition(b"\n")[0]:
        raise ModelError(f"cannot write {path}: {win.name} beside it is the input of a calculation; choose another name")
    applied = ["_wsvec.dat", "_r.dat"] if path.name.endswith("_hr.dat") else ["_wsvec.dat"]
    alike = all(file.exists() for file in companions) and not there  # the same model was written here before
    applied += [] if alike else [ending for ending in ("_tb.dat", "_hr.dat") if not path.name.endswith(ending)]
    applied += [file.name.removeprefix(seed.name) + c for file in (path, *companions) for c in _COMPRESSED[1:]]
    for file in (seed.with_name(seed.name + a + c) for a in applied for c in _COMPRESSED):
        if file.exists():
            raise ModelError(f"cannot write {path}: {file.name} beside it is not of this model; move it, or take another name")
    if (path.exists() or there) and not overwrite:
        names = ", ".join(file.name for file in ([path] if path.exists() else []) + there)
        raise ModelError(f"cannot write {path}: {names} exists already; pass overwrite=True (--overwrite) to replace it")


def _fill(lines: Iterable[str], file: IO[bytes]) -> None:
    file.writelines(line.encode() for line in lines)


def _with_periodic(model: TightBinding) -> tuple[IntArray, list[int | None]]:
    """R vectors to write, sorted, and for each the index in the model; None for matrices of zeros that make a direction
    periodic which has no hopping."""
    index: dict[tuple[int, ...], int | None] = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    for axis in range(3):
        if model.periodic[axis] and not model.R[:, axis].any():
            for sign in (-1, 1):
                index[tuple(sign * (j == axis) for j in range(3))] = None
    R = sorted(index)
    return np.array(R), [index[r] for r in R]


def _tb_lines(model: TightBinding) -> Iterator[str]:
    yield f" {_HEADER}: lattice, H and r in eV and Angstrom\n"
    yield from ("".join(f"{x:25.16E}" for x in row) + "\n" for row in model.lattice.tolist())
    R, index = _with_periodic(model)
    yield from _counts(model.n_orbitals, len(R))
    for X in (model.hamiltonian[..., None], _position(model)):
        pattern = _pattern(model.n_orbitals, X.shape[3])
        zero = np.zeros(X.shape[1:], dtype=complex)
        for r, i in zip(R.tolist(), index, strict=True):
            yield "\n{:5d}{:5d}{:5d}\n".format(*r)
            yield pattern % _numbers(zero if i is None else X[i])


def _hr_lines(model: TightBinding) -> Iterator[str]:
    yield f" {_HEADER}\n"
    R, index = _with_periodic(model)
    yield from _counts(model.n_orbitals, len(R))
    zero = np.zeros((model.n_orbitals, model.n_orbitals, 1), dtype=complex)
    for r, i in zip(R.tolist(), index, strict=True):
        pattern = _pattern(model.n_orbitals, 1, "{:5d}{:5d}{:5d}".format(*r))
        yield pattern % _numbers(zero if i is None else model.hamiltonian[i, ..., None])


def _sparse_lines(model: TightBinding) -> Iterator[str]:
    """The elements that are not zero; of every pair of R vectors without any, and of R = 0, the first one."""
    n = model.n_orbitals
    R, index = _with_periodic(model)
    blocks = []
    for r, i in zip(R.tolist(), index, strict=True):
        H = np.zeros((n, n)) if i is None else model.hamiltonian[i].T  # m fastest
        kept = H != 0
        kept[0, 0] |= not kept.any()
        blocks.append((r, H, np.argwhere(kept)))
    yield f" {_HEADER}: elements that are not zero\n"
    yield f"{sum(len(where) for _, _, where in blocks):12d}\n{n:12d}\n{len(R):12d}\n"
    for r, H, where in blocks:
        head = "{:5d}{:5d}{:5d}".format(*r)
        values = H[tuple(where.T)]
        for (j, i), x in zip(where.tolist(), values.astype(complex).tolist(), strict=True):
            yield f"{head}{i + 1:5d}{j + 1:5d}{x.real:25.16E}{x.imag:25.16E}\n"


def _counts(n: int, n_R: int) -> Iterator[str]:
    """The numbers of functions and of R vectors, and their degeneracies, all 1."""
    yield f"{n:12d}\n{n_R:12d}\n"
    yield from ("    1" * min(15, n_R - i) + "\n" for i in range(0, n_R, 15))


def _pattern(n: int, components: int, head: str = "") -> str:
    """Lines `m n` and real and imaginary parts, m fastest, to be filled in by `%`."""
    reals = "%25.16E%25.16E" * components
    return "".join(f"{head}{i + 1:5d}{j + 1:5d}{reals}\n" for j in range(n) for i in range(n))


def _numbers(X: ComplexArray) -> tuple[float, ...]:
    """Real and imaginary parts of (m, n, components) in the order of the lines."""
    return tuple(np.ascontiguousarray(X.swapaxes(0, 1)).view(float).ravel().tolist())


def _position(model: TightBinding) -> ComplexArray:
    """(nR, n, n, 3) in Angstrom; of a diagonal position operator the centres, on the diagonal at R = 0."""
    if model.position is not None:
        return model.position
    assert model.centres is not None
    out = np.zeros((*model.hamiltonian.shape, 3), dtype=complex)
    index = np.arange(model.n_orbitals)
    out[np.flatnonzero(~model.R.any(axis=1))[0], index, index] = model.centres
    return out


def _centres_text(model: TightBinding) -> str:
    """`_centres.xyz`, centres first, then the atoms."""
    rows = [("X", *x) for x in model.wannier_centres.tolist()]
    if model.structure is not None:
        cartesian = np.array(model.structure.positions) @ model.lattice
        rows += [(s, *x) for s, x in zip(_symbols(model), cartesian.tolist(), strict=True)]
    text = "".join(f"{label:3}{x:25.16E}{y:25.16E}{z:25.16E}\n" for label, x, y, z in rows)
    return f"{len(rows):6d}\n Wannier centres, {_HEADER}\n{text}"


def _win_text(model: TightBinding) -> str:
    """`.win` with what other files do not say: the cell, the atoms, the electrons per band."""
    spinors = ".true." if model.spin_degeneracy == 1 else ".false."
    cell = "".join("".join(f"{x:25.16E}" for x in row) + "\n" for row in model.lattice.tolist())
    text = (
        f"! {_HEADER}, not the input of a calculation\nnum_wann = {model.n_orbitals}\n"
        f"spinors = {spinors} ! one electron per band if true, otherwise two\n\n"
        f"begin unit_cell_cart\nang\n{cell}end unit_cell_cart\n"
    )
    if model.structure is None:
        return text
    atoms = zip(_symbols(model), model.structure.positions, strict=True)
    rows = "".join(f"{symbol:3}" + "".join(f"{x:25.16E}" for x in at) + "\n" for symbol, at in atoms)
    return f"{text}\nbegin atoms_frac\n{rows}end atoms_frac\n"


def _symbols(model: TightBinding) -> list[str]:
    from ase.data import chemical_symbols

    assert model.structure is not None
    return [chemical_symbols[z] for z in model.structure.numbers]
