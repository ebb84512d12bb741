"""The backend that is the specification: one thread, jobs in the order they were submitted."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from dualdag.execution._environment import check_environments
from dualdag.execution._reach import on_this_machine
from dualdag.execution.embedded._values import Values, run_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dualdag.execution._protocol import Handle, Job, Outcome, RunInfo

__all__ = ["SyncBackend"]


class SyncBackend:
    """Runs each job in the caller's thread when its outcome is asked for.

    Parameters
    ----------
    url : str
        Not used.
    workers : int
        Not used: there is one.
    options : mapping
        Not used.
    """

    def __init__(self, url: str = "sync", *, workers: int = 1, options: Mapping[str, Any] | None = None) -> None:
        del url, workers, options
        self.name = "sync"

    def open(self, run: RunInfo) -> _SyncSession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        check_environments(run, self.name)
        return _SyncSession(run)

    def close(self) -> None:
        """Do nothing: there is nothing to end."""


class _SyncSession:
    slots = 1
    window = 1
    inline = True
    publishes = True
    holds_published = True
    price = 0.0

    def __init__(self, run: RunInfo) -> None:
        self._values = Values(run.store)
        self._local = on_this_machine(run.store.url)
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self, timeout: float | None) -> list[Outcome]:
        if not self._jobs:
            time.sleep(min(timeout or 0.0, 1.0))
            return []
        return run_steps(self._jobs.popleft(), self._values, local=self._local)

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
