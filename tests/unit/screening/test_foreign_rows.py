"""Rows that somebody else has written, or damaged, are named and left out; the others stay what they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import ase
import ase.db
import pytest

from ome_wannier import screening
from ome_wannier.errors import AccuracyWarning, StoreError

GOOD = {"key": "k-good", "status": "done", "name": "good", "total_max": 2.0}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "s.db"
    other = {"key": "k-other", "status": "done", "name": "other", "total_max": 1.0}
    store = ase.db.connect(path, use_lock_file=False)  # type: ignore[no-untyped-call]
    for pairs in (other, GOOD):
        store.write(ase.Atoms(), key_value_pairs=pairs)
    return path


@pytest.mark.parametrize(
    "change",
    [
        "key_value_pairs = '{'",
        "key_value_pairs = '[1'",
        "numbers = 'x'",
        "positions = 7",
        "cell = 'abc'",
    ],
)
def test_a_row_that_cannot_be_read(db: Path, change: str) -> None:
    with sqlite3.connect(db) as connection:
        connection.execute(f"update systems set {change} where id = 1")
    with pytest.warns(AccuracyWarning, match="row 1 cannot be read and is left out"):
        ranked = screening.rank(db)
    assert ranked[["name", "total_max"]].to_numpy().tolist() == [["good", 2.0]]


@pytest.mark.parametrize("value", ['"<script>"', "[1, 2]", '{"a": 1}'])
def test_a_number_that_is_none(db: Path, value: str) -> None:
    pairs = f'{{"key": "k-other", "status": "done", "name": "other", "total_max": {value}}}'
    with sqlite3.connect(db) as connection:
        connection.execute("update systems set key_value_pairs = ? where id = 1", (pairs,))
    with pytest.warns(AccuracyWarning, match="other: total_max is .*, which is left out"):
        table = screening.frame(db)
    assert sorted(table["name"]) == ["good", "other"]
    assert table.set_index("name")["total_max"].dropna().to_dict() == {"good": 2.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: b"", "an empty file is no database"),
        (lambda data: b"x" * len(data), "this file is no database"),
        (lambda data: data[:-1000], "the database is damaged"),
        (lambda data: data[:-4096], "the database is damaged"),
        (lambda data: data[:50000] + b"xxx" + data[50000:], "the database is damaged"),
    ],
)
def test_a_database_of_another_length(db: Path, change: Callable[[bytes], bytes], said: str) -> None:
    db.write_bytes(change(db.read_bytes()))
    with pytest.raises(StoreError, match=said):
        screening.frame(db)
