"""Ray Workflows: jobs as tasks of workflows, as Ray had them up to 2.47.

The driver hands jobs over as they become ready, while `ray.workflow` takes a whole DAG.  So each *window*,
the jobs that are ready when the engine has room, becomes one workflow named after the run: one task a job,
and one that they all lead to, which takes their tokens.  That keeps what is native (the manager that
outlives the driver, its retries, its checkpoints, `ray.workflow.resume`) and what is ours: a step starts
when its inputs' digests are known, since only then is it known whether it has to run at all.  A workflow
for each job would cost twice to three times as much a job, and one continuation after the other would have
to decide in a worker what the driver decides.

Only tokens pass through the workflow's storage: outcomes, with digests and checksums.  Values lie in
dualdag's store, under their checksum, which is looked at before anything is decoded; the workflow's own
pickles are not checked by Ray, so nothing but these few bytes is trusted to them.

Source: https://docs.ray.io/en/releases-2.47.1/workflows/index.html
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, DualdagError, WorkerLostError
from dualdag.execution import (
    Handle,
    InputMissingError,
    Job,
    Outcome,
    Packer,
    RunInfo,
    Shared,
    check_environments,
    late,
    not_sent,
    resubmits,
    still_stale,
    time_limit,
)
from dualdag_ray._workflow_cluster import Cluster, require_workflows
from dualdag_ray._workflow_task import gather, run_in_store

if TYPE_CHECKING:
    from dualdag_ray._workflow_task import Token

__all__ = ["WorkflowBackend"]

#: How often Ray runs a task again whose worker was lost.
RESUBMITS = 1
#: Seconds between two looks at whether a task with a timeout has started.
_LOOK = 0.05
#: Seconds that a job costs: measured 18 ms, most of it files of the workflow's storage.
_PRICE = 0.018
#: Literals of more bytes than this are read from the store.
_LITERAL = 100_000


class WorkflowBackend:
    """Runs jobs as tasks of Ray workflows; needs Ray 2.47 or before.

    Parameters
    ----------
    url : str
        ``"ray-workflow"`` for the Ray that is open in this process, else a local one that is started here;
        ``"ray-workflow://host:port"`` for a running cluster that has a workflow storage.
    workers : int
        Processes of a local cluster; 0 for one per processor.
    options : mapping
        Passed to ``ray.init``; ``storage`` says where the workflows' own files lie.

    Raises
    ------
    BackendError
        When the Ray that is installed has no workflows any more.
    """

    def __init__(
        self, url: str = "ray-workflow", *, workers: int = 0, options: Mapping[str, Any] | None = None
    ) -> None:
        require_workflows(url)
        self.name = "ray-workflow"
        self._cluster = Cluster(url, workers, dict(options or {}))

    def open(self, run: RunInfo) -> _WorkflowSession:
        """Begin a run, starting or joining the cluster at first need.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        self._cluster.open(run.store)
        check_environments(run, self.name)
        for resources, asker in run.demands():
            self._cluster.check(resources, asker)
        return _WorkflowSession(run, self._cluster)

    def close(self) -> None:
        """End the cluster if it was started here, else leave it."""
        self._cluster.close()


@dataclass(slots=True, eq=False)
class _Flying:
    """A job that is a task of a workflow now."""

    job: Job
    workflow: str
    task: str
    alone: bool
    timeout: float | None
    deadline: float | None = None


class _WorkflowSession:
    inline = False
    publishes = True
    holds_published = False
    price = _PRICE

    def __init__(self, run: RunInfo, cluster: Cluster) -> None:
        self.slots = cluster.slots
        self.window = 32 + 8 * self.slots
        self._run = run
        self._cluster = cluster
        # Data goes through the store, large literals too.
        self._packer = Packer(cluster.place(run.store), Shared(_LITERAL, self._save))
        self._queue: deque[Job] = deque()
        self._flying: dict[Any, _Flying] = {}
        self._done: list[Outcome] = []
        self._tokens: dict[int, Token] = {}
        self._alone: set[int] = set()
        self._workflows: list[str] = []

    def _save(self, value: Any) -> tuple[bytes, str]:
        saved = self._run.store.save(value)
        return saved.checksum, saved.codec

    def submit(self, job: Job) -> None:
        self._queue.append(job)

    def _feed(self) -> None:
        """Make the waiting jobs one workflow, once the engine has room for so many."""
        room = 8 * self.slots
        # A workflow fails as a whole; where there are few jobs, none takes another along.
        few = len(self._queue) <= 2 * self.slots
        while self._queue and len(self._flying) <= room // 2:
            batch: list[tuple[Job, bytes]] = []
            while self._queue and len(batch) + len(self._flying) < room:
                job = self._queue[0]
                alone = few or time_limit(job) is not None or job.steps[0].id in self._alone
                if alone and batch:
                    break
                self._queue.popleft()
                if (payload := self._pack(job)) is not None:
                    batch.append((job, payload))
                    if alone:
                        break
            if batch:
                self._start(batch)

    def _pack(self, job: Job) -> bytes | None:
        """Return a job as bytes; None, and an outcome, where it can't be sent."""
        try:
            steps = [replace(step, inputs=[self._stored(i, job) for i in step.inputs]) for step in job.steps]
            return self._packer.pack(Job(steps, job.resources))[0]
        except (CodecError, InputMissingError) as error:
            self._done.extend(not_sent(job, error))
            return None

    def _stored(self, given: Any, job: Job) -> Any:
        """Return an input with the place where the store has it."""
        if type(given) is not Handle or given.checksum is not None:
            return given
        token = self._tokens.get(given.id)
        if token is not None:
            return Handle(given.id, *token)
        if any(step.id == given.id for step in job.steps):
            return given
        raise InputMissingError(given, LookupError(f"value {given.id} of this run was let go of"))

    def _start(self, batch: list[tuple[Job, bytes]]) -> None:
        """Run jobs as one workflow; each is awaited by itself."""
        name = f"{self._run.run_id}.{len(self._workflows)}"
        self._workflows.append(name)
        alone = len(batch) == 1
        nodes = []
        for k, (job, payload) in enumerate(batch):
            told = [(step.label, str(step.site), step.hold) for step in job.steps]
            nodes.append(
                self._cluster.task(run_in_store, f"job{k}", job.resources, resubmits(job, RESUBMITS)).bind(
                    payload, told
                )
            )
        # The root takes no processor: it only waits for tokens.
        root = nodes[0] if alone else self._cluster.task(gather, "all", {"num_cpus": 0}, RESUBMITS).bind(*nodes)
        self._cluster.run(root, name)
        for k, (job, _) in enumerate(batch):
            task = f"job{k}"
            self._flying[self._cluster.output(name, task)] = _Flying(job, name, task, alone, time_limit(job))

    def collect(self, timeout: float | None) -> list[Outcome]:
        self._feed()
        if not self._done and self._flying:
            self._wait(timeout)
            self._end_late()
            self._feed()
        done, self._done = self._done, []
        return done

    def _wait(self, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._done and self._flying:
            left = None if end is None else max(0.0, end - time.monotonic())
            if any(one.timeout is not None for one in self._flying.values()):
                left = _LOOK if left is None else min(left, _LOOK)
            for ref in self._cluster.wait(list(self._flying), left):
                self._take(ref)
            self._end_late()
            if end is not None and time.monotonic() >= end:
                return
            # Jobs that were put back start before anything else is awaited.
            self._feed()

    def _take(self, ref: Any) -> None:
        flying = self._flying.pop(ref)
        try:
            outcomes, tokens = pickle.loads(self._cluster.get(ref))
        except Exception as error:  # noqa: BLE001 - Ray has one class for each way to lose a worker
            self._lose(flying, error)
            return
        job = flying.job
        stale = [step for step, o in zip(job.steps, outcomes, strict=True) if o.status == "stale"]
        # All of them: each may need other modules.
        if any([self._packer.send_by_value(step) for step in stale]):
            self._queue.appendleft(job)
            return
        self._tokens.update(tokens)
        for step, outcome in zip(job.steps, outcomes, strict=True):
            self._done.append(still_stale(step, outcome) if outcome.status == "stale" else outcome)

    def _lose(self, flying: _Flying, error: Exception) -> None:
        """Deal with a job whose worker was lost as often as Ray tries again."""
        job = flying.job
        step = job.steps[0]
        if not flying.alone:
            # A workflow fails as a whole; which of its jobs it was shows when each is one of its own.
            self._alone.add(step.id)
            self._queue.appendleft(job)
            return
        if len(job.steps) > 1:
            self._done.extend(Outcome(other.id, "skipped") for other in job.steps)
            return
        lost = WorkerLostError(
            f"the process that ran {step.label!r} ({step.site}) ended {resubmits(job, RESUBMITS) + 1} times before "
            "the task did: it may need more memory than there is, or call code that crashes."
        )
        lost.__cause__ = error
        self._done.append(Outcome(step.id, "failed", error=lost, retry=isinstance(lost, step.retry_on)))

    def _end_late(self) -> None:
        """Cancel the workflows whose task has had its time: Ray kills the process."""
        for ref, flying in list(self._flying.items()):
            if flying.timeout is None:
                continue
            now = time.monotonic()
            if flying.deadline is None:
                if self._cluster.started(flying.workflow, flying.task):
                    flying.deadline = now + flying.timeout
                continue
            if flying.deadline > now or self._cluster.wait([ref], 0):
                continue
            del self._flying[ref]
            self._cluster.cancel(flying.workflow)
            self._done.extend(late(flying.job, flying.timeout))

    def fetch(self, handle: Handle) -> Any:
        checksum, codec = self._tokens.get(handle.id, (handle.checksum, handle.codec))
        if checksum is None:
            raise InputMissingError(handle, LookupError(f"value {handle.id} of this run was let go of"))
        try:
            return self._run.store.load(checksum, codec)
        except DualdagError as error:
            raise InputMissingError(handle, error) from error

    def release(self, ids: Iterable[int]) -> None:
        for number in ids:
            self._tokens.pop(number, None)

    def cancel(self) -> list[int]:
        dropped = [step.id for job in self._queue for step in job.steps]
        self._queue.clear()
        return dropped

    def close(self, *, hard: bool) -> None:
        del hard  # What still runs can be ended, so it is.
        running = {flying.workflow for flying in self._flying.values()}
        self._flying.clear()
        for name in running:
            self._cluster.cancel(name)
        self._cluster.forget(self._workflows)
        self._workflows = []
        self._tokens.clear()
