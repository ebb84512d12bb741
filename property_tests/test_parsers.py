"""What reads a store's bytes takes any bytes: it gives what was written or says that they are damaged."""

from __future__ import annotations

import json
import string
import tempfile
import warnings
from contextlib import contextmanager, suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dualdag.errors import ArtifactNotFoundError, CodecError, CorruptObjectError, GraphError, StoreError
from dualdag.graph import validate_name
from dualdag.store import _facts as facts_room
from dualdag.store import _seal as seal_room
from dualdag.store import decode_value, open_store
from dualdag.store._artifacts import artifact_folder, is_folder_of
from dualdag.store._facts import Batch, Begin, Confirmation, End, Events, Fact, Lost, Tombstone, Unstable
from dualdag.store._fs import numbered
from dualdag.store._layout import Marker, decode_marker
from dualdag.store._rows import from_row, to_row
from dualdag.store._seal import layout_of, seal, unseal
from dualdag.testing._store_suite_base import a_record, a_version

KINDS = tuple(
    one
    for name, one in sorted(vars(facts_room).items())
    if isinstance(one, type) and issubclass(one, msgspec.Struct) and name in seal_room._KINDS
)
kinds = st.sampled_from(KINDS)
paths = st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text and text.isprintable())
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip
fields = st.dictionaries(
    st.sampled_from(sorted({name for kind in KINDS for name in kind.__struct_fields__})), plain, max_size=12
)
#: Bytes that get past the first checks of a seal.
heads = st.builds(
    lambda seal, layout, kind, signed, rest: b"ddag" + bytes((seal, layout, kind, signed)) + rest,
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 24), st.integers(0, 255), st.binary(max_size=300),
)  # fmt: skip


def resealed(kind, body, path, *, seal_version=1, layout=None):
    """Return a file whose checksum fits, whatever its document is."""
    number = seal_room._KINDS[kind.__name__]
    head = b"ddag" + bytes((seal_version, seal_room.LAYOUT if layout is None else layout, number, 0))
    return head + seal_room._checksum(head, path, body) + body


# Sealed files.


@given(st.binary(max_size=400) | heads, kinds, paths)
def test_arbitrary_bytes_are_no_sealed_file(data, kind, path):
    with pytest.raises(CorruptObjectError):
        unseal(data, kind, path)
    assert layout_of(data, path) is None


@given(st.binary(max_size=300) | plain.map(msgspec.msgpack.encode) | fields.map(msgspec.msgpack.encode), kinds, paths)
@example(b"\x91" * 100_000, Batch, "p")
@example(b"\xdd\xff\xff\xff\xff", Batch, "p")
@example(b"\xc6\xff\xff\xff\xff", Unstable, "p")
def test_an_arbitrary_document_under_a_seal_that_fits(body, kind, path):
    try:
        found = unseal(resealed(kind, body, path), kind, path)
    except CorruptObjectError:
        return
    assert isinstance(found, kind)
    assert unseal(seal(found, path), kind, path) is not None


@given(st.integers(0, 255), st.integers(0, 255))
def test_versions_of_seal_and_layout(seal_version, layout):
    data = resealed(Unstable, msgspec.msgpack.encode({"task": b"t"}), "p", seal_version=seal_version, layout=layout)
    if seal_version > 1 or layout > seal_room.LAYOUT:
        with pytest.raises(StoreError, match="upgrade dualdag"):
            unseal(data, Unstable, "p")
    else:
        assert unseal(data, Unstable, "p") == Unstable(b"t")


@given(st.data(), kinds)
def test_one_changed_byte_or_another_place(data, kind):
    values = {
        Batch: Batch([a_record("x")], []), Fact: Fact(a_record("x")), Unstable: Unstable(b"t"), Lost: Lost(1.0),
        Tombstone: Tombstone("x", 1.0), Begin: Begin("r", 1.0, {}), Events: Events([{"a": 1}]), End: End(1.0, "done"),
        Confirmation: Confirmation("x", 1, 1.0, b"t", b"o"),
    }  # fmt: skip
    value = values.get(kind, Unstable(b"t"))
    whole = seal(value, "a/place")
    assert unseal(whole, type(value), "a/place") == value
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    for changed in (whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :], whole[:at], whole + b"\0"):
        with pytest.raises(CorruptObjectError):
            unseal(changed, type(value), "a/place")
    with pytest.raises(CorruptObjectError):
        unseal(whole, type(value), "a/place2")


# Rows of the index.


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=40))
def test_arbitrary_rows_of_the_index(row, key):
    with pytest.raises(Exception) as caught:
        from_row(row, key)
    from dualdag.store._index import _DAMAGED

    assert isinstance(caught.value, _DAMAGED)


@given(st.sampled_from(["trace", "action", "alias"]), st.binary(min_size=1, max_size=40))
def test_a_row_is_found_by_its_own_keys_alone(which, other):
    record = a_record("x")
    key = b"another name" if which == "alias" else getattr(record, which)
    row = to_row(record, key if which == "alias" else b"")
    assert from_row(row, key) == record
    if other not in (record.trace, record.action, key):
        with pytest.raises(Exception, match="damaged"):
            from_row(row, other)


# The marker.


@given(
    st.binary(max_size=200)
    | plain.map(lambda value: json.dumps(value, default=str).encode("utf-8", "surrogatepass"))
    | fields.map(lambda value: json.dumps(value, default=str).encode())
)
@example(b'{"layout": 1, "id": "\\ud800"}')
@example(b'{"layout": 1, "layout": 9}')
@example(b'{"layout": NaN}')
@example(b"[" * 100_000)
@example(b'{"layout": 1e400}')
def test_arbitrary_markers(data):
    found = decode_marker(data)
    assert found is None or isinstance(found, Marker)


@given(st.data())
def test_a_changed_marker_never_tells_of_another_layout(data):
    with a_store() as store:
        store.mark_unstable(b"t")
        whole = store._fs.get("layout.json")
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    found = decode_marker(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
    right = decode_marker(whole)
    assert found is None or found.layout == right.layout


# Names.

names = st.text(max_size=40) | st.text(string.ascii_letters + string.digits + "._-~/\\ ", max_size=40)


@given(st.lists(names, max_size=20), st.sampled_from([8, 12]))
@example(["\u0661" * 8, "0" * 8, "00000001 ", "9" * 400], 8)
def test_numbers_of_files(listed, digits):
    found = numbered(listed, digits)
    assert found == sorted(found)
    assert all(number >= 0 for number in found)
    assert len(found) <= len(listed)


@given(names)
@example("..")
@example("con")
@example("a/../../b")
@example("a\nb")
@example("\uff21")
def test_names_of_artifacts(name):
    try:
        validate_name(name)
    except GraphError:
        with pytest.raises(GraphError):
            artifact_folder(name)
        assert not is_folder_of(name, name)
        return
    folder = artifact_folder(name)
    assert folder.startswith("artifacts/")
    assert folder.count("/") == 1
    assert not set(folder) & set('\\:*?"<>|\0\n')
    assert folder.partition("/")[2] not in ("", ".", "..")
    assert is_folder_of(name, folder.partition("/")[2])


# A store whose files are anything.

files = st.sampled_from([
    "layout.json", "batches/00000000/000000000000", "batches/00000000/000000000001", "batches/00000000/7",
    "batches/x/000000000000", f"facts/{a_record('x').action.hex()}-000001", "facts/zz-1", "unstable/00", "unstable/x",
    "artifacts/x/versions/00000001", "artifacts/x/versions/00000002", "artifacts/x/confirmations/00000001",
    "artifacts/CON/versions/00000001", "runs/r/begin", "runs/r/00000001", "runs/r/end", "runs/ r/begin",
    f"objects/00/{'0' * 62}", "objects/zz/1", "claims/x", "leases/r.00000001", "gc/x", "damaged/x", "new/folder",
])  # fmt: skip
contents = st.binary(max_size=200) | heads | st.just(b"")


@contextmanager
def a_store():
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = open_store(folder)
        try:
            yield store
        finally:
            store.close()


@given(st.dictionaries(files, contents, max_size=8), st.booleans())
def test_a_store_of_arbitrary_files(given_files, fits):
    with a_store() as store:
        store.put_records([a_record("x")])
        store.add_version(a_version(store, "x", "y" * 5000))
        store.close()
        for path, data in given_files.items():
            if fits and path.startswith("batches/00000000/0"):
                data = resealed(Batch, data, path)
            store._fs.put_if_absent(path, [b""])
            store._fs.replace(path, data)
        opened = None
        calls = (
            lambda: opened.records([a_record("x").trace]),
            lambda: opened.superseded(),
            lambda: opened.unstable(),
            lambda: opened.artifacts(),
            lambda: opened.version("x"),
            lambda: opened.last_confirmed("x"),
            lambda: opened.runs(),
            lambda: opened.run("r"),
            lambda: opened.put_records([a_record("y")]),
        )
        try:
            opened = open_store(store.url)
        except StoreError:
            opened = store
        for call in calls:
            with suppress(StoreError, ArtifactNotFoundError):
                call()
        try:
            found = opened.check(repair=True)
            again = opened.check()
        finally:
            opened.close()
        # What is left is what a repair does not touch.
        assert {one.kind for one in again.problems} <= {"missing", "newer"}
        assert found.files >= len(given_files) - 6


# Codecs that run no code.


@given(st.sampled_from(["bytes", "json", "pandas", "npy", "npy-scalar", "arrow", "polars"]), st.binary(max_size=300))
@example(
    "npy",
    b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }" + b" " * 40,
)
def test_arbitrary_bytes_do_not_decode_into_a_crash(codec, data):
    # They are checked before; but who can write to a store can choose the checksum, too.
    with suppress(CodecError):
        decode_value(codec, data, payload="safe")
