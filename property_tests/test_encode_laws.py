"""Laws of the canonical encoding: injective, typed, the same after a trip and in another process."""

from __future__ import annotations

import copy
import math
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualdag.hashing import encode

ROOT = Path(__file__).resolve().parent.parent

atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0]),
    st.complex_numbers(allow_nan=False),
    st.text(max_size=3),
    st.sampled_from(["", "a", "b", "ab"]),
    st.binary(max_size=3),
)
hashable = st.recursive(
    st.one_of(st.none(), st.integers(-2, 2), st.sampled_from(["a", "b", "ab"]), st.binary(max_size=2)),
    lambda inner: st.one_of(st.tuples(inner), st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=6,
)
values = st.recursive(
    st.one_of(atoms, hashable),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(hashable, inner, max_size=3),
        st.sets(hashable, max_size=4),
    ),
    max_leaves=20,
)


def same(one: Any, two: Any) -> bool:
    """Tell whether two values are of equal types and content throughout."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(two)) or struct.pack("d", one) == struct.pack("d", two)
    if isinstance(one, complex):
        return same((one.real, one.imag), (two.real, two.imag))
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, (set, frozenset)):
        return len(one) == len(two) and all(any(same(a, b) for b in two) for a in one)
    return bool(one == two)


@given(values, values)
def test_equal_bytes_mean_equal_values(one, two):
    assert (encode(one) == encode(two)) == same(one, two)


@given(st.lists(values, max_size=4), st.lists(values, max_size=4), st.data())
def test_nesting_never_collides(one, two, data):
    flat = [*one, *two]
    cut = data.draw(st.integers(0, len(flat)))
    other = [flat[:cut], flat[cut:]]
    assert (encode([one, two]) == encode(other)) == same([one, two], other)
    assert encode(flat) != encode([one, two]) or same(flat, [one, two])


@given(values)
def test_a_trip_changes_nothing(value):
    made = encode(value)
    assert encode(pickle.loads(pickle.dumps(value))) == made
    assert encode(copy.deepcopy(value)) == made
    assert encode((value,)) == encode((copy.copy(value),))


@given(st.sets(hashable, max_size=8), st.randoms(use_true_random=False))
def test_a_set_has_no_order(members, draw):
    shuffled = list(members)
    draw.shuffle(shuffled)
    again = set()
    for member in shuffled:
        again.add(member)
    assert encode(again) == encode(members)
    assert encode(frozenset(shuffled)) == encode(frozenset(members))


@given(st.dictionaries(st.sampled_from("abcd"), atoms, min_size=2), st.randoms(use_true_random=False))
def test_a_dict_has_an_order(table, draw):
    items = list(table.items())
    draw.shuffle(items)
    assert (encode(dict(items)) == encode(table)) == (items == list(table.items()) or same(dict(items), table))


class Stand:
    def __init__(self, number: int) -> None:
        self._key = bytes([number])

    def __dualdag_node__(self) -> Stand:
        return self


with_nodes = st.recursive(
    st.one_of(atoms, st.integers(0, 5).map(Stand)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(st.text(), inner)
    ),
    max_leaves=20,
)


def stands(value: Any) -> list[Stand]:
    if isinstance(value, Stand):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [found for one in inner for found in stands(one)]


@given(with_nodes)
def test_nodes_come_in_the_order_in_which_they_stand(value):
    nodes: list[Any] = []
    made = encode(value, nodes)
    assert nodes == stands(value)
    if not nodes:
        assert made == encode(value)


_CHILD = """
import pickle, struct, sys
from dualdag.hashing import encode
while head := sys.stdin.buffer.read(4):
    value = pickle.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
    sys.stdout.write(encode(value).hex() + "\\n")
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[subprocess.Popen[bytes]]:
    env = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as child:
        yield child
        child.stdin.close()


@given(value=values)
def test_another_process_says_the_same(elsewhere, value):
    data = pickle.dumps(value)
    elsewhere.stdin.write(struct.pack(">I", len(data)) + data)
    elsewhere.stdin.flush()
    assert elsewhere.stdout.readline().decode().strip() == encode(value).hex()
