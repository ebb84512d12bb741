"""Worker processes: started when needed, kept for the next run, replaced when they die."""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.util  # registers its own exit handler, which has to run after ours
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing import spawn
from typing import TYPE_CHECKING, Any

from dualdag.execution._lasting import in_lasting_thread
from dualdag.execution.embedded._worker import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

__all__ = ["Pool", "Worker"]


class Worker:
    """A worker process and the driver's end of its pipe.

    Parameters
    ----------
    environment : dict of str to str
        Set in the worker before anything else is loaded there.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve, args=(theirs, environment, os.getpid()), name="dualdag worker"
        )
        self.ready = False
        self._theirs = theirs

    def start(self) -> None:
        """Start the process."""
        in_lasting_thread(self._start)

    def _start(self) -> None:
        with _without_main():
            self.process.start()
        self._theirs.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.pid is not None and self.process.is_alive()

    def kill(self) -> None:
        """End the process and what it started, and wait for that."""
        pid = self.process.pid
        if pid is not None and self.process.is_alive():
            with suppress(OSError, AttributeError):
                # A worker leads a group of its own from its first moment on, but not before.
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
            self.process.kill()
        if pid is not None:
            self.process.join()
        self.pipe.close()

    def hang_up(self) -> None:
        """Tell an idle process to end."""
        self.pipe.close()


class Pool:
    """Idle workers of this process.

    Parameters
    ----------
    workers : int
        How many are kept between runs.
    environment : dict of str to str
        Set in each.
    """

    def __init__(self, workers: int, environment: dict[str, str]) -> None:
        self.workers = workers
        self._environment = environment
        self._idle: list[Worker] = []
        # An interruption may strike while a worker passes from hand to hand; none is lost from here.
        self._all: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False
        atexit.register(self.close)

    def take(self) -> Worker:
        """Return an idle worker, or a new one."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                self.kill(worker)
        worker = Worker(self._environment)
        self._all.add(worker)
        worker.start()
        return worker

    def kill(self, worker: Worker) -> None:
        """End a worker, whatever it does.

        Parameters
        ----------
        worker : Worker
            One that `take` gave.
        """
        worker.kill()
        self._all.discard(worker)

    def give_back(self, worker: Worker) -> None:
        """Take an idle worker back.

        Parameters
        ----------
        worker : Worker
            One that has no job.
        """
        with self._lock:
            if worker.alive and len(self._idle) < self.workers and not self._closed:
                self._idle.append(worker)
                return
        self._end([worker])

    def close(self) -> None:
        """End all workers: idle ones are told to, others are killed."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in self._all.difference(idle):
            self.kill(worker)
        self._end(idle)

    def _end(self, workers: list[Worker]) -> None:
        for worker in workers:
            worker.hang_up()
        until = time.monotonic() + 2.0
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            self.kill(worker)


@contextmanager
def _without_main() -> Iterator[None]:
    """Start a process that does not import the script again: functions of it travel by value."""
    plain = spawn.get_preparation_data
    here = threading.get_ident()

    def prepare(name: str) -> dict[str, Any]:
        data: dict[str, Any] = plain(name)
        if threading.get_ident() == here:
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    spawn.get_preparation_data = prepare
    try:
        yield
    finally:
        spawn.get_preparation_data = plain
