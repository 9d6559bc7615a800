"""The screening itself: workers take the materials one by one and store what they find; this process counts.

Each material is computed by one worker from beginning to end. What is stored is whole: a process that is killed at any
moment loses the materials at work, whose claims the next screening takes over.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import executors
from ..common.errors import WorkerError
from ..common.termination import soft_termination
from .descriptors import describe
from .listing import Item, items
from .operator_columns import names_of
from .plan import source_key
from .step import Job, Outcome, failure, step
from .store import BEAT, DONE, FAILED, FORBIDDEN, Owner, Store

TITLE = "Orbital magneto-electric response"
DIED = "its worker died, most often for lack of memory: give it a smaller mesh or memory, or compute it alone"


@dataclass(frozen=True)
class Counts:
    """How many materials were computed, recorded as forbidden by symmetry, failed now and before, were there already, and are
    being computed by another screening."""

    done: int = 0
    forbidden: int = 0
    failed: int = 0
    failed_before: int = 0
    there: int = 0
    busy: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Counts:
        """Counted through to the end."""
        found = Counter(outcome.status.replace(" ", "_") for outcome in outcomes)
        return cls(**found)

    def __str__(self) -> str:
        said = {
            "computed": self.done,
            "forbidden by symmetry": self.forbidden,
            "failed": self.failed,
            "failed before": self.failed_before,
            "there already": self.there,
            "being computed by another screening": self.busy,
        }
        total = sum(said.values())
        return f"{total} material{'s' * (total != 1)}: " + (", ".join(f"{n} {what}" for what, n in said.items() if n) or "none")


def screen(
    what: str | Path | Sequence[Any],
    db: str | Path,
    workers: int = 1,
    *,
    retry_failed: bool = False,
    executor: Executor | None = None,
    **settings: Any,
) -> Counts:
    """Compute many materials into an ASE database; what is there already is not computed again.

    Parameters
    ----------
    what : one or several of: a list (`.toml`), a folder, a seedname or file, a library name, a model.
    db : file that ends in `.db`, or a PostgreSQL URL. workers : number of processes of this machine, one material each; or
    executor : any `concurrent.futures.Executor`, whose workers can reach the database.
    retry_failed : compute those again that failed before.
    settings : keys of a run (`kmesh`, `fermi`, `temperature`, `calculators` ...), `around` and `kmap`; for all materials.

    Raises
    ------
    SettingsError : a list or a setting that makes no sense. StoreError : a database that cannot be used. Whatever goes wrong
        with a material is a row with the reason.
    """
    with closing(run(items(what, settings), db, workers, retry_failed=retry_failed, executor=executor)) as outcomes:
        return Counts.of(outcomes)


def run(
    todo: Sequence[Item],
    db: str | Path,
    workers: int = 1,
    *,
    retry_failed: bool = False,
    executor: Executor | None = None,
) -> Generator[Outcome, None, None]:
    """The same, one outcome at a time, each in the database already; closing ends it and gives up what is at work."""
    store = Store(db)
    asked = dict.fromkeys(c for item in todo for c in item.settings.calculators or ())
    store.prepare(TITLE, {d.name: (d.name, d.meaning, d.unit) for d in describe(names_of(asked))})
    job = Job(store.address, Owner.this(), retry_failed)
    with ExitStack() as stack:
        stack.enter_context(soft_termination())
        stack.callback(store.release, job.owner)
        if executor is None:
            executor = executors.processes(workers)
            stack.callback(executor.shutdown, cancel_futures=True)
        yield from _outcomes(job, todo, executor, 2 * workers, store)


def _outcomes(job: Job, todo: Sequence[Item], executor: Executor, ahead: int, store: Store) -> Iterator[Outcome]:
    """Outcomes as they come. Where workers died, what was at work is computed again one by one: what ends its worker fails."""
    waiting, suspects = deque(range(len(todo))), deque[int]()
    running: dict[Future[Outcome], int] = {}
    last = time.monotonic()
    while waiting or suspects or running:
        while waiting and not suspects and len(running) < ahead:
            number = waiting.popleft()
            running[_submit(executor, job, todo, number)] = number
        alone = bool(suspects) and not running
        if alone:
            number = suspects.popleft()
            running[_submit(executor, job, todo, number)] = number
        finished, _ = wait(running, BEAT, FIRST_COMPLETED)
        if time.monotonic() - last > BEAT:
            store.beat(job.owner)
            last = time.monotonic()
        for future in finished:
            number = running.pop(future)
            try:
                yield future.result()
            except (BrokenExecutor, CancelledError):
                if not alone:
                    suspects.append(number)
                    continue
                yield _died(todo[number], store.claimed(job.owner, _token(number))).stored(store)


def _submit(executor: Executor, job: Job, todo: Sequence[Item], number: int) -> Future[Outcome]:
    try:
        return executor.submit(step, job, todo[number], _token(number))
    except RuntimeError as error:
        raise WorkerError(f"the executor takes no more work, its workers died or it was shut down: {error}") from error


def _token(number: int) -> str:
    return f"item-{number}"


def _died(item: Item, claimed: Mapping[str, Any]) -> Outcome:
    """The failure of a material that took its worker along, in place of the claim that the worker had made."""
    about: Mapping[str, Any] = claimed or {"name": item.name, "source": item.source}
    keep = {k: v for k, v in about.items() if k not in ("key", "status", "owner", "beat", "claim")}
    return failure(item, str(about.get("key", source_key(item))), keep, DIED)


__all__ = ["DONE", "FAILED", "FORBIDDEN", "Counts", "run", "screen"]
