"""What has no fingerprint is refused by name, line, way there and way out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualdag.errors import FingerprintError
from dualdag.hashing import fingerprint, shared_walk
from tests.hashing.programs import load


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("flow", None)


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
