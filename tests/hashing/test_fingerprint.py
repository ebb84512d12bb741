"""Fingerprints: what they take, what they refuse and how they say it, what they tell of a change."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import CodeType
from typing import Any

import numpy as np
import pytest

from dualdag.errors import FingerprintError
from dualdag.hashing import Fingerprint, fingerprint, moved, shared_walk
from dualdag.hashing._bytecode import scan

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("flow", None)


def load(folder: Path, text: str, name: str = "flow") -> Any:
    """Import a text as a module."""
    path = folder / f"{name}.py"
    path.write_text(dedent(text).lstrip("\n"))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def child(program: str, folder: Path, **env: str) -> str:
    """Run a program in a fresh process and return what it prints."""
    command = [sys.executable, "-c", dedent(program)]
    path = os.pathsep.join([str(ROOT), *(str(p) for p in env.pop("path", "").split(os.pathsep) if p)])
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path, **env}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


# -- refusals


def refusal(folder: Path, text: str) -> str:
    module = load(folder, text)
    with pytest.raises(FingerprintError) as caught:
        fingerprint(module.task)
    return str(caught.value)


def test_a_refusal_names_variable_line_chain_and_way_out(tmp_path: Path) -> None:
    text = refusal(
        tmp_path,
        """
        import socket

        conn = socket.socket()
        conn.close()

        def g(x):
            return conn.send(x)

        def middle(x):
            y = x + 1
            return g(y)

        def task(x):
            return middle(x)
        """,
    )
    assert text == (
        "'conn' at flow.py:7 in g (flow.py:6) <- 'g' at flow.py:11 in middle (flow.py:9) "
        "<- 'middle' at flow.py:14 in task (flow.py:13): socket.socket has no content to hash; "
        "pass it as an argument, build it inside the task, or give version=."
    )


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("(i for i in 'ab')", "generator"),
        ("open(__file__)", "TextIOWrapper"),
        ("__import__('random').Random(1)", "random.Random"),
        ("__import__('numpy').random.default_rng(1)", "Generator"),
        ("__import__('threading').local()", "_thread._local"),
        ("__import__('sqlite3').connect(':memory:')", "sqlite3.Connection"),
        ("__import__('sklearn.linear_model').linear_model.LinearRegression()", "LinearRegression"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_refused_globals(tmp_path: Path, value: str, named: str) -> None:
    text = refusal(tmp_path, f"VALUE = {value}\n\ndef task(x):\n    return VALUE\n")
    assert text.startswith("'VALUE' at flow.py:4 in task (flow.py:3): ")
    assert f"{named} has no content to hash; " in text
    assert text.endswith("or give version=.")


def test_a_refusal_of_a_foreign_class_names_register(tmp_path: Path) -> None:
    text = refusal(tmp_path, "import fsspec\nfs = fsspec.filesystem('memory')\ndef task(x): return fs.ls(x)\n")
    assert "dag.register(MemoryFileSystem, digest=...)" in text


def test_where_in_a_value_a_refusal_stands(tmp_path: Path) -> None:
    text = refusal(
        tmp_path,
        """
        class Box:
            def __init__(self, item):
                self.item = item

        SETTINGS = {"db": [1, Box(iter(""))]}

        def task(x):
            return SETTINGS
        """,
    )
    assert text.startswith("'SETTINGS'['db'][1].item at flow.py:8 in task (flow.py:7): ")


def test_refusals_of_defaults_closures_and_attributes(tmp_path: Path) -> None:
    text = refusal(tmp_path, "def task(x, it=iter('a')):\n    return it\n")
    assert text.startswith("the default of 'it' in task (flow.py:1): str")
    text = refusal(
        tmp_path,
        "def make(it):\n    def task(x):\n        return next(it)\n    return task\n\ntask = make(iter('a'))\n",
    )
    assert text.startswith("'it' at flow.py:3 in make.<locals>.task (flow.py:2): ")
    text = refusal(tmp_path, "class A:\n    it = iter('a')\n\ndef task(x):\n    return A.it\n")
    assert text.startswith("'it' in A (")
    assert "<- 'A' at flow.py:5 in task (flow.py:4): " in text
    text = refusal(tmp_path, "from functools import partial\ntask = partial(max, iter('a'))\n")
    assert text.startswith("the callable")


def test_a_node_among_the_globals_is_refused(tmp_path: Path) -> None:
    text = refusal(
        tmp_path,
        """
        class Node:
            def __dualdag_node__(self):
                return self
            def __repr__(self):
                return "<Node raw>"

        raw = Node()

        def task(x):
            return raw
        """,
    )
    assert text == (
        "'raw' at flow.py:10 in task (flow.py:9): <Node raw> is the result of another task; "
        "pass it to the task as an argument."
    )


def test_a_module_that_fails_to_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    text = refusal(tmp_path, "def task(x):\n    from broken_module import y\n    return y\n")
    assert text.startswith("'broken_module' at flow.py:2 in task (flow.py:1): importing broken_module fails (ZeroDiv")


def test_a_shared_walk_survives_a_refusal(tmp_path: Path) -> None:
    module = load(tmp_path, "IT = iter('a')\ndef bad(x): return helper(IT)\ndef helper(x): return x\n")
    alone = fingerprint(module.helper)
    with shared_walk():
        for _ in range(2):
            with pytest.raises(FingerprintError, match="IT"):
                fingerprint(module.bad)
            assert fingerprint(module.helper) == alone


# -- what it works on


class Scaler:
    def __init__(self, k: int) -> None:
        self.k = k

    def __call__(self, x: int) -> int:
        return x * self.k

    def scale(self, x: int) -> int:
        return x + self.k

    @classmethod
    def made(cls) -> Scaler:
        return cls(1)

    @staticmethod
    def fixed() -> int:
        return 1


async def coroutine(x: int) -> int:
    return x


def generating(x: int) -> Any:
    yield x


@functools.lru_cache
def cached(x: int) -> int:
    return x


def test_every_kind_of_callable_has_a_fingerprint_of_its_own() -> None:
    kinds = [
        len, max, np.sin, np.cos, np.sum, str.upper, "a".join, "b".join, int, Scaler, Scaler(1), Scaler(2),
        Scaler(1).scale, Scaler(2).scale, Scaler.made, Scaler.fixed, lambda x: x, lambda x: x + 1, coroutine,
        generating, cached, functools.partial(max, 1), functools.partial(max, 2), np.vectorize(lambda x: x),
        np.vectorize(lambda x: x + 1), json.dumps, os.path.join,
    ]  # fmt: skip
    digests = [fingerprint(kind).digest for kind in kinds]
    assert {len(digest) for digest in digests} == {20}
    assert len(set(digests)) == len(kinds)
    assert [fingerprint(kind).digest for kind in kinds] == digests


def test_a_task_counts_as_its_function() -> None:
    class Task:
        def __init__(self, fn: Any, version: Any = None) -> None:
            self.__dualdag_fn__ = fn
            self.__dualdag_version__ = version

    class Proper:
        __dualdag_version__ = None

        @property
        def __dualdag_fn__(self) -> Any:
            return cached

    assert fingerprint(Proper()) == fingerprint(cached)

    def one(task: Any) -> Any:
        return lambda x: task(x)

    assert fingerprint(one(Task(coroutine))) != fingerprint(one(Task(generating)))
    assert fingerprint(one(Task(coroutine, 1))) != fingerprint(one(Task(coroutine, 2)))
    assert fingerprint(one(Task(iter("a"), 1))) != fingerprint(one(Task(iter("a"), 2)))


def test_values_are_read_anew_each_time(tmp_path: Path) -> None:
    module = load(tmp_path, "RATE = 1\nT = {'a': [1]}\ndef helper(x): return x * RATE, T\ndef task(x): return helper(x)\n")
    first = fingerprint(module.task)
    module.RATE = 2
    second = fingerprint(module.task)
    module.T["a"].append(2)
    third = fingerprint(module.task)
    assert len({first, second, third}) == 3
    module.RATE = 1
    module.T["a"].pop()
    assert fingerprint(module.task) == first


def test_a_shared_walk_changes_no_digest(tmp_path: Path) -> None:
    text = "".join(f"def f{i}(x): return f{(i * 7 + 3) % 20}(x), f{(i * 5) % 20}, {i}\n" for i in range(20))
    module = load(tmp_path, text)
    alone = [fingerprint(getattr(module, f"f{i}")).digest for i in range(20)]
    with shared_walk():
        assert [fingerprint(getattr(module, f"f{i}")).digest for i in range(20)] == alone
    assert len(set(alone)) == 20


def test_a_long_line_of_calls(tmp_path: Path) -> None:
    count = 5000
    text = "".join(f"def f{i}(x): return f{i + 1}(x)\n" for i in range(count)) + f"def f{count}(x): return x\n"
    names: dict[str, Any] = {}
    exec(text, names)
    before = fingerprint(names["f0"])
    exec(f"def f{count}(x): return x + 1\n", names)
    assert fingerprint(names["f0"]) != before


def test_names_of_locals_count_where_they_can_be_seen(tmp_path: Path) -> None:
    plain = "def task(x):\n    one = x\n    return one\n"
    seen = "def task(x):\n    one = x\n    return locals()\n"
    first = [fingerprint(load(tmp_path, text).task) for text in (plain, seen)]
    second = [fingerprint(load(tmp_path, text.replace("one", "two")).task) for text in (plain, seen)]
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_attribute_of_a_function_that_is_read(tmp_path: Path) -> None:
    module = load(tmp_path, "def h(x): return x\nh.rate = 1\ndef task(x): return h.rate\ndef other(x): return h(x)\n")
    before = fingerprint(module.task), fingerprint(module.other)
    module.h.rate = 2
    assert fingerprint(module.task) != before[0]
    assert fingerprint(module.other) == before[1]


# -- installed code

_INSTALLED = """
    import sys
    from pathlib import Path
    from dualdag.hashing import fingerprint
    Path("flow.py").write_text(
        "import toolbox\\nfrom toolbox import wrap\\n"
        "def task(x): return toolbox.use(x)\\n@wrap\\ndef wrapped(x): return x + 1\\n")
    sys.path.insert(0, "")
    import flow
    found = [fingerprint(flow.task), fingerprint(flow.wrapped)]
    print(found[0].digest.hex(), found[1].digest.hex(),
          [(r.name, r.detail) for r in found[0].reached if r.kind == "distribution"])
"""


def install(folder: Path, version: str, body: str, commit: str = "") -> Path:
    site = folder / "site-packages"
    (site / "toolbox").mkdir(parents=True, exist_ok=True)
    (site / "toolbox" / "__init__.py").write_text(
        f"def use(x): return {body}\ndef wrap(fn):\n    def inner(x): return fn(x), {body}\n    return inner\n"
    )
    info = site / f"tool_box-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tool-box\nVersion: {version}\n")
    (info / "top_level.txt").write_text("toolbox\n")
    if commit:
        (info / "direct_url.json").write_text(json.dumps({"url": str(folder), "vcs_info": {"commit_id": commit}}))
    return site


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (("1.0", "x"), ("1.0", "x + 1"), True),
        (("1.0", "x"), ("1.1", "x"), False),
        (("1.0", "x", "abc"), ("1.0", "x", "def"), True),
        (("1.0.dev1", "x", "abc"), ("1.0.dev1", "x", "def"), False),
        (("1.0+local", "x", "abc"), ("1.0+local", "x", "abc"), True),
    ],
)
def test_installed_code_counts_by_name_and_version(tmp_path: Path, one: Any, two: Any, same: bool) -> None:
    found = []
    for name, what in (("one", one), ("two", two)):
        folder = tmp_path / name
        site = install(folder, *what)
        found.append(child(_INSTALLED, folder, path=str(site)).split(" ", 2))
    assert (found[0][0] == found[1][0]) is same
    assert (found[0][1] == found[1][1]) is same
    assert found[0][2] == f"[('tool-box', '{one[0]}')]"


def test_code_beside_the_project_is_walked_whatever_its_name(tmp_path: Path) -> None:
    # As an editable install is: outside of what installers fill.
    found = []
    for body in ("x", "x + 1"):
        folder = tmp_path / str(len(found))
        site = install(folder, "1.0", body)
        (folder / "src").mkdir()
        (site / "toolbox").rename(folder / "src" / "toolbox")
        found.append(child(_INSTALLED, folder, path=f"{folder / 'src'}{os.pathsep}{site}").split(" ", 2))
    assert found[0][0] != found[1][0]


def test_function_under_an_installed_decorator_counts(tmp_path: Path) -> None:
    site = install(tmp_path, "1.0", "x")
    before = child(_INSTALLED, tmp_path, path=str(site)).split(" ")[1]
    after = child(_INSTALLED.replace("x + 1", "x + 2"), tmp_path, path=str(site)).split(" ")[1]
    assert before != after


def test_dualdag_itself_is_installed_even_as_a_checkout(tmp_path: Path) -> None:
    module = load(tmp_path, "import dualdag as dag\nfrom dualdag.hashing import encode\ndef task(x): return encode(dag)\n")
    found = fingerprint(module.task)
    assert [one.name for one in found.reached if one.kind == "distribution"] == ["dualdag"]
    assert [one.name for one in found.reached if one.kind == "function"] == ["task"]


def test_loading_hashing_loads_no_data_library(tmp_path: Path) -> None:
    program = """
        import sys
        import dualdag.hashing as h
        h.fingerprint(lambda x: len(x))
        h.encode({1: [2.5, "a"]})
        heavy = {"pandas", "numpy", "pyarrow", "polars", "fsspec", "blake3", "importlib.metadata"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert child(program, tmp_path) == "[]"


def test_objects_of_class_makers_have_stable_fingerprints(tmp_path: Path) -> None:
    program = """
        import attrs, pydantic, numpy as np, sys
        from typing import Generic, Literal, Protocol, TypeVar
        from dataclasses import dataclass
        from functools import singledispatch, total_ordering
        from dualdag.hashing import fingerprint
        RATE = int(sys.argv[1]) if len(sys.argv) > 1 else 1
        T = TypeVar("T")
        def helper(x): return x
        class Model(pydantic.BaseModel):
            x: int = 1
            y: list[str] = pydantic.Field(default_factory=list, max_length=3)
            kind: Literal["a"] = "a"
            @pydantic.field_validator("x")
            @classmethod
            def check(cls, v): return helper(v)
        @attrs.define
        class Row:
            a: int = attrs.field(default=1, validator=attrs.validators.instance_of(int), converter=helper)
        @total_ordering
        @dataclass(slots=True, frozen=True)
        class Box(Generic[T]):
            item: T
            def __lt__(self, other): return True
        class Shape(Protocol):
            def area(self) -> float: ...
        vec = np.vectorize(helper, otypes=[float])
        def task(x): return Model(x=1), Row(), Box(1), Shape, vec(x), T
        print(fingerprint(task).digest.hex())
    """
    (tmp_path / "main.py").write_text(dedent(program))
    edits = [
        ("", ""), ("x: int = 1", "x: int = 2"), ("max_length=3", "max_length=4"), ("default=1,", "default=2,"),
        ("def helper(x): return x", "def helper(x): return x + 1"), ("return True", "return False"),
        ("return helper(v)", "return v"),
    ]  # fmt: skip
    found = []
    for old, new in edits:
        text = dedent(program).replace(old, new) if old else dedent(program)
        made = {
            child(f"exec(compile({text!r}, 'm.py', 'exec'), {{'__name__': '__main__'}})", tmp_path, PYTHONHASHSEED=seed)
            for seed in ("1", "2")
        }
        assert len(made) == 1
        found += made
    assert len(set(found)) == len(edits)


# -- what it tells


def test_reached_things_know_where_they_are_written(tmp_path: Path) -> None:
    module = load(
        tmp_path,
        """
        import numpy as np

        RATE = 0.2

        class Model:
            kind = "a"

            def fit(self, x):
                return x

        def helper(x, by=2):
            return x * RATE * by

        def task(x):
            return helper(x), Model(), np.sum(x)
        """,
    )
    found = {(one.kind, one.name): one for one in fingerprint(module.task).reached}
    assert ("function", "task") in found
    assert found["function", "helper"].line == 11
    assert found["function", "helper"].source() == "def helper(x, by=2):\n    return x * RATE * by\n"
    assert found["function", "Model.fit"].source() == "    def fit(self, x):\n        return x\n"
    assert found["class", "Model"].source().startswith('class Model:\n    kind = "a"\n')
    rate = found["global", "RATE"]
    assert (rate.owner, rate.line, rate.detail, rate.source()) == ("helper", 12, "0.2", None)
    assert Path(rate.file).name == "flow.py"
    assert found["default", "by"].detail == "2"
    assert found["attribute", "kind"].owner == "Model"
    assert found["distribution", "numpy"].detail == np.__version__
    assert all(len(one.digest) == 20 for one in found.values())


def test_a_fingerprint_travels_and_is_frozen() -> None:
    made = fingerprint(cached)
    other = pickle.loads(pickle.dumps(made))
    assert other == made
    assert hash(other) == hash(made)
    assert other.reached == made.reached
    with pytest.raises(AttributeError):
        made.digest = b""
    assert Fingerprint(b"1") != Fingerprint(b"2")


BASE = """
    import math

    RATE = 0.2
    TABLE = {"a": 1}

    class Model:
        kind = "a"

    def helper(x, k=1):
        return x * RATE, TABLE

    def other(x):
        return x

    def task(x):
        return helper(x), Model(), math.pi
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RATE = 0.2", "RATE = 0.3", "global 'RATE' in helper (flow.py:10)"),
        ('"a": 1', '"a": 2', "global 'TABLE' in helper (flow.py:10)"),
        ('kind = "a"', 'kind = "b"', "attribute 'kind' in Model (flow.py)"),
        ("k=1", "k=2", "default 'k' in helper (flow.py:9)"),
        ("x * RATE", "x / RATE", "function 'helper' (flow.py:9)"),
        ("import math", "math = 3", "global 'math' in task (flow.py:16)"),
    ],
)
def test_moved_names_what_differs(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert BASE.count(old) == 1
    before = fingerprint(load(tmp_path, BASE).task)
    after = fingerprint(load(tmp_path, BASE.replace(old, new)).task)
    assert moved(before, after).startswith(said)
    assert said.split(" in ")[0].split(" (")[0] in moved(after, before)


def test_moved_tells_of_what_is_reached_no_more(tmp_path: Path) -> None:
    before = fingerprint(load(tmp_path, BASE).task)
    assert moved(before, fingerprint(load(tmp_path, BASE).task)) == "nothing"
    after = fingerprint(load(tmp_path, BASE.replace("return helper(x),", "return other(x),")).task)
    text = moved(before, after)
    assert text.startswith("function 'task' (flow.py:15), function 'other' (flow.py:12), now reached")
    assert text.endswith("more")
    assert "function 'helper' (flow.py:9), no longer reached" in moved(before, after) + moved(after, before) or "more" in text


# -- bytecode


def codes(code: CodeType) -> list[CodeType]:
    inner = [c for const in code.co_consts if isinstance(const, CodeType) for c in codes(const)]
    return [code, *inner]


@pytest.mark.parametrize("name", ["argparse", "inspect", "dataclasses", "tarfile", "typing", "asyncio.base_events"])
def test_formatting_changes_no_stream(name: str) -> None:
    text = Path(importlib.util.find_spec(name).origin).read_text()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            node.body[0].value.value = "Another text."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two = compile(text, "one.py", "exec"), compile(ast.unparse(tree), "two.py", "exec")
    pairs = list(zip(codes(one), codes(two), strict=True))
    assert len(pairs) > 80
    assert [a.co_qualname for a, b in pairs if scan(a).digest != scan(b).digest] == []
