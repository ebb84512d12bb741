"""Classes with a codec of the user's: how an instance is made again wherever one is pickled or copied."""

from __future__ import annotations

import dataclasses
import io
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dump_pickle", "given_codecs", "pickler", "recipe", "taught_safe", "teach"]

_taught: dict[type, tuple[Callable[[Any], bytes | None], Callable[[bytes], Any]]] = {}
_safe: set[type] = set()


def teach(
    cls: type, encode: Callable[[Any], bytes | None], decode: Callable[[bytes], Any], *, safe: bool = False
) -> None:
    """Remember how instances of a class, its subclasses too, become bytes and come back."""
    _taught[cls] = (encode, decode)
    (_safe.add if safe else _safe.discard)(cls)


def taught_safe(cls: type) -> bool:
    """Tell whether what was taught of a class runs no code that the bytes choose."""
    return cls in _safe


def given_codecs() -> dict[type, tuple[Callable[[Any], bytes | None], Callable[[bytes], Any]]]:
    """Return what was taught, by class, for processes that did not see the calls."""
    return dict(_taught)


def recipe(obj: Any) -> tuple[Callable[[bytes], Any], tuple[bytes]] | None:
    """Return a function and its arguments that make an equal object, or None for a class that nobody taught.

    Parameters
    ----------
    obj : object
        Any value.
    """
    if not _taught:
        return None
    for base in type(obj).__mro__:
        if base in _taught:
            encode, decode = _taught[base]
            data = encode(obj)
            return None if data is None else (decode, (bytes(data),))
    return None


@cache
def pickler() -> type[Any]:
    """Return cloudpickle's Pickler, which knows what was taught."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if obj is dataclasses.MISSING:  # a field's "no default" is known by identity alone
                return "MISSING"
            made = recipe(obj)
            return super().reducer_override(obj) if made is None else made

    return Pickler


def dump_pickle(value: Any) -> bytes:
    """Return a value as pickle of protocol 5, functions and classes by value where none can import them."""
    stream = io.BytesIO()
    pickler()(stream, protocol=5).dump(value)
    return stream.getvalue()
