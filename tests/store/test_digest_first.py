"""Nothing decodes what a store gives before its check: who may decode at all is written down here."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import dualdag
from dualdag.errors import CorruptObjectError
from dualdag.store import _codecs, _rows, _seal, open_store
from dualdag.store._objects import object_path
from dualdag.testing._store_suite_base import a_record, a_version

CORE = Path(dualdag.__file__).parent
ROOTS = (CORE, *(CORE.parent / "backends").glob("dualdag_*"))

#: What turns bytes into objects, by the module that it is called of ("" for any).
PICKLE = {"load", "loads", "Unpickler", "read_pickle"}
DECODERS = {
    "pickle": PICKLE, "cloudpickle": PICKLE, "_pickle": PICKLE, "dill": PICKLE, "joblib": PICKLE, "marshal": PICKLE,
    "shelve": {"open"}, "json": {"load", "loads"}, "yaml": {"load", "safe_load", "unsafe_load"},
    "np": {"load", "loadtxt", "fromfile", "fromstring", "memmap", "frombuffer"},
    "format": {"read_array", "read_magic", "read_array_header_1_0", "read_array_header_2_0"},
    "ipc": {"open_stream", "open_file", "read_message", "read_schema", "read_record_batch", "read_tensor"},
    "pq": {"read_table", "ParquetFile", "ParquetDataset"}, "feather": {"read_table", "read_feather"},
    "pl": {"read_ipc", "read_ipc_stream", "read_parquet", "scan_ipc", "read_avro"},
    "pd": {"read_pickle", "read_feather", "read_hdf", "read_orc"},
    "json ": {"decode"}, "msgpack": {"decode", "Decoder"}, "msgspec": {"convert"}, "decoder": {"decode"},
}  # fmt: skip

#: In the store: the codecs, which one function calls; the seal and the rows of the index, which check first; the
#: marker, which has its own check inside; what versions are made of, which `Objects` checked; and the mark of a
#: collector, which tells of a process alone.
STORE = {
    "store/_codec_arrays.py", "store/_codec_json.py", "store/_codec_parts.py", "store/_codec_pickle.py",
    "store/_layout.py", "store/_live.py", "store/_mark.py", "store/_plain_json.py", "store/_rows.py", "store/_seal.py",
}  # fmt: skip
#: Elsewhere: what this run's own processes sent each other.
PIPES = {
    *(f"execution/{name}.py" for name in ("_bytes", "_classes", "_copies", "_failures", "_payload", "_piped")),
    *(f"execution/embedded/{name}.py" for name in ("_processes", "_worker")),
    *(f"dualdag_dask/{name}.py" for name in ("_delayed", "_session", "_worker")),
    *(f"dualdag_ray/{name}.py" for name in ("_remote", "_session", "_workflow", "_workflow_task")),
}
#: Memory of arrays that are here already.
OTHERS = {"hashing/_arrays_digest.py", "hashing/_arrow_digest.py"}


@cache
def modules():
    return list(parsed())


def parsed():
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root if root == CORE else root.parent).as_posix()
            if not name.startswith("testing/"):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def owner(node):
    """Return the last name before the attribute: `pa.ipc` in `pa.ipc.open_stream` is "ipc"."""
    if isinstance(node, ast.Attribute):
        # `msgspec.json.decode` is a decoder, `text.json.decode` would be one too.
        return f"{node.attr} " if node.attr == "json" else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def decoders(tree):
    """Yield what decodes in a module, whether called or handed on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in DECODERS.get(owner(node.value), ()):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            last = (node.module or "").rpartition(".")[2]
            yield from (f"{last}.{one.name}" for one in node.names if one.name in DECODERS.get(last, ()))


def test_the_guard_sees_decoders():
    seen = "pickle.loads", "np.load", "pa.ipc.open_stream", "msgspec.json.decode", "pd.read_pickle", "json.loads"
    for text in seen:
        assert list(decoders(ast.parse(f"x = {text}(data)"))) == [text]
    assert list(decoders(ast.parse("from pickle import loads"))) == ["pickle.loads"]
    assert list(decoders(ast.parse("store.load(a); b.decode(); json.dumps(c)"))) == []


def test_only_these_modules_decode():
    # JSON runs no code and kills no interpreter, and outside of the store all bytes come out of `get_object`.
    found = {
        name
        for name, tree in modules()
        if any(name.startswith("store/") or not text.startswith("json") for text in decoders(tree))
    }
    backends_there = {name.partition("/")[0] for name, _ in modules()}
    expected = {name for name in STORE | PIPES | OTHERS if name.partition("/")[0] in backends_there}
    assert found <= expected
    assert {"store/_codec_pickle.py", "store/_seal.py", "execution/_payload.py"} <= found


def test_who_unpickles_what_was_sent_reads_no_store():
    for name, tree in modules():
        if name in PIPES:
            reads = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert not reads & {"get_object", "_fs", "_objects"}, name


def test_codecs_are_called_by_one_function_alone():
    called = {}
    for name, tree in modules():
        for node in ast.walk(tree):
            names = [node.id] if isinstance(node, ast.Name) else []
            names += [one.name for one in node.names] if isinstance(node, ast.ImportFrom) else []
            for one in names:
                if one.startswith("decode_") or one in ("read_stream", "column_from_arrow", "index_from_arrow"):
                    called.setdefault(one, set()).add(name)
    # The door, and `Store.load`, which gives it what `Objects` checked.
    assert called.pop("decode_value") == {"store/__init__.py", "store/_store.py"}
    # `decode_marker` is the marker's own, with its check inside.
    assert called.pop("decode_marker") <= {"store/_layout.py", "store/_inspect.py"}
    assert {name for names in called.values() for name in names if not name.startswith("store/_codec_")} == {
        "store/_codecs.py"
    }


def test_who_reads_files_of_a_store_does_not_decode_them():
    reads = set()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place = owner(node.func.value)
                if node.func.attr in ("get", "get_many", "pieces") and place in ("fs", "_fs"):
                    reads.add(name)
    assert {name for name in reads if not name.startswith("store/")} == set()
    assert reads & STORE == {"store/_layout.py", "store/_live.py"}


# What is so by its text is so when it runs.


@pytest.fixture
def decoded(monkeypatch):
    """Return what is decoded from now on."""
    seen = []

    def spy(module, name, which):
        real = getattr(module, name)

        def call(*given, **more):
            seen.append(bytes(given[which]))
            return real(*given, **more)

        monkeypatch.setattr(module, name, call)

    spy(_codecs, "decode_value", 1)
    spy(_seal, "_decoded", 0)
    spy(_rows, "_decode", 0)
    return seen


def test_damaged_bytes_are_never_decoded(tmp_path, decoded):
    store = open_store(str(tmp_path / "store"))
    one = a_record("one")
    saved = store.save(["x" * 10_000])
    store.add_version(a_version(store, "big", ["y" * 10_000]))
    store.put_records([one])
    store.supersede(a_record("one", "other"))
    store.close()
    silent, told = pytest.raises(CorruptObjectError), pytest.warns(UserWarning, match="damaged")
    cases = (
        (object_path(saved.checksum), lambda store: store.load(saved.checksum, saved.codec), silent),
        ("artifacts/big/versions/00000001", lambda store: store.version("big"), silent),
        ("batches/00000000/000000000000", lambda store: store.records([one.trace]), told),
        (f"facts/{one.action.hex()}-000001", lambda store: store.superseded(), told),
    )
    for path, read, tells in cases:
        data = store._fs.get(path)
        for at in (len(data) // 2, len(data) - 1, 45):
            damaged = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
            store._index_path().unlink(missing_ok=True)
            store._fs.replace(path, data)
            read(open_store(store.url))
            assert any(one in data for one in decoded), "the spy sees what is decoded"
            store._index_path().unlink(missing_ok=True)
            store._fs.replace(path, damaged)
            del decoded[:]
            with tells:
                read(open_store(store.url))
            assert not [one for one in decoded if one in damaged]
        store._fs.replace(path, data)
