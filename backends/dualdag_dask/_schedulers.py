"""Dask's own schedulers for one process: `dask.threaded.get` and `dask.get`."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dualdag.config import cores
from dualdag.execution import (
    Handle,
    InnerThreads,
    Job,
    Outcome,
    RunInfo,
    Values,
    check_environments,
    on_this_machine,
    run_steps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    _Tell = Callable[[list[Outcome]], None]

__all__ = ["SchedulerBackend"]

_LOOK_UP = 0.5
#: Jobs of one graph at the most.
_BATCH = 64


class SchedulerBackend:
    """Runs jobs on Dask's threaded or its synchronous scheduler.

    Parameters
    ----------
    url : str
        ``"dask://threads"`` or ``"dask://sync"``.
    workers : int
        How many threads.
    options : mapping, optional
        Not used.
    """

    def __init__(self, url: str, *, workers: int = 0, options: Mapping[str, Any] | None = None) -> None:
        del options
        self.name = "dask"
        self._threads = url == "dask://threads"
        self.workers = (workers or cores()) if self._threads else 1

    def open(self, run: RunInfo) -> _SyncSession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        check_environments(run, "dask://threads" if self._threads else "dask://sync", threads=self._threads)
        return _ThreadsSession(run, self.workers) if self._threads else _SyncSession(run)

    def close(self) -> None:
        """Do nothing: threads end with their run."""


class _SyncSession:
    slots = 1
    window = 1
    inline = True
    publishes = True
    holds_published = True
    price = 0.0

    def __init__(self, run: RunInfo) -> None:
        self._run_id = run.run_id
        self._values = Values(run.store)
        self._local = on_this_machine(run.store.url)
        self._jobs: deque[Job] = deque()
        self._number = 0
        self._limit: Callable[[], None] | None = None

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self, timeout: float | None) -> list[Outcome]:
        from dask.local import get_sync

        if not self._jobs:
            time.sleep(min(timeout or 0.0, 1.0))
            return []
        found: list[Outcome] = []
        graph = self._graph([self._jobs.popleft()], found.extend)
        get_sync(graph, list(graph))
        return found

    def _graph(self, jobs: list[Job], tell: _Tell) -> dict[Any, Any]:
        """Return jobs as tasks: none takes another's value, since a job comes when what it takes is there."""
        from dask._task_spec import Task

        graph = {}
        for job in jobs:
            self._number += 1
            key = ("dualdag", self._run_id, self._number)
            graph[key] = Task(key, _Call(job, self._values, self._local, tell, self._limit))
        return graph

    def fetch(self, handle: Handle) -> Any:
        return self._values.fetch(handle)

    def release(self, ids: Iterable[int]) -> None:
        self._values.release(ids)

    def cancel(self) -> list[int]:
        dropped = [step.id for job in self._jobs for step in job.steps]
        self._jobs.clear()
        return dropped

    def close(self, *, hard: bool) -> None:
        del hard
        self._values.held.clear()


class _Call:
    """A job as what a Dask task calls; what it gives goes to the session, not through Dask."""

    def __init__(self, job: Job, values: Values, local: bool, tell: _Tell, limit: Callable[[], None] | None) -> None:
        self._job, self._values, self._local, self._tell, self._limit = job, values, local, tell, limit

    def __call__(self) -> None:
        if self._limit is not None:
            self._limit()
        self._tell(run_steps(self._job, self._values, local=self._local))

    def __dask_tokenize__(self) -> int:
        return id(self)


class _ThreadsSession(_SyncSession):
    inline = False

    def __init__(self, run: RunInfo, workers: int) -> None:
        super().__init__(run)
        self.slots = min(workers, max(run.size, 1))
        self.window = 64 + 4 * self.slots
        self._told: queue.SimpleQueue[list[Outcome]] = queue.SimpleQueue()
        self._inner = InnerThreads(self.slots)
        self._limit = self._inner.apply
        self._pool = ThreadPoolExecutor(self.slots, "dualdag dask")
        self._more = threading.Condition()
        self._over = False
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        with self._more:
            self._jobs.append(job)
            self._more.notify()
        # As many graphs at a time as there are slots: a long task of one keeps no job of another waiting.
        if len(self._threads) < self.slots:
            thread = threading.Thread(target=self._work, name="dualdag dask graphs", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        from dask.threaded import get

        while True:
            with self._more:
                while not self._jobs and not self._over:
                    self._more.wait()
                if self._over:
                    return
                count = max(1, min(_BATCH, len(self._jobs) // (4 * self.slots)))
                jobs = [self._jobs.popleft() for _ in range(count)]
                graph = self._graph(jobs, self._tell)
            del jobs
            get(graph, list(graph), pool=self._pool)
            del graph

    def _tell(self, outcomes: list[Outcome]) -> None:
        self._told.put(outcomes)

    def collect(self, timeout: float | None) -> list[Outcome]:
        found: list[Outcome] = []
        try:
            if timeout == 0:
                found.extend(self._told.get_nowait())
            else:
                found.extend(self._told.get(timeout=_LOOK_UP if timeout is None else min(timeout, _LOOK_UP)))
            while True:
                found.extend(self._told.get_nowait())
        except queue.Empty:
            return found

    def cancel(self) -> list[int]:
        with self._more:
            return super().cancel()

    def close(self, *, hard: bool) -> None:
        with self._more:
            self._over = True
            self._more.notify_all()
        if not hard:
            for thread in self._threads:
                thread.join()
        self._pool.shutdown(wait=not hard, cancel_futures=True)
        self._inner.restore()
        self._values.held.clear()
