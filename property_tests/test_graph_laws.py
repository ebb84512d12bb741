"""Laws of graphs: order, merging, pickling, and what a key follows."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

import dualdag as dag
from dualdag.graph import compile_graph, map_nodes, nodes_in


@dag.task
def combine(*parts, **named):
    return parts, named


plain = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b"]))


@st.composite
def recipes(draw):
    """A list of calls; each argument is a literal, an earlier call, or a container of these."""
    count = draw(st.integers(1, 12))
    rows = []
    for i in range(count):
        earlier = st.integers(0, i - 1).map(lambda k: ("node", k)) if i else plain
        leaf = st.one_of(plain, earlier)
        nested = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
        rows.append(draw(st.tuples(st.lists(nested, max_size=3), st.dictionaries(st.sampled_from("xy"), nested))))
    return rows


def build(rows):
    nodes = []

    def fill(value):
        if isinstance(value, tuple) and value and value[0] == "node":
            return nodes[value[1]]
        return [fill(v) for v in value] if isinstance(value, list) else value

    for args, kwargs in rows:
        nodes.append(combine(*[fill(a) for a in args], **{k: fill(v) for k, v in kwargs.items()}))
    return nodes


@given(recipes())
def test_inputs_stand_before_their_users_and_each_key_once(rows):
    nodes = build(rows)
    graph = compile_graph(nodes)
    assert len({n.key for n in graph.nodes}) == len(graph)
    for i, inputs in enumerate(graph.inputs):
        assert all(k < i for k in inputs)
        assert [graph.nodes[k] for k in inputs] == list(graph.nodes[i].inputs)
    assert {n.key for n in nodes} == {graph.nodes[i].key for i in graph.targets}


@given(recipes())
def test_the_same_calls_have_the_same_keys(rows):
    assert [n.key for n in build(rows)] == [n.key for n in build(rows)]


@given(recipes(), recipes())
def test_equal_keys_mean_equal_recipes(one, two):
    def unfold(node):
        return map_nodes((node.args, dict(node.kwargs)), unfold)

    a, b = build(one)[-1], build(two)[-1]
    assert (a.key == b.key) == (repr(unfold(a)) == repr(unfold(b)))


@given(recipes())
def test_pickling_gives_the_same_graph(rows):
    node = build(rows)[-1]
    again = pickle.loads(pickle.dumps(node))
    assert again == node
    one, two = compile_graph([node]), compile_graph([again])
    assert one.inputs == two.inputs
    assert [n.key for n in one.nodes] == [n.key for n in two.nodes]


@given(recipes())
def test_inputs_are_the_nodes_among_the_arguments(rows):
    for node in build(rows):
        assert nodes_in((node.args, dict(node.kwargs))) == list(node.inputs)
