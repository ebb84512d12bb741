"""Anything else as pickle: large buffers beside the stream, so that they are neither copied nor joined.

Nothing else in the package unpickles what comes from a store: a test reads the others for it.
"""

from __future__ import annotations

import io
import itertools
import pickle
import struct
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, FingerprintError
from dualdag.store._file import File
from dualdag.store._taught import pickler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["decode_pickle", "encode_pickle", "split_pickle"]

_ASIDE = 1 << 16
_ENDLESS = (itertools.count, itertools.repeat)


@cache
def _pickler() -> type[Any]:
    class Pickler(pickler()):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            refuse(obj)
            made = super().reducer_override(obj)
            if isinstance(obj, type) and obj.__module__ == "__main__" and isinstance(made, tuple) and len(made) == 6:
                return _named(obj, made)
            return made

    return Pickler


def _named(cls: type, whole: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a recipe that takes a script's class where the script defines it, else makes it whole.

    A second run of a script would else get objects of a copy of its own class, equal to none of its own.
    """
    from dualdag.hashing import fingerprint

    try:
        digest = fingerprint(cls).digest
    except FingerprintError:
        return whole
    make, args, state, _, _, fill = whole
    return class_here, (cls.__qualname__, digest, make, args), (fill, state), None, None, fill_class


def _here(qualname: str) -> Any:
    found: Any = sys.modules.get("__main__")
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def class_here(qualname: str, digest: bytes, make: Callable[..., type], args: tuple[Any, ...]) -> type:
    """Return the class of this name in ``__main__`` if it is the one that was stored, else one made anew."""
    from dualdag.hashing import fingerprint

    found = _here(qualname)
    try:
        if isinstance(found, type) and fingerprint(found).digest == digest:
            return found
    except FingerprintError:
        pass
    return make(*args)


def fill_class(cls: type, whole: tuple[Callable[[type, Any], Any], Any]) -> type:
    """Give a class that was made anew its content; one of the script has it."""
    fill, state = whole
    if _here(cls.__qualname__) is not cls:
        fill(cls, state)
    return cls


def refuse(obj: Any) -> None:
    """Raise for what pickle would take although it is used up by reading it.

    Raises
    ------
    CodecError
        For an open file, an iterator, or a `dualdag.File` inside of something else.
    """
    if isinstance(obj, io.IOBase) and not isinstance(obj, (io.BytesIO, io.StringIO)):
        raise CodecError(f"an open file ({obj!r}) can't be stored: close it, and return dag.File(path).")
    if isinstance(obj, File):
        raise CodecError(
            "a dag.File inside another value can't be stored, as only its path would be: return it alone, or one of "
            "several values of a task with nout=."
        )
    kind = type(obj)
    if kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__") and kind not in _ENDLESS:
        raise CodecError(f"a {kind.__name__} can't be stored: return a list of what it yields.")


def encode_pickle(value: Any) -> Sequence[Any]:
    """Return a value as pickle of protocol 5: lengths, the stream, then each large buffer."""
    aside: list[Any] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _ASIDE:
            return True  # stays in the stream
        aside.append(view)
        return False

    stream = io.BytesIO()
    refuse(value)
    _pickler()(stream, protocol=5, buffer_callback=keep).dump(value)
    pieces = [stream.getbuffer(), *aside]
    head = struct.pack(f"<{len(pieces) + 1}Q", len(pieces), *(piece.nbytes for piece in pieces))
    return [head, *pieces]


def split_pickle(data: memoryview) -> tuple[memoryview, list[bytearray]]:
    """Return the stream and the buffers of what `encode_pickle` made; the buffers may be written to."""
    (count,) = struct.unpack_from("<Q", data)
    lengths = struct.unpack_from(f"<{count}Q", data, 8)
    ends = list(itertools.accumulate(lengths, initial=8 * (count + 1)))
    pieces = [data[start:end] for start, end in itertools.pairwise(ends)]
    return pieces[0], [bytearray(piece) for piece in pieces[1:]]


def decode_pickle(data: memoryview) -> Any:
    """Return the value; the one place that unpickles what comes from a store.

    What it is given has been checked against a record, and `payload="safe"` never comes here.
    """
    stream, buffers = split_pickle(data)
    return pickle.loads(stream, buffers=buffers)
