"""What the tests of screening share: small models from a user's file, lists of them, an executor that does it at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ome_wannier.screening.store import Store

#: a user's file: models without any symmetry, some of which are damaged
MODELS = '''
import os

import numpy as np

import ome_wannier as ome


def lattice(seed=0, n=2):
    """Random layer of n bands, occupied up to 0 eV or so."""
    rng = np.random.default_rng(seed)
    R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
    X = rng.normal(size=(3, n, n)) + 1j * rng.normal(size=(3, n, n))
    H = [np.diag(np.linspace(-2, 2, n)) + 0.1 * (X[0] + X[0].conj().T)]
    H += [0.2 * M for x in X[1:] for M in (x, x.conj().T)]
    centres = np.c_[rng.uniform(0, 3, (n, 2)), np.zeros(n)]
    return ome.TightBinding(np.diag([3.0, 3.5, 20.0]), R, np.array(H), centres=centres, name=f"random {seed}")


def damaged(seed=0, n=2):
    """Three kinds of damage: no Hermitian matrix, an exception of the user's, something that is no model."""
    if seed % 3 == 0:
        return ome.TightBinding(np.eye(3), [(1, 0, 0)], np.ones((1, 1, 1)), centres=np.zeros((1, 3)))
    if seed % 3 == 1:
        raise ZeroDivisionError("of the\\nuser")
    return "nothing/of/the/kind"


def deadly(seed=0):
    """Takes the worker along."""
    os._exit(9)
'''
HEAD = 'kmesh = [6, 6, 1]\nfermi = 0.0\naround = "-0.5:0.5:3"\n'


class Here(Executor):
    """Does what it is given at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def write_list(folder: Path, *tables: str, head: str = HEAD) -> Path:
    """A list of these tables in a folder, beside the user's file."""
    (folder / "models.py").write_text(MODELS, encoding="utf-8")
    path = folder / "list.toml"
    path.write_text(head + "".join(f"\n[[model]]\n{table}\n" for table in tables), encoding="utf-8")
    return path


def table(function: str, seeds: list[int], n: int | list[int] = 2) -> str:
    return f'python = "models.py:{function}"\nparameters = {{seed = {seeds}, n = {n}}}'


def numbers(db: str | Path) -> dict[str, dict[str, Any]]:
    """What a database holds by name, without what differs from run to run: pairs, and arrays as bytes."""
    store = Store(db)
    found = {}
    for row in store.rows():
        data = store.data(row["key"])
        arrays = {k: np.asarray(v).tobytes() for k, v in data.items() if k.startswith("ome_") and not isinstance(v, str | dict)}
        pairs = {k: v for k, v in row.items() if k not in ("seconds", "owner", "beat", "claim")}
        assert row["name"] not in found, "a material is there twice"
        found[row["name"]] = pairs | arrays
    return found


def whole(db: str | Path) -> str:
    """What SQLite says of a database file."""
    with closing(sqlite3.connect(db)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
