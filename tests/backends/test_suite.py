"""Every backend, and a stranger's, held to the shipped suite; each engine is started once, and one at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from dualdag.testing import BackendSuite
from tests.backends import engines

STRANGER = Path(__file__).parent.parent / "third_party_backend"


ray_warns = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("FutureWarning", "ResourceWarning")]


@pytest.fixture(scope="class")
def dask_url() -> Iterator[str]:
    with engines.dask_cluster() as url:
        yield url


@pytest.fixture(scope="class")
def ray_cluster() -> Iterator[None]:
    with engines.ray_cluster():
        yield


@pytest.fixture(scope="class")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(STRANGER, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    return target


class TestSync(BackendSuite):
    backend = "sync"
    long = True


class TestLocal(BackendSuite):
    backend = "local"
    shares = True
    long = True


class TestProcesses(BackendSuite):
    backend = "processes"
    long = True
    kills = True
    stops = True


@engines.needs_dask
class TestDask(BackendSuite):
    kills = True
    stops = True
    counts = True

    @pytest.fixture(autouse=True)
    def _engine(self, dask_url: str) -> None:
        self.backend = dask_url


@engines.needs_dask
class TestDaskThreads(BackendSuite):
    backend = "dask://threads"
    shares = True


@engines.needs_dask
class TestDaskSync(BackendSuite):
    backend = "dask://sync"


@engines.needs_ray
@pytest.mark.usefixtures("ray_cluster")
class TestRay(BackendSuite):
    pytestmark = ray_warns
    backend = "ray"
    kills = True
    stops = True
    counts = True


@engines.needs_workflows
class TestRayWorkflow(BackendSuite):
    pytestmark = ray_warns
    backend = "ray-workflow"
    kills = True
    stops = True
    counts = True


@pytest.mark.skipif(find_spec("hatchling") is None or find_spec("pip") is None, reason="nothing builds a package here")
class TestStranger(BackendSuite):
    """A backend of another package, found by its entry point."""

    backend = "lineup"
    kills = True
    stops = True

    @pytest.fixture(autouse=True)
    def _engine(self, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(installed))
