"""Clusters of Ray that were started elsewhere, joined by their address and by Ray Client."""

from __future__ import annotations

import importlib.util
import textwrap

import pytest

from tests.backends.engines import script

pytest.importorskip("ray")

# A join by Ray Client takes 30 s more where the cluster's proxy lost the server that it forked.
pytestmark = pytest.mark.timeout(240)
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


@pytest.fixture
def head(ray_head):
    return ray_head(RAY_AUTH_MODE="disabled")


def test_a_cluster_elsewhere_gets_the_projects_modules(tmp_path, head):
    (tmp_path / "helpers.py").write_text(textwrap.dedent(HELPERS))
    text = textwrap.dedent(ELSEWHERE).replace("sys.argv[1]", "BACKEND")
    told = script(tmp_path, text.replace("BACKEND", "'ray'"), RAY_ADDRESS=head.address, RAY_AUTH_MODE="disabled")
    assert "(42, " in told
    assert "because" in told
    if head.client is None:
        return
    told = script(
        tmp_path,
        text.replace("BACKEND", repr(head.client)).replace("f(1)", "f(2)"),
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


@needs_client
def test_a_client_joins_although_the_first_server_that_the_cluster_forks_for_it_dies(tmp_path, ray_head, at_start):
    head = ray_head(RAY_AUTH_MODE="disabled", **at_start(textwrap.dedent(FIRST_SERVER_DIES)))
    told = script(
        tmp_path,
        f"""
        import dualdag as dag

        @dag.task
        def f(x):
            return x + 1

        if __name__ == "__main__":
            print(dag.run(f(1), backend="{head.client}", progress="off"))
            dag.shutdown()
        """,
        RAY_AUTH_MODE="disabled",
    )
    assert told.split() == ["2"]
    assert (tmp_path / "away" / "died").exists()


@needs_client
def test_values_that_share_an_object_come_by_ray_client(tmp_path, head):
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
            backend = "{head.client}"
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
