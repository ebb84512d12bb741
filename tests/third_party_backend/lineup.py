"""A backend for dualdag: jobs stand in line for one process, which is replaced when it dies or takes too long."""

import os
import pickle
import subprocess
import sys
import time
from collections import Counter, deque
from multiprocessing.connection import Connection, Pipe

from dualdag.errors import CodecError, DualdagError, WorkerLostError
from dualdag.execution import (
    InputMissingError,
    Outcome,
    Packer,
    Place,
    check_environments,
    dump_value,
    load_value,
    not_sent,
    on_this_machine,
    resubmits,
    run_bytes,
    shared_with_processes,
    still_stale,
    time_limit,
    timed_out,
)


class Worker:
    """A process that runs one job after the other; it ends when this end of its pipe is closed."""

    def __init__(self):
        self.pipe, theirs = Pipe()
        command = [sys.executable, "-c", "import lineup; lineup.work()", str(theirs.fileno())]
        path = os.pathsep.join(filter(None, sys.path))
        # In a group of its own: Ctrl-C is for the driver, which ends what has to end.
        self.process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": path}, start_new_session=True
        )
        theirs.close()
        self.pipe.recv_bytes()

    def kill(self):
        self.process.kill()
        self.pipe.close()
        self.process.wait()


def work():
    """Run jobs that come through the pipe; what tasks print goes where the driver's own output goes."""
    pipe = Connection(int(sys.argv[1]))
    pipe.send_bytes(b"ready")
    try:
        while True:
            payload, values = pickle.loads(pipe.recv_bytes())
            pipe.send_bytes(pickle.dumps(run_bytes(payload, values)))
    except (EOFError, OSError):
        return  # the driver hung up


class LineupBackend:
    """Takes what every factory of a backend takes; a URL and options would say where and how."""

    def __init__(self, url="lineup", *, workers=0, options=None):
        self.name = "lineup"
        self.idle = []  # processes that have no run at the moment

    def open(self, run):
        check_environments(run, self.name)  # what this backend can't give is told of before anything runs
        return LineupSession(run, self.idle)

    def close(self):
        while self.idle:
            self.idle.pop().kill()


class LineupSession:
    slots = 1  # how many steps run at the same time
    window = 16  # how many jobs are worth having here: enough that the worker never waits for the driver
    inline = False  # `collect` runs no task in the driver's own thread
    holds_published = False  # what is in the store is read from there
    price = 200e-6  # seconds that a job costs here, so that cheap nodes share one

    def __init__(self, run, idle):
        self.store, self.idle = run.store, idle
        self.publishes = shared_with_processes(run.store.url)
        place = Place(run.store, on_this_machine(run.store.url), os.getcwd(), tuple(sys.path), reach=self.publishes)
        self.packer = Packer(place)
        self.queue, self.done, self.values, self.lost = deque(), [], {}, Counter()
        self.worker = self.job = self.deadline = None

    def submit(self, job):
        self.queue.append(job)

    def collect(self, timeout):
        until = None if timeout is None else time.monotonic() + timeout
        self.feed()
        while self.job is not None and not self.done:
            ends = [end for end in (until, self.deadline) if end is not None]
            if self.worker.pipe.poll(max(0.0, min(ends) - time.monotonic()) if ends else None):
                self.hear()
            elif self.deadline is not None and time.monotonic() >= self.deadline:
                self.end_late()
            else:
                break  # the driver has other things to do
            self.feed()
        done, self.done = self.done, []
        return done

    def feed(self):
        """Give the worker the next job that can be sent."""
        while self.queue and self.job is None:
            job = self.queue.popleft()
            try:
                payload, handles = self.packer.pack(job)
                message = pickle.dumps((payload, [self.bytes_of(handle) for handle in handles]))
            except (CodecError, InputMissingError) as error:
                self.done += not_sent(job, error)
                continue
            self.worker = self.worker or (self.idle.pop() if self.idle else Worker())
            limit = time_limit(job)
            self.job, self.deadline = job, None if limit is None else time.monotonic() + limit
            try:
                self.worker.pipe.send_bytes(message)
            except OSError:
                self.lose()

    def hear(self):
        try:
            outcomes, values = pickle.loads(self.worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self.lose()
            return
        job, self.job = self.job, None
        told = []
        for step, outcome, value in zip(job.steps, outcomes, values, strict=True):
            if outcome.status == "stale":  # the worker knows another version of the function
                if self.packer.send_by_value(step):
                    self.queue.appendleft(job)
                    return
                outcome = still_stale(step, outcome)
            told.append(outcome)
            if value is not None:
                self.values[outcome.id] = value
        self.done += told

    def lose(self):
        """Deal with a job whose process died: run it again, its steps each alone."""
        self.drop_worker()
        job, self.job = self.job, None
        step = job.steps[0]
        self.lost[step.id] += 1
        if len(job.steps) > 1:
            self.done += [Outcome(step.id, "skipped") for step in job.steps]
        elif self.lost[step.id] <= resubmits(job, 1):
            self.queue.appendleft(job)
        else:
            error = WorkerLostError(f"{step.label!r} ({step.site}) ended its process {self.lost[step.id]} times.")
            self.done.append(Outcome(step.id, "failed", error=error, retry=isinstance(error, step.retry_on)))

    def end_late(self):
        self.drop_worker()
        job, self.job = self.job, None
        first, *others = job.steps
        error = timed_out(first.label, first.site, first.timeout)
        self.done.append(Outcome(first.id, "failed", error=error, retry=isinstance(error, first.retry_on)))
        self.done += [Outcome(step.id, "skipped") for step in others]

    def drop_worker(self):
        self.worker.kill()
        self.worker = None

    def bytes_of(self, handle):
        """Return a value that a job takes: held here, a large literal, or in a store that no worker reaches."""
        if handle.id not in self.values:
            self.values[handle.id] = dump_value(self.packer.shared.value(handle, self.fetch))
        return self.values[handle.id]

    def fetch(self, handle):
        if handle.id in self.values:
            return load_value(self.values[handle.id])
        try:
            if handle.checksum is None:
                raise LookupError(f"value {handle.id} of this run was let go of")
            return self.store.load(handle.checksum, handle.codec)
        except (LookupError, DualdagError) as error:
            raise InputMissingError(handle, error) from error

    def release(self, ids):
        for number in ids:
            self.values.pop(number, None)

    def cancel(self):
        dropped = [step.id for job in self.queue for step in job.steps]
        self.queue.clear()
        return dropped

    def close(self, *, hard):
        if self.worker is not None:
            if hard or self.job is not None:
                self.drop_worker()
            else:
                self.idle.append(self.worker)
        self.worker = self.job = None
