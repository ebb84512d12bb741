"""A task's own copies."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import threading

import pytest

from dualdag.errors import CodecError
from dualdag.execution._copies import bind, own_copy
from dualdag.graph import task


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Box:
    items: list


class NoCopy:
    def __init__(self, x):
        self.x = x

    def __deepcopy__(self, memo):
        raise TypeError("not to be copied")


@pytest.mark.parametrize(
    "value",
    [1, "a", None, (1, "b"), b"x", frozenset({1}), Colour.RED, int, len, datetime.date(2026, 1, 1), range(3), ...],
)
def test_what_never_changes_is_passed_as_it_is(value):
    assert own_copy(value) is value


@pytest.mark.parametrize(
    "value",
    [
        [1, [2]],
        {"a": [1], (1, 2): {3}},
        ([1], 2),
        {1, 2},
        bytearray(b"ab"),
        Box([1]),
        collections.OrderedDict(a=[1]),
        collections.deque([[1]]),
        collections.Counter("ab"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_change_is_copied(value):
    made = own_copy(value)
    assert made == value
    assert type(made) is type(value)
    assert made is not value


def test_shared_parts_stay_shared():
    inner = [1]
    made = own_copy([inner, inner, {"k": inner}])
    assert made[0] is made[1] is made[2]["k"]
    assert made[0] is not inner


def test_cycles():
    value = [1]
    value.append(value)
    made = own_copy(value)
    assert made[1] is made


def test_second_way_for_what_deepcopy_refuses():
    value = [NoCopy(1)]
    made = own_copy(value)
    assert made[0] is not value[0]
    assert made[0].x == 1


def test_what_has_no_copy_is_refused():
    with pytest.raises(CodecError, match="lock"):
        own_copy([threading.Lock()])


def test_arrays_become_writable():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(3)
    array.flags.writeable = False
    made = own_copy({"a": array})["a"]
    made[0] = 9
    assert array[0] == 0
    objects = numpy.array([[1], [2]] + [None], dtype=object)
    own_copy(objects)[0].append(5)
    assert objects[0] == [1]


def test_objects_in_cells_are_copied_too():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"o": [[1], [2]], "n": [1, 2]})
    made = own_copy(frame)
    made["o"].iloc[0].append(9)
    made.loc[0, "n"] = 7
    assert frame["o"].iloc[0] == [1]
    assert frame["n"].iloc[0] == 1
    series = pandas.Series([{"a": 1}], name="s")
    own_copy(series).iloc[0]["a"] = 2
    assert series.iloc[0] == {"a": 1}


def test_polars_and_arrow():
    polars = pytest.importorskip("polars")
    arrow = pytest.importorskip("pyarrow")
    frame = polars.DataFrame({"x": [1, 2]})
    made = own_copy(frame)
    made[0, "x"] = 5
    assert frame["x"].to_list() == [1, 2]
    table = arrow.table({"x": [1]})
    assert own_copy(table) is table


@task
def take(*args, **kwargs):
    return args, kwargs


def test_bind_puts_values_in_and_copies_literals():
    one, two = take(1), take(2)
    node = take([one, Box([two, 3])], {"k": (one,)}, key=[4])
    names = [one._key, two._key]
    args, kwargs = bind(node._args, node._kwargs, names, ["ONE", "TWO"])
    assert args == (["ONE", Box(["TWO", 3])], {"k": ("ONE",)})
    assert kwargs == {"key": [4]}
    args[0].append(5)
    kwargs["key"].append(6)
    again, named = bind(node._args, node._kwargs, names, ["ONE", "TWO"])
    assert again == (["ONE", Box(["TWO", 3])], {"k": ("ONE",)})
    assert named == {"key": [4]}


def test_one_input_twice_is_one_object():
    node = take(1)
    pair = take(node, node)
    value = [1]
    args, _ = bind(pair._args, pair._kwargs, [node._key], [value])
    assert args[0] is args[1]
