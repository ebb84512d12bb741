"""What is Ray's alone, on one small cluster of the module's own; the shipped suite runs in `test_suite.py`."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator

import pytest

import dualdag as dag
from tests.backends.engines import script

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


def test_a_worker_that_is_new_to_the_run_unpickles_classes_from_its_folders(tmp_path, monkeypatch):
    source = "class Point:\n    def __init__(self, x):\n        self.x = x\n\n"
    source += "def make(x):\n    return Point(x)\n\ndef read(*points):\n    return [point.x for point in points]\n"
    (tmp_path / "points_of_this_test.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = importlib.import_module("points_of_this_test")
    make, read = dag.task(points.make, persist=False), dag.task(points.read)
    # Another environment is another process, which starts for this task and has run nothing yet.
    elsewhere = {"env_vars": {"DUALDAG_TEST": "new"}}
    assert run(read(make(0)).options(runtime_env=elsewhere)) == [0]
    elsewhere = {"env_vars": {"DUALDAG_TEST": "newer"}}
    assert run(read(*[make(k) for k in range(1, 50)]).options(runtime_env=elsewhere)) == list(range(1, 50))
