"""What is going on in this thread: is a task running, is a flow being imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from dualdag.errors import GraphError

if TYPE_CHECKING:
    from dualdag.graph._node import Node

__all__ = ["artifact_made_here", "collect_artifacts", "note_artifact", "outside_tasks", "running_task", "task_scope"]

_running: ContextVar[str | None] = ContextVar("dualdag_running_task", default=None)
_collector: ContextVar[list[Node[object]] | None] = ContextVar("dualdag_artifacts", default=None)


def running_task() -> str | None:
    """Return the label of the task that runs in this thread, or None outside tasks."""
    return _running.get()


@contextmanager
def task_scope(label: str) -> Iterator[None]:
    """Mark this thread as running the task `label` for the length of the block."""
    token = _running.set(label)
    try:
        yield
    finally:
        _running.reset(token)


def outside_tasks(what: str) -> None:
    """Raise GraphError when called while a task runs.

    Parameters
    ----------
    what : str
        What was called, as the user typed it, e.g. ``"dag.run"``.
    """
    label = _running.get()
    if label is not None:
        raise GraphError(
            f"{what} was called inside the task {label!r}: a task works on values and can't run a graph. "
            "Call the other task while the graph is built and pass its node as an argument, "
            "or call its plain function with .fn(...)."
        )


@contextmanager
def collect_artifacts() -> Iterator[list[Node[object]]]:
    """Collect every node that is made an artifact during the block, in order."""
    found: list[Node[object]] = []
    token = _collector.set(found)
    try:
        yield found
    finally:
        _collector.reset(token)


#: The artifact last made of each name, as long as someone holds it.
_made: WeakValueDictionary[str, Node[object]] = WeakValueDictionary()


def artifact_made_here(name: str) -> Node[object] | None:
    """Return the artifact of a name that was last made in this process, if it is still held."""
    return _made.get(name)


def note_artifact(node: Node[object]) -> None:
    """Remember a new artifact by its name, and tell the collector if a flow is being imported."""
    _made[node.extra.artifacts[-1].name] = node
    found = _collector.get()
    if found is not None:
        found.append(node)
