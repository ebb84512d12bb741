"""The graphs that other tests draw give what plain calls give."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings

from dualdag.graph import compile_graph, map_nodes
from dualdag.testing._strategies import build, evaluate, recipes, write_files


@settings(max_examples=50, deadline=None)
@given(recipe=recipes())
def test_a_recipe_builds_what_it_evaluates_to(recipe, tmp_path_factory):
    folder = str(tmp_path_factory.getbasetemp())
    write_files(folder, {f"f{k}.txt": f"text {k}" for k in range(3)})
    nodes = build(recipe, folder)
    values = {}
    graph = compile_graph(nodes)
    for node in graph.nodes:
        if node.op.kind == "files":
            values[node.key] = sorted(map(str, Path(folder).glob("*.txt")))
        elif node.op.kind != "call":
            values[node.key] = node.args[0]
        else:
            args, named = (map_nodes(part, lambda n: values[n.key]) for part in (node.args, dict(node.kwargs)))
            values[node.key] = node.fn(*args, **named)
    assert [values[node.key] for node in nodes] == evaluate(recipe, folder)
