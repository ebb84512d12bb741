"""Clusters of Ray that were started elsewhere, joined by their address and by Ray Client."""

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

import pytest

from tests.backends.engines import script

pytest.importorskip("ray")

needs_client = pytest.mark.skipif(importlib.util.find_spec("grpc") is None, reason="needs ray[client]")

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


def listens(port):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


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
            while "Ray runtime started" not in log.read_text() or (client and not listens(ports[1])):
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
@needs_client
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


@pytest.mark.timeout(240)
@needs_client
def test_values_that_share_an_object_come_by_ray_client(tmp_path, head):
    _, client = head
    told = script(
        tmp_path,
        f"""
        import dualdag as dag
        import numpy as np

        @dag.task(nout=3)
        def three(k):
            return [np.arange(k), np.arange(2000 + k), k]

        @dag.task
        def poke(array, more):
            array[0] = 99
            return int(array.sum()) + more

        if __name__ == "__main__":
            parts = [three(k) for k in range(40)]
            poked = [poke(one[1], one[2]) for one in parts]
            arrays = [one[1] for one in parts]
            backend = "ray://127.0.0.1:{client}"
            got = dag.run([poked, arrays], backend=backend, store="memory://", progress="off")
            for k, array in enumerate(got[1]):
                assert got[0][k] == 99 + k + array.sum(), k
                assert len(array) == 2000 + k, k
                array[0] = 1
            print("all", len(array))
            dag.shutdown()
        """,
        RAY_AUTH_MODE="disabled",
    )
    assert told.split() == ["all", "2039"]
