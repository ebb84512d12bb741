"""Several writers at once, in threads and processes: one record in force per key, whoever asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dualdag.store import open_store
from dualdag.testing._store_suite_base import a_record, a_version

WRITER = """
import json, sys, time
from dualdag.store import open_store
from dualdag.testing._store_suite_base import a_record, a_version
url, name, count, start = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
store = open_store(url)
time.sleep(max(0.0, start - time.time()))
won = {}
for i in range(count):
    if name == "endless":
        store.save([i, "x" * 100])
    batch = [a_record(f"{i}", f"of {name}"), a_record(f"{name} {i}")]
    won[i] = store.put_records(batch)[0].digest.decode()
    if i % 10 == 0:
        store.add_version(a_version(store, "shared", [name, i]))
        store.supersede(a_record("late", f"of {name} {i}"))
    if name == "endless" and i == 5:
        print("going", flush=True)
store.close()
print(json.dumps(won))
"""


def start(url, name, count, when):
    command = [sys.executable, "-W", "ignore", "-c", WRITER, url, name, str(count), str(when)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes(tmp_path):
    url, count = str(tmp_path / "store"), 60
    when = time.time() + 1.5
    writers = [start(url, name, count, when) for name in ("a", "b")]
    won = [json.loads(writer.communicate(timeout=60)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert won[0] == won[1]
    store = open_store(url)
    keys = [a_record(f"{i}").action for i in range(count)]
    assert {i: record.digest.decode() for i, record in enumerate(map(store.records(keys).get, keys))} == {
        int(i): digest for i, digest in won[0].items()
    }
    numbers = [int(name) for name in store._fs.names("batches/00000000")]
    assert numbers == list(range(2 * count))
    assert [row.version for row in store.versions("shared")] == list(range(12, 0, -1))
    late = a_record("late")
    assert len({record.digest for record in store.records([late.trace, late.action]).values()}) == 1
    assert len(set(store.superseded().values())) == 1
    # The index that both wrote is that of the batches alone.
    index = dict(store.records([a_record(f"{n} {i}").trace for n in "ab" for i in range(count)]))
    store.close()
    for path in (tmp_path / "store" / "cache").glob("index*"):
        path.unlink()
    assert open_store(url).records(list(index)) == index
    assert len(index) == 2 * count


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_writer_leaves_what_it_had_written(tmp_path):
    url = str(tmp_path / "store")
    writer = start(url, "endless", 100_000, 0)
    assert writer.stdout.readline() == "going\n"
    time.sleep(0.05)
    writer.kill()
    writer.communicate()
    store = open_store(url)
    there = [a_record(f"{i}", "of endless") for i in range(6)]
    assert store.put_records([a_record(f"{i}", "mine") for i in range(6)]) == there
    for name in store._fs.names("objects"):
        for rest in store._fs.names(f"objects/{name}"):
            assert store.get_object(bytes.fromhex(name + rest))


def test_one_handle_in_many_threads(tmp_path):
    store = open_store(str(tmp_path / "store"))
    errors = []

    def work(k):
        try:
            for i in range(25):
                saved = store.save([k, i])
                assert store.load(saved.checksum, saved.codec) == [k, i]
                store.put_records([a_record(f"{k} {i}"), a_record(f"{i}", f"of {k}")])
                assert store.records([a_record(f"{k} {i}").trace])
                if i % 5 == 0:
                    store.refresh()
                    store.add_version(a_version(store, "x", [k, i]))
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    keys = [a_record(f"{k} {i}").action for k in range(6) for i in range(25)]
    assert len(open_store(store.url).records(keys)) == 150
    assert [row.version for row in store.versions("x")] == list(range(30, 0, -1))


def test_a_name_taken_by_a_crash_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    url = str(tmp_path / "store")
    store = open_store(url)
    store.put_records([a_record("one")])
    crash = open_store(url)

    class Crashed(BaseException):
        pass

    def end(*_args):
        raise Crashed

    monkeypatch.setattr(os, "replace", end)
    with pytest.raises(Crashed):
        crash.put_records([a_record("lost")])
    monkeypatch.undo()
    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(UserWarning, match="damaged"):
        assert store.put_records([a_record("two")]) == [a_record("two")]
    assert store._fs.names("batches/00000000") == ["000000000000", "000000000001", "000000000002"]
    with pytest.warns(UserWarning, match="damaged"):
        assert len(open_store(url).records([a_record(n).trace for n in ("one", "lost", "two")])) == 2
