"""Names of lazy objects: methods that make ops, attributes, accessors and columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from dualdag.frames._calls import call, special
from dualdag.frames._errors import missing_attribute
from dualdag.frames._kinds import kind_of_property
from dualdag.frames._lazy import wrap
from dualdag.frames._names import nature, offers, owner_class, public, signature
from dualdag.frames._ops import derive
from dualdag.frames._run import ask
from dualdag.frames._steps import step
from dualdag.frames._views import Indexer, accessor

__all__ = ["Method", "member", "names_in"]

_INDEXERS = frozenset({"at", "iat", "iloc", "loc"})


class Method:
    """A method of a lazy object or view, with pandas's documentation and signature.

    Parameters
    ----------
    target : callable
        Takes the arguments.
    owner, name : str
        Which method of which class of pandas it is.
    """

    __slots__ = ("_name", "_owner", "_target")

    def __init__(self, target: Callable[..., Any], owner: str, name: str) -> None:
        self._target = target
        self._owner = owner
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._target(*args, **kwargs)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return inspect.getdoc(getattr(owner_class(self._owner), self._name, None))

    @property
    def __signature__(self) -> inspect.Signature | None:
        return signature(self._owner, self._name)

    def __repr__(self) -> str:
        return f"<lazy method {self._owner}.{self._name}>"


def member(self: Any, name: str) -> Any:
    """Return what ``self.name`` is for a frame, series, index, or what is not known to be which."""
    owner = self._members
    if not offers(owner, name):
        return _column(self, name)
    if name in _INDEXERS and owner != "Index":
        return Indexer(self, name)
    kind = nature(owner, name)
    if kind == "constructor":
        return getattr(type(self), name)
    if kind == "accessor":
        return accessor(self, owner, name)
    if kind == "method":
        own = special(owner, name)
        if own is not None:
            return Method(lambda *args, **kwargs: own(self, *args, **kwargs), owner, name)
        return Method(lambda *args, **kwargs: call(self, owner, name, args, kwargs), owner, name)
    return _property(self, owner, name)


def _property(self: Any, owner: str, name: str) -> Any:
    handle = self._handle
    if name in ("style", "attrs", "flags"):
        from dualdag.frames import _attributes

        return getattr(_attributes, name)(self)
    if name == "axes" and owner == "DataFrame":
        return [self.index, self.columns]
    if owner == "Index" and name in ("name", "names", "nlevels") and handle.meta is not None:
        return getattr(handle.meta.obj, name)
    kind = kind_of_property(owner, name)
    if kind == "plain":
        return ask(handle, (step(f".{name}"),)) if name not in ("values", "array") else getattr(self.compute(), name)
    if name == "T":
        return self.transpose()
    made = wrap(derive(handle, (step(f".{name}"),), kind))
    if name == "index":
        object.__setattr__(made, "_owner", (self, "index", self._held))
    return made


def _column(self: Any, name: str) -> Any:
    if name in (notes := self._notes() if hasattr(type(self), "_notes") else {}):
        return notes[name]
    handle = self._handle
    if handle.kind == "index":
        raise missing_attribute("Index", name, public("Index"))
    meta = handle.meta
    known = None if meta is None else meta.columns
    if known is None and not name.startswith("_") and handle.kind != "series":
        made = wrap(derive(handle, (step(f".{name}"),), "any"))
        object.__setattr__(made, "_owner", (self, name, handle))  # it may turn out to be a method
        return made
    if known is not None and name in known:
        return self[name]
    if name.startswith("_"):
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
    if handle.kind == "series":
        return _label(self, name)
    raise missing_attribute(type(self).__name__, name, [*(known if known is not None else ()), *public(self._members)])


def _label(self: Any, name: str) -> Any:
    # A label of a series can be read as an attribute; whether there is one only the values tell.
    if not ask(self._handle, (step("in()", name),)):
        raise missing_attribute("Series", name, public("Series"))
    return self[name]


def names_in(self: Any) -> list[str]:
    """Return what ``dir()`` shows: pandas's names, those of lazy objects, and known columns."""
    meta = self._handle.meta
    labels = [] if meta is None or meta.columns is None else [c for c in meta.columns if isinstance(c, str)]
    return sorted({*object.__dir__(self), *public(self._members), *(c for c in labels if c.isidentifier())})
