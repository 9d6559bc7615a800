"""The database: who claims what, what a death at any moment leaves, and what is refused."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from screens import whole

from ome_wannier.errors import StoreError
from ome_wannier.screening.store import DONE, FAILED, PATIENCE, Owner, Store

ME = Owner.this()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "s.db")
    made.prepare("title", {"gap": ("gap", "band gap", "eV")})
    return made


def dead() -> Owner:
    """A process of this machine that has ended."""
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    return Owner(socket.gethostname(), pid, "t1")


def test_a_row_is_claimed_once_and_finished(store: Store) -> None:
    assert store.claim("k-a", "source", {"name": "a"}, ME, False).state == "claimed"
    assert store.claim("k-a", "source", {}, Owner("elsewhere", 1, ""), False).state == "busy"
    assert store.claim("k-a", "another", {}, ME, False).state == "there"  # one model twice in a list
    assert store.claim("k-a", "source", {}, ME, False).state == "claimed"  # the same again, after its worker died
    store.finish("k-a", DONE, None, {"name": "a", "gap": 1.5}, {"tensor": np.eye(3)})
    assert store.claim("k-a", "source", {}, ME, True).state == "there"
    (row,) = store.rows()
    assert (row["gap"], row["status"]) == (1.5, DONE)
    assert "owner" not in row
    assert np.array_equal(store.data("k-a")["tensor"], np.eye(3))
    assert store.data("k-b") == {}


def test_failures_are_taken_only_when_asked(store: Store) -> None:
    store.finish("k-a", FAILED, None, {"reason": "why"}, {})
    assert store.claim("k-a", "source", {}, ME, False).state == "failed"
    assert store.claim("k-a", "source", {}, ME, True).state == "claimed"
    store.finish("k-a", DONE, None, {"name": "a"}, {})
    assert [r.get("reason") for r in store.rows()] == [None]


def test_a_result_takes_the_place_of_the_failure_that_it_makes_up_for(store: Store) -> None:
    store.finish("source-a", FAILED, None, {"reason": "no file"}, {})
    store.finish("source-b", FAILED, None, {"reason": "no file"}, {})
    store.finish("k-a", DONE, None, {"supersedes": "source-a"}, {})
    assert sorted(r["key"] for r in store.rows()) == ["k-a", "source-b"]


def test_claims_of_the_dead_are_taken_over(store: Store) -> None:
    assert store.claim("k-a", "s", {}, dead(), False).state == "claimed"
    assert store.claim("k-a", "s", {}, ME, False).state == "claimed"


def test_a_reused_process_number_is_not_taken_for_the_owner(store: Store) -> None:
    store.claim("k-a", "s", {}, Owner(ME.host, ME.pid, "t1"), False)
    assert store.claim("k-a", "t", {}, ME, False).state == "claimed"


def test_claims_of_other_machines_live_as_long_as_they_give_signs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Owner("elsewhere", 1, "t1")
    store.claim("k-a", "s", {}, elsewhere, False)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + PATIENCE / 2)
    assert store.claim("k-a", "s", {}, ME, False).state == "busy"
    store.beat(elsewhere)
    monkeypatch.setattr(time, "time", lambda: now + 1.2 * PATIENCE)
    assert store.claim("k-a", "s", {}, ME, False).state == "busy"
    monkeypatch.setattr(time, "time", lambda: now + 1.8 * PATIENCE)
    assert store.claim("k-a", "s", {}, ME, False).state == "claimed"


def test_what_is_given_up_is_free(store: Store) -> None:
    store.claim("k-a", "s", {}, ME, False)
    store.claim("k-b", "s", {}, Owner("elsewhere", 1, ""), False)
    store.release(ME)
    assert [r["key"] for r in store.rows()] == ["k-b"]


def test_many_claim_at_once_and_each_row_is_claimed_once(tmp_path: Path) -> None:
    """Eight connections, made at the same moment on a file that is not there yet."""
    won: list[str] = []
    start = threading.Barrier(8)

    def claimant(number: int) -> None:
        mine = Store(tmp_path / "s.db")
        start.wait()
        mine.prepare("t", {})
        for i in range(5):
            if mine.claim(f"k-{i}x", "s", {}, Owner("elsewhere", number, ""), False).state == "claimed":
                won.append(f"k-{i}x")

    threads = [threading.Thread(target=claimant, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(won) == [f"k-{i}x" for i in range(5)]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_death_in_the_middle_of_writing_leaves_nothing_of_it(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, sys
        import numpy as np
        from ome_wannier.screening.store import DONE, Store
        store = Store(sys.argv[1])
        store.prepare("t", {})
        store.finish("k-a", DONE, None, {"name": "a"}, {"x": np.zeros(1000)})
        with store._transaction():
            store._db.write(__import__("ase").Atoms("H"), {"key": "k-b"}, {"x": np.zeros(100000)})
            store._db.connection.execute("PRAGMA cache_spill")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "s.db"
    (tmp_path / "s.db.lock").touch()  # one that ASE's own lock would wait for without end
    assert run(code, str(path)).returncode == -signal.SIGKILL
    assert whole(path) == "ok"
    store = Store(path)
    assert [r["key"] for r in store.rows()] == ["k-a"]
    assert store.claim("k-b", "s", {}, ME, False).state == "claimed"


def test_a_full_disk_is_one_line_and_loses_nothing_that_was_there(tmp_path: Path) -> None:
    code = """if True:
        import resource, signal, sys
        import numpy as np
        from ome_wannier.errors import StoreError
        from ome_wannier.screening.store import DONE, Store
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = Store(sys.argv[1])
        store.prepare("t", {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        try:
            for i in range(100):
                store.finish(f"k-{i}x", DONE, None, {"number": i}, {"x": np.zeros(5000)})
                print(i, flush=True)
        except StoreError as error:
            print(error)
    """
    done = run(code, str(tmp_path / "s.db"))
    assert done.returncode == 0, done.stderr
    *written, said = done.stdout.splitlines()
    assert "the database cannot be used" in said
    assert 2 <= len(written) < 100
    assert whole(tmp_path / "s.db") == "ok"
    assert sorted(r["number"] for r in Store(tmp_path / "s.db").rows()) == sorted(map(int, written))


def test_hostile_texts_come_back_as_they_are(store: Store) -> None:
    name = "'; DROP TABLE systems; -- <script>alert(1)</script> ../../\N{SNOWMAN} %s ?"
    store.finish("k-a", DONE, None, {"name": name}, {"text": name})
    assert store.rows()[0]["name"] == name
    assert store.data("k-a")["text"] == name


@pytest.mark.parametrize("name", ["s.txt", "s", "json"])
def test_other_kinds_of_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"ends in \.db"):
        Store(tmp_path / name)


def test_what_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_text("my notes\n" * 100)
    for act in (lambda: Store(path).rows(), lambda: Store(path).prepare("t", {})):
        with pytest.raises(StoreError, match="not a database"):
            act()
    assert path.read_text().startswith("my notes")
    with pytest.raises(StoreError, match="no such database"):
        Store(tmp_path / "none.db").rows()
    with pytest.raises(StoreError, match="no folder"):
        Store(tmp_path / "none" / "s.db").prepare("t", {})
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreError, match="folder"):
        Store(_made(tmp_path / "folder.db"))


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def test_reading_makes_no_tables(tmp_path: Path) -> None:
    """A screening that has just begun: the file is there, its tables are not."""
    path = tmp_path / "s.db"
    path.touch()
    assert Store(path).rows() == []
    assert Store(path).data("k-a") == {}
    assert path.stat().st_size == 0


def test_columns_are_described_where_ase_looks_for_it(store: Store) -> None:
    from ase.db import connect

    with connect(store.address) as database:  # else ASE leaves connections open
        assert database.metadata["key_descriptions"]["gap"] == ["gap", "band gap", "eV"]
    Store(store.address).prepare("other title", {"fermi": ("fermi", "Fermi level", "eV")})
    with connect(store.address) as database:
        described = database.metadata
    assert set(described["key_descriptions"]) == {"gap", "fermi"}
    assert described["title"] == "title"


def test_no_row_costs_a_look_at_all_others(store: Store) -> None:
    """SQLite's plan of every statement of a claim and its end: what is looked for is found through an index."""
    said: list[str] = []
    connect = sqlite3.connect

    def tracing(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)  # type: ignore[call-overload]
        connection.set_trace_callback(said.append)
        return connection  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", tracing)
        store.claim("k-a", "source", {"name": "a"}, ME, False)
        store.finish("k-a", DONE, None, {"name": "a", "gap": 1.5, "supersedes": "source-a"}, {})
    looked = [text for text in said if "text_key_values" in text and text.startswith(("SELECT", "DELETE"))]
    assert len(looked) > 3
    with closing(connect(store.address)) as connection:
        for text in looked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN")], (text, plan)


def test_this_process_is_alive_and_its_name_reads_back() -> None:
    assert ME.alive(0.0)
    assert Owner.read(str(ME)) == ME
    assert Owner.read("a:b:c:5:") == Owner("a:b:c", 5, "")
    assert not dead().alive(time.time())
    assert ME.pid == os.getpid()
