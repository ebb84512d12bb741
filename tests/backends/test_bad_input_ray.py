"""What is wrong between this process and a Ray cluster is said at once, with what to do about it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
import time

import pytest

pytest.importorskip("ray")

from importlib.metadata import version

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(version("ray") < "2.48", reason="needs Ray 2.48 or later"),
]

PROGRAM = """
    import sys, time
    import dualdag as dag
    CHANGE

    def one(n):
        open("ran", "w").close()
        return n + 1

    if __name__ == "__main__":
        for _ in range(2):
            start = time.monotonic()
            try:
                print("came to", dag.run(dag.task(one)(OPTIONS), backend=sys.argv[1], progress="off", store="store"))
            except dag.DualdagError as error:
                print(type(error).__name__, time.monotonic() - start, error)
"""


@pytest.fixture
def told(tmp_path):
    """Runs a program with these variables; returns what it says of its two runs, each in the time it may take.

    That nobody answers, or lets one in, is known within 10 s; what takes a join by Ray Client first (`joins`) may
    be known later.
    """

    def start(backend, change="", call="1", *, joins=False, **environment):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(PROGRAM).replace("CHANGE", change).replace("OPTIONS", call))
        env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | environment
        env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        done = subprocess.run(
            [sys.executable, str(path), backend], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line]
        assert len(lines) == 2, done.stdout + done.stderr
        found = []
        for line in lines:
            kind, seconds, text = line.split(" ", 2)
            if kind == "came":
                found.append(line)
                continue
            # A proxy that lost the server which it forked says so after 30 s, and is asked again.
            assert float(seconds) < (100 if joins else 10), line
            assert not (tmp_path / "ran").exists()
            found.append(f"{kind}: {text}")
        # The second run is told the same as the first.
        assert re.sub(r"\d", "", found[0]) == re.sub(r"\d", "", found[1])
        return found[0]

    return start


def home(tmp_path, name, token=None):
    folder = tmp_path / name
    (folder / ".ray").mkdir(parents=True)
    if token:
        (folder / ".ray" / "auth_token").write_text(token)
    return str(folder)


def test_a_wrong_or_missing_token(tmp_path, ray_head, told):
    right, wrong, none = home(tmp_path, "a", "a" * 32), home(tmp_path, "b", "b" * 32), home(tmp_path, "c")
    head = ray_head(RAY_AUTH_MODE="token", HOME=right)
    for backend, variables in (("ray", {"RAY_ADDRESS": head.address}), (head.client, {})):
        if backend is None:
            continue
        where = re.escape(head.address if backend == "ray" else backend)
        assert re.match(
            rf"BackendError: the Ray cluster at {where} asks for another token than this process has\. Put .*"
            "RAY_AUTH_TOKEN, or into ~/.ray/auth_token, and set RAY_AUTH_MODE=token",
            told(backend, HOME=wrong, **variables),
        )
        assert re.match(
            rf"BackendError: the Ray cluster at {where} asks for a token, and this process has none\.",
            told(backend, HOME=none, **variables),
        )
        assert "shows none, as RAY_AUTH_MODE says" in told(backend, HOME=right, RAY_AUTH_MODE="disabled", **variables)
    assert told("ray", HOME=right, RAY_ADDRESS=head.address) == "came to 2"


def test_versions_that_differ(ray_head, told, other_version):
    head = ray_head(RAY_AUTH_MODE="disabled", **other_version)
    off = {"RAY_AUTH_MODE": "disabled"}
    backends = [("ray", off | {"RAY_ADDRESS": head.address})] + ([(head.client, off)] if head.client else [])
    for backend, variables in backends:
        text = told(backend, joins=backend == head.client, **variables)
        assert re.match(r"BackendError: this is dualdag \S+, and workers of the Ray cluster \(\S+\) have 0\.0\.9", text)
        assert 'pip install "dualdag[ray]==' in text
        text = told(backend, change="import ray; ray.__version__ = '9.9.9'", **variables)
        assert "has other versions than this process" in text
        assert "Ray: 9.9.9" in text
        assert "Install the same Ray" in text


def test_ports_of_something_else(ray_head, told):
    head = ray_head(RAY_AUTH_MODE="disabled")
    off = {"RAY_AUTH_MODE": "disabled"}
    if head.client is not None:
        text = told(f"ray://{head.address}", **off)
        assert text.startswith(f"BackendError: what listens at ray://{head.address} is no port of Ray Client")
        address = head.client.removeprefix("ray://")
        assert f"what listens at {address} does not answer as a Ray cluster" in told("ray", RAY_ADDRESS=address, **off)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        assert f"what listens at {address} does not answer as a Ray" in told("ray", RAY_ADDRESS=address, **off)


def test_a_resource_that_no_node_has_names_the_asker(ray_head, told):
    head = ray_head(RAY_AUTH_MODE="disabled")
    text = told("ray", call="1).options(num_gpus=2).named('train'", RAY_AUTH_MODE="disabled", RAY_ADDRESS=head.address)
    assert re.match(r"BackendError: 'train' \(\S*program\.py:\d+\) asks for CPU=1, GPU=2, and no node of the Ray", text)


def test_an_address_where_nobody_listens(told):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = told(f"ray://127.0.0.1:{port}")
    assert text.startswith(f"BackendError: no Ray cluster answers at ray://127.0.0.1:{port}")


def test_ray_that_is_not_installed(told):
    block = "import importlib.util as u; found = u.find_spec; u.find_spec = lambda n, *a: None if n == 'ray' else found(n, *a)"
    text = told("ray", change=block)
    assert text == (
        "BackendNotInstalledError: backend 'ray' needs ray, which is not installed: pip install \"dualdag[ray]\""
    )


def test_ray_workflow_on_a_newer_ray(told):
    text = told("ray-workflow")
    assert re.match(
        r"BackendError: backend 'ray-workflow' needs Ray Workflows, which Ray had up to 2\.47; this is", text
    )
    assert "backend='ray'" in text
    started = time.monotonic()
    assert "ray-workflow" in told("ray-workflow://127.0.0.1:1")
    assert time.monotonic() - started < 30
