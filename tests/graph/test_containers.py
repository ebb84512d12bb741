"""Where nodes may stand: what takes their values, and what is told that it can't."""

from __future__ import annotations

import collections
import types
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

import dualdag as dag


class Pair(NamedTuple):
    one: Any
    two: Any = 3


class Rows(list[Any]):
    pass


@dataclass(frozen=True, slots=True)
class Slotted:
    field: Any


@dag.task
def same(x):
    return x


@dag.task
def one():
    return 1


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ([one(), [one()]], [1, [1]]),
        ((one(), 2), (1, 2)),
        ({one(): "k", "v": one()}, {1: "k", "v": 1}),
        ({one()}, {1}),
        (frozenset({one()}), frozenset({1})),
        (Pair(one()), Pair(1)),
        (Rows([one()]), Rows([1])),
        (Slotted([one()]), Slotted([1])),
        (collections.OrderedDict(a=one()), collections.OrderedDict(a=1)),
        (collections.defaultdict(list, a=one()), collections.defaultdict(list, a=1)),
        (collections.Counter({"a": one()}), collections.Counter({"a": 1})),
    ],
)
def test_the_same_container_with_values(wanted, value):
    for got in (dag.run(wanted, store="memory://containers"), dag.run(same(wanted), store="memory://containers")):
        assert got == value
        assert type(got) is type(value)


@pytest.mark.parametrize("holder", [types.SimpleNamespace(x=one()), collections.deque([one()])])
def test_an_object_that_can_take_no_value_is_told_of(holder):
    with pytest.raises(dag.GraphError, match=r"same\(\) at .*test_containers.py:\d+: .*list, tuple, dict"):
        same(holder)
    with pytest.raises(dag.GraphError, match=r"same\(\) at .*test_containers.py:\d+: .*list, tuple, dict"):
        same(x=[holder, one()])
    with pytest.raises(dag.GraphError, match="no node"):
        dag.run(holder)


def test_nodes_are_not_made_by_hand():
    with pytest.raises(TypeError, match="calling a task"):
        dag.Node()
    with pytest.raises(AttributeError, match="frozen"):
        del one()._key
