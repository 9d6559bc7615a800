"""Processes that help without being asked for: when, how many, in order, with the same bits, and whatever goes wrong."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from toys import TOYS

import ome_wannier as ome
from ome_wannier.common import executors, helpers
from ome_wannier.common.helpers import Ways, Worth, helped

ALWAYS = Worth(looked=-1.0, left=-1.0, left_there=-1.0, made=-1.0)


@pytest.fixture
def eager(monkeypatch):
    """Help pays at once, from a second core."""
    monkeypatch.setattr(helpers, "WORTH", ALWAYS)
    monkeypatch.setattr(helpers, "cores", lambda: 2)
    helpers.end()  # those of a test before
    yield
    helpers.end()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as found:
        yield found


def ways(pool):
    """Work for threads."""

    @contextmanager
    def send(pool):
        yield lambda item: pool.submit(work, 10, item)

    return Ways(lambda number: pool, send)


def work(job, item):
    """A number, and who made it."""
    time.sleep(0.01)
    return job + item, threading.current_thread() is threading.main_thread()


def test_order_is_kept_and_both_work(eager, pool):
    """Every item once, in its place, some here and some by the helper."""
    found = list(helped(work, 10, range(30), (10, 2), ways(pool)))
    assert [x for x, _ in found] == list(range(10, 40))
    assert {here for _, here in found} == {True, False}


@pytest.mark.parametrize(("first", "others", "helps"), [(5.0, 0.01, False), (0.01, 0.2, True)])
def test_the_first_item_does_not_count(monkeypatch, first, others, helps):
    """It makes machine code: 60 items of 0.01 s after one of 5 s need no help, 60 of 0.2 s do, and two after one of 30 s."""
    monkeypatch.setattr(helpers, "_running", helpers._Running())
    assert not helpers._worth([first], 0.0, 60)
    assert helpers._worth([30.0], 0.0, 3)
    assert helpers._worth([first, others, others], 0.0, 60) == helps


def test_few_results_wait(eager, pool):
    """No more than `ahead` beside the one that is taken."""
    made = []

    def counted(job, item):
        made.append(item)
        return item

    for n, x in enumerate(helped(counted, 0, range(20), (3, 2), ways(pool))):
        assert x == n or isinstance(x, tuple)
        assert max(made, default=0) <= n + 4


def test_short_work_starts_nobody(monkeypatch, pool):
    """Nor does work on one core, or where memory holds one process."""
    monkeypatch.setattr(helpers, "cores", lambda: 2)
    started = []
    way = Ways(lambda number: started.append(number) or pool, ways(pool).send)
    assert [x for x, _ in helped(work, 10, range(5), (10, 2), way)] == list(range(10, 15))
    monkeypatch.setattr(helpers, "WORTH", ALWAYS)
    assert [x for x, _ in helped(work, 10, range(5), (10, 1), way)] == list(range(10, 15))
    monkeypatch.setattr(helpers, "cores", lambda: 1)
    assert [x for x, _ in helped(work, 10, range(5), (10, 2), way)] == list(range(10, 15))
    assert started == []


class Dying(Executor):
    """Every second item kills its worker."""

    def __init__(self):
        self.given = 0

    def submit(self, fn, /, *args):
        future = Future()
        self.given += 1
        if self.given % 2:
            future.set_result(fn(*args))
        else:
            future.set_exception(BrokenExecutor("died"))
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        pass


def test_what_dead_helpers_leave_is_done_here(eager):
    """A result for every item."""
    pool = Dying()
    assert [x for x, _ in helped(work, 10, range(12), (10, 2), ways(pool))] == list(range(10, 22))


def test_what_cannot_be_sent_is_done_here(eager, pool):
    """Such as a calculator that holds a lock."""

    @contextmanager
    def send(pool):
        raise ome.errors.WorkerError("cannot be sent")
        yield

    found = list(helped(work, 10, range(6), (10, 2), Ways(lambda number: pool, send)))
    assert [x for x, _ in found] == list(range(10, 16))


def test_errors_are_those_of_the_function(eager, pool):
    """Wherever it ran."""

    def fails(job, item):
        raise ZeroDivisionError(item)

    @contextmanager
    def send(pool):
        yield lambda item: pool.submit(fails, 0, item)

    with pytest.raises(ZeroDivisionError):
        list(helped(fails, 0, range(6), (10, 2), Ways(lambda number: pool, send)))


@pytest.mark.parametrize("settings", [{"kmesh": (24, 24, 1)}, {"rtol": 0.02}])
def test_results_have_the_same_bits(eager, settings):
    """Of a mesh and of cells, by processes that are started for it."""
    model, asked = TOYS["metal_2d"].model, ["total", "extrinsic"]
    alone = ome.compute(model, calculators=asked, fermi=[0.1], temperature=900.0, executor=executors.Alone(), **settings)
    helped_ = ome.compute(model, calculators=asked, fermi=[0.1], temperature=900.0, **settings)
    assert helpers._running.pool is not None
    for name in (*asked, "total_error", "extrinsic_error"):
        assert np.array_equal(alone[name].values, helped_[name].values, equal_nan=True)


def test_workers_and_others_have_one_core(monkeypatch):
    """Processes that were started to share work, threads, test workers; a SLURM task has its own number."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert helpers.cores() == 1
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "3")
    free = helpers.cores()
    assert 1 <= free <= 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(helpers.cores).result() == 1
    with executors.processes(1) as pool:
        assert pool.submit(helpers.cores).result() == 1
    monkeypatch.setenv(helpers.MARK, str(os.getppid()))
    assert helpers.cores() == 1
    monkeypatch.delenv(helpers.MARK)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert helpers.cores() == 1


def test_a_script_with_helpers_ends_without_a_word(tmp_path):
    """Nothing on standard error, no process left."""
    script = tmp_path / "long.py"
    script.write_text(
        "import ome_wannier as ome\n"
        "from ome_wannier.common import helpers\n"
        "helpers.WORTH, helpers.cores = helpers.Worth(-1.0, -1.0, -1.0, made=-1.0), lambda: 2\n"
        "result = ome.compute(ome.load('haldane'), (120, 120, 1), 'total', fermi=0.1, temperature=900.0)\n"
        "print(helpers._running.pool is not None)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True"], "")
