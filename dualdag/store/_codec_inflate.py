"""How large an Arrow stream becomes when it is read, from what it says of itself: nothing is inflated to find out.

A compressed buffer begins with the length that it is inflated to, and Arrow inflates it into just so much memory
(https://github.com/apache/arrow/blob/main/format/Message.fbs, `BodyCompressionMethod.BUFFER`).  Where the buffers
lie stands in FlatBuffers (https://flatbuffers.dev/internals/), of which what is needed here is a few offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from dualdag.errors import CodecError

__all__ = ["check_file", "check_stream"]

#: LZ4, the only compression that is written, makes nothing smaller than 1/255; Zstandard's bombs reach 1/32,000.
_RATIO = 256
_SLACK = 1 << 20
#: Kinds of messages (`MessageHeader`).
_DICTIONARY, _BATCH = 2, 3


def check_stream(data: Any) -> None:
    """Refuse an IPC stream that would take far more memory than anything stored from here does.

    Parameters
    ----------
    data : buffer
        The whole stream.

    Raises
    ------
    CodecError
        When reading it would take more than 256 times its size.
    """
    import pyarrow as pa

    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(data))
    _check(_nbytes(data), (_inflated(memoryview(one.metadata), one.body) for one in messages))


def check_file(data: memoryview) -> None:
    """Refuse an IPC file, whose end tells where its batches lie, in the same way.

    Parameters
    ----------
    data : memoryview
        The whole file.

    Raises
    ------
    CodecError
        When reading it would take more than 256 times its size.
    """
    # The last ten bytes: how long the footer is, and ARROW1.
    length = struct.unpack_from("<i", data, len(data) - 10)[0]
    footer = data[len(data) - 10 - length : len(data) - 10]
    blocks = [*_structs(footer, _table(footer), 2, 24), *_structs(footer, _table(footer), 3, 24)]
    _check(len(data), (_of_block(data, *struct.unpack_from("<qi4xq", footer, at)) for at in blocks))


def _of_block(data: memoryview, offset: int, head: int, body: int) -> int:
    # A continuation mark and a length come before the metadata; the oldest files have no mark.
    skip = 8 if bytes(data[offset : offset + 4]) == b"\xff\xff\xff\xff" else 4
    return _inflated(data[offset + skip : offset + head], data[offset + head : offset + head + body])


def _nbytes(data: Any) -> int:
    return memoryview(data).nbytes


def _check(nbytes: int, sizes: Iterator[int]) -> None:
    total = 0
    for size in sizes:
        total += size
        if total > nbytes * _RATIO + _SLACK:
            raise CodecError(
                f"a stored value of {nbytes:,} bytes would take {total:,} bytes or more when it is read, which nothing "
                "that dualdag wrote does: compute it again."
            )


def _inflated(metadata: memoryview, body: Any) -> int:
    """Return how many bytes the buffers of a message take when it is read."""
    message = _table(metadata)
    kind_at = _field(metadata, message, 1)
    kind = metadata[kind_at] if kind_at else 0
    if kind not in (_DICTIONARY, _BATCH) or body is None:
        return 0
    batch = _reference(metadata, _field(metadata, message, 2))
    if kind == _DICTIONARY:
        batch = _reference(metadata, _field(metadata, batch, 1))
    if not _field(metadata, batch, 3):  # not compressed
        return _nbytes(body)
    data = memoryview(body)
    return sum(_length(data, *struct.unpack_from("<qq", metadata, at)) for at in _structs(metadata, batch, 2, 16))


def _length(body: memoryview, offset: int, stored: int) -> int:
    if stored == 0:
        return 0
    inflated: int = struct.unpack_from("<q", body, offset)[0]
    if inflated < -1 or offset < 0:
        raise CodecError("a stored value is no Arrow data: one of its lengths is negative.")
    return stored if inflated == -1 else inflated


# FlatBuffers: a table begins with the way back to its vtable, which tells where each field lies.


def _table(data: memoryview) -> int:
    return _reference(data, 0) if len(data) else 0


def _reference(data: memoryview, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: memoryview, table: int, number: int) -> int:
    """Return where a field of a table lies, 0 if it has none."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * number
    if vtable < 0 or entry >= struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset = int(struct.unpack_from("<H", data, vtable + entry)[0])
    return table + offset if offset else 0


def _structs(data: memoryview, table: int, number: int, size: int) -> range:
    """Return where the structs of a field that is a vector of them lie."""
    at = _field(data, table, number)
    if not at:
        return range(0)
    vector = _reference(data, at)
    count = int(struct.unpack_from("<I", data, vector)[0])
    if vector + 4 + count * size > len(data):
        raise CodecError("a stored value is no Arrow data: a list in it is longer than it is.")
    return range(vector + 4, vector + 4 + count * size, size)
