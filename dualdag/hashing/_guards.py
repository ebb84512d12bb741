"""What a walk has read, so that a later one may tell whether all of it still stands.

Most of what functions read are names bound to functions and constants: whether each is still bound to the
same object is told in nanoseconds.  A value that can be changed in place is encoded again, a class or module
with something special about it is read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from operator import is_
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any

from dualdag.hashing._components import Vertex

__all__ = ["Guard", "same"]

_MISSING = object()
# Bound to these, a name tells by the object alone; what they hold has a guard of its own, or none can change it.
_INERT = (type, FunctionType, ModuleType)
_WRAPPERS = (property, staticmethod, classmethod)
# How much dearer than one name these are.
_FUNCTION, _PIECE, _AGAIN = 4, 10, 1000


class Guard:
    """Names, functions, classes, cells and values that were read, with what they were.

    Its `size` is what looking at all of it costs, in names.
    """

    __slots__ = ("again", "cells", "classes", "contents", "functions", "names", "size")

    def __init__(self) -> None:
        self.names: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self.functions: list[tuple[FunctionType, tuple[Any, ...], dict[str, Any] | None]] = []
        self.cells: list[tuple[CellType, Any]] = []
        # By id, and whether read leniently: the value, its encoding, what that refers to.
        self.contents: dict[tuple[int, bool], tuple[Any, bytes, list[Vertex]]] = {}
        self.again: list[tuple[Vertex, Any, Any]] = []
        self.classes: list[tuple[type, int, tuple[type, ...]]] = []
        self.size = 0

    def name(self, names: Mapping[str, Any], name: str) -> None:
        """Note that a name was looked up."""
        held = self.names.get(id(names))
        if held is None:
            held = self.names[id(names)] = names, {}
        if name not in held[1]:
            held[1][name] = names.get(name, _MISSING)
            self.size += 1

    def function(self, fn: FunctionType) -> None:
        """Note that a function was read."""
        plain: Any = fn
        self.functions.append((plain, _parts_of(plain), dict(fn.__kwdefaults__) if fn.__kwdefaults__ else None))
        self.size += _FUNCTION

    def kind(self, cls: type) -> None:
        """Note that the attributes of a class were read."""
        own = vars(cls)
        self.classes.append((cls, len(own), cls.__bases__))
        for name in own:
            self.name(own, name)
        self.size += _FUNCTION

    def cell(self, cell: CellType) -> None:
        """Note that a closure's cell was read."""
        self.cells.append((cell, _content(cell)))
        self.size += 1

    def content(self, value: Any, encoded: bytes, refs: list[Vertex], weight: int, *, lenient: bool) -> None:
        """Note what a value was encoded as, in how many pieces."""
        if isinstance(value, _INERT) or (type(value) is BuiltinFunctionType and _is_free(value)):
            return
        if type(value) in _WRAPPERS and all(type(one) is FunctionType or one is None for one in _wrapped(value)):
            return
        if (id(value), lenient) not in self.contents:
            self.contents[id(value), lenient] = value, encoded, refs
            self.size += _PIECE * (weight + 1)

    def read_again(self, vertex: Vertex, content: Any, fill: Any) -> None:
        """Note that something has to be read again to be told."""
        self.again.append((vertex, content, fill))
        self.size += _AGAIN

    def stands(self) -> bool:
        """Tell whether all names, functions and cells are what they were; the rest is not looked at."""
        for names, wanted in self.names.values():
            if not all(map(is_, map(names.get, wanted, repeat(_MISSING)), wanted.values())):
                return False
        for fn, parts, named in self.functions:
            if not all(map(is_, _parts_of(fn), parts)):
                return False
            now = fn.__kwdefaults__
            if (now or named) and not _same_items(now or {}, named or {}):
                return False
        for cls, count, bases in self.classes:
            if len(vars(cls)) != count or cls.__bases__ is not bases:
                return False
        return all(_content(cell) is value for cell, value in self.cells)


def _parts_of(fn: Any) -> tuple[Any, ...]:
    return fn.__code__, fn.__defaults__, fn.__name__


def _same_items(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return len(now) == len(before) and all(now.get(name, _MISSING) is value for name, value in before.items())


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _MISSING


def _is_free(function: Any) -> bool:
    return function.__self__ is None or isinstance(function.__self__, ModuleType)


def _wrapped(value: Any) -> Iterator[Any]:
    if isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    else:
        yield value.__func__


def same(one: list[Vertex], other: list[Vertex]) -> bool:
    """Tell whether two lists refer to the same things, in groups of the same form."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if len(left) != len(right):
            return False
        for a, b in zip(left, right, strict=True):
            if a is b:
                continue
            if a.kind != "value" or b.kind != "value" or a.local != b.local or a.ordered != b.ordered:
                return False
            pairs.append((a.refs, b.refs))
    return True
