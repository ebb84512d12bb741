"""The own part of an artifact: code and arguments between it and the artifacts above it."""

from __future__ import annotations

from dualdag.graph import Graph
from dualdag.hashing import combine, hash_key

__all__ = ["own_part", "own_parts"]


def own_part(graph: Graph, position: int) -> bytes:
    """Return the hash of functions and arguments down to files, values and any artifact.

    Files count by URL and artifacts by name, so neither new data nor code above an upstream artifact
    moves it.

    Parameters
    ----------
    graph : Graph
        Holds the node.
    position : int
        Where the node stands; it need not be an artifact.

    Returns
    -------
    bytes
        20 bytes.
    """
    return _parts(graph, [position])[position]


def own_parts(graph: Graph) -> dict[int, bytes]:
    """Return the own part of every artifact of the graph, by position."""
    return _parts(graph, sorted(i for i, extra in graph.extras.items() if extra.artifacts))


def _parts(graph: Graph, asked: list[int]) -> dict[int, bytes]:
    nodes, inputs = graph.nodes, graph.inputs
    artifacts = {i: min(a.name for a in e.artifacts) for i, e in graph.extras.items() if e.artifacts}
    parts: dict[int, bytes] = {}
    if not asked:
        return parts
    # The key of a node that has no artifact above it is its own part already: files enter keys by
    # their URL.  Only what lies below an artifact needs another hash, with a name in its place.
    stands_for: dict[int, bytes] = {}
    moved: set[int] = set()
    wanted = set(asked)
    for i in range(min(artifacts, default=asked[0]), asked[-1] + 1):
        node = nodes[i]
        part = node._key
        if not moved.isdisjoint(inputs[i]):
            part = combine(node._own, [stands_for.get(j) or nodes[j]._key for j in inputs[i]])
            stands_for[i] = part
            moved.add(i)
        if i in wanted:
            parts[i] = part
        if i in artifacts:
            stands_for[i] = hash_key(b"artifact", artifacts[i].encode())
            moved.add(i)
    return parts
