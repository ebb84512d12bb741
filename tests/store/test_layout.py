"""The marker, sealed files, and the order in which things are written and deleted."""

from __future__ import annotations

import json
import warnings

import pytest

from dualdag.errors import CorruptObjectError, StoreError
from dualdag.store import LAYOUT, Record, open_store
from dualdag.store import _seal as seal_room
from dualdag.store._facts import Batch, Fact, Unstable, Version
from dualdag.store._seal import layout_of, seal, unseal
from dualdag.testing._store_suite_base import a_record, a_version


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


def put(store, path, data):
    store._fs.remove(path)
    assert store._fs.put_if_absent(path, [data])


# Seals.


def test_every_changed_byte_is_found():
    data = seal(Batch([a_record("x")], []), "batches/1")
    assert unseal(data, Batch, "batches/1").records == [a_record("x")]
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(CorruptObjectError):
            unseal(bytes(damaged), Batch, "batches/1")
    for end in range(len(data)):
        with pytest.raises(CorruptObjectError):
            unseal(data[:end], Batch, "batches/1")
    for path, kind in (("batches/2", Batch), ("batches/1", Fact)):
        with pytest.raises(CorruptObjectError):
            unseal(data, kind, path)


def test_a_newer_layout_is_told_from_damage(monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(seal_room, "LAYOUT", 3)
        data = seal(Unstable(b"t"), "p")
    assert layout_of(data, "p") == 3
    assert layout_of(data, "q") is None
    assert layout_of(b"", "p") is None
    with pytest.raises(StoreError, match="layout 3.*pip install --upgrade") as caught:
        unseal(data, Unstable, "p")
    assert not isinstance(caught.value, CorruptObjectError)


def test_sealed_rubbish_is_damage(monkeypatch):
    monkeypatch.setattr(seal_room, "_encode", lambda _: b"\x91" * 100_000)
    data = seal(Unstable(b"t"), "p")
    with pytest.raises(CorruptObjectError):
        unseal(data, Unstable, "p")


def test_a_later_field_is_read_over():
    class More(Record, frozen=True, array_like=True):
        extra: int = 0

    import msgspec

    data = msgspec.msgpack.encode(More(*msgspec.structs.astuple(a_record("x")), extra=1))
    assert msgspec.msgpack.decode(data, type=Record) == a_record("x")


# The marker.


def test_the_marker(url):
    store = open_store(url)
    store.put_object(b"x")
    marker = json.loads(store._fs.get("layout.json"))
    assert marker["layout"] == LAYOUT
    assert len(marker["id"]) == 32


def test_a_store_of_layout_1_is_read_and_written(url, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(seal_room, "LAYOUT", 1)
        older.setattr("dualdag.store._layout.LAYOUT", 1)
        older.setattr("dualdag.store._objects.SMALL", -1)
        store = open_store(url)
        version = store.add_version(a_version(store, "old", 1))
        store.put_records([a_record("one", checksum=version.checksum)])
        store.close()
    assert len(version.checksum) == 32
    store = open_store(url)
    assert store.load(version.checksum, version.codec) == 1
    assert store.add_version(a_version(store, "old", 2)).number == 2
    store.put_records([a_record("two")])
    store.close()
    store = open_store(url)
    assert set(store.records([a_record("one").trace, a_record("two").trace])) == {
        a_record("one").trace,
        a_record("two").trace,
    }
    assert [row.version for row in store.versions("old")] == [2, 1]


@pytest.mark.parametrize("state", [b"", b"{", b'{"layout": "x"}', b"\xff", None])
def test_a_damaged_marker_is_rebuilt_from_a_record(url, state):
    store = open_store(url)
    one = a_record("one")
    store.put_records([one])
    store.close()
    store._fs.remove("layout.json")
    if state is not None:
        put(store, "layout.json", state)
    with pytest.warns(UserWarning, match="marker layout.json is (damaged|gone).*layout 2"):
        assert open_store(url, readonly=True).records([one.trace]) == {one.trace: one}
    with pytest.warns(UserWarning, match="marker"):
        again = open_store(url)
    assert again.records([one.trace]) == {one.trace: one}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_store(url).records([one.trace]) == {one.trace: one}
    assert len(again._fs.names("damaged")) == (state is not None)


def test_a_damaged_marker_does_not_hide_a_newer_layout(url, monkeypatch):
    store = open_store(url)
    with monkeypatch.context() as newer:
        newer.setattr(seal_room, "LAYOUT", 7)
        store.put_records([a_record("one")])
    put(store, "layout.json", b"rubbish")
    with pytest.raises(StoreError, match="layout 7"):
        open_store(url)
    assert store._fs.get("layout.json") == b"rubbish"


# Facts.


def test_a_fact_that_tells_of_another_key(url):
    store = open_store(url)
    one, two = a_record("one"), a_record("two")
    store.put_records([one])
    path = f"facts/{one.trace.hex()}-000001"
    store._fs.put_if_absent(path, [seal(Fact(two), path)])
    store.refresh()
    with pytest.warns(UserWarning, match="another key"):
        assert store.records([one.trace]) == {}
    assert store.superseded()[one.trace] not in (one.digest, two.digest)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.refresh()
        assert store.records([one.trace]) == {}


# Artifacts.


def test_a_crash_while_deleting_shows_nothing_old(url, monkeypatch):
    store = open_store(url)
    for k in range(3):
        store.add_version(a_version(store, "x", k))
    remove = store._fs.remove
    seen = []

    def crash(path):
        if seen:
            raise KeyboardInterrupt
        seen.append(path)
        remove(path)

    monkeypatch.setattr(store._fs, "remove", crash)
    with pytest.raises(KeyboardInterrupt):
        store.delete("x")
    again = open_store(url)
    assert again.latest("x") is None
    assert again.artifacts() == []
    for look in (again.version, again.versions, again.delete):
        with pytest.raises(KeyError):
            look("x")
    assert again._fs.names("artifacts/x/versions") == ["00000004"]


def test_two_writers_of_one_result_make_one_version(url, monkeypatch):
    store, other = open_store(url), open_store(url)
    mine = a_version(store, "x", 1)
    highest = store._artifacts._highest

    def meanwhile(version):
        def late(folder):
            found = highest(folder)
            monkeypatch.undo()
            other.add_version(version)
            return found

        monkeypatch.setattr(store._artifacts, "_highest", late)

    meanwhile(mine)
    assert store.add_version(mine).number == 1
    assert [row.version for row in store.versions("x")] == [1]
    meanwhile(a_version(store, "x", 3))
    assert store.add_version(a_version(store, "x", 2)).number == 3
    assert [row.version for row in store.versions("x")] == [3, 2, 1]


def test_a_version_knows_its_function(url):
    import msgspec

    store = open_store(url)
    store.add_version(msgspec.structs.replace(a_version(store, "x", 1), function="train"))
    assert store.versions("x")[0].key.startswith("train-")
    assert isinstance(store.latest("x"), Version)
