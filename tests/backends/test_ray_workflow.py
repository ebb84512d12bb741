"""What only Ray Workflows do, on a Ray that has them; the shipped suite runs in `test_suite.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.execution import get_backend
from dualdag.store import open_store
from dualdag_ray._workflow import WorkflowBackend
from dualdag_ray._workflow_cluster import require_workflows
from tests.backends.engines import needs_workflows, ray_version


@dag.task
def number(n: int) -> int:
    return n


@dag.task(persist=False)
def table(n: int) -> list[int]:
    return list(range(n))


@dag.task(persist=False)
def total(values: list[int]) -> int:
    return sum(values)


FLOW = """
import sys, time
from pathlib import Path
import dualdag as dag

@dag.task(persist=True)
def nap(folder, i):
    Path(folder, f"{i}-{time.time_ns()}").touch()
    time.sleep(0.3)
    return i

if __name__ == "__main__":
    url, store, marks = sys.argv[1:]
    naps = [nap(marks, i) for i in range(12)]
    print(sum(dag.run(naps, backend=url, store=store, workers=2, progress="off")))
"""


def flow(folder: Path, *args: str) -> subprocess.Popen[str]:
    (folder / "flow.py").write_text(FLOW)
    return subprocess.Popen(
        [sys.executable, "flow.py", *args],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def run_killed_and_again(url: str, folder: Path) -> int:
    """Kill a driver after some nodes, run again, and return how often nodes ran more than once."""
    marks = folder / "marks"
    marks.mkdir()
    driver = flow(folder, url, str(folder / "store"), str(marks))
    end = time.monotonic() + 60
    while len(list(marks.iterdir())) < 6:
        assert driver.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    driver.kill()
    driver.communicate()
    again = flow(folder, url, str(folder / "store"), str(marks))
    out, _ = again.communicate(timeout=90)
    assert out.split() == ["66"]
    return len(list(marks.iterdir())) - 12


@needs_workflows
def test_killed_driver_costs_what_was_in_flight(tmp_path: Path) -> None:
    # Two ran, and what came to an end in the last moments may not have been recorded.
    assert run_killed_and_again("ray-workflow", tmp_path) <= 6


@needs_workflows
def test_values_pass_through_the_store_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = tmp_path / "workflows"
    backend = WorkflowBackend(workers=2, options={"storage": storage.as_uri()})
    seen: list[int] = []
    cluster = backend._cluster
    get = cluster.get

    def count(ref: Any) -> bytes:
        seen.append(len(data := get(ref)))
        return data

    monkeypatch.setattr(cluster, "get", count)
    monkeypatch.setattr(cluster, "forget", lambda names: None)
    get_backend("ray-workflow", workers=2).close()
    try:
        node = total(table(200_000))
        assert dag.run(node, backend=backend, store=str(tmp_path / "store"), progress="off") == 19999900000
        sizes = [path.stat().st_size for path in storage.rglob("*") if path.is_file()]
        assert sizes
        assert max(sizes) < 20_000
        assert max(seen) < 20_000
    finally:
        backend.close()


@needs_workflows
def test_workflows_are_deleted_when_their_tokens_were_taken(tmp_path: Path) -> None:
    get_backend("ray-workflow", workers=2).close()
    storage = tmp_path / "workflows"
    backend = WorkflowBackend(workers=1, options={"storage": storage.as_uri()})
    try:
        assert dag.run(number(3), backend=backend, store=str(tmp_path / "store"), progress="off") == 3
        assert not list(storage.rglob("output.pkl"))
    finally:
        backend.close()


@needs_workflows
def test_nodes_that_do_not_see_the_store(tmp_path: Path) -> None:
    class Elsewhere:
        url = "/only/here"

        def save(self, value: object) -> object:
            return type("Saved", (), {"checksum": b"none"})

        def has_objects(self, checksums: list[bytes]) -> set[bytes]:
            return set()

    backend = get_backend("ray-workflow", workers=2)
    assert dag.run(number(4), backend=backend, store=str(tmp_path / "store"), progress="off") == 4
    store = open_store(str(tmp_path / "store"))
    backend._cluster._probe(store)
    store.close()
    with pytest.raises(dag.BackendError, match=r"/only/here.*is not the same folder on node"):
        backend._cluster._probe(Elsewhere())


@needs_workflows
def test_what_no_cluster_has_is_refused_before_it_runs(tmp_path: Path) -> None:
    node = number(1).options(resources={"teapot": 1})
    with pytest.raises(dag.BackendError, match=r"asks for teapot=1, and this Ray has teapot=0"):
        dag.run(node, backend="ray-workflow", workers=2, store=str(tmp_path / "store"), progress="off")


@needs_workflows
def test_store_in_memory_is_refused() -> None:
    with pytest.raises(dag.BackendError, match=r"give one that workers reach"):
        dag.run(number(1), backend="ray-workflow", workers=2, store="memory://workflow-test", progress="off")


@needs_workflows
def test_nobody_at_the_address(tmp_path: Path) -> None:
    started = time.monotonic()
    get_backend("ray-workflow", workers=2).close()
    with pytest.raises(dag.BackendError, match=r"no Ray answers at '127\.0\.0\.1:9'"):
        dag.run(number(1), backend="ray-workflow://127.0.0.1:9", store=str(tmp_path / "store"), progress="off")
    assert time.monotonic() - started < 10


@needs_workflows
def test_asking_for_it_imports_no_ray() -> None:
    code = (
        "from dualdag.execution import get_backend\n"
        "assert get_backend('ray-workflow').name == 'ray-workflow'\n"
        "import sys\n"
        "assert 'ray' not in sys.modules"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


@pytest.mark.skipif(ray_version() < (2, 48), reason="needs a Ray without workflows")
def test_newer_ray_says_what_serves_instead() -> None:
    with pytest.raises(dag.BackendError, match=r"up to 2\.47") as caught:
        get_backend("ray-workflow")
    assert 'pip install "dualdag[ray-workflow]"' in str(caught.value)
    assert "backend='ray'" in str(caught.value)


def test_message_of_a_newer_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualdag_ray._workflow_cluster.version", lambda name: "2.60.0")
    with pytest.raises(dag.BackendError, match=r"up to 2\.47; this is Ray 2\.60\.0"):
        require_workflows("ray-workflow")


def test_message_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("dualdag_ray._workflow_cluster.version", missing)
    with pytest.raises(dag.BackendNotInstalledError, match=r"dualdag\[ray-workflow\]"):
        require_workflows("ray-workflow")
