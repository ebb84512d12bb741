"""Engines that were started by hand: processes of their own, which the tests join and never end."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HERE = [str(Path(path).absolute()) for path in sys.path if path]


class Head(NamedTuple):
    """Addresses of a Ray cluster, and of Ray Client there; None where that is not installed."""

    address: str
    client: str | None


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


@contextmanager
def started(command: list[str], until: str, folder: Path, **environment: str) -> Iterator[None]:
    """Run a command until the end of the block; it is ready when it has printed `until`."""
    log = folder / f"{Path(command[2]).name}-{time.monotonic_ns()}.log"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DASK_"))}
    env |= {"PYTHONPATH": os.pathsep.join(HERE)} | environment
    away = folder / "away"
    away.mkdir(exist_ok=True)
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=away, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while until not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
        # Nothing that joins it ends it.
        assert process.poll() is None, log.read_text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def ray_head(tmp_path: Path) -> Iterator[Callable[..., Head]]:
    """Starts a Ray cluster with these variables in its environment."""
    with ExitStack() as stack:

        def start(**environment: str) -> Head:
            port, client_port = free_port(), free_port()
            client = importlib.util.find_spec("grpc") is not None
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            command = [
                sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
                f"--port={port}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder}",
                "--object-store-memory=100000000",
                *([f"--ray-client-server-port={client_port}"] if client else []),
            ]  # fmt: skip
            # Without it Ray's proxy lost the first server that it forked for a client in 5 of 15 new clusters, with it
            # in 0 of 14.
            environment = {"GRPC_ENABLE_FORK_SUPPORT": "0"} | environment
            stack.enter_context(started(command, "Ray runtime started", tmp_path, **environment))
            if client:
                # Its server comes up after the rest.
                wait_for_port(client_port)
            return Head(f"127.0.0.1:{port}", f"ray://127.0.0.1:{client_port}" if client else None)

        yield start


@pytest.fixture
def dask_scheduler(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a Dask scheduler and one worker with these variables in its environment; returns the address."""
    with ExitStack() as stack:

        def start(*options: str, worker: dict[str, Any] | None = None) -> str:
            port = free_port()
            plain = ["--host", "127.0.0.1", *options]
            command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"]
            stack.enter_context(started([*command, *plain], "Scheduler at", tmp_path))
            scheme = "tls" if options else "tcp"
            command = [sys.executable, "-m", "distributed.cli.dask_worker", f"{scheme}://127.0.0.1:{port}"]
            command += ["--nthreads", "1", "--no-dashboard", *plain]
            stack.enter_context(started(command, "Starting established connection", tmp_path, **(worker or {})))
            return f"127.0.0.1:{port}"

        yield start


@pytest.fixture
def at_start(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Gives variables under which each Python runs a text before all else."""

    def variables(text: str) -> dict[str, str]:
        folder = tmp_path / "other"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(text)
        return {"PYTHONPATH": os.pathsep.join([str(folder), *HERE])}

    return variables


@pytest.fixture
def other_version(at_start: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Variables under which a process has another version of dualdag."""
    return at_start("import dualdag\ndualdag.__version__ = '0.0.9'\n")
