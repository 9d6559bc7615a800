"""Processes that help this one with long work, without being asked for: as many as it may use cores, and kept for a while.

A job of a second starts none. This process goes on working, so that nobody waits for them to start; results come back in
order, with the same bits. Whatever stands in their way, such as functions that cannot be sent, is done here.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple


class Ways(NamedTuple):
    """start : makes a pool of so many processes. send : gives its workers the job; what it gives takes items."""

    start: Callable[[int], Executor]
    send: Callable[[Executor], AbstractContextManager[Callable[[Any], Future[Any]]]]


@dataclass(frozen=True)
class Worth:
    """Seconds from which help pays: of work here before it is looked at, of work that is left where helpers have to be started,
    where they are there, of rest after which earlier work says nothing of what is to come, and of a first item that making
    machine code does not explain."""

    looked: float = 0.2
    left: float = 3.0
    left_there: float = 0.3
    rest: float = 2.0
    made: float = 20.0


WORTH = Worth()
#: seconds after which helpers that nobody needs end
IDLE = 60


@dataclass
class _Running:
    """The helpers of this process, and its work of late: when it ended, and how long it was."""

    pool: Executor | None = None
    number: int = 0
    last: float = 0.0
    ended: float = 0.0
    worked: float = 0.0


_running = _Running()


def cores() -> int:
    """How many cores this process may use: of its affinity, its cgroup and its SLURM task; one in processes that were started
    to share work, in threads that others started, and under pytest-xdist."""
    if multiprocessing.parent_process() is not None or threading.current_thread() is not threading.main_thread():
        return 1
    if "PYTEST_XDIST_WORKER" in os.environ or os.environ.get(MARK) == str(os.getppid()):
        return 1
    from loky import cpu_count

    limits = [int(cpu_count())]
    if (tasks := os.environ.get("SLURM_CPUS_PER_TASK", "")).isdecimal() and int(tasks) > 0:
        limits.append(int(tasks))
    return max(min(limits), 1)


#: in the environment of workers of this package: the process that started them
MARK = "OME_WANNIER_WORKER_OF"


def helped(
    function: Callable[[Any, Any], Any], job: Any, items: Sequence[Any], limits: tuple[int, int], ways: Ways
) -> Generator[Any, None, None]:
    """function(job, item) of every item in their order, by this process and, where it takes long, by helpers.

    limits : how many results may wait to be taken, and processes that the memory allows, this one included.
    """
    ahead, most = limits
    began, number = time.monotonic(), 1
    if began - _running.ended > WORTH.rest:
        _running.worked = 0.0
    before = _running.worked
    seconds: list[float] = []
    try:
        for done, item in enumerate(items):
            if done and most > 1 and _worth(seconds, before, len(items)) and (number := cores()) > 1:
                break
            start = time.monotonic()
            found = function(job, item)
            seconds.append(time.monotonic() - start)
            yield found
        else:
            return
        yield from _with_helpers(function, job, items[done:], (ahead, min(number, most)), ways)
    finally:
        _running.ended = time.monotonic()
        _running.worked = before + _running.ended - began


def _worth(seconds: Sequence[float], before: float, of: int) -> bool:
    """Whether help pays after items that took so long, of so many, and work before them (s).

    The first item of a run loads machine code too, or makes it: it says nothing of those that are left, but where it is long.
    """
    usual = seconds if before > 0 or (len(seconds) == 1 and seconds[0] > WORTH.made) else seconds[1:]
    if not usual:
        return False
    left = sum(usual) / len(usual) * (of - len(seconds))
    if _running.pool is not None and time.monotonic() - _running.last < IDLE / 2:
        return left > WORTH.left_there
    return sum(seconds) + before > WORTH.looked and left + before > WORTH.left and left > WORTH.left_there


def _with_helpers(
    function: Callable[[Any, Any], Any], job: Any, items: Sequence[Any], limits: tuple[int, int], ways: Ways
) -> Iterator[Any]:
    """The same by so many processes, this one included."""
    ahead, number = limits
    try:
        sending = ways.send(_pool(number - 1, ways.start))
        submit = sending.__enter__()
    except Exception:  # no processes here, or a job that cannot be sent
        for item in items:
            yield function(job, item)
        return
    tasks: dict[int, Future[Any]] = {}
    ready: dict[int, Any] = {}
    following, helpers = 0, number - 1
    try:
        for wanted in range(len(items)):
            while wanted not in ready:
                # two for each helper, so that none waits for this process
                while helpers and following < len(items) and len(tasks) < 2 * helpers and len(tasks) + len(ready) < ahead:
                    try:
                        tasks[following] = submit(items[following])
                    except Exception:
                        helpers = 0
                        break
                    following += 1
                if wanted in tasks and (tasks[wanted].done() or following == len(items) or len(tasks) + len(ready) >= ahead):
                    try:
                        ready[wanted] = tasks.pop(wanted).result()
                    except (BrokenExecutor, CancelledError):
                        helpers = 0
                        ready[wanted] = function(job, items[wanted])
                elif following < len(items):
                    ready[following] = function(job, items[following])
                    following += 1
                else:  # pragma: no cover - every item is in one of these places
                    ready[wanted] = function(job, items[wanted])
            yield ready.pop(wanted)
    finally:
        unwanted = bool(tasks)
        sending.__exit__(None, None, None)
        _running.last = time.monotonic()
        if unwanted or not helpers:  # interrupted, or broken
            end()


def _pool(number: int, start: Callable[[int], Executor]) -> Executor:
    """The helpers that are there, or new ones."""
    if _running.pool is None or _running.number != number:
        end()
        atexit.unregister(end)
        atexit.register(end)  # before the pool's own, which the end of the interpreter may take apart
        _running.pool, _running.number = start(number), number
    return _running.pool


def end() -> None:
    """End the helpers of this process, if there are any."""
    if _running.pool is not None:
        _running.pool.shutdown(wait=True, cancel_futures=True)
        _running.pool = None
