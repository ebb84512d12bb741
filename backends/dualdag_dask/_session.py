"""One run on `dask.distributed`: jobs go out in batches, outcomes come back as events, values stay there."""

from __future__ import annotations

import itertools
import pickle
import queue
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError, CodecError, WorkerLostError
from dualdag.execution import (
    Handle,
    InputMissingError,
    Job,
    Outcome,
    Packer,
    Place,
    RunInfo,
    late,
    not_sent,
    resubmits,
    still_stale,
    time_limit,
)
from dualdag_dask._receipts import Receipts
from dualdag_dask._resources import Hints, hints
from dualdag_dask._values import LARGE, Values
from dualdag_dask._worker import call_job, end_running, stop_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dualdag_dask._backend import Connection

__all__ = ["DaskSession"]

#: Jobs of one call at the most: the price of a call is shared, and the first of them starts no later.
_BATCH = 256
#: How often futures are looked at, for what brings no event: a lost worker, a lost connection.
_LOOK_UP = 0.2
#: How long a future may be finished without its event.
_LATE = 5.0


class _Flight:
    """A job that Dask has."""

    __slots__ = ("alone", "finished", "future", "generation", "job", "number")

    def __init__(self, number: int, job: Job, generation: int, alone: bool) -> None:
        self.number = number
        self.job = job
        self.generation = generation
        self.alone = alone
        self.future: Any = None
        self.finished = 0.0


class DaskSession:
    """A run on a cluster.

    Parameters
    ----------
    run : RunInfo
        The run's name and store.
    connection : Connection
        The cluster.
    place : Place
        What workers are told.
    """

    inline = False
    holds_published = False
    price = 1.2e-3

    def __init__(self, run: RunInfo, connection: Connection, place: Place) -> None:
        self.slots = max(1, connection.slots)
        self.window = 64 + 8 * self.slots
        self.publishes = place.reach
        self._run = run
        self._connection = connection
        self._client = connection.client
        self._packer = Packer(place)
        self._numbers = itertools.count(1)
        self._values = Values(run, connection.client, self._packer, self._numbers)
        self._receipts = Receipts(connection.own or connection.near)
        self._told: queue.SimpleQueue[tuple[int, bytes, list[int]]] = connection.listen(run.run_id)
        self._queue: deque[tuple[Job, bool]] = deque()
        self._suspects: deque[Job] = deque()
        self._flights: dict[int, _Flight] = {}
        self._lost: dict[int, int] = {}
        self._done: list[Outcome] = []
        self._generation = 0
        self._looked = time.monotonic()

    def submit(self, job: Job) -> None:
        self._queue.append((job, False))

    # What goes out.

    def _feed(self) -> None:
        if self._suspects:
            # Whoever dies now is the one: nothing else runs beside it.
            if not self._flights:
                self._send([(self._suspects.popleft(), True)])
            return
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            self._send(batch)

    def _send(self, batch: list[tuple[Job, bool]]) -> None:
        from dask._task_spec import Task, TaskRef

        graphs: dict[Hints, dict[Any, Any]] = {}
        flights: dict[Any, _Flight] = {}
        for job, alone in batch:
            try:
                payload, handles = self._packer.pack(job)
                places, sources = self._values.places(handles)
            except (CodecError, InputMissingError) as error:
                self._done.extend(not_sent(job, error))
                continue
            flight = _Flight(next(self._numbers), job, self._generation, alone)
            labels = [(step.id, step.label, step.hold) for step in job.steps]
            message: Any = pickle.dumps(
                (self._run.run_id, self._connection.topic, self._generation, flight.number, payload, places, labels,
                 time_limit(job), self._receipts.folder(job)), protocol=5,
            )  # fmt: skip
            if len(message) > LARGE:
                message = self._client.scatter(message, hash=False)
                sources.append(message)
                message = TaskRef(message.key)
            key = ("dualdag", self._run.run_id, flight.number)
            # Sources of the message itself come last, where no place points to.
            refs = [TaskRef(source.key) for source in sources]
            group = hints(job.resources, self._connection.workers)
            graphs.setdefault(group, {})[key] = Task(key, call_job, message, *refs)
            flights[key] = flight
        for (amounts, priority, workers), graph in graphs.items():
            futures = self._client.get(
                graph, list(graph), sync=False, resources=dict(amounts) or None, priority=priority,
                workers=list(workers) or None,
            )  # fmt: skip
            for key, future in zip(graph, futures, strict=True):
                flight = flights[key]
                flight.future = future
                self._flights[flight.number] = flight

    # What comes back.

    def collect(self, timeout: float | None) -> list[Outcome]:
        self._feed()
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._hear()
            if time.monotonic() - self._looked > _LOOK_UP:
                self._look_up()
            self._feed()
            if self._done or not self._flights:
                break
            left = _LOOK_UP if until is None else min(_LOOK_UP, until - time.monotonic())
            if left <= 0:
                break
            with suppress(queue.Empty):
                self._take(self._told.get(timeout=left))
        done, self._done = self._done, []
        return done

    def _hear(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._take(self._told.get_nowait())

    def _take(self, told: tuple[int, bytes, list[int]]) -> None:
        number, data, sizes = told
        flight = self._flights.pop(number, None)
        if flight is None:
            # Made again by Dask, since the worker that had the values was lost; or dropped here.
            return
        job = flight.job
        if not data:
            self._late(flight)
            return
        outcomes = pickle.loads(data)
        for step, outcome in zip(job.steps, outcomes, strict=True):
            if outcome.status == "stale":
                flight.future.release()
                if self._packer.send_by_value(step):
                    self._queue.appendleft((job, flight.alone))
                    return
                alone = len(job.steps) == 1
                self._done.extend(
                    [still_stale(step, outcome)] if alone else [Outcome(s.id, "skipped") for s in job.steps]
                )
                return
        ids = {}
        for place, (outcome, size) in enumerate(zip(outcomes, sizes, strict=True)):
            if size >= 0:
                ids[outcome.id] = place
        if ids:
            self._values.add(number, flight.future, ids, sizes)
        else:
            flight.future.release()
        self._done.extend(outcomes)

    def _late(self, flight: _Flight) -> None:
        flight.future.release()
        self._done.extend(late(flight.job, time_limit(flight.job) or 0.0))

    def _look_up(self) -> None:
        """Look for jobs that bring no event any more."""
        now = self._looked = time.monotonic()
        if self._client.status != "running":
            raise BackendError(
                f"the connection to the Dask scheduler at {self._connection.address} was lost (the client is "
                f"{self._client.status}): what was finished is kept; see to the scheduler, then run again."
            )
        self._connection.mend()
        erred = [flight.future for flight in self._flights.values() if flight.future.status == "error"]
        failed = {future.key for future in self._values.make_again(erred)}
        for flight in list(self._flights.values()):
            status = flight.future.status
            if status == "finished":
                flight.finished = flight.finished or now
                if now - flight.finished < _LATE:
                    continue
            elif status != "cancelled" and flight.future.key not in failed:
                continue
            self._hear()
            if flight.number in self._flights:
                if said := self._receipts.find(flight.number):
                    self._take((flight.number, said, [-1] * len(flight.job.steps)))
                else:
                    self._lose(flight)

    def _lose(self, flight: _Flight) -> None:
        """Deal with a job whose worker was lost."""
        del self._flights[flight.number]
        job = flight.job
        why = _why(flight.future)
        flight.future.release()
        if len(job.steps) > 1:
            # Which of them it was shows when each runs alone.
            self._done.extend(Outcome(step.id, "skipped") for step in job.steps)
            return
        step = job.steps[0]
        count = self._lost[step.id] = self._lost.get(step.id, 0) + 1
        if count <= resubmits(job, 1) or not flight.alone:
            # Dask blames all that waited at the worker that was lost.
            self._suspects.append(job)
            return
        self._lost.pop(step.id)
        error = WorkerLostError(
            f"each Dask worker that ran {step.label!r} ({step.site}) ended before the task did ({why}): it may need "
            "more memory than there is, or call code that crashes."
        )
        self._done.append(Outcome(step.id, "failed", error=error, retry=isinstance(error, step.retry_on)))

    # Values.

    def fetch(self, handle: Handle) -> Any:
        return self._values.fetch(handle)

    def release(self, ids: Iterable[int]) -> None:
        self._values.release(ids)

    # The end.

    def cancel(self) -> list[int]:
        dropped = [step.id for job, _ in self._queue for step in job.steps]
        dropped += [step.id for job in self._suspects for step in job.steps]
        self._queue.clear()
        self._suspects.clear()
        if not self._flights:
            return dropped
        running = self._ask(stop_run, self._run.run_id, self._generation)
        self._generation += 1
        at_work = {number for numbers in running for number in numbers}
        self._hear()
        for number, flight in list(self._flights.items()):
            if number not in at_work:
                del self._flights[number]
                flight.future.release()
                dropped.extend(step.id for step in flight.job.steps)
        return dropped

    def _ask(self, fn: Any, *args: Any) -> list[Any]:
        """Call a function in each worker, past what runs there."""
        try:
            answers = self._client.run(fn, *args, on_error="ignore")
        except Exception:  # noqa: BLE001 - a cluster that is going down has nothing at work
            return []
        return list(answers.values())

    def close(self, *, hard: bool) -> None:
        if hard and self._flights:
            if self._connection.own:
                self._connection.kill()
                self._connection.close()
            else:
                self._ask(stop_run, self._run.run_id, self._generation)
                self._ask(end_running, self._run.run_id)
        for flight in self._flights.values():
            flight.future.release()
        self._flights.clear()
        self._values.close()
        self._connection.forget(self._run.run_id)
        self._receipts.close()


def _why(future: Any) -> str:
    try:
        error = future.exception(timeout=1) if future.status == "error" else None
    except Exception as failed:  # noqa: BLE001 - only for the message
        error = failed
    return type(error).__name__ if error is not None else f"its future is {future.status}"
