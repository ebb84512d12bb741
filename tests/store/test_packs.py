"""Batches brought together: every look-up gives what it gave, to whoever knows what."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdag.store import _packs, open_store
from dualdag.store import _records as records_room
from dualdag.store._facts import Batch, Record
from dualdag.store._packs import merged
from dualdag.store._rows import fold
from dualdag.testing import FaultFS
from dualdag.testing._faults import CRASHED
from dualdag.testing._store_suite_base import a_record
from tests.store.test_gc import changing, in_a_child

SECRET = "nobody would guess this one"
KEYS = [a_record(f"{k}").trace for k in range(40)] + [a_record(f"{k}").action for k in range(40)]


def in_force(batches, known=None):
    """Return by key what readers take from batches: the definition, slowly."""
    known = dict(known or {})
    for batch in batches:
        named = [(key, r) for r in batch.records for key in (r.trace, r.action)]
        named += [(key, r) for trace, r in batch.aliases for key in (trace, r.action)]
        for key, record in named:
            known[key] = fold(known.get(key), (record,))
    return known


def a_batch(rows, more):
    def made(trace, action, digest, kept):
        return Record(
            b"own%d" % action, b"t%d" % trace, b"a%d" % action, b"d%d" % digest, b"c%d" % kept if kept else None
        )

    return Batch([made(*row) for row in rows], [(b"t%d" % trace, made(*row)) for trace, row in more])


small = st.integers(0, 2)
rows = st.tuples(small, small, small, small)
batches = st.builds(a_batch, st.lists(rows, max_size=3), st.lists(st.tuples(small, rows), max_size=3))


@given(first=st.lists(batches, max_size=5), rest=st.lists(batches, max_size=4), at=st.integers(0, 5))
@settings(max_examples=400, deadline=None)
def test_a_pack_is_as_good_as_its_batches(first, rest, at):
    pack = merged(first)
    assert in_force([pack, *rest]) == in_force([*first, *rest])
    # Whoever read some of them before, and whoever still finds the lowest ones beside the pack.
    assert in_force([pack, *rest], in_force(first[:at])) == in_force([*first, *rest])
    assert in_force([*first[:at], pack, *rest]) == in_force([*first, *rest])
    assert merged([pack]) == pack
    assert len(pack.records) + len(pack.aliases) <= sum(len(one.records) + len(one.aliases) for one in first)


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


def fill(url, count=40, **options):
    store = open_store(url, **options)
    for k in range(count):
        store.put_records([a_record(f"{k}")])
        # A second writer's, which comes too late.
        store.put_records([a_record(f"{k}", "late", checksum=b"c" * 32)])
    store.close()
    return store


def cold(url):
    shutil.rmtree(Path(url, "cache"), ignore_errors=True)
    return open_store(url)


def files(url):
    return sorted(int(path.name) for path in Path(url, "batches").rglob("0*") if path.is_file())


def test_few_files_are_left_and_all_is_found(url):
    store = fill(url)
    before = store.records(KEYS)
    assert len(before) == 80
    assert store.gc(dry_run=True, grace=0).batches == 78
    assert store.gc(grace=0).batches == 78
    assert files(url) == [78, 79]
    assert store.records(KEYS) == before
    assert cold(url).records(KEYS) == before
    assert store.gc(grace=0).batches == 0
    assert store.put_records([a_record("3", "other")]) == [before[a_record("3").trace]]
    assert files(url) == [78, 79, 80]


def test_packs_are_packed_again(url):
    for _ in range(3):
        store = fill(url, 10)
        store.gc(grace=0)
    assert files(url) == [58, 59]
    assert len(cold(url).records(KEYS)) == 20


def test_full_folders(url, monkeypatch):
    monkeypatch.setattr(records_room, "_FOLDER", 20)
    fill(url)
    store = cold(url)
    before = store.records(KEYS)
    store.gc(grace=0)
    assert files(url) == [19, 39, 59, 78, 79]
    again = cold(url)
    assert again.records(KEYS) == before
    again.put_records([a_record("new")])
    assert files(url)[-1] == 80


def test_young_batches_stay_and_the_files_of_a_young_pack_too(url):
    store = fill(url)
    assert store.gc().batches == 0
    for path in Path(url, "batches").rglob("0*"):
        if path.is_file():
            os.utime(path, (1, 1))
    assert store.gc().batches == 78
    # Somebody may be in the middle of reading them.
    assert len(files(url)) == 80
    os.utime(Path(url, "batches", "00000000", f"{78:012d}"), (1, 1))
    store.gc()
    assert files(url) == [78, 79]


def test_an_index_from_before_is_as_good_as_ever(url):
    store = fill(url, 10)
    other = open_store(url)
    before = other.records(KEYS)
    path = store._index_path()
    store.close()
    kept = path.read_bytes()
    store = fill(url, 40)
    store.gc(grace=0)
    store.close()
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_bytes(kept)
    again = open_store(url)
    assert again._records._index.next == 100
    assert {key: again.records(KEYS)[key] for key in before} == before
    other.refresh()
    assert other.records(KEYS) == again.records(KEYS) == cold(url).records(KEYS)


def test_a_pack_of_another_history_is_not_believed(url):
    store = fill(url, 10)
    path = store._index_path()
    kept = path.read_bytes()
    shutil.rmtree(Path(url, "batches"))
    shutil.rmtree(path.parent)
    store = open_store(url)
    for k in range(40):
        store.put_records([a_record(f"{k}", "another")])
    store.gc(grace=0)
    store.close()
    path.write_bytes(kept)
    key = a_record("1").trace
    assert open_store(url).records([key])[key].digest == a_record("1", "another").digest


def test_a_writer_that_slept_takes_no_number_of_a_pack(url):
    store = fill(url, 10)
    sleeper = open_store(url)
    assert len(sleeper.records(KEYS)) == 20
    fill(url, 40)
    store = open_store(url)
    store.gc(grace=0)
    sleeper._records._looked -= 100
    first = sleeper.put_records([a_record("30", "too late")])[0]
    assert first.digest == a_record("30").digest
    assert files(url)[0] == 98


def test_a_run_of_a_store_that_was_open_looks_again(url):
    store = fill(url, 10)
    store.records(KEYS)
    fill(url, 40)
    open_store(url).gc(grace=0)
    store.start_run("r", {}).close()
    assert store.put_records([a_record("30", "too late")])[0].digest == a_record("30").digest


def test_a_reader_in_the_middle(url, monkeypatch):
    store = fill(url)
    reader = cold(url)
    before = []
    get_many = type(reader._fs).get_many

    def late(fs, paths):
        if not before:
            before.append(1)
            open_store(url).gc(grace=0)
        return get_many(fs, paths)

    monkeypatch.setattr(type(reader._fs), "get_many", late)
    found = reader.records(KEYS)
    assert before
    monkeypatch.undo()
    assert found == cold(url).records(KEYS)
    assert len(found) == 80
    assert store


def test_what_is_damaged_stays_apart(url):
    fill(url)
    path = Path(url, "batches", "00000000", f"{33:012d}")
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="damaged"):
        store = cold(url)
        before = store.records(KEYS)
        store.gc(grace=0)
    assert files(url) == [32, 33, 78, 79]
    with pytest.warns(UserWarning, match="damaged"):
        assert cold(url).records(KEYS) == before


def test_what_is_packed_is_signed_as_it_was(url):
    fill(url, secret=SECRET)
    assert open_store(url, secret=SECRET).gc(grace=0).batches == 78
    shutil.rmtree(Path(url, "cache"))
    assert len(open_store(url, secret=SECRET, trust="require").records(KEYS)) == 80


def test_what_others_signed_is_left_alone(url):
    fill(url, secret=SECRET)
    store = open_store(url, trust="unsigned")
    assert store.gc(grace=0, dry_run=False).batches == 0
    assert len(files(url)) == 80


def test_while_a_run_goes_on_nothing_is_packed(url):
    store = fill(url)
    journal = store.start_run("r", {})
    assert store.gc(grace=0).batches == 0
    journal.close()
    assert store.gc(grace=0).batches == 78


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("fault", ["before", "torn", "after"])
def test_every_step_of_packing(fault, tmp_path, full, monkeypatch):
    monkeypatch.setattr(_packs, "_FEW", 4)
    base = str(tmp_path / "base")
    fill(base, 6)
    before = open_store(base).records(KEYS)

    def first(folder, at=None):
        store = open_store(str(folder))
        with FaultFS(at=at, fault=fault) as faults:
            store.gc(grace=0)
        return faults.steps

    def second(folder):
        assert open_store(str(folder)).records(KEYS) == before
        store = cold(str(folder))
        assert store.records(KEYS) == before
        assert store.put_records([a_record("3", "too late")])[0] == before[a_record("3").trace]
        store.gc(grace=0)
        assert cold(str(folder)).records(KEYS) == before

    shutil.copytree(base, tmp_path / "counted")
    steps = changing(first(tmp_path / "counted"))
    assert len(steps) > 20
    for k in steps if full else steps[::4]:
        folder = tmp_path / f"{k}"
        shutil.copytree(base, folder)
        assert in_a_child(lambda k=k, folder=folder: first(folder, k)) in {CRASHED, 0 if fault == "after" else CRASHED}
        assert in_a_child(lambda folder=folder: second(folder)) == 0, k
        shutil.rmtree(folder)
