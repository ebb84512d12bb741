"""What a fault is made with: a driver in a process of its own, its marks, and a killer."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent


def until(condition, seconds=60.0, what="it"):
    """Wait for a condition; return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} never came about"
        time.sleep(0.002)
    return found


class Marks:
    """What the nodes of a run noted: who began where, and who ended."""

    def __init__(self, path):
        self.path = Path(path)

    def lines(self):
        if not self.path.exists():
            return []
        # A reader may see the beginning of a line that is being written.
        whole, _, _ = self.path.read_text().rpartition("\n")
        return [line.split() for line in whole.splitlines()]

    def begun(self):
        """Return how often each node was begun."""
        return Counter(name for kind, name, *_ in self.lines() if kind == "begin")

    def ended(self):
        """Return when each node was last ended."""
        return {name: float(when) for kind, name, _, when in self.lines() if kind == "end"}

    def at_work(self):
        """Return the process and the node of each call that began and has not ended."""
        found = {}
        for kind, name, pid, _ in self.lines():
            if kind == "begin":
                found[int(pid)] = name
            else:
                found.pop(int(pid), None)
        return found

    def again(self):
        """Return how many calls there were beyond the first of each node."""
        begun = self.begun()
        return sum(begun.values()) - len(begun)


def hear_ctrl_c():
    """Let a child hear SIGINT, which whatever runs in the background of a shell is told to ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Driver:
    """A driver process; it leads a session of its own, as under a terminal."""

    def __init__(self, engine, program="fault_driver.py", args=(), environment=None, cwd=None):
        self.folder = tempfile.mkdtemp(prefix="f-", dir="/tmp" if Path("/tmp").is_dir() else None)
        env = {
            name: value for name, value in os.environ.items() if name not in {"RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"}
        }
        env |= {"FAULT_FOLDER": self.folder, "PYTHONDONTWRITEBYTECODE": "1"} | (environment or {})
        env["PYTHONPATH"] = os.pathsep.join([str(HERE), env.get("PYTHONPATH", "")])
        self.errors = Path(self.folder, "stderr").open("w+")  # noqa: SIM115 - closed with the driver
        command = [sys.executable, str(HERE / program), engine, *args] if program else list(args)
        self.process = subprocess.Popen(
            command, env=env, cwd=cwd or self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, start_new_session=True, preexec_fn=hear_ctrl_c,
        )  # fmt: skip
        self.began = time.time()
        self.junk = []
        self._told = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                # Engines may have something to say there too.
                if line.startswith("{"):
                    self._told.put(line)
                else:
                    self.junk.append(line)
        self._told.put("")

    def ask(self, **wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()

    def hear(self, seconds=100.0):
        """Return what the driver says next; None at its end."""
        line = self._told.get(timeout=seconds)
        return json.loads(line) if line else None

    def family(self):
        """Return all processes that descend from the driver, or are of its session."""
        found = {self.process.pid: psutil.Process(self.process.pid)}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            found[child.pid] = child
        return found

    def close(self):
        """End the driver and all of its session."""
        family = list(self.family().values()) if self.process.poll() is None else []
        if self.process.poll() is None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self.process.stdin.write('"end"\n')
                self.process.stdin.flush()
                self.process.wait(20)
        with suppress(OSError):
            self.process.stdin.close()
        for one in family:
            if running(one):
                one.kill()
        self.process.wait(10)
        self._reader.join(10)
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def complaint(self):
        """Return what the driver wrote to its standard error."""
        return Path(self.folder, "stderr").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def running(process):
    """Say whether a process is still there, and more than an entry of the table."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes, seconds=10.0):
    """Wait until all processes have ended; return those that have not."""
    end = time.monotonic() + seconds
    while (left := [one for one in processes if running(one)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


#: A cluster that is not the driver's: two workers; its address is the first line.
DASK = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""

RAY = """
import os, sys
import ray

if __name__ == "__main__":
    found = ray.init(
        address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
        object_store_memory=200_000_000, _temp_dir=os.environ["FAULT_FOLDER"],
    )
    print("at", found.address_info["gcs_address"], flush=True)
    sys.stdin.read()
"""


@contextmanager
def external(engine):
    """Start a cluster in another process; yield what drivers need to find it, and its processes."""
    folder = tempfile.mkdtemp(prefix="f-", dir="/tmp")
    program = Path(folder, "cluster.py")
    program.write_text({"dask": DASK, "ray": RAY}[engine])
    env = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    env |= {"FAULT_FOLDER": folder, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    started = subprocess.Popen(
        [sys.executable, str(program)], env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        line = started.stdout.readline()
        while not line.startswith(("tcp://", "at ")):
            assert line, "the cluster did not start"
            line = started.stdout.readline()
        address = line.split()[-1]
        found = {"DASK_SCHEDULER_ADDRESS": address} if engine == "dask" else {"RAY_ADDRESS": address}
        yield found | {"RAY_AUTH_MODE": "disabled"}, started
        assert started.poll() is None
    finally:
        family = psutil.Process(started.pid).children(recursive=True) if started.poll() is None else []
        started.stdin.close()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        started.stdout.close()
        for one in gone(family, 3):
            one.kill()
        shutil.rmtree(folder, ignore_errors=True)


def quiet(marks):
    """Say whether no node notes anything for a second, of which each would note many things."""
    before = len(marks.lines())
    time.sleep(1.0)
    return len(marks.lines()) == before


class Killer:
    """Kills workers that are at work, at random moments, each time over another node.

    `begun` sums up how many nodes each of the kills found begun: what a kill can cost at the most.
    A node whose worker is lost each time it runs can't be told from one that ends its process.
    """

    def __init__(self, marks, seed, kills, span):
        dice = random.Random(seed)
        self.marks = marks
        self.after = sorted(dice.uniform(0.02, 0.9) for _ in range(kills))
        self.dice = dice
        self.span = span
        self.hit = []
        self.begun = 0

    def strike(self, over):
        """Kill at the moments drawn, counted in nodes that ended; stop when the run is over."""
        for share in self.after:
            while not over():
                if len(self.marks.ended()) >= share * self.span and self._one(over):
                    break
                time.sleep(0.001)

    def _one(self, over):
        time.sleep(self.dice.uniform(0.0, 0.02))
        at_work = [(pid, name) for pid, name in self.marks.at_work().items() if name not in self.hit]
        at_work = [(pid, name) for pid, name in at_work if psutil.pid_exists(pid)]
        if over() or not at_work:
            return False
        pid, name = self.dice.choice(sorted(at_work))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.hit.append(name)
        self.begun += len(self.marks.begun())
        return True
