"""Nodes inside nested containers: finding, replacing, snapshotting."""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from dualdag.errors import GraphError

__all__ = ["map_nodes", "nodes_in", "snapshot"]

#: Exact types that hold nothing and never change.
ATOMS: frozenset[type] = frozenset({int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range, type})

_TOO_DEEP = (
    "containers here are nested too deeply to look for nodes in them, or one holds itself: "
    "let a task make such a value, or take it flatter."
)


def map_nodes(obj: Any, replace: Callable[[Any], Any]) -> Any:
    """Return `obj` with `replace(node)` in place of each node in it.

    Looks inside lists, tuples (named ones too), dicts (keys and values), sets and fields of
    dataclass instances; a container without a node in it comes back as it is.

    Parameters
    ----------
    obj : object
        Any value.
    replace : callable
        Takes a node, or an object that stands for one, and returns what takes its place.
    """
    kind = type(obj)
    if kind in ATOMS:
        return obj
    if hasattr(kind, "__dualdag_node__"):
        return replace(obj.__dualdag_node__())
    if isinstance(obj, (list, tuple, set, frozenset)):
        items = [map_nodes(item, replace) for item in obj]
        if all(new is old for new, old in zip(items, obj, strict=True)):
            return obj
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    if isinstance(obj, dict):
        pairs = [(map_nodes(k, replace), map_nodes(v, replace)) for k, v in obj.items()]
        if all(nk is k and nv is v for (nk, nv), (k, v) in zip(pairs, obj.items(), strict=True)):
            return obj
        made = copy.copy(obj) if kind is not dict else {}
        made.clear()
        for key, value in pairs:  # .update() of a Counter counts
            made[key] = value
        return made
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return _map_dataclass(obj, replace)
    return obj


def nodes_in(obj: Any) -> list[Any]:
    """Return the nodes in a node, a container of nodes, or an object that stands for one.

    Raises
    ------
    GraphError
        When containers are nested too deeply, or hold themselves.
    """
    found: list[Any] = []

    def note(node: Any) -> Any:
        found.append(node)
        return node

    try:
        map_nodes(obj, note)
    except RecursionError:
        raise GraphError(_TOO_DEEP) from None
    return found


def _map_dataclass(obj: Any, replace: Callable[[Any], Any]) -> Any:
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(obj):
        old = getattr(obj, field.name, None)
        new = map_nodes(old, replace)
        if new is not old:
            changed[field.name] = new
    if not changed:
        return obj
    made = copy.copy(obj)
    for name, value in changed.items():
        object.__setattr__(made, name, value)
    return made


def snapshot(obj: Any) -> Any:
    """Return a copy of a literal argument, so that what was hashed is what will run.

    Containers and arrays are copied; pandas objects share their data under copy-on-write; nodes
    and objects that stand for nodes become plain nodes; anything else is taken as it is.

    Parameters
    ----------
    obj : object
        An argument of a task call.

    Raises
    ------
    GraphError
        When containers are nested too deeply, or hold themselves.
    """
    if type(obj) in ATOMS:
        return obj
    try:
        return _snapshot(obj)
    except RecursionError:
        raise GraphError(_TOO_DEEP) from None


def _snapshot(obj: Any) -> Any:
    kind = type(obj)
    if kind in ATOMS:
        return obj
    if hasattr(kind, "__dualdag_node__"):
        return obj.__dualdag_node__()
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return kind([_snapshot(item) for item in obj])
    if kind is dict:
        return {_snapshot(k): _snapshot(v) for k, v in obj.items()}
    if kind is bytearray:
        return bytearray(obj)
    if isinstance(obj, (list, tuple, set, frozenset, dict)) or dataclasses.is_dataclass(obj):
        return map_nodes(copy.copy(obj), lambda node: node) if not isinstance(obj, type) else obj
    return _snapshot_data(obj)


def _snapshot_data(obj: Any) -> Any:
    root = type(obj).__module__.partition(".")[0]
    if root == "numpy":
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.ndarray):
            return obj.copy()
    if root == "pandas":
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(obj, (pandas.DataFrame, pandas.Series)):
            return obj.copy(deep=False)
    return obj
