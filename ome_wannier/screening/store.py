"""An ASE database as a store that many processes fill: rows with a key, each claimed by one of them before it is computed.

SQLite files and PostgreSQL servers. Every change is one transaction that excludes other writers, so a process that dies at
any moment leaves rows that are whole. ASE's own lock file, which a killed process would leave behind, is not used.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..common.errors import StoreError, warn

#: seconds between two signs of life, and after how many without one a claim made on another machine is given up
BEAT, PATIENCE = 30.0, 600.0
#: states of a row: claimed by someone, computed, not computed because its elements vanish by symmetry, or failed
RUNNING, DONE, FORBIDDEN, FAILED = "running", "done", "forbidden", "failed"
#: number of the lock that all writers of a PostgreSQL database take in turn
_ADVISORY = 0x6F6D65
#: ASE's SQLite files have no index of what is looked up here for each row, the value of "key" and the number of a row: the
#: time per row would grow with the number of rows (8 ms, 25 ms at 3000)
_INDICES = (
    "value ON text_key_values (key, value)",
    "text_id ON text_key_values (id)",
    "number_id ON number_key_values (id)",
    "keys_id ON keys (id)",
    "species_id ON species (id)",
)

#: what a row that somebody else wrote, or damaged, may raise when it is read
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError)

State = Literal["claimed", "there", "failed", "busy"]


@dataclass(frozen=True)
class Owner:
    """A process: the machine, its number there, and when it was started (clock ticks since boot; "" where unknown)."""

    host: str
    pid: int
    start: str

    @classmethod
    def this(cls) -> Owner:
        """The process that runs."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def read(cls, text: str) -> Owner:
        """From what `str` makes of one."""
        host, pid, start = text.rsplit(":", 2)
        return cls(host, int(pid), start)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.start}"

    def alive(self, beat: float) -> bool:
        """Whether it still runs; of another machine, whether its last sign of life `beat` (s since the epoch) is recent."""
        if self.host != socket.gethostname():
            return time.time() - beat < PATIENCE
        return _started(self.pid) == self.start


def _started(pid: int) -> str | None:
    """When a process of this machine was started, "" where the system does not tell; None if it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # somebody else's
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return ""
    return None if state in "ZX" else f"t{rest[18]}"


@dataclass(frozen=True)
class Claim:
    """What came of asking for a row: its number if it is ours now, and its state otherwise."""

    state: State
    id: int | None = None


class Store:
    """Rows with a unique `key` in an ASE database.

    Parameters
    ----------
    address : path of a SQLite file (`.db`), made when first written to, or a PostgreSQL URL (`postgresql://...`).

    Raises
    ------
    StoreError : another kind of address, a missing package; later, a database that cannot be read or written.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self._server = self.address.startswith(("postgresql://", "postgres://"))
        if not self._server and not self.address.endswith(".db"):
            result = " (of a result: plot, report, or run --csv)" if self.address.endswith(".nc") else ""
            raise StoreError(f"{address}: give a file name that ends in .db, or postgresql://user@host/name{result}")
        if not self._server and Path(self.address).is_dir():
            raise StoreError(f"{address}: this is a folder")
        from ase.db import connect

        try:
            self._db: Any = connect(self.address, use_lock_file=False, serial=True)  # type: ignore[no-untyped-call]
        except ImportError as error:
            raise StoreError(f"PostgreSQL needs ase-db-backends: pip install 'ome_wannier[postgresql]' ({error})") from error

    @property
    def exists(self) -> bool:
        """Whether there is something to read."""
        return self._server or Path(self.address).is_file()

    def prepare(self, title: str, described: Mapping[str, tuple[str, str, str]]) -> None:
        """Make the tables, if there are none, and describe the keys: (short name, meaning, unit) of each.

        Raises
        ------
        StoreError : no folder of that name, no server, another kind of file.
        """
        folder = Path(self.address).absolute().parent
        if not self._server and not folder.is_dir():
            raise StoreError(f"{self.address}: there is no folder {folder}")
        with self._transaction():
            known = self._db.metadata  # makes the tables
            for index in () if self._server else _INDICES:
                self._db.connection.cursor().execute(f"CREATE INDEX IF NOT EXISTS ome_wannier_{index}")
        keys = {key: list(texts) for key, texts in described.items()}
        if known.get("key_descriptions", {}) | keys != known.get("key_descriptions"):
            with self._transaction():
                found = self._db.metadata
                keys = found.get("key_descriptions", {}) | keys
                self._db.metadata = {"title": title, **found, "key_descriptions": keys}

    def claim(self, key: str, token: str, pairs: Mapping[str, Any], owner: Owner, retry: bool) -> Claim:
        """Take the row of this key for the owner, unless it is computed or being computed.

        token : what of the owner's work it is for; the owner may claim it again for the same.
        pairs : of the row until it is finished. retry : whether failed rows are taken.
        """
        mine = {"key": key, "status": RUNNING, "owner": str(owner), "claim": token, "beat": time.time()}
        with self._transaction():
            row = self._find(key)
            if row is None:
                return Claim("claimed", self._db.write(_nothing(), {**pairs, **mine}))
            state = self._state(row, retry)
            if row.get("owner") == str(owner):  # for the same work again, after its worker died, or one model twice in a list
                state = "claimed" if row.get("claim") == token else "there"
            if state == "claimed":
                self._db.write(_nothing(), {**pairs, **mine}, id=row.id)
            return Claim(state, row.id if state == "claimed" else None)

    def _state(self, row: Any, retry: bool) -> State:
        """Of a row that is there; "claimed" if it may be taken."""
        status = row.get("status")
        if status == FAILED:
            return "claimed" if retry else "failed"
        if status != RUNNING:
            return "there"
        return "busy" if Owner.read(row.get("owner", "")).alive(row.get("beat", 0.0)) else "claimed"

    def finish(self, key: str, status: str, atoms: Any, pairs: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Write what came out, in place of the claim or of an earlier failure.

        `supersedes`, if among the pairs, is the key of a failed row that this one makes up for.
        """
        pairs = dict(pairs)
        old = pairs.pop("supersedes", None)
        with self._transaction():
            row = self._find(key)
            self._db.write(
                _nothing() if atoms is None else atoms,
                {**pairs, "key": key, "status": status},
                dict(data),
                id=None if row is None else row.id,
            )
            failed = None if old is None or old == key else self._find(old)
            if failed is not None and failed.get("status") == FAILED:
                self._db.delete([failed.id])

    def beat(self, owner: Owner) -> None:
        """A sign of life on all that the owner has claimed."""
        with self._transaction():
            for row in self._claimed(owner):
                self._db.update(row.id, beat=time.time())

    def release(self, owner: Owner) -> None:
        """Give up all that the owner has claimed."""
        with self._transaction():
            rows = [row.id for row in self._claimed(owner)]
            if rows:
                self._db.delete(rows)

    def claimed(self, owner: Owner, token: str) -> dict[str, Any]:
        """The pairs of what the owner has claimed for a token; empty if there is nothing."""
        with self._reading() as filled:
            found = [row for row in self._claimed(owner) if row.get("claim") == token] if filled else []
        return dict(found[0].key_value_pairs) if found else {}

    def _claimed(self, owner: Owner) -> list[Any]:
        return list(self._db.select([("status", "=", RUNNING), ("owner", "=", str(owner))], include_data=False))

    def rows(self) -> list[dict[str, Any]]:
        """The key-value pairs of all rows that have a key, with the chemical formula where atoms are known."""
        with self._reading() as filled:
            if not filled:
                return []
            try:
                found = [_pairs(row) for row in self._db.select("key", include_data=False)]
            except DAMAGE:
                found = list(self._one_by_one())
        return found

    def _one_by_one(self) -> Iterator[dict[str, Any]]:
        """The same, without rows of somebody else that cannot be read, each of which is named in a warning."""
        cursor = self._db.connection.cursor()
        cursor.execute("SELECT id FROM systems ORDER BY id")
        for (number,) in cursor.fetchall():
            try:
                yield from [_pairs(row) for row in self._db.select(f"id={number},key", include_data=False)]
            except DAMAGE as error:
                warn(f"{_without_password(self.address)}: row {number} cannot be read and is left out ({type(error).__name__})")

    def data(self, key: str) -> dict[str, Any]:
        """The tensors and scans of a row; empty if there is no such row."""
        with self._reading() as filled:
            rows = list(self._db.select([("key", "=", key)], limit=1)) if filled else []
        return dict(rows[0].data) if rows else {}

    def _find(self, key: str) -> Any:
        return next(iter(self._db.select([("key", "=", key)], limit=1, include_data=False)), None)

    @contextmanager
    def _reading(self) -> Iterator[bool]:
        """Whether there are tables: ASE would make them, while another process does."""
        if not self.exists:
            raise StoreError(f"{self.address}: there is no such database")
        db = self._db
        with self._said():
            # one connection for all that is asked, and closed: those that ASE opens for each question it leaves open
            db.connection, db.change_count = db._connect(), 0
            try:
                yield db.initialized or self._has_tables(db.connection.cursor())
            finally:
                db.connection.close()
                db.connection = None

    def _has_tables(self, cursor: Any) -> bool:
        server = "SELECT to_regclass('systems')"
        cursor.execute(server if self._server else "SELECT max(name) FROM sqlite_master WHERE name = 'information'")
        return cursor.fetchone()[0] is not None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, one writer at a time."""
        failure: BaseException | None = None
        with self._said(), self._db as db:
            try:
                if self._server:
                    db.connection.cursor().execute(f"SELECT pg_advisory_xact_lock({_ADVISORY})")
                else:
                    db.connection.execute("BEGIN IMMEDIATE")
                yield
            except BaseException as error:  # ase-db-backends' connections cannot roll back by themselves
                getattr(db.connection, "con", db.connection).rollback()
                failure = error
        if failure is not None:
            with self._said():
                raise failure

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Faults of the database in one line."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.address}: the database cannot be used: {error}") from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg2":
                raise
            raise StoreError(f"{_without_password(self.address)}: {' '.join(str(error).split())}") from error


def _pairs(row: Any) -> dict[str, Any]:
    """What a row says in one line of the table."""
    return {"formula": row.formula, **row.key_value_pairs}


def _nothing() -> Any:
    from ase import Atoms

    return Atoms()


def _without_password(address: str) -> str:
    """A PostgreSQL URL as it may be printed."""
    head, _, host = address.rpartition("@")
    return f"{head.split('//')[0]}//...@{host}" if head else address
