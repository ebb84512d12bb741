"""What is Dask's alone, on one small cluster of the module's own; the shipped suite runs in `test_suite.py`."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("distributed")

import dualdag as dag


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    from dualdag_dask._connect import here, start

    made, cluster = start(2, {})
    yield made
    made.close()
    cluster.close()
    here(None)


@dag.task
def add(x, y):
    return x + y


@dag.task
def who(n):
    return n, os.getpid()


def test_an_address_where_nobody_answers_is_told_in_time(tmp_path):
    start = time.monotonic()
    with pytest.raises(dag.BackendError, match=r"dask://127\.0\.0\.1:9"):
        dag.run(add(1, 2), backend="dask://127.0.0.1:9", store=tmp_path / "store")
    assert time.monotonic() - start < 10


def test_the_current_client_is_taken_and_left_open(client, tmp_path):
    from distributed import Client

    with Client(client.scheduler.address) as current:
        pids = set(current.run(os.getpid).values())
        assert dag.run(who(3), backend="dask", store=tmp_path / "store")[1] in pids
        assert current.status == "running"
    dag.shutdown()
    assert client.status == "running"


def test_the_address_of_the_environment(client, tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", client.scheduler.address)
    pids = set(client.run(os.getpid).values())
    assert dag.run(who(4), backend="dask", workers=1, store=tmp_path / "store")[1] in pids
    dag.shutdown()
    assert client.status == "running"


@pytest.mark.parametrize("asked", [{"num_gpus": 1}, {"resources": {"tape": 2}}, {"memory": "900TB"}])
def test_a_resource_that_no_worker_has_is_told_of_before_anything_runs(client, tmp_path, asked):
    @dag.task
    def mark(folder):
        open(os.path.join(folder, "ran"), "w").close()
        return 1

    below = add(mark(str(tmp_path)), 1).options(**asked)
    with pytest.raises(dag.BackendError, match="no worker of the Dask cluster"):
        dag.run(below, backend=client, store=tmp_path / "store")
    assert not (tmp_path / "ran").exists()


def test_a_module_that_workers_lack_is_no_hang(client, tmp_path, monkeypatch):
    # It is there when the graph is made, and gone from every place that a worker looks into.
    module = types.ModuleType("module_of_the_driver_alone")
    exec("class Odd:\n    def __init__(self, n): self.n = n\ndef give(n):\n    return Odd(n).n + 1\n", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    @dag.task
    def use(n):
        import module_of_the_driver_alone

        return module_of_the_driver_alone.give(n)

    with pytest.raises(ModuleNotFoundError, match="module_of_the_driver_alone"):
        dag.run(use(1), backend=client, store=tmp_path / "store")
    assert dag.run(add(1, 1), backend=client, store=tmp_path / "store") == 2


def test_a_store_that_workers_do_not_reach(client):
    url = "memory://test-dask-by-the-driver"
    total = add(0, 0)
    for n in range(5):
        total = add(total, n).options(persist=True)
    assert dag.run(total, backend=client, store=url) == 10
    again = add(total, 1)
    assert dag.run(again, backend=client, store=url) == 11


def test_nothing_stays_behind(client, tmp_path):
    dag.run([add(n, n) for n in range(50)], backend=client, store=tmp_path / "store")
    deadline = time.monotonic() + 5
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0
    assert not client.futures


@pytest.mark.parametrize("scheduler", ["sync", "threads", "distributed"])
def test_to_dask_composes(client, scheduler):
    from dask import delayed

    inner = add(1, 2)
    lazy = dag.to_dask({"three": inner, "ten": add(inner, 7)})
    total = delayed(sum)([lazy["three"], lazy["ten"]])
    assert len([key for key in lazy["ten"].dask if str(key).startswith("add-")]) == 2
    found = client.compute(total).result() if scheduler == "distributed" else total.compute(scheduler=scheduler)
    assert found == 13


def test_to_dask_raises_what_a_task_raises():
    @dag.task
    def bad(n):
        raise KeyError(n)

    with pytest.raises(KeyError):
        dag.to_dask(bad(1)).compute(scheduler="sync")


def test_a_worker_that_is_new_to_the_run_unpickles_classes_from_its_folders(client, tmp_path, monkeypatch):
    source = "class Place:\n    def __init__(self, x):\n        self.x = x\n\n"
    source += "def make(x):\n    return Place(x)\n\ndef read(*places):\n    return [place.x for place in places]\n"
    (tmp_path / "places_of_this_test.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    places = importlib.import_module("places_of_this_test")
    one, other = client.scheduler_info()["workers"]
    make = dag.task(places.make, persist=False, workers=one)
    read = dag.task(places.read, workers=other)
    got = dag.run(read(*[make(k) for k in range(20)]), backend=client, store=tmp_path / "store")
    assert got == list(range(20))
