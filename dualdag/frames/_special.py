"""Methods that are more than one op of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dualdag.frames import _items
from dualdag.frames._calls import call, on_driver
from dualdag.frames._checks import check_new_column
from dualdag.frames._lazy import is_lazy, wrap
from dualdag.frames._locals import local_names
from dualdag.frames._ops import derive
from dualdag.frames._spelling import bind
from dualdag.frames._steps import freeze, step
from dualdag.frames._writers import WRITERS, write

__all__ = ["find"]

_TABLES = ("DataFrame", "Series", "Unknown")


def find(owner: str, name: str) -> Callable[..., Any] | None:
    """Return the function behind a method, or None for the plain way.

    Parameters
    ----------
    owner, name : str
        Class of pandas and method.
    """
    if name in WRITERS and owner in _TABLES:
        return lambda self, *args, **kwargs: write(self, owner, name, args, kwargs)
    own = _OWN.get((owner, name)) or (_SHARED.get(name) if owner in _TABLES else None)
    return own or (_copy if name == "copy" and owner == "Index" else None)


def _pipe(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    self = wrap(self._handle)  # as in pandas, what the function changes is its own
    if isinstance(func, tuple):
        func, place = func
        if place in kwargs:
            raise ValueError(f"{place} is both the pipe target and a keyword argument")
        return func(*args, **{place: self, **kwargs})
    return func(self, *args, **kwargs)


def _copy(self: Any, *args: Any, **kwargs: Any) -> Any:
    _, given = bind(type(self).__name__ if type(self).__name__ != "Unknown" else "Unknown", "copy", args, kwargs)
    if "name" in given:
        return call(self, "Index", "copy", args, kwargs)
    return wrap(self._handle)


def _assign(self: Any, **columns: Any) -> Any:
    made = wrap(self._handle)
    waiting: list[Any] = []
    # Each value may be a function of the frame as the ones before it left it.  All that can be told
    # now is one op; a function that needs values is called where the frame is there.
    for name, value in columns.items():
        told = _items.resolved(made, value) if not is_lazy(value) else value
        frozen = freeze(told)
        function = callable(told) and not is_lazy(told)
        waiting.append(step("assign", **{name: frozen}) if function else step("[]=", name, frozen))
        made = wrap(derive(self._handle, tuple(waiting), self._handle.kind))
    return made


def _pop(self: Any, item: Any) -> Any:
    taken = self[item]
    del self[item]
    return taken


def _changing(name: str) -> Callable[..., None]:
    def change(self: Any, *args: Any, **kwargs: Any) -> None:
        owner = self._members
        place, given = bind(owner, name, args, kwargs)
        if name == "insert" and not given.get("allow_duplicates"):
            check_new_column(self._handle, given.get("column"))
        made = (f"{name}=", tuple(freeze(one) for one in place), {k: freeze(v) for k, v in given.items()})
        self._become(derive(self._handle, (made,), self._handle.kind))

    return change


def _with_locals(name: str) -> Callable[..., Any]:
    def evaluate(self: Any, expr: Any, **kwargs: Any) -> Any:
        if isinstance(expr, str) and "local_dict" not in kwargs:
            found = local_names(expr, marked=True)
            if found:
                kwargs["local_dict"] = found
        kwargs.pop("level", None)
        return call(self, self._members, name, (expr,), kwargs)

    return evaluate


def _keys(self: Any) -> Any:
    return self.columns if self._handle.kind == "frame" else self.index


def _items_of(self: Any) -> Iterator[tuple[Any, Any]]:
    meta = self._handle.meta
    if self._handle.kind != "frame" or meta is None or not meta.columns.is_unique:
        return iter(on_driver(self._handle, (step("items"),)))
    return iter([(label, self[label]) for label in meta.columns])


def _get(self: Any, key: Any, default: Any = None) -> Any:
    meta = self._handle.meta
    if self._handle.kind != "frame" or meta is None:
        return call(self, self._members, "get", (key, default), {})
    labels = key if isinstance(key, list) else [key]
    return self[key] if all(label in meta.columns for label in labels) else default


def _conditional(name: str) -> Callable[..., Any]:
    def choose(self: Any, *args: Any, **kwargs: Any) -> Any:
        place = tuple(_items.resolved(self, one) for one in args)
        given = {key: _items.resolved(self, one) for key, one in kwargs.items()}
        return call(self, self._members, name, place, given)

    return choose


def _case_when(self: Any, caselist: Any) -> Any:
    cases = [(_items.resolved(self, one), _items.resolved(self, other)) for one, other in caselist]
    return call(self, self._members, "case_when", (cases,), {})


def _transpose(self: Any, *args: Any, **kwargs: Any) -> Any:
    if self._handle.kind == "series":
        return wrap(self._handle)
    return call(self, self._members, "transpose", args, kwargs)


_SHARED: dict[str, Callable[..., Any]] = {
    "pipe": _pipe,
    "copy": _copy,
    "assign": _assign,
    "pop": _pop,
    "keys": _keys,
    "items": _items_of,
    "get": _get,
    "case_when": _case_when,
    "transpose": _transpose,
    **{name: _changing(name) for name in ("insert", "isetitem", "update")},
    **{name: _with_locals(name) for name in ("query", "eval")},
    **{name: _conditional(name) for name in ("where", "mask", "select")},
}
# Names that mean something else on one of the classes.
_OWN: dict[tuple[str, str], Callable[..., Any]] = {}
