"""One column of pandas as one of Arrow, and back: exactly, or not at all.

Which are kept is decided from the dtype, or for objects from the types of the items; nothing is decoded to
find out.  `column_to_arrow` returns None for the rest, and then another codec takes the frame.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dualdag.errors import CodecError
from dualdag.store._codec_parts import chunks_of, few_chunks, fixed, is_null, owned, raw

__all__ = ["Column", "column_from_arrow", "column_to_arrow"]

_UNITS = ("s", "ms", "us", "ns")


class Column(NamedTuple):
    """A column as Arrow has it, and what Arrow does not tell about it.

    Parameters
    ----------
    data : pyarrow.Array or pyarrow.ChunkedArray
        The values, in the memory of the pandas column where that is possible.
    told : dict
        Plain data: kind of column, and what rebuilds its dtype.
    """

    data: Any
    told: dict[str, Any]


def column_to_arrow(values: Any) -> Column | None:
    """Return a one-dimensional array of pandas or NumPy as Arrow, or None if it would not come back."""
    import numpy as np
    import pandas as pd

    if type(values) is pd.arrays.NumpyExtensionArray:
        values = values.to_numpy()
    if type(values) is np.ndarray:
        return _objects(values) if values.dtype.kind == "O" else _numbers(values)
    for kind, to_arrow, _ in _KINDS:
        if type(values) is getattr(pd.arrays, kind):
            made = to_arrow(values)
            return None if made is None else Column(made[0], {"kind": kind, **made[1]})
    return None


def column_from_arrow(column: Any, told: dict[str, Any]) -> Any:
    """Return what `column_to_arrow` was given; numbers may lie in the memory of `column`."""
    kind = told["kind"]
    if kind != "ArrowExtensionArray" and not _takes_bytes(column.type):
        raise CodecError(f"a stored column says it is {kind} and holds {column.type}.")
    if kind == "numpy":
        return _numbers_back(column, told)
    if kind == "object":
        return _objects_back(column, told)
    return next(back for name, _, back in _KINDS if name == kind)(column, told)


def _takes_bytes(kind: Any) -> bool:
    """Tell whether each row of an Arrow type lies in the stream: of others a few bytes tell any number of rows."""
    from pyarrow import types

    if types.is_fixed_size_binary(kind):
        return bool(kind.byte_width)
    plain = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_struct)
    return bool(types.is_primitive(kind) or types.is_dictionary(kind) or any(is_it(kind) for is_it in plain))


def _numbers(values: Any) -> Column | None:
    import numpy as np
    import pyarrow as pa

    dtype = values.dtype
    if dtype != dtype.newbyteorder("<") or dtype.metadata:
        return None
    told = {"kind": "numpy", "dtype": dtype.str}
    if dtype.kind == "b" or (dtype.kind in "iuf" and dtype.itemsize <= 8):
        return Column(fixed(pa.from_numpy_dtype(dtype), values), told)
    if dtype.kind == "c" and dtype.itemsize <= 16:
        return Column(fixed(pa.binary(dtype.itemsize), values), told)
    if dtype.kind in "mM" and np.datetime_data(dtype)[0] in _UNITS and np.datetime_data(dtype)[1] == 1:
        return Column(fixed(pa.from_numpy_dtype(dtype), values, np.isnat(values)), told)
    return None


def _numbers_back(column: Any, told: dict[str, Any]) -> Any:
    import numpy as np

    if told["dtype"] == "|b1":
        # A null is no bool, but there is none here: Arrow keeps bools as bits, whole and without a mask.
        return np.asarray(column)
    return raw(column, told["dtype"])


#: Types of the items of an object column, and the Arrow type that keeps them.
def _item_types() -> dict[type, Any]:
    import pyarrow as pa

    return {
        str: pa.large_string(),
        bytes: pa.large_binary(),
        bool: pa.bool_(),
        int: pa.int64(),
        dt.date: pa.date32(),
    }


def _objects(values: Any) -> Column | None:
    import numpy as np
    import pyarrow as pa

    kinds = set(map(type, values))
    missing = None
    if type(None) in kinds:
        kinds.remove(type(None))
        missing = "none"
    if float in kinds:
        if missing or not all(math.isnan(one) for one in values if type(one) is float):
            return None
        kinds.remove(float)
        missing = "nan"
    known = _item_types()
    if len(kinds) > 1 or not kinds <= known.keys():
        return None
    kind = kinds.pop() if kinds else str
    absent = type(None) if missing == "none" else float
    gone = np.fromiter((type(one) is absent for one in values), bool, len(values)) if missing else None
    try:
        made = pa.array(values, known[kind], mask=gone, from_pandas=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        return None  # a lone surrogate, or an int of more than 64 bits
    return Column(made, {"kind": "object", "items": kind.__name__, "missing": missing})


def _objects_back(column: Any, told: dict[str, Any]) -> Any:
    import numpy as np

    if told["items"] in ("str", "bytes"):
        made = np.array(column.to_numpy(zero_copy_only=False), dtype=object)
    else:
        made = np.empty(len(column), dtype=object)
        made[:] = column.to_pylist()
    if told["missing"] == "nan":
        made[is_null(column)] = np.nan
    return made


def _string(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    dtype = values.dtype
    missing = {"NA": pd.NA, "nan": np.nan}
    name = next((name for name, value in missing.items() if dtype.na_value is value), None)
    if name is None or type(dtype) is not pd.StringDtype:
        return None
    told = {"storage": dtype.storage, "missing": name}
    if dtype.storage == "pyarrow":
        return few_chunks(values.__arrow_array__()), told
    try:
        return pa.array(values.to_numpy(), pa.large_string(), mask=values.isna()), told
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None


def _string_back(column: Any, told: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    dtype = pd.StringDtype(told["storage"], na_value=pd.NA if told["missing"] == "NA" else np.nan)
    return dtype.__from_arrow__(owned(column))


def _arrow(values: Any) -> tuple[Any, dict[str, Any]] | None:
    from dualdag.store._codec_arrays import is_own

    column = few_chunks(values.__arrow_array__())
    return (column, {}) if is_own(column.type) else None


def _arrow_back(column: Any, _: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.arrays.ArrowExtensionArray(owned(column))


def _masked(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import pyarrow as pa

    data = values._data
    return fixed(pa.from_numpy_dtype(data.dtype), data, values._mask), {"dtype": data.dtype.str}


def _masked_back(column: Any, told: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    mask = is_null(column)
    if told["kind"] == "BooleanArray":
        data = np.asarray(column.fill_null(False)).astype(bool)
    else:
        data = raw(column, told["dtype"])
    return getattr(pd.arrays, told["kind"])(data, mask)


def _datetime(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import pyarrow as pa

    told: dict[str, Any] = {"unit": values.unit}
    zone = getattr(values.dtype, "tz", None)
    name = None
    if zone is not None:
        found = _zone(zone)
        if found is None:
            return None
        told["zone"], name = found, str(zone)
    kind = pa.timestamp(values.unit, tz=name if name is None or "UTC" not in name else "UTC")
    return fixed(kind, values.asi8, values.isna()), told


def _zone(zone: Any) -> dict[str, Any] | None:
    """Return what makes a time zone again: the name of an IANA zone, or a fixed offset."""
    if type(zone) is ZoneInfo and zone.key is not None:
        return {"key": zone.key}
    if type(zone) is dt.timezone and repr(zone) == repr(dt.timezone(offset := zone.utcoffset(None))):
        return {"days": offset.days, "seconds": offset.seconds, "microseconds": offset.microseconds}
    return None


def _datetime_back(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    made = pd.DatetimeIndex(raw(column, f"<M8[{told['unit']}]"))
    zone = told.get("zone")
    if zone is None:
        return made.array
    place = ZoneInfo(zone["key"]) if "key" in zone else dt.timezone(dt.timedelta(**zone))
    return made.tz_localize(dt.UTC).tz_convert(place).array


def _timedelta(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import pyarrow as pa

    return fixed(pa.duration(values.unit), values.asi8, values.isna()), {"unit": values.unit}


def _timedelta_back(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.TimedeltaIndex(raw(column, f"<m8[{told['unit']}]")).array


def _period(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import pandas as pd
    import pyarrow as pa

    name = str(values.dtype)
    if pd.api.types.pandas_dtype(name) != values.dtype:
        return None
    return fixed(pa.int64(), values.asi8, values.isna()), {"dtype": name}


def _period_back(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.arrays.PeriodArray(raw(column, "<i8").copy(), dtype=pd.api.types.pandas_dtype(told["dtype"]))


def _interval(values: Any) -> tuple[Any, dict[str, Any]] | None:
    import pyarrow as pa

    sides = [column_to_arrow(side.array) for side in (values.left, values.right)]
    if sides[0] is None or sides[1] is None:
        return None
    made = pa.StructArray.from_arrays([one.data for one in sides if one], ["left", "right"])
    return made, {"closed": values.closed, "sides": sides[0].told}


def _interval_back(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd
    import pyarrow as pa

    parts = [one.flatten() for one in chunks_of(column)]
    sides = (column_from_arrow(pa.chunked_array([one[i] for one in parts]), told["sides"]) for i in (0, 1))
    return pd.arrays.IntervalArray.from_arrays(*(one.copy() for one in sides), closed=told["closed"])


def _categorical(values: Any) -> tuple[Any, dict[str, Any]] | None:
    from dualdag.store._codec_labels import coded_to_arrow

    made = coded_to_arrow(values.codes, values.categories)
    return None if made is None else (made.data, {**made.told, "ordered": bool(values.ordered)})


def _categorical_back(column: Any, told: dict[str, Any]) -> Any:
    import pandas as pd

    from dualdag.store._codec_labels import coded_from_arrow

    codes, labels = coded_from_arrow(column, told)
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(labels, ordered=told["ordered"]))


#: Classes of `pandas.arrays`, and the way there and back.
_KINDS: tuple[tuple[str, Any, Any], ...] = (
    ("Categorical", _categorical, _categorical_back),
    ("DatetimeArray", _datetime, _datetime_back),
    ("TimedeltaArray", _timedelta, _timedelta_back),
    ("PeriodArray", _period, _period_back),
    ("IntervalArray", _interval, _interval_back),
    ("IntegerArray", _masked, _masked_back),
    ("FloatingArray", _masked, _masked_back),
    ("BooleanArray", _masked, _masked_back),
    ("ArrowStringArray", _string, _string_back),
    ("StringArray", _string, _string_back),
    ("ArrowExtensionArray", _arrow, _arrow_back),
)
