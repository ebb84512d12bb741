"""What one fingerprint has read serves the next, unless any of it changed in between."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from dualdag.hashing import Walk, fingerprint, shared_walk

PROGRAM = """
    import abc, functools
    from dataclasses import dataclass
    from enum import Enum
    import numpy as np
    import kept_helpers
    from kept_helpers import first

    RATE = 2
    TABLE = {"a": [1, {"b": 2}], "by": first}
    NAMES = {"x", "y"}
    ARRAY = np.arange(3)
    LONG = [first, *range(200)]

    class Base(abc.ABC):
        kind = "base"
        def go(self): return RATE

    class Model(Base):
        table = {"a": 1}
        def __init__(self): self.state = [1]
        def fit(self): return self.go()

    @dataclass
    class Config:
        rate: int = 1

    class Color(Enum):
        RED = 1

    class Parent:
        @classmethod
        def all(cls): return cls.__subclasses__()

    def plain(x, k=[1], *, by={"a": 1}): return x * RATE
    def other(x): return -x
    def tables(x): return TABLE, NAMES, sorted(x), LONG
    def chained(x): return kept_helpers.first(x), kept_helpers.RATE
    def whole(x): return getattr(kept_helpers, x)
    def lazily(x):
        from kept_helpers import second
        return second(x)
    def optional(x):
        import kept_absent
        return kept_absent.f(x)
    def make(n):
        def closed(x):
            return n
        def again(value):
            nonlocal n
            n = value
        closed.again = again
        return closed
    closed = make(3)
    def attributed(x): return plain.rate if x else 0
    plain.rate = 1
    MODEL, CONFIG = Model(), Config()
    def objects(x): return MODEL.fit(), CONFIG, Color.RED, Parent.all()
    def arrays(x): return ARRAY
    @functools.singledispatch
    def shown(x): return 1
    def wrapped(fn):
        @functools.wraps(fn)
        def inner(x): return fn(x)
        return inner
    decorated = wrapped(other)
    def middle(x): return plain(x), tables(x), chained(x), whole(x), lazily(x), optional(x), closed(x), attributed(x)
    def one(x): return middle(x), objects(x), shown(x), decorated(x)
    def two(x): return one(x), 2
    def three(x): return arrays(x), two(x)
"""
HELPERS = "RATE = 1\ndef first(x): return x + 1\ndef second(x): return x + 2\n"

EDITS = (
    "RATE = 3",
    "del globals()['other']\ndef decorated(x): pass",
    "sorted = 7",
    "plain = other",
    "TABLE['a'][1]['b'] = 3",
    "TABLE['by'] = other",
    "LONG[0] = other",
    "LONG.append(1)",
    "NAMES.add('z')",
    "NAMES.discard('x'); NAMES.add(1)",
    "MODEL.state.append(2)",
    "MODEL.more = 1",
    "CONFIG.rate = 9",
    "Base.kind = 'other'",
    "Base.added = 1",
    "del Base.kind; Base.kinds = 'base'",
    "Model.table['a'] = 2",
    "Base.go = lambda self: 5",
    "class Mixin(Base): pass\nModel.__bases__ = (Mixin,)",
    "Base.register(int)",
    "class Child(Parent): pass",
    "plain.__defaults__ = ([2], )",
    "plain.__defaults__[0].append(1)",
    "plain.__kwdefaults__['by'] = {'a': 2}",
    "plain.__kwdefaults__['by']['a'] = 3",
    "plain.__kwdefaults__ = None",
    "plain.__code__ = (lambda x, k, *, by: 1).__code__",
    "plain.__name__ = 'simple'",
    "plain.rate = 2",
    "del plain.rate",
    "closed.again(4)",
    "closed.again([4])",
    "kept_helpers.first = other",
    "kept_helpers.RATE = 4",
    "kept_helpers.third = other\ndef whole(x): return kept_helpers.third",
    "del kept_helpers.RATE",
    "kept_helpers.second.__code__ = other.__code__",
    "kept_helpers = np",
    "ARRAY[0] = 7",
    "ARRAY = ARRAY * 2",
    "shown.register(int, other)",
    "other.__code__ = (lambda x: +x).__code__",
    "first.__defaults__ = (1,)",
    "import builtins\nbuiltins.kept_absent = 1\ndef optional(x): return kept_absent",
)


@pytest.fixture
def flow() -> Iterator[ModuleType]:
    held = {}
    for name, text in (("kept_helpers", HELPERS), ("kept_flow", dedent(PROGRAM))):
        held[name] = sys.modules[name] = ModuleType(name)
        exec(compile(text, f"{name}.py", "exec"), vars(held[name]))
    yield held["kept_flow"]
    for name in held:
        del sys.modules[name]


def alone(fn: Any) -> bytes:
    return fingerprint(fn, Walk()).digest


@pytest.mark.parametrize("edit", EDITS)
def test_a_change_between_two_calls_is_seen(flow: ModuleType, edit: str) -> None:
    names = ("one", "two", "three", "middle", "plain", "objects")
    walk = Walk()
    before = [fingerprint(getattr(flow, name), walk).digest for name in names]
    assert before == [alone(getattr(flow, name)) for name in names]
    assert walk.stands()
    exec(edit, vars(flow))
    after = [alone(getattr(flow, name)) for name in names]
    assert after != before
    assert not walk.stands()
    assert [fingerprint(getattr(flow, name)).digest for name in names] == after


def test_what_is_shared_gives_what_each_gives_alone(flow: ModuleType) -> None:
    exec("OUTER = [LONG, 1]\ndef held(x): return OUTER\ndef bare(x): return LONG\n", vars(flow))
    with shared_walk():
        together = [fingerprint(flow.held).digest, fingerprint(flow.bare).digest]
    assert together == [alone(flow.held), alone(flow.bare)]


def test_a_walk_may_be_asked_for_while_it_walks(flow: ModuleType) -> None:
    # Digesting the array takes the fingerprint of what is in it.
    exec("MANY = np.array([lambda x: other(x)], dtype=object)\ndef task(x): return MANY[0](x), other(x)\n", vars(flow))
    with shared_walk():
        assert fingerprint(flow.task).digest == alone(flow.task)


def test_helpers_in_common_are_read_once() -> None:
    count = 300
    text = "RATE = 2\nTABLE = {'a': 1}\n" + "".join(
        f"def h{i}(x): return x + RATE + TABLE['a'] + {i}" + (f" + h{i - 1}(x)" if i else "") + "\n"
        for i in range(count)
    )
    text += "".join(f"def t{i}(x): return h{count - 1}(x) * {i}\n" for i in range(count))
    module = ModuleType("kept_speed")
    exec(text, vars(module))
    alone(module.t0)
    start = time.perf_counter()
    for _ in range(5):
        alone(module.t0)
    each = (time.perf_counter() - start) / 5
    start = time.perf_counter()
    for i in range(count):
        fingerprint(getattr(module, f"t{i}"))
    assert time.perf_counter() - start < count * each / 3
