"""A small evaluator, plain and slow, that most chains are tried with; the rest go through the real run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dualdag.graph import Node, compile_graph, map_nodes, nodes_in, task_scope


class Evaluator:
    """Runs graphs in order, in this thread, and counts the ops that it ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __call__(self, x: Any, **options: Any) -> Any:
        graph = compile_graph(nodes_in(x))
        values: dict[bytes, Any] = {}

        def value_of(node: Node[Any]) -> Any:
            value = values[node._key]
            return value.copy(deep=True) if hasattr(value, "iloc") else value

        for node in graph.nodes:
            if node.op.kind == "files":
                from dualdag.hashing import expand

                values[node._key] = expand(node.args[0])
            elif node.op.kind != "call":
                values[node._key] = node.args[0]
            else:
                args, kwargs = map_nodes(node.args, value_of), map_nodes(dict(node.kwargs), value_of)
                self.ran.append(node.label)
                with task_scope(node.label):
                    values[node._key] = node.fn(*args, **kwargs)
        return map_nodes(x, value_of)


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    """Run graphs with the small evaluator."""
    made = Evaluator()
    monkeypatch.setattr("dualdag._api.run", made)
    return made


@pytest.fixture
def real() -> Iterator[None]:
    """Run graphs in order, with a store in memory."""
    from dualdag.config import configure

    with configure(backend="sync", store="memory://frames", progress="off"):
        yield
