"""What is written down in a store, and how its bytes are sealed."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from blake3 import blake3

from dualdag.errors import CorruptObjectError

__all__ = ["Batch", "Confirmation", "Fact", "Layout", "Record", "RunInfo", "Saved", "Version", "seal", "unseal"]

T = TypeVar("T")

#: First bytes of every sealed file; the digit is the version of the seal.
MAGIC = b"dualdag1"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered of one result.

    Parameters
    ----------
    own, trace, action : bytes
        The node's own hash, its trace key, its action key.
    digest : bytes
        Of the value.
    checksum : bytes or None
        Of the encoded bytes; None if the value was not kept.
    codec : str
        How it is encoded; empty if it was not kept.
    nbytes : int
        Size of the encoded value.
    seconds : float
        How long the function ran.
    created : float
        Seconds since 1970, UTC.
    function : str
        Its readable name.
    """

    own: bytes
    trace: bytes
    action: bytes
    digest: bytes
    checksum: bytes | None = None
    codec: str = ""
    nbytes: int = 0
    seconds: float = 0.0
    created: float = 0.0
    function: str = ""
    kept: bool = False


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records that share one file, and further trace keys of results recorded before."""

    records: list[Record]
    aliases: list[tuple[bytes, Record]]


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A later fact about a key, which outranks the earlier ones."""

    record: Record


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of an artifact."""

    name: str
    number: int
    digest: bytes
    checksum: bytes
    codec: str
    nbytes: int
    trace: bytes
    own_part: bytes
    action: bytes
    created: float
    seconds: float
    cadence: str | None
    tz: str
    run: str
    details: bytes | None = None


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An artifact was due and came out with the same digest."""

    name: str
    version: int
    created: float
    trace: bytes
    own_part: bytes


class Layout(msgspec.Struct, frozen=True):
    """The marker at the root of a store."""

    layout: int


class Saved(msgspec.Struct, frozen=True):
    """An encoded value in the store."""

    checksum: bytes
    codec: str
    nbytes: int


class RunInfo(msgspec.Struct, frozen=True):
    """How a run began."""

    id: str
    started: float
    info: dict[str, Any]


def seal(value: Any) -> bytes:
    """Return the bytes of a fact, with their checksum before them."""
    body = msgspec.msgpack.encode(value)
    return b"".join((MAGIC, blake3(body).digest(), body))


def unseal(data: bytes, kind: type[T], what: str) -> T:
    """Return the fact in sealed bytes.

    Raises
    ------
    CorruptObjectError
        When the bytes are not those that were written.
    """
    if data[:8] != MAGIC or blake3(memoryview(data)[40:]).digest() != data[8:40]:
        raise CorruptObjectError(f"{what} is damaged: its bytes are not those that were written.")
    try:
        return msgspec.msgpack.decode(memoryview(data)[40:], type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CorruptObjectError(f"{what} is damaged: {error}") from error
