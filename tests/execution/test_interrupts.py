"""Ctrl-C, killed workers and killed drivers, seen from another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

import dualdag as dag

FLOW = """
import os, sys, time
from pathlib import Path
import dualdag as dag

marks = Path(os.environ["MARKS"])

@dag.task(persist=True)
def quick(x):
    return x + 1

@dag.task
def slow(x, folder):
    Path(folder, f"started-{os.getpid()}").touch()
    time.sleep(60)
    return x

@dag.task
def total(values):
    return sum(values)

def flow():
    heads = [quick(i) for i in range(5)]
    return total([*heads, slow(total(heads), str(marks))])

if __name__ == "__main__":
    try:
        print(dag.run(flow(), backend=sys.argv[1], store=sys.argv[2], workers=2, progress="off"))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise SystemExit(130)
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "flow.py"
    path.write_text(textwrap.dedent(text))
    return path


def start(tmp_path: Path, *args: str) -> subprocess.Popen[str]:
    marks = tmp_path / "marks"
    marks.mkdir(exist_ok=True)
    script = write(tmp_path, FLOW)
    return subprocess.Popen(
        [sys.executable, str(script), *args],
        env={**os.environ, "MARKS": str(marks)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_ctrl_c_stops_at_once_and_keeps_what_was_done(tmp_path, backend):
    child = start(tmp_path, backend, str(tmp_path / "store"))
    until(lambda: list((tmp_path / "marks").glob("started-*")))
    family = psutil.Process(child.pid).children(recursive=True)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert (child.returncode, out.strip()) == (130, "interrupted"), err
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
    # The five heads, and the sum that the slow one was given, need not be run again.
    assert run_heads(tmp_path) == "reuse 5"
    (row,) = dag.store(str(tmp_path / "store")).runs()
    assert row.status == "interrupted"


def run_heads(tmp_path: Path) -> str:
    code = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import flow
    import dualdag as dag
    plan = dag.plan([flow.quick(i) for i in range(5)], store=sys.argv[2])
    print("reuse", plan.counts["reuse"])
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(tmp_path / "store")],
        env={**os.environ, "MARKS": str(tmp_path / "marks")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_no_worker_outlives_a_killed_driver(tmp_path):
    child = start(tmp_path, "processes", str(tmp_path / "store"))
    until(lambda: list((tmp_path / "marks").glob("started-*")))
    family = psutil.Process(child.pid).children(recursive=True)
    assert family
    child.kill()
    child.communicate()
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), 10)


def test_killed_run_leaves_a_journal_and_its_results(tmp_path):
    child = start(tmp_path, "local", str(tmp_path / "store"))
    until(lambda: list((tmp_path / "marks").glob("started-*")))
    time.sleep(0.05)
    child.kill()
    child.communicate()
    assert run_heads(tmp_path) == "reuse 5"
    (row,) = dag.store(str(tmp_path / "store")).runs()
    assert row.status == "unfinished"


def test_a_timed_out_task_does_not_hold_up_the_exit(tmp_path):
    script = write(
        tmp_path,
        """
        import time
        import dualdag as dag

        @dag.task(timeout=0.2)
        def slow(x):
            time.sleep(60)

        for backend in ("sync", "local", "processes"):
            try:
                dag.run(slow(1), backend=backend, progress="off", workers=1)
            except dag.TaskTimeoutError:
                print(backend)
        """,
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=40, cwd=tmp_path)
    assert done.stdout.split() == ["sync", "local", "processes"], done.stderr
    assert time.monotonic() - began < 20


def test_script_without_a_guard_runs_on_processes(tmp_path):
    script = write(
        tmp_path,
        """
        import dualdag as dag

        class Point:
            def __init__(self, x):
                self.x = x

        RATE = 3

        @dag.task
        def make(x):
            return Point(x * RATE)

        @dag.task
        def read(point):
            assert isinstance(point, Point)
            return point.x

        class OwnError(Exception):
            def __init__(self, one, two):
                super().__init__(one)

        @dag.task
        def fail(x):
            raise OwnError(x, 2)

        point = make(2)
        got, value = dag.run([point, read(point)], backend="processes", workers=2, progress="off")
        print(isinstance(got, Point), value)
        try:
            dag.run(fail(1), backend="processes", workers=2, progress="off")
        except OwnError as error:
            print(error.args)
        """,
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=40, cwd=tmp_path)
    assert done.stdout.splitlines() == ["True 6", "(1,)"], done.stderr


def test_two_processes_run_one_flow_at_once(tmp_path):
    script = write(
        tmp_path,
        """
        import sys, time
        import dualdag as dag

        @dag.task
        def stamp(i):
            time.sleep(0.01)
            return i, time.time_ns()      # deterministic=False by mistake: two writers differ

        @dag.task
        def last(values):
            return values

        if __name__ == "__main__":
            heads = [stamp(i).options(persist=True) for i in range(30)]
            print(dag.run(last(heads), backend=sys.argv[1], store=sys.argv[2], progress="off"))
        """,
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(script), backend, str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in ("local", "processes", "sync")
    ]
    told = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], told
    # Kept nodes: whoever came second took the first one's results, so all three tell the same.
    assert len({out for out, _ in told}) == 1, told
