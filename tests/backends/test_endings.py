"""The end of a process: nothing on the terminal, and nothing of an engine that outlives it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

pytestmark = pytest.mark.timeout(120)

PROGRAM = """
    import sys
    import psutil
    import dualdag as dag

    @dag.task
    def one(n):
        return n + 1

    if __name__ == "__main__":
        found = dag.run(one(1), backend=sys.argv[1], workers=1, store="store", progress="off")
        print(found, *[child.pid for child in psutil.Process().children(recursive=True)])
        if sys.argv[2] == "shutdown":
            dag.shutdown()
"""


@pytest.mark.parametrize("how", ["shutdown", "exit"])
@pytest.mark.parametrize("backend", ["processes", "dask", "ray"])
def test_no_noise_and_nothing_left(backend, how, tmp_path):
    if backend != "processes" and importlib.util.find_spec({"dask": "distributed"}.get(backend, backend)) is None:
        pytest.skip(f"needs {backend}")
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM))
    env = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS")}
    env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, str(path), backend, how], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found, *pids = done.stdout.split()
    assert found == "2"
    assert pids
    deadline = time.monotonic() + 20
    while (left := [pid for pid in map(int, pids) if psutil.pid_exists(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
