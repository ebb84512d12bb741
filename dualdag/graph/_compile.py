"""A graph as arrays: merged nodes in topological order, with positions for edges."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dualdag.errors import GraphError
from dualdag.graph._node import NO_EXTRA, ArtifactSpec, Extra, Node
from dualdag.graph._op import Op
from dualdag.graph._options import DEFAULTS
from dualdag.graph._task import new_hold

__all__ = ["Graph", "check_fingerprints", "compile_graph", "paused_collector"]


class Graph:
    """Nodes of a run or plan, equal ones merged, inputs before their users.

    Parameters
    ----------
    nodes : list of Node
        One node per key, in topological order; a position in this list names a node from here on.
    inputs : list of tuple of int
        Positions of each node's inputs, as ``Node.inputs``.
    targets : list of int
        Positions of what was asked for.
    extras : dict of int to Extra
        Names, artifacts and options merged over equal nodes; only of nodes that have any.
    """

    __slots__ = ("_consumers", "extras", "index", "inputs", "nodes", "targets")

    def __init__(
        self,
        nodes: list[Node[Any]],
        inputs: list[tuple[int, ...]],
        targets: list[int],
        extras: dict[int, Extra],
        index: dict[bytes, int],
    ) -> None:
        self.nodes = nodes
        self.inputs = inputs
        self.targets = targets
        self.extras = extras
        self.index = index
        self._consumers: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def position(self, node: Node[Any]) -> int | None:
        """Return where a node of this key stands, or None."""
        return self.index.get(node._key)

    def extra(self, i: int) -> Extra:
        """Return names, artifacts and options of the node at `i`."""
        return self.extras.get(i) or NO_EXTRA

    def artifacts(self, i: int) -> tuple[ArtifactSpec, ...]:
        """Return the artifacts that the node at `i` is."""
        extra = self.extras.get(i)
        return extra.artifacts if extra else ()

    def option(self, i: int, name: str) -> Any:
        """Return an option of the node at `i`: its own, else its task's, else the default."""
        extra = self.extras.get(i)
        if extra is not None and name in extra.options:
            return extra.options[name]
        options = self.nodes[i]._op.options
        return options[name] if name in options else DEFAULTS[name]

    def label(self, i: int) -> str:
        """Return the readable name of the node at `i`."""
        extra = self.extras.get(i)
        if extra is not None:
            if extra.artifacts:
                return extra.artifacts[-1].name
            if extra.names:
                return extra.names[-1]
        return self.nodes[i]._op.label

    def consumers(self) -> list[list[int]]:
        """Return, per node, the positions of the nodes that take it (each once)."""
        if self._consumers is None:
            found: list[list[int]] = [[] for _ in self.nodes]
            for user, inputs in enumerate(self.inputs):
                for i in dict.fromkeys(inputs) if len(inputs) > 1 else inputs:
                    found[i].append(user)
            self._consumers = found
        return self._consumers

    def named(self) -> dict[str, list[int]]:
        """Return the positions of each name, those of artifacts included."""
        found: dict[str, list[int]] = {}
        for i, extra in self.extras.items():
            for name in dict.fromkeys((*(a.name for a in extra.artifacts), *extra.names)):
                found.setdefault(name, []).append(i)
        return found


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the garbage collector from scanning a large graph over and over while it is walked."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def compile_graph(targets: Iterable[Node[Any]]) -> Graph:
    """Return what is reachable from `targets` as a Graph.

    Parameters
    ----------
    targets : iterable of Node
        The nodes asked for.

    Raises
    ------
    GraphError
        When equal nodes have options, or cadences, that contradict each other, or two nodes of
        different keys are artifacts of one name.
    """
    with paused_collector():
        graph = _Compiler().compile(list(targets))
    _check_names(graph)
    return graph


class _Compiler:
    def __init__(self) -> None:
        self.index: dict[bytes, int] = {}
        self.nodes: list[Node[Any]] = []
        self.inputs: list[tuple[int, ...]] = []
        self.twins: list[Node[Any]] = []

    def compile(self, targets: list[Node[Any]]) -> Graph:
        self._order(targets)
        extras = {i: n._extra for i, n in enumerate(self.nodes) if n._extra is not None}
        for twin in self._twins_of(targets):
            i = self.index[twin._key]
            kept = self.nodes[i]
            if not (twin._extra is kept._extra is None and twin._op is kept._op):
                _merge(extras, i, kept, twin)
        positions = list(dict.fromkeys(self.index[t._key] for t in targets))
        return Graph(self.nodes, self.inputs, positions, extras, self.index)

    def _twins_of(self, targets: list[Node[Any]]) -> Iterator[Node[Any]]:
        """Yield each object that an equal one stands for, those above such objects included."""
        found = [*self.twins, *targets]
        seen: set[int] = set()
        for twin in found:
            if self.nodes[self.index[twin._key]] is not twin and id(twin) not in seen:
                seen.add(id(twin))
                found.extend(twin._inputs)
                yield twin

    def _order(self, targets: list[Node[Any]]) -> None:
        index, nodes, inputs, twins = self.index, self.nodes, self.inputs, self.twins
        # A node is pushed, then, once its inputs are placed, met again and placed itself; `-1` marks
        # the ones that were opened.  An edge to a node of equal key that is another object is a twin.
        stack: list[Node[Any]] = list(reversed(targets))
        while stack:
            node = stack[-1]
            key = node._key
            state = index.get(key)
            if state is not None and state >= 0:
                stack.pop()
                continue
            ins = node._inputs
            if state is None and ins:
                index[key] = -1
                waiting = len(stack)
                for other in reversed(ins):
                    if index.get(other._key, -1) < 0:
                        stack.append(other)
                if len(stack) > waiting:
                    continue
            stack.pop()
            places = []
            for other in ins:
                place = index[other._key]
                places.append(place)
                kept = nodes[place]
                if kept is not other and (
                    other._inputs or not (other._extra is kept._extra is None and other._op is kept._op)
                ):
                    twins.append(other)
            index[key] = len(nodes)
            nodes.append(node)
            inputs.append(tuple(places))


def _merge(extras: dict[int, Extra], i: int, first: Node[Any], second: Node[Any]) -> None:
    one = extras.get(i) or NO_EXTRA
    two = second._extra or NO_EXTRA
    if first._op.kind in {"file", "files"} and first._args != second._args:
        raise GraphError(
            f"{first._op.label!r} means {first._args[0]} at {first._site} and {second._args[0]} at {second._site}, "
            "as the working folder changed in between: give absolute paths."
        )
    options = dict(_effective(first, one))
    for name, value in _effective(second, two).items():
        if name in options and options[name] != value:
            raise GraphError(
                f"two equal nodes {first.label!r} have {name}={options[name]!r} "
                f"({_options_place(first, one)}) and {name}={value!r} ({_options_place(second, two)}): "
                "equal nodes are one node, so give both the same."
            )
        options[name] = value
    artifacts = list(one.artifacts)
    for spec in two.artifacts:
        for other in artifacts:
            if other.cadence != spec.cadence:
                raise GraphError(
                    f"artifacts {other.name!r} ({other.site}, cadence {other.cadence}) and {spec.name!r} "
                    f"({spec.site}, cadence {spec.cadence}) are one node with two cadences: give both the same."
                )
        if all(spec.name != other.name for other in artifacts):
            artifacts.append(spec)
    if artifacts and options.get("persist") is False:
        raise GraphError(
            f"artifact {artifacts[0].name!r} ({artifacts[0].site}) has persist=False set for an equal node at "
            f"{second.site}: an artifact is always kept."
        )
    names = tuple(dict.fromkeys((*one.names, *two.names)))
    own = {k: v for k, v in options.items() if first._op.options.get(k, _UNSET) != v}
    extras[i] = Extra(names, tuple(artifacts), own, one.options_site or two.options_site, one.after)


_UNSET = object()


def _effective(node: Node[Any], extra: Extra) -> Mapping[str, Any]:
    return {**node._op.options, **extra.options} if extra.options else node._op.options


def _options_place(node: Node[Any], extra: Extra) -> str:
    return str(extra.options_site or node._site)


def _check_names(graph: Graph) -> None:
    seen: dict[str, tuple[int, ArtifactSpec]] = {}
    for i, extra in graph.extras.items():
        if len({a.cadence for a in extra.artifacts}) > 1:
            one, two = extra.artifacts[0], extra.artifacts[-1]
            raise GraphError(
                f"artifacts {one.name!r} ({one.site}) and {two.name!r} ({two.site}) are one node with two "
                "cadences: give both the same."
            )
        for spec in extra.artifacts:
            other = seen.setdefault(spec.name, (i, spec))
            if other[0] != i:
                raise GraphError(
                    f"two different nodes are artifacts of the name {spec.name!r}: {other[1].site} and "
                    f"{spec.site}. Give one of them another name."
                )


def check_fingerprints(graph: Graph) -> None:
    """Take the fingerprint of each distinct task again, so that what is hashed is what runs.

    Parameters
    ----------
    graph : Graph
        What is about to be planned or run.

    Raises
    ------
    GraphError
        When a function, or something it reaches, changed since its nodes were made; it names what.
    """
    from dualdag.hashing import fingerprint, moved, shared_walk

    ops: dict[int, tuple[Op, int]] = {}
    for i, node in enumerate(graph.nodes):
        ops.setdefault(id(node._op), (node._op, i))
    with shared_walk():
        taken = [
            (op.fingerprint, fingerprint(op.fn), i)
            for op, i in ops.values()
            if op.fn is not None and op.fingerprint is not None
        ]
    for before, now, i in taken:
        if now.digest != before.digest:
            node = graph.nodes[i]
            raise GraphError(
                f"{moved(before, now)} changed after node {node.label!r} was made at {node.site}: "
                "build the graph again, so that what is hashed is what runs."
            )
    new_hold()
