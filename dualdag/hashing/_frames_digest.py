"""Digests of pandas objects: values, dtypes, labels, names and attrs, whatever lies where in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.hashing._encode import encode
from dualdag.hashing._streams import BLOCK, Items, Text, feed, hasher, numpy_dtype, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pandas_digest"]


def pandas_digest(obj: Any) -> bytes | None:
    """Return the digest of a pandas frame, series, index or extension array; None for anything else."""
    import pandas as pd

    if isinstance(obj, pd.DataFrame):
        return seal(b"pandas.DataFrame", *_about(obj), _index(obj.columns), _index(obj.index), *_columns(obj))
    if isinstance(obj, pd.Series):
        return seal(b"pandas.Series", *_about(obj), _label(obj.name), _index(obj.index), _array(obj.array))
    if isinstance(obj, pd.Index):
        return _index(obj)
    if isinstance(obj, pd.api.extensions.ExtensionArray):
        return _known_array(obj)
    return None


def _label(name: object) -> bytes:
    from dualdag.hashing._values import digest_value

    return digest_value(name)


def _about(obj: Any) -> tuple[bytes, bytes, bytes]:
    """Return what is beside the values: class with its own attributes, attrs, flags."""
    from dualdag.hashing._values import digest_value

    kind = type(obj)
    own = b""
    if not kind.__module__.startswith("pandas"):
        extra = {name: getattr(obj, name, None) for name in obj._metadata}
        own = digest_value((kind, extra))
    attrs = digest_value(obj.attrs) if obj.attrs else b""
    return own, attrs, b"" if obj.flags.allows_duplicate_labels else b"unique"


def _index(index: Any) -> bytes:
    import pandas as pd

    names = seal(b"names", *(_label(name) for name in index.names))
    if isinstance(index, pd.RangeIndex):
        # Where the last step would have ended is an accident of slicing.
        first, step = index.start if len(index) else 0, index.step if len(index) > 1 else 1
        return seal(b"pandas.RangeIndex", names, encode((first, first + step * len(index), step)))
    if isinstance(index, pd.MultiIndex):
        parts = [_level(index.levels[i], index.codes[i]) for i in range(index.nlevels)]
        return seal(b"pandas.MultiIndex", names, encode(len(index)), *parts)
    # A subclass that follows from the dtype needs no name of its own.
    freq = getattr(index, "freq", None) if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) else None
    return seal(b"pandas.Index", names, _label(freq), _array(index.array))


def _level(level: Any, codes: Any) -> bytes:
    """Return the digest of one level of a MultiIndex by its values, in order of their first appearance."""
    import numpy as np
    import pandas as pd

    used = pd.unique(codes)
    used = used[used >= 0]
    # One place more than there are labels: code -1, a missing label, finds the last.
    numbers = np.full(len(level) + 1, -1, np.dtype("<i4"))
    numbers[used] = np.arange(len(used))
    made = hasher(4 * len(codes))
    for start in range(0, len(codes), BLOCK // 8):
        made.update(numbers[codes[start : start + BLOCK // 8]].view(np.uint8))
    in_order = len(used) == len(level) and bool((used == np.arange(len(used))).all())
    return seal(b"level", made.digest(), _array(level.array if in_order else level.take(used).array))


def _columns(frame: Any) -> list[bytes]:
    """Return the digests of a frame's columns, each block of memory read once."""
    import numpy as np

    parts: list[bytes] = [b""] * frame.shape[1]
    blocks = getattr(getattr(frame, "_mgr", None), "blocks", None)
    if blocks is None:
        return [_array(frame.iloc[:, i].array) for i in range(frame.shape[1])]
    for block in blocks:
        positions = block.mgr_locs.as_array
        values = block.values  # noqa: PD011 - of a block, not of a frame
        if isinstance(values, np.ndarray):
            made = _numpy_rows(values)
        elif values.ndim == 2:  # datetimes and timedeltas
            made = [_known_array(values[i]) for i in range(len(values))]
        else:
            made = [_array(values)]
        for position, one in zip(positions, made, strict=True):
            parts[position] = one
    return parts


def _array(values: Any) -> bytes:
    """Return the digest of a one-dimensional array of pandas or NumPy, dtype and length included."""
    import numpy as np
    import pandas as pd

    if type(values) is pd.arrays.NumpyExtensionArray:
        values = values.to_numpy()
    return _numpy_rows(values[None, :])[0] if isinstance(values, np.ndarray) else _known_array(values)


def _numpy_rows(values: Any) -> list[bytes]:
    """Return the digest of each row of a block; a row is a column of the frame."""
    width, length = values.shape
    tag = numpy_dtype(values.dtype)
    if values.dtype.kind == "O":
        parts = []
        for row in values:
            items = Items()
            items.add(row)
            parts.append(items.digest())
    else:
        made = [hasher(length * values.dtype.itemsize) for _ in range(width)]
        # A block laid out the other way is transposed piece by piece: read once, not once per column.
        step = length if width < 2 or abs(values.strides[1]) <= 64 else max(1, BLOCK // (width * values.itemsize))
        for start in range(0, length, max(step, 1)):
            piece = values[:, start : start + step]
            if step < length:
                piece = piece.copy(order="C")
            for one, row in zip(made, piece, strict=True):
                feed(one, row)
        parts = [one.digest() for one in made]
    return [seal(b"column", tag, length.to_bytes(8, "little"), part) for part in parts]


def _known_array(values: Any) -> bytes:
    import pandas as pd

    for kind, parts_of in _ARRAYS:
        if isinstance(values, getattr(pd.arrays, kind)):
            return seal(b"column", kind.encode(), len(values).to_bytes(8, "little"), *parts_of(values))
    from dualdag.hashing._shapes import reduced
    from dualdag.hashing._walk import walk

    # An extension of someone else's: what it is made of is what it pickles to.
    return seal(b"column", repr(values.dtype).encode(), walk(values, reduced))


def _windows(values: Any) -> Iterator[Any]:
    step = BLOCK // 8
    return (values[start : start + step] for start in range(0, len(values), step))


def _categorical(values: Any) -> tuple[bytes, ...]:
    # How wide the codes are depends on what happened to the column; how many categories there are does not.
    count = len(values.categories)
    width = "<i1" if count < 1 << 7 else "<i2" if count < 1 << 15 else "<i4" if count < 1 << 31 else "<i8"
    made = hasher(values.codes.nbytes)
    for codes in _windows(values.codes):
        feed(made, codes.astype(width, copy=False))
    return b"ordered" if values.ordered else b"", _array(values.categories.array), made.digest()


def _timed(values: Any) -> tuple[bytes, ...]:
    made = hasher(values.nbytes)
    feed(made, values.asi8)
    return str(values.dtype).encode(), made.digest()


def _interval(values: Any) -> tuple[bytes, ...]:
    return str(values.dtype).encode(), _array(values.left.array), _array(values.right.array)


def _masked(values: Any) -> tuple[bytes, ...]:
    data, mask = values._data, values._mask
    numbers, missing = hasher(data.nbytes), hasher()
    for part, gone in zip(_windows(data), _windows(mask), strict=True):
        if gone.any():
            shown = part.copy()
            shown[gone] = 0  # what lies under the mask is garbage
            missing.update(b"\1")
            feed(missing, gone)
        else:
            shown = part
            missing.update(b"\0")
        feed(numbers, shown)
    return str(values.dtype).encode(), missing.digest(), numbers.digest()


def _sparse(values: Any) -> tuple[bytes, ...]:
    import numpy as np

    places = values.sp_index.to_int_index().indices
    stored, fill = values.sp_values, values.fill_value
    # A stored value may be the one that is left out elsewhere.
    told = stored == stored if fill != fill else stored != fill  # noqa: PLR0124 - NaN differs from itself
    if not np.all(told):
        places, stored = places[told], stored[told]
    return str(values.dtype).encode(), _label(fill), _array(np.asarray(places, "<i4")), _array(stored)


def _arrow(values: Any) -> tuple[bytes, ...]:
    import pandas as pd

    from dualdag.hashing._arrow_digest import arrow_values, parameters

    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return f"str:{dtype.na_value!r}".encode(), arrow_values(values.__arrow_array__())
    kind = encode((str(dtype), parameters(dtype.pyarrow_dtype)))
    return kind, arrow_values(values.__arrow_array__())


def _strings(values: Any) -> tuple[bytes, ...]:
    missing, text = hasher(), Text()
    for part in _windows(values.to_numpy()):
        kept = [one for one in part if type(one) is str]
        missing.update(bytes([type(one) is not str for one in part]))
        text.add(kept)
    return repr(values.dtype.na_value).encode(), missing.digest(), text.digest()


#: What is hashed of each class of `pandas.arrays` beside its length; a subclass stands before its base.
_ARRAYS = (
    ("Categorical", _categorical),
    ("DatetimeArray", _timed),
    ("TimedeltaArray", _timed),
    ("PeriodArray", _timed),
    ("IntervalArray", _interval),
    ("IntegerArray", _masked),
    ("FloatingArray", _masked),
    ("BooleanArray", _masked),
    ("SparseArray", _sparse),
    ("ArrowExtensionArray", _arrow),
    ("StringArray", _strings),
)
