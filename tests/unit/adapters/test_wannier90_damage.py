"""Damaged Wannier90 files: whatever is done to them, the answer is an error with a file in it, or what the text says.

What the text says is decided by a reader of its own: plain Python, line by line, no better than it needs to be. It may
accept more than the package does, never less.
"""

from __future__ import annotations

import functools
import gzip
import math
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.data import atomic_numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ome_wannier.adapters.wannier90 import loader as wannier90
from ome_wannier.adapters.wannier90 import seed as wannier90_seed
from ome_wannier.adapters.wannier90.branch import without_jumps
from ome_wannier.errors import AccuracyWarning, OMEError

HBN = Path(__file__).parents[3] / "materials" / "hbn"
ENDINGS = wannier90_seed.ENDINGS
INTACT = {kind: gzip.decompress((HBN / f"hBN{ENDINGS[kind]}.gz").read_bytes()) for kind in ("tb", "hr", "wsvec")} | {
    kind: (HBN / f"hBN{ENDINGS[kind]}").read_bytes() for kind in ("centres", "win")
}


# --- the reader of its own --------------------------------------------------------------------------------------------


class BadTextError(Exception):
    """The text is not well-formed."""


def check(condition: object) -> None:
    if not condition:
        raise BadTextError


def real(token: str) -> float:
    check(re.fullmatch(r"[0-9.eEdD+-]+", token))
    token = token.lower().replace("d", "e")
    if "." in token and "e" not in token:
        token = re.sub(r"(?<=[0-9.])([+-][0-9]{3})$", r"e\1", token)
    try:
        value = float(token)
    except ValueError:
        raise BadTextError from None
    check(math.isfinite(value))
    return value


def whole(token: str) -> int:
    value = real(token)
    check(value == int(value))
    return int(value)


def rows(text: bytes) -> list[list[str]]:
    """Tokens of all lines that are not blank, after the first line."""
    lines = [[t.decode("latin-1") for t in line.split()] for line in text.split(b"\n")[1:]]
    return [line for line in lines if line]


def unmerged(tokens: list[str], ints: int, reals: int) -> list[str]:
    """Separate integers that run into each other at a minus sign."""
    if len(tokens) >= ints + reals:
        return tokens
    cut = len(tokens) - reals
    check(cut > 0)
    return re.findall(r"-?[^-\s]+", " ".join(tokens[:cut])) + tokens[cut:]


def numbers(tokens: list[str], ints: int, reals: int) -> list:
    tokens = unmerged(tokens, ints, reals)
    check(len(tokens) == ints + reals)
    return [whole(t) for t in tokens[:ints]] + [real(t) for t in tokens[ints:]]


def take(lines: list[list[str]]) -> list[str]:
    check(lines)
    return lines.pop(0)


def degeneracies(lines: list[list[str]], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found += [whole(t) for t in take(lines)]
    check(len(found) == count)
    return found


@functools.lru_cache(maxsize=4)
def reference_tb(text: bytes) -> SimpleNamespace:
    lines = rows(text)
    lattice = np.array([numbers(take(lines), 0, 3) for _ in range(3)])
    n, n_R = (numbers(take(lines), 1, 0)[0] for _ in range(2))
    check(0 < n < 50 and 0 < n_R < 1000)
    ndegen = degeneracies(lines, n_R)
    found = []
    for reals in (2, 6):
        X: dict[tuple[int, ...], np.ndarray] = {}
        for _ in range(n_R):
            R = tuple(numbers(take(lines), 3, 0))
            check(R not in X)
            X[R] = np.zeros((n, n, reals // 2), dtype=complex)
            for _ in range(n * n):
                m, j, *parts = numbers(take(lines), 2, reals)
                check(1 <= m <= n and 1 <= j <= n)
                X[R][m - 1, j - 1] = [complex(*parts[i : i + 2]) for i in range(0, reals, 2)]
        found.append(X)
    check(not lines and list(found[0]) == list(found[1]))
    return SimpleNamespace(lattice=lattice, n=n, ndegen=dict(zip(found[0], ndegen, strict=True)), H=found[0], r=found[1])


@functools.lru_cache(maxsize=4)
def reference_hr(text: bytes) -> SimpleNamespace:
    lines = rows(text)
    n, n_R = (numbers(take(lines), 1, 0)[0] for _ in range(2))
    check(0 < n < 50 and 0 < n_R < 1000)
    ndegen = degeneracies(lines, n_R)
    H: dict[tuple[int, ...], np.ndarray] = {}
    seen = set()
    check(len(lines) == n_R * n * n)
    for line in lines:
        *R, m, j, x, y = numbers(line, 5, 2)
        check(1 <= m <= n and 1 <= j <= n and (*R, m, j) not in seen)
        seen.add((*R, m, j))
        H.setdefault(tuple(R), np.zeros((n, n, 1), dtype=complex))[m - 1, j - 1, 0] = complex(x, y)
    check(len(H) == n_R)
    return SimpleNamespace(lattice=None, n=n, ndegen=dict(zip(H, ndegen, strict=True)), H=H, r=None)


@functools.lru_cache(maxsize=4)
def reference_wsvec(text: bytes) -> dict[tuple[int, ...], list[list[int]]] | None:
    header = text.split(b"\n")[0].lower().replace(b" ", b"")
    used = b"use_ws_distance=.true." in header
    check(used or b"use_ws_distance=.false." in header)
    lines = rows(text)
    table = {}
    while lines:
        key = tuple(numbers(take(lines), 5, 0))
        check(key not in table)
        count = numbers(take(lines), 1, 0)[0]
        check(0 < count < 1000)
        table[key] = [numbers(take(lines), 3, 0) for _ in range(count)]
    return table if used else None


@functools.lru_cache(maxsize=4)
def reference_centres(text: bytes) -> np.ndarray:
    lines = [line.decode("latin-1").split() for line in text.splitlines()]
    check(len(lines) > 2 and len(lines[0]) == 1)
    body = [line for line in lines[2:] if line]
    for line in body:
        check(len(line) == 4)
    centres = sum(line[0] == "X" for line in body)
    check(whole(lines[0][0]) in (len(body), centres))  # Wannier90 2.0 did not count the atoms
    return np.array([[real(t) for t in line[1:]] for line in body if line[0] == "X"])


@functools.lru_cache(maxsize=4)
def reference_win(text: bytes) -> SimpleNamespace:
    keywords: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    inside = ""
    for raw in text.decode("utf-8", "replace").split("\n"):
        line = re.sub("[!#].*", "", raw, flags=re.DOTALL).strip()
        if not line:
            continue
        name, value = ([*re.split(r"\s*[=:]\s*|\s+", line, maxsplit=1), ""])[:2]
        if name.lower() == "begin":
            check(not inside)
            inside = value.lower()
            blocks.setdefault(inside, [])
        elif name.lower() == "end":
            check(value.lower() == inside)
            inside = ""
        elif inside:
            blocks[inside].append(line)
        else:
            keywords[name.lower()] = value
    check(not inside)
    cell = blocks.get("unit_cell_cart")
    lattice = None if cell is None else np.array([[real(t) for t in line.replace(",", " ").split()] for line in cell])
    atoms = [line.replace(",", " ").split() for line in blocks.get("atoms_frac", [])]
    labels = [re.match("[A-Za-z]*", atom[0]).group().capitalize() for atom in atoms]
    elements = [label[:2] if label[:2] in atomic_numbers else label[:1] for label in labels]
    check(all(element in atomic_numbers for element in elements))
    truth = {"f": False, ".": None, "t": True}
    return SimpleNamespace(
        lattice=lattice,
        numbers=tuple(int(atomic_numbers[element]) for element in elements),
        positions=[[real(t) for t in atom[1:]] for atom in atoms],
        spinors=truth[keywords.get("spinors", "false").lower().strip(".")[0]],
        mesh=[whole(t) for t in keywords["mp_grid"].replace(",", " ").split()] if "mp_grid" in keywords else None,
        moved=truth[keywords.get("translate_home_cell", "false").lower().strip(".")[0]],
    )


def reference_model(files: dict[str, bytes]) -> SimpleNamespace:
    """R -> (H, r) as dictionaries, by the sum over R and T element by element."""
    data = reference_tb(files["tb"]) if "tb" in files else reference_hr(files["hr"])
    win = reference_win(files["win"])
    centres = None if win.moved else reference_centres(files["centres"])
    table = reference_wsvec(files["wsvec"])
    lattice = win.lattice if data.lattice is None else data.lattice
    position = data.r
    points = round(sum(1 / d for d in data.ndegen.values()))
    if position is not None and centres is not None and win.mesh and points == math.prod(win.mesh):
        R, ndegen, r = (np.array(list(x)) for x in (data.H, data.ndegen.values(), position.values()))
        r = without_jumps(r, R, ndegen, lattice, tuple(win.mesh), centres)
        position = dict(zip(data.H, r, strict=True))
    out: dict[tuple[int, ...], np.ndarray] = {}
    keys = set()
    for R in data.H:
        minus = tuple(-x for x in R)
        check(minus in data.H)
        parts = [data.H] if position is None else [data.H, position]
        X = np.concatenate([(x[R] + x[minus].conj().swapaxes(0, 1)) / 2 for x in parts], axis=2)
        for m in range(data.n):
            for j in range(data.n):
                key = (*R, m + 1, j + 1)
                check(table is None or key in table)
                keys.add(key)
                T = [[0, 0, 0]] if table is None else table[key]
                for t in T:
                    place = tuple(a + b for a, b in zip(R, t, strict=True))
                    matrix = out.setdefault(place, np.zeros(X.shape, dtype=complex))
                    matrix[m, j] += X[m, j] / (data.ndegen[R] * len(T))
    check(table is None or len(table) == len(keys))
    return SimpleNamespace(lattice=lattice, X=out, centres=None if data.r is not None else centres, win=win)


# --- what is done to them ---------------------------------------------------------------------------------------------

TOKENS = [
    "0", "1", "-1", "2", "3", "7", "99", "-0", "+5", "1.5", "0.25", "1.0D-05", "0.12345678-100", "-10-10", "NaN", "inf",
    "-Infinity", "************", "1e400", "1e-400", "0x10", "1_0", "abc", "99999999999999999999", "\uff11", "", "1,5",
    ".", "-", "1.e0", "true", "X", "end", "begin",
]  # fmt: skip
CHARACTERS = "0123456789 .-+eEdDnXx*_,\n\t\r#!=:\0\x0b\x1c\u00e9"


@st.composite
def damaged(draw: st.DrawFn, text: bytes) -> bytes:
    """One to three changes; half of them among the first lines, where the counts are."""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        text = draw(one_change(text))
    return text


@st.composite
def one_change(draw: st.DrawFn, text: bytes) -> bytes:
    lines = text.split(b"\n")

    def some_line() -> int:
        last = len(lines) - 1
        return draw(st.one_of(st.integers(0, min(12, last)), st.integers(0, last), st.integers(max(0, last - 3), last)))

    kind = draw(st.sampled_from(["delete", "duplicate", "swap", "cut", "character", "token", "drop", "junk", "digit", "move"]))
    i = some_line()
    if kind == "delete":
        del lines[i]
    elif kind == "duplicate":
        lines.insert(i, lines[i])
    elif kind == "swap":
        j = draw(st.sampled_from([min(i + 1, len(lines) - 1), some_line()]))
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == "move":
        lines.insert(some_line(), lines.pop(i))
    elif kind == "cut":
        return text[: draw(st.one_of(st.integers(0, len(text)), st.integers(max(0, len(text) - 200), len(text))))]
    elif kind == "junk":
        lines.insert(i, draw(st.sampled_from([b"", b"   ", b"junk", b"1", b"1 2 3", b"\xff\xfe\x00", b"0 0 0 1 1 0.0 0.0"])))
    elif kind == "character" and lines[i]:
        j = draw(st.integers(0, len(lines[i]) - 1))
        lines[i] = lines[i][:j] + draw(st.sampled_from(CHARACTERS)).encode() + lines[i][j + 1 :]
    else:
        spans = [m.span() for m in re.finditer(rb"\S+", lines[i])]
        if spans:
            a, b = draw(st.sampled_from(spans))
            if kind == "digit":
                digit = draw(st.sampled_from("0123456789")).encode()
                new = re.sub(rb"[0-9]", digit, lines[i][a:b], count=draw(st.integers(1, 3)))
            else:
                new = b"" if kind == "drop" else draw(st.sampled_from(TOKENS)).encode()
            lines[i] = lines[i][:a] + new + lines[i][b:]
    return b"\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place for the files of one example after another."""
    return tmp_path_factory.mktemp("damage")


def judge(folder: Path, files: dict[str, bytes]) -> str:
    """Load the files, and compare with the reference if they load."""
    for kind in ENDINGS:
        path = folder / f"hBN{ENDINGS[kind]}"
        path.unlink(missing_ok=True)
        if kind in files:
            path.write_bytes(files[kind])
    said = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", AccuracyWarning)
            model = wannier90.load(folder / "hBN")
    except OMEError as error:
        said = str(error)
    if said:
        assert "hBN" in said
        return "error"
    expected = reference_model(files)
    assert model.lattice == pytest.approx(expected.lattice, rel=1e-14)
    found = {tuple(R): i for i, R in enumerate(model.R.tolist())}
    assert set(found) == set(expected.X)
    for R, X in expected.X.items():
        assert np.abs(model.hamiltonian[found[R]] - X[..., 0]).max() < 1e-12 * (1 + np.abs(X).max())
        if model.position is not None:
            assert np.abs(model.position[found[R]] - X[..., 1:]).max() < 1e-12 * (1 + np.abs(X).max())
    if expected.centres is not None:
        assert np.array_equal(model.centres, expected.centres)
    assert model.spin_degeneracy == (1 if expected.win.spinors else 2)
    assert (model.structure.numbers if model.structure else ()) == expected.win.numbers
    assert np.array_equal(model.structure.positions if model.structure else [], expected.win.positions)
    return "model"


def with_tb(**files: bytes) -> dict[str, bytes]:
    return {kind: text for kind, text in INTACT.items() if kind != "hr"} | files


def with_hr(**files: bytes) -> dict[str, bytes]:
    return {kind: text for kind, text in INTACT.items() if kind != "tb"} | files


def many(examples: int):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


def test_intact_files_agree_with_the_reference(folder):
    assert judge(folder, with_tb()) == judge(folder, with_hr()) == "model"


@many(500)
@given(text=damaged(INTACT["tb"]))
def test_damaged_tb(folder, text):
    judge(folder, with_tb(tb=text))


@many(450)
@given(text=damaged(INTACT["hr"]))
def test_damaged_hr(folder, text):
    judge(folder, with_hr(hr=text))


@many(350)
@given(text=damaged(INTACT["wsvec"]))
def test_damaged_wsvec(folder, text):
    judge(folder, with_tb(wsvec=text))


@many(150)
@given(text=damaged(INTACT["centres"]))
@pytest.mark.parametrize("files", [with_tb, with_hr])
def test_damaged_centres(folder, files, text):
    judge(folder, files(centres=text))


@many(220)
@given(text=damaged(INTACT["win"]))
@pytest.mark.parametrize("files", [with_tb, with_hr])
def test_damaged_win(folder, files, text):
    judge(folder, files(win=text))
