"""The marker, sealed files, and the index as a cache that may go, be damaged or be another store's."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings

import pytest

from dualdag.errors import CorruptObjectError, StoreError
from dualdag.store import Record, open_store
from dualdag.store import _index as index_room
from dualdag.store import _records as records_room
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
        newer.setattr(seal_room, "LAYOUT", 2)
        data = seal(Unstable(b"t"), "p")
    assert layout_of(data, "p") == 2
    assert layout_of(data, "q") is None
    assert layout_of(b"", "p") is None
    with pytest.raises(StoreError, match="layout 2.*pip install --upgrade") as caught:
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
    assert marker["layout"] == 1
    assert len(marker["id"]) == 32


@pytest.mark.parametrize("state", [b"", b"{", b'{"layout": "x"}', b"\xff", None])
def test_a_damaged_marker_is_rebuilt_from_a_record(url, state):
    store = open_store(url)
    one = a_record("one")
    store.put_records([one])
    store.close()
    store._fs.remove("layout.json")
    if state is not None:
        put(store, "layout.json", state)
    with pytest.warns(UserWarning, match="marker layout.json is (damaged|gone).*layout 1"):
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


# The index.


def test_an_index_of_another_store_is_not_believed(url):
    store = open_store(url)
    store.put_records([a_record("old")])
    store.close()
    shutil.move(f"{url}/cache", f"{url}-cache")
    shutil.rmtree(url)
    store = open_store(url)
    store.put_object(b"x")
    shutil.move(f"{url}-cache", f"{url}/cache")
    assert store.records([a_record("old").trace]) == {}
    assert store.put_records([a_record("new")]) == [a_record("new")]
    assert store._fs.names("batches/00000000") == ["000000000000"]


def test_an_index_ahead_of_a_store_that_was_put_back(url):
    store = open_store(url)
    store.put_records([a_record("one")])
    store.close()
    shutil.copytree(url, f"{url}-copy", ignore=shutil.ignore_patterns("cache"))
    store.put_records([a_record("two")])
    store.supersede(a_record("one", "later"))
    store.close()
    shutil.move(f"{url}/cache", f"{url}-copy/cache")
    shutil.rmtree(url)
    shutil.move(f"{url}-copy", url)
    store = open_store(url)
    one = a_record("one")
    assert store.records([one.trace, a_record("two").trace]) == {one.trace: one}
    other = a_record("two", "other")
    assert store.put_records([other]) == [other]


def damage_rows(path):
    db = sqlite3.connect(path)
    db.execute("UPDATE records SET body = substr(body, 1, 60) || x'00' || substr(body, 62)")
    db.commit()
    db.close()


def swap_rows(path):
    db = sqlite3.connect(path)
    db.execute("UPDATE keys SET record = 3 - record")
    db.commit()
    db.close()


def drop_rows(path):
    db = sqlite3.connect(path)
    db.execute("DELETE FROM records")
    db.execute("INSERT INTO records VALUES (1, x'00')")
    db.commit()
    db.close()


def zero_pages(path):
    for name in (path, f"{path}-wal"):
        if os.path.exists(name):
            with open(name, "r+b") as file:
                file.seek(4096)
                file.write(bytes(1 << 16))


def overwrite(path):
    with open(path, "wb") as file:
        file.write(b"no database" * 1000)


@pytest.mark.parametrize("harm", [damage_rows, swap_rows, drop_rows, zero_pages, overwrite])
@pytest.mark.parametrize("many", [False, True])
def test_a_damaged_index_never_gives_a_wrong_record(url, harm, many):
    one, two = a_record("one"), a_record("two")
    store = open_store(url)
    store.put_records([one, two])
    store.close()
    harm(f"{url}/cache/index.sqlite")
    store = open_store(url)
    more = [b"%020d" % i for i in range(1000)] if many else []
    found = store.records([one.trace, two.action, *more])
    assert {key: value for key, value in {one.trace: one, two.action: two}.items() if key in found} == found
    store.close()
    os.remove(f"{url}/cache/index.sqlite")
    assert open_store(url).records([one.trace, two.action]) == {one.trace: one, two.action: two}


@pytest.mark.parametrize("harm", [damage_rows, swap_rows, overwrite])
def test_a_damaged_index_is_built_again(url, harm):
    one, two = a_record("one"), a_record("two")
    store = open_store(url)
    store.put_records([one, two])
    store.close()
    harm(f"{url}/cache/index.sqlite")
    for _ in range(2):
        store = open_store(url)
        assert store.records([one.trace, two.action]) == {one.trace: one, two.action: two}
        store.close()


def test_an_index_that_cannot_be_written_is_done_without(url, monkeypatch):
    one = a_record("one")
    open_store(url).put_records([one])

    def refuse(*_args, **_kwargs):
        raise sqlite3.OperationalError("attempt to write a readonly database")

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda name, **k: real(name, **k) if name == ":memory:" else refuse())
    store = open_store(url)
    assert store.records([one.trace]) == {one.trace: one}
    store.put_records([a_record("two")])
    store.close()
    assert len(store.records([one.trace, a_record("two").trace])) == 2


def test_what_is_held_goes_to_the_file_in_time(url, monkeypatch):
    monkeypatch.setattr(index_room, "_HELD", 10)
    store = open_store(url)
    for k in range(20):
        store.put_records([a_record(f"{k}")], [(f"alias {k}".encode().ljust(20), a_record(f"{k}"))])
    assert len(store._records._index._held) <= 12
    # Killed here: nothing was closed.
    again = open_store(url)
    keys = [f"alias {k}".encode().ljust(20) for k in range(20)]
    assert again.records(keys) == {key: a_record(f"{k}") for k, key in enumerate(keys)}


def test_what_completes_a_record_does_so_in_the_file_too(url, monkeypatch):
    monkeypatch.setattr(index_room, "_HELD", 0)
    store = open_store(url)
    kept = a_record("x", checksum=b"c" * 32)
    for one in (a_record("x"), a_record("x", "other", checksum=b"e" * 32), kept, a_record("x", checksum=b"f" * 32)):
        store.put_records([one])
    assert store.records([kept.trace]) == {kept.trace: kept}
    store.close()
    assert open_store(url).records([kept.trace]) == {kept.trace: kept}
    shutil.rmtree(f"{url}/cache")
    monkeypatch.undo()
    assert open_store(url).records([kept.trace]) == {kept.trace: kept}


def test_batches_fill_folder_after_folder(url, monkeypatch):
    monkeypatch.setattr(records_room, "_FOLDER", 4)
    store, other = open_store(url), open_store(url)
    assert other.records([b"k" * 20]) == {}
    for k in range(11):
        store.put_records([a_record(f"{k}")])
    assert store._fs.names("batches") == ["00000000", "00000001", "00000002"]
    keys = [a_record(f"{k}").trace for k in range(11)]
    other.refresh()
    assert len(other.records(keys)) == len(open_store(url).records(keys)) == 11
    theirs = open_store(url)
    theirs.lookups.clear()
    theirs.records(keys)
    theirs.close()
    again = open_store(url)
    again.records(keys)
    assert again.lookups["listings"] == 2  # the newest folder of batches, and the facts


def test_facts_are_read_once(url):
    store = open_store(url)
    for k in range(5):
        store.supersede(a_record(f"{k}"))
    store.close()
    again = open_store(url)
    reads = []
    get = again._fs.get
    again._fs.get = lambda path: reads.append(path) or get(path)
    assert len(again.superseded()) == 10
    assert not [path for path in reads if path.startswith("facts/")]


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


def test_a_fork_leaves_the_parents_index_alone(url):
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    code = (
        "import os, sys\nfrom dualdag.store import open_store\n"
        "from dualdag.testing._store_suite_base import a_record\n"
        f"store = open_store({url!r})\nstore.put_records([a_record('one')])\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    assert len(store.records([a_record('one').trace])) == 1\n"
        "    store.put_records([a_record('two')])\n"
        "    store.close()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "store.refresh()\n"
        "assert len(store.records([a_record('one').trace, a_record('two').trace])) == 2\n"
        "store.close()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


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
    numbers = store._artifacts._numbers

    def meanwhile(version):
        def late(folder):
            found = numbers(folder)
            monkeypatch.undo()
            other.add_version(version)
            return found

        monkeypatch.setattr(store._artifacts, "_numbers", late)

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


def test_an_index_whose_schema_is_damaged(url):
    store = open_store(url)
    store.put_records([a_record("x")])
    path = store._index_path()
    store.close()
    data = path.read_bytes()
    at = data.index(b"CREATE TABLE records")
    path.write_bytes(data[:at] + b"\xc5\xff\xfe" + data[at + 3 :])
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    assert open_store(url).records([a_record("x").trace])
