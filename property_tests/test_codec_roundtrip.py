"""Laws of codecs: what is decoded is what was encoded, with type, dtypes, labels, attrs and digest."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dualdag.errors import CodecError
from dualdag.hashing import digest_value
from dualdag.store import decode_value, encode_value
from property_tests.value_strategies import COLUMNS, PLAIN, arrays, frames, indexes, series, told


def back(value):
    encoded = encode_value(value)
    found = decode_value(encoded.codec, encoded.tobytes())
    assert type(found) is type(value)
    assert digest_value(found) == digest_value(value)
    return encoded.codec, found


@given(PLAIN)
def test_plain_data(value):
    codec, found = back(value)
    assert told(found) == told(value)
    assert codec in ("json", "bytes", "pickle")
    if codec == "json":
        assert told(json.loads(encode_value(value).tobytes())) == told(value)


@given(frames())
def test_frames(frame):
    codec, found = back(frame)
    assert told(found) == told(frame)
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_freq=True, check_column_type=True)
    assert codec in ("pandas", "pickle")


@given(st.data())
def test_columns_and_indexes(data):
    kind = data.draw(st.sampled_from(sorted(COLUMNS)))
    column = data.draw(series(data.draw(st.integers(0, 5)), [kind]))
    codec, found = back(column)
    assert told(found) == told(column)
    assert codec == "pandas" or kind in ("object mixed", "sparse")
    index = data.draw(indexes(data.draw(st.integers(0, 5))))
    codec, found = back(index)
    assert told(found) == told(index)
    assert codec == "pandas"


@given(frames())
def test_what_is_decoded_has_memory_of_its_own(frame):
    encoded = encode_value(frame)
    data = bytearray(encoded.tobytes())
    found = decode_value(encoded.codec, data)
    data[:] = bytes(len(data))
    assert digest_value(found) == digest_value(frame)
    for i in range(found.shape[1]):
        if len(found) and found.dtypes.iloc[i].kind in "biufcmM" and isinstance(found.dtypes.iloc[i], np.dtype):
            found.isetitem(i, found.iloc[:, i])
            found.iloc[0, i] = found.iloc[-1, i]


@given(arrays())
def test_arrays(array):
    codec, found = back(array)
    assert codec == ("npy" if repr(array.dtype).isascii() else codec)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert told(found) == told(array)
    assert found.flags.writeable


@given(frames(max_rows=5))
def test_arrow_tables(frame):
    try:
        with warnings.catch_warnings(action="ignore"):
            table = pa.Table.from_pandas(frame)
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        pa.ArrowTypeError,
        TypeError,
        ValueError,
        NotImplementedError,
    ):
        return
    codec, found = back(table)
    assert found.schema.equals(table.schema, check_metadata=True)
    assert codec in ("arrow", "pickle")


@given(st.sampled_from(["json", "npy", "npy-scalar", "pandas", "arrow", "polars", "pickle"]), st.binary(max_size=200))
def test_other_bytes_give_a_codec_error_or_a_value(codec, data):
    if codec == "pickle":
        data = data[:8]  # never unpickle what was drawn
    try:
        decode_value(codec, data)
    except CodecError:
        pass
