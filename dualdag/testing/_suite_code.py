"""Part of `BackendSuite`: how functions and their modules reach workers, and which version of them."""

from __future__ import annotations

import importlib
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["CodeTests"]


class CodeTests(SuiteBase):
    """What was hashed is what runs."""

    @pytest.fixture
    def module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
        """Return what writes a module into a folder on the path, and imports it."""

        def write(name: str, text: str) -> Any:
            folder = tmp_path / "late"
            if not folder.exists():
                folder.mkdir()
                monkeypatch.syspath_prepend(str(folder))
            (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
            importlib.invalidate_caches()
            if name in sys.modules:
                return importlib.reload(sys.modules[name])
            monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
            return sys.modules[name]

        return write

    def test_closures(self) -> None:
        """A closure is a task."""
        assert self.run(self.tasks.closure(10)) == 11

    def test_lambdas(self) -> None:
        """A lambda is a task."""
        assert self.run(dag.task(lambda x: x + 1)(1)) == 2
        assert self.run([self.odd.lambda_node(k) for k in range(4)]) == [0, 1, 4, 9]

    def test_builtins(self) -> None:
        """Builtins and methods of builtin types are tasks."""
        assert self.run([dag.task(len)([1, 2, 3]), dag.task(str.upper)("a")]) == [3, "A"]

    def test_functions_that_call_themselves(self) -> None:
        """A function may call itself."""
        assert self.run(self.odd.countdown(20)) == 20

    def test_late_path(self, module: Callable[[str, str], Any]) -> None:
        """A module from a folder that came onto the path after the workers started is found."""
        self.run(self.tasks.add(1, 1))
        late = module("module_of_a_late_folder", "def double(x):\n    return 2 * x\n")
        assert self.run(dag.task(late.double)(4)) == 8

    def test_late_classes(self, module: Callable[[str, str], Any]) -> None:
        """Values of classes from such a module pass between tasks, and to the caller."""
        self.run(self.tasks.add(1, 1))
        late = module(
            "module_with_a_late_class",
            """
            import dataclasses

            @dataclasses.dataclass
            class Point:
                x: int

            def make(x):
                return Point(x)

            def read(points):
                return [type(point) is Point and point.x for point in points]
            """,
        )
        make, read = dag.task(late.make, persist=False), dag.task(late.read)
        assert self.run(read([self.odd.passed(make(k)) for k in range(6)])) == list(range(6))
        assert type(self.run(dag.task(late.make)(9))) is late.Point

    def test_edited_module(self, module: Callable[[str, str], Any]) -> None:
        """Workers run the function as it is now, not as they imported it."""
        source = "RATE = {}\ndef helper(x):\n    return x * RATE\ndef scaled(x):\n    return helper(x) + {}\n"
        helper = module("module_that_is_edited", source.format(2, 0))
        assert self.run(dag.task(helper.scaled)(5)) == 10
        helper = module("module_that_is_edited", source.format(2, 1))
        assert self.run(dag.task(helper.scaled)(5)) == 11
        helper.RATE = 7  # only here, in memory
        assert self.run(dag.task(helper.scaled)(5)) == 36

    def test_module_without_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A function of a module that no worker can import travels whole."""
        module = types.ModuleType("module_without_a_place")
        module.__file__ = str(tmp_path / "without_a_place.py")
        source = "BASE = 40\ndef base():\n    return BASE\ndef answer(x):\n    return base() + x\n"
        Path(module.__file__).write_text(source, encoding="utf-8")
        exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - a module of our own
        monkeypatch.setitem(sys.modules, module.__name__, module)
        assert self.run(dag.task(module.answer)(2)) == 42

    def test_missing_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module that workers lack is a `ModuleNotFoundError` that names it, and the next run works."""
        module = types.ModuleType("module_of_the_driver_alone")
        exec("def double(x):\n    return 2 * x\n", module.__dict__)  # noqa: S102 - a module of our own
        if self.kills:
            # Only this process has it: the task imports it where it runs.
            monkeypatch.setitem(sys.modules, module.__name__, module)
        error = self.fails(self.odd.import_by_name(module.__name__, 2), ModuleNotFoundError)
        assert error.name == module.__name__
        assert self.run(self.tasks.add(1, 2)) == 3

    def test_one_name_in_two_modules(self, module: Callable[[str, str], Any]) -> None:
        """Functions of one name from two modules are told apart."""
        one = module("module_one_of_two", "def work(x):\n    return x + 1\n")
        two = module("module_two_of_two", "def work(x):\n    return x + 2\n")
        assert self.run([dag.task(one.work)(1), dag.task(two.work)(1)]) == [2, 3]
