"""Nodes as Delayed objects: a Dask graph with one task per node, for use beside other Dask code."""

from __future__ import annotations

import pickle
import sys
import uuid
from pathlib import Path
from typing import Any

from dualdag.execution import Handle, Job, Literal, Packer, Place, Step, revive, run_job
from dualdag.graph import Graph, compile_graph, map_nodes, nodes_in
from dualdag.planning import FileView
from dualdag.store import open_store

__all__ = ["call_node", "to_dask"]


def call_node(payload: bytes, *values: Any) -> Any:
    """Run one node's function, and return what it gives or raise what it raises.

    Parameters
    ----------
    payload : bytes
        From `Packer.pack`.
    *values : object
        What it takes.
    """
    data, made = run_job(payload, values)
    outcome = pickle.loads(data)[0]
    if outcome.status == "done":
        return made[0]
    if outcome.error is not None:
        raise revive(outcome.error)
    from dualdag.errors import BackendError

    raise BackendError(
        f"a Dask task of dualdag could not run ({outcome.status} {outcome.detail or ''}): a function or a file is "
        "another in the worker than where the graph was made. Make the graph again, or restart the workers."
    )


def to_dask(x: Any) -> Any:
    """Return nodes as Delayed objects.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.

    See https://docs.dask.org/en/stable/custom-collections.html
    """
    from dask.delayed import Delayed

    graph = compile_graph(nodes_in(x))
    keys, tasks = _lower(graph)

    def delayed(node: Any) -> Any:
        return Delayed(keys[graph.index[node._key]], tasks)  # type: ignore[no-untyped-call]

    return map_nodes(x, delayed)


def _lower(graph: Graph) -> tuple[list[str], dict[str, Any]]:
    """Return the key of each node, and the tasks; keys are of this call alone, as Dask takes equal ones for equal."""
    from dask._task_spec import DataNode, Task, TaskRef

    mark = uuid.uuid4().hex
    files = FileView()
    files.scan(graph)
    # Nothing is looked up or kept, so any place serves.
    store = open_store(f"memory://to-dask-{mark}")
    packer = Packer(Place(store, True, str(Path.cwd()), tuple(sys.path), private=False))
    keys = [f"{graph.label(i)}-{mark}-{i}" for i in range(len(graph.nodes))]
    tasks: dict[str, Any] = {}
    for i, node in enumerate(graph.nodes):
        if node._op.kind != "call":
            value = node._args[0] if node._op.kind == "value" else files.value(i)
            tasks[keys[i]] = DataNode(keys[i], value)
            continue
        inputs = graph.inputs[i]
        extra = graph.extras.get(i)
        after = extra.after if extra is not None else 0
        given = list(dict.fromkeys(inputs[: len(inputs) - after]))
        step = Step(
            i, graph.label(i), node._site, node._op.fn, node._args, node._kwargs,  # type: ignore[arg-type]
            [graph.nodes[j]._key for j in given], [_source(graph, j, files) for j in given], node._op.nout,
            False, False, fingerprint=node._op.fingerprint,
        )  # fmt: skip
        payload, handles = packer.pack(Job((step,)))
        taken = [TaskRef(keys[handle.id]) for handle in handles]
        # Nodes that it only runs after come last; run_job takes as many values as it asked for.
        waits = [TaskRef(keys[j]) for j in inputs[len(inputs) - after :]] if after else []
        tasks[keys[i]] = Task(keys[i], _call, len(taken), payload, *taken, *waits)
    return keys, tasks


def _call(count: int, payload: bytes, *values: Any) -> Any:
    return call_node(payload, *values[:count])


def _source(graph: Graph, j: int, files: FileView) -> Handle | Literal:
    node = graph.nodes[j]
    if node._op.kind == "call":
        return Handle(j)
    return Literal(node._args[0] if node._op.kind == "value" else files.value(j))
