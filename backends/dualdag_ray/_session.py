"""One run on Ray: jobs become tasks, their values stay in Ray's object store, their outcomes come here.

Ray's own retries are for lost workers and, through lineage, for lost objects; failures of tasks are data, and
so never its business.  See https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html.
"""

from __future__ import annotations

import math
import pickle
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError, CodecError, DualdagError, WorkerLostError
from dualdag.execution import (
    Handle,
    InputMissingError,
    Job,
    Outcome,
    Packer,
    Step,
    late,
    load_value,
    not_sent,
    resubmits,
    still_stale,
    thaw,
    time_limit,
)
from dualdag_ray._lines import lines
from dualdag_ray._remote import LATE, Beside, UnreadableInputError
from dualdag_ray._shape import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dualdag.store import Store

__all__ = ["RaySession"]

#: Arguments of more bytes than this are put into the object store: Ray sends smaller ones along with the task.
INLINE = 100_000
#: Seconds of work that wait inside Ray: what waits there can't be taken back when something fails.
AHEAD = 0.1
#: Most jobs that wait inside Ray, for each that can run.
DEEP = 64
#: Values of up to so many bytes share one object of their job, since each object costs as much as many of them:
#: where there is one node, and where the others on the object would travel along.
SMALL, SMALL_AWAY = 100_000, 4096
#: How often Ray runs a job again whose worker was lost.
RESUBMITS = 1
#: Seconds that jobs which were cancelled have to end.
GOODBYE = 2.0


@dataclass(slots=True, eq=False)
class _Flight:
    """A job at Ray: which values each of its objects will have, and whether they are tried before that."""

    job: Job
    held: tuple[tuple[int, ...], ...]
    refs: list[Any]
    weight: float
    check: bool = False


class RaySession:
    """One run.

    Parameters
    ----------
    store : Store
        The run's.
    packer : Packer
        Knows where workers are.
    run : object
        The remote function.
    slots : int
        How many jobs of one processor run at the same time.
    publishes : bool
        Whether workers reach the store.
    where : str
        The cluster, for messages.
    nodes : int
        How many nodes it has.
    """

    inline = False
    holds_published = False
    price = 700e-6
    #: Whether small values may share an object.
    shares = True

    def __init__(
        self,
        store: Store,
        packer: Packer,
        run: Any,
        *,
        slots: int,
        publishes: bool,
        where: str,
        nodes: int,
    ) -> None:
        self.slots = slots
        self.window = 4 * DEEP + 2 * DEEP * slots
        self.publishes = publishes
        self._store = store
        self._packer = packer
        self._run = run
        self._where = where
        self._small = SMALL if nodes == 1 else SMALL_AWAY
        self._options: dict[Any, Any] = {}
        self._queue: deque[tuple[Job, bool]] = deque()
        self._flying: dict[Any, _Flight] = {}
        #: The object that a value is in, and its place there; None where it is all of it.
        self._values: dict[int, tuple[Any, int | None]] = {}
        self._sizes: dict[int, int] = {}
        self._near: tuple[Any, Beside] = (None, Beside([]))
        self._done: list[Outcome] = []
        self._load = 0.0
        self._mean = AHEAD / 2

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._queue.append((job, False))
        self._feed()

    def _feed(self) -> None:
        room = self.slots * (1 + min(DEEP, max(1.0, AHEAD / self._mean)))
        while self._queue and self._load < room:
            job, check = self._queue.popleft()
            try:
                self._send(job, check)
            except (CodecError, InputMissingError) as error:
                self._done.extend(not_sent(job, error))

    def _send(self, job: Job, check: bool) -> None:
        import ray

        payload, handles = self._packer.pack(job)
        objects: dict[Any, int] = {}
        places = []
        for handle in handles:
            found, place = self._place(handle)
            places.append((objects.setdefault(found, len(objects)), place))
        held = self._groups(job)
        told = [(step.label, str(step.site)) for step in job.steps] if check else None
        shape = shape_of(job.resources)
        body = ray.put(payload) if len(payload) > INLINE else payload
        # Ray unpickles what is an argument itself, before the worker knows the run's folders; not what is in a list.
        given = [list(objects)] if check else list(objects)
        refs = self._function(shape, 1 + len(held)).remote(body, held, places, time_limit(job), told, *given)
        first, *rest = refs if held else [refs]
        self._flying[first] = _Flight(job, held, rest, shape.weight, check)
        self._load += shape.weight

    def _groups(self, job: Job) -> tuple[tuple[int, ...], ...]:
        """Return the positions of the steps whose values are held, by the object that they will be in."""
        held = [k for k, step in enumerate(job.steps) if step.hold]
        if not self.shares or len(held) < 2:
            return tuple([(k,) for k in held])
        small, alone = [], []
        for k in held:
            if self._sizes.get(id(job.steps[k].fn), math.inf) <= self._small:
                small.append(k)
            else:
                alone.append((k,))
        return (tuple(small), *alone) if small else tuple(alone)

    def _function(self, shape: Shape, returns: int) -> Any:
        found = self._options.get((shape, returns))
        if found is None:
            options = {"max_retries": RESUBMITS, **shape.options(), "num_returns": returns}
            found = self._options[shape, returns] = self._run.options(**options)
        return found

    def _place(self, handle: Handle) -> tuple[Any, int | None]:
        import ray

        found = self._values.get(handle.id)
        if found is None:
            # Large literals, and what lies in a store that workers can't reach.
            found = self._values[handle.id] = ray.put(self._packer.shared.value(handle, self.fetch)), None
        return found

    def collect(self, timeout: float | None) -> list[Outcome]:
        """Return what has come to an end, waiting up to `timeout` seconds for a first one."""
        self._feed()
        if self._flying:
            self._wait(0 if self._done else timeout)
        self._feed()
        done, self._done = self._done, []
        return done

    def _wait(self, timeout: float | None) -> None:
        import ray

        flying = list(self._flying)
        ready, _ = ray.wait(flying, num_returns=1, timeout=timeout)
        if ready and len(flying) > 1:
            # What else is there by now comes with it: one call a batch, not one a job.
            ready, _ = ray.wait(flying, num_returns=len(flying), timeout=0)
        if not ready:
            return
        try:
            answers: list[Any] = ray.get(ready)
        except Exception:  # noqa: BLE001 - which one it was shows below
            answers = [self._get(ref) for ref in ready]
        for ref, answer in zip(ready, answers, strict=True):
            flight = self._flying.pop(ref)
            self._load = max(0.0, self._load - flight.weight) if self._flying else 0.0
            if isinstance(answer, bytes):
                self._take(flight, answer)
            else:
                self._lose(flight, answer)

    @staticmethod
    def _get(ref: Any) -> Any:
        import ray

        try:
            return ray.get(ref)
        except Exception as error:  # noqa: BLE001 - told of where the job is known
            return error

    def _take(self, flight: _Flight, answer: bytes) -> None:
        job = flight.job
        if answer == LATE:
            self._done.extend(late(job, time_limit(job) or 0.0))
            return
        outcomes: list[Outcome]
        outcomes, sizes = pickle.loads(answer)
        stale = [step for step, outcome in zip(job.steps, outcomes, strict=True) if outcome.status == "stale"]
        if any([self._packer.send_by_value(step) for step in stale]):
            self._queue.appendleft((job, flight.check))
            return
        places: dict[int, tuple[Any, int | None]] = {}
        for group, ref in zip(flight.held, flight.refs, strict=True):
            places.update({k: (ref, at if len(group) > 1 else None) for at, k in enumerate(group)})
        seconds = 0.0
        for k, (step, outcome) in enumerate(zip(job.steps, outcomes, strict=True)):
            seconds += outcome.seconds
            if outcome.status == "stale":
                outcome = still_stale(step, outcome)  # noqa: PLW2901 - told in its place
            if k in places and outcome.status == "done" and outcome.checksum is None:
                self._values[outcome.id] = places[k]
                fn = id(step.fn)
                self._sizes[fn] = max(sizes[k], self._sizes.get(fn, 0))
            self._done.append(outcome)
        self._mean += 0.2 * (max(seconds, 1e-4) - self._mean)

    def _lose(self, flight: _Flight, error: BaseException) -> None:
        """Deal with a job that Ray gave up: its worker was lost, or what it takes or gives can't travel."""
        import ray.exceptions as kinds

        job = flight.job
        for ref in flight.refs:
            # What nobody asks for, Ray writes on the terminal.
            self._get(ref)
        system = (kinds.WorkerCrashedError, kinds.NodeDiedError, kinds.OutOfMemoryError, kinds.TaskCancelledError)
        if not isinstance(error, system) and not flight.check:
            self._queue.appendleft((job, True))
            return
        if len(job.steps) > 1:
            # Which of them it was shows when each runs alone.
            self._done.extend(Outcome(step.id, "skipped") for step in job.steps)
            return
        step = job.steps[0]
        failure: DualdagError
        if isinstance(error, system):
            failure = _lost(step, error, resubmits(job, RESUBMITS))
        else:
            failure = _engine_failed(step, error, self._where)
        failure.__cause__ = error
        self._done.append(Outcome(step.id, "failed", error=failure, retry=isinstance(failure, step.retry_on)))

    def fetch(self, handle: Handle) -> Any:
        """Return a value that the caller may change."""
        import ray

        found, place = self._values.get(handle.id, (None, None))
        if found is None:
            return self._stored(handle)
        try:
            if place is None:
                value = ray.get(found)
            else:
                # Those beside it are likely to be asked for next.
                if self._near[0] != found:
                    self._near = found, ray.get(found)
                return load_value(self._near[1].parts[place])
        except Exception as error:
            raise InputMissingError(handle, error) from error
        # Arrays from the object store can't be written to; in a frame they hide.
        return thaw(value)

    def _stored(self, handle: Handle) -> Any:
        if handle.checksum is None:
            raise InputMissingError(handle, LookupError(f"value {handle.id} of this run was let go of"))
        try:
            return self._store.load(handle.checksum, handle.codec)
        except DualdagError as error:
            raise InputMissingError(handle, error) from error

    def ref(self, handle: Handle) -> Any:
        """Return the ObjectRef of a value that is held, or None."""
        return self._values.get(handle.id, (None, None))[0]

    def release(self, ids: Iterable[int]) -> None:
        """Forget values; Ray lets go of what nobody refers to."""
        for number in ids:
            self._values.pop(number, None)

    def cancel(self) -> list[int]:
        """Drop what is not at Ray yet."""
        dropped = [step.id for job, _ in self._queue for step in job.steps]
        self._queue.clear()
        return dropped

    def close(self, *, hard: bool) -> None:
        """End what still runs, whatever `hard` says: here it can be ended."""
        import ray

        if self._flying and ray.is_initialized():
            for ref in self._flying:
                ray.cancel(ref, force=True)
            # An answer that comes after `ray.shutdown` would end this process (ray-project/ray#18995).
            ray.wait(list(self._flying), num_returns=len(self._flying), timeout=GOODBYE)
        self._flying.clear()
        self._queue.clear()
        self._values.clear()
        self._near = (None, Beside([]))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {lines(error)[0]}"


def _lost(step: Step, error: BaseException, again: int) -> BackendError:
    return WorkerLostError(
        f"the Ray worker that ran {step.label!r} ({step.site}) was lost {again + 1} times before the task was "
        f"done ({_first_line(error)}): it may need more memory than there is, or call code that crashes."
    )


def _engine_failed(step: Step, error: BaseException, where: str) -> DualdagError:
    said = lines(error)
    last = said[-1]
    theirs = any("input arguments for this task could not be computed" in line for line in said)
    if theirs or isinstance(error, UnreadableInputError):
        return CodecError(
            f"what {step.label!r} ({step.site}) takes can't be unpickled in a worker ({last}): let the task that made "
            "it return plain data, a frame or an array."
        )
    return BackendError(
        f"Ray could not run {step.label!r} ({step.site}) on {where} ({_first_line(error)} {last}): "
        "its workers need the same dualdag, with dualdag_ray, and the same Python and Ray as here."
    )
