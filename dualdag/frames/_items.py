"""Items, attributes and labels of lazy objects: reading them, and changing this one object."""

from __future__ import annotations

import warnings
from typing import Any

from dualdag.frames._checks import check_labels, check_new_labels
from dualdag.frames._errors import missing_attribute
from dualdag.frames._kinds import list_like
from dualdag.frames._lazy import wrap
from dualdag.frames._names import public
from dualdag.frames._ops import Handle, derive
from dualdag.frames._run import ask, traced
from dualdag.frames._steps import freeze, step

__all__ = [
    "columns_of",
    "delete_item",
    "get_index_item",
    "get_item",
    "kind_of_label",
    "name_index",
    "resolved",
    "set_attribute",
    "set_item",
    "settle_columns",
]

_SETTABLE = frozenset({"attrs", "columns", "index", "name"})


def resolved(self: Any, obj: Any) -> Any:
    """Return an argument with expressions and functions of this object called on it, lazily where that goes.

    Parameters
    ----------
    self : Lazy
        What the argument is about.
    obj : object
        The argument; a function that needs values stays, for pandas to call.
    """
    if type(obj).__name__ == "Expression" and hasattr(type(obj), "_eval_expression"):
        return obj._eval_expression(_Columns(self))
    if isinstance(obj, tuple):
        return tuple(resolved(self, one) for one in obj)
    if callable(obj) and not isinstance(obj, type) and not hasattr(type(obj), "__dualdag_freeze__"):
        made = traced(obj, wrap(self._handle))
        return obj if made is None else made
    return obj


class _Columns:
    """A frame to an expression: any column may be there, and is looked for when it is asked for."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.columns = self

    def __contains__(self, label: object) -> bool:
        meta = self.frame._handle.meta
        return meta is None or meta.columns is None or label in meta.columns

    def tolist(self) -> list[Any]:
        """Return the labels that are known."""
        meta = self.frame._handle.meta
        return [] if meta is None else list(meta.columns)

    def __getitem__(self, label: Any) -> Any:
        return self.frame[label]


def kind_of_label(handle: Handle, key: Any) -> str:
    """Return what one label of a frame gives: a column, or several where labels repeat or have levels."""
    meta = handle.meta
    if handle.kind != "frame" or meta is None or meta.columns is None:
        return "any"
    try:
        found = meta.obj[key]
    except (KeyError, TypeError, ValueError):
        return "any"
    return "frame" if getattr(found, "ndim", 1) == 2 else "series"


def get_item(self: Any, key: Any) -> Any:
    """Return ``self[key]`` of a frame, a series, or what is not known to be which."""
    frozen = freeze(resolved(self, key))
    handle = self._handle
    several = list_like(frozen)
    if handle.kind == "frame":
        meta = handle.meta
        if meta is not None and not isinstance(frozen, Handle):
            check_labels(meta.obj, frozen, "[]")
        kind = "frame" if several else kind_of_label(handle, frozen) if not isinstance(frozen, Handle) else "any"
    else:
        kind = handle.kind if several and handle.kind in ("series", "array") else "any"
    return wrap(derive(handle, (step("[]", frozen),), kind))


def get_index_item(self: Any, key: Any) -> Any:
    """Return ``self[key]`` of an index."""
    frozen = freeze(key)
    kind = "index" if list_like(frozen) else "scalar" if isinstance(frozen, int) else "any"
    return wrap(derive(self._handle, (step("[]", frozen),), kind))


def set_item(self: Any, key: Any, value: Any) -> None:
    """Do ``self[key] = value``: this object stands for another node from here on."""
    handle = self._handle
    frozen = freeze(resolved(self, key)), freeze(value)
    self._become(derive(handle, (step("[]=", *frozen),), handle.kind))


def delete_item(self: Any, key: Any) -> None:
    """Do ``del self[key]``: this object stands for another node from here on."""
    handle = self._handle
    frozen = freeze(key)
    if handle.kind == "frame" and handle.meta is not None:
        check_labels(handle.meta.obj, frozen, "del []")
    self._become(derive(handle, (step("del=", frozen),), handle.kind))


def set_attribute(self: Any, name: str, value: Any) -> None:
    """Do ``self.name = value`` as pandas means it: labels, a column, or a note that no op sees."""
    handle = self._handle
    meta = handle.meta if handle.kind == "frame" else None
    known = meta.columns if meta is not None else None
    if known is not None and name not in _SETTABLE and name in known:
        set_item(self, name, value)
    elif name in _SETTABLE or ((handle.kind != "frame" or known is None) and name not in public(self._members)):
        check_new_labels(handle, name, value)
        self._become(derive(handle, (step("attr=", name, freeze(value)),), handle.kind))
    elif name in public(self._members):
        raise missing_attribute(type(self).__name__, name, _SETTABLE)
    else:
        if list_like(freeze(value)):
            warnings.warn(
                "Pandas doesn't allow columns to be created via a new attribute name - see "
                "https://pandas.pydata.org/pandas-docs/stable/indexing.html#attribute-access",
                UserWarning,
                stacklevel=3,
            )
        self._notes()[name] = value


def columns_of(self: Any) -> Any:
    """Return the labels of a frame's columns, as an index that may be given names."""
    handle = self._handle
    if self._shown is None:
        meta = handle.meta
        labels = meta.columns.copy() if meta is not None and meta.columns is not None else None
        if labels is None:
            labels = ask(handle, (step(".columns"),))
        object.__setattr__(self, "_shown", (labels, list(labels.names)))
    return self._shown[0]


def settle_columns(self: Any) -> None:
    """Take over the names that the user gave to the columns' labels since they were shown."""
    shown = self._shown
    if shown is None or list(shown[0].names) == shown[1]:
        return
    labels, names = shown[0], list(shown[0].names)
    held = derive(self._held, (step("names=", "columns", names),), "frame")
    object.__setattr__(self, "_held", held)
    object.__setattr__(self, "_shown", (labels, names))


def name_index(self: Any, names: list[Any]) -> None:
    """Name the levels of an index, and of the frame or series whose index it is."""
    owner = self._owner
    self._become(derive(self._handle, (step("set_names", names=names),), "index"))
    if owner is None or owner[0]._held is not owner[2]:
        return
    table, axis, held = owner
    table._become(derive(held, (step("names=", axis, names),), held.kind))
    object.__setattr__(self, "_owner", (table, axis, table._held))
