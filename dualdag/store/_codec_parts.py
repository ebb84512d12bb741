"""Memory of NumPy as memory of Arrow, and back, without a copy where there is a choice."""

from __future__ import annotations

from typing import Any

__all__ = ["chunks_of", "few_chunks", "fixed", "is_null", "owned", "raw"]


def chunks_of(column: Any) -> list[Any]:
    """Return the arrays of a column, chunked or not."""
    return list(column.chunks) if hasattr(column, "chunks") else [column]


def raw(column: Any, dtype: Any) -> Any:
    """Return the values of a column of fixed width as they lie there, also under a null."""
    import numpy as np

    parts = [
        np.frombuffer(one.buffers()[1], dtype)[one.offset : one.offset + len(one)]
        for one in chunks_of(column)
        if len(one)
    ]
    return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.empty(0, dtype)


def _bits(flags: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def is_null(column: Any) -> Any:
    """Return which rows are null, as a NumPy array of bools."""
    import numpy as np

    return np.asarray(column.is_null())


def fixed(kind: Any, values: Any, missing: Any = None) -> Any:
    """Return an Arrow array over the memory of a NumPy array."""
    import numpy as np
    import pyarrow as pa

    data = np.ascontiguousarray(values)
    body = _bits(data) if data.dtype.kind == "b" else pa.py_buffer(data.view(np.uint8))
    bits = None if missing is None or not missing.any() else _bits(~missing)
    return pa.Array.from_buffers(kind, len(data), [bits, body])


def few_chunks(column: Any) -> Any:
    """Return a chunked array with no more chunks than its size deserves."""
    few = column.num_chunks <= 4 or column.nbytes > column.num_chunks << 20
    return column if few else column.combine_chunks()


def owned(column: Any) -> Any:
    """Return a copy of an Arrow column, so that a small one does not keep all that was read in memory."""
    import pyarrow as pa

    if not column.num_chunks:
        return column
    sink = pa.BufferOutputStream()
    table = pa.table([column], names=["column"])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all().column(0)
