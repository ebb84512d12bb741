"""Views: what pandas gives between a frame and an answer (groups, windows, accessors, indexers).

A view holds the source and the steps that make it, so that no object of pandas that stands between
is ever a result: the steps are part of the op that answers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from dualdag.frames import _items
from dualdag.frames._calls import call_view, on_driver
from dualdag.frames._checks import check_labels
from dualdag.frames._errors import missing_attribute
from dualdag.frames._kinds import kind_of_property, list_like
from dualdag.frames._kinds_grouped import selected_owner
from dualdag.frames._lazy import wrap
from dualdag.frames._names import nature, owner_class, public
from dualdag.frames._ops import Handle, derive, node_of
from dualdag.frames._run import run
from dualdag.frames._steps import Step, freeze, is_slice, step

__all__ = ["Indexer", "View", "accessor"]

_LISTS = frozenset({"groups", "indices", "ngroups", "plot", "ndim", "keys", "level", "exclusions"})


class View:
    """Groups, a window or an accessor of a lazy object: its methods make ops.

    Parameters
    ----------
    handle : Handle
        The source.
    steps : tuple of Step
        How the view is made of it.
    owner : str
        The class of pandas it stands for, such as ``"DataFrameGroupBy"`` or ``"Series.str"``.
    """

    __dualdag_view__ = True
    __slots__ = ("_grouped", "_handle", "_owner", "_steps")

    def __init__(self, handle: Handle, steps: tuple[Step, ...], owner: str) -> None:
        self._handle = handle
        self._steps = steps
        self._owner = owner
        self._grouped = "." not in owner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{self._owner!r} object has no attribute {name!r}")
        if self._grouped and name in getattr(owner_class(self._owner), "_attributes", ()):
            return on_driver(self._handle, (*self._steps, step(f".{name}")))  # an argument of the window
        if name not in public(self._owner):
            return self._column(name)
        if name == "pipe":
            return self._pipe
        if name == "nth":
            return Nth(self)
        if name in _LISTS and self._grouped:
            return on_driver(self._handle, (*self._steps, step(f".{name}")))
        if nature(self._owner, name) == "method":
            return self._method(name)
        return self._property(name)

    def _method(self, name: str) -> Any:
        from dualdag.frames._members import Method

        return Method(lambda *args, **kwargs: call_view(self, name, args, kwargs), self._owner, name)

    def _property(self, name: str) -> Any:
        steps = (*self._steps, step(f".{name}"))
        kind = "series" if self._grouped else kind_of_property(self._owner, name)
        if kind == "plain":
            return run(node_of(self._handle, steps))
        if self._handle.kind != "series" and not self._grouped:
            kind = "any"
        return wrap(derive(self._handle, steps, kind))

    def _column(self, name: str) -> Any:
        meta = self._handle.meta
        known = meta.columns if meta is not None else None
        if not self._grouped or (known is not None and name not in known):
            raise missing_attribute(self._owner, name, [*public(self._owner), *(known if known is not None else ())])
        return self[name]

    def _pipe(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(function, tuple):
            function, place = function
            return function(*args, **{place: self, **kwargs})
        return function(self, *args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        frozen = freeze(key)
        if not self._grouped:
            kind = self._handle.kind if self._handle.kind == "series" else "any"
            return wrap(derive(self._handle, (*self._steps, step("[]", frozen)), kind))
        meta = self._handle.meta
        if meta is not None and meta.columns is not None:
            check_labels(meta.obj, frozen, "[]")
        owner = selected_owner(self._owner, frozen, self._handle.kind, self._steps)
        return View(self._handle, (*self._steps, step("[]", frozen)), owner)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._real())

    def __len__(self) -> int:
        return len(self._real())

    def _real(self) -> Any:
        return on_driver(self._handle, self._steps)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __dir__(self) -> list[str]:
        meta = self._handle.meta
        labels = meta.columns if meta is not None and meta.columns is not None and self._grouped else ()
        return sorted({*public(self._owner), *(c for c in labels if isinstance(c, str))})

    def __repr__(self) -> str:
        return f"<lazy {self._owner}>"


class Nth:
    """``groups.nth``: rows by their place in each group, as a call or by index."""

    __slots__ = ("_view",)

    def __init__(self, view: View) -> None:
        self._view = view

    def __call__(self, n: Any, dropna: Any = None) -> Any:
        more = {} if dropna is None else {"dropna": dropna}
        return self._made(step("nth", freeze(n), **more))

    def __getitem__(self, n: Any) -> Any:
        return self._made(step("nth", freeze(list(n) if isinstance(n, tuple) else n)))

    def _made(self, last: Step) -> Any:
        view = self._view
        kind = {"DataFrameGroupBy": "frame", "SeriesGroupBy": "series"}.get(view._owner, "any")
        return wrap(derive(view._handle, (*view._steps, last), kind))


def accessor(self: Any, owner: str, name: str) -> Any:
    """Return the view behind an accessor, pandas's own or a registered one.

    Parameters
    ----------
    self : Lazy
        Whose accessor it is.
    owner : str
        The class of pandas that has it.
    name : str
        The accessor.
    """
    if name == "plot":
        return self.compute().plot
    if owner == "Unknown":
        owner = "Series" if name in public("Series") and nature("Series", name) == "accessor" else "DataFrame"
    if owner == "Index":
        owner = "Series"
    cls = getattr(owner_class(owner), name)
    if not cls.__module__.startswith("pandas."):
        return Foreign(self._handle, cls)
    return View(self._handle, (step(f".{name}"),), f"{owner}.{name}")


class Foreign:
    """An accessor that is not pandas's: its code counts in the key, and travels to the workers.

    Parameters
    ----------
    handle : Handle
        The source.
    cls : type
        The accessor, as it is registered now.
    """

    __dualdag_view__ = True
    __slots__ = ("_cls", "_handle")

    def __init__(self, handle: Handle, cls: type) -> None:
        self._cls = cls
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        found = inspect.getattr_static(self._cls, name, None)
        if found is None or name.startswith("_"):
            raise missing_attribute(self._cls.__name__, name, self.__dir__())
        first = step("accessor", self._cls)
        if isinstance(found, property) or not callable(getattr(self._cls, name)):
            return wrap(derive(self._handle, (first, step(f".{name}")), "any"))

        def method(*args: Any, **kwargs: Any) -> Any:
            place = tuple(freeze(one) for one in args)
            made = (name, place, {key: freeze(one) for key, one in kwargs.items()})
            return wrap(derive(self._handle, (first, made), "any"))

        return method

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._cls) if not name.startswith("_")]


class Indexer:
    """``loc``, ``iloc``, ``at`` or ``iat`` of a lazy object.

    Parameters
    ----------
    source : Lazy
        Whose indexer it is; setting changes it.
    name : str
        Which of the four.
    """

    __slots__ = ("_axis", "_name", "_source")

    def __init__(self, source: Any, name: str, axis: Any = None) -> None:
        self._source = source
        self._name = name
        self._axis = axis

    def __call__(self, axis: Any = None) -> Indexer:
        return Indexer(self._source, self._name, axis)

    def _key(self, key: Any) -> Any:
        if self._axis in (1, "columns"):
            key = slice(None), key
        return freeze(_items.resolved(self._source, key))

    def __getitem__(self, key: Any) -> Any:
        frozen = self._key(key)
        handle: Handle = self._source._handle
        kind = _kind_at(handle, self._name, frozen)
        return wrap(derive(handle, (step(f"{self._name}[]", frozen),), kind))

    def __setitem__(self, key: Any, value: Any) -> None:
        handle: Handle = self._source._handle
        made = step(f"{self._name}[]=", self._key(key), freeze(value))
        self._source._become(derive(handle, (made,), handle.kind))

    def __repr__(self) -> str:
        return f"<lazy {self._name}>"


def _kind_at(handle: Handle, name: str, key: Any) -> str:
    """Return what a key gives: rows and columns, a column, a row, one value, or only the values tell."""
    if name in ("at", "iat"):
        return "scalar"
    if handle.kind == "series":
        if list_like(key):
            return "series"
        return "scalar" if name == "iloc" and isinstance(key, int) else "any"
    if handle.kind != "frame":
        return "any"
    whole = isinstance(key, tuple) and not is_slice(key)
    paired = whole and len(key) == 2
    rows, columns = key if paired else (key, slice(None))
    meta = handle.meta
    if name == "loc":
        if meta is not None and paired and meta.obj.index.nlevels == 1:
            check_labels(meta.obj, columns, ".loc[]")
        leveled = meta is None or meta.obj.index.nlevels > 1 or meta.columns.nlevels > 1
        if whole and (leveled or not paired):
            return "frame" if paired and list_like(rows) and list_like(columns) else "any"
    return _shape(handle, name, rows, columns)


def _shape(handle: Handle, name: str, rows: Any, columns: Any) -> str:
    if any((isinstance(one, Handle) and one.kind == "any") or callable(one) for one in (rows, columns)):
        return "any"
    if list_like(rows):
        if list_like(columns):
            return "frame"
        return "series" if name == "iloc" else _items.kind_of_label(handle, columns)
    if name == "loc":
        return "any"
    return "series" if list_like(columns) else "scalar"
