"""Sealed files: what is written down, with a checksum over its bytes and over the place where it lies.

A file is ``ddag``, the versions of the seal and of the layout, what kind of thing it is, the length of a
signature, the BLAKE3 checksum (32 bytes), the signature, and a MessagePack document.  The checksum is of
the first eight bytes, the file's path in the store, a NUL and the document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec
from blake3 import blake3

from dualdag.errors import CorruptObjectError, StoreError, UntrustedRecordError

__all__ = ["HEAD", "LAYOUT", "REFUSED", "Signer", "layout_of", "newer_layout", "seal", "unseal"]

T = TypeVar("T")
#: Takes a file's first eight bytes, its path, signature and document; raises UntrustedRecordError.
Check = Callable[[bytes, str, bytes, memoryview], None]

#: Version of the layout; docs/store-layout.md describes it.
LAYOUT = 2
#: Bytes before the signature and the document.
HEAD = 40

#: What reading a sealed file raises when it counts as absent.
REFUSED = (CorruptObjectError, UntrustedRecordError)

_MAGIC = b"ddag"
_SEAL = 1
_KINDS = {"Batch": 1, "Fact": 2, "Version": 3, "Tombstone": 4, "Confirmation": 5, "Unstable": 6, "Begin": 7,
          "Events": 8, "End": 9, "Lost": 10, "Beat": 11, "Claim": 12, "Signs": 20}  # fmt: skip
#: Bytes of one file, more than which is never read: a batch holds what many runs' steps gave at once.
_LARGE, _LARGEST = 1 << 24, {"Batch": 1 << 30, "Events": 1 << 28}
_ROOM = 512
_encode = msgspec.msgpack.Encoder().encode


class Signer(Protocol):
    """Who signs sealed files; `dualdag.store._sealer` has one."""

    #: How long a signature is.
    length: int

    def sign(self, head: bytes, path: str, body: bytes) -> bytes:
        """Return the signature of a file's first eight bytes, path and document."""


def seal(value: msgspec.Struct, path: str, signer: Signer | None = None) -> bytes:
    """Return the bytes of a file that holds `value`.

    Parameters
    ----------
    value : Struct
        What to write down.
    path : str
        Where in the store the file will lie.
    signer : Signer, optional
        Signs it.

    Examples
    --------
    >>> from dualdag.store._facts import Unstable
    >>> unseal(seal(Unstable(b"task"), "unstable/1"), Unstable, "unstable/1").task
    b'task'
    """
    body = _encode(value)
    name = type(value).__name__
    if len(body) > _LARGEST.get(name, _LARGE) - _ROOM:
        raise StoreError(f"{path} would take {len(body):,} bytes, more than is read again: keep less in one piece.")
    head = _MAGIC + bytes((_SEAL, LAYOUT, _KINDS[name], 0 if signer is None else signer.length))
    signature = b"" if signer is None else signer.sign(head, path, body)
    return b"".join((head, _checksum(head, path, body), signature, body))


def _checksum(head: bytes, path: str, body: bytes | memoryview) -> bytes:
    hasher = blake3(head)
    hasher.update(path.encode() + b"\0")
    hasher.update(body)
    return hasher.digest()


def unseal(data: bytes, kind: type[T], path: str, check: Check | None = None) -> T:
    """Return what a sealed file holds.

    Parameters
    ----------
    data : bytes
        All of the file.
    kind : type
        What it should hold.
    path : str
        Where in the store it lies.
    check : callable, optional
        Accepts or refuses it, by its signature.

    Raises
    ------
    CorruptObjectError
        When the bytes are not those that were written there.
    UntrustedRecordError
        When `check` refuses them.
    StoreError
        When a newer dualdag wrote it.
    """
    head = data[:8]
    if HEAD <= len(data) <= _LARGEST.get(kind.__name__, _LARGE) and head[:4] == _MAGIC:
        start = HEAD + head[7]
        body = memoryview(data)[start:]
        if _checksum(head, path, body) == data[8:HEAD]:
            if check is not None:
                check(head, path, data[HEAD:start], body)
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


def layout_of(data: bytes, path: str, check: Check | None = None) -> int | None:
    """Return the layout that a sealed file was written for; None if it is damaged or `check` refuses it.

    Parameters
    ----------
    data : bytes
        All of the file.
    path : str
        Where in the store it lies.
    check : callable, optional
        As for `unseal`.
    """
    head = data[:8]
    if len(data) < HEAD or head[:4] != _MAGIC:
        return None
    start = HEAD + head[7]
    body = memoryview(data)[start:]
    if _checksum(head, path, body) != data[8:HEAD]:
        return None
    try:
        if check is not None:
            check(head, path, data[HEAD:start], body)
    except UntrustedRecordError:
        return None
    return head[5]


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
