"""What the parts of `BackendSuite` share."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.execution import get_backend, run_graph
from dualdag.graph import compile_graph
from dualdag.planning import FileView
from dualdag.store import open_store

__all__ = ["SuiteBase"]

_TASKS = Path(__file__).with_name("_backend_tasks.py")


class SuiteBase:
    """What the parts of the suite share: a place of its own for each test, and ways to run."""

    backend: Any = "sync"
    kills = False
    stops = False
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
        shutil.copy(_TASKS, project / "backend_tasks.py")
        monkeypatch.syspath_prepend(str(project))
        spec = importlib.util.spec_from_file_location("backend_tasks", project / "backend_tasks.py")
        assert spec is not None
        assert spec.loader is not None
        self.tasks: Any = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "backend_tasks", self.tasks)
        spec.loader.exec_module(self.tasks)
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

    def needs(self, there: bool, why: str) -> None:
        """Skip a test of what a backend does not do."""
        if not there:
            pytest.skip(why)
