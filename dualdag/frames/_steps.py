"""Steps: what an op does to a frame, as plain data that hashes, travels and can be matched.

A step is ``(name, args, kwargs)``.  Its name is a method (``"sort_values"``), an attribute
(``".str"``), an operator (``"+"``, ``"r-"``), an item (``"[]"``), a change (``"[]="``, ``"insert="``),
a builtin (``"len()"``) or a function of pandas (``"pandas.concat"``).
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, KeysView, ValuesView
from typing import Any

from dualdag.frames._signs import BINARY, COMPARED

__all__ = ["Step", "freeze", "is_slice", "label_of", "named", "read_out", "resolve", "step", "thaw"]

Step = tuple[str, tuple[Any, ...], dict[str, Any]]

# First items of the tuples that stand for what has no plain form with nodes in it.
_SLICE = "\0dualdag slice"
_NAMED = "\0dualdag pandas"
_LEAVES = frozenset({int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range})
_WORDS = {"[]": "getitem", "[]=": "setitem", **{sign: name for name, sign in {**BINARY, **COMPARED}.items()}}


def step(name: str, *args: Any, **kwargs: Any) -> Step:
    """Return a step."""
    return name, args, kwargs


def label_of(steps: tuple[Step, ...]) -> str:
    """Return a readable name for steps: ``groupby_agg``, ``str_upper``, ``sort_values``."""
    told: list[str] = []
    for called, args, _ in steps:
        name = called
        if name.startswith("read"):
            return str(args[0])
        if name == "accessor":
            name = str(args[0].__name__)
        bare = _WORDS.get(name) or _WORDS.get(name[1:])
        if bare is None:
            bare = name.removeprefix("pandas.").replace("[]=", "_set").replace(" ", "_").strip(".=()")
        if not told or told[-1] != bare:
            told.append(bare)
    shown = told if len(told) < 5 else [*told[:3], told[-1]]
    return "_".join(shown).replace(".", "_")


def named(obj: Any) -> str | None:
    """Return the path of an object that stands for a public name of pandas, else None."""
    path = getattr(type(obj), "__pandas_path__", None)
    return path(obj) if path is not None else None


def freeze(obj: Any) -> Any:
    """Return an argument as it will stand in a node: pandas data as inputs, iterators as lists.

    Parameters
    ----------
    obj : object
        An argument as the user gave it.
    """
    kind = type(obj)
    if kind in _LEAVES:
        return obj
    if kind is list or kind is tuple:
        if all(type(item) in _LEAVES for item in obj):
            return obj
        return kind([freeze(item) for item in obj])
    if kind is dict:
        return {freeze(key): freeze(value) for key, value in obj.items()}
    freezer = getattr(kind, "__dualdag_freeze__", None)
    if freezer is not None:
        return freezer(obj)
    if hasattr(kind, "__dualdag_node__"):
        return obj.__dualdag_node__()
    path = named(obj)
    if path is not None:
        return _NAMED, path
    if kind is slice:
        parts = [freeze(part) for part in (obj.start, obj.stop, obj.step)]
        if any(hasattr(type(part), "__dualdag_node__") for part in parts):
            return _SLICE, *parts
        return obj
    read = read_out(obj)
    return freeze(read) if read is not obj else _freeze_data(obj)


def read_out(obj: Any) -> Any:
    """Return the items of an iterator as a list; anything else, a file too, as it is."""
    if isinstance(obj, (Iterator, KeysView, ValuesView)) and not hasattr(obj, "read"):
        return list(obj)
    return obj


def _freeze_data(obj: Any) -> Any:
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return obj
    if isinstance(obj, (pandas.DataFrame, pandas.Series)):
        from dualdag.frames._meta import literal

        return literal(obj)
    if isinstance(obj, pandas.NamedAgg) and not obj.args and not obj.kwargs:
        return freeze(obj.column), freeze(obj.aggfunc)
    return obj


def is_slice(obj: Any) -> bool:
    """Tell whether a frozen argument is a slice, with values that are there or not."""
    return type(obj) is slice or (type(obj) is tuple and len(obj) == 4 and obj[0] is _SLICE)


def thaw(obj: Any) -> Any:
    """Return an argument as pandas takes it: the inverse of `freeze`, with values in place of nodes."""
    kind = type(obj)
    if kind in _LEAVES:
        return obj
    if kind is tuple:
        if obj and type(obj[0]) is str and obj[0].startswith("\0dualdag"):
            return slice(*[thaw(part) for part in obj[1:]]) if obj[0] == _SLICE else resolve(obj[1])
        return tuple([thaw(item) for item in obj])
    if kind is list:
        if all(type(item) in _LEAVES for item in obj):
            return list(obj)
        return [thaw(item) for item in obj]
    if kind is dict:
        return {thaw(key): thaw(value) for key, value in obj.items()}
    if kind.__module__.startswith("pandas.core."):
        import pandas as pd

        # A Grouper keeps what it finds out about the first frame it meets.
        return copy.copy(obj) if isinstance(obj, pd.Grouper) else obj
    return obj


def resolve(path: str) -> Any:
    """Return what a public name of pandas, with dots, stands for."""
    import pandas as pd

    found: Any = pd
    for part in path.removeprefix("pandas.").split("."):
        found = getattr(found, part)
    return found
