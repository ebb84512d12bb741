"""Graphs as arrays: order, merging, contradictions."""

from __future__ import annotations

import gc

import pytest

import dualdag as dag
from dualdag.graph import compile_graph


@dag.task
def add(x, y):
    return x + y


def test_inputs_come_before_their_users():
    a = add(1, 2)
    b = add(a, [a, 3])
    c = add(b, a)
    graph = compile_graph([c, a])
    assert [graph.position(n) for n in (a, b, c)] == [0, 1, 2]
    assert graph.inputs == [(), (0, 0), (1, 0)]
    assert graph.targets == [2, 0]
    assert graph.consumers() == [[1, 2], [2], []]


def test_equal_nodes_are_one():
    graph = compile_graph([add(add(1, 2).named("a"), add(1, 2).named("b"))])
    assert len(graph) == 2
    assert graph.named() == {"a": [0], "b": [0]}
    graph = compile_graph([add(add(1, 2), add(1, 2).options(retries=2))])
    assert graph.option(0, "retries") == 2
    assert graph.option(1, "retries") == 0
    graph = compile_graph([add(add(1, 2).options(retries=2), add(1, 2))])
    assert graph.option(0, "retries") == 2


def test_several_artifact_names_of_one_node():
    graph = compile_graph([add(1, 2).artifact("a"), add(1, 2).artifact("b")])
    assert sorted(a.name for a in graph.artifacts(0)) == ["a", "b"]


def test_options_that_contradict():
    with pytest.raises(dag.GraphError, match=r"retries=2 .*test_compile.py.* retries=3"):
        compile_graph([add(1, 2).options(retries=2), add(1, 2).options(retries=3)])
    with pytest.raises(dag.GraphError, match="two cadences"):
        compile_graph([add(1, 2).artifact("a", cadence="1d"), add(1, 2).artifact("b", cadence="1h")])
    with pytest.raises(dag.GraphError, match="persist=False"):
        compile_graph([add(1, 2).artifact("a"), add(1, 2).options(persist=False)])
    one, two = dag.task(retries=1)(max), dag.task(retries=2)(max)
    with pytest.raises(dag.GraphError, match="retries"):
        compile_graph([one(1, 2), two(1, 2)])


def test_equal_nodes_are_one_however_deep_they_lie():
    graph = compile_graph([add(add(add(1, 2), 3), 4), add(add(add(1, 2).artifact("a").options(retries=2), 3), 4)])
    assert len(graph) == 3
    assert [a.name for a in graph.artifacts(0)] == ["a"]
    assert graph.option(0, "retries") == 2
    with pytest.raises(dag.GraphError, match="retries"):
        compile_graph([add(add(1, 2).options(retries=1), 3), add(add(1, 2).options(retries=2), 3)])
    with pytest.raises(dag.GraphError, match="the name 'a'"):
        compile_graph([add(add(1, 2), 3), add(add(1, 2).artifact("a"), 3), add(9, 9).artifact("a")])


def test_equal_graphs_built_twice_merge_in_no_time():
    def ladder():
        node = add(1, 2)
        for _ in range(2000):
            node = add(node, node)
        return node

    graph = compile_graph([ladder(), ladder(), ladder().named("top")])
    assert len(graph) == 2001
    assert graph.named() == {"top": [2000]}


def test_one_relative_path_in_two_folders(tmp_path, monkeypatch):
    one = add(dag.file("rows.csv"), 1)
    compile_graph([one, add(dag.file("rows.csv"), 1)])
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for pair in ([one, add(dag.file("rows.csv"), 2)], [one, add(dag.file("rows.csv"), 1)]):
        with pytest.raises(dag.GraphError, match=r"rows\.csv.*absolute"):
            compile_graph(pair)


def test_one_name_for_two_keys_names_both_places():
    with pytest.raises(dag.GraphError, match=r"'x': .*test_compile.py:\d+ and .*test_compile.py:\d+"):
        compile_graph([add(1, 2).artifact("x"), add(1, 3).artifact("x")])
    compile_graph([add(1, 2).artifact("x"), add(1, 2).artifact("x")])


def test_the_collector_is_left_as_it_was():
    assert gc.isenabled()
    compile_graph([add(1, 2)])
    assert gc.isenabled()
    gc.disable()
    try:
        compile_graph([add(1, 2)])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_many_artifacts_in_one_import_are_collected():
    from dualdag.graph import collect_artifacts

    with collect_artifacts() as found:
        add(1, 2).artifact("a")
        add(1, 3).artifact("b")
    add(1, 4).artifact("c")
    assert [n.name for n in found] == ["a", "b"]
