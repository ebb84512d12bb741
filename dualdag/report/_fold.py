"""Which nodes of a graph are one step, repeated: they are drawn as one box."""

from __future__ import annotations

import operator
import posixpath
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualdag.graph import Graph, Node

__all__ = ["fold_classes"]

#: A graph of more nodes is always folded, a smaller one where that leaves less than half of the boxes.
ALWAYS = 300
SELDOM = 60
#: What repeats most is folded first, till no more boxes are left than these.
ENOUGH = 80
_OFTEN = (32, 12, 5, 2)
#: More boxes than this can't be laid out in a moment: steps of one function become one box.
MOST = 1500
_FEW_NAMES = 12
_SHORT = 5


def fold_classes(graph: Graph) -> list[int]:
    """Return, per position, the number of the box that stands for it.

    Parameters
    ----------
    graph : Graph
        What is drawn.
    """
    plain = _unfolded(graph)
    if len(graph) <= SELDOM or len(set(plain)) <= SELDOM:
        return plain
    steps = _steps(graph)
    repeats = Counter(steps)
    folded = plain
    for often in _OFTEN:
        folded = _in_a_row(graph, _folded(graph, [step if repeats[step] >= often else None for step in steps]))
        if len(set(folded)) <= ENOUGH:
            break
    if len(graph) <= ALWAYS and len(set(folded)) * 2 > len(set(plain)):
        return plain
    return folded if len(set(folded)) <= MOST else _by_function(graph)


def _unfolded(graph: Graph) -> list[int]:
    """Return a number for each node; only files that go into the very same nodes share one."""
    numbers: dict[Hashable, int] = {}
    consumers = graph.consumers()
    keys = [
        (*_place(node), tuple(consumers[i])) if node._op.kind == "file" else i for i, node in enumerate(graph.nodes)
    ]
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _steps(graph: Graph) -> list[Hashable]:
    """Return what each node is a repetition of, whatever it takes; None for what stands alone."""
    steps: list[Hashable] = []
    consumers = graph.consumers()
    few = _few_names(graph)
    for i, node in enumerate(graph.nodes):
        kind = node._op.kind
        step: Hashable = None
        if kind == "file":
            step = (*_place(node), _takers(graph, consumers[i]))
        elif kind == "value":
            step = (kind, node.name, _takers(graph, consumers[i]))
        elif kind == "call" and not graph.artifacts(i):
            item = repr(node._args[1])[:40] if node._op.fn is operator.getitem else ""
            step = (node._op.prefix, graph.label(i) if node._op.prefix in few else "", item)
        steps.append(step)
    return steps


def _folded(graph: Graph, steps: list[Hashable]) -> list[int]:
    """Return a number for each node by its step and what it takes; a box then never depends on itself."""
    numbers: dict[Hashable, int] = {}
    classes: list[int] = []
    for i, step in enumerate(steps):
        key = i if step is None else (step, frozenset([classes[j] for j in graph.inputs[i]]))
        classes.append(numbers.setdefault(key, len(numbers)))
    return classes


def _place(node: Node[Any]) -> tuple[str, str]:
    """Return the folder of a file, and its ending."""
    folder, name = posixpath.split(node._op.label.replace("\\", "/"))
    return folder, posixpath.splitext(name)[1]


def _takers(graph: Graph, users: list[int]) -> Hashable:
    return frozenset([i if graph.artifacts(i) else graph.nodes[i]._op.prefix for i in users])


def _few_names(graph: Graph) -> set[bytes]:
    """Return the tasks whose nodes have so few names that each is worth a box."""
    names: dict[bytes, set[str]] = {}
    for i, extra in graph.extras.items():
        if extra.names and not extra.artifacts:
            names.setdefault(graph.nodes[i]._op.prefix, set()).add(extra.names[-1])
    return {prefix for prefix, found in names.items() if len(found) <= _FEW_NAMES}


def _in_a_row(graph: Graph, classes: list[int]) -> list[int]:
    """Join a box with the one box that takes it, where both are the same step: chains and tree reductions."""
    step: dict[int, Hashable] = {}
    users: dict[int, set[int]] = {}
    for i, found in enumerate(classes):
        node = graph.nodes[i]
        if node._op.kind == "call" and not graph.artifacts(i):
            step[found] = (node._op.prefix, graph.label(i))
        for j in graph.inputs[i]:
            users.setdefault(classes[j], set()).add(found)
    joined: dict[int, int] = {}
    # Users have higher numbers than what they take, so each is joined before what is joined to it.
    for found in sorted(step, reverse=True):
        takers = users.get(found, set())
        if len(takers) == 1:
            (taker,) = takers
            if step.get(taker) == step[found]:
                joined[found] = joined.get(taker, taker)
    sizes = Counter(joined.get(found, found) for found in classes)
    joined = {found: last for found, last in joined.items() if sizes[last] >= _SHORT}
    return [joined.get(found, found) for found in classes]


def _by_function(graph: Graph) -> list[int]:
    """Return a number for each node by its function alone; such a picture is small, and may have cycles."""
    numbers: dict[Hashable, int] = {}
    keys = [
        (i, "artifact") if graph.artifacts(i) and len(graph.extras) <= MOST else (n._op.kind, n._op.prefix)
        for i, n in enumerate(graph.nodes)
    ]
    return [numbers.setdefault(key, len(numbers)) for key in keys]
