"""Threads: values are passed by reference and copied for each task, so a node costs microseconds."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from dualdag.config import cores
from dualdag.execution._environment import check_environments
from dualdag.execution._inner import InnerThreads
from dualdag.execution._reach import on_this_machine
from dualdag.execution.embedded._values import Values, run_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dualdag.execution._protocol import Handle, Job, Outcome, RunInfo

__all__ = ["LocalBackend"]

#: A blocked driver looks up this often, so that Ctrl-C is noticed where a lock can't be interrupted.
_LOOK_UP = 0.5


class LocalBackend:
    """Runs jobs in threads of this process; each run has threads of its own.

    Parameters
    ----------
    url : str
        Not used.
    workers : int
        How many threads.
    options : mapping
        Not used.
    """

    def __init__(self, url: str = "local", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> None:
        del url, options
        self.name = "local"
        self.workers = workers or cores()

    def open(self, run: RunInfo) -> _LocalSession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        check_environments(run, self.name, threads=True)
        return _LocalSession(run, self.workers)

    def close(self) -> None:
        """Do nothing: threads end with their run."""


class _LocalSession:
    inline = False
    publishes = True
    holds_published = True
    price = 0.0

    def __init__(self, run: RunInfo, workers: int) -> None:
        self.slots = min(workers, max(run.size, 1))
        self.window = 64 + 4 * self.slots
        self._values = Values(run.store)
        self._local = on_this_machine(run.store.url)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[list[Outcome]] = queue.SimpleQueue()
        self._inner = InnerThreads(self.slots)
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        # Threads are started as jobs come: many a run has one or two.
        if len(self._threads) < self.slots:
            name = f"dualdag worker {len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        take, give, values, local = self._jobs.get, self._outcomes.put, self._values, self._local
        limit = self._inner.apply
        while (job := take()) is not None:
            limit()
            give(run_steps(job, values, local=local))
            del job

    def collect(self, timeout: float | None) -> list[Outcome]:
        found: list[Outcome] = []
        take = self._outcomes
        try:
            if timeout == 0:
                found.extend(take.get_nowait())
            else:
                found.extend(take.get(timeout=_LOOK_UP if timeout is None else min(timeout, _LOOK_UP)))
            while True:
                found.extend(take.get_nowait())
        except queue.Empty:
            return found

    def fetch(self, handle: Handle) -> Any:
        return self._values.fetch(handle)

    def release(self, ids: Iterable[int]) -> None:
        self._values.release(ids)

    def cancel(self) -> list[int]:
        dropped: list[int] = []
        try:
            while True:
                job = self._jobs.get_nowait()
                dropped.extend(step.id for step in job.steps) if job is not None else None
        except queue.Empty:
            return dropped

    def close(self, *, hard: bool) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        if not hard:
            for thread in self._threads:
                thread.join()
        self._inner.restore()
        self._values.held.clear()
