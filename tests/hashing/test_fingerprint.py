"""Fingerprints: of every kind of callable, anew each time, whatever the formatting."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pytest

from dualdag.hashing import Walk, fingerprint, shared_walk
from dualdag.hashing._bytecode import scan
from tests.hashing.programs import load


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("flow", None)


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
    text = "RATE = 1\nT = {'a': [1]}\ndef helper(x): return x * RATE, T\ndef task(x): return helper(x)\n"
    module = load(tmp_path, text)
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
    walk = Walk()
    assert [fingerprint(getattr(module, f"f{i}"), walk).digest for i in reversed(range(20))] == alone[::-1]
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
