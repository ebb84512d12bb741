"""Pickling a graph as a list in topological order, since nothing may recurse over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dualdag.graph._containers import map_nodes
from dualdag.graph._node import Node, assemble

__all__ = ["flatten", "rebuild"]


@dataclass(frozen=True, slots=True)
class _Ref:
    """Stands for the node at a position of the list."""

    index: int


def flatten(root: Node[Any]) -> list[tuple[Any, ...]]:
    """Return the graph above `root` as rows, inputs before their users, the root last."""
    position: dict[int, int] = {}
    rows: list[tuple[Any, ...]] = []
    stack: list[tuple[Node[Any], bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in position:
            continue
        if not ready:
            stack.append((node, True))
            stack.extend((n, False) for n in reversed(node._inputs) if id(n) not in position)
            continue
        inputs = tuple(position[id(n)] for n in node._inputs)
        by_key = {n._key: i for n, i in zip(node._inputs, inputs, strict=True)}

        def ref(found: Node[Any], by_key: dict[bytes, int] = by_key) -> _Ref:
            return _Ref(by_key[found._key])

        args = map_nodes(node._args, ref)
        kwargs = map_nodes(node._kwargs, ref)
        rows.append((node._op, args, kwargs, inputs, node._own, node._key, node._site, node._extra))
        position[id(node)] = len(rows) - 1
    return rows


def rebuild(rows: list[tuple[Any, ...]]) -> Node[Any]:
    """Return the root of the graph that `flatten` made rows of."""
    made: list[Node[Any]] = []
    for op, args, kwargs, inputs, own, key, site, extra in rows:
        above = tuple(made[i] for i in inputs)
        made.append(assemble(op, _fill(args, made), _fill(kwargs, made), above, own, key, site, extra))
    return made[-1]


def _fill(obj: Any, made: list[Node[Any]]) -> Any:
    return map_nodes(obj, lambda found: made[found.index] if isinstance(found, _Ref) else found)


# map_nodes finds whatever says that it stands for a node.
_Ref.__dualdag_node__ = lambda self: self  # type: ignore[attr-defined]
