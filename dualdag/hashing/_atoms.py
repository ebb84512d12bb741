"""Encoding of what holds nothing else: each begins with its own tag and says its own length."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

__all__ = ["ATOMS", "decimal_number", "is_text", "named", "sized", "text"]

_double = struct.Struct(">d").pack
_NAN = _double(float("nan"))


def sized(tag: bytes, data: bytes) -> bytes:
    """Return bytes under a tag, with their length before them."""
    return b"%b%d:%b" % (tag, len(data), data)


def text(value: str) -> bytes:
    """Return the encoding of a str."""
    try:
        data = value.encode()
    except UnicodeEncodeError:  # a lone surrogate, as in file names that are no UTF-8
        data = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def is_text(value: str) -> bool:
    """Tell whether a str can be written as UTF-8; a file name of other bytes can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def named(name: str, content: str) -> bytes:
    """Return the encoding of a value that a short text tells whole, such as a date."""
    return b"k" + text(name) + text(content)


def decimal_number(value: float) -> bytes:
    """Return the eight bytes of a float: there is one NaN, and -0.0 is not 0.0."""
    return _double(value) if value == value else _NAN  # noqa: PLR0124 - NaN is what differs from itself


def _int(value: int) -> bytes:
    return b"i%x;" % value  # hexadecimal: linear, and without the limit on digits


def _float(value: float) -> bytes:
    return b"f" + (_double(value) if value == value else _NAN)  # noqa: PLR0124


def _complex(value: complex) -> bytes:
    return b"c" + decimal_number(value.real) + decimal_number(value.imag)


def _bytes(value: bytes) -> bytes:
    return b"b%d:%b" % (len(value), value)


def _constant(encoded: bytes) -> Callable[[Any], bytes]:
    return lambda _: encoded


# By exact type: bool is a subclass of int, and np.float64 of float.
ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): _constant(b"N"),
    bool: {True: b"T", False: b"F"}.__getitem__,
    int: _int,
    float: _float,
    complex: _complex,
    str: text,
    bytes: _bytes,
    type(Ellipsis): _constant(b"."),
    type(NotImplemented): _constant(b"!"),
}
