"""Digests of things that refer to each other, in circles too.

What refers to nothing that refers back gets its digest after what it refers to.  The members of a
circle are told apart by what can be seen from each, and get their digests together.  So a digest
is the same wherever the walk began, and one thing's digest serves all that reach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

__all__ = ["Vertex", "settle"]

_MANY = 1 << 30


class Vertex:
    """A function, class or module that is reached, or a value that holds some.

    Parameters
    ----------
    kind : {"function", "class", "module", "value", "callable"}
        What it is.
    name : str
        Its name.
    file : str or None
        Where it is written.
    line : int or None
        Where it begins.
    via : object
        How it was reached first: what `_reach` says in an error.
    """

    __slots__ = (
        "digest", "file", "head", "kind", "line", "local", "name", "ordered", "origins", "parts", "reach", "refs",
        "via",
    )  # fmt: skip

    def __init__(
        self, kind: str, name: str, file: str | None = None, line: int | None = None, via: object = None
    ) -> None:
        self.kind = kind
        self.name = name
        self.file = file
        self.line = line
        self.via = via
        self.head = b""
        self.parts: list[tuple[object, ...]] = []
        self.refs: list[Vertex] = []
        self.origins: dict[object, None] = {}
        self.ordered = True
        self.local = b""
        self.digest: bytes | None = None
        # How many things it leads to, each as often as there are ways to it.
        self.reach = 0


def _hash(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=20).digest()


def settle(root: Vertex) -> None:
    """Give `root`, and all it reaches, their digests (Tarjan's components, on a stack of our own)."""
    if root.digest is not None:
        return
    order: dict[int, int] = {id(root): 0}
    low: dict[int, int] = {id(root): 0}
    waiting = [root]
    path: list[tuple[Vertex, Iterator[Vertex]]] = [(root, iter(root.refs))]
    while path:
        vertex, rest = path[-1]
        here = id(vertex)
        for other in rest:
            if other.digest is not None:
                continue
            there = id(other)
            seen = order.get(there)
            if seen is None:
                order[there] = low[there] = len(order)
                waiting.append(other)
                path.append((other, iter(other.refs)))
                break
            low[here] = min(low[here], seen)
        else:
            path.pop()
            vertex.reach = min(1 + sum([other.reach for other in vertex.refs]), _MANY)
            if path:
                above = id(path[-1][0])
                low[above] = min(low[above], low[here])
            if low[here] == order[here]:
                ring = [waiting.pop()]
                while ring[-1] is not vertex:
                    ring.append(waiting.pop())
                if len(ring) == 1 and vertex not in vertex.refs:
                    vertex.digest = _seen_from(vertex, {})
                else:
                    _settle_ring(ring)


def _seen_from(vertex: Vertex, colours: dict[int, bytes]) -> bytes:
    parts = [other.digest or colours[id(other)] for other in vertex.refs]
    return _hash(vertex.local, *(parts if vertex.ordered else sorted(parts)))


def _settle_ring(ring: list[Vertex]) -> None:
    # Each round looks one step further; when one tells no more of them apart than the last did, none will.
    colours = {id(vertex): vertex.local for vertex in ring}
    while True:
        further = {id(vertex): _seen_from(vertex, colours) for vertex in ring}
        if len(set(further.values())) == len(set(colours.values())):
            break
        colours = further
    whole = _hash(b"ring", *sorted({colours[id(v)] + further[id(v)] for v in ring}))
    for vertex in ring:
        vertex.digest = _hash(further[id(vertex)], whole)
