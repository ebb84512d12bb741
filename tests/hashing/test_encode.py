"""Canonical encoding: typed, injective, the same everywhere; refuses what has no content."""

from __future__ import annotations

import array
import collections
import copy
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import json
import logging
import operator
import os
import pathlib
import pickle
import random
import re
import subprocess
import sys
import threading
import types
import uuid
import zoneinfo
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from dualdag.errors import FingerprintError
from dualdag.hashing import SCHEMA, action_key, combine, encode, hash_key

GOLDEN = json.loads((Path(__file__).parent / "golden_encodings.json").read_text())
NAMES = {
    "array": array,
    "collections": collections,
    "datetime": dt,
    "decimal": decimal,
    "fractions": fractions,
    "pathlib": pathlib,
    "re": re,
    "uuid": uuid,
    "zoneinfo": zoneinfo,
}


@dataclass(frozen=True)
class Config:
    rate: Any = 0.5
    names: list[str] = field(default_factory=list)


class Point(NamedTuple):
    x: int
    y: int


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: Any) -> None:
        self.a = a


class Words(list):
    def __init__(self, items: Any, title: str) -> None:
        super().__init__(items)
        self.title = title


@pytest.mark.parametrize("text", GOLDEN["encodings"])
def test_golden(text: str) -> None:
    assert encode(eval(text, NAMES)).hex() == GOLDEN["encodings"][text]


def test_golden_values_are_of_this_schema() -> None:
    assert GOLDEN["schema"] == SCHEMA
    assert len(GOLDEN["encodings"]) >= 30


ALL_DIFFERENT = [
    None, True, False, 0, 1, -1, 2**64, 0.0, -0.0, 1.0, float("nan"), float("inf"), 0j, 1 + 0j, complex(0.0, -0.0),
    "", "1", "a", "\ud800", b"", b"a", bytearray(b"a"), ..., NotImplemented, (), [], {}, set(), frozenset(),
    (1,), [1], {1}, frozenset({1}), {1: 1}, {1: None}, [[]], [()], ((),), [["a"], "b"], ["a", ["b"]], ["ab"],
    ["a", "b"], {"a": 1, "b": 2}, {"b": 2, "a": 1}, {True: 1}, {1.0: 1}, range(3), range(0, 3, 2), slice(1, 2),
    dt.date(2024, 1, 2), dt.datetime.fromisoformat("2024-01-02"),
    dt.datetime.fromisoformat("2024-01-02").replace(fold=1),
    dt.datetime(2024, 1, 2, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    dt.time(1), dt.timedelta(1), dt.timezone(dt.timedelta(hours=1)), zoneinfo.ZoneInfo("Europe/Paris"),
    decimal.Decimal(1), decimal.Decimal("1.0"), fractions.Fraction(1, 2), uuid.UUID(int=1),
    Path("a"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), re.compile("a"),
    re.compile("a", re.IGNORECASE), re.compile(b"a"), array.array("i", [1]), array.array("h", [1]),
    collections.OrderedDict(a=1), collections.defaultdict(int, a=1), collections.defaultdict(list, a=1),
    collections.Counter(a=1),
    collections.deque([1]), collections.deque([1], maxlen=3), types.SimpleNamespace(a=1), Point(1, 2), (1, 2),
    Color.RED, Color.BLUE, Config(), Config(1), Config(names=["a"]), Slotted(1), Slotted(2), Words([1], "t"),
    Words([1], "u"), Words([2], "t"), int, bool, Color, Config, len, max, str.upper, str.lower, "a".join, "b".join,
    functools.partial(max, 1), functools.partial(min, 1), operator.itemgetter(1), operator.attrgetter("a"),
    ValueError("a"), ValueError("b"), KeyError("a"), list[int], list[str], int | None,
    np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.str_("a"), np.datetime64("2024-01-02"),
    np.datetime64("2024-01-02", "s"), np.dtype("i4"), np.dtype("f4"), np.array([1]), np.array([1.0]), np.array([[1]]),
    pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), pd.Series([1]), pd.Timestamp("2024-01-02"), pd.NA, pd.NaT,
    ipaddress.ip_address("127.0.0.1"), object(), logging.getLogger("a"), threading.Lock(),
]  # fmt: skip


def test_no_two_values_share_an_encoding() -> None:
    seen: dict[bytes, Any] = {}
    for value in ALL_DIFFERENT:
        made = encode(value)
        assert made not in seen, (value, seen[made])
        seen[made] = value


def test_encoding_of_a_pair_never_equals_that_of_another() -> None:
    some = ALL_DIFFERENT[:45]
    made = [encode([one, two]) for one, two in combinations(some, 2)]
    assert len(set(made)) == len(made)


def test_copies_have_the_same_encoding() -> None:
    for value in ALL_DIFFERENT:
        if isinstance(value, (type(threading.Lock()), type("".join), Slotted)) or value is NotImplemented:
            continue
        if not isinstance(value, (types.BuiltinFunctionType, logging.Logger, BaseException)):
            assert encode(copy.deepcopy(value)) == encode(value), value
        assert encode(pickle.loads(pickle.dumps(value))) == encode(value), value


def test_one_nan() -> None:
    import struct

    other = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert encode(float("nan")) == encode(other) == encode(-float("nan"))
    assert encode(np.float64("nan")) == encode(np.float64(other))


def test_sets_have_no_order() -> None:
    letters = [chr(97 + i) for i in range(26)]
    assert encode(set(letters)) == encode({*letters[13:], *letters[:13]})
    assert encode({frozenset({1, 2}), (3, "a")}) == encode({(3, "a"), frozenset({2, 1})})
    assert encode({len, max, Color, 1}) == encode({1, Color, max, len})


def test_strangers_of_a_type_have_their_own_encoding() -> None:
    class Number(int):
        def __int__(self) -> int:
            return 7

    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "other"

    assert encode(Number(3)) != encode(3)
    assert encode(Number(3)) != encode(Number(4))
    assert encode(Text("a")) != encode(Text("b"))


def test_what_a_subclass_of_a_container_holds() -> None:
    class Row(dict):
        pass

    row = Row(a=1)
    before = encode(row)
    row.unit = "m"
    assert encode(row) != before
    row["a"] = 2
    assert len({before, encode(row), encode(Row(a=2)), encode({"a": 2})}) == 4

    class Table(pd.DataFrame):
        pass

    assert encode(Table({"a": [1]})) != encode(Table({"a": [2]}))


def test_attributes_in_any_order() -> None:
    one, two = types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1)
    assert encode(one) == encode(two)

    class Thing:
        pass

    first, second = Thing(), Thing()
    first.a, first.b = 1, 2
    second.b, second.a = 2, 1
    assert encode(first) == encode(second)


def test_a_cached_property_does_not_count() -> None:
    class Table:
        @functools.cached_property
        def rows(self) -> list[int]:
            return [1]

    table = Table()
    before = encode(table)
    assert table.rows == [1]
    assert encode(table) == before


def test_what_holds_itself() -> None:
    one: list[Any] = []
    one.append(one)
    two: list[Any] = [1]
    two.append([two])
    three: list[Any] = [1]
    three.append(three)
    made = [encode(value) for value in (one, two, three)]
    assert len(set(made)) == 3
    assert encode(copy.deepcopy(two)) == encode(two)
    table: dict[str, Any] = {}
    table["self"] = (table, {"again": table})
    assert encode(table) == encode(copy.deepcopy(table))


def test_sharing_does_not_count() -> None:
    inner = [1, {"a": 2}]
    assert encode([inner, inner]) == encode([inner, copy.deepcopy(inner)])
    large = list(range(500))
    assert encode([large, large]) == encode([large, list(large)])


def test_depth_costs_no_recursion() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert encode(deep) != encode([deep])
    tables: dict[str, Any] = {}
    for _ in range(10_000):
        tables = {"a": (tables,)}
    encode(tables)


def test_sharing_costs_no_time() -> None:
    shared: list[Any] = [1]
    for _ in range(300):
        shared = [shared, shared]
    assert len(encode(shared)) < 1000


def test_a_maze_of_references_is_refused() -> None:
    class Room:
        doors: list[Room]

    rooms = [Room() for _ in range(40)]
    draw = random.Random(1)
    for room in rooms:
        room.doors = draw.sample(rooms, 4)
    with pytest.raises(FingerprintError, match="in too many ways"):
        encode(rooms[0])


def test_nested_sets_too_deep_are_a_clean_error() -> None:
    deep: frozenset[Any] = frozenset()
    for _ in range(300):
        deep = frozenset([deep])
    holder = Slotted(deep)
    try:
        encode({holder: 1})
    except FingerprintError as error:
        assert "too deep" in str(error)  # noqa: PT017


def test_a_registered_class_is_digested_as_taught() -> None:
    from dualdag.hashing import register

    class Handle:
        def __init__(self, url: str) -> None:
            self.url = url
            self.file = iter(())

    with pytest.raises(FingerprintError):
        encode(Handle("a"))
    register(Handle, digest=lambda handle: handle.url)
    assert encode(Handle("a")) == encode(Handle("a")) != encode(Handle("b"))
    assert encode([Handle("a")]) != encode(["a"])


def test_code_counts_by_what_it_does() -> None:
    def one(x: int) -> int:
        return x + 1

    def two(x: int) -> int:
        return x + 2

    def same(x):
        """Doc."""
        return x + 1

    same.__name__ = "one"
    assert encode(one) == encode(same)
    assert encode(one) != encode(two)
    assert encode({"by": [one]}) != encode({"by": [two]})

    def make(k: int) -> type:
        class Model:
            def fit(self) -> int:
                return one(k)

        return Model

    assert encode(make(1)()) == encode(make(1)())
    assert encode(make(1)()) != encode(make(2)())


def test_numbers_of_numpy_are_none_of_python() -> None:
    assert encode(np.float64(1)) != encode(1.0)
    assert encode(np.dtype(">i4")) != encode(np.dtype("<i4"))
    assert encode(np.array([1], ">i4")[0]) == encode(np.array([1], ">i4").copy()[0])


def test_same_encoding_under_any_hash_seed() -> None:
    program = (
        "import sys; from dualdag.hashing import encode; import collections, enum\n"
        "value = [{'a', 'b', 'c', ('d', 1), frozenset('xyz')}, {len, max, int, str}, {'k': {1.5, None, 'k'}}]\n"
        "sys.stdout.write(encode(value).hex())"
    )
    found = set()
    for seed in ("1", "2", "3"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout)
    assert len(found) == 1
    assert b"" not in found


def test_keys_tell_parts_apart() -> None:
    assert hash_key(b"ab", b"c") != hash_key(b"a", b"bc")
    assert hash_key() != hash_key(b"")
    own = hash_key(b"own")
    assert len(own) == len(combine(own, [])) == len(action_key(own, [])) == 20
    assert combine(own, [own]) != action_key(own, [own])
    one, two = hash_key(b"1"), hash_key(b"2")
    assert combine(own, [one, two]) != combine(own, [two, one])


def test_what_is_met_again_in_a_set_is_written_as_if_it_was_not() -> None:
    row = tuple(range(100))
    copy = (*row,)
    assert encode([row, {row}]) == encode([row, {copy}])
    assert encode([{row}, row]) == encode([{copy}, row])
