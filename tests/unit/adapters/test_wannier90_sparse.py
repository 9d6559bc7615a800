"""Damage to WannierTools' sparse variant of `_hr.dat`: an error with file and line, or what the text says.

As in test_wannier90_damage.py, what the text says is decided by a reader of its own.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from test_wannier90_damage import BadTextError, check, damaged, many, numbers, reference_hr, rows, take
from toys import random_model

import ome_wannier as ome
from ome_wannier.adapters.wannier90 import loader as wannier90
from ome_wannier.adapters.wannier90.write import write
from ome_wannier.errors import AccuracyWarning, FileFormatError, OMEError
from ome_wannier.models.real_space_checks import HERMITICITY_TOLERANCE

N = 3
MODEL = random_model(2, 2, N, hopping=1.0)


def sparse_text(model) -> bytes:
    """As WannierTools writes it: the elements that are not zero, and the first of R = 0 in any case."""
    kept = model.hamiltonian != 0
    kept[~model.R.any(axis=1), 0, 0] = True
    where = np.argwhere(kept)
    rows = [(*model.R[r], m + 1, n + 1, model.hamiltonian[r, m, n]) for r, m, n in where.tolist()]
    lines = [" comment", len(rows), N, len(model.R)]
    lines += [f"{a:5d}{b:5d}{c:5d}{m:5d}{n:5d} {x.real:.16e} {x.imag:.16e}" for a, b, c, m, n, x in rows]
    return "\n".join(map(str, lines)).encode() + b"\n"


def with_gaps():
    """MODEL with one pair of R vectors that has a single element each."""
    H = np.array(MODEL.hamiltonian)
    far = int(np.flatnonzero(MODEL.R.any(axis=1))[0])
    partner = int(np.flatnonzero((MODEL.R + MODEL.R[far] == 0).all(axis=1))[0])
    H[[far, partner]] = 0
    H[far, 0, 1], H[partner, 1, 0] = 0.25j, -0.25j
    return tuple(MODEL.R[far].tolist()), ome.TightBinding(MODEL.lattice, MODEL.R, H, centres=MODEL.wannier_centres)


FAR, GAPPED = with_gaps()
INTACT = sparse_text(GAPPED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("sparse")
    write(GAPPED, place / "x_hr.dat", "sparse")  # for the companions
    return place


def reference(text: bytes) -> dict[tuple[int, ...], np.ndarray]:
    """R -> H; of a text that is damaged into the dense layout, that."""
    try:
        return reference_sparse(text)
    except BadTextError:
        found = reference_hr(text)
        return {R: X[..., 0] / found.ndegen[R] for R, X in found.H.items()}


def reference_sparse(text: bytes) -> dict[tuple[int, ...], np.ndarray]:
    lines = rows(text)
    elements, n, n_R = (numbers(take(lines), 1, 0)[0] for _ in range(3))
    check(0 < n < 50 and len(lines) == elements)
    H: dict[tuple[int, ...], np.ndarray] = {}
    seen = set()
    for line in lines:
        *R, m, j, x, y = numbers(line, 5, 2)
        check(1 <= m <= n and 1 <= j <= n and (*R, m, j) not in seen)
        seen.add((*R, m, j))
        H.setdefault(tuple(R), np.zeros((n, n), dtype=complex))[m - 1, j - 1] = complex(x, y)
    check(len(H) == n_R)
    return H


def load(folder, text: bytes) -> ome.TightBinding:
    (folder / "x_hr.dat").write_bytes(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", AccuracyWarning)
        return wannier90.load(folder / "x_hr.dat")


def judge(folder, text: bytes) -> str:
    said = ""
    try:
        model = load(folder, text)
    except OMEError as error:
        said = str(error)
    if said:
        assert "x_hr.dat" in said
        return "error"
    expected = reference(text)
    assert {tuple(R) for R in model.R.tolist()} == set(expected)
    for R, found in zip(model.R.tolist(), model.hamiltonian, strict=True):
        minus = expected[tuple(-x for x in R)].conj().T
        assert np.abs(expected[tuple(R)] - minus).max() <= HERMITICITY_TOLERANCE
        assert np.abs(found - (expected[tuple(R)] + minus) / 2).max() < 1e-12 * (1 + np.abs(found).max())
    return "model"


def changed(number: int, new: bytes | None) -> bytes:
    """The text with one line (from 1) replaced, or taken out."""
    lines = INTACT.split(b"\n")
    lines[number - 1 : number] = [] if new is None else [new]
    return b"\n".join(lines)


def line_of(R: tuple[int, ...], m: int, n: int) -> int:
    lines = INTACT.split(b"\n")
    return next(i for i, line in enumerate(lines, 1) if line.split()[:5] == [b"%d" % x for x in (*R, m, n)])


def test_intact(folder):
    assert judge(folder, INTACT) == "model"
    assert np.array_equal(load(folder, INTACT).hamiltonian, GAPPED.hamiltonian[np.lexsort(GAPPED.R.T[::-1])])


@many(400)
@given(text=damaged(INTACT))
def test_damaged(folder, text):
    judge(folder, text)


ELEMENTS = len(INTACT.split(b"\n")) - 5
LAST = ELEMENTS + 4


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (INTACT[:-200], None, "R1 R2 R3 m n Re H Im H"),
        (changed(LAST, None), None, "line"),
        (changed(2, b"%d" % (ELEMENTS - 1)), LAST, "end of"),
        (changed(2, b"%d" % (ELEMENTS + 1)), None, "line"),
        (changed(3, b"2"), None, "m and n from 1 to 2"),
        (changed(4, b"%d" % (len(MODEL.R) + 1)), 4, "R vectors"),
        (changed(4, b"%d" % (len(MODEL.R) - 1)), 4, "R vectors"),
        (changed(9, INTACT.split(b"\n")[7]), 9, "not stood before"),
    ],
    ids=["truncated", "line lost", "count low", "count high", "orbitals low", "R high", "R low", "twice"],
)
def test_counts(folder, text, line, said):
    with pytest.raises(FileFormatError, match=said) as error:
        load(folder, text)
    assert line is None or error.value.line == line


def test_missing_partner(folder):
    place = line_of(tuple(-x for x in FAR), 2, 1)
    text = changed(place, None).replace(b"\n%d\n%d\n" % (ELEMENTS, N), b"\n%d\n%d\n" % (ELEMENTS - 1, N), 1)
    text = text.replace(b"\n%d\n" % len(MODEL.R), b"\n%d\n" % (len(MODEL.R) - 1), 1)
    with pytest.raises(FileFormatError, match=r"a partner -R = .* of R = ") as error:
        load(folder, text)
    assert ", ".join(map(str, FAR)) in str(error.value)


def test_not_hermitian(folder):
    place = line_of(FAR, 1, 2)
    head = INTACT.split(b"\n")[place - 1].split()[:5]
    with pytest.raises(FileFormatError, match=r"a difference of 0\.5 eV at R = "):
        load(folder, changed(place, b" ".join([*head, b"0.0 -0.25"])))


def test_merged_columns(folder):
    """Integers that fill their five columns run into each other at a minus sign; what cannot be told apart is refused."""
    place = next(i for i, line in enumerate(INTACT.split(b"\n"), 1) if i > 4 and line.split()[1].startswith(b"-"))
    tokens = INTACT.split(b"\n")[place - 1].split()
    merged = changed(place, tokens[0] + tokens[1] + b" " + b" ".join(tokens[2:]))
    assert load(folder, merged).sha256 == load(folder, INTACT).sha256
    together = changed(place, b" ".join([*tokens[:3], tokens[3] + tokens[4], *tokens[5:]]))
    with pytest.raises(FileFormatError) as error:
        load(folder, together)
    assert error.value.line == place
