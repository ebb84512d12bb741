"""Arrays and tables as bytes: NumPy's npy, Arrow's IPC stream, Polars.

What is encoded lies in the buffers of the value itself wherever that is possible: a list of them is written,
and no second copy is made of a large one.
"""

from __future__ import annotations

import io
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError
from dualdag.store._codec_inflate import check_file, check_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "careful",
    "decode_arrow",
    "decode_npy",
    "decode_polars",
    "decode_scalar",
    "encode_arrow",
    "encode_npy",
    "encode_polars",
    "encode_scalar",
    "is_own",
    "read_stream",
    "write_stream",
]

_SMALL = 1 << 16
_LARGE = 64 << 20
#: A large table is compressed only if little is left of it, since what is left is held in memory.
_WORTH = 0.2
_MARK = b"dualdag"
_HEAD = 64


def encode_npy(value: Any) -> Sequence[Any] | None:
    """Return an array as npy, or None for one whose dtype that format does not keep."""
    import numpy as np

    dtype = value.dtype
    if dtype.hasobject or dtype.metadata or dtype.kind == "T" or dtype.isbuiltin == 2:
        return None
    described = np.lib.format.dtype_to_descr(dtype)
    try:
        if np.lib.format.descr_to_dtype(described) != dtype:
            return None
        repr(described).encode("latin1")
    except (TypeError, ValueError):
        return None
    flat = value.flags.f_contiguous and not value.flags.c_contiguous
    head = io.BytesIO()
    told = {"descr": described, "fortran_order": flat, "shape": value.shape}
    try:
        np.lib.format.write_array_header_1_0(head, told)
    except ValueError:  # more fields than 64 KB of header hold
        head = io.BytesIO()
        np.lib.format.write_array_header_2_0(head, told)
    data = value.T if flat else np.ascontiguousarray(value)
    body = data.reshape(-1).view(np.uint8) if dtype.itemsize and value.size else b""
    return head.getvalue(), body


def decode_npy(data: memoryview) -> Any:
    """Return the array, writable, with memory of its own."""
    import numpy as np

    head = io.BytesIO(bytes(data[: 1 << 16]))
    version = np.lib.format.read_magic(head)
    if version == (2, 0):
        head = io.BytesIO(bytes(data[: 12 + int.from_bytes(data[8:12], "little")]))
        head.seek(8)
        shape, flat, dtype = np.lib.format.read_array_header_2_0(head, max_header_size=1 << 24)
    else:
        shape, flat, dtype = np.lib.format.read_array_header_1_0(head, max_header_size=1 << 16)
    # Memory is taken for what is there, not for what the head says.
    left = data.nbytes - head.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
        raise CodecError(f"a stored array says it is {dtype} of shape {shape}, and {left:,} bytes are there of it.")
    made = np.empty(shape, dtype, order="F" if flat else "C")
    if dtype.itemsize and made.size:
        body = np.frombuffer(data, np.uint8, offset=head.tell())
        (made.T if flat else made).reshape(-1).view(np.uint8)[:] = body
    return made


def encode_scalar(value: Any) -> Sequence[Any] | None:
    """Return a NumPy number, date or bool as npy of no dimension; None for another scalar."""
    import numpy as np

    if value.dtype.kind not in "biufcmM" or type(value) is not value.dtype.type:
        return None
    return encode_npy(np.asarray(value))


def decode_scalar(data: memoryview) -> Any:
    """Return the scalar."""
    return decode_npy(data)[()]


class _Pieces:
    """A file that keeps what is written to it as it comes: Arrow hands over buffers, not copies."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def write(self, piece: Any) -> int:
        self.pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def write_stream(table: Any) -> list[Any]:
    """Return a table as the pieces of an IPC stream."""
    import pyarrow as pa

    sink = _Pieces()
    options = pa.ipc.IpcWriteOptions(compression=_compression(table))
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema, options=options) as writer:
        if table.num_rows:
            writer.write_table(table)
        else:
            # Without a batch there would be no dictionaries either, and categories are kept as such.
            writer.write_batch(_one_batch(table))
    return sink.pieces


def _compression(table: Any) -> str | None:
    import pyarrow as pa

    nbytes = table.nbytes
    if nbytes < _SMALL:
        return None
    if nbytes < _LARGE:
        return "lz4"
    rows = max(1, table.num_rows * (4 << 20) // nbytes)
    sample = table.slice((table.num_rows - rows) // 2, rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(sample)
    return "lz4" if sink.getvalue().size < _WORTH * sample.nbytes else None


#: Whether what is decoded may be made to break its reader: offsets and text are then checked, which takes time.
careful: ContextVar[bool] = ContextVar("dualdag_careful", default=False)


def read_stream(data: Any) -> Any:
    """Return the table of an IPC stream; it uses the memory of `data` where nothing is compressed."""
    import pyarrow as pa

    buffer = pa.py_buffer(data)
    check_stream(buffer)
    table = pa.ipc.open_stream(buffer).read_all()
    if careful.get():
        table.validate(full=True)
    return table


def encode_arrow(value: Any) -> Sequence[Any] | None:
    """Return an Arrow array, chunked array, record batch or table; None if a type is not Arrow's own."""
    import pyarrow as pa

    if isinstance(value, pa.Table):
        kind, table = b"table", value
    elif isinstance(value, pa.RecordBatch):
        kind, table = b"batch", pa.Table.from_batches([value])
    elif isinstance(value, pa.ChunkedArray):
        kind, table = b"chunked", pa.table([value], names=["value"])
    else:
        kind, table = b"array", pa.table([value], names=["value"])
    metadata = dict(table.schema.metadata or {})
    if _MARK in metadata or not all(is_own(field.type) for field in table.schema):
        return None
    # A schema without metadata is not one with none: Arrow tells them apart.
    mark = kind + (b" metadata" if table.schema.metadata is not None else b"")
    if not table.num_columns:  # a stream counts rows by the columns that have them
        mark, table = mark + b" bare", pa.table({"rows": pa.nulls(table.num_rows)})
    return write_stream(table.replace_schema_metadata({**metadata, _MARK: mark}))


def is_own(kind: Any) -> bool:
    """Tell whether any process knows this type: an extension may be registered in this one only."""
    import pyarrow as pa

    waiting = [kind]
    while waiting:
        one = waiting.pop()
        if isinstance(one, pa.BaseExtensionType):
            return False
        if pa.types.is_dictionary(one) or pa.types.is_run_end_encoded(one):
            waiting.append(one.value_type)
        waiting += [one.field(i).type for i in range(one.num_fields)] if pa.types.is_nested(one) else []
    return True


def decode_arrow(data: memoryview) -> Any:
    """Return what `encode_arrow` was given."""
    table = read_stream(data)
    metadata = dict(table.schema.metadata)
    kind, *told = metadata.pop(_MARK).split()
    table = table.replace_schema_metadata(metadata if b"metadata" in told else None)
    if kind in (b"table", b"batch"):
        made = table if kind == b"table" else _one_batch(table)
        return made.select([]) if b"bare" in told else made
    column = table.column(0)
    if kind == b"chunked":
        return column
    return _one_array(column)


def _one_batch(table: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([_one_array(column) for column in table.columns], schema=table.schema)


def _one_array(column: Any) -> Any:
    import pyarrow as pa

    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def encode_polars(value: Any) -> Sequence[Any] | None:
    """Return a Polars frame or series; None if it holds Python objects."""
    import polars as pl

    frame = value.to_frame() if isinstance(value, pl.Series) else value
    mark = b"series" if isinstance(value, pl.Series) else b"frame"
    if any(kind.base_type() is pl.Object for kind in frame.dtypes):
        return None
    pieces = _polars_by_arrow(frame)
    if pieces is not None:
        return [_head(mark + b" arrow"), *pieces]
    made = io.BytesIO()
    frame.write_ipc(made, compression="lz4")
    return [_head(mark + b" polars"), made.getbuffer()]


def _head(mark: bytes) -> bytes:
    return mark.ljust(_HEAD)  # as wide as Arrow wants its buffers aligned


def _polars_by_arrow(frame: Any) -> list[Any] | None:
    """Return a frame as an Arrow stream over its own memory; None if that would not bring it back."""
    import polars as pl

    try:
        newest = pl.CompatLevel.newest()
        back: Any = pl.from_arrow(frame.clear().to_arrow(compat_level=newest))
        if back.schema != frame.schema:
            return None
        return write_stream(frame.to_arrow(compat_level=newest))
    except (ImportError, pl.exceptions.PolarsError, ValueError, NotImplementedError):
        return None  # no Arrow here, or a type it lacks (its errors are ValueErrors)


def decode_polars(data: memoryview) -> Any:
    """Return what `encode_polars` was given."""
    import polars as pl

    kind, how = bytes(data[:_HEAD]).split()
    body = data[_HEAD:]
    if how != b"arrow":
        check_file(body)
    frame: Any = pl.from_arrow(read_stream(body)) if how == b"arrow" else pl.read_ipc(io.BytesIO(body))
    return frame.to_series(0) if kind == b"series" else frame
