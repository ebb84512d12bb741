"""Classes of pandas called, or asked for their names, through their lazy counterparts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualdag.frames._infer import of_function
from dualdag.frames._lazy import is_lazy, wrap
from dualdag.frames._meta import handles_in, literal
from dualdag.frames._names import nature, owner_class, public
from dualdag.frames._ops import Handle, node_of
from dualdag.frames._steps import freeze, read_out
from dualdag.graph import nodes_in, running_task

__all__ = ["Constructor", "Unbound", "apply_function", "class_attribute", "construct"]

_KINDS = {"DataFrame": "frame", "Series": "series"}


def construct(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what calling a class of pandas gives: pandas's own while a task runs, else a lazy object.

    Parameters
    ----------
    name : str
        The class.
    args, kwargs
        As the user gave them.
    """
    if running_task() is not None:
        return owner_class(name)(*args, **kwargs)
    kind = _KINDS.get(name, "index")
    if len(args) == 1 and not kwargs and is_lazy(args[0]) and args[0]._handle.kind == kind and kind != "index":
        return wrap(args[0]._handle)
    return apply_function(name, owner_class(name), args, kwargs, kind)


def apply_function(
    path: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], kind: str
) -> Any:
    """Return what a function of pandas gives: an op where an argument is lazy, else a literal.

    Parameters
    ----------
    path : str
        Its public name.
    function : callable
        The function itself.
    args, kwargs
        As the user gave them.
    kind : str
        What it gives where an argument is lazy.
    """
    args = tuple(read_out(one) for one in args)
    if not nodes_in((args, kwargs)):
        return lazily(function(*args, **kwargs))
    place = tuple(freeze(one) for one in args)
    given = {key: freeze(one) for key, one in kwargs.items()}
    steps = ((f"pandas.{path}", place, given),)
    return wrap(Handle(node_of(None, steps), kind, lambda: of_function(steps), tuple(handles_in(steps))))


def lazily(made: Any) -> Any:
    """Return a frame, series or index as a lazy literal; anything else as it is."""
    import pandas as pd

    return wrap(literal(made)) if isinstance(made, (pd.DataFrame, pd.Series, pd.Index)) else made


class Unbound:
    """A method of a class of pandas, such as ``pd.DataFrame.sum``: for lazy objects and for pandas's.

    Parameters
    ----------
    owner, name : str
        Which method of which class.
    """

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: str, name: str) -> None:
        self._owner = owner
        self._name = name

    def __pandas_path__(self) -> str:
        return f"{self._owner}.{self._name}"

    def __call__(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
        if is_lazy(obj):
            return getattr(obj, self._name)(*args, **kwargs)
        return getattr(owner_class(self._owner), self._name)(obj, *args, **kwargs)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return str(getattr(owner_class(self._owner), self._name).__doc__)

    def __repr__(self) -> str:
        return f"<method {self._owner}.{self._name}>"


class Constructor(Unbound):
    """A class method that makes objects, such as ``pd.DataFrame.from_dict``."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = getattr(owner_class(self._owner), self._name)
        if running_task() is not None:
            return function(*args, **kwargs)
        return apply_function(self.__pandas_path__(), function, args, kwargs, _KINDS.get(self._owner, "index"))


def class_attribute(owner: str, name: str) -> Any:
    """Return ``pd.DataFrame.name`` and the like: a method or class method as one that takes lazy objects too."""
    found = getattr(owner_class(owner), name)
    if running_task() is not None or name not in public(owner):
        return found
    kind = nature(owner, name)
    if kind == "constructor":
        return Constructor(owner, name)
    return Unbound(owner, name) if kind == "method" else found
