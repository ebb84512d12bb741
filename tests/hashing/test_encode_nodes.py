"""Nodes in what is encoded, and what encoding refuses."""

from __future__ import annotations

import io
import random
import socket
import sys
import threading
import types
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualdag.errors import FingerprintError
from dualdag.hashing import encode


class FakeNode:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def __dualdag_node__(self) -> FakeNode:
        return self


class Lazy:
    def __init__(self, node: FakeNode) -> None:
        self.node = node

    def __dualdag_node__(self) -> FakeNode:
        return self.node


@dataclass(frozen=True)
class Config:
    rate: Any


def test_nodes_are_placeholders_in_order() -> None:
    one, two = FakeNode(b"1"), FakeNode(b"2")
    nodes: list[Any] = []
    made = encode((one, [two, {"a": one}], Config(rate=two)), nodes)
    assert nodes == [one, two, one, two]
    others: list[Any] = []
    assert encode((two, [one, {"a": two}], Config(rate=one)), others) == made
    assert others == [two, one, two, one]
    assert encode((one, 1), []) == encode((Lazy(two), 1), [])


def test_what_stands_for_a_node_gives_its_node() -> None:
    node = FakeNode(b"1")
    nodes: list[Any] = []
    encode((Lazy(node), [Lazy(node)]), nodes)
    assert nodes == [node, node]


def test_nodes_in_a_set_are_in_order_of_their_keys() -> None:
    members = [FakeNode(bytes([i])) for i in range(20)]
    nodes: list[Any] = []
    encode({*members, "a"}, nodes)
    assert nodes == members
    nodes.clear()
    encode(frozenset((node, 1) for node in members), nodes)
    assert nodes == members


def test_a_large_argument_with_a_node_in_it() -> None:
    node = FakeNode(b"1")
    nodes: list[Any] = []
    large = [list(range(200)), [*range(200), node]]
    encode((large, large), nodes)
    assert nodes == [node, node]


def test_a_failed_encoding_leaves_no_nodes_behind() -> None:
    nodes: list[Any] = ["kept"]
    with pytest.raises(FingerprintError):
        encode((FakeNode(b"1"), [FakeNode(b"2"), socket.socket], iter(())), nodes)
    assert nodes == ["kept"]


def test_a_node_is_refused_where_none_may_stand() -> None:
    with pytest.raises(FingerprintError, match="result of another task.*argument"):
        encode([FakeNode(b"1")])


def generator() -> Any:
    yield 1


class Held:
    def __init__(self, conn: Any) -> None:
        self.conn = conn


@pytest.mark.parametrize(
    "value",
    [
        generator(), iter([1]), random.Random(1), np.random.default_rng(1), io.StringIO("a"), map(len, []),
        threading.local(), types.SimpleNamespace(a=generator()), sys._getframe(), weakref.ref(Held),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_refused(value: Any) -> None:
    with pytest.raises(FingerprintError, match="no content to hash"):
        encode(value)


def test_a_refusal_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file, pytest.raises(FingerprintError) as caught:
        encode([1, {"x": Held((2, file))}])
    text = str(caught.value)
    assert "TextIOWrapper has no content to hash" in text
    assert "[1]['x'].conn[1] of a list" in text
    assert "dag.register(" in text
    assert isinstance(caught.value, TypeError)
