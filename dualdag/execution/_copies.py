"""A task's own copy of what it takes, so that changing it in place changes nothing else.

What can't be changed is passed as it is; pandas objects share their data under copy-on-write; arrays
and containers are copied; anything else goes through `copy.deepcopy`, or a pickle and back.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import re
import sys
import types
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError
from dualdag.graph import Node, map_nodes
from dualdag.store import dump_pickle, recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["bind", "own_copy"]

#: Exact types that never change and hold nothing that does.
_ATOMS: frozenset[type] = frozenset({
    int, float, complex, str, bytes, bool, type(None), type(Ellipsis), type(NotImplemented), range, slice, type,
    dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone,
    decimal.Decimal, fractions.Fraction, uuid.UUID, zoneinfo.ZoneInfo, re.Pattern,
    pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath,
    types.FunctionType, types.BuiltinFunctionType, types.ModuleType,
})  # fmt: skip
_is_atom = _ATOMS.__contains__


class _Given:
    """Stands for an input's value while the arguments around it are copied."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: object) -> Any:
        return self.value


def bind(
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    names: Sequence[Any],
    values: Sequence[Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments for one call: literals copied, and `values` in the places of their nodes.

    Parameters
    ----------
    args, kwargs : tuple, mapping or None
        As the node has them.
    names : sequence
        The ``_key`` of each node among the arguments.
    values : sequence
        What takes its place; the call's own already.
    """
    by = dict(zip(names, values, strict=True))
    if kwargs is None:
        for arg in args:
            if type(arg) is not Node and not _is_atom(type(arg)):
                break
        else:
            return tuple([by[arg._key] if type(arg) is Node else arg for arg in args]), {}

    def given(found: Any) -> _Given:
        return _Given(by[found._key])

    memo: dict[int, Any] = {}
    filled = map_nodes(args, given) if by else args
    named = map_nodes(dict(kwargs), given) if by and kwargs else kwargs or {}
    return (
        tuple([_copy(arg, memo) for arg in filled]),
        {name: _copy(value, memo) for name, value in named.items()},
    )


def own_copy(value: Any) -> Any:
    """Return a copy of `value` that shares nothing that can be changed.

    Parameters
    ----------
    value : object
        Any result of a task.

    Raises
    ------
    CodecError
        When it can be neither copied nor pickled.

    Examples
    --------
    >>> rows = [[1], (2, "a")]
    >>> copied = own_copy(rows)
    >>> copied == rows, copied[0] is rows[0], copied[1] is rows[1]
    (True, False, True)
    """
    return value if _is_atom(type(value)) else _copy(value, {})


def _copy(obj: Any, memo: dict[int, Any]) -> Any:
    kind = type(obj)
    if _is_atom(kind):
        return obj
    if kind is _Given:
        return obj.value
    if id(obj) in memo:
        return memo[id(obj)]
    made = _copy_known(obj, kind, memo)
    if made is _UNKNOWN:
        made = _copy_unknown(obj, memo)
    memo[id(obj)] = made
    # The memo goes by id, so what it names must live as long as it does.
    memo.setdefault(id(memo), []).append(obj)
    return made


_UNKNOWN = object()


def _copy_known(obj: Any, kind: type, memo: dict[int, Any]) -> Any:
    if kind is list:
        made: list[Any] = []
        memo[id(obj)] = made
        if all(map(_is_atom, map(type, obj))):
            made.extend(obj)
        else:
            made.extend([_copy(item, memo) for item in obj])
        return made
    if kind is tuple or kind is frozenset:
        if all(map(_is_atom, map(type, obj))):
            return obj
        items = [_copy(item, memo) for item in obj]
        return obj if all(map(_same, items, obj)) else kind(items)
    if kind is dict:
        table: dict[Any, Any] = {}
        memo[id(obj)] = table
        if all(map(_is_atom, map(type, obj.values()))) and all(map(_is_atom, map(type, obj))):
            table.update(obj)
        else:
            table.update([(_copy(k, memo), _copy(v, memo)) for k, v in obj.items()])
        return table
    if kind is set:
        return {_copy(item, memo) for item in obj}
    if kind is bytearray:
        return bytearray(obj)
    if isinstance(obj, (enum.Enum, type)):
        return obj
    return _copy_data(obj, kind)


def _same(one: Any, two: Any) -> bool:
    return one is two


def _copy_data(obj: Any, kind: type) -> Any:
    """Copy what the big libraries make; asks no library that is not loaded."""
    root = kind.__module__.partition(".")[0]
    if root == "pandas":
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(obj, (pandas.DataFrame, pandas.Series)):
            return _copy_pandas(obj)
    elif root == "numpy":
        numpy = sys.modules.get("numpy")
        if numpy is not None and (kind is numpy.ndarray and not obj.dtype.hasobject):
            return obj.copy(order="K")
        if numpy is not None and isinstance(obj, (numpy.generic, numpy.dtype)) and not isinstance(obj, numpy.void):
            return obj
    elif root == "pyarrow":
        arrow = sys.modules.get("pyarrow")
        if arrow is not None and isinstance(
            obj, (arrow.Table, arrow.RecordBatch, arrow.Array, arrow.ChunkedArray, arrow.Scalar, arrow.Schema)
        ):
            return obj
    elif root == "polars":
        polars = sys.modules.get("polars")
        if polars is not None and isinstance(obj, (polars.DataFrame, polars.Series, polars.LazyFrame)):
            return obj.clone()
    return _UNKNOWN


def _copy_pandas(obj: Any) -> Any:
    made = obj.copy(deep=False)
    columns = [made] if obj.ndim == 1 else None
    if columns is None:
        if not any(getattr(dtype, "hasobject", False) for dtype in obj.dtypes):
            return made
        columns = [made.iloc[:, k] for k, dtype in enumerate(obj.dtypes) if getattr(dtype, "hasobject", False)]
    elif not getattr(made.dtype, "hasobject", False):
        return made
    # Copy-on-write guards cells, not what an object in a cell holds.
    if all(all(map(_is_atom, map(type, column.array))) for column in columns):
        return made
    import pickle

    return pickle.loads(pickle.dumps(obj, protocol=5))


def _copy_unknown(obj: Any, memo: dict[int, Any]) -> Any:
    made = recipe(obj)
    if made is not None:
        decode, args = made
        return decode(*args)
    try:
        return copy.deepcopy(obj, memo)
    except Exception as first:  # noqa: BLE001 - whatever a foreign class raises, there is a second way
        import pickle

        try:
            return pickle.loads(dump_pickle(obj))
        except Exception as second:
            raise CodecError(
                f"a {type(obj).__module__}.{type(obj).__qualname__} can be neither copied ({first}) nor pickled "
                f"({second}), so no task can have one of its own: return plain data instead, and make such an "
                "object inside the task that uses it."
            ) from second
