"""Part of `BackendSuite`: several runs at once, interruptions, lost workers, and what a run leaves as it was."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.config import environment
from dualdag.testing._suite_base import SuiteBase

__all__ = ["RunTests"]

_INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
import dualdag as dag

@dag.task(persist=True, timeout=60)
def nap(folder, i):
    Path(folder, f"began-{i}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.2)
    Path(folder, f"ended-{i}").touch()
    return i

if __name__ == "__main__":
    # Whoever started the tests in the background let them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(sum(dag.run([nap(sys.argv[1], i) for i in range(30)])))
    dag.shutdown()
"""


class RunTests(SuiteBase):
    """Runs beside one another, after one another, and cut short."""

    def test_two_threads_run_at_once(self) -> None:
        """Three threads run graphs at once."""
        t = self.tasks
        got: dict[int, Any] = {}

        def one(k: int) -> None:
            got[k] = self.run(t.total([t.add(i, k) for i in range(50)]))

        threads = [threading.Thread(target=one, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == {k: 1225 + 50 * k for k in range(3)}

    def test_a_failure_beside_another_run(self) -> None:
        """A run that fails does not disturb one that goes on beside it."""
        t = self.tasks
        got: list[Any] = []
        other = threading.Thread(target=lambda: got.append(self.run(t.total([t.nap(0.01, i) for i in range(30)]))))
        other.start()
        self.fails(t.fail("bad"), ValueError)
        other.join()
        assert got == [435]

    def test_environment_is_left_alone(self) -> None:
        """Environment, working folder, import path, signal handlers and logging are as they were."""

        def all_of_it() -> list[Any]:
            signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
            root = logging.getLogger()
            return [environment(), Path.cwd(), list(sys.path), signals, root.level, list(root.handlers)]

        before = all_of_it()
        self.run(self.tasks.add(1, 2))
        assert all_of_it() == before

    def test_variables_of_a_node(self) -> None:
        """A node's environment variables are set where it runs, and nowhere else."""
        self.needs(not self.shares, "tasks run beside one another in one process")
        o = self.odd
        given = {"env_vars": {"DUALDAG_SUITE": "seen"}}
        nodes = [o.variable("DUALDAG_SUITE").options(runtime_env=given), o.variable("DUALDAG_SUITE", 1)]
        assert self.run(nodes) == ["seen", None]
        assert "DUALDAG_SUITE" not in environment()

    def test_what_a_task_complains_of_is_kept_with_it(self) -> None:
        """What a task writes to the error stream is kept with its node, once."""
        self.run([self.odd.complain(i).named(f"node{i}") for i in range(3)])
        opened = dag.store(self.store)
        _, events = opened.run(opened.runs()[0].id)
        told = {event["label"]: event["message"] for event in events if event["kind"] == "output"}
        assert told == {f"node{i}": f"complaint {i}\n" for i in range(3)}

    def test_ctrl_c(self, tmp_path: Path) -> None:
        """Ctrl-C ends the program, starts nothing more, and costs only what was in flight."""
        path = tmp_path / "interrupted.py"
        path.write_text(_INTERRUPTED, encoding="utf-8")
        program = self.script(path, self.folder)
        until = time.monotonic() + 60
        while self.marks("ended") < 3 and time.monotonic() < until and program.poll() is None:
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=60)
        assert program.returncode not in {None, 0}, told
        assert "KeyboardInterrupt" in told
        self._settle()
        first = self.marks("began")
        assert 3 <= first < 30
        program = self.script(path, self.folder)
        out, told = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, "435\n"), told
        # At the most what ran, and what had been told to the driver in the moment of the signal.
        assert self.marks("began") <= 30 + 2 * self.workers

    def _settle(self) -> None:
        """Wait until nothing more begins; what a worker was at may still end."""
        count = -1
        while count != self.marks("began"):
            count = self.marks("began")
            time.sleep(1.0)

    # Workers that die.

    def test_killed_worker(self) -> None:
        """A task whose worker is killed runs again, and no other is lost."""
        self.needs(self.kills, "tasks run in this process")
        t = self.tasks
        others = [t.nap(0.05, i) for i in range(6)]
        got = self.run([t.kill_once(self.folder), *others])
        assert got == [2, *range(6)]

    def test_max_retries(self) -> None:
        """A node may say how often it is given to another worker."""
        self.needs(self.kills, "tasks run in this process")
        assert self.run(self.odd.kill_times(self.folder, 3).options(max_retries=4)) == 3

    def test_worker_that_always_dies(self) -> None:
        """A task that ends its worker each time is a `WorkerLostError` that names it; all others are kept."""
        self.needs(self.kills, "tasks run in this process")
        t = self.tasks
        good = [t.counted(self.folder, f"good{i}", i).options(persist=True) for i in range(3)]
        with pytest.raises(ExceptionGroup) as caught:
            self.run([t.kill_always(self.folder), *good], keep_going=True)
        (error,) = caught.value.exceptions
        assert isinstance(error, dag.WorkerLostError)
        assert "kill_always" in str(error)
        assert [self.marks(f"good{i}") for i in range(3)] == [1, 1, 1]
        assert self.run(t.add(1, 1)) == 2
