"""JSON that a store holds about itself, read strictly: it may have been written by anybody who can write there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

__all__ = ["strict_json"]

#: Levels of lists and objects in a marker or in a version's details.
DEEP = 16
#: Bytes of the same: sources of the functions that a version reaches, and a line for each node.
LARGE = 1 << 28


def strict_json(data: bytes | str, *, deep: int = DEEP, large: int = LARGE) -> Any:
    r"""Return what JSON says; a name said twice, NaN, and what is too large or too deep are refused.

    Parameters
    ----------
    data : bytes or str
        All of it.
    deep : int
        Levels of lists and objects.
    large : int
        Bytes.

    Raises
    ------
    ValueError
        When it is refused, or is no JSON.

    Examples
    --------
    >>> strict_json(b'{"a": [1]}')
    {'a': [1]}
    >>> strict_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: the JSON names 'a' twice
    """
    if len(data) > large:
        raise ValueError(f"{len(data):,} bytes of JSON are more than the {large:,} that are read")
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    _check_depth(found, deep)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the JSON names {next(name for name in names if names.count(name) > 1)!r} twice")
    return made


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _check_depth(value: Any, deep: int) -> None:
    level = _nested([value])
    for _ in range(deep):
        if not level:
            return
        level = [one for item in level for one in _nested(item.values() if isinstance(item, dict) else item)]
    if level:
        raise ValueError(f"the JSON is nested more than {deep} deep")


def _nested(values: Iterable[Any]) -> list[Any]:
    return [one for one in values if isinstance(one, (dict, list))]
