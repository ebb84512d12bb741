"""What is Ray's alone, on one small cluster of the module's own; the shipped suite runs in `test_suite.py`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator

import pytest

import dualdag as dag

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cluster for the module; backends find the process connected to it."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
            object_store_memory=400_000_000, _temp_dir=folder, resources={"disk": 1},
        )  # fmt: skip
        yield
        dag.shutdown()
        ray.shutdown()


@dag.task
def double(x):
    return x * 2


@dag.task
def array(n):
    import numpy as np

    return np.arange(n)


@dag.task(persist=False)
def where(*_):
    return os.getpid()


def run(x, **options):
    return dag.run(x, backend="ray", progress="off", **options)


def test_what_was_open_stays_open():
    job = ray.get_runtime_context().get_job_id()
    assert run(double(4)) == 8
    dag.shutdown()
    assert ray.is_initialized()
    assert ray.get_runtime_context().get_job_id() == job
    assert run(double(5)) == 10


def test_refs_keep_the_container_and_compose():
    @ray.remote
    def add(x, y):
        return x + y

    b = double(1)
    refs = dag.to_ray({"a": double(3), "b": [b, dag.value(7)]}, progress="off")
    assert isinstance(refs["a"], ray.ObjectRef)
    assert ray.get(add.remote(refs["a"], refs["b"][0])) == 8
    assert ray.get(refs["b"][1]) == 7
    again = dag.to_ray(double(3), progress="off")
    assert ray.get(again) == 6
    unkept = dag.to_ray(array(5).options(persist=False), progress="off")
    assert ray.get(unkept).tolist() == [0, 1, 2, 3, 4]


@dag.task(num_cpus=64)
def too_large(x):
    return x


@dag.task(resources={"disk": 1}, num_cpus=0.5, memory="1MB")
def on_disk(x):
    return x + 1


def test_unmet_resources_are_told_before_anything_runs(tmp_path):
    mark = tmp_path / "mark"

    @dag.task
    def marked(path):
        open(path, "w").close()
        return 1

    with pytest.raises(dag.BackendError, match=r"CPU=64.*CPU=2"):
        run(too_large(marked(str(mark))))
    assert not mark.exists()
    assert run(on_disk(1)) == 2


def test_results_are_writable_and_their_own():
    node = array(10).options(persist=False)
    got = run(node)
    got[0] = 5
    assert run(node)[0] == 0


def test_values_around_the_limit_of_inlining():
    sizes = [99 * 1024, 101 * 1024, 3_000_000]

    @dag.task(persist=False)
    def make(n):
        return b"x" * n

    @dag.task(persist=False)
    def length(data, literal):
        return len(data) + len(literal)

    assert run([length(make(n), b"y" * n) for n in sizes]) == [2 * n for n in sizes]


def test_a_stored_value_in_memory_goes_by_the_driver():
    assert run(double(array(3)).options(persist=True), store="memory://ray-test").tolist() == [0, 2, 4]


@dag.task
def killed(x):
    os.kill(os.getpid(), signal.SIGKILL)


def test_innocents_are_done_where_one_kills_its_worker():
    others = [double(i) for i in range(20)]
    with pytest.raises(ExceptionGroup) as caught:
        run([killed(1), *others], keep_going=True)
    (error,) = caught.value.exceptions
    assert isinstance(error, dag.WorkerLostError)
    assert "killed" in str(error)
    assert dag.plan(others).counts["run"] == 0


def test_ten_thousand_cheap_tasks():
    @dag.task(persist=False)
    def noop(i):
        return i

    @dag.task(persist=False)
    def gather(values):
        return len(values)

    assert run(gather([noop(i) for i in range(10_000)])) == 10_000


def script(tmp_path, text, **environment):
    """Run a program of its own; return what it printed."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(text))
    env = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | environment
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = """
        import dualdag as dag, time
        try:
            dag.run(dag.task(lambda: 1)(), backend=BACKEND, progress="off")
        except dag.BackendError as error:
            print(error)
    """
    for backend, environment in ((f"ray://127.0.0.1:{port}", {}), ("ray", {"RAY_ADDRESS": f"127.0.0.1:{port}"})):
        start = time.monotonic()
        told = script(tmp_path, text.replace("BACKEND", repr(backend)), **environment)
        assert f"127.0.0.1:{port}" in told
        assert time.monotonic() - start < 10
    told = script(tmp_path, text.replace("BACKEND", repr("ray://nowhere")))
    assert "is no address" in told


def test_a_cluster_of_our_own_leaves_no_trace(tmp_path):
    text = """
        import logging, os, signal, sys
        import dualdag as dag

        @dag.task
        def one(x):
            return x + 1

        handler = lambda *_: None
        if __name__ == "__main__":
            signal.signal(signal.SIGTERM, handler)
            before = dict(os.environ), sys.excepthook, list(logging.getLogger("ray").handlers)
            level = logging.getLogger("ray").level
            assert dag.run(one(1), backend="ray", workers=1, backend_options={"object_store_memory": 100_000_000}, progress="off") == 2
            assert signal.getsignal(signal.SIGTERM) is handler
            import ray
            assert ray.is_initialized()
            dag.shutdown()
            assert not ray.is_initialized()
            after = dict(os.environ), sys.excepthook, list(logging.getLogger("ray").handlers)
            print({k: (before[0].get(k), after[0].get(k)) for k in before[0].keys() | after[0].keys() if before[0].get(k) != after[0].get(k)})
            assert before == after
            assert logging.getLogger("ray").level == level
            print("as before")
    """
    assert "as before" in script(tmp_path, text)


def test_a_cluster_outlives_the_thread_that_started_it(tmp_path):
    text = """
        import threading
        import dualdag as dag

        @dag.task
        def one(x):
            return x + 1

        def run(x):
            found.append(dag.run(one(x), backend="ray", workers=1, backend_options={"object_store_memory": 100_000_000}))

        if __name__ == "__main__":
            found = []
            for x in range(2):
                thread = threading.Thread(target=run, args=(x,))
                thread.start()
                thread.join()
            run(2)
            print(found)
            dag.shutdown()
    """
    assert "[1, 2, 3]" in script(tmp_path, text)


ELSEWHERE = """
    import os, sys
    import dualdag as dag
    import helpers

    @dag.task
    def f(x):
        return helpers.plus(x), os.path.basename(os.getcwd())

    @dag.task
    def bad(x):
        raise helpers.OddError(why="because")

    if __name__ == "__main__":
        print(dag.run(f(1), backend=sys.argv[1], progress="off"))
        try:
            dag.run(bad(1), backend=sys.argv[1], progress="off")
        except helpers.OddError as error:
            print(error.why)
        dag.shutdown()
"""

HELPERS = """
    def plus(x):
        return x + 41

    class OddError(Exception):
        def __init__(self, *, why):
            super().__init__()
            self.why = why
"""


@contextlib.contextmanager
def started_by_hand(tmp_path, **environment):
    """A cluster of somebody's, in a folder of its own; gives its port and that of Ray Client, or None."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    client = importlib.util.find_spec("grpc") is not None
    away = tmp_path / "away"
    away.mkdir()
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
            f"--port={ports[0]}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder}",
            "--object-store-memory=100000000", *([f"--ray-client-server-port={ports[1]}"] if client else []),
        ]  # fmt: skip
        log = tmp_path / "head.log"
        env = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"RAY_AUTH_MODE": "disabled"}
        env |= environment
        with log.open("w") as out:
            started = subprocess.Popen(command, cwd=away, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            deadline = time.monotonic() + 40
            while "Ray runtime started" not in log.read_text():
                assert started.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield ports[0], ports[1] if client else None
            assert started.poll() is None
        finally:
            os.killpg(started.pid, signal.SIGTERM)
            try:
                started.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(started.pid, signal.SIGKILL)
                started.wait()


@pytest.fixture
def head(tmp_path):
    with started_by_hand(tmp_path) as ports:
        yield ports


@pytest.mark.timeout(240)
def test_a_cluster_elsewhere_gets_the_projects_modules(tmp_path, head):
    port, client = head
    (tmp_path / "helpers.py").write_text(textwrap.dedent(HELPERS))
    text = textwrap.dedent(ELSEWHERE).replace("sys.argv[1]", "BACKEND")
    told = script(tmp_path, text.replace("BACKEND", "'ray'"), RAY_ADDRESS=f"127.0.0.1:{port}", RAY_AUTH_MODE="disabled")
    assert "(42, " in told
    assert "because" in told
    if client is None:
        return
    told = script(
        tmp_path,
        text.replace("BACKEND", f"'ray://127.0.0.1:{client}'").replace("f(1)", "f(2)"),
        RAY_AUTH_MODE="disabled",
    )
    assert "(43, 'away')" in told
    assert "because" in told


# A cluster's proxy with this on its path loses the first server that it forks for a client.
FIRST_SERVER_DIES = """
    import os, signal, subprocess, sys

    if "--mode=proxy" in sys.orig_argv:
        start = subprocess.Popen.__init__

        def first(self, args, **options):
            subprocess.Popen.__init__ = start
            open("died", "w").close()
            start(self, args, **options | {"preexec_fn": lambda: os.kill(os.getpid(), signal.SIGKILL)})

        def either(self, args, **options):
            (first if "--mode=specific-server" in args else start)(self, args, **options)

        subprocess.Popen.__init__ = either
"""


@pytest.mark.timeout(240)
@pytest.mark.skipif(importlib.util.find_spec("grpc") is None, reason="needs ray[client]")
def test_a_client_joins_although_the_first_server_that_the_cluster_forks_for_it_dies(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(FIRST_SERVER_DIES))
    path = os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    with started_by_hand(tmp_path, PYTHONPATH=path) as (_, client):
        told = script(
            tmp_path,
            f"""
            import dualdag as dag

            @dag.task
            def f(x):
                return x + 1

            if __name__ == "__main__":
                print(dag.run(f(1), backend="ray://127.0.0.1:{client}", progress="off"))
                dag.shutdown()
            """,
            RAY_AUTH_MODE="disabled",
        )
    assert told.split() == ["2"]
    assert (tmp_path / "away" / "died").exists()
