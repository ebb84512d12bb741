"""Getting values: the one place where frames run a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dualdag.frames._errors import AttributeNotFoundError, ColumnNotFoundError
from dualdag.frames._ops import Handle, node_of
from dualdag.frames._steps import Step
from dualdag.graph import Node, map_nodes, nodes_in

__all__ = ["Untold", "ask", "plain", "run", "traced"]

_tracing: ContextVar[bool] = ContextVar("dualdag_frames_tracing", default=False)


class Untold(Exception):  # noqa: N818 - caught by ourselves, never shown
    """A user function that is tried on a lazy object asked for a value."""


@contextmanager
def _trying() -> Iterator[None]:
    token = _tracing.set(True)
    try:
        yield
    finally:
        _tracing.reset(token)


def run(x: Any, **options: Any) -> Any:
    """Return the values of nodes or of containers of them.

    Parameters
    ----------
    x : object
        A node, or what holds nodes.
    **options
        As for `dualdag.run`.
    """
    if isinstance(x, Node) and x.op.kind == "value" and not options and not x.extra.artifacts:
        return _own_copy(x.args[0])
    if _tracing.get():
        raise Untold
    from dualdag import _api

    return _api.run(x, **options)


def _literals_in_place(x: Any) -> Any:
    return map_nodes(x, lambda node: _own_copy(node.args[0]) if node.op.kind == "value" else node)


def _own_copy(value: Any) -> Any:
    if hasattr(value, "iloc"):
        return value.copy(deep=False)
    return copy.copy(value)


def plain(x: Any) -> Any:
    """Return `x` with values in place of the lazy objects in it."""
    from dualdag.frames._steps import freeze, thaw

    frozen = freeze(x)
    if isinstance(frozen, Handle):
        return run(frozen.node)
    frozen = _literals_in_place(frozen)
    return thaw(run(frozen) if nodes_in(frozen) else frozen)


def ask(source: Handle, steps: tuple[Step, ...]) -> Any:
    """Return what steps give, computed through the store in a node of their own."""
    return run(node_of(source, steps))


def traced(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a user function makes of lazy objects, or None if it needs values or gives none that is lazy.

    Parameters
    ----------
    function : callable
        What the user gave to ``assign``, ``loc`` and the like.
    *args
        Lazy objects.
    """
    try:
        with _trying():
            made = function(*args)
    except (ColumnNotFoundError, AttributeNotFoundError):
        raise
    except Exception:  # noqa: BLE001 - it may well work on a frame: its own error comes from there
        return None
    return made if hasattr(type(made), "__dualdag_freeze__") else None
