"""Engines for tests: whether they are here, and a small cluster of each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

import dualdag as dag


def ray_version() -> tuple[int, int]:
    """Return which Ray is installed; zeros where none is."""
    try:
        major, minor = version("ray").split(".")[:2]
    except PackageNotFoundError:
        return (0, 0)
    return int(major), int(minor)


needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")
needs_ray = pytest.mark.skipif(ray_version() < (2, 48), reason="Ray is not installed, or one with workflows")
needs_workflows = pytest.mark.skipif(not (0, 0) < ray_version() < (2, 48), reason="needs Ray 2.47 or before")


@contextmanager
def dask_cluster() -> Iterator[str]:
    """Run a cluster of two processes; give its URL."""
    from dualdag_dask._connect import here, start

    client, cluster = start(2, {})
    try:
        yield f"dask://{client.scheduler.address.removeprefix('tcp://')}"
    finally:
        dag.shutdown()
        client.close()
        cluster.close()
        here(None)


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Connect this process to a cluster of two processors, and let programs that are started find the same one."""
    import ray

    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        context = ray.init(
            address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
            object_store_memory=400_000_000, _temp_dir=folder,
        )  # fmt: skip
        patch.setenv("RAY_ADDRESS", context.address_info["address"])
        try:
            yield "ray"
        finally:
            dag.shutdown()
            ray.shutdown()


def script(folder: Path, text: str, **environment: str) -> str:
    """Run a program of its own; return what it printed."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(text))
    env = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | environment
    done = subprocess.run(
        [sys.executable, str(path)], cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
