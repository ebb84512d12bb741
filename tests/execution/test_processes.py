"""Worker processes: what travels, what is found out on arrival, what happens when they die."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import textwrap
import time

import psutil
import pytest

import dualdag as dag
from dualdag.execution import get_backend
from dualdag.testing import BackendSuite


class TestMemoryStore(BackendSuite):
    """Workers can't reach a store in this process's memory: the driver publishes for them."""

    backend = "processes"
    kills = True
    count = 0

    def make_store(self, folder):
        TestMemoryStore.count += 1
        return f"memory://suite-{os.getpid()}-{TestMemoryStore.count}"

    test_lost_object_is_made_again = None


@dag.task
def pid(_):
    return os.getpid()


@dag.task
def environment(names):
    return [os.environ.get(name) for name in names]


@dag.task
def where(_):
    return os.getcwd()


def run(x, tmp_path, **options):
    return dag.run(x, backend="processes", workers=2, store=str(tmp_path / "store"), progress="off", **options)


def test_workers_are_kept_between_runs(tmp_path):
    first = run(pid(1), tmp_path)
    assert first != os.getpid()
    assert psutil.pid_exists(first)
    seen = {run(pid(("again", i)), tmp_path) for i in range(4)}
    assert first in seen


def test_a_worker_killed_while_idle_is_replaced(tmp_path):
    first = run(pid("idle"), tmp_path)
    for worker in get_backend("processes", workers=2)._pool._idle:
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.join()
    second = run(pid("idle again"), tmp_path)
    assert second != first


def test_shutdown_ends_the_workers(tmp_path):
    worker = run(pid("shutdown"), tmp_path)
    dag.shutdown()
    assert not psutil.pid_exists(worker)
    assert run(pid("after shutdown"), tmp_path) != worker


def test_threads_inside_workers_are_limited(tmp_path):
    names = ["OMP_NUM_THREADS", "POLARS_MAX_THREADS"]
    found = run(environment(names), tmp_path)
    assert all(int(value) * 2 <= max(2, os.cpu_count()) for value in found)
    assert os.environ.get("POLARS_MAX_THREADS") is None


def test_workers_follow_the_working_folder(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert run(where(name), tmp_path) == str(tmp_path / name)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder on sys.path with a module; returns what writes and imports it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name, text):
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        if name in sys.modules:
            return importlib.reload(sys.modules[name])
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
        return sys.modules[name]

    return write


HELPER = """
RATE = {rate}

def helper(x):
    return x * RATE + {more}
"""


def test_workers_run_what_was_hashed_not_what_they_imported_before(project, tmp_path):
    helper = project("far_helper", HELPER.format(rate=2, more=0))

    def build(x):
        @dag.task
        def scaled(x):
            return helper.helper(x)

        return scaled(x)

    assert run(build(5), tmp_path) == 10
    helper = project("far_helper", HELPER.format(rate=2, more=1))
    assert run(build(5), tmp_path) == 11
    helper.RATE = 7  # only here, in memory
    assert run(build(5), tmp_path) == 36


def test_modules_added_to_the_path_late(project, tmp_path):
    run(pid("before"), tmp_path)
    late = project("late_module", "def double(x):\n    return 2 * x\n")
    assert run(dag.task(late.double)(4), tmp_path) == 8


def test_module_that_no_worker_can_import(tmp_path):
    import types

    module = types.ModuleType("made_up_module")
    module.__file__ = str(tmp_path / "made_up.py")
    source = "BASE = 40\n\ndef base():\n    return BASE\n\ndef answer(x):\n    return base() + x\n"
    (tmp_path / "made_up.py").write_text(source)
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    sys.modules["made_up_module"] = module
    try:
        assert run(dag.task(module.answer)(2), tmp_path) == 42
    finally:
        del sys.modules["made_up_module"]


def test_large_literals_and_results_stay_out_of_the_pipe(tmp_path):
    numpy = pytest.importorskip("numpy")

    @dag.task(persist=False)
    def plus(array):
        array += 1
        return array

    literal = dag.value(numpy.zeros(1_000_000))
    node = plus(plus(literal)).options(persist=False)
    assert run(node, tmp_path).sum() == 2_000_000
    assert run(literal, tmp_path).sum() == 0


def test_output_of_a_large_fan_in_arrives(tmp_path):
    @dag.task(persist=False)
    def big(i):
        return bytes(300_000) + bytes([i])

    @dag.task
    def last(values):
        return [value[-1] for value in values]

    assert run(last([big(i) for i in range(20)]), tmp_path) == list(range(20))


def test_timeout_ends_the_process(tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()

    @dag.task(timeout=0.5)
    def stuck(folder):
        (__import__("pathlib").Path(folder) / str(os.getpid())).touch()
        time.sleep(60)

    with pytest.raises(dag.TaskTimeoutError):
        run(stuck(str(pids)), tmp_path)
    (name,) = os.listdir(pids)
    assert not psutil.pid_exists(int(name))


def test_timeout_is_retried(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    @dag.task(timeout=2, retries=1)
    def slow_at_first(folder):
        from pathlib import Path

        count = len(list(Path(folder).iterdir()))
        Path(folder, str(count)).touch()
        if not count:
            time.sleep(60)
        return count

    assert run(slow_at_first(str(marks)), tmp_path) == 1


def test_an_interruption_loses_no_worker(tmp_path, monkeypatch):
    import multiprocessing.connection

    plain = multiprocessing.connection.Connection.send_bytes
    sent = []

    def interrupted(self, data, *more):
        plain(self, data, *more)
        if b"sleeper" in bytes(data):
            sent.append(self)
            raise KeyboardInterrupt

    @dag.task
    def sleeper(x):
        time.sleep(60)
        return x

    run(pid("warm"), tmp_path)
    before = {child.pid for child in psutil.Process().children()}
    monkeypatch.setattr(multiprocessing.connection.Connection, "send_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(sleeper(1), tmp_path)
    monkeypatch.undo()
    assert len(sent) == 1
    after = {child.pid for child in psutil.Process().children()}
    assert len(before & after) < len(before)
    assert run(pid("next"), tmp_path) not in before - after


def test_a_worker_that_cannot_start(tmp_path, monkeypatch):
    from dualdag.execution.embedded import _pool

    dag.shutdown()
    monkeypatch.setattr(_pool, "serve", os._exit)
    with pytest.raises(dag.WorkerLostError, match="pid"):
        run(pid("never"), tmp_path)


def test_closing_a_pool_ends_workers_in_any_hand():
    from dualdag.execution.embedded._pool import Pool

    pool = Pool(2, {})
    worker = pool.take()
    assert worker.alive
    pool.close()
    assert not psutil.pid_exists(worker.process.pid)


def test_two_runs_share_limits_of_threads():
    pytest.importorskip("numpy")
    from threadpoolctl import threadpool_info

    from dualdag.execution._inner import InnerThreads

    before = [row["num_threads"] for row in threadpool_info()]
    one, two = InnerThreads(2), InnerThreads(2)
    one.apply()
    two.apply()
    one.restore()
    two.restore()
    assert [row["num_threads"] for row in threadpool_info()] == before
