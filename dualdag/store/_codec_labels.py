"""Indexes of pandas as Arrow, and back: their class, names, levels, codes and freq."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from typing import Any

from dualdag.store._codec_arrays import read_stream, write_stream
from dualdag.store._codec_columns import Column, column_from_arrow, column_to_arrow
from dualdag.store._codec_parts import chunks_of, fixed, raw

__all__ = [
    "coded_from_arrow",
    "coded_to_arrow",
    "index_from_arrow",
    "index_to_arrow",
    "label_of",
    "told_label",
]


#: So many labels of mixed types, as names of columns are, may stand in the metadata.
_FEW = 10_000


class UntoldError(Exception):
    """A label that plain data does not tell."""


def told_label(label: Any) -> Any:
    """Return a label as plain data.

    Raises
    ------
    UntoldError
        For labels other than text, numbers, None, and tuples of these.
    """
    kind = type(label)
    if kind is tuple:
        return {"tuple": [told_label(one) for one in label]}
    if label is None or kind is bool or kind is str:
        return label
    if (kind is int and -(1 << 63) <= label < 1 << 63) or (kind is float and math.isfinite(label)):
        return label
    raise UntoldError


def label_of(told: Any) -> Any:
    """Return the label that `told_label` told of."""
    return tuple(label_of(one) for one in told["tuple"]) if isinstance(told, dict) else told


def index_to_arrow(index: Any) -> tuple[list[Any], dict[str, Any]] | None:
    """Return an index as Arrow columns and what they do not tell, or None if it would not come back."""
    import pandas as pd

    told: dict[str, Any] = {"names": [told_label(name) for name in index.names]}
    if type(index) is pd.MultiIndex:
        levels = [coded_to_arrow(codes, level) for codes, level in zip(index.codes, index.levels, strict=True)]
        found = [one for one in levels if one is not None]
        if len(found) < len(levels):
            return None
        return [one.data for one in found], {**told, "levels": [one.told for one in found]}
    made = _labels_to_arrow(index)
    if made is None:
        return None
    return ([] if made.data is None else [made.data]), {**told, "labels": made.told}


def index_from_arrow(columns: list[Any], told: dict[str, Any]) -> Any:
    """Return the index that `index_to_arrow` was given, with memory of its own."""
    import pandas as pd

    names = [label_of(name) for name in told["names"]]
    if "levels" not in told:
        return _labels_from_arrow(columns[0] if columns else None, told["labels"]).rename(names[0])
    parts = [coded_from_arrow(column, one) for column, one in zip(columns, told["levels"], strict=True)]
    codes, levels = [one for one, _ in parts], [one for _, one in parts]
    return pd.MultiIndex(levels=levels, codes=codes, names=names, copy=True, verify_integrity=False)


def _labels_to_arrow(index: Any) -> Column | None:
    import pandas as pd

    if type(index) is pd.RangeIndex:
        return Column(None, {"range": [index.start, index.stop, index.step]})
    # Each class of index follows from its dtype; a class of someone else's does not.
    if not type(index).__module__.startswith("pandas"):
        return None
    made = column_to_arrow(index.array)
    if made is None:
        few = index.dtype == object and len(index) <= _FEW
        return Column(None, {"listed": [told_label(one) for one in index]}) if few else None
    told = {"column": made.told}
    freq = index.freq if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) else None
    if freq is not None:
        if pd.tseries.frequencies.to_offset(freq.freqstr) != freq:
            return None
        told["freq"] = freq.freqstr
    return Column(made.data, told)


def _labels_from_arrow(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    if "range" in told:
        return pd.RangeIndex(*told["range"])
    if "listed" in told:
        labels = [label_of(one) for one in told["listed"]]
        return pd.Index(labels, dtype=object, tupleize_cols=False)
    values = column_from_arrow(column, told["column"])
    made = pd.Index(values, dtype=values.dtype, copy=True)
    if "freq" in told:
        made.freq = told["freq"]
    return made


def coded_to_arrow(codes: Any, labels: Any) -> Column | None:
    """Return codes and the labels they stand for as one dictionary column; -1 is a missing one."""
    import pyarrow as pa

    made = _labels_to_arrow(labels)
    if made is None:
        return None
    indices = fixed(pa.from_numpy_dtype(codes.dtype), codes, codes < 0)
    told = {"codes": codes.dtype.str, "labels": made.told}
    values = pa.array(range(len(labels)), pa.int64()) if made.data is None else made.data
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        # A stream can't hold a dictionary of a dictionary: categories as a level stand beside the column.
        told["aside"] = b64encode(b"".join(write_stream(pa.table([values], names=["labels"])))).decode()
        return Column(indices, told)
    return Column(pa.DictionaryArray.from_arrays(indices, values, safe=False), told)


def coded_from_arrow(column: Any, told: dict[str, Any]) -> tuple[Any, Any]:
    """Return the codes and the labels that `coded_to_arrow` was given."""
    import pyarrow as pa

    parts = chunks_of(column)
    if "aside" in told:
        labels = read_stream(b64decode(told["aside"])).column(0)
        return raw(column, told["codes"]), _labels_from_arrow(labels, told["labels"])
    codes = raw(pa.chunked_array([one.indices for one in parts]), told["codes"])
    return codes, _labels_from_arrow(pa.chunked_array([parts[0].dictionary]), told["labels"])
