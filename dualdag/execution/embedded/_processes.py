"""Processes: bytes in, bytes out; a task that takes its worker down takes nothing else with it."""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.config import cores
from dualdag.errors import CodecError, DualdagError, WorkerLostError
from dualdag.execution._bytes import dump_value, load_value
from dualdag.execution._environment import check_environments
from dualdag.execution._inner import inner_environment
from dualdag.execution._payload import Packer, Place
from dualdag.execution._protocol import Handle, Job, Outcome, RunInfo
from dualdag.execution._reach import on_this_machine, shared_with_processes
from dualdag.execution._refusals import late, not_sent, resubmits, still_stale, time_limit
from dualdag.execution._work import InputMissingError
from dualdag.execution.embedded._pool import Pool, Worker
from dualdag.execution.embedded._worker import LARGE, READY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ProcessesBackend"]

#: How often a job is given to another worker after its own was lost: a killed worker is mostly no fault
#: of the task, but one that kills a second is.
RESUBMITS = 1


class ProcessesBackend:
    """Runs jobs in processes of this machine, which are kept between runs.

    Parameters
    ----------
    url : str
        Not used.
    workers : int
        How many processes.
    options : mapping
        Not used.
    """

    def __init__(self, url: str = "processes", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> None:
        del url, options
        self.name = "processes"
        self.workers = workers or cores()
        self._pool = Pool(self.workers, inner_environment(self.workers))

    def open(self, run: RunInfo) -> _ProcessesSession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        check_environments(run, self.name)
        return _ProcessesSession(run, self._pool, min(self.workers, max(run.size, 1)))

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


class _Busy:
    """A worker at work."""

    __slots__ = ("deadline", "job", "started", "worker")

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.job: Job | None = None
        self.deadline: float | None = None
        self.started = 0.0


class _ProcessesSession:
    inline = False
    holds_published = False
    price = 150e-6

    def __init__(self, run: RunInfo, pool: Pool, slots: int) -> None:
        self.slots = slots
        self.window = 32 + 4 * slots
        self.publishes = shared_with_processes(run.store.url)
        self._store = run.store
        self._pool = pool
        local = on_this_machine(run.store.url)
        place = Place(run.store, local, str(Path.cwd()), tuple(sys.path), reach=self.publishes)
        self._packer = Packer(place)
        self._folder = ""
        self._queue: deque[Job] = deque()
        self._workers: set[Worker] = set()
        self._idle: list[_Busy] = []
        self._busy: list[_Busy] = []
        self._done: list[Outcome] = []
        self._values: dict[int, bytes | str] = {}
        self._lost: dict[int, int] = {}

    def submit(self, job: Job) -> None:
        self._queue.append(job)
        self._feed()

    def _feed(self) -> None:
        """Give waiting jobs to idle workers, and start workers while there are fewer than slots."""
        while self._queue and (self._idle or len(self._busy) < self.slots):
            job = self._queue.popleft()
            try:
                message = self._pack(job)
            except (CodecError, InputMissingError) as error:
                self._done.extend(not_sent(job, error))
                continue
            self._send(job, message)

    def _pack(self, job: Job) -> bytes:
        payload, handles = self._packer.pack(job)
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="dualdag-")
        sources = [self._source(handle) for handle in handles]
        return pickle.dumps((payload, sources, self._folder), protocol=5)

    def _source(self, handle: Handle) -> bytes | str:
        found = self._values.get(handle.id)
        if found is None:
            # Large literals, and what lies in a store that workers can't reach.
            found = dump_value(self._packer.shared.value(handle, self.fetch))
            if len(found) > LARGE:
                path = Path(self._folder) / f"{handle.id}.pickle"
                path.write_bytes(found)
                found = str(path)
            self._values[handle.id] = found
        return found

    def _send(self, job: Job, message: bytes) -> None:
        while True:
            busy = self._idle.pop() if self._idle else self._hire()
            try:
                busy.worker.pipe.send_bytes(message)
            except OSError:
                if busy.worker.ready:
                    # It died while it had nothing to do: nobody is to blame, and another takes the job.
                    self._drop(busy)
                    continue
                busy.job = job
                self._busy.append(busy)
                self._lose(busy)
                return
            busy.job = job
            timeout = time_limit(job)
            busy.started = time.monotonic()
            busy.deadline = busy.started + timeout if timeout is not None and busy.worker.ready else None
            self._busy.append(busy)
            return

    def _hire(self) -> _Busy:
        worker = self._pool.take()
        self._workers.add(worker)
        return _Busy(worker)

    def _drop(self, busy: _Busy) -> None:
        self._pool.kill(busy.worker)
        self._workers.discard(busy.worker)

    def collect(self, timeout: float | None) -> list[Outcome]:
        self._feed()
        if not self._done and self._busy:
            self._wait(timeout)
        self._end_late()
        self._feed()
        done, self._done = self._done, []
        return done

    def _wait(self, timeout: float | None) -> None:
        waits: dict[Any, _Busy] = {}
        for busy in self._busy:
            waits[busy.worker.pipe] = busy
            waits[busy.worker.process.sentinel] = busy
        deadlines = [busy.deadline for busy in self._busy if busy.deadline is not None]
        if deadlines:
            left = max(0.0, min(deadlines) - time.monotonic())
            timeout = left if timeout is None else min(timeout, left)
        told = wait_for(list(waits), timeout)
        for busy in dict.fromkeys(waits[one] for one in told):
            self._hear(busy)

    def _hear(self, busy: _Busy) -> None:
        pipe = busy.worker.pipe
        try:
            # What was answered in full counts, even if the worker died right after it.
            while busy.job is not None and pipe.poll(0):
                answer = pipe.recv_bytes()
                if answer == READY:
                    busy.worker.ready = True
                    timeout = time_limit(busy.job)
                    busy.deadline = time.monotonic() + timeout if timeout is not None else None
                else:
                    self._take(busy, answer)
                    return
        except (EOFError, OSError):
            self._lose(busy)
            return
        if busy.job is not None and not busy.worker.alive:
            self._lose(busy)

    def _take(self, busy: _Busy, answer: bytes) -> None:
        job = busy.job
        assert job is not None  # noqa: S101 - answers come from workers with a job
        self._busy.remove(busy)
        busy.job = busy.deadline = None
        self._idle.append(busy)
        outcomes, values = pickle.loads(answer)
        for step, outcome, value in zip(job.steps, outcomes, values, strict=True):
            if outcome.status == "stale":
                if self._packer.send_by_value(step):
                    self._queue.appendleft(job)
                    return
                outcome = still_stale(step, outcome)  # noqa: PLW2901 - told in its place
            if value is not None:
                self._values[outcome.id] = value
            self._done.append(outcome)

    def _lose(self, busy: _Busy) -> None:
        """Deal with a worker that died over its job."""
        job = busy.job
        assert job is not None  # noqa: S101 - only busy workers are listened to
        self._busy.remove(busy)
        self._drop(busy)
        if len(job.steps) > 1:
            # Which of them it was shows when each runs alone.
            self._done.extend(Outcome(step.id, "skipped") for step in job.steps)
            return
        step = job.steps[0]
        count = self._lost[step.id] = self._lost.get(step.id, 0) + 1
        if count <= resubmits(job, RESUBMITS):
            self._queue.appendleft(job)
            return
        error = WorkerLostError(
            f"the process that ran {step.label!r} ({step.site}) ended {count} times before the task did "
            f"({_why(busy.worker.process.exitcode)}): it may need more memory than there is, or call code that crashes."
        )
        self._done.append(Outcome(step.id, "failed", error=error, retry=isinstance(error, step.retry_on)))
        self._lost.pop(step.id)

    def _end_late(self) -> None:
        now = time.monotonic()
        for busy in [b for b in self._busy if b.deadline is not None and b.deadline <= now]:
            job = busy.job
            assert job is not None  # noqa: S101 - deadlines belong to jobs
            if busy.worker.pipe.poll(0):
                continue
            self._busy.remove(busy)
            self._drop(busy)
            self._done.extend(late(job, now - busy.started))

    def fetch(self, handle: Handle) -> Any:
        found = self._values.get(handle.id)
        if found is not None:
            return load_value(found if isinstance(found, bytes) else Path(found).read_bytes())
        if handle.checksum is None:
            raise InputMissingError(handle, LookupError(f"value {handle.id} of this run was let go of"))
        try:
            return self._store.load(handle.checksum, handle.codec)
        except DualdagError as error:
            raise InputMissingError(handle, error) from error

    def release(self, ids: Iterable[int]) -> None:
        for number in ids:
            found = self._values.pop(number, None)
            if isinstance(found, str):
                with suppress(OSError):
                    Path(found).unlink()

    def cancel(self) -> list[int]:
        dropped = [step.id for job in self._queue for step in job.steps]
        self._queue.clear()
        return dropped

    def close(self, *, hard: bool) -> None:
        # What still runs can be ended, so it is; after an interruption no process is left at all.
        idle = [] if hard else [one.worker for one in self._idle]
        for worker in self._workers.difference(idle):
            self._pool.kill(worker)
        for worker in idle:
            self._pool.give_back(worker)
        self._workers.clear()
        self._busy, self._idle = [], []
        self._values.clear()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _why(exitcode: int | None) -> str:
    return f"signal {-exitcode}" if exitcode is not None and exitcode < 0 else f"exit code {exitcode}"
