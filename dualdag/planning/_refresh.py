"""Which nodes ``refresh=`` names, and what that reaches."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from dualdag.errors import GraphError, did_you_mean
from dualdag.graph import Graph, Node

__all__ = ["forced_above", "forced_positions"]

_KEPT_BACK = ("manual", "frozen")


def forced_positions(graph: Graph, refresh: Iterable[str | Node[Any]]) -> set[int]:
    """Return the positions that `refresh` names.

    Parameters
    ----------
    graph : Graph
        What is planned.
    refresh : iterable of str or Node
        Names of artifacts or of ``.named`` nodes, nodes, or ``"all"``.

    Raises
    ------
    GraphError
        For a name or node that is not in the graph, an input, or a frozen artifact.
    """
    forced: set[int] = set()
    named: dict[str, list[int]] | None = None
    for item in (refresh,) if isinstance(refresh, (str, Node)) else refresh:
        if isinstance(item, str) and item == "all":
            forced.update(i for i in graph.extras if _may_be_refreshed(graph, i))
            continue
        if isinstance(item, str):
            named = graph.named() if named is None else named
            places = named.get(item)
            if not places:
                raise GraphError(
                    f"refresh names {item!r}, which is no artifact and no named node of this graph."
                    f"{did_you_mean(item, named)}"
                )
        else:
            places = [_position(graph, item)]
        for i in places:
            _check(graph, i)
        forced.update(places)
    return forced


def forced_above(graph: Graph, forced: set[int], held: Iterable[int]) -> array[int] | None:
    """Return, per node, the position of a forced node above it, or -1; None where nothing is forced.

    Parameters
    ----------
    graph : Graph
        What is planned.
    forced : set of int
        What refresh names.
    held : iterable of int
        Manual and frozen artifacts that stay pinned: what lies below them is not reached.
    """
    if not forced:
        return None
    inputs = graph.inputs
    above = array("q", [-1]) * len(inputs)
    blocked = set(held) - forced
    for i in range(min(forced), len(inputs)):
        for j in inputs[i]:
            if j in blocked:
                continue
            if j in forced:
                above[i] = j
                break
            if above[j] >= 0:
                above[i] = above[j]
                break
    return above


def _position(graph: Graph, item: object) -> int:
    convert = getattr(type(item), "__dualdag_node__", None)
    if convert is None:
        raise GraphError(f"refresh takes names, nodes and 'all', not a {type(item).__name__}.")
    node: Node[Any] = convert(item)
    place = graph.position(node)
    if place is None:
        raise GraphError(f"refresh holds {node!r}, which is not in this graph.")
    return place


def _may_be_refreshed(graph: Graph, i: int) -> bool:
    specs = graph.artifacts(i)
    return bool(specs) and specs[0].cadence.kind not in _KEPT_BACK and graph.nodes[i]._op.kind == "call"


def _check(graph: Graph, i: int) -> None:
    node = graph.nodes[i]
    if node._op.kind != "call":
        raise GraphError(
            f"refresh names {graph.label(i)!r} ({node.site}), which is an input: there is nothing to run. "
            "A file that changed is read again without being named; name what reads it to run that again."
        )
    for spec in graph.artifacts(i):
        if spec.cadence.kind == "frozen":
            raise GraphError(
                f"refresh names {spec.name!r} ({spec.site}), which is frozen: give it another cadence first."
            )
