"""Frames, series and indexes of pandas as one Arrow IPC stream, which any reader of Arrow understands.

The columns are Arrow's own; what pandas has and Arrow has not (class of the index, freq, categories' order,
missing values of objects, attrs) stands in the schema's metadata.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dualdag.store._codec_arrays import read_stream, write_stream
from dualdag.store._codec_columns import column_from_arrow, column_to_arrow
from dualdag.store._codec_json import is_plain
from dualdag.store._codec_labels import UntoldError, index_from_arrow, index_to_arrow, label_of, told_label
from dualdag.store._plain_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["decode_frame", "encode_frame"]

_MARK = b"dualdag.pandas"
_LABELS = b"dualdag.columns"


def encode_frame(value: Any) -> Sequence[Any] | None:
    """Return a frame, series or index as pieces of an Arrow stream; None if it would not come back."""
    try:
        return _encode(value)
    except UntoldError:
        return None


def _encode(value: Any) -> Sequence[Any] | None:
    import pandas as pd
    import pyarrow as pa

    whole = isinstance(value, pd.Index)
    index = index_to_arrow(value if whole else value.index)
    if index is None or (not whole and not is_plain(value.attrs)):
        return None
    arrays, told_index = index
    told: dict[str, Any] = {"version": 1, "index": told_index, "indexes": len(arrays)}
    labels = (value if whole else value.index).names
    names = [f"index {i}" if name is None else str(name) for i, name in enumerate(labels[: len(arrays)])]
    metadata: dict[bytes, bytes] = {}
    if not whole:
        told["attrs"] = value.attrs
        told["unique"] = not value.flags.allows_duplicate_labels
        columns = _columns(value)
        if columns is None:
            return None
        told["columns"] = [one.told for one in columns]
        arrays = arrays + [one.data for one in columns]
        if isinstance(value, pd.Series):
            told["name"] = told_label(value.name)
            names.append("values" if value.name is None else str(value.name))
        else:
            pieces = _encode(value.columns)
            if pieces is None:
                return None
            metadata[_LABELS] = b"".join(bytes(piece) for piece in pieces)
            names += [str(label) for label in value.columns]
    metadata[_MARK] = json.dumps(told).encode()
    schema = pa.schema([pa.field(name, one.type) for name, one in zip(names, arrays, strict=True)], metadata=metadata)
    return write_stream(pa.Table.from_arrays(arrays, schema=schema))


def _columns(value: Any) -> list[Any] | None:
    series = [value] if value.ndim == 1 else [value.iloc[:, i] for i in range(value.shape[1])]
    found = []
    for one in (one.array for one in series):
        made = column_to_arrow(one)
        if made is None:
            return None
        found.append(made)
    return found


def decode_frame(data: Any) -> Any:
    """Return what `encode_frame` was given, writable, with memory of its own."""
    import pandas as pd

    table = read_stream(data)
    told = strict_json(table.schema.metadata[_MARK], deep=256)
    count = told["indexes"]
    index = index_from_arrow(table.columns[:count], told["index"])
    if "columns" not in told:
        return index
    pairs = zip(table.columns[count:], told["columns"], strict=True)
    values = [column_from_arrow(column, one) for column, one in pairs]
    if "name" in told:
        made: Any = pd.Series(values[0], index=index, dtype=values[0].dtype, name=label_of(told["name"]), copy=True)
    else:
        # Copied and put together by dtype in one step; objects stay objects, whatever they hold.
        kept = {
            i: pd.Series(one, index=index, dtype=object) if one.dtype == object else one for i, one in enumerate(values)
        }
        made = pd.DataFrame(kept, index=index, copy=True)
        made.columns = decode_frame(table.schema.metadata[_LABELS])
    made.attrs = told["attrs"]
    if told["unique"]:
        made.flags.allows_duplicate_labels = False
    return made
