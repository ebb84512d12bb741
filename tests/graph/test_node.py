"""Nodes: what a call makes, what its key follows, what it refuses."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import operator
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dualdag as dag
from dualdag.graph import Node, compile_graph, map_nodes


@dag.task
def add(x, y):
    return x + y


@dag.task
def train(df, *, alpha=0.1, depth=3):
    return df, alpha, depth


@dag.task(nout=3)
def three(x):
    return x, x, x


def test_a_call_makes_a_node_and_runs_nothing():
    calls = []

    @dag.task(version=1)
    def note(x):
        calls.append(x)

    assert isinstance(note(1), Node)
    assert calls == []
    note.fn(1)
    assert calls == [1]


def test_one_spelling_per_meaning():
    assert add(1, 2) == add(1, y=2) == add(x=1, y=2) == add(y=2, x=1)
    assert train(1) == train(1, alpha=0.1) == train(df=1, depth=3, alpha=0.1)
    assert train(1, alpha=0.2) != train(1)


@pytest.mark.parametrize(
    ("one", "two"),
    [(1, True), (1, 1.0), ([1], (1,)), ("1", 1), (b"a", "a"), ({1}, frozenset({1})), (None, 0), ([[1], 2], [1, [2]])],
)
def test_different_arguments_are_different_nodes(one, two):
    assert add(one, 0) != add(two, 0)


def test_options_and_names_are_not_identity():
    node = add(1, 2)
    assert node.named("x").options(retries=3).key == node.key
    assert node.artifact("sum", cadence="1d").key == node.key
    assert node.named("x").name == "x"
    assert node.name is None


def test_nout_version_and_ignore_are_identity():
    def f(x, jobs=1):
        return x

    keys = {
        dag.task(f)(1).key,
        dag.task(nout=2)(f)(1).key,
        dag.task(version=1)(f)(1).key,
        dag.task(version=2)(f)(1).key,
        dag.task(ignore=("jobs",))(f)(1).key,
    }
    assert len(keys) == 5
    quiet = dag.task(ignore=("jobs",))(f)
    assert quiet(1, jobs=2) == quiet(1, jobs=8) == quiet(1)
    with pytest.raises(dag.GraphError, match="ignore"):
        quiet(1, jobs=add(1, 2))
    with pytest.raises(dag.GraphError, match="no arguments"):
        dag.task(ignore=("workers",))(f)


def test_keys_are_readable():
    key = add(1, 2).key
    assert key.startswith("add-")
    assert len(key) == len("add-") + 40


def test_nodes_stand_anywhere_inside_arguments():
    @dataclasses.dataclass(frozen=True)
    class Config:
        source: object
        depth: int = 1

    a, b = add(1, 2), add(3, 4)
    node = add([a, {"k": (b, 5)}], Config(source=a))
    assert node.inputs == (a, b, a)
    values = map_nodes(node.args, lambda n: 3 if n == a else 7)
    assert values == ([3, {"k": (7, 5)}], Config(source=3))
    inside_set = add({a, b}, 0)
    assert set(inside_set.inputs) == {a, b}
    assert inside_set == add({b, a}, 0)


def test_lambdas_partials_builtins_and_methods():
    assert dag.task(lambda x: x + 1)(1).key != dag.task(lambda x: x + 2)(1).key
    assert dag.task(functools.partial(operator.add, 1))(2).key != dag.task(functools.partial(operator.add, 2))(2).key
    assert dag.task(len)([1, 2]).label == "len"
    assert dag.task(max)(1, 2, 3).args == (1, 2, 3)

    @dataclasses.dataclass(frozen=True)
    class Scale:
        by: int

        @dag.task
        def times(self, x):
            return self.by * x

        def plain(self, x):
            return self.by * x

    assert Scale(2).times(3).key != Scale(3).times(3).key
    assert Scale(2).times(3).key == Scale(2).times(3).key
    assert dag.task(Scale(2).plain)(3).key != dag.task(Scale(3).plain)(3).key


def test_classes_are_callables_too():
    import fractions

    kinds = (str, int, dict, list, fractions.Fraction, pd.DataFrame)
    assert len({dag.task(kind)(1).key for kind in kinds}) == len(kinds)


def test_wrong_arguments_are_named_at_once():
    with pytest.raises(TypeError, match=r"train\(\) at .*test_node.py:\d+: "):
        train()
    with pytest.raises(TypeError, match="alpa"):
        train(1, alpa=2)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": True},
        {"timeout": 0},
        {"memory": "2 parsecs"},
        {"retry_on": (1,)},
        {"persist": "maybe"},
        {"resources": {"gpu": "x"}},
        {"retrys": 1},
    ],
)
def test_options_that_make_no_sense(options):
    with pytest.raises(dag.GraphError, match=next(iter(options))):
        dag.task(**options)(lambda: 1)
    with pytest.raises(dag.GraphError, match=next(iter(options))):
        add(1, 2).options(**options)


def test_nodes_have_no_value():
    node = add(1, 2)
    for use in (bool, len, list, float, lambda n: n < n, lambda n: 3 in n, lambda n: range(n)):
        with pytest.raises(dag.GraphError, match="run it"):
            use(node)


def test_nodes_are_frozen_and_compare_by_key():
    node = add(1, 2)
    with pytest.raises(AttributeError, match="frozen"):
        node.label = "x"
    assert {node: 1}[add(1, 2)] == 1
    assert node != 1
    assert copy.deepcopy(node) is node


def test_nout_unpacks():
    a, b, c = three(1)
    assert a != b != c
    assert a == three(1)[0]
    assert c.args == (three(1), 2)


def test_nout_spreads_into_lists_and_calls():
    node = three(1)
    assert list(node) == [*node] == [node[0], node[1], node[2]]
    assert print(*node, sep="", file=io.StringIO()) is None
    assert len(node) == 3
    with pytest.raises(dag.GraphError, match="run it first"):
        bool(node)


def test_after_enters_the_key():
    node, other = add(1, 2), add(3, 4)
    late = node.after(other)
    assert late != node
    assert late.inputs == (other,)
    assert late.extra.after == 1
    assert late == node.after(other)
    assert node.after() == node


def test_what_is_hashed_is_what_runs():
    rows = [1, 2]
    array = np.arange(3)
    frame = pd.DataFrame({"a": [1, 2]})
    node = add(rows, {"array": array, "frame": frame})
    rows.append(3)
    array[0] = 9
    frame.loc[0, "a"] = 9
    assert node.args[0] == [1, 2]
    assert node.args[1]["array"].tolist() == [0, 1, 2]
    assert node.args[1]["frame"]["a"].tolist() == [1, 2]
    assert node == add([1, 2], {"array": np.arange(3), "frame": pd.DataFrame({"a": [1, 2]})})


def test_pickling_keeps_key_names_and_shape():
    a = add(1, 2).named("a")
    node = three([a, {"k": a}])[1].artifact("x", cadence="1d")
    again = pickle.loads(pickle.dumps(node))
    assert again == node
    assert again.extra.artifacts == node.extra.artifacts
    assert again.inputs[0].inputs == (a, a)
    assert again.inputs[0].inputs[0].name == "a"


def test_nothing_recurses_over_a_deep_graph():
    node = add(0, 0)
    for i in range(20_000):
        node = add(node, i)
    assert hash(node) == hash(pickle.loads(pickle.dumps(node)))
    assert len(repr(node)) < 200
    assert len(compile_graph([node])) == 20_001
    assert node == pickle.loads(pickle.dumps(node))
    del node


def test_files_and_values():
    node = dag.file("data/sales.csv")
    assert Path(node.args[0]).is_absolute()
    assert node == dag.file(Path("data/sales.csv"))
    assert node != dag.file("data/other.csv")
    assert node != dag.files("data/sales.csv")
    assert dag.value([1, 2]) == dag.value([1, 2]) != dag.value([2, 1])
    assert dag.value(3, name="three").name == "three"
    for bad in ("", 3, None, "a\0b"):
        with pytest.raises(dag.GraphError):
            dag.file(bad)
    with pytest.raises(dag.GraphError, match=r"bad\\udcff' is no UTF-8 text"):
        dag.file("data/bad\udcff")


@pytest.mark.parametrize("name", ["../x", "a\0b", "x" * 300, "", "a/b", "CON", " ", "."])
def test_names_that_no_artifact_may_have(name):
    with pytest.raises(dag.GraphError):
        add(1, 2).artifact(name)


def test_persist_false_and_artifact_contradict():
    with pytest.raises(dag.GraphError, match="persist=False"):
        add(1, 2).options(persist=False).artifact("x")
    with pytest.raises(dag.GraphError, match="persist=False"):
        add(1, 2).artifact("x").options(persist=False)


def test_a_global_that_moves_between_building_and_planning_is_told_of():
    from dualdag.graph import check_fingerprints

    space = {"__name__": "flow_of_test"}
    exec(compile("RATE = 2\ndef scale(x):\n    return x * RATE\n", "flow_of_test.py", "exec"), space)
    scale = dag.task(space["scale"])
    node = scale(1)
    check_fingerprints(compile_graph([node]))
    space["RATE"] = 3
    with pytest.raises(dag.GraphError, match="RATE"):
        check_fingerprints(compile_graph([node]))
    space["RATE"] = 2
    check_fingerprints(compile_graph([node]))
    space["RATE"] = 3
    assert scale(1).key != node.key
