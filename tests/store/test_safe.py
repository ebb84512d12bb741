"""Values that nobody vouches for: no pickle, nothing inflated beyond what was stored, no JSON that says two things."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dualdag as dag
from dualdag.errors import CodecError, CorruptObjectError, StoreError
from dualdag.hashing import digest_value
from dualdag.store import _codecs as codecs
from dualdag.store import _facts as facts
from dualdag.store import _seal as seal_room
from dualdag.store import decode_value, encode_value, open_store
from dualdag.store._code import pack_code
from dualdag.store._codec_arrays import write_stream
from dualdag.store._codec_inflate import check_file, check_stream
from dualdag.store._plain_json import strict_json
from dualdag.testing._store_suite_base import a_record, a_version

ROOT = Path(dag.__file__).parent


@dag.task
def give(value):
    return value


@dag.task
def pair():
    return 1, 2


@dag.task
def first(values):
    return values[0]


class Ruler:
    def __init__(self, cm):
        self.cm = cm


@pytest.fixture
def own_table(monkeypatch):
    from dualdag.store import _taught

    monkeypatch.setattr(codecs, "_registered", {})
    monkeypatch.setattr(_taught, "_taught", {})
    monkeypatch.setattr(_taught, "_safe", set())


# No pickle.


@pytest.mark.parametrize(
    ("value", "told"),
    [((1, 2), "a list"), ({1, 2}, "a sorted list"), (1j, "two numbers"), (bytearray(b"x"), "bytes"),
     ([(1, 2)], "its items"), ({1: 2}, "its keys"), (Ruler(1), "plain data"), (len, "plain data")],
)  # fmt: skip
def test_what_only_pickle_stores_is_refused(value, told):
    with pytest.raises(CodecError, match=told) as caught:
        encode_value(value, payload="safe")
    assert type(value).__name__ in str(caught.value)


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_a_run_with_safe_payloads(tmp_path, backend):
    with dag.configure(store=str(tmp_path / "store"), payload="safe", backend=backend, workers=2, progress="off"):
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
        assert dag.run(give(frame).artifact("frame")).equals(frame)
        with pytest.raises(CodecError) as caught:
            dag.run(pair().artifact("pair"))
        assert "'pair'" in str(caught.value)
        assert "return a list" in str(caught.value)
        # What is passed on and not kept may be anything.
        assert dag.run(first(pair())) == 1
        assert dag.load("frame").equals(frame)
    dag.shutdown()
    assert not any(b"\x80\x05" in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())


def test_a_step_that_is_kept_for_its_cost_alone_is_not_kept(tmp_path, monkeypatch):
    from dualdag.execution import _work

    monkeypatch.setattr(_work, "worth_keeping", lambda *_args, **_options: True)
    with dag.configure(store=str(tmp_path / "store"), payload="safe", backend="sync", progress="off"):
        assert dag.run(first(pair())) == 1
        store = dag.store()
        kept = list(store.records([first(pair())._key]).values())
        assert all(record.codec != "pickle" for record in kept)


def test_a_stored_pickle_is_refused(tmp_path):
    url = str(tmp_path / "store")
    with dag.configure(store=url, progress="off", backend="sync"):
        assert dag.run(pair().artifact("pair")) == (1, 2)
        with dag.configure(payload="safe"):
            with pytest.raises(CodecError, match="payload='safe'"):
                dag.load("pair")
            # It counts as lost, and what is made in its place is refused too.
            with pytest.warns(RuntimeWarning, match="made again"), pytest.raises(CodecError, match="'pair'"):
                dag.run(pair().artifact("pair"))
    saved = open_store(url).save((1, 2))
    with pytest.raises(CodecError, match="rules that out"):
        open_store(url, payload="safe").load(saved.checksum, saved.codec)


def test_codecs_of_users_are_safe_only_where_they_say_so(own_table):
    codec = (lambda ruler: str(ruler.cm).encode(), lambda data: Ruler(int(data)))
    dag.register(Ruler, codec=codec)
    assert encode_value(Ruler(3)).codec == f"class:{__name__}.Ruler"
    with pytest.raises(CodecError, match="Ruler"):
        encode_value(Ruler(3), payload="safe")
    with pytest.raises(CodecError, match="payload='safe'"):
        decode_value(f"class:{__name__}.Ruler", b"3", payload="safe")
    dag.register(Ruler, codec=codec, safe=True)
    made = encode_value(Ruler(3), payload="safe")
    assert decode_value(made.codec, made.tobytes(), payload="safe").cm == 3


def test_one_table_says_which_codecs_are_safe():
    assert {one.name for one in codecs._BUILT_IN if not one.safe} == {"pickle"}


def test_nothing_else_reads_what_can_run_code():
    """Of these a name is enough: none has a use here that the table of codecs does not cover."""
    banned = {"allow_pickle", "read_pickle", "yaml", "shelve", "marshal", "dill", "joblib", "skops", "read_hdf"}
    found = set()
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in banned:
                found.add((name, node.arg))
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name.partition(".")[0] for alias in node.names} | {getattr(node, "module", None)}
                found |= {(name, one) for one in names & banned}
            elif isinstance(node, ast.Attribute) and node.attr in banned:
                found.add((name, node.attr))
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("eval", "exec"):
                found.add((name, node.func.id))
    assert not {one for one in found if one[0].startswith("store/")}


# Bombs.


def squeezed(table, compression="zstd"):
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_what_a_stream_becomes_is_known_before_it_is_read():
    table = pa.table({"a": pa.array([0] * 1_000_000), "s": ["xy"] * 1_000_000})
    check_stream(pa.py_buffer(b"".join(map(bytes, write_stream(table)))))
    bomb = squeezed(table.select(["a"]))
    assert table.nbytes > 5000 * bomb.size
    with pytest.raises(CodecError, match="compute it again"):
        check_stream(bomb)
    for compression in ("lz4", None):
        check_stream(squeezed(table, compression))


def test_dictionaries_count_too():
    words = pa.array(["x" * 100_000_000])
    table = pa.table({"a": pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), words)})
    with pytest.raises(CodecError, match="compute it again"):
        check_stream(squeezed(table))


def test_polars_files_are_looked_at_by_their_end():
    frame = pl.DataFrame({"a": np.zeros(1_000_000, np.int64)})
    made = io.BytesIO()
    frame.write_ipc(made, compression="lz4")
    check_file(memoryview(made.getvalue()))
    made = io.BytesIO()
    frame.write_ipc(made, compression="zstd")
    with pytest.raises(CodecError, match="compute it again"):
        check_file(memoryview(made.getvalue()))
    with pytest.raises(CodecError):
        decode_value("polars", b"frame polars".ljust(64) + made.getvalue())


def test_zeros_that_were_stored_come_back():
    frame = pd.DataFrame({"a": np.zeros(20_000_000), "b": np.zeros(20_000_000, bool)})
    encoded = encode_value(frame)
    assert encoded.nbytes * 100 < frame["a"].nbytes
    back = decode_value(encoded.codec, encoded.tobytes(), payload="safe")
    assert digest_value(back) == digest_value(frame)


BOMBS = """
import resource, sys
import numpy, pandas, pyarrow, polars  # what reading takes is not theirs
from dualdag.store import decode_value, open_store
decode_value("arrow", open("small", "rb").read())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from dualdag.errors import CodecError
for name in ("arrow", "pandas", "npy", "polars"):
    data = open(name, "rb").read()
    try:
        decode_value(name, data, payload=sys.argv[1])
    except CodecError:
        continue
    raise SystemExit(name)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what a process took at most is told in other units elsewhere")
@pytest.mark.parametrize("payload", ["pickle", "safe"])
def test_bombs_take_no_memory(payload):
    rows = 25_000_000
    table = pa.table({"a": pa.array(np.zeros(rows, np.int64))})
    mark = {b"dualdag": b"table"}
    Path("small").write_bytes(bytes(squeezed(table.slice(0, 10).replace_schema_metadata(mark))))
    bomb = squeezed(table.replace_schema_metadata(mark))
    assert table.nbytes > 20_000 * bomb.size
    Path("arrow").write_bytes(bomb)
    told = {"version": 1, "index": {"names": [None], "labels": {"range": [0, 1 << 28, 1]}}, "indexes": 0, "attrs": {},
            "unique": False, "columns": [{"kind": "object", "items": "bool", "missing": None}], "name": None}  # fmt: skip
    # A column that takes no bytes has as many rows as it says.
    endless = pa.Array.from_buffers(pa.null(), 1 << 28, [None])
    nulls = pa.table({"a": endless}).replace_schema_metadata({b"dualdag.pandas": json.dumps(told)})
    Path("pandas").write_bytes(squeezed(nulls))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10_000_000_000_000,)})
    Path("npy").write_bytes(head.getvalue() + bytes(64))
    made = io.BytesIO()
    pl.DataFrame({"a": np.zeros(rows, np.int64)}).write_ipc(made, compression="zstd")
    Path("polars").write_bytes(b"frame polars".ljust(64) + made.getvalue())
    command = [sys.executable, "-c", textwrap.dedent(BOMBS), payload]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) <= 64


@pytest.mark.parametrize("shape", [(2,), (4,), (1 << 60,), (-1,), (3, 1 << 62)])
def test_an_array_is_as_large_as_it_says(shape):
    data = encode_value(np.arange(3)).tobytes()
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<i8", "fortran_order": False, "shape": shape})
    with pytest.raises(CodecError):
        decode_value("npy", head.getvalue() + data[-24:])


def test_an_array_of_objects_is_no_npy():
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": (3,)})
    with pytest.raises(CodecError, match="object"):
        decode_value("npy", head.getvalue() + bytes(24))


HOSTILE = """
import random, sys, warnings
warnings.simplefilter("ignore")
from dualdag.store import decode_value
from dualdag.errors import DualdagError
rng = random.Random(int(sys.argv[1]))
for codec in ("pandas", "arrow", "npy", "polars", "json"):
    good = open(codec, "rb").read()
    for _ in range(int(sys.argv[2])):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            data[at] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        try:
            value = decode_value(codec, bytes(data), payload="safe")
            repr(value)
        except DualdagError:
            pass
"""


def test_damaged_values_break_no_reader():
    """Whoever can write to an unsigned store can make the checksum fit: what is safe must be so all the same."""
    frame = pd.DataFrame({"s": ["a", None, "ccc"], "n": [1, 2, 3], "c": pd.Categorical(["x", "y", "x"]),
                          "t": pd.date_range("2026", periods=3)})  # fmt: skip
    values = {"pandas": frame, "arrow": pa.table({"s": ["a", "bb", None], "l": [[1], [], [2, 3]]}),
              "npy": np.arange(6).reshape(2, 3), "polars": pl.DataFrame({"s": ["a", "b"], "n": [1, 2]}),
              "json": {"a": [1, 2.5, "x", None, True]}}  # fmt: skip
    for codec, value in values.items():
        encoded = encode_value(value, payload="safe")
        assert encoded.codec == codec
        Path(codec).write_bytes(encoded.tobytes())
    done = subprocess.run([sys.executable, "-c", HOSTILE, "7", "400"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# JSON and sealed files.


@pytest.mark.parametrize(
    "data",
    ['{"a": 1, "a": 2}', '{"a": NaN}', "[Infinity]", "[" * 17 + "]" * 17, "[" * 200_000, "", "\xff", '{"a":',
     '{"x": {"b": 1, "b": 1}}'],
)  # fmt: skip
def test_json_that_is_refused(data):
    with pytest.raises(ValueError):
        strict_json(data)
    with pytest.raises(ValueError, match="bytes of JSON"):
        strict_json("[1, 2]", large=5)
    assert strict_json("[" * 16 + "]" * 16) is not None


def test_details_that_nobody_here_wrote(tmp_path):
    store = open_store(str(tmp_path / "store"))
    for data in (b'{"a": 1, "a": 2}', b"[1]", b"[" * 100_000):
        with pytest.raises(CorruptObjectError, match="of a version's making"):
            store.details(store.put_object(data))
    assert store.details(store.put_object(b'{"a": [{}]}')) == {"a": [{}]}


@pytest.mark.parametrize("data", [b'{"layout":1,"layout":1}', b'{"layout":NaN}', b"[" * 50_000, b" " * 70_000])
def test_a_marker_that_nobody_here_wrote(tmp_path, data):
    store = open_store(str(tmp_path / "store"))
    store.put_records([a_record("x")])
    store.close()
    path = tmp_path / "store/layout.json"
    path.unlink()
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        assert open_store(str(tmp_path / "store")).records([a_record("x").trace])


def test_a_sealed_file_is_not_larger_than_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(seal_room, "_LARGE", 2000)
    path = "artifacts/x/versions/00000001"
    with pytest.raises(StoreError, match="more than is read again"):
        seal_room.seal(facts.Unstable(b"x" * 3000), path)
    data = seal_room.seal(facts.Unstable(b"x"), path)
    monkeypatch.setattr(seal_room, "_LARGE", 20)
    with pytest.raises(CorruptObjectError):
        seal_room.unseal(data, facts.Unstable, path)


def test_documents_that_claim_more_than_they_hold():
    import msgspec

    for kind, body in (
        (facts.Batch, b"\x82\xa7records\xdd\x0f\xff\xff\xff"),
        (facts.Events, b"\x81\xa6events\x91\xdf\x0f\xff\xff\xff"),
        (facts.Events, b"\x81\xa6events\x91\x81\xa1a" + b"\x91" * 100_000),
    ):
        with pytest.raises((msgspec.DecodeError, CorruptObjectError)):
            seal_room._decoded(memoryview(body), kind, "p")


def test_numbers_that_no_store_reaches(tmp_path):
    url = str(tmp_path / "store")
    store = open_store(url)
    store.put_records([a_record("one")])
    store.add_version(a_version(store, "x", 1))
    store.supersede(a_record("one", "other"))
    store.close()
    folder = tmp_path / "store"
    key = a_record("one").action.hex()
    for name in ("batches/00000000/" + "9" * 40, "batches/00000000/000000999999", "artifacts/x/versions/" + "9" * 60,
                 f"facts/{key}-{'9' * 30}"):  # fmt: skip
        (folder / name).write_bytes(b"whatever")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = open_store(url)
        assert again.records([a_record("one").action])[a_record("one").action].digest == a_record("x", "other").digest
        two = a_record("two")
        assert again.put_records([two]) == [two]
        assert again.add_version(a_version(again, "x", 2)).number == 2
        assert again.supersede(a_record("one", "third")).digest
    assert (folder / "batches/00000000/000000000001").exists()
    again.close()


@pytest.mark.skipif(sys.platform != "linux", reason="files with holes, and limits on memory")
def test_a_file_that_claims_to_be_huge_takes_no_memory(tmp_path):
    """A file with a hole costs whoever puts it there nothing; memory of its size would end whoever reads it."""
    store = open_store(str(tmp_path / "store"))
    store.put_records([a_record("one")])
    store.add_version(a_version(store, "x", 1))
    store.start_run("r", {}).close()
    for path in ("batches/00000000/000000000001", "artifacts/x/versions/00000002", "runs/r/end", "leases/r.00000001"):
        place = tmp_path / "store" / path
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        with place.open("wb") as file:
            file.truncate(1 << 40)
    store.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = open_store(store.url)
        assert again.records([a_record("one").action])
        assert [row.version for row in again.artifacts()] == [1]
        assert again.runs()[0].status == "unfinished"
        assert len(again.check().problems) == 3  # what is no lease's is strange
        assert again.check(repair=True).whole
        assert again.check().whole


@pytest.mark.parametrize(
    "change",
    [{"parameters": 5}, {"dirty": "\x1b[31m"}, {"inputs": [1]}, {"lineage": None}, {"lineage": ["zz"]}, {"lineage": [5]}],
)  # fmt: skip
def test_a_making_that_nobody_here_wrote(tmp_path, change):
    store = open_store(str(tmp_path / "store"))
    details = store.put_object(json.dumps({"lineage": [], "dirty": None} | change).encode())
    store.add_version(msgspec.structs.replace(a_version(store, "x", 1), details=details))
    with pytest.raises(CorruptObjectError, match="what tells of a version's making"):
        store.details(details)
    with pytest.warns(UserWarning, match="is not known"):
        assert store.gc(dry_run=False, grace=0).versions == 0
    with pytest.raises(CorruptObjectError, match="packages"):
        store.code(store.put_object(pack_code({"packages": 5})))


def test_gc_counts_what_took_no_time_that_is_a_number(tmp_path):
    store = open_store(str(tmp_path / "store"))
    saved = store.save("x" * 10_000)
    nan = float("nan")
    store.put_records([msgspec.structs.replace(a_record("x", checksum=saved.checksum), seconds=nan, created=nan)])
    assert store.gc(dry_run=True, max_bytes=1, grace=0).objects == 1


@pytest.mark.parametrize("why", ["safe payloads", "a class that moved"])
def test_what_can_t_be_read_here_is_made_again_at_once(tmp_path, monkeypatch, why):
    url = str(tmp_path / "store")
    with dag.configure(store=url, progress="off", backend="sync"):
        made = pair().options(persist=True)
        assert dag.run(made) == (1, 2)
        if why == "a class that moved":
            real = codecs.decode_pickle

            def decode(data):
                if not reads:
                    reads.append(data)
                    raise AttributeError("no class Moved")
                return real(data)

            reads = []
            broken = next(one for one in codecs._BUILT_IN if one.name == "pickle")._replace(decode=decode)
            monkeypatch.setattr(codecs, "_BUILT_IN", (*codecs._BUILT_IN[:-1], broken))
            with pytest.warns(RuntimeWarning, match="made again") as told:
                assert dag.run(first(made)) == 1
        else:
            with dag.configure(payload="safe"), pytest.warns(RuntimeWarning, match="made again") as told:
                assert dag.run(first(pair())) == 1
        assert len(told) == 1
