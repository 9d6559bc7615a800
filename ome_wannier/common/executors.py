"""Who computes the blocks of a sum: this process, or the workers of any `concurrent.futures.Executor`.

`processes`, `mpi` and `dask` make executors; any other one will do. Results come back in the order of the blocks, whoever
was ready first, so a sum of them has the same bits for any number of workers (of one kind of processor).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from . import helpers
from .errors import WorkerError

Job = TypeVar("Job")
Item = TypeVar("Item")
Result = TypeVar("Result")

#: how often the block that all wait for is given to a worker before the run is given up
ATTEMPTS = 2
#: seconds that a Dask scheduler may take to answer, and to have its first worker
DASK_PATIENCE = 60
MPI_START = "mpiexec -n 4 python -m mpi4py.futures -m ome_wannier run SEED --mpi, or with your script after mpi4py.futures"


class Processes(Executor):
    """Worker processes of this machine, started when the first work comes and anew after one of them died; they end when they
    had nothing to do for so many seconds, `idle`.

    Unlike those of `concurrent.futures.ProcessPoolExecutor` they do not import the main script again, so it needs no
    `if __name__ == "__main__"`.
    """

    def __init__(self, number: int, idle: int | None = None) -> None:
        self._number, self._idle = number, idle
        self._pool: Any = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a worker call the function."""
        if self._pool is not None:
            try:
                return self._pool.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]
            except BrokenExecutor:
                self._pool.shutdown(kill_workers=True)
        from loky import ProcessPoolExecutor

        with _undisturbed():
            env = {helpers.MARK: str(os.getpid())}
            told: dict[str, Any] = {"timeout": self._idle, "initializer": _follow, "initargs": (os.getpid(),)}
            self._pool = ProcessPoolExecutor(self._number, env=env, **told)
            return self._pool.submit(fn, *args, **kwargs)  # type: ignore[no-any-return]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers; with `cancel_futures` in the middle of their work."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, kill_workers=cancel_futures)
            self._pool = None


def processes(number: int) -> Processes:
    """An executor of `number` processes of this machine.

    Raises
    ------
    WorkerError : not a positive integer.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise WorkerError(f"{number!r} workers: give a positive integer")
    return Processes(number)


def mpi() -> Executor:
    """An executor of the MPI processes that this one was started with, but for this one.

    Raises
    ------
    WorkerError : no mpi4py, no MPI library, or not started in the way that makes the other processes workers.
    """
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor, _core
    except (ImportError, RuntimeError) as error:  # mpi4py raises the latter where it finds no library
        reason = str(error).splitlines()[0]
        raise WorkerError(
            f"MPI needs mpi4py and an MPI library: pip install 'ome_wannier[mpi]', and Open MPI or MPICH ({reason})"
        ) from error
    if _core.SharedPool is None or MPI.COMM_WORLD.Get_size() < 2:
        raise WorkerError(f"this is not one of several MPI processes under mpi4py.futures: start with {MPI_START}")
    executor: Executor = MPIPoolExecutor(main=False)  # functions are sent with their code: no worker runs the script
    return executor


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """An executor of the workers of a Dask scheduler, such as "tcp://10.0.0.1:8786"; they need this package too.

    Raises
    ------
    WorkerError : no `distributed`, no scheduler there, or one without workers.
    """
    try:
        import distributed
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise WorkerError(f"Dask needs distributed: pip install 'ome_wannier[dask]' ({error})") from error
    connect: Any = distributed.Client
    try:
        # a client that refuses an address keeps the program from ending
        get_address_host_port(address)
        client = connect(address, timeout=DASK_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkerError(f"no Dask scheduler at {address!r}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=DASK_PATIENCE)
        except TimeoutError as error:
            raise WorkerError(f"the Dask scheduler at {address} has had no workers for {DASK_PATIENCE} s") from error
        yield client.get_executor()


class Alone(Executor):
    """This process without helpers: it does what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def ordered(
    executor: Executor | None,
    function: Callable[[Job, Item], Result],
    job: Job,
    items: Sequence[Item],
    ahead: int,
    most: int = 1,
) -> Generator[Result, None, None]:
    """function(job, item) of every item in their order; at most `ahead` of them are computed or waiting to be taken.

    The job goes to each worker once (with unknown executors, with each item); without an executor all is done here, and
    by helpers where that takes long (`helpers`), `most` processes in all. A block whose worker died is given to another one,
    once.

    Raises
    ------
    WorkerError : a job that cannot be sent, an executor that is broken, a block that was lost twice.
    """
    if executor is None:
        ways = helpers.Ways(lambda n: Processes(n, helpers.IDLE), lambda pool: _sender(pool, function, job))
        yield from helpers.helped(function, job, items, (ahead, most), ways)
        return
    if isinstance(executor, Alone):
        for item in items:
            yield function(job, item)
        return
    waiting: deque[_Task] = deque()
    with _sender(executor, function, job) as submit:
        try:
            for item in items:
                if len(waiting) >= ahead:
                    yield _first(waiting)
                waiting.append(_Task(item, submit))
            while waiting:
                yield _first(waiting)
        finally:
            if waiting:  # interrupted: nobody wants the rest
                if isinstance(executor, Processes):  # futures that are cancelled too would disturb its end
                    executor.shutdown(cancel_futures=True)
                else:
                    for task in waiting:
                        task.future.cancel()


class _Task:
    """An item that a worker has; `again` gives it to another one."""

    def __init__(self, item: Any, submit: Callable[[Any], Future[Any]]) -> None:
        self._item, self._submit = item, submit
        self.again()

    def again(self) -> None:
        """Submit the item, once more if its worker was lost."""
        try:
            self.future = self._submit(self._item)
        except (BrokenExecutor, RuntimeError) as error:
            raise WorkerError(f"the executor takes no more work, its workers died or it was shut down: {error}") from error

    @property
    def lost(self) -> bool:
        """Whether its worker died before it was done."""
        future = self.future
        return future.done() and (future.cancelled() or isinstance(future.exception(), BrokenExecutor))


def _first(waiting: deque[_Task]) -> Any:
    """The result of the first task, which leaves the queue; where a worker died, all that it took along is begun again."""
    times = 0
    while True:
        try:
            result = waiting[0].future.result()
        except (BrokenExecutor, CancelledError) as error:
            times += 1
            if times == ATTEMPTS:
                raise WorkerError(
                    f"workers died {times} times over the same part of the sum, most often for lack of memory: "
                    "use fewer workers, or lower memory"
                ) from error
            for task in waiting:
                if task.lost:
                    task.again()
        else:
            waiting.popleft()
            return result


@contextmanager
def _sender(
    executor: Executor, function: Callable[[Job, Item], Result], job: Job
) -> Iterator[Callable[[Item], Future[Result]]]:
    """What gives an item to a worker, in the cheapest way that the executor knows of making the job known to it."""
    if isinstance(executor, ThreadPoolExecutor):
        yield lambda item: executor.submit(function, job, item)
        return
    content = _pickled(job)
    digest = hashlib.sha256(content).hexdigest()
    client = getattr(executor, "_client", None)
    with ExitStack() as stack:
        sent: Any = content
        if isinstance(executor, Processes):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ome_wannier-"))
            sent = Path(folder) / "job"
            sent.write_bytes(content)
        elif client is not None:  # Dask's
            sent = client.scatter(content, broadcast=True)
        elif _shares_mpi(executor):
            pool: Any = type(executor)
            executor = stack.enter_context(pool(main=False, initializer=_take, initargs=(digest, content)))
            sent = None
        yield lambda item: executor.submit(_call, function, sent, digest, item)


def _pickled(job: object) -> bytes:
    """The job as bytes; functions of the main script, a notebook or inside other functions are sent with their code."""
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(job)
    except Exception as error:  # whatever a user's object raises
        raise WorkerError(
            f"the model or a calculator of yours cannot be sent to workers ({error}): "
            "let its function use no open files or locks, or compute without executor"
        ) from error
    return content


def _shares_mpi(executor: Executor) -> bool:
    """Whether its workers are those that all executors of an MPI job share: what another one tells them first is broadcast."""
    core = sys.modules.get("mpi4py.futures._core")
    return type(executor).__name__ == "MPIPoolExecutor" and getattr(core, "SharedPool", None) is not None


#: in a worker: the job that it has, by digest, and one that was broadcast, as bytes
_held: dict[str, Any] = {}
_taken: dict[str, bytes] = {}


def _take(digest: str, content: bytes) -> None:
    """In a worker: keep a job that was broadcast."""
    _taken.clear()
    _taken[digest] = content


def _call(function: Callable[[Job, Item], Result], content: bytes | Path | None, digest: str, item: Item) -> Result:
    """In a worker: the function of the job and an item. The job is unpacked once; BLAS keeps to one thread from then on."""
    job = _held.get(digest)
    if job is None:
        content = _taken[digest] if content is None else content
        try:
            job = pickle.loads(content if isinstance(content, bytes) else content.read_bytes())
        except ImportError as error:
            raise WorkerError(f"a worker cannot import what a calculator of yours needs: {error}") from error
        threadpool_limits(limits=1, user_api="blas")
        _held.clear()
        _taken.clear()
        _held[digest] = job
    return function(job, item)


#: signals that reach all processes of a terminal or of a job, and that the parent answers for its workers
SHARED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While workers are started such signals wait: these would end with a traceback before they have come to ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker as of_multiprocessing

    from loky.backend import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)
    try:
        # processes that workers need too: whoever starts that of multiprocessing has unblocked some afterwards
        of_multiprocessing.ensure_running()
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(parent: int) -> None:
    """In a worker: leave Ctrl-C, which reaches all processes of a terminal, to the parent, and end when that is gone."""
    for number in SHARED:
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
