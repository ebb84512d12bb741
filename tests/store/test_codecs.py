"""Codecs: what comes back equals what went in, or the codec refuses it and the next one takes it."""

from __future__ import annotations

import datetime as dt
import io
import os
import stat
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dualdag.errors import CodecError
from dualdag.hashing import digest_file, digest_value
from dualdag.store import Encoded, File, decode_value, encode_value, register_codec, register_codec_for
from dualdag.store import _codecs as codecs
from tests.store.codec_checks import back


@dataclass
class Point:
    x: int


# Plain data.


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**63), 2**63 - 1, 1.5, -0.0, 1e22, 5e-324, "", "ü", [], {}, [1, {"a": [None, "b"]}]],
)
def test_json_keeps_exact_types(value):
    assert back(value, "json") == value


@pytest.mark.parametrize(
    "value",
    [
        (1,), {1}, {1: 2}, {"a": (1,)}, 2**63, -(2**63) - 1, float("inf"), "\ud800", ["\ud800"],
        {"\ud800": 1}, 1j, bytearray(b"x"), [b"x"], Point(1), [Point(1)], dt.date(2020, 1, 1),
    ],
)  # fmt: skip
def test_what_json_would_change_is_pickled(value):
    assert back(value, "pickle") == value


def test_nan_is_not_json():
    assert np.isnan(back(float("nan"), "pickle"))
    assert np.isnan(back([float("nan")], "pickle")[0])


def test_shared_and_circular_lists_are_not_json():
    inner = [1]
    found = back([inner, inner], "pickle")
    assert found[0] is found[1]
    ring = []
    ring.append(ring)
    found = back(ring, "pickle")
    assert found[0] is found


def test_depth():
    deep = 1
    for _ in range(150):
        deep = [deep]
    assert back(deep, "json") == deep
    for _ in range(100):
        deep = [deep]
    assert back(deep, "pickle") == deep


def test_bytes_are_stored_as_they_are():
    assert encode_value(b"abc").tobytes() == b"abc"
    assert back(b"abc", "bytes") == b"abc"
    assert back(b"", "bytes") == b""


# NumPy.

ARRAYS = {
    "matrix": np.arange(6).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(20)[::-3],
    "no dimension": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "text": np.array(["a", "bü"]),
    "bytes": np.array([b"a\0b", b""]),
    "big-endian": np.arange(3, dtype=">i4"),
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "padded": np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "nested": np.zeros(2, [("x", "f4", (2, 2)), ("y", [("z", "i2")])]),
    "long double": np.arange(3, dtype="g"),
    "complex": np.arange(3) * 1j,
    "bool": np.array([True, False]),
    "many fields": np.zeros(1, [(f"a rather long name of a field {i}", "i1") for i in range(2000)]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    array = ARRAYS[name]
    found = back(array, "npy")
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.flags.f_contiguous == np.array(array, order="K").flags.f_contiguous or array.ndim < 2
    assert found.flags.writeable
    assert found.tobytes() == array.tobytes() or name == "padded"


def test_npy_is_read_by_numpy():
    array = np.arange(6.0).reshape(2, 3)
    assert (np.load(io.BytesIO(encode_value(array).tobytes())) == array).all()


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, None], object),
        np.array(["a", "b"], np.dtypes.StringDType()),
        np.zeros(2, [("ключ", "i1")]),
        np.zeros(1, np.dtype("i4", metadata={"a": 1})),
        np.ma.MaskedArray([1, 2], [True, False]),
    ],
)
def test_arrays_that_npy_does_not_keep(array):
    assert back(array, "pickle").dtype == array.dtype


def test_scalars():
    for value in (np.float64(1.5), np.int8(3), np.bool_(True), np.datetime64("2020-01-01"), np.complex64(1j)):
        assert back(value, "npy-scalar") == value
    assert back(np.str_("a"), "pickle") == "a"


def test_a_large_array_is_not_copied():
    array = np.zeros(1_000_000)
    buffers = encode_value(array).buffers
    assert np.shares_memory(np.frombuffer(buffers[1]), array)
    frame = pd.DataFrame({"a": np.random.default_rng(0).random(10_000_000)})
    pieces = [np.frombuffer(piece, "u1") for piece in encode_value(frame).buffers]
    assert any(np.shares_memory(piece, frame["a"].to_numpy()) for piece in pieces)
    held = encode_value({"a": array, "b": (1,)})
    assert held.codec == "pickle"
    assert any(np.shares_memory(np.frombuffer(piece, "u1"), array) for piece in held.buffers if len(piece) > 1000)


# Arrow and Polars.


def test_arrow():
    table = pa.table({"i": [1, None], "s": ["a", "b"], "d": pa.array(["x", "y"]).dictionary_encode(), "l": [[1], None]})
    noted = table.replace_schema_metadata({"a": "b"})
    empty = table.replace_schema_metadata({})
    chunked = pa.chunked_array([[1], [2, 3]])
    values = [
        table,
        noted,
        empty,
        table[:0],
        pa.concat_tables([table, table]),
        table.to_batches()[0],
        pa.table({}),
    ]
    values += [table[:0].to_batches()[0] if table[:0].to_batches() else table.to_batches()[0].slice(0, 0)]
    values += [chunked, pa.chunked_array([], pa.string()), pa.array([1, None]), pa.array([], pa.int8())]
    for value in values:
        found = back(value, "arrow")
        assert found.equals(value)
        if isinstance(value, (pa.Table, pa.RecordBatch)):
            assert found.schema.equals(value.schema, check_metadata=True)


def test_an_arrow_extension_is_pickled():
    class Celsius(pa.ExtensionType):
        def __init__(self):
            super().__init__(pa.float64(), "tests.celsius")

        def __arrow_ext_serialize__(self):
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, _storage, _serialized):
            return cls()

    array = pa.ExtensionArray.from_storage(Celsius(), pa.array([1.5]))
    assert encode_value(array).codec == "pickle"


def test_polars():
    frame = pl.DataFrame(
        {
            "i": [1, None, 3],
            "s": ["a", None, "long " * 9],
            "c": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "e": pl.Series(["a", "b", None], dtype=pl.Enum(["b", "a"])),
            "d": pl.Series([1, 2, 3], dtype=pl.Decimal(10, 2)),
            "t": pl.Series([1, 2, 3], dtype=pl.Datetime("ms", "Europe/Berlin")),
            "l": [[1], None, [2, 3]],
        }
    )
    wide = pl.DataFrame({"w": pl.Series([1, None, 2**100], dtype=pl.Int128)})
    for value in (frame, frame.clear(), pl.DataFrame(), frame["e"], pl.Series("x", [1.5]), wide, wide["w"]):
        found = back(value, "polars")
        assert found.equals(value)
        assert found.name == value.name if isinstance(value, pl.Series) else found.schema == value.schema


# Pickle.


def test_pickle_keeps_functions_classes_and_models():
    offset = 3
    encoded = encode_value(lambda x: x + offset)
    assert decode_value(encoded.codec, encoded.tobytes())(1) == 4
    ensemble = pytest.importorskip("sklearn.ensemble")
    data = np.random.default_rng(0).random((40, 3))
    model = ensemble.RandomForestClassifier(3, random_state=0).fit(data, [0, 1] * 20)
    assert (back(model, "pickle").predict(data) == model.predict(data)).all()


def test_large_parts_of_a_pickle_may_be_changed():
    value = (np.zeros(100_000), pd.DataFrame({"a": np.zeros(100_000), "o": [(1,)] * 100_000}))
    array, frame = back(value, "pickle")
    array[0], frame.loc[0, "a"] = 1, 1
    assert value[0][0] == value[1].loc[0, "a"] == 0


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ((i for i in ()), "generator"),
        ([map(str, [])], "map"),
        (threading.Lock(), "lock"),
        (open(os.devnull), "open file"),  # noqa: SIM115
        (Point(open(os.devnull)), "open file"),  # noqa: SIM115
        (sys._getframe(), "frame"),
        (pl.Series("o", [threading.Lock()], dtype=pl.Object), "Series"),
    ],
)
def test_what_cannot_be_stored_is_told(value, what):
    with pytest.raises(CodecError, match=f"{what}.*(return|with dag)"):
        encode_value(value)


def test_bytes_that_do_not_decode():
    for codec in ("json", "npy", "npy-scalar", "pandas", "arrow", "polars", "pickle"):
        for data in (b"", b"garbage", os.urandom(300)):
            with pytest.raises(CodecError, match=f"{codec!r}.*compute it again"):
                decode_value(codec, data)
    with pytest.raises(CodecError, match="not registered"):
        decode_value("nosuch", b"")


def test_a_class_that_moved_is_a_codec_error(monkeypatch):
    encoded = encode_value(Point(1))
    monkeypatch.delattr(sys.modules[Point.__module__], "Point")
    with pytest.raises(CodecError, match=r"Point.*compute it again"):
        decode_value(encoded.codec, encoded.tobytes())


def test_safe_payloads():
    for value in (
        {"a": 1},
        pd.DataFrame({"a": ["x"]}),
        np.arange(3),
        pl.DataFrame({"a": [1]}),
        b"x",
        np.float64(1),
    ):
        encoded = encode_value(value, payload="safe")
        assert digest_value(decode_value(encoded.codec, encoded.tobytes(), payload="safe")) == digest_value(value)
    with pytest.raises(CodecError, match=r"tuple.*payload='safe'"):
        encode_value((1,), payload="safe")
    with pytest.raises(CodecError, match="payload='safe'.*rules that out"):
        decode_value("pickle", encode_value((1,)).tobytes(), payload="safe")


# Codecs of users.


@pytest.fixture
def own_table(monkeypatch):
    monkeypatch.setattr(codecs, "_registered", {})


class Ruler:
    def __init__(self, cm):
        self.cm = cm


class Longer(Ruler):
    pass


def test_a_codec_for_a_class(own_table):
    register_codec_for(Ruler, lambda ruler: str(ruler.cm).encode(), lambda data: Ruler(int(data)))
    encoded = encode_value(Longer(30))
    assert encoded.tobytes() == b"30"
    assert decode_value(encoded.codec, memoryview(encoded.tobytes())).cm == 30
    codecs._registered.clear()
    with pytest.raises(CodecError, match=r"class:.*Ruler.*dag.register"):
        decode_value(encoded.codec, b"30")


def test_a_codec_by_name_may_refuse_and_fail(own_table):
    register_codec(
        "short",
        can=lambda value: isinstance(value, str),
        encode=lambda value: value.encode() if len(value) < 9 else None,
        decode=lambda data: data.decode(),
        safe=True,
    )
    assert encode_value("abc", payload="safe").codec == "short"
    assert encode_value("abcdefghi").codec == "json"
    register_codec("broken", can=lambda _: True, encode=lambda _: 1 // 0, decode=bytes)
    with pytest.raises(CodecError, match=r"'broken' failed \(ZeroDivisionError"):
        encode_value("abc")
    with pytest.raises(CodecError, match="built in"):
        register_codec("json", can=bool, encode=bytes, decode=bytes)


# Files.


def test_a_file_is_its_bytes(tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(b"<p>")
    encoded = encode_value(File(path))
    assert encoded == Encoded("file", (), str(path), 3)
    assert encoded.tobytes() == b"<p>"
    assert decode_value("file", path) == str(path)
    again = decode_value("file", b"<p>")
    assert Path(again).read_bytes() == b"<p>"
    assert not os.stat(again).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    other = tmp_path / "other.html"
    other.write_bytes(b"<p>")
    assert digest_value(File(path)) == digest_value(File(str(other))) != digest_value(str(path))
    assert digest_file(str(path)) == digest_file(again)


def test_a_file_must_be_one(tmp_path):
    with pytest.raises(CodecError, match="does not exist"):
        encode_value(File(tmp_path / "none"))
    with pytest.raises(CodecError, match="is a folder"):
        encode_value(File(tmp_path))
