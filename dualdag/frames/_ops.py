"""Handles: what a lazy object is at one moment, and how an op makes a new one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dualdag.frames._kernels import KERNEL_VERSION, kernel
from dualdag.frames._steps import Step, label_of
from dualdag.graph import Node, Task, task

if TYPE_CHECKING:
    from dualdag.frames._meta import Meta

__all__ = ["Handle", "derive", "node_of"]

Infer = Callable[[], "Meta | None"]


@lru_cache(maxsize=4096)
def _task(label: str) -> Task[..., Any]:
    import pandas as pd

    make = task(version=("dualdag.frames", KERNEL_VERSION, pd.__version__))
    made: Task[..., Any] = make(kernel(label))
    return made


def node_of(source: object, steps: tuple[Step, ...]) -> Node[Any]:
    """Return the node of steps applied to a source.

    Parameters
    ----------
    source : Node or object that stands for one, or None
        What the steps start from; None where the first is a function of pandas.
    steps : tuple of Step
        What to do, arguments frozen.
    """
    return _task(label_of(steps))(source, steps)


class Handle:
    """What a lazy object is at one moment: its node, kind, and what is known of it without running.

    Parameters
    ----------
    node : Node
        What gives the value.
    kind : {"frame", "series", "index", "scalar", "array", "any"}
        What the value will be; ``"any"`` where only the values can tell.
    infer : callable or None
        Returns what is known of the value; called once, after the same of `parents`.
    parents : tuple of Handle
        What `infer` asks.
    """

    __slots__ = ("_infer", "_meta", "_parents", "kind", "node")

    def __init__(
        self, node: Node[Any], kind: str, infer: Infer | None = None, parents: tuple[Handle, ...] = ()
    ) -> None:
        self.node = node
        self.kind = kind
        self._infer = infer
        self._parents = parents
        self._meta: Meta | None = None

    def __dualdag_node__(self) -> Node[Any]:
        return self.node

    def __dualdag_freeze__(self) -> Handle:
        return self

    @property
    def meta(self) -> Meta | None:
        """What is known without running: labels, and types where they are sure; None for nothing."""
        # A chain may be longer than Python recurses, so parents are settled first.
        stack = [self]
        while stack:
            handle = stack[-1]
            waiting = [p for p in handle._parents if p._infer is not None] if handle._infer else []
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            handle._settle()
        return self._meta

    def _settle(self) -> None:
        infer, self._infer = self._infer, None
        if infer is not None:
            try:
                self._meta = infer()
            except Exception:  # noqa: BLE001 - what can't be told beforehand is told by running
                self._meta = None
            self._parents = ()

    def with_node(self, node: Node[Any]) -> Handle:
        """Return this handle on another node of the same value."""
        return Handle(node, self.kind, lambda: self.meta, (self,))

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.node, self.kind, self.meta)


def _load(node: Node[Any], kind: str, meta: Meta | None) -> Handle:
    handle = Handle(node, kind)
    handle._meta = meta
    return handle


def known(node: Node[Any], kind: str, meta: Meta | None) -> Handle:
    """Return a handle of which all that is known is at hand."""
    return _load(node, kind, meta)


def derive(source: Handle, steps: tuple[Step, ...], kind: str) -> Handle:
    """Return the handle of steps applied to a source.

    Parameters
    ----------
    source : Handle
        What the steps start from.
    steps : tuple of Step
        What to do, arguments frozen.
    kind : str
        What the result will be, or ``"any"``.
    """
    from dualdag.frames import _infer, _meta

    if kind == "scalar":
        return Handle(node_of(source, steps), kind)
    inner = tuple(_meta.handles_in(steps))
    return Handle(node_of(source, steps), kind, lambda: _infer.infer(source, steps), (source, *inner))
