"""Every test has a folder, settings and a store of its own; processes it starts find this checkout."""

from __future__ import annotations

import compileall
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    # Tests write modules that differ by a digit, several in a second: compiled files can't tell them apart.
    # Ours are compiled beforehand, as on a user's machine.
    compileall.compile_dir(str(ROOT / "dualdag"), quiet=1)
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in [n for n in os.environ if n.startswith("DUALDAG_")]:
        del os.environ[name]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = [str(ROOT), str(ROOT / "backends")]
    os.environ["PYTHONPATH"] = os.pathsep.join([*ours, *(str(Path(p).resolve()) for p in given if p)])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="all seeds and points of the faults, in place of a sample")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Say whether all seeds and points of the faults are asked for."""
    return bool(request.config.getoption("--full", default=False))


@pytest.fixture(scope="module", autouse=True)
def _long_lived() -> None:
    # Thousands of tests leave modules and caches behind, which each collection would look through again: that
    # took most of the time of tests which allocate much, such as those that make a client of S3.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test in its own folder, and put the settings back after it."""
    from dualdag.config import configure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dualdag.graph._sources._asked", {})  # parameters, of which versions tell
    with configure():
        yield


@pytest.fixture
def own_modules(own_place: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget, after the test, the modules that it loaded from its folder."""
    before, here = set(sys.modules), str(Path.cwd())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(here):
            del sys.modules[name]


@pytest.fixture
def in_zone() -> Iterator[Callable[[str], None]]:
    """Let this process live in a time zone for the rest of the test."""

    def move(name: str) -> None:
        patch.setenv("TZ", name)
        time.tzset()

    with pytest.MonkeyPatch.context() as patch:
        yield move
    time.tzset()
