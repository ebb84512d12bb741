"""The index as a cache that may go, be damaged or be another store's."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from dualdag.store import _index as index_room
from dualdag.store import _records as records_room
from dualdag.store import open_store
from dualdag.testing._store_suite_base import a_record


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


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


def empty_rows(path):
    db = sqlite3.connect(path)
    # A flipped bit in the head of a row does so, whatever the schema says.
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'records'")
    db.commit()
    db.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE records SET body = NULL")
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


@pytest.mark.parametrize("harm", [damage_rows, empty_rows, swap_rows, drop_rows, zero_pages, overwrite])
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


@pytest.mark.parametrize("harm", [damage_rows, empty_rows, swap_rows, overwrite])
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
