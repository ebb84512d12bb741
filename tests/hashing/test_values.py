"""Digests of values: equal content, one digest; other content, another; the same in every process."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import io
import itertools
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
import types
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dualdag.errors import CodecError, FingerprintError
from dualdag.hashing import digest_value, register, registered
from dualdag.hashing._streams import Items


def distinct(*values):
    return len({digest_value(value) for value in values}) == len(values)


# Plain data.


def test_plain_data_is_typed():
    assert distinct(1, True, 1.0, "1", b"1", None, 1j, [1], (1,), {1}, frozenset({1}), {1: 1}, bytearray(b"1"))
    assert distinct([["a"], "b"], ["a", ["b"]], ["ab"], ["a", "b"], [["a", "b"]], [[["a"], "b"]])
    assert distinct({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert distinct(0.0, -0.0)


def test_nan_is_one_value():
    other = np.array([0x7FF8_0000_0000_0001], "u8").view("f8")
    assert digest_value(float("nan")) == digest_value(-float("nan"))
    assert digest_value(other) == digest_value(np.array([np.nan]))
    assert digest_value(other[0]) == digest_value(np.float64("nan"))


def test_sets_have_no_order():
    names = [f"name {i}" for i in range(50)]
    backwards = names[::-1]
    assert digest_value(set(names)) == digest_value(set(backwards))
    objects = [Point(i, str(i)) for i in range(20)]
    backwards = objects[::-1]
    assert digest_value(set(objects)) == digest_value(set(backwards))
    assert distinct({Point(1, "a")}, {Point(2, "a")}, frozenset({Point(1, "a")}))


def test_long_texts_bytes_and_lists_are_hashed_in_pieces():
    text = "é" * 100_000
    assert digest_value(text) == digest_value(text + "") != digest_value(text[:-1] + "e")
    assert distinct(text.encode(), bytearray(text.encode()), text)
    numbers = list(range(100_000))
    assert distinct(numbers, tuple(numbers), [*numbers[:-1], 0], [*numbers, 0], set(numbers))
    rows = {str(i): i for i in numbers}
    assert digest_value(rows) == digest_value(dict(rows)) != digest_value(dict(reversed(rows.items())))


def test_a_sequence_of_objects_may_be_cut_anywhere():
    items = ["a", None, "ü", 1, 2.5, True, "", "\ud800", (1,), None, "b"] * 3
    whole = Items()
    whole.add(items)
    for cut in range(len(items)):
        parts = Items()
        parts.add(items[:cut])
        parts.add(items[cut:])
        assert parts.digest() == whole.digest()


# Objects.


@dataclass(frozen=True)
class Point:
    x: int
    name: str


@dataclass
class Holder:
    parts: list = field(default_factory=list)

    @functools.cached_property
    def total(self):
        return len(self.parts)


class Slots:
    __slots__ = ("a", "b")


class Base:
    def __init__(self, value):
        self.value = value


class Derived(Base):
    pass


def test_instances_count_by_class_and_state():
    assert digest_value(Base(1)) == digest_value(Base(1))
    assert distinct(Base(1), Base(2), Derived(1), Base(None), {"value": 1}, Point(1, "a"), Point(1, "b"))
    slots, other = Slots(), Slots()
    slots.a, other.a = 1, 2
    assert distinct(slots, other)


def test_order_of_attributes_and_cached_properties_do_not_count():
    one, other = Base(1), Base(1)
    one.a, one.b = 1, 2
    other.b, other.a = 2, 1
    assert digest_value(one) == digest_value(other)
    fresh, used = Holder([1, 2]), Holder([1, 2])
    assert used.total == 2
    assert digest_value(fresh) == digest_value(used)


def test_sharing_does_not_count():
    inner = Base([1])
    assert digest_value([inner, inner]) == digest_value([inner, copy.deepcopy(inner)])
    table = pd.DataFrame({"a": [1]})
    assert digest_value([table, table]) == digest_value([table, table.copy()])


def test_circles():
    ring = [1]
    ring.append(ring)
    other = [1]
    other.append(other)
    longer = [1, [2]]
    longer[1].append(longer)
    assert digest_value(ring) == digest_value(other)
    assert distinct(ring, longer, [1, [1]], longer[1])
    parent, child = Base("parent"), Base("child")
    parent.child, child.parent = child, parent
    assert digest_value(parent) == digest_value(pickle.loads(pickle.dumps(parent)))
    before = digest_value(parent)
    child.value = "other"
    assert digest_value(parent) != before


def test_many_objects_that_hold_each_other_take_no_exponential_time():
    crowd = [Base(i) for i in range(60)]
    for one in crowd:
        one.others = crowd
    started = time.perf_counter()
    assert digest_value(crowd) == digest_value(copy.deepcopy(crowd))
    assert time.perf_counter() - started < 5


def test_depth_is_no_recursion():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    chain = None
    for i in range(20_000):
        link = Base(i)
        link.next = chain
        chain = link
    assert len(digest_value(deep)) == len(digest_value(chain)) == 32


def test_state_by_getstate_reduce_and_items():
    class_of_list = type("Listed", (list,), {"__module__": __name__})
    globals()["Listed"] = class_of_list
    try:
        one = class_of_list([1, 2])
        one.name = "x"
        assert digest_value(one) == digest_value(pickle.loads(pickle.dumps(one)))
        assert distinct(one, class_of_list([1, 2]), class_of_list([1, 3]), [1, 2])
    finally:
        del globals()["Listed"]
    assert digest_value(re.compile("a")) != digest_value(re.compile("a", re.IGNORECASE))
    partial = functools.partial(int, base=2)
    assert digest_value(partial) == digest_value(functools.partial(int, base=2)) != digest_value(functools.partial(int))
    assert distinct(types.SimpleNamespace(a=1), types.SimpleNamespace(a=2))
    assert digest_value(io.BytesIO(b"x")) == digest_value(io.BytesIO(b"x")) != digest_value(io.BytesIO(b"y"))


def test_views_that_only_cloudpickle_takes_apart():
    assert digest_value(types.MappingProxyType({"a": 1})) == digest_value(types.MappingProxyType({"a": 1}))
    assert distinct({"a": 1}.keys(), {"b": 1}.keys())


def test_code_counts_by_name_or_else_by_content():
    assert distinct(dict, list, len, np.sum, pd.DataFrame, os.path.join, np.add, str.upper, type(None), math_module())
    first, second, third = (eval(text) for text in ("lambda x: x + 1", "lambda  x : x+1", "lambda x: x + 2"))
    assert digest_value(first) == digest_value(second) != digest_value(third)
    assert digest_value(made_class(1)()) == digest_value(made_class(1)()) != digest_value(made_class(2)())
    assert digest_value([1].append) != digest_value([2].append)


def math_module():
    import math

    return math


def made_class(number):
    class Made:
        factor = number

    return Made


def test_dates_zones_and_random_state():
    berlin = pd.Timestamp("2020-01-01", tz="Europe/Berlin")
    assert distinct(berlin, berlin.tz_convert("UTC"), pd.NaT, pd.NA, None, float("nan"), berlin.to_pydatetime())
    assert distinct(dt.timedelta(1), pd.Timedelta("1D"), np.timedelta64(1, "D"))
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    assert digest_value(one) == digest_value(other)
    other.random()
    assert digest_value(one) != digest_value(other)


def test_fitted_model_has_one_digest():
    ensemble = pytest.importorskip("sklearn.ensemble")
    data = np.random.default_rng(0).random((60, 4))
    model = ensemble.RandomForestClassifier(5, random_state=0).fit(data, [0, 1] * 30)
    again = ensemble.RandomForestClassifier(5, random_state=0).fit(data, [0, 1] * 30)
    other = ensemble.RandomForestClassifier(5, random_state=1).fit(data, [0, 1] * 30)
    assert digest_value(model) == digest_value(again) == digest_value(pickle.loads(pickle.dumps(model)))
    assert digest_value(model) != digest_value(other)


# What has no content.


@pytest.mark.parametrize(
    ("value", "what", "advice"),
    [
        ((i for i in ()), "generator", "list"),
        (map(str, []), "map", "list"),
        (itertools.chain([1]), "chain", "list"),
        (threading.Lock(), "lock", "dag.register"),
        (socket.socket(), "socket", "dag.register"),
        (open(os.devnull, "rb"), "open file", "dag.File"),  # noqa: SIM115
        (pl.LazyFrame({"a": [1]}), "LazyFrame", "collect"),
    ],
)
def test_what_has_no_content_is_refused_with_the_way_out(value, what, advice):
    with pytest.raises(CodecError, match=f"{what}.*{advice}"):
        digest_value(value)
    with pytest.raises(CodecError, match=r"result\[0\]\['k'\]\.value.*" + what if what != "LazyFrame" else what):
        digest_value([{"k": Base(value)}])
    if hasattr(value, "close"):
        value.close()


def test_an_object_that_fails_to_show_itself_is_named():
    class Broken:
        def __reduce_ex__(self, _):
            raise ZeroDivisionError("no state")

    with pytest.raises(CodecError, match=r"result\.value.*Broken.*no state"):
        digest_value(Base(Broken()))


def test_registered_classes():
    class Meter:
        def __init__(self, reading):
            self.reading = reading
            self.lock = threading.Lock()

    class Finer(Meter):
        pass

    with pytest.raises(CodecError, match="lock"):
        digest_value(Meter(1))
    register(Meter, digest=lambda meter: str(meter.reading))
    assert registered(Finer)(Finer(3)) == b"3"
    assert registered(int) is None
    assert digest_value(Finer(3)) == digest_value([Finer(3)][0]) != digest_value(Meter(3)) != digest_value(Meter(4))
    assert digest_value({"m": Meter(3)}) == digest_value({"m": Meter(3)})
    with pytest.raises(FingerprintError, match="fixed"):
        register(list, digest=str)
    register(Meter, digest=lambda meter: meter.reading)
    with pytest.raises(FingerprintError, match="returned a int"):
        digest_value(Meter(1))


# In every process.

SCRIPT = """
import sys; sys.path.insert(0, {root!r})
import numpy as np, pandas as pd
from dualdag.hashing import digest_value
from decimal import Decimal
class Local:
    def __init__(self): self.names = {{"a", "b", "c", Decimal(1), (1, 2)}}
frame = pd.DataFrame({{"x": [1.5, None], "s": ["a", None], "o": [{{"u", "v", "w"}}, frozenset("abc")]}})
values = [
    set("abcdef"), {{"k": frozenset({{("a", 1), ("b", 2)}})}}, frame, Local(), np.random.default_rng(3),
    lambda x: x in {{"p", "q"}},
]
print([digest_value(value).hex() for value in values])
"""


def test_same_in_every_process(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    seen = set()
    for seed in ("1", "2"):
        script = tmp_path / f"script_{seed}.py"
        script.write_text(SCRIPT.format(root=root))
        run = [sys.executable, str(script)]
        seen.add(subprocess.check_output(run, env={**os.environ, "PYTHONHASHSEED": seed}, text=True))
    assert len(seen) == 1


GOLDEN = {
    "none": (None, "71e81f72953e2eb8f484"),
    "text": ("dualdag", "e31ac2938139566016a8"),
    "nested": ([1, {"a": (2.5, None)}, {b"x"}], "d08f957792a7d949de3f"),
    "array": (np.arange(6, dtype="i4").reshape(2, 3), "5e13e6982390ddd336b6"),
    "floats": (np.array([0.0, -0.0, np.nan, np.inf]), "ff8df56b2e60e928d924"),
    "frame": (pd.DataFrame({"a": [1, 2], "s": ["x", None]}), "f1c55e443b5d1eae4110"),
    "categories": (pd.Series(["u", "v", "u"], dtype="category", name="c"), "41e42a1ca38593680c86"),
    "levels": (pd.MultiIndex.from_product([["a", "b"], [1, 2]]), "f37a9f423db7f2242f71"),
    "arrow": (pa.table({"a": [1, None], "s": ["x", "y"]}), "d47c699827cb3ad1b865"),
    "object": (types.SimpleNamespace(a=[1, np.float32(2)]), "f8066af23b735e310cf5"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_digests(name):
    """A digest that moves makes every store forget what it knows: only a new schema number may do that."""
    value, expected = GOLDEN[name]
    assert digest_value(value).hex()[:20] == expected


def test_what_an_extension_type_of_arrow_says_of_itself_counts():
    pa = pytest.importorskip("pyarrow")

    class Unit(pa.ExtensionType):
        def __init__(self, name):
            self.name = name
            super().__init__(pa.int64(), "tests.unit")

        def __arrow_ext_serialize__(self):
            return self.name.encode()

    one, other = (pa.ExtensionArray.from_storage(Unit(name), pa.array([1])) for name in ("m", "s"))
    assert digest_value(one) != digest_value(other)
    lists = [pa.ListArray.from_arrays(pa.array([0, 1]), inner) for inner in (one, other)]
    assert digest_value(lists[0]) != digest_value(lists[1])
    columns = [pd.Series(pd.arrays.ArrowExtensionArray(inner)) for inner in (one, other)]
    assert digest_value(columns[0]) != digest_value(columns[1])
