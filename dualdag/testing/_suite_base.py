"""What the parts of `BackendSuite` share."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.config import environment
from dualdag.execution import get_backend, run_graph
from dualdag.graph import compile_graph
from dualdag.planning import FileView
from dualdag.store import open_store

__all__ = ["SuiteBase"]

_TASKS = ("backend_tasks", "odd_tasks")


class SuiteBase:
    """What the parts of the suite share: a place of its own for each test, and ways to run."""

    backend: Any = "sync"
    kills = False
    stops = False
    counts = False
    shares = False
    long = False
    workers = 2

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Give each test a store, a folder for marks, and the tasks as a project of its own."""
        self.folder = str(tmp_path / "marks")
        Path(self.folder).mkdir()
        self.store = self.make_store(tmp_path)
        project = tmp_path / "project"
        project.mkdir()
        for name in _TASKS:
            shutil.copy(Path(__file__).with_name(f"_{name}.py"), project / f"{name}.py")
        monkeypatch.syspath_prepend(str(project))
        self.tasks, self.odd = [_loaded(name, project, monkeypatch) for name in _TASKS]
        yield
        for warning in self.after():
            raise AssertionError(warning)

    def make_store(self, folder: Path) -> str:
        """Return the URL of a new store; for a backend that needs another kind than a folder."""
        return str(folder / "store")

    def after(self) -> list[str]:
        """Return what is left over after a test; for a backend that can tell."""
        return []

    def run(self, x: Any, **options: Any) -> Any:
        """Run on the backend under test."""
        options.setdefault("store", self.store)
        options.setdefault("workers", self.workers)
        return dag.run(x, backend=self.backend, progress="off", **options)

    def executed(self, x: Any, **options: Any) -> int:
        """Run, and return how many nodes ran."""
        count: int = self.result(x, **options).executed
        return count

    def result(self, x: Any, *, now: datetime | None = None, refresh: tuple[str, ...] = ()) -> Any:
        """Run, and return all that is known of it."""
        graph = compile_graph(dag.graph.nodes_in(x) if not isinstance(x, dag.Node) else [x])
        backend = get_backend(self.backend, workers=self.workers)
        store = open_store(self.store)
        try:
            when = now or datetime.now(UTC)
            return run_graph(graph, store=store, backend=backend, files=FileView(), refresh=refresh, now=when)
        finally:
            store.close()

    def marks(self, name: str) -> int:
        """Return how often tasks left a mark."""
        return len(list(Path(self.folder).glob(f"{name}-*")))

    def fails(self, x: Any, kind: type[BaseException], **options: Any) -> Any:
        """Run, and return the exception; it is of just that class."""
        with pytest.raises(kind) as caught:
            self.run(x, **options)
        assert type(caught.value) is kind
        return caught.value

    def script(self, path: Path, *args: str) -> subprocess.Popen[str]:
        """Start a program that runs on the backend, in a process of its own."""
        if not isinstance(self.backend, str):
            pytest.skip("a script names its backend")
        settings = {
            "DUALDAG_BACKEND": self.backend,
            "DUALDAG_STORE": str(path.with_suffix(".store")),
            "DUALDAG_WORKERS": str(self.workers),
            "DUALDAG_PROGRESS": "off",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        return subprocess.Popen(  # noqa: S603 - a script of our own
            [sys.executable, str(path), *args],
            env={**environment(), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def needs(self, there: bool, why: str) -> None:
        """Skip a test of what a backend does not do."""
        if not there:
            pytest.skip(why)


def _loaded(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module
