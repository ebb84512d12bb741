"""Digests of frames, arrays and tables: of dtypes, labels and values, and of nothing else."""

from __future__ import annotations

import datetime as dt
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dualdag.hashing import digest_value


def distinct(*values):
    return len({digest_value(value) for value in values}) == len(values)


# NumPy.


def test_arrays_do_not_show_their_layout():
    array = np.random.default_rng(0).random((300, 40))
    expected = digest_value(array)
    wide = np.zeros((600, 80))
    wide[::2, ::2] = array
    for same in (
        array.copy(),
        np.asfortranarray(array),
        wide[::2, ::2],
        array[::-1][::-1],
        np.ascontiguousarray(array),
    ):
        assert digest_value(same) == expected
    assert distinct(array, array.T, array.reshape(40, 300), array.reshape(-1), array.astype("f4"))


def test_arrays_larger_than_a_block():
    array = np.arange(3_000_000, dtype="f8")
    assert digest_value(array[::3]) == digest_value(array[::3].copy())
    square = array.reshape(1500, 2000)
    assert digest_value(square.T) == digest_value(np.ascontiguousarray(square.T))
    spoiled = array.copy()
    spoiled[-1] = np.nan
    assert distinct(array, spoiled)


def test_arrays_are_told_apart():
    zeros = [np.zeros(3, kind) for kind in ("i1", "u1", "?", "i8", "f2", "f4", "f8", "g", "c8", "M8[s]", "M8[ns]")]
    assert distinct(*zeros, np.zeros(4), np.zeros((3, 1)), np.array(0.0), np.float64(0), 0.0, [0.0] * 3)
    assert distinct(np.array([0.0]), np.array([-0.0]))
    assert distinct(
        np.array(["a", "b"]), np.array(["a", "b"], "U5"), np.array([b"a", b"b"]), np.array(["a", "b"], object)
    )
    assert distinct(np.array(["ab", "c"], object), np.array(["a", "bc"], object), np.array(["ab", None], object))
    assert distinct(np.empty((0, 2)), np.empty((2, 0)), np.empty(0))


def test_padding_and_byte_order():
    aligned = np.zeros(5, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    aligned.view("u1")[:] = 7
    aligned["a"], aligned["b"] = 1, 2
    packed = np.zeros(5, [("a", "i1"), ("b", "f8")])
    packed["a"], packed["b"] = 1, 2
    assert digest_value(aligned) == digest_value(packed)
    packed["b"][2] = 3
    assert digest_value(aligned) != digest_value(packed)
    long = np.array([1.5, np.nan], "g")
    garbage = long.copy()
    if np.finfo("g").nmant == 63:
        garbage.view("u1").reshape(2, -1)[:, 10:] = 255
    assert digest_value(long) == digest_value(garbage)
    big = np.arange(5, dtype=">f4")
    assert digest_value(big[::2]) == digest_value(big[::2].copy()) == digest_value(big[::2].astype("<f4"))


def test_masked_arrays_and_subclasses():
    one = np.ma.MaskedArray([1.0, 2.0], mask=[False, True])
    other = np.ma.MaskedArray([1.0, 9.0], mask=[False, True])
    assert digest_value(one) == digest_value(other)
    assert distinct(one, np.ma.MaskedArray([1.0, 2.0]), np.array([1.0, 2.0]))
    assert distinct(np.rec.array([(1, 2.0)]), np.array([(1, 2.0)], [("f0", "i8"), ("f1", "f8")]))


# pandas.

ZONED = pd.date_range("2020", periods=4, tz="Europe/Berlin")
COLUMNS = {
    "int": pd.Series([1, 2, 3, 4]),
    "float": pd.Series([1.5, np.nan, -0.0, np.inf]),
    "bool": pd.Series([True, False, True, False]),
    "str": pd.Series(["a", None, "ü", ""]),
    "string": pd.Series(["a", None, "ü", ""], dtype="string[python]"),
    "string arrow": pd.Series(["a", None, "ü", ""], dtype="string[pyarrow]"),
    "object": pd.Series(["a", None, 1, (2,)], dtype=object),
    "category": pd.Series(["a", "b", None, "a"], dtype="category"),
    "date": pd.Series(pd.date_range("2020", periods=4)),
    "date ns": pd.Series(pd.date_range("2020", periods=4)).dt.as_unit("ns"),
    "zoned": pd.Series(ZONED),
    "delta": pd.Series(pd.timedelta_range("1s", periods=4)),
    "period": pd.Series(pd.period_range("2020", periods=4, freq="M")),
    "interval": pd.Series(pd.interval_range(0, 4)),
    "Int64": pd.Series([1, None, 3, 4], dtype="Int64"),
    "boolean": pd.Series([True, None, False, True], dtype="boolean"),
    "Float64": pd.Series([1.5, None, 3, 4], dtype="Float64"),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 5, 1, 0])),
    "arrow": pd.Series([1, None, 3, 4], dtype="int64[pyarrow]"),
    "arrow uint": pd.Series([1, None, 3, 4], dtype="uint64[pyarrow]"),
    "arrow date": pd.Series(pd.array([1, None, 3, 4], dtype="timestamp[s][pyarrow]")),
    "arrow zoned": pd.Series(pd.array([1, None, 3, 4], dtype=pd.ArrowDtype(pa.timestamp("s", "UTC")))),
    "arrow string": pd.Series(["a", None, "ü", ""], dtype=pd.ArrowDtype(pa.string())),
    "arrow list": pd.Series([[1], None, [], [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_each_dtype(name):
    column = COLUMNS[name]
    expected = digest_value(column)
    assert digest_value(column.copy()) == expected
    assert digest_value(pickle.loads(pickle.dumps(column))) == expected
    doubled = column.repeat(2).reset_index(drop=True)
    assert digest_value(doubled.iloc[::2].reset_index(drop=True)) == expected
    for cut in range(5):
        joined = pd.concat([column.iloc[:cut], column.iloc[cut:]])
        assert digest_value(joined.astype(column.dtype)) == expected
    assert digest_value(column.iloc[[1, 0, 2, 3]].reset_index(drop=True)) != expected
    assert digest_value(column.rename("x")) != expected
    assert distinct(column, column.array, column.to_frame(), column.iloc[:3], column.set_axis(list("abcd")))


def test_dtypes_differ():
    assert distinct(*COLUMNS.values())


def test_frames():
    frame = pd.DataFrame(COLUMNS)
    expected = digest_value(frame)
    assert digest_value(frame.copy()) == expected
    assert digest_value(pd.DataFrame({name: frame[name] for name in frame})) == expected
    for name in COLUMNS:
        changed = frame.copy()
        changed[name] = frame[name].iloc[[3, 0, 1, 2]].reset_index(drop=True)
        assert digest_value(changed) != expected, name
    assert distinct(
        frame,
        frame[frame.columns[::-1]],
        frame.rename(columns={"int": "x"}),
        frame.rename_axis("i"),
        frame.rename_axis(columns="c"),
        frame.set_axis(pd.Index([0, 1, 2, 3])),
        frame.set_axis([0, 1, 2, 4]),
        frame.iloc[:0],
        frame.set_flags(allows_duplicate_labels=False),
        frame.assign(int=frame["int"].astype("int32")),
    )


def test_range_index_is_kept_apart():
    frame = pd.DataFrame({"a": [1, 2]})
    assert distinct(frame, frame.set_axis(pd.Index([0, 1])), frame.set_axis(pd.RangeIndex(0, 4, 2)))
    assert digest_value(frame) == digest_value(pd.concat([frame[:1], frame[1:]]))
    three = pd.DataFrame({"a": [1, 2, 3]})
    assert digest_value(three[::2]) == digest_value(pd.concat([three, frame], ignore_index=True)[:4][::2])
    assert digest_value(pd.RangeIndex(0)) == digest_value(pd.RangeIndex(5, 5, 2))
    assert distinct(pd.RangeIndex(0), pd.RangeIndex(1), pd.RangeIndex(2), pd.RangeIndex(0, 4, 2), pd.RangeIndex(1, 2))


def test_attrs_count():
    frame = pd.DataFrame({"a": [1]})
    noted, other = frame.copy(), frame.copy()
    noted.attrs, other.attrs = {"unit": "m"}, {"unit": "s"}
    assert distinct(frame, noted, other)
    column = pd.Series([1])
    column.attrs = {"unit": "m"}
    assert distinct(column, pd.Series([1]))


def test_blocks_do_not_show():
    table = np.random.default_rng(0).random((2000, 6))
    whole = pd.DataFrame(table)
    by_rows = pd.DataFrame(table, copy=False)
    apart = pd.DataFrame({i: table[:, i].copy() for i in range(6)}, copy=False)
    apart.columns = whole.columns
    assert digest_value(whole) == digest_value(by_rows) == digest_value(apart)
    assert digest_value(by_rows[::2]) == digest_value(whole[::2].copy())
    large = np.random.default_rng(0).random((200_000, 8))
    large[7, 3] = np.nan
    assert digest_value(pd.DataFrame(large, copy=False)) == digest_value(pd.DataFrame(large))


def test_categories():
    column = pd.Series(["a", "b", "a"], dtype="category")
    assert distinct(
        column,
        column.cat.reorder_categories(["b", "a"]),
        column.cat.as_ordered(),
        column.cat.add_categories("c"),
        column.astype("str"),
        column.astype(object),
    )
    # Codes may be wider than they need be after many categories were dropped.
    many = pd.Categorical([f"{i:03}" for i in range(200)])
    few = many[:3].remove_unused_categories()
    wide = pd.Categorical.from_codes(np.array([0, 1, 2], "i2"), few.categories)
    assert digest_value(few) == digest_value(wide) == digest_value(pd.Categorical(["000", "001", "002"]))


def test_multiindex_goes_by_its_labels():
    index = pd.MultiIndex.from_tuples([("b", 1), ("a", 2), ("b", 2)], names=["x", None])
    unused = index.append(pd.MultiIndex.from_tuples([("z", 9)]))[:3].set_names(["x", None])
    levels = [pd.Index(["b", "a"]), pd.Index([2, 1])]
    permuted = pd.MultiIndex(levels, [[0, 1, 0], [1, 0, 0]], names=["x", None])
    assert permuted.equals(index)
    assert digest_value(index) == digest_value(unused) == digest_value(permuted)
    assert distinct(index, index.rename(["x", "y"]), index[::-1], index.to_flat_index(), index.droplevel(0))
    missing = pd.MultiIndex.from_arrays([["a", None, "a"], [1, 2, 2]])
    assert distinct(missing, pd.MultiIndex.from_arrays([["a", "a", None], [1, 2, 2]]))
    frame = pd.DataFrame(np.eye(3), index=index, columns=index)
    assert digest_value(frame) == digest_value(frame.copy()) != digest_value(frame.T.set_axis(range(3)))


def test_what_lies_under_a_missing_value_does_not_count():
    hidden = pd.arrays.IntegerArray(np.array([1, 99, 3]), np.array([False, True, False]))
    assert digest_value(hidden) == digest_value(pd.array([1, None, 3], dtype="Int64"))
    stored = pd.arrays.SparseArray([0, 1, 0, 2])
    told = pd.arrays.SparseArray._simple_new(
        np.array([0, 1, 0, 2]), pd._libs.sparse.IntIndex(4, np.arange(4, dtype="i4")), stored.dtype
    )
    assert digest_value(stored) == digest_value(told)
    bits = pa.array([1, None, 3])
    data = pa.Array.from_buffers(pa.int64(), 3, [bits.buffers()[0], pa.py_buffer(np.array([1, 77, 3]))])
    assert bits.equals(data)
    assert digest_value(bits) == digest_value(data)


def test_freq_and_zone_count():
    days = pd.date_range("2020", periods=3, freq="D")
    assert distinct(days, days._with_freq(None), days.tz_localize("UTC"), days.tz_localize("Europe/Berlin"))
    frame = pd.DataFrame({"a": range(3)}, index=days)
    assert digest_value(frame) == digest_value(pd.concat([frame[:1], frame[1:]]))
    three = pd.DataFrame({"a": [1, 2, 3]})
    assert digest_value(three[::2]) == digest_value(pd.concat([three, frame], ignore_index=True)[:4][::2])
    assert digest_value(pd.RangeIndex(0)) == digest_value(pd.RangeIndex(5, 5, 2))
    assert distinct(pd.RangeIndex(0), pd.RangeIndex(1), pd.RangeIndex(2), pd.RangeIndex(0, 4, 2), pd.RangeIndex(1, 2))


def test_labels_of_mixed_and_repeated_names():
    row = [[1, 2, 3]]
    assert distinct(
        pd.DataFrame(row, columns=["a", "a", 0]),
        pd.DataFrame(row, columns=["a", "a", "0"]),
        pd.DataFrame(row, columns=["a", 0, "a"]),
        pd.DataFrame(row),
    )


def test_a_frame_subclass_counts_by_its_class():
    class Tagged(pd.DataFrame):
        _metadata = ("tag",)

    plain = pd.DataFrame({"a": [1]})
    one, other = Tagged(plain), Tagged(plain)
    one.tag, other.tag = "x", "y"
    assert distinct(plain, one, other)


# Arrow and Polars.


def arrow_table():
    return pa.table(
        {
            "i": [1, 2, None, 4, 5, 6, 7, 8, 9, 10],
            "f": pa.array([1.5, None, float("nan")] * 3 + [0.0], pa.float32()),
            "b": [True, None, False, True, True, None, True, True, False, True],
            "s": ["a", None, "ü", "", "long " * 9, "x", None, "y", "z", "w"],
            "v": pa.array(["a", None, "ü", "", "long " * 9, "x", None, "y", "z", "w"], pa.string_view()),
            "d": pa.array(["x", "y", None, "x", "y", "x", "x", "y", "y", "x"]).dictionary_encode(),
            "l": [[1], None, [], [2, 3], [4], [None], [5, 6], [], None, [7]],
            "lv": pa.array([[1], None, [], [2, 3], [4], [None], [5, 6], [], None, [7]], pa.list_view(pa.int8())),
            "fl": pa.array([[1, 2], None] * 5, pa.list_(pa.int8(), 2)),
            "m": pa.array([[("a", 1)], None, [], [("b", None), ("c", 3)], None] * 2, pa.map_(pa.string(), pa.int64())),
            "st": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}, None] * 2,
            "de": pa.array([None, *range(9)], pa.decimal128(20, 3)),
            "da": pa.array([dt.date(2020, 1, 1), None] * 5),
            "ts": pa.array([dt.datetime(2020, 1, 1), None] * 5, pa.timestamp("ms", "Europe/Berlin")),  # noqa: DTZ001
            "fb": pa.array([b"ab", None] * 5, pa.binary(2)),
            "n": pa.nulls(10),
            "r": pa.RunEndEncodedArray.from_arrays([4, 10], ["a", None]),
        }
    )


def test_arrow_chunks_and_offsets_do_not_show():
    table = arrow_table()
    expected = digest_value(table)
    for cut in range(11):
        assert digest_value(pa.concat_tables([table[:cut], table[cut:]])) == expected
    assert digest_value(pa.concat_tables([table, table]).slice(10)) == expected
    padded = pa.concat_tables([table.slice(7), table]).slice(3)
    assert digest_value(padded) == expected
    for name in table.column_names:
        column = table.column(name)
        assert digest_value(column) == digest_value(
            pa.chunked_array([column.slice(0, 3).chunk(0), column.slice(3).chunk(0)])
        )


def test_arrow_data_is_told_apart():
    table = arrow_table()
    for i, name in enumerate(table.column_names):
        if name == "n":
            continue
        column = table.column(name)
        turned = table.set_column(i, name, pa.chunked_array([*column.slice(9).chunks, *column.slice(0, 9).chunks]))
        assert digest_value(turned) != digest_value(table), name
    assert distinct(
        table,
        table.rename_columns([*table.column_names[:-1], "x"]),
        table.replace_schema_metadata({"a": "b"}),
        table.slice(1),
        table.to_batches()[0],
        table.column("i"),
        table.column("i").chunk(0),
        table.column("i").cast(pa.int32()),
    )
    assert distinct(pa.array([[1], [2]]), pa.array([[1, 2], []]), pa.array([[1, 2]]), pa.array([1, 2]))
    assert digest_value(pa.array(["a"], pa.large_string())) == digest_value(pa.array(["a"]))


def test_a_union_goes_by_its_items():
    kinds = pa.array([0, 1, 0], pa.int8())
    made = pa.UnionArray.from_sparse(kinds, [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])])
    other = pa.UnionArray.from_sparse(kinds, [pa.array([1, 9, 3]), pa.array(["x", "b", "y"])])
    assert digest_value(made) == digest_value(other) != digest_value(made.slice(1))


def polars_frame():
    return pl.DataFrame(
        {
            "i": [1, None, 3],
            "f": [1.5, float("nan"), None],
            "s": ["a", None, "long " * 9],
            "c": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "e": pl.Series(["a", "b", None], dtype=pl.Enum(["b", "a"])),
            "l": [[1], None, [2, 3]],
            "st": [{"a": 1}, None, {"a": None}],
            "w": pl.Series([1, None, 2**100], dtype=pl.Int128),
            "t": pl.Series([dt.datetime(2020, 1, 1)] * 3, dtype=pl.Datetime("ms", "UTC")),  # noqa: DTZ001
            "n": [None] * 3,
        }
    )


def test_polars():
    frame = polars_frame()
    expected = digest_value(frame)
    assert digest_value(frame.clone()) == expected
    assert digest_value(pl.concat([frame[:1], frame[1:]], rechunk=False)) == expected
    assert digest_value(pl.concat([frame, frame], rechunk=False)[3:]) == expected
    for name in frame.columns:
        if name not in ("n", "t"):
            assert digest_value(frame.with_columns(frame[name].gather([1, 0, 2]))) != expected, name
    wider = pl.Series("e", ["a", "b", None], dtype=pl.Enum(["b", "a", "c"]))
    assert distinct(frame, frame.rename({"i": "j"}), frame[:2], frame["i"], frame.with_columns(wider))
    objects = pl.Series("o", [{"a": 1}, (1, 2)], dtype=pl.Object)
    assert digest_value(objects) == digest_value(objects.clone())


def test_hashing_needs_no_memory_to_speak_of():
    frame = pd.DataFrame(np.random.default_rng(0).random((2_000_000, 4)))
    frame.iloc[::3] = np.nan
    strings = pd.DataFrame({"s": [f"some text {i}" for i in range(500_000)] + [None]})
    for value in (frame, frame[::2], strings):
        tracemalloc.start()
        digest_value(value)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 << 20
