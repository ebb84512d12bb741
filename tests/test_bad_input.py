"""Whatever is wrong with the input: one clear error or a right answer, and nothing kept before is lost."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap

import pytest

import dualdag as dag


@dag.task
def add(x, y):
    return x + y


@dag.task
def size_of(path):
    return os.path.getsize(path)


@dag.task
def touch(path):
    open(path, "w").close()


@pytest.fixture
def store(tmp_path):
    """A store that holds one artifact, which every mishap must leave alone."""
    url = str(tmp_path / "store")
    assert dag.run(add(1, 2).artifact("kept"), store=url) == 3
    yield url
    assert dag.load("kept", store=url) == 3


def test_a_typo_in_a_name(store):
    with pytest.raises(dag.ArtifactNotFoundError, match="kept"):
        dag.load("kpet", store=store)
    with pytest.raises(dag.ArtifactNotFoundError, match="version"):
        dag.load("kept", version=7, store=store)
    with pytest.raises(dag.GraphError, match="'raw'"):
        dag.run(add(1, 2).named("raw"), store=store, refresh=["rwa"])


def test_nothing_to_run(store):
    with pytest.raises(dag.GraphError, match="no node"):
        dag.run([1, 2], store=store)
    assert dag.run([], store=store) == []
    assert dag.plan({}, store=store).counts["run"] == 0


def test_a_missing_file(store, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.csv") as caught:
        dag.run(size_of(dag.file(tmp_path / "absent.csv")).artifact("size"), store=store)
    assert isinstance(caught.value, dag.DualdagError)
    assert "test_bad_input.py" in str(caught.value)


def test_a_store_path_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(dag.StoreError, match="file"):
        dag.run(add(1, 2), store=str(path))
    assert path.read_text() == "mine"


def test_a_store_url_with_one_slash():
    with pytest.raises(dag.ConfigError, match="write file:///tmp/x"):
        dag.store("file:/tmp/x")


def test_a_secret_that_is_too_short_is_refused_everywhere(store, monkeypatch):
    monkeypatch.setenv("DUALDAG_SECRET", "key")
    for use in (dag.store, lambda: dag.load("kept"), lambda: dag.run(add(1, 2)), lambda: dag.plan(add(1, 2))):
        with pytest.raises(dag.ConfigError, match="too short"):
            use()
    monkeypatch.undo()


def test_what_is_fixed_can_not_be_taught():
    with pytest.raises(dag.CodecError, match="fixed"):
        dag.register(list, codec=(bytes, list))
    with pytest.raises(dag.FingerprintError, match="fixed"):
        dag.register(list, digest=repr)


def test_containers_nested_too_deeply_or_in_a_ring(store):
    ring, deep = [1], []
    ring.append(ring)
    for _ in range(5_000):
        deep = [deep]
    for value in (ring, deep):
        for use in (lambda v=value: add(v, 1), lambda v=value: dag.value(v), lambda v=value: dag.run([v, add(1, 2)])):
            with pytest.raises((dag.GraphError, dag.FingerprintError), match=r"deep|holds itself|contains itself"):
                use()


def test_a_store_of_a_protocol_without_its_package():
    with pytest.raises((dag.StoreError, dag.ConfigError), match="pip install"):
        dag.run(add(1, 2), store="gs://bucket/x")
    with pytest.raises((dag.StoreError, dag.ConfigError), match="nosuch"):
        dag.run(add(1, 2), store="nosuch://bucket/x")


def test_an_object_cut_in_half_is_made_again(store, tmp_path):
    target = add("a" * 10_000, "b").artifact("text")
    value = dag.run(target, store=store)
    objects = [p for p in (tmp_path / "store" / "objects").rglob("*") if p.is_file() and p.stat().st_size > 5000]
    assert len(objects) == 1
    data = objects[0].read_bytes()
    objects[0].chmod(0o644)
    objects[0].write_bytes(data[: len(data) // 2])
    with pytest.raises(dag.CorruptObjectError):
        dag.load("text", store=store)
    assert dag.run(target, store=store) == value
    assert dag.load("text", store=store) == value


def test_results_that_cannot_be_kept(store):
    @dag.task
    def lines():
        return (i for i in range(3))

    @dag.task
    def handle():
        import threading

        return threading.Lock()

    for made in (lines(), handle()):
        with pytest.raises(dag.CodecError, match="odd") as caught:
            dag.run(made.artifact("odd"), store=store)
        assert "test_bad_input.py" in str(caught.value)


def test_a_failing_task_raises_its_own_exception_and_loses_nothing(store):
    class OddError(Exception):
        def __init__(self, a, *, b):
            super().__init__(f"{a} and {b}")
            self.b = b

    @dag.task
    def fail(x):
        raise OddError(x, b=2)

    ran = []

    @dag.task(version=1)
    def first():
        ran.append(1)
        return 1

    with pytest.raises(OddError, match="1 and 2") as caught:
        dag.run(fail(first().artifact("first")), store=store)
    assert caught.value.b == 2
    assert "fail" in caught.value.__notes__[0]
    assert dag.load("first", store=store) == 1
    with pytest.raises(OddError):
        dag.run(fail(first().artifact("first")), store=store)
    assert ran == [1]


def test_running_inside_a_task(store):
    @dag.task
    def nested():
        return dag.run(add(1, 2))

    @dag.task
    def returns_a_node():
        return add(1, 2)

    with pytest.raises(dag.GraphError, match="inside the task"):
        dag.run(nested(), store=store)
    with pytest.raises(dag.GraphError, match="node"):
        dag.run(returns_a_node(), store=store)


def test_a_store_that_can_only_be_read(store, tmp_path):
    folder = tmp_path / "store"
    mount = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("needs the right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True, capture_output=True)
        node = add(1, 2).artifact("kept")
        assert dag.plan(node, store=store).counts["run"] == 0
        assert dag.load("kept", store=store) == 3
        assert dag.run(node, store=store) == 3
        with pytest.raises(dag.StoreError, match=r"read-only|Read-only"):
            dag.run(touch(str(tmp_path / "ran")).artifact("new"), store=store)
        assert not (tmp_path / "ran").exists(), "a task ran whose result could not be kept"
        assert dag.run(add(5, 6).options(persist=False), store=store) == 11
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("needs the right to mount")
    try:
        url = str(folder / "store")
        assert dag.run(add(1, 2).artifact("kept"), store=url) == 3
        big = dag.task(os.urandom)
        with pytest.raises(dag.StoreError, match=r"[Ff]ull|space"):
            dag.run(big(8_000_000).artifact("big"), store=url)
        assert dag.load("kept", store=url) == 3
        assert not [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > 1_000_000]
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


FLOW = """
import time
import dualdag as dag

@dag.task
def slow(i):
    time.sleep(0.02)
    return i

@dag.task
def total(xs):
    return sum(xs)

all_of_it = total([slow(i) for i in range(40)]).artifact("total")
"""


def _run_flow(path, store, queue):
    done = subprocess.run(
        [sys.executable, "-m", "dualdag", "run", path, "--store", store, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    queue.put((done.returncode, done.stderr))


def test_two_processes_run_the_same_flow_at_once(store, tmp_path):
    path = tmp_path / "flow.py"
    path.write_text(textwrap.dedent(FLOW))
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=_run_flow, args=(str(path), store, queue)) for _ in range(2)]
    for process in both:
        process.start()
    results = [queue.get(timeout=100) for _ in both]
    for process in both:
        process.join()
    assert [code for code, _ in results] == [0, 0], results
    assert dag.load("total", store=store) == sum(range(40))
    assert len(dag.store(store).versions("total")) == 1
