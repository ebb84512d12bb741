"""Sealed files: what is written down, with a checksum over its bytes and over the place where it lies.

A file is ``ddag``, the versions of the seal and of the layout, what kind of thing it is, the length of a
signature, the BLAKE3 checksum (32 bytes), the signature, and a MessagePack document.  The checksum is of
the first eight bytes, the file's path in the store, a NUL and the document.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from blake3 import blake3

from dualdag.errors import CorruptObjectError, StoreError

__all__ = ["HEAD", "LAYOUT", "layout_of", "newer_layout", "seal", "unseal"]

T = TypeVar("T")

#: Version of the layout; docs/store-layout.md describes it.
LAYOUT = 1
#: Bytes before the signature and the document.
HEAD = 40

_MAGIC = b"ddag"
_SEAL = 1
_KINDS = {"Batch": 1, "Fact": 2, "Version": 3, "Tombstone": 4, "Confirmation": 5, "Unstable": 6, "Begin": 7,
          "Events": 8, "End": 9}  # fmt: skip
_encode = msgspec.msgpack.Encoder().encode


def seal(value: msgspec.Struct, path: str) -> bytes:
    """Return the bytes of a file that holds `value`.

    Parameters
    ----------
    value : Struct
        What to write down.
    path : str
        Where in the store the file will lie.

    Examples
    --------
    >>> from dualdag.store._facts import Unstable
    >>> unseal(seal(Unstable(b"task"), "unstable/1"), Unstable, "unstable/1").task
    b'task'
    """
    body = _encode(value)
    head = _MAGIC + bytes((_SEAL, LAYOUT, _KINDS[type(value).__name__], 0))
    return b"".join((head, _checksum(head, path, body), body))


def _checksum(head: bytes, path: str, body: bytes | memoryview) -> bytes:
    hasher = blake3(head)
    hasher.update(path.encode() + b"\0")
    hasher.update(body)
    return hasher.digest()


def unseal(data: bytes, kind: type[T], path: str) -> T:
    """Return what a sealed file holds.

    Parameters
    ----------
    data : bytes
        All of the file.
    kind : type
        What it should hold.
    path : str
        Where in the store it lies.

    Raises
    ------
    CorruptObjectError
        When the bytes are not those that were written there.
    StoreError
        When a newer dualdag wrote it.
    """
    head = data[:8]
    if len(data) >= HEAD and head[:4] == _MAGIC:
        start = HEAD + head[7]
        body = memoryview(data)[start:]
        if _checksum(head, path, body) == data[8:HEAD]:
            if head[4] > _SEAL or head[5] > LAYOUT:
                raise newer_layout(path, head[5])
            if head[6] == _KINDS.get(kind.__name__):
                return _decoded(body, kind, path)
    raise CorruptObjectError(f"{path} is damaged: its bytes are not those that were written there.")


_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def _decoded(body: memoryview, kind: type[T], path: str) -> T:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value: T = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CorruptObjectError(f"{path} is damaged: {error}") from error
    return value


def layout_of(data: bytes, path: str) -> int | None:
    """Return the layout that a sealed file was written for; None if it is damaged.

    Parameters
    ----------
    data : bytes
        All of the file.
    path : str
        Where in the store it lies.
    """
    head = data[:8]
    if len(data) < HEAD or head[:4] != _MAGIC:
        return None
    return head[5] if _checksum(head, path, memoryview(data)[HEAD + head[7] :]) == data[8:HEAD] else None


def newer_layout(what: str, found: int) -> StoreError:
    """Return the error for what a newer dualdag wrote.

    Parameters
    ----------
    what : str
        What was read.
    found : int
        Its layout.
    """
    return StoreError(
        f"{what} has layout {found}, and this dualdag knows layouts up to {LAYOUT}: "
        "upgrade dualdag (pip install --upgrade dualdag)."
    )
