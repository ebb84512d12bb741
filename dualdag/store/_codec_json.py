"""Plain data as JSON: only what comes back as exactly what it was."""

from __future__ import annotations

import math
from typing import Any

import msgspec

__all__ = ["decode_json", "encode_json", "is_plain"]

_DEEP = 200  # a parser recurses
_ATOMS = frozenset({str, int, float, bool, type(None)})


def is_plain(value: Any) -> bool:
    """Tell whether JSON keeps a value: lists, dicts with text as keys, text, bools, None, common numbers.

    Numbers are finite floats and ints of 64 bits.  Types are taken exactly: a subclass has a meaning of its
    own.  A list that stands in two places, or in itself, is not kept, since it would come back as two.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    bool
        Whether `encode_json` takes it.
    """
    seen: set[int] = set()
    waiting = [((value,), 0)]
    while waiting:
        items, depth = waiting.pop()
        kinds = set(map(type, items))
        if not kinds <= _ATOMS:
            for item in items:
                kind = type(item)
                if kind in _ATOMS:
                    continue
                if (kind is not list and kind is not dict) or id(item) in seen or depth >= _DEEP:
                    return False
                seen.add(id(item))
                if kind is dict and not set(map(type, item)) <= {str}:
                    return False
                waiting.append((tuple(item.values()) if kind is dict else tuple(item), depth + 1))
                if kind is dict and not all(map(_is_text, item)):
                    return False
        if float in kinds and not all(math.isfinite(item) for item in items if type(item) is float):
            return False
        if int in kinds and not all(-(1 << 63) <= item < 1 << 63 for item in items if type(item) is int):
            return False
        if str in kinds and not all(_is_text(item) for item in items if type(item) is str):
            return False
    return True


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def encode_json(value: Any) -> bytes | None:
    """Return a value as JSON, or None if it would not come back as it is."""
    return msgspec.json.encode(value) if is_plain(value) else None


def decode_json(data: memoryview) -> Any:
    """Return the value."""
    return msgspec.json.decode(data)
