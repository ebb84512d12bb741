"""Rows of the index: records with a check, as a damaged cache must not lead to a wrong result."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec
from blake3 import blake3

from dualdag.store._facts import Record

__all__ = ["fold", "from_row", "to_row"]

_CHECK = 8
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


def to_row(record: Record, alias: bytes = b"") -> bytes:
    """Return the row of a record, with a check before it.

    Parameters
    ----------
    record : Record
        What it holds.
    alias : bytes
        The key it is found by if that is none of its own.
    """
    body = _encode(record)
    return blake3(alias + body).digest(_CHECK) + body


def from_row(row: bytes, key: bytes) -> Record:
    """Return the record of a row.

    Parameters
    ----------
    row : bytes
        As `to_row` gave it.
    key : bytes
        By which it was found.

    Raises
    ------
    sqlite3.DatabaseError
        When it is damaged; anything that decoding raises, too.
    """
    if not isinstance(row, bytes):  # SQLite has nothing against another kind of value there
        raise sqlite3.DatabaseError("a row of the index is damaged")
    check, body = row[:_CHECK], row[_CHECK:]
    own = blake3(body).digest(_CHECK) == check
    if own or blake3(key + body).digest(_CHECK) == check:
        record = _decode(body)
        if own == (key in (record.trace, record.action)):
            return record
    raise sqlite3.DatabaseError("a row of the index is damaged")


def fold(record: Record | None, later: Iterable[Record]) -> Record:
    """Return which of several records for a key is in force: the first, completed by what tells where its value is.

    Parameters
    ----------
    record : Record or None
        The first, if it is known.
    later : iterable of Record
        Those that followed it.
    """
    for other in later:
        if record is None or (record.checksum is None and other.checksum is not None and other.digest == record.digest):
            record = other
    assert record is not None  # noqa: S101 - there is at least one
    return record
