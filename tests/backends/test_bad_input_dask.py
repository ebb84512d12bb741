"""What is wrong between this process and a Dask cluster is said in time, with what to do about it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import textwrap
import time

import pytest

pytest.importorskip("distributed")

import dualdag as dag

pytestmark = pytest.mark.timeout(120)


@dag.task
def one(n):
    return n + 1


def told(backend, tmp_path, node=None, **options):
    """Return what is said twice in the same words, within the time that it may take."""
    found = []
    for _ in range(2):
        start = time.monotonic()
        with pytest.raises(dag.BackendError) as caught:
            dag.run(
                one(1) if node is None else node, backend=backend, store=tmp_path / "store", progress="off", **options
            )
        assert time.monotonic() - start < 10
        found.append(str(caught.value))
    assert found[0] == found[1]
    dag.shutdown()
    return found[0]


def test_an_address_where_nobody_answers(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    for backend in (f"dask://{place}", f"tcp://{place}", f"tls://{place}"):
        text = told(backend, tmp_path)
        assert backend in text
        assert "`dask scheduler`" in text
        assert text.startswith(f"no Dask scheduler answers at {backend}")
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", f"tcp://{place}")
    assert f"tcp://{place}" in told("dask", tmp_path)


def test_something_else_that_listens(tmp_path):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        backend = f"dask://127.0.0.1:{mute.getsockname()[1]}"
        assert told(backend, tmp_path).startswith(f"what listens at {backend} does not answer as a Dask scheduler")


@pytest.mark.parametrize("url", ["dask://host", "dask://", "dask://host:port", "dask://host:99999", "tls://host"])
def test_an_address_that_is_none(tmp_path, url):
    start = time.monotonic()
    text = told(url, tmp_path)
    assert text.startswith(f"{url!r} is no address of a Dask scheduler")
    assert "8786" in text
    assert time.monotonic() - start < 5


def test_an_option_that_dask_does_not_have(tmp_path):
    text = told("dask", tmp_path, workers=1, backend_options={"colour": "red"})
    assert "colour" in text
    assert "backend_options" in text
    assert "colour" in told("dask://127.0.0.1:9", tmp_path, backend_options={"colour": "red"})


def test_a_worker_with_another_version(tmp_path, dask_scheduler, other_version):
    place = dask_scheduler(worker=other_version)
    text = told(f"dask://{place}", tmp_path)
    assert re.search(
        rf"the worker tcp://\S+ of the Dask cluster at tcp://{place} has dualdag 0\.0\.9, and here is", text
    )
    assert 'pip install "dualdag[dask]==' in text


def test_a_worker_without_dualdag(tmp_path, dask_scheduler):
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\nsys.modules['dualdag'] = sys.modules['dualdag_dask'] = None\n"
    )
    text = told(f"dask://{dask_scheduler(worker={'PYTHONPATH': str(folder)})}", tmp_path)
    assert "can't load dualdag" in text
    assert "pip install" in text


def test_a_resource_that_no_worker_has_names_the_asker(tmp_path):
    node = one(1).named("train").options(resources={"tape": 2})
    text = told("dask", tmp_path, node, workers=1)
    assert re.match(
        r"'train' \(\S*test_bad_input_dask\.py:\d+\) asks for tape=2 \(the most is 0\), and no worker", text
    )
    assert '--resources "CPU=1 tape=2"' in text or '--resources "tape=2"' in text


def test_dask_that_is_not_installed(tmp_path):
    program = """
        import sys
        sys.modules["dask"] = sys.modules["distributed"] = None
        import dualdag as dag
        for backend in ("dask", "dask://host:8786", "dask://threads"):
            try:
                dag.run(dag.task(abs)(1), backend=backend, store="memory://x")
            except dag.BackendNotInstalledError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, env=environment(), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == [
        f'backend {backend!r} needs dask, which is not installed: pip install "dualdag[dask]"'
        for backend in ("dask", "dask://host:8786", "dask://threads")
    ]


def environment():
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
