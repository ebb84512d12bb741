"""Frames, series and indexes as Arrow: what comes back equals what went in, or pickle takes it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dualdag.hashing import digest_value
from dualdag.store import decode_value, encode_value
from tests.store.codec_checks import back

N = 6
MISSING = [0, None, 2, 3, None, 5]
COLUMNS = {
    "int": pd.Series(range(N)),
    "uint8": pd.Series(range(N), dtype="uint8"),
    "float": pd.Series([1.5, np.nan, -0.0, np.inf, 2, 3]),
    "half": pd.Series(range(N), dtype="float16"),
    "complex": pd.Series(np.arange(N) * 1j),
    "bool": pd.Series([True, False] * 3),
    "str": pd.Series(["a", None, "ü", "", "x", "y"]),
    "str python": pd.Series(["a", None, "ü", "", "x", "y"], dtype=pd.StringDtype("python", na_value=np.nan)),
    "string": pd.Series(["a", None, "ü", "", "x", "y"], dtype="string[python]"),
    "string arrow": pd.Series(["a", None, "ü", "", "x", "y"], dtype="string[pyarrow]"),
    "object str": pd.Series(["a", None, "ü", "", "x", None], dtype=object),
    "object nan": pd.Series(["a", np.nan, "ü", "", "x", np.nan], dtype=object),
    "object bool": pd.Series([True, None, False, True, None, True], dtype=object),
    "object int": pd.Series([1, None, 2**63 - 1, 4, 5, 6], dtype=object),
    "object bytes": pd.Series([b"a", None, b"", b"c", b"d", b"e"], dtype=object),
    "object date": pd.Series([dt.date(2020, 1, 1), None] * 3, dtype=object),
    "object none": pd.Series([None] * N, dtype=object),
    "category": pd.Series(pd.Categorical(["b", None, "a", "b", "a", "a"], ["c", "b", "a"], ordered=True)),
    "category int": pd.Series(pd.Categorical([3, 1, None, 3, 1, 1])),
    "category range": pd.Series(pd.Categorical.from_codes([0, 1, 2, 0, 1, -1], pd.RangeIndex(5))),
    "category interval": pd.Series(pd.cut(range(N), 3)),
    "category zoned": pd.Series(pd.date_range("2020", periods=N, tz="Europe/Berlin")).astype("category"),
    "date": pd.Series(pd.date_range("2020", periods=N)).where(pd.Series([True, False] * 3)),
    "date s": pd.Series(pd.date_range("2020", periods=N)).dt.as_unit("s"),
    "zoned": pd.Series(pd.date_range("2020-10-25", periods=N, freq="h", tz="Europe/Berlin")),
    "zoned ns": pd.Series(pd.date_range("2020", periods=N, tz="UTC")).dt.as_unit("ns"),
    "zoned UTC key": pd.Series(pd.date_range("2020", periods=N, tz=ZoneInfo("UTC"))),
    "offset": pd.Series(pd.date_range("2020", periods=N, tz=dt.timezone(dt.timedelta(hours=-5, minutes=-30)))),
    "delta": pd.Series(pd.timedelta_range("1s", periods=N)).where(pd.Series([True, False] * 3)),
    "period": pd.Series(pd.period_range("2020", periods=N, freq="2W")).where(pd.Series([True, False] * 3)),
    "interval": pd.Series(pd.interval_range(0, N)),
    "interval date": pd.Series(pd.interval_range(pd.Timestamp("2020", tz="UTC"), periods=N, closed="left")),
    "Int8": pd.Series(MISSING, dtype="Int8"),
    "UInt64": pd.Series(MISSING, dtype="UInt64"),
    "Float32": pd.Series(MISSING, dtype="Float32"),
    "boolean": pd.Series([True, None, False, True, None, True], dtype="boolean"),
    "arrow": pd.Series(MISSING, dtype="int32[pyarrow]"),
    "arrow list": pd.Series([[1], None, [], [2, None], [3], [4]], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
    "arrow dictionary": pd.Series(list("abcabc"), dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
}


def equal(found, value):
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(found, value, check_freq=True, check_exact=True, check_column_type=True)
    else:
        pd.testing.assert_series_equal(found, value, check_freq=True, check_exact=True)
    assert found.attrs == value.attrs
    assert found.flags == value.flags


@pytest.mark.parametrize("name", COLUMNS)
def test_each_dtype(name):
    column = COLUMNS[name]
    for value in (
        column,
        column[:0],
        column[1:2],
        column[::2],
        pd.concat([column[:2], column[2:]]).rename(("a", 1)),
    ):
        found = back(value, "pandas")
        equal(found, value)
        assert repr(found.dtype) == repr(value.dtype)
    equal(back(column.to_frame(), "pandas"), column.to_frame())


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - {"half", "complex"}))
def test_each_dtype_as_labels(name):
    column = COLUMNS[name]
    indexes = [pd.Index(column), pd.Index(column)[:0]]
    if name != "arrow list":
        indexes.append(pd.MultiIndex.from_arrays([column, range(N)]))
    for index in indexes:
        assert back(index, "pandas").identical(index)
        labelled = pd.DataFrame({"v": range(len(index))}, index=index)
        equal(back(labelled, "pandas"), labelled)


def test_zone_and_missing_value_are_the_very_same():
    assert back(COLUMNS["zoned UTC key"], "pandas").dt.tz is ZoneInfo("UTC")
    assert back(COLUMNS["zoned ns"], "pandas").dt.tz is dt.UTC
    assert back(COLUMNS["object str"], "pandas")[1] is None
    assert np.isnan(back(COLUMNS["object nan"], "pandas")[1])
    assert back(COLUMNS["string"], "pandas")[1] is pd.NA


def test_whole_frames():
    frame = pd.DataFrame(COLUMNS)
    frame.attrs = {"unit": "m", "nested": [1, {"a": None}]}
    equal(back(frame, "pandas"), frame)
    equal(
        back(frame.set_flags(allows_duplicate_labels=False), "pandas"),
        frame.set_flags(allows_duplicate_labels=False),
    )
    equal(back(frame[:0], "pandas"), frame[:0])
    for empty in (
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame({0: []}),
    ):
        equal(back(empty, "pandas"), empty)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "a", "b"],
        ["a", 0, "a"],
        [0, 1, 2],
        [1.5, 2.5, 3.5],
        [("a", 1), "b", None],
        pd.Index(["a", "b", "c"], dtype=object, name="named"),
        pd.Index(["a", None, "c"]),
        pd.RangeIndex(1, 7, 2, name=("tuple", 1)),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
        pd.date_range("2020", periods=3, name="day"),
        pd.CategoricalIndex(["a", "b", "a"]),
        pd.interval_range(0, 3),
    ],
)
def test_labels_of_columns_and_rows(labels):
    frame = pd.DataFrame(np.arange(9).reshape(3, 3))
    frame.columns = labels
    equal(back(frame, "pandas"), frame)
    turned = pd.DataFrame({"v": [1, 2, 3]}, index=labels)
    equal(back(turned, "pandas"), turned)


def test_freq():
    for freq in ("D", "2h", "ME", "W-WED", "B"):
        frame = pd.DataFrame(
            {"v": range(4)}, index=pd.date_range("2020-01-01", periods=4, freq=freq, tz="Europe/Berlin")
        )
        assert back(frame, "pandas").index.freq == frame.index.freq
    assert back(pd.timedelta_range("1s", periods=3), "pandas").freq is not None
    holidays = pd.date_range("2020", periods=3, freq=pd.offsets.CustomBusinessDay(holidays=["2020-01-02"]))
    assert back(pd.Series(range(3), index=holidays), "pickle").index.freq == holidays.freq


def test_levels_keep_their_codes_and_unused_labels():
    index = pd.MultiIndex([["z", "a", "b"], pd.Index([3.5, 1.5])], [[1, 2, -1], [0, 1, 1]], names=["x", None])
    found = back(index, "pandas")
    assert [list(level) for level in found.levels] == [list(level) for level in index.levels]
    assert [list(codes) for codes in found.codes] == [list(codes) for codes in index.codes]


class Mine(pd.DataFrame):
    @property
    def _constructor(self):
        return Mine


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": [[1], {"b": 2}]}),
        pd.Series(["a", 1], dtype=object),
        pd.Series(["a", None, np.nan], dtype=object),
        pd.Series([1.5, 2.5], dtype=object),
        pd.Series(["\ud800"], dtype=object),
        pd.Series([2**70], dtype=object),
        pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        pd.Series([1], name=pd.Timestamp("2020")),
        pd.Series([1], index=pd.Index([pd.Timestamp("2020"), "a"][:1], dtype=object)),
        Mine({"a": [1]}),
    ],
)
def test_what_arrow_would_change_is_pickled(value):
    found = back(value, "pickle")
    assert found.equals(value)


def test_attrs_that_are_not_plain_are_pickled():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"when": (1, 2)}
    assert back(frame, "pickle").attrs == {"when": (1, 2)}


def test_what_is_decoded_may_be_changed():
    frame = pd.DataFrame(
        {name: COLUMNS[name] for name in ("int", "float", "bool", "Int8", "date", "zoned", "category", "str")}
    )
    encoded = encode_value(frame)
    data = bytearray(encoded.tobytes())
    found = decode_value(encoded.codec, data)
    expected = digest_value(found)
    data[:] = bytes(len(data))
    assert digest_value(found) == expected
    other = decode_value(encoded.codec, encoded.tobytes())
    for name in found.columns:
        found.loc[0, name] = found.loc[3, name]
        found[name].array[1:2]
    found.insert(0, "new", 1)
    assert digest_value(other) == digest_value(frame)
    series = decode_value("pandas", encode_value(frame["int"]).tobytes())
    series.iloc[0] = 99
    values = decode_value("npy", encode_value(np.arange(3)).tobytes())
    values[0] = 99
    assert frame["int"][0] == 0


def test_large_and_small_frames_are_compressed_when_it_pays():
    rng = np.random.default_rng(0)
    repeated = pd.DataFrame({"a": np.zeros(10_000_000)})
    assert encode_value(repeated).nbytes < 0.1 * 80e6
    random = pd.DataFrame({"a": rng.random(10_000_000)})
    assert encode_value(random).nbytes < 80.1e6
    equal(decode_value("pandas", encode_value(repeated).tobytes()), repeated)
    assert encode_value(repeated[:1_000_000]).nbytes < 0.1 * 8e6


def test_many_chunks():
    pieces = [pd.DataFrame({"s": [f"text {i}", None], "i": [i, i], "c": pd.Categorical(["a", "b"])}) for i in range(40)]
    frame = pd.concat(pieces, ignore_index=True)
    equal(back(frame, "pandas"), frame)
    long = pd.DataFrame({"s": ["some longer text " * 100_000] * 3, "i": [1, 2, 3]})
    chunked = pd.concat([long, long])
    equal(back(chunked, "pandas"), chunked)


def test_frames_are_read_by_arrow():
    frame = pd.DataFrame({"i": [1, 2], "s": ["a", None], "c": pd.Categorical(["x", "y"])})
    table = pa.ipc.open_stream(encode_value(frame).tobytes()).read_all()
    assert table.to_pydict() == {"i": [1, 2], "s": ["a", None], "c": ["x", "y"]}
