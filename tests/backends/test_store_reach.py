"""A store that workers do not reach: found out before anything runs, and then this process keeps the results."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import dualdag as dag

pytestmark = pytest.mark.timeout(300)

PATHS = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)


def installed(name):
    try:
        return tuple(int(part) for part in version(name).split(".")[:2])
    except PackageNotFoundError:
        return (0,)


@dag.task(persist=True)
def made(n):
    return os.getpid(), list(range(n))


@dag.task(persist=True)
def taken(value, n):
    return len(value[1]) + n


def elsewhere(folder, text):
    """Return variables under which a worker sees nothing of this machine's folders."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": os.pathsep.join([str(folder), PATHS])}


def by_the_driver(backend, store):
    """Run twice: what the workers could not keep, this process did."""
    pid, items = dag.run(made(5), backend=backend, store=store, progress="off")
    assert pid != os.getpid()
    assert items == [0, 1, 2, 3, 4]
    # What is stored here is passed to workers that can't read it.
    assert dag.run(taken(made(5), 1), backend=backend, store=store, progress="off") == 6
    assert dag.plan(taken(made(5), 1), store=store).counts["run"] == 0


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_dask(place, tmp_path, monkeypatch, dask_scheduler):
    pytest.importorskip("distributed")
    view = """
import dualdag_dask._worker as worker
old = worker.hello
def hello(folder):
    version, python, machine, number = old("")
    return version, python, "elsewhere", 0
worker.hello = hello
"""
    backend = f"dask://{dask_scheduler(worker=elsewhere(tmp_path / 'view', view))}"
    monkeypatch.chdir(tmp_path)
    by_the_driver(backend, "relative" if place == "folder" else "memory://reach-dask")
    dag.shutdown()


@pytest.mark.skipif(installed("ray") < (2, 48), reason="needs Ray 2.48 or later")
@pytest.mark.parametrize("place", ["folder", "memory"])
def test_ray(place, tmp_path, monkeypatch, ray_head):
    view = """
import sys
if any("default_worker" in one for one in getattr(sys, "orig_argv", ())):
    import dualdag_ray._remote as remote
    old = remote.look_around
    def look_around(marker):
        return old("")[0], False
    remote.look_around = look_around
"""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    head = ray_head(RAY_AUTH_MODE="disabled", **elsewhere(tmp_path / "view", view))
    if head.client is None:
        pytest.skip("needs Ray Client")
    monkeypatch.chdir(tmp_path)
    by_the_driver(head.client, "relative" if place == "folder" else "memory://reach-ray")
    dag.shutdown()


def test_processes(tmp_path):
    by_the_driver("processes", "memory://reach-processes")
    dag.shutdown()


@pytest.mark.skipif(not (2, 0) < installed("ray") <= (2, 47), reason="needs Ray 2.47 or before")
def test_ray_workflow_refuses_a_store_in_memory():
    with pytest.raises(dag.BackendError, match=r"the store 'memory://reach-workflow' is in this process's memory"):
        dag.run(made(1), backend="ray-workflow", store="memory://reach-workflow", progress="off")
    dag.shutdown()


def test_the_docs_say_so():
    text = (Path(__file__).parents[2] / "docs" / "backends.md").read_text()
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", text[text.index("## Where results are kept") :], re.MULTILINE
    )
    table = {row[0]: row[1:] for row in rows}
    assert table["`dask`, `ray`"][:2] == ("by this process", "by this process")
    assert table["`processes`"][0] == "by this process"
    assert table["`ray-workflow`"][:2] == ("a `BackendError`", "a `BackendError`")
