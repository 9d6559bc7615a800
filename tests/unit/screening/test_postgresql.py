"""The store on a real PostgreSQL server, started for the test on loopback, by an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ase import Atoms
from screens import Here, numbers, table, write_list

from ome_wannier import screening
from ome_wannier.errors import StoreError
from ome_wannier.screening.run import Counts
from ome_wannier.screening.store import DONE, Owner, Store

pytestmark = [pytest.mark.long, pytest.mark.outside]


def binaries() -> Path | None:
    """Where the server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


def server_user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid():
        return None
    known = {p.pw_name for p in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh server, without the name of a database."""
    pytest.importorskip("ase_db_backends", reason="the extra postgresql is not installed")
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    folder = Path(f"/tmp/ome-postgresql-{os.getpid()}")
    folder.mkdir(mode=0o777)
    user = server_user()
    if user:
        shutil.chown(folder, user)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]

    def call(program: str, *arguments: str) -> None:
        prefix = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [*prefix, str(programs / program), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr

    data = str(folder / "data")
    call("initdb", "-D", data, "-U", "ome", "--auth=trust", "-E", "UTF8")
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://ome@127.0.0.1:{port}/"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def db(server: str) -> str:
    """The address of an empty database."""
    import psycopg2

    name = f"t{time.monotonic_ns()}"
    connection = psycopg2.connect(f"{server}postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"{server}{name}"


def test_the_same_rows_as_in_a_file(tmp_path: Path, db: str) -> None:
    path = write_list(tmp_path, table("lattice", [1, 2], [2, 3]), table("damaged", [0, 1, 2]), 'material = "tilted-dirac"')
    assert screening.screen(path, tmp_path / "s.db", executor=Here()) == Counts(done=5, failed=3)
    assert screening.screen(path, db, executor=Here()) == Counts(done=5, failed=3)
    assert numbers(db) == numbers(tmp_path / "s.db")
    assert screening.screen(path, db, executor=Here()) == Counts(there=5, failed=3)
    ranked = screening.rank(db, "max|total|", "orbitals == 3")
    assert list(ranked["name"]) == list(screening.rank(tmp_path / "s.db", "max|total|", "orbitals == 3")["name"])


def test_with_worker_processes(tmp_path: Path, db: str) -> None:
    path = write_list(tmp_path, table("lattice", [1, 2, 3]))
    assert screening.screen(path, db, workers=2) == Counts(done=3)


def test_many_claim_at_once_and_each_row_is_claimed_once(db: str) -> None:
    """Eight connections, made at the same moment on a database without tables."""
    won: list[str] = []
    start = threading.Barrier(8)

    def claimant(number: int) -> None:
        mine = Store(db)
        start.wait()
        mine.prepare("t", {})
        for i in range(5):
            claim = mine.claim(f"k-{i}x", "token", {"name": f"n{number}"}, Owner("elsewhere", number, ""), False)
            if claim.state == "claimed":
                won.append(f"k-{i}x")
                mine.finish(f"k-{i}x", DONE, None, {"name": f"n{number}"}, {})

    threads = [threading.Thread(target=claimant, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(won) == [f"k-{i}x" for i in range(5)]
    assert sorted(r["key"] for r in Store(db).rows()) == sorted(won)


def test_a_failure_in_a_transaction_leaves_nothing(db: str) -> None:
    store = Store(db)
    store.prepare("t", {})

    def interrupted() -> None:
        with store._transaction():
            store._db.write(Atoms("H"), {"key": "k-a"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert store.rows() == []
    assert store.claim("k-a", "token", {}, Owner.this(), False).state == "claimed"


def test_hostile_texts_come_back_as_they_are(db: str) -> None:
    name = "'; DROP TABLE systems; -- <script>alert(1)</script> ../../\N{SNOWMAN} %s ? $1"
    store = Store(db)
    store.prepare("t", {})
    store.finish("k-a", DONE, None, {"name": name}, {"text": name})
    assert store.rows()[0]["name"] == name
    assert store.data("k-a")["text"] == name


def test_no_server_is_one_line_without_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        Store("postgresql://user:secret@127.0.0.1:1/x").prepare("t", {})
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "refused" in str(caught.value)
